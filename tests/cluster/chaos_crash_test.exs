defmodule ChaosCrashTest do
  @moduledoc """
  Crashes of processes and of children of supervisors, with the library's terms, options and reports, under
  load and against real supervision trees.
  """
  use ClusterCase, shared: true

  setup_all %{peer: peer} do
    for module <- [Trees, Trees.Supervisor, Trees.Worker], do: Peer.load(peer, module)
    Peer.call(peer, Trees, :watch_log, [])
    :ok
  end

  defp start_tree(peer, strategy, names, options \\ []),
    do: stopped(peer, Peer.call(peer, Trees, :start, [strategy, names, options]))

  defp start_dynamic(peer, count, options \\ []),
    do: stopped(peer, Peer.call(peer, Trees, :start_dynamic, [count, options]))

  defp stopped(peer, supervisor) do
    on_exit(fn -> Peer.call(peer, Trees, :stop, [supervisor]) end)
    supervisor
  end

  defp children(peer, supervisor), do: Map.new(Peer.call(peer, Trees, :children, [supervisor]))
  defp alive?(peer, pid), do: Peer.call(peer, :erlang, :is_process_alive, [pid])
  defp unique(prefix), do: String.to_atom(Peer.unique(prefix))

  # A monitor that the node has taken note of: what comes over another connection may be faster.
  defp watch(pid) do
    monitor = Process.monitor(pid)
    :erpc.call(node(pid), :erlang, :node, [])
    monitor
  end

  # A script that goes on for at least `ms`.
  defp load(ms, message \\ {:echo, 1}),
    do: for(_ <- 1..div(ms, 2), do: [message, {:"$sleep", 2}]) |> Enum.concat()

  # A scenario that does nothing but wait for its chaos.
  defp quiet(target, chaos), do: %{target: target, threads: [[]], chaos: chaos, timeout_ms: 20_000}

  defp report(harness, scenario) do
    assert {:ok, report} = Harness.run(harness, scenario)
    report
  end

  # Every call that has an answer has the right one, whatever was injected.
  defp assert_right_results(report, right) do
    for %{operation: {:call, _}, result: {:ok, result}} <- report.events, do: assert(result == right)
  end

  describe "inject_crash" do
    test "ends the subject with the reason", %{harness: harness, peer: peer} do
      for {options, expected} <- [
            {[], :chaos_injection},
            {[[]], :chaos_injection},
            {[[reason: :boo]], :boo},
            {[[reason: {:a, "b"}]], {:a, "b"}},
            {[[reason: :kill]], :killed}
          ] do
        subject = Peer.start_server(peer, Subject)
        monitor = watch(subject)
        action = List.to_tuple([:inject_crash, :immediate | options])
        report = report(harness, quiet(subject, action))
        assert_receive {:DOWN, ^monitor, :process, ^subject, ^expected}, 5_000
        assert %{result: :ok, duration_ms: duration} = report.chaos
        assert duration in 0..2_000
        assert [injection] = report.injections
        assert %{kind: :inject_crash, action: ^action, target: [^subject]} = injection
        assert %{outcome: :ok, amount: 1, undone: nil, duration_ms: nil} = injection
        assert report.healed == true
      end
    end

    test "comes from the functions of the library", %{harness: harness, peer: peer} do
      for {arguments, reason} <- [
            {[], :chaos_injection},
            {[:immediate], :chaos_injection},
            {[:immediate, [reason: :x]], :x}
          ] do
        action = Harness.call(harness, :chaos_inject_crash, arguments)
        subject = Peer.start_server(peer, Subject)
        monitor = watch(subject)
        assert %{chaos: %{result: :ok}} = report(harness, quiet(subject, action))
        assert_receive {:DOWN, ^monitor, :process, ^subject, ^reason}, 5_000
      end

      assert Harness.call(harness, :chaos_kill_children) == {:kill_children, []}

      assert Harness.call(harness, :chaos_kill_children, [[kill_rate: 1.0]]) ==
               {:kill_children, [kill_rate: 1.0]}
    end

    test "is a scenario of the library's own", %{harness: harness} do
      scenario =
        Harness.call(harness, :simple_genserver_scenario, [
          Subject,
          [{:echo, 1}],
          3,
          [
            setup: fn -> GenServer.start(Subject, []) end,
            cleanup: fn _, _ -> :ok end,
            chaos: Harness.call(harness, :chaos_inject_crash)
          ]
        ])

      report = report(harness, scenario)
      assert report.chaos.result == :ok
      assert [%{outcome: :ok, target: [_]}] = report.injections
    end

    test "comes after a time, and is finished at once", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      script = load(600)
      scenario = %{target: subject, threads: [script], chaos: {:inject_crash, {:after_ms, 200}}}
      report = report(harness, scenario)
      assert [%{at_ms: at, outcome: :ok, target: [^subject]}] = report.injections
      assert at in 200..500
      assert %{result: :ok} = report.chaos
      {good, bad} = Enum.split_while(report.events, &match?({:ok, _}, &1.result))
      assert_right_results(report, 1)
      assert List.last(good).timestamp_ms >= at - 10
      assert [%{result: {:error, _}} | _] = Enum.reject(bad, &match?({:"$sleep", _}, &1.operation))
    end

    test "that is still to come when the load has ended is cancelled", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      scenario = %{target: subject, threads: [load(100)], chaos: {:inject_crash, {:after_ms, 20_000}}}
      {time, report} = timed(fn -> report(harness, scenario) end)
      assert time < 10_000
      assert report.chaos.result == :ok
      assert [%{outcome: :cancelled, target: [], at_ms: 20_000}] = report.injections
      assert alive?(peer, subject)
    end

    test "may be left to chance", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      report = report(harness, quiet(subject, {:inject_crash, {:random, 0.0}}))
      assert [%{outcome: :not_drawn}] = report.injections
      assert report.chaos.result == :ok
      assert alive?(peer, subject)
      report = report(harness, quiet(subject, {:inject_crash, {:random, 1.0}}))
      assert [%{outcome: :ok}] = report.injections
      refute alive?(peer, subject)
    end

    test "of who does not die of it is told", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, TrappingSubject)
      report = report(harness, quiet(subject, {:inject_crash, :immediate}))
      assert [%{outcome: :survived, amount: 0, recovery_ms: nil}] = report.injections
      assert alive?(peer, subject)
    end

    test "of who is gone is told", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      Peer.call(peer, :erlang, :exit, [subject, :kill])
      report = report(harness, quiet(subject, {:inject_crash, :immediate}))
      assert [%{outcome: :noproc}] = report.injections
      assert report.chaos.result == :noproc
    end

    test "reaches names of every kind", %{harness: harness, peer: peer} do
      local = unique("crash_local")
      pid = Peer.start_named(peer, Subject, local)
      report = report(harness, quiet({local, peer.node}, {:inject_crash, :immediate}))
      assert [%{target: [^pid], outcome: :ok}] = report.injections

      global = unique("crash_global")
      {:ok, pid} = GenServer.start(Subject, [], name: {:global, global})
      report = report(harness, quiet({:global, global}, {:inject_crash, :immediate}))
      assert [%{target: [^pid], outcome: :ok}] = report.injections
    end

    test "hits all targets of a list", %{harness: harness, peer: peer} do
      subjects = [
        Peer.start_server(peer, Subject),
        elem(GenServer.start(Subject, []), 1),
        Peer.start_server(peer, Subject)
      ]

      report = report(harness, quiet(subjects, {:inject_crash, :immediate}))
      assert [%{target: hit, outcome: :ok, amount: 3}] = report.injections
      assert Enum.sort(hit) == Enum.sort(subjects)
    end
  end

  describe "a crash of one child" do
    test "is answered by the supervisor as its strategy says", %{harness: harness, peer: peer} do
      for {strategy, changed} <- [
            one_for_one: fn _ -> 1 end,
            one_for_all: fn _ -> 4 end,
            rest_for_one: fn place -> 4 - place end
          ] do
        names = for _ <- 1..4, do: unique("worker")
        supervisor = start_tree(peer, strategy, names)
        before = children(peer, supervisor)
        action = %{action: {:inject_crash, :immediate, [reason: :boo]}, target: {:child, supervisor}}
        report = report(harness, quiet({hd(names), peer.node}, [action]))
        assert [%{outcome: :ok, amount: 1, target: [hit]}] = report.injections
        place = Enum.find_index(names, &(before[&1] == hit))
        refute alive?(peer, hit)

        Wait.until("the children to be there again", fn ->
          now = children(peer, supervisor)

          Enum.all?(Map.values(now), &is_pid/1) and
            Enum.count(names, &(now[&1] != before[&1])) == changed.(place)
        end)
      end

      supervisor = start_dynamic(peer, 5)
      before = for {_, pid} <- Peer.call(peer, Trees, :children, [supervisor]), do: pid
      action = %{action: {:inject_crash, :immediate}, target: {:child, supervisor}}
      subject = Peer.start_server(peer, Subject)
      assert [%{outcome: :ok, target: [hit]}] = report(harness, quiet(subject, [action])).injections
      assert hit in before

      Wait.until("another child in its place", fn ->
        now = for {_, pid} <- Peer.call(peer, Trees, :children, [supervisor]), do: pid
        length(now) == 5 and length(now -- before) == 1 and hit not in now
      end)
    end
  end

  describe "kill_children" do
    test "reports as the library does", %{harness: harness, peer: peer} do
      names = for _ <- 1..4, do: unique("worker")
      supervisor = start_tree(peer, :one_for_one, names)
      before = children(peer, supervisor)
      options = [kill_rate: 0.5, duration_ms: 250, kill_interval_ms: 100]
      report = report(harness, quiet(supervisor, {:kill_children, options}))

      assert %{killed: 6, restarted: 6, supervisor_crashed: false, duration_ms: duration} =
               report.chaos.result

      assert map_size(report.chaos.result) == 4
      assert duration in 250..700
      # Each round is recorded, with the two that it has killed.
      assert [first | _] = report.injections
      assert length(report.injections) == 3

      for injection <- report.injections,
          do: assert(%{kind: :kill_children, outcome: :ok, amount: 2} = injection)

      assert Enum.all?(first.target, &(&1 in Map.values(before)))
      killed = Enum.flat_map(report.injections, & &1.target)
      assert killed == Enum.uniq(killed)
      for pid <- killed, do: refute(alive?(peer, pid))
      assert Enum.sort(Map.keys(children(peer, supervisor))) == Enum.sort(names)
    end

    test "kills one at least, and none at a rate of 0", %{harness: harness, peer: peer} do
      supervisor = start_tree(peer, :one_for_one, for(_ <- 1..3, do: unique("worker")))
      options = [kill_rate: 0.01, duration_ms: 1, kill_interval_ms: 20]

      assert %{killed: 1, restarted: 1} =
               report(harness, quiet(supervisor, {:kill_children, options})).chaos.result

      before = children(peer, supervisor)
      options = [kill_rate: 0, duration_ms: 50, kill_interval_ms: 20]
      report = report(harness, quiet(supervisor, {:kill_children, options}))
      assert %{killed: 0, restarted: 0, supervisor_crashed: false} = report.chaos.result
      assert report.injections == []
      assert children(peer, supervisor) == before
    end

    test "with a reason of one's own", %{harness: harness, peer: peer} do
      supervisor = start_tree(peer, :one_for_one, [unique("worker")])
      [pid] = Map.values(children(peer, supervisor))
      monitor = watch(pid)
      options = [kill_reason: :boo, duration_ms: 1, kill_interval_ms: 10]
      assert %{killed: 1} = report(harness, quiet(supervisor, {:kill_children, options})).chaos.result
      assert_receive {:DOWN, ^monitor, :process, ^pid, :boo}, 5_000
    end

    test "tells of a supervisor that gives up", %{harness: harness, peer: peer} do
      supervisor = start_tree(peer, :one_for_one, [unique("worker")], max_restarts: 1)
      options = [kill_rate: 1, duration_ms: 300, kill_interval_ms: 20]
      report = report(harness, quiet(supervisor, {:kill_children, options}))
      assert %{killed: 2, supervisor_crashed: true} = report.chaos.result
      refute alive?(peer, supervisor)
    end

    test "of a dynamic supervisor", %{harness: harness, peer: peer} do
      supervisor = start_dynamic(peer, 6)
      options = [kill_rate: 0.5, duration_ms: 1, kill_interval_ms: 50]
      report = report(harness, quiet(supervisor, {:kill_children, options}))
      assert %{killed: 3, restarted: 3, supervisor_crashed: false} = report.chaos.result
      assert [%{target: killed, amount: 3}] = report.injections
      for pid <- killed, do: refute(alive?(peer, pid))
      assert length(Peer.call(peer, Trees, :children, [supervisor])) == 6
    end

    test "of a supervisor of Elixir", %{harness: harness} do
      {:ok, supervisor} = DynamicSupervisor.start_link(strategy: :one_for_one, max_restarts: 100)
      for _ <- 1..4, do: DynamicSupervisor.start_child(supervisor, {Agent, fn -> 0 end})
      options = [kill_rate: 1.0, duration_ms: 1, kill_interval_ms: 50]
      report = report(harness, quiet(supervisor, {:kill_children, options}))
      assert %{killed: 4, supervisor_crashed: false} = report.chaos.result
      assert DynamicSupervisor.count_children(supervisor).active == 4
    end

    test "takes siblings along where the strategy does", %{harness: harness, peer: peer} do
      for {strategy, restarted} <- [one_for_one: 1, one_for_all: 3, rest_for_one: [1, 2, 3]] do
        names = for _ <- 1..3, do: unique("worker")
        supervisor = start_tree(peer, strategy, names)
        before = children(peer, supervisor)
        options = [kill_rate: 0.1, duration_ms: 1, kill_interval_ms: 100]
        report = report(harness, quiet(supervisor, {:kill_children, options}))
        assert %{killed: 1, restarted: counted, supervisor_crashed: false} = report.chaos.result
        after_it = children(peer, supervisor)
        changed = Enum.count(names, &(before[&1] != after_it[&1]))
        assert changed in List.wrap(restarted)
        # Those that went with it count as well.
        assert counted == changed
        assert map_size(after_it) == 3

        if strategy == :rest_for_one do
          [%{target: [killed]}] = report.injections
          [killed_name] = for {name, ^killed} <- before, do: name
          # Those that were started after it, and it.
          assert changed == 3 - Enum.find_index(names, &(&1 == killed_name))
        end
      end
    end

    test "of what is no supervisor does it no harm", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)

      assert {:error, {:chaos_failed, :not_a_supervisor}} =
               Harness.run(harness, quiet(subject, {:kill_children}))

      assert alive?(peer, subject)
      Peer.call(peer, :erlang, :exit, [subject, :kill])
      assert {:error, {:chaos_failed, :noproc}} = Harness.run(harness, quiet(subject, {:kill_children, []}))
    end

    test "repeats itself with the same seed's draws", %{harness: harness, peer: peer} do
      # Who is drawn is up to the run's seed: over many runs every child has its turn.
      names = for _ <- 1..3, do: unique("worker")
      supervisor = start_tree(peer, :one_for_one, names)
      options = [kill_rate: 0.1, duration_ms: 1, kill_interval_ms: 10]

      hit =
        for _ <- 1..25, into: MapSet.new() do
          by_pid = Map.new(children(peer, supervisor), fn {name, pid} -> {pid, name} end)
          %{injections: [%{target: [pid]}]} = report(harness, quiet(supervisor, {:kill_children, options}))
          by_pid[pid]
        end

      assert MapSet.size(hit) == 3
    end
  end

  describe "load" do
    test "goes on with the right result for each call", %{harness: harness, peer: peer} do
      for strategy <- [:one_for_one, :one_for_all, :rest_for_one] do
        names = for _ <- 1..3, do: unique("worker")
        supervisor = start_tree(peer, strategy, names)
        threads = for i <- 1..6, do: load(600, {:echo, i})

        action = %{
          action: {:kill_children, [kill_rate: 0.5, duration_ms: 400, kill_interval_ms: 50]},
          target: supervisor
        }

        scenario = %{target: for(name <- names, do: {name, peer.node}), threads: threads, chaos: [action]}
        report = report(harness, scenario)
        assert report.metrics.total_operations == 6 * 300
        assert [%{killed: killed}] = report.chaos.result
        assert killed >= 6

        for %{thread: thread, operation: {:call, _}, result: result} <- report.events do
          case result do
            {:ok, echoed} -> assert echoed == thread + 1
            {:error, :noproc} -> :ok
            {:error, {:killed, {GenServer, :call, _}}} -> :ok
            {:error, {:shutdown, {GenServer, :call, _}}} -> :ok
          end
        end

        assert Enum.any?(
                 Enum.take(Enum.sort_by(report.events, & &1.timestamp_us), -20),
                 &match?({:ok, _}, &1.result)
               )
      end
    end

    test "recovers in the time that the supervisor's own log says", %{harness: harness, peer: peer} do
      # One round of kill_children, which kills the only child.
      kill_children = {:kill_children, [kill_rate: 1.0, duration_ms: 1, kill_interval_ms: 10]}

      for {delay, what} <- [
            {40, {:inject_crash, :immediate}},
            {150, {:inject_crash, :immediate}},
            {90, kill_children}
          ] do
        name = unique("worker")
        supervisor = start_tree(peer, :one_for_one, [name], delay: delay)
        Peer.call(peer, Trees, :forget_reports, [])
        action = if what == kill_children, do: %{action: what, target: supervisor}, else: %{action: what}
        action = Map.put(action, :after_ms, 100)
        scenario = %{target: {name, peer.node}, threads: for(_ <- 1..4, do: load(600)), chaos: [action]}
        report = report(harness, scenario)
        assert [%{outcome: :ok, recovery_ms: recovery, errors: errors}] = report.injections
        log = Peer.call(peer, Trees, :reports, [])
        assert {_, terminated} = List.keyfind(log, :child_terminated, 0)

        assert {_, started} =
                 log |> Enum.filter(fn {_, time} -> time > terminated end) |> List.keyfind(:progress, 0)

        logged = div(started - terminated, 1000)
        assert logged >= delay
        assert_in_delta recovery, logged, 20
        # A name is registered before its process is ready: calls wait for it rather than fail.
        assert errors == report.metrics.operation_errors
        assert alive?(peer, supervisor)
      end
    end
  end
end
