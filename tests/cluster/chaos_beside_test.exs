defmodule ChaosBesideTest do
  @moduledoc """
  Faults beside one another, beside what a node lacks, and beside our own processes: none of them may take
  another along, nor the node.
  """
  use ClusterCase

  @everything %{"access" => %{"chaos" => %{"allow" => ["*"]}}}

  setup_all do
    peer = Peer.start(arguments: ["-hidden"])

    for module <- [Trees, Trees.Supervisor, Trees.Worker, Trees.Application, Subject, Faults],
        do: Peer.load(peer, module)

    :pong = Peer.call(peer, :net_adm, :ping, [node()])
    {:ok, peer: peer}
  end

  setup %{peer: peer} do
    {:ok, harness: Harness.start(config: @everything), subject: Peer.start_server(peer, Subject)}
  end

  defp scenario(target, chaos, options \\ %{}) do
    Map.merge(%{target: target, threads: [[]], chaos: chaos, timeout_ms: 60_000}, Map.new(options))
  end

  defp suspended?(peer, pid), do: Peer.call(peer, Faults, :look, [:suspend, pid]) == 1

  defp await_suspended(peer, pid), do: Wait.until("a suspended process", fn -> suspended?(peer, pid) end)

  describe "suspensions of one process" do
    test "that overlap are each undone", %{harness: harness, peer: peer, subject: subject} do
      for chaos <- [
            [{:suspend, 200}, {:suspend, 900}],
            [%{action: {:suspend, 150}, every_ms: 100, times: 5}]
          ] do
        assert {:ok, report} = Harness.run(harness, scenario(subject, chaos))
        assert report.healed == true
        for injection <- report.injections, do: assert(%{outcome: :ok, undone: true} = injection)
        refute suspended?(peer, subject)
      end
    end

    test "of two runs", %{harness: harness, peer: peer, subject: subject} do
      long = start_run(harness, scenario(subject, {:suspend, 60_000}))
      await_suspended(peer, subject)
      assert {:ok, %{healed: true}} = Harness.run(harness, scenario(subject, {:suspend, 100}))
      assert suspended?(peer, subject)
      assert [%{undone: true}] = Harness.call(harness, :heal_all)
      refute suspended?(peer, subject)
      assert {:ok, %{healed: true}} = Task.await(long, 30_000)
    end
  end

  test "a function that takes its process along does no harm to what is held", context do
    %{harness: harness, peer: peer, subject: subject} = context
    crash = {:apply, :proc_lib, :start_link, [:erlang, :error, [:boo]]}
    chaos = [{:suspend, 1_000}, %{action: crash, after_ms: 200}]
    run = start_run(harness, scenario(subject, chaos))
    await_suspended(peer, subject)
    Harness.wait_for_log(harness, ~r/fault injected .*action=\S*apply/)
    Process.sleep(200)
    assert suspended?(peer, subject)
    assert {:error, {:chaos_failed, {:not_injected, [%{outcome: {:error, :boo}}]}}} = Task.await(run, 30_000)
    report = Harness.last_partial(harness)
    assert [%{outcome: :ok, undone: true, duration_ms: held}, %{outcome: outcome}] = report.injections
    assert held >= 990
    assert {:error, :boo} = outcome
    assert report.healed == true
  end

  test "a full process table lets the fault that fills it be undone", %{harness: harness} do
    small = Peer.start(arguments: ["-hidden", "+P", "2048"])
    Peer.load(small, Faults)
    subject = Peer.start_server(small, Subject)
    :pong = Peer.call(small, :net_adm, :ping, [node()])
    full = {:exhaust, :process_limit, [spawn_count: 1_000_000, duration_ms: 1_000]}
    chaos = [full, %{action: {:suspend, 50}, after_ms: 500}]
    before = Peer.call(small, Faults, :look, [:process_limit, nil])
    assert {:error, {:chaos_failed, {:not_injected, [missed]}}} = Harness.run(harness, scenario(subject, chaos))
    assert %{action: {:suspend, 50}, outcome: {:error, :system_limit}} = missed
    report = Harness.last_partial(harness)
    assert [%{outcome: :ok, undone: true, amount: amount, duration_ms: held}, second] = report.injections
    assert amount in 1_800..2_048
    assert held in 990..5_000
    assert %{outcome: {:error, :system_limit}, undone: nil} = second
    assert report.healed == true
    assert Faults.gone?(:process_limit, before, Peer.call(small, Faults, :look, [:process_limit, nil]))
  end

  test "memory is taken as long as the system has some", %{harness: harness} do
    # It ends itself before it could do harm to others here.
    small = Peer.start(arguments: ["-hidden"])
    subject = Peer.start_server(small, Subject)
    available = available_mb()
    action = {:exhaust, :memory, [size_mb: 1_048_576, duration_ms: 1]}
    assert {:ok, report} = Harness.run(harness, scenario(subject, action), 120_000)
    assert [%{outcome: :ok, undone: true, amount: amount}] = report.injections
    assert amount in 1..div(available * 9, 10)
    assert GenServer.call(subject, :get) == 0
  end

  defp available_mb do
    [_, kilobytes] = Regex.run(~r/MemAvailable:\s+(\d+) kB/, File.read!("/proc/meminfo"))
    div(String.to_integer(kilobytes), 1024)
  end

  test "what is still being seized is undone as well", %{harness: harness} do
    large = Peer.start(arguments: ["-hidden", "+P", "5000000"])
    Peer.load(large, Faults)
    subject = Peer.start_server(large, Subject)
    :pong = Peer.call(large, :net_adm, :ping, [node()])
    before = Peer.call(large, Faults, :look, [:process_limit, nil])
    action = {:exhaust, :process_limit, [spawn_count: 4_000_000, duration_ms: 60_000]}
    run = start_run(harness, scenario(subject, action))

    Wait.until("the first processes", fn ->
      Peer.call(large, Faults, :look, [:process_limit, nil]) > before + 5_000
    end)

    assert [%{undone: true}] = Harness.call(harness, :heal_all)
    assert Faults.gone?(:process_limit, before, Peer.call(large, Faults, :look, [:process_limit, nil]))
    assert {:ok, report} = Task.await(run, 30_000)
    assert [%{undone: true, amount: amount}] = report.injections
    assert amount < 4_000_000
    assert report.healed == true
  end

  describe "our own processes" do
    test "are of nobody's application", %{harness: harness, peer: peer, subject: subject} do
      {supervisor, _} = Peer.call(peer, Trees, :start_application, [:shop])
      members = Peer.call(peer, Trees, :of_application, [:shop])
      # What this run holds, and what it has to do it with, has the group leader of that application.
      chaos = [
        {:exhaust, :process_limit, [spawn_count: 100, duration_ms: 800]},
        %{action: {:suspend, 10}, target: {:application, :shop, peer.node}, after_ms: 300}
      ]

      hooks = [invariant: {:erlang, :"=/=", []}, hooks_node: peer.node]
      arguments = [supervisor, harness.node, scenario(subject, chaos, hooks)]
      assert {caller, {:ok, report}} = Peer.call(peer, Trees, :run_in_application, arguments)
      assert [%{outcome: :ok, amount: 100}, %{outcome: :ok, target: hit}] = report.injections
      assert Enum.sort(hit) == Enum.sort([caller | members])
      Peer.call(peer, :application, :stop, [:shop])
    end

    test "are refused when they are named", %{harness: harness, peer: peer, subject: subject} do
      run = start_run(harness, scenario(subject, {:suspend, 60_000}))
      await_suspended(peer, subject)
      ours = Peer.call(peer, Trees, :of_harness, [])
      assert [:agent, :holder, :keeper] -- Keyword.keys(ours) == []

      for {role, pid} <- ours do
        crash = [%{action: {:inject_crash, :immediate, [reason: :kill]}, target: pid}]
        assert {:error, {:chaos_failed, {:not_injected, [missed]}}} = Harness.run(harness, scenario(subject, crash))
        assert {role, missed.outcome} == {role, {:error, :own_process}}
      end

      assert suspended?(peer, subject)
      assert [%{undone: true}] = Harness.call(harness, :heal_all)
      assert {:ok, _} = Task.await(run, 30_000)
    end

    test "that somebody kills have undone what they held", %{harness: harness, peer: peer, subject: subject} do
      early = {:healed_early, {peer.node, {:holder_lost, :killed}}}

      for {role, outcome} <- [agent: {:agent_lost, :killed}, keeper: :killed, holder: early] do
        run = start_run(harness, scenario(subject, {:suspend, 60_000}))
        await_suspended(peer, subject)
        pid = Keyword.fetch!(Peer.call(peer, Trees, :of_harness, []), role)
        Peer.call(peer, :erlang, :exit, [pid, :kill])
        Wait.until("the end of the suspension", fn -> not suspended?(peer, subject) end, 2_000)
        assert {:error, {:chaos_failed, _}} = Task.await(run, 30_000)
        report = Harness.last_partial(harness)
        expected = if role == :holder, do: outcome, else: {:error, outcome}
        assert [%{outcome: ^expected}] = report.injections
        assert report.healed == true or match?([%{reason: ^outcome}], report.healed)
        assert report.healed == true == (role == :holder)
      end
    end
  end

  test "leave no atoms on the node", %{harness: harness, peer: peer, subject: subject} do
    run = fn ->
      assert {:ok, _} = Harness.run(harness, scenario(subject, [{:garbage_collect, []}, {:suspend, 1}]))
    end

    for _ <- 1..3, do: run.()
    before = Peer.call(peer, :erlang, :system_info, [:atom_count])
    for _ <- 1..10, do: run.()
    assert Peer.call(peer, :erlang, :system_info, [:atom_count]) < before + 5
  end

  describe "a name that is known elsewhere" do
    test "has node-level faults done where it lives", %{harness: harness, peer: peer, subject: subject} do
      name = String.to_atom(Peer.unique("elsewhere"))
      :yes = :global.register_name(name, subject)
      there = peer.node
      test = self()
      action = {:apply, :erlang, :send, [test, :done]}

      for target <- [{:global, name}, {:via, :global, name}] do
        assert {:ok, report} =
                 Harness.run(harness, scenario(target, {:exhaust, :ets_tables, [duration_ms: 5]}))

        assert [%{target: [^there], outcome: :ok}] = report.injections
        chaos = [%{action: {:apply, :erlang, :node, []}, target: target}]
        assert {:ok, report} = Harness.run(harness, scenario(subject, chaos))
        assert [%{target: [^there], outcome: {:ok, ^there}}] = report.injections
        assert {:ok, plan} = Harness.run(harness, scenario(target, action, dry_run: true))
        assert [%{target: [^there]}] = plan.chaos
      end

      # And is refused where it lives.
      harness =
        Harness.start(
          config: %{"access" => %{"targets" => %{"deny" => ["peer_*"]}, "chaos" => %{"allow" => ["*"]}}}
        )

      refused = Harness.run(harness, scenario({:global, name}, action))
      assert {:error, {:not_allowed, %{rule: "access.targets.deny", target: ^there}}} = refused
      refute_received :done
      nobody = {:global, :nobody_at_all}
      assert {:error, {:chaos_failed, reason}} = Harness.run(harness, scenario(nobody, {:burn_cpu, []}))
      assert {:not_injected, [%{action: {:burn_cpu, []}, target: ^nobody, outcome: :noproc}]} = reason
    end
  end

  test "children on other nodes are judged by what they are there", %{peer: peer, subject: subject} do
    other = Peer.start(arguments: ["-hidden"])
    :pong = Peer.call(peer, :net_adm, :ping, [other.node])
    [open, closed] = for prefix <- ["open", "closed"], do: String.to_atom(Peer.unique(prefix))
    [far, forbidden] = for name <- [open, closed], do: Peer.start_named(other, Subject, name)
    system = Peer.call(other, :erlang, :whereis, [:kernel_refc])
    harness = Harness.start(config: %{"access" => %{"names" => %{"deny" => ["closed_*"]}}})

    for {child, rule} <- [{forbidden, "access.names.deny"}, {system, "access.applications.deny"}, {far, nil}] do
      supervisor = Peer.call(peer, Trees, :start, [:one_for_one, [String.to_atom(Peer.unique("near"))]])
      spec = {:far, {Trees, :start_given, [child]}, :temporary, 1_000, :worker, []}
      {:ok, ^child} = Peer.call(peer, :supervisor, :start_child, [supervisor, spec])

      for chaos <- [
            %{action: {:suspend, 5}, target: {:children, supervisor}},
            %{action: {:suspend, 5}, target: {:child, supervisor}},
            %{action: {:kill_children, [duration_ms: 1, kill_rate: 1]}, target: supervisor}
          ] do
        result = Harness.run(harness, scenario(subject, [chaos]))

        if rule do
          assert {:error, {:not_allowed, %{rule: ^rule, target: ^child}}} = result
        else
          assert {:ok, %{injections: [%{outcome: :ok, target: hit}]}} = result
          if chaos.target == {:children, supervisor}, do: assert(child in hit and length(hit) == 2)
        end
      end

      assert Peer.call(other, :erlang, :is_process_alive, [child]) == (rule != nil)
      Peer.call(peer, :erlang, :exit, [supervisor, :kill])
    end
  end

  describe "a node that cannot be reached" do
    test "was not halted", %{harness: harness, subject: subject} do
      foreign = Peer.start(cookie: "another")

      for node <- [:"nowhere@127.0.0.1", foreign.node] do
        assert {:error, {:chaos_failed, reason}} = Harness.run(harness, scenario(subject, {:halt_node, node}))
        assert {:not_injected, [%{target: ^node, outcome: {:error, {:nodedown, ^node}}}]} = reason
        dry = scenario(subject, {:halt_node, node}, dry_run: true)
        assert {:ok, %{chaos: [%{target: [^node], problem: :nodedown}]}} = Harness.run(harness, dry)
      end

      assert Peer.call(foreign, :erlang, :node, []) == foreign.node
    end

    test "is kept apart from nobody, and has nothing to heal", %{
      harness: harness,
      peer: peer,
      subject: subject
    } do
      nowhere = :"nowhere@127.0.0.1"
      before = Peer.call(peer, :erlang, :get_cookie, [nowhere])
      scenario = scenario(subject, {:disconnect, [peer.node, nowhere], 300})
      assert {:error, {:chaos_failed, {:not_injected, [missed]}}} = Harness.run(harness, scenario)
      assert %{target: [_, ^nowhere], outcome: {:error, {:nodedown, ^nowhere}}} = missed
      assert Harness.last_partial(harness).healed == true
      assert Peer.call(peer, :erlang, :get_cookie, [nowhere]) == before
    end
  end
end
