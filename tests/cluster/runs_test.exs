defmodule RunsTest do
  @moduledoc "Runs that outlive their caller: started, awaited, looked at, cancelled and deleted from anywhere."
  use ClusterCase, shared: true

  setup %{peer: peer} do
    {:ok, target: Peer.start_server(peer, Subject)}
  end

  defp poll_memory(harness, task, most) do
    assert Harness.memory(harness) < most

    case Task.yield(task, 20) do
      {:ok, result} -> result
      nil -> poll_memory(harness, task, most)
    end
  end

  defp node_peer, do: Peer.start(arguments: ["-hidden"])

  describe "start" do
    test "answers at once, and the run goes on by itself", %{harness: harness, target: target} do
      id = Runs.start(harness, Runs.held(target, :a))
      from = Runs.await_held(:a)
      assert Runs.state(harness, id) == :load
      assert Harness.call(harness, :report, [id]) == {:error, :not_finished}
      Runs.release(from)
      assert {:ok, report} = Runs.await(harness, id)
      assert result(report) == {:ok, :released}
      assert report.run_id == id and report.metadata.scenario_id == id
      assert Runs.await(harness, id) == {:ok, report}
      assert Harness.call(harness, :report, [id]) == {:ok, report}
    end

    test "outlives the node that it came from", %{harness: harness, target: target} do
      shell = node_peer()
      other = node_peer()

      scenario = %{
        target: target,
        threads: for(thread <- 1..10, do: for(step <- 1..20, do: {:late, 50, {thread, step}}))
      }

      id = Runs.start(harness, scenario, shell)
      Runs.await_state(harness, id, :load)
      Peer.kill(shell)
      assert {:ok, report} = Runs.await(harness, id, other)

      assert results(report) ==
               for(thread <- 1..10, do: for(step <- 1..20, do: {:ok, {thread, step}}))

      assert %{outcome: :completed, operations: 200, operation_errors: 0} = Runs.status(harness, id)
    end

    test "applies hooks on the target's node", %{harness: harness, peer: peer, target: target} do
      shell = node_peer()
      Peer.load(peer, Hooks)

      for {options, node} <- [{%{}, peer.node}, {%{hooks_node: shell.node}, shell.node}] do
        scenario = %{target: target, threads: [[:get]], cleanup: {Hooks, :tell_node, [self()]}}
        Peer.load(shell, Hooks)
        id = Runs.start(harness, Map.merge(scenario, options), shell)
        assert {:ok, _} = Runs.await(harness, id)
        assert_receive {:cleanup_on, ^node}, 10_000
      end
    end

    test "refuses what is no scenario", %{harness: harness} do
      assert {:error, {:invalid_scenario, [_ | _]}} = Harness.call(harness, :start, [%{}])
    end

    test "works in every way of calling", %{harness: harness, target: target} do
      scenario = %{target: target, threads: [[:get]]}
      server = {:harness, harness.node}
      assert {:ok, a} = GenServer.call(server, {:start, scenario})
      assert {:ok, b} = :rpc.call(harness.node, :harness, :start, [scenario])
      assert {:ok, c} = :erpc.call(harness.node, Supertester.ConcurrentHarness, :start, [scenario])
      assert a < b and b < c
      for id <- [a, b, c], do: assert({:ok, %{run_id: ^id}} = GenServer.call(server, {:await, id, 10_000}))
      assert %{run_id: ^a, state: :finished} = GenServer.call(server, {:status, a})
    end
  end

  describe "await" do
    test "answers any number of processes", %{harness: harness, peer: peer, target: target} do
      id = Runs.start(harness, Runs.held(target, :many))
      from = Runs.await_held(:many)
      here = for _ <- 1..50, do: Task.async(fn -> Runs.await(harness, id) end)
      there = for _ <- 1..5, do: Task.async(fn -> Runs.await(harness, id, peer) end)

      called =
        for _ <- 1..5,
            do: Task.async(fn -> GenServer.call({:harness, harness.node}, {:await, id}, 60_000) end)

      Wait.until("all of them to wait", fn -> Runs.status(harness, id).awaited_by == 60 end)
      Runs.release(from)
      [{:ok, report} | _] = answers = Task.await_many(here ++ there ++ called, 60_000)
      assert Enum.uniq(answers) == [{:ok, report}]
    end

    # All of them at once would be twice what may wait to be sent to one node.
    test "gives a large report to all who wait on a node, one after the other", %{target: target} do
      harness = Harness.start()
      peer = Peer.start(arguments: ["-hidden"])
      Peer.load(peer, Runs)
      echoes = for _ <- 1..20, do: {:echo, String.duplicate("x", 1_000_000)}
      scenario = Runs.held(target, :large)
      id = Runs.start(harness, %{scenario | threads: [echoes ++ hd(scenario.threads)]})
      from = Runs.await_held(:large)
      waiters = Task.async(fn -> Peer.call(peer, Runs, :await_sizes, [harness.node, id, 12], 120_000) end)
      Wait.until("all of them to wait", fn -> Runs.status(harness, id).awaited_by == 12 end)
      before = Harness.memory(harness)
      Runs.release(from)
      assert [size | _] = sizes = poll_memory(harness, waiters, before + 450_000_000)
      assert size > 40_000_000 and Enum.uniq(sizes) == [size] and length(sizes) == 12
    end

    test "gives up in time", %{harness: harness, target: target} do
      id = Runs.start(harness, Runs.held(target, :patience))
      from = Runs.await_held(:patience)
      assert {time, {:error, :timeout}} = timed(fn -> Harness.call(harness, :await, [id, 200]) end)
      assert time in 200..10_000
      assert Harness.call(harness, :await, [id, 0]) == {:error, :timeout}
      assert Runs.status(harness, id).awaited_by == 0
      Runs.release(from)
      assert {:ok, _} = Harness.call(harness, :await, [id, :infinity])
      assert {:ok, _} = Harness.call(harness, :await, [id, 0])
    end

    test "forgets who no longer waits", %{harness: harness, target: target} do
      id = Runs.start(harness, Runs.held(target, :gone))
      from = Runs.await_held(:gone)
      caller = spawn(fn -> Runs.await(harness, id) end)
      Wait.until("it to wait", fn -> Runs.status(harness, id).awaited_by == 1 end)
      Process.exit(caller, :kill)
      Wait.until("it to be forgotten", fn -> Runs.status(harness, id).awaited_by == 0 end)
      assert {:error, {:erpc, :timeout}} = raised(fn -> Harness.call(harness, :await, [id], 100) end)
      Wait.until("it to be forgotten", fn -> Runs.status(harness, id).awaited_by == 0 end)
      server = {:harness, harness.node}
      assert {:exit, {:timeout, _}} = raised(fn -> GenServer.call(server, {:await, id}, 100) end)
      Wait.until("it to be forgotten", fn -> Runs.status(harness, id).awaited_by == 0 end)
      caller = spawn(fn -> GenServer.call(server, {:await, id}, :infinity) end)
      Wait.until("it to wait", fn -> Runs.status(harness, id).awaited_by == 1 end)
      Process.exit(caller, :kill)
      Wait.until("it to be forgotten", fn -> Runs.status(harness, id).awaited_by == 0 end)
      Runs.release(from)
      assert {:ok, _} = Runs.await(harness, id)
    end
  end

  describe "run" do
    test "leaves its report behind", %{harness: harness, target: target} do
      assert {:ok, report} = Harness.run(harness, %{target: target, threads: [[:get]]})
      assert Harness.call(harness, :report, [report.run_id]) == {:ok, report}
      assert %{by: :run, caller: caller} = Runs.status(harness, report.run_id)
      assert caller == self()
    end

    test "goes on when its call has timed out", %{harness: harness, target: target} do
      scenario = Runs.held(target, :impatient)

      assert raised(fn -> Harness.call(harness, :run, [scenario], 300) end) == {:error, {:erpc, :timeout}}
      from = Runs.await_held(:impatient)
      [%{run_id: id, state: :load, by: :run} | _] = Harness.call(harness, :runs)
      Runs.release(from)
      assert {:ok, report} = Runs.await(harness, id)
      assert result(report) == {:ok, :released}
    end

    test "goes on when its GenServer call has timed out", %{harness: harness, target: target} do
      scenario = Runs.held(target, :called)
      server = {:harness, harness.node}
      assert {:exit, {:timeout, _}} = raised(fn -> GenServer.call(server, {:run, scenario}, 300) end)
      from = Runs.await_held(:called)
      [%{run_id: id, state: :load, cancelled: false} | _] = Harness.call(harness, :runs)
      Runs.release(from)
      assert {:ok, _} = Runs.await(harness, id)
    end

    test "is cancelled with its caller, and its report is there", %{harness: harness, target: target} do
      scenario = Runs.held(target, :mortal)
      caller = spawn(fn -> Harness.run(harness, scenario) end)
      Runs.await_held(:mortal)
      [%{run_id: id, caller: ^caller} | _] = Harness.call(harness, :runs)
      Process.exit(caller, :kill)
      assert {:error, {:cancelled, %{run_id: ^id}}} = Runs.await(harness, id)
    end

    test "that raises has a result as well", %{harness: harness, target: target} do
      scenario = %{target: target, threads: [[{:late, 50, 1}]]}
      call = fn -> Harness.call(harness, :run_with_performance, [scenario, [max_time_ms: 0]]) end
      assert {:error, {:exception, %RuntimeError{}, _}} = raised(call)
      [%{run_id: id, by: :run_with_performance} | _] = Harness.call(harness, :runs)
      assert {:error, {:performance_failed, %{run_id: ^id}}} = Harness.call(harness, :report, [id])
      assert {:ok, %{run_id: ^id}} = Harness.call(harness, :partial, [id])
      assert %{outcome: :missed, reason: "{performance_failed" <> _} = Runs.status(harness, id)
    end
  end

  describe "status" do
    test "tells who does what to whom, and how far it is", %{harness: harness, target: target} do
      test = self()

      scenario = %{
        target: target,
        load: %{rate: 100, duration_ms: 60_000},
        operations: [{:tell, test, :status}],
        call_timeout_ms: 60_000,
        metadata: %{team: "a"}
      }

      before = System.os_time(:millisecond)
      id = Runs.start(harness, scenario)
      Runs.await_held(:status)
      status = Runs.status(harness, id)

      assert %{run_id: ^id, state: :load, outcome: nil, reason: nil, by: :start, name: nil} = status
      assert %{caller: ^test, target: ^target, metadata: %{team: "a"}} = status
      assert status.node == node()
      assert %{planned_ms: 60_000, threads: 1000, operations: 0, operation_errors: 0, dropped: 0} = status
      assert %{cancelled: false, ended_at: nil, ended_at_ms: nil, waits_for: nil, runs_before: nil} = status
      assert status.in_flight > 0
      assert status.left_ms in 1..60_000
      assert status.elapsed_ms in 0..60_000
      assert status.accepted_at_ms in before..System.os_time(:millisecond)
      assert status.started_at_ms in status.accepted_at_ms..System.os_time(:millisecond)
      assert {:ok, started_at, 0} = DateTime.from_iso8601(status.started_at)
      assert DateTime.to_unix(started_at) == div(status.started_at_ms, 1000)
      Wait.until("more to be in flight", fn -> Runs.status(harness, id).in_flight > status.in_flight end)

      assert Harness.call(harness, :cancel, [id]) == :ok
      assert {:error, {:cancelled, report}} = Runs.await(harness, id)
      status = Runs.status(harness, id)
      assert %{state: :finished, outcome: :cancelled, reason: "cancelled", cancelled: true} = status
      assert %{left_ms: nil, in_flight: 0, awaited_by: 0} = status
      assert status.ended_at_ms >= status.started_at_ms
      assert status.report_bytes > 0
      assert status.operations == report.metrics.total_operations
      assert Runs.status(harness, id) == status
    end

    test "says why a run has failed", %{harness: harness, target: target} do
      id = Runs.start(harness, %{target: target, threads: [[{:custom, &:erlang.exit/1}]]})
      assert {:error, {:thread_failure, {:error, _}}} = Runs.await(harness, id)
      assert %{outcome: :failed, reason: reason} = Runs.status(harness, id)
      assert reason =~ "thread_failure"
    end

    test "is there of all runs, the newest first", %{harness: harness, target: target} do
      ids = for _ <- 1..3, do: Runs.start(harness, %{target: target, threads: [[:get]]})
      for id <- ids, do: Runs.await(harness, id)
      all = Harness.call(harness, :runs)
      assert Enum.take(Enum.map(all, & &1.run_id), 3) == Enum.reverse(ids)
      assert hd(all) == Runs.status(harness, List.last(ids))
    end
  end

  describe "cancel" do
    test "ends a run in each state", %{harness: harness, peer: peer, target: target} do
      for module <- [Hooks, StubbornSubject], do: Peer.load(peer, module)

      for state <- [:setup, :load, :custom, :chaos_wait, :invariant, :cleanup] do
        options = [server: peer.node, linked: true, hook_timeout_ms: 2_000]
        scenario = Map.put(Hooks.scenario(state, self(), options), :hooks_node, peer.node)
        id = Runs.start(harness, scenario)
        assert_receive {:in_state, ^state, _}, 10_000
        assert Harness.call(harness, :cancel, [id]) == :ok
        # It may have ended by then.
        assert Harness.call(harness, :cancel, [id]) in [:ok, {:error, :finished}]
        assert {:error, reason} = Runs.await(harness, id)

        # What is past the load goes on to its end; a setup that hangs has failed.
        case state do
          :cleanup -> assert {:cleanup_failed, {:cleanup_failed, :timeout}, _} = reason
          :setup -> assert {:setup, reason} == {:setup, {:cancelled, elem(reason, 1)}}
          _ -> assert {^state, {:cancelled, %{run_id: ^id}}} = {state, reason}
        end

        if state != :setup, do: assert_receive({:cleaned, _}, 10_000)
        assert Harness.call(harness, :cancel, [id]) == {:error, :finished}
      end

      assert {:ok, _} = Harness.run(harness, %{target: target, threads: [[:get]]})
    end
  end

  describe "delete" do
    test "forgets a run that has ended, and no other", %{harness: harness, target: target} do
      id = Runs.start(harness, Runs.held(target, :kept))
      from = Runs.await_held(:kept)
      assert Harness.call(harness, :delete, [id]) == {:error, :not_finished}
      Runs.release(from)
      assert {:ok, _} = Runs.await(harness, id)
      assert Harness.call(harness, :delete, [id]) == :ok

      for function <- [:report, :await, :status, :cancel, :delete],
          do: assert({function, Harness.call(harness, function, [id])} == {function, {:error, :not_found}})

      refute Enum.any?(Harness.call(harness, :runs), &(&1.run_id == id))
    end
  end

  test "arguments that are none are answered with what they should be", %{harness: harness} do
    for function <- [:await, :report, :status, :cancel, :delete],
        id <- ["1", -1, 0, :a, nil, 1.0, [], 2 ** 70] do
      assert {:error, {:badarg, text}} = Harness.call(harness, function, [id])
      assert text =~ "run_id must be a positive integer"
    end

    for timeout <- [-1, "1", nil, 1.5, 2 ** 40] do
      assert {:error, {:badarg, text}} = Harness.call(harness, :await, [1, timeout])
      assert text =~ "timeout_ms must be"
    end

    for function <- [:await, :report, :status, :cancel, :delete],
        do: assert(Harness.call(harness, function, [12_345]) == {:error, :not_found})
  end
end
