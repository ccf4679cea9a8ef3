defmodule ClusterCase do
  @moduledoc """
  What every file of tests starts with. `use ClusterCase` alone; with `shared: true` all tests of the file
  share one daemon (`harness`) and one plain BEAM node (`peer`).
  """
  defmacro __using__(options) do
    shared =
      if Keyword.get(options, :shared, false) do
        quote do
          setup_all do
            {:ok, harness: Harness.start(), peer: Peer.start()}
          end
        end
      end

    quote do
      use ExUnit.Case, async: false
      import ClusterCase
      unquote(shared)
    end
  end

  import ExUnit.Assertions

  @doc "The results of a report's events, a list for each thread."
  def results(report) do
    for thread <- report.threads, do: Enum.map(thread.events, & &1.result)
  end

  @doc "The one result of a report with one operation."
  def result(report) do
    assert [[result]] = results(report)
    result
  end

  @doc "Runs one script against a target and gives the results of its operations."
  def run_script(harness, target, script, options \\ %{}) do
    scenario = Map.merge(%{target: target, threads: [script]}, Map.new(options))
    assert {:ok, report} = Harness.run(harness, scenario)
    [results] = results(report)
    results
  end

  @doc "The problems of a scenario that is invalid."
  def problems(harness, scenario) do
    assert {:error, {:invalid_scenario, problems}} = Harness.call(harness, :validate, [scenario])
    assert {:error, {:invalid_scenario, ^problems}} = Harness.run(harness, scenario)

    for problem <- problems do
      assert %{path: path, problem: kind, message: message} = problem
      assert is_list(path) and is_atom(kind) and is_binary(message)
    end

    problems
  end

  @doc "Runs in the background; the answer comes with `Task.await/2`."
  def start_run(harness, scenario) do
    node = harness.node

    Task.async(fn -> :erpc.call(node, :harness, :run, [scenario], 120_000) end)
  end

  @doc "How many runs go on, as info() says."
  def running(harness), do: Harness.call(harness, :info).runs

  @doc "What erpc raises, as `{class, reason}`."
  def raised(fun) do
    {:returned, fun.()}
  catch
    class, reason -> {class, reason}
  end

  @doc "How long `fun` takes in ms, and what it gives."
  def timed(fun) do
    {microseconds, value} = :timer.tc(fun)
    {div(microseconds, 1000), value}
  end
end
