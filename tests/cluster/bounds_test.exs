defmodule BoundsTest do
  @moduledoc "What the machine has little of, and who wants much of it: descriptors, processes, names, an end in time."
  use ClusterCase

  defp children(pid) do
    for status <- Path.wildcard("/proc/[0-9]*/status"),
        {:ok, text} <- [File.read(status)],
        [_, ^pid] <- [Regex.run(~r/^PPid:\s+(\d+)$/m, text)],
        [_, name] = Regex.run(~r/^Name:\s+(\S+)$/m, text),
        [_, state] = Regex.run(~r/^State:\s+(\S)/m, text),
        do: {name, state}
  end

  test "as process 1 it waits for all children that it is given" do
    case System.cmd("unshare", ["--pid", "--fork", "--mount-proc", "true"], stderr_to_stdout: true) do
      {_, 0} ->
        port = Epmd.free_port()
        config = %{"epmd" => %{"port" => port, "start" => true}}
        # A process whose parent has ended becomes a child of the daemon.
        before = "(sh -c 'sleep 1 & sleep 1 & sleep 1 &')"
        unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
        harness = Harness.start(config: config, wrap: unshare ++ Harness.after_commands(before))
        outer = "#{OsProcess.os_pid(harness.process)}"
        [inner] = for path <- Path.wildcard("/proc/#{outer}/task/*/children"), do: String.trim(File.read!(path))
        Wait.until("epmd", fn -> {"epmd", "S"} in children(inner) end)
        [{epmd, _}] = for {name, pid} <- named(inner), name == "epmd", do: {pid, name}
        System.cmd("kill", ["-9", epmd])
        Harness.wait_for_log(harness, ~r/starting epmd.*starting epmd.*registered with epmd/s)
        Wait.until("no zombies", fn -> for({_, "Z"} = child <- children(inner), do: child) == [] end)
        Wait.until("the orphans' end", fn -> not Enum.any?(children(inner), &match?({"sleep", _}, &1)) end)
        System.cmd("kill", ["-TERM", inner])
        assert OsProcess.await_exit(harness.process) == 0

      _ ->
        IO.puts("(there are no namespaces here)")
    end
  end

  defp named(parent) do
    for status <- Path.wildcard("/proc/[0-9]*/status"),
        {:ok, text} <- [File.read(status)],
        [_, ^parent] <- [Regex.run(~r/^PPid:\s+(\d+)$/m, text)],
        do: {hd(tl(Regex.run(~r/^Name:\s+(\S+)$/m, text))), status |> Path.dirname() |> Path.basename()}
  end

  test "a peer that does not read its answers does not keep it from ending, and one that does has all" do
    harness = Harness.start(config: %{"shutdown_ms" => 60_000})
    idle = RawNode.connect!(harness.port)
    reader = Peer.start()
    # Each answer is a long text: more than sockets hold.
    for _ <- 1..10_000, do: RawNode.send_call(idle, :harness, :help)
    Wait.until("answers to wait", fn -> Harness.assert_alive(harness).counters.requests > 10_000 end, 60_000)
    assert Peer.call(reader, :erpc, :call, [harness.node, :harness, :info, []]).node == harness.node
    before = System.monotonic_time(:millisecond)
    Harness.terminate(harness)
    assert Harness.await_exit(harness) == 0
    assert System.monotonic_time(:millisecond) - before < 20_000
    assert Harness.log(harness) =~ "this node stops, and the peer does not read"
    refute Harness.log(harness) =~ "stopping with work left"
  end

  test "without descriptors for more connections it has some of its own, and says so seldom" do
    folder = Support.temporary_folder()
    config = %{"state_dir" => folder, "limits" => %{"pending_handshakes" => 1_000}}
    harness = Harness.start(config: config, wrap: Harness.after_commands("ulimit -n 128"))
    target = Peer.start_server(Peer.start(), Subject)
    assert {:ok, _} = Harness.run(harness, %{target: target, threads: [[:get]]})

    sockets =
      for _ <- 1..300 do
        {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, harness.port, [:binary, active: false], 10_000)
        socket
      end

    Harness.wait_for_log(harness, ~r/error cannot accept connections reason="Too many open files"\n/)
    # What it has to open for a run is there.
    assert {:ok, report} = Harness.run(harness, %{target: target, threads: [[:get]]})
    assert %{stored: :disk} = Runs.status(harness, report.run_id)
    Process.sleep(3_000)
    lines = Regex.scan(~r/cannot accept connections/, Harness.log(harness))
    assert length(lines) in 1..5
    for socket <- sockets, do: :gen_tcp.close(socket)
    Wait.until("a new connection", fn -> match?({:ok, _}, RawNode.connect(harness.port)) end, 20_000)
  end

  describe "a configuration" do
    test "that is no regular file is refused at once" do
      folder = Support.temporary_folder()
      pipe = Path.join(folder, "pipe")
      {_, 0} = System.cmd("mkfifo", [pipe])

      for file <- [pipe, "/dev/zero", "/dev/null", folder] do
        task = Task.async(fn -> System.cmd(Harness.executable(), ["--check-config", file], stderr_to_stdout: true) end)
        assert {text, 2} = Task.await(task, 10_000)
        assert text == "#{file}: is not a regular file\n"
      end
    end

    test "with 100,000 peers is read, used and read again while calls are answered" do
      peers = for i <- 1..100_000, do: "peer#{i}@127.0.0.1"
      harness = Harness.start(config: %{"peers" => peers, "log" => %{"level" => "info"}}, ready: false)
      target = Peer.start_server(Peer.start(), Subject)
      Wait.until("the daemon", fn -> Node.ping(harness.node) == :pong end)
      assert {:ok, report} = Harness.run(harness, %{target: target, threads: [List.duplicate(:get, 100)]})
      assert report.metrics.operation_errors == 0
      changed = %{"peers" => Enum.drop(peers, 50_000) ++ ["other@127.0.0.1"]}
      assert Harness.reload(harness, changed) =~ ~r/configuration reloaded changed=1/
      assert {:ok, _} = Harness.run(harness, %{target: target, threads: [[:get]]})
      Harness.terminate(harness)
      assert Harness.await_exit(harness) == 0
    end
  end
end
