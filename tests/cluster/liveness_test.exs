defmodule LivenessTest do
  @moduledoc "Connections that are idle, and peers that do not read."
  use ClusterCase

  @tick_time 4

  test "an idle connection stands for several tick times, whoever opened it" do
    ticking = ["-kernel", "net_ticktime", "#{@tick_time}"]
    dialled = Peer.start(arguments: ticking)
    dialler = Peer.start(arguments: ticking)

    harness =
      Harness.start(
        config: %{
          "node" => %{"net_ticktime" => @tick_time},
          "peers" => [Atom.to_string(dialled.node)]
        }
      )

    node = harness.node
    assert Peer.call(dialler, :net_adm, :ping, [node]) == :pong
    Wait.until("the connection", fn -> node in Peer.call(dialled, :erlang, :nodes, [:hidden]) end)

    # The plain nodes themselves watch: a message to their log process is a connection that ended.
    for peer <- [dialled, dialler] do
      Peer.load(peer, NodeWatch)
      {:ok, _} = Peer.call(peer, :gen_server, :start, [{:local, :watch}, NodeWatch, [], []])
    end

    ticks = Task.async(fn -> Process.sleep(4 * @tick_time * 1_000) end)
    Task.await(ticks, 60_000)

    for peer <- [dialled, dialler] do
      assert Peer.call(peer, :gen_server, :call, [:watch, :seen]) == []
      assert node in Peer.call(peer, :erlang, :nodes, [:hidden])
      assert Peer.call(peer, :net_adm, :ping, [node]) == :pong
    end
  end

  test "a peer that falls silent is dropped after a tick time" do
    harness = Harness.start(config: %{"node" => %{"net_ticktime" => @tick_time}})
    raw = RawNode.connect!(harness.port)
    {time, closed} = timed(fn -> RawNode.await_close(raw, 30_000) end)
    assert closed == :closed
    assert time in 2_000..20_000
    Harness.wait_for_log(harness, ~r/peer silent/)
  end

  test "a peer that ticks stays" do
    harness = Harness.start(config: %{"node" => %{"net_ticktime" => @tick_time}})
    raw = RawNode.connect!(harness.port)

    # Ticks of the daemon are answered by receive_control, which is all that keeps this connection.
    assert {:error, :timeout} = tick_until(raw, System.monotonic_time(:millisecond) + 3 * @tick_time * 1_000)
    assert {:ok, %{}} = RawNode.call(raw, :harness, :info)
  end

  defp tick_until(raw, deadline) do
    case RawNode.receive_bytes(raw, 4, max(deadline - System.monotonic_time(:millisecond), 0)) do
      {:ok, <<0::32>>} ->
        RawNode.send_frame(raw, "")
        tick_until(raw, deadline)

      other ->
        other
    end
  end

  test "a peer that stops reading is dropped at the limit, and memory stays bounded" do
    limit = 4_000_000
    harness = Harness.start(config: %{"limits" => %{"queued_bytes" => limit}})
    raw = RawNode.connect!(harness.port, socket: [recbuf: 4_096, sndbuf: 65_536, send_timeout: 5_000])
    {:ok, help} = RawNode.call(raw, :harness, :help)
    before = Harness.memory(harness)

    # Ten times as much as all buffers on the way may hold, or until we are cut off.
    count = div(10 * limit + 60_000_000, byte_size(help))
    assert {:error, _} = flood(raw, count)
    assert Harness.memory(harness) - before < 20 * limit
    Harness.wait_for_log(harness, ~r/peer does not read/)
    Harness.assert_alive(harness)
  end

  defp flood(_raw, 0), do: :all_taken

  defp flood(raw, count) do
    with :ok <- RawNode.send_call(raw, :harness, :help, rem(count, 1_000) + 2), do: flood(raw, count - 1)
  end

  test "a peer that stops reading in the middle of a run keeps nobody else waiting" do
    harness = Harness.start()
    slow = Peer.start()
    stopped = Peer.start_server(slow, Subject)
    other = Peer.start_server(Peer.start(), Subject)
    run_script(harness, stopped, [{:echo, 1}])
    os_pid = to_string(Peer.call(slow, :os, :getpid, []))
    System.cmd("kill", ["-STOP", os_pid])

    try do
      big = :binary.copy("x", 1_000_000)
      scenario = %{target: stopped, threads: List.duplicate([{:echo, big}], 5), call_timeout_ms: 2_000}
      run = start_run(harness, scenario)
      for n <- 1..100, do: assert(run_script(harness, other, [{:echo, n}]) == [{:ok, n}])
      assert {:ok, report} = Task.await(run)
      assert results(report) == List.duplicate([{:error, :timeout}], 5)
    after
      System.cmd("kill", ["-CONT", os_pid])
    end

    assert run_script(harness, stopped, [{:echo, 2}], call_timeout_ms: 10_000, timeout_ms: 20_000) == [
             {:ok, 2}
           ]
  end
end
