defmodule ExplainTest do
  @moduledoc "Why operations were slow: each cause is brought about, and has to be told."
  use ClusterCase

  setup do
    peer = Peer.start()
    {:ok, harness: Harness.start(), peer: peer, target: Peer.start_server(peer, Slow)}
  end

  # A load that is quick but for what is done meanwhile; `slow` is done so often, with a rest in between.
  defp explain(harness, target, options, slow) do
    scenario = %{
      target: target,
      load: %{rate: 200, duration_ms: options[:duration_ms] || 2_000},
      operations: options[:operations] || [:get],
      call_timeout_ms: 5_000,
      explain: true
    }

    run = start_run(harness, Map.merge(scenario, Map.new(options[:scenario] || [])))
    Process.sleep(500)

    for _ <- 1..(options[:times] || 3) do
      slow.()
      Process.sleep(100)
    end

    assert {:ok, report} = Task.await(run, 60_000)
    assert_sums(report)
    report
  end

  # What holds of any report with causes.
  defp assert_sums(report) do
    times = Enum.map(report.slowest, & &1.service_us)
    assert times == Enum.sort(times, :desc)

    for %{at_ms: at, operation: _, thread: thread, service_us: us, causes: causes} <- report.slowest do
      assert is_integer(at) and is_integer(thread)
      assert causes |> Enum.map(& &1.us) |> Enum.sum() <= us
      assert Enum.map(causes, & &1.us) == causes |> Enum.map(& &1.us) |> Enum.sort(:desc)
      assert Enum.all?(causes, &(Map.keys(&1) == [:cause, :detail, :us]))
    end

    assert %{heartbeats: _, looks: _, lost: _, node_us: _, daemon_us: _} = report.explain.probes
  end

  # Operations that were slow for the reason that was brought about. On a machine that is busy with something else they
  # are slow for that as well: nodes, schedulers and this daemon are then late.
  @of_the_machine [:unknown, :daemon, :node_paused, :scheduled_out]

  defp assert_cause(report, cause, ms \\ 40) do
    slow = for %{service_us: us} = one when us > ms * 1_000 <- report.slowest, do: one
    found = for %{causes: [%{cause: ^cause} = first | _]} <- slow, do: first
    others = for %{causes: [%{cause: other} | _]} <- slow, other not in [cause | @of_the_machine], do: other
    assert found != [] and others == [], inspect(report.slowest, pretty: true)
    assert %{operations: count, us: us} = Enum.find(report.explain.causes, &(&1.cause == cause))
    assert count >= length(found) and us >= Enum.sum(Enum.map(found, & &1.us))
    found
  end

  describe "the cause is told of" do
    test "a process that is suspended", %{harness: harness, peer: peer, target: target} do
      report = explain(harness, target, [], fn -> Peer.call(peer, Slow, :suspend, [target, 150]) end)
      assert [%{detail: nil} | _] = assert_cause(report, :suspended)
    end

    test "a handler that burns, with its line", %{harness: harness, peer: peer, target: target} do
      report = explain(harness, target, [], fn -> call(peer, target, {:burn, 150}) end)
      report |> assert_cause(:handler) |> assert_stack(:burn)
    end

    test "a handler that sleeps, with its line", %{harness: harness, peer: peer, target: target} do
      report = explain(harness, target, [], fn -> call(peer, target, {:sleep, 150}) end)
      report |> assert_cause(:handler) |> assert_stack(:handle_call)
    end

    test "garbage that is collected, with the size of the heap", %{harness: harness, peer: peer, target: target} do
      call(peer, target, {:grow, 20_000_000})
      report = explain(harness, target, [], fn -> Peer.call(peer, :erlang, :garbage_collect, [target]) end)
      assert [%{detail: %{heap_block_size: words, old_heap_block_size: old}} | _] = assert_cause(report, :garbage_collection)
      assert words + old > 10_000_000
    end

    test "a mailbox that is full, with its length", %{harness: harness, peer: peer, target: target} do
      report = explain(harness, target, [], fn -> Peer.call(peer, Slow, :flood, [target, 3_000, 10_000]) end)
      assert [%{detail: %{message_queue_len: length}} | _] = assert_cause(report, :queue)
      assert length > 100
    end

    test "a node that is stopped", %{harness: harness, peer: peer, target: target} do
      os_pid = Peer.call(peer, :os, :getpid, []) |> to_string()

      report =
        explain(harness, target, [], fn ->
          System.cmd("kill", ["-STOP", os_pid])
          Process.sleep(150)
          System.cmd("kill", ["-CONT", os_pid])
        end)

      assert [_ | _] = assert_cause(report, :node_paused)
    end

    test "a connection of the server's node that is busy", %{harness: harness, peer: peer, target: target} do
      other = Peer.start()
      sink = Peer.start_server(other, Slow)
      true = Peer.call(peer, :net_kernel, :connect_node, [other.node])
      os_pid = Peer.call(other, :os, :getpid, []) |> to_string()

      report =
        explain(harness, target, [], fn ->
          System.cmd("kill", ["-STOP", os_pid])
          Peer.call(peer, Slow, :tell, [target, sink, 3, 10_000_000])
          Process.sleep(200)
          System.cmd("kill", ["-CONT", os_pid])
        end)

      assert [_ | _] = assert_cause(report, :reply_blocked)
    end

    test "schedulers that are all busy, with their queues", %{harness: harness, peer: peer, target: target} do
      report = explain(harness, target, [], fn -> Peer.call(peer, Slow, :crowd, [400, 300]) end)
      assert [%{detail: %{run_queue_lengths: lengths}} | _] = assert_cause(report, :scheduled_out, 15)
      assert Enum.sum(lengths) > 50
    end
  end

  defp call(peer, target, request), do: Peer.call(peer, GenServer, :call, [target, request, 60_000])

  # Where the server was, by file and line.
  defp assert_stack(found, function) do
    for %{detail: stack} <- found do
      assert {Slow, ^function, _, location} = List.keyfind(stack, function, 1), inspect(stack)
      assert location[:file] |> to_string() |> String.ends_with?("slow.ex") and location[:line] > 0
    end
  end
end
