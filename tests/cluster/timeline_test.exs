defmodule TimelineTest do
  @moduledoc "The timeline of a report: what happened when, and what the target's node looked like."
  use ClusterCase, shared: true

  @keys [:at_ms, :causes, :dropped, :errors, :in_flight, :interval_ms, :loop_lag_us, :mailbox, :marks] ++
          [:max_us, :memory_bytes, :operations, :p50_us, :p99_us, :run_queue]

  setup %{peer: peer} do
    {:ok, target: Recorder.start(peer)}
  end

  # What has to hold of any timeline: intervals one after the other, of the same length but for the last.
  defp assert_timeline(report) do
    Loads.assert_sums(report)
    timeline = report.timeline
    assert length(timeline) in 1..128
    [%{at_ms: 0, interval_ms: length} | _] = timeline

    for {interval, number} <- Enum.with_index(timeline) do
      assert Enum.sort(Map.keys(interval)) == @keys
      assert interval.at_ms == number * length
      assert interval.interval_ms == length or number == length(timeline) - 1
      assert interval.interval_ms in 1..length
      assert interval.marks == []
      assert Enum.sum(Map.values(interval.errors)) <= interval.operations
      quantiles = [interval.p50_us, interval.p99_us, interval.max_us]
      assert quantiles == [nil, nil, nil] or quantiles == Enum.sort(quantiles)
    end

    last = List.last(timeline)
    assert_in_delta last.at_ms + last.interval_ms, report.metrics.duration_ms, 2
    merged = Enum.reduce(timeline, %{}, &Map.merge(&2, &1.errors, fn _, a, b -> a + b end))
    assert merged == report.errors
    timeline
  end

  test "has what ended in each tenth of a second", %{harness: harness, target: target} do
    report = Loads.run(harness, target, %{threads: 5, duration_ms: 1_200}, [{:hold, 20}, {:cast, :a}])
    timeline = assert_timeline(report)
    assert length(timeline) >= 12 and hd(timeline).interval_ms == 100

    # The events say the same.
    ended = Enum.frequencies_by(report.events, &div(&1.timestamp_us, 100_000))

    for {interval, number} <- Enum.with_index(timeline),
        do: assert(interval.operations == Map.get(ended, number, 0))

    longest = report.events |> Enum.map(& &1.duration_us) |> Enum.max()
    assert Enum.max(Loads.gauge(report, :max_us)) == longest and longest == report.latency.overall.max_us
  end

  test "has the quantiles of each interval", %{harness: harness, target: target} do
    load = %{stages: [%{duration_ms: 600, threads: 2}], ramp: :step}
    report = Loads.run(harness, target, load, [{:hold, 30}])

    for {interval, number} <- Enum.with_index(assert_timeline(report)), interval.operations > 0 do
      durations =
        for(event <- report.events, div(event.timestamp_us, 100_000) == number, do: event.duration_us)
        |> Enum.sort()

      median = Enum.at(durations, ceil(length(durations) / 2) - 1)
      assert_in_delta interval.p50_us, median, median * 0.004 + 1
      assert_in_delta interval.p99_us, List.last(durations), List.last(durations) * 0.004 + 1
    end
  end

  test "has gauges of the run and of the target's node", %{harness: harness, target: target, peer: peer} do
    load = %{threads: 30, duration_ms: 1_500}
    report = Loads.run(harness, target, load, [{:work, 5}], %{call_timeout_ms: 10_000})
    assert_timeline(report)
    # One is served at a time; the others wait in its mailbox.
    assert Enum.max(Loads.gauge(report, :in_flight)) == 30
    assert Enum.max(Loads.gauge(report, :mailbox)) in 20..29
    assert length(Loads.gauge(report, :mailbox)) >= 5
    total = Peer.call(peer, :erlang, :memory, [:total])
    assert length(Loads.gauge(report, :memory_bytes)) >= 5
    for bytes <- Loads.gauge(report, :memory_bytes), do: assert(bytes in div(total, 10)..(total * 10))
    assert length(Loads.gauge(report, :run_queue)) >= 5
    assert Enum.all?(Loads.gauge(report, :run_queue), &(&1 >= 0))
    assert length(Loads.gauge(report, :loop_lag_us)) >= 5
    assert Enum.all?(Loads.gauge(report, :loop_lag_us), &(&1 in 0..1_000_000))
    # Nobody has asked for the mailbox itself.
    assert report.mailbox == nil and report.metrics.mailbox_observed? == false
  end

  test "sees the run queue and the memory of a busy node", %{harness: harness, peer: peer, target: target} do
    # Processes that never wait: more than there are schedulers.
    {:ok, tokens, _} = :erl_scan.string(~c"fun Spin() -> Spin() end.")
    {:ok, forms} = :erl_parse.parse_exprs(tokens)
    {:value, spin, _} = Peer.call(peer, :erl_eval, :exprs, [forms, []])
    spinning = for _ <- 1..20, do: Peer.call(peer, :erlang, :spawn, [spin])
    report = Loads.run(harness, target, %{threads: 2, duration_ms: 1_000}, [:a], %{call_timeout_ms: 10_000})
    for pid <- spinning, do: Peer.call(peer, :erlang, :exit, [pid, :kill])
    assert_timeline(report)
    schedulers = Peer.call(peer, :erlang, :system_info, [:schedulers_online])
    assert Enum.max(Loads.gauge(report, :run_queue)) >= 15 - schedulers
  end

  test "has errors by reason and drops where they were", %{harness: harness, target: target} do
    load = %{rate: 100, duration_ms: 800, max_in_flight: 2, max_queued: 0}
    mix = [%{weight: 1, op: :never}, %{weight: 1, op: :fine}]
    report = Loads.run(harness, target, load, nil, %{mix: mix, call_timeout_ms: 150, seed: 6})
    timeline = assert_timeline(report)
    assert %{timeout: timeouts} = report.errors
    assert timeouts > 2
    assert Enum.count(timeline, &(&1.errors != %{})) >= 2
    assert Enum.count(timeline, &(&1.dropped > 0)) >= 3
    assert report.metrics.total_operations + report.metrics.dropped == 80
    # What has timed out has a response time too.
    assert Enum.all?(timeline, &(&1.errors == %{} or &1.max_us >= 150_000))
  end

  test "has intervals in which nothing ended", %{harness: harness, target: target} do
    report =
      Loads.run(harness, target, %{threads: 2, iterations: 1}, [{:hold, 700}], %{call_timeout_ms: 9_000})

    timeline = assert_timeline(report)
    assert length(timeline) >= 7
    assert %{operations: 0, p50_us: nil, max_us: nil, in_flight: 2} = Enum.at(timeline, 3)
  end

  test "counts messages, which have no response time, and no sleeps", %{harness: harness, target: target} do
    report = Loads.run(harness, target, %{threads: 2, iterations: 20}, [{:"$sleep", 10}, {:"$send", :a}])
    timeline = assert_timeline(report)
    assert report.metrics.total_operations == 40
    assert Enum.all?(timeline, &(&1.p50_us == nil))
  end

  test "is there for scripts too", %{harness: harness, target: target} do
    scenario = %{target: target, threads: [[{:hold, 250}, :a], [:never]], call_timeout_ms: 400}
    assert {:ok, report} = Harness.run(harness, scenario)
    assert report.timeline |> Enum.map(& &1.operations) |> Enum.sum() == 3
    assert report.timeline |> Enum.map(& &1.errors) |> Enum.max() == %{timeout: 1}
    # A target of scripts is not looked at unless its mailbox is asked for.
    assert Enum.all?(report.timeline, &(&1.mailbox == nil and &1.memory_bytes == nil))
    assert {:ok, report} = Harness.run(harness, Map.put(scenario, :mailbox, sampling_interval: 20))
    # Each call may be seen there.
    assert Loads.gauge(report, :mailbox) != [] and report.mailbox.max_size in 0..2
  end

  test "is that of the mailbox that is asked for", %{harness: harness, target: target} do
    options = %{mailbox: [sampling_interval: 5], call_timeout_ms: 10_000}
    report = Loads.run(harness, target, %{threads: 20, duration_ms: 800}, [{:work, 5}], options)
    assert report.mailbox.max_size in 10..19
    assert Enum.max(Loads.gauge(report, :mailbox)) == report.mailbox.max_size
  end
end
