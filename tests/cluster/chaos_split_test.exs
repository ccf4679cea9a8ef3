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
      run = start_run(harness, scenario(peers, {:disconnect, nodes(peers), 3_000}))
      await_apart(peers)
      started = System.monotonic_time(:millisecond)

      # They try all the time, and never get together.
      watched = watch_apart(peers, started + 1_000)
      assert watched > 10
      assert {:ok, report} = Task.await(run, 30_000)
      assert together?(peers)
      assert [%{kind: :disconnect, outcome: :ok, undone: true, duration_ms: held}] = report.injections
      assert held in 2_990..9_000
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
      assert {:error, {:chaos_failed, {:not_injected, [_]}}} = Task.await(run, 30_000)
      report = Harness.last_partial(harness)
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

  describe "several splits at once" do
    test "of one run", %{harness: harness} do
      [a, b] = peers = cluster(2, false)
      before = cookies(peers)
      split = &{:disconnect, nodes(peers), &1}

      for chaos <- [
            [split.(900), %{action: split.(900), after_ms: 300}],
            [%{action: split.(300), every_ms: 200, times: 3}]
          ] do
        run = start_run(harness, scenario(peers, chaos))
        await_apart(peers)
        assert {:ok, report} = Task.await(run, 30_000)
        for injection <- report.injections, do: assert(%{outcome: :ok, undone: true} = injection)
        assert report.healed == true
        assert together?(peers)
        assert cookies(peers) == before
      end

      # The cookie that keeps nodes apart is the same for as long as a node lives: atoms are never freed. Over TLS
      # nodes load code of their own meanwhile.
      atoms = Peer.call(a, :erlang, :system_info, [:atom_count])
      for _ <- 1..2, do: assert({:ok, _} = Harness.run(harness, scenario(peers, split.(1))))
      unless Tls.on?(), do: assert(Peer.call(a, :erlang, :system_info, [:atom_count]) < atoms + 5)
      Wait.until("the end of the guardians", fn -> Peer.call(b, Split, :guardians, []) == [] end)
    end

    test "of two daemons", %{harness: harness} do
      peers = cluster(2, true)
      before = cookies(peers)
      other = Harness.start(config: %{"access" => %{"chaos" => %{"allow" => ["*"]}}})
      run = start_run(harness, scenario(peers, {:disconnect, nodes(peers), 60_000}))
      await_apart(peers)
      assert {:ok, %{healed: true}} = Harness.run(other, scenario(peers, {:disconnect, nodes(peers), 200}))
      # The first still keeps them apart.
      refute together?(peers)
      assert cookies(peers) != before
      assert [%{undone: true}] = Harness.call(harness, :heal_all)
      assert together?(peers)
      assert cookies(peers) == before
      assert {:ok, %{healed: true, injections: [%{outcome: :ok}]}} = Task.await(run, 30_000)
    end
  end

  test "nodes beside them that prevent_overlapping_partitions cuts off are connected again", %{
    harness: harness
  } do
    [a, b, c, d] = peers = cluster(4, true)
    run = start_run(harness, scenario(peers, {:disconnect, [a.node, b.node], 1_500}))

    # Each of c and d leaves whichever of the two it hears last of that it has lost the other.
    Wait.until("a node beside them to be cut off", fn ->
      b.node not in neighbours(peers, a) and Enum.any?([c, d], &(length(neighbours(peers, &1)) < 3))
    end)

    assert {:ok, report} = Task.await(run, 60_000)
    assert [%{outcome: {:also_cut, [_ | _] = cut}, undone: true}] = report.injections
    assert cut -- [c.node, d.node] == []
    assert report.healed == true
    assert together?(peers)
  end

  describe "a guardian that dies" do
    test "has a twin that takes over", %{harness: harness} do
      [a, b] = peers = cluster(2, false)
      before = cookies(peers)
      Peer.call(a, Split, :start_trying, [b.node])
      run = start_run(harness, scenario(peers, {:disconnect, nodes(peers), 1_500}))
      await_apart(peers)
      first = guardian(a)
      Peer.call(a, :erlang, :exit, [first, :kill])
      Wait.until("another guardian", fn -> guardian(a) not in [nil, first] end)
      # All of them at once, at last: whoever holds the split starts another.
      second = guardian(a)
      for pid <- Peer.call(a, Split, :guardians, []), do: Peer.call(a, :erlang, :exit, [pid, :kill])
      Wait.until("another guardian", fn -> guardian(a) not in [nil, second] end)
      assert neighbours(peers, a) == []
      assert {:ok, report} = Task.await(run, 30_000)
      assert [%{outcome: :ok, undone: true}] = report.injections
      assert report.healed == true
      assert together?(peers)
      assert cookies(peers) == before
      Wait.until("the end of the guardians", fn -> Peer.call(a, Split, :guardians, []) == [] end)
    end

    test "as the daemon does is taken over from", %{harness: harness} do
      [a, _] = peers = cluster(2, true)
      node = harness.node
      before = cookies(peers)

      spawn(fn -> :erpc.call(node, :harness, :run, [scenario(peers, {:disconnect, nodes(peers), 60_000})]) end)

      await_apart(peers)
      Harness.kill(harness)

      case guardian(a) do
        nil -> :ok
        pid -> Peer.call(a, :erlang, :exit, [pid, :kill])
      end

      await_together(peers, 2_000)
      Wait.until("the cookies from before", fn -> cookies(peers) == before end, 2_000)
    end
  end

  defp guardian(peer) do
    case Peer.call(peer, :erlang, :whereis, [:harnessd_guardian]) do
      :undefined -> nil
      pid -> pid
    end
  end

  # What each has for each of the others.
  defp cookies(peers) do
    for peer <- peers, other <- peers, peer != other, do: Peer.call(peer, :erlang, :get_cookie, [other.node])
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
