defmodule RunsLimitsTest do
  @moduledoc "What all runs may take together: who starts, who waits, who is refused, and what is kept of them."
  use ClusterCase

  setup_all do
    {:ok, peer: Peer.start()}
  end

  setup %{peer: peer} do
    {:ok, target: Peer.start_server(peer, Subject)}
  end

  defp harness(limits), do: Harness.start(config: %{"limits" => limits})

  # The names of held runs whose call comes to the server, until there are so many.
  defp begun(count), do: for(_ <- 1..count//1, do: begun())

  defp begun do
    assert_receive {:told, _, from, name}, 10_000
    {name, from}
  end

  defp refute_begun, do: refute_receive({:told, _, _, _}, 100)

  defp busy(harness, function, scenario), do: Harness.call(harness, function, [scenario])

  describe "a run that has no room" do
    test "waits for its turn, in the order of coming", %{target: target} do
      harness = harness(%{"runs" => 2})
      ids = for name <- 1..5, do: {name, Runs.start(harness, Runs.held(target, name))}
      [{_, a}, {_, b}] = Enum.sort(begun(2))
      refute_begun()
      assert [%{name: nil} | _] = Harness.call(harness, :runs)
      assert %{runs: 2, queued_runs: 3} = Harness.call(harness, :info)

      waiting = fn name ->
        Map.take(Runs.status(harness, ids |> Map.new() |> Map.get(name)), [:state, :waits_for, :runs_before])
      end

      assert waiting.(3) == %{state: :queued, waits_for: :runs, runs_before: 0}
      assert waiting.(5) == %{state: :queued, waits_for: :runs, runs_before: 2}

      Runs.release(a)
      assert {3, c} = begun()
      refute_begun()
      Runs.release(c)
      assert {4, d} = begun()
      Runs.release(b)
      assert {5, e} = begun()
      for from <- [d, e], do: Runs.release(from)
      for {_, id} <- ids, do: assert({:ok, %{run_id: ^id}} = Runs.await(harness, id))
      assert %{runs: 0, queued_runs: 0} = Harness.call(harness, :info)
    end

    test "waits with its caller as well", %{target: target} do
      harness = harness(%{"runs" => 1})
      first = start_run(harness, Runs.held(target, 1))
      {1, a} = begun()
      scenario = Runs.held(target, 2)
      second = start_run(harness, scenario)
      Wait.until("the second to wait", fn -> Harness.call(harness, :info).queued_runs == 1 end)
      Runs.release(a)
      assert {:ok, _} = Task.await(first)
      {2, b} = begun()
      Runs.release(b)
      assert {:ok, _} = Task.await(second)
    end

    test "leaves the queue with its caller", %{target: target} do
      harness = harness(%{"runs" => 1})
      id = Runs.start(harness, Runs.held(target, 1))
      {1, from} = begun()
      scenario = Runs.held(target, :never)
      caller = spawn(fn -> Harness.run(harness, scenario) end)
      Wait.until("it to wait", fn -> Harness.call(harness, :info).queued_runs == 1 end)
      [%{run_id: waiting, caller: ^caller, state: :queued} | _] = Harness.call(harness, :runs)
      Process.exit(caller, :kill)
      assert {:error, {:cancelled, report}} = Runs.await(harness, waiting)
      assert report.metrics.total_operations == 0 and report.threads == [] and report.events == []
      Runs.release(from)
      assert {:ok, _} = Runs.await(harness, id)
      refute_begun()
    end

    test "is cancelled in the queue with a report of nothing", %{target: target} do
      harness = harness(%{"threads" => 10})
      first = Runs.start(harness, Runs.held(target, 1))
      {1, from} = begun()
      load = %{target: target, load: %{threads: 10, duration_ms: 100}, operations: [:get]}
      [second, third] = for _ <- 1..2, do: Runs.start(harness, load)
      assert %{waits_for: :threads, runs_before: 1} = Runs.status(harness, third)
      assert Harness.call(harness, :cancel, [second]) == :ok
      assert {:error, {:cancelled, %{run_id: ^second, events: [], threads: []}}} = Runs.await(harness, second)
      assert %{outcome: :cancelled, operations: 0} = Runs.status(harness, second)
      assert Runs.state(harness, third) == :queued
      Runs.release(from)
      assert {:ok, _} = Runs.await(harness, first)
      assert {:ok, %{metrics: %{total_operations: operations}}} = Runs.await(harness, third)
      assert operations > 0
    end

    test "is not overtaken by one that would have room", %{target: target} do
      harness = harness(%{"threads" => 10})

      threads = fn count, name ->
        %{Runs.held(target, name) | threads: List.duplicate([{:tell, self(), name}], count)}
      end

      first = Runs.start(harness, threads.(6, :a))
      a = begun(6)
      second = Runs.start(harness, threads.(10, :b))
      third = Runs.start(harness, threads.(1, :c))
      assert %{state: :queued, waits_for: :threads, runs_before: 1} = Runs.status(harness, third)
      refute_begun()
      for {:a, from} <- a, do: Runs.release(from)
      for {:b, from} <- begun(10), do: Runs.release(from)
      {:c, from} = begun()
      Runs.release(from)
      for id <- [first, second, third], do: assert({:ok, _} = Runs.await(harness, id))
    end

    test "is refused as a suite when too many go on", %{target: target} do
      harness = harness(%{"suites" => 1})
      held = [%{type: :concurrent, scenario: Runs.held(target, 1)}]
      suite = fn -> Harness.call(harness, :run_chaos_suite, [target, held]) end
      first = Task.async(suite)
      {1, from} = begun()
      assert suite.() == {:error, {:busy, :suites}}
      assert %{suites: 1, limits: %{suites: 1}} = Harness.call(harness, :info)
      Runs.release(from)
      assert %{passed: 1} = Task.await(first)
      again = Task.async(suite)
      {1, from} = begun()
      Runs.release(from)
      assert %{passed: 1} = Task.await(again)
    end

    test "is refused when the queue is full, or there is none", %{target: target} do
      for {queued, limit} <- [{0, :runs}, {1, :queued_runs}] do
        harness = harness(%{"runs" => 1, "queued_runs" => queued})
        ids = for name <- 0..queued, do: Runs.start(harness, Runs.held(target, name))
        {0, from} = begun()

        for function <- [:run, :start],
            do: assert(busy(harness, function, Runs.held(target, :no)) == {:error, {:busy, limit}})

        Runs.release(from)
        for {_, from} <- begun(queued), do: Runs.release(from)
        for id <- ids, do: assert({:ok, _} = Runs.await(harness, id))
        assert {:ok, _} = Harness.run(harness, %{target: target, threads: [[:get]]})
      end
    end
  end

  test "one that never could have room is refused at once", %{target: target} do
    harness = harness(%{"threads" => 10, "in_flight" => 12, "queued_arrivals" => 50})
    open = &%{target: target, load: Map.merge(%{rate: 10, duration_ms: 100}, &1), operations: [:get]}

    for {scenario, limit} <- [
          {%{target: target, threads: List.duplicate([:get], 11)}, :threads},
          {%{target: target, load: %{threads: 11, iterations: 1}, operations: [:get]}, :threads},
          {open.(%{max_in_flight: 13, max_queued: 50}), :in_flight},
          {open.(%{max_in_flight: 12, max_queued: 51}), :queued_arrivals}
        ],
        function <- [:run, :start],
        do: assert(busy(harness, function, scenario) == {:error, {:busy, limit}})

    assert {:ok, _} = Harness.run(harness, open.(%{max_in_flight: 12, max_queued: 50}))
    assert %{counters: %{runs_started: 1}} = Harness.call(harness, :info)
  end

  test "reports of ended runs go when there are too many, the last one never", %{target: target} do
    few = Harness.start(config: %{"retention" => %{"count" => 2, "days_least" => 0}})
    scenario = %{target: target, threads: [[:get]]}
    held = Runs.start(few, Runs.held(target, :long))
    {:long, from} = begun()
    [first, second, third] = for _ <- 1..3, do: elem(Harness.run(few, scenario), 1).run_id
    assert Harness.call(few, :report, [first]) == {:error, :not_found}
    assert Enum.map(Harness.call(few, :runs), & &1.run_id) == [third, second, held]
    Runs.release(from)
    # The one that has ended last stays, though it was started first.
    assert {:ok, _} = Runs.await(few, held)
    assert Enum.map(Harness.call(few, :runs), & &1.run_id) == [third, held]
    assert {:ok, _} = Harness.call(few, :report, [held])

    # Each of these has more than half of what there is room for.
    small = Harness.start(config: %{"retention" => %{"memory_bytes" => 1_048_576}})
    large = %{target: target, threads: [[{:echo, String.duplicate("x", 200_000)}]]}
    [_, last] = for _ <- 1..2, do: elem(Harness.run(small, large), 1).run_id
    assert [%{run_id: ^last, report_bytes: bytes, stored: :memory}] = Harness.call(small, :runs)
    assert bytes in 600_000..1_000_000
    assert {:ok, %{run_id: ^last}} = Harness.call(small, :report, [last])
  end

  test "what is young stays, whoever starts how many others", %{target: target} do
    keeping = Harness.start(config: %{"retention" => %{"count" => 2}})
    scenario = %{target: target, threads: [[:get]], events: :none}
    ids = for _ <- 1..12, do: elem(Harness.run(keeping, scenario), 1).run_id
    assert Enum.map(Harness.call(keeping, :runs), & &1.run_id) == Enum.reverse(ids)

    # At the limit of all, who has most loses what is oldest of it.
    full = Harness.start(config: %{"retention" => %{"count" => 2, "count_most" => 6}})
    peer = Peer.start()
    mine = for _ <- 1..2, do: elem(Harness.run(full, scenario), 1).run_id
    theirs = for _ <- 1..12, do: elem(Peer.call(peer, :erpc, :call, [full.node, :harness, :run, [scenario]]), 1).run_id
    kept = Enum.map(Harness.call(full, :runs), & &1.run_id)
    assert mine -- kept == []
    assert kept -- mine == theirs |> Enum.take(-4) |> Enum.reverse()
  end

  test "more runs that end at once than are kept are all answered", %{target: target} do
    for state <- [nil, Support.temporary_folder()] do
      few = Harness.start(config: %{"retention" => %{"count" => 2, "days_least" => 0}, "state_dir" => state})
      load = %{target: target, load: %{threads: 1, duration_ms: 60_000, think_ms: 10}, operations: [:get]}

      await_all = fn end_them ->
        ids = for _ <- 1..12, do: Runs.start(few, load)
        tasks = for id <- ids, do: Task.async(fn -> Runs.await(few, id) end)
        Wait.until("all to be waited for", fn -> Enum.all?(ids, &(Runs.status(few, &1).awaited_by == 1)) end)
        end_them.(ids)
        results = Enum.map(Task.yield_many(tasks, 30_000), fn {_, result} -> result end)

        for {id, result} <- Enum.zip(ids, results),
            do: assert({:ok, {:error, {:cancelled, %{run_id: ^id}}}} = result)

        ids
      end

      ids = await_all.(fn ids -> for id <- ids, do: Harness.call(few, :cancel, [id]) end)
      kept = Enum.map(Harness.call(few, :runs), & &1.run_id)
      assert length(kept) == 2 and kept -- ids == []
      for id <- kept, do: assert({:error, {:cancelled, _}} = Harness.call(few, :report, [id]))
      await_all.(fn _ -> Harness.terminate(few) end)
      assert Harness.await_exit(few) == 0
      refute Harness.log(few) =~ "stopping with work left"
    end
  end

  test "who waits for a run that SIGTERM does not end in time is answered all the same", %{target: target} do
    config = %{"shutdown_ms" => 300, "state_dir" => Support.temporary_folder()}
    harness = Harness.start(config: config)
    test = self()
    cleanup = fn _, _ -> send(test, :cleaning) && Process.sleep(:infinity) end
    scenario = Map.merge(Runs.held(target, :slow), %{cleanup: cleanup, hook_timeout_ms: 60_000})
    caller = start_run(harness, scenario)
    {:slow, _} = begun()
    [%{run_id: id}] = Harness.call(harness, :runs)
    other = Task.async(fn -> Runs.await(harness, id) end)
    Wait.until("both to wait", fn -> Runs.status(harness, id).awaited_by == 2 end)
    Harness.terminate(harness)
    assert_receive :cleaning, 10_000

    for task <- [caller, other] do
      assert {:error, {:interrupted, %{run_id: ^id, events: []}}} = Task.await(task, 30_000)
    end

    assert Harness.await_exit(harness) == 0
    harness = Harness.restart(harness)
    assert {:error, {:interrupted, %{run_id: ^id}}} = Harness.call(harness, :report, [id])
  end

  test "SIGTERM cancels those that wait, too", %{target: target} do
    harness = harness(%{"runs" => 1})
    scenario = Runs.held(target, :running)
    waiting = Runs.held(target, :waiting)
    tasks = [start_run(harness, scenario)]
    {:running, _} = begun()
    tasks = tasks ++ [start_run(harness, waiting)]
    Wait.until("it to wait", fn -> Harness.call(harness, :info).queued_runs == 1 end)
    Harness.terminate(harness)
    for task <- tasks, do: assert({:error, {:cancelled, %{events: []}}} = Task.await(task, 30_000))
    assert Harness.await_exit(harness) == 0
    refute_begun()
  end
  test "a run is that of the node that has sent the request, whomever that names as its caller" do
    harness = Harness.start()
    [sender, named] = for _ <- 1..2, do: Peer.start()
    target = Peer.start_server(named, Subject)
    caller = Peer.call(named, :erlang, :whereis, [:init])
    request = {:start, %{target: target, threads: [[:get]]}}
    message = {:"$gen_call", {caller, make_ref()}, request}
    Peer.call(sender, :erlang, :send, [{:harness, harness.node}, message])
    Wait.until("its run", fn -> Harness.call(harness, :runs) != [] end)
    assert [%{caller: ^caller, node: node}] = Harness.call(harness, :runs)
    assert node == sender.node
  end


  describe "a node that has as much as one may have" do
    defp started(harness, node, scenario),
      do: Peer.call(node, :erpc, :call, [harness.node, :harness, :start, [scenario]])

    test "is refused more runs, queued ones counted, and others are not", %{peer: peer, target: target} do
      harness = harness(%{"runs_per_node" => 2, "runs" => 1})
      first = Runs.start(harness, Runs.held(target, 1))
      second = Runs.start(harness, Runs.held(target, 2))
      assert {1, from} = begun()
      assert {:error, {:busy, :runs_per_node}} = busy(harness, :start, Runs.held(target, 3))
      assert {:error, {:busy, :runs_per_node}} = busy(harness, :run, Runs.held(target, 3))
      kill = [%{type: :kill_children, duration_ms: 1}]
      suite = Harness.call(harness, :run_chaos_suite, [{:nobody, peer.node}, kill])
      assert [%{reason: {:busy, :runs_per_node}}] = suite.failures
      assert {:ok, third} = started(harness, peer, %{target: target, threads: [[:get]]})
      assert %{state: :queued} = Runs.status(harness, third)
      Runs.release(from)
      assert {:ok, _} = Runs.await(harness, first)
      fourth = Runs.start(harness, Runs.held(target, 4))
      for _ <- [second, fourth], do: Runs.release(elem(begun(), 1))
      for id <- [second, third, fourth], do: assert({:ok, _} = Runs.await(harness, id))
      assert %{runs_per_node: 2, threads_per_node: 0, in_flight_per_node: 0} = Harness.call(harness, :info).limits
    end

    test "is refused more threads and operations, whose key it is told", %{peer: peer, target: target} do
      harness = harness(%{"threads_per_node" => 10, "in_flight_per_node" => 20})
      id = Runs.start(harness, Runs.held(target, :held) |> Map.update!(:threads, &(&1 ++ List.duplicate([], 7))))
      {:held, from} = begun()
      three = %{target: target, threads: List.duplicate([], 3)}
      open = %{target: target, load: %{rate: 10, duration_ms: 10, max_in_flight: 13}, operations: [:get]}
      assert {:error, {:busy, :threads_per_node}} = busy(harness, :start, three)
      assert {:error, {:busy, :in_flight_per_node}} = busy(harness, :start, open)
      assert {:ok, _} = busy(harness, :run, %{three | threads: [[], []]})
      assert {:ok, _} = busy(harness, :run, put_in(open.load.max_in_flight, 12))
      assert {:ok, other} = started(harness, peer, three)
      assert {:ok, _} = Runs.await(harness, other)
      Harness.reload(harness, %{"limits" => %{"threads_per_node" => 0}})
      assert {:ok, _} = busy(harness, :run, three)
      Runs.release(from)
      assert {:ok, _} = Runs.await(harness, id)
    end
  end
end
