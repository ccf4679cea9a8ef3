defmodule RecoveryMembersTest do
  @moduledoc "Recovery of targets that give several processes, told of each by its name or of all together."
  use ClusterCase, shared: true

  # A server that is started again after a while.
  defmodule Slow do
    use GenServer

    def start_link({name, delay_ms}) do
      GenServer.start_link(__MODULE__, delay_ms, if(name, do: [name: name], else: []))
    end

    @impl true
    def init(delay_ms) do
      if :persistent_term.get(__MODULE__, nil), do: Process.sleep(delay_ms)
      {:ok, nil}
    end

    @impl true
    def handle_call(_, _, state), do: {:reply, :ok, state}
  end

  setup do
    :persistent_term.erase(Slow)
    on_exit(fn -> :persistent_term.erase(Slow) end)
  end

  # From now on what is started takes its time.
  defp be_slow, do: :persistent_term.put(Slow, true)

  defp start_supervisor(children, options \\ []) do
    options = Keyword.merge([strategy: :one_for_one, max_restarts: 1_000, max_seconds: 1], options)
    start_supervised!(%{id: make_ref(), type: :supervisor, start: {Supervisor, :start_link, [children, options]}})
  end

  defp child(id, name \\ nil, delay_ms \\ 300), do: %{id: id, start: {Slow, :start_link, [{name, delay_ms}]}}

  defp pid_of(supervisor, id), do: for({^id, pid, _, _} <- Supervisor.which_children(supervisor), do: pid) |> hd()

  defp scenario(target, duration_ms, chaos, options \\ []) do
    Map.merge(
      %{
        target: target,
        load: %{rate: 300, duration_ms: duration_ms},
        operations: [:work],
        chaos: chaos,
        events: :none,
        call_timeout_ms: 500,
        hooks_node: node()
      },
      Map.new(options)
    )
  end

  defp crash(target, after_ms \\ 500), do: %{action: {:inject_crash, :immediate}, target: target, after_ms: after_ms}

  test "a child is told by its id, or by its name", %{harness: harness} do
    supervisor = start_supervisor([child(:a), child(:b, :recovery_b), child(:c)], name: :recovery_supervisor)
    be_slow()
    chaos = for id <- [:a, :b], do: crash(pid_of(supervisor, id), if(id == :a, do: 500, else: 1_500))
    options = [performance_expectations: [max_recovery_ms: 5_000]]
    assert {:ok, report} = Harness.run(harness, scenario({:children, :recovery_supervisor}, 3_000, chaos, options))
    assert [first, second] = report.injections

    for {injection, name} <- [{first, {:recovery_supervisor, :a}}, {second, :recovery_b}] do
      assert [entry | others] = Enum.sort_by(injection.recovery, &(&1.target != name))
      assert entry.target == name
      assert entry.recovery_ms in 300..700
      assert injection.recovery_ms == entry.recovery_ms
      assert Enum.all?(others, &(&1.recovery_ms == 0))
    end
  end

  test "one without a registered name above it is told by its supervisor", %{harness: harness} do
    supervisor = start_supervisor([child(:only, nil, 0)])
    assert {:ok, report} = Harness.run(harness, scenario({:children, supervisor}, 1_500, [crash(pid_of(supervisor, :only))]))
    assert [%{recovery: [%{target: {above, :only}, recovery_ms: recovery_ms} | _]}] = report.injections
    assert above == supervisor or is_atom(above)
    assert recovery_ms in 0..300
  end

  test "who does not come back has not recovered, though nothing was sent to it", %{harness: harness} do
    children = [child(:stays), Map.put(child(:goes), :restart, :temporary)]
    supervisor = start_supervisor(children, name: :recovery_temporary)
    chaos = [crash(pid_of(supervisor, :goes))]
    options = [performance_expectations: [max_recovery_ms: 60_000]]
    scenario = scenario({:children, :recovery_temporary}, 1_500, chaos, options)
    assert {:error, {:performance_failed, %{expectations: [%{measured: nil, met: false}]}}} = Harness.run(harness, scenario)
    report = Harness.last_partial(harness)
    assert [%{recovery_ms: nil, recovery: recovery}] = report.injections
    assert %{recovery_ms: nil} = Enum.find(recovery, &(&1.target == {:recovery_temporary, :goes}))
  end

  describe "those that have neither" do
    setup do
      supervisor = start_supervised!({DynamicSupervisor, max_restarts: 1_000, max_seconds: 1})

      pids =
        for _ <- 1..4 do
          {:ok, pid} = DynamicSupervisor.start_child(supervisor, child(:same))
          pid
        end

      %{supervisor: supervisor, pids: pids, target: {:children, supervisor}}
    end

    test "have recovered when there are as many and the new ones have answered", context do
      be_slow()
      [first, second | _] = context.pids
      chaos = [crash({:find, fn -> [first, second] end})]
      assert {:ok, report} = Harness.run(context.harness, scenario(context.target, 3_000, chaos))
      assert [%{recovery: [entry]} = injection] = report.injections
      assert entry.target == context.target
      # The supervisor starts them one after the other.
      assert entry.recovery_ms in 600..1_000
      assert injection.recovery_ms == entry.recovery_ms
      assert length(DynamicSupervisor.which_children(context.supervisor)) == 4
    end

    test "have to answer again when they stood still", context do
      [first | _] = context.pids
      chaos = [%{action: {:suspend, 400}, target: {:find, fn -> [first] end}, after_ms: 500}]
      assert {:ok, report} = Harness.run(context.harness, scenario(context.target, 2_000, chaos))
      assert [%{recovery: [%{target: target, recovery_ms: recovery_ms}]}] = report.injections
      assert target == context.target
      assert recovery_ms in 390..600
    end

    test "are waited for by a load that goes on", context do
      be_slow()
      [first | _] = context.pids
      chaos = [crash(first, 950)]
      options = [recovery_wait_ms: 20_000, performance_expectations: [max_recovery_ms: 10_000]]
      assert {:ok, report} = Harness.run(context.harness, scenario(context.target, 1_000, chaos, options))
      assert [%{recovery: [%{recovery_ms: recovery_ms}]}] = report.injections
      assert recovery_ms in 300..800
      assert report.metrics.total_operations <= 300
    end
  end

  test "members of a group are told by name and node, on each of several nodes", %{harness: harness, peer: peer} do
    Peer.load(peer, Subject)
    :pg.start(:pg)
    {:ok, _} = Peer.call(peer, :pg, :start, [:pg])
    Node.connect(peer.node)
    there = Peer.start_named(peer, Subject, :recovery_member)
    {:ok, here} = GenServer.start(Subject, [], name: :recovery_member)
    :pg.join(:recovery_group, here)
    Peer.call(peer, :pg, :join, [:recovery_group, there])
    Wait.until("the group", fn -> length(:pg.get_members(:recovery_group)) == 2 end)
    chaos = [%{action: {:suspend, 300}, target: there, after_ms: 500}]
    scenario = scenario({:pg, :recovery_group}, 1_500, chaos, operations: [:get])
    assert {:ok, report} = Harness.run(harness, scenario)
    assert [%{recovery: [%{target: target, recovery_ms: recovery_ms}]}] = report.injections
    assert target == {:recovery_member, peer.node}
    assert recovery_ms in 290..500
    GenServer.stop(here)
  end
end
