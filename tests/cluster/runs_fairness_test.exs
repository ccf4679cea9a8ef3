defmodule RunsFairnessTest do
  @moduledoc """
  Runs share the loop: each has its turn in every pass, whatever the others do. Runs are compared with each other;
  the one measure is how long the loop was busy at once, which was seconds and more where a run took all it could.
  """
  use ClusterCase, shared: true

  # The sanitizers and a busy machine make a pass of some milliseconds many times longer.
  @most_lag_us 400_000

  setup %{peer: peer} do
    # Nobody else waits for what is sent to this node.
    {:ok, target: Peer.start_server(peer, Subject), other: Peer.start()}
  end

  defp start(harness, target, load, operations, options \\ %{}) do
    scenario = %{target: target, load: load, operations: operations, events: :none, hooks_node: node()}
    Runs.start(harness, Map.merge(scenario, Map.new(options)))
  end

  defp operations(harness, id), do: Runs.status(harness, id).operations

  defp await_operations(harness, id, count \\ 1),
    do: Wait.until("#{count} operations", fn -> operations(harness, id) >= count end, 60_000)

  # What the runs do while `milliseconds` pass.
  defp progress(harness, ids, milliseconds) do
    before = Enum.map(ids, &operations(harness, &1))
    Process.sleep(milliseconds)
    ids |> Enum.map(&operations(harness, &1)) |> Enum.zip(before) |> Enum.map(fn {b, a} -> b - a end)
  end

  defp cancel(harness, id) do
    assert Harness.call(harness, :cancel, [id]) == :ok
    assert {:error, {:cancelled, report}} = Runs.await(harness, id)
    report
  end

  # The node stands still most of the time.
  defp slow_down(peer) do
    pid = Peer.call(peer, :os, :getpid, [])
    script = "while kill -STOP #{pid} 2>/dev/null; do sleep 0.05; kill -CONT #{pid}; sleep 0.01; done"
    process = OsProcess.start(["/bin/sh", "-c", script], Path.join(Support.temporary_folder(), "log"), [])
    on_exit(fn -> OsProcess.signal(process, "KILL") && System.cmd("kill", ["-CONT", to_string(pid)]) end)
  end

  defp longest_pass(report), do: report |> Loads.gauge(:loop_lag_us) |> Enum.max()

  # One thread that calls beside another run: it goes on, and the loop is never busy for long.
  defp assert_not_starved(harness, target, start_other) do
    small = start(harness, target, %{threads: 1, duration_ms: 120_000}, [:get])
    await_operations(harness, small)
    other = start_other.()
    await_operations(harness, other)
    [done, beside] = progress(harness, [small, other], 2_000)
    assert beside > 0
    assert done > 20
    cancel(harness, other)
    lag = longest_pass(cancel(harness, small))
    assert lag < @most_lag_us
    IO.puts("\n#{done} calls beside #{beside} operations; the loop was busy for #{div(lag, 1000)} ms at most")
  end

  defp assert_equal([one, other], delta) do
    assert one > 0 and other > 0
    assert_in_delta one / (one + other), 0.5, delta
  end

  test "equal runs do equally much", %{harness: harness, peer: peer} do
    ids =
      for _ <- 1..2 do
        target = Peer.start_server(peer, Subject)
        start(harness, target, %{threads: 50, duration_ms: 60_000}, [:get])
      end

    for id <- ids, do: await_operations(harness, id, 1_000)
    assert_equal(progress(harness, ids, 2_000), 0.15)
    for id <- ids, do: cancel(harness, id)
  end

  # The node takes less than they could send, so that each has to wait for room again and again.
  test "equal runs that flood one node do, too", %{harness: harness, other: other} do
    ids =
      for _ <- 1..2 do
        target = Peer.start_server(other, CastOnlySubject)

        start(harness, target, %{threads: 50, duration_ms: 60_000}, [{:"$cast", String.duplicate("x", 4_000)}])
      end

    for id <- ids, do: await_operations(harness, id, 1_000)
    slow_down(other)
    assert_equal(progress(harness, ids, 2_000), 0.08)
    for id <- ids, do: cancel(harness, id)
  end

  test "a small run is not starved by a flood", %{harness: harness, target: target, other: other} do
    sink = Peer.start_server(other, CastOnlySubject)

    assert_not_starved(harness, target, fn ->
      start(harness, sink, %{threads: 1_000, duration_ms: 60_000}, [{:"$cast", :a}])
    end)
  end

  test "nor by a high rate that is not answered", %{harness: harness, target: target, other: other} do
    silent = Peer.start_server(other, Subject)
    load = %{rate: 100_000, duration_ms: 60_000, max_in_flight: 100_000, max_queued: 1_000_000}
    # All that was sent in half a second times out, as long as the run goes on.
    assert_not_starved(harness, target, fn -> start(harness, silent, load, [:never], call_timeout_ms: 500) end)
  end

  test "nor by threads that all wake at once", %{harness: harness, target: target, other: other} do
    nobody = Peer.start_server(other, Subject)
    load = %{threads: 300_000, duration_ms: 60_000}
    # Sleeps are no operations: each thread sends once between two of them.
    script = [{:"$cast", {:add, 1}}, {:"$sleep", 300}]
    assert_not_starved(harness, target, fn -> start(harness, nobody, load, script) end)
  end

  test "nor by calls that all fail at once", %{harness: harness, target: target, other: other} do
    load = %{threads: 300_000, duration_ms: 60_000}
    assert_not_starved(harness, target, fn -> start(harness, {:nobody, other.node}, load, [:get]) end)
  end

  test "nor by the end of a load whose time is over", %{harness: harness, target: target, other: other} do
    silent = Peer.start_server(other, Subject)
    small = start(harness, target, %{threads: 1, duration_ms: 60_000}, [:get])
    await_operations(harness, small)
    load = %{rate: 200_000, duration_ms: 1_000, max_in_flight: 200_000}
    allowed = [performance_expectations: [max_error_rate: 1.0]]
    id = start(harness, silent, load, [:never], [call_timeout_ms: 2_000, timeout_ms: 3_000] ++ allowed)
    assert {:ok, report} = Runs.await(harness, id)
    assert report.metrics.total_operations + report.metrics.dropped == 200_000
    assert report.errors == %{timeout: report.metrics.total_operations}
    assert longest_pass(cancel(harness, small)) < @most_lag_us
  end
end
