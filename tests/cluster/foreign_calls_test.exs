defmodule ForeignCallsTest do
  @moduledoc """
  Tools of other nodes that take the daemon for a BEAM node: whatever they ask for comes back at once, as from a
  node that does not have it. And what is like a process of one is one: a run can be exited, linked to, monitored.
  """
  use ClusterCase

  # A reply that never comes would take all of it.
  @at_once 1_000

  setup_all do
    peer = Peer.start_unsupervised()
    ExUnit.Callbacks.on_exit(fn -> Peer.stop(peer) end)
    {:ok, peer: peer}
  end

  setup do
    {:ok, harness: Harness.start()}
  end

  # What comes of a call on another node: it may raise, exit or throw, but has to end.
  defp ends(peer, module, function, arguments) do
    {time, answer} =
      timed(fn ->
        try do
          Peer.call(peer, module, function, arguments, 10_000)
        catch
          kind, reason -> {kind, reason}
        end
      end)

    assert time < @at_once, "#{inspect(module)}.#{function} took #{time} ms: #{inspect(answer)}"
    answer
  end

  test "every call of a name comes back at once", %{harness: harness, peer: peer} do
    node = harness.node
    assert Peer.call(peer, :net_adm, :ping, [node]) == :pong

    for name <-
          ~w(nobody init user code_server file_server_2 application_controller error_logger logger)a ++
            ~w(global_name_server global_group kernel_sup erl_prim_loader auth observer appmon mnesia_locker pg)a do
      assert {:exit, {:noproc, _}} = ends(peer, :gen_server, :call, [{name, node}, :anything, :infinity])
    end

    for name <- [:rex, :net_kernel, :harness] do
      target = {name, node}
      assert {:error, _} = ends(peer, :gen_server, :call, [target, :anything, :infinity])
      assert {[{^node, {:error, _}}], []} = ends(peer, :gen_server, :multi_call, [[node], name, :anything])
      assert {:error, {:not_supported, :get_state}} = ends(peer, :sys, :get_state, [target, :infinity])
      assert {:error, _} = ends(peer, :sys, :get_status, [target, :infinity])
      assert {:error, _} = ends(peer, :supervisor, :which_children, [target])
      assert {:error, _} = ends(peer, :gen_event, :which_handlers, [target])
      assert {:error, _} = ends(peer, :gen_statem, :call, [target, :anything, :infinity])
    end

    assert {[], [^node]} = ends(peer, :gen_server, :multi_call, [[node], :nobody, :anything])

    for request <- [{:spawn, :lists, :sort, [[1]], self()}, {:verbose, 1}, :get_state] do
      assert {:error, _} = ends(peer, :gen_server, :call, [{:net_kernel, node}, request, :infinity])
    end
  end

  test "every call of a function comes back at once", %{harness: harness, peer: peer} do
    node = harness.node
    assert Peer.call(peer, :net_adm, :ping, [node]) == :pong
    assert ends(peer, :rpc, :sbcast, [[node], :harness, :anything]) == {[node], []}
    assert {[], [_]} = ends(peer, :rpc, :sbcast, [[node], :nobody, :anything])
    assert ends(peer, :rpc, :abcast, [[node], :harness, :anything]) == :abcast
    assert {[], [^node]} = ends(peer, :rpc, :multi_server_call, [[node], :nobody, :anything])

    for {module, function, arguments} <- [
          {:erlang, :node, []},
          {:code, :ensure_loaded, [:lists]},
          {:init, :get_status, []},
          {:application, :which_applications, []},
          {:observer_backend, :sys_info, []},
          {:pg, :get_members, [:group]}
        ] do
      assert {:badrpc, {:EXIT, {:undef, _}}} = ends(peer, :rpc, :call, [node, module, function, arguments])
      assert {:badrpc, _} = ends(peer, :rpc, :block_call, [node, module, function, arguments])
      assert {:error, _} = ends(peer, :erpc, :call, [node, module, function, arguments])
    end

    assert {:error, :notsup} = ends(peer, :erlang, :spawn_monitor, [node, :lists, :sort, [[1]]])
    assert is_pid(ends(peer, :erlang, :spawn, [node, :lists, :sort, [[1]]]))
    assert ends(peer, :erlang, :send_nosuspend, [{:nobody, node}, :anything]) == true
  end

  # dbg waits for the word of its relay whatever becomes of that.
  test "dbg:n/1 does not hang, and traces nothing here", %{harness: harness, peer: peer} do
    node = harness.node
    # Where there is no dbg, there is nothing to show.
    if Peer.call(peer, :code, :ensure_loaded, [:dbg]) == {:module, :dbg} do
      {:ok, _} = Peer.call(peer, :dbg, :tracer, [])
      assert ends(peer, :dbg, :n, [node]) == {:ok, node}
      Peer.call(peer, :dbg, :stop, [])
    end
  end

  test "a remote shell is refused with a sentence", %{harness: harness} do
    node = harness.node
    assert {:module, :shell} = :erpc.call(node, :code, :ensure_loaded, [:shell])
    assert :erpc.call(node, :erlang, :system_info, [:otp_release]) == ~c"25"
    shell = :erpc.call(node, :shell, :start, [])
    monitor = Process.monitor(shell)
    assert_receive {:DOWN, ^monitor, :process, ^shell, reason} when reason in [:normal, :noproc], 8_000
    assert {:badrpc, text} = :rpc.call(node, :code, :ensure_loaded, [IEx])
    assert text =~ "no shell can run on it"
    assert text =~ "harness, help"
  end

  defp start_run_with_pid(harness, peer) do
    target = Peer.start_server(peer, Subject)
    scenario = %{target: target, load: %{rate: 100, duration_ms: 20_000}, operations: [:get]}
    {:ok, id} = :erpc.call(harness.node, :harness, :start, [scenario])

    pid =
      Wait.until("the run's process", fn ->
        pid = :erpc.call(harness.node, :harness, :status, [id]).pid
        is_pid(pid) and pid
      end)

    {id, pid}
  end

  describe "the process of a run" do
    test "is ended by exit signals, and tells who monitors or links to it", %{harness: harness, peer: peer} do
      Process.flag(:trap_exit, true)

      for reason <- [:kill, :shutdown, {:any, 1}] do
        {id, pid} = start_run_with_pid(harness, peer)
        Process.link(pid)
        monitor = Process.monitor(pid)
        Process.exit(pid, :normal)
        Process.exit(pid, reason)
        assert {:error, {:cancelled, _report}} = :erpc.call(harness.node, :harness, :await, [id])
        assert_receive {:EXIT, ^pid, :normal}, 5_000
        assert_receive {:DOWN, ^monitor, :process, ^pid, :normal}, 5_000
        assert :erpc.call(harness.node, :harness, :status, [id]).pid == nil
      end
    end

    test "answers calls at once", %{harness: harness, peer: peer} do
      {id, pid} = start_run_with_pid(harness, peer)
      assert {:error, {:not_supported, :hello}} = ends(peer, :gen_server, :call, [pid, :hello, :infinity])
      assert {:error, {:not_supported, :get_state}} = ends(peer, :sys, :get_state, [pid, :infinity])
      assert ends(peer, :gen_server, :stop, [pid, :normal, :infinity]) == ends(peer, :gen_server, :stop, [{:harness, harness.node}, :normal, :infinity])
      assert %{outcome: nil, cancelled: false} = :erpc.call(harness.node, :harness, :status, [id])
      :erpc.call(harness.node, :harness, :cancel, [id])
      assert {:error, {:cancelled, _}} = :erpc.call(harness.node, :harness, :await, [id])
      assert {:exit, {:noproc, _}} = ends(peer, :gen_server, :call, [pid, :hello, :infinity])
    end

    test "is cancelled when a process that has linked itself to it dies", %{harness: harness, peer: peer} do
      {id, pid} = start_run_with_pid(harness, peer)

      for reason <- [:normal, :crashed] do
        process =
          spawn(fn ->
            Process.link(pid)
            receive(do: (:go -> exit(reason)))
          end)

        monitor = Process.monitor(process)
        send(process, :go)
        assert_receive {:DOWN, ^monitor, _, _, ^reason}, 5_000
        if reason == :normal, do: refute(:erpc.call(harness.node, :harness, :status, [id]).cancelled)
      end

      assert {:error, {:cancelled, _report}} = :erpc.call(harness.node, :harness, :await, [id])
      Harness.wait_for_log(harness, ~r/cancelled by an exit signal.*crashed/)
    end
  end

  test "too many monitors of a process are answered at once, and its node's others are not touched", %{harness: harness} do
    node = harness.node
    test = self()

    greedy =
      spawn_link(fn ->
        Process.flag(:trap_exit, true)
        for _ <- 1..33_400, do: Process.monitor({:harness, node})
        assert_receive {:DOWN, _, :process, {:harness, ^node}, :system_limit}, 30_000
        send(test, {:reached, catch_exit(GenServer.call({:harness, node}, :info))})
        send(test, {:spawned, catch_error(:erpc.call(node, :harness, :info, []))})
        receive(do: ({:link, pid} -> Process.link(pid)))
        assert_receive {:EXIT, _, :system_limit}, 5_000
        send(test, :linked)
        receive(do: (:end -> :ok))
      end)

    assert_receive {:reached, {:system_limit, {GenServer, :call, _}}}, 30_000
    assert_receive {:spawned, {:erpc, :system_limit}}, 5_000
    {id, pid} = start_run_with_pid(harness, Peer.start())
    send(greedy, {:link, pid})
    assert_receive :linked, 5_000
    assert %{node: ^node} = GenServer.call({:harness, node}, :info)
    refute Harness.call(harness, :status, [id]).cancelled
    Harness.call(harness, :cancel, [id])
    [line] = Regex.run(~r/warning a process has too many .*/, Harness.log(harness))
    assert line =~ "peer=#{node()} " and line =~ ~r/has=33333 limit=33333/
    assert length(Regex.scan(~r/too many monitors/, Harness.log(harness))) in 1..5
    refute Harness.log(harness) =~ "connection closed"
    send(greedy, :end)
  end

  test "a name that is taken: it says so, waits, and ends with a status of its own if it is to", %{harness: harness} do
    second = Harness.start(node: harness.node, ready: false)
    Harness.wait_for_log(second, ~r/the name is taken/)
    assert Harness.running?(second)
    third = Harness.start(node: harness.node, ready: false, arguments: ["--exit-on-taken-name"])
    assert Harness.await_exit(third, 10_000) == 3
    Harness.assert_alive(harness)
    OsProcess.signal(second.process, "KILL")
    OsProcess.await_exit(second.process)
  end
end
