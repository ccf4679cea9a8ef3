defmodule ChaosSupervisorsTest do
  @moduledoc """
  Supervisors that are not of OTP: forks of `supervisor`, and processes that their own supervisor has as such. Nobody is
  asked for children who could die of that.
  """
  use ClusterCase, shared: true

  setup_all %{peer: peer} do
    modules = [Trees, Trees.Supervisor, Trees.Worker, Trees.Fork, Trees.Connections, Trees.Application, Subject]
    for module <- modules, do: Peer.load(peer, module)
    :ok
  end

  defp unique, do: String.to_atom(Peer.unique("child"))

  defp scenario(target, chaos, options \\ []),
    do: Map.merge(%{target: target, threads: [[]], chaos: chaos, timeout_ms: 20_000}, Map.new(options))

  defp others(peer) do
    [one, two] = names = [unique(), unique()]
    {supervisor, fork, connections} = Peer.call(peer, Trees, :start_others, [[one], [two]])
    %{supervisor: supervisor, fork: fork, connections: connections, names: names}
  end

  test "children of each are found, killed and started again", %{harness: harness, peer: peer} do
    others = others(peer)
    alone = unique()
    fork = Peer.call(peer, Trees, :start_fork, [[alone]])
    [one, two] = others.names

    for {supervisor, name} <- [{others.fork, one}, {others.connections, two}, {fork, alone}] do
      pid = Peer.call(peer, :erlang, :whereis, [name])
      suspend = [%{action: {:suspend, 5}, target: {:children, supervisor}}]
      assert {:ok, report} = Harness.run(harness, scenario(supervisor, suspend))
      assert [%{target: [^pid], outcome: :ok}] = report.injections
      kill = {:kill_children, [kill_rate: 1, duration_ms: 5, kill_interval_ms: 10]}
      assert {:ok, report} = Harness.run(harness, scenario(supervisor, kill))
      assert [%{target: [^pid], outcome: :ok}] = report.injections
      assert %{killed: 1, restarted: 1, supervisor_crashed: false} = report.chaos.result
      assert Peer.call(peer, :erlang, :is_process_alive, [supervisor])
    end
  end

  test "nobody dies of being asked", %{harness: harness, peer: peer} do
    others = others(peer)
    {:ok, loop} = Peer.call(peer, Trees.Connections, :start_link, [[]])

    innocent = [
      Peer.start_server(peer, Subject),
      Peer.call(peer, :erlang, :whereis, [hd(others.names)]),
      Peer.call(peer, :erlang, :whereis, [:user]),
      # It would answer, which nobody can know who is not its supervisor.
      loop
    ]

    for process <- innocent, chaos <- [{:suspend, 5}, {:kill_children, []}] do
      target = if elem(chaos, 0) == :suspend, do: {:children, process}, else: process
      result = Harness.run(harness, scenario(process, [%{action: chaos, target: target}]))
      assert {:error, {:chaos_failed, {:not_injected, [missed]}}} = result
      assert %{outcome: {:error, :not_a_supervisor}} = missed
      assert Peer.call(peer, :erlang, :is_process_alive, [process])
    end
  end

  test "whose fall would end the node are warned of in a dry run", %{harness: harness, peer: peer} do
    victim = Peer.start()
    for module <- [Trees, Trees.Supervisor, Trees.Worker, Trees.Application], do: Peer.load(victim, module)
    {permanent, _} = Peer.call(victim, Trees, :start_application, [:vital, :permanent])
    {temporary, _} = Peer.call(peer, Trees, :start_application, [:not_vital])
    names = [unique()]
    supervisor = Peer.call(victim, Trees, :start, [:one_for_one, names])

    for {target, warning} <- [{permanent, {:ends_node, :vital}}, {temporary, nil}, {supervisor, nil}] do
      scenario = scenario(target, {:kill_children, []}, dry_run: true)
      assert {:ok, %{chaos: [plan]}} = Harness.run(harness, scenario)
      assert %{problem: nil, warning: ^warning} = plan
    end

    Peer.call(peer, :application, :stop, [:not_vital])
  end
end
