defmodule KernelClockTest do
  @moduledoc "By which clock service times are, and which operations have none."
  use ClusterCase

  # The environment of a daemon that is shown another wall clock than its kernel has.
  defp faked(offset) do
    [
      {"LD_PRELOAD", hd(Path.wildcard("/usr/lib/*/faketime/libfaketimeMT.so.1"))},
      {"FAKETIME", offset},
      {"FAKETIME_DONT_FAKE_MONOTONIC", "1"},
      {"ASAN_OPTIONS", System.get_env("ASAN_OPTIONS", "") <> ":verify_asan_link_order=0"}
    ]
  end

  defp now_us, do: System.monotonic_time(:microsecond)

  defp wait_until_us(us), do: Wait.until("time to pass", fn -> now_us() >= us end, 60_000)

  test "is the kernel's, over a new connection too" do
    harness = Harness.start()
    target = Peer.start_server(Peer.start(), Recorder)
    report = Loads.run(harness, target, %{threads: 4, iterations: 500}, [:a])
    assert report.latency.service.clock == :kernel
    assert report.latency.service.excluded == 0
    assert report.latency.service.overall.count == 2_000
    refute Enum.any?(report.warnings, &(&1.warning == :service_excluded))
  end

  test "and does not have the time in which the daemon does not read" do
    harness = Harness.start()
    target = Peer.start_server(Peer.start(), Recorder)
    Loads.run(harness, target, %{threads: 1, iterations: 20}, [:a])
    begun_us = now_us()
    # Nothing else comes over the connection, as it would with a load: the kernel makes one of what waits.
    scenario = %{target: target, threads: [[{:hold, 500}]], timeout_ms: 60_000, call_timeout_ms: 60_000}
    run = start_run(harness, scenario)
    Wait.until("the call", fn -> Recorder.messages(target) |> List.last() == {:hold, 500} end)
    OsProcess.signal(harness.process, "STOP")
    Wait.until("the answer", fn -> match?(%{open: 0}, :sys.get_state(target)) end)
    took_us = now_us() - begun_us
    wait_until_us(begun_us + 3 * took_us)
    OsProcess.signal(harness.process, "CONT")
    assert {:ok, report} = Task.await(run, 60_000)
    assert report.latency.service.clock == :kernel

    for latency <- [report.latency, report.latency.service] do
      assert latency.overall.count == 1
      assert latency.overall.max_us >= 500_000
      assert latency.overall.max_us < 2 * took_us
    end
  end

  test "is the loop's where the daemon is shown another one" do
    target = Peer.start_server(Peer.start(), Recorder)

    for offset <- ["-15d", "+15d", "-1"] do
      harness = Harness.start(env: faked(offset))
      report = Loads.run(harness, target, %{threads: 4, iterations: 500}, [{:hold, 1}])
      assert report.latency.service.clock == :loop, "with #{offset}"
      # The times are as true as those that the daemon has read by itself.
      assert report.latency.service.overall.min_us >= 900
      assert report.latency.service.overall.count == 2_000
      assert report.metrics.operation_errors == 0
    end
  end

  defp status(harness, id), do: Harness.call(harness, :status, [id])

  test "excludes what is sent while its node takes no more" do
    harness = Harness.start()
    peer = Peer.start()
    target = Peer.start_server(peer, Recorder)
    os_pid = to_string(Peer.call(peer, :os, :getpid, []))
    on_exit(fn -> System.cmd("kill", ["-CONT", os_pid], stderr_to_stdout: true) end)
    Loads.run(harness, target, %{threads: 1, iterations: 20}, [:a])
    message = {:bytes, :binary.copy("x", 16_384)}
    load = %{threads: 2_000, iterations: 10}
    scenario = Loads.scenario(target, load, [message], %{call_timeout_ms: 60_000, events: :none})
    {:ok, id} = Harness.call(harness, :start, [scenario])
    Wait.until("calls to be answered", fn -> status(harness, id).operations > 0 end)
    {_, 0} = System.cmd("kill", ["-STOP", os_pid])
    Wait.until("all to be under way", fn -> status(harness, id)[:in_flight] == 2_000 end)
    {_, 0} = System.cmd("kill", ["-CONT", os_pid])
    assert {:ok, %{latency: latency} = report} = Harness.call(harness, :await, [id], 120_000)
    assert report.metrics.operation_errors == 0
    assert latency.overall.count == 20_000 and latency.start_delay.count == 20_000
    assert latency.service.excluded > 0
    assert latency.service.overall.count + latency.service.excluded == 20_000
    assert %{excluded: excluded, operations: 20_000} = Enum.find(report.warnings, &(&1.warning == :service_excluded))
    assert excluded == latency.service.excluded
  end
end
