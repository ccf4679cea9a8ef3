defmodule ChaosBrakeTest do
  @moduledoc """
  The emergency brake, `heal_all`, whatever a run is about just then; and that a run which ends early undoes its
  faults without waiting for anybody.
  """
  use ClusterCase

  setup do
    peer = Peer.start(arguments: ["-hidden"])
    for module <- [Faults, Subject], do: Peer.load(peer, module)
    :pong = Peer.call(peer, :net_adm, :ping, [node()])
    harness = Harness.start(config: %{"access" => %{"chaos" => %{"allow" => ["*"]}}})
    {:ok, peer: peer, harness: harness, subject: Peer.start_server(peer, Subject)}
  end

  defp scenario(target, chaos, options \\ %{}) do
    Map.merge(%{target: target, threads: [[]], chaos: chaos, timeout_ms: 60_000}, Map.new(options))
  end

  defp suspended?(peer, pid), do: Peer.call(peer, Faults, :look, [:suspend, pid]) == 1
  defp await_suspended(peer, pid), do: Wait.until("a suspended process", fn -> suspended?(peer, pid) end)

  defp queue(peer, pid) do
    {:message_queue_len, length} = Peer.call(peer, :erlang, :process_info, [pid, :message_queue_len])
    length
  end

  test "stops what has not begun yet", %{harness: harness, peer: peer, subject: subject} do
    test = self()

    hook = fn _, _ ->
      send(test, {:steady, self()})
      receive(do: (:go -> true))
    end

    chaos = [{:suspend, 1_500}, %{action: {:garbage_collect, []}, every_ms: 10}]
    run = start_run(harness, scenario(subject, chaos, steady_state: hook))
    assert_receive {:steady, first}, 10_000
    assert Harness.call(harness, :heal_all) == []
    send(first, :go)
    assert_receive {:steady, second}, 10_000
    refute suspended?(peer, subject)
    send(second, :go)
    assert {:ok, report} = Task.await(run, 30_000)
    assert [%{kind: :suspend, outcome: :cancelled}] = report.injections
  end

  test "cuts short what is under way", %{harness: harness, peer: peer, subject: subject} do
    for {kind, action, begun} <- [
          {:flood, {:flood, [count: 10_000_000, message: 1]}, fn -> queue(peer, subject) > 0 end},
          {:apply, {:apply, :timer, :sleep, [:infinity]}, fn -> true end}
        ] do
      Peer.call(peer, :sys, :suspend, [subject])
      run = start_run(harness, scenario(subject, action))
      Harness.wait_for_log(harness, ~r/fault injected .*action=\S*#{kind}/)
      Wait.until("the first of #{kind}", begun)
      assert Harness.call(harness, :heal_all) == []
      length = queue(peer, subject)
      assert length < 10_000_000
      assert {:ok, report} = Task.await(run, 30_000)
      assert [%{kind: ^kind, outcome: :cancelled}] = report.injections
      assert queue(peer, subject) == length
      assert report.healed == true
    end
  end

  test "answers everybody who pulls it", %{harness: harness, peer: peer, subject: subject} do
    action = {:exhaust, :process_limit, [spawn_count: 100_000, duration_ms: 60_000]}
    run = start_run(harness, scenario(subject, [action, {:suspend, 60_000}]))
    await_suspended(peer, subject)
    healers = for _ <- 1..3, do: Task.async(fn -> Harness.call(harness, :heal_all) end)
    healed = for healer <- healers, do: Task.await(healer, 30_000)
    assert Enum.any?(healed, &(length(&1) == 2))
    for faults <- healed, fault <- faults, do: assert(fault.undone == true)
    refute suspended?(peer, subject)
    # Whoever was answered last had nothing left to undo, or waited for those who do.
    assert Harness.call(harness, :heal_all) == []
    assert {:ok, %{healed: true}} = Task.await(run, 30_000)
  end

  test "answers in time when a node does not", %{harness: harness, peer: peer, subject: subject} do
    slow = Peer.start(arguments: ["-hidden"])
    far = Peer.start_server(slow, Subject)
    Peer.load(slow, Faults)
    run = start_run(harness, scenario([subject, far], {:suspend, 60_000}, timeout_ms: 1_000))
    await_suspended(peer, subject)
    await_suspended(slow, far)
    os_pid = to_string(Peer.call(slow, :os, :getpid, []))
    System.cmd("kill", ["-STOP", os_pid])
    on_exit(fn -> System.cmd("kill", ["-CONT", os_pid]) end)
    # The run gives up meanwhile.
    assert [%{undone: false}] = Harness.call(harness, :heal_all)
    refute suspended?(peer, subject)
    assert {:error, {:chaos_failed, :timeout}} = Task.await(run, 60_000)
    Harness.assert_alive(harness)
  end

  test "a run whose caller dies waits for nobody", %{harness: harness, peer: peer, subject: subject} do
    hooks = Peer.start(arguments: ["-hidden"])
    options = [hooks_node: hooks.node, performance_expectations: [max_memory_bytes: 1_000_000_000_000]]
    caller = spawn(fn -> Harness.run(harness, scenario(subject, {:suspend, 60_000}, options), 60_000) end)
    await_suspended(peer, subject)
    os_pid = to_string(Peer.call(hooks, :os, :getpid, []))
    System.cmd("kill", ["-STOP", os_pid])
    Process.exit(caller, :kill)
    Wait.until("the end of the suspension", fn -> not suspended?(peer, subject) end, 2_000)
    System.cmd("kill", ["-CONT", os_pid])
    Wait.until("the end of the run", fn -> running(harness) == 0 end, 30_000)
  end
end
