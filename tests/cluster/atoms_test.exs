defmodule AtomsTest do
  @moduledoc """
  The atom cache of the distribution header: atoms of every kind and number pass unchanged in both directions,
  however often entries of the cache change hands.
  """
  use ClusterCase, shared: true

  @cache 0x2000
  # More than a message can refer to, and more than the cache has entries.
  @many 700
  @sequence 2500

  setup_all %{peer: peer} do
    {:ok, target: Peer.start_server(peer, Subject)}
  end

  # There are few, for they stay.
  defp atoms(count), do: for(n <- 1..count, do: String.to_atom("atom_of_the_cache_#{n}"))

  defp long_atoms do
    for character <- ["a", "é", "語", "\u{10348}"],
        length <- [62, 63, 64, 84, 85, 127, 128, 254, 255],
        do: String.to_atom(String.duplicate(character, length))
  end

  # What goes out in an operation, comes back in a reply, and goes out again in the report.
  defp assert_echoed(harness, target, terms, threads \\ 1) do
    script = for term <- terms, do: {:echo, term}
    scenario = %{target: target, threads: List.duplicate(script, threads), timeout_ms: 60_000}
    assert {:ok, report} = Harness.run(harness, Map.put(scenario, :call_timeout_ms, 60_000), 90_000)
    assert report.errors == %{}

    for thread <- report.threads do
      assert Enum.map(thread.events, & &1.result) == Enum.map(terms, &{:ok, &1})
      assert Enum.map(thread.events, & &1.operation) == Enum.map(terms, &{:call, {:echo, &1}})
    end

    report
  end

  test "is used with nodes that have it, and says an atom once", %{harness: harness} do
    raw = RawNode.connect!(harness.port, flags: [:dist_hdr_atom_cache | RawNode.default_flags()])
    assert Bitwise.band(raw.peer_flags, @cache) != 0
    name = raw.name

    control = <<104, 4, 97, 6, 88, 82, 0, 1::32, 0::32, 7::32, 82, 1, 82, 2>>
    from = <<104, 2, 88, 82, 0, 1::32, 0::32, 7::32, 97, 5>>
    message = <<104, 3, 82, 3, from::binary, 82, 4>>
    texts = [name, "", "harness", "$gen_call", "info"]

    # Entries 10 to 14 of segment 3, all of them new, then none.
    fresh = for {text, n} <- Enum.with_index(texts), do: <<10 + n, byte_size(text), text::binary>>
    old = for n <- 10..14, do: <<n>>

    [first, second] =
      for {flags, entries} <- [{0xBB, fresh}, {0x33, old}] do
        flags = <<flags, flags, Bitwise.band(flags, 0x0F)>>
        header = IO.iodata_to_binary([<<131, 68, 5>>, flags, entries])
        RawNode.send_frame(raw, header <> control <> message)
        {:ok, <<size::32>>} = RawNode.receive_bytes(raw, 4, 10_000)
        {:ok, <<131, 68, count, _::binary>> = reply} = RawNode.receive_bytes(raw, size, 10_000)
        assert count > 0
        reply
      end

    # Both are for the same process of ours and have the same keys; the second is without the texts of all but a
    # few that happen to share an entry of the cache.
    texts = [name | ~w(uptime_ms version counters limits peers runs_started runs_finished)]
    assert length(for text <- texts, first =~ text, do: text) >= 6
    assert length(for text <- texts, second =~ text, do: text) <= 3
    assert byte_size(second) < byte_size(first) / 2
  end

  test "is not used with nodes without it, nor when it is switched off", %{harness: harness, peer: peer} do
    raw = RawNode.connect!(harness.port)
    assert {:ok, %{}} = RawNode.call(raw, :harness, :info)

    plain = Harness.start(config: %{"node" => %{"atom_cache" => false}})
    raw = RawNode.connect!(plain.port, flags: [:dist_hdr_atom_cache, :fragments | RawNode.default_flags()])
    assert Bitwise.band(raw.peer_flags, @cache) == 0
    target = Peer.start_server(peer, Subject)
    assert_echoed(plain, target, [atoms(@many), long_atoms()])
  end

  test "more atoms in a message than it can refer to", %{harness: harness, target: target} do
    atoms = atoms(@many)
    map = Map.new(atoms, &{&1, [&1]})

    for count <- [250, 251, 252, 253, 254, 255, 256, 257, 258],
        do: assert_echoed(harness, target, [Enum.take(atoms, count)])

    assert_echoed(harness, target, [atoms, map, List.to_tuple(atoms), Enum.reverse(atoms)])

    scenario = %{
      setup: fn -> {:ok, target, map} end,
      cleanup: fn ^target, ^map -> :ok end,
      threads: [[{:custom, fn _ -> map end}]],
      metadata: map
    }

    assert {:ok, report} = Harness.run(harness, scenario)
    assert report.context == map
    assert Map.take(report.metadata, atoms) == map
    assert result(report) == {:ok, map}
    assert {:error, ^map} = Harness.run(harness, %{setup: fn -> {:error, map} end, threads: [[]]})
  end

  test "more distinct atoms one after the other than there are entries", %{harness: harness, target: target} do
    atoms = atoms(@sequence)
    # Twice, so that those that were replaced come again; two at once, so that places are fought for.
    pairs = Enum.zip(atoms, Enum.reverse(atoms))
    assert_echoed(harness, target, atoms ++ atoms ++ pairs)
  end

  test "long atoms", %{harness: harness, target: target} do
    atoms = long_atoms()
    assert_echoed(harness, target, atoms ++ atoms ++ [atoms, Map.new(atoms, &{&1, &1})])
  end

  # Their first fragments say which atoms they refer to; those of the short messages in between replace them.
  test "long messages among short ones", %{harness: harness, target: target} do
    atoms = atoms(@sequence)

    terms =
      for part <- Enum.chunk_every(atoms, 50), do: {part, :binary.copy("x", 150_000), Enum.reverse(part)}

    short = for term <- atoms, do: {:echo, term}
    long = for term <- Enum.take(terms, 12), do: {:echo, term}
    threads = [long, short, long, Enum.reverse(short)]
    scenario = %{target: target, threads: threads, timeout_ms: 60_000, call_timeout_ms: 60_000}
    assert {:ok, report} = Harness.run(harness, scenario, 90_000)

    for {thread, script} <- Enum.zip(report.threads, threads),
        {event, {:echo, term}} <- Enum.zip(thread.events, script),
        do: assert(event.result == {:ok, term})
  end

  test "plain messages", %{harness: harness} do
    atoms = atoms(@many)
    script = for atom <- Enum.take(atoms, 300), do: {:"$send", {:sent, atom, atoms}}
    assert {:ok, %{errors: errors}} = Harness.run(harness, %{target: self(), threads: [script]})
    assert errors == %{}
    for atom <- Enum.take(atoms, 300), do: assert_receive({:sent, ^atom, ^atoms}, 10_000)
  end

  test "reasons of those that die, and names of those that are not there", %{harness: harness, peer: peer} do
    reasons = [atoms(@many), hd(long_atoms()), List.last(long_atoms()), Map.new(atoms(@many), &{&1, 1})]

    for reason <- reasons do
      target = Peer.start_server(peer, Subject)
      message = {:crash, reason}
      expected = {:error, {reason, {GenServer, :call, [target, message, 1000]}}}
      assert [^expected, {:error, :noproc}] = run_script(harness, target, [message, :get])
    end

    names = Enum.take(atoms(@many), 300) ++ long_atoms()
    targets = for name <- names, do: {name, peer.node}
    assert run_script(harness, targets, List.duplicate(:get, length(targets))) |> Enum.uniq() == [{:error, :noproc}]

    for name <- [hd(names), List.last(names)] do
      Peer.start_named(peer, Subject, name)
      assert run_script(harness, {name, peer.node}, [:get, {:add, 2}]) == [{:ok, 0}, {:ok, 2}]
    end
  end
end
