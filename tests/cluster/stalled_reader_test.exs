defmodule StalledReaderTest do
  @moduledoc "Who reads what the daemon writes may stop to: the daemon does not."
  use ClusterCase

  # Standard error is a pipe that is full and that nobody reads. As both ends are ours, opening it waits for nobody.
  defp stalled(folder, descriptor \\ 2) do
    pipe = Path.join(folder, "pipe")
    {_, 0} = System.cmd("mkfifo", [pipe])
    {pipe, "exec #{descriptor}<>'#{pipe}'; head -c 65536 /dev/zero >&#{descriptor}"}
  end

  # Reads it from now on, and gives the file that it goes to.
  defp read(pipe) do
    file = pipe <> ".read"
    reader = OsProcess.start(["/bin/sh", "-c", "exec cat '#{pipe}'"], file)
    ExUnit.Callbacks.on_exit(fn -> OsProcess.signal(reader, "KILL") end)
    file
  end

  defp await_text(file, pattern) do
    Wait.until("#{inspect(pattern)} in #{file}", fn -> Regex.run(pattern, File.read!(file)) end, 30_000)
  end

  defp start_stalled(config \\ %{}) do
    {pipe, before} = stalled(Support.temporary_folder())
    port = Epmd.free_port()
    config = Map.merge(%{"http" => %{"listen" => "127.0.0.1:#{port}"}}, config)
    harness = Harness.start(config: config, wrap: Harness.after_commands(before), ready: false)
    Wait.until("the daemon", fn -> Node.ping(harness.node) == :pong end)
    {harness, pipe, port}
  end

  # More lines of problems than have room.
  defp flood(harness) do
    keys = for i <- 1..20_000, into: %{}, do: {"unknown_key_#{i}", String.duplicate("x", 20)}
    File.write!(Path.join(harness.folder, "harnessd.json"), Json.encode(Map.merge(harness.config, keys)))
    OsProcess.signal(harness.process, "HUP")
    Wait.until("lines to be lost", fn -> Harness.assert_alive(harness).counters.log_lines_lost > 0 end, 60_000)
  end

  describe "a stalled reader of the log" do
    test "stops nothing, is told what it missed, and what it did not is in order" do
      {harness, pipe, port} = start_stalled()
      target = Peer.start_server(Peer.start(), Subject)

      for _ <- 1..20 do
        assert {:ok, _} = Harness.run(harness, %{target: target, threads: [[:get]]})
        assert {200, _, _} = Http.get(port, "/healthz")
      end

      flood(harness)
      lost = Harness.assert_alive(harness).counters.log_lines_lost
      {200, _, metrics} = Http.get(port, "/metrics")
      assert metrics =~ "harnessd_log_lines_lost_total #{lost}\n"
      file = read(pipe)
      [_, told] = await_text(file, ~r/warning lines of the log were lost lines=(\d+)/)
      assert String.to_integer(told) >= lost
      assert File.read!(file) =~ ~r/ready node=.*run started.*run finished.*run started.*unknown_key_/s
      assert {:ok, %{run_id: id}} = Harness.run(harness, %{target: target, threads: [[:get]]})
      await_text(file, ~r/run finished run=#{id}/)
      OsProcess.signal(harness.process, "TERM")
      assert OsProcess.await_exit(harness.process) == 0
      await_text(file, ~r/stopping signal=TERM.*stopped\n/s)
    end

    test "keeps it from ending for a second at most" do
      {harness, _, _} = start_stalled()
      before = System.monotonic_time(:millisecond)
      OsProcess.signal(harness.process, "TERM")
      assert OsProcess.await_exit(harness.process) == 0
      assert System.monotonic_time(:millisecond) - before < 10_000
    end

    test "keeps nobody from being told in which way a configuration is wrong" do
      {_, before} = stalled(Support.temporary_folder())
      command = Harness.after_commands(before) ++ [Harness.executable(), "--config", "/nonexistent"]
      process = OsProcess.start(command, Path.join(Support.temporary_folder(), "log"))
      assert OsProcess.await_exit(process) == 2
    end
  end

  describe "of harnessd run" do
    setup do
      peer = Peer.start()
      Peer.start_named(peer, Subject, :subject)
      {:ok, peer: peer, folder: Support.temporary_folder()}
    end

    defp start_once(peer, before, folder, arguments \\ []) do
      file = Once.file(%{"target" => "subject", "threads" => [[Files.erlang("{add, 0}")]]})
      command = [Harness.executable(), "run", file, "--connect", "#{peer.node}"] ++ Once.tls() ++ arguments
      env = [{"HARNESSD_COOKIE", Atom.to_string(Node.get_cookie())}, {"ERL_EPMD_PORT", "#{Epmd.port()}"}]
      log = Path.join(folder, "log")
      process = OsProcess.start(Harness.after_commands(before) ++ command, log, env)
      ExUnit.Callbacks.on_exit(fn -> OsProcess.signal(process, "KILL") end)
      {process, log}
    end

    test "a stalled reader of progress keeps no report from anybody", %{peer: peer, folder: folder} do
      {_, before} = stalled(folder)
      json = Path.join(folder, "report.json")
      {process, log} = start_once(peer, before, folder, ["--log-level", "debug", "--json=#{json}"])
      assert OsProcess.await_exit(process) == 0
      assert File.read!(log) =~ ~r/^Run \d+: completed$/m
      assert Http.jq(File.read!(json), ".outcome") == ~s("completed")
    end

    test "a stalled reader of the report has it in the end, and no node waits for that", context do
      {pipe, before} = stalled(context.folder, 1)
      {process, _} = start_once(context.peer, before, context.folder)
      hidden = fn -> Peer.call(context.peer, :erlang, :nodes, [:hidden]) end
      Wait.until("the run", fn -> hidden.() != [] end)
      Wait.until("its node to leave", fn -> hidden.() == [] end)
      refute OsProcess.ended?(process)
      file = read(pipe)
      assert OsProcess.await_exit(process) == 0
      await_text(file, ~r/Run \d+: completed\n/)
    end

    test "one that never has it does not keep a signal from ending it", context do
      {_, before} = stalled(context.folder, 1)
      {process, _} = start_once(context.peer, before, context.folder)
      hidden = fn -> Peer.call(context.peer, :erlang, :nodes, [:hidden]) end
      Wait.until("the run", fn -> hidden.() != [] end)
      Wait.until("its node to leave", fn -> hidden.() == [] end)
      OsProcess.signal(process, "TERM")
      assert OsProcess.await_exit(process) == 128 + 15
    end
  end

  test "a service manager that does not read is told when it does" do
    manager = ServiceManager.start()
    ServiceManager.fill(manager)
    harness = Harness.start(env: [{"WATCHDOG_USEC", "100000"} | ServiceManager.env(manager)])
    Harness.assert_alive(harness)
    assert ServiceManager.next_with(manager, "READY") == %{"READY" => "1"}
    assert ServiceManager.next_with(manager, "STATUS")["STATUS"] =~ "runs"
    assert ServiceManager.next_with(manager, "WATCHDOG")
  end
end
