defmodule CallingTest do
  @moduledoc "Every way in which a node may call the daemon."
  use ClusterCase, shared: true

  defp assert_info(harness, info) do
    node = harness.node
    assert %{node: ^node, version: version, runs: _, limits: limits, counters: counters} = info
    assert is_binary(version) and is_map(limits) and is_map(counters)
  end

  describe "functions" do
    test "over erpc:call, from this node and from a plain one", %{harness: harness, peer: peer} do
      assert_info(harness, :erpc.call(harness.node, :harness, :info, []))
      assert_info(harness, :erpc.call(harness.node, :harness, :info, [], 5_000))
      assert_info(harness, Peer.call(peer, :erpc, :call, [harness.node, :harness, :info, []]))
    end

    test "with the library's module", %{harness: harness, peer: peer} do
      target = Peer.start_server(peer, Subject)
      scenario = %{target: target, threads: [[{:add, 2}]]}
      assert {:ok, report} = :erpc.call(harness.node, Supertester.ConcurrentHarness, :run, [scenario])
      assert result(report) == {:ok, 2}
    end

    test "over rpc:call", %{harness: harness, peer: peer} do
      assert_info(harness, :rpc.call(harness.node, :harness, :info, []))
      assert_info(harness, :rpc.call(harness.node, :harness, :info, [], 5_000))
      assert_info(harness, Peer.call(peer, :rpc, :call, [harness.node, :harness, :info, []]))
    end

    test "over erpc:send_request", %{harness: harness} do
      requests = for _ <- 1..20, do: :erpc.send_request(harness.node, :harness, :info, [])
      for request <- requests, do: assert_info(harness, :erpc.receive_response(request, 5_000))
    end

    test "over rpc:async_call", %{harness: harness} do
      assert_info(harness, :rpc.yield(:rpc.async_call(harness.node, :harness, :info, [])))
    end

    test "over erpc:multicall, beside a node where there is no such module", %{harness: harness} do
      assert [{:ok, info}, {:error, {:exception, :undef, _}}] =
               :erpc.multicall([harness.node, node()], :harness, :info, [], 5_000)

      assert_info(harness, info)
    end

    test "over rpc:multicall", %{harness: harness} do
      assert {[info], []} = :rpc.multicall([harness.node], :harness, :info, [], 5_000)
      assert_info(harness, info)
    end

    test "over GenServer.call", %{harness: harness, peer: peer} do
      server = {:harness, harness.node}
      assert_info(harness, GenServer.call(server, :info))
      assert_info(harness, GenServer.call(server, {:info}))
      scenario = %{target: Peer.start_server(peer, Subject), threads: [[{:add, 2}]]}
      assert {:ok, report} = GenServer.call(server, {:run, scenario}, :infinity)
      assert result(report) == {:ok, 2}
      assert {:ok, %{}} = GenServer.call(server, {:validate, scenario})
    end

    test "over gen_server:send_request and multi_call", %{harness: harness} do
      request = :gen_server.send_request({:harness, harness.node}, :info)
      assert {:reply, info} = :gen_server.receive_response(request, 5_000)
      assert_info(harness, info)
      assert {[{_, info}], []} = GenServer.multi_call([harness.node], :harness, :info, 5_000)
      assert_info(harness, info)
    end

    test "over the forms that rex clients use", %{harness: harness} do
      request = {:call, :harness, :info, [], Process.group_leader()}
      assert_info(harness, GenServer.call({:rex, harness.node}, request))
      send({:rex, harness.node}, {self(), request})
      assert_receive {:rex, info}, 5_000
      assert_info(harness, info)
    end

    test "from the program erl_call", %{harness: harness} do
      program = System.find_executable("erl_call") || flunk("there is no erl_call")
      arguments = ["-name", "#{harness.node}", "-c", "#{Node.get_cookie()}", "-a", "harness info []"]
      assert {output, 0} = System.cmd(program, arguments, stderr_to_stdout: true)
      assert output =~ "version"
      assert output =~ "#{harness.node}"
    end

    test "without waiting for an answer", %{harness: harness, peer: peer} do
      target = Peer.start_server(peer, Subject)
      test = self()
      scenario = fn term -> %{target: target, threads: [[{:tell, test, term}]], call_timeout_ms: 5_000} end
      assert :ok = :erpc.cast(harness.node, :harness, :run, [scenario.(:erpc)])
      assert_receive {:told, _, from, :erpc}, 5_000
      GenServer.reply(from, :thanks)
      assert true = :rpc.cast(harness.node, :harness, :run, [scenario.(:rpc)])
      assert_receive {:told, _, from, :rpc}, 5_000
      GenServer.reply(from, :thanks)
      :ok = GenServer.cast({:harness, harness.node}, {:run, scenario.(:cast)})
      assert_receive {:told, _, from, :cast}, 5_000
      GenServer.reply(from, :thanks)
      rex = {:cast, :harness, :run, [scenario.(:rex)], Process.group_leader()}
      :ok = GenServer.cast({:rex, harness.node}, rex)
      assert_receive {:told, _, from, :rex}, 5_000
      GenServer.reply(from, :thanks)
      Harness.assert_alive(harness)
    end

    test "help is text for a shell", %{harness: harness} do
      help = Harness.call(harness, :help)
      assert is_binary(help) and String.valid?(help)
      for function <- ["run", "validate", "info", "help"], do: assert(help =~ function)
      assert Harness.call(harness, :help, [:run]) =~ "scenario"
      assert is_binary(Harness.call(harness, :help, [:no_such_function]))
      assert help =~ "IO.puts(:erpc.call(node, :harness, :help, []))"
      for kind <- ["inject_crash", "suspend", "disconnect"], do: assert(help =~ kind)
      for topic <- ["load", ~c"load"], do: assert(Harness.call(harness, :help, [topic]) =~ "duration_ms")
      assert Harness.call(harness, :help, [:chaos]) == Harness.call(harness, :help, [:faults])
    end

    test "help speaks the language of either shell", %{harness: harness} do
      assert Harness.call(harness, :help) == Harness.call(harness, :help, [:elixir])
      erlang = Harness.call(harness, :help, [:erlang])
      assert erlang =~ "io:put_chars(erpc:call(Node, harness, help, [erlang]))."
      assert erlang =~ "run(Scenario) -> {ok, Report} | {error, Reason}"
      refute erlang =~ "{:ok"
      assert Harness.call(harness, :help, [:run]) =~ "run(scenario) -> {:ok, report} | {:error, reason}"
      assert Harness.call(harness, :help, [:run, :erlang]) =~ "run(Scenario) -> {ok, Report} | {error, Reason}"
      assert Harness.call(harness, :help, [:run, :elixir]) == Harness.call(harness, :help, [:run])
      assert {:error, {:badarg, _}} = Harness.call(harness, :help, [:run, :french])
    end

    test "arguments of every kind of list", %{harness: harness} do
      # [1] and 'a' arrive as strings of bytes.
      assert {:error, {:invalid_scenario, _}} = Harness.call(harness, :validate, [1])
      assert {:error, {:invalid_scenario, _}} = Harness.call(harness, :validate, [[1]])
      assert {:error, {:invalid_scenario, _}} = Harness.call(harness, :validate, [~c"abc"])
    end
  end

  describe "Node" do
    test "ping", %{harness: harness, peer: peer} do
      assert Node.ping(harness.node) == :pong
      assert Peer.call(peer, :net_adm, :ping, [harness.node]) == :pong
    end

    test "the daemon is a hidden node", %{harness: harness, peer: peer} do
      assert Peer.call(peer, :net_adm, :ping, [harness.node]) == :pong
      assert harness.node in Peer.call(peer, :erlang, :nodes, [:hidden])
      refute harness.node in Peer.call(peer, :erlang, :nodes, [])
    end

    test "disconnect and connect again", %{harness: harness, peer: peer} do
      for _ <- 1..5 do
        assert Peer.call(peer, :net_adm, :ping, [harness.node]) == :pong
        assert Peer.call(peer, :erlang, :disconnect_node, [harness.node]) == true
      end

      assert_info(harness, Peer.call(peer, :erpc, :call, [harness.node, :harness, :info, []]))
    end

    test "spawn is refused", %{harness: harness} do
      node = harness.node
      request = :erlang.spawn_request(node, :erlang, :node, [], [:monitor])
      assert_receive {:spawn_reply, ^request, :error, :notsup}, 5_000
      request = :erlang.spawn_request(node, fn -> :ok end, [:link])
      assert_receive {:spawn_reply, ^request, :error, :notsup}, 5_000
      assert {:error, :notsup} = raised(fn -> Node.spawn_monitor(node, :erlang, :node, []) end)
      assert is_pid(Node.spawn(node, :erlang, :node, []))
      Harness.assert_alive(harness)
    end
  end

  describe "what there is not" do
    test "an unknown function or module over erpc is undef", %{harness: harness} do
      node = harness.node

      for {module, function, arguments} <- [
            {:harness, :nope, []},
            {:harness, :info, [1, 2, 3]},
            {:nope, :info, []},
            {Nope, :run, [%{}]},
            {:os, :cmd, [~c"true"]},
            {:erlang, :halt, []}
          ] do
        assert {:error, {:exception, :undef, [{^module, ^function, ^arguments, _} | _]}} =
                 raised(fn -> :erpc.call(node, module, function, arguments, 5_000) end)

        assert {:error, {:exception, :undef, [{^module, ^function, ^arguments, _} | _]}} =
                 raised(fn ->
                   :erpc.receive_response(:erpc.send_request(node, module, function, arguments), 5_000)
                 end)

        assert [{:error, {:exception, :undef, [{^module, ^function, ^arguments, _} | _]}}] =
                 :erpc.multicall([node], module, function, arguments, 5_000)

        assert {:badrpc, {:EXIT, {:undef, [{^module, ^function, ^arguments, _} | _]}}} =
                 :rpc.call(node, module, function, arguments, 5_000)

        call = {:call, module, function, arguments, Process.group_leader()}

        assert {:badrpc, {:EXIT, {:undef, [{^module, ^function, ^arguments, _} | _]}}} =
                 GenServer.call({:rex, node}, call)

        send({:rex, node}, {self(), call})
        assert_receive {:rex, {:badrpc, {:EXIT, {:undef, _}}}}, 5_000
        :erpc.cast(node, module, function, arguments)
      end

      Harness.assert_alive(harness)
    end

    test "an unknown function of ours over erpc and rpc comes with the nearest", %{harness: harness} do
      node = harness.node

      for module <- [:harness, Supertester.ConcurrentHarness] do
        assert {:error, {:exception, :undef, [{^module, :strat, [%{}], [error_info: %{cause: cause}]}]}} =
                 raised(fn -> :erpc.call(node, module, :strat, [%{}], 5_000) end)

        assert cause =~ ~r/^nearest: start\(/

        assert {:badrpc, {:EXIT, {:undef, [{^module, :strat, [%{}], [error_info: %{cause: ^cause}]}]}}} =
                 :rpc.call(node, module, :strat, [%{}], 5_000)
      end

      assert {:error, {:exception, :undef, [{:nope, :strat, [], []}]}} =
               raised(fn -> :erpc.call(node, :nope, :strat, [], 5_000) end)
    end

    test "an unknown function over GenServer.call is an error", %{harness: harness} do
      server = {:harness, harness.node}
      assert {:error, {:undef, {:nope, 0}}} = GenServer.call(server, :nope)
      assert {:error, {:undef, {:nope, 0}}} = GenServer.call(server, {:nope})
      assert {:error, {:undef, {:nope, 2}}} = GenServer.call(server, {:nope, 1, 2})
      assert {:error, {:undef, {:run, 3}}} = GenServer.call(server, {:run, 1, 2, 3})
      assert {:error, {:undef, {:strat, 1}}} = GenServer.call(server, {:strat, %{}})
      Harness.wait_for_log(harness, ~r/unknown function called .*function=strat arity=1 nearest="start\(/)
    end

    test "a request that is no request is answered or refused, and harms nobody", %{harness: harness} do
      server = {:harness, harness.node}

      for request <- [1, "text", [], {}, {1, 2}, {"run", 1}, %{}, self(), make_ref(), 1.5, {[]}] do
        assert {:error, _} = GenServer.call(server, request, 5_000)
        send(server, request)
        GenServer.cast(server, request)
      end

      for message <- [{:"$gen_call", 1, 2}, {:"$gen_call", {self(), 1}}, {:"$gen_cast"}, {:rex, 1}] do
        send(server, message)
        send({:rex, harness.node}, message)
        send({:net_kernel, harness.node}, message)
      end

      Harness.assert_alive(harness)
    end

    test "an unknown registered name is noproc at once", %{harness: harness} do
      {time, caught} =
        timed(fn -> raised(fn -> GenServer.call({:nobody, harness.node}, :hello, 60_000) end) end)

      assert {:exit, {:noproc, {GenServer, :call, _}}} = caught
      assert time < 5_000
      # A message to it is silence, as on any node.
      send({:nobody, harness.node}, :hello)
      GenServer.cast({:nobody, harness.node}, :hello)
      Harness.assert_alive(harness)
    end

    test "a monitor on an unknown name or process is noproc at once", %{harness: harness} do
      monitor = Process.monitor({:nobody, harness.node})
      node = harness.node
      assert_receive {:DOWN, ^monitor, :process, {:nobody, ^node}, :noproc}, 5_000
      nobody = nobody(harness)
      monitor = Process.monitor(nobody)
      assert_receive {:DOWN, ^monitor, :process, ^nobody, :noproc}, 5_000
      send(nobody, :hello)
      Process.exit(nobody, :kill)
      assert raised(fn -> GenServer.call(nobody, :hello, 5_000) end) |> elem(0) == :exit
      Harness.assert_alive(harness)
    end

    test "a monitor on a name of the daemon stands, and ends with it" do
      harness = Harness.start()
      node = harness.node
      monitor = Process.monitor({:harness, node})
      Harness.assert_alive(harness)
      refute_received {:DOWN, ^monitor, _, _, _}
      Harness.stop(harness)
      assert_receive {:DOWN, ^monitor, :process, {:harness, ^node}, reason}, 5_000
      assert reason in [:noconnection, :shutdown, :normal]
    end

    test "a link to a process that is not there", %{harness: harness} do
      nobody = nobody(harness)
      Process.flag(:trap_exit, true)
      Process.link(nobody)
      assert_receive {:EXIT, ^nobody, :noproc}, 5_000
      Process.unlink(nobody)
      Harness.assert_alive(harness)
    end
  end

  describe "patience" do
    test "system messages do not hang", %{harness: harness} do
      server = {:harness, harness.node}

      for ask <- [&:sys.get_status/2, &:sys.get_state/2, &:sys.suspend/2, &:sys.resume/2] do
        {time, _} = timed(fn -> raised(fn -> ask.(server, 3_000) end) end)
        assert time < 10_000
      end

      Harness.assert_alive(harness)
    end

    test "a call that times out disturbs neither its run nor anybody", %{harness: harness, peer: peer} do
      target = Peer.start_server(peer, Subject)
      test = self()
      scenario = %{target: target, threads: [[{:tell, test, :here}]], call_timeout_ms: 4_000}

      assert {:error, {:erpc, :timeout}} =
               raised(fn -> :erpc.call(harness.node, :harness, :run, [scenario], 500) end)

      assert_received {:told, _, from, :here}
      assert running(harness) == 1
      GenServer.reply(from, :thanks)
      Wait.until("the end of the run", fn -> running(harness) == 0 end)

      assert {:badrpc, :timeout} = :rpc.call(harness.node, :harness, :run, [scenario], 500)
      assert_received {:told, _, from, :here}
      GenServer.reply(from, :thanks)

      assert {:exit, {:timeout, _}} =
               raised(fn -> GenServer.call({:harness, harness.node}, {:run, scenario}, 500) end)

      assert_received {:told, _, from, :here}
      assert running(harness) == 1
      GenServer.reply(from, :thanks)
      Wait.until("the end of the run", fn -> running(harness) == 0 end)
      # The answer that comes too late is not ours any more.
      refute_received {_, {:ok, _}}
    end

    test "a long run keeps nobody waiting", %{harness: harness, peer: peer} do
      target = Peer.start_server(peer, Subject)
      test = self()

      scenario = %{
        target: target,
        threads: [[{:tell, test, :here}]],
        call_timeout_ms: 30_000,
        timeout_ms: 30_000
      }

      run = start_run(harness, scenario)
      assert_receive {:told, _, from, :here}, 10_000
      for _ <- 1..50, do: Harness.assert_alive(harness)
      assert {:ok, other} = Harness.run(harness, %{target: target, threads: [[{:echo, 1}]]})
      assert result(other) == {:ok, 1}
      GenServer.reply(from, :thanks)
      assert {:ok, report} = Task.await(run)
      assert result(report) == {:ok, :thanks}
    end
  end

  # A pid of the daemon that no process of it has.
  defp nobody(harness) do
    raw = RawNode.connect!(harness.port)
    RawNode.close(raw)
    RawNode.pid(%RawNode{name: raw.peer_name, creation: raw.peer_creation}, 30_000)
  end
end
