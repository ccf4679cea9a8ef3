defmodule ExplainSeenTest do
  @moduledoc "Causes are told only as far as they were seen: what looks like one and is another, or nobody's."
  use ClusterCase

  # A machine that is busy with something else has causes of its own; what is looked for is looked for again.
  @tries 6

  setup do
    {:ok, peer: Peer.start()}
  end

  # A report that has it, of several runs.
  defp find(run, is_so) do
    reports = Enum.find_value(1..@tries, fn _ -> with report <- run.(), true <- is_so.(report), do: report end)
    reports || flunk("none was so")
  end

  defp run(harness, scenario), do: run(harness, scenario, fn -> :nothing end)

  # With what is done meanwhile.
  defp run(harness, scenario, meanwhile) do
    base = %{operations: [:get], call_timeout_ms: 5_000, explain: true}
    run = start_run(harness, Map.merge(base, scenario))
    meanwhile.()
    assert {:ok, report} = Task.await(run, 60_000)
    report
  end

  # Of the time of slow operations.
  defp share(%{explain: %{causes: causes}}, names) do
    all = causes |> Enum.map(& &1.us) |> Enum.sum()
    us = for %{cause: cause, us: us} <- causes, cause in names, do: us
    if all == 0, do: 0.0, else: Enum.sum(us) / all
  end

  test "a server that is swamped is not one whose node stands still", %{peer: peer} do
    harness = Harness.start()
    target = Peer.start_server(peer, Slow)
    scenario = %{target: target, load: %{threads: 1_000, duration_ms: 1_000}}
    report = find(fn -> run(harness, scenario) end, &(share(&1, [:node_paused]) < 0.1))
    assert report.explain.operations > 100
  end

  test "many slow servers do not have this daemon stand still, nor their node", %{peer: peer} do
    harness = Harness.start()
    targets = for _ <- 1..40, do: Peer.start_server(peer, Slow)
    scenario = %{target: targets, load: %{threads: 40, duration_ms: 8_000}, operations: [{:sleep, 15}]}
    wrong = [:node_paused, :scheduled_out, :daemon, :network]

    is_right = fn report ->
      share(report, wrong) < 0.05 and not Enum.any?(report.warnings, &match?(%{warning: :client_bound}, &1))
    end

    report = find(fn -> run(harness, scenario) end, is_right)
    assert report.explain.operations > 1_000
  end

  test "a wire that delays is not a node that stands still", %{peer: peer} do
    [name, _] = peer.node |> to_string() |> String.split("@")
    {:port, port, _} = :erl_epmd.port_please(to_charlist(name), {127, 0, 0, 1})
    {own, wire} = SlowWire.start(port)
    harness = Harness.start(config: %{"peers" => [%{"node" => "#{peer.node}", "port" => own}]})
    target = Peer.start_server(peer, Slow)
    scenario = %{target: target, load: %{rate: 200, duration_ms: 2_000}}

    delay = fn ->
      Process.sleep(700)
      SlowWire.delay(wire, 30)
      Process.sleep(600)
      SlowWire.delay(wire, 0)
    end

    report = find(fn -> run(harness, scenario, delay) end, &(share(&1, [:node_paused, :network, :handler, :scheduled_out]) < 0.1))
    assert share(report, [:unknown]) > 0.8
    assert length(for(%{service_us: us} <- report.slowest, us > 50_000, do: us)) > 10
  end

  test "what has never begun has no time of its own", %{peer: peer} do
    harness = Harness.start(config: %{"limits" => %{"custom" => 5}})
    target = Peer.start_server(peer, Slow)
    operation = {:custom, &GenServer.call(&1, {:sleep, 300}, 60_000)}

    scenario = %{
      target: target,
      load: %{rate: 100, duration_ms: 1_000},
      operations: [operation],
      call_timeout_ms: 400,
      timeout_ms: 1_500,
      performance_expectations: [max_error_rate: 1.0]
    }

    assert {_, report} = Harness.run(harness, Map.put(scenario, :explain, true), 60_000)
    assert report.latency.start_delay.max_us <= report.latency.overall.max_us
    for one <- report.slowest, do: assert(one.service_us <= report.latency.overall.max_us)
    assert_unknown(report)
  end

  # What is not known has its part as everything else.
  defp assert_unknown(%{explain: %{causes: causes}}) do
    all = causes |> Enum.map(& &1.us) |> Enum.sum()
    for %{cause: :unknown, us: us, share: share} <- causes, do: assert(share >= us / max(all, 1) - 0.001)
  end

  test "a flood that was worked through is not blamed for what comes later", %{peer: peer} do
    harness = Harness.start()
    target = Peer.start_server(peer, Slow)

    scenario = %{
      target: target,
      load: %{rate: 200, duration_ms: 1_500},
      chaos: %{action: {:flood, [count: 1, message: :nothing]}, after_ms: 300}
    }

    sleep = fn ->
      Process.sleep(900)
      :ok = Peer.call(peer, GenServer, :call, [target, {:sleep, 150}, 60_000])
    end

    is_told = fn report -> match?(%{causes: [%{cause: :handler} | _]}, hd(report.slowest)) end
    report = find(fn -> run(harness, scenario, sleep) end, is_told)
    details = for %{causes: causes} <- report.slowest, %{cause: :handler, detail: detail} <- causes, do: detail
    assert details != [] and Enum.all?(details, &is_list/1)
  end
end
