defmodule FailureTest do
  @moduledoc "Servers that stop, crash and keep silent; nodes, callers and an epmd that die."
  use ClusterCase

  # What comes after the reply of a server that stops may still be sent to it: the reason of its end.
  defp assert_gone(results, reason) do
    for result <- results,
        do: assert(result == {:error, :noproc} or match?({:error, {^reason, {GenServer, :call, _}}}, result))

    assert List.last(results) == {:error, :noproc}
  end

  describe "a server that" do
    setup do
      peer = Peer.start()
      {:ok, harness: Harness.start(), peer: peer, target: Peer.start_server(peer, Subject)}
    end

    test "stops: later calls are noproc", %{harness: harness, target: target} do
      assert [{:ok, 1}, {:ok, :stopped} | rest] =
               run_script(harness, target, [{:add, 1}, :stop | List.duplicate(:get, 50)])

      assert_gone(rest, :normal)
    end

    test "crashes: its call has the reason, later calls are noproc", %{harness: harness, target: target} do
      script = [{:add, 1}, {:crash, {:bang, 1}} | List.duplicate(:get, 50)]
      assert [{:ok, 1}, crashed | rest] = run_script(harness, target, script)
      assert crashed == {:error, {{:bang, 1}, {GenServer, :call, [target, {:crash, {:bang, 1}}, 1000]}}}
      assert_gone(rest, {:bang, 1})
    end

    test "raises: its call has the exception and where it was", %{harness: harness, target: target} do
      assert [{:error, {{%RuntimeError{message: "boom"}, stack}, {GenServer, :call, [^target, :raise, 700]}}}] =
               run_script(harness, target, [:raise], call_timeout_ms: 700)

      assert [{Subject, :handle_call, 3, _} | _] = stack
    end

    test "crashes with calls of others on it: each has the reason", %{harness: harness, peer: peer} do
      Peer.start_named(peer, Subject, :crasher)
      target = {:crasher, peer.node}
      waiting = for thread <- 1..20, do: [{:late, 60_000, thread}]
      scenario = %{target: target, threads: waiting ++ [[{:tell, self(), :x}, {:crash, :bang}]]}
      run = start_run(harness, Map.merge(scenario, %{call_timeout_ms: 20_000, timeout_ms: 30_000}))
      assert_receive {:told, _, from, :x}, 10_000

      # One connection keeps the order, so the calls of the other threads came before this one.
      GenServer.reply(from, :go)
      assert {:ok, report} = Task.await(run, 60_000)
      assert {waited, [[{:ok, :go}, crashed]]} = Enum.split(results(report), 20)
      assert {:error, {:bang, {GenServer, :call, [^target, {:crash, :bang}, 20_000]}}} = crashed

      for {[result], thread} <- Enum.zip(waited, 1..20),
          do:
            assert(result == {:error, {:bang, {GenServer, :call, [target, {:late, 60_000, thread}, 20_000]}}})
    end

    test "is killed while a call waits", %{harness: harness, target: target} do
      run = start_run(harness, %{target: target, threads: [[{:tell, self(), :x}]], call_timeout_ms: 20_000})
      assert_receive {:told, ^target, _, :x}, 10_000
      Process.exit(target, :kill)
      assert {:ok, report} = Task.await(run)
      assert {:error, {:killed, {GenServer, :call, [^target, {:tell, _, :x}, 20_000]}}} = result(report)
    end

    test "never replies: timeout", %{harness: harness, target: target} do
      assert run_script(harness, target, [:never, {:add, 1}, :never, :get], call_timeout_ms: 100) ==
               [{:error, :timeout}, {:ok, 1}, {:error, :timeout}, {:ok, 1}]
    end

    test "replies late: timeout, and no other call gets its reply", %{harness: harness, target: target} do
      script = fn thread ->
        Enum.flat_map(1..10, fn step ->
          [
            {:late, 200 + rem(step, 3) * 20, {:late, thread, step}},
            {:late, 5, {:soon, thread, step}},
            {:echo, {thread, step}}
          ]
        end)
      end

      threads = for thread <- 1..30, do: script.(thread)
      scenario = %{target: target, threads: threads, call_timeout_ms: 50, timeout_ms: 60_000}
      assert {:ok, report} = Harness.run(harness, scenario)

      for {results, thread} <- Enum.zip(results(report), 1..30),
          {[late, soon, echo], step} <- Enum.zip(Enum.chunk_every(results, 3), 1..10) do
        # On a slow machine any of them may time out; what may not happen is another's reply.
        assert late == {:error, :timeout}
        assert soon in [{:ok, {:soon, thread, step}}, {:error, :timeout}]
        assert echo in [{:ok, {thread, step}}, {:error, :timeout}]
      end

      assert Enum.count(report.events, &match?({:ok, _}, &1.result)) > 0
      # Nothing of that run disturbs the next one.
      assert run_script(harness, target, for(n <- 1..100, do: {:echo, n})) == for(n <- 1..100, do: {:ok, n})
    end
  end

  describe "a node that" do
    test "is killed in the middle of a run: nodedown, a report, and the daemon comes back to it" do
      peer = Peer.start()
      harness = Harness.start(config: %{"peers" => [Atom.to_string(peer.node)]})
      node = harness.node
      Wait.until("the connection", fn -> node in Peer.call(peer, :erlang, :nodes, [:hidden]) end)

      Peer.start_named(peer, Subject, :doomed)
      target = {:doomed, peer.node}
      gone = {:nodedown, peer.node}
      call = {:tell, self(), :x}

      scenario = %{
        target: target,
        threads: [[call, {:echo, 1}, :get] | List.duplicate([{:late, 60_000, 1}], 5)]
      }

      run = start_run(harness, Map.merge(scenario, %{call_timeout_ms: 30_000, timeout_ms: 60_000}))
      assert_receive {:told, _, _, :x}, 10_000
      Peer.kill(peer)
      assert {:ok, report} = Task.await(run, 60_000)
      assert [[first | later] | waiting] = results(report)
      assert first == {:error, {gone, {GenServer, :call, [target, call, 30_000]}}}

      assert later ==
               for(m <- [{:echo, 1}, :get], do: {:error, {gone, {GenServer, :call, [target, m, 30_000]}}})

      for result <- waiting,
          do: assert(result == [{:error, {gone, {GenServer, :call, [target, {:late, 60_000, 1}, 30_000]}}}])

      Harness.assert_alive(harness)

      # The new node of that name does nothing for it: the daemon dials.
      again = Peer.restart(peer)

      Wait.until(
        "the daemon's return",
        fn -> node in Peer.call(again, :erlang, :nodes, [:hidden]) end,
        60_000
      )

      Peer.start_named(again, Subject, :doomed)
      assert run_script(harness, target, [{:add, 1}]) == [{:ok, 1}]
    end

    test "holds the caller is killed: its run is cancelled" do
      harness = Harness.start()
      subject_node = Peer.start()
      target = Peer.start_server(subject_node, Subject)
      caller = Peer.start()

      scenario = %{
        target: target,
        threads: [[{:tell, self(), :x}]],
        call_timeout_ms: 60_000,
        timeout_ms: 60_000
      }

      {:ok, _} =
        Peer.call(caller, :timer, :apply_after, [0, :erpc, :call, [harness.node, :harness, :run, [scenario]]])

      assert_receive {:told, _, _, :x}, 10_000
      assert running(harness) == 1
      Peer.kill(caller)
      Wait.until("the end of the run", fn -> running(harness) == 0 end)
    end

    test "there is not: nodedown" do
      harness = Harness.start()
      target = {:any, :"there_is_none@127.0.0.1"}

      assert run_script(harness, target, [:get]) ==
               [{:error, {{:nodedown, :"there_is_none@127.0.0.1"}, {GenServer, :call, [target, :get, 1000]}}}]

      Harness.assert_alive(harness)
    end

    test "comes and goes many times" do
      harness = Harness.start()
      peer = Peer.start()

      Enum.reduce(1..5, peer, fn _, peer ->
        target = Peer.start_server(peer, Subject)
        assert run_script(harness, target, [{:add, 1}]) == [{:ok, 1}]
        Peer.kill(peer)
        # The pid of the old incarnation belongs to nobody.
        again = Peer.restart(peer)
        assert [{:error, reason}] = run_script(harness, target, [{:add, 1}])
        assert reason == :noproc or match?({{:nodedown, _}, _}, reason)
        again
      end)
    end
  end

  describe "a caller that" do
    setup do
      peer = Peer.start()
      {:ok, harness: Harness.start(), target: Peer.start_server(peer, Subject)}
    end

    test "dies cancels its run, however it asked", %{harness: harness, target: target} do
      scenario = %{
        target: target,
        threads: [[{:tell, self(), :x}]],
        call_timeout_ms: 60_000,
        timeout_ms: 60_000
      }

      node = harness.node

      for ask <- [
            fn -> :erpc.call(node, :harness, :run, [scenario]) end,
            fn -> :rpc.call(node, :harness, :run, [scenario]) end,
            fn -> GenServer.call({:harness, node}, {:run, scenario}, :infinity) end
          ] do
        caller = spawn(ask)
        assert_receive {:told, _, _, :x}, 10_000
        assert running(harness) == 1
        Process.exit(caller, :kill)
        Wait.until("the end of the run", fn -> running(harness) == 0 end)
      end
    end
  end

  describe "epmd" do
    setup do
      port = Epmd.free_port()
      log = Path.join(Support.temporary_folder(), "epmd.log")
      epmd = Epmd.start(port, log)
      on_exit(fn -> Epmd.kill(epmd) end)
      {:ok, epmd: epmd, epmd_port: port, epmd_log: log}
    end

    test "killed and started again: the daemon registers again", %{epmd: epmd, epmd_port: port, epmd_log: log} do
      harness = Harness.start(config: %{"epmd" => %{"port" => port}})
      assert Epmd.registered?(harness.node, port)
      Epmd.kill(epmd)
      assert Epmd.names(port) == nil
      again = Epmd.start(port, log)
      on_exit(fn -> Epmd.kill(again) end)
      Wait.until("the registration", fn -> Epmd.registered?(harness.node, port) end, 20_000)
    end

    test "has the name until the daemon stops", %{epmd_port: port} do
      harness = Harness.start(config: %{"epmd" => %{"port" => port}})
      assert Epmd.registered?(harness.node, port)
      Harness.stop(harness)
      Wait.until("the end of the registration", fn -> not Epmd.registered?(harness.node, port) end)
      again = Harness.restart(harness)
      assert Epmd.registered?(again.node, port)
    end

    test "frees the name of a killed daemon, which comes back at once", %{epmd_port: port} do
      harness = Harness.start(config: %{"epmd" => %{"port" => port}})
      Harness.kill(harness)
      again = Harness.restart(harness)
      assert Epmd.registered?(again.node, port)
    end
  end

  test "where there is no epmd the daemon starts one, if it may" do
    port = Epmd.free_port()

    # What is to be done at the end is done in reverse order: this after the end of the daemon.
    on_exit(fn -> System.cmd(Epmd.executable(), ["-port", "#{port}", "-kill"], stderr_to_stdout: true) end)
    config = %{"epmd" => %{"port" => port, "start" => true}}
    harness = Harness.start(config: config, env: [{"ERL_EPMD_ADDRESS", "127.0.0.1"}])
    assert Epmd.registered?(harness.node, port)
  end

  test "where there is no epmd and the daemon may not start one, it waits for it" do
    port = Epmd.free_port()
    harness = Harness.start(config: %{"epmd" => %{"port" => port}}, ready: false)
    Harness.wait_for_log(harness, ~r/epmd/)
    epmd = Epmd.start(port, Path.join(harness.folder, "epmd.log"))
    on_exit(fn -> Epmd.kill(epmd) end)
    Harness.wait_for_log(harness, ~r/ready node=/, 30_000)
    assert Epmd.registered?(harness.node, port)
  end

  test "SIGTERM ends a run with a report, then the daemon" do
    harness = Harness.start()
    target = Peer.start_server(Peer.start(), Subject)

    scenario = %{
      target: target,
      threads: [[{:echo, 1}, {:tell, self(), :x}]],
      call_timeout_ms: 60_000,
      timeout_ms: 60_000
    }

    run = start_run(harness, scenario)
    assert_receive {:told, _, _, :x}, 10_000
    Harness.terminate(harness)
    assert {:error, {reason, report}} = Task.await(run)
    assert reason in [:cancelled, :interrupted]
    assert [%{result: {:ok, 1}} | _] = report.events
    assert Harness.await_exit(harness) == 0
    refute Epmd.registered?(harness.node)
  end
end
