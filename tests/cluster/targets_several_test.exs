defmodule TargetsSeveralTest do
  @moduledoc "Targets that have no name: children of supervisors, members of groups, and what a hook finds."
  use ClusterCase, shared: true

  setup_all %{peer: peer} do
    Peer.load(peer, Subject)
    {:ok, _} = Peer.call(peer, :pg, :start, [:pg])
    {:ok, _} = Peer.call(peer, :pg, :start, [:other_scope])
    :pg.start(:pg)
    Node.connect(peer.node)
    :ok
  end

  # A supervisor with workers under ids of their own.
  defp start_supervisor(count, options \\ []) do
    children = for id <- 1..count//1, do: %{id: id, start: {GenServer, :start_link, [Subject, id]}}
    options = Keyword.merge([strategy: :one_for_one, max_restarts: 1_000, max_seconds: 1], options)
    start_supervised!(%{id: make_ref(), type: :supervisor, start: {Supervisor, :start_link, [children, options]}})
  end

  defp children(supervisor), do: for({_, pid, _, _} <- Supervisor.which_children(supervisor), do: pid)

  # Who has answered, by how many operations.
  defp served(report) do
    report.events |> Enum.map(& &1.result) |> Enum.filter(&match?({:ok, _}, &1)) |> Enum.frequencies()
  end

  defp who, do: fn pid -> GenServer.call(pid, :get) && pid end

  defp load(target, options \\ %{}) do
    Map.merge(
      %{target: target, load: %{threads: 4, iterations: 30}, operations: [who()], events: :all, hooks_node: node()},
      Map.new(options)
    )
  end

  defp assert_served(harness, target, pids, options \\ %{}) do
    assert {:ok, report} = Harness.run(harness, load(target, options))
    assert report.metrics.operation_errors == 0
    assert Enum.sort(for({{:ok, pid}, _} <- served(report), do: pid)) == Enum.sort(pids)
    report
  end

  describe "a load goes to" do
    test "the children of a supervisor, however it is named", %{harness: harness} do
      supervisor = start_supervisor(3, name: :several_supervisor)
      :yes = :global.register_name(:several_global, supervisor)
      on_exit(fn -> :global.unregister_name(:several_global) end)

      for named <- [supervisor, :several_supervisor, {:several_supervisor, node()}, {:global, :several_global}] do
        report = assert_served(harness, {:children, named}, children(supervisor))
        assert Enum.all?(Map.values(served(report)), &(&1 == 40))
      end
    end

    test "those of a dynamic supervisor, of a partition, and of one that is busy", %{harness: harness} do
      dynamic = start_supervised!(DynamicSupervisor)
      start = %{id: :x, start: {GenServer, :start_link, [Subject, []]}}
      pids = for _ <- 1..4, do: elem(DynamicSupervisor.start_child(dynamic, start), 1)
      assert_served(harness, {:children, dynamic}, pids)
      :sys.suspend(dynamic)
      assert_served(harness, {:children, dynamic}, pids)
      :sys.resume(dynamic)
    end

    test "what a server that is no supervisor has started, which is not called", %{harness: harness} do
      test = self()

      parent =
        spawn(fn ->
          pids = for _ <- 1..2, do: elem(GenServer.start_link(Subject, []), 1)
          send(test, {:pids, pids})

          receive do
            message -> send(test, {:called, message})
          end
        end)

      assert_receive {:pids, pids}
      assert_served(harness, {:children, parent}, pids)
      refute_received {:called, _}
      Process.exit(parent, :kill)
    end

    test "the members of a group, on all nodes, and of another scope", %{harness: harness, peer: peer} do
      mine = for _ <- 1..2, do: elem(GenServer.start(Subject, []), 1)
      theirs = for _ <- 1..2, do: Peer.start_server(peer, Subject)
      :pg.join(:a_group, mine)
      for pid <- theirs, do: Peer.call(peer, :pg, :join, [:a_group, pid])
      Wait.until("the group", fn -> length(:pg.get_members(:a_group)) == 4 end)
      assert_served(harness, {:pg, :a_group}, mine ++ theirs)
      assert_served(harness, {:pg, :pg, :a_group}, mine ++ theirs)
      [other, _] = theirs
      Peer.call(peer, :pg, :join, [:other_scope, {:named, 1}, other])
      # Where the group is known: on the caller's node.
      scenario = load({:pg, :other_scope, {:named, 1}}, operations: [:get], hooks_node: nil)
      arguments = [harness.node, :harness, :run, [scenario]]
      assert {:ok, %{metrics: %{operation_errors: 0}}} = Peer.call(peer, :erpc, :call, arguments)
      for pid <- mine, do: GenServer.stop(pid)
    end

    test "what a hook finds, one or a list, pids or names", %{harness: harness, peer: peer} do
      {:ok, one} = GenServer.start(Subject, [])
      there = Peer.start_named(peer, Subject, :found_there)
      {:ok, named} = GenServer.start(Subject, [], name: :found_here)
      node = peer.node
      assert_served(harness, {:find, fn -> one end}, [one])
      assert_served(harness, {:find, fn -> [one, :found_here, {:found_there, node}, :not_there] end}, [one, there, named])
      assert_served(harness, {:find, {Process, :whereis, [:found_here]}}, [named])
      for pid <- [one, named], do: assert(Process.alive?(pid)) && GenServer.stop(pid)
    end

    test "several of these in a list, spread as it says", %{harness: harness} do
      supervisor = start_supervisor(2)
      {:ok, single} = GenServer.start(Subject, [])
      target = [{:children, supervisor}, single, {:find, fn -> [] end}]
      scenario = load(target, operations: [who()])
      assert {:ok, report} = Harness.run(harness, scenario)
      counts = served(report)
      assert Enum.sort(Map.keys(counts)) == Enum.sort(for pid <- [single | children(supervisor)], do: {:ok, pid})
      # What gives none fails its part.
      assert report.metrics.operation_errors == 30

      keyed = load({:children, supervisor}, operations: [{:echo, {:"$int", 1, 20}}], spread: {:key, 2})
      assert {:ok, %{metrics: %{operation_errors: 0}}} = Harness.run(harness, keyed)
      random = load({:children, supervisor}, spread: :random)
      assert {:ok, report} = Harness.run(harness, random)
      assert map_size(served(report)) == 2
    end
  end

  describe "the load follows" do
    test "a child that has crashed and was started again", %{harness: harness} do
      supervisor = start_supervisor(3)
      before = children(supervisor)

      run =
        start_run(harness, load({:children, supervisor}, load: %{rate: 300, duration_ms: 1_500}, operations: [who()]))

      Process.sleep(500)
      killed = Enum.at(before, 1)
      Process.exit(killed, :kill)
      assert {:ok, report} = Task.await(run, 60_000)
      now = children(supervisor)
      [new] = now -- before
      served = served(report)
      for pid <- now, do: assert(served[{:ok, pid}] > 50)
      # A member that is gone is left within milliseconds.
      assert report.metrics.operation_errors <= 5
      first = report.events |> Enum.filter(&(&1.result == {:ok, new})) |> Enum.map(& &1.timestamp_ms) |> Enum.min()
      last = report.events |> Enum.filter(&(&1.result == {:ok, killed})) |> Enum.map(& &1.timestamp_ms) |> Enum.max()
      assert first - last < 200
    end

    test "a group that grows and shrinks", %{harness: harness} do
      pids = for _ <- 1..3, do: elem(GenServer.start(Subject, []), 1)
      [first, second, third] = pids
      :pg.join(:breathing, [first, second])
      run = start_run(harness, load({:pg, :breathing}, load: %{rate: 200, duration_ms: 4_000}, operations: [who()]))
      Process.sleep(500)
      :pg.join(:breathing, third)
      :pg.leave(:breathing, first)
      assert {:ok, report} = Task.await(run, 60_000)
      assert report.metrics.operation_errors == 0
      assert Enum.all?(pids, &is_map_key(served(report), {:ok, &1}))
      late = for event <- report.events, event.timestamp_ms > 2_500, uniq: true, do: event.result
      assert Enum.sort(late) == Enum.sort(ok: second, ok: third)
      for pid <- pids, do: GenServer.stop(pid)
    end

    test "a whole tree that is started again under its name, and all fail meanwhile", %{harness: harness} do
      start = fn ->
        children = for id <- 1..2, do: %{id: id, start: {GenServer, :start_link, [Subject, id]}}
        {:ok, supervisor} = Supervisor.start_link(children, strategy: :one_for_one, name: :a_tree)
        Process.unlink(supervisor)
        supervisor
      end

      supervisor = start.()
      run = start_run(harness, load({:children, :a_tree}, load: %{rate: 100, duration_ms: 3_000}, operations: [:get]))
      Process.sleep(500)
      Supervisor.stop(supervisor)
      Process.sleep(300)
      supervisor = start.()
      assert {:ok, report} = Task.await(run, 60_000)
      errors = for event <- report.events, match?({:error, _}, event.result), do: event.timestamp_ms
      assert length(errors) in 15..60
      assert Enum.max(errors) < 1_200
      assert {:ok, _} = Enum.max_by(report.events, & &1.timestamp_ms).result
      Supervisor.stop(supervisor)
    end

    test "a node that is lost and comes again", %{harness: harness} do
      peer = Peer.start()
      Peer.load(peer, Subject)
      supervisor = {:on_lost_supervisor, peer.node}
      start_tree(peer)
      scenario = load({:children, supervisor}, load: %{rate: 100, duration_ms: 6_000}, operations: [:get])
      run = start_run(harness, scenario)
      Process.sleep(800)
      Peer.kill(peer)
      peer = Peer.restart(peer)
      Peer.load(peer, Subject)
      start_tree(peer)
      assert {:ok, report} = Task.await(run, 60_000)
      assert {:ok, _} = Enum.max_by(report.events, & &1.timestamp_ms).result
      assert report.metrics.operation_errors > 0
    end

    defp start_tree(peer) do
      {:ok, tokens, _} =
        :erl_scan.string(
          ~c"spawn(fun() -> Self = self(), put('$initial_call', {supervisor, x, 1}), register(on_lost_supervisor, Self),
             {ok, _} = gen_server:start_link('Elixir.Subject', [], []), receive stop -> ok end end)."
        )

      {:ok, forms} = :erl_parse.parse_exprs(tokens)
      Peer.call(peer, :erl_eval, :exprs, [forms, []])
    end
  end

  describe "nobody there" do
    test "fails every operation, and is told in the log", %{harness: harness} do
      for target <- [
            {:children, :no_such_supervisor},
            {:pg, :no_such_group},
            {:pg, :no_such_scope, :x},
            {:find, fn -> [] end},
            {:find, fn -> raise "cannot find" end},
            {:find, fn -> {:error, :not_found_here} end},
            {:find, fn -> :no_such_name end}
          ] do
        scenario = load(target, load: nil, threads: [[:get, fn _ -> raise "applied to nobody" end]], operations: nil)
        assert {:ok, report} = Harness.run(harness, scenario)
        assert [[{:error, :noproc}, {:error, :noproc}]] = results(report)
      end

      Harness.wait_for_log(harness, ~r/targets cannot be found .*cannot find/)
      Harness.wait_for_log(harness, ~r/targets cannot be found .*reason={error,not_found_here}/)
    end

    test "of a hook that takes too long", %{harness: harness} do
      hook = fn -> Process.sleep(:infinity) end
      scenario = %{target: {:find, hook}, threads: [[:get]], hook_timeout_ms: 200}
      assert {:ok, report} = Harness.run(harness, scenario)
      assert result(report) == {:error, :noproc}
    end
  end

  test "nothing that was found is stopped, and no finder stays", %{harness: harness} do
    supervisor = start_supervisor(2)
    before = children(supervisor)
    known = Process.list()
    assert {:ok, _} = Harness.run(harness, load({:children, supervisor}))
    assert children(supervisor) == before
    Wait.until("the end of what has looked", fn -> Process.list() -- known == [] end)
  end

  test "faults are done to whom they give", %{harness: harness} do
    supervisor = start_supervisor(3)
    before = children(supervisor)
    {:ok, single} = GenServer.start(Subject, [])

    for {target, action} <- [
          {{:children, supervisor}, {:garbage_collect, []}},
          {{:find, fn -> before end}, {:suspend, 50}},
          {single, %{action: {:garbage_collect, []}, target: {:find, fn -> [single] end}}},
          {single, %{action: {:garbage_collect, []}, target: {:pg, :no_members}}}
        ] do
      scenario = load(target, chaos: [action], load: %{threads: 1, duration_ms: 300}, timeout_ms: 5_000)
      result = Harness.run(harness, scenario)

      if match?(%{target: {:pg, _}}, action),
        do: assert(match?({:ok, %{injections: [%{target: []}]}}, result) or match?({:error, _}, result)),
        else: assert({:ok, %{injections: [%{outcome: :ok, target: [_ | _]}]}} = result)
    end

    nobody = {:find, fn -> {:error, :not_found} end}
    scenario = load(single, chaos: [%{action: {:suspend, 10}, target: nobody}], load: %{threads: 1, iterations: 1})
    assert {:error, {:chaos_failed, {:not_injected, [%{outcome: :noproc}]}}} = Harness.run(harness, scenario)

    dry = load({:children, supervisor}, chaos: [{:suspend, 10}], dry_run: true)
    assert {:ok, told} = Harness.run(harness, dry)
    assert inspect(told) =~ inspect(hd(before)) |> String.slice(4..8)
    assert children(supervisor) == before
    GenServer.stop(single)
  end

  describe "the mailboxes of members" do
    # A member that takes nothing out of its mailbox, in which so many messages are.
    defp flooded(start, count) do
      {:ok, pid} = start.()
      :sys.suspend(pid)
      for number <- 1..count//1, do: send(pid, number)
      pid
    end

    defp member, do: GenServer.start(Subject, [])

    test "are told as that of their target, the longest of them", %{harness: harness} do
      flooded = flooded(&member/0, 7)
      {:ok, other} = member()
      {:ok, single} = member()
      find = {:find, fn -> [other, flooded] end}
      scenario = load(find, operations: nil, load: nil, threads: [[{:"$sleep", 50}]], mailbox: [])
      assert {:ok, %{mailbox: sizes, metrics: %{mailbox_observed?: true}}} = Harness.run(harness, scenario)
      assert sizes == %{initial_size: 7, final_size: 7, max_size: 7, avg_size: 7.0}
      # A list gives one each.
      listed = %{scenario | target: [single, find, {:pg, :no_such_group}]}
      assert {:ok, %{mailbox: [%{max_size: 0}, ^sizes, nil]}} = Harness.run(harness, listed)
      for pid <- [flooded, other, single], do: Process.exit(pid, :kill)
    end

    test "are told of those on all nodes, and of those that come later", %{harness: harness, peer: peer} do
      {:ok, here} = member()
      there = Peer.start_server(peer, Subject)
      Peer.call(peer, :sys, :suspend, [there])
      for number <- 1..3, do: send(there, number)
      :pg.join(:flooded_group, here)
      Peer.call(peer, :pg, :join, [:flooded_group, there])
      Wait.until("the group", fn -> length(:pg.get_members(:flooded_group)) == 2 end)
      scenario = load({:pg, :flooded_group}, operations: nil, load: nil, threads: [[{:"$sleep", 3_000}]], mailbox: [])
      run = start_run(harness, scenario)
      Wait.until("the load", fn -> Enum.any?(Harness.call(harness, :runs), &(&1.state == :load)) end)
      late = flooded(&member/0, 9)
      :pg.join(:flooded_group, late)
      assert {:ok, report} = Task.await(run, 60_000)
      assert %{initial_size: 3, final_size: 9, max_size: 9, avg_size: average} = report.mailbox
      assert average > 3 and average < 9
      assert report.timeline |> Enum.map(& &1.mailbox) |> Enum.reject(&is_nil/1) |> Enum.max() == 9
      for pid <- [here, late], do: Process.exit(pid, :kill)
    end

    test "count for max_mailbox, and in the timeline of each load", %{harness: harness} do
      supervisor = start_supervisor(2)
      scenario = load({:children, supervisor}, load: %{threads: 1, duration_ms: 500}, operations: [:get])
      limited = Map.put(scenario, :performance_expectations, max_mailbox: 100)
      assert {:ok, report} = Harness.run(harness, limited)
      assert [%{measured: measured, met: true}] = report.expectations
      assert measured in 0..100
      assert {:ok, report} = Harness.run(harness, scenario)
      assert report.mailbox == nil
      assert Enum.any?(report.timeline, &(&1.mailbox != nil))
      assert Enum.any?(report.timeline, &(&1.run_queue != nil and &1.memory_bytes > 0))
    end
  end

  test "in a file, on a node that has no Elixir, threads being set up", %{harness: _} do
    plain = Peer.start(elixir: false)
    Peer.load(plain, :plain_subject)
    {harness, folder} = Files.start()
    {:ok, _} = Peer.call(plain, :pg, :start, [:pg])
    pids = for _ <- 1..2, do: elem(Peer.call(plain, :gen_server, :start, [:plain_subject, [], []]), 1)
    for pid <- pids, do: Peer.call(plain, :pg, :join, [:plain_group, pid])
    find = %{"find" => Files.erlang(["fun() ->", "  pg:get_members(plain_group)", "end"])}

    for target <- [%{"pg" => Files.erlang("plain_group")}, find, [find, %{"scope" => "pg", "pg" => Files.erlang("plain_group")}]] do
      {:file, name} =
        Files.write(folder, %{
          "target" => target,
          "load" => %{"threads" => 2, "iterations" => 10},
          "thread_setup" => Files.erlang("fun(\#{thread := N}) -> {thread, N} end"),
          "thread_cleanup" => Files.erlang("fun({thread, _}) -> ok end"),
          "operations" => [
            %{
              "op" => %{"custom" => Files.erlang("fun(Pid, \#{state := {thread, N}, thread := N}) -> is_process_alive(Pid) end")},
              "name" => "alive",
              "expect" => true
            }
          ]
        })

      assert {:ok, report} = Harness.run(harness, {:file, name, %{node: plain.node}})
      assert %{alive: %{count: 20}} = report.latency.operations
      assert report.metrics.operation_errors == 0
      assert {0, _, _} = Once.run(Path.join(folder, name <> ".json"), plain.node)
    end
  end

  test "they are checked and read back as they are", %{harness: harness} do
    hook = fn -> [] end

    for target <- [{:pg, :g}, {:pg, :s, {:g, 1}}, {:find, hook}, {:children, {:s, node()}}, [{:pg, :g}, {:s, node()}]] do
      assert {:ok, normalised} = Harness.call(harness, :validate, [%{target: target, threads: [[:a]]}])
      assert normalised.target == target
    end

    assert {:ok, %{target: {:children, {:s, _}}}} =
             Harness.call(harness, :validate, [%{target: {:children, :s}, threads: [[:a]]}])

    for {target, path} <- [
          {{:find, fn _ -> 1 end}, [:target, :find]},
          {{:find, nil}, [:target, :find]},
          {{:children, 7}, [:target, :children]},
          {{:children, {:pg, :g}}, [:target, :children, :node]},
          {{:children, {:find, hook}}, [:target, :children]},
          {{:pg, 7, :g}, [:target]}
        ] do
      assert [%{path: ^path, problem: _} | _] = problems(harness, %{target: target, threads: [[:a]]})
    end
  end
end
