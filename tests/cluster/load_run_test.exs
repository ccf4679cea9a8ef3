defmodule LoadRunTest do
  @moduledoc "Generated load as a part of a run: its hooks, its failures, and its limits."
  use ClusterCase, shared: true

  setup %{peer: peer} do
    {:ok, target: Recorder.start(peer)}
  end

  describe "hooks" do
    test "surround a load", %{harness: harness} do
      test = self()

      scenario = %{
        setup: {Recorder, :setup, [%{color: :red}]},
        load: %{threads: 3, iterations: 20},
        operations: [{:call, :a}, {:custom, fn server -> GenServer.call(server, :from_custom) end}],
        chaos: fn server, %{setup_context: %{color: :red}} -> GenServer.call(server, :from_chaos) end,
        invariant: fn server, context ->
          send(test, {:invariant, Recorder.messages(server), context})
          :ok
        end,
        cleanup: fn server, context ->
          send(test, {:cleanup, Process.alive?(server), context.color})
          GenServer.stop(server)
        end,
        metadata: %{team: "a"}
      }

      assert {:ok, report} = Harness.run(harness, scenario)
      Loads.assert_sums(report)
      assert report.metrics.total_operations == 120
      assert report.context == %{color: :red} and report.metadata.team == "a"
      assert report.chaos.result == :ok
      assert_receive {:invariant, messages, context}
      assert Enum.frequencies(messages) == %{a: 60, from_custom: 60, from_chaos: 1}
      # The invariant is given what the load came to.
      assert context.threads == report.threads and context.events == report.events
      assert context.metrics.total_operations == 120 and context.color == :red
      assert_receive {:cleanup, true, :red}
    end

    test "that fail are the result", %{harness: harness, target: target} do
      load = %{threads: 2, iterations: 5}
      failing = %{invariant: fn _, _ -> {:error, :wrong} end}
      assert Loads.result(harness, target, load, [:a], failing) == {:error, {:invariant_failed, :wrong}}
      scenario = Map.delete(Loads.scenario(target, load, [:a]), :target)
      failing = Map.put(scenario, :setup, fn -> {:error, :not_today} end)
      assert Harness.run(harness, failing) == {:error, :not_today}
    end

    test "a custom operation that raises, exits or throws is an error", %{harness: harness, target: target} do
      for {fun, reason} <- [
            {fn _ -> raise "boom" end, %RuntimeError{message: "boom"}},
            {fn _ -> exit(:bang) end, {:exit, :bang}},
            {fn _ -> throw(:ball) end, {:throw, :ball}},
            {fn _ -> Process.exit(self(), :kill) end, {:exit, :killed}},
            {fn _ -> exit({:timeout, {GenServer, :call, [:a]}}) end,
             {:exit, {:timeout, {GenServer, :call, [:a]}}}}
          ] do
        before = length(Recorder.messages(target))
        report = Loads.run(harness, target, %{threads: 3, iterations: 5}, [{:custom, fun}, :a])
        assert report.errors == %{reason => 15}
        assert %{total_operations: 30, operation_errors: 15, unfinished: 0} = report.metrics
        assert length(Recorder.messages(target)) == before + 15
        assert report.latency.failed.overall.count + report.latency.overall.count == 30
      end

      # All that it does counts for what the run is held to.
      options = %{performance_expectations: [max_error_rate: 0.1]}

      result =
        Loads.result(
          harness,
          target,
          %{threads: 1, iterations: 5},
          [{:custom, fn _ -> exit(:bang) end}, :a],
          options
        )

      assert {:error, {:performance_failed, %{expectations: [%{measured: 0.5, met: false}]}}} = result
    end
  end

  describe "a server" do
    test "that dies and comes back is served again", %{harness: harness, peer: peer} do
      name = String.to_atom(Peer.unique("mortal"))
      mortal = Peer.start_named(peer, Recorder, name)
      load = %{threads: 4, duration_ms: 2_500, think_ms: 10}
      run = start_run(harness, Loads.scenario({name, peer.node}, load, [:a, {:hold, 5}]))
      Wait.until("some load", fn -> length(Recorder.messages(mortal)) > 50 end)
      Process.exit(mortal, :kill)
      Wait.until("its end", fn -> Peer.call(peer, :erlang, :whereis, [name]) == :undefined end)
      Process.sleep(300)
      again = Peer.start_named(peer, Recorder, name)
      assert {:ok, report} = Task.await(run, 60_000)
      Loads.assert_sums(report)

      # Ended well, then not, then well again: those under way were told that it was killed, others noproc.
      results =
        report.events
        |> Enum.sort_by(& &1.timestamp_us)
        |> Enum.map(&elem(&1.result, 0))
        |> Enum.dedup()

      assert hd(results) == :ok and :error in results and List.last(results) == :ok
      assert report.errors.noproc > 10
      assert Map.keys(report.errors) -- [:noproc, :killed] == []
      assert report.metrics.operation_errors < report.metrics.total_operations
      assert length(Recorder.messages(again)) > 20
      # Its death is in the timeline between two times without any error.
      errors = Enum.map(report.timeline, &(&1.errors == %{})) |> Enum.dedup()
      assert true in errors and false in errors
    end

    test "that crashes at each call is what the load finds", %{harness: harness, peer: peer} do
      target = Recorder.start(peer)
      load = %{rate: 100, duration_ms: 300}
      result = Loads.result(harness, target, load, [{:crash, :bang}])
      assert result == {:error, {:load_failed, :nothing_succeeded}}
      target = Recorder.start(peer)
      report = Loads.run(harness, target, load, [{:crash, :bang}], Loads.allow_failure())
      assert report.metrics.total_operations == 30 and report.metrics.operation_errors == 30
      assert report.errors[:bang] >= 1 and report.errors[:noproc] >= 1

      assert Enum.any?(
               report.events,
               &match?({:error, {:bang, {GenServer, :call, [^target, {:crash, :bang}, 1000]}}}, &1.result)
             )
    end

    test "whose node is lost", %{harness: harness} do
      peer = Peer.start()
      target = Recorder.start(peer)
      load = %{rate: 200, duration_ms: 1_500, max_in_flight: 20}
      run = start_run(harness, Loads.scenario(target, load, [{:hold, 20}]))
      Wait.until("some load", fn -> length(Recorder.messages(target)) > 20 end)
      Peer.kill(peer)
      assert {:ok, report} = Task.await(run, 60_000)
      Loads.assert_sums(report)
      assert report.errors[{:nodedown, peer.node}] > 10
      assert %{total_operations: operations, dropped: dropped} = report.metrics
      assert operations + dropped == 300
    end
  end

  describe "a target that cannot be" do
    # A pid of the daemon itself fails without a round trip to anywhere: it must not be tried for ever in one pass.
    test "holds up nobody else", %{harness: harness} do
      daemon = %RawNode{name: to_string(harness.node), creation: 1}
      here = RawNode.pid(daemon)

      scenario = %{
        setup: fn -> {:ok, here} end,
        cleanup: fn _, _ -> :ok end,
        load: %{threads: 50, duration_ms: 1_000},
        operations: [:a],
        performance_expectations: [max_error_rate: 1.0]
      }

      run = start_run(harness, scenario)
      Wait.until("the run", fn -> Harness.call(harness, :info, []).runs == 1 end)
      assert {:ok, report} = Task.await(run, 60_000)
      assert %{noproc: count} = report.errors
      assert report.metrics.total_operations == count
      assert count > 50
    end

    test "is dialled again, but not all the time", %{harness: harness} do
      load = %{threads: 1, duration_ms: 500}

      report =
        Loads.run(
          harness,
          {:nobody, :"nobody@127.0.0.1"},
          load,
          [:a],
          Map.put(Loads.allow_failure(), :events, :none)
        )

      assert report.errors == %{{:nodedown, :"nobody@127.0.0.1"} => report.metrics.total_operations}
      assert report.metrics.total_operations in 2..501
    end
  end

  describe "a run" do
    test "that loses the node of its hooks says so, whatever it has missed", %{harness: harness} do
      peer = Peer.start()
      target = Recorder.start(peer)
      other = Peer.start()

      scenario =
        Loads.scenario(target, %{threads: 2, duration_ms: 30_000}, [{:hold, 20}], %{
          hooks_node: other.node,
          invariant: {:erlang, :is_pid, []},
          performance_expectations: [min_ops_per_s: 1_000_000]
        })

      run = start_run(harness, scenario)
      Wait.until("some load", fn -> length(Recorder.messages(target)) > 20 end)
      Peer.kill(other)
      assert Task.await(run, 60_000) == {:error, {:nodedown, other.node}}
    end

    test "that is cancelled in the middle of its load cleans up", %{
      harness: harness,
      target: target,
      peer: peer
    } do
      for load <- [
            %{threads: 5, duration_ms: 60_000, think_ms: 5},
            %{rate: 300, duration_ms: 60_000, max_in_flight: 2},
            %{stages: [%{duration_ms: 60_000, threads: 50}]}
          ] do
        test = self()
        options = %{cleanup: {Recorder, :cleanup, [test]}, hooks_node: peer.node, events: :none}
        scenario = Loads.scenario(target, load, [{:hold, 20}, {:cast, :a}], options)
        caller = Hooks.start_caller(harness.node, scenario, test)
        before = length(Recorder.messages(target))
        Wait.until("some load", fn -> length(Recorder.messages(target)) > before + 30 end)
        Process.exit(caller, :kill)
        assert_receive {:cleaned, ^target}, 10_000
        Wait.until("its end", fn -> running(harness) == 0 end)
      end
    end

    test "that is ended with the daemon", %{target: target, peer: peer} do
      harness = Harness.start()
      test = self()
      options = %{cleanup: {Recorder, :cleanup, [test]}, hooks_node: peer.node}
      load = %{rate: 300, duration_ms: 60_000}
      Hooks.start_caller(harness.node, Loads.scenario(target, load, [:a], options), test)
      Wait.until("some load", fn -> length(Recorder.messages(target)) > 30 end)
      Harness.terminate(harness)
      assert_receive {:cleaned, ^target}, 10_000
      assert_receive {:result, _, {:error, {kind, report}}}, 10_000
      assert kind in [:cancelled, :interrupted]
      Loads.assert_sums(report)
      assert report.metrics.total_operations > 10
      assert Harness.await_exit(harness) == 0
    end

    test "beyond the limits is refused, or waits for the others", %{target: target} do
      harness = Harness.start(config: %{"limits" => %{"threads" => 10, "in_flight" => 10}})
      busy = &{:error, {:busy, &1}}
      assert Loads.result(harness, target, %{threads: 11, iterations: 1}, [:a]) == busy.(:threads)
      open = %{rate: 1, duration_ms: 1}
      assert Loads.result(harness, target, Map.put(open, :max_in_flight, 11), [:a]) == busy.(:in_flight)
      assert Loads.result(harness, target, open, [:a]) == busy.(:in_flight)
      stages = [%{duration_ms: 1, threads: 1}, %{duration_ms: 1, threads: 11}]
      assert Loads.result(harness, target, %{stages: stages}, [:a]) == busy.(:threads)

      run = start_run(harness, Loads.scenario(target, %{threads: 6, iterations: 1}, [{:hold, 800}]))
      Wait.until("its threads", fn -> Recorder.most_open(target) == 6 end)
      assert {:ok, _} = Loads.result(harness, target, %{threads: 4, iterations: 1}, [:a])
      assert {:ok, _} = Loads.result(harness, target, %{threads: 5, iterations: 1}, [:a])
      assert {:ok, _} = Task.await(run, 0)
      assert {:ok, _} = Loads.result(harness, target, %{threads: 10, iterations: 1}, [:a])
    end

    test "comes from erl as well", %{harness: harness} do
      plain = Peer.start(elixir: false)
      target = Peer.start_server(plain, :plain_subject, 0)

      # What a user would type there.
      call = """
      Run = fun(Load) -> erpc:call('#{harness.node}', harness, run,
          [\#{target => Target, load => Load, events => none, seed => 3, spread => round_robin,
             mix => [\#{weight => 2, op => {add, 1}}, [{weight, 1}, {op, {'$cast', {add, 2}}}]],
             performance_expectations => [{max_error_rate, 0}], abort_when => [max_error_rate]}]) end,
      {ok, Closed} = Run(\#{threads => 5, iterations => 20, think_ms => {1, 3}}),
      {ok, Open} = Run([{rate, 200}, {duration_ms, 200}, {arrival, constant}]),
      {ok, Staged} = Run(\#{stages => [[{duration_ms, 200}, {rate, 200}]], ramp => step}),
      [maps:get(total_operations, maps:get(metrics, Report)) || Report <- [Closed, Open, Staged]].
      """

      {:ok, tokens, _} = :erl_scan.string(to_charlist(call))
      {:ok, expressions} = :erl_parse.parse_exprs(tokens)
      bindings = [Target: target]
      assert {:value, [100, 40, 40], _} = Peer.call(plain, :erl_eval, :exprs, [expressions, bindings])
    end
  end
end
