defmodule LoadOpenTest do
  @moduledoc "The open model: operations arrive at a rate, whether others have ended or not."
  use ClusterCase, shared: true

  setup %{peer: peer} do
    {:ok, target: Recorder.start(peer)}
  end

  describe "arrivals" do
    test "are constant unless they are said to be otherwise", %{harness: harness, target: target} do
      report = Loads.run(harness, target, %{rate: 200, duration_ms: 1_000}, [:a, :b])
      assert %{total_operations: 200, dropped: 0, thread_count: 1_000} = report.metrics
      # Every 5 ms, as far as they were intended to.
      for {start, number} <- Enum.with_index(Loads.starts_us(report)),
          do: assert_in_delta(start, number * 5_000, 2)

      # Arrivals take the script in turn, whichever thread they meet.
      assert report.events |> Enum.sort_by(& &1.step) |> Enum.map(& &1.operation) ==
               List.duplicate([{:call, :a}, {:call, :b}], 100) |> List.flatten()

      assert length(Recorder.messages(target)) == 200
    end

    test "may have a rate that is no whole number", %{harness: harness, target: target} do
      report = Loads.run(harness, target, %{rate: 12.5, duration_ms: 800, arrival: :constant}, [:a])
      assert report.metrics.total_operations == 10
    end

    test "are a Poisson process", %{harness: harness, target: target} do
      load = %{rate: 2_000, duration_ms: 500, arrival: :poisson}
      report = Loads.run(harness, target, load, [:a], %{seed: 11})
      starts = Loads.starts_us(report)
      # Their number has a standard deviation of 32, the time between them one as long as its mean.
      assert length(starts) in 850..1_150
      gaps = Enum.zip_with(tl(starts), starts, &(&1 - &2))
      mean = Enum.sum(gaps) / length(gaps)
      deviation = :math.sqrt(Enum.sum(Enum.map(gaps, &((&1 - mean) * (&1 - mean)))) / length(gaps))
      assert_in_delta deviation / mean, 1, 0.15
      assert_in_delta Enum.count(gaps, &(&1 < mean)) / length(gaps), 0.632, 0.06

      same = Loads.run(harness, target, load, [:a], %{seed: 11})
      assert length(same.events) == length(starts)
      for {a, b} <- Enum.zip(Loads.starts_us(same), starts), do: assert_in_delta(a, b, 2)
      other = Loads.run(harness, target, load, [:a], %{seed: 12})
      refute Enum.zip(Loads.starts_us(other), starts) |> Enum.all?(fn {a, b} -> abs(a - b) <= 2 end)
    end
  end

  describe "an arrival without room" do
    test "waits with its intended start", %{harness: harness, target: target} do
      load = %{rate: 400, duration_ms: 1_000, max_in_flight: 5}
      report = Loads.run(harness, target, load, [{:hold, 20}], %{call_timeout_ms: 20_000})
      assert %{total_operations: 400, dropped: 0, thread_count: 5, operation_errors: 0} = report.metrics
      assert Recorder.most_open(target) == 5
      assert Enum.max(Loads.gauge(report, :in_flight)) <= 5
      # The server takes 250 a second at most: the last one waits for more than half a second.
      assert report.latency.overall.max_us > 500_000
      assert report.latency.start_delay.max_us > 480_000
      assert report.latency.service.overall.p50_us < report.latency.overall.p50_us

      for {start, number} <- Enum.with_index(Loads.starts_us(report)),
          do: assert_in_delta(start, number * 2_500, 2)

      # First come, first served.
      starts = report.events |> Enum.sort_by(& &1.step) |> Enum.map(&Loads.start_us/1)
      assert starts == Enum.sort(starts)
    end

    test "is dropped where the queue is full", %{harness: harness, target: target} do
      load = %{rate: 200, duration_ms: 1_000, max_in_flight: 2, max_queued: 3}
      options = %{performance_expectations: [max_error_rate: 1], call_timeout_ms: 10_000}
      report = Loads.run(harness, target, load, [{:hold, 50}], options)
      %{total_operations: operations, dropped: dropped, operation_errors: 0} = report.metrics
      # Two at once, each for 50 ms at least, and those that wait at the end.
      assert operations in 5..47
      assert operations + dropped == 200
      assert Recorder.most_open(target) == 2
      assert length(Recorder.messages(target)) == operations
      assert Enum.max(Loads.gauge(report, :in_flight)) <= 2
      # They are dropped all the time, not at the end.
      assert Enum.count(report.timeline, &(&1.dropped > 0)) >= 5

      assert [%{expectation: :max_error_rate, measured: rate, met: true}] = report.expectations
      assert_in_delta rate, dropped / 200, 0.0001

      assert {:error, {:performance_failed, %{error: %{message: message}}}} =
               Loads.result(harness, target, %{load | duration_ms: 400}, [{:hold, 50}], %{
                 performance_expectations: [max_error_rate: 0.1],
                 call_timeout_ms: 10_000
               })

      assert message =~ ~r/^Error rate 0\.\d+ exceeded maximum of 0\.1$/
    end

    test "does not wait at all without a queue", %{harness: harness, target: target} do
      load = %{rate: 100, duration_ms: 500, max_in_flight: 1, max_queued: 0}
      report = Loads.run(harness, target, load, [{:hold, 200}], %{call_timeout_ms: 10_000})
      assert report.metrics.total_operations in 1..3
      assert report.metrics.total_operations + report.metrics.dropped == 50
    end

    test "is dropped when the time of the run is over", %{harness: harness, target: target} do
      load = %{rate: 100, duration_ms: 500, max_in_flight: 1}
      options = Map.put(Loads.allow_failure(), :call_timeout_ms, 400)
      {time, report} = timed(fn -> Loads.run(harness, target, load, [:never], options) end)
      assert time in 900..10_000
      assert %{total_operations: operations, operation_errors: operations} = report.metrics
      assert operations in 2..3
      assert report.errors == %{timeout: operations}
      assert report.metrics.dropped == 50 - operations
    end
  end

  test "what is under way when the time of the run is over has timed out", context do
    %{harness: harness, target: target} = context

    # A sleep is no operation, and cannot time out.
    for {endless, errors} <- [{{:"$sleep", 500}, 0}, {{:custom, fn _ -> Process.sleep(:infinity) end}, 1}] do
      load = %{rate: 100, duration_ms: 300, max_in_flight: 1}
      report = Loads.run(harness, target, load, [:a, endless, endless], %{call_timeout_ms: 400})
      assert %{total_operations: operations, operation_errors: ^errors, unfinished: 0} = report.metrics
      assert report.errors == if(errors == 1, do: %{timeout: 1}, else: %{})
      assert report.metrics.dropped in 27..28
      assert operations == 1 + errors
    end
  end

  test "an operation that exits leaves its place to others", context do
    %{harness: harness, target: target} = context
    load = %{rate: 100, duration_ms: 300, max_in_flight: 1}
    report = Loads.run(harness, target, load, [:a, {:custom, fn _ -> exit(:bang) end}])
    assert report.errors == %{{:exit, :bang} => 15} and report.metrics.total_operations == 30
    assert length(Recorder.messages(target)) == 15
  end

  test "a sleep that goes on beyond the end is awaited", %{harness: harness, target: target} do
    options = %{call_timeout_ms: 100}
    script = [{:"$sleep", 500}, :a]
    report = Loads.run(harness, target, %{rate: 50, duration_ms: 200}, script, options)
    assert %{total_operations: 5, operation_errors: 0, dropped: 0} = report.metrics
    sleeps = Enum.filter(report.events, &match?({:"$sleep", _}, &1.operation))
    assert length(sleeps) == 5 and Enum.all?(sleeps, &(&1.timestamp_us in 500_000..5_000_000))
    report = Loads.run(harness, target, %{threads: 3, duration_ms: 200}, Enum.reverse(script), options)
    assert %{total_operations: 3, operation_errors: 0} = report.metrics
    assert Enum.count(report.events, &(&1.timestamp_us in 500_000..5_000_000)) == 3
  end

  test "casts, messages and sleeps take room as calls do", %{harness: harness, target: target} do
    script = [{:cast, 1}, {:"$cast", 2}, {:"$send", 3}, {:call, 4}, {:"$sleep", 5}]
    report = Loads.run(harness, target, %{rate: 250, duration_ms: 400}, script)
    assert %{total_operations: 80, operation_errors: 0, dropped: 0} = report.metrics
    seen = for {kind, message, _, _} <- Recorder.seen(target), do: {kind, message}
    assert Enum.frequencies(seen) == %{{:cast, 1} => 20, {:cast, 2} => 20, {:info, 3} => 20, {:call, 4} => 20}

    load = %{rate: 100, duration_ms: 300, max_in_flight: 1, max_queued: 0}
    report = Loads.run(harness, target, load, [:a, {:"$sleep", 100}])
    sleeps = Enum.count(report.events, &match?({:"$sleep", _}, &1.operation))
    assert sleeps in 1..3
    assert sleeps + report.metrics.total_operations + report.metrics.dropped == 30
  end
end
