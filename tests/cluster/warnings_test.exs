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
    assert Harness.log(harness) =~ ~r/target cannot be reached run=#{report.run_id} target=\S+ reason=noproc/
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

  test "events had no room", %{target: target} do
    harness = Harness.start(config: %{"limits" => %{"events" => 10}})
    assert {:ok, report} = Harness.run(harness, %{target: target, threads: [List.duplicate(:get, 15)]})
    assert [%{warning: :events_dropped, count: 5}] = report.warnings
    assert report.metrics.events_dropped == 5
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
