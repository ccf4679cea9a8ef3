defmodule LoadValidateTest do
  @moduledoc "What a load may say, what it becomes, and what is said of one that cannot be."
  use ClusterCase, shared: true

  setup %{peer: peer} do
    {:ok, target: Recorder.start(peer)}
  end

  defp normalised(harness, scenario) do
    assert {:ok, once} = Harness.call(harness, :validate, [scenario])
    # It is a scenario itself, and complete.
    assert {:ok, ^once} = Harness.call(harness, :validate, [once])
    once
  end

  @loads [
    {%{threads: 3, iterations: 5}, %{threads: 3, iterations: 5, think_ms: {0, 0}}},
    {%{threads: 3, duration_ms: 50, think_ms: 4}, %{threads: 3, duration_ms: 50, think_ms: {4, 4}}},
    {[threads: 3, duration_ms: 50, think_ms: {4, 9}], %{threads: 3, duration_ms: 50, think_ms: {4, 9}}},
    {%{rate: 100, duration_ms: 50},
     %{rate: 100, duration_ms: 50, arrival: :constant, max_in_flight: 1_000, max_queued: 100_000}},
    {%{rate: 0.5, duration_ms: 2_000, arrival: :poisson, max_in_flight: 7, max_queued: 0},
     %{rate: 0.5, duration_ms: 2_000, arrival: :poisson, max_in_flight: 7, max_queued: 0}},
    {%{stages: [[duration_ms: 10, threads: 2], %{duration_ms: 20, threads: 0}]},
     %{
       stages: [%{duration_ms: 10, threads: 2}, %{duration_ms: 20, threads: 0}],
       ramp: :linear,
       think_ms: {0, 0}
     }},
    {%{stages: [%{duration_ms: 10, rate: 2.5}], ramp: :step, max_queued: 5},
     %{
       stages: [%{duration_ms: 10, rate: 2.5}],
       ramp: :step,
       arrival: :constant,
       max_in_flight: 1_000,
       max_queued: 5
     }}
  ]

  test "gives a load with its defaults, which reads back", %{harness: harness, target: target} do
    for {load, expected} <- @loads do
      scenario = %{target: target, load: load, operations: [:a, {:cast, :b}]}
      once = normalised(harness, scenario)
      assert once.load == expected
      assert once.operations == [{:call, :a}, {:cast, :b}]
      assert %{threads: nil, mix: nil, spread: :round_robin, events: {:last, 1_000}} = once
      assert %{abort_when: [], warmup_ms: 1_000, seed: nil} = once
    end

    # What it gives runs as what was given.
    once = normalised(harness, %{target: target, load: %{threads: 2, iterations: 3}, operations: [:a]})
    assert {:ok, %{metrics: %{total_operations: 6}}} = Harness.run(harness, once)
    assert Recorder.messages(target) == List.duplicate(:a, 6)
  end

  test "gives the other keys as they are", %{harness: harness, target: target} do
    scenario = %{
      target: [target, target],
      load: %{threads: 1, iterations: 1},
      mix: [%{weight: 3, op: {:call, :a}}, [op: :b, weight: 0.5]],
      spread: {:key, 2},
      seed: 12,
      events: {:sample, 5},
      performance_expectations: [max_p99_us: 5, max_error_rate: 0.5, max_p50_us: 1],
      abort_when: [:max_error_rate, :max_p99_us],
      warmup_ms: 0
    }

    once = normalised(harness, scenario)
    assert [%{weight: three, op: {:call, :a}}, %{weight: half, op: {:call, :b}}] = once.mix
    assert three == 3 and half == 0.5
    assert once.operations == nil

    for key <- [:spread, :seed, :events, :performance_expectations, :warmup_ms],
        do: assert({key, once[key]} == {key, scenario[key]})

    assert Enum.sort(once.abort_when) == [:max_error_rate, :max_p99_us]
    assert %{spread: :random} = normalised(harness, %{scenario | spread: :random})
  end

  test "gives the time that a load takes", %{harness: harness, target: target} do
    for {load, timeout} <- [
          {%{threads: 1, duration_ms: 7_000}, 7_500},
          {%{rate: 1, duration_ms: 7_000}, 7_500},
          {%{stages: [%{duration_ms: 2_000, rate: 1}, %{duration_ms: 3_000, rate: 1}]}, 5_500},
          # Three times two calls, each with the time to think behind it, and once more a call's timeout.
          {%{threads: 9, iterations: 3, think_ms: {1, 100}}, 3 * 2 * 600 + 500}
        ] do
      scenario = %{target: target, load: load, operations: [:a, :b], call_timeout_ms: 500}
      assert normalised(harness, scenario).timeout_ms == timeout
      assert normalised(harness, Map.put(scenario, :timeout_ms, 100_000)).timeout_ms == 100_000
    end
  end

  test "does nothing", %{harness: harness, target: target} do
    for {load, _} <- @loads, do: normalised(harness, %{target: target, load: load, operations: [:a]})
    assert Recorder.messages(target) == []
    assert running(harness) == 0
  end

  @bad_loads [
    {7, [:load], :wrong_type},
    {%{}, [:load], :required},
    {%{threads: 1}, [:load, :duration_ms], :required},
    {%{rate: 1}, [:load, :duration_ms], :required},
    {%{threads: 0, iterations: 1}, [:load, :threads], :out_of_range},
    {%{threads: :many, iterations: 1}, [:load, :threads], :wrong_type},
    {%{threads: 1, iterations: 1, duration_ms: 1}, [:load, :iterations], :conflict},
    {%{threads: 1, iterations: 1, max_queued: 1}, [:load, :max_queued], :conflict},
    {%{threads: 1, duration_ms: 1, think_ms: {2, 1}}, [:load, :think_ms], :out_of_range},
    {%{rate: 0, duration_ms: 1}, [:load, :rate], :out_of_range},
    {%{rate: 1, duration_ms: 1, arrival: :late}, [:load, :arrival], :out_of_range},
    {%{rate: 1, duration_ms: 1, max_in_flight: 0}, [:load, :max_in_flight], :out_of_range},
    {%{rate: 1, duration_ms: 1, think_ms: 1}, [:load, :think_ms], :conflict},
    {%{stages: []}, [:load, :stages], :wrong_type},
    {%{stages: [%{duration_ms: 1, rate: 1}, %{rate: 1}]}, [:load, :stages, 1, :duration_ms], :required},
    {%{stages: [%{duration_ms: 1, threads: 1}, %{duration_ms: 1, threads: -1}]},
     [:load, :stages, 1, :threads], :out_of_range},
    {%{stages: [%{duration_ms: 1, threads: 1}], ramp: :up}, [:load, :ramp], :out_of_range},
    {%{stages: [%{duration_ms: 1, threads: 1}], duration_ms: 1}, [:load, :duration_ms], :conflict},
    {%{threads: 1, iteration: 1, duration_ms: 1}, [:load, :iteration], :unknown_key}
  ]

  test "names what a load cannot be, with its path", %{harness: harness, target: target} do
    for {load, path, kind} <- @bad_loads do
      found = problems(harness, %{target: target, load: load, operations: [:a]})
      assert Enum.any?(found, &(&1.path == path and &1.problem == kind)), inspect({load, found})
    end

    assert Recorder.messages(target) == []
  end

  test "names what does not go together", %{harness: harness, target: target} do
    load = %{threads: 1, iterations: 1}
    mix = [%{weight: 1, op: :a}]

    for {keys, path, kind} <- [
          {%{load: load}, [:operations], :required},
          {%{load: load, operations: [:a], mix: mix}, [:mix], :conflict},
          {%{load: load, operations: [:a], threads: [[:a]]}, [:threads], :conflict},
          {%{operations: [:a], threads: [[:a]]}, [:operations], :conflict},
          {%{mix: mix, threads: [[:a]]}, [:mix], :conflict},
          {%{load: load, operations: []}, [:operations], :empty},
          {%{load: load, operations: [:a, {:"$sleep", -1}]}, [:operations, 1], :out_of_range},
          {%{load: load, mix: []}, [:mix], :wrong_type},
          {%{load: load, mix: [%{weight: 0, op: :a}]}, [:mix, 0, :weight], :out_of_range},
          {%{load: load, mix: [%{weight: 1, op: :a}, %{op: :b}]}, [:mix, 1, :weight], :required},
          {%{load: load, mix: [%{weight: 1, op: :a}, %{weight: 1}]}, [:mix, 1, :op], :required},
          {%{load: load, operations: [:a], spread: :evenly}, [:spread], :out_of_range},
          {%{load: load, operations: [:a], spread: {:key, 0}}, [:spread], :out_of_range},
          {%{load: load, operations: [:a], seed: -1}, [:seed], :wrong_type},
          {%{load: %{threads: 1, duration_ms: 600}, operations: [:a], timeout_ms: 1_500}, [:timeout_ms],
           :out_of_range}
        ] do
      found = problems(harness, Map.put(keys, :target, target))
      assert Enum.any?(found, &(&1.path == path and &1.problem == kind)), inspect({keys, found})
    end
  end

  test "tells all problems at once", %{harness: harness, target: target} do
    scenario = %{
      target: target,
      load: %{rate: -1, duration_ms: 0, arrival: :never, max_in_fligth: 1},
      operations: [:fine, :good, {:"$sleep", :long}],
      spread: :all,
      abort_when: [:max_p99_us],
      seed: :random
    }

    paths = harness |> problems(scenario) |> Enum.map(& &1.path)

    for path <- [
          [:load, :rate],
          [:load, :duration_ms],
          [:load, :arrival],
          [:load, :max_in_fligth],
          [:operations, 2],
          [:spread],
          [:abort_when, 0],
          [:seed]
        ],
        do: assert(path in paths, "#{inspect(path)} in #{inspect(paths)}")
  end
end
