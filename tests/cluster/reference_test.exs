defmodule ReferenceTest do
  @moduledoc "The reference's tables of keys have what the daemon answers with, and nothing else."
  use ClusterCase, shared: true

  @folder Path.expand("../../docs/reference", __DIR__)

  setup_all do
    %{report: page("report.md"), errors: page("errors.md"), api: page("api.md")}
  end

  # The names in the first column of the first table of each section, the title's among them.
  defp page(name) do
    Path.join(@folder, name)
    |> File.read!()
    |> String.split(~r/^#+ /m, trim: true)
    |> Map.new(fn section ->
      [heading | _] = String.split(section, "\n")
      {heading, names(section)}
    end)
  end

  defp names(section) do
    case Regex.run(~r/^\| [^\n]*\n\| ---[^\n]*\n((\|[^\n]*\n)+)/m, section) do
      [_, rows | _] -> for row <- String.split(rows, "\n", trim: true), name <- first_cell(row), do: name
      nil -> []
    end
  end

  defp first_cell(row) do
    [_, cell] = Regex.run(~r/^\| ([^|]*) \|/, row)
    for [_, name] <- Regex.scan(~r/`([^`]+)`/, cell), do: name
  end

  defp assert_keys(page, section, maps) do
    keys = maps |> List.wrap() |> Enum.flat_map(&Map.keys/1) |> Enum.uniq() |> Enum.map(&Atom.to_string/1)
    assert Enum.sort(page[section]) == Enum.sort(keys), "in the section #{section}: #{inspect(page[section])}, but #{inspect(keys)}"
  end

  defp scenario(peer) do
    %{
      target: Recorder.start(peer),
      mailbox: [sampling_interval: 10],
      performance_expectations: [max_error_rate: 1],
      chaos: [%{action: {:suspend, 100}, after_ms: 50}]
    }
  end

  test "keys of reports", %{harness: harness, peer: peer, report: page} do
    named = %{op: {:hold, 10}, name: :hold}
    script = Map.put(scenario(peer), :threads, [[{:hold, 10}, {:"$sleep", 200}, named]])
    assert {:ok, report} = Harness.run(harness, script)
    load = Map.merge(scenario(peer), %{load: %{threads: 1, duration_ms: 300}, operations: [named]})
    assert {:ok, of_load} = Harness.run(harness, load)

    for one <- [report, of_load] do
      assert_keys(page, "Reports", one)

      for key <- [:events, :metrics, :timeline, :expectations, :mailbox, :chaos, :injections, :performance],
          do: assert_keys(page, Atom.to_string(key), one[key])

      assert_keys(page, "latency", one.latency)
      assert_keys(page, "Figures of latencies", [one.latency.overall, one.latency.start_delay])
      assert_keys(page, "Marks", Enum.flat_map(one.timeline, & &1.marks))
    end

    assert_keys(page, "threads", report.threads ++ of_load.threads)
    assert [%{outcome: :ok}] = report.injections
  end

  test "keys of causes", %{harness: harness, peer: peer, report: page} do
    load = %{load: %{rate: 50, duration_ms: 300}, operations: [{:hold, 15}], explain: true}
    assert {:ok, report} = Harness.run(harness, Map.merge(scenario(peer), load))
    assert_keys(page, "slowest", report.slowest)
    assert_keys(page, "Causes", Enum.flat_map(report.slowest, & &1.causes))
    assert_keys(page, "Causes", Enum.flat_map(report.timeline, & &1.causes))
    assert_keys(page, "explain", report.explain)
    assert_keys(page, "What a cause has come to", report.explain.causes)
    assert_keys(page, "What it took", report.explain.probes)
  end

  test "keys of a dry run", %{harness: harness, peer: peer, report: page} do
    scenario = Map.merge(scenario(peer), %{threads: [[:hold]], dry_run: true})
    assert {:ok, report} = Harness.run(harness, scenario)
    assert_keys(page, "A dry run", report)
    assert_keys(page, "Actions of a dry run", report.chaos)
  end

  test "keys of problems", %{harness: harness, errors: page} do
    assert_keys(page, "Problems of a scenario", problems(harness, %{colour: :red}))
  end

  test "events of telemetry", %{harness: harness, peer: peer, report: page} do
    assert Harness.call(harness, :subscribe, [:all]) == :ok
    # The chaos that is told of is a hook; a scheduled one has its injections.
    scenario = Map.merge(scenario(peer), %{threads: [[{:hold, 10}]], chaos: fn _, _ -> :ok end})
    assert {:ok, %{run_id: id}} = Harness.run(harness, scenario)
    assert Harness.call(harness, :unsubscribe, [:all]) == :ok
    told = for [:supertester | _] = name <- events(id), uniq: true, do: inspect(name)
    assert Enum.sort(page["Telemetry"]) == Enum.sort(told)
  end

  defp events(id) do
    assert_receive {:harness_event, ^id, name, _, _}, 10_000
    if name == [:harness, :run, :stop], do: [], else: [name | events(id)]
  end

  test "keys of status, of info and of progress", %{harness: harness, peer: peer, api: page} do
    load = %{target: Recorder.start(peer), load: %{rate: 100, duration_ms: 60_000}, operations: [{:hold, 10}]}
    assert Harness.call(harness, :subscribe, [:all]) == :ok
    id = Runs.start(harness, load)
    assert_receive {:harness_event, ^id, [:harness, :run, :progress], progress, _}, 10_000
    assert_keys(page, "Measurements of progress", progress)
    under_way = Runs.status(harness, id)
    assert Harness.call(harness, :unsubscribe, [:all]) == :ok
    assert Harness.call(harness, :cancel, [id]) == :ok
    assert {:error, {:cancelled, _}} = Runs.await(harness, id)

    for status <- [under_way, Runs.status(harness, id)] do
      keys = page["What is known of a run"] ++ page["How a run stands"]
      assert Enum.sort(keys) == Enum.sort(for {key, _} <- status, do: Atom.to_string(key))
    end

    info = Harness.call(harness, :info)
    assert_keys(page, "Keys of info", info)
    assert_keys(page, "Keys of limits", info.limits)
    assert_keys(page, "Keys of counters, since the daemon has started", info.counters)
  end

  test "files of runs" do
    folder = Support.temporary_folder()
    harness = Harness.start(config: %{"state_dir" => folder})
    target = Recorder.start(Peer.start())
    id = Runs.start(harness, %{target: target, threads: [[{:"$sleep", 60_000}]]})
    under_way = kinds(folder, id)
    assert Harness.call(harness, :cancel, [id]) == :ok
    assert {:error, {:cancelled, _}} = Runs.await(harness, id)
    text = File.read!(Path.join(@folder, "files.md"))
    [section] = Regex.run(~r/^## Where runs are kept$.*?(?=^## )/ms, text)
    told = for [name] <- Regex.scan(~r/`(ID\.\w+|last_id)`/, section, capture: :all_but_first), do: name
    there = Enum.uniq(under_way ++ kinds(folder, id))
    assert Enum.sort(Enum.uniq(told)) == Enum.sort(there)
  end

  defp kinds(folder, id) do
    for name <- File.ls!(Path.join(folder, "runs")), do: String.replace(name, to_string(id), "ID")
  end
end
