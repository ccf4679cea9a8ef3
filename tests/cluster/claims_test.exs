defmodule ClaimsTest do
  @moduledoc """
  Connections that give a node's name and do not prove that they know the cookie: they keep nobody away, neither
  that node nor any other.
  """
  use ClusterCase

  # Less and greater than the daemon's, which decides who goes on when two connect at once.
  @names ["aaa", "zzz"]

  defp claim(harness, node) do
    with {:ok, raw} <- RawNode.open(harness.port, name: Atom.to_string(node)),
         :ok <- RawNode.send_name(raw),
         do: raw
  end

  # Claims that name each 100 ms until the test ends, and does nothing more.
  defp keep_claiming(harness, node) do
    test = self()

    start_supervised!(
      {Task,
       fn ->
         for number <- Stream.iterate(0, &(&1 + 1)) do
           claim(harness, node)
           if number == 3, do: send(test, :claimed)
           Process.sleep(100)
         end
       end},
      id: node
    )

    assert_receive :claimed, 10_000
  end

  defp connected?(harness, peer), do: harness.node in Peer.call(peer, :erlang, :nodes, [:hidden])

  test "do not keep the daemon from that node" do
    harness = Harness.start()

    for name <- @names do
      peer = Peer.start(name: Peer.unique(name))
      target = Peer.start_server(peer, Subject)
      keep_claiming(harness, peer.node)

      {time, report} = timed(fn -> Harness.run(harness, %{target: target, threads: [[{:add, 1}]]}) end)
      assert {:ok, report} = report
      assert result(report) == {:ok, 1}
      assert time < 4_000
      # Nor do they end what there is.
      Process.sleep(500)
      assert connected?(harness, peer)
    end
  end

  test "do not keep that node from the daemon" do
    harness = Harness.start()

    for name <- @names do
      peer = Peer.start(name: Peer.unique(name))
      keep_claiming(harness, peer.node)
      {time, answer} = timed(fn -> Peer.call(peer, :net_adm, :ping, [harness.node]) end)
      assert answer == :pong
      assert time < 4_000
    end
  end

  test "do not end the connection that there is, whatever they answer to `alive`" do
    harness = Harness.start()
    good = RawNode.connect!(harness.port)

    raws =
      for answer <- ["true", "false", "", "ok"] do
        raw = claim(harness, String.to_atom(good.name))
        assert RawNode.receive_status(raw) == {:ok, "alive"}
        RawNode.send_short(raw, "s" <> answer)
        raw
      end

    # Who was believed so far is asked for the cookie.
    {:ok, challenge, _} = RawNode.receive_challenge(hd(raws))
    RawNode.send_reply(hd(raws), challenge, "wrong")
    for raw <- raws, do: assert(RawNode.await_close(raw, 5_000) == :closed)
    assert {:ok, %{version: _}} = RawNode.call(good, :harness, :info)
  end

  test "a thousand of them keep no other node out" do
    harness = Harness.start()
    peer = Peer.start()
    raws = for number <- 1..1_000, do: claim(harness, :"raw#{rem(number, 7)}@127.0.0.1")
    {time, answer} = timed(fn -> Peer.call(peer, :net_adm, :ping, [harness.node]) end)
    assert answer == :pong
    assert time < 4_000
    assert length(File.ls!("/proc/#{OsProcess.os_pid(harness.process)}/fd")) < 400
    for %RawNode{} = raw <- raws, do: RawNode.close(raw)
  end
end
