defmodule HostileTest do
  @moduledoc """
  Peers that send what no node would send. Each is dropped and logged, and nobody else notices: after every
  test a connection that was there before still answers, and so does a new one.
  """
  use ClusterCase

  setup do
    harness = Harness.start()
    good = RawNode.connect!(harness.port)

    {:ok, harness: harness, good: good}
  end

  defp assert_undisturbed(%{harness: harness, good: good}) do
    node = harness.node
    assert {:ok, %{node: ^node}} = RawNode.call(good, :harness, :info, System.unique_integer([:positive]))
    raw = RawNode.connect!(harness.port)
    assert {:ok, %{node: ^node}} = RawNode.call(raw, :harness, :info)
    RawNode.close(raw)
    Harness.assert_alive(harness)
  end

  defp assert_dropped(context, raw, log) do
    assert RawNode.await_close(raw, 30_000) == :closed
    Harness.wait_for_log(context.harness, log)
    assert_undisturbed(context)
  end

  defp name_frame(raw, name), do: RawNode.short(raw, RawNode.name_message(%{raw | name: name}))

  describe "a handshake" do
    test "with the wrong cookie", %{harness: harness} = context do
      assert {:error, {:ack, :closed}} = RawNode.connect(harness.port, cookie: "wrong")
      Harness.wait_for_log(harness, ~r/cookie mismatch/)
      assert_undisturbed(context)
      refute Harness.log(harness) =~ Atom.to_string(Node.get_cookie())
    end

    test "with the wrong cookie of a real node", %{harness: harness} = context do
      peer = Peer.start(cookie: "wrong")
      assert Peer.call(peer, :net_adm, :ping, [harness.node]) == :pang
      Harness.wait_for_log(harness, ~r/cookie mismatch/)
      assert_undisturbed(context)
    end

    test "without a mandatory flag names the flag", %{harness: harness} = context do
      for {flag, name} <- [
            unlink_id: "UNLINK_ID",
            v4_nc: "V4_NC",
            extended_references: "EXTENDED_REFERENCES",
            fun_tags: "FUN_TAGS",
            extended_pids_ports: "EXTENDED_PIDS_PORTS",
            utf8_atoms: "UTF8_ATOMS",
            new_fun_tags: "NEW_FUN_TAGS",
            big_creation: "BIG_CREATION",
            map_tag: "MAP_TAG",
            bit_binaries: "BIT_BINARIES",
            export_ptr_tag: "EXPORT_PTR_TAG",
            new_floats: "NEW_FLOATS"
          ] do
        # Peers from before OTP 25 say less; from 25 on the digest stands for what was mandatory then.
        without = if flag in [:unlink_id, :v4_nc], do: [flag], else: [flag, :mandatory_25_digest]
        assert {:error, {:status, _}} = RawNode.connect(harness.port, without: without)
        Harness.wait_for_log(harness, ~r/peer lacks [A-Z0-9_, ]*#{name}/)
      end

      assert_undisturbed(context)
    end

    test "of a name that is not allowed" do
      harness = Harness.start(config: %{"access" => %{"callers" => %{"allow" => ["*"], "deny" => ["bad*"]}}})
      name = Peer.unique("bad") <> "@127.0.0.1"
      assert {:error, {:status, _}} = RawNode.connect(harness.port, name: name)
      Harness.wait_for_log(harness, ~r/name not allowed/)
      assert Peer.call(Peer.start(name: Peer.unique("bad")), :net_adm, :ping, [harness.node]) == :pang
      assert_undisturbed(%{harness: harness, good: RawNode.connect!(harness.port)})
    end

    test "that stalls is dropped at the deadline, at every step", %{harness: harness} = context do
      steps = [
        fn raw -> raw end,
        fn raw -> RawNode.send_bytes(raw, <<0>>) && raw end,
        fn raw -> RawNode.send_bytes(raw, RawNode.short(raw, 100, "N")) && raw end,
        fn raw ->
          :ok = RawNode.send_name(raw)
          {:ok, _} = RawNode.receive_status(raw)
          {:ok, _, _} = RawNode.receive_challenge(raw)
          raw
        end
      ]

      raws =
        for step <- steps do
          {:ok, raw} = RawNode.open(harness.port)
          step.(raw)
        end

      {time, _} = timed(fn -> for raw <- raws, do: assert(RawNode.await_close(raw, 30_000) == :closed) end)
      assert time < 30_000
      Harness.wait_for_log(harness, ~r/handshake not done within/)
      assert_undisturbed(context)
    end

    test "a byte at a time is still a handshake", %{harness: harness} do
      {:ok, raw} = RawNode.open(harness.port)
      message = RawNode.name_message(raw)

      for <<(byte <- RawNode.short(raw, message))>>, do: :ok = RawNode.send_bytes(raw, <<byte>>)

      assert {:ok, "ok"} = RawNode.receive_status(raw)
      assert {:ok, challenge, raw} = RawNode.receive_challenge(raw)
      :ok = RawNode.send_reply(raw, challenge, RawNode.cookie([]))
      assert :ok = RawNode.receive_ack(raw, RawNode.cookie([]))
      assert {:ok, %{}} = RawNode.call(raw, :harness, :info)
    end

    test "of junk", %{harness: harness} = context do
      {:ok, raw} = RawNode.open(harness.port)

      for junk <- [
            "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            :binary.copy(<<0>>, 100),
            :binary.copy(<<255>>, 70_000),
            RawNode.short(raw, ""),
            RawNode.short(raw, "N"),
            RawNode.short(raw, "x"),
            RawNode.short(raw, <<?N, raw.flags::64, 1::32, 65_535::16>>),
            RawNode.short(raw, <<?N, raw.flags::64, 1::32, 0::16, ?a>>),
            # A name with a NUL, one without a host, one that is too long, one that is not UTF-8.
            name_frame(raw, "a\0b@127.0.0.1"),
            name_frame(raw, "nohost"),
            name_frame(raw, "@127.0.0.1"),
            name_frame(raw, String.duplicate("x", 5_000) <> "@127.0.0.1"),
            name_frame(raw, <<255, 254, "@127.0.0.1">>),
            # Version 5 of the handshake.
            RawNode.short(raw, 20, <<?n, 5::16, 0x7499C::32, "a@127.0.0.1", 0, 0>>),
            # The second message first.
            RawNode.short(raw, <<?r, 1::32, 0::128>>)
          ] do
        {:ok, raw} = RawNode.open(harness.port)
        RawNode.send_bytes(raw, junk)
        assert {junk, RawNode.await_close(raw, 20_000)} == {junk, :closed}
      end

      RawNode.close(raw)
      Harness.wait_for_log(harness, ~r/handshake/)
      assert_undisturbed(context)
    end

    test "whose answer to the challenge is junk", %{harness: harness} = context do
      for answer <- ["", "r", <<?r, 1::32>>, <<?r, 1::32, 0::128, 0>>, <<?x, 1::32, 0::128>>, <<?N, 0::64>>] do
        {:ok, raw} = RawNode.open(harness.port)
        :ok = RawNode.send_name(raw)
        {:ok, "ok"} = RawNode.receive_status(raw)
        {:ok, _, raw} = RawNode.receive_challenge(raw)
        :ok = RawNode.send_short(raw, answer)
        assert {answer, RawNode.await_close(raw, 20_000)} == {answer, :closed}
      end

      assert_undisturbed(context)
    end

    test "under the name of a node that is connected leaves that connection alone",
         %{harness: harness} = context do
      name = context.good.name
      # Someone who does not know the cookie cannot end it.
      assert {:error, _} = RawNode.connect(harness.port, name: name, cookie: "wrong")
      assert_undisturbed(context)
      # Nor may anybody come as the daemon itself.
      assert {:error, _} = RawNode.connect(harness.port, name: Atom.to_string(harness.node))
      assert_undisturbed(context)
    end
  end

  test "10,000 connections that say nothing" do
    harness = Harness.start(config: %{"limits" => %{"pending_handshakes" => 200}})
    context = %{harness: harness, good: RawNode.connect!(harness.port)}
    peer = Peer.start()
    assert Peer.call(peer, :net_adm, :ping, [harness.node]) == :pong
    {limit, _} = Integer.parse(to_string(:os.cmd(~c"ulimit -n")))
    count = min(10_000, limit - 500)
    before = Harness.memory(harness)

    sockets =
      for _ <- 1..count,
          {:ok, socket} <- [:gen_tcp.connect({127, 0, 0, 1}, harness.port, [:binary, active: false], 10_000)],
          do: socket

    assert length(sockets) > div(count, 2)

    # Those who were connected go on as before, while it lasts.
    node = harness.node
    assert {:ok, %{node: ^node}} = RawNode.call(context.good, :harness, :info, 77)
    assert %{node: ^node} = Peer.call(peer, :erpc, :call, [node, :harness, :info, []])
    assert Harness.memory(harness) - before < 200_000_000
    Harness.wait_for_log(harness, ~r/handshake/)
    for socket <- sockets, do: :gen_tcp.close(socket)
    Wait.until("room for a new handshake", fn -> match?({:ok, _}, RawNode.connect(harness.port)) end, 20_000)
    assert_undisturbed(context)
  end

  describe "a frame" do
    setup context do
      {:ok, raw: RawNode.connect!(context.harness.port)}
    end

    test "of claimed 4 GB", %{raw: raw, harness: harness} = context do
      before = Harness.memory(harness)
      RawNode.send_bytes(raw, <<0xFFFFFFFF::32, 112, "hello">>)
      assert_undisturbed(context)
      assert Harness.memory(harness) - before < 100_000_000
    end

    test "above the configured limit" do
      harness = Harness.start(config: %{"limits" => %{"frame_bytes" => 1_000_000}})
      context = %{harness: harness, good: RawNode.connect!(harness.port)}
      raw = RawNode.connect!(harness.port)
      assert {:ok, _} = RawNode.call(raw, :harness, {:help, :binary.copy("x", 900_000)})

      assert {:ok, {:error, {:exception, {:message_too_large, %{limit: 1_000_000, key: "limits.frame_bytes"}}, []}}} =
               RawNode.call(raw, :harness, {:help, :binary.copy("x", 1_100_000)})

      assert {:ok, _} = RawNode.call(raw, :harness, {:help, :binary.copy("x", 900_000)})
      assert_undisturbed(context)
    end

    test "that is no message", %{harness: harness} = context do
      for data <- [
            <<112>>,
            <<113, 131, 97, 1>>,
            <<131, 68>>,
            <<131, 68, 0, 97, 1>>,
            <<131, 80, 0, 0, 0, 1>>,
            <<131, 69, 1::64, 1::64, 0>>,
            <<0>>,
            "hello",
            <<112, 97, 1>>,
            <<112, 131>>,
            <<112, 131, 97, 1>>,
            <<112, 131, 106>>,
            <<112, 131, 104, 0>>
          ] do
        raw = RawNode.connect!(harness.port)
        RawNode.send_frame(raw, data)
        assert {data, RawNode.await_close(raw, 20_000)} == {data, :closed}
      end

      Harness.wait_for_log(harness, ~r/invalid message/)
      assert_undisturbed(context)
    end

    test "with a truncated term, at every length", %{harness: harness} = context do
      raw = RawNode.connect!(harness.port)
      control = RawNode.encode({6, RawNode.pid(raw), :"", :harness})

      message =
        RawNode.encode(
          {:"$gen_call", {RawNode.pid(raw), RawNode.reference(raw)},
           {:help, [1.5, "x", %{a: 1}, &Enum.map/2, 1_000_000_000_000_000_000_000]}}
        )

      whole = <<112, control::binary, message::binary>>
      RawNode.close(raw)

      # The last byte of the control message alone is a whole message without its payload, which is bad too.
      for size <- 1..(byte_size(whole) - 1) do
        raw = RawNode.connect!(harness.port)
        RawNode.send_frame(raw, binary_part(whole, 0, size))
        assert {size, RawNode.await_close(raw, 20_000)} == {size, :closed}
      end

      assert_undisturbed(context)
    end

    test "with bytes behind the term", %{raw: raw, good: _} = context do
      message = RawNode.encode({:"$gen_call", {RawNode.pid(raw), RawNode.reference(raw)}, :info})
      RawNode.send_control_bytes(raw, {6, RawNode.pid(raw), :"", :harness}, message <> "more")
      assert RawNode.await_close(raw, 20_000) == :closed
      assert_undisturbed(context)
    end

    test "with a term of five million nested tuples", %{raw: raw} = context do
      deep = <<131, :binary.copy(<<104, 1>>, 5_000_000)::binary, 106>>
      RawNode.send_control_bytes(raw, {6, RawNode.pid(raw), :"", :harness}, deep)
      # That is well-formed, and no message of the daemon's.
      assert {:ok, %{node: _}} = RawNode.call(raw, :harness, :info)
      assert_undisturbed(context)
    end

    test "with a control message of five million nested lists", %{raw: raw} = context do
      deep = [:binary.copy(<<108, 1::32>>, 2_000_000), 106, :binary.copy(<<106>>, 2_000_000)]
      RawNode.send_frame(raw, IO.iodata_to_binary([112, 131, deep]))
      assert RawNode.await_close(raw, 20_000) == :closed
      assert_undisturbed(context)
    end

    test "with a term that claims what is not there", %{harness: harness} = context do
      for claim <- [
            <<131, 109, 0xFFFFFFFF::32, "x">>,
            <<131, 109, 0x7FFFFFFF::32, "x">>,
            <<131, 108, 0xFFFFFFFF::32, 97, 1>>,
            <<131, 105, 0xFFFFFFFF::32, 97, 1>>,
            <<131, 116, 0xFFFFFFFF::32, 97, 1>>,
            <<131, 107, 0xFFFF::16, "x">>,
            <<131, 111, 0xFFFFFFFF::32, 0, 1>>,
            <<131, 110, 255, 0, 1>>,
            <<131, 112, 0xFFFFFFFF::32, 0>>,
            <<131, 112, 10::32, 0>>,
            <<131, 90, 0xFFFF::16, 119, 1, "a">>,
            <<131, 119, 255, "a">>,
            <<131, 118, 0xFFFF::16, "a">>,
            <<131, 77, 5::32, 9, "hello">>,
            <<131, 80, 0xFFFFFFFF::32, "x">>,
            <<131, 82, 0>>,
            <<131, 121, "12345678">>,
            <<131, 70, 0x7FF8::16, 0::48>>,
            <<131, 119, 2, 0xC3, 0x28>>,
            <<131, 255>>
          ] do
        raw = RawNode.connect!(harness.port)
        RawNode.send_control_bytes(raw, {6, RawNode.pid(raw), :"", :harness}, claim)
        assert {claim, RawNode.await_close(raw, 20_000)} == {claim, :closed}
      end

      assert_undisturbed(context)
    end

    test "with an unknown control message", %{harness: harness} = context do
      pid = fn raw -> RawNode.pid(raw) end

      for control <- [
            fn _ -> {99, 1, 2} end,
            fn _ -> {0} end,
            fn _ -> {-1, 1} end,
            fn _ -> {:atom, 1} end,
            fn _ -> {6} end,
            fn raw -> {6, pid.(raw), :""} end,
            fn raw -> {6, pid.(raw), :"", "harness"} end,
            fn raw -> {6, 1, :"", pid.(raw)} end,
            fn raw -> {19, pid.(raw), :harness} end,
            fn raw -> {19, pid.(raw), 5, make_ref()} end,
            fn raw -> {2, :"", :no_pid, pid.(raw)} end,
            fn raw -> {29, RawNode.reference(raw), pid.(raw), pid.(raw), :not_mfa, []} end,
            fn raw -> {35, 1, pid.(raw)} end,
            fn _ -> List.to_tuple([6 | Enum.to_list(1..300)]) end,
            fn _ -> [6, 1, 2] end
          ] do
        raw = RawNode.connect!(harness.port)
        control = control.(raw)
        RawNode.send_control(raw, control, :message)
        assert {control, RawNode.await_close(raw, 20_000)} == {control, :closed}
      end

      Harness.wait_for_log(harness, ~r/control/)
      assert_undisturbed(context)
    end

    test "of a control message without its payload, and the other way round", %{harness: harness} = context do
      for send <- [
            fn raw -> RawNode.send_control(raw, {6, RawNode.pid(raw), :"", :harness}) end,
            fn raw ->
              RawNode.send_control(raw, {19, RawNode.pid(raw), :harness, RawNode.reference(raw)}, :payload)
            end
          ] do
        raw = RawNode.connect!(harness.port)
        send.(raw)
        assert RawNode.await_close(raw, 20_000) == :closed
      end

      assert_undisturbed(context)
    end

    test "a byte at a time is still a frame", %{raw: raw} do
      request = {:"$gen_call", {RawNode.pid(raw), RawNode.reference(raw)}, :info}

      data = <<112, RawNode.encode({6, RawNode.pid(raw), :"", :harness})::binary, RawNode.encode(request)::binary>>

      for <<(byte <- <<byte_size(data)::32, data::binary>>)>>, do: :ok = RawNode.send_bytes(raw, <<byte>>)
      assert {:ok, {_, {_, %{version: _}}}} = RawNode.receive_control(raw)
    end

    test "that says it comes from another node gets no answer through that node",
         %{raw: raw, good: good} = context do
      stranger = RawNode.pid(good)
      RawNode.send_control(raw, {19, stranger, :nobody, RawNode.reference(good, 5)})
      RawNode.send_control(raw, {6, stranger, :"", :harness}, :hello)
      RawNode.close(raw)
      assert_undisturbed(context)
    end
  end

  describe "a header with atoms" do
    @atom_flags [:fragments, :dist_hdr_atom_cache]

    defp connect_with_atoms(harness),
      do: RawNode.connect!(harness.port, flags: @atom_flags ++ RawNode.default_flags())

    test "that is malformed", %{harness: harness} = context do
      control = <<104, 1, 82, 0>>

      for {frames, reason} <- [
            {[<<131, 68, 1, 0, 5, control::binary>>], ~r/never sent/},
            {[<<131, 68, 2, 0x08, 0, 5, 1, ?a, 6, control::binary>>], ~r/never sent/},
            {[<<131, 68, 1>>], ~r/truncated atom cache header/},
            {[<<131, 68, 255, 8, 5, 1, ?a>>], ~r/truncated atom cache header/},
            {[<<131, 68, 1, 0x08, 5, 200, ?a, control::binary>>], ~r/truncated atom cache header/},
            {[<<131, 68, 1, 0x18, 5, 0xFFFF::16, ?a, control::binary>>], ~r/truncated atom cache header/},
            {[<<131, 68, 1, 0x08, 5, 1, 0x80, control::binary>>], ~r/malformed atom in the header/},
            {[<<131, 68, 1, 0x08, 5, 1, ?a, 104, 1, 82, 1>>], ~r/malformed atom/},
            {[<<131, 69, 1::64, 2::64, 1, 0, 5, control::binary>>], ~r/never sent/},
            {[<<131, 69, 1::64, 2::64, 1, 0x08, 5, 1, ?a, 104>>, <<131, 70, 1::64, 1::64, 1, 82, 1>>],
             ~r/malformed atom/}
          ] do
        raw = connect_with_atoms(harness)
        for frame <- frames, do: RawNode.send_frame(raw, frame)
        assert {frames, RawNode.await_close(raw, 20_000)} == {frames, :closed}
        Harness.wait_for_log(harness, Regex.compile!("#{raw.name}.*#{reason.source}"))
      end

      assert_undisturbed(context)
    end

    test "that was not agreed upon", %{harness: harness} = context do
      raw = RawNode.connect!(harness.port, flags: [:fragments | RawNode.default_flags()])
      RawNode.send_frame(raw, <<131, 68, 1, 0x08, 5, 1, ?a, 104, 1, 82, 0>>)
      assert_dropped(context, raw, ~r/without the atom cache/)
    end

    # 64 MB of references to an atom of a thousand bytes would be 32 GB.
    test "whose atoms would take all memory, written out", %{harness: harness} = context do
      before = Harness.memory(harness)
      raw = connect_with_atoms(harness)
      atom = String.duplicate("\u{10348}", 255)
      count = 32_000_000
      list = [<<108, count::32>>, :binary.copy(<<82, 0>>, count), 106]
      header = <<131, 68, 1, 0x18, 5, byte_size(atom)::16, atom::binary>>
      RawNode.send_frame(raw, IO.iodata_to_binary([header, <<104, 1, 97, 1>>, list]))
      Harness.wait_for_log(harness, ~r/message too large peer=#{raw.name} .*limit=limits.frame_bytes/)
      assert_undisturbed(context)
      assert Harness.memory(harness) - before < 800_000_000
    end
  end

  describe "fragments" do
    setup context do
      {:ok, raw: RawNode.connect!(context.harness.port, flags: [:fragments | RawNode.default_flags()])}
    end

    defp whole(control, message), do: {tail(control), tail(message)}
    defp tail(term), do: binary_part(RawNode.encode(term), 1, byte_size(RawNode.encode(term)) - 1)

    defp request(raw, request) do
      whole(
        {6, RawNode.pid(raw), :"", :harness},
        {:"$gen_call", {RawNode.pid(raw), RawNode.reference(raw)}, request}
      )
    end

    # The reply may itself come in one frame or in fragments; its size is enough here.
    defp answered?(raw) do
      case RawNode.receive_bytes(raw, 4, 10_000) do
        {:ok, <<0::32>>} ->
          answered?(raw)

        {:ok, <<size::32>>} ->
          match?(
            {:ok, <<131, kind, _::binary>>} when kind in [68, 69],
            RawNode.receive_bytes(raw, size, 10_000)
          )

        _ ->
          false
      end
    end

    test "are put together", %{raw: raw} do
      {control, message} = request(raw, :info)
      RawNode.send_frame(raw, <<131, 68, 0, control::binary, message::binary>>)
      assert answered?(raw)

      <<first::binary-size(10), second::binary-size(5), third::binary>> = message
      RawNode.send_frame(raw, <<131, 69, 7::64, 3::64, 0, control::binary, first::binary>>)
      RawNode.send_frame(raw, <<131, 70, 7::64, 2::64, second::binary>>)
      RawNode.send_frame(raw, <<131, 70, 7::64, 1::64, third::binary>>)
      assert answered?(raw)
    end

    test "out of order, unknown or without a beginning", %{harness: harness} = context do
      for frames <- [
            fn _, _ -> [<<131, 70, 9::64, 1::64, "rest">>] end,
            fn control, message -> [<<131, 69, 9::64, 0::64, 0, control::binary, message::binary>>] end,
            fn control, message ->
              [<<131, 69, 9::64, 3::64, 0, control::binary, message::binary>>, <<131, 70, 9::64, 1::64, "x">>]
            end,
            fn control, message ->
              frame = <<131, 69, 9::64, 3::64, 0, control::binary, message::binary>>
              [frame, frame]
            end,
            fn _, _ -> [<<131, 69, 9::64>>] end,
            fn _, _ -> [<<131, 69, 9::64, 2::64, 0>>, <<131, 70, 9::64, 1::64>>] end,
            fn _, _ -> [<<131, 69, 9::64, 2::64, 3, 1, 2, 3>>] end
          ] do
        raw = RawNode.connect!(harness.port, flags: [:fragments | RawNode.default_flags()])
        {control, message} = request(raw, :info)
        sent = frames.(control, message)
        for frame <- sent, do: RawNode.send_frame(raw, frame)
        assert {sent, RawNode.await_close(raw, 20_000)} == {sent, :closed}
      end

      assert_undisturbed(context)
    end

    test "without end are capped", %{raw: raw, harness: harness} = context do
      before = Harness.memory(harness)
      {control, message} = request(raw, :info)

      # Many messages are begun, and none is ended: memory has a limit.
      piece = :binary.copy("x", 60_000)

      send_all = fn send_all, number ->
        frame = <<131, 69, number::64, 1_000::64, 0, control::binary, message::binary, piece::binary>>

        if number > 20_000 do
          :all_taken
        else
          with :ok <- RawNode.send_frame(raw, frame), do: send_all.(send_all, number + 1)
        end
      end

      assert :all_taken = send_all.(send_all, 1)
      assert Harness.memory(harness) - before < 800_000_000
      assert_undisturbed(context)
    end
  end
end
