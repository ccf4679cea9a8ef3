defmodule TlsRefusalsTest do
  @moduledoc """
  Certificates with something wrong, the node's or the daemon's, which dials or is dialled, over both versions of TLS: each
  is refused with a sentence in the daemon's log, leaves no descriptor behind, and costs nobody else anything.
  """
  use ClusterCase

  @purpose "unsuitable certificate purpose"
  @usages "handshake failure|unsupported certificate"

  # What is wrong; what the daemon says of a node that has it and dials, and that is dialled; which alert it tells of when
  # it is the daemon who has it and is dialled, and who dials. `nil` connects, `:any` is up to the node's release.
  @flaws [
    {:expired, {"certificate has expired", "certificate has expired"}, {"certificate expired", "certificate expired"}},
    {:not_yet_valid, {"certificate is not yet valid", "certificate is not yet valid"},
     {"certificate expired", "certificate expired"}},
    {:self_signed, {"self-signed certificate", "self-signed certificate"},
     {"bad certificate|unknown CA", "bad certificate|unknown CA"}},
    {:no_intermediate, {"unable to get local issuer", "unable to get local issuer"}, {"unknown CA", "unknown CA"}},
    {{:usage, "serverAuth,clientAuth", "emailProtection"}, {@purpose, @purpose}, {@usages, @usages}},
    {{:usage, "serverAuth,clientAuth", "serverAuth"}, {@purpose, nil}, {nil, @usages}},
    {{:usage, "serverAuth,clientAuth", "clientAuth"}, {nil, @purpose}, {@usages, nil}},
    {{:usage, "digitalSignature", "keyEncipherment"}, {@purpose, :any}, {:any, :any}}
  ]

  # The daemon takes plain nodes as well, one of which asks it for everything: it is connected all the while.
  defp start(optfile) do
    harness = Harness.start(config: %{"node" => %{"tls" => Map.put(Tls.config()["tls"], "optfile", optfile)}}, tls: false)
    {harness, RawNode.connect!(harness.port, tls: false)}
  end

  defp optfile(folder, made, version), do: Tls.write(folder, made, server: [versions: [version]], client: [versions: [version]])

  defp open(harness) do
    folder = "/proc/#{OsProcess.os_pid(harness.process)}/fd"
    for name <- File.ls!(folder), {:ok, target} <- [File.read_link(Path.join(folder, name))], do: target
  end

  # The node dials the daemon.
  defp assert_dials(harness, peer, nil) do
    assert Peer.call(peer, :net_adm, :ping, [harness.node], 20_000) == :pong
    assert Peer.call(peer, :erlang, :disconnect_node, [harness.node])
    Harness.wait_for_log(harness, ~r/connection closed peer=#{peer.node}/)
  end

  defp assert_dials(_, _, :any), do: :ok

  defp assert_dials(harness, peer, told) do
    assert Peer.call(peer, :net_adm, :ping, [harness.node], 20_000) == :pang
    Harness.wait_for_log(harness, Regex.compile!("handshake failed peer=\"\" .*#{told}"))
  end

  # The daemon dials the node.
  defp assert_dialled(_, _, _, :any), do: :ok

  defp assert_dialled(harness, raw, peer, told) do
    target = Peer.start_server(peer, Subject)
    # Of one who waits for the answer of a run the node is asked for more, which this one does not have.
    scenario = %{target: target, load: %{threads: 1, iterations: 1}, operations: [:get]}
    assert {:ok, {:ok, run}} = RawNode.call(raw, :harness, {:start, scenario}, 2)
    assert {:ok, answer} = RawNode.call(raw, :harness, {:await, run, 20_000}, 3)

    if told do
      assert {:error, _} = answer
      Harness.wait_for_log(harness, Regex.compile!("handshake failed peer=#{peer.node} .*#{told}"))
    else
      assert {:ok, _} = answer
    end
  end

  defp assert_refused(node, daemon, {dialling, dialled}) do
    {harness, raw} = start(daemon)
    before = open(harness)
    peer = Peer.start(tls: node)
    assert_dials(harness, peer, dialling)
    assert_dialled(harness, raw, peer, dialled)
    Peer.stop(peer)

    Wait.until(
      fn -> "the descriptors to be closed: #{inspect(open(harness) -- before)}" end,
      fn -> length(open(harness)) <= length(before) end
    )

    node = harness.node
    assert {:ok, %{node: ^node}} = RawNode.call(raw, :harness, :info, 4)
    harness
  end

  for {flaw, of_node, of_daemon} <- @flaws, version <- [:"tlsv1.2", :"tlsv1.3"] do
    test "#{inspect(flaw)}, over #{version}" do
      folder = Support.temporary_folder()
      flawed = Tls.flawed(Path.join(folder, "flawed"), unquote(Macro.escape(flaw)))
      good = optfile(folder, Tls.folder(), unquote(version))
      bad = optfile(folder, flawed, unquote(version))
      assert_refused(bad, good, refuses(unquote(of_node)))
      harness = assert_refused(good, bad, ends(unquote(of_daemon)))
      # It has known from the start that others would not like it.
      assert Harness.log(harness) =~ "others may refuse this node's certificate file=#{flawed}/node.pem reason="
    end
  end

  defp refuses({a, b}), do: {sentence(a, "this node refuses the peer's certificate: "), sentence(b, "this node refuses the peer's certificate: ")}
  defp ends({a, b}), do: {sentence(a, ~S(the peer ends it \(alert ..)), sentence(b, ~S(the peer ends it \(alert ..))}

  defp sentence(told, _) when told in [nil, :any], do: told
  defp sentence(told, begins), do: "#{begins}(#{told})"

  test "a certificate with the one between it and the CA behind it is none of these" do
    folder = Support.temporary_folder()
    made = Tls.flawed(Path.join(folder, "whole"), :no_intermediate)
    node = Path.join(made, "node.pem")
    File.write!(node, File.read!(node) <> File.read!(Path.join(made, "intermediate.pem")))

    for version <- [:"tlsv1.2", :"tlsv1.3"] do
      [whole, good] = for made <- [made, Tls.folder()], do: optfile(folder, made, version)
      assert_refused(whole, good, {nil, nil})
      assert_refused(good, whole, {nil, nil})
    end
  end

  test "who uses a usage that its key does not have has no cipher of 1.2" do
    folder = Support.temporary_folder()
    flawed = Tls.flawed(Path.join(folder, "flawed"), {:usage, "digitalSignature", "keyEncipherment"})
    {harness, _} = start(optfile(folder, flawed, :"tlsv1.2"))
    peer = Peer.start(tls: optfile(folder, Tls.folder(), :"tlsv1.2"))
    assert_dials(harness, peer, "no cipher that both sides have, or that suits this node's certificate")
    assert Harness.log(harness) =~ "its keyUsage has no digitalSignature"
  end

  test "a certificate that its CA has revoked is taken, and told as not looked at" do
    folder = Support.temporary_folder()
    revoked = Tls.revoked(Path.join(folder, "revoked"))
    [bad, good] = for made <- [revoked, Tls.folder()], do: optfile(folder, made, :"tlsv1.3")
    harness = assert_refused(bad, good, {nil, nil})
    assert Harness.log(harness) =~ ~r/certificates of other nodes are checked .*revocation="not looked at"/
    {output, 0} = System.cmd(Harness.executable(), ["--help-keys"])
    assert output =~ "revocation is not looked at"
  end
end
