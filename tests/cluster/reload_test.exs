defmodule ReloadTest do
  @moduledoc "SIGHUP: what is read again takes effect, and what cannot is said."
  use ClusterCase

  defp limits(harness), do: Harness.call(harness, :info).limits

  test "limits are taken over, and each change is logged" do
    harness = Harness.start(config: %{"limits" => %{"runs" => 5, "threads" => 20}})
    log = Harness.reload(harness, %{"limits" => %{"runs" => 1, "threads" => 10, "events" => 7}})
    assert log =~ "configuration changed key=limits.runs from=5 to=1"
    assert log =~ "configuration changed key=limits.threads from=20 to=10"
    assert log =~ "configuration changed key=limits.events from=1000000 to=7"
    assert log =~ "configuration reloaded changed=3 need_restart=0"
    assert %{runs: 1, threads: 10, events: 7} = limits(harness)

    assert {:error, {:busy, :threads}} =
             Harness.run(harness, %{target: self(), threads: List.duplicate([], 11)})

    assert Harness.reload(harness, %{"limits" => %{"runs" => 5, "threads" => 20}}) =~ "changed=3"
    assert {:ok, _} = Harness.run(harness, %{target: self(), threads: List.duplicate([], 11)})
  end

  test "a run that goes on keeps what it has, and room that is lowered below it is none" do
    harness = Harness.start(config: %{"limits" => %{"threads" => 20}})
    target = Peer.start_server(Peer.start(), Subject)
    run = start_run(harness, %{target: target, threads: [[{:tell, self(), :begun}] | List.duplicate([], 14)]})
    assert_receive {:told, _, from, :begun}, 10_000
    Harness.reload(harness, %{"limits" => %{"threads" => 3}})

    assert {:error, {:busy, :threads}} =
             Harness.run(harness, %{target: self(), threads: List.duplicate([], 4)})

    # It waits for the run that goes on, which has more than there is.
    waiting = Runs.start(harness, %{target: self(), threads: [[], []]})
    assert %{state: :queued, waits_for: :threads} = Runs.status(harness, waiting)
    GenServer.reply(from, :done)
    assert {:ok, %{metrics: %{thread_count: 15}}} = Task.await(run, 60_000)
    assert {:ok, %{metrics: %{thread_count: 2}}} = Runs.await(harness, waiting)
  end

  test "runs that wait start when limits are raised, and are refused when they never can any more" do
    harness = Harness.start(config: %{"limits" => %{"threads" => 10}})
    target = Peer.start_server(Peer.start(), Subject)
    first = Runs.start(harness, Runs.held(target, :first))
    from = Runs.await_held(:first)
    ten = %{target: self(), threads: List.duplicate([], 10)}
    waiting = Runs.start(harness, ten)
    assert Runs.state(harness, waiting) == :queued
    Harness.reload(harness, %{"limits" => %{"threads" => 11}})
    assert {:ok, _} = Runs.await(harness, waiting)

    Harness.reload(harness, %{"limits" => %{"threads" => 10}})
    [large, small] = [Runs.start(harness, ten), Runs.start(harness, %{target: self(), threads: [[]]})]
    assert Runs.state(harness, small) == :queued
    Harness.reload(harness, %{"limits" => %{"threads" => 9}})
    assert Runs.await(harness, large) == {:error, {:busy, :threads}}
    assert %{outcome: :not_run, reason: "{busy,threads}"} = Runs.status(harness, large)
    assert {:ok, _} = Runs.await(harness, small)
    Runs.release(from)
    assert {:ok, _} = Runs.await(harness, first)
  end

  test "the log changes its level and format" do
    harness = Harness.start(config: %{"log" => %{"level" => "info"}})
    Harness.run(harness, %{target: self(), threads: [[]]})
    refute Harness.log(harness) =~ "debug"
    Harness.reload(harness, %{"log" => %{"level" => "debug", "format" => "json"}})
    Harness.run(harness, %{target: self(), threads: [[]]})
    Harness.wait_for_log(harness, ~r/"level":"debug"/)
  end

  test "access rules hold at once: callers that are connected are cut, faults are refused" do
    harness = Harness.start()
    peer = Peer.start(arguments: ["-hidden"])
    assert %{version: _} = Peer.call(peer, :erpc, :call, [harness.node, :harness, :info, []])
    subject = Peer.start_server(peer, Subject)
    crash = %{target: subject, threads: [[]], chaos: {:suspend, 1}}
    assert {:ok, _} = Harness.run(harness, crash)

    Harness.reload(harness, %{
      "access" => %{"callers" => %{"deny" => ["#{peer.node}"]}, "chaos" => %{"deny" => ["suspend"]}}
    })

    Harness.wait_for_log(harness, ~r/connection closed peer=#{peer.node} reason="no longer allowed"/)

    Wait.until("the end of the connection", fn ->
      harness.node not in Peer.call(peer, :erlang, :nodes, [:hidden])
    end)

    refute Peer.call(peer, :net_kernel, :connect_node, [harness.node])
    assert {:error, {:not_allowed, %{rule: "access.chaos.deny"}}} = Harness.run(harness, crash)

    Harness.reload(harness, %{})
    assert %{version: _} = Peer.call(peer, :erpc, :call, [harness.node, :harness, :info, []])
  end

  test "a node that the daemon has connected to itself, as the target of a run, stays" do
    harness = Harness.start()
    peer = Peer.start(arguments: ["-hidden"])
    subject = Peer.start_server(peer, Subject)
    assert {:ok, report} = Harness.run(harness, %{target: subject, threads: [[:get]]})
    assert result(report) == {:ok, 0}
    Harness.reload(harness, %{"access" => %{"callers" => %{"allow" => ["#{node()}"]}}})
    assert harness.node in Peer.call(peer, :erlang, :nodes, [:hidden])
    assert {:ok, report} = Harness.run(harness, %{target: subject, threads: [[:get]]})
    assert result(report) == {:ok, 0}
  end

  test "peers are kept and let go of" do
    [first, second] = for _ <- 1..2, do: Peer.start(arguments: ["-hidden"])
    harness = Harness.start(config: %{"peers" => ["#{first.node}"]})
    Harness.wait_for_log(harness, ~r/peer up peer=#{first.node}/)
    Harness.reload(harness, %{"peers" => ["#{second.node}"]})
    Harness.wait_for_log(harness, ~r/peer up peer=#{second.node}/)

    # Of the two that go down, only the one that is kept is dialled again.
    Peer.kill(first)
    Harness.wait_for_log(harness, ~r/connection closed peer=#{first.node}/)
    Peer.kill(second)
    Harness.wait_for_log(harness, ~r/will be dialled again peer=#{second.node}/)
    refute Harness.log(harness) =~ "will be dialled again peer=#{first.node}"
  end

  test "a peer that is not there is no longer dialled" do
    absent = "#{Peer.unique("absent")}@127.0.0.1"
    harness = Harness.start(config: %{"peers" => [absent]})
    Harness.wait_for_log(harness, ~r/will be dialled again peer=#{absent}/)
    Harness.reload(harness, %{"peers" => []})
    attempts = length(Regex.scan(~r/dialled again/, Harness.log(harness)))
    # Attempts come up to 3 s apart by the time that one of a peer which has just gone was made.
    other = "#{Peer.unique("absent")}@127.0.0.1"
    Harness.reload(harness, %{"peers" => [other]})

    # A line tells of all since the one before.
    Wait.until("five attempts", fn ->
      lines = Regex.scan(~r/again peer=#{other} .*?retry_ms=\d+(?: times=(\d+))?$/m, Harness.log(harness))
      Enum.sum(for line <- lines, do: String.to_integer(Enum.at(line, 1, "1"))) >= 5
    end)

    assert length(Regex.scan(~r/again peer=#{absent}/, Harness.log(harness))) == attempts
  end

  test "what needs a restart is said and stays as it is" do
    harness = Harness.start()

    log =
      Harness.reload(harness, %{"node" => %{"net_ticktime" => 30, "port" => 1}, "log" => %{"level" => "info"}})

    assert log =~ "warning configuration change needs a restart key=node.net_ticktime from=60 to=30"
    assert log =~ "warning configuration change needs a restart key=node.port from=0 to=1"
    assert log =~ "configuration changed key=log.level"
    assert log =~ "configuration reloaded changed=1 need_restart=2"
    Harness.assert_alive(harness)
  end

  test "a bad file changes nothing, and every problem is logged with its path" do
    harness = Harness.start(config: %{"limits" => %{"runs" => 5}})

    log =
      Harness.reload(harness, %{"limits" => %{"runs" => 6, "threads" => 0}, "peers" => ["x", 1], "nope" => 1})

    for path <- ["limits.threads: ", "peers[0]: ", "peers[1]: ", "nope: "],
        do: assert(log =~ ~s(error problem with the configuration problem="#{path}))

    assert log =~ "error configuration is not reloaded, the one before stays problems=4"
    assert limits(harness).runs == 5

    for text <- ["", "{", "[]", <<255>>] do
      assert Harness.reload(harness, text) =~ "not reloaded"
      assert limits(harness).runs == 5
    end

    File.rm!(Path.join(harness.folder, "harnessd.json"))
    OsProcess.signal(harness.process, "HUP")
    Harness.wait_for_log(harness, ~r/harnessd\.json: cannot open/)
    assert limits(harness).runs == 5
    assert Harness.reload(harness, %{"limits" => %{"runs" => 6}}) =~ "changed=1"
    assert limits(harness).runs == 6
  end

  test "before the node is registered there is nothing to tell anybody yet" do
    harness = Harness.start(config: %{"epmd" => %{"port" => Epmd.free_port()}}, ready: false)
    Harness.wait_for_log(harness, ~r/epmd/)
    assert Harness.reload(harness, %{"peers" => ["#{Harness.unique_node()}"]}) =~ "changed="
    assert Harness.running?(harness)
  end
end
