defmodule WarningsTest do
  @moduledoc "What weakens the verdict on a run is told with it, first, in every way out."
  use ClusterCase
  import Files, only: [erlang: 1]

  setup_all do
    peer = Peer.start()
    harness = Harness.start(config: Http.config())
    {:ok, peer: peer, harness: harness, target: Peer.start_server(peer, Subject)}
  end

  defp kinds(report), do: Enum.map(report.warnings, & &1.warning)

  test "a run that went well has none", %{harness: harness, target: target} do
    assert {:ok, %{warnings: []} = report} = Harness.run(harness, %{target: target, threads: [[:get]]})
    refute Harness.call(harness, :show, [report]) =~ "WARNING"
    refute Harness.log(harness) =~ "run has a warning run=#{report.run_id}"
  end

  test "nothing has succeeded, of a target that never was there", %{harness: harness, peer: peer} do
    target = {:nobody_of_that_name, peer.node}
    assert {:ok, report} = Harness.run(harness, %{target: target, threads: [[:get, :get]]})
    assert kinds(report) == [:nothing_succeeded, :target_never_reached]
    assert [%{operations: 2}, %{count: 1, targets: [^target], message: message}] = report.warnings
    assert message == "{nobody_of_that_name,'#{peer.node}'} was never reached"
    [first, second | _] = harness |> Harness.call(:show, [report.run_id]) |> String.split("\n")
    assert first =~ ~r/^Run \d+: failed/
    assert second =~ ~r/^  WARNING  no operation has succeeded/
    Harness.wait_for_log(harness, ~r/target cannot be reached run=#{report.run_id} target=\S+ reason=noproc/)
    _ = Harness.wait_for_log(harness, ~r/run has a warning run=#{report.run_id} warning=target_never_reached/)
    page = Http.get_jq(Http.port(harness), "/runs/#{report.run_id}", ".report.warnings[].warning")
    assert page == ~s("nothing_succeeded"\n"target_never_reached")
  end

  test "one of several targets never was there", %{harness: harness, target: target, peer: peer} do
    missing = for i <- 1..12, do: {:"nobody_#{i}", peer.node}
    load = %{threads: 2, iterations: 40}
    scenario = %{target: [target | missing], load: load, operations: [:get]}
    assert {:ok, %{warnings: [warning]}} = Harness.run(harness, scenario)
    assert %{warning: :target_never_reached, count: 12, targets: named} = warning
    assert named == Enum.take(missing, 10)
  end

  test "a target that only dies or does not answer was there", %{harness: harness, peer: peer} do
    deaf = Peer.start_server(peer, Subject)
    scenario = %{target: deaf, threads: [[{:tell, self(), :never}]], call_timeout_ms: 50}
    assert {:ok, report} = Harness.run(harness, scenario)
    assert kinds(report) == [:nothing_succeeded]
  end

  test "a target that was there is gone at the end", %{harness: harness, target: target, peer: peer} do
    gone = Peer.start_server(peer, Subject)
    scenario = %{target: gone, threads: [[:get, {:crash, :kill}, :get]]}
    assert {:ok, %{warnings: [warning]} = report} = Harness.run(harness, scenario)
    assert %{warning: :target_lost, count: 1, targets: [^gone]} = warning
    assert warning.message =~ "was not there any more at the end of the load"
    assert Harness.call(harness, :show, [report.run_id]) =~ ~r/\ARun \d+: completed\n  WARNING  .* not there any more/
    # One that only dies, and one that is there again, are not gone.
    dying = %{target: Peer.start_server(peer, Subject), threads: [[:get, {:crash, :kill}]]}
    assert {:ok, %{warnings: []}} = Harness.run(harness, dying)
    assert {:ok, %{warnings: []}} = Harness.run(harness, %{target: target, threads: [[:get, :get]]})
  end

  test "a fault as the library takes it was not injected", %{harness: harness, target: target, peer: peer} do
    for {chaos, outcome} <- [
          {{:inject_crash, :immediate}, :survived},
          {{:inject_crash, {:after_ms, 60_000}}, :cancelled}
        ] do
      subject = if outcome == :survived, do: Peer.start_server(peer, TrappingSubject), else: target
      script = if outcome == :survived, do: [], else: [:get]
      assert {:ok, %{warnings: [warning]}} = Harness.run(harness, %{target: subject, threads: [script], chaos: chaos})
      assert %{warning: :not_injected, kind: :inject_crash, outcome: ^outcome} = warning
      assert warning.message == "a fault was not injected: inject_crash is #{outcome}"
    end
  end

  test "nothing was measured for an expectation", %{harness: harness, target: target} do
    scenario = %{
      target: target,
      threads: [[{:"$cast", {:add, 1}}]],
      performance_expectations: [max_error_rate: 1.0, max_p99_us: 5]
    }

    assert {_, report} = harness |> Harness.run(scenario) |> report(harness)
    assert [%{warning: :not_measured, expectation: :max_p99_us}] = report.warnings
  end

  defp report({:ok, report}, _), do: {:ok, report}

  defp report({:error, reason}, harness) do
    [%{run_id: id} | _] = Harness.call(harness, :runs)
    {:ok, report} = Harness.call(harness, :partial, [id])
    {reason, report}
  end

  describe "a run that was too short" do
    test "for the quantile of an expectation", %{harness: harness, target: target} do
      load = %{threads: 2, iterations: 50}
      scenario = %{target: target, load: load, operations: [:get]}
      assert {:ok, unasked} = Harness.run(harness, scenario)
      refute :run_too_short in kinds(unasked)
      asked = Map.put(scenario, :performance_expectations, max_p99_us: 60_000_000)
      assert {:ok, report} = Harness.run(harness, asked)
      assert %{expectation: :max_p99_us, operations: 100, worth: worth, needed: needed} = warning(report, :run_too_short)
      assert worth in 1..100 and needed >= 370
      assert {_, nil} = report.latency.overall.p99_us_ci
      assert [%{met: true, certain: nil}] = report.expectations
      {low, nil} = report.latency.overall.p99_us_ci
      wanted = ".report.latency.overall.p99_us_ci, .report.expectations[].certain"
      page = Http.get_jq(Http.port(harness), "/runs/#{report.run_id}", wanted)
      assert String.replace(page, ~r/\s+/, " ") =~ ~r/^\[ ?#{low || "null"}, ?null ?\] null$/
      assert Harness.call(harness, :show, [report.run_id]) =~ ~r/\n  WARNING  the run was too short for max_p99_us: 100 op/
    end

    # A pause of the run's own is as it was to be.
    test "is none where a fault has made operations slow", %{harness: harness, target: target} do
      chaos = %{action: {:suspend, 300}, after_ms: 700}
      scenario = %{target: target, load: %{rate: 500, duration_ms: 2_000}, operations: [:get], chaos: chaos}
      asked = Map.merge(scenario, %{performance_expectations: [max_p90_us: 60_000_000], call_timeout_ms: 10_000})
      assert {:ok, report} = Harness.run(harness, asked)
      assert {_, nil} = report.latency.overall.p90_us_ci
      refute Enum.any?(kinds(report), &(&1 in [:run_too_short, :verdict_uncertain]))
      assert [%{met: true, certain: nil}] = report.expectations
    end
  end

  # The limit of the second run is the median of the first: of 2,000 operations that take some whole number of ms the
  # interval is wide enough to have it in it, and if not, the next run says so.
  test "a verdict that chance may have decided", %{harness: harness, peer: peer} do
    target = Recorder.start(peer)
    mix = for ms <- 1..20, do: %{weight: 1, op: {:hold, ms}}
    scenario = %{target: target, load: %{threads: 20, iterations: 20}, mix: mix}

    try_for = fn limit ->
      result = Harness.run(harness, Map.put(scenario, :performance_expectations, max_p50_us: limit))
      {_, report} = report(result, harness)
      {report, Enum.find(report.warnings, &(&1.warning == :verdict_uncertain))}
    end

    {report, warning} =
      Enum.reduce_while(1..20, 10_000, fn _, limit ->
        case try_for.(limit) do
          {report, nil} -> {:cont, report.latency.overall.p50_us}
          found -> {:halt, found}
        end
      end)

    assert [%{certain: false, limit: limit, measured: measured, met: met}] = report.expectations
    assert %{expectation: :max_p50_us, low: low, high: high} = warning
    assert {low, high} == report.latency.overall.p50_us_ci
    assert low <= limit and limit <= high and met == measured <= limit
    assert warning.message =~ "max_p50_us was #{if met, do: "met", else: "missed"}, and may be otherwise next time"
    assert Harness.call(harness, :show, [report.run_id]) =~ ~r/^  (met|MISSED)  +max_p50_us .* not certain$/m
  end

  test "events had no room", %{target: target} do
    harness = Harness.start(config: %{"limits" => %{"events" => 10}})
    assert {:ok, report} = Harness.run(harness, %{target: target, threads: [List.duplicate(:get, 15)]})
    assert [%{warning: :events_dropped, count: 5}] = report.warnings
    assert report.metrics.events_dropped == 5
  end

  describe "a daemon that was itself too late" do
    setup %{target: target} do
      {:ok, harness: Harness.start(), target: target}
    end

    # Its arrivals come each 10 ms: it knows that it should have been there for them.
    test "says so of a load that was to go on", %{harness: harness, target: target} do
      scenario = %{target: target, load: %{rate: 100, duration_ms: 2_000}, operations: [:get]}
      id = Runs.start(harness, scenario)
      Wait.until("operations", fn -> Runs.status(harness, id).operations > 20 end)
      stand_still(harness, 200)
      assert {:ok, report} = Runs.await(harness, id)
      assert %{busy: busy, late_ms: late_ms, message: message} = warning(report, :client_bound)
      assert is_float(busy) and busy > 0 and busy < 1
      assert late_ms >= 150
      assert message =~ ~r/^this daemon was busy for \d+ % of the load and late for #{late_ms} ms of it, /
      assert Harness.call(harness, :show, [report]) =~ "\n  WARNING  this daemon was busy for "
      _ = Harness.wait_for_log(harness, ~r/run has a warning run=#{id} warning=client_bound/)
      # Nothing was kept from being sent.
      refute :rate_not_reached in kinds(report)
    end

    # A tenth of the operations was to be sent meanwhile: the p99 is the daemon's own.
    test "says how much of the p99 is its own", %{harness: harness, target: target} do
      scenario = %{target: target, load: %{rate: 500, duration_ms: 2_000}, operations: [:get]}
      id = Runs.start(harness, scenario)
      Wait.until("operations", fn -> Runs.status(harness, id).operations > 100 end)
      stand_still(harness, 200)
      assert {:ok, report} = Runs.await(harness, id)
      assert %{p99_us: p99, sending_us: sending, reading_us: reading, message: message} = warning(report, :client_bound)
      assert p99 == report.latency.overall.p99_us
      assert sending > 100_000 and sending <= p99 and reading >= 0
      assert message =~ "of the p99 of #{p99} us up to #{sending + reading} us are its own, #{sending} us in sending"
      assert message =~ ~r/: (leave it a processor|have fewer threads)/
    end

    test "says so of a rate that it had no time for", %{harness: harness, target: target} do
      scenario = %{target: target, load: %{rate: 100, duration_ms: 1_000}, operations: [:get]}
      id = Runs.start(harness, scenario)
      Wait.until("operations", fn -> Runs.status(harness, id).operations > 20 end)
      stand_still(harness, 1_200)
      assert {:ok, report} = Runs.await(harness, id)
      assert %{arrivals: 100, dropped: 0, reason: :daemon, begun_per_s: begun} = warning(report, :rate_not_reached)
      assert begun < 90.0
      assert warning(report, :rate_not_reached).message =~ "as this daemon had no time for them"
      assert warning(report, :client_bound).late_ms >= 1_000
    end

    # Nothing is due but that it looks at its gauges, each 100 ms.
    test "says so of a load that waits", %{harness: harness, target: target} do
      id = Runs.start(harness, Runs.held(target, :waits))
      from = Runs.await_held(:waits)
      stand_still(harness, 400)
      Runs.release(from)
      assert {:ok, report} = Runs.await(harness, id)
      assert warning(report, :client_bound).late_ms >= 250
    end

    defp stand_still(harness, milliseconds) do
      OsProcess.signal(harness.process, "STOP")
      Process.sleep(milliseconds)
      OsProcess.signal(harness.process, "CONT")
    end
  end

  describe "a rate beyond what could be sent" do
    setup %{peer: peer} do
      {:ok, slow: Recorder.start(peer)}
    end

    test "is told when arrivals had no room", %{harness: harness, slow: slow} do
      load = %{rate: 200, duration_ms: 500, max_in_flight: 1, max_queued: 1}
      report = Loads.run(harness, slow, load, [{:hold, 50}], %{call_timeout_ms: 10_000})
      assert %{arrivals: 100, dropped: dropped, begun: begun, message: message} = warning(report, :rate_not_reached)
      assert %{asked_per_s: 200.0, begun_per_s: begun_per_s, reason: :max_in_flight} = warning(report, :rate_not_reached)
      assert begun_per_s == begun / 0.5
      assert message =~ "of 100 arrivals, 200 a second, #{begun} have begun in the time of the load, "
      assert message =~ "as all that max_in_flight allows were under way"
      assert dropped == report.metrics.dropped and dropped > 80
      # The one that has waited at the end begins after it.
      assert begun in (99 - dropped)..(100 - dropped)
    end

    test "is told when they have waited too long", %{harness: harness, slow: slow} do
      load = %{rate: 100, duration_ms: 500, max_in_flight: 1}
      report = Loads.run(harness, slow, load, [{:hold, 20}], %{call_timeout_ms: 10_000})
      assert %{arrivals: 50, dropped: 0, begun: begun} = found = warning(report, :rate_not_reached)
      assert found.reason == :max_in_flight
      assert begun in 1..26
    end

    test "is none where there was room", %{harness: harness, slow: slow} do
      report = Loads.run(harness, slow, %{rate: 100, duration_ms: 500}, [{:hold, 50}])
      refute :rate_not_reached in kinds(report)
    end
  end

  describe "a message beyond limits.frame_bytes" do
    setup %{target: target} do
      {:ok, small: Harness.start(config: %{"limits" => %{"frame_bytes" => 65_536}}), target: target}
    end

    test "is why operations have failed", %{small: small, target: target, peer: peer} do
      script = [:get, {:make, :bytes, 200_000}, :get]
      assert {:ok, report} = Harness.run(small, %{target: target, threads: [script]})
      node = peer.node
      assert [{:ok, _}, {:error, {:message_too_large, 65_536}}, {:ok, _}] = Enum.map(report.events, & &1.result)
      found = warning(report, :message_too_large)
      assert %{limit: :frame_bytes, key: "limits.frame_bytes", nodes: [^node], times: 1, operations: 1} = found
      assert found.message =~ "messages of #{node} were larger than limits.frame_bytes"
      _ = Harness.wait_for_log(small, ~r/run has a warning run=#{report.run_id} warning=message_too_large/)
    end

    test "may be what a hook has given", %{small: small, peer: peer} do
      node = peer.node
      scenario = %{setup: {:binary, :copy, ["x", 200_000]}, threads: [[:get]], hooks_node: node}
      assert {:error, {:setup_failed, {:message_too_large, 65_536}}} = Harness.run(small, scenario)
      [%{run_id: id} | _] = Harness.call(small, :runs)
      assert {:ok, report} = Harness.call(small, :partial, [id])
      assert %{nodes: [^node], times: 1, operations: 0} = warning(report, :message_too_large)
    end
  end

  defp warning(report, kind) do
    assert [warning] = Enum.filter(report.warnings, &(&1.warning == kind))
    warning
  end

  test "one-shot runs tell of them, as text, as JSON and in JUnit", %{peer: peer} do
    junit = Path.join(Support.temporary_folder(), "junit.xml")
    file = Once.file(%{"target" => "nobody_of_that_name", "threads" => [[erlang("get")]]})
    assert {1, text, _} = Once.run(file, peer.node, ["--junit", junit])
    assert text =~ ~r/\ARun \d+: failed.*\n  WARNING  no operation has succeeded/
    assert File.read!(junit) =~ ~r/<system-out>Run \d+: failed.*\n  WARNING  no operation has succeeded/
    assert {1, json, _} = Once.run(file, peer.node, ["--json"])
    assert Http.jq(json, ".report.warnings[0].warning") == ~s("nothing_succeeded")
  end
end
