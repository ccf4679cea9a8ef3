defmodule VerdictsOfFaultsTest do
  @moduledoc """
  As `VerdictsTest`, of faults that were not injected, not undone, or not recovered from, of targets without a name,
  of threads and operations with a state, a name or an expectation.
  """
  use ClusterCase
  import Files, only: [erlang: 1, elixir: 1]

  @get %{"erlang" => "get"}
  @everything %{"access" => %{"chaos" => %{"allow" => ["*"]}}}
  @load %{"threads" => 2, "iterations" => 5}
  @second %{"rate" => 200, "duration_ms" => 500}

  setup_all do
    peer = Peer.start()
    for module <- [Trees, Trees.Supervisor, Trees.Worker, TrappingSubject], do: Peer.load(peer, module)
    config = Path.join(Support.temporary_folder(), "config.json")
    File.write!(config, Json.encode(@everything))
    {:ok, peer: peer, daemon: Verdicts.start(@everything), arguments: ["--config", config]}
  end

  setup %{daemon: daemon} do
    assert Harness.call(daemon.harness, :subscribe, [:all]) == :ok
    :ok
  end

  defp named(peer, module \\ Subject) do
    name = Peer.unique("verdict")
    Peer.start_named(peer, module, String.to_atom(name))
    name
  end

  # A supervisor with a name, without children, or with two.
  defp childless(peer), do: supervisor(peer, [])
  defp parent(peer), do: supervisor(peer, for(_ <- 1..2, do: String.to_atom(Peer.unique("child"))))

  defp supervisor(peer, children) do
    name = Peer.unique("supervisor")
    pid = Peer.call(peer, Trees, :start, [:one_for_one, children])
    true = Peer.call(peer, :erlang, :register, [String.to_atom(name), pid])
    name
  end

  defp at(peer, name), do: %{"name" => name, "node" => to_string(peer.node)}
  defp subject(peer, keys), do: Map.put_new_lazy(keys, "target", fn -> at(peer, named(peer)) end)

  # Scripts that go well, with a fault.
  defp fault(peer, action, target \\ nil, keys \\ %{}) do
    scheduled = if target, do: %{"action" => action, "target" => target}, else: %{"action" => action}
    subject(peer, Map.merge(%{"threads" => [[@get]], "chaos" => [scheduled]}, keys))
  end

  defp suspended(peer, target, keys \\ %{}),
    do: fault(peer, %{"kind" => "suspend", "duration_ms" => 5}, target, keys)

  # A load with a fault, and how soon all have to be well again.
  defp recovery(peer, action, keys \\ %{}) do
    subject(
      peer,
      Map.merge(
        %{
          "load" => @second,
          "operations" => [@get],
          "chaos" => [%{"action" => action, "after_ms" => 100}],
          "performance_expectations" => %{"max_recovery_ms" => 60_000}
        },
        keys
      )
    )
  end

  defp custom(text), do: %{"custom" => erlang(text)}
  defp stateful(peer, thread_setup, keys \\ %{}) do
    operation = custom("fun(_, \#{state := State}) -> State end")
    subject(peer, Map.merge(%{"load" => @load, "operations" => [operation], "thread_setup" => erlang(thread_setup)}, keys))
  end

  # `{what, outcome, fn -> scenario end}`.
  defp rows(peer) do
    crash = %{"kind" => "inject_crash", "spec" => "immediate"}
    nobody = at(peer, "nobody_of_that_name")
    of = fn target -> Map.put(%{"threads" => [[@get]]}, "target", target) end

    [
      # Faults that were not injected.
      {"a pause of nobody", :failed, fn -> suspended(peer, nobody) end},
      {"a pause of no application", :failed,
       fn -> suspended(peer, %{"application" => "no_such_application", "node" => to_string(peer.node)}) end},
      {"a pause of no module", :failed,
       fn -> suspended(peer, %{"module" => "no_such_module", "node" => to_string(peer.node)}) end},
      {"a pause of the children of a server", :failed,
       fn -> suspended(peer, %{"children" => at(peer, named(peer))}) end},
      {"a pause of a child of a server", :failed, fn -> suspended(peer, %{"child" => at(peer, named(peer))}) end},
      {"a pause of the children of nobody", :failed, fn -> suspended(peer, %{"children" => nobody}) end},
      {"a pause of a childless supervisor's children", :failed,
       fn -> suspended(peer, %{"children" => at(peer, childless(peer))}) end},
      {"a pause on a node that is not there", :failed,
       fn -> suspended(peer, %{"name" => "a", "node" => "nowhere@127.0.0.1"}) end},
      {"a pause of what is no supervisor, though nobody need be there", :failed,
       fn ->
         scenario = suspended(peer, %{"child" => at(peer, named(peer))})
         put_in(scenario, ["chaos", Access.at(0), "allow_missing"], true)
       end},
      {"a crash of nobody", :failed, fn -> fault(peer, crash, nobody) end},
      {"a crash that is survived", :failed,
       fn -> fault(peer, crash, nil, %{"threads" => [[]], "target" => at(peer, named(peer, TrappingSubject))}) end},
      {"kills of the children of a server", :failed,
       fn -> fault(peer, %{"kind" => "kill_children"}, at(peer, named(peer))) end},
      {"kills of no children", :failed,
       fn ->
         kill = %{"kind" => "kill_children", "duration_ms" => 30, "kill_interval_ms" => 10}
         fault(peer, kill, at(peer, childless(peer)))
       end},
      {"kills at a rate of none", :failed,
       fn -> fault(peer, %{"kind" => "kill_children", "kill_rate" => 0, "duration_ms" => 30}, at(peer, parent(peer))) end},
      {"kills in no time", :failed,
       fn -> fault(peer, %{"kind" => "kill_children", "duration_ms" => 0}, at(peer, parent(peer))) end},
      {"a dry run of kills in no time", :not_run,
       fn ->
         kill = %{"kind" => "kill_children", "duration_ms" => 0}
         fault(peer, kill, at(peer, parent(peer)), %{"dry_run" => true})
       end},
      {"a function that is none", :failed,
       fn ->
         apply = %{"kind" => "apply", "module" => "lists", "function" => "no_such_function", "arguments" => []}
         fault(peer, apply)
       end},
      {"the end of a node that is not there", :failed,
       fn -> fault(peer, %{"kind" => "halt_node", "node" => "nowhere@127.0.0.1"}) end},
      {"a cut between nodes that are not there", :failed,
       fn ->
         nodes = [to_string(peer.node), "nowhere@127.0.0.1"]
         fault(peer, %{"kind" => "disconnect", "nodes" => nodes, "duration_ms" => 10})
       end},
      {"the second of two faults", :failed,
       fn ->
         scenario = suspended(peer, nobody)
         update_in(scenario, ["chaos"], &[%{"kind" => "suspend", "duration_ms" => 1} | &1])
       end},
      {"a fault during a load", :failed,
       fn ->
         scenario = suspended(peer, nobody, %{"load" => @second, "operations" => [@get]})
         Map.delete(scenario, "threads")
       end},
      {"a fault of who must not be touched", :not_run, fn -> suspended(peer, at(peer, "init")) end},
      {"a chaos fun that exits", :failed,
       fn -> subject(peer, %{"threads" => [[@get]], "chaos" => erlang("fun(_, _) -> exit(bang) end")}) end},
      {"a chaos fun that throws", :failed,
       fn -> subject(peer, %{"threads" => [[@get]], "chaos" => erlang("fun(_, _) -> throw(ball) end")}) end},
      {"a chaos fun that kills itself", :failed,
       fn ->
         subject(peer, %{"threads" => [[@get]], "chaos" => erlang("fun(_, _) -> exit(self(), kill) end")})
       end},
      {"a holder that is killed", :failed,
       fn ->
         # Of the processes of the daemon one holds what the fault holds.
         kill =
           "fun(_, _) -> timer:sleep(200), [exit(P, kill) || P <- processes(), {dictionary, D} <- " <>
             "[process_info(P, dictionary)], lists:member(proplists:get_value('$harnessd', D), [holder, keeper, chaos])], ok end"

         hold = %{"kind" => "exhaust", "resource" => "ets_tables", "count" => 10, "duration_ms" => 60_000}

         fault(peer, hold, nil, %{
           "threads" => [[custom("fun(P) -> F = " <> kill <> ", F(P, P), ok end")]],
           "timeout_ms" => 5_000
         })
       end},

      # A dry run tells it beforehand.
      {"a dry run of a pause of no application", :not_run,
       fn ->
         target = %{"application" => "no_such_application", "node" => to_string(peer.node)}
         suspended(peer, target, %{"dry_run" => true})
       end},
      {"a dry run of kills of the children of a server", :not_run,
       fn -> fault(peer, %{"kind" => "kill_children"}, at(peer, named(peer)), %{"dry_run" => true}) end},
      {"a dry run of the end of a node that is not there", :not_run,
       fn -> fault(peer, %{"kind" => "halt_node", "node" => "nowhere@127.0.0.1"}, nil, %{"dry_run" => true}) end},

      # Nobody recovers.
      {"a crash of who is not started again", :missed, fn -> recovery(peer, crash) end},
      {"a crash that is waited for in vain", :missed, fn -> recovery(peer, crash, %{"recovery_wait_ms" => 300}) end},
      {"a pause that outlasts the load", :missed,
       fn ->
         keys = %{"call_timeout_ms" => 50, "timeout_ms" => 2_000}
         recovery(peer, %{"kind" => "suspend", "duration_ms" => 1_000}, keys)
       end},
      {"a pause that is longer than it may be", :missed,
       fn ->
         keys = %{"performance_expectations" => %{"max_recovery_ms" => 50}}
         recovery(peer, %{"kind" => "suspend", "duration_ms" => 200}, keys)
       end},
      {"one of two that is not started again", :missed,
       fn ->
         [first, second] = for _ <- 1..2, do: at(peer, named(peer))
         chaos = [%{"action" => crash, "after_ms" => 100, "target" => second}]
         recovery(peer, crash, %{"target" => [first, second], "chaos" => chaos})
       end},

      # Targets without a name.
      {"the children of nobody", :failed, fn -> of.(%{"children" => nobody}) end},
      {"the children of a server", :failed, fn -> of.(%{"children" => at(peer, named(peer))}) end},
      {"the children of a childless supervisor", :failed,
       fn -> of.(%{"children" => at(peer, childless(peer))}) end},
      {"the members of no group", :failed, fn -> of.(%{"pg" => erlang("no_such_group")}) end},
      {"the members of no scope", :failed, fn -> of.(%{"scope" => "no_such_scope", "pg" => erlang("group")}) end},
      {"what is found nowhere", :failed, fn -> of.(%{"find" => erlang("fun() -> [] end")}) end},
      {"what cannot be looked for", :failed, fn -> of.(%{"find" => erlang("fun() -> erlang:error(badarg) end")}) end},
      {"what is none when it is found", :failed, fn -> of.(%{"find" => erlang("fun() -> 17 end")}) end},
      {"a search without end", :failed,
       fn ->
         Map.merge(of.(%{"find" => erlang("fun() -> timer:sleep(60000) end")}), %{"hook_timeout_ms" => 100})
       end},
      {"a load on what is found nowhere", :failed,
       fn -> %{"load" => @load, "operations" => [@get], "target" => %{"find" => erlang("fun() -> [] end")}} end},

      # Operations and threads.
      {"replies that are not as expected", :failed,
       fn -> subject(peer, %{"threads" => [[%{"op" => @get, "expect" => erlang("nothing_like_it")}]]}) end},
      {"replies of a load that are not as expected", :failed,
       fn ->
         operation = %{"op" => @get, "name" => "look", "expect" => elixir("%{count: 1}")}
         subject(peer, %{"load" => @load, "operations" => [operation]})
       end},
      {"some replies that are not as expected", :missed,
       fn ->
         operation = %{"op" => @get, "expect" => erlang("nothing_like_it")}
         keys = %{"load" => @load, "performance_expectations" => %{"max_error_rate" => 0.1}}
         subject(peer, Map.put(keys, "operations", [@get, operation]))
       end},
      {"threads that cannot be set up", :failed, fn -> stateful(peer, "fun(_) -> erlang:error(no_channel) end") end},
      {"threads whose setup exits", :failed, fn -> stateful(peer, "fun(_) -> exit(no_channel) end") end},
      {"threads whose setup has no end", :failed,
       fn -> stateful(peer, "fun(_) -> timer:sleep(60000) end", %{"hook_timeout_ms" => 100}) end},
      {"threads whose process dies at once", :failed,
       fn -> stateful(peer, "fun(_) -> spawn_link(fun() -> exit(bang) end), timer:sleep(60000) end") end},
      {"scripts whose threads cannot be set up", :failed,
       fn ->
         keys = %{"threads" => [[custom("fun(_, _) -> ok end")]]}
         Map.drop(stateful(peer, "fun(_) -> erlang:error(no_channel) end", keys), ["load", "operations"])
       end},
      {"custom operations that kill themselves", :failed,
       fn ->
         subject(peer, %{"load" => @load, "operations" => [custom("fun(_) -> exit(self(), kill) end")]})
       end},

      # Hooks that lie.
      {"a setup that gives who is dead", :failed,
       fn ->
         setup = "fun() -> {P, M} = spawn_monitor(fun() -> ok end), receive {'DOWN', M, _, _, _} -> {ok, P} end end"
         %{"setup" => erlang(setup), "threads" => [[@get]]}
       end},
      {"a setup that gives who is no server", :failed,
       fn ->
         setup = "fun() -> {ok, spawn_link(fun() -> timer:sleep(60000) end)} end"
         %{"setup" => erlang(setup), "threads" => [[@get]], "call_timeout_ms" => 50}
       end},
      {"a setup that kills itself", :failed,
       fn -> %{"setup" => erlang("fun() -> exit(self(), kill) end"), "threads" => [[@get]]} end},
      {"an invariant that kills itself", :failed,
       fn ->
         subject(peer, %{"threads" => [[@get]], "invariant" => erlang("fun(_, _) -> exit(self(), kill) end")})
       end},
      {"a cleanup that kills itself", :failed,
       fn -> subject(peer, %{"threads" => [[@get]], "cleanup" => erlang("fun(_, _) -> exit(self(), kill) end")}) end},
      {"a steady state without end", :failed,
       fn ->
         steady = erlang("fun(_, _) -> timer:sleep(60000) end")
         subject(peer, %{"threads" => [[@get]], "steady_state" => steady, "hook_timeout_ms" => 100})
       end},

      # Loads.
      {"arrivals that find no room", :missed,
       fn ->
         load = %{"rate" => 200, "duration_ms" => 300, "max_in_flight" => 1, "max_queued" => 0}
         late = erlang("{late, 100, ok}")
         expected = %{"max_error_rate" => 0.1}
         subject(peer, %{"load" => load, "operations" => [late], "performance_expectations" => expected})
       end},
      {"a load that is cut short", :missed,
       fn ->
         load = %{"rate" => 100, "duration_ms" => 60_000}
         expected = %{"max_p99_us" => 1}
         keys = %{"abort_when" => ["max_p99_us"], "warmup_ms" => 100, "performance_expectations" => expected}
         subject(peer, Map.merge(keys, %{"load" => load, "operations" => [@get]}))
       end}
    ]
  end

  @tag timeout: 900_000
  test "none of them is green anywhere", %{daemon: daemon, peer: peer, arguments: arguments} do
    failed =
      for {what, outcome, scenario} <- rows(peer), reduce: [] do
        wrong -> wrong ++ Verdicts.judge(daemon, peer, what, outcome, scenario, arguments)
      end

    assert failed == []
  end

  test "nor is one that loses a node in the midst", %{daemon: daemon, peer: peer} do
    held = %{"kind" => "suspend", "duration_ms" => 60_000}

    for {what, outcome, keys} <- [
          {"of the target, while a fault is held", :failed, %{"chaos" => [%{"action" => held, "after_ms" => 500}]}},
          {"of the target", :missed,
           %{"hooks_node" => to_string(peer.node), "performance_expectations" => %{"max_error_rate" => 0.1}}},
          {"of the hooks and the target", :failed, %{"invariant" => erlang("fun(_, _) -> true end")}}
        ] do
      there = Peer.start()
      load = %{"rate" => 200, "duration_ms" => 4_000}
      scenario = %{"target" => at(there, named(there)), "load" => load, "operations" => [@get]}
      scenario = Map.merge(scenario, %{"hooks_node" => to_string(there.node), "call_timeout_ms" => 100})
      file = Files.write(daemon.folder, Map.merge(scenario, keys))

      seen =
        Verdicts.of_run(daemon, fn harness ->
          run = Task.async(fn -> Harness.run(harness, file) end)
          if keys["chaos"], do: Harness.wait_for_log(harness, ~r/fault injected .*suspend/)
          Wait.until("the load", fn -> match?([%{state: :load, operations: n} | _] when n > 20, Harness.call(harness, :runs)) end)
          Peer.kill(there)
          Task.await(run, 60_000)
        end)

      assert seen.outcome == outcome, "the loss #{what}: #{inspect(seen, limit: 20)}"
    end
  end
end
