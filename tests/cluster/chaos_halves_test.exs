defmodule ChaosHalvesTest do
  @moduledoc """
  Faults of which one part is lost, or whose daemon stands still or dies, at each of their steps: the nodes are as
  before within two seconds, by their own clocks, and the record says what has happened.
  """
  use ClusterCase

  setup_all do
    harness = Harness.start(config: %{"access" => %{"chaos" => %{"allow" => ["*"]}}})
    arguments = ["-kernel", "prevent_overlapping_partitions", "true"]
    peers = for _ <- 1..2, do: Peer.start(arguments: arguments)
    for peer <- peers, do: Peer.load(peer, Split)
    for peer <- peers, do: Peer.call(peer, Split, :join, [nodes(peers)])
    # What every run needs there once is not the fault's.
    assert {:ok, _} = Harness.run(harness, scenario(peers, {:disconnect, nodes(peers), 1}))
    {:ok, harness: harness, peers: peers, before: cookies(peers)}
  end

  setup %{peers: peers} do
    await_whole(peers, 10_000)
    :ok
  end

  defp nodes(peers), do: Enum.map(peers, & &1.node)

  defp scenario([peer | _], chaos) do
    %{target: {:kernel_sup, peer.node}, threads: [[]], chaos: chaos, timeout_ms: 60_000}
  end

  defp start_split(harness, peers),
    do: start_run(harness, scenario(peers, {:disconnect, nodes(peers), 60_000}))

  defp cookies(peers) do
    for peer <- peers, other <- peers, peer != other, do: Peer.call(peer, :erlang, :get_cookie, [other.node])
  end

  defp neighbours(peers, peer), do: Peer.call(peer, Split, :neighbours, [nodes(peers)])
  defp held_up?(peer), do: Peer.call(peer, Split, :held_up?, [])
  defp marked(peer, kind), do: Peer.call(peer, Split, :marked, [kind])
  defp kill(peer, pid), do: Peer.call(peer, :erlang, :exit, [pid, :kill])

  # Connected, nobody held up, and nothing left that holds.
  defp await_whole(peers, timeout) do
    state = fn -> for peer <- peers, do: {neighbours(peers, peer), held_up?(peer), marked(peer, :holder)} end
    whole? = fn -> Enum.all?(state.(), &match?({[_], false, []}, &1)) end
    Wait.until(fn -> "the nodes to be as before: #{inspect(state.())}" end, whole?, timeout)
  end

  defp await_apart(peers) do
    Wait.until("nodes to be apart", fn ->
      Enum.all?(peers, &(neighbours(peers, &1) == [] and not held_up?(&1)))
    end)
  end

  # `slow` waits for its guardian, so that the other one is braced and not cut.
  defp start_braced(harness, peers, slow) do
    Wait.until("the end of the guardians", fn -> Enum.all?(peers, &(marked(&1, :guardian) == [])) end)
    guardian = Peer.call(slow, Split, :start_deaf_guardian, [])
    ExUnit.Callbacks.on_exit(fn -> kill(slow, guardian) end)
    run = start_split(harness, peers)
    [other] = peers -- [slow]
    Wait.until("one node to be braced", fn -> held_up?(other) end)
    {run, other, guardian}
  end

  defp assert_outcome(harness, run, outcome) do
    assert {:error, {:chaos_failed, {:not_injected, [%{outcome: ^outcome}]}}} = Task.await(run, 30_000)
    report = Harness.last_partial(harness)
    assert [%{outcome: ^outcome} = injection] = report.injections
    assert report.healed == true
    injection
  end

  defp stand_still(harness) do
    OsProcess.signal(harness.process, "STOP")
    ExUnit.Callbacks.on_exit(fn -> OsProcess.signal(harness.process, "CONT") end)
  end

  describe "a split" do
    test "whose holder is killed on one side is over on both", %{harness: harness, peers: peers} = context do
      for peer <- peers, kind <- [:holder, :keeper] do
        run = start_split(harness, peers)
        await_apart(peers)
        [pid | _] = marked(peer, kind)
        kill(peer, pid)
        await_whole(peers, 2_000)
        assert cookies(peers) == context.before
        assert {:error, {:chaos_failed, {:not_injected, [%{outcome: outcome}]}}} = Task.await(run, 30_000)
        early = {:healed_early, {peer.node, {:holder_lost, :killed}}}
        assert outcome == if(kind == :holder, do: early, else: {:error, :killed})
        report = Harness.last_partial(harness)
        assert [%{outcome: ^outcome, duration_ms: held, undone: undone}] = report.injections
        assert held < 10_000
        # Nobody has looked on a node without a keeper.
        assert undone == (kind == :holder)
      end
    end

    test "whose holder is killed before the cut is none", %{harness: harness, peers: peers} = context do
      for slow <- peers, victim <- peers do
        {run, _, guardian} = start_braced(harness, peers, slow)
        [holder] = marked(victim, :holder)
        kill(victim, holder)
        await_whole(peers, 2_000)

        assert %{undone: nil, duration_ms: nil} =
                 assert_outcome(harness, run, {:error, {:holder_lost, :killed}})

        assert cookies(peers) == context.before
        kill(slow, guardian)
      end
    end

    test "that is not cut in time is none", %{harness: harness, peers: [_, b] = peers} = context do
      {run, _, _} = start_braced(harness, peers, b)
      await_whole(peers, 2_000)
      assert %{undone: nil} = assert_outcome(harness, run, {:error, :not_cut_in_time})
      assert cookies(peers) == context.before
    end

    test "whose daemon stands still before the cut is none", %{harness: harness, peers: peers} = context do
      [a, b] = peers
      {run, ^a, guardian} = start_braced(harness, peers, b)
      stand_still(harness)
      # The other is ready for it now, too, and nobody says so.
      kill(b, guardian)
      await_whole(peers, 2_000)
      assert cookies(peers) == context.before
      OsProcess.signal(harness.process, "CONT")
      assert %{undone: nil} = assert_outcome(harness, run, {:error, :not_cut_in_time})
      assert neighbours(peers, a) == [b.node]
    end

    test "whose daemon stands still before it begins has nothing held", %{
      harness: harness,
      peers: [a, b] = peers
    } do
      os_pid = to_string(Peer.call(b, :os, :getpid, []))
      System.cmd("kill", ["-STOP", os_pid])
      run = start_split(harness, peers)
      Wait.until("one node to be ready", fn -> marked(a, :holder) != [] end)
      refute held_up?(a)
      stand_still(harness)
      System.cmd("kill", ["-CONT", os_pid])
      refute held_up?(a)
      assert neighbours(peers, a) == [b.node]
      # It begins when the daemon goes on.
      OsProcess.signal(harness.process, "CONT")
      await_apart(peers)
      assert [%{undone: true}] = Harness.call(harness, :heal_all)
      assert {:ok, %{injections: [%{outcome: :ok}], healed: true}} = Task.await(run, 30_000)
    end

    # What is sent to a daemon that reads nothing waits, and with it who sends it.
    test "is no longer than it was to be when nothing can be told",
         %{harness: harness, peers: peers} = context do
      [a, b] = peers
      {run, ^b, guardian} = start_braced(harness, peers, a)
      stand_still(harness)
      sender = Peer.call(a, Split, :fill, [harness.node])
      kill(a, guardian)
      await_whole(peers, 2_000)
      assert cookies(peers) == context.before
      kill(a, sender)
      OsProcess.signal(harness.process, "CONT")
      assert_outcome(harness, run, {:error, :not_cut_in_time})
    end
  end

  test "a suspension is no longer than it was to be when nothing can be told", %{
    harness: harness,
    peers: [a, _]
  } do
    subject = Peer.start_server(a, Subject)
    run = start_run(harness, %{scenario([a], {:suspend, 500}) | target: subject})
    status = fn -> Peer.call(a, :erlang, :process_info, [subject, :status]) end
    Wait.until("the suspension", fn -> status.() == {:status, :suspended} end)
    stand_still(harness)
    sender = Peer.call(a, Split, :fill, [harness.node])
    Wait.until("the end of the suspension", fn -> status.() != {:status, :suspended} end, 2_500)
    kill(a, sender)
    OsProcess.signal(harness.process, "CONT")
    assert {:ok, %{healed: true, injections: [%{outcome: :ok, undone: true}]}} = Task.await(run, 30_000)
  end

  test "what one node of several does not hold any more is let go on the others", %{
    harness: harness,
    peers: peers
  } do
    subjects = for peer <- peers, do: Peer.start_server(peer, Subject)
    status = fn peer, subject -> Peer.call(peer, :erlang, :process_info, [subject, :status]) end

    all? = fn state ->
      Enum.zip(peers, subjects) |> Enum.all?(fn {p, s} -> status.(p, s) == {:status, state} end)
    end

    run = start_run(harness, %{scenario(peers, {:suspend, 60_000}) | target: subjects})
    Wait.until("the suspension", fn -> all?.(:suspended) end)
    [first, _] = peers
    [holder] = marked(first, :holder)
    kill(first, holder)
    Wait.until("the end of the suspension", fn -> all?.(:waiting) end, 2_000)
    injection = assert_outcome(harness, run, {:healed_early, {first.node, {:holder_lost, :killed}}})
    assert injection.undone == true
  end

  test "the daemon's death before the cut leaves nothing", %{peers: [_, b] = peers} = context do
    harness = Harness.start(config: %{"access" => %{"chaos" => %{"allow" => ["*"]}}})
    node = harness.node
    chaos = {:disconnect, nodes(peers), 60_000}
    Wait.until("the end of the guardians", fn -> Enum.all?(peers, &(marked(&1, :guardian) == [])) end)
    guardian = Peer.call(b, Split, :start_deaf_guardian, [])
    spawn(fn -> :erpc.call(node, :harness, :run, [scenario(peers, chaos)]) end)
    Wait.until("one node to be braced", fn -> held_up?(hd(peers)) end)
    Harness.kill(harness)
    kill(b, guardian)
    await_whole(peers, 2_000)
    assert cookies(peers) == context.before
  end
end
