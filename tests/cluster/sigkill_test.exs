defmodule SigkillTest do
  @moduledoc """
  A daemon that is killed at any moment of its runs: whatever it has acknowledged is there after its restart, each
  finished report whole, each run that it did not finish listed as interrupted with what it had journalled.
  """
  use ClusterCase

  @kills 50
  @at_once 3

  # So many of them come when a run has gone on for several journals.
  @late_kills 10
  @moduletag timeout: 600_000

  test "#{@kills} times at random moments" do
    folder = Support.temporary_folder()

    config = %{
      "state_dir" => folder,
      "retention" => %{"count" => 1_000},
      "journal_ms" => 100,
      "access" => %{"chaos" => %{"allow" => ["exhaust"]}},
      "log" => %{"level" => "info"}
    }

    harness = Harness.start(config: config)
    peer = Peer.start(arguments: ["-hidden"])
    subject = Peer.start_server(peer, Subject)

    {_, known, journalled} =
      for kill <- 1..@kills, reduce: {harness, %{}, []} do
        {harness, known, journalled} ->
          late = if rem(kill, div(@kills, @late_kills)) == 0, do: start_long(harness, subject, folder)
          known = Map.merge(known, kill_amid_runs(harness, subject))
          known = if late, do: Map.put_new(known, late, nil), else: known
          journals = journals(folder)
          if late, do: assert(journals[late] > 0)
          harness = Harness.restart(harness)
          known = Map.new(known, fn {id, acknowledged} -> {id, check(harness, id, acknowledged)} end)
          for {id, operations} <- journals, do: assert_journalled(known[id], operations)
          if late, do: assert_late(harness, late)
          {harness, known, Enum.uniq(Map.keys(journals) ++ journalled)}
      end

    kinds = Enum.frequencies_by(known, fn {_, {kind, _}} -> kind end)
    IO.puts("\n#{@kills} kills: #{inspect(kinds)}, #{length(journalled)} with a journal")
    # Both kinds have been met, or the moments were badly chosen.
    assert %{finished: finished, interrupted: interrupted} = kinds
    assert finished > @kills / 2 and interrupted > @kills / 2
    assert length(journalled) >= @late_kills
    assert Path.wildcard(Path.join(folder, "**/*.damaged")) == []
  end

  # What is known of each run by then: the result, when the daemon has given it, or nil.
  defp kill_amid_runs(harness, subject) do
    # To connect is no part of the moments.
    Harness.assert_alive(harness)

    starters =
      for _ <- 1..@at_once do
        scenario = %{
          target: subject,
          load: %{threads: 3, duration_ms: 20 + :rand.uniform(180), think_ms: 1},
          operations: [{:add, {:"$int", 1, 6}}, {:echo, {:"$bytes", 100}}],
          events: :all
        }

        test = self()
        spawn(fn -> start_and_await(harness, scenario, test) end)
      end

    Process.sleep(:rand.uniform(350))
    Harness.kill(harness)
    for starter <- starters, do: await_end(starter)
    collect(%{})
  end

  # The id of a run that several journals of are written by now, all but the first amid a fault that is held.
  defp start_long(harness, subject, folder) do
    {:ok, id} =
      Harness.call(harness, :start, [
        %{
          target: subject,
          load: %{threads: 2, duration_ms: 600_000, think_ms: 5},
          operations: [{:add, 1}],
          chaos: [%{action: {:exhaust, :ets_tables, [count: 1, duration_ms: 600_000]}, after_ms: 50}]
        }
      ])

    held? = fn -> match?({:ok, %{injections: [%{amount: 1}]}}, Harness.call(harness, :partial, [id])) end
    Wait.until("its fault to be held", held?)

    for _ <- 1..3, reduce: 0 do
      before -> Wait.until("another journal of run #{id}", fn -> more(journals(folder)[id], before) end)
    end

    id
  end

  defp more(operations, before), do: if(operations != nil and operations > before, do: operations)

  # The runs that have been journalled, with the operations that are in the report of the journal; a run that was
  # begun only has nil there.
  defp journals(folder) do
    for file <- Path.wildcard(Path.join(folder, "runs/*.running")),
        {:ok, bytes} <- [File.read(file)],
        {_summary, %{run_id: id, metrics: %{total_operations: operations}}} <- [:erlang.binary_to_term(bytes)],
        into: %{},
        do: {id, operations}
  end

  # It may also have finished, and been killed before its journal was removed; and a run whose id was on the way
  # to us is not known here.
  defp assert_journalled({:interrupted, {:error, {:interrupted, report}}}, operations),
    do: assert(report.metrics.total_operations == operations)

  defp assert_journalled({:finished, _}, _), do: :ok
  defp assert_journalled(nil, _), do: :ok

  defp assert_late(harness, id) do
    assert {:ok, held} = Harness.call(harness, :partial, [id])
    assert_held(held)
    shown = Harness.call(harness, :show, [id])
    assert shown =~ ~r/interrupted.*NOT KNOWN/s
    refute shown =~ "NOT UNDONE"
  end

  # It was held, and nothing is claimed of what has become of it.
  defp assert_held(%{injections: [injection], healed: nil}),
    do: assert(%{kind: :exhaust, outcome: :under_way, amount: 1, undone: nil} = injection)

  defp start_and_await(harness, scenario, test) do
    {:ok, id} = Harness.call(harness, :start, [scenario])
    send(test, {:started, id})
    send(test, {:result, id, Harness.call(harness, :await, [id])})
  catch
    # The daemon is gone.
    _, _ -> :ok
  end

  defp await_end(pid) do
    monitor = Process.monitor(pid)

    receive do
      {:DOWN, ^monitor, _, _, _} -> :ok
    end
  end

  defp collect(known) do
    receive do
      {:started, id} -> collect(Map.put(known, id, nil))
      {:result, id, result} -> collect(Map.put(known, id, {:finished, result}))
    after
      0 -> known
    end
  end

  # What the daemon says of a run is what it has said before, and stays so from now on.
  defp check(harness, id, before) do
    status = Harness.call(harness, :status, [id])
    result = Harness.call(harness, :report, [id])
    assert id in Enum.map(Harness.call(harness, :runs), & &1.run_id)

    found =
      case result do
        # Short ones on a busy machine: it ended before the first call was answered.
        {:error, {:load_failed, :nothing_succeeded}} ->
          {:finished, result}

        {:ok, report} ->
          assert report.run_id == id
          assert length(report.events) == report.metrics.total_operations
          {:finished, result}

        {:error, {:interrupted, partial}} ->
          assert partial == nil or partial.run_id == id
          {:interrupted, result}
      end

    assert elem(found, 0) == status.state
    if before, do: assert(found == before)
    found
  end
end
