defmodule HostileRandomTest do
  @moduledoc """
  What nobody would send, drawn at random from what somebody might: peers with the cookie and without, HTTP, an epmd that
  lies, files. After each the daemon answers, an honest run passes, and what it holds is what it held before. The seed
  is printed, and `HOSTILE_SEED` sets it; `HOSTILE_TIMES` has it go on that many times as long.
  """
  use ClusterCase

  @times String.to_integer(System.get_env("HOSTILE_TIMES") || "1")
  @moduletag timeout: 180_000 * @times
  # What the sanitizer keeps of what was freed, and rounds up.
  @memory_bytes 250_000_000

  setup_all do
    seed = String.to_integer(System.get_env("HOSTILE_SEED") || "#{:rand.uniform(1_000_000_000)}")
    IO.puts("\nHOSTILE_SEED=#{seed}")
    {harness, folder} = Files.start(config: Map.put(Http.config(), "state_dir", Support.temporary_folder()))
    peer = Peer.start()
    honest = Peer.start_server(peer, Subject)
    # Takes whatever a scenario that has become another one sends.
    target = Peer.start_server(peer, Noise.Server)
    world = %{harness: harness, folder: folder, honest: honest, target: target, seed: seed, http: Http.port(harness)}
    honest_run(world)
    stranger = RawNode.connect!(harness.port)
    foreign = [RawNode.pid(stranger), RawNode.reference(stranger), target]
    {:ok, Map.merge(world, %{good: RawNode.connect!(harness.port), foreign: foreign})}
  end

  setup world do
    :rand.seed(:exsss, world.seed)
    before = Harness.assert_alive(world.harness)
    memory = Harness.memory(world.harness)
    on_exit(fn -> undisturbed(world, before, memory) end)
  end

  defp undisturbed(%{harness: harness} = world, before, memory) do
    node = harness.node
    assert {:ok, %{node: ^node}} = RawNode.call(world.good, :harness, :info, System.unique_integer([:positive]))

    Wait.until("the end of all runs", fn ->
      for %{run_id: id, state: state} <- Harness.call(harness, :runs), state != :finished,
          do: Harness.call(harness, :cancel, [id])

      Harness.call(harness, :info).runs == 0
    end, 60_000)

    honest_run(world)
    held = fn -> Map.take(Harness.assert_alive(harness), [:processes, :peers, :queued_runs]) end
    wanted = Map.take(before, [:processes, :peers, :queued_runs])
    # Of the test before, something may still have been there.
    gone? = fn -> Enum.all?(held.(), fn {key, count} -> count <= wanted[key] end) end
    Wait.until(fn -> "#{inspect(wanted)}, but there is #{inspect(held.())}" end, gone?, 30_000)
    grown = Harness.memory(harness) - memory
    assert grown < @memory_bytes, "the daemon has grown by #{grown} bytes"
  end

  defp honest_run(%{harness: harness, honest: target}) do
    before = GenServer.call(target, :get)
    load = %{threads: 10, iterations: 20}
    scenario = %{target: target, load: load, operations: [{:add, 1}], call_timeout_ms: 20_000, timeout_ms: 60_000}
    assert {:ok, report} = Harness.run(harness, scenario, 90_000)
    assert %{total_operations: 200, operation_errors: 0} = report.metrics
    assert GenServer.call(target, :get) == before + 200
  end

  defp times(count, fun), do: for(number <- 1..(count * @times), do: fun.(number))

  # Sends with `send` on a connection that is made anew when it has been closed. Whatever it was, either a call behind it
  # is answered or the connection is closed.
  defp answered_or_closed(raw, harness, options, send) do
    raw = raw || RawNode.connect!(harness.port, options)
    what = send.(raw)
    RawNode.send_bytes(raw, probe(raw, :fragments in Keyword.get(options, :flags, [])))

    case await_probe(raw, System.monotonic_time(:millisecond) + 20_000) do
      :answered -> raw
      :closed -> RawNode.close(raw) && nil
      other -> flunk("#{inspect(other)} after #{inspect(what, limit: :infinity, printable_limit: :infinity)}")
    end
  end

  # The reference of the call is looked for in what comes, whatever its form.
  @probe 0x4D5A4D5A

  defp probe(raw, headers?) do
    control = RawNode.encode({6, RawNode.pid(raw), :"", :harness})
    message = RawNode.encode({:"$gen_call", {RawNode.pid(raw), RawNode.reference(raw, @probe)}, {:help, :info}})
    tail = &binary_part(&1, 1, byte_size(&1) - 1)
    data = if headers?, do: [131, 68, 0, tail.(control), tail.(message)], else: [112, control, message]
    data = IO.iodata_to_binary(data)
    <<byte_size(data)::32, data::binary>>
  end

  defp await_probe(raw, deadline) do
    with {:ok, <<size::32>>} <- RawNode.receive_bytes(raw, 4, max(0, deadline - System.monotonic_time(:millisecond))),
         {:ok, data} <- if(size == 0, do: {:ok, ""}, else: RawNode.receive_bytes(raw, size, 20_000)) do
      if :binary.match(data, <<@probe::32>>) == :nomatch, do: await_probe(raw, deadline), else: :answered
    else
      {:error, :timeout} -> :neither
      {:error, _} -> :closed
    end
  end

  # Many of them one after the other.
  defp send_many(%{harness: harness}, count, options \\ [], send) do
    1..(count * @times)
    |> Enum.reduce(nil, fn _, raw -> answered_or_closed(raw, harness, options, send) end)
    |> then(&(&1 && RawNode.close(&1)))
  end

  # What a node sends to a daemon: the control message and the one that belongs to it.
  defp valid(raw, world) do
    [pid, reference] = [RawNode.pid(raw), RawNode.reference(raw)]
    call = fn request -> {{6, pid, :"", :harness}, {:"$gen_call", {pid, reference}, request}} end
    daemon = world.harness.node

    [
      call.(:info),
      call.({:help, :run}),
      call.({:validate, scenario(world.target)}),
      call.({:start, scenario(world.target)}),
      call.({:status, 1}),
      call.({:subscribe, :all}),
      call.({:subscribe, 1, pid}),
      call.({:unsubscribe, :all}),
      call.({:run_chaos_suite, world.target, [%{type: :kill_children}]}),
      call.({:run_with_performance, scenario(world.target), [max_time_ms: 1]}),
      call.({:simple_genserver_scenario, :m, [:get], 2}),
      {{6, pid, :"", :rex}, {:"$gen_call", {pid, reference}, {:call, :harness, :info, [], pid}}},
      {{6, pid, :"", :rex}, {pid, {:call, :harness, :info, [], pid}}},
      {{6, pid, :"", :net_kernel}, {:"$gen_call", {pid, reference}, {:is_auth, daemon}}},
      {{22, pid, pid}, {:io_request, pid, reference, {:put_chars, :unicode, "text"}}},
      {{29, reference, pid, pid, {:erpc, :execute_call, 4}, [monitor: []]}, [reference, :harness, :info, []]},
      {{29, reference, pid, pid, {:erlang, :apply, 2}, [:link]}, [:os, :cmd]},
      {{19, pid, :harness, reference}, nil},
      {{20, pid, :harness, reference}, nil},
      {{1, pid, pid}, nil},
      {{35, 7, pid, pid}, nil},
      {{26, pid, pid}, :kill},
      {{33, pid, reference}, :answer}
    ]
  end

  defp scenario(target) do
    %{
      target: target,
      load: %{rate: 10, duration_ms: 50, arrival: :poisson, max_in_flight: 5},
      mix: [%{weight: 1, op: {:add, {:"$int", 1, 6}}}, %{weight: 2, op: {:call, {:echo, {:"$bytes", 10}}}}],
      chaos: [%{action: {:suspend, 5}, after_ms: 5}, {:kill_children, [kill_rate: 0.1, duration_ms: 5]}],
      performance_expectations: [max_p99_us: 1_000_000, max_error_rate: 1.0],
      abort_when: [:max_p99_us],
      events: {:last, 10},
      mailbox: [sampling_interval: 10],
      metadata: %{name: "honest"}
    }
  end

  defp frame({control, nil}), do: <<112, RawNode.encode(control)::binary>>
  defp frame({control, message}), do: <<112, RawNode.encode(control)::binary, RawNode.encode(message)::binary>>

  describe "a peer with the cookie" do
    test "sends messages of which some bytes are others", world do
      send_many(world, 1_500, fn raw ->
        bytes = raw |> valid(world) |> Enum.random() |> frame() |> Mutation.bytes()
        RawNode.send_frame(raw, bytes)
        bytes
      end)
    end

    test "sends messages of which some terms are others", world do
      send_many(world, 800, fn raw ->
        {control, message} = raw |> valid(world) |> Enum.random()
        control = if :rand.uniform(3) == 1, do: Mutation.term(control, world.foreign), else: control
        message = message && Mutation.term(message, world.foreign)
        RawNode.send_frame(raw, frame({control, message}))
        {control, message}
      end)
    end

    test "asks for scenarios of which some terms are others", world do
      times(1_000, fn number ->
        scenario = Enum.reduce(1..:rand.uniform(3), scenario(world.target), fn _, s -> Mutation.term(s, world.foreign) end)
        function = if rem(number, 10) == 0, do: :start, else: :validate

        case Harness.call(world.harness, function, [scenario]) do
          {:ok, _} -> :ok
          {:error, {:invalid_scenario, [%{path: _, problem: _, message: _} | _]}} -> :ok
          {:error, reason} when function == :start -> reason
          other -> flunk("#{inspect(other)} for #{inspect(scenario, limit: :infinity)}")
        end
      end)
    end

    test "sends every control message with whatever may stand in it", world do
      send_many(world, 1_500, fn raw ->
        other = %{raw | creation: raw.creation + 1}
        daemon = %{raw | name: Atom.to_string(world.harness.node), creation: raw.peer_creation}

        fields = [RawNode.pid(raw), RawNode.pid(other), RawNode.pid(daemon), RawNode.pid(daemon, 9_999)] ++
          [RawNode.reference(raw), RawNode.reference(other), RawNode.reference(daemon), world.target] ++
          [:harness, :"", :nobody, 0, 1, -1, 0xFFFFFFFFFFFFFFFF, [], {}, %{}, "", {:erpc, :execute_call, 4}, [:monitor]]

        operation = Enum.random(Enum.to_list(0..40) ++ [-1, 255, 1_000_000_000_000])
        control = List.to_tuple([operation | for(_ <- 1..:rand.uniform(8), do: Enum.random(fields))])
        message = Enum.random([nil, :message, {:"$gen_call", {RawNode.pid(other), RawNode.reference(daemon)}, :info}])
        RawNode.send_frame(raw, frame({control, message}))
        {control, message}
      end)
    end

    @fragments [flags: [:fragments | RawNode.default_flags()]]

    test "sends fragments in any order", world do
      send_many(world, 400, @fragments, fn raw ->
        pieces = for number <- 1..:rand.uniform(4), do: pieces(raw, number)

        sent =
          case :rand.uniform(4) do
            1 -> pieces |> Enum.concat() |> Enum.shuffle()
            2 -> pieces |> interleave([])
            3 -> pieces |> interleave([]) |> Enum.drop_every(3)
            4 -> pieces |> interleave([]) |> Enum.map(&if(:rand.uniform(5) == 1, do: Mutation.bytes(&1), else: &1))
          end

        for piece <- sent, do: RawNode.send_frame(raw, piece)
        sent
      end)
    end

    defp pieces(raw, number) do
      <<131, control::binary>> = RawNode.encode({6, RawNode.pid(raw), :"", :harness})
      request = {:"$gen_call", {RawNode.pid(raw), RawNode.reference(raw)}, {:help, List.duplicate("x", 50)}}
      <<131, message::binary>> = RawNode.encode(request)
      parts = for <<part::binary-size(40) <- message>>, do: part
      rest = binary_part(message, 40 * length(parts), rem(byte_size(message), 40))
      [first | others] = parts ++ [rest]
      count = length(others) + 1

      [<<131, 69, number::64, count::64, 0, control::binary, first::binary>>] ++
        for {part, left} <- Enum.zip(others, (count - 1)..1), do: <<131, 70, number::64, left::64, part::binary>>
    end

    # One of several messages goes on at a time, each in its own order.
    defp interleave(pieces, sent) do
      case Enum.reject(pieces, &(&1 == [])) do
        [] ->
          Enum.reverse(sent)

        left ->
          at = :rand.uniform(length(left)) - 1
          [piece | rest] = Enum.at(left, at)
          interleave(List.replace_at(left, at, rest), [piece | sent])
      end
    end

    @atoms [flags: [:fragments, :dist_hdr_atom_cache | RawNode.default_flags()]]

    test "abuses the cache of atoms", world do
      send_many(world, 800, @atoms, fn raw ->
        count = :rand.uniform(255)
        long = :rand.uniform(2) - 1
        halves = for _ <- 1..count, do: Enum.random([0, 8, 8 + :rand.uniform(7), :rand.uniform(16) - 1])
        packed = for half <- halves ++ [long], into: <<>>, do: <<half::4>>
        # Two halves a byte, the first the lower one, and the last byte may be half empty.
        packed = if rem(count, 2) == 0, do: <<packed::bitstring, 0::4>>, else: packed
        flags = for <<low::4, high::4 <- packed>>, into: <<>>, do: <<high::4, low::4>>

        atoms =
          for half <- halves, into: <<>> do
            text = Enum.random(["a", "harness", "$gen_call", String.duplicate("é", 255), <<255>>, ""])
            new = if long == 1, do: <<byte_size(text)::16>>, else: <<byte_size(text)>>
            index = <<:rand.uniform(256) - 1>>
            if half >= 8, do: index <> new <> text, else: index
          end

        control = <<104, 4, 97, 6, 82, :rand.uniform(256) - 1, 82, 0, 82, 1>>
        frame = <<131, 68, count, flags::binary, atoms::binary, control::binary, 82, 2>>
        frame = if :rand.uniform(3) == 1, do: Mutation.bytes(frame), else: frame
        RawNode.send_frame(raw, frame)
        frame
      end)
    end

    test "floods with links, monitors, exits and spawns", world do
      raw = RawNode.connect!(world.harness.port, socket: [send_timeout: 20_000])
      daemon = %{raw | name: Atom.to_string(world.harness.node), creation: raw.peer_creation}

      times(4_000, fn number ->
        mine = RawNode.pid(raw, number)
        theirs = RawNode.pid(daemon, :rand.uniform(100))
        reference = RawNode.reference(raw, number)

        for control <- [{1, mine, theirs}, {19, mine, theirs, reference}, {19, mine, :harness, reference}],
            do: RawNode.send_control(raw, control)

        RawNode.send_control(raw, {26, mine, theirs}, Enum.random([:kill, :shutdown, :normal]))
        spawned = {29, reference, mine, mine, {:erlang, :halt, 0}, [:monitor, :link]}
        RawNode.send_control(raw, spawned, [])
      end)

      assert RawNode.close(answered_or_closed(raw, world.harness, [], fn _ -> :flood end)) == :ok
    end
  end

  describe "a peer without the cookie" do
    test "shakes hands in ways that are almost right", world do
      times(400, fn _ ->
        {:ok, raw} = RawNode.open(world.harness.port)
        name = RawNode.name_message(raw)

        case :rand.uniform(4) do
          1 ->
            RawNode.send_bytes(raw, Mutation.bytes(RawNode.short(raw, name)))

          2 ->
            RawNode.send_short(raw, Mutation.bytes(name))

          3 ->
            RawNode.send_bytes(raw, :rand.bytes(:rand.uniform(300)))

          4 ->
            RawNode.send_name(raw)

            with {:ok, _} <- RawNode.receive_status(raw), {:ok, challenge, raw} <- RawNode.receive_challenge(raw) do
              answer = <<?r, 7::32, RawNode.digest("wrong", challenge)::binary>>
              RawNode.send_short(raw, Mutation.bytes(answer))
              # What would be a message, were it in.
              RawNode.send_frame(raw, frame({{6, RawNode.pid(raw), :"", :harness}, :early}))
            end
        end

        if :rand.uniform(10) > 1, do: RawNode.close(raw)
      end)
    end

    test "opens connections and goes away, at once, halfway or by and by", world do
      raws = for _ <- 1..300, {:ok, raw} <- [RawNode.open(world.harness.port)], do: raw

      for raw <- raws do
        <<part::binary-size(9), _::binary>> = RawNode.name_message(raw)
        for <<byte <- RawNode.short(raw, 100, part)>>, do: RawNode.send_bytes(raw, <<byte>>)
        if :rand.uniform(2) == 1, do: RawNode.shutdown(raw)
      end

      for raw <- Enum.shuffle(raws) do
        if :rand.uniform(2) == 1, do: RawNode.set_options(raw, linger: {true, 0})
        RawNode.close(raw)
      end
    end
  end

  describe "HTTP" do
    @requests [
      "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
      "HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
      "GET /runs?limit=2&before=9 HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
      "GET /runs/1 HTTP/1.0\r\n\r\n",
      "GET /metrics HTTP/1.1\r\nHost: x\r\nRange: bytes=0-10,5-,-1,99999999999999999999-\r\n\r\n",
      "POST /runs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
      "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
      "GET /healthz HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nUpgrade: h2c\r\n\r\n"
    ]

    defp strange(_world) do
      [
        "GET /#{String.duplicate("a/", 100_000)} HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\n#{String.duplicate("X: y\r\n", 50_000)}\r\n",
        "GET / HTTP/1.1\r\nX: #{String.duplicate("y", 1_000_000)}\r\n\r\n",
        "GET /../../../etc/passwd HTTP/1.1\r\n\r\n",
        "GET /runs/%2e%2e%2f%00 HTTP/1.1\r\n\r\n",
        "GET /runs/99999999999999999999999999 HTTP/1.1\r\n\r\n",
        "GET /runs/-1 HTTP/1.1\r\n\r\n",
        "GET /runs?limit=-1&before=x&limit=&&&=%zz HTTP/1.1\r\n\r\n",
        "GET http://elsewhere/ HTTP/1.1\r\n\r\n",
        "BREW /pot HTTP/1.1\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /\r\n\r\n",
        "\r\n\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\nx",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n-1\r\n",
        :binary.copy("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 500),
        <<22, 3, 1, 0, 200, 1>> <> :rand.bytes(200),
        :rand.bytes(5_000)
      ]
    end

    test "of all kinds is answered or refused, and others are served", %{http: port} = world do
      for request <- strange(world), do: assert(exchange(port, request) in [:answered, :closed, :waits])

      times(400, fn _ ->
        requests = for _ <- 1..:rand.uniform(3), do: Enum.random(@requests)
        exchange(port, Mutation.bytes(IO.iodata_to_binary(requests)))
      end)

      assert {200, _, _} = Http.get(port, "/healthz")
    end

    # A request that is not whole is waited for; others have an answer.
    defp exchange(port, request) do
      socket = Http.connect(port)
      _ = :gen_tcp.send(socket, request)
      :gen_tcp.shutdown(socket, :write)

      result =
        case :gen_tcp.recv(socket, 0, 300) do
          {:ok, <<"HTTP/1.", _::binary>>} -> :answered
          {:ok, other} -> {:strange, other}
          {:error, :timeout} -> :waits
          {:error, _} -> :closed
        end

      :gen_tcp.close(socket)
      result
    end

    test "a byte at a time, by many at once, keeps nobody waiting", %{http: port} do
      sockets = for _ <- 1..200, do: Http.connect(port)

      for byte <- String.graphemes("GET /metr") do
        for socket <- sockets, do: :gen_tcp.send(socket, byte)
        assert {200, _, _} = Http.get(port, "/healthz")
      end

      for socket <- sockets, do: :gen_tcp.close(socket)
    end
  end

  test "an epmd that lies" do
    harness = Harness.start(config: %{"epmd" => %{"port" => LyingEpmd.start()}})
    raw = RawNode.connect!(harness.port)

    times(3 * length(LyingEpmd.lies()), fn number ->
      target = {:nobody, String.to_atom("nobody_#{number}@127.0.0.1")}
      scenario = %{target: target, threads: [[:get]], call_timeout_ms: 200, timeout_ms: 1_000}
      assert {:ok, {:ok, _}} = RawNode.call(raw, :harness, {:start, scenario}, number)
    end)

    node = harness.node
    assert {:ok, %{node: ^node}} = RawNode.call(raw, :harness, :info, 9_999)

    Wait.until("the end of runs on nodes that nobody knows", fn ->
      {:ok, runs} = RawNode.call(raw, :harness, :runs, System.unique_integer([:positive]))
      Enum.all?(runs, &(&1.state == :finished))
    end, 60_000)
  end

  describe "files" do
    @scenario ~s|{"target": {"name": "x", "node": "nobody@127.0.0.1"}, "load": {"rate": 5, "duration_ms": 10},| <>
                ~s| "operations": [{"erlang": "{add, 1}"}, {"elixir": ":get"}, {"custom": {"file": "hook.exs"}}],| <>
                ~s| "invariant": {"erlang": "fun(_, _) -> ok end"}}|

    defp broken(valid) do
      [
        "",
        " ",
        "\0",
        :rand.bytes(100_000),
        <<0xEF, 0xBB, 0xBF>> <> valid,
        <<0xFF, 0xFE>> <> :unicode.characters_to_binary(valid, :utf8, {:utf16, :little}),
        String.duplicate("[", 1_000_000),
        String.duplicate("{\"a\":", 200_000) <> "1" <> String.duplicate("}", 200_000),
        "{\"target\": \"" <> String.duplicate("x", 5_000_000) <> "\"}",
        "{\"target\": \"\xFF\xFE\", \"load\": 1}",
        "{\"target\": \"\\uD800\", \"\\u0000\": 1}",
        String.replace(valid, "{", "{\"target\": 1, \"target\": 2, ", global: false),
        valid <> valid,
        valid <> "\0",
        String.replace(valid, "5", "1e999"),
        String.replace(valid, "5", "123456789012345678901234567890"),
        "[" <> String.duplicate("1,", 500_000) <> "1]",
        "null",
        "\"text\""
      ]
    end

    test "of scenarios and hooks", %{folder: folder} = world do
      File.write!(Path.join(folder, "hook.exs"), :rand.bytes(10_000))
      mutated = times(200, fn _ -> Mutation.bytes(@scenario) end)

      for text <- broken(@scenario) ++ mutated do
        file = Files.write(folder, text, "hostile")
        assert {outcome, _} = Harness.call(world.harness, :validate, [file], 30_000)
        assert {text, outcome} in [{text, :ok}, {text, :error}]
      end

      # What is no file at all.
      for name <- ["../hostile", "/etc/passwd", "", ".", "a\0b", String.duplicate("x", 10_000), <<255>>, :hostile, 7, nil],
          do: assert({:error, _} = Harness.call(world.harness, :validate, [{:file, name}]))
    end

    test "of configuration, at the start and while it runs", %{folder: folder} do
      valid =
        ~s({"node": {"name": "harness@127.0.0.1"}, "limits": {"runs": 5}, "peers": ["a@127.0.0.1"],) <>
          ~s( "schedules": [{"file": "x", "every": "15m"}, {"file": "y", "at": "02:30"}],) <>
          ~s( "access": {"callers": {"allow": ["*"]}}})

      mutated = times(15, fn _ -> Mutation.bytes(valid) end)
      path = Path.join(folder, "hostile_configuration")

      for text <- broken(valid) ++ mutated do
        File.write!(path, text)
        {output, status} = System.cmd(Harness.executable(), ["--check-config", path], stderr_to_stdout: true)
        assert {status, text, output} in [{0, text, output}, {2, text, output}]
      end

      harness = Harness.start()
      for text <- broken(valid) |> Enum.take_every(3), do: assert(Harness.reload(harness, text) =~ "not reloaded")
      Harness.assert_alive(harness)
    end
  end
end
