defmodule Neighbours do
  @moduledoc """
  All neighbours that a run may have: each does something hostile, or merely large, to the daemon that both share. A row
  is a map:

    * `name`: what it does, for people
    * `noise`: `{module, function, arguments}` that a plain node of the lowest weight does without pause, `t` (see
      `Noise`) in front of the arguments, `{:many, count}` being fewer in quick rounds; `nil` where it is done to the daemon's surroundings alone
    * `at`: `:noisy`, or `:victim` for what the victim's own node does beside its server
    * `control`: `{at, {module, function, arguments}}` for those that have the victim's own node work: what has it work as
      much without the daemon, `t` having the neighbours' node for the daemon's; `nil` where the control only burns
    * `in_place`: whether what the control does is also measured with a BEAM node in the daemon's place, over the one
      connection that it and the victim's node have
    * `daemon`: how the daemon is started: `:plain`, `:stalled_log`, `:disk` or `:epmd` (see `Noisy.World`)
    * `config`: more of the daemon's configuration
    * `events`: for those that need a large report, how many events it has; in quick rounds a tenth
    * `cut`: whether the victim's node is not connected when its run starts
    * `alone`: whether no other neighbour can be beside it
    * `first_ms`: how long it has to go on at least before the run starts
    * `here`: a fun of the world that goes on beside it until it is ended, and `undo`, what ends it for certain
  """

  # A message beyond this is too large; one that is not reaches this half.
  @frame_bytes 4_000_000

  @doc "Those whose name has this text in it."
  def all(text \\ ""), do: kinds(text) |> Enum.flat_map(&elem(&1, 1))

  @doc "The same as `{kind, rows}`."
  def kinds(text \\ "") do
    kinds = [
      {"nodes with the cookie", messages()},
      {"those without it", strangers()},
      {"requests", requests()},
      {"nodes and people that do not read", readers()},
      {"the machine", surroundings()}
    ]

    for {kind, rows} <- kinds, do: {kind, Enum.filter(rows, &String.contains?(&1.name, text))}
  end

  defp row(name, noise, more \\ []) do
    Map.merge(
      %{
        name: name,
        noise: noise,
        at: :noisy,
        control: nil,
        in_place: false,
        daemon: :plain,
        config: %{"limits" => %{"frame_bytes" => @frame_bytes}},
        events: nil,
        cut: false,
        alone: false,
        first_ms: 0,
        here: nil,
        undo: nil
      },
      Map.new(more)
    )
  end

  defp messages do
    [
      row("replies nested 20,000 deep, another node", {Noise, :replies, [{:deep, 20_000}, 20]}),
      row("replies nested 20,000 deep, the victim's node", {Noise, :replies_of_victims_node, [{:deep, 20_000}, 20]},
        control: {:noisy, {Noise, :calls_of_victims_node, [{:deep, 20_000}, 20]}}
      ),
      row("replies of 3 MB, another node", {Noise, :replies, [{:large, 3_000_000}, 20]}),
      row("replies beyond `frame_bytes`, another node", {Noise, :replies, [{:large, 6_000_000}, 10]}),
      row("replies beyond `frame_bytes`, the victim's node", {Noise, :replies_of_victims_node, [{:large, 6_000_000}, 1]},
        control: {:noisy, {Noise, :calls_of_victims_node, [{:large, 6_000_000}, 1]}},
        in_place: true
      ),
      row("requests nested 100,000 deep", {Noise, :deep_requests, []}),
      row("requests nested 20,000 deep, the victim's node", {Noise, :too_deep_requests, []},
        at: :victim,
        control: {:victim, {Noise, :too_deep_requests, []}}
      ),
      row("requests of 3 MB", {Noise, :large_requests, []}),
      row("requests beyond `frame_bytes`, the victim's node", {Noise, :too_large_requests, []},
        at: :victim,
        control: {:victim, {Noise, :too_large_requests, []}}
      ),
      row("a flood of casts", {Noise, :casts, []}),
      row("a flood of calls", {Noise, :calls, []}),
      row("thousands of costly calls at once", {Noise, :costly_calls, [{:many, 1_000}]}),
      row("a flood of monitors", {Noise, :monitors, []}),
      row("a flood of spawn requests", {Noise, :spawns, []}),
      row("a node that comes and goes", {Noise, :pings, []}),
      row("malformed frames", {Noise, :malformed, []}),
      row("messages in pieces without end", {Noise, :fragments, []})
    ]
  end

  defp strangers do
    [
      row("a wrong cookie, again and again", {Noise, :wrong_cookies, []}),
      row("garbage for a handshake", {Noise, :garbage, []}),
      row("2,000 connections that say nothing", {Noise, :silent, [2_000]}),
      row("claims to be the victim's node", {Noise, :claims, []}, cut: true)
    ]
  end

  defp requests do
    [
      row("100,000 unknown keys", {Noise.Runs, :unknown_keys, [{:many, 100_000}]}, config: %{}),
      row("a script of 5,000,000 operations", {Noise.Runs, :operations, [{:many, 5_000_000}]}, config: %{}),
      row("10,000,000 threads", {Noise.Runs, :threads, [{:many, 10_000_000}]}, config: %{}),
      row("100,000 problems in a scenario", {Noise.Runs, :problems, [{:many, 100_000}]}, config: %{}),
      row("suites of 100,000 empty scenarios", {Noise.Runs, :empty_suites, [{:many, 100_000}]}, config: %{}),
      row("suites of 10,000 whose caller dies", {Noise.Runs, :orphaned_suites, [{:many, 10_000}]},
        config: %{"retention" => %{"count" => 20}}
      ),
      row("starts, as many as it can", {Noise.Runs, :starts, []}),
      row("runs, as many as it can", {Noise.Runs, :runs, []}),
      row("lists of runs", {Noise.Runs, :lists, []}),
      row("a load of all that its server takes", {Noise.Runs, :load, []}),
      row("reports of 1,000,000 events", {Noise.Runs, :reports, []}, events: 1_000_000, config: %{}),
      row("texts of them", {Noise.Runs, :shown, []}, events: 200_000, config: %{})
    ]
  end

  defp readers do
    [
      row("99,000 answers that are not read", {Noise, :unread_answers, []}),
      row("400 subscriptions that are not read", {Noise, :unread_subscriptions, []}),
      row("a flood to a node that is frozen", {Noise.Runs, :flood, []}, here: &freeze/1, undo: &thaw/1, alone: true),
      row("HTTP requests", {Noise.Http, :requests, []}),
      row("1,000 HTTP requests that do not end", {Noise.Http, :slow, [1_000]}),
      row("HTTP pages that are not read", {Noise.Http, :unread, []}, events: 100_000, config: %{})
    ]
  end

  defp surroundings do
    [
      row("a log that nobody reads", {Noise.Runs, :runs, []},
        daemon: :stalled_log,
        config: %{"log" => %{"level" => "debug"}},
        # Until what is told of has filled the pipe.
        first_ms: 2_500,
        here: &stall_log/1,
        undo: &resume_log/1
      ),
      row("a disk that is full", {Noise.Runs, :runs, []}, daemon: :disk, here: &fill_disk/1, undo: &empty_disk/1),
      row("a disk that stands still", {Noise.Runs, :starts, []}, daemon: :disk, here: &freeze_disk/1, undo: &thaw_disk/1),
      row("SIGHUP, again and again", nil, here: &hang_up/1),
      row("an epmd that is killed", nil, daemon: :epmd, here: &kill_epmd/1)
    ]
  end

  # Most of the time the node stands still, so that what is sent to it piles up.
  defp freeze(world) do
    Process.sleep(200)
    signal(world.noisy_pid, "STOP")
    Process.sleep(:infinity)
  end

  defp thaw(world), do: signal(world.noisy_pid, "CONT")

  defp stall_log(world) do
    OsProcess.signal(world.reader, "STOP")
    # Each connection is three lines.
    Noise.malformed(world.t)
  end

  defp resume_log(world), do: OsProcess.signal(world.reader, "CONT")

  defp fill_disk(world) do
    System.cmd("dd", ["if=/dev/zero", "of=#{world.disk}/filler", "bs=64k"], stderr_to_stdout: true)
    Process.sleep(:infinity)
  end

  defp empty_disk(world), do: File.rm(Path.join(world.disk, "filler"))

  # By a process that outlives us: what is written to a frozen disk cannot be killed.
  defp freeze_disk(world) do
    Process.sleep(300)
    script = "trap 'fsfreeze -u \"$1\"' EXIT; fsfreeze -f \"$1\" && sleep 1"
    System.cmd("/bin/sh", ["-c", script, "sh", world.disk], stderr_to_stdout: true)
    Process.sleep(700)
    freeze_disk(world)
  end

  defp thaw_disk(world) do
    # The script above may have been left behind in the middle.
    Process.sleep(1_100)
    System.cmd("fsfreeze", ["-u", world.disk], stderr_to_stdout: true)
  end

  defp hang_up(world) do
    OsProcess.signal(world.harness.process, "HUP")
    Process.sleep(10)
    hang_up(world)
  end

  defp kill_epmd(world) do
    Epmd.kill(world.epmd)
    Process.sleep(:infinity)
  end

  defp signal(pid, name), do: System.cmd("kill", ["-#{name}", "#{pid}"], stderr_to_stdout: true)
end
