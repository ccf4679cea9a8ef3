defmodule ConservationTest do
  @moduledoc """
  Over random loads with random faults and ends nothing is lost and nothing counted twice: what has begun has
  succeeded, failed or is unfinished, arrivals have begun or were dropped, and events, threads, response times,
  the timeline, the metrics and the server itself count the same. A seed is a run; a failed one names it.
  """
  use ClusterCase

  @runs String.to_integer(System.get_env("CONSERVATION_RUNS") || "200")
  @first String.to_integer(System.get_env("CONSERVATION_SEED") || "1")

  setup_all do
    harness =
      Harness.start(config: Map.merge(Http.config(), %{"access" => %{"chaos" => %{"allow" => ["*"]}}}))

    {:ok, harness: harness, port: Http.port(harness), peer: Peer.start()}
  end

  defp pick(list), do: Enum.random(list)
  defp chance(share), do: :rand.uniform() < share

  # --- What is made up ---

  @plain [:a, {:call, :b}, {:cast, :c}, {:"$cast", :d}, {:"$send", :e}, {:hold, 3}]

  defp operations do
    customs = [
      {:custom, fn _ -> :ok end},
      {:custom, fn _ -> raise "boom" end},
      {:custom, fn _ -> exit(:bang) end},
      {:custom, fn _ -> throw(:ball) end}
    ]

    for _ <- 1..Enum.random(1..5), do: pick(@plain ++ customs ++ [{:"$sleep", 2}, :never])
  end

  defp load do
    case Enum.random(1..4) do
      1 -> %{threads: Enum.random(1..5), iterations: Enum.random(1..20)}
      2 -> %{threads: Enum.random(1..5), duration_ms: Enum.random(20..300), think_ms: Enum.random(1..5)}
      3 -> %{rate: pick([50, 200, 500]), duration_ms: pick([60, 100, 240])}
      4 -> %{rate: 500, duration_ms: 200, max_in_flight: Enum.random(1..3), max_queued: Enum.random(0..5)}
    end
  end

  defp faults do
    if chance(0.5),
      do: [],
      else:
        for(
          _ <- 1..Enum.random(1..2),
          do: %{
            action:
              pick([
                {:suspend, 20},
                {:inject_crash, :immediate},
                {:garbage_collect, []},
                {:flood, [count: 50]}
              ]),
            after_ms: Enum.random(5..100)
          }
        )
  end

  defp scenario(target) do
    what =
      if chance(0.3),
        do: %{threads: for(_ <- 1..Enum.random(1..4), do: operations())},
        else: %{load: load(), operations: operations()}

    Map.merge(what, %{
      target: target,
      events: :all,
      call_timeout_ms: pick([20, 60, 1000]),
      seed: Enum.random(1..1_000_000),
      chaos: faults(),
      performance_expectations: pick([[], [max_error_rate: 1.0], [max_error_rate: 0.3, max_p99_us: 50_000]])
    })
    |> Map.reject(fn {key, value} -> key == :chaos and value == [] end)
  end

  # How it ends: by itself, cancelled, or with what it was for.
  defp ending(scenario) do
    case Enum.random(1..10) do
      n when n <= 6 ->
        {:itself, scenario}

      n when n <= 8 ->
        {:cancelled, scenario}

      9 ->
        {:aborted,
         Map.merge(scenario, %{
           warmup_ms: 20,
           abort_when: [:max_error_rate],
           performance_expectations: [max_error_rate: 0.3]
         })}

      10 ->
        {:hooks_lost, scenario}
    end
  end

  # --- Running it ---

  defp run(:itself, harness, scenario) do
    id = Runs.start(harness, scenario)
    {id, Runs.await(harness, id)}
  end

  defp run(:aborted, harness, scenario), do: run(:itself, harness, scenario)

  defp run(:cancelled, harness, scenario) do
    id = Runs.start(harness, scenario)
    Process.sleep(Enum.random(1..150))
    _ = Harness.call(harness, :cancel, [id])
    {id, Runs.await(harness, id)}
  end

  defp run(:hooks_lost, harness, scenario) do
    away = Peer.start()
    id = Runs.start(harness, Map.merge(scenario, %{hooks_node: away.node, invariant: {:erlang, :is_pid, []}}))
    Process.sleep(Enum.random(1..100))
    Peer.kill(away)
    {id, Runs.await(harness, id)}
  end

  defp metrics(port) do
    sums = Http.metrics(port)

    sum = fn name ->
      for({key, value} <- sums, key == name or String.starts_with?(key, name <> "{"), do: value) |> Enum.sum()
    end

    for name <- ~w(operations operation_errors dropped)a, into: %{} do
      {name, trunc(sum.("harnessd_#{metric(name)}_total"))}
    end
  end

  defp metric(:operations), do: "operations"
  defp metric(:operation_errors), do: "operation_errors"
  defp metric(:dropped), do: "arrivals_dropped"

  # --- What has to agree ---

  defp sleeps(report), do: Enum.count(report.events, &match?({:"$sleep", _}, &1.operation))

  defp assert_agreement(report, counted) do
    %{metrics: metrics} = report
    if report.threads != [] and Map.has_key?(hd(report.threads), :operations), do: Loads.assert_sums(report)
    counted_events = Enum.reject(report.events, &match?({:"$sleep", _}, &1.operation))
    assert metrics.events_dropped == 0
    assert length(counted_events) == metrics.total_operations
    failed = Enum.count(counted_events, &match?({:error, _}, &1.result))
    assert failed == metrics.operation_errors
    assert report.errors |> Map.values() |> Enum.sum() == failed
    assert report.error_samples |> Enum.map(& &1.count) |> Enum.sum() == failed
    assert report.threads |> Enum.map(& &1.errors) |> Enum.sum() == failed
    assert report.timeline |> Enum.map(& &1.operations) |> Enum.sum() == metrics.total_operations
    assert report.timeline |> Enum.map(& &1.dropped) |> Enum.sum() == metrics.dropped
    timeline_errors = for interval <- report.timeline, {_, count} <- interval.errors, do: count
    assert Enum.sum(timeline_errors) == failed

    assert counted == %{
             operations: metrics.total_operations,
             operation_errors: failed,
             dropped: metrics.dropped
           }
  end

  # Of an open load that was not cut short, each arrival.
  defp assert_arrivals(report, %{load: %{rate: rate, duration_ms: ms}}, :itself) do
    %{metrics: metrics} = report
    all = metrics.total_operations + metrics.unfinished + metrics.dropped + sleeps(report)
    assert_in_delta all, rate * ms / 1000, 1.01
  end

  defp assert_arrivals(_, _, _), do: :ok

  # Where nothing was done to it, it has seen all that has ended, and at most what is unfinished more.
  defp assert_server_agrees(report, target, %{chaos: _}), do: {report, target}

  defp assert_server_agrees(report, target, _) do
    kinds = [:call, :cast, :"$cast", :"$send"]
    sent = Enum.count(report.events, &(is_tuple(&1.operation) and elem(&1.operation, 0) in kinds))
    # What was written at the end is still on its way.
    Wait.until("what was sent", fn -> length(Recorder.messages(target)) >= sent end)
    assert length(Recorder.messages(target)) <= sent + report.metrics.unfinished
  end

  @tag timeout: 900_000
  test "whatever happens", %{harness: harness, port: port, peer: peer} do
    for seed <- @first..(@first + @runs - 1) do
      :rand.seed(:exsss, seed)
      target = Recorder.start(peer)
      {ending, scenario} = ending(scenario(target))
      before = metrics(port)

      try do
        {id, result} = run(ending, harness, scenario)
        assert {:ok, report} = Harness.call(harness, :partial, [id])
        counted = Map.merge(metrics(port), before, fn _, now, then -> now - then end)
        assert_agreement(report, counted)
        if match?({:ok, _}, result), do: assert(report.metrics.unfinished == 0)

        assert_arrivals(
          report,
          scenario,
          if(match?({:error, {:nodedown, _}}, result), do: :cut, else: ending)
        )

        assert_server_agrees(report, target, scenario)
      rescue
        error in ExUnit.AssertionError ->
          reraise %{
                    error
                    | message:
                        "seed #{seed}, #{ending}, #{inspect(Map.drop(scenario, [:target]))}: #{error.message}"
                  },
                  __STACKTRACE__
      end
    end
  end
end
