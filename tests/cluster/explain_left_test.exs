defmodule ExplainLeftTest do
  @moduledoc "Finding out why operations are slow leaves nothing behind, whatever ends it, and takes nothing from anybody."
  use ClusterCase

  @load %{load: %{rate: 200, duration_ms: 1_000}, operations: [:get], call_timeout_ms: 60_000}

  setup do
    peer = Peer.start()
    harness = Harness.start()
    target = Peer.start_server(peer, Slow)
    # What any run needs once on a node, such as modules, and what the node does when a connection ends.
    for _ <- 1..2 do
      assert {:ok, %{explain: nil}} = Harness.run(harness, Map.put(@load, :target, target))
      Peer.call(peer, :erlang, :disconnect_node, [harness.node])
    end

    assert {:ok, %{explain: nil}} = Harness.run(harness, Map.put(@load, :target, target))
    Peer.call(peer, Slow, :suspend, [target, 1])
    {:ok, harness: harness, peer: peer, target: target, before: settled(peer)}
  end

  defp left(peer), do: Peer.call(peer, Slow, :left, [])

  # Processes of a run end a moment after it.
  defp settled(peer) do
    Wait.until("what is there to stay", fn ->
      first = left(peer)
      Process.sleep(200)
      if left(peer) == first and first.ours == [], do: first
    end)
  end

  defp assert_left(peer, before) do
    Wait.until(fn -> "#{inspect(before)}, but there is #{inspect(left(peer))}" end, fn -> left(peer) == before end)
  end

  defp slow(peer, target, ms) do
    tester = self()
    spawn(fn -> send(tester, {:slow, catch_exit(exit(Peer.call(peer, Slow, :suspend, [target, ms])))}) end)
  end

  defp await_slow, do: assert_receive({:slow, _}, 30_000)

  # A run that goes on, with something that is late in it, so that probes are under way.
  defp start_late(harness, peer, target) do
    node = harness.node
    scenario = Map.merge(@load, %{target: target, explain: true, load: %{rate: 200, duration_ms: 60_000}})
    spawn(fn -> :erpc.call(node, :harness, :run, [scenario], :infinity) end)
    Wait.until("the node to be monitored", fn -> left(peer).system_monitor != :undefined end)
    slow(peer, target, 1_000)
    Wait.until("it to be suspended", fn -> Peer.call(peer, Process, :info, [target, :status]) == {:status, :suspended} end)
    Process.sleep(300)
  end

  test "when the run ends", %{harness: harness, peer: peer, target: target, before: before} do
    run = start_run(harness, Map.merge(@load, %{target: target, explain: true}))
    Wait.until("the node to be monitored", fn -> left(peer).system_monitor != :undefined end)
    assert {_, [long_schedule: _]} = left(peer).system_monitor
    slow(peer, target, 200)
    await_slow()
    assert {:ok, report} = Task.await(run)
    assert report.explain.probes.looks > 10 and report.explain.probes.monitored == 1
    assert_left(peer, before)
  end

  test "when the daemon dies", %{harness: harness, peer: peer, target: target, before: before} do
    start_late(harness, peer, target)
    Harness.kill(harness)
    await_slow()
    assert_left(peer, before)
  end

  test "when the connection is cut", %{harness: harness, peer: peer, target: target, before: before} do
    start_late(harness, peer, target)
    true = Peer.call(peer, :erlang, :disconnect_node, [harness.node])
    await_slow()
    [run] = for %{outcome: nil} = run <- Harness.call(harness, :runs), do: run
    assert Harness.call(harness, :cancel, [run.run_id]) == :ok
    assert {:error, {:cancelled, %{slowest: [_ | _]}}} = Runs.await(harness, run.run_id)
    assert_left(peer, before)
  end

  test "when the node dies", %{harness: harness, peer: peer, target: target} do
    start_late(harness, peer, target)
    Peer.kill(peer)
    [run] = for %{outcome: nil} = run <- Harness.call(harness, :runs), do: run
    Harness.call(harness, :cancel, [run.run_id])
    assert {:error, {:cancelled, %{slowest: [_ | _]}}} = Runs.await(harness, run.run_id)
    Harness.assert_alive(harness)
  end

  describe "a system monitor of somebody else" do
    test "stays theirs", %{harness: harness, peer: peer, target: target} do
      theirs = {target, [{:long_gc, 60_000}]}
      :undefined = Peer.call(peer, :erlang, :system_monitor, [theirs])
      run = start_run(harness, Map.merge(@load, %{target: target, explain: true}))
      slow(peer, target, 200)
    await_slow()
      assert {:ok, report} = Task.await(run)
      assert report.explain.probes.monitored == 0 and report.explain.probes.looks > 10
      assert left(peer).system_monitor == theirs
    end

    test "may be set meanwhile", %{harness: harness, peer: peer, target: target} do
      run = start_run(harness, Map.merge(@load, %{target: target, explain: true}))
      Wait.until("the node to be monitored", fn -> left(peer).system_monitor != :undefined end)
      theirs = {target, [{:long_gc, 60_000}]}
      assert {_, _} = Peer.call(peer, :erlang, :system_monitor, [theirs])
      assert {:ok, _} = Task.await(run)
      Wait.until("the run's processes to end", fn -> left(peer).ours == [] end)
      assert left(peer).system_monitor == theirs
    end
  end
end
