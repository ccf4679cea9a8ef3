defmodule NamesTest do
  @moduledoc "Long and short names, IPv6, nodes without a name of their own, and several nodes at once."
  use ClusterCase

  defp both_ways(harness, peer) do
    info = Peer.call(peer, :erpc, :call, [harness.node, :harness, :info, []])
    assert info.node == harness.node
    assert Peer.call(peer, :net_adm, :ping, [harness.node]) == :pong
    # The answer comes over the connection that the peer opened, and so do our calls to its server.
    Peer.start_named(peer, Subject, :subject)
    target = {:subject, Peer.call(peer, :erlang, :node, [])}
    scenario = %{target: target, threads: [[{:add, 1}]]}
    assert {:ok, report} = Peer.call(peer, :erpc, :call, [harness.node, :harness, :run, [scenario]])
    assert result(report) == {:ok, 1}
  end

  test "long names" do
    both_ways(Harness.start(), Peer.start())
  end

  test "short names, in the configuration and by flag" do
    cookie = "shortcookie"

    for options <- [
          [config: %{"node" => %{"names" => "short"}}],
          [
            config: %{"node" => %{"name" => nil}},
            arguments: ["--sname", Peer.unique("short") <> "@localhost"]
          ]
        ] do
      node = String.to_atom(Peer.unique("short") <> "@localhost")
      harness = Harness.start([node: node, cookie: cookie] ++ options)
      assert Atom.to_string(harness.node) =~ "@localhost"
      peer = Peer.start(host: "localhost", longnames: false, cookie: cookie)
      both_ways(harness, peer)
    end
  end

  test "the daemon dials a node with a short name" do
    peer = Peer.start(host: "localhost", longnames: false)
    node = String.to_atom(Peer.unique("short") <> "@localhost")
    config = %{"node" => %{"names" => "short"}, "peers" => [Atom.to_string(peer.node)]}
    harness = Harness.start(node: node, config: config)
    Wait.until("the connection", fn -> harness.node in Peer.call(peer, :erlang, :nodes, [:hidden]) end)
  end

  test "IPv6" do
    case :gen_tcp.listen(0, [:inet6, ip: {0, 0, 0, 0, 0, 0, 0, 1}]) do
      {:ok, socket} ->
        :gen_tcp.close(socket)
        ipv6 = ["-proto_dist", "inet6_tcp"]
        peer = Peer.start(host: "::1", arguments: ipv6)
        dialled = Peer.start(host: "::1", arguments: ipv6)
        node = String.to_atom(Peer.unique("harness") <> "@::1")
        harness = Harness.start(node: node, config: %{"peers" => [Atom.to_string(dialled.node)]})
        both_ways(harness, peer)
        Wait.until("the connection", fn -> node in Peer.call(dialled, :erlang, :nodes, [:hidden]) end)

      {:error, _} ->
        IO.puts("(there is no IPv6 here)")
    end
  end

  test "a node without a name gets one from us" do
    node = String.to_atom(Peer.unique("short") <> "@localhost")
    harness = Harness.start(node: node, config: %{"node" => %{"names" => "short"}})
    nameless = Peer.start(name: nil, arguments: ["-sname", "undefined"])
    assert Peer.call(nameless, :net_kernel, :connect_node, [harness.node]) == true
    name = Peer.call(nameless, :erlang, :node, [])
    assert name != :nonode@nohost and Atom.to_string(name) =~ "@"
    both_ways(harness, nameless)

    another = Peer.start(name: nil, arguments: ["-sname", "undefined"])
    assert Peer.call(another, :net_kernel, :connect_node, [harness.node]) == true
    assert Peer.call(another, :erlang, :node, []) != name
  end

  test "a configured peer by its port, without epmd" do
    port = Epmd.free_port()
    peer = Peer.start(arguments: ["-erl_epmd_port", "#{port}", "-start_epmd", "false"])
    config = %{"peers" => [%{"node" => Atom.to_string(peer.node), "port" => port}]}
    harness = Harness.start(config: config)
    Wait.until("the connection", fn -> harness.node in Peer.call(peer, :erlang, :nodes, [:hidden]) end)
  end

  test "two nodes that dial each other at once end with one connection" do
    for _ <- 1..5 do
      peer = Peer.start_unsupervised()
      test = self()
      harness = Harness.start()
      target = {:nobody, peer.node}

      tasks =
        for ask <- [
              fn -> Harness.run(harness, %{target: target, threads: [[:get]]}) end,
              fn -> Peer.call(peer, :net_adm, :ping, [harness.node]) end
            ] do
          Task.async(fn ->
            send(test, {:ready, self()})
            receive(do: (:go -> ask.()))
          end)
        end

      for %{pid: pid} <- tasks, do: assert_receive({:ready, ^pid})
      for %{pid: pid} <- tasks, do: send(pid, :go)
      assert [{:ok, report}, :pong] = Task.await_many(tasks, 30_000)
      assert result(report) == {:error, :noproc}
      assert Peer.call(peer, :erlang, :nodes, [:hidden]) == [harness.node]
      Peer.stop(peer)
    end
  end

  test "two daemons in one cluster" do
    first = Harness.start()
    second = Harness.start()
    target = Peer.start_server(Peer.start(), Subject)
    scenario = %{target: target, threads: List.duplicate(List.duplicate({:add, 1}, 50), 4)}
    runs = for harness <- [first, second], do: start_run(harness, scenario)
    assert [{:ok, _}, {:ok, _}] = Task.await_many(runs, 30_000)
    assert run_script(first, target, [:get]) == [{:ok, 400}]
  end

  # Who has registered with epmd has the name; what others have that they do not take.
  test "a daemon that nobody vouches for leaves the connection of who has its name" do
    peer = Peer.start()
    first = Harness.start()
    load = %{target: Peer.start_server(peer, Subject), load: %{rate: 100, duration_ms: 60_000}, operations: [:get]}
    id = Runs.start(first, load)
    Wait.until("some load", fn -> Runs.status(first, id).operations > 10 end)

    config = %{"epmd" => %{"register" => false}, "peers" => [Atom.to_string(peer.node)]}
    second = Harness.start(node: first.node, config: config, arguments: ["--exit-on-taken-name"])
    said = ~r/connected with a node of this name already, .*peer=#{peer.node} name=#{first.node} its_connection=kept/
    Harness.wait_for_log(second, said)
    Harness.wait_for_log(second, ~r/dialled again peer=#{peer.node} reason="the peer is connected with a node of this/)
    Harness.assert_alive(first)
    assert %{state: :load, operation_errors: 0} = Runs.status(first, id)
    refute Harness.log(first) =~ "peer down peer=#{peer.node}"

    # Once that is gone, it is told to nobody.
    Harness.stop(first)
    Harness.wait_for_log(second, ~r/peer up peer=#{peer.node}/)
    assert length(Regex.scan(~r/its_connection=/, Harness.log(second))) <= 3
  end

  test "a name that is taken is refused by epmd, and the daemon says so" do
    harness = Harness.start()
    second = Harness.start(node: harness.node, ready: false)
    # Said the first time, and then at intervals that double, with how often it was so.
    Harness.wait_for_log(second, ~r/epmd refused the name .* times=\d+$/m)
    assert length(Regex.scan(~r/epmd refused the name/, Harness.log(second))) == 2
    assert Epmd.registered?(harness.node)
    Harness.assert_alive(harness)
    OsProcess.signal(second.process, "KILL")
    OsProcess.await_exit(second.process)
  end

  test "an epmd that cannot be reached is told of less and less" do
    harness = Harness.start(config: %{"epmd" => %{"port" => Epmd.free_port()}}, ready: false)
    Harness.wait_for_log(harness, ~r/epmd unreachable .* times=\d+$/m)
    assert length(Regex.scan(~r/epmd unreachable/, Harness.log(harness))) == 2
    OsProcess.signal(harness.process, "KILL")
    OsProcess.await_exit(harness.process)
  end
end
