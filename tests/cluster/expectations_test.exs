defmodule ExpectationsTest do
  @moduledoc "What a run may be expected to stay within: met, missed, and missed while it goes on."
  use ClusterCase, shared: true

  @hour_us 3_600_000_000

  setup %{peer: peer} do
    {:ok, target: Recorder.start(peer)}
  end

  # One in four operations times out, the others take 10 ms or more; the server keeps half a megabyte of each
  # round. The hooks' node is the server's, so that its memory is the one that is measured.
  defp run(harness, target, expectations, options \\ %{}) do
    options =
      Map.merge(
        %{
          performance_expectations: expectations,
          call_timeout_ms: 100,
          hooks_node: node(target),
          mailbox: [sampling_interval: 1]
        },
        Map.new(options)
      )

    script = [{:hold, 10, :binary.copy("x", 500_000)}, {:hold, 10}, {:work, 20}, :never]
    Loads.result(harness, target, %{threads: 4, iterations: 2}, script, options)
  end

  # Each kind with a limit that it keeps, one that it does not, and what is said then.
  @kinds [
    {:max_time_ms, 60_000, 0.5, ~r/^Execution time \d+\.\d{1,2}ms exceeded maximum of 0\.5ms$/},
    {:max_memory_bytes, 1_000_000_000, 1_000, ~r/^Memory usage \d+ bytes exceeded maximum of 1000 bytes$/},
    {:max_reductions, 1_000_000_000, 0, ~r/^Reductions \d+ exceeded maximum of 0$/},
    {:max_p50_us, @hour_us, 100, ~r/^Latency p50 \d+us exceeded maximum of 100us$/},
    {:max_p90_us, @hour_us, 90_000, ~r/^Latency p90 \d+us exceeded maximum of 90000us$/},
    {:max_p95_us, @hour_us, 90_000, ~r/^Latency p95 \d+us exceeded maximum of 90000us$/},
    {:max_p99_us, @hour_us, 99_000.5, ~r/^Latency p99 \d+us exceeded maximum of 99000\.5us$/},
    {:max_p999_us, @hour_us, 90_000, ~r/^Latency p99\.9 \d+us exceeded maximum of 90000us$/},
    {:max_error_rate, 1, 0.2, ~r/^Error rate 0\.\d+ exceeded maximum of 0\.2$/},
    {:min_ops_per_s, 0.01, 1_000_000, ~r"^Rate of operations \d+\.\d+/s below minimum of 1000000/s$"},
    {:max_mailbox, 1_000_000, 0, ~r/^Mailbox length \d+ exceeded maximum of 0$/}
  ]

  test "all of them met are in the report", %{harness: harness, target: target} do
    expectations = for {kind, met, _, _} <- @kinds, do: {kind, met}
    assert {:ok, report} = run(harness, target, expectations)
    assert Enum.map(report.expectations, &{&1.expectation, &1.limit}) == expectations
    assert Enum.all?(report.expectations, &(&1.met and is_number(&1.measured)))
    measured = Map.new(report.expectations, &{&1.expectation, &1.measured})

    assert %{time_us: time_us, memory_bytes: bytes, reductions: reductions} = report.performance
    assert_in_delta measured.max_time_ms, time_us / 1000, 0.01
    assert measured.max_memory_bytes == bytes and measured.max_reductions == reductions
    latency = report.latency.overall

    for {kind, key} <- [max_p50_us: :p50_us, max_p90_us: :p90_us, max_p95_us: :p95_us, max_p99_us: :p99_us],
        do: assert({kind, measured[kind]} == {kind, latency[key]})

    assert measured.max_p999_us == latency.p999_us
    %{operation_errors: errors, total_operations: operations, duration_ms: ms} = report.metrics
    assert errors >= 8 and operations == 32
    assert_in_delta measured.max_error_rate, errors / operations, 0.0001
    assert_in_delta measured.min_ops_per_s, operations * 1000 / ms, operations * 1000 / ms * 0.02
    assert measured.max_mailbox >= report.mailbox.max_size
  end

  for {kind, met, missed, message} <- @kinds do
    @missed {kind, met, missed, message}
    test "#{kind} missed", %{harness: harness, target: target} do
      {kind, met, missed, pattern} = @missed
      # The first that is missed is the error, whatever comes behind it.
      expectations = [{:max_error_rate, 1}, {kind, met}, {kind, missed}, {:max_time_ms, 0.001}]
      assert {:error, {:performance_failed, failure}} = run(harness, target, expectations)
      assert Enum.sort(Map.keys(failure)) == [:error, :expectations, :measurement, :run_id]
      assert %RuntimeError{message: message} = failure.error
      assert message =~ pattern
      assert Enum.map(failure.expectations, &{&1.expectation, &1.limit}) == expectations
      assert Enum.map(failure.expectations, & &1.met) == [true, true, false, false]
      [_, _, %{measured: measured} | _] = failure.expectations
      if kind == :min_ops_per_s, do: assert(measured < missed), else: assert(measured > missed)
      assert Enum.sort(Map.keys(failure.measurement)) == [:memory_bytes, :reductions, :time_us]
    end
  end

  test "that nothing is measured for are missed", %{harness: harness, target: target} do
    for {operation, rate} <- [{{:"$sleep", 1}, nil}, {{:"$cast", 1}, true}] do
      options = %{performance_expectations: [max_p50_us: 0, max_p999_us: 0, max_error_rate: 0]}
      result = Loads.result(harness, target, %{threads: 1, iterations: 3}, [operation], options)
      assert {:error, {:performance_failed, failure}} = result
      assert [%{measured: nil, met: nil}, %{measured: nil, met: nil}, %{met: ^rate}] = failure.expectations
      assert failure.error.message == "Latency p50 was not measured, maximum of 0us"
      {:ok, partial} = Harness.call(harness, :partial, [failure.run_id])

      assert %{warning: :not_measured, expectation: :max_p50_us} in Enum.map(
               partial.warnings,
               &Map.take(&1, [:warning, :expectation])
             )
    end
  end

  test "of scripts are the same", %{harness: harness, target: target} do
    scenario = %{target: target, threads: [[:a, {:hold, 60}]]}
    missed = Map.put(scenario, :performance_expectations, max_p99_us: 50_000, max_mailbox: 5)
    assert {:error, {:performance_failed, failure}} = Harness.run(harness, missed)
    assert [%{met: false, measured: p99}, %{met: true, measured: mailbox}] = failure.expectations
    assert p99 >= 60_000 and mailbox in 0..5
    assert {:ok, %{expectations: []}} = Harness.run(harness, scenario)
  end

  test "without Elixir the error is a text", %{harness: harness} do
    plain = Peer.start(elixir: false)
    target = Peer.start_server(plain, :plain_subject, 0)
    scenario = %{target: target, load: %{threads: 2, iterations: 2}, operations: [{:add, 1}]}
    scenario = Map.put(scenario, :performance_expectations, max_p50_us: 0)
    arguments = [harness.node, :harness, :run, [scenario]]
    assert {:error, {:performance_failed, failure}} = Peer.call(plain, :erpc, :call, arguments)
    assert failure.error =~ ~r/^Latency p50 \d+us exceeded maximum of 0us$/
  end

  describe "abort_when" do
    # A run of half a minute, unless it is ended before. What it sends stays at the server.
    defp long(harness, target, expectations, options) do
      test = self()

      options =
        Map.merge(
          %{
            performance_expectations: expectations,
            abort_when: Keyword.keys(expectations),
            cleanup: {Recorder, :cleanup, [test]},
            hooks_node: node(target),
            warmup_ms: 150,
            call_timeout_ms: 100
          },
          options
        )

      script = [{:hold, 5, :binary.copy("x", 10_000)}, {:work, 5}, :never]
      load = %{threads: 10, duration_ms: 30_000}
      {time, result} = timed(fn -> Loads.result(harness, target, load, script, options) end)
      assert_receive {:cleaned, ^target}, 5_000
      {time, result}
    end

    @aborts [
      max_error_rate: 0.01,
      max_p50_us: 10,
      max_p99_us: 50_000,
      max_time_ms: 1,
      max_memory_bytes: 100_000,
      max_reductions: 0,
      min_ops_per_s: 100_000,
      max_mailbox: 0
    ]

    test "ends the run soon after the warm-up, whatever was missed", %{harness: harness, target: target} do
      for {kind, limit} <- @aborts do
        {time, result} = long(harness, target, [{kind, limit}], %{})
        assert {:error, {:performance_failed, failure}} = result
        assert {kind, time in 150..9_000} == {kind, true}, "#{time} ms"
        assert %RuntimeError{message: message} = failure.error
        assert message =~ ~r/(exceeded maximum|below minimum) of #{limit}/
        assert [%{expectation: ^kind, limit: ^limit, met: false}] = failure.expectations
        assert failure.measurement.time_us in 150_000..9_000_000
      end

      assert running(harness) == 0
    end

    test "does not judge before the warm-up is over", %{harness: harness, target: target} do
      {time, result} = long(harness, target, [max_p50_us: 10], %{warmup_ms: 1_300})
      assert {:error, {:performance_failed, _}} = result
      assert time in 1_300..12_000
    end

    test "looks each second", %{harness: harness, target: target} do
      # It stays within the rate until the server is killed.
      spawn_link(fn ->
        Process.sleep(1_500)
        Process.exit(target, :kill)
      end)

      options = %{warmup_ms: 0, performance_expectations: [max_error_rate: 0.5]}
      {time, result} = long(harness, target, [max_error_rate: 0.5], options)
      assert {:error, {:performance_failed, %{error: %{message: "Error rate 0." <> _}}}} = result
      assert time in 1_500..12_000
    end

    test "ends it only for what it names", %{harness: harness, target: target} do
      options = %{
        performance_expectations: [max_p50_us: 1, max_error_rate: 0.9],
        abort_when: [:max_error_rate],
        warmup_ms: 0,
        call_timeout_ms: 100
      }

      load = %{threads: 2, duration_ms: 1_300}
      {time, result} = timed(fn -> Loads.result(harness, target, load, [{:hold, 5}], options) end)
      assert {:error, {:performance_failed, %{error: %{message: "Latency p50 " <> _}}}} = result
      assert time >= 1_300
    end

    test "leaves a run alone that keeps to it", %{harness: harness, target: target} do
      expectations = [max_error_rate: 0.5, max_reductions: 1_000_000_000, max_memory_bytes: 1_000_000_000]

      options = %{
        performance_expectations: expectations,
        abort_when: Keyword.keys(expectations),
        warmup_ms: 0,
        hooks_node: node(target)
      }

      report = Loads.run(harness, target, %{threads: 2, duration_ms: 1_300}, [{:hold, 5}], options)
      assert Enum.all?(Loads.starts_us(report), &(&1 < 1_300_000))
      assert report.metrics.duration_ms >= 1_290
      assert Enum.all?(report.expectations, & &1.met)
    end

    test "ends an open load with all that waits", %{harness: harness, target: target} do
      load = %{rate: 500, duration_ms: 30_000, max_in_flight: 3}
      options = %{performance_expectations: [max_p90_us: 50_000], abort_when: [:max_p90_us], warmup_ms: 500}
      {time, result} = timed(fn -> Loads.result(harness, target, load, [{:hold, 20}], options) end)
      assert {:error, {:performance_failed, %{error: %{message: "Latency p90 " <> _}}}} = result
      assert time in 500..9_000
      assert running(harness) == 0
    end

    test "goes with scripts", %{harness: harness, target: target} do
      scenario = %{
        target: target,
        threads: [List.duplicate(:never, 300)],
        timeout_ms: 60_000,
        call_timeout_ms: 100,
        performance_expectations: [max_error_rate: 0.1],
        abort_when: [:max_error_rate],
        warmup_ms: 200
      }

      {time, result} = timed(fn -> Harness.run(harness, scenario) end)
      assert {:error, {:performance_failed, _}} = result
      assert time in 200..9_000
    end

    test "that cannot be is a problem", %{harness: harness, target: target} do
      scenario = Loads.scenario(target, %{threads: 1, iterations: 1}, [:a])

      for {options, path, text} <- [
            {%{abort_when: [:max_p99_us]}, [:abort_when, 0], "performance_expectations"},
            {%{abort_when: [:max_p99_su], performance_expectations: [max_p99_us: 1]}, [:abort_when, 0],
             "max_p99_us"},
            {%{abort_when: :max_p99_us}, [:abort_when], "list"},
            {%{warmup_ms: -1}, [:warmup_ms], ""},
            {%{performance_expectations: [max_p99_us: -1]}, [:performance_expectations, :max_p99_us], ""},
            {%{performance_expectations: [max_p99_su: 1]}, [:performance_expectations], "max_p99_us"}
          ] do
        assert [%{path: ^path, message: message}] = problems(harness, Map.merge(scenario, options))
        assert message =~ text
      end
    end
  end
end
