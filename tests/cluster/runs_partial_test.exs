defmodule RunsPartialTest do
  @moduledoc "Reports of runs that go on, and of runs that have failed: what was recorded is never lost."
  use ClusterCase, shared: true

  setup %{peer: peer} do
    {:ok, target: Peer.start_server(peer, Subject)}
  end

  defp partial(harness, id), do: Harness.call(harness, :partial, [id])

  # What a report lists is what it counts.
  defp assert_sums(report) do
    events = Enum.sort(report.events)
    assert Enum.sort(Enum.flat_map(report.threads, & &1.events)) == events
    assert report.metrics.total_operations == length(events)
    assert report.metrics.operation_errors == Enum.count(events, &match?(%{result: {:error, _}}, &1))
    assert Enum.sum(Enum.map(report.timeline, & &1.operations)) == length(events)
  end

  test "a run that goes on has a report as of now", %{harness: harness, target: target} do
    scenario = %{
      target: target,
      threads: [[{:add, 1}, {:add, 1}, {:tell, self(), :half}, {:add, 1}], [{:echo, 1}]],
      call_timeout_ms: 60_000,
      timeout_ms: 60_000,
      metadata: %{team: "a"}
    }

    id = Runs.start(harness, scenario)
    from = Runs.await_held(:half)
    Wait.until("the other operations", fn -> Runs.status(harness, id).operations == 3 end)
    assert {:ok, partial} = partial(harness, id)
    assert_sums(partial)
    assert results(partial) == [[{:ok, 1}, {:ok, 2}], [{:ok, 1}]]
    assert %{run_id: ^id, metadata: %{team: "a", scenario_id: ^id}, errors: errors} = partial
    assert errors == %{}
    assert %{thread_count: 2, total_operations: 3, duration_ms: duration} = partial.metrics
    assert is_integer(duration)
    assert partial.latency.overall.count == 3
    Runs.release(from)
    assert {:ok, report} = Runs.await(harness, id)
    assert Map.keys(report) == Map.keys(partial)
    assert results(report) == [[{:ok, 1}, {:ok, 2}, {:ok, :released}, {:ok, 3}], [{:ok, 1}]]
    # Of a run that has ended it is the report.
    assert partial(harness, id) == {:ok, report}
  end

  test "it may be asked for again and again while events come and go", %{harness: harness, target: target} do
    # Few events are kept, so that they are replaced all the time while they are written.
    for events <- [{:last, 5_000}, {:sample, 5_000}, :all] do
      scenario = %{
        target: target,
        load: %{threads: 20, duration_ms: 60_000},
        operations: [{:echo, {:"$int", 1, 1_000_000}}],
        events: events
      }

      id = Runs.start(harness, scenario)
      Wait.until("some thousand", fn -> Runs.status(harness, id).operations > 6_000 end)

      counts =
        for _ <- 1..5 do
          assert {:ok, report} = partial(harness, id)
          assert length(report.threads) == 20
          total = report.metrics.total_operations
          assert Enum.sum(Enum.map(report.threads, & &1.operations)) == total
          assert Enum.sum(Enum.map(report.timeline, & &1.operations)) == total
          assert length(report.events) == if(events == :all, do: total, else: 5_000)

          for %{operation: {:call, {:echo, sent}}, result: result} <- report.events,
              do: assert(result == {:ok, sent})

          total
        end

      assert counts == Enum.sort(counts) and hd(counts) < List.last(counts)
      at_once = for _ <- 1..10, do: Task.async(fn -> partial(harness, id) end)
      for {:ok, report} <- Task.await_many(at_once, 60_000), do: assert(report.run_id == id)
      assert Harness.call(harness, :cancel, [id]) == :ok
      assert {:error, {:cancelled, _}} = Runs.await(harness, id)
    end
  end

  test "100,000 events do not stall the others", %{harness: harness, target: target, peer: peer} do
    other = Peer.start_server(peer, Subject)
    test = self()

    # All of its operations have ended but the last one.
    long = %{
      target: target,
      threads: [[{:tell, test, :long}] | for(thread <- 1..10, do: for(_ <- 1..10_000, do: {:echo, thread}))],
      timeout_ms: 120_000,
      call_timeout_ms: 120_000
    }

    id = Runs.start(harness, long)
    from = Runs.await_held(:long)
    Wait.until("all events", fn -> Runs.status(harness, id).operations == 100_000 end, 60_000)
    small = %{target: other, load: %{threads: 1, duration_ms: 60_000}, operations: [:get], events: :none}
    beside = Runs.start(harness, small)
    Wait.until("some calls", fn -> Runs.status(harness, beside).operations > 100 end)
    assert {:ok, report} = partial(harness, id)
    assert length(report.events) == 100_000
    Runs.release(from)
    assert {:ok, _} = Runs.await(harness, id)
    assert Harness.call(harness, :cancel, [beside]) == :ok
    assert {:error, {:cancelled, report}} = Runs.await(harness, beside)
    # The longest that the loop was busy at once; the sanitizers make it several times slower.
    lag = report |> Loads.gauge(:loop_lag_us) |> Enum.max()
    IO.puts("\nthe loop was busy for #{div(lag, 1000)} ms at most beside a partial report of 100,000 events")
    assert lag < 400_000
  end

  test "a run that waits has none, and one that ends meanwhile has its last", %{target: target} do
    harness = Harness.start(config: %{"limits" => %{"runs" => 1}})
    id = Runs.start(harness, Runs.held(target, :first))
    from = Runs.await_held(:first)
    waiting = Runs.start(harness, %{target: target, threads: [[:get]]})
    assert partial(harness, waiting) == {:error, :not_started}
    Runs.release(from)
    assert {:ok, _} = Runs.await(harness, id)
    assert {:ok, %{events: [_]}} = Runs.await(harness, waiting)
  end

  describe "what a run has recorded until it failed" do
    test "is kept", %{harness: harness, target: target} do
      base = %{target: target, threads: [[{:add, 1}, {:echo, 2}]]}

      for {change, expected} <- [
            {%{invariant: &:erlang.is_map_key/2}, {:invariant_failed, :failed}},
            {%{performance_expectations: [min_ops_per_s: 1_000_000_000]}, {:performance_failed, :missed}},
            {%{threads: [[{:add, 1}, {:echo, 2}, &:erlang.exit/1]]}, {:thread_failure, :failed}},
            {%{chaos: fn _, _ -> exit(:bang) end, hooks_node: node()}, {:chaos_failed, :failed}}
          ] do
        id = Runs.start(harness, Map.merge(base, change))
        assert {:error, reason} = Runs.await(harness, id)
        assert {elem(reason, 0), Runs.status(harness, id).outcome} == expected
        assert {:error, ^reason} = Harness.call(harness, :report, [id])
        assert {:ok, report} = partial(harness, id)
        assert_sums(report)
        assert [[{:ok, _}, {:ok, 2} | _]] = results(report)
      end
    end

    test "is what was there when its node went", %{harness: harness} do
      peer = Peer.start()
      target = Peer.start_server(peer, Subject)
      # The load is not over with the call that fails with the node.
      script = [{:echo, 1}, {:tell, self(), :doomed}, {:"$sleep", 60_000}]
      scenario = %{target: target, threads: [script], call_timeout_ms: 60_000, timeout_ms: 60_000}
      id = Runs.start(harness, scenario)
      Runs.await_held(:doomed)
      Peer.kill(peer)
      node = peer.node
      assert {:error, {:nodedown, ^node}} = Runs.await(harness, id)
      assert {:ok, report} = partial(harness, id)
      assert [[{:ok, 1} | _]] = results(report)
    end

    test "is nothing when its setup has failed, and in the reason when it was cancelled", context do
      %{harness: harness, target: target} = context
      id = Runs.start(harness, %{setup: fn -> {:error, :no} end, threads: [[:get]]})
      assert Runs.await(harness, id) == {:error, :no}
      assert {:ok, %{events: [], metrics: %{total_operations: 0}}} = partial(harness, id)

      id = Runs.start(harness, %{target: target, threads: [[{:echo, 1}, :never]], call_timeout_ms: 60_000})
      Wait.until("an operation", fn -> Runs.status(harness, id).operations == 1 end)
      assert Harness.call(harness, :cancel, [id]) == :ok
      assert {:error, {:cancelled, report}} = Runs.await(harness, id)
      assert partial(harness, id) == {:ok, report}
      assert [[{:ok, 1}]] = results(report)
    end
  end

  test "arguments that are none", %{harness: harness} do
    assert {:error, {:badarg, _}} = partial(harness, :first)
    assert partial(harness, 12_345) == {:error, :not_found}
  end
end
