defmodule ChaosScheduleTest do
  @moduledoc "When scheduled actions come and whom they hit, what the record says of them, and the steady state."
  use ClusterCase, shared: true

  setup_all %{peer: peer} do
    for module <- [Trees, Trees.Supervisor, Trees.Worker, Trees.Application], do: Peer.load(peer, module)
    :ok
  end

  defp load(ms), do: for(_ <- 1..div(ms, 2), do: [{:echo, 1}, {:"$sleep", 2}]) |> Enum.concat()

  defp report(harness, target, chaos, options \\ %{}) do
    scenario = Map.merge(%{target: target, threads: [[]], chaos: chaos, timeout_ms: 20_000}, Map.new(options))
    assert {:ok, report} = Harness.run(harness, scenario)
    report
  end

  defp tree(peer, count) do
    names = for _ <- 1..count, do: String.to_atom(Peer.unique("scheduled"))
    supervisor = Peer.call(peer, Trees, :start, [:one_for_one, names])
    on_exit(fn -> Peer.call(peer, Trees, :stop, [supervisor]) end)
    supervisor
  end

  defp children(peer, supervisor),
    do: for({_, pid} <- Peer.call(peer, Trees, :children, [supervisor]), do: pid)

  describe "time" do
    test "after_ms, every_ms and times", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      action = %{action: {:garbage_collect, []}, after_ms: 100, every_ms: 80, times: 4}
      {time, report} = timed(fn -> report(harness, subject, [action]) end)
      assert time >= 340
      assert length(report.injections) == 4

      for {%{at_ms: at, outcome: :ok}, i} <- Enum.with_index(report.injections),
          do: assert(at in (100 + 80 * i)..(400 + 80 * i))

      assert report.chaos.result == [:ok]
    end

    test "without times it goes on as long as the load", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      action = %{action: {:garbage_collect, []}, every_ms: 20}
      report = report(harness, subject, [action], threads: [load(600)])
      assert length(report.injections) in 10..200
      assert Enum.all?(report.injections, &(&1.outcome == :ok))
      assert List.last(report.injections).at_ms <= report.metrics.duration_ms + 50
    end

    test "jitter_ms delays each on its own", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      action = %{action: {:garbage_collect, []}, every_ms: 30, times: 12, jitter_ms: 25}
      # What is planned is exact; a machine that is busy injects it later, and never earlier.
      assert %{chaos: [%{at_ms: planned}]} = report(harness, subject, [action], dry_run: true)
      delays = for {at, i} <- Enum.with_index(planned), do: at - 30 * i
      assert length(delays) == 12 and length(Enum.uniq(delays)) > 3
      assert Enum.all?(delays, &(&1 in 0..25))
      report = report(harness, subject, [action])
      assert length(report.injections) == 12

      assert Enum.all?(Enum.with_index(Enum.sort(for(%{at_ms: at} <- report.injections, do: at))), fn {at, i} ->
               at >= 30 * i
             end)
    end

    test "a dry run has none that would come after the load", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      collect = %{action: {:garbage_collect, []}, every_ms: 300}
      load = %{target: subject, load: %{threads: 1, duration_ms: 1_000}, operations: [:get], dry_run: true}
      assert {:ok, dry} = Harness.run(harness, Map.put(load, :chaos, [collect, Map.put(collect, :times, 5)]))
      assert [%{at_ms: [0, 300, 600, 900]}, %{at_ms: [0, 300, 600, 900, 1200]}] = dry.chaos
    end

    test "probability decides each time", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      action = %{action: {:garbage_collect, []}, every_ms: 1, times: 200, probability: 0.5}
      assert length(report(harness, subject, [action]).injections) in 60..140
      action = %{action: {:garbage_collect, []}, probability: 0.0}
      assert [%{outcome: :not_drawn}] = report(harness, subject, [action]).injections
    end

    test "several actions run beside each other", %{harness: harness, peer: peer} do
      [a, b] = for _ <- 1..2, do: Peer.start_server(peer, Subject)
      chaos = [%{action: {:suspend, 300}, target: a}, %{action: {:suspend, 300}, target: b, after_ms: 50}]
      {time, report} = timed(fn -> report(harness, [a, b], chaos) end)
      assert time < 2_000
      assert [%{target: [^a], duration_ms: x}, %{target: [^b], duration_ms: y}] = report.injections
      assert x in 290..900 and y in 290..900
      assert report.chaos.result == [:ok, :ok]
    end
  end

  describe "a target" do
    test "is a pid, a name, a global name", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      other = Peer.start_server(peer, Subject)
      name = String.to_atom(Peer.unique("scheduled"))
      named = Peer.start_named(peer, Subject, name)
      global = String.to_atom(Peer.unique("scheduled"))
      :yes = :global.register_name(global, other)

      for {target, pid} <- [{other, other}, {{name, peer.node}, named}, {{:global, global}, other}] do
        report = report(harness, subject, [%{action: {:suspend, 5}, target: target}])
        assert [%{target: [^pid], outcome: :ok, amount: 1}] = report.injections
      end
    end

    test "is all children of a supervisor, or one of them that is drawn", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      supervisor = tree(peer, 4)
      pids = Enum.sort(children(peer, supervisor))
      report = report(harness, subject, [%{action: {:suspend, 5}, target: {:children, supervisor}}])
      assert [%{target: hit, amount: 4, undone: true}] = report.injections
      assert Enum.sort(hit) == pids
      action = %{action: {:suspend, 1}, target: {:child, supervisor}, every_ms: 10, times: 40}
      report = report(harness, subject, [action])
      hit = for %{target: target, amount: 1} <- report.injections, do: target
      assert length(hit) == 40
      assert Enum.all?(hit, &match?([_], &1))
      assert Enum.sort(Enum.uniq(List.flatten(hit))) == pids
    end

    test "is every process of an application or of a module", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      {supervisor, workers} = Peer.call(peer, Trees, :start_application, [:scheduled_application])
      action = %{action: {:garbage_collect, []}, target: {:application, :scheduled_application, peer.node}}
      assert [%{target: hit, outcome: :ok}] = report(harness, subject, [action]).injections
      # Beside them there is what leads the application.
      assert supervisor in hit and Enum.all?(workers, &(&1 in hit))
      assert subject not in hit
      Peer.load(peer, TrappingSubject)
      special = for _ <- 1..3, do: Peer.start_server(peer, TrappingSubject)
      action = %{action: {:garbage_collect, []}, target: {:module, TrappingSubject, peer.node}}
      assert [%{target: hit, outcome: :ok}] = report(harness, subject, [action]).injections
      assert Enum.all?(special, &(&1 in hit))
      assert subject not in hit
      Peer.call(peer, :application, :stop, [:scheduled_application])
    end

    test "that is not there, or no supervisor, is told", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)

      for {target, outcome} <- [
            {{:nobody_there, peer.node}, :noproc},
            {{:children, subject}, {:error, :not_a_supervisor}},
            {{:children, {:nobody_there, peer.node}}, :noproc},
            {{:nobody, :"nowhere@127.0.0.1"}, {:error, :nodedown}}
          ] do
        chaos = [%{action: {:suspend, 5}, target: target}]
        scenario = %{target: subject, threads: [[]], chaos: chaos}
        assert {:error, {:chaos_failed, reason}} = Harness.run(harness, scenario)
        assert {:not_injected, [%{action: {:suspend, 5}, target: ^target, outcome: ^outcome}]} = reason
        report = Harness.last_partial(harness)
        assert [%{outcome: ^outcome, target: [], amount: 0, undone: nil}] = report.injections
        assert report.chaos.result == [outcome]
      end

      assert GenServer.call(subject, :get) == 0
    end
  end

  describe "chance" do
    test "repeats itself with the run's seed", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      supervisor = tree(peer, 5)
      drawn = %{action: {:garbage_collect, []}, target: {:child, supervisor}, every_ms: 2, times: 12}
      chance = %{action: {:garbage_collect, []}, every_ms: 3, times: 40, probability: 0.5, jitter_ms: 50}

      record = fn seed ->
        report = report(harness, subject, [drawn, chance], seed: seed)
        assert report.seed == seed
        {children, chances} = Enum.split_with(report.injections, &(&1.target != [subject]))
        assert length(children) == 12
        {Enum.map(children, & &1.target), length(chances)}
      end

      plan = fn seed -> report(harness, subject, [drawn, chance], seed: seed, dry_run: true).chaos end
      assert record.(7) == record.(7)
      assert plan.(7) == plan.(7)
      # What a dry run says is what is done.
      assert length(Enum.at(plan.(7), 1).at_ms) == elem(record.(7), 1)
      refute Enum.all?(8..11, &(record.(&1) == record.(7)))
      refute Enum.all?(8..11, &(plan.(&1) == plan.(7)))
    end

    test "of a campaign repeats itself with the run's seed", %{harness: harness, peer: peer} do
      names = for _ <- 1..6, do: String.to_atom(Peer.unique("seeded"))

      [first, second, other] =
        for seed <- [5, 5, 6] do
          supervisor = Peer.call(peer, Trees, :start, [:one_for_one, names])

          by_pid = fn ->
            Map.new(Peer.call(peer, Trees, :children, [supervisor]), fn {name, pid} -> {pid, name} end)
          end

          ids = by_pid.()
          chaos = {:kill_children, [kill_rate: 0.5, duration_ms: 1, kill_interval_ms: 20]}
          assert [%{target: hit, amount: 3}] = report(harness, supervisor, chaos, seed: seed).injections
          Peer.call(peer, Trees, :stop, [supervisor])
          Enum.map(hit, &ids[&1])
        end

      assert first == second
      refute first == other
    end
  end

  describe "the record" do
    defp marks(report),
      do:
        for(
          %{at_ms: at, interval_ms: length, marks: marks} <- report.timeline,
          mark <- marks,
          do: {mark, at, length}
        )

    test "is marked in the timeline", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      chaos = [%{action: {:suspend, 150}, after_ms: 250}, %{action: {:garbage_collect, []}, after_ms: 700}]
      report = report(harness, subject, chaos, threads: [load(1_000)])
      assert [suspended, collected] = report.injections

      assert [{injected, at, length}, {undone, undone_at, _}, {collect, collect_at, _}] = marks(report)
      assert injected == %{fault: :suspend, event: :injected, target: [subject]}
      assert undone == %{fault: :suspend, event: :undone, target: [subject]}
      assert collect == %{fault: :garbage_collect, event: :injected, target: [subject]}
      assert suspended.at_ms in at..(at + length)
      assert undone_at >= at and collect_at <= collected.at_ms
    end

    test "is marked after the load as well", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      report = report(harness, subject, [%{action: {:garbage_collect, []}, after_ms: 300}])
      assert [{%{fault: :garbage_collect}, at, length}] = marks(report)
      assert hd(report.injections).at_ms in at..(at + length)
    end

    test "of many targets has the first of them, and is marked with these", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      supervisor = Peer.call(peer, Trees, :start_dynamic, [400])
      on_exit(fn -> Peer.call(peer, Trees, :stop, [supervisor]) end)
      report = report(harness, subject, [%{action: {:suspend, 5}, target: {:children, supervisor}}])
      assert [%{target: hit, amount: 400, undone: true}] = report.injections
      assert length(Enum.uniq(hit)) == 100
      assert hit -- children(peer, supervisor) == []
      assert [{mark, _, _}, _] = marks(report)
      assert mark == %{fault: :suspend, event: :injected, target: hit}
    end

    test "is judged by max_recovery_ms", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)

      scenario = fn limit, options ->
        Map.merge(
          %{
            target: subject,
            threads: [load(600)],
            call_timeout_ms: 5_000,
            chaos: [%{action: {:suspend, 200}, after_ms: 100}],
            performance_expectations: [max_recovery_ms: limit]
          },
          Map.new(options)
        )
      end

      assert {:ok, report} = Harness.run(harness, scenario.(10_000, %{}))
      assert [%{recovery_ms: recovery}] = report.injections
      assert recovery >= 195

      assert [%{expectation: :max_recovery_ms, limit: 10_000, measured: measured, met: true}] =
               report.expectations

      assert_in_delta measured, recovery, 1

      assert {:error,
              {:performance_failed, %{error: error, expectations: [%{met: false, measured: measured}]}}} =
               Harness.run(harness, scenario.(100, %{}))

      assert measured >= 195
      assert error.message =~ ~r/recovery time/i

      # Where nothing was done there is no recovery to be had.
      result = Harness.run(harness, Map.delete(scenario.(0, %{}), :chaos))
      assert {:error, {:performance_failed, %{expectations: [%{measured: nil, met: nil}]}}} = result
      never = %{action: {:suspend, 200}, probability: 0.0, after_ms: 100}
      assert {:ok, report} = Harness.run(harness, scenario.(0, %{chaos: [never]}))
      assert [%{outcome: :not_drawn}] = report.injections
      assert [%{met: true, measured: nil}] = report.expectations
    end

    test "counts up to the end of the load for who never recovers", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)

      scenario = %{
        target: subject,
        threads: [load(500)],
        chaos: [%{action: {:inject_crash, :immediate}, after_ms: 50}],
        performance_expectations: [max_recovery_ms: 100]
      }

      assert {:error, {:performance_failed, %{expectations: [%{met: false, measured: measured}]}}} =
               Harness.run(harness, scenario)

      assert measured >= 300
    end
  end

  describe "the steady state" do
    defp steady(harness, peer, hook, options \\ %{}) do
      subject = Peer.start_server(peer, Subject)

      scenario =
        Map.merge(
          %{
            target: subject,
            threads: [[{:add, 1}]],
            steady_state: hook,
            chaos: {:suspend, 200},
            invariant: {ChaosScheduleTest.Hooks, :invariant, [self()]}
          },
          Map.new(options)
        )

      Harness.run(harness, scenario)
    end

    test "is looked at before the load and after the last fault was undone", %{harness: harness, peer: peer} do
      test = self()

      hook = fn subject, context ->
        send(test, {:steady, GenServer.call(subject, :get), context, :erlang.process_info(self(), :links)})
        true
      end

      assert {:ok, report} = steady(harness, peer, hook)
      assert_received {:steady, 0, %{}, _}
      assert_received {:steady, 1, %{}, _}
      refute_received {:steady, _, _, _}
      assert_received :invariant
      assert [%{undone: true}] = report.injections
    end

    test "that does not hold ends the run", %{harness: harness, peer: peer} do
      for {verdict, reason} <- [{false, :returned_false}, {{:error, :cold}, :cold}] do
        assert {:error, {:steady_state_failed, :before, ^reason}} =
                 steady(harness, peer, fn _, _ -> verdict end)

        refute_received :invariant

        only_after = fn subject, _ -> GenServer.call(subject, :get) == 0 or verdict end
        assert {:error, {:steady_state_failed, :after, ^reason}} = steady(harness, peer, only_after)
        refute_received :invariant
      end
    end

    test "that raises or never returns ends the run", %{harness: harness, peer: peer} do
      assert {:error, {:steady_state_failed, :before, {%RuntimeError{message: "odd"}, [_ | _]}}} =
               steady(harness, peer, fn _, _ -> raise "odd" end)

      assert {:error, {:steady_state_failed, :before, {{:exit, :odd}, [_ | _]}}} =
               steady(harness, peer, fn _, _ -> exit(:odd) end)

      assert {:error, {:steady_state_failed, :before, :timeout}} =
               steady(harness, peer, fn _, _ -> Process.sleep(:infinity) end, hook_timeout_ms: 100)

      late = fn subject, _ -> if GenServer.call(subject, :get) > 0, do: Process.sleep(:infinity) end

      assert {:error, {:steady_state_failed, :after, :timeout}} =
               steady(harness, peer, late, hook_timeout_ms: 300)

      refute_received :invariant
    end

    test "cleans up what the setup has made", %{harness: harness} do
      test = self()

      scenario = %{
        setup: fn -> {:ok, elem(GenServer.start_link(Subject, []), 1), %{made: :here}} end,
        threads: [[:get]],
        steady_state: fn _, context -> send(test, {:steady, context}) && false end,
        cleanup: fn _, _ -> send(test, :cleaned) end
      }

      assert {:error, {:steady_state_failed, :before, :returned_false}} = Harness.run(harness, scenario)
      assert_received {:steady, %{made: :here}}
      assert_received :cleaned
    end
  end
end

defmodule ChaosScheduleTest.Hooks do
  def invariant(_, _, test), do: send(test, :invariant)
end
