defmodule ChaosSplitTest do
  @moduledoc """
  Visible nodes that are kept apart for a time, with `prevent_overlapping_partitions` on and off: apart as long
  as was asked, whatever they try, and together again afterwards, whoever dies meanwhile.
  """
  use ClusterCase

  setup do
    {:ok, harness: Harness.start(config: %{"access" => %{"chaos" => %{"allow" => ["*"]}}})}
  end

  defp cluster(count, prevent) do
    arguments = ["-kernel", "prevent_overlapping_partitions", to_string(prevent)]
    peers = for _ <- 1..count, do: Peer.start(arguments: arguments)
    for peer <- peers, do: Peer.load(peer, Split)
    nodes = Enum.map(peers, & &1.node)
    for peer <- peers, do: Peer.call(peer, Split, :join, [nodes])
    await_together(peers)
    peers
  end

  defp neighbours(peers, peer), do: Peer.call(peer, Split, :neighbours, [Enum.map(peers, & &1.node)])

  defp together?(peers) do
    Enum.all?(peers, fn peer -> length(neighbours(peers, peer)) == length(peers) - 1 end)
  end

  defp await_together(peers, timeout \\ 10_000) do
    Wait.until(
      fn -> "nodes to be connected: #{inspect(Enum.map(peers, &{&1.node, neighbours(peers, &1)}))}" end,
      fn -> together?(peers) end,
      timeout
    )
  end

  defp await_apart([a | _] = peers), do: Wait.until("nodes to be apart", fn -> neighbours(peers, a) == [] end)

  # The scenario's target is on the first of the nodes.
  defp scenario([peer | _], chaos) do
    %{target: {:kernel_sup, peer.node}, threads: [[]], chaos: chaos, timeout_ms: 60_000}
  end

  defp nodes(peers), do: Enum.map(peers, & &1.node)

  for prevent <- [true, false] do
    @prevent prevent

    test "two nodes, prevent_overlapping_partitions #{prevent}", %{harness: harness} do
      [a, b] = peers = cluster(2, @prevent)
      Peer.call(a, Split, :start_trying, [b.node])
      Peer.call(b, Split, :start_trying, [a.node])
      run = start_run(harness, scenario(peers, {:disconnect, nodes(peers), 1_500}))
      await_apart(peers)
      started = System.monotonic_time(:millisecond)

      # They try all the time, and never get together.
      watched = watch_apart(peers, started + 1_200)
      assert watched > 10
      assert {:ok, report} = Task.await(run, 30_000)
      assert together?(peers)
      assert [%{kind: :disconnect, outcome: :ok, undone: true, duration_ms: held}] = report.injections
      assert held in 1_490..8_000
      assert Enum.sort(hd(report.injections).target) == Enum.sort(nodes(peers))
      assert report.healed == true
      # The cookies are what they were: a connection that is cut comes again.
      assert Peer.call(a, :erlang, :disconnect_node, [b.node])
      await_together(peers)
    end

    test "groups of nodes, prevent_overlapping_partitions #{prevent}", %{harness: harness} do
      [a, b, c] = peers = cluster(3, @prevent)
      run = start_run(harness, scenario(peers, {:disconnect, [[a.node, b.node], c.node], 1_200}))
      Wait.until("the third to be alone", fn -> neighbours(peers, c) == [] end)
      assert neighbours(peers, a) == [b.node]
      assert neighbours(peers, b) == [a.node]
      assert {:ok, report} = Task.await(run, 30_000)
      assert [%{outcome: :ok, undone: true}] = report.injections
      assert report.healed == true
      await_together(peers)
    end

    test "the daemon's death, prevent_overlapping_partitions #{prevent}", %{harness: harness} do
      peers = cluster(2, @prevent)
      node = harness.node

      spawn(fn -> :erpc.call(node, :harness, :run, [scenario(peers, {:disconnect, nodes(peers), 60_000})]) end)

      await_apart(peers)
      Harness.kill(harness)
      await_together(peers, 2_000)
    end

    test "the end of a connection to the daemon, prevent_overlapping_partitions #{prevent}", %{
      harness: harness
    } do
      [_, b] = peers = cluster(2, @prevent)
      run = start_run(harness, scenario(peers, {:disconnect, nodes(peers), 60_000}))
      await_apart(peers)
      assert Peer.call(b, :erlang, :disconnect_node, [harness.node])
      await_together(peers, 2_000)
      assert {:ok, report} = Task.await(run, 30_000)
      assert [%{undone: false}] = report.injections
      assert [%{reason: {:nodedown, _}}] = report.healed
    end
  end

  test "a time of its own, whatever becomes of the daemon", %{harness: harness} do
    peers = cluster(2, true)
    run = start_run(harness, scenario(peers, {:disconnect, nodes(peers), 1_000}))
    await_apart(peers)
    # It stands still, and its connections stay open.
    OsProcess.signal(harness.process, "STOP")
    await_together(peers, 3_000)
    OsProcess.signal(harness.process, "CONT")
    assert {:ok, %{healed: true, injections: [%{undone: true}]}} = Task.await(run, 30_000)
  end

  test "load goes on on both sides", %{harness: harness} do
    peers = cluster(2, true)
    targets = for peer <- peers, do: Peer.start_server(peer, Subject)
    threads = for i <- 1..6, do: for(_ <- 1..250, do: [{:echo, i}, {:"$sleep", 4}]) |> Enum.concat()
    chaos = [%{action: {:disconnect, nodes(peers), 500}, after_ms: 100}]
    scenario = %{target: targets, threads: threads, chaos: chaos, timeout_ms: 60_000}
    run = start_run(harness, scenario)
    await_apart(peers)
    assert {:ok, report} = Task.await(run, 60_000)
    assert report.errors == %{}

    for %{thread: thread, operation: {:call, _}, result: result} <- report.events,
        do: assert(result == {:ok, thread + 1})

    assert [%{outcome: :ok, undone: true, at_ms: at, recovery_ms: recovery}] = report.injections
    assert is_integer(recovery)

    assert Enum.any?(
             report.timeline,
             &Enum.any?(&1.marks, fn mark -> mark.fault == :disconnect and mark.event == :injected end)
           )

    assert at >= 100
    assert together?(peers)
  end

  test "heal_all", %{harness: harness} do
    peers = cluster(2, true)
    run = start_run(harness, scenario(peers, {:disconnect, nodes(peers), 60_000}))
    await_apart(peers)
    assert [%{kind: :disconnect, undone: true}] = Harness.call(harness, :heal_all)
    assert together?(peers)
    assert {:ok, %{healed: true}} = Task.await(run, 30_000)
  end

  defp watch_apart([a | _] = peers, until, times \\ 0) do
    assert neighbours(peers, a) == []

    if System.monotonic_time(:millisecond) < until do
      Process.sleep(20)
      watch_apart(peers, until, times + 1)
    else
      times
    end
  end
end
