defmodule ServiceTest do
  @moduledoc "The daemon as a service: what it tells systemd, and how it takes its credential."
  use ClusterCase

  defp start(options \\ []) do
    manager = ServiceManager.start()
    env = ServiceManager.env(manager) ++ Keyword.get(options, :env, [])
    {manager, Harness.start(Keyword.put(options, :env, env))}
  end

  test "it is ready when it is registered, and not before" do
    manager = ServiceManager.start()
    port = Epmd.free_port()
    config = %{"epmd" => %{"port" => port}}
    harness = Harness.start(config: config, env: ServiceManager.env(manager), ready: false)
    assert %{"STATUS" => status} = told = ServiceManager.next(manager)
    assert status == "waiting for epmd on port #{port}"
    refute told["READY"]
    epmd = Epmd.start(port, Path.join(harness.folder, "epmd"))
    ExUnit.Callbacks.on_exit(fn -> Epmd.kill(epmd) end)
    assert ServiceManager.next(manager) == %{"READY" => "1"}

    assert ServiceManager.next_with(manager, "STATUS")["STATUS"] =~
             "#{harness.node}: 0 runs, 0 nodes connected"
  end

  test "what it is at" do
    {manager, harness} = start()
    ServiceManager.next_with(manager, "READY")
    target = Peer.start_server(Peer.start(), Subject)
    run = start_run(harness, %{target: target, threads: [[{:tell, self(), :begun}]], timeout_ms: 30_000})
    assert_receive {:told, _, from, :begun}, 10_000

    Wait.until("a status with the run", fn ->
      ServiceManager.next_with(manager, "STATUS")["STATUS"] =~ ": 1 runs, 2 nodes connected"
    end)

    GenServer.reply(from, :done)
    Task.await(run)
  end

  test "reloading, whether it goes well or not" do
    {manager, harness} = start()
    ServiceManager.next_with(manager, "READY")

    for {change, log} <- [{%{"shutdown_ms" => 1_000}, "changed=1"}, {%{"nope" => 1}, "not reloaded"}] do
      assert Harness.reload(harness, change) =~ log
      assert %{"RELOADING" => "1", "MONOTONIC_USEC" => now} = ServiceManager.next_with(manager, "RELOADING")
      assert String.to_integer(now) > 0
      assert ServiceManager.next_with(manager, "READY") == %{"READY" => "1"}
    end
  end

  test "stopping, and for how long it may" do
    {manager, harness} = start(config: %{"shutdown_ms" => 40_000})
    ServiceManager.next_with(manager, "READY")
    Harness.terminate(harness)
    told = ServiceManager.next_with(manager, "STOPPING")
    assert told == %{"STOPPING" => "1", "EXTEND_TIMEOUT_USEC" => "45000000"}
    assert Harness.await_exit(harness) == 0
  end

  test "it is alive twice in the watchdog's time, and not when its loop stands still" do
    {manager, harness} = start(env: [{"WATCHDOG_USEC", "400000"}])
    for _ <- 1..10, do: assert(ServiceManager.next_with(manager, "WATCHDOG", 2_000))
    assert rate(manager, 1_000) in 2..7

    OsProcess.signal(harness.process, "STOP")
    # What it had told before, and then nothing.
    drain(manager)
    assert ServiceManager.next(manager, 1_000) == {:error, :timeout}
    OsProcess.signal(harness.process, "CONT")
    assert ServiceManager.next_with(manager, "WATCHDOG", 2_000)
  end

  defp rate(manager, milliseconds), do: rate(manager, System.monotonic_time(:millisecond) + milliseconds, 0)

  defp rate(manager, deadline, count) do
    ServiceManager.next_with(manager, "WATCHDOG", 2_000)
    if System.monotonic_time(:millisecond) < deadline, do: rate(manager, deadline, count + 1), else: count
  end

  defp drain(manager), do: if(is_map(ServiceManager.next(manager, 200)), do: drain(manager))

  test "a watchdog of another process is none of its own" do
    {manager, _} = start(env: [{"WATCHDOG_USEC", "200000"}, {"WATCHDOG_PID", "1"}])
    ServiceManager.next_with(manager, "READY")
    assert Enum.all?(1..2, fn _ -> not match?(%{"WATCHDOG" => _}, ServiceManager.next(manager, 500)) end)
  end

  test "a socket that nobody has harms nobody" do
    harness = Harness.start(env: [{"NOTIFY_SOCKET", "/nonexistent/notify"}, {"WATCHDOG_USEC", "100000"}])
    Harness.wait_for_log(harness, ~r/warning cannot tell the service manager/)
    Harness.assert_alive(harness)
  end

  test "the cookie is a credential, with the mode that systemd gives it" do
    folder = Support.temporary_folder()
    file = Path.join(folder, "cookie")
    File.write!(file, Atom.to_string(Node.get_cookie()))
    File.chmod!(file, 0o440)
    arguments = ["--cookie-file", file]
    harness = Harness.start(arguments: arguments, env: [{"CREDENTIALS_DIRECTORY", folder}])
    assert Node.ping(harness.node) == :pong

    refused = Harness.start(arguments: arguments, ready: false)
    assert Harness.await_exit(refused) == 2
    assert Harness.log(refused) =~ "#{file} has mode 0440"
  end

  test "lines have a priority when the journal reads them" do
    folder = Support.temporary_folder()
    log = Path.join(folder, "journal")
    File.write!(log, "")
    %File.Stat{inode: inode, major_device: device} = File.stat!(log)

    harness = Harness.start(config: %{"log" => %{"level" => "debug"}})
    config = Path.join(harness.folder, "harnessd.json")

    process =
      OsProcess.start([Harness.executable(), "--config", config, "--name", "#{Harness.unique_node()}"], log, [
        {"JOURNAL_STREAM", "#{device}:#{inode}"}
      ])

    Wait.until("readiness", fn -> File.read!(log) =~ "ready node=" end)
    OsProcess.signal(process, "TERM")
    assert OsProcess.await_exit(process) == 0
    for line <- String.split(File.read!(log), "\n", trim: true), do: assert(line =~ ~r/^<[3467]>20/)
  end
end
