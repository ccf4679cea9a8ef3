defmodule ChaosHoldTest do
  @moduledoc """
  Faults that last: their effect on the node, and that they are undone when their time is over, when the run
  ends, by `heal_all`, and when the daemon or the link to it is gone.
  """
  use ClusterCase

  @everything %{"access" => %{"chaos" => %{"allow" => ["*"]}}}

  setup_all do
    peer = Peer.start(arguments: ["-hidden"])
    Peer.load(peer, Faults)
    # The first node that a node dials starts its resolver.
    :pong = Peer.call(peer, :net_adm, :ping, [node()])
    {:ok, peer: peer}
  end

  setup %{peer: peer} do
    harness = Harness.start(config: @everything)
    subject = Peer.start_server(peer, Subject)
    # What every run needs there once is not the fault's.
    assert {:ok, _} = Harness.run(harness, scenario(subject, {:suspend, 1}))
    {:ok, harness: harness, subject: subject}
  end

  defp scenario(target, chaos, options \\ %{}) do
    Map.merge(%{target: target, threads: [[]], chaos: chaos, timeout_ms: 60_000}, Map.new(options))
  end

  defp look(peer, kind, subject), do: Peer.call(peer, Faults, :look, [kind, subject])

  defp await_there(peer, kind, subject, before) do
    Wait.until("the effect of #{kind}", fn -> Faults.there?(kind, before, look(peer, kind, subject)) end)
  end

  defp await_gone(peer, kind, subject, before, timeout) do
    Wait.until(
      fn -> "the end of #{kind}: #{look(peer, kind, subject)} after #{before}" end,
      fn -> Faults.gone?(kind, before, look(peer, kind, subject)) end,
      timeout
    )
  end

  test "are undone when their time is over", %{harness: harness, peer: peer, subject: subject} do
    for {kind, action} <- Faults.lasting() do
      before = look(peer, kind, subject)
      run = start_run(harness, scenario(subject, action.(400)))
      await_there(peer, kind, subject, before)
      assert {:ok, report} = Task.await(run, 30_000)
      assert Faults.gone?(kind, before, look(peer, kind, subject))
      assert %{result: :ok, duration_ms: duration} = report.chaos
      assert duration >= 390

      assert [%{outcome: :ok, undone: true, amount: amount, duration_ms: held} = injection] =
               report.injections

      assert held in 390..5_000

      assert amount ==
               %{suspend: 1, process_limit: 2_000, ets_tables: 300, memory: 64, ports: 250, burn_cpu: 3}[kind]

      assert injection.target == if(kind == :suspend, do: [subject], else: [peer.node])
      assert report.healed == true
    end
  end

  test "are undone when the run ends before", %{harness: harness, peer: peer, subject: subject} do
    for {kind, action} <- Faults.lasting() do
      before = look(peer, kind, subject)
      # The run's time is over: the chaos has failed, and leaves nothing.
      chaos = [%{action: action.(60_000)}]
      run = start_run(harness, scenario(subject, chaos, timeout_ms: 2_500))
      await_there(peer, kind, subject, before)
      assert {:error, {:chaos_failed, :timeout}} = Task.await(run, 30_000)
      assert Faults.gone?(kind, before, look(peer, kind, subject)), inspect(kind)
    end
  end

  test "are undone when the caller dies", %{harness: harness, peer: peer, subject: subject} do
    for {kind, action} <- Faults.lasting() do
      before = look(peer, kind, subject)
      caller = spawn(fn -> Harness.run(harness, scenario(subject, action.(60_000))) end)
      await_there(peer, kind, subject, before)
      Process.exit(caller, :kill)
      await_gone(peer, kind, subject, before, 2_000)
      Wait.until("the end of the run", fn -> running(harness) == 0 end)
    end
  end

  test "are undone when the node of the hooks is lost", %{harness: harness, peer: peer, subject: subject} do
    for {kind, action} <- Faults.lasting() do
      other = Peer.start()
      other_node = other.node
      before = look(peer, kind, subject)
      hooks = [hooks_node: other.node, invariant: {:erlang, :is_pid, []}]
      run = start_run(harness, scenario(subject, action.(60_000), hooks))
      await_there(peer, kind, subject, before)
      Peer.stop(other)
      assert {:error, {:nodedown, ^other_node}} = Task.await(run, 30_000)
      assert Faults.gone?(kind, before, look(peer, kind, subject)), inspect(kind)
    end
  end

  test "what is exhausted without a time is held as long as the load", %{
    harness: harness,
    peer: peer,
    subject: subject
  } do
    before = look(peer, :ports, subject)
    script = for(_ <- 1..100, do: [{:echo, 1}, {:"$sleep", 5}]) |> Enum.concat()
    chaos = {:exhaust, :ports, [count: 250]}
    run = start_run(harness, scenario(subject, chaos, threads: [script]))
    await_there(peer, :ports, subject, before)
    assert {:ok, report} = Task.await(run, 30_000)
    assert report.metrics.total_operations == 100
    assert [%{outcome: :ok, undone: true, duration_ms: held}] = report.injections
    assert held in 300..10_000
    assert Faults.gone?(:ports, before, look(peer, :ports, subject))
  end

  test "hold as much as is asked for", %{harness: harness, subject: subject} do
    online = :erlang.system_info(:schedulers_online)

    for {action, amount} <- [
          {{:exhaust, :process_limit, [percentage: 0.1, duration_ms: 20]}, 1_000},
          {{:exhaust, :process_limit, [percentage: 0.1, spawn_count: 7, duration_ms: 20]}, 7},
          {{:exhaust, :process_limit, [duration_ms: 20]}, 500},
          {{:exhaust, :ets_tables, [duration_ms: 20]}, 50},
          {{:exhaust, :ports, [duration_ms: 20]}, 50},
          {{:burn_cpu, [duration_ms: 20]}, online}
        ] do
      assert {:ok, report} = Harness.run(harness, scenario(subject, action))
      assert [%{outcome: :ok, amount: ^amount, undone: true}] = report.injections, inspect(action)
      assert report.healed == true
    end
  end

  test "a node whose ports are all taken has them back", %{harness: harness, subject: subject} do
    small = Peer.start(arguments: ["-hidden", "+Q", "1024"])
    Peer.load(small, Faults)
    :pong = Peer.call(small, :net_adm, :ping, [node()])
    before = look(small, :ports, nil)
    action = %{action: {:exhaust, :ports, [count: 100_000, duration_ms: 600]}, target: {:node, small.node}}
    run = start_run(harness, scenario(subject, [action]))
    Wait.until("the last port to be taken", fn -> look(small, :ports, nil) >= 1_024 end)
    one_more = [{:spawn_driver, ~c"udp_inet"}, []]
    assert {:error, :system_limit} = raised(fn -> Peer.call(small, :erlang, :open_port, one_more) end)
    assert {:ok, report} = Task.await(run, 30_000)
    assert [%{outcome: :ok, undone: true, amount: amount}] = report.injections
    assert amount in 900..1_024
    assert look(small, :ports, nil) < before + 20
  end

  test "have a deadline of their own, whatever becomes of the daemon", %{
    harness: harness,
    peer: peer,
    subject: subject
  } do
    for {kind, action} <- Faults.lasting() do
      before = look(peer, kind, subject)
      run = start_run(harness, scenario(subject, action.(700)))
      await_there(peer, kind, subject, before)
      # It stands still, and its connections stay open.
      OsProcess.signal(harness.process, "STOP")
      await_gone(peer, kind, subject, before, 2_700)
      OsProcess.signal(harness.process, "CONT")
      assert {:ok, %{healed: true}} = Task.await(run, 30_000)
    end
  end

  test "are under way in what is recorded so far", %{harness: harness, peer: peer, subject: subject} do
    for {kind, action} <- Faults.lasting() do
      before = look(peer, kind, subject)
      {:ok, id} = Harness.call(harness, :start, [scenario(subject, [action.(60_000)])])
      await_there(peer, kind, subject, before)

      Wait.until("the fault to be held", fn ->
        {:ok, partial} = Harness.call(harness, :partial, [id])
        match?([%{outcome: :under_way, undone: nil}], partial.injections) and partial.healed != true
      end)

      assert Harness.call(harness, :show, [id]) =~ "under"
      assert Harness.call(harness, :cancel, [id]) == :ok
      assert {:error, {:cancelled, %{healed: true}}} = Harness.call(harness, :await, [id])
    end
  end

  test "without a time are not waited for, even when another node is lost", %{
    harness: harness,
    peer: peer,
    subject: subject
  } do
    other = Peer.start(arguments: ["-hidden"])
    there = Peer.start_server(other, Subject)
    Peer.load(other, Faults)
    :pong = Peer.call(other, :net_adm, :ping, [node()])
    before = look(peer, :ports, subject)
    before_there = look(other, :ports, there)
    script = for(_ <- 1..200, do: [{:echo, 1}, {:"$sleep", 5}]) |> Enum.concat()
    scenario = scenario([subject, there], {:exhaust, :ports, [count: 250]}, threads: [script])
    run = start_run(harness, scenario)
    await_there(peer, :ports, subject, before)
    await_there(other, :ports, there, before_there)
    Peer.stop(other)
    # Nobody could look whether it is gone there.
    assert {:error, {:chaos_failed, {:not_undone, [%{reason: {:nodedown, _}}] = left}}} = Task.await(run, 30_000)
    report = Harness.last_partial(harness)
    assert report.metrics.total_operations == 200
    assert [%{undone: false, target: [_, _]}] = report.injections
    assert report.healed == left
    assert Faults.gone?(:ports, before, look(peer, :ports, subject))
  end

  test "are undone before the steady state is looked at again", %{
    harness: harness,
    peer: peer,
    subject: subject
  } do
    before = look(peer, :ports, subject)
    script = for(_ <- 1..100, do: [{:echo, 1}, {:"$sleep", 5}]) |> Enum.concat()
    test = self()

    hook = fn subject, _ ->
      send(test, {:ports, length(:erpc.call(node(subject), :erlang, :ports, []))})
      true
    end

    scenario = scenario(subject, {:exhaust, :ports, [count: 250]}, threads: [script], steady_state: hook)
    run = start_run(harness, scenario)
    await_there(peer, :ports, subject, before)
    assert_received {:ports, at_first}
    assert at_first < before + 20
    assert {:ok, %{healed: true}} = Task.await(run, 30_000)
    assert_received {:ports, at_last}
    assert at_last < before + 20
  end

  test "load goes on through every fault", %{harness: harness, peer: peer} do
    other = Peer.start(arguments: ["-hidden"])
    :pong = Node.ping(other.node)

    at_once = [
      flood: {:flood, [count: 2_000]},
      garbage_collect: {:garbage_collect, []},
      apply: {:apply, :erlang, :garbage_collect, []},
      halt_node: {:halt_node, other.node}
    ]

    for {kind, action} <- Enum.map(Faults.lasting(), fn {kind, action} -> {kind, action.(300)} end) ++ at_once do
      subject = Peer.start_server(peer, Trees.Worker, 0)
      threads = for i <- 1..8, do: for(_ <- 1..200, do: [{:echo, i}, {:"$sleep", 4}]) |> Enum.concat()
      chaos = [%{action: action, after_ms: 100}]

      assert {:ok, report} =
               Harness.run(harness, scenario(subject, chaos, threads: threads, call_timeout_ms: 10_000))

      assert report.metrics.total_operations == 1_600
      assert report.errors == %{}, inspect(kind)

      for %{thread: thread, operation: {:call, _}, result: result} <- report.events,
          do: assert(result == {:ok, thread + 1})

      assert [%{recovery_ms: recovery, errors: 0, outcome: outcome}] = report.injections
      assert is_integer(recovery), inspect(report.injections)
      assert outcome == if(kind == :apply, do: {:ok, true}, else: :ok)
      assert report.healed == true
    end
  end

  test "are undone by heal_all, and no more come", %{harness: harness, peer: peer, subject: subject} do
    assert Harness.call(harness, :heal_all) == []

    for {kind, action} <- Faults.lasting() do
      before = look(peer, kind, subject)
      chaos = [action.(60_000), %{action: action.(60_000), after_ms: 30_000}]
      run = start_run(harness, scenario(subject, chaos))
      await_there(peer, kind, subject, before)
      term = action.(60_000)
      assert [%{action: ^term, undone: true, run_id: id, target: [_]}] = Harness.call(harness, :heal_all)
      assert Faults.gone?(kind, before, look(peer, kind, subject))
      assert {:ok, report} = Task.await(run, 30_000)
      assert report.run_id == id
      assert [%{outcome: :ok, undone: true}, %{outcome: :cancelled}] = report.injections
    end
  end

  test "of several runs are undone by heal_all", %{harness: harness, peer: peer} do
    subjects = for _ <- 1..5, do: Peer.start_server(peer, Subject)
    runs = for subject <- subjects, do: start_run(harness, scenario(subject, {:suspend, 60_000}))
    for subject <- subjects, do: await_there(peer, :suspend, subject, 0)
    healed = Harness.call(harness, :heal_all)
    assert length(healed) == 5
    assert Enum.all?(healed, &(&1.undone and &1.kind == :suspend))
    assert Enum.sort(Enum.flat_map(healed, & &1.target)) == Enum.sort(subjects)
    for subject <- subjects, do: assert(look(peer, :suspend, subject) == 0)
    for run <- runs, do: assert({:ok, _} = Task.await(run, 30_000))
  end

  test "are undone within two seconds of the daemon's death", %{
    harness: harness,
    peer: peer,
    subject: subject
  } do
    Enum.reduce(Faults.lasting(), harness, fn {kind, action}, harness ->
      before = look(peer, kind, subject)
      node = harness.node
      spawn(fn -> :erpc.call(node, :harness, :run, [scenario(subject, action.(60_000))]) end)
      await_there(peer, kind, subject, before)
      Harness.kill(harness)
      await_gone(peer, kind, subject, before, 2_000)
      Harness.restart(harness)
    end)
  end

  test "are undone within two seconds of the end of the connection", %{
    harness: harness,
    peer: peer,
    subject: subject
  } do
    for {kind, action} <- Faults.lasting() do
      before = look(peer, kind, subject)
      run = start_run(harness, scenario(subject, action.(60_000)))
      await_there(peer, kind, subject, before)
      assert Peer.call(peer, :erlang, :disconnect_node, [harness.node])
      await_gone(peer, kind, subject, before, 2_000)
      # Nobody could look whether it is gone, and the report says so.
      assert {:error, {:chaos_failed, {:not_injected, [missed]}}} = Task.await(run, 30_000)
      assert %{outcome: {:error, {:nodedown, _}}} = missed
      report = Harness.last_partial(harness)
      assert [%{undone: false, outcome: {:error, {:nodedown, _}}}] = report.injections
      assert [%{kind: _, target: [_], reason: {:nodedown, _}}] = report.healed
    end
  end

  test "are undone when the daemon is asked to stop", %{harness: harness, peer: peer, subject: subject} do
    before = look(peer, :process_limit, subject)
    {_, action} = List.keyfind(Faults.lasting(), :process_limit, 0)
    run = start_run(harness, scenario(subject, action.(60_000)))
    await_there(peer, :process_limit, subject, before)
    Harness.terminate(harness)
    assert {:error, {:cancelled, report}} = Task.await(run, 30_000)
    assert report.healed == true
    assert Harness.await_exit(harness) == 0
    assert Faults.gone?(:process_limit, before, look(peer, :process_limit, subject))
  end

  test "a holder that somebody kills is gone with what it held", %{
    harness: harness,
    peer: peer,
    subject: subject
  } do
    before = look(peer, :ports, subject)
    known = Peer.call(peer, :erlang, :ports, [])
    run = start_run(harness, scenario(subject, {:exhaust, :ports, [count: 250, duration_ms: 60_000]}))
    await_there(peer, :ports, subject, before)
    [port | _] = Peer.call(peer, :erlang, :ports, []) -- known

    holder =
      Enum.find_value(Peer.call(peer, :erlang, :ports, []) -- known, fn port ->
        {:connected, pid} = Peer.call(peer, :erlang, :port_info, [port, :connected])
        {:links, links} = Peer.call(peer, :erlang, :process_info, [pid, :links])
        if length(links) > 200, do: pid
      end)

    assert is_pid(holder) and is_port(port)
    Peer.call(peer, :erlang, :exit, [holder, :kill])
    await_gone(peer, :ports, subject, before, 2_000)
    outcome = {:healed_early, {peer.node, {:holder_lost, :killed}}}
    assert {:error, {:chaos_failed, {:not_injected, [%{outcome: ^outcome}]}}} = Task.await(run, 30_000)
    assert %{healed: true, injections: [%{outcome: ^outcome, undone: true}]} = Harness.last_partial(harness)
  end

  test "leave nothing behind on the node", %{harness: harness, peer: peer, subject: subject} do
    Peer.load(peer, Hooks)
    known = Peer.call(peer, :erlang, :processes, [])

    chaos =
      for({_, action} <- Faults.lasting(), do: action.(100)) ++
        [
          {:flood, [message: {:reply, {self(), :flood}, 1}]},
          {:garbage_collect, []},
          {:apply, :erlang, :node, []},
          {:inject_crash, {:after_ms, 30_000}}
        ]

    assert {:ok, %{healed: true}} = Harness.run(harness, scenario(subject, chaos))
    strangers = fn -> Peer.call(peer, Hooks, :strangers, [known]) end
    Wait.until(fn -> "the end of #{inspect(strangers.())}" end, fn -> strangers.() == [] end)
    assert Peer.call(peer, :erlang, :process_info, [subject, :monitored_by]) == {:monitored_by, []}
    assert Peer.call(peer, :erlang, :process_info, [subject, :links]) == {:links, []}
  end

  test "suspension holds calls, which are answered right when it is over", %{harness: harness, peer: peer} do
    subject = Peer.start_server(peer, Subject)
    threads = for i <- 1..5, do: for(_ <- 1..150, do: [{:echo, i}, {:"$sleep", 4}]) |> Enum.concat()
    chaos = [%{action: {:suspend, 200}, after_ms: 150}]

    assert {:ok, report} =
             Harness.run(harness, scenario(subject, chaos, threads: threads, call_timeout_ms: 5_000))

    assert report.metrics.operation_errors == 0

    for %{thread: thread, operation: {:call, _}, result: result} <- report.events,
        do: assert(result == {:ok, thread + 1})

    assert [%{outcome: :ok, undone: true, recovery_ms: recovery, errors: 0, at_ms: at} = injection] =
             report.injections

    assert at in 150..450
    assert recovery >= 195
    assert_in_delta recovery, injection.duration_ms, 20
    # Nothing was answered in between.
    silent =
      for %{operation: {:call, _}, timestamp_ms: time} <- report.events,
          time in (at + 30)..(at + 180),
          do: time

    assert silent == []
  end

  test "a suspension that calls do not outlast makes them time out", %{harness: harness, peer: peer} do
    subject = Peer.start_server(peer, Subject)
    script = for(_ <- 1..12, do: [{:echo, 1}]) |> Enum.concat()
    chaos = [{:suspend, 250}]
    scenario = scenario(subject, chaos, threads: [[{:"$sleep", 50} | script]], call_timeout_ms: 100)
    assert {:ok, report} = Harness.run(harness, scenario)
    assert report.errors == %{timeout: report.metrics.operation_errors}
    assert [%{errors: errors, recovery_ms: recovery, duration_ms: held}] = report.injections
    assert errors == report.metrics.operation_errors
    assert errors in 1..3
    assert_in_delta recovery, held, 20
  end

  describe "at once" do
    test "flood", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      Peer.call(peer, :sys, :suspend, [subject])

      assert {:ok, report} =
               Harness.run(harness, scenario(subject, {:flood, [count: 777, message: {:reply, nil, 1}]}))

      assert [%{kind: :flood, outcome: :ok, undone: nil}] = report.injections
      assert {:messages, messages} = Peer.call(peer, :erlang, :process_info, [subject, :messages])
      assert Enum.count(messages, &(&1 == {:reply, nil, 1})) == 777
      assert {:ok, _} = Harness.run(harness, scenario(subject, {:flood, []}))
      assert {:messages, messages} = Peer.call(peer, :erlang, :process_info, [subject, :messages])
      assert Enum.count(messages, &(&1 == :harnessd_flood)) == 1_000
    end

    test "garbage_collect", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      {:total_heap_size, before} = Peer.call(peer, :erlang, :process_info, [subject, :total_heap_size])
      {:ok, _} = Harness.run(harness, %{target: subject, threads: [[{:echo, Enum.to_list(1..100_000)}]]})
      {:total_heap_size, large} = Peer.call(peer, :erlang, :process_info, [subject, :total_heap_size])
      assert large > 10 * before
      assert {:ok, report} = Harness.run(harness, scenario(subject, {:garbage_collect, []}))
      assert [%{kind: :garbage_collect, outcome: :ok}] = report.injections
      {:total_heap_size, small} = Peer.call(peer, :erlang, :process_info, [subject, :total_heap_size])
      assert small < large / 10
    end

    test "apply", %{harness: harness, peer: peer, subject: subject} do
      peer_node = peer.node
      assert {:ok, report} = Harness.run(harness, scenario(subject, {:apply, :erlang, :node, []}))
      assert [%{kind: :apply, outcome: {:ok, ^peer_node}, target: [^peer_node]}] = report.injections
      assert report.chaos.result == {:ok, peer_node}
      boo = scenario(subject, {:apply, :erlang, :error, [:boo]})
      assert {:error, {:chaos_failed, {:not_injected, [missed]}}} = Harness.run(harness, boo)
      assert %{outcome: {:error, {:error, :boo}}} = missed
      assert [%{recovery_ms: nil}] = Harness.last_partial(harness).injections
      action = %{action: {:apply, :erlang, :node, []}, target: {:node, node()}}
      here = node()

      assert {:ok, %{injections: [%{outcome: {:ok, ^here}}]}} =
               Harness.run(harness, scenario(subject, [action]))
    end

    test "halt_node", %{harness: harness, subject: subject} do
      victim = Peer.start()
      Peer.load(victim, Faults)
      :pong = Node.ping(victim.node)
      true = Node.monitor(victim.node, true)
      assert {:ok, report} = Harness.run(harness, scenario(subject, {:halt_node, victim.node}))
      victim_node = victim.node
      assert_receive {:nodedown, ^victim_node}, 10_000
      assert [%{kind: :halt_node, outcome: :ok, target: [^victim_node], amount: 1}] = report.injections
      assert report.healed == true
    end
  end
end
