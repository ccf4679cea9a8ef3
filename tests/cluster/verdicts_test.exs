defmodule VerdictsTest do
  @moduledoc """
  Ways in which a run can have tested nothing, broken something, lost something, or not come to its end: none of
  them is green anywhere, and all ways out say the same of it.
  """
  use ClusterCase
  import Files, only: [erlang: 1, elixir: 1]

  @get %{"erlang" => "get"}

  setup_all do
    peer = Peer.start()
    {:ok, peer: peer, daemon: Verdicts.start()}
  end

  setup %{daemon: daemon} do
    assert Harness.call(daemon.harness, :subscribe, [:all]) == :ok
    :ok
  end

  # A server of its own for each run, as many runs end it.
  defp named(peer) do
    name = String.to_atom(Peer.unique("verdict"))
    Peer.start_named(peer, Subject, name)
    name
  end

  defp missing(_peer), do: "nobody_of_that_name"

  # `{what, outcome, scenario}`: the scenario without its target, unless that is what it is about.
  defp rows do
    raising = erlang("fun(_) -> erlang:error(badarg) end")
    fine = %{"threads" => [[@get]]}
    load = %{"threads" => 2, "iterations" => 5}
    rate = %{"rate" => 100, "duration_ms" => 200}

    [
      # Nobody is there.
      {"calls of nobody", :failed, %{"threads" => [[@get, @get]], "target" => :missing}},
      {"casts of nobody", :failed, %{"threads" => [[%{"cast" => @get}]], "target" => :missing}},
      {"plain casts of nobody", :failed, %{"threads" => [[%{"$cast" => @get}]], "target" => :missing}},
      {"messages to nobody", :failed, %{"threads" => [[%{"$send" => @get}]], "target" => :missing}},
      {"a closed load on nobody", :failed, %{"load" => load, "operations" => [@get], "target" => :missing}},
      {"a rate of calls of nobody", :failed, %{"load" => rate, "operations" => [@get], "target" => :missing}},
      {"a rate of messages to nobody", :failed,
       %{"load" => rate, "operations" => [%{"$send" => @get}], "target" => :missing}},
      {"a mix for nobody", :failed,
       %{"load" => load, "mix" => [%{"weight" => 1, "op" => @get}], "target" => :missing}},
      {"a global name of nobody", :failed,
       Map.put(fine, "target", %{"global" => erlang("nobody_of_that_name")})},
      {"a node that is not there", :not_run,
       Map.put(fine, "target", %{"name" => "a", "node" => "nobody@127.0.0.1"})},
      {"many targets, none of them there", :failed,
       Map.put(fine, "target", [%{"name" => "nobody_1"}, %{"name" => "nobody_2"}])},
      {"nobody, whatever is expected of response times", :missed,
       %{
         "threads" => [[@get]],
         "target" => :missing,
         "performance_expectations" => %{"max_p99_us" => 60_000_000}
       }},
      {"nobody, of a load with response times", :missed,
       %{
         "load" => load,
         "operations" => [@get],
         "target" => :missing,
         "performance_expectations" => %{"max_p50_us" => 60_000_000}
       }},

      # Nothing is done.
      {"an empty script", :failed, %{"threads" => [[]]}},
      {"scripts that only sleep", :failed, %{"threads" => [[%{"$sleep" => 5}], [%{"$sleep" => 1}]]}},
      {"a load that only sleeps", :failed, %{"load" => load, "operations" => [%{"$sleep" => 1}]}},
      {"a rate of sleeps", :failed, %{"load" => rate, "operations" => [%{"$sleep" => 1}]}},
      {"a load that is over while all think", :failed,
       %{
         "load" => %{"threads" => 1, "duration_ms" => 1, "think_ms" => 60_000},
         "operations" => [@get],
         "seed" => 3
       }},

      # All goes wrong.
      {"calls that all time out", :failed, %{"threads" => [[erlang("never")]], "call_timeout_ms" => 50}},
      {"a load of calls that all time out", :failed,
       %{"load" => load, "operations" => [erlang("never")], "call_timeout_ms" => 50}},
      {"a server that dies of each call", :failed, %{"load" => rate, "operations" => [erlang("raise")]}},
      {"custom operations that all raise", :failed, %{"threads" => [[%{"custom" => raising}]]}},
      {"a load of custom operations that all raise", :failed,
       %{"load" => load, "operations" => [%{"custom" => raising}]}},
      {"a custom operation that exits", :failed,
       %{"threads" => [[@get, %{"custom" => erlang("fun(_) -> exit(bang) end")}]]}},
      {"a custom operation that throws", :failed,
       %{"threads" => [[@get, %{"custom" => erlang("fun(_) -> throw(ball) end")}]]}},
      {"a load of custom operations that all exit", :failed,
       %{"load" => load, "operations" => [%{"custom" => erlang("fun(_) -> exit(bang) end")}]}},
      {"a thread without time", :failed, %{"threads" => [[erlang("never")]], "timeout_ms" => 50}},
      {"a custom operation without end", :failed,
       %{"threads" => [[%{"custom" => erlang("fun(_) -> timer:sleep(60000) end")}]], "timeout_ms" => 100}},

      # Expectations, missed or about nothing.
      {"too slow", :missed, Map.put(fine, "performance_expectations", %{"max_p99_us" => 0})},
      {"too long", :missed, Map.put(fine, "performance_expectations", %{"max_time_ms" => 0.001})},
      {"too few", :missed, Map.put(fine, "performance_expectations", %{"min_ops_per_s" => 1_000_000_000})},
      {"too many errors", :missed,
       %{
         "threads" => [[@get, %{"custom" => raising}]],
         "performance_expectations" => %{"max_error_rate" => 0}
       }},
      {"too many exits of a load", :missed,
       %{
         "load" => load,
         "operations" => [@get, %{"custom" => erlang("fun(_) -> exit(bang) end")}],
         "performance_expectations" => %{"max_error_rate" => 0.1}
       }},
      {"response times of what is not answered", :missed,
       %{
         "threads" => [[%{"$cast" => erlang("{add, 1}")}]],
         "performance_expectations" => %{"max_p99_us" => 60_000_000}
       }},
      {"response times of sleeps", :missed,
       %{"threads" => [[%{"$sleep" => 1}]], "performance_expectations" => %{"max_p50_us" => 60_000_000}}},
      {"errors of nothing", :missed,
       %{"threads" => [[%{"$sleep" => 1}]], "performance_expectations" => %{"max_error_rate" => 1.0}}},
      {"the recovery from no fault", :missed,
       Map.put(fine, "performance_expectations", %{"max_recovery_ms" => 60_000})},
      {"the mailbox of nobody", :missed,
       %{
         "threads" => [[@get]],
         "target" => :missing,
         "performance_expectations" => %{"max_error_rate" => 1.0, "max_mailbox" => 1000}
       }},
      {"an abort for errors", :missed,
       %{
         "load" => %{"threads" => 1, "duration_ms" => 60_000, "think_ms" => 1},
         "operations" => [@get],
         "target" => :missing,
         "warmup_ms" => 100,
         "abort_when" => ["max_error_rate"],
         "performance_expectations" => %{"max_error_rate" => 0.5, "max_p99_us" => 60_000_000}
       }},
      {"a load that is shorter than its warm-up", :missed,
       %{
         "load" => %{"threads" => 1, "duration_ms" => 100, "think_ms" => 1},
         "operations" => [@get],
         "target" => :missing,
         "warmup_ms" => 60_000,
         "abort_when" => ["max_error_rate"],
         "performance_expectations" => %{"max_error_rate" => 0.5}
       }},

      # Hooks that fail.
      {"a setup that raises", :failed,
       %{"setup" => erlang("fun() -> erlang:error(badarg) end"), "threads" => [[@get]]}},
      {"a setup that refuses", :failed,
       %{"setup" => erlang("fun() -> {error, no} end"), "threads" => [[@get]]}},
      {"a setup that gives nothing", :failed, %{"setup" => erlang("fun() -> 17 end"), "threads" => [[@get]]}},
      {"a setup without end", :failed,
       %{
         "setup" => erlang("fun() -> timer:sleep(60000) end"),
         "threads" => [[@get]],
         "hook_timeout_ms" => 100
       }},
      {"an invariant that does not hold", :failed,
       Map.put(fine, "invariant", erlang("fun(_, _) -> false end"))},
      {"an invariant with an error", :failed,
       Map.put(fine, "invariant", erlang("fun(_, _) -> {error, wrong} end"))},
      {"an invariant that raises", :failed,
       Map.put(fine, "invariant", elixir("fn _, _ -> raise \"wrong\" end"))},
      {"an invariant that throws", :failed, Map.put(fine, "invariant", erlang("fun(_, _) -> throw(x) end"))},
      {"an invariant that exits", :failed, Map.put(fine, "invariant", erlang("fun(_, _) -> exit(x) end"))},
      {"an invariant without end", :failed,
       Map.merge(fine, %{
         "invariant" => erlang("fun(_, _) -> timer:sleep(60000) end"),
         "hook_timeout_ms" => 100
       })},
      {"no steady state", :failed, Map.put(fine, "steady_state", erlang("fun(_, _) -> false end"))},
      {"a steady state that is left", :failed,
       %{
         "threads" => [[erlang("{add, 1}")]],
         "steady_state" => erlang("fun(S, _) -> gen_server:call(S, get) =:= 0 end")
       }},
      {"a cleanup that raises", :failed,
       Map.put(fine, "cleanup", erlang("fun(_, _) -> erlang:error(stuck) end"))},
      {"a cleanup without end", :failed,
       Map.merge(fine, %{"cleanup" => erlang("fun(_, _) -> timer:sleep(60000) end"), "hook_timeout_ms" => 100})},
      {"a miss and a cleanup that raises", :missed,
       Map.merge(fine, %{
         "cleanup" => erlang("fun(_, _) -> erlang:error(stuck) end"),
         "performance_expectations" => %{"max_p99_us" => 0}
       })},
      {"a chaos that raises", :failed, Map.put(fine, "chaos", erlang("fun(_, _) -> erlang:error(x) end"))},
      {"a chaos without end", :failed,
       Map.merge(fine, %{"chaos" => erlang("fun(_, _) -> timer:sleep(60000) end"), "timeout_ms" => 200})},

      # What must not be, or cannot be understood.
      {"a fault that is not allowed", :not_run, Map.put(fine, "chaos", [%{"kind" => "burn_cpu"}])},
      {"a dry run of a fault for nobody", :not_run,
       Map.merge(fine, %{
         "dry_run" => true,
         "chaos" => [
           %{
             "action" => %{"kind" => "suspend", "duration_ms" => 5},
             "target" => %{"name" => "nobody_of_that_name"}
           }
         ]
       })},
      {"an operation that is no term", :not_run, %{"threads" => [[erlang("{")]]}},
      {"a hook that is no fun", :not_run, Map.put(fine, "invariant", erlang("fun(_) -> true"))},
      {"a hook of another arity", :not_run, Map.put(fine, "invariant", erlang("fun(_) -> true end"))}
    ]
  end

  # What is wrong with the file itself: there is no run.
  defp invalid_rows do
    [
      {"an unknown key", %{"threads" => [[@get]], "thread" => 1}},
      {"threads and load", %{"threads" => [[@get]], "load" => %{"threads" => 1, "iterations" => 1}}},
      {"no operations", %{"load" => %{"threads" => 1, "iterations" => 1}}},
      {"an empty mix", %{"load" => %{"threads" => 1, "iterations" => 1}, "mix" => []}},
      {"no threads", %{"threads" => []}},
      {"an unknown expectation", %{"threads" => [[@get]], "performance_expectations" => %{"max_p98_us" => 1}}}
    ]
  end

  defp with_target(scenario, peer) do
    target = fn name -> %{"name" => to_string(name), "node" => to_string(peer.node)} end

    case scenario do
      %{"target" => :missing} ->
        %{scenario | "target" => target.(missing(peer))}

      %{"target" => list} when is_list(list) ->
        %{scenario | "target" => Enum.map(list, &Map.put(&1, "node", to_string(peer.node)))}

      %{"target" => _} ->
        scenario

      %{"setup" => _} ->
        scenario

      _ ->
        Map.put(scenario, "target", target.(named(peer)))
    end
  end

  test "a run that goes well is green everywhere", %{daemon: daemon, peer: peer} do
    scenario =
      with_target(%{"threads" => [[@get]], "performance_expectations" => %{"max_error_rate" => 0}}, peer)

    file = Files.write(daemon.folder, scenario)
    seen = Verdicts.of_run(daemon, &Harness.run(&1, file))
    assert {:ok, _} = seen.answer
    assert %{outcome: :completed, reasons: %{status: nil, log: "", subscription: nil, file: "null"}} = seen
    once = Verdicts.of_once(Once.file(scenario), peer.node)
    assert %{outcome: :completed, reason: "null"} = once
  end

  describe "of all ways out none is green, and all say the same, of" do
    @tag timeout: 900_000
    test "each row, as a run of the daemon and as one of the program", %{daemon: daemon, peer: peer} do
      failed =
        for {what, outcome, scenario} <- rows(), reduce: [] do
          wrong -> wrong ++ Verdicts.judge(daemon, peer, what, outcome, fn -> with_target(scenario, peer) end)
        end

      assert failed == []
    end

    test "each file that is no scenario", %{daemon: daemon, peer: peer} do
      for {what, scenario} <- invalid_rows() do
        scenario = with_target(scenario, peer)
        file = Files.write(daemon.folder, scenario)
        before = Harness.call(daemon.harness, :runs) |> length()
        assert {:error, {:invalid_scenario, [_ | _]}} = Harness.run(daemon.harness, file), what
        assert Harness.call(daemon.harness, :runs) |> length() == before
        assert %{outcome: :not_run, run_id: "null"} = Verdicts.of_once(Once.file(scenario), peer.node), what
      end
    end

    test "what goes wrong before there is a run", %{peer: peer} do
      file = Once.file(with_target(%{"threads" => [[@get]]}, peer))
      broken = Path.join(Support.temporary_folder(), "broken.json")
      File.write!(broken, "{")
      config = Path.join(Support.temporary_folder(), "config.json")
      File.write!(config, ~s({"limits": {"runs": "many"}}))

      for {what, file, connect, arguments} <- [
            {"a node that is not there", file, "nobody@127.0.0.1", []},
            {"no node", file, nil, []},
            {"a flag that is none", file, peer.node, ["--jnuit", "x"]},
            {"a configuration that is none", file, peer.node, ["--config", config]},
            {"a configuration that is not there", file, peer.node, ["--config", "/nonexistent"]},
            {"a cookie that is not there", file, peer.node, ["--cookie-file", "/nonexistent"]},
            {"a setting that is none", file, peer.node, ["--set", "threads[9]=1"]},
            {"a file that is not there", "/nonexistent.json", peer.node, []},
            {"a file that is no JSON", broken, peer.node, []}
          ] do
        seen = Verdicts.of_once(file, connect, arguments)
        assert %{outcome: :not_run, run_id: "null"} = seen, what
        assert seen.reason != "null", what
      end
    end
  end

  describe "a run that does not come to its end" do
    test "as it is cancelled, in its load and in the queue", %{peer: peer} do
      daemon = Verdicts.start(%{"limits" => %{"runs" => 1}})
      target = Peer.start_server(peer, Subject)

      seen =
        Verdicts.of_run(daemon, fn harness ->
          run = start_run(harness, Runs.held(target, :cancelled))
          _ = Runs.await_held(:cancelled)
          [%{run_id: id}] = Harness.call(harness, :runs)
          assert Harness.call(harness, :cancel, [id]) == :ok
          Task.await(run, 30_000)
        end)

      assert %{outcome: :cancelled, answer: {:error, {:cancelled, %{metrics: %{unfinished: 1}}}}} = seen
      assert %{status: "cancelled", log: "cancelled", file: ~s("cancelled")} = seen.reasons
      run = start_run(daemon.harness, Runs.held(target, :first))
      from = Runs.await_held(:first)

      seen =
        Verdicts.of_run(daemon, fn harness ->
          id = Runs.start(harness, %{target: target, threads: [[:get]]})
          assert Harness.call(harness, :cancel, [id]) == :ok
          Runs.await(harness, id)
        end)

      assert %{outcome: :cancelled, answer: {:error, {:cancelled, _}}} = seen
      Runs.release(from)
      assert {:ok, _} = Task.await(run, 30_000)
    end

    # Without hooks nothing is lost with their node but the caller.
    test "as its caller or the node of its hooks is gone, each time the same", %{
      daemon: daemon,
      peer: target_peer
    } do
      target = Peer.start_server(target_peer, Subject)

      for n <- 1..4, kind <- [:process, :node, :node_of_hooks] do
        name = :"lost_#{n}_#{kind}"
        hooks = if kind == :node_of_hooks, do: [invariant: fn _, _ -> :ok end], else: []
        caller = Peer.start()

        seen =
          Verdicts.of_run(daemon, fn harness ->
            scenario = Runs.held(target, name, [metadata: %{n: n}] ++ hooks)

            pid =
              Peer.call(caller, :erlang, :spawn, [:erpc, :call, [harness.node, :harness, :run, [scenario]]])

            _ = Runs.await_held(name)
            [%{run_id: id} | _] = Harness.call(harness, :runs)
            if kind == :process, do: Process.exit(pid, :kill), else: Peer.kill(caller)
            Runs.await(harness, id)
          end)

        node = caller.node

        case kind do
          :node_of_hooks -> assert %{outcome: :failed, answer: {:error, {:nodedown, ^node}}} = seen
          _ -> assert %{outcome: :cancelled, answer: {:error, {:cancelled, _}}} = seen
        end
      end
    end

    test "as nobody has room for it", %{peer: peer} do
      daemon = Verdicts.start(%{"limits" => %{"runs" => 1, "threads" => 2}})
      target = Peer.start_server(peer, Subject)
      first = start_run(daemon.harness, Runs.held(target, :roomy))
      from = Runs.await_held(:roomy)
      id = Runs.start(daemon.harness, %{target: target, threads: [[:get], [:get]]})
      assert Harness.reload(daemon.harness, %{"limits" => %{"threads" => 1}}) =~ "configuration reloaded"
      Runs.release(from)
      assert {:ok, _} = Task.await(first, 30_000)
      assert {:error, {:busy, :threads}} = Runs.await(daemon.harness, id)
      assert %{outcome: :not_run, reason: "{busy,threads}"} = Runs.status(daemon.harness, id)
      _ = Harness.wait_for_log(daemon.harness, ~r/run finished run=#{id} outcome=not_run reason=threads/)
      assert %{not_run: 1, completed: 1} = Verdicts.counted(daemon.port)

      assert Http.get_jq(daemon.port, "/runs/#{id}", "[.outcome,.reason]") ==
               ~s(["not_run",["busy","threads"]])
    end

    test "as the daemon ends, or is killed", %{peer: peer} do
      target = Peer.start_server(peer, Subject)

      for how <- [:terminate, :kill] do
        daemon = Verdicts.start(%{"shutdown_ms" => 100, "journal_ms" => 100})
        stuck = %{cleanup: fn _, _ -> Process.sleep(:infinity) end, hook_timeout_ms: 60_000}
        scenario = Runs.held(target, how, stuck)
        _ = spawn(fn -> Harness.run(daemon.harness, scenario) end)
        _ = Runs.await_held(how)
        [%{run_id: id}] = Harness.call(daemon.harness, :runs)
        if how == :terminate, do: Harness.terminate(daemon.harness), else: Harness.kill(daemon.harness)
        _ = Harness.await_exit(daemon.harness)
        harness = Harness.restart(daemon.harness)
        port = Http.port(harness)
        assert %{outcome: :interrupted} = Runs.status(harness, id)
        assert [%{outcome: :interrupted}] = Harness.call(harness, :runs)
        assert Harness.call(harness, :show, [id]) =~ ~r/^Run.*: interrupted/
        assert {:error, {:interrupted, _}} = Harness.call(harness, :report, [id])
        assert Http.get_jq(port, "/runs/#{id}", "[.outcome,.reason]") == ~s(["interrupted","interrupted"])
        assert Http.get_jq(port, "/runs", ".[0].outcome") == ~s("interrupted")
      end
    end

    test "as the program is told to end, or is killed", %{peer: peer} do
      for {signal, status, outcome} <- [
            {"TERM", 1, :cancelled},
            {"INT", 1, :cancelled},
            {"KILL", 137, :interrupted}
          ] do
        folder = Support.temporary_folder()
        [junit, json, log] = for name <- ["junit.xml", "report.json", "log"], do: Path.join(folder, name)
        File.write!(junit, "<testsuites/>")
        scenario = %{"threads" => [[erlang("never")]], "call_timeout_ms" => 60_000, "timeout_ms" => 60_000}
        file = Once.file(with_target(scenario, peer))
        process = Once.start(file, to_string(peer.node), log, ["--junit", junit, "--json=#{json}"])

        Wait.until(
          "the load",
          fn -> File.exists?(log) and File.read!(log) =~ ~r/load: 0 operations/ end,
          20_000
        )

        OsProcess.signal(process, signal)
        ended = OsProcess.await_exit(process)
        assert ended == status or signal == "KILL"
        assert %{outcome: ^outcome} = Verdicts.of_files(1, json, junit)
      end
    end

    test "as nobody could read it", %{peer: peer} do
      folder = Support.temporary_folder()
      json = Path.join(folder, "report.json")
      junit = Path.join(folder, "junit.xml")
      file = Once.file(with_target(%{"threads" => [List.duplicate(@get, 50)]}, peer))
      command = ~s("$0" run "$1" --connect "$2" --junit "$3" --json="$4" #{Enum.join(Once.tls(), " ")} >/dev/full)
      arguments = ["-c", command, Harness.executable(), file, to_string(peer.node), junit, json]
      cookie = {"HARNESSD_COOKIE", Atom.to_string(Node.get_cookie())}
      epmd = {"ERL_EPMD_PORT", to_string(Epmd.port())}
      {said, status} = System.cmd("/bin/sh", arguments, env: [cookie, epmd], stderr_to_stdout: true)
      assert said =~ "No space left on device"
      assert %{outcome: :failed, reason: ~s("not_told")} = Verdicts.of_files(status, json, junit)
      {1, _, errors} = Once.run(file, peer.node, ["--junit", "/dev/full"])
      assert errors =~ "--junit: cannot write /dev/full"
    end
  end
end
