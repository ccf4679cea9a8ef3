defmodule SoakTest do
  @moduledoc """
  A run as in a staging cluster over night: a rate of calls at children of a supervisor, faults again and again,
  started by one node and awaited by another. What it takes stays what it is, the timeline is whole, and every
  expectation is judged. For `SOAK_SECONDS` (two minutes); tests/bench/soak.sh has it go on for half an hour. It is no
  part of the other tests: `sh tests/run.sh soak`, against a release build.
  """
  use ClusterCase

  @seconds String.to_integer(System.get_env("SOAK_SECONDS") || "120")
  @rate 2_000

  # Faults of three kinds in turn, each every minute; in a short soak every 20 s.
  @period_ms if @seconds >= 600, do: 60_000, else: 20_000
  # Nothing is compared before a sixth of the time, or 20 s, is over: pools and tables have filled by then.
  @settled_s max(20, div(@seconds, 6))
  # Of what is allocated, and for each fault: it is on record, and so are the calls that it made fail. The timeline's
  # intervals, which are at most 128, become longer: more of them have slow calls, for which their histograms are
  # larger. What the daemon has from its machine follows in larger pieces.
  @growth 0.03
  @fault_bytes 10_000
  @interval_bytes 4_000
  @piece_bytes 500_000

  @expectations [
    max_time_ms: @seconds * 1_000 + 30_000,
    max_memory_bytes: 200_000_000,
    max_reductions: 1_000_000_000,
    max_p50_us: 50_000,
    max_p90_us: 200_000,
    max_p95_us: 300_000,
    max_p99_us: 500_000,
    max_p999_us: 1_000_000,
    max_error_rate: 0.01,
    min_ops_per_s: @rate * 0.95,
    max_mailbox: 5_000,
    max_recovery_ms: 2_000
  ]

  @tag timeout: :infinity
  test "half a night" do
    harness =
      Harness.start(
        config: Map.merge(Http.config(), %{"state_dir" => Support.temporary_folder(), "log" => %{"level" => "info"}})
      )

    peer = Peer.start()
    for module <- [Trees, Trees.Supervisor, Trees.Worker], do: Peer.load(peer, module)
    names = for _ <- 1..3, do: String.to_atom(Peer.unique("worker"))
    supervisor = Peer.call(peer, Trees, :start, [:one_for_one, names, [max_restarts: 10_000]])

    starter = Peer.start(arguments: ["-hidden"])

    {:ok, id} =
      Peer.call(starter, :erpc, :call, [harness.node, :harness, :start, [scenario(peer, names, supervisor)]])

    Peer.stop(starter)

    samples = sample(harness, id, System.monotonic_time(:second), [])
    assert {:ok, report} = Harness.call(harness, :await, [id, 60_000])
    assert_flat(samples, length(report.injections) * @fault_bytes + length(report.timeline) * @interval_bytes)
    assert_whole(report)
    assert_expectations(report)
    assert_faults(report)
    assert Harness.call(harness, :report, [id]) == {:ok, report}
  end

  defp scenario(peer, names, supervisor) do
    times = div(@seconds * 1_000, @period_ms) - 1

    repeated = fn action, part ->
      Map.merge(action, %{after_ms: div(@period_ms * part, 3), every_ms: @period_ms, times: times})
    end

    %{
      target: for(name <- names, do: {name, peer.node}),
      load: %{rate: @rate, duration_ms: @seconds * 1_000, arrival: :poisson, max_in_flight: 5_000},
      mix: [
        %{weight: 8, op: {:add, {:"$int", 1, 6}}},
        %{weight: 1, op: {:echo, {:"$bytes", 100}}},
        %{weight: 1, op: {:call, :get}}
      ],
      chaos: [
        repeated.(%{action: {:inject_crash, :immediate, [reason: :kill]}, target: {:child, supervisor}}, 1),
        repeated.(%{action: {:suspend, 200}, target: {:child, supervisor}}, 2),
        repeated.(%{action: {:kill_children, [kill_rate: 0.5, duration_ms: 150]}, target: supervisor}, 3)
      ],
      performance_expectations: @expectations
    }
  end

  # What it takes while the run goes on, the last first.
  defp sample(harness, id, started, samples) do
    case Harness.call(harness, :status, [id]) do
      %{state: state} when state in [:load, :starting, :observing, :session, :setup, :planning, :queued] ->
        at = System.monotonic_time(:second) - started
        now = %{
          at: at,
          allocated: trunc(Harness.allocated(harness)),
          resident: Harness.memory(harness),
          descriptors: descriptors(harness),
          processes: Harness.call(harness, :info).processes
        }

        Process.sleep(500)
        sample(harness, id, started, [now | samples])

      _ ->
        samples
    end
  end

  # Files that are being written and callers that are being answered come and go: the least of a tenth of the time
  # counts.
  defp assert_flat(samples, recorded) do
    settled = samples |> Enum.filter(&(&1.at >= @settled_s)) |> Enum.reverse()
    assert length(settled) > @seconds / 2
    tenth = div(length(settled), 10)
    [first, last] = for part <- [Enum.take(settled, tenth), Enum.take(settled, -tenth)], do: least(part)
    parts = for part <- Enum.chunk_every(settled, tenth), do: least(part)

    for kind <- [:allocated, :resident] do
      kilobytes = Enum.map_join(parts, " ", &to_string(div(&1[kind], 1024)))
      IO.puts("\n#{kind} in KiB, each tenth of the time: #{kilobytes}")
    end

    IO.puts("#{@seconds} s: #{inspect(first)} at #{@settled_s} s, #{inspect(last)} at the end")
    most = first.allocated * @growth + recorded
    assert last.allocated - first.allocated <= most
    assert last.resident - first.resident <= most + @piece_bytes
    assert last.descriptors == first.descriptors
    assert last.processes == first.processes
  end

  defp least(samples) do
    for kind <- [:allocated, :resident, :descriptors, :processes], into: %{} do
      {kind, samples |> Enum.map(& &1[kind]) |> Enum.min()}
    end
  end

  defp descriptors(%Harness{process: process}), do: length(File.ls!("/proc/#{OsProcess.os_pid(process)}/fd"))

  defp assert_whole(report) do
    assert report.metrics.total_operations in round(@rate * @seconds * 0.98)..round(@rate * @seconds * 1.02)
    assert Enum.sum(Enum.map(report.timeline, & &1.operations)) == report.metrics.total_operations

    ends = for interval <- report.timeline, do: interval.at_ms + interval.interval_ms
    begins = for interval <- report.timeline, do: interval.at_ms
    assert begins == [0 | Enum.drop(ends, -1)]
    assert List.last(ends) >= @seconds * 1_000

    for interval <- report.timeline, interval.at_ms + interval.interval_ms <= @seconds * 1_000 do
      assert interval.operations > 0 and is_integer(interval.mailbox) and is_integer(interval.memory_bytes)
    end
  end

  defp assert_expectations(report) do
    for {name, limit} <- @expectations do
      assert [%{limit: ^limit, met: true, measured: measured}] =
               Enum.filter(report.expectations, &(&1.expectation == name))

      assert is_number(measured)
    end

    assert length(report.expectations) == length(@expectations)
  end

  defp assert_faults(report) do
    times = div(@seconds * 1_000, @period_ms) - 1
    counts = Enum.frequencies_by(report.injections, & &1.kind)
    assert %{inject_crash: ^times, suspend: ^times, kill_children: killed} = counts
    assert killed >= times
    assert Enum.all?(report.injections, &(&1.outcome == :ok))
    assert Enum.all?(report.injections, &(&1.kind != :suspend or &1.undone == true))
    assert report.healed == true
    marks = Enum.flat_map(report.timeline, & &1.marks)
    assert Enum.count(marks, &(&1.event == :injected)) == length(report.injections)
  end
end
