defmodule Noisy.World do
  @moduledoc """
  What a victim and its neighbour live in: two nodes that all rounds share, one of them of the lowest weight, and a daemon
  for each neighbour.
  """

  @modules [RawNode, Tls, Peer, Noise, Noise.Server, Noise.Runs, Noise.Http]

  @doc "The nodes, the neighbours' one of the lowest weight or not. They end with the test that calls it."
  def share(weight) do
    victim = Peer.start(arguments: quiet())
    for module <- [Noisy.Bystander | @modules], do: Peer.load(victim, module)
    noisy = Peer.start(arguments: ["-hidden", "+P", "1000000" | quiet()])
    for module <- @modules, do: Peer.load(noisy, module)
    noisy_pid = noisy |> Peer.call(:os, :getpid, []) |> to_string()
    if weight == :lowest, do: lower(noisy_pid)

    %{
      victim: victim,
      noisy: noisy,
      noisy_pid: noisy_pid,
      caller: if(weight == :lowest, do: start_caller()),
      beside: if(weight == :lowest, do: start_beside()),
      server: Peer.start_server(noisy, Noise.Server),
      victims_server: Peer.start_server(victim, Noise.Server)
    }
  end

  defp start_caller do
    caller = Peer.start(arguments: quiet())
    for module <- [Noisy.Caller, Peer, Noise], do: Peer.load(caller, module)
    caller
  end

  # Uses in controls what the daemon does in noisy rounds.
  defp start_beside do
    beside = Peer.start(arguments: quiet())
    Peer.load(beside, Noise)
    beside
  end

  # Schedulers that do not wait for work with the processor.
  defp quiet, do: ~w(+sbwt none +sbwtdcpu none +sbwtdio none)

  # By a control group of either kind, or by a nice value where there can be none.
  defp lower(pid) do
    group = "harnessd_noisy_#{System.pid()}"

    kinds = [
      {"/sys/fs/cgroup/cpu", "cpu.shares", "2"},
      {"/sys/fs/cgroup", "cpu.weight", "1"},
      {"/sys/fs/cgroup/unified", "cpu.weight", "1"}
    ]

    unless Enum.any?(kinds, fn {root, key, least} -> group_of(Path.join(root, group), key, least, pid) end),
      do: System.cmd("renice", ["-n", "19", "-p", pid], stderr_to_stdout: true)
  end

  defp group_of(folder, key, least, pid) do
    with :ok <- File.mkdir(folder) do
      # It can be removed once its process has ended, which is when the test has.
      ExUnit.Callbacks.on_exit({__MODULE__, folder}, fn -> remove_group(folder, 50) end)

      File.write(Path.join(folder, key), least) == :ok and
        File.write(Path.join(folder, "cgroup.procs"), pid) == :ok
    else
      _ -> false
    end
  end

  defp remove_group(folder, tries) do
    unless File.rmdir(folder) == :ok or tries == 0 do
      Process.sleep(100)
      remove_group(folder, tries - 1)
    end
  end

  @doc "Why a neighbour cannot be had on this machine, or nil."
  def missing(%{daemon: :disk}) do
    cond do
      elem(System.cmd("id", ["-u"]), 0) != "0\n" -> "a disk of its own takes root"
      System.find_executable("fsfreeze") == nil -> "there is no fsfreeze"
      not mounts?() -> "no file can be mounted"
      true -> nil
    end
  end

  def missing(_), do: nil

  defp mounts? do
    folder = Path.join(System.tmp_dir!(), Peer.unique("harnessd_mounts"))
    File.mkdir_p!(folder)
    {_, status} = System.cmd("unshare", ["-m", "/bin/sh", "-c", mounting(folder) <> "true"], stderr_to_stdout: true)
    File.rm_rf!(folder)
    status == 0
  end

  # In a namespace of its own, so that nothing is left of it when the daemon ends.
  defp mounting(folder) do
    "truncate -s 32M '#{folder}/image' && mkfs.ext4 -q -F '#{folder}/image' && mkdir -p '#{folder}/disk' && " <>
      "mount -o loop '#{folder}/image' '#{folder}/disk' && "
  end

  @doc "A daemon for this neighbour. What is large is made smaller by `fraction`."
  def start(shared, neighbour, fraction) do
    folder = Support.temporary_folder()

    config =
      Map.merge(
        %{
          "http" => %{"listen" => "127.0.0.1:0"},
          "log" => %{"level" => "info"},
          "state_dir" => Path.join(folder, "disk")
        },
        neighbour.config
      )

    world =
      Map.merge(shared, %{
        name: neighbour.name,
        folder: folder,
        subject: Peer.start_server(shared.victim, Subject),
        bystander: Peer.call(shared.victim, Noisy.Bystander, :start, [])
      })

    world = daemon(world, neighbour.daemon, config)
    t = told(world)
    report = if neighbour.events, do: ask(world, Noise.Runs, :keep_events, [t, div(neighbour.events, fraction)])
    Map.merge(world, %{t: Map.put(t, :report, report), fraction: fraction})
  end

  defp daemon(world, :plain, config) do
    File.mkdir_p!(config["state_dir"])
    Map.put(world, :harness, Harness.start(config: config))
  end

  # Standard error is a pipe, and what reads it can be stopped.
  defp daemon(world, :stalled_log, config) do
    File.mkdir_p!(config["state_dir"])
    pipe = Path.join(world.folder, "pipe")
    log = Path.join(world.folder, "log")
    {_, 0} = System.cmd("mkfifo", [pipe])
    reader = OsProcess.start(["cat", pipe], log)
    ExUnit.Callbacks.on_exit(fn -> OsProcess.signal(reader, "CONT") end)
    harness = Harness.start(config: config, wrap: Harness.after_commands("exec 2>'#{pipe}'"), log: log)
    Map.merge(world, %{harness: harness, reader: reader})
  end

  defp daemon(world, :disk, config) do
    wrap = ["unshare", "-m", "/bin/sh", "-c", mounting(world.folder) <> "exec \"$@\"", "sh"]
    harness = Harness.start(config: config, wrap: wrap)
    disk = "/proc/#{OsProcess.os_pid(harness.process)}/root#{config["state_dir"]}"
    # Before the daemon is asked to end, which it could not on a frozen disk.
    ExUnit.Callbacks.on_exit(fn -> System.cmd("fsfreeze", ["-u", disk], stderr_to_stdout: true) end)
    Map.merge(world, %{harness: harness, disk: disk})
  end

  # The nodes of the test find it through the epmd of all the others.
  defp daemon(world, :epmd, config) do
    File.mkdir_p!(config["state_dir"])
    port = Epmd.free_port()
    epmd = Epmd.start(port, Path.join(world.folder, "epmd.log"))
    ExUnit.Callbacks.on_exit(fn -> OsProcess.signal(epmd, "KILL") end)
    harness = Harness.start(config: Map.put(config, "epmd", %{"port" => port}))
    [name, _] = harness.node |> Atom.to_string() |> String.split("@")
    {:ok, _} = Epmd.register(name, harness.port)

    for peer <- [world.victim, world.noisy],
        do: Peer.call(peer, :net_adm, :ping, [harness.node])

    Map.merge(world, %{harness: harness, epmd: epmd})
  end

  defp told(world) do
    %{
      node: world.harness.node,
      port: world.harness.port,
      http: Http.port(world.harness),
      victim: world.victim.node,
      server: world.server,
      victims_server: world.victims_server
    }
  end

  defp ask(world, module, function, arguments),
    do: Peer.call(world.noisy, module, function, arguments, 300_000)

  @doc "What the neighbour's node and the daemon have used of the processor, and when."
  def used(world) do
    stat = "/proc/#{OsProcess.os_pid(world.harness.process)}/stat"
    neighbour = Peer.call(world.noisy, Noise, :used_us, [])
    %{at_us: System.monotonic_time(:microsecond), neighbour: neighbour, daemon: Noise.used_us(stat)}
  end

  @users [:neighbour, :daemon]

  @doc "In hundredths of one processor by who has used them, from what `used/1` gave before and after."
  def percents(before, later),
    do: Map.new(@users, &{&1, div(100 * (later[&1] - before[&1]), later.at_us - before.at_us)})

  @doc "The daemon's less what it uses for the victim alone; the neighbour's node has used all of its own for itself."
  def beyond(percents, alone), do: %{percents | daemon: max(0, percents.daemon - alone.daemon)}

  def nothing_used, do: Map.new(@users, &{&1, 0})

  @doc "The victim's node is not connected when its run begins."
  def cut(world), do: Peer.call(world.victim, :erlang, :disconnect_node, [world.harness.node])

  @doc "Begins what a neighbour does; gives what ends it."
  def begin_noise(world, neighbour) do
    stop_noise =
      case neighbour.noise do
        nil -> fn -> :ok end
        {module, function, arguments} ->
          begin(world, neighbour.at, {module, function, [world.t | Enum.map(arguments, &smaller(&1, world.fraction))]})
      end

    here = neighbour.here && spawn(fn -> neighbour.here.(world) end)

    fn ->
      if here, do: Process.exit(here, :kill)
      if neighbour.undo, do: neighbour.undo.(world)
      stop_noise.()
    end
  end

  @doc "Has as much of the processor used without the daemon; gives what ends it."
  def begin_control(world, neighbour, percents) do
    node = node_in_control(world, neighbour, percents)
    daemon = begin(world, :beside, {Noise, :burn, [percents.daemon]})
    fn -> Enum.each([node, daemon], & &1.()) end
  end

  defp node_in_control(world, %{control: nil}, percents), do: begin(world, :noisy, {Noise, :burn, [percents.neighbour]})
  defp node_in_control(world, %{control: {at, noise}}, _), do: begin(world, at, with_told(world, noise))

  @doc "The same, told of a world without the daemon."
  def with_told(world, {module, function, arguments}),
    do: {module, function, [%{world.t | node: world.noisy.node} | arguments]}

  defp smaller({:many, count}, fraction), do: div(count, fraction)
  defp smaller(argument, _), do: argument

  @doc "Has one of the nodes do something; gives what ends it."
  def begin(world, at, {module, function, arguments}) do
    peer = Map.fetch!(world, at)
    pid = Peer.call(peer, Noise, :start, [function, arguments, module])
    fn -> Peer.call(peer, Noise, :stop, [pid], 120_000) end
  end

  @doc "Ends all runs that a neighbour has left; whether the report of `id` is still there."
  def settle(world, id) do
    Wait.until("the end of all runs", fn -> cancel_all(world) end, 60_000)
    id == nil || Harness.call(world.harness, :report, [id]) != {:error, :not_found} || :lost
  catch
    class, reason -> {class, reason}
  else
    true -> :ok
    other -> other
  end

  defp cancel_all(world) do
    for %{run_id: id, state: state} <- Harness.call(world.harness, :runs), state != :finished,
      do: Harness.call(world.harness, :cancel, [id])

    match?(%{runs: 0}, Harness.call(world.harness, :info))
  end
end
