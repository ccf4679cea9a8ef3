defmodule TlsTest do
  @moduledoc "TLS distribution, with BEAM nodes that speak it; the test's own node is plain unless all are over TLS."
  use ClusterCase

  setup do
    {:ok, folder: Support.temporary_folder()}
  end

  # A daemon that takes both, as the test's node calls it.
  defp start(options \\ []) do
    config = %{"node" => %{"tls" => Map.merge(Tls.config()["tls"], Keyword.get(options, :tls, %{}))}}
    Harness.start(Keyword.merge([tls: false, config: config], Keyword.take(options, [:ready])))
  end

  defp ping(peer, node), do: Peer.call(peer, :net_adm, :ping, [node], 20_000)

  # What its descriptors are; one that is closed meanwhile is nothing.
  defp open(harness) do
    folder = "/proc/#{OsProcess.os_pid(harness.process)}/fd"
    for name <- File.ls!(folder), {:ok, target} <- [File.read_link(Path.join(folder, name))], do: target
  end

  @versions [
    {"1.2", [versions: [:"tlsv1.2"]]},
    {"1.3", [versions: [:"tlsv1.3"]]},
    {"what the release has", []}
  ]

  for {name, versions} <- @versions do
    test "is spoken in both directions: #{name}", %{folder: folder} do
      versions = unquote(Macro.escape(versions))
      optfile = Tls.write(folder, Tls.folder(), server: versions, client: versions)
      peer = Peer.start(tls: optfile)
      harness = start()
      assert ping(peer, harness.node) == :pong
      target = Peer.start_server(peer, Subject)
      report = Loads.run(harness, target, %{threads: 8, iterations: 200}, [{:add, 1}])
      assert report.metrics.operation_errors == 0
      assert report.latency.service.clock == :kernel
      assert Peer.call(peer, :erlang, :disconnect_node, [harness.node])
      Harness.wait_for_log(harness, ~r/connection closed peer=#{peer.node}/)
      # The daemon dials.
      report = Loads.run(harness, target, %{threads: 8, iterations: 200}, [{:add, 1}])
      assert report.metrics.operation_errors == 0
      assert [{:ok, 3201}] = run_script(harness, target, [{:add, 1}])
    end
  end

  test "a large message goes both ways", %{folder: folder} do
    peer = Peer.start(tls: Tls.write(folder, Tls.folder()))
    harness = start()
    target = Peer.start_server(peer, Subject)
    assert [{:ok, bytes}] = run_script(harness, target, [{:make, :bytes, 20_000_000}], %{call_timeout_ms: 30_000, timeout_ms: 60_000})
    assert byte_size(bytes) == 20_000_000
    assert [{:ok, ^bytes}] = run_script(harness, target, [{:echo, bytes}], %{call_timeout_ms: 30_000, timeout_ms: 60_000})
  end

  test "nodes renegotiate while calls are under way", %{folder: folder} do
    often = [versions: [:"tlsv1.2"], renegotiate_at: 200]
    peer = Peer.start(tls: Tls.write(folder, Tls.folder(), server: often, client: often))
    harness = start()
    target = Peer.start_server(peer, Subject)

    for who <- [:daemon, :node] do
      if who == :node, do: assert(ping(peer, harness.node) == :pong)
      report = Loads.run(harness, target, %{threads: 64, iterations: 313}, [{:add, 1}], %{events: :none})
      assert report.metrics.total_operations == 64 * 313
      assert report.metrics.operation_errors == 0
      Peer.call(peer, :erlang, :disconnect_node, [harness.node])
    end

    assert [{:ok, total}] = run_script(harness, target, [{:add, 0}])
    assert total == 2 * 64 * 313
  end

  test "keys are updated while calls are under way", %{folder: folder} do
    often = [versions: [:"tlsv1.3"], key_update_at: 20_000]
    peer = Peer.start(tls: Tls.write(folder, Tls.folder(), server: often, client: often))
    harness = start()
    target = Peer.start_server(peer, Subject)
    report = Loads.run(harness, target, %{threads: 64, iterations: 313}, [{:add, 1}], %{events: :none})
    assert report.metrics.operation_errors == 0
    assert [{:ok, 20_032}] = run_script(harness, target, [{:add, 0}])
  end

  describe "is refused, with a sentence and without a trace:" do
    setup %{folder: folder} do
      {:ok, foreign: Tls.make(Path.join(folder, "foreign")), harness: start()}
    end

    # The node dials the daemon, then the daemon the node; `told` is in the log after each.
    defp refused(harness, peer, told_accepting, told_dialling) do
      # The test's own node is connected by that.
      Harness.assert_alive(harness)
      before = open(harness)
      assert ping(peer, harness.node) == :pang
      if told_accepting, do: Harness.wait_for_log(harness, told_accepting)
      target = Peer.start_server(peer, Subject)
      assert {:error, _} = Harness.run(harness, %{target: target, load: %{threads: 1, iterations: 1}, operations: [:get]}, 60_000)
      if told_dialling, do: Harness.wait_for_log(harness, told_dialling, 20_000)
      Wait.until(
        fn -> "the descriptors to be closed: #{inspect(open(harness) -- before)}" end,
        fn -> length(open(harness)) <= length(before) end
      )

      Harness.assert_alive(harness)
    end

    test "another CA", %{harness: harness, folder: folder, foreign: foreign} do
      peer = Peer.start(tls: Tls.write(folder, foreign))
      # The node does not trust the daemon's certificate either, and says so first where it is the client.
      refused(
        harness,
        peer,
        ~r/handshake failed .*(unknown CA|unable to get local issuer)/,
        ~r/handshake failed peer=#{peer.node} .*refuses the peer's certificate: (unable to get local|self-signed)/
      )
    end

    test "another host", %{harness: harness, folder: folder, foreign: _} do
      other = Path.join(folder, "other")
      File.cp_r!(Tls.folder(), other)
      key = Path.join(other, "node")
      File.write!(key <> ".ext", "subjectAltName=DNS:elsewhere.test\n")

      {_, 0} =
        System.cmd("openssl", ~w(x509 -req -in #{key}.csr -CA #{other}/ca.pem -CAkey #{other}/ca.key -CAcreateserial
          -days 30 -extfile #{key}.ext -out #{key}.pem), stderr_to_stdout: true)

      peer = Peer.start(tls: Tls.write(folder, other))
      # Whose name it is does not matter of a node that dials.
      assert ping(peer, harness.node) == :pong
      Peer.call(peer, :erlang, :disconnect_node, [harness.node])
      target = Peer.start_server(peer, Subject)
      assert {:error, _} = Harness.run(harness, %{target: target, load: %{threads: 1, iterations: 1}, operations: [:get]}, 60_000)
      Harness.wait_for_log(harness, ~r/is for another host: 127.0.0.1 is wanted, and it is .*DNS:elsewhere.test/)
    end

    test "no certificate", %{harness: harness, folder: folder} do
      optfile = Tls.write(folder, Tls.folder(), client: [verify: :verify_none])
      File.write!(optfile, Regex.replace(~r/\{client,.*\]\}\]\./s, File.read!(optfile), "{client,[{verify,verify_none}]}]."))
      peer = Peer.start(tls: optfile)
      assert ping(peer, harness.node) == :pang
      Harness.wait_for_log(harness, ~r/handshake failed .*has shown no certificate/)
    end

    test "a node whose own options are broken", %{harness: harness, folder: folder} do
      optfile = Tls.write(folder, Tls.folder())
      peer = Peer.start(tls: optfile)
      target = Peer.start_server(peer, Subject)
      broken = Path.join(folder, "broken")
      File.cp_r!(Tls.folder(), broken)
      File.write!(Path.join(broken, "node.pem"), "no certificate")
      other = Peer.start(tls: Tls.write(folder, broken))
      target_there = Peer.start_server(other, Subject)
      assert {:error, _} = Harness.run(harness, %{target: target_there, load: %{threads: 1, iterations: 1}, operations: [:get]}, 60_000)
      Harness.wait_for_log(harness, ~r/handshake failed peer=#{other.node} .*(options are probably broken|alert)/)
      assert [{:ok, 0}] = run_script(harness, target, [:get], %{call_timeout_ms: 30_000, timeout_ms: 60_000})
    end

    test "a plain node that is dialled over TLS", %{harness: harness} do
      peer = Peer.start(tls: false)
      target = Peer.start_server(peer, Subject)
      assert {:error, _} = Harness.run(harness, %{target: target, load: %{threads: 1, iterations: 1}, operations: [:get]}, 60_000)
      Harness.wait_for_log(harness, ~r/handshake failed peer=#{peer.node} .*plain node/, 20_000)
    end

    test "a plain node that dials a daemon of TLS alone" do
      harness = start(tls: %{"accept" => ["tls"]})
      assert {:error, _} = RawNode.connect(harness.port, tls: false)
      Harness.wait_for_log(harness, ~r/handshake failed .*the peer speaks plain distribution/)
    end

    test "a node of TLS, dialled and dialling, by a plain daemon", %{folder: folder} do
      harness = Harness.start(tls: false)
      peer = Peer.start(tls: Tls.write(folder, Tls.folder()))
      assert ping(peer, harness.node) == :pang
      Harness.wait_for_log(harness, ~r/handshake failed .*the peer speaks TLS/)
      target = Peer.start_server(peer, Subject)

      unless Tls.on?() do
        assert {:error, _} = Harness.run(harness, %{target: target, load: %{threads: 1, iterations: 1}, operations: [:get]}, 60_000)
        Harness.wait_for_log(harness, ~r/handshake failed peer=#{peer.node} .*the peer speaks TLS/)
      end
    end

    test "who says nothing", %{harness: harness} do
      before = open(harness)
      {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, harness.port, [:binary, active: false])
      :ok = :gen_tcp.send(socket, <<0x16, 3, 1>>)
      assert {:error, :closed} = :gen_tcp.recv(socket, 0, 20_000)
      Harness.wait_for_log(harness, ~r/handshake failed .*TLS handshake was not done in time/)
      Wait.until("the descriptor to be closed", fn -> length(open(harness)) <= length(before) end)
    end
  end

  test "certificates that change under load are those of new connections", %{folder: folder} do
    made = Path.join(folder, "made")
    File.cp_r!(Tls.folder(), made)
    optfile = Tls.write(folder, made)
    harness = start(tls: %{"optfile" => optfile})
    peer = Peer.start(tls: Tls.write(folder, Tls.folder()))
    target = Peer.start_server(peer, Subject)
    assert ping(peer, harness.node) == :pong
    scenario = Loads.scenario(target, %{threads: 8, duration_ms: 60_000}, [:get], %{events: :none})
    {:ok, run} = Harness.call(harness, :start, [scenario])

    for i <- 1..5 do
      other = Peer.start(tls: Tls.write(folder, Tls.folder()))
      Tls.replace(made, i, fn -> assert ping(other, harness.node) == :pong end)
      Peer.call(other, :erlang, :disconnect_node, [harness.node])
      Harness.wait_for_log(harness, ~r/connection closed peer=#{other.node}/)
      assert ping(other, harness.node) == :pong
      Wait.until("the new certificate", fn -> length(Regex.scan(~r/certificates read again/, Harness.log(harness))) >= i end)
      Peer.stop(other)
    end

    assert :ok = Harness.call(harness, :cancel, [run])
    Harness.call(harness, :await, [run, 30_000])
    {:ok, report} = Harness.call(harness, :partial, [run])
    assert report.metrics.operation_errors == 0
    assert report.metrics.total_operations > 0
  end

  test "harnessd run speaks it", %{folder: folder} do
    peer = Peer.start(tls: Tls.write(folder, Tls.folder()))
    Peer.start_named(peer, Subject, :subject)
    file = Once.file(%{"target" => "subject", "threads" => [[%{"call" => %{"erlang" => "get"}}]]})
    flags = if Tls.on?(), do: [], else: ["--proto-dist", "inet_tls", "--ssl-dist-optfile", Tls.optfile()]
    assert {0, output, _} = Once.run(file, peer.node, flags)
    assert output =~ "completed"
  end

  test "what is wrong with files is told at the start", %{folder: folder} do
    made = Tls.make(Path.join(folder, "made"))
    optfile = Tls.write(folder, Tls.folder(), server: [keyfile: to_charlist(Path.join(made, "node.key"))])
    config = Path.join(folder, "config.json")
    File.write!(config, Json.encode(%{"node" => %{"name" => "a@127.0.0.1", "tls" => %{"optfile" => optfile}}}))
    {output, 2} = System.cmd(Harness.executable(), ["--check-config", config], stderr_to_stdout: true)
    assert output =~ "node.tls.optfile: the key in #{made}/node.key is not that of the certificate in"
  end
end
