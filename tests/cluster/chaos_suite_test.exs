defmodule ChaosSuiteTest do
  @moduledoc "Suites of chaos scenarios, with the report of the library."
  use ClusterCase, shared: true

  setup_all %{peer: peer} do
    for module <- [Trees, Trees.Supervisor, Trees.Worker], do: Peer.load(peer, module)
    :ok
  end

  setup %{peer: peer} do
    names = for _ <- 1..4, do: String.to_atom(Peer.unique("suite"))
    supervisor = Peer.call(peer, Trees, :start, [:one_for_one, names])
    on_exit(fn -> Peer.call(peer, Trees, :stop, [supervisor]) end)
    {:ok, supervisor: supervisor}
  end

  defp suite(harness, target, scenarios, options \\ []),
    do: Harness.call(harness, :run_chaos_suite, [target, scenarios, options])

  test "works through its scenarios", %{harness: harness, peer: peer, supervisor: supervisor} do
    subject = Peer.start_server(peer, Subject)
    before = Peer.call(peer, Trees, :children, [supervisor])

    scenarios = [
      %{type: :kill_children, kill_rate: 0.5, duration_ms: 150, kill_interval_ms: 50},
      %{type: :kill_children, kill_rate: 1.0, duration_ms: 60, kill_interval_ms: 30, kill_reason: :boo},
      %{type: :concurrent, scenario: %{target: subject, threads: [[{:add, 1}], [{:add, 1}]]}},
      %{type: :concurrent, scenario: [target: subject, threads: [[{:add, 1}]]]},
      %{type: :concurrent, build: fn target -> %{target: target, threads: [[:which_children]]} end}
    ]

    {time, report} = timed(fn -> suite(harness, supervisor, scenarios) end)
    assert %{total_scenarios: 5, passed: 5, failed: 0, failures: [], duration_ms: duration} = report
    assert map_size(report) == 5
    assert duration in 210..time
    assert GenServer.call(subject, :get) == 3
    now = Peer.call(peer, Trees, :children, [supervisor])
    assert length(now) == 4
    assert Enum.all?(now, &(&1 not in before))
    assert suite(harness, supervisor, []) == %{total_scenarios: 0, passed: 0, failed: 0, failures: [], duration_ms: 0}
    assert Harness.call(harness, :run_chaos_suite, [supervisor, []]).total_scenarios == 0
  end

  test "tells what failed, and why", %{harness: harness, peer: peer, supervisor: supervisor} do
    dead = Peer.start_server(peer, Subject)
    Peer.call(peer, :erlang, :exit, [dead, :kill])
    broken = fn _ -> raise "no scenario" end

    failing = [
      {%{type: :whatever}, &(&1 == :unknown_scenario_type)},
      {%{type: :concurrent}, &(&1 == :missing_concurrent_scenario)},
      {%{type: :concurrent, build: 7}, &(&1 == :missing_concurrent_scenario)},
      {%{type: :concurrent, build: broken}, &match?({:scenario_builder_failed, %{message: "no scenario"}}, &1)},
      {%{type: :concurrent, scenario: %{}}, &match?({:invalid_scenario, [_ | _]}, &1)},
      {%{type: :concurrent, scenario: %{setup: fn -> {:error, :cold} end, threads: [[:get]]}}, &(&1 == :cold)},
      {%{kill_rate: 1}, &(&1 == {:badkey, :type})},
      {:nothing, &(&1 == {:badmap, :nothing})},
      {%{type: :kill_children, kill_rate: 7}, &match?({:invalid_scenario, [_]}, &1)}
    ]

    scenarios = Enum.map(failing, &elem(&1, 0)) ++ [%{type: :kill_children, duration_ms: 1, kill_interval_ms: 1}]
    report = suite(harness, supervisor, scenarios)
    assert %{total_scenarios: 10, passed: 1, failed: 9} = report

    for {%{scenario: scenario, reason: reason}, {expected, check}} <- Enum.zip(report.failures, failing) do
      assert scenario == expected
      assert check.(reason), inspect(reason)
    end

    assert %{failures: [%{reason: :noproc}]} = suite(harness, dead, [%{type: :kill_children}])
    subject = Peer.start_server(peer, Subject)
    assert %{failures: [%{reason: :not_a_supervisor}]} = suite(harness, subject, [%{type: :kill_children}])
    assert GenServer.call(subject, :get) == 0
  end

  test "keeps to the blast radius", %{harness: harness, peer: peer} do
    rounds = %{type: :kill_children, kill_rate: 1.0, duration_ms: 50, kill_interval_ms: 10}
    before = Peer.call(peer, Trees, :children, [:kernel_safe_sup])

    for target <- [{:kernel_sup, peer.node}, {:kernel_safe_sup, peer.node}] do
      assert %{passed: 0, failures: [%{scenario: ^rounds, reason: reason}]} = suite(harness, target, [rounds])
      assert {:not_allowed, %{rule: "access.names.deny", kind: :kill_children}} = reason
    end

    assert Peer.call(peer, Trees, :children, [:kernel_safe_sup]) == before
    subject = Peer.start_server(peer, Subject)
    burning = %{type: :concurrent, scenario: %{target: subject, threads: [[{:add, 1}]], chaos: {:burn_cpu, []}}}
    assert %{failures: [%{reason: {:not_allowed, %{rule: "access.chaos.allow"}}}]} = suite(harness, subject, [burning])
    assert GenServer.call(subject, :get) == 0
  end

  test "ends at its timeout", %{harness: harness, supervisor: supervisor} do
    quick = %{type: :kill_children, duration_ms: 1, kill_interval_ms: 1}
    long = %{type: :kill_children, duration_ms: 60_000}
    {time, report} = timed(fn -> suite(harness, supervisor, [quick, long, quick, quick], timeout: 500) end)
    assert time in 495..5_000
    assert %{total_scenarios: 4, passed: 1, failed: 3} = report
    assert report.failures == [%{scenario: long, reason: :timeout} | List.duplicate(%{scenario: quick, reason: :suite_timeout}, 2)]
    assert running(harness) == 0
    stuck = %{type: :concurrent, build: fn _ -> Process.sleep(:infinity) end}
    assert %{failures: [%{reason: :timeout}]} = suite(harness, supervisor, [stuck], timeout: 200)
    assert %{passed: 1} = suite(harness, supervisor, [quick], timeout: :infinity)
  end

  test "ends with who asked for it", %{harness: harness, peer: peer, supervisor: supervisor} do
    caller = spawn(fn -> suite(harness, supervisor, List.duplicate(%{type: :kill_children, duration_ms: 60_000}, 3)) end)
    Wait.until("the run of the suite", fn -> running(harness) == 1 end)
    Process.exit(caller, :kill)
    Wait.until("the end of the suite", fn -> running(harness) == 0 end)
    children = Peer.call(peer, Trees, :children, [supervisor])
    assert %{passed: 1} = suite(harness, supervisor, [%{type: :kill_children, kill_rate: 0, duration_ms: 300}])
    assert Peer.call(peer, Trees, :children, [supervisor]) == children
  end

  test "is one run with its members", %{harness: harness, peer: peer, supervisor: supervisor} do
    subject = Peer.start_server(peer, Subject)
    before = Enum.map(Harness.call(harness, :runs), & &1.run_id)
    quick = %{type: :concurrent, scenario: %{target: subject, threads: [[{:add, 1}]]}}
    long = %{type: :kill_children, kill_rate: 0, duration_ms: 60_000}
    task = Task.async(fn -> suite(harness, supervisor, [quick, %{type: :whatever}, long, quick]) end)
    Wait.until("the second member", fn -> match?([%{state: :suite, members: [_, _]} | _], Harness.call(harness, :runs)) end)
    assert [%{run_id: id, state: :suite, by: :run_chaos_suite, members: [second, first]} | rest] = Harness.call(harness, :runs)
    assert Enum.map(rest, & &1.run_id) == before
    assert %{suites: 1, runs: 1} = Harness.call(harness, :info)
    assert %{suite: ^id, outcome: :completed, members: nil} = Harness.call(harness, :status, [first])
    assert %{suite: ^id, outcome: nil} = Harness.call(harness, :status, [second])
    assert Harness.call(harness, :delete, [id]) == {:error, :not_finished}
    assert Harness.call(harness, :report, [id]) == {:error, :not_finished}

    assert Harness.call(harness, :cancel, [id]) == :ok
    report = Task.await(task)
    assert %{total_scenarios: 4, passed: 1, failed: 3} = report
    assert [:unknown_scenario_type, {:cancelled, _}, :cancelled] = Enum.map(report.failures, & &1.reason)
    assert Harness.call(harness, :await, [id]) == {:error, {:cancelled, report}}
    assert %{outcome: :cancelled, state: :finished, operations: 1, members: [^second, ^first]} = Harness.call(harness, :status, [id])
    assert Harness.call(harness, :show, [id]) =~ "Run #{id}: cancelled\n  4 scenarios: 1 passed, 3 failed"
    assert Harness.call(harness, :show, [report]) =~ "\n  reason    unknown_scenario_type\n"
    assert {:ok, %{run_id: ^first}} = Harness.call(harness, :report, [first])
    assert Harness.call(harness, :delete, [id]) == :ok
    for gone <- [id, first, second], do: assert(Harness.call(harness, :report, [gone]) == {:error, :not_found})
    assert Enum.map(Harness.call(harness, :runs), & &1.run_id) == before
  end

  test "tells subscribers of its start and its end, and of its members'", %{harness: harness, peer: peer, supervisor: supervisor} do
    subject = Peer.start_server(peer, Subject)
    :ok = Harness.call(harness, :subscribe, [:all])
    on_exit(fn -> Harness.call(harness, :unsubscribe, [:all, self()]) end)
    scenario = %{type: :concurrent, scenario: %{target: subject, threads: [[:get]]}}
    assert %{passed: 2} = suite(harness, supervisor, [scenario, scenario])
    told = told_until_stop(nil)
    [{:start, id} | _] = told
    members = for {:start, member} <- told, member != id, do: member
    assert length(members) == 2
    assert for({:stop, ended} <- told, do: ended) == members ++ [id]
    Harness.call(harness, :unsubscribe, [:all])
  end

  # What is told until the first that has started has stopped.
  defp told_until_stop(first) do
    assert_receive {:harness_event, id, [:harness, :run, what], _, _}, 10_000
    first = first || id
    if {what, id} == {:stop, first}, do: [{what, id}], else: [{what, id} | told_until_stop(first)]
  end

  test "starts nothing more once its caller has died", %{harness: harness, peer: peer, supervisor: supervisor} do
    ends = [fn caller, _ -> Process.exit(caller, :kill) end, fn _, other -> Peer.stop(other) end]

    for ending <- ends do
      other = Peer.start()
      %{counters: %{runs_started: before}} = Harness.call(harness, :info)
      long = %{type: :kill_children, kill_rate: 0, duration_ms: 60_000}
      arguments = [harness.node, :harness, :run_chaos_suite, [supervisor, List.duplicate(long, 1_500)]]
      caller = Peer.call(other, :erlang, :spawn, [:erpc, :call, arguments])
      Wait.until("the run of the suite", fn -> running(harness) == 1 end)
      [%{run_id: id, state: :suite} | _] = Harness.call(harness, :runs)
      ending.(caller, other)
      Wait.until("the end of the suite", fn -> Harness.call(harness, :status, [id]).outcome == :cancelled end)
      assert %{counters: %{runs_started: started}, suites: 0, runs: 0} = Harness.call(harness, :info)
      assert started == before + 1
      assert [%{run_id: ^id, members: [_]} | _] = Harness.call(harness, :runs)
      assert Peer.call(peer, Process, :alive?, [supervisor])
    end
  end

  test "refuses what is none", %{harness: harness, supervisor: supervisor} do
    for arguments <- [[supervisor, :none], [supervisor, [], :none], [supervisor, [], [timeout: -1]]] do
      assert {:error, {:exception, :badarg, []}} = raised(fn -> Harness.call(harness, :run_chaos_suite, arguments) end)
    end
  end
end
