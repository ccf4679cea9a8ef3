defmodule Rotation do
  @moduledoc """
  Certificates of the daemon that are replaced five times during a run of a minute, whose own connection is cut each time,
  while other nodes connect again and again: `sh tests/run.sh rotation`. ROTATION_SECONDS is how long the run is.
  """
  use ClusterCase

  @seconds String.to_integer(System.get_env("ROTATION_SECONDS") || "60")
  @moduletag timeout: (@seconds + 120) * 1_000
  @replacements 5
  @threads 32

  # What a new connection is shown.
  defp shown(harness) do
    {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, harness.port, [:binary, active: false], 10_000)
    {:ok, socket} = Tls.connect(socket)
    {:ok, certificate} = :ssl.peercert(socket)
    :ssl.close(socket)
    certificate
  end

  defp in_file(made) do
    [{:Certificate, certificate, _} | _] = :public_key.pem_decode(File.read!(Path.join(made, "node.pem")))
    certificate
  end

  # One who comes and goes all the time, and counts how often it was answered, and how often not.
  defp visit(harness, test) do
    peer = Peer.start_unsupervised()
    visit(harness, test, peer, 0, 0)
  end

  defp visit(harness, test, peer, answered, refused) do
    good = Peer.call(peer, :net_adm, :ping, [harness.node], 20_000) == :pong
    Peer.call(peer, :erlang, :disconnect_node, [harness.node])
    {answered, refused} = if good, do: {answered + 1, refused}, else: {answered, refused + 1}

    receive do
      :enough -> Peer.stop(peer) && send(test, {:visits, answered, refused})
    after
      0 -> visit(harness, test, peer, answered, refused)
    end
  end

  test "is nothing that a run or those who connect have to mind" do
    made = Path.join(Support.temporary_folder(), "made")
    File.cp_r!(Tls.folder(), made)
    config = %{"node" => %{"tls" => Map.put(Tls.config()["tls"], "optfile", Tls.write(made, made))}}
    harness = Harness.start(tls: false, config: config)
    [peer, other] = for _ <- 1..2, do: Peer.start(tls: Tls.optfile())
    target = Peer.start_server(peer, Subject)
    test = self()
    visitors = for _ <- 1..2, do: spawn_link(fn -> visit(harness, test) end)
    scenario = Loads.scenario(target, %{threads: @threads, duration_ms: @seconds * 1_000}, [{:add, 1}], %{events: :none, hooks_node: node()})
    started = System.monotonic_time(:millisecond)
    {:ok, run} = Harness.call(harness, :start, [scenario])

    for number <- 1..@replacements do
      Process.sleep(max(started + div(number * @seconds * 1_000, @replacements + 1) - System.monotonic_time(:millisecond), 0))
      before = shown(harness)
      Tls.replace(made, number, fn ->
        # One of the two files is new, and is not used.
        assert shown(harness) == before
        assert Peer.call(other, :net_adm, :ping, [harness.node]) == :pong
        assert Peer.call(other, :erlang, :disconnect_node, [harness.node])
      end)

      assert shown(harness) == in_file(made)
      assert shown(harness) != before
      # The daemon dials that one again, by the new certificate.
      assert Peer.call(peer, :erlang, :disconnect_node, [harness.node])
      assert Peer.call(other, :net_adm, :ping, [harness.node]) == :pong
      assert Peer.call(other, :erlang, :disconnect_node, [harness.node])
    end

    {:ok, report} = Harness.call(harness, :await, [run, @seconds * 1_000 + 60_000], @seconds * 1_000 + 90_000)
    for visitor <- visitors, do: send(visitor, :enough)

    visits =
      for _ <- visitors do
        assert_receive {:visits, answered, 0}, 60_000
        answered
      end

    %{total_operations: total, operation_errors: errors} = report.metrics
    added = Peer.call(peer, :gen_server, :call, [target, :get])
    IO.puts("\n#{total} operations in #{@seconds} s, #{errors} of them lost by #{@replacements} cuts, #{Enum.sum(visits)} connections of others")
    # What a cut has lost may have been done.
    assert errors <= @replacements * @threads
    assert added in (total - errors)..total
    assert length(Regex.scan(~r/certificates read again/, Harness.log(harness))) == @replacements
    assert Enum.sum(visits) > @replacements
    Harness.assert_alive(harness)
  end
end
