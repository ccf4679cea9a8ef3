defmodule ChaosMissedTest do
  @moduledoc """
  A fault that was not injected fails its run, whatever kept it from being, and says which it was; a dry run says the
  same beforehand.
  """
  use ClusterCase, shared: true

  setup_all %{peer: peer} do
    for module <- [Trees, Trees.Supervisor, Trees.Worker, Trees.Application, TrappingSubject], do: Peer.load(peer, module)
    harness = Harness.start(config: %{"access" => %{"chaos" => %{"allow" => ["*"]}}})
    {:ok, harness: harness}
  end

  setup %{peer: peer} do
    {:ok, subject: Peer.start_server(peer, Subject)}
  end

  defp scenario(target, chaos, options \\ []),
    do: Map.merge(%{target: target, threads: [[{:echo, 1}]], chaos: chaos, timeout_ms: 20_000}, Map.new(options))

  defp missed(harness, scenario) do
    assert {:error, {:chaos_failed, {:not_injected, missed}}} = Harness.run(harness, scenario)
    %{run_id: id, outcome: :failed} = Enum.max_by(Harness.call(harness, :runs), & &1.run_id)
    assert %{outcome: :failed} = Harness.call(harness, :status, [id])
    assert Harness.call(harness, :show, [id]) =~ ~r/\ARun #{id}: failed.*not_injected/s
    missed
  end

  defp problems_of(harness, scenario) do
    assert {:ok, %{chaos: plans}} = Harness.run(harness, Map.put(scenario, :dry_run, true))
    %{outcome: outcome} = Enum.max_by(Harness.call(harness, :runs), & &1.run_id)
    problems = for %{problem: problem} <- plans, do: problem
    assert outcome == if(Enum.all?(problems, &is_nil/1), do: :completed, else: :not_run)
    problems
  end

  # As `missed`, and what the dry run of it says.
  defp ways(peer, subject) do
    empty = Peer.call(peer, Trees, :start, [:one_for_one, []])
    nobody = {:nobody_there, peer.node}
    nowhere = :"nowhere@127.0.0.1"
    suspend = &%{action: {:suspend, 5}, target: &1}

    [
      {suspend.(nobody), :noproc, :noproc},
      {suspend.({:application, :no_such_application, peer.node}), :noproc, :noproc},
      {suspend.({:module, NoSuchModule, peer.node}), :noproc, :noproc},
      {suspend.({:children, empty}), :noproc, :noproc},
      {suspend.({:child, empty}), :noproc, :noproc},
      {suspend.({:child, subject}), {:error, :not_a_supervisor}, :not_a_supervisor},
      {suspend.({:children, nobody}), :noproc, :noproc},
      {suspend.({:nobody, nowhere}), {:error, :nodedown}, :nodedown},
      {%{action: {:kill_children, []}, target: subject}, {:error, :not_a_supervisor}, :not_a_supervisor},
      {%{action: {:kill_children, []}, target: nobody}, :noproc, :noproc},
      {%{action: {:kill_children, [duration_ms: 30, kill_interval_ms: 10]}, target: empty}, :noproc, :noproc},
      {%{action: {:inject_crash, :immediate}, target: nobody}, :noproc, :noproc},
      {%{action: {:apply, :lists, :no_such_function, []}}, {:error, {:error, :undef}}, {:error, :undef}},
      {{:halt_node, nowhere}, {:error, {:nodedown, nowhere}}, :nodedown},
      {{:disconnect, [peer.node, nowhere], 10}, {:error, {:nodedown, nowhere}}, :nodedown}
    ]
  end

  test "each way, and what a dry run says of it", %{harness: harness, peer: peer, subject: subject} do
    for {action, outcome, problem} <- ways(peer, subject) do
      scenario = scenario(subject, [action])
      term = Map.get(if(is_map(action), do: action, else: %{}), :action, action)
      assert [%{action: ^term, target: target, outcome: ^outcome}] = missed(harness, scenario)
      if is_map(action), do: assert(target == Map.get(action, :target, subject))
      assert problems_of(harness, scenario) == [problem], inspect(action)
    end
  end

  test "who survives a crash", %{harness: harness, peer: peer} do
    trapping = Peer.start_server(peer, TrappingSubject)
    crash = {:inject_crash, :immediate}
    assert [%{outcome: :survived}] = missed(harness, scenario(trapping, [crash], threads: [[]]))
    # As the library has it.
    assert {:ok, %{injections: [%{outcome: :survived}]}} = Harness.run(harness, scenario(trapping, crash, threads: [[]]))
  end

  test "is not what need not be there", %{harness: harness, peer: peer, subject: subject} do
    allow = &Map.put(%{action: {:suspend, 5}, target: &1}, :allow_missing, true)
    nobody = {:nobody_there, peer.node}
    actions = [allow.(nobody), allow.({:application, :nope, peer.node}), allow.({:children, nobody})]
    assert {:ok, %{injections: injections}} = Harness.run(harness, scenario(subject, actions))
    assert Enum.map(injections, & &1.outcome) == [:noproc, :noproc, :noproc]
    assert problems_of(harness, scenario(subject, actions)) == [nil, nil, nil]
    # It is about nobody there, and not about all that can be wrong.
    assert [%{outcome: {:error, :not_a_supervisor}}] = missed(harness, scenario(subject, [allow.({:child, subject})]))

  end

  test "is not what chance or the end of the run has kept", %{harness: harness, subject: subject} do
    chaos = [{:inject_crash, {:random, 0.0}}, %{action: {:suspend, 5}, every_ms: 60_000, after_ms: 50_000}]
    assert {:ok, %{injections: [%{outcome: :not_drawn}]}} = Harness.run(harness, scenario(subject, chaos))
  end

  test "is hidden by a missed expectation", %{harness: harness, subject: subject} do
    chaos = [%{action: {:suspend, 5}, target: {:nobody, :"nowhere@127.0.0.1"}}]
    scenario = scenario(subject, chaos, performance_expectations: [max_p99_us: 0])
    assert {:error, {:performance_failed, _}} = Harness.run(harness, scenario)
  end

  test "the library's own terms keep its results", %{harness: harness, peer: peer} do
    nobody = {:nobody_there, peer.node}
    scenario = %{target: nobody, threads: [[]], chaos: {:inject_crash, :immediate}}
    assert {:ok, %{chaos: %{result: :noproc}, injections: [%{outcome: :noproc}]}} = Harness.run(harness, scenario)
  end

  describe "a process is named for people" do
    test "by what it is registered as, or by its ancestor and its id there", %{harness: harness, peer: peer} do
      name = String.to_atom(Peer.unique("named"))
      named = Peer.start_named(peer, Subject, name)
      # Its children have no names; the one of the application's supervisor has.
      {supervisor, [first, second]} = Peer.call(peer, Trees, :start_application, [:naming])
      nameless = Peer.start_server(peer, Subject)
      ids = Map.new(Peer.call(peer, Trees, :children, [supervisor]), fn {id, pid} -> {pid, id} end)

      for {pid, target, called} <- [
            {named, named, name},
            {first, first, {:trees_application, ids[first]}},
            {second, second, {:trees_application, ids[second]}},
            {supervisor, :trees_application, :trees_application}
          ] do
        target = if is_atom(target), do: {target, peer.node}, else: target
        assert {:ok, report} = Harness.run(harness, scenario(named, [%{action: {:suspend, 1}, target: target}]))
        assert [%{target: [^pid], names: names}] = report.injections
        assert names == %{pid => called}
        shown = Harness.call(harness, :show, [report.run_id])
        assert shown =~ if(is_atom(called), do: " #{called} [<", else: " {trees_application,#{elem(called, 1)}} [<")
        # Not a supervisor, which the error says of whom.
        action = %{action: {:suspend, 1}, target: {:children, pid}}
        if pid != supervisor, do: assert([%{names: ^names}] = missed(harness, scenario(named, [action])))
      end

      assert {:ok, report} = Harness.run(harness, scenario(nameless, [{:suspend, 1}]))
      assert [%{target: [^nameless], names: %{}}] = report.injections
      Peer.call(peer, :application, :stop, [:naming])
    end

    test "and by what was asked for, when it is refused", %{peer: peer} do
      config = %{"access" => %{"names" => %{"deny" => ["holy_*"]}}}
      harness = Harness.start(config: config)
      name = String.to_atom(Peer.unique("holy"))
      pid = Peer.start_named(peer, Subject, name)
      asked = {name, peer.node}
      assert {:error, {:not_allowed, what}} = Harness.run(harness, scenario(asked, [{:suspend, 1}]))
      assert %{target: ^pid, name: ^name, asked: ^asked, message: message} = what
      assert message =~ "suspend of {#{name},"
    end
  end
end
