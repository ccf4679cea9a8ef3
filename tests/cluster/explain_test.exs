defmodule ExplainTest do
  @moduledoc "Why operations were slow: each cause is brought about, and has to be told."
  use ClusterCase

  # On a machine that is busy with something else operations are slow of that as well: nodes, schedulers and this daemon
  # are then late. So what is brought about is brought about again until it is seen.
  @of_the_machine [:unknown, :daemon, :node_paused, :scheduled_out]
  @tries 8

  setup do
    peer = Peer.start()
    {:ok, harness: Harness.start(), peer: peer, target: Peer.start_server(peer, Slow)}
  end

  # A load that is quick but for what `slow` does meanwhile, some times, with a rest in between.
  defp explain(harness, scenario, slow) do
    scenario =
      Map.merge(
        %{load: %{rate: 200, duration_ms: 2_000}, operations: [:get], call_timeout_ms: 5_000, explain: true},
        Map.new(scenario)
      )

    run = start_run(harness, scenario)
    Process.sleep(300)

    for _ <- 1..3 do
      slow.()
      Process.sleep(100)
    end

    assert {:ok, report} = Task.await(run, 120_000)
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

    assert_in_delta report.explain.causes |> Enum.map(& &1.share) |> Enum.sum(), if(report.explain.causes == [], do: 0, else: 1), 0.001
    by_interval = for %{causes: causes} <- report.timeline, cause <- causes, do: cause

    for %{cause: cause, us: us} <- report.explain.causes,
        do: assert(us == Enum.sum(for %{cause: ^cause, us: us} <- by_interval, do: us))
  end

  # The first causes of operations that were slow for this reason; none may have another one that was not there.
  defp told(harness, cause, scenario, slow, also \\ [], least_us \\ 20_000) do
    Enum.find_value(1..@tries, fn _ ->
      report = explain(harness, scenario, slow)
      slow = for %{service_us: us} = one when us > least_us <- report.slowest, do: one
      found = for %{causes: [%{cause: ^cause} = first | _]} <- slow, do: first
      firsts = for %{causes: [%{cause: other} | _]} <- slow, do: other
      assert Enum.all?(firsts, &(&1 in [cause | @of_the_machine ++ also])), inspect(report.slowest, pretty: true)
      found != [] and found
    end) || flunk("it was never told")
  end

  defp call(peer, target, request), do: Peer.call(peer, GenServer, :call, [target, request, 60_000])

  # Where the server was, by file and line.
  defp assert_stack(found, function) do
    for %{detail: stack} <- found do
      assert {Slow, ^function, _, location} = List.keyfind(stack, function, 1), inspect(stack)
      assert location[:file] |> to_string() |> String.ends_with?("slow.ex") and location[:line] > 0
    end
  end

  describe "the cause is told of" do
    test "a process that is suspended", %{harness: harness, peer: peer, target: target} do
      found = told(harness, :suspended, %{target: target}, fn -> Peer.call(peer, Slow, :suspend, [target, 150]) end)
      assert Enum.all?(found, &(&1.detail == nil))
    end

    test "a handler that burns, with its line", %{harness: harness, peer: peer, target: target} do
      harness |> told(:handler, %{target: target}, fn -> call(peer, target, {:burn, 150}) end) |> assert_stack(:burn)
    end

    test "a handler that sleeps, with its line", %{harness: harness, peer: peer, target: target} do
      harness |> told(:handler, %{target: target}, fn -> call(peer, target, {:sleep, 150}) end) |> assert_stack(:handle_call)
    end

    test "garbage that is collected, with the size of the heap", %{harness: harness, peer: peer, target: target} do
      call(peer, target, {:grow, 20_000_000})
      collect = fn -> Peer.call(peer, :erlang, :garbage_collect, [target]) end

      for %{detail: detail} <- told(harness, :garbage_collection, %{target: target}, collect),
          do: assert(detail.total_heap_size > 10_000_000 and detail.heap_size > 0)
    end

    test "a mailbox that is full, with its length", %{harness: harness, peer: peer, target: target} do
      flood = fn -> Peer.call(peer, Slow, :flood, [target, 3_000, 10_000]) end
      found = told(harness, :queue, %{target: target}, flood, [:handler])
      assert Enum.all?(found, &(&1.detail.message_queue_len >= 50))
    end

    test "a node that is stopped", %{harness: harness, peer: peer, target: target} do
      os_pid = Peer.call(peer, :os, :getpid, []) |> to_string()

      told(harness, :node_paused, %{target: target}, fn ->
        System.cmd("kill", ["-STOP", os_pid])
        Process.sleep(150)
        System.cmd("kill", ["-CONT", os_pid])
      end)
    end

    test "a connection of the server's node that is busy", %{harness: harness} do
      # Nodes whose connections hold next to nothing.
      options = ~w(-kernel inet_dist_connect_options [{sndbuf,4096}] inet_dist_listen_options [{recbuf,4096}] +zdbbl 4)
      peer = Peer.start(arguments: options)
      target = Peer.start_server(peer, Slow)
      other = Peer.start(arguments: options)
      sink = Peer.start_server(other, Slow)
      true = Peer.call(peer, :net_kernel, :connect_node, [other.node])
      os_pid = Peer.call(other, :os, :getpid, []) |> to_string()

      told(harness, :reply_blocked, %{target: target}, fn ->
        System.cmd("kill", ["-STOP", os_pid])
        Peer.call(peer, Slow, :tell, [target, sink, 30, 20_000])
        Process.sleep(200)
        System.cmd("kill", ["-CONT", os_pid])
      end)
      |> assert_stack(:handle_info)
    end

    test "a built-in function that does not give its scheduler back", %{harness: harness, peer: peer, target: target} do
      Peer.call(peer, Slow, :allow_blocking, [])
      block = fn -> call(peer, target, {:block, 150}) end
      for %{detail: stack} <- told(harness, :handler, %{target: target}, block), do: assert({_, _, _} = hd(stack))
    end

    test "schedulers that are all busy, with their queues", %{harness: harness, peer: peer, target: target} do
      crowd = fn -> Peer.call(peer, Slow, :crowd, [100, 400]) end

      for %{detail: detail} <- told(harness, :scheduled_out, %{target: target}, crowd),
          do: assert(Enum.sum(detail.run_queue_lengths) > 20)
    end
  end

  test "nothing is looked at, and nothing told, that nobody has asked for", %{harness: harness, target: target} do
    report = Loads.run(harness, target, %{rate: 100, duration_ms: 300}, [{:sleep, 15}])
    assert %{slowest: nil, explain: nil} = report
    assert Enum.all?(report.timeline, &(&1.causes == nil))
  end

  test "metrics have all causes, and their sums over runs", %{peer: peer, target: target} do
    harness = Harness.start(config: Http.config())
    port = Http.port(harness)

    causes = fn ->
      for {~s(harnessd_slow_operation_seconds_total{cause=") <> rest, seconds} <- Http.metrics(port),
          into: %{},
          do: {String.trim_trailing(rest, ~s("})), seconds}
    end

    before = causes.()
    assert map_size(before) == 10 and Enum.all?(Map.values(before), &(&1 == 0))
    suspend = fn -> Peer.call(peer, Slow, :suspend, [target, 150]) end
    reports = for _ <- 1..2, do: explain(harness, %{target: target}, suspend)

    for {cause, seconds} <- causes.() do
      us = for %{explain: %{causes: causes}} <- reports, %{cause: told, us: us} <- causes, "#{told}" == cause, do: us
      assert_in_delta seconds, Enum.sum(us) / 1_000_000, 0.00001
    end
  end

  describe "a custom operation" do
    test "is slow of the server that it calls", %{harness: harness, peer: peer, target: target} do
      scenario = %{target: target, operations: [{:custom, &GenServer.call(&1, :get, 60_000)}]}
      sleep = fn -> call(peer, target, {:sleep, 150}) end
      harness |> told(:handler, scenario, sleep) |> assert_stack(:handle_call)
    end

    test "is slow of a server that is none of the targets", %{harness: harness, peer: peer, target: target} do
      other = Peer.start_server(peer, Slow)
      scenario = %{target: target, operations: [{:custom, fn _ -> GenServer.call(other, :get, 60_000) end}]}
      suspend = fn -> Peer.call(peer, Slow, :suspend, [other, 150]) end
      told(harness, :suspended, scenario, suspend)
    end

    test "is slow by itself, in a thread that was set up as well", %{harness: harness, target: target} do
      operation = fn _ -> if :rand.uniform(40) == 1, do: Slow.burn(System.monotonic_time(:millisecond) + 100) end

      for more <- [%{}, %{thread_setup: fn _ -> :ready end}] do
        scenario = Map.merge(%{target: target, operations: [{:custom, operation}]}, more)
        harness |> told(:handler, scenario, fn -> :nothing end) |> assert_stack(:burn)
      end
    end
  end

  describe "a fault of the run" do
    test "is named by its number where operations are slow of it", %{harness: harness, target: target} do
      faults = [
        %{action: {:garbage_collect, []}, after_ms: 100},
        %{action: {:suspend, 150}, after_ms: 500, every_ms: 500, times: 2}
      ]

      for %{detail: detail} <- told(harness, :suspended, %{target: target, chaos: faults}, fn -> :nothing end),
          do: assert(match?(%{fault: number} when number in [2, 3], detail))
    end

    test "of schedulers that it keeps busy", %{peer: peer, target: target} do
      harness = Harness.start(config: %{"access" => %{"chaos" => %{"allow" => ["*"]}}})
      burn = %{action: {:burn_cpu, [schedulers: 300, duration_ms: 300]}, after_ms: 500, target: {:node, peer.node}}
      found = told(harness, :scheduled_out, %{target: target, chaos: burn}, fn -> :nothing end, [], 8_000)
      assert Enum.all?(found, &(&1.detail == %{fault: 1}))
    end

    test "of a mailbox that it fills", %{harness: harness, target: target} do
      flood = %{action: {:flood, [count: 3_000, message: {:work, 10_000}]}, after_ms: 500}
      found = told(harness, :queue, %{target: target, chaos: flood}, fn -> :nothing end, [:handler])
      assert Enum.all?(found, &(&1.detail == %{fault: 1}))
    end

    test "is not named where operations are slow of something else", %{harness: harness, peer: peer, target: target} do
      faults = %{action: {:suspend, 1}, after_ms: 100}
      sleep = fn -> call(peer, target, {:sleep, 150}) end
      harness |> told(:handler, %{target: target, chaos: faults}, sleep) |> assert_stack(:handle_call)
    end
  end
end
