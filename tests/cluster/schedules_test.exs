defmodule SchedulesTest do
  @moduledoc "Runs that start by themselves."
  use ClusterCase
  import Files, only: [erlang: 1]

  setup do
    peer = Peer.start()
    Peer.start_named(peer, Subject, :subject)
    folder = Support.temporary_folder()
    {:ok, peer: peer, folder: folder}
  end

  defp start(folder, schedules),
    do: Harness.start(config: %{"scenario_dir" => folder, "schedules" => schedules})

  defp smoke(peer, script \\ "get"),
    do: %{"target" => Files.target(peer, "subject"), "threads" => [[erlang(script)]]}

  defp schedules(harness), do: Harness.call(harness, :schedules)
  defp runs(harness), do: for(run <- Harness.call(harness, :runs), to_string(run.by) == "schedule", do: run)

  defp await(harness, what, fun),
    do: Wait.until(fn -> "#{what}: #{inspect(schedules(harness))}" end, fun, 20_000)

  # A time of the day some seconds from now, by the clock of this host.
  defp in_seconds(seconds) do
    {_, {hour, minute, second}} =
      :calendar.gregorian_seconds_to_datetime(
        :calendar.datetime_to_gregorian_seconds(:calendar.local_time()) + seconds
      )

    Enum.map_join([hour, minute, second], ":", &String.pad_leading(to_string(&1), 2, "0"))
  end

  test "a file is run every so often", %{peer: peer, folder: folder} do
    Files.write(folder, smoke(peer), "smoke")
    harness = start(folder, [%{"file" => "smoke", "every" => 1}])
    await(harness, "three runs", fn -> hd(schedules(harness)).started >= 3 end)

    assert [%{file: "smoke", every_s: 1, at: nil, overlap: false, failed: 0, missed: 0} = schedule] =
             schedules(harness)

    assert schedule.node == nil and schedule.next_in_s <= 1
    assert schedule.next_at =~ ~r/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/
    assert {:ok, report} = Harness.call(harness, :await, [schedule.last_run_id])
    assert result(report) == {:ok, 0}
    runs = runs(harness)
    assert length(runs) >= 3
    for run <- runs, do: assert(%{name: "smoke", caller: nil} = run)
    # One a second, however late one is.
    [a, _, c | _] = runs |> Enum.map(& &1.accepted_at_ms) |> Enum.sort()
    assert c - a >= 1_000
    assert outcome_of(runs) == [:completed]
  end

  defp outcome_of(runs), do: Enum.uniq(for %{outcome: outcome} <- runs, outcome != nil, do: outcome)

  test "at a time of the day", %{peer: peer, folder: folder} do
    Files.write(folder, smoke(peer), "nightly")
    at = in_seconds(8)
    harness = start(folder, [%{"file" => "nightly.json", "at" => at}])
    shown = String.replace_suffix(at, ":00", "")
    assert [%{at: ^shown, every_s: nil, started: 0, last_run_id: nil}] = schedules(harness)
    await(harness, "its run", fn -> hd(schedules(harness)).started == 1 end)
    assert [%{last_run_id: id, next_in_s: next_in_s}] = schedules(harness)
    # That of the next day, which may be the one of a change of the clock.
    assert next_in_s > 22 * 3600 and next_in_s <= 25 * 3600
    assert {:ok, _} = Harness.call(harness, :await, [id])
  end

  test "names without a node are on the schedule's", %{peer: peer, folder: folder} do
    Files.write(folder, %{smoke(peer) | "target" => "subject"}, "here")

    harness =
      start(folder, [
        %{"file" => "here", "every" => 1, "node" => peer.node},
        %{"file" => "here", "every" => 1}
      ])

    await(harness, "a run of the one", fn -> hd(schedules(harness)).started > 0 end)
    await(harness, "a failure of the other", fn -> List.last(schedules(harness)).failed > 0 end)
    Harness.wait_for_log(harness, ~r/scheduled run cannot start file=here problem="target: needs a node/)
    assert List.last(schedules(harness)).started == 0
  end

  test "no run starts while the last one goes on, unless it may", %{peer: peer, folder: folder} do
    slow = Map.merge(smoke(peer, "never"), %{"call_timeout_ms" => 60_000, "timeout_ms" => 60_000})
    Files.write(folder, slow, "slow")
    Files.write(folder, Map.put(slow, "seed", 1), "beside")

    harness =
      start(folder, [
        %{"file" => "slow", "every" => 1},
        %{"file" => "beside", "every" => 1, "overlap" => true}
      ])

    await(harness, "two that were skipped", fn -> hd(schedules(harness)).skipped >= 2 end)
    await(harness, "two beside each other", fn -> List.last(schedules(harness)).started >= 2 end)
    assert [%{started: 1, last_run_id: id}, %{skipped: 0}] = schedules(harness)
    Harness.wait_for_log(harness, ~r/scheduled run is skipped, the last one goes on.* last_run=#{id}/)
    Harness.call(harness, :cancel, [id])
    await(harness, "the next run", fn -> hd(schedules(harness)).started == 2 end)
    for run <- runs(harness), do: Harness.call(harness, :cancel, [run.run_id])
  end

  test "a file is read anew each time, and what is wrong with it is logged", %{peer: peer, folder: folder} do
    Files.write(folder, Map.put(smoke(peer), "thread", 1), "smoke")
    harness = start(folder, [%{"file" => "smoke", "every" => 1}])

    # At once, and not only in the night.
    Harness.wait_for_log(harness, ~r/scheduled scenario is none file=smoke problem="thread: is not a key/)
    await(harness, "a failure", fn -> hd(schedules(harness)).failed >= 1 end)
    Harness.wait_for_log(harness, ~r/scheduled run cannot start file=smoke problem="thread: is not a key/)
    Files.write(folder, smoke(peer), "smoke")
    await(harness, "a run", fn -> hd(schedules(harness)).started >= 1 end)
    File.rm!(Path.join(folder, "smoke.json"))
    Harness.wait_for_log(harness, ~r/scheduled run cannot start file=smoke problem=".*smoke.json cannot be read/)
    Harness.assert_alive(harness)
  end

  test "a reload takes new ones, and lets those that stay go on", %{peer: peer, folder: folder} do
    Files.write(folder, smoke(peer), "smoke")
    Files.write(folder, smoke(peer), "other")
    harness = start(folder, [%{"file" => "smoke", "every" => 1}])
    await(harness, "a run", fn -> hd(schedules(harness)).started >= 1 end)

    config = %{
      harness.config
      | "schedules" => [%{"file" => "other", "every" => "1h"}, %{"file" => "smoke", "every" => 1}]
    }

    File.write!(Path.join(harness.folder, "harnessd.json"), Json.encode(config))
    OsProcess.signal(harness.process, "HUP")
    await(harness, "the new one", fn -> length(schedules(harness)) == 2 end)

    assert [%{file: "other", every_s: 3600, started: 0}, %{file: "smoke", started: started}] =
             schedules(harness)

    assert started >= 1

    File.write!(Path.join(harness.folder, "harnessd.json"), Json.encode(%{config | "schedules" => []}))
    OsProcess.signal(harness.process, "HUP")
    await(harness, "none", fn -> schedules(harness) == [] end)
  end

  test "a daemon that stops starts none", %{peer: peer, folder: folder} do
    Files.write(folder, smoke(peer), "smoke")
    harness = start(folder, [%{"file" => "smoke", "every" => 1}])
    await(harness, "a run", fn -> hd(schedules(harness)).started >= 1 end)
    Harness.stop(harness)
    refute Harness.log(harness) =~ "busy="
  end

  test "bad ones are problems of the configuration, with their path", %{folder: folder} do
    bad = [
      %{"file" => "../x", "every" => "soon"},
      %{"every" => 0, "nod" => "a@b"},
      %{"file" => 5, "at" => "25:00", "node" => "nowhere", "overlap" => 1},
      %{"file" => "smoke"},
      "smoke"
    ]

    file = Path.join(folder, "harnessd.json")

    check = fn config ->
      File.write!(file, Json.encode(Map.put(config, "node", %{"name" => "a@127.0.0.1"})))
      System.cmd(Harness.executable(), ["--check-config", file], stderr_to_stdout: true)
    end

    assert {output, 2} = check.(%{"schedules" => bad})

    for line <- [
          "schedules[0].file: ../x is not the name of a file in scenario_dir",
          "schedules[0].every: is neither seconds nor a text such as",
          "schedules[1]: has no file",
          "schedules[1].every: is neither seconds",
          "schedules[1].nod: unknown key (nearest: node)",
          "schedules[2].file: is not the name of a scenario file",
          "schedules[2].at: is not a time of the day",
          "schedules[2].node: nowhere has no @HOST",
          "schedules[2].overlap: is neither true nor false",
          "schedules[3]: has neither every nor at",
          "schedules[4]: is not an object",
          "schedules: need a scenario_dir"
        ],
        do: assert(output =~ line)

    good = [
      %{"file" => "a", "every" => "8h", "at" => "02:30", "//" => "nightly"},
      %{"file" => "b.json", "every" => 30}
    ]

    assert {_, 0} = check.(%{"schedules" => good, "scenario_dir" => folder})
    assert {output, 2} = check.(%{"schedules" => %{}})
    assert output =~ "schedules: is not a list of schedules"
  end
end
