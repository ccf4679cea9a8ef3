defmodule RecoveryTest do
  @moduledoc """
  Recovery is told for each target that a fault has touched, from when the fault took effect there to the first success
  that was sent after that. The truth is what the nodes' own clocks say.
  """
  use ClusterCase

  setup do
    harness = Harness.start(config: %{"access" => %{"chaos" => %{"allow" => ["*"]}}})
    {:ok, harness: harness, lateness: Lateness.watch(), a: node_with(:keeper_a), b: node_with(:keeper_b)}
  end

  # A node with a timekeeper of that name.
  defp node_with(name, peer \\ Peer.start(arguments: ["-hidden"])) do
    file = Path.join(System.tmp_dir!(), Peer.unique("alive"))
    ExUnit.Callbacks.on_exit(fn -> File.rm(file) end)
    Peer.load(peer, Timekeeper)
    Peer.call(peer, Timekeeper, :start, [name, file])
    %{peer: peer, name: name, file: file, target: {name, peer.node}}
  end

  defp start_again(%{peer: peer, name: name}), do: node_with(name, Peer.restart(peer))

  defp first(%{target: target}), do: :gen_server.call(target, :times).first
  defp idle_us(target), do: :gen_server.call(target, :times).idle

  # 200 operations a second of each target.
  defp scenario(targets, duration_ms, chaos, options \\ []) do
    load = %{rate: 200 * length(List.wrap(targets)), duration_ms: duration_ms}

    Map.merge(
      %{target: targets, load: load, operations: [:work], chaos: chaos, call_timeout_ms: 500, events: :none},
      Map.new(options)
    )
  end

  defp recovery_of(injection, target) do
    assert [entry] = Enum.filter(injection.recovery, &(&1.target == target))
    entry
  end

  # Milliseconds that are told, against what a node's clock says, in microseconds. A busy machine lets nobody see it sooner.
  defp assert_recovered(told, truth_us, lateness),
    do: assert_in_delta(told, div(truth_us, 1_000), 20 + Lateness.most_ms(lateness))

  defp stays_away(node) do
    Wait.until("the end of a node", fn -> Node.ping(node) == :pang end)
  end

  test "of a node that is halted and started again", %{harness: harness, a: a, b: b} = context do
    chaos = [%{action: {:halt_node, b.peer.node}, after_ms: 1_000}]
    run = start_run(harness, scenario([a.target, b.target], 7_000, chaos))
    Harness.wait_for_log(harness, ~r/fault injected .*halt_node/)
    Process.sleep(700)
    again = start_again(b)
    assert {:ok, report} = Task.await(run, 60_000)
    truth = first(again) - Timekeeper.last_alive(b.file)
    assert truth > 700_000
    assert [injection] = report.injections
    told = recovery_of(injection, b.target)
    assert_recovered(told.recovery_ms, truth, context.lateness)
    assert told.errors > 100
    assert told.last_error_ms <= told.recovery_ms
    assert injection.recovery_ms == told.recovery_ms
    # The other has not been touched.
    late = Lateness.most_ms(context.lateness)
    assert Enum.all?(injection.recovery, &(&1.target == b.target or &1.recovery_ms <= late))
    assert report.metrics.operation_errors == injection.errors
  end

  test "of each of several faults", %{harness: harness, a: a, b: b} = context do
    chaos = for {node, at} <- [{b, 500}, {a, 3_500}], do: %{action: {:halt_node, node.peer.node}, after_ms: at}
    run = start_run(harness, scenario([a.target, b.target], 8_000, chaos))
    stays_away(b.peer.node)
    b_again = start_again(b)
    Harness.wait_for_log(harness, ~r/fault injected .*halt_node,'#{a.peer.node}'/)
    stays_away(a.peer.node)
    a_again = start_again(a)
    assert {:ok, report} = Task.await(run, 60_000)

    for {injection, node, again} <- Enum.zip([report.injections, [b, a], [b_again, a_again]]) do
      truth = first(again) - Timekeeper.last_alive(node.file)
      assert_recovered(recovery_of(injection, node.target).recovery_ms, truth, context.lateness)
    end
  end

  test "of one that never comes back is none, whatever another does", %{harness: harness, a: a, b: b} do
    chaos = [%{action: {:halt_node, b.peer.node}, after_ms: 500}]
    options = [performance_expectations: [max_recovery_ms: 100_000]]
    scenario = scenario([a.target, b.target], 2_000, chaos, options)
    assert {:error, {:performance_failed, judged}} = Harness.run(harness, scenario)
    assert [%{expectation: :max_recovery_ms, measured: nil, met: false}] = judged.expectations
    report = Harness.last_partial(harness)
    assert [%{recovery_ms: nil} = injection] = report.injections
    assert %{recovery_ms: nil, errors: errors} = recovery_of(injection, b.target)
    assert errors == report.metrics.operation_errors
    assert Harness.call(harness, :show, [report.run_id]) =~ "max_recovery_ms"
  end

  test "of the only one that never comes back is none", %{harness: harness, b: b} do
    chaos = [%{action: {:halt_node, b.peer.node}, after_ms: 1_900}]
    options = [performance_expectations: [max_recovery_ms: 1_000]]
    assert {:error, {:performance_failed, _}} = Harness.run(harness, scenario(b.target, 2_000, chaos, options))
  end

  describe "with recovery_wait_ms" do
    test "the load goes on until all have recovered", %{harness: harness, a: a, b: b} = context do
      chaos = [%{action: {:halt_node, b.peer.node}, after_ms: 500}]
      options = [recovery_wait_ms: 30_000, performance_expectations: [max_recovery_ms: 20_000]]
      run = start_run(harness, scenario([a.target, b.target], 1_000, chaos, options))
      Harness.wait_for_log(harness, ~r/state=recovering/, 20_000)
      [%{run_id: id, state: :recovering} | _] = Harness.call(harness, :runs)
      Process.sleep(1_000)
      again = start_again(b)
      assert {:ok, report} = Task.await(run, 60_000)
      assert report.run_id == id
      truth = first(again) - Timekeeper.last_alive(b.file)
      assert [injection] = report.injections
      assert_recovered(recovery_of(injection, b.target).recovery_ms, truth, context.lateness)
      # Nothing else is told of its operations.
      assert report.metrics.total_operations <= 400
      assert report.metrics.duration_ms in 990..1_500
      assert Enum.sum(Enum.map(report.timeline, & &1.operations)) == report.metrics.total_operations
      assert report.latency.overall.count <= report.metrics.total_operations
    end

    test "no longer than that", %{harness: harness, b: b} do
      chaos = [%{action: {:halt_node, b.peer.node}, after_ms: 200}]
      options = [recovery_wait_ms: 1_000, performance_expectations: [max_recovery_ms: 20_000]]
      {time, result} = timed(fn -> Harness.run(harness, scenario(b.target, 500, chaos, options)) end)
      assert {:error, {:performance_failed, %{expectations: [%{measured: nil, met: false}]}}} = result
      assert time in 1_400..10_000
    end

    test "not at all when there is nothing to wait for", %{harness: harness, a: a} do
      chaos = [%{action: {:suspend, 50}, after_ms: 100}]
      options = [recovery_wait_ms: 60_000]
      {time, {:ok, _}} = timed(fn -> Harness.run(harness, scenario(a.target, 500, chaos, options)) end)
      assert time < 10_000
    end

    test "of scripts, and of custom operations", %{harness: harness, a: a} do
      ask = fn subject -> :gen_server.call(subject, :work) end
      chaos = [%{action: {:suspend, 1_500}, after_ms: 50}]

      state = fn subject, %{state: :mine} -> ask.(subject) end

      for {script, setup} <- [
            {[:work, {:"$sleep", 100}, :work], nil},
            {[:work, {:"$sleep", 100}, ask], nil},
            {[:work, {:"$sleep", 100}, state], fn %{thread: 0} -> :mine end}
          ] do
        options = %{target: a.target, threads: [script], chaos: chaos, call_timeout_ms: 300, thread_setup: setup}
        options = Map.merge(options, %{recovery_wait_ms: 20_000, hooks_node: node()})
        assert {:ok, report} = Harness.run(harness, options)
        assert [%{recovery: [%{recovery_ms: recovery}]}] = report.injections
        assert recovery in 1_400..6_500
        assert report.metrics.total_operations == 2
      end
    end

    test "a run can be cancelled meanwhile", %{harness: harness, b: b} do
      chaos = [%{action: {:halt_node, b.peer.node}, after_ms: 100}]
      run = start_run(harness, scenario(b.target, 500, chaos, recovery_wait_ms: 600_000))
      Harness.wait_for_log(harness, ~r/state=recovering/, 20_000)
      [%{run_id: id} | _] = Harness.call(harness, :runs)
      assert :ok = Harness.call(harness, :cancel, [id])
      assert {:error, {:cancelled, %{run_id: ^id}}} = Task.await(run, 20_000)
    end
  end

  test "of a suspension is its whole length, for each of those suspended", %{harness: harness, a: a} = context do
    targets =
      for i <- 1..4 do
        name = :"suspended_#{i}"
        Peer.call(a.peer, Timekeeper, :start, [name, "/dev/null"])
        {name, a.peer.node}
      end

    # One for all of them: they have the module in common.
    chaos = [%{action: {:suspend, 1_000}, after_ms: 500, target: {:module, Timekeeper, a.peer.node}}]
    assert {:ok, report} = Harness.run(harness, scenario(targets, 4_000, chaos))
    assert [injection] = report.injections
    assert Enum.map(injection.recovery, & &1.target) == targets

    for entry <- injection.recovery do
      assert_recovered(entry.recovery_ms, idle_us(entry.target), context.lateness)
      # Those that were sent in its first half have timed out.
      assert entry.errors in 60..140
    end

    assert injection.recovery_ms == Enum.max(Enum.map(injection.recovery, & &1.recovery_ms))
    assert injection.recovery_ms in 990..1_500
  end

  test "of a suspension that nobody has failed by is its length as well", %{harness: harness, a: a} = context do
    for load <- [%{rate: 200, duration_ms: 2_500}, %{threads: 1, duration_ms: 2_500}] do
      chaos = [%{action: {:suspend, 1_000}, after_ms: 500}]
      options = [load: load, call_timeout_ms: 5_000]
      assert {:ok, report} = Harness.run(harness, scenario(a.target, 2_500, chaos, options))
      assert [%{recovery: [entry]}] = report.injections
      assert %{errors: 0, last_error_ms: nil} = entry
      assert_recovered(entry.recovery_ms, idle_us(a.target), context.lateness)
      assert entry.recovery_ms >= 990
    end
  end

  test "of who has neither failed nor waited is 0", %{harness: harness, a: a, b: b} = context do
    chaos = [
      %{action: {:exhaust, :memory, [size_mb: 200, duration_ms: 500]}, after_ms: 500, target: {:node, a.peer.node}},
      %{action: {:garbage_collect, []}, after_ms: 700, target: a.target},
      %{action: {:apply, :erlang, :node, []}, after_ms: 900, target: {:node, b.peer.node}}
    ]

    # On a busy machine it takes longer to take the memory than the load goes on.
    scenario = scenario([a.target, b.target], 2_500, chaos, recovery_wait_ms: 20_000)
    assert {:ok, report} = Harness.run(harness, scenario)
    assert [%{recovery: [memory]}, %{recovery: [collect]}, %{recovery: [applied]}] = report.injections
    target = b.target
    assert %{errors: 0} = memory
    assert %{errors: 0} = collect
    assert %{target: ^target, errors: 0, last_error_ms: nil} = applied
    for told <- [memory, collect, applied], do: assert(told.recovery_ms <= Lateness.most_ms(context.lateness))
    # Setting it up takes its time, which is none of recovery.
    assert [%{at_ms: asked, effect_ms: effect} | _] = report.injections
    assert effect >= asked
  end

  test "of who fails from the fault on, though it was done to another", %{harness: harness, a: a, b: b} do
    # What is asked of the one is asked of the other by it.
    :pong = Peer.call(a.peer, :net_adm, :ping, [b.peer.node])
    chaos = [%{action: {:suspend, 1_000}, after_ms: 500, target: b.target}]
    options = [operations: [{:ask, b.target}], call_timeout_ms: 250, load: %{threads: 1, duration_ms: 3_000}]
    assert {:ok, report} = Harness.run(harness, scenario(a.target, 3_000, chaos, options))
    assert [%{recovery: [entry]}] = report.injections
    assert entry.target == a.target
    assert entry.errors > 1
    assert entry.recovery_ms in 900..1_600
  end

  # What has failed in it was sent before.
  test "of who answers again within the last second is as long as it took", %{harness: harness, a: a} do
    chaos = [%{action: {:suspend, 1_500}, after_ms: 1_000, target: a.target}]
    expectations = [max_recovery_ms: 1_000_000]
    options = [load: %{threads: 8, duration_ms: 3_000}, call_timeout_ms: 300, performance_expectations: expectations]
    assert {:ok, report} = Harness.run(harness, scenario(a.target, 3_000, chaos, options))
    assert [%{recovery_ms: recovery, recovery: [%{last_error_ms: last, again_ms: nil}]} = injection] = report.injections
    assert injection.effect_ms + last > 2_000
    assert recovery >= 1_400
    refute Enum.any?(report.warnings, &(&1.warning == :recovery_unknown))
  end

  test "of who still fails in the last second is none", %{harness: harness, a: a} do
    # Answers again at once, and fails now and then for the rest of the load.
    chaos = [
      %{action: {:garbage_collect, []}, after_ms: 500},
      %{action: {:apply, :erlang, :node, []}, after_ms: 600, target: {:node, a.peer.node}}
    ]

    load = %{threads: 4, duration_ms: 3_000, think_ms: 20}
    options = [load: load, operations: [:work, :never], call_timeout_ms: 50]
    assert {:ok, report} = Harness.run(harness, scenario(a.target, 3_000, chaos, options))
    assert [_, %{recovery_ms: nil, recovery: [%{last_error_ms: last}]}] = report.injections
    assert last > 500
  end

  test "of one to which nothing was sent since is not known", %{harness: harness, a: a, b: b} do
    script = [:work, {:"$sleep", 300}, :work, {:"$sleep", 300}]
    chaos = [%{action: {:suspend, 50}, after_ms: 100, target: b.target}]
    options = %{target: [a.target, b.target], threads: [script], spread: :round_robin, chaos: chaos}
    # Round robin: each second step is for the other, and these are sleeps.
    assert {:ok, report} = Harness.run(harness, options)
    assert [%{recovery: [%{recovery_ms: nil, errors: 0}], recovery_ms: nil}] = report.injections
    assert [%{warning: :recovery_unknown, targets: [target]}] = report.warnings
    assert target == b.target
  end
end
