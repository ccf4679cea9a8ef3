defmodule ScenarioTest do
  @moduledoc "What a scenario may say, what it becomes, and what its report holds."
  use ClusterCase, shared: true

  setup %{peer: peer} do
    {:ok, target: Peer.start_server(peer, Subject)}
  end

  test "a script of nil is an empty one, as in the library", %{harness: harness, target: target} do
    assert {:ok, report} = Harness.run(harness, %{target: target, threads: [nil, [:get], []]})
    assert results(report) == [[], [{:ok, 0}], []]
    assert {:ok, normalised} = Harness.call(harness, :validate, [%{target: target, threads: [nil, [nil]]}])
    assert normalised.threads == [[], [{:call, nil}]]
  end

  describe "the target" do
    test "is a pid", %{harness: harness, target: target} do
      assert run_script(harness, target, [{:add, 1}, {:add, 2}]) == [{:ok, 1}, {:ok, 3}]
    end

    test "is a name on a node", %{harness: harness, peer: peer} do
      Peer.start_named(peer, Subject, :on_a_node)
      assert run_script(harness, {:on_a_node, peer.node}, [{:add, 1}]) == [{:ok, 1}]
    end

    test "is a name on the caller's node", %{harness: harness, peer: peer} do
      {:ok, _} =
        start_supervised(%{id: :local, start: {GenServer, :start_link, [Subject, [], [name: :on_this]]}})

      assert run_script(harness, :on_this, [{:add, 5}]) == [{:ok, 5}]
      # Seen from the plain node the same name is another one's.
      Peer.start_named(peer, Subject, :on_this)
      arguments = [harness.node, :harness, :run, [%{target: :on_this, threads: [[{:add, 1}]]}]]
      assert {:ok, report} = Peer.call(peer, :erpc, :call, arguments)
      assert result(report) == {:ok, 1}
    end

    test "is a global name", %{harness: harness} do
      {:ok, pid} = start_supervised(%{id: :global, start: {GenServer, :start_link, [Subject, []]}})
      name = {:some, "global", 1}
      :yes = :global.register_name(name, pid)
      assert run_script(harness, {:global, name}, [{:add, 6}, :get]) == [{:ok, 6}, {:ok, 6}]
    end

    test "is a name of a registry", %{harness: harness} do
      {:ok, _} = start_supervised({Registry, keys: :unique, name: TargetRegistry})
      name = {:via, Registry, {TargetRegistry, "key"}}
      {:ok, _} = start_supervised(%{id: :via, start: {GenServer, :start_link, [Subject, [], [name: name]]}})
      assert run_script(harness, name, [{:add, 7}, :get]) == [{:ok, 7}, {:ok, 7}]
    end

    test "is a list, over which the threads are spread", %{harness: harness, peer: peer} do
      first = Peer.start_server(peer, Subject)
      Peer.start_named(peer, Subject, :second_of_list)
      scenario = %{target: [first, {:second_of_list, peer.node}], threads: List.duplicate([{:add, 1}], 6)}
      assert {:ok, report} = Harness.run(harness, scenario)
      assert length(report.events) == 6
      count = fn server -> Peer.call(peer, :gen_server, :call, [server, :get]) end
      assert count.(first) == 3
      assert count.(:second_of_list) == 3
    end

    test "is not there: the operations end in noproc, not the run", %{harness: harness, peer: peer} do
      for target <- [
            {:nobody_here, peer.node},
            :nobody_here,
            {:global, :nobody_here},
            {:via, :global, :nobody_here},
            Peer.call(peer, :erlang, :spawn, [:erlang, :node, []])
          ] do
        script = [{:echo, 1}, {:call, 2}, {:cast, 3}]
        assert {target, run_script(harness, target, script)} == {target, List.duplicate({:error, :noproc}, 3)}
      end
    end

    test "appears while the run goes on", %{harness: harness, peer: peer, target: target} do
      test = self()

      scenario = %{
        target: [target, {:late_comer, peer.node}],
        threads: [[{:tell, test, :here}], [{:echo, 1}]],
        call_timeout_ms: 10_000,
        timeout_ms: 10_000
      }

      run = start_run(harness, scenario)
      assert_receive {:told, _, from, :here}, 10_000
      Peer.start_named(peer, Subject, :late_comer)
      assert run_script(harness, {:late_comer, peer.node}, [{:echo, 2}]) == [{:ok, 2}]
      GenServer.reply(from, :done)
      assert {:ok, report} = Task.await(run)
      assert [[{:ok, :done}], [{:error, :noproc}]] = results(report)
    end
  end

  describe "the form" do
    test "is a map, a keyword list or a struct", %{harness: harness, target: target} do
      map = %{target: target, threads: [[{:add, 1}]]}
      assert {:ok, _} = Harness.run(harness, map)
      assert {:ok, _} = Harness.run(harness, Map.to_list(map))

      # The library's struct as it travels, with its defaults. No node has to know the module.
      struct =
        Map.merge(map, %{
          __struct__: Supertester.ConcurrentHarness.Scenario,
          setup: nil,
          timeout_ms: 5_000,
          invariant: nil,
          cleanup: nil,
          metadata: %{},
          call_timeout_ms: 1_000,
          cast_sync_message: :__supertester_sync__,
          strict_cast_sync?: false,
          default_operation: :call,
          mailbox: nil,
          chaos: nil,
          performance_expectations: []
        })

      assert {:ok, report} = Harness.run(harness, struct)
      assert result(report) == {:ok, 3}
    end

    test "may name the library's default invariant, which is ours", %{harness: harness, target: target} do
      invariant = Function.capture(Supertester.ConcurrentHarness, :default_invariant, 2)
      assert {:ok, report} = Harness.run(harness, %{target: target, threads: [[:get]], invariant: invariant})
      assert result(report) == {:ok, 0}
    end
  end

  describe "operations" do
    test "calls and bare terms", %{harness: harness, target: target} do
      script = [{:call, {:add, 1}}, {:add, 1}, :get, {:call, :get}]
      assert run_script(harness, target, script) == [{:ok, 1}, {:ok, 2}, {:ok, 2}, {:ok, 2}]
      assert run_script(harness, target, script, default_operation: :call) |> List.last() == {:ok, 4}
    end

    test "casts are followed by their sync", %{harness: harness, target: target} do
      script = [{:cast, {:add, 1}}, {:call, :get}, {:cast, {:add, 1}}, {:call, :get}]
      assert run_script(harness, target, script) == [{:ok, :ok}, {:ok, 1}, {:ok, :ok}, {:ok, 2}]
    end

    test "bare terms may be casts", %{harness: harness, target: target} do
      script = [{:add, 1}, {:call, :get}, {:add, 2}, {:call, :get}]

      assert run_script(harness, target, script, default_operation: :cast) ==
               [{:ok, :ok}, {:ok, 1}, {:ok, :ok}, {:ok, 3}]
    end

    test "the sync message may be another, and so its reply", %{harness: harness, target: target} do
      assert run_script(harness, target, [{:cast, {:add, 1}}], cast_sync_message: :other_sync) ==
               [{:ok, {:count, 1}}]

      assert run_script(harness, target, [{:cast, {:add, 1}}], cast_sync_message: {:echo, nil}) == [
               {:ok, nil}
             ]

      assert run_script(harness, target, [{:cast, {:add, 1}}], cast_sync_message: {:echo, :ok}) == [
               {:ok, :ok}
             ]
    end

    test "a server without a handler for the sync", %{harness: harness, peer: peer} do
      for module <- [CastOnlySubject, OneClauseSubject] do
        target = Peer.start_server(peer, module)
        assert run_script(harness, target, [{:cast, :anything}]) == [{:error, :missing_sync_handler}]
      end
    end

    test "a sync that times out, and a crash by the cast", %{harness: harness, peer: peer, target: target} do
      options = %{cast_sync_message: :never, call_timeout_ms: 50}
      assert run_script(harness, target, [{:cast, {:add, 1}}], options) == [{:error, :timeout}]
      target = Peer.start_server(peer, Subject)

      assert [{:error, {:bang, {GenServer, :call, [^target, :__supertester_sync__, 1000]}}}] =
               run_script(harness, target, [{:cast, {:crash, :bang}}])
    end

    test "terms of every kind arrive and come back unchanged", %{harness: harness, target: target} do
      terms = every_term()

      assert run_script(harness, target, for(term <- terms, do: {:echo, term})) ==
               for(term <- terms, do: {:ok, term})
    end

    test "messages of megabytes", %{harness: harness, target: target} do
      big = :crypto.strong_rand_bytes(3_000_000)
      options = %{call_timeout_ms: 20_000, timeout_ms: 30_000}
      assert run_script(harness, target, [{:echo, big}, {:echo, 1}], options) == [{:ok, big}, {:ok, 1}]
    end

    test "a server on a node without Elixir", %{harness: harness} do
      plain = Peer.start(elixir: false)
      target = Peer.start_server(plain, :plain_subject, 0)

      arguments = [
        harness.node,
        :harness,
        :run,
        [%{target: target, threads: [[{:add, 1}, {:cast, {:add, 2}}, :divide]]}]
      ]

      assert {:ok, report} = Peer.call(plain, :erpc, :call, arguments)

      # The server has no clause for the sync message.
      assert [[{:ok, 1}, {:error, :missing_sync_handler}, last]] = results(report)
      assert {:error, reason} = last
      assert reason == :noproc or match?({{:function_clause, _}, {GenServer, :call, _}}, reason)

      target = Peer.start_server(plain, :plain_subject, 0)

      assert [{:error, {{:badarith, [_ | _]}, {GenServer, :call, [^target, :divide, 1000]}}}] =
               run_script(harness, target, [:divide])
    end
  end

  describe "the report" do
    test "has every key", %{harness: harness, target: target} do
      scenario = %{
        target: target,
        threads: [[{:add, 1}, {:cast, {:add, 1}}], [:get], []],
        metadata: %{team: "a"}
      }

      assert {:ok, report} = Harness.run(harness, scenario)

      for key <-
            [:events, :threads, :metrics, :mailbox, :chaos, :performance, :metadata, :context] ++
              [:errors, :seed, :run_id],
          do: assert(Map.has_key?(report, key), "no #{key} in #{inspect(Map.keys(report))}")

      assert %{mailbox: nil, chaos: nil, performance: nil} = report
      assert %{team: "a", scenario_id: id} = report.metadata
      assert is_integer(id) and id > 0 and report.run_id == id
      assert is_integer(report.seed)
      assert report.context == %{}
      assert report.errors == %{}

      metrics = report.metrics
      assert %{total_operations: 3, thread_count: 3, operation_errors: 0, mailbox_observed?: false} = metrics
      assert metrics.events_dropped == 0
      assert is_integer(metrics.duration_ms) and metrics.duration_ms >= 0
      assert metrics.overall_duration_ms >= metrics.duration_ms

      assert [%{thread: 0, errors: 0}, %{thread: 1, errors: 0}, %{thread: 2, errors: 0, events: []}] =
               report.threads

      assert Enum.flat_map(report.threads, & &1.events) == report.events
    end

    test "has events in the order of threads and steps", %{harness: harness, target: target} do
      threads = for thread <- 1..10, do: for(step <- 1..20, do: {:echo, {thread, step}})
      assert {:ok, report} = Harness.run(harness, %{target: target, threads: threads})
      assert length(report.events) == 200

      for {thread, script} <- Enum.with_index(threads, &{&2, &1}),
          {{:echo, {a, b}}, step} <- Enum.with_index(script) do
        event = Enum.at(report.events, thread * 20 + step)

        assert %{thread: ^thread, step: ^step, operation: {:call, {:echo, {^a, ^b}}}, result: {:ok, {^a, ^b}}} =
                 event

        assert event.duration_us >= 0 and event.duration_ms == div(event.duration_us, 1000)
        assert event.timestamp_us >= event.duration_us and event.timestamp_ms == div(event.timestamp_us, 1000)
      end

      for %{events: events} <- report.threads do
        stamps = Enum.map(events, & &1.timestamp_us)
        assert stamps == Enum.sort(stamps)
      end
    end

    test "counts errors and names their reasons", %{harness: harness, target: target} do
      script = [:never, {:echo, 1}, :never, {:crash, :bang}, {:echo, 2}]

      assert {:ok, report} =
               Harness.run(harness, %{target: target, threads: [script, []], call_timeout_ms: 100})

      assert %{total_operations: 5, operation_errors: 4} = report.metrics
      assert [%{errors: 4}, %{errors: 0}] = report.threads
      assert report.errors[:timeout] == 2
      assert report.errors[:noproc] == 1
      assert Enum.sum(Map.values(report.errors)) == 4
    end

    test "has an id that never repeats", %{harness: harness, target: target} do
      ids =
        for _ <- 1..5 do
          assert {:ok, report} =
                   Harness.run(harness, %{target: target, threads: [[:get]], metadata: %{scenario_id: 1}})

          report.metadata.scenario_id
        end

      assert ids == Enum.uniq(ids) and ids == Enum.sort(ids)
    end

    test "of 100,000 events comes whole", %{harness: harness, target: target} do
      threads = List.duplicate(List.duplicate({:echo, :some_reply}, 1_000), 100)

      scenario = %{
        target: target,
        threads: threads,
        timeout_ms: 120_000,
        call_timeout_ms: 60_000,
        events: :all
      }

      run = start_run(harness, scenario)
      assert {:ok, report} = Task.await(run, 150_000)
      assert length(report.events) == 100_000
      assert Enum.all?(report.events, &(&1.result == {:ok, :some_reply}))
      assert report.metrics.total_operations == 100_000 and report.metrics.events_dropped == 0
    end
  end

  describe "events" do
    setup %{target: target} do
      script = for(step <- 1..20, do: {:echo, step}) ++ [:never]
      {:ok, scenario: %{target: target, threads: [script, script], call_timeout_ms: 100}}
    end

    defp kept(harness, scenario, policy) do
      assert {:ok, report} = Harness.run(harness, Map.put(scenario, :events, policy))
      assert %{total_operations: 42, operation_errors: 2} = report.metrics
      # Only what the configured limit takes counts as dropped.
      assert report.metrics.events_dropped == 0
      assert Enum.flat_map(report.threads, & &1.events) == report.events
      report.events
    end

    test ":all, which is the default", %{harness: harness, scenario: scenario} do
      assert length(kept(harness, scenario, :all)) == 42
      assert {:ok, report} = Harness.run(harness, scenario)
      assert length(report.events) == 42
    end

    test ":errors", %{harness: harness, scenario: scenario} do
      assert [%{thread: 0, step: 20}, %{thread: 1, step: 20}] = events = kept(harness, scenario, :errors)
      assert Enum.all?(events, &(&1.result == {:error, :timeout}))
    end

    test ":none", %{harness: harness, scenario: scenario} do
      assert kept(harness, scenario, :none) == []
    end

    test "{:last, n}", %{harness: harness, scenario: scenario} do
      events = kept(harness, scenario, {:last, 5})
      assert length(events) == 5
      # The two that time out are the last to end.
      assert Enum.count(events, &(&1.result == {:error, :timeout})) == 2
      assert length(kept(harness, scenario, {:last, 1_000})) == 42
    end

    test "{:sample, n}", %{harness: harness, scenario: scenario} do
      events = kept(harness, scenario, {:sample, 10})
      assert length(events) == 10
      assert events == Enum.uniq(events) and events == Enum.sort_by(events, &{&1.thread, &1.step})
      assert length(kept(harness, scenario, {:sample, 1_000})) == 42
    end

    test "beyond the configured limit the oldest go", %{target: target} do
      harness = Harness.start(config: %{"limits" => %{"events" => 100}})

      assert {:ok, report} =
               Harness.run(harness, %{target: target, threads: [for(n <- 1..250, do: {:echo, n})]})

      assert report.metrics.total_operations == 250
      assert report.metrics.events_dropped == 150
      assert Enum.map(report.events, & &1.result) == for(n <- 151..250, do: {:ok, n})
    end
  end

  describe "time" do
    test "a call without an answer times out", %{harness: harness, target: target} do
      {time, results} =
        timed(fn -> run_script(harness, target, [:never, {:echo, 1}], call_timeout_ms: 200) end)

      assert results == [{:error, :timeout}, {:ok, 1}]
      assert time in 200..5_000
    end

    test "a run that takes too long fails", %{harness: harness, target: target} do
      scenario = %{
        target: target,
        threads: [[{:echo, 1}], [:never]],
        timeout_ms: 300,
        call_timeout_ms: 20_000
      }

      {time, result} = timed(fn -> Harness.run(harness, scenario) end)
      assert result == {:error, {:thread_failure, {:error, :timeout}}}
      assert time in 300..5_000
      assert running(harness) == 0
    end

    test "1,000 threads at once", %{harness: harness, target: target} do
      threads = for thread <- 1..1_000, do: [{:late, 200, thread}]

      {time, {:ok, report}} =
        timed(fn ->
          Harness.run(harness, %{
            target: target,
            threads: threads,
            call_timeout_ms: 10_000,
            timeout_ms: 20_000
          })
        end)

      assert results(report) == for(thread <- 1..1_000, do: [{:ok, thread}])
      # One after the other they would take 200 s.
      assert time < 20_000
    end
  end

  describe "a scenario that cannot run" do
    test "needs a target and threads", %{harness: harness, target: target} do
      assert [_ | _] = problems(harness, %{})
      assert [%{path: [:setup], message: message}] = problems(harness, %{threads: [[:get]]})
      assert message =~ "target"
      assert [%{path: [:threads]}] = problems(harness, %{target: target})
      assert Enum.any?(problems(harness, %{target: target, threads: []}), &(&1.path == [:threads]))
      both = %{setup: fn -> {:error, :no} end, target: target, threads: [[:get]]}
      assert [%{path: [:target], problem: :conflict}] = problems(harness, both)
    end

    test "of an odd form is refused", %{harness: harness} do
      for scenario <- [1, "scenario", :scenario, [1, 2], [{1, 2, 3}], self(), {:target, 1}] do
        assert [%{path: _} | _] = problems(harness, scenario)
      end
    end

    test "every problem is told at once, with its path", %{harness: harness, target: target} do
      problems =
        problems(harness, %{
          target: target,
          threads: [[{:call, 1}], [{:custom, fn -> 1 end}, {:"$sleep", -1}]],
          timeout_ms: -1,
          call_timeout_ms: "soon",
          default_operation: :shout,
          strict_cast_sync?: :yes,
          hook_timeout_ms: 0,
          invariant: fn _ -> :ok end,
          cleanup: :nothing,
          chaos: fn -> :ok end,
          mailbox: [sampling_interval: 0],
          performance_expectations: [max_time_ms: :soon, max_time_sm: 1],
          hooks_node: "node",
          metadata: :none,
          events: :some,
          tiemout_ms: 1
        })

      paths = Enum.map(problems, & &1.path)

      for path <- [
            [:timeout_ms],
            [:call_timeout_ms],
            [:default_operation],
            [:strict_cast_sync?],
            [:hook_timeout_ms],
            [:invariant],
            [:cleanup],
            [:chaos],
            [:mailbox, :sampling_interval],
            [:performance_expectations, :max_time_ms],
            [:performance_expectations],
            [:hooks_node],
            [:metadata],
            [:events],
            [:tiemout_ms]
          ],
          do: assert(path in paths, "#{inspect(path)} in #{inspect(problems)}")

      assert [:threads, 1, 0] in paths and [:threads, 1, 1] in paths
    end

    test "an unknown key is told with the nearest one", %{harness: harness, target: target} do
      for {key, nearest} <- [
            tiemout_ms: "timeout_ms",
            thread: "threads",
            metadat: "metadata",
            evnets: "events",
            ops: "operations"
          ] do
        scenario = Map.put(%{target: target, threads: [[:get]]}, key, 1)
        assert [%{path: [^key], message: message}] = problems(harness, scenario)
        assert message =~ nearest
      end
    end

    test "bad targets are refused", %{harness: harness} do
      for target <- [1, "name", {:a, :b, :c}, {1, node()}, {:a, "node"}, [], [1], {:via, :global}, %{}] do
        assert [%{path: [:target | _]} | _] = problems(harness, %{target: target, threads: [[:get]]})
      end
    end

    test "funs of another arity are refused", %{harness: harness, target: target} do
      for {key, value, arity} <- [
            {:setup, fn _ -> :ok end, 0},
            {:invariant, fn _ -> :ok end, 2},
            {:cleanup, fn -> :ok end, 2},
            {:chaos, fn _, _, _ -> :ok end, 2}
          ] do
        scenario = Map.put(%{target: target, threads: [[:get]]}, key, value)
        assert problem = Enum.find(problems(harness, scenario), &(&1.path == [key]))
        assert problem.problem == :wrong_type and problem.message =~ "arity #{arity}"
      end

      assert [%{path: [:threads, 0, 0], problem: :invalid_operation}] =
               problems(harness, %{target: target, threads: [[{:custom, fn -> 1 end}]]})
    end

    test "nothing is started for it", %{harness: harness, target: target} do
      before = :erpc.call(node(target), :gen_server, :call, [target, :get])
      problems(harness, %{target: target, threads: [[{:add, 1}]], tiemout_ms: 1})
      assert :erpc.call(node(target), :gen_server, :call, [target, :get]) == before
    end
  end

  describe "validate" do
    test "gives the scenario with its defaults", %{harness: harness, target: target} do
      assert {:ok, scenario} =
               Harness.call(harness, :validate, [
                 [target: target, threads: [[:get, {:cast, 1}], :add |> List.wrap()]]
               ])

      assert %{target: ^target, timeout_ms: 5000, call_timeout_ms: 1000, default_operation: :call} = scenario
      assert %{cast_sync_message: :__supertester_sync__, events: :all} = scenario
      assert scenario.metadata == %{}
      assert scenario.threads == [[{:call, :get}, {:cast, 1}], [{:call, :add}]]
      assert %{hook_timeout_ms: 5000, strict_cast_sync?: false, mailbox: nil, chaos: nil} = scenario
      assert %{setup: nil, invariant: nil, cleanup: nil, performance_expectations: []} = scenario
      assert scenario.hooks_node == node()
    end

    test "gives what it takes", %{harness: harness, target: target} do
      scenario = %{
        target: target,
        threads: [[{:call, 1}]],
        metadata: %{a: 1},
        events: {:last, 3},
        timeout_ms: 7,
        hook_timeout_ms: 8,
        strict_cast_sync?: true,
        invariant: fn _, _ -> :ok end,
        cleanup: {HookModule, :clean, [1]},
        chaos: fn _, _ -> :ok end,
        mailbox: [],
        performance_expectations: [max_reductions: 5, max_time_ms: 1.5],
        hooks_node: :"other@127.0.0.1"
      }

      assert {:ok, once} = Harness.call(harness, :validate, [scenario])
      assert %{metadata: %{a: 1}, events: {:last, 3}, timeout_ms: 7} = once
      assert once.mailbox == [sampling_interval: 10]

      for key <- Map.keys(scenario) -- [:mailbox],
          do: assert({key, once[key]} == {key, scenario[key]})

      assert {:ok, ^once} = Harness.call(harness, :validate, [once])
    end

    test "does nothing", %{harness: harness, target: target} do
      assert {:ok, _} = Harness.call(harness, :validate, [%{target: target, threads: [[{:add, 1}]]}])
      assert run_script(harness, target, [:get]) == [{:ok, 0}]
    end
  end

  defp every_term do
    [
      0,
      255,
      256,
      -1,
      2_147_483_647,
      -2_147_483_648,
      123_456_789_012_345_678_901_234_567_890,
      -123_456_789_012_345_678_901_234_567_890,
      Bitwise.bsl(1, 3_000),
      1.5,
      -0.0,
      :atom,
      :"",
      :"atom with ünïcode ☃",
      String.to_atom(String.duplicate("☃", 255)),
      nil,
      true,
      "",
      "binary",
      <<1, 2, 3::3>>,
      <<1::1>>,
      [],
      ~c"string",
      [1, 2, 300],
      [1 | 2],
      [:a, [:b, [:c | :d]]],
      {},
      {1},
      List.to_tuple(Enum.to_list(1..300)),
      Enum.to_list(1..70_000),
      %{},
      %{1 => 2, "a" => %{b: [c: 1]}},
      Map.new(1..100, &{&1, &1}),
      1..3,
      self(),
      make_ref(),
      :erlang.list_to_port('#Port<0.4>'),
      &Enum.map/2,
      fn x -> x + 1 end,
      :binary.copy("x", 100_000),
      String.duplicate("y", 70_000) |> to_charlist(),
      :erlang.alias(),
      # Looks like ours, but is the user's.
      {:"$gen_call", 1, 2},
      [alias: 1]
    ]
  end
end
