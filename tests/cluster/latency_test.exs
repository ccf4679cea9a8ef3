defmodule LatencyTest do
  @moduledoc "Latencies of a report: what is measured, from when, and under which name."
  use ClusterCase, shared: true

  @intervals [p50_us: :p50_us_ci, p90_us: :p90_us_ci, p95_us: :p95_us_ci, p99_us: :p99_us_ci, p999_us: :p999_us_ci]
  @statistics Enum.sort([:count, :max_us, :mean_us, :min_us] ++ Keyword.keys(@intervals) ++ Keyword.values(@intervals))
  @quantiles [min_us: 0, p50_us: 0.5, p90_us: 0.9, p95_us: 0.95, p99_us: 0.99, p999_us: 0.999, max_us: 1]

  setup %{peer: peer} do
    {:ok, target: Recorder.start(peer)}
  end

  # What has to hold of the latencies of any report.
  defp assert_latency(latency) do
    assert Enum.sort(Map.keys(latency)) == [:failed, :operations, :overall, :service, :start_delay]
    assert Enum.sort(Map.keys(latency.service)) == [:clock, :excluded, :operations, :overall]
    assert latency.service.overall.count + latency.service.excluded == latency.overall.count
    assert latency.service.excluded <= 2 + div(latency.overall.count, 20)
    assert Map.keys(latency.operations) == Map.keys(latency.service.operations)
    pairs = [{latency.overall, latency.service.overall}]

    pairs =
      pairs ++ for {name, response} <- latency.operations, do: {response, latency.service.operations[name]}

    for {response, service} <- pairs do
      assert Enum.sort(Map.keys(response)) == @statistics and Enum.sort(Map.keys(service)) == @statistics
      assert service.count in (response.count - latency.service.excluded)..response.count

      # Within the precision of a bucket.
      for {key, _} <- [{:mean_us, 0} | @quantiles],
          response.count > 0,
          do: assert(service[key] <= response[key] * 1.001 + 1, "#{key}: #{inspect({service, response})}")

      for statistics <- [response, service] do
        values = for {key, _} <- @quantiles, do: statistics[key]
        assert values == Enum.sort(values)
        assert if(statistics.count == 0, do: Enum.uniq(values) == [nil], else: is_float(statistics.mean_us))
        assert_intervals(statistics)
      end
    end

    count = latency.operations |> Map.values() |> Enum.map(& &1.count) |> Enum.sum()
    assert count == latency.overall.count and count == latency.start_delay.count
    latency
  end

  # Each has the figure that it is of, and its ends go up with it.
  defp assert_intervals(statistics) do
    for {key, interval_key} <- @intervals do
      assert {low, high} = statistics[interval_key]
      assert low == nil or (is_integer(low) and low <= statistics[key])
      assert high == nil or (is_integer(high) and high >= statistics[key] and high <= statistics.max_us)
    end
  end

  test "is that of every operation that is answered", %{harness: harness, target: target} do
    custom = fn server -> GenServer.call(server, :custom) end
    script = [:a, {:call, :b}, {:cast, :c}, {:"$cast", :d}, {:"$send", :e}, {:"$sleep", 1}, {:custom, custom}]
    report = Loads.run(harness, target, %{threads: 4, iterations: 25}, script)
    # Sleeps are no operations.
    assert report.metrics.total_operations == 600 and report.metrics.operation_errors == 0
    latency = assert_latency(report.latency)

    assert Map.new(latency.operations, fn {name, statistics} -> {name, statistics.count} end) == %{
             {:call, :a} => 100,
             {:call, :b} => 100,
             {:cast, :c} => 100,
             :custom => 100
           }

    assert latency.overall.count == 400
    assert Enum.count(Recorder.messages(target), &(&1 == :custom)) == 100
  end

  test "agrees with the events", %{harness: harness, target: target} do
    mix = for ms <- 0..20, do: %{weight: 1, op: {:hold, ms}}
    report = Loads.run(harness, target, %{threads: 20, iterations: 100}, nil, %{mix: mix})
    latency = assert_latency(report.latency)
    durations = report.events |> Enum.map(& &1.duration_us) |> Enum.sort()
    assert latency.overall.count == 2_000 and length(durations) == 2_000

    for {key, quantile} <- @quantiles do
      exact = Enum.at(durations, max(ceil(quantile * 2_000 - 1.0e-9), 1) - 1)
      assert_in_delta latency.overall[key], exact, exact * 0.001, "#{key}"
    end

    assert_in_delta latency.overall.mean_us, Enum.sum(durations) / 2_000, 0.01
    assert latency.operations[{:call, {:hold, 20}}].min_us >= 20_000
    assert latency.service.operations[{:call, {:hold, 20}}].min_us >= 19_900

    for {{:call, _} = name, statistics} <- latency.operations,
        do: assert(statistics.count == Enum.count(report.events, &(&1.operation == name)))
  end

  describe "intervals" do
    # How long each takes is drawn, so that they have nothing to do with one another.
    test "are known of enough operations, and open of few", %{harness: harness, target: target} do
      mix = for ms <- 0..20, do: %{weight: 1, op: {:hold, ms}}
      report = Loads.run(harness, target, %{threads: 20, iterations: 100}, nil, %{mix: mix})
      latency = assert_latency(report.latency)

      for stats <- [latency.overall, latency.service.overall],
          key <- [:p50_us_ci, :p90_us_ci],
          do: assert(Enum.all?(Tuple.to_list(stats[key]), &is_integer/1), inspect(stats))

      # There is no telling how much longer one in a thousand would take.
      assert {low, nil} = latency.overall.p999_us_ci
      assert is_integer(low)

      few = Loads.run(harness, target, %{threads: 1, iterations: 5}, [:a])
      assert {nil, nil} = assert_latency(few.latency).overall.p50_us_ci
      assert {nil, nil} = few.latency.failed.overall.p50_us_ci
    end

    # A hundred operations and more have waited, and all for the same.
    test "are open where all that was slow was one thing", %{harness: harness, target: target} do
      load = %{rate: 500, duration_ms: 2_000}
      options = %{chaos: %{action: {:suspend, 300}, after_ms: 700}, call_timeout_ms: 10_000}
      report = Loads.run(harness, target, load, [:a], options)
      latency = assert_latency(report.latency)
      assert %{count: 1_000, p90_us_ci: {_, nil}, p99_us_ci: {_, nil}} = latency.overall
    end
  end

  test "is kept for 64 operations, and for the others together", %{harness: harness, target: target} do
    script = for number <- 1..70, do: {:number, number}
    report = Loads.run(harness, target, %{threads: 1, iterations: 3}, script)
    latency = assert_latency(report.latency)
    assert map_size(latency.operations) == 65
    assert latency.operations.other.count == 6 * 3
    for number <- 1..64, do: assert(latency.operations[{:call, {:number, number}}].count == 3)

    # The same operation again has the same name.
    script = for number <- 1..70, do: {:number, rem(number, 64)}
    report = Loads.run(harness, target, %{threads: 2, iterations: 1}, script)
    latency = assert_latency(report.latency)
    assert map_size(latency.operations) == 64
    refute Map.has_key?(latency.operations, :other)
    assert latency.operations[{:call, {:number, 1}}].count == 4
  end

  test "is there for scripts too", %{harness: harness, target: target} do
    assert {:ok, report} = Harness.run(harness, %{target: target, threads: [[:a, :b], [:a], []]})
    latency = assert_latency(report.latency)
    assert latency.overall.count == 3 and latency.operations[{:call, :a}].count == 2
    assert {:ok, report} = Harness.run(harness, %{target: target, threads: [[{:"$send", :a}]]})
    latency = assert_latency(report.latency)
    assert latency.operations == %{}
    assert %{count: 0, mean_us: nil, p99_us: nil, min_us: nil, max_us: nil} = latency.overall
  end

  test "has what was given up, and by itself what has failed fast", %{
    harness: harness,
    target: target,
    peer: peer
  } do
    options = %{call_timeout_ms: 200}
    report = Loads.run(harness, target, %{threads: 3, iterations: 1}, [:never, :a], options)
    latency = assert_latency(report.latency)
    never = latency.operations[{:call, :never}]
    assert never.count == 3 and never.min_us >= 200_000
    assert latency.service.operations[{:call, :never}].min_us >= 190_000

    nobody = {:nobody_here, peer.node}
    allowed = %{performance_expectations: [max_error_rate: 1.0]}
    report = Loads.run(harness, nobody, %{threads: 2, iterations: 3}, [:a, {:cast, :b}], allowed)
    assert report.errors == %{noproc: 12}
    latency = assert_latency(report.latency)
    assert latency.overall.count == 0 and latency.operations == %{}
    assert latency.failed.overall.count == 12

    assert Map.new(latency.failed.operations, fn {name, %{count: count}} -> {name, count} end) ==
             %{{:call, :a} => 6, {:cast, :b} => 6}
  end

  test "of custom operations goes on while they wait for room", %{target: target} do
    harness = Harness.start(config: %{"limits" => %{"custom" => 2}})
    script = [{:custom, fn _ -> Process.sleep(100) end}]
    report = Loads.run(harness, target, %{threads: 6, iterations: 1}, script, %{call_timeout_ms: 10_000})
    latency = assert_latency(report.latency)
    # Three rounds of two: the last ones have waited for the others.
    assert latency.operations.custom.max_us >= 300_000
    assert latency.operations.custom.min_us in 100_000..299_999
    assert latency.service.operations.custom.p50_us < latency.operations.custom.max_us - 50_000
    assert latency.start_delay.max_us >= 190_000
  end

  test "of a custom operation is that of its load", %{harness: harness, target: target} do
    script = [{:custom, fn server -> GenServer.call(server, {:hold, 20}) end}]
    options = %{call_timeout_ms: 5_000}
    report = Loads.run(harness, target, %{rate: 50, duration_ms: 400}, script, options)
    assert report.metrics.total_operations == 20 and report.metrics.operation_errors == 0
    assert assert_latency(report.latency).operations.custom.min_us >= 20_000
    assert length(Recorder.messages(target)) == 20
  end

  # Tene, "How NOT to Measure Latency": when the server stands still, those who would have called it meanwhile
  # have waited too. A tenth of the time is such a stop; the hundred calls that were under way in it are less
  # than a hundredth of all.
  test "does not omit what a stopped server has kept waiting", %{harness: harness, peer: peer} do
    target = Peer.start_server(peer, Subject)
    load = %{rate: 1_500, duration_ms: 14_000, max_in_flight: 100}
    scenario = %{target: target, load: load, operations: [:get], call_timeout_ms: 5_000, events: :none}
    run = start_run(harness, scenario)

    Wait.until("the load", fn ->
      Peer.call(peer, :erlang, :process_info, [target, :reductions]) |> elem(1) > 50_000
    end)

    :ok = Peer.call(peer, :sys, :suspend, [target])
    Process.sleep(1_400)
    :ok = Peer.call(peer, :sys, :resume, [target])

    assert {:ok, report} = Task.await(run, 60_000)
    Loads.assert_sums(report)
    assert %{total_operations: 21_000, dropped: 0, operation_errors: 0} = report.metrics
    %{overall: response, service: %{overall: service}} = assert_latency(report.latency)
    # 1.4 s but for the first tenth of the stop, in which that hundredth fell.
    assert response.p99_us in 1_100_000..2_500_000, inspect(response)
    assert service.p99_us < 250_000 and service.p99_us * 5 < response.p99_us, inspect(service)
    assert service.max_us >= 1_300_000
    assert response.p50_us < 1_000_000
    # By the timeline the queue was full during the stop, and what had waited was served at once thereafter.
    assert Enum.max(Loads.gauge(report, :in_flight)) == 100
    assert Enum.any?(report.timeline, &(&1.operations == 0 and &1.in_flight == 100))
    assert Enum.any?(report.timeline, &(&1.p99_us != nil and &1.p99_us > 1_000_000))
    # It has become too long for intervals of 100 ms.
    assert length(report.timeline) in 64..128
    assert Enum.all?(Enum.drop(report.timeline, -1), &(&1.interval_ms == 200))
  end
end
