defmodule LoadClosedTest do
  @moduledoc "The closed model: so many threads, each of which starts an operation when its last has ended."
  use ClusterCase, shared: true

  setup %{peer: peer} do
    {:ok, target: Recorder.start(peer)}
  end

  describe "by iterations" do
    test "each thread runs the whole script so often", %{harness: harness, target: target} do
      report = Loads.run(harness, target, %{threads: 5, iterations: 4}, [:first, :second])
      assert report.metrics.total_operations == 40
      assert report.metrics.thread_count == 5
      assert report.threads == for(thread <- 0..4, do: %{thread: thread, errors: 0, operations: 8})
      script = List.duplicate([{:call, :first}, {:call, :second}], 4) |> List.flatten()

      assert Loads.operations(report) ==
               Map.new(0..4, &{&1, Enum.with_index(script, fn operation, step -> {step, operation} end)})

      assert Enum.frequencies(Recorder.messages(target)) == %{first: 20, second: 20}
      assert Enum.all?(report.events, &(&1.result == {:ok, :ok}))
    end

    test "with a mix each thread draws so often", %{harness: harness, target: target} do
      options = %{mix: [%{weight: 1, op: :a}, %{weight: 1, op: {:cast, :b}}]}
      report = Loads.run(harness, target, %{threads: 3, iterations: 50}, nil, options)
      assert Enum.map(report.threads, & &1.operations) == [50, 50, 50]
      assert length(Recorder.messages(target)) == 150
    end

    test "threads run beside each other", %{harness: harness, target: target} do
      options = %{call_timeout_ms: 20_000}
      report = Loads.run(harness, target, %{threads: 50, iterations: 1}, [{:hold, 500}], options)
      assert report.metrics.total_operations == 50
      assert Recorder.most_open(target) == 50
    end

    test "errors are no end", %{harness: harness, target: target} do
      options = %{call_timeout_ms: 50}
      report = Loads.run(harness, target, %{threads: 2, iterations: 3}, [:never, :fine], options)
      assert report.errors == %{timeout: 6}
      assert report.threads == for(thread <- 0..1, do: %{thread: thread, errors: 3, operations: 6})
    end
  end

  describe "by duration" do
    test "threads go on until it is over", %{harness: harness, target: target} do
      report = Loads.run(harness, target, %{threads: 4, duration_ms: 600}, [{:hold, 5}])
      # In 600 ms there is time for 120 each; a busy machine makes fewer.
      assert Enum.all?(report.threads, &(&1.operations in 5..120))
      assert Enum.all?(Loads.starts_us(report), &(&1 < 600_000))
      assert List.last(Loads.starts_us(report)) > 400_000
      assert length(Recorder.messages(target)) == report.metrics.total_operations
    end

    test "what is under way at its end is awaited", %{harness: harness, target: target} do
      options = %{call_timeout_ms: 10_000}
      report = Loads.run(harness, target, %{threads: 7, duration_ms: 200}, [{:hold, 700}], options)
      assert report.metrics.total_operations == 7
      assert Enum.map(report.events, & &1.result) == List.duplicate({:ok, :ok}, 7)
      assert report.metrics.duration_ms in 700..5_000
      assert Enum.all?(report.events, &(&1.timestamp_us >= 700_000))
      assert Enum.all?(report.events, &(Loads.start_us(&1) < 200_000))
      assert length(Recorder.messages(target)) == 7
    end

    test "what does not answer times out, which is allowed", %{harness: harness, target: target} do
      options = Map.put(Loads.allow_failure(), :call_timeout_ms, 300)
      report = Loads.run(harness, target, %{threads: 3, duration_ms: 200}, [:never], options)
      assert report.errors == %{timeout: 3}
      assert report.metrics.total_operations == 3
    end
  end

  describe "think time" do
    # From the end of an operation to the intended start of the next, in us, of all threads.
    defp pauses(report) do
      for {_, events} <- Loads.by_thread(report), [one, next] <- Enum.chunk_every(events, 2, 1, :discard) do
        Loads.start_us(next) - one.timestamp_us
      end
    end

    test "is fixed", %{harness: harness, target: target} do
      report = Loads.run(harness, target, %{threads: 20, duration_ms: 1_000, think_ms: 80}, [:a, :b])
      assert length(pauses(report)) >= 60
      # Each time is rounded down to a microsecond.
      assert Enum.all?(pauses(report), &(&1 in 79_998..80_002))
      assert Enum.all?(report.threads, &(&1.operations in 2..13))
    end

    test "is drawn", %{harness: harness, target: target} do
      load = %{threads: 40, duration_ms: 800, think_ms: {20, 80}}
      report = Loads.run(harness, target, load, [:a], %{seed: 7})
      pauses = pauses(report)
      assert length(pauses) >= 200
      assert Enum.all?(pauses, &(&1 in 19_998..80_002))
      assert Enum.min(pauses) < 26_000 and Enum.max(pauses) > 74_000
      assert_in_delta Enum.sum(pauses) / length(pauses), 50_000, 6_000
    end

    test "keeps the threads from marching in step", %{harness: harness, target: target} do
      report = Loads.run(harness, target, %{threads: 100, duration_ms: 600, think_ms: 500}, [:a])
      first = for {_, [event | _]} <- Loads.by_thread(report), do: Loads.start_us(event)
      assert length(first) >= 90
      assert Enum.all?(first, &(&1 in 0..500_100))
      # Spread over the think time: in each fifth of it some begin.
      for fifth <- 0..4, do: assert(Enum.any?(first, &(div(&1, 100_000) == fifth)), "#{inspect(first)}")
    end

    test "goes with iterations", %{harness: harness, target: target} do
      load = %{threads: 3, iterations: 4, think_ms: {10, 30}}
      report = Loads.run(harness, target, load, [:a])
      assert report.metrics.total_operations == 12
      assert length(pauses(report)) == 9 and Enum.all?(pauses(report), &(&1 in 9_998..30_002))
    end

    test "is fair: 1,000 threads do the same", %{harness: harness, target: target} do
      load = %{threads: 1_000, duration_ms: 5_000, think_ms: 240}
      report = Loads.run(harness, target, load, [:a], %{events: :none, call_timeout_ms: 5_000})
      counts = Enum.map(report.threads, & &1.operations)
      mean = Enum.sum(counts) / 1_000
      assert mean > 10
      assert {least, most} = Enum.min_max(counts)
      assert least >= mean * 0.9 and most <= mean * 1.1, "#{least} to #{most}, mean #{mean}"
    end
  end

  describe "events" do
    setup %{target: target} do
      {:ok, load: %{threads: 3, iterations: 500}, target: target}
    end

    test "of a load are the last 1,000", %{harness: harness, target: target, load: load} do
      assert {:ok, report} = Harness.run(harness, %{target: target, load: load, operations: [:a]})
      assert report.metrics.total_operations == 1_500 and report.metrics.events_dropped == 0
      assert length(report.events) == 1_000
      ends = Enum.map(report.events, & &1.timestamp_us)
      assert ends == Enum.sort(ends)
      # Each thread's last ones, without a gap.
      for {_, events} <- Loads.by_thread(report) do
        steps = Enum.map(events, & &1.step)
        assert steps == Enum.to_list(hd(steps)..499)
      end
    end

    test "are kept as the policy says", %{harness: harness, target: target, load: load} do
      for {policy, count} <- [{:all, 1_500}, {:none, 0}, {{:last, 7}, 7}, {{:sample, 20}, 20}, {:errors, 0}] do
        report = Loads.run(harness, target, load, [:a], %{events: policy})
        assert {policy, length(report.events)} == {policy, count}
        assert report.metrics.total_operations == 1_500 and report.metrics.events_dropped == 0
      end

      options = %{events: :errors, call_timeout_ms: 100}
      report = Loads.run(harness, target, %{threads: 2, iterations: 2}, [:never, :a], options)
      assert Enum.map(report.events, & &1.result) == List.duplicate({:error, :timeout}, 4)
    end

    test "of custom operations that had no room before the end there are none", %{target: target} do
      harness = Harness.start(config: %{"limits" => %{"custom" => 2}})
      script = [{:custom, fn _ -> Process.sleep(300) end}]
      report = Loads.run(harness, target, %{threads: 20, duration_ms: 500}, script)
      assert %{total_operations: operations, operation_errors: 0} = report.metrics
      assert operations in 2..4
    end

    test "beyond the configured limit the oldest go", %{target: target, load: load} do
      harness = Harness.start(config: %{"limits" => %{"events" => 100}})
      report = Loads.run(harness, target, load, [:a])
      assert length(report.events) == 100
      assert %{total_operations: 1_500, events_dropped: 1_400} = report.metrics
      assert Enum.any?(report.events, &(&1.step == 499))
    end
  end
end
