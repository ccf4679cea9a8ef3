defmodule AddressesTest do
  @moduledoc "Several addresses, IPv6, nodes without epmd, and how an epmd that is not there is told of."
  use ClusterCase

  @one {0, 0, 0, 0, 0, 0, 0, 1}
  @ipv6 ["-proto_dist", "inet6_tcp"]

  # Where there is no IPv6, its tests are left out, and say so.
  case :gen_tcp.listen(0, [:inet6, ip: @one]) do
    {:ok, socket} -> :gen_tcp.close(socket)
    {:error, _} -> @moduletag skip: "there is no IPv6 here"
  end

  defp reaches?(address, port) do
    family = if tuple_size(address) == 8, do: [:inet6], else: []

    case :gen_tcp.connect(address, port, [:binary, active: false] ++ family, 5_000) do
      {:ok, socket} -> :gen_tcp.close(socket) == :ok
      {:error, :econnrefused} -> false
    end
  end

  test "it listens at each of several addresses, of one port, and at no other" do
    harness = Harness.start(config: %{"node" => %{"listen" => ["127.0.0.2", "::1", "127.0.0.1"]}})
    for address <- [{127, 0, 0, 1}, {127, 0, 0, 2}, @one], do: assert(reaches?(address, harness.port))
    refute reaches?({127, 0, 0, 3}, harness.port)
    assert %{node: _} = Harness.call(harness, :info)
    # Who has come by IPv6 is told of with its address in brackets.
    {:ok, socket} = :gen_tcp.connect(@one, harness.port, [:binary, :inet6, active: false])
    {:ok, {_, port}} = :inet.sockname(socket)
    :ok = :gen_tcp.send(socket, <<0, 1, ?x>>)
    Harness.wait_for_log(harness, ~r/address=\[::1\]:#{port}/)
  end

  test "all addresses of both families" do
    harness = Harness.start(config: %{"node" => %{"listen" => ["0.0.0.0", "::"]}})
    for address <- [{127, 0, 0, 1}, {127, 0, 0, 3}, @one], do: assert(reaches?(address, harness.port))
  end

  test "an address that it cannot have ends it, and so does a port that is taken at one of them" do
    {:ok, taken} = :gen_tcp.listen(0, ip: {127, 0, 0, 2})
    {:ok, port} = :inet.port(taken)

    for {node, reason} <- [
          {%{"listen" => ["127.0.0.1", "192.0.2.1"]}, "192.0.2.1 port "},
          {%{"listen" => ["::1", "127.0.0.2"], "port" => port}, "127.0.0.2 port #{port}: Address already in use"}
        ] do
      harness = Harness.start(config: %{"node" => node}, ready: false)
      assert Harness.await_exit(harness) == 1
      assert Harness.log(harness) =~ ~s(error cannot listen reason="#{reason})
    end
  end

  test "nodes of both families are dialled by one daemon, which is called by both" do
    four = Peer.start()
    six = Peer.start(host: "::1", arguments: @ipv6)
    peers = [Atom.to_string(four.node), Atom.to_string(six.node)]
    harness = Harness.start(config: %{"peers" => peers})

    for peer <- [four, six] do
      Wait.until("a connection", fn -> harness.node in Peer.call(peer, :erlang, :nodes, [:hidden]) end)
      target = Peer.start_server(peer, Subject)
      scenario = %{target: target, threads: [[{:add, 1}]], chaos: [{:suspend, 5}]}
      assert {:ok, report} = Peer.call(peer, :erpc, :call, [harness.node, :harness, :run, [scenario]])
      assert [%{outcome: :ok, undone: true}] = report.injections
    end
  end

  test "a daemon at ::1, registered with an epmd at ::1" do
    node = String.to_atom(Peer.unique("harness") <> "@::1")
    harness = Harness.start(node: node, config: %{"epmd" => %{"host" => "::1"}})
    assert Epmd.registered?(node)
    peer = Peer.start(host: "::1", arguments: @ipv6)
    assert %{node: ^node} = Peer.call(peer, :erpc, :call, [harness.node, :harness, :info, []])
    refute reaches?({127, 0, 0, 1}, harness.port)
  end

  describe "harnessd run" do
    defp smoke(node, more \\ %{}),
      do: Map.merge(%{"target" => %{"name" => "subject", "node" => "#{node}"}, "threads" => [[%{"erlang" => "get"}]]}, more)

    # A node that is registered nowhere, and whose epmd nobody can ask.
    defp unregistered(host, arguments) do
      port = Epmd.free_port()
      peer = Peer.start(host: host, arguments: arguments ++ ["-erl_epmd_port", "#{port}"])
      Peer.start_named(peer, Subject, :subject)
      {peer, port}
    end

    defp without_epmd, do: [{"ERL_EPMD_PORT", "#{Epmd.free_port()}"}]

    test "reaches nodes by their ports, of either family, and asks no epmd" do
      for {host, written, arguments} <- [{"127.0.0.1", "127.0.0.1", []}, {"::1", "[::1]", @ipv6}, {"::1", "::1", @ipv6}] do
        {peer, port} = unregistered(host, arguments)
        [name, _] = String.split("#{peer.node}", "@")
        at_port = if written == "::1", do: "#{name}@[::1]:#{port}", else: "#{name}@#{written}:#{port}"
        assert {0, _, ""} = Once.run(Once.file(smoke(peer.node)), at_port, [], without_epmd())
        # Without the port it is the epmd that is missing.
        asked = if written == "[::1]", do: "#{name}@[::1]", else: "#{name}@#{written}"
        [{_, epmd}] = nowhere = without_epmd()
        assert {2, "", errors} = Once.run(Once.file(smoke(peer.node)), asked, [], nowhere)
        shown = if host == "::1", do: "[::1]", else: host
        assert errors == "--connect: cannot connect to #{peer.node}: no epmd at #{shown}:#{epmd}\n"
      end
    end

    test "has the ports of other nodes from peers" do
      {first, _} = unregistered("127.0.0.1", [])
      {second, _} = unregistered("::1", @ipv6)
      file = Path.join(Support.temporary_folder(), "harnessd.json")

      peers =
        for peer <- [first, second],
            do: %{"node" => "#{peer.node}", "port" => elem(Peer.call(peer, :erl_epmd, :listen_port_please, [~c"", ~c""]), 1)}

      File.write!(file, Json.encode(%{"peers" => peers}))
      arguments = ["--config", file]
      assert {0, _, ""} = Once.run(Once.file(smoke(second.node)), first.node, arguments, without_epmd())
      assert {2, _, _} = Once.run(Once.file(smoke(second.node)), first.node, [], without_epmd())
    end
  end

  test "a daemon that finds no epmd says where it has looked" do
    port = Epmd.free_port()
    harness = Harness.start(config: %{"epmd" => %{"port" => port}}, ready: false)
    Harness.wait_for_log(harness, ~r/epmd unreachable reason="no epmd at localhost:#{port}"/)
    Harness.terminate(harness)
    assert Harness.await_exit(harness) == 0
  end
end
