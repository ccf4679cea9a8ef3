defmodule TermsTest do
  @moduledoc """
  Terms pass unchanged: random ones that are sent as message, come as reply, as what a custom operation and a
  chaos give, as metadata and as context of setup, are equal to what they were. A failed run prints its seed,
  and `TERMS_SEED` repeats it.
  """
  use ClusterCase, shared: true

  @rounds 12
  @terms 40

  setup_all %{harness: harness, peer: peer} do
    target = Peer.start_server(peer, Subject)
    other = Peer.start()
    {:ok, target: target, foreign: foreign(harness, peer, other)}
  end

  # Of nodes that live, of one that is gone, of a node that never was, and of the daemon.
  defp foreign(harness, peer, other) do
    raw = RawNode.connect!(harness.port)
    RawNode.close(raw)
    daemon = %RawNode{name: raw.peer_name, creation: raw.peer_creation}
    never = %RawNode{name: "never@127.0.0.1", creation: 0xFFFFFFFF}

    of_peers =
      for peer <- [peer, other],
          {function, arguments} <- [{:self, []}, {:make_ref, []}, {:spawn, [:erlang, :node, []]}],
          do: Peer.call(peer, :erlang, function, arguments)

    ports = for peer <- [peer, other], do: hd(Peer.call(peer, :erlang, :ports, []))
    Peer.kill(other)

    of_peers ++
      ports ++
      for(
        node <- [daemon, never],
        id <- [1, 0x0FFFFFFF],
        make <- [:pid, :reference],
        do: apply(RawNode, make, [node, id])
      )
  end

  setup do
    seed = String.to_integer(System.get_env("TERMS_SEED") || "#{:rand.uniform(1_000_000_000)}")
    IO.puts("\nrandom terms: TERMS_SEED=#{seed}")
    :rand.seed(:exsss, seed)
    :ok
  end

  test "random terms", %{harness: harness, target: target, foreign: foreign} do
    for _ <- 1..@rounds,
        do: assert_unchanged(harness, target, for(_ <- 1..@terms, do: RandomTerm.draw(foreign)))
  end

  test "a term of each kind", %{harness: harness, target: target, foreign: foreign} do
    assert_unchanged(harness, target, RandomTerm.each(foreign) ++ foreign)
  end

  defp assert_unchanged(harness, target, terms) do
    test = self()
    wrapped = %{terms: terms, first: hd(terms)}
    echoes = for term <- terms, do: {:call, {:echo, term}}
    customs = for term <- terms, do: {:custom, fn _ -> term end}

    scenario = %{
      setup: fn -> {:ok, target, wrapped} end,
      threads: [echoes, customs],
      metadata: wrapped,
      chaos: fn subject, context -> {subject, context} end,
      invariant: fn subject, context -> send(test, {:invariant, subject, context}) && :ok end,
      cleanup: fn subject, context -> send(test, {:cleanup, subject, context}) end,
      timeout_ms: 30_000,
      call_timeout_ms: 30_000,
      hook_timeout_ms: 30_000
    }

    assert {:ok, report} = Harness.run(harness, scenario, 60_000)
    assert [calls, customs] = report.threads

    for {event, term} <- Enum.zip(calls.events, terms) do
      assert_same(event.result, {:ok, term})
      assert_same(event.operation, {:call, {:echo, term}})
    end

    for {event, term} <- Enum.zip(customs.events, terms), do: assert_same(event.result, {:ok, term})
    assert length(calls.events) == length(terms) and length(customs.events) == length(terms)
    assert_same(Map.take(report.metadata, [:terms, :first]), wrapped)
    assert_same(report.context, wrapped)
    assert {^target, %{metadata: metadata, setup_context: context}} = report.chaos.result
    assert_same(Map.take(metadata, [:terms, :first]), wrapped)
    assert_same(context, wrapped)
    assert_received {:invariant, ^target, context}
    assert_same(Map.take(context, [:terms, :first]), wrapped)
    assert_same(Map.take(context.metadata, [:terms, :first]), wrapped)
    assert context.events == report.events
    assert_received {:cleanup, ^target, context}
    assert_same(context, wrapped)
    assert_sent(harness, terms)
  end

  # Messages that are neither calls nor casts.
  defp assert_sent(harness, terms) do
    script = for {term, n} <- Enum.with_index(terms), do: {:"$send", {:sent, n, term}}

    assert {:ok, %{metrics: %{operation_errors: 0}}} =
             Harness.run(harness, %{target: self(), threads: [script]})

    for {term, n} <- Enum.with_index(terms) do
      assert_receive {:sent, ^n, received}, 10_000
      assert_same(received, term)
    end
  end

  # The bytes tell more than ===, such as 0.0 from -0.0.
  defp assert_same(term, term_before) do
    unless term === term_before and bytes(term) == bytes(term_before),
      do: flunk("#{inspect(difference(term, term_before), limit: 20, printable_limit: 200)} is another")
  end

  defp bytes(term), do: :erlang.term_to_binary(term, [:deterministic, minor_version: 2])

  # The innermost thing that differs.
  defp difference([a | as], [b | bs]) when a === b, do: difference(as, bs)
  defp difference([a | _], [b | _]), do: difference(a, b)

  defp difference(a, b) when is_tuple(a) and is_tuple(b) and tuple_size(a) == tuple_size(b),
    do: difference(Tuple.to_list(a), Tuple.to_list(b))

  defp difference(%{} = a, %{} = b) when map_size(a) == map_size(b),
    do: difference(Enum.sort(Map.to_list(a)), Enum.sort(Map.to_list(b)))

  defp difference(a, b), do: {a, :instead_of, b}
end
