defmodule Verdicts do
  @moduledoc "How a run stands, as each way out has it: the word, and whether there is a reason."
  import ExUnit.Assertions

  @outcomes [:completed, :missed, :failed, :cancelled, :interrupted, :not_run]

  @doc "A daemon that tells in all ways, with a folder of scenarios; a subscriber to all of its runs."
  def start(config \\ %{}) do
    state = Support.temporary_folder()

    {harness, folder} =
      Files.start(config: Http.config() |> Map.merge(%{"state_dir" => state}) |> Map.merge(config))

    assert Harness.call(harness, :subscribe, [:all]) == :ok
    %{harness: harness, folder: folder, state: state, port: Http.port(harness)}
  end

  @doc "How many runs the metrics have counted, by their outcome."
  def counted(port) do
    metrics = Http.metrics(port)

    for o <- @outcomes,
        into: %{},
        do: {o, trunc(metrics[~s(harnessd_runs_finished_total{outcome="#{o}"})] || 0)}
  end

  @doc """
  Has `act` make one run end, and gives what each way out tells of it: `%{outcome: word, ways: %{way => word}}`,
  the words being one, with the id and the answer.
  """
  def of_run(daemon, act) do
    %{harness: harness, port: port} = daemon
    before = counted(port)
    answer = act.(harness)
    [%{run_id: id} = listed | _] = Harness.call(harness, :runs)
    assert_receive {:harness_event, ^id, [:harness, :run, :stop], _, told}, 30_000
    [_, logged] = Harness.wait_for_log(harness, ~r/run finished run=#{id} outcome=(\S+)/)
    [_, why] = Regex.run(~r/run finished run=#{id} outcome=\S+ reason=("[^"]*"|\S*)/, Harness.log(harness))
    status = Runs.status(harness, id)
    [counted] = for {o, count} <- counted(port), count > before[o], do: o
    file = Path.join([daemon.state, "runs", "#{id}.json"])
    Wait.until("the file of run #{id}", fn -> File.exists?(file) end)
    json = File.read!(file)
    page = Http.get(port, "/runs/#{id}") |> elem(2)

    ways = %{
      status: status.outcome,
      runs: listed.outcome,
      subscription: told.outcome,
      log: String.to_atom(logged),
      metrics: counted,
      file: word(json),
      page: word(page),
      list: port |> Http.get_jq("/runs", ".[0].outcome") |> unquoted(),
      show: harness |> Harness.call(:show, [id]) |> headline()
    }

    reasons = %{
      status: status.reason,
      log: unquoted_text(why),
      subscription: told.reason,
      file: Http.jq(json, ".reason")
    }

    %{id: id, answer: answer, outcome: one_word(ways), ways: ways, reasons: reasons}
  end

  defp one_word(ways) do
    assert [word] = ways |> Map.values() |> Enum.uniq(), "not one word: #{inspect(ways)}"
    word
  end

  @doc "The same of `harnessd run`: what its status, its files and its text tell."
  def of_once(file, connect, arguments \\ [], env \\ []) do
    folder = Support.temporary_folder()
    [junit, json] = for name <- ["junit.xml", "report.json"], do: Path.join(folder, name)
    # Of an earlier run, which went well.
    File.write!(junit, ~s(<testsuites tests="1" failures="0" errors="0"/>))
    File.write!(json, ~s({"outcome":"completed"}))
    files = ["--junit", junit, "--json=#{json}"]
    {status, _, _} = Once.run(file, connect, files ++ arguments, env)
    of_files(status, json, junit)
  end

  @doc "What the files of `harnessd run` tell beside its status."
  def of_files(status, json, junit) do
    text = File.read!(json)
    word = word(text)
    xml = File.read!(junit)
    assert status == exit_status(word), "status #{status} of #{word}"
    [_, failures, errors] = Regex.run(~r/failures="(\d+)" errors="(\d+)"/, xml)
    bad = String.to_integer(failures) + String.to_integer(errors)
    assert bad > 0 == (word != :completed), "JUnit has #{bad} failures of #{word}"
    [_, said] = Regex.run(~r/<system-out>Run[^:]*: (.*)/, xml)
    assert headline("Run: " <> said) == word

    %{
      outcome: word,
      reason: Http.jq(text, ".reason"),
      run_id: Http.jq(text, ".run_id"),
      junit: xml,
      json: text
    }
  end

  @doc """
  Whether all ways out have `outcome` for a row of a table, as a run of the daemon and as one of the program, each with
  a scenario of its own: what is wrong. `arguments` are for the program.
  """
  def judge(daemon, peer, what, outcome, scenario, arguments \\ []) do
    described = scenario.()
    file = Files.write(daemon.folder, described)
    seen = of_run(daemon, &Harness.run(&1, file))
    once = of_once(Once.file(scenario.()), peer.node, arguments)

    # The answer of scripts of which nothing has succeeded is that of the library.
    silent = match?({:ok, _}, seen.answer)

    for {way, found, wanted} <- [
          {:daemon, seen.outcome, outcome},
          {:once, once.outcome, outcome},
          {:answer, not silent or described["threads"] != nil, true},
          {:reason, Enum.all?(Map.values(seen.reasons), &(&1 not in [nil, "", "null"])), true},
          {:once_reason, once.reason != "null", true}
        ],
        found != wanted,
        do: {what, way, found, wanted, seen.reasons, once.reason}
  rescue
    error in ExUnit.AssertionError -> [{what, Exception.message(error)}]
  end

  defp exit_status(:completed), do: 0
  defp exit_status(:not_run), do: 2
  defp exit_status(_), do: 1

  defp word(json), do: json |> Http.jq(".outcome") |> unquoted()
  defp unquoted(json), do: json |> String.trim(~s(")) |> String.to_atom()
  defp unquoted_text(text), do: String.trim(text, ~s("))

  # What the first line of a text says behind the number.
  defp headline(text) do
    first = text |> String.split("\n") |> hd() |> String.replace(~r/^Run( \d+)?: /, "")

    case first do
      "completed" <> _ -> :completed
      "an expectation was missed" <> _ -> :missed
      "failed" <> _ -> :failed
      "cancelled" <> _ -> :cancelled
      "interrupted" <> _ -> :interrupted
      "not run" <> _ -> :not_run
      "a dry run with a problem" <> _ -> :not_run
      "a dry run" <> _ -> :completed
    end
  end
end
