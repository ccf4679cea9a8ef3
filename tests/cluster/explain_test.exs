defmodule ExplainTest do
  @moduledoc "Why operations were slow: each cause is brought about, and has to be told."
  use ClusterCase

  setup do
    peer = Peer.start()
    {:ok, harness: Harness.start(), peer: peer, target: Peer.start_server(peer, Slow)}
  end

  # A load that is quick but for what is done meanwhile; `slow` is done so often, with a rest in between.
  defp explain(harness, target, options, slow) do
    scenario = %{
      target: target,
      load: %{rate: 200, duration_ms: options[:duration_ms] || 2_000},
      operations: options[:operations] || [:get],
      call_timeout_ms: 5_000,
      explain: true
    }

    run = start_run(harness, Map.merge(scenario, Map.new(options[:scenario] || [])))
    Process.sleep(500)

    for _ <- 1..(options[:times] || 3) do
      slow.()
      Process.sleep(100)
    end

    assert {:ok, report} = Task.await(run, 60_000)
    assert_sums(report)
    report
  end

  # What holds of any report with causes.
  defp assert_sums(report) do
    times = Enum.map(report.slowest, & &1.service_us)
    assert times == Enum.sort(times, :desc)

    for %{at_ms: at, operation: _, thread: thread, service_us: us, causes: causes} <- report.slowest do
      assert is_integer(at) and is_integer(thread)
      assert causes |> Enum.map(& &1.us) |> Enum.sum() <= us
      assert Enum.map(causes, & &1.us) == causes |> Enum.map(& &1.us) |> Enum.sort(:desc)
      assert Enum.all?(causes, &(Map.keys(&1) == [:cause, :detail, :us]))
    end

    assert %{heartbeats: _, looks: _, lost: _, node_us: _, daemon_us: _} = report.explain.probes
  end

  # The first causes of operations that took longer than this, and those with the cause that was to be.
  defp slow(report, ms \\ 40), do: Enum.filter(report.slowest, &(&1.service_us > ms * 1_000))

  defp assert_cause(report, cause, ms \\ 40) do
    slow = slow(report, ms)
    found = for %{causes: [%{cause: ^cause} = first | _]} <- slow, do: first
    others = for %{causes: [%{cause: other} | _]} <- slow, other not in [cause, :unknown, :daemon], do: other
    assert found != [] and others == [], inspect(report.slowest, pretty: true)
    found
  end

  test "a process that is suspended", %{harness: harness, peer: peer, target: target} do
    report = explain(harness, target, [], fn -> Peer.call(peer, Slow, :suspend, [target, 150]) end)
    assert [%{detail: nil} | _] = assert_cause(report, :suspended)
    IO.inspect(report.explain)
    IO.inspect(hd(report.slowest))
    IO.puts(Harness.call(harness, :show, [report]))
  end
end
