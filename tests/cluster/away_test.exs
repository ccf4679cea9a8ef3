defmodule AwayTest do
  @moduledoc """
  What a daemon that is to run for weeks lives through: an epmd, peers or a disk that are away for a while, a clock
  that is set back. Runs go on, or end as the README says, and nothing that was acknowledged is lost.
  For `AWAY_SECONDS` (2); the long form is a minute: tests/bench/away.sh.
  """
  use ClusterCase

  @away_s String.to_integer(System.get_env("AWAY_SECONDS") || "2")
  @moduletag timeout: 60_000 + @away_s * 10_000

  defp started(harness, scenario) do
    assert {:ok, id} = Harness.call(harness, :start, [scenario])
    id
  end

  defp await(harness, id),
    do: Harness.call(harness, :await, [id, 60_000 + @away_s * 5_000], 120_000 + @away_s * 5_000)

  defp await_load(harness, id, operations \\ 1) do
    Wait.until(fn -> "the load of #{inspect(Harness.call(harness, :status, [id]))}" end, fn ->
      status = Harness.call(harness, :status, [id])
      status.state == :load and status.operations >= operations
    end)
  end

  defp load(target, ms, options \\ %{}) do
    Map.merge(
      %{
        target: target,
        load: %{threads: 10, duration_ms: ms, think_ms: 10},
        operations: [{:add, 1}],
        events: :none
      },
      options
    )
  end

  defp with_state(config \\ %{}), do: Map.merge(%{"state_dir" => Support.temporary_folder()}, config)

  test "an epmd that is away" do
    port = Epmd.free_port()
    log = Path.join(Support.temporary_folder(), "epmd.log")
    epmd = Epmd.start(port, log)
    on_exit(fn -> Epmd.kill(epmd) end)
    peer = Peer.start(env: [{"ERL_EPMD_PORT", "#{port}"}])
    harness = Harness.start(config: with_state(%{"epmd" => %{"port" => port}}))
    subject = Peer.start_server(peer, Subject)

    call = fn function, arguments ->
      Peer.call(peer, :erpc, :call, [harness.node, :harness, function, arguments])
    end

    {:ok, id} = call.(:start, [load(subject, @away_s * 1_000 + 2_000)])
    Epmd.kill(epmd)
    Process.sleep(@away_s * 1_000)
    assert %{state: :load, operation_errors: 0} = call.(:status, [id])
    again = Epmd.start(port, log)
    on_exit(fn -> Epmd.kill(again) end)
    Wait.until("the daemon to register again", fn -> Epmd.registered?(harness.node, port) end, 30_000)
    assert {:ok, report} = Peer.call(peer, :erpc, :call, [harness.node, :harness, :await, [id]], 120_000)
    assert report.metrics.operation_errors == 0
    assert report.metrics.total_operations > @away_s * 100
    # Who comes now finds it there.
    late = Peer.start(arguments: ["-hidden"], env: [{"ERL_EPMD_PORT", "#{port}"}])
    assert {:ok, ^report} = Peer.call(late, :erpc, :call, [harness.node, :harness, :report, [id]])
  end

  test "all peers that are away, and come back" do
    harness = Harness.start(config: with_state())
    stays = Peer.start(arguments: ["-hidden"])
    peer = Peer.start(name: Peer.unique("away"), arguments: ["-hidden"])
    Peer.start_named(peer, Subject, :subject)
    target = {:subject, peer.node}
    there = started(harness, load(target, @away_s * 1_000 + 6_000))
    elsewhere = started(harness, load(target, @away_s * 1_000 + 6_000, %{hooks_node: stays.node}))
    for id <- [there, elsewhere], do: await_load(harness, id)

    Peer.kill(peer)
    # Nobody is left to apply its hooks: it ends, with what it had.
    assert {:error, {:nodedown, node}} = await(harness, there)
    assert node == peer.node
    assert {:ok, %{metrics: %{total_operations: operations}}} = Harness.call(harness, :partial, [there])
    assert operations > 0

    Process.sleep(@away_s * 1_000)
    assert %{state: :load, operation_errors: errors} = Harness.call(harness, :status, [elsewhere])
    assert errors > 0
    back = Peer.restart(peer)
    Peer.start_named(back, Subject, :subject)
    assert {:ok, report} = await(harness, elsewhere)
    assert Map.keys(report.errors) -- [{:nodedown, peer.node}, :noproc] == []
    last = List.last(Enum.filter(report.timeline, &(&1.operations > 0)))
    assert last.errors == %{} and last.operations > 0
    ours = for id <- [there, elsewhere], do: Harness.call(harness, :report, [id])
    assert ours == [{:error, {:nodedown, peer.node}}, {:ok, report}]
  end

  @root match?({"0\n", 0}, System.cmd("id", ["-u"]))

  describe "a disk" do
    unless @root, do: @describetag(skip: "only root may mount a file system")

    setup do
      folder = Support.temporary_folder()
      {_, 0} = System.cmd("mount", ["-t", "tmpfs", "-o", "size=32m,mode=700", "tmpfs", folder])
      on_exit(fn -> {_, 0} = System.cmd("umount", ["--lazy", folder]) end)
      peer = Peer.start(arguments: ["-hidden"])
      {:ok, folder: folder, subject: Peer.start_server(peer, Subject)}
    end

    test "that is full, and has room again", %{folder: folder, subject: subject} do
      filler = Path.join(folder, "filler")
      assert_kept(folder, subject, fn -> fill(filler) end, fn -> File.rm!(filler) end)
    end

    test "that is read-only for a while", %{folder: folder, subject: subject} do
      remount = fn how -> {_, 0} = System.cmd("mount", ["-o", "remount,#{how}", folder]) end
      assert_kept(folder, subject, fn -> remount.("ro") end, fn -> remount.("rw") end)
    end
  end

  # Runs before the disk is away, while it is, and one that goes on meanwhile: each is answered, and each is there
  # after a restart once the disk is back.
  defp assert_kept(folder, subject, take_away, give_back) do
    harness = Harness.start(config: %{"state_dir" => folder})
    big = %{target: subject, threads: [for(n <- 1..2_000, do: {:echo, "#{n} " <> String.duplicate("x", 30)})]}
    before = started(harness, big)
    results = %{before => await(harness, before)}
    going = started(harness, load(subject, @away_s * 1_000))
    await_load(harness, going)

    take_away.()
    meanwhile = for _ <- 1..3, do: started(harness, big)
    results = for id <- [going | meanwhile], into: results, do: {id, await(harness, id)}
    for {_, result} <- results, do: assert({:ok, _} = result)
    for {id, result} <- results, do: assert(Harness.call(harness, :report, [id]) == result)
    Harness.wait_for_log(harness, ~r/store.*(No space|Read-only|full|read-only)/i)

    give_back.()

    Wait.until("all reports on disk", fn ->
      Enum.all?(
        Map.keys(results),
        &(Path.wildcard(Path.join(folder, "runs/#{&1}.{term,json}")) |> length() == 2)
      )
    end)

    Harness.kill(harness)
    harness = Harness.restart(harness)
    for {id, result} <- results, do: assert(Harness.call(harness, :report, [id]) == result)
  end

  # Until nothing more is taken.
  defp fill(file) do
    File.open!(file, [:append, :raw], fn device ->
      for size <- [65_536, 4_096, 256], do: fill(device, :binary.copy("x", size))
    end)
  end

  defp fill(device, bytes) do
    if :file.write(device, bytes) == :ok, do: fill(device, bytes)
  end

  test "a clock that is set back by an hour while it runs, and before it starts again" do
    clock = Path.join(Support.temporary_folder(), "clock")
    env = faked(clock, "+0")
    harness = Harness.start(config: with_state(), env: env)
    peer = Peer.start(arguments: ["-hidden"])
    subject = Peer.start_server(peer, Subject)
    first = started(harness, load(subject, 10))
    assert {:ok, first_report} = await(harness, first)
    going = started(harness, load(subject, 1_500))
    await_load(harness, going)
    File.write!(clock, "-3600")
    assert {:ok, report} = await(harness, going)
    assert report.metrics.duration_ms in 1_500..20_000
    assert report.latency.overall.max_us < 20_000_000
    assert Enum.sum(Enum.map(report.timeline, & &1.operations)) == report.metrics.total_operations
    later = started(harness, load(subject, 10))
    assert later > going
    assert {:ok, later_report} = await(harness, later)

    Harness.terminate(harness)
    assert Harness.await_exit(harness) == 0
    harness = Harness.restart(harness, env: env)
    assert Harness.log(harness) =~ Regex.compile!("^" <> hour_in(-1), "m")
    last = started(harness, load(subject, 10))
    assert last > later
    assert {:ok, _} = await(harness, last)

    for {id, report} <- [{first, first_report}, {going, report}, {later, later_report}] do
      assert Harness.call(harness, :report, [id]) == {:ok, report}
    end
  end

  # Three months that a clock is ahead of at the start make no report old.
  test "a clock that is far ahead when it starts" do
    clock = Path.join(Support.temporary_folder(), "clock")
    env = faked(clock, "+0")
    harness = Harness.start(config: with_state(), env: env)
    subject = Peer.start_server(Peer.start(arguments: ["-hidden"]), Subject)
    first = started(harness, load(subject, 10))
    assert {:ok, report} = await(harness, first)
    Harness.terminate(harness)
    assert Harness.await_exit(harness) == 0

    File.write!(clock, "+91d")
    harness = Harness.restart(harness, env: env)
    assert Harness.log(harness) =~ Regex.compile!("^" <> hour_in(91 * 24), "m")
    ahead = started(harness, load(subject, 10))
    assert {:ok, _} = await(harness, ahead)
    assert Harness.call(harness, :report, [first]) == {:ok, report}
    Harness.terminate(harness)
    assert Harness.await_exit(harness) == 0

    File.write!(clock, "+0")
    harness = Harness.restart(harness, env: env)
    assert Harness.call(harness, :report, [first]) == {:ok, report}
    assert Enum.map(Harness.call(harness, :runs), & &1.run_id) == [ahead, first]
  end

  # The environment of a daemon whose wall clock is off by what a file says.
  defp faked(clock, offset) do
    File.write!(clock, offset)

    [
      {"LD_PRELOAD", hd(Path.wildcard("/usr/lib/*/faketime/libfaketimeMT.so.1"))},
      {"FAKETIME_TIMESTAMP_FILE", clock},
      {"FAKETIME_NO_CACHE", "1"},
      {"FAKETIME_DONT_FAKE_MONOTONIC", "1"},
      {"ASAN_OPTIONS", System.get_env("ASAN_OPTIONS", "") <> ":verify_asan_link_order=0"}
    ]
  end

  # The date and hour that its log is to have.
  defp hour_in(hours) do
    DateTime.utc_now() |> DateTime.add(hours * 3600) |> DateTime.to_iso8601() |> String.slice(0, 13)
  end
end
