defmodule Loads do
  @moduledoc "What the tests of generated load look at in its reports."
  import ExUnit.Assertions

  @doc "Runs a load against a target, with all its events, and gives the report."
  def run(harness, target, load, operations, options \\ %{}) do
    assert {:ok, report} = result(harness, target, load, operations, options)
    assert_sums(report)
    report
  end

  @doc "The same, whatever comes of it."
  def result(harness, target, load, operations, options \\ %{}) do
    Harness.run(harness, scenario(target, load, operations, options), 120_000)
  end

  @doc "An option for a load of which nothing may succeed."
  def allow_failure, do: %{performance_expectations: [max_error_rate: 1.0]}

  def scenario(target, load, operations, options \\ %{}) do
    scenario = %{target: target, load: load, operations: operations, events: :all}
    scenario = Map.merge(scenario, Map.new(options))
    if scenario[:mix], do: Map.delete(scenario, :operations), else: scenario
  end

  @doc "What holds for every report of a load."
  def assert_sums(%{metrics: metrics} = report) do
    sum = fn list, key -> list |> Enum.map(& &1[key]) |> Enum.sum() end
    assert sum.(report.threads, :operations) == metrics.total_operations
    assert sum.(report.threads, :errors) == metrics.operation_errors
    assert sum.(report.timeline, :operations) == metrics.total_operations
    assert sum.(report.timeline, :dropped) == metrics.dropped
    assert report.errors |> Map.values() |> Enum.sum() == metrics.operation_errors
    assert_latency_counts(report)
    assert length(report.threads) == metrics.thread_count
    assert Enum.map(report.threads, & &1.thread) == Enum.to_list(0..(metrics.thread_count - 1))
  end

  # Whatever is answered has one response time, among the good or among those that failed fast; each kept event
  # but those of sleeps is an operation.
  defp assert_latency_counts(%{latency: latency, metrics: metrics, events: events}) do
    times = latency.overall.count + latency.failed.overall.count
    assert times <= metrics.total_operations
    assert latency.service.overall.count + latency.service.excluded == latency.overall.count

    for %{overall: overall, operations: operations} <- [latency, latency.service, latency.failed],
        do: assert(operations |> Map.values() |> Enum.map(& &1.count) |> Enum.sum() == overall.count)

    counted = Enum.reject(events, &match?({:"$sleep", _}, &1.operation))
    answered = Enum.reject(counted, &match?({kind, _} when kind in [:"$cast", :"$send"], &1.operation))
    if length(counted) == metrics.total_operations, do: assert(length(answered) == times)
  end

  @doc "When the operation of an event was to start, in us since the load began."
  def start_us(event), do: event.timestamp_us - event.duration_us

  @doc "The intended starts of all operations, in order."
  def starts_us(report), do: report.events |> Enum.map(&start_us/1) |> Enum.sort()

  @doc "The events of each thread in the order of its steps."
  def by_thread(report) do
    report.events
    |> Enum.group_by(& &1.thread)
    |> Map.new(fn {thread, events} -> {thread, Enum.sort_by(events, & &1.step)} end)
  end

  @doc "What each thread has done, step by step, without any time."
  def operations(report) do
    for {thread, events} <- by_thread(report), into: %{} do
      {thread, Enum.map(events, &{&1.step, &1.operation})}
    end
  end

  @doc "How many threads are busy, by intended start, in `[from, to)` ms."
  def threads_between(report, from, to) do
    for(event <- report.events, div(start_us(event), 1000) in from..(to - 1), do: event.thread)
    |> Enum.uniq()
    |> Enum.sort()
  end

  @doc "Operations that start in `[from, to)` ms."
  def starts_between(report, from, to),
    do: Enum.count(report.events, &(start_us(&1) >= from * 1000 and start_us(&1) < to * 1000))

  @doc "The values of one key over the timeline, without the unknown ones."
  def gauge(report, key), do: for(%{^key => value} <- report.timeline, value != nil, do: value)
end
