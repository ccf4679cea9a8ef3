defmodule DaysTest do
  @moduledoc """
  A week of what a shared daemon sees, sped up: runs one after the other, eight in all, that have faults and samples all
  the time, and beside them stored runs, subscribers and nodes that come and go, each of them by a name and with errors
  of its own, readers over HTTP, a schedule, configurations that are read again. A run has its faults on record, so that
  it takes more with each: what the daemon has allocated, and what it takes of its machine, is in the last run what it
  was in the third. `DAYS_SECONDS` (120) is how long `DAYS` (1) take. It is no part of the other tests:
  `sh tests/run.sh days`, against a release build.
  """
  use ClusterCase

  @seconds String.to_integer(System.get_env("DAYS_SECONDS") || "120")
  @hours 24 * String.to_integer(System.get_env("DAYS") || "1")
  @hour_ms @seconds * 1_000 / @hours

  # Each is of whole hours, so that they are compared hour by hour; from the third on what is kept by number, and the
  # most that was ever wanted at once, has been reached.
  @long_runs 8
  @baseline 3
  @kept_runs 60
  @heap_growth 0.05
  @resident_growth 0.05
  @descriptors_growth 2

  # So many of each in an hour.
  @per_hour [
    faults: 180,
    runs: 30,
    subscribers: 60,
    strangers: 60,
    reconnects: 20,
    readers: 360,
    mistakes: 60,
    reloads: 1
  ]

  @tag timeout: :infinity
  test "a week is as an hour" do
    peer = Peer.start(arguments: ["-hidden"])
    for module <- [Trees, Trees.Supervisor, Trees.Worker, Subject], do: Peer.load(peer, module)
    folder = Support.temporary_folder()
    Peer.start_named(peer, Subject, :days_subject)
    scheduled = %{"target" => Files.target(peer, "days_subject"), "threads" => [[Files.erlang("get")]]}
    Files.write(folder, scheduled, "hourly")

    config =
      Map.merge(Http.config(), %{
        "state_dir" => Support.temporary_folder(),
        "scenario_dir" => folder,
        "schedules" => [%{"file" => "hourly", "every" => max(1, round(@hour_ms / 1_000))}],
        # A day of retention is one of the clock, which none of these days is.
        "retention" => %{"count" => @kept_runs, "days_least" => 0},
        "access" => %{"chaos" => %{"allow" => ["*"]}},
        "log" => %{"level" => "info"}
      })

    # What threads keep of freed blocks for themselves counts as allocated: half a megabyte at most, slowly filled.
    harness = Harness.start(config: config, env: [{"GLIBC_TUNABLES", "glibc.malloc.tcache_count=0"}])

    days = %{
      harness: harness,
      peer: peer,
      port: Http.port(harness),
      caller: Peer.start(arguments: ["-hidden"])
    }

    Peer.load(days.caller, DaysCaller)
    long = long_run(peer)
    started = System.monotonic_time(:millisecond)
    runner = Task.async(fn -> for run <- 1..@long_runs, do: run_long(days, long, started, run) end)
    workers = for {what, count} <- Keyword.delete(@per_hour, :faults), do: work(days, what, count, started)
    samples = for hour <- 1..(@hours - 1), do: sample(days, started, hour)
    done = Enum.map(workers, &Task.await(&1, 60_000))
    {faults, floors} = runner |> Task.await(120_000) |> Enum.unzip()
    faults = Enum.sum(faults)
    print(samples, done, faults)
    assert faults > @per_hour[:faults] * @hours / 2
    assert_flat(samples, floors)
    for {what, planned, done} <- done, do: assert(done > planned * 0.8, "#{what}: the machine was too slow")
  end

  # On a machine that is slow, faults are left that were not done in time. Gives how many are on record, and
  # what is allocated once the run has ended, at the least: what a run takes while it goes on changes all the time.
  defp run_long(%{harness: harness} = days, scenario, started, run) do
    wait_until(started, (run - 1) * @hours / @long_runs * @hour_ms)
    {:ok, id} = Harness.call(harness, :start, [scenario])
    {outcome, _} = Harness.call(harness, :await, [id, :infinity], :infinity)
    true = outcome in [:ok, :error]
    {:ok, report} = Harness.call(harness, :partial, [id])
    looks = for _ <- 1..4, do: allocated_after(days, 150)
    {length(report.injections), Enum.min(looks)}
  end

  defp allocated_after(days, milliseconds) do
    Process.sleep(milliseconds)
    Http.metrics(days.port)["harnessd_heap_used_bytes"]
  end

  defp long_run(peer) do
    names = for _ <- 1..3, do: String.to_atom(Peer.unique("worker"))
    supervisor = Peer.call(peer, Trees, :start, [:one_for_one, names, [max_restarts: 100_000]])
    every = max(1, round(@hour_ms / @per_hour[:faults] * 3))

    fault =
      &%{
        action: &1,
        target: {:child, supervisor},
        every_ms: every,
        after_ms: &2 * div(every, 3),
        allow_missing: true
      }

    %{
      target: for(name <- names, do: {name, peer.node}),
      load: %{rate: 300, duration_ms: div(@seconds * 1_000, @long_runs) - 1_500, max_in_flight: 5_000},
      mix: [%{weight: 9, op: {:add, {:"$int", 1, 6}}}, %{weight: 1, op: {:echo, {:"$int", 1, 1_000_000_000}}}],
      mailbox: [sampling_interval: max(1, round(@hour_ms / 3_600))],
      chaos: [
        fault.({:inject_crash, :immediate, [reason: :kill]}, 0),
        fault.({:suspend, 2}, 1),
        fault.({:garbage_collect, []}, 2)
      ],
      performance_expectations: [max_error_rate: 1.0]
    }
  end

  # --- What happens again and again ---

  # Gives {what, how often it was to be, how often it was}.
  defp work(days, what, count, started) do
    planned = trunc(count * (@hours - 1))

    Task.async(fn ->
      ends = started + @hour_ms * (@hours - 1)

      done =
        Enum.count(1..planned, fn number ->
          wait_until(started, number * @hour_ms / count)
          in_time = System.monotonic_time(:millisecond) < ends + @hour_ms / 2
          if in_time, do: do_one(what, days, number)
          in_time
        end)

      {what, planned, done}
    end)
  end

  # Each by an operation and with an error of its own.
  defp do_one(:runs, days, number) do
    {:ok, target} = Peer.call(days.peer, :gen_server, :start, [Subject, [], []])
    name = "operation #{number}"

    scenario = %{
      target: target,
      threads: [
        [
          {:call, {:echo, number}, name: name},
          {:call, {:crash, {String.to_atom("reason_#{number}"), number}}}
        ]
      ],
      performance_expectations: [max_error_rate: 1.0]
    }

    Peer.call(days.caller, DaysCaller, :run, [days.harness.node, scenario])
  end

  defp do_one(:subscribers, days, _), do: Peer.call(days.caller, DaysCaller, :subscribe, [days.harness.node])

  # A node of a name that nobody has heard before; it has a caller, too.
  defp do_one(:strangers, days, number) do
    {:ok, node} =
      RawNode.connect(days.harness.port, name: "stranger_#{number}_#{Peer.unique("day")}@127.0.0.1")

    RawNode.close(node)
  end

  defp do_one(:reconnects, days, _) do
    Peer.call(days.caller, :erlang, :disconnect_node, [days.harness.node])
    Peer.call(days.caller, DaysCaller, :info, [days.harness.node])
  end

  defp do_one(:readers, days, number) do
    path = Enum.at(["/metrics", "/healthz", "/runs", "/runs/1", "/nothing_#{number}"], rem(number, 5))
    {_, _, _} = Http.get(days.port, path)
  end

  defp do_one(:mistakes, days, number) do
    wrong = %{:target => :nobody, String.to_atom("key_#{number}") => 1, :threads => [[{:echo, number}]]}
    Peer.call(days.caller, DaysCaller, :run, [days.harness.node, wrong])
    Peer.call(days.caller, DaysCaller, :apply, [days.harness.node, String.to_atom("function_#{number}")])
  end

  defp do_one(:reloads, days, _), do: OsProcess.signal(days.harness.process, "HUP")

  defp wait_until(started, at_ms) do
    left = started + round(at_ms) - System.monotonic_time(:millisecond)
    if left > 0, do: Process.sleep(left)
  end

  # --- What it takes ---

  # The least of some looks in an hour's time: answers and files that are being written come and go.
  defp sample(days, started, hour) do
    looks =
      for part <- 1..4 do
        wait_until(started, (hour - 1 + part / 4) * @hour_ms)
        metrics = Http.metrics(days.port)

        %{
          used: metrics["harnessd_heap_used_bytes"],
          held: metrics["harnessd_heap_held_bytes"],
          resident: Harness.memory(days.harness),
          descriptors: metrics["process_open_fds"]
        }
      end

    least =
      for key <- [:used, :held, :resident, :descriptors],
          into: %{},
          do: {key, looks |> Enum.map(& &1[key]) |> Enum.min()}

    Map.put(least, :hour, hour)
  end

  defp print(samples, done, faults) do
    kib = &String.pad_leading(to_string(div(round(&1), 1_024)), 12)
    IO.puts("\n#{@hours} hours in #{@seconds} s, KiB")
    IO.puts("  hour   allocated        held    resident  descriptors")

    for %{hour: hour} = sample <- samples,
        hour in [1, 2, 4, 8, 12, 16, 20] or rem(hour, 24) == 0 or hour == @hours - 1 do
      columns = Enum.map_join([sample.used, sample.held, sample.resident], "", kib)

      IO.puts(
        String.pad_leading("#{hour}", 6) <> columns <> String.pad_leading("#{round(sample.descriptors)}", 13)
      )
    end

    for {what, planned, done} <- done, do: IO.puts("#{what}: #{done} of #{planned}")
    IO.puts("faults: #{faults}")
  end

  defp assert_flat(samples, floors) do
    # The last hour ends after the samples.
    part = div(@hours, @long_runs)

    [first, last] =
      for run <- [@baseline, @long_runs],
          do: for(n <- 1..(part - 1), do: Enum.at(samples, (run - 1) * part + n - 1))

    IO.puts("allocated after each run, KiB: #{Enum.map_join(floors, " ", &to_string(div(round(&1), 1_024)))}")
    mean = fn values -> Enum.sum(values) / length(values) end
    of = fn samples, key -> mean.(Enum.map(samples, & &1[key])) end

    verdicts =
      for {what, before, now, share, more} <- [
            {"allocated after runs", mean.(Enum.slice(floors, 1, 3)), mean.(Enum.take(floors, -3)),
             @heap_growth, 0},
            {"resident", of.(first, :resident), of.(last, :resident), @resident_growth, 0},
            {"descriptors", of.(first, :descriptors), of.(last, :descriptors), 0, @descriptors_growth}
          ] do
        most = before * (1 + share) + more
        growth = Float.round((now / before - 1) * 100, 2)

        IO.puts(
          "#{what}: on average #{round(before)}, then #{round(now)} (#{growth} %), at most #{round(most)}"
        )

        now <= most
      end

    IO.puts(if Enum.all?(verdicts), do: "VERDICT: flat", else: "VERDICT: it grows")
    assert Enum.all?(verdicts)
  end
end
