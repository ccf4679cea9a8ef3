defmodule KillTest do
  @moduledoc """
  Whoever takes part in a run is killed in each state of it: the calling process, the caller's node, the
  daemon, the connection between the two. On the nodes that live on nothing stays behind of what the run
  started there: neither sessions, custom operations, chaos and probes, nor what setup made.
  """
  use ClusterCase

  @states [:setup, :load, :custom, :chaos_wait, :invariant, :cleanup]
  # What a hook that never returns is given.
  @hook_timeout_ms 900

  setup_all do
    servers = start_node()
    {:ok, servers: servers}
  end

  setup %{servers: servers} do
    harness = Harness.start()
    caller = start_node()
    {:ok, harness: harness, caller: warm_up(harness, caller, servers)}
  end

  defp start_node do
    # Nodes that are not hidden tell each other of nodes that are gone, and act on it.
    peer = Peer.start(arguments: ["-hidden"])
    for module <- [Hooks, StubbornSubject], do: Peer.load(peer, module)
    # The first node that a node dials starts its resolver.
    :pong = Peer.call(peer, :net_adm, :ping, [node()])
    peer
  end

  # What every run needs there once, such as connections and resolvers, is no leftover.
  defp warm_up(harness, caller, servers) do
    run = start(:none, harness, caller, servers, true)
    assert_receive {:result, ^run, {:ok, _}}, 30_000
    assert_receive {:cleaned, _}, 1_000
    caller
  end

  defp start(state, harness, caller, servers, linked) do
    options = [server: servers.node, linked: linked, hook_timeout_ms: @hook_timeout_ms]
    scenario = Hooks.scenario(state, self(), options)
    Peer.call(caller, Hooks, :start_caller, [harness.node, scenario, self()])
  end

  # A run that is in the state, and what there was on the nodes before.
  defp reach(state, context, linked) do
    %{harness: harness, caller: caller, servers: servers} = context
    known = for peer <- [caller, servers], do: {peer, Peer.call(peer, Process, :list, [])}
    messages()
    run = start(state, harness, caller, servers, linked)
    assert_receive {:in_state, ^state, staying}, 10_000
    if state == :chaos_wait, do: await_last_operation()
    # What the caller's node has told the daemon came before this.
    assert %{runs: 1} = Peer.call(caller, :erpc, :call, [harness.node, :harness, :info, []])
    %{run: run, known: known, staying: staying}
  end

  # Then nothing but the chaos is left to wait for.
  defp await_last_operation do
    assert_receive {:last_operation, worker}, 10_000
    monitor = Process.monitor(worker)
    assert_receive {:DOWN, ^monitor, _, _, _}, 10_000
  end

  defp assert_nothing_left(known, state) do
    for {peer, processes} <- known do
      strangers = fn -> Peer.call(peer, Hooks, :strangers, [processes]) end

      problem = fn ->
        "#{peer.node} without #{inspect(strangers.(), pretty: true)} after #{inspect(state)}"
      end

      Wait.until(problem, fn -> strangers.() == [] end)
    end
  end

  defp assert_free(harness), do: Wait.until("the end of the run", fn -> running(harness) == 0 end)

  # It goes on as if nothing had been, and the caller's node, where it lives, is served again.
  defp assert_works(harness, caller, servers) do
    Harness.assert_alive(harness)
    warm_up(harness, caller, servers)
  end

  # Our own cleanup has run: once, unless it had begun already when someone else had to take it over.
  defp assert_cleaned(state, linked) do
    cleaned = Enum.count(messages(), &match?({:cleaned, _}, &1))

    expected =
      cond do
        not linked or state == :setup -> [0]
        state == :cleanup -> [1, 2]
        true -> [1]
      end

    assert {state, linked, cleaned in expected, cleaned} == {state, linked, true, cleaned}
  end

  defp messages do
    receive do
      message -> [message | messages()]
    after
      0 -> []
    end
  end

  # With a server that the session holds and a cleanup of the user's; with one that only the default cleanup
  # stops, which there is when setup has returned.
  defp ways,
    do: for(linked <- [true, false], state <- @states, linked or state != :setup, do: {state, linked})

  test "the end of a run that is left alone cleans up once", context do
    for linked <- [true, false] do
      %{harness: harness, caller: caller, servers: servers} = context
      known = for peer <- [caller, servers], do: {peer, Peer.call(peer, Process, :list, [])}
      run = start(:none, harness, caller, servers, linked)
      assert_receive {:result, ^run, {:ok, _}}, 30_000
      assert_nothing_left(known, {:none, linked})
      if linked, do: assert_receive({:cleaned, _}, 1_000)
      refute_received {:cleaned, _}
    end
  end

  test "the calling process", %{harness: harness, caller: caller, servers: servers} = context do
    for {state, linked} <- ways() do
      %{run: run, known: known} = reach(state, context, linked)
      Peer.call(caller, :erlang, :exit, [run, :kill])
      assert_free(harness)
      assert_nothing_left(known, {state, linked})
      assert_cleaned(state, linked)
    end

    assert_works(harness, caller, servers)
  end

  test "the caller's node", %{harness: harness, caller: caller, servers: servers} do
    last =
      Enum.reduce(ways(), caller, fn {state, linked}, caller ->
        context = %{harness: harness, caller: caller, servers: servers}
        %{known: [_, known]} = reach(state, context, linked)
        Peer.kill(caller)
        assert_free(harness)
        assert_nothing_left([known], {state, linked})
        # A cleanup of the user's can only run there.
        unless state == :cleanup, do: refute_received({:cleaned, _})
        warm_up(harness, start_node(), servers)
      end)

    assert_works(harness, last, servers)
  end

  test "the daemon", %{harness: harness, caller: caller, servers: servers} = context do
    Enum.reduce(ways(), harness, fn {state, linked}, harness ->
      %{run: run, known: known} = reach(state, %{context | harness: harness}, linked)
      Harness.kill(harness)
      # :erpc raises, which ends the caller.
      assert_nothing_left(known, {state, linked})
      refute_received {:result, ^run, _}
      assert_cleaned(state, linked)
      again = Harness.restart(harness)
      assert_works(again, caller, servers)
      again
    end)
  end

  test "the connection", %{harness: harness, caller: caller, servers: servers} = context do
    for {state, linked} <- ways() do
      %{known: known} = reach(state, context, linked)
      assert Peer.call(caller, :erlang, :disconnect_node, [harness.node])
      assert_free(harness)
      assert_nothing_left(known, {state, linked})
      assert_cleaned(state, linked)
      assert_works(harness, caller, servers)
    end
  end

  test "the connection to the server's node",
       %{harness: harness, caller: caller, servers: servers} = context do
    for state <- [:load, :custom, :chaos_wait] do
      %{run: run, known: known, staying: staying} = reach(state, context, true)
      assert Peer.call(servers, :erlang, :disconnect_node, [harness.node])

      # The call that waits has its error, and the run goes on; what does not wait for the node is released.
      if state != :load, do: send(staying, {:release, state})
      assert_receive {:result, ^run, {:ok, report}}, 30_000
      if state == :load, do: assert([[{:error, {{:nodedown, _}, _}}] | _] = results(report))
      assert_nothing_left(known, state)
      assert_cleaned(state, true)
      assert_works(harness, caller, servers)
    end
  end
end
