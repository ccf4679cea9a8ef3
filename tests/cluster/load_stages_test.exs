defmodule LoadStagesTest do
  @moduledoc "Loads that change while they go on: stages of threads and of rates, in steps and ramps."
  use ClusterCase, shared: true

  # How late the loop may be on a busy machine.
  @slack 250

  setup %{peer: peer} do
    {:ok, target: Recorder.start(peer)}
  end

  defp stages(key, levels), do: for({ms, level} <- levels, do: %{:duration_ms => ms, key => level})

  # In ms; nil for a thread that has none.
  defp first_start(report, thread), do: at(report, thread, &Enum.min/2)
  defp last_start(report, thread), do: at(report, thread, &Enum.max/2)

  defp at(report, thread, choose) do
    starts = for %{thread: ^thread} = event <- report.events, do: div(Loads.start_us(event), 1000)
    choose.(starts, fn -> nil end)
  end

  # Operations by the timeline in `[from, to)` ms.
  defp counted(report, from, to) do
    for(%{at_ms: at} = interval <- report.timeline, at in from..(to - 1), do: interval.operations)
    |> Enum.sum()
  end

  describe "threads" do
    test "in steps", %{harness: harness, target: target} do
      load = %{stages: stages(:threads, [{600, 2}, {600, 6}, {600, 1}]), ramp: :step}
      report = Loads.run(harness, target, load, [{:hold, 10}])
      assert report.metrics.thread_count == 6
      assert Loads.threads_between(report, 0, 600) == [0, 1]
      assert Loads.threads_between(report, 600, 1_200) == [0, 1, 2, 3, 4, 5]
      assert Loads.threads_between(report, 1_200 + @slack, 1_800) == [0]
      for thread <- 2..5, do: assert(first_start(report, thread) in 600..(600 + @slack))
      assert Recorder.most_open(target) == 6
      assert Enum.all?(Loads.starts_us(report), &(&1 < 1_800_000))
      # By the timeline there is three times as much to do in the second stage as in the first.
      [first, second, third] = for from <- [0, 600, 1_200], do: counted(report, from, from + 600)
      assert second > first * 1.5 and third < second / 2
    end

    test "in a ramp, which is the default", %{harness: harness, target: target} do
      load = %{stages: stages(:threads, [{1_000, 10}, {300, 10}, {1_000, 0}])}
      report = Loads.run(harness, target, load, [{:hold, 5}])

      for thread <- 0..9 do
        first = first_start(report, thread)
        assert first in (thread * 100)..(thread * 100 + @slack), "thread #{thread} starts at #{first}"
        last = last_start(report, thread)
        # The last one is there until the end, the tenth only until it has begun to be fewer.
        expected = 2_300 - thread * 100
        assert last in (expected - 100 - @slack)..(expected + @slack), "thread #{thread} ends at #{last}"
      end

      assert Enum.all?(Loads.starts_us(report), &(&1 < 2_300_000))
    end

    test "think as those of one stage", %{harness: harness, target: target} do
      load = %{stages: stages(:threads, [{400, 4}, {400, 2}]), ramp: :step, think_ms: 50}
      report = Loads.run(harness, target, load, [:a])
      assert report.metrics.thread_count == 4
      assert Enum.all?(report.threads, &(&1.operations <= if(&1.thread < 2, do: 17, else: 9)))
      assert Loads.threads_between(report, 0, 400) == [0, 1, 2, 3]
      assert Loads.threads_between(report, 400 + @slack, 800) -- [0, 1] == []
    end

    test "come back after a stage without them", %{harness: harness, target: target} do
      load = %{stages: stages(:threads, [{300, 3}, {600, 0}, {300, 3}]), ramp: :step}
      report = Loads.run(harness, target, load, [{:hold, 10}])
      assert Loads.threads_between(report, 0, 300) == [0, 1, 2]
      assert Loads.threads_between(report, 300 + @slack, 900) == []
      assert Loads.threads_between(report, 900, 1_200) == [0, 1, 2]
      # Their steps go on where they were.
      for {_, events} <- Loads.by_thread(report),
          do: assert(Enum.map(events, & &1.step) == Enum.to_list(0..(length(events) - 1)))
    end
  end

  describe "rates" do
    test "in steps", %{harness: harness, target: target} do
      load = %{stages: stages(:rate, [{500, 100}, {500, 400}, {500, 0}, {500, 200}]), ramp: :step}
      report = Loads.run(harness, target, load, [:a])
      assert Loads.starts_between(report, 0, 500) in 49..51
      assert Loads.starts_between(report, 500, 1_000) in 199..201
      assert Loads.starts_between(report, 1_000, 1_500) in 0..1
      assert Loads.starts_between(report, 1_500, 2_000) in 99..101
      assert report.metrics.total_operations in 349..351
      # By their ends in the timeline they are where they belong but for what comes late.
      assert counted(report, 0, 500) in 20..51
      assert counted(report, 500, 1_500) in 200..230
      assert counted(report, 1_500, 3_000) in 99..101
    end

    test "in a ramp", %{harness: harness, target: target} do
      load = %{stages: stages(:rate, [{600, 200}, {600, 0}])}
      report = Loads.run(harness, target, load, [:a])
      # The rate goes from 0 to 200 and back: its integral is a parabola.
      for {from, to, count} <- [{0, 300, 15}, {300, 600, 45}, {600, 900, 45}, {900, 1_200, 15}],
          do: assert_in_delta(Loads.starts_between(report, from, to), count, 1.5)

      assert report.metrics.total_operations in 119..121
    end

    test "in a ramp of Poisson arrivals", %{harness: harness, target: target} do
      load = %{stages: stages(:rate, [{1_000, 1_000}]), arrival: :poisson}
      report = Loads.run(harness, target, load, [:a], %{seed: 3})
      # 125 and 375 with standard deviations of 11 and 19.
      assert Loads.starts_between(report, 0, 500) in 75..175
      assert Loads.starts_between(report, 500, 1_000) in 290..460
    end

    test "keep to what may be under way", %{harness: harness, target: target} do
      load = %{stages: stages(:rate, [{300, 50}, {300, 500}]), ramp: :step, max_in_flight: 3, max_queued: 2}
      report = Loads.run(harness, target, load, [{:hold, 30}], %{call_timeout_ms: 5_000})
      assert Recorder.most_open(target) == 3
      assert (report.metrics.total_operations + report.metrics.dropped) in 164..166
      assert report.metrics.dropped > 50
    end
  end
end
