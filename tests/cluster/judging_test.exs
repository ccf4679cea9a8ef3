defmodule JudgingTest do
  @moduledoc """
  Operations that are not calls, chaos beside the threads, what is measured, and which failure is the run's.
  """
  use ClusterCase, shared: true

  setup %{peer: peer} do
    {:ok, target: Peer.start_server(peer, Subject)}
  end

  defp run(harness, target, threads, options \\ []) do
    Harness.run(harness, Map.merge(%{target: target, threads: threads}, Map.new(options)))
  end

  defp wait_forever, do: Process.sleep(:infinity)

  # Says who it is, and waits until told to go on.
  defp hold(test, name) do
    send(test, {:holding, name, self()})

    receive do
      :go -> name
    end
  end

  defp assert_gone(pid) do
    monitor = Process.monitor(pid)
    assert_receive {:DOWN, ^monitor, :process, ^pid, _}, 10_000
  end

  describe "custom operations" do
    test "give what their fun gives", %{harness: harness, target: target} do
      threads = [[{:custom, fn server -> {:saw, server} end}, fn server -> GenServer.call(server, :get) end]]
      assert {:ok, report} = run(harness, target, threads)
      assert results(report) == [[{:ok, {:saw, target}}, {:ok, 0}]]
      assert Enum.map(report.events, & &1.operation) == [:custom, :custom]
    end

    test "are given the target as it was named", %{harness: harness, peer: peer} do
      Peer.start_named(peer, Subject, :customised)
      name = {:customised, peer.node}
      assert {:ok, report} = run(harness, name, [[fn server -> {server, GenServer.call(server, :get)} end]])
      assert result(report) == {:ok, {name, 0}}
    end

    test "give whatever it is unchanged", %{harness: harness, target: target} do
      for term <- [{:error, :no}, :error, nil, [1 | 2], fn -> 1 end] do
        assert {:ok, report} = run(harness, target, [[fn _ -> term end]])
        assert result(report) == {:ok, term}
        assert report.metrics.operation_errors == 0
      end
    end

    test "have errors for results when they raise", %{harness: harness, target: target} do
      script = [fn _ -> raise "boom" end, fn _ -> :erlang.error(:badarg) end, :get]
      assert {:ok, report} = run(harness, target, [script])
      assert [[{:error, {%RuntimeError{message: "boom"}, stack}}, second, {:ok, 0}]] = results(report)
      assert [_ | _] = stack
      assert {:error, {%ArgumentError{}, [_ | _]}} = second
      assert %{total_operations: 3, operation_errors: 2} = report.metrics
      assert [%{errors: 2}] = report.threads
      assert report.errors[%RuntimeError{message: "boom"}] == 1
    end

    test "fail their thread when they exit, throw, or are killed", %{harness: harness, target: target} do
      for {fun, expected} <- [
            {fn _ -> exit(:bang) end, &(&1 == :bang)},
            {fn _ -> exit({:a, "reason"}) end, &(&1 == {:a, "reason"})},
            {fn _ -> exit(:normal) end, &(&1 == :normal)},
            {fn _ -> throw(:ball) end, &match?({{:nocatch, :ball}, [_ | _]}, &1)},
            {fn _ -> Process.exit(self(), :kill) end, &(&1 == :killed)},
            {fn _ -> spawn_link(fn -> exit(:with_me) end) && wait_forever() end, &(&1 == :with_me)},
            {fn server -> GenServer.call(server, :never, 50) end,
             &(&1 == {:timeout, {GenServer, :call, [target, :never, 50]}})}
          ] do
        assert {:error, {:thread_failure, {:error, reason}}} = run(harness, target, [[fun, :get], [:get]])
        assert expected.(reason), inspect(reason)
      end
    end

    test "block only their thread", %{harness: harness, target: target} do
      test = self()

      run =
        start_run(harness, %{target: target, threads: [[fn _ -> hold(test, :a) end], [{:tell, test, :b}]]})

      assert_receive {:holding, :a, worker}, 10_000
      assert_receive {:told, _, from, :b}, 10_000
      GenServer.reply(from, :answered)
      # The other thread has ended when its server has answered a call after it.
      assert :erpc.call(node(target), :gen_server, :call, [target, :get]) == 0
      send(worker, :go)
      assert {:ok, report} = Task.await(run)
      assert results(report) == [[{:ok, :a}], [{:ok, :answered}]]
    end

    test "run each in a process of its own, all at once", %{harness: harness, target: target} do
      test = self()
      threads = for name <- 1..20, do: [fn _ -> hold(test, name) end]
      run = start_run(harness, %{target: target, threads: threads})

      workers =
        for name <- 1..20 do
          assert_receive {:holding, ^name, worker}, 10_000
          worker
        end

      assert workers == Enum.uniq(workers)
      for worker <- workers, do: send(worker, :go)
      assert {:ok, report} = Task.await(run)
      assert results(report) == for(name <- 1..20, do: [{:ok, name}])
    end

    test "run no more at once than the configuration allows", %{target: target} do
      harness = Harness.start(config: %{"limits" => %{"custom" => 2}})
      test = self()
      threads = for name <- 1..5, do: [fn _ -> hold(test, name) end]
      run = start_run(harness, %{target: target, threads: threads})

      held = fn name ->
        assert_receive {:holding, ^name, worker}, 10_000
        worker
      end

      last =
        Enum.reduce(2..5, held.(1), fn name, before ->
          worker = held.(name)
          refute_receive {:holding, _, _}, 100
          send(before, :go)
          worker
        end)

      send(last, :go)
      assert {:ok, report} = Task.await(run)
      assert results(report) == for(name <- 1..5, do: [{:ok, name}])
    end

    test "are ended with their run", %{harness: harness, target: target} do
      test = self()
      started = fn _ -> send(test, {:worker, self()}) && wait_forever() end
      {time, result} = timed(fn -> run(harness, target, [[:get], [started]], timeout_ms: 200) end)
      assert result == {:error, {:thread_failure, {:error, :timeout}}}
      assert time in 200..4_000
      assert_receive {:worker, worker}
      assert_gone(worker)
    end
  end

  describe "other operations" do
    test "plain messages and casts wait for nothing", %{harness: harness} do
      threads = [[{:"$send", {:plain, 1}}, {:"$cast", {:a, "cast"}}, {:"$send", [1 | 2]}]]
      assert {:ok, report} = run(harness, self(), threads)
      assert results(report) == [[{:ok, :ok}, {:ok, :ok}, {:ok, :ok}]]
      assert_received {:plain, 1}
      assert_received {:"$gen_cast", {:a, "cast"}}
      assert_received [1 | 2]
      refute_received {:"$gen_call", _, _}
      assert Enum.map(report.events, & &1.operation) == hd(threads)
    end

    test "sleeping delays its thread only", %{harness: harness, target: target} do
      assert {:ok, report} = run(harness, target, [[{:"$sleep", 300}, :get], [:get]])
      assert results(report) == [[{:ok, :ok}, {:ok, 0}], [{:ok, 0}]]
      [%{duration_us: slept, operation: {:"$sleep", 300}}, after_it, other] = report.events
      assert slept in 300_000..3_000_000
      assert after_it.timestamp_us >= 300_000 and other.timestamp_us < after_it.timestamp_us
    end

    test "sleeping ends with the threads' time", %{harness: harness, target: target} do
      {time, result} = timed(fn -> run(harness, target, [[{:"$sleep", 60_000}]], timeout_ms: 200) end)
      assert result == {:error, {:thread_failure, {:error, :timeout}}}
      assert time in 200..4_000
    end

    test "a cast without a handler for its sync fails a strict thread", %{harness: harness, peer: peer} do
      for module <- [CastOnlySubject, OneClauseSubject], {sync, text} <- [sync_a: ":sync_a"] do
        server = Peer.start_server(peer, module)
        options = [strict_cast_sync?: true, cast_sync_message: sync]

        assert {:error, {:thread_failure, {:error, {%ArgumentError{message: message}, stack}}}} =
                 run(harness, server, [[{:cast, :any}, :get]], options)

        assert [_ | _] = stack

        assert message ==
                 "GenServer #{inspect(server)} must handle #{text} to use cast_and_sync/4 in strict mode"
      end
    end

    test "a cast with one passes in strict mode", %{harness: harness, target: target} do
      assert {:ok, report} = run(harness, target, [[{:cast, {:add, 1}}, :get]], strict_cast_sync?: true)
      assert results(report) == [[{:ok, :ok}, {:ok, 1}]]
    end
  end

  describe "chaos" do
    test "is applied to subject and context", %{harness: harness, target: target} do
      test = self()

      chaos = fn subject, context ->
        send(test, {:chaos, subject, context})
        {:done, 7}
      end

      assert {:ok, report} = run(harness, target, [[:get]], chaos: chaos, metadata: %{team: "a"})
      assert_received {:chaos, ^target, context}
      assert Map.keys(context) == [:metadata, :setup_context]
      assert %{team: "a", scenario_id: id} = context.metadata
      assert context.setup_context == %{} and id == report.run_id
      assert %{result: {:done, 7}, duration_ms: duration} = report.chaos
      assert is_integer(duration) and map_size(report.chaos) == 2
    end

    test "may give nil", %{harness: harness, target: target} do
      assert {:ok, %{chaos: %{result: nil}}} = run(harness, target, [[:get]], chaos: fn _, _ -> nil end)
    end

    test "runs beside the threads, and is awaited", %{harness: harness, target: target} do
      test = self()
      chaos = fn _, _ -> hold(test, :chaos) end
      run = start_run(harness, %{target: target, threads: [[{:tell, test, 1}]], chaos: chaos})
      assert_receive {:holding, :chaos, worker}, 10_000
      assert_receive {:told, _, from, 1}, 10_000
      GenServer.reply(from, :ok)
      assert :erpc.call(node(target), :gen_server, :call, [target, :get]) == 0
      assert running(harness) == 1
      send(worker, :go)
      assert {:ok, %{chaos: %{result: :chaos}}} = Task.await(run)
    end

    test "that disturbs the server shows in the results", %{harness: harness} do
      setup = fn -> GenServer.start(Subject, []) end

      scenario = %{
        setup: setup,
        threads: [[:never]],
        chaos: fn server, _ -> Process.exit(server, :kill) end
      }

      assert {:ok, report} = Harness.run(harness, scenario)
      assert {:error, reason} = result(report)
      assert reason == :noproc or match?({:killed, {GenServer, :call, [_, :never, 1000]}}, reason)
    end

    test "fails", %{harness: harness, target: target} do
      for {fun, expected} <- [
            {fn -> raise "boom" end, &match?({%RuntimeError{message: "boom"}, [_ | _]}, &1)},
            {fn -> exit({:a, 1}) end, &(&1 == {:a, 1})},
            {fn -> exit(:normal) end, &(&1 == :normal)},
            {fn -> throw(:ball) end, &match?({{:nocatch, :ball}, [_ | _]}, &1)},
            {fn -> Process.exit(self(), :kill) end, &(&1 == :killed)}
          ] do
        assert {:error, {:chaos_failed, reason}} =
                 run(harness, target, [[:get]], chaos: fn _, _ -> fun.() end)

        assert expected.(reason), inspect(reason)
      end
    end

    test "takes too long", %{harness: harness, target: target} do
      test = self()
      chaos = fn _, _ -> send(test, {:chaos, self()}) && wait_forever() end
      {time, result} = timed(fn -> run(harness, target, [[:get]], chaos: chaos, timeout_ms: 200) end)
      assert result == {:error, {:chaos_failed, :timeout}}
      assert time in 200..4_000
      assert_received {:chaos, worker}
      assert_gone(worker)
    end

    test "is cancelled when a thread fails", %{harness: harness, target: target} do
      test = self()
      chaos = fn _, _ -> hold(test, :chaos) end

      thread = fn _ ->
        # Only once the chaos is there.
        hold(test, :thread)
        exit(:bang)
      end

      run = start_run(harness, %{target: target, threads: [[thread]], chaos: chaos, timeout_ms: 60_000})
      assert_receive {:holding, :chaos, chaos_worker}, 10_000
      assert_receive {:holding, :thread, thread_worker}, 10_000
      send(thread_worker, :go)
      assert Task.await(run, 10_000) == {:error, {:thread_failure, {:error, :bang}}}
      assert_gone(chaos_worker)
    end
  end

  describe "the run's failure" do
    test "is that of the first thread, not the first in time", %{harness: harness, target: target} do
      threads = [[:get], [{:"$sleep", 200}, fn _ -> exit(:late) end], [fn _ -> exit(:early) end]]
      assert run(harness, target, threads) == {:error, {:thread_failure, {:error, :late}}}
      threads = [[{:"$sleep", 60_000}], [fn _ -> exit(:early) end]]
      assert run(harness, target, threads, timeout_ms: 200) == {:error, {:thread_failure, {:error, :timeout}}}
      threads = [[fn _ -> exit(:early) end], [{:"$sleep", 60_000}]]
      assert run(harness, target, threads, timeout_ms: 200) == {:error, {:thread_failure, {:error, :early}}}
    end

    test "is the thread's before the chaos's", %{harness: harness, target: target} do
      threads = [[{:"$sleep", 200}, fn _ -> exit(:thread) end]]

      assert run(harness, target, threads, chaos: fn _, _ -> exit(:chaos) end) ==
               {:error, {:thread_failure, {:error, :thread}}}
    end

    test "leaves out the invariant", %{harness: harness, target: target} do
      test = self()

      for options <- [
            [threads: [[fn _ -> exit(:bang) end]]],
            [chaos: fn _, _ -> exit(:bang) end],
            [performance_expectations: [max_time_ms: 0.001]]
          ] do
        options = Keyword.put(options, :invariant, fn _, _ -> send(test, :checked) end)
        assert {:error, _} = run(harness, target, [[:get]], options)
      end

      refute_received :checked
    end

    test "is a missed expectation's before all others", %{harness: harness, target: target} do
      missed = [performance_expectations: [max_time_ms: 0.001]]

      for options <- [
            [threads: [[fn _ -> exit(:bang) end]]],
            [chaos: fn _, _ -> exit(:bang) end],
            [chaos: fn _, _ -> wait_forever() end, timeout_ms: 200],
            [threads: [[:never]], timeout_ms: 200],
            [invariant: fn _, _ -> false end]
          ] do
        assert {:error, {:performance_failed, %{error: %RuntimeError{}}}} =
                 run(harness, target, [[:get]], options ++ missed)
      end
    end

    test "is the others' when all expectations are met", %{harness: harness, target: target} do
      met = [performance_expectations: [max_time_ms: 60_000]]

      assert run(harness, target, [[fn _ -> exit(:bang) end]], met) ==
               {:error, {:thread_failure, {:error, :bang}}}

      assert run(harness, target, [[:get]], [{:chaos, fn _, _ -> exit(:bang) end} | met]) ==
               {:error, {:chaos_failed, :bang}}

      assert run(harness, target, [[:get]], [{:invariant, fn _, _ -> false end} | met]) ==
               {:error, {:invariant_failed, :returned_false}}
    end
  end

  describe "performance" do
    defp missed(harness, target, expectations, threads \\ [[:get]]) do
      options = [performance_expectations: expectations]
      assert {:error, {:performance_failed, failure}} = run(harness, target, threads, options)
      assert %{error: %RuntimeError{message: message}, measurement: measurement} = failure
      assert Enum.sort(Map.keys(failure)) == [:error, :expectations, :measurement, :run_id]
      assert_measurement(measurement)
      {message, measurement}
    end

    defp assert_measurement(measurement) do
      assert Enum.sort(Map.keys(measurement)) == [:memory_bytes, :reductions, :time_us]
      for {_, number} <- measurement, do: assert(is_integer(number) and number >= 0)
    end

    test "is in the report when it is expected", %{harness: harness, target: target} do
      expectations = [max_time_ms: 60_000, max_memory_bytes: 1_000_000_000, max_reductions: 1_000_000_000]

      assert {:ok, report} = run(harness, target, [[{:"$sleep", 50}]], performance_expectations: expectations)

      assert_measurement(report.performance)
      assert report.performance.time_us in 50_000..5_000_000
      assert {:ok, %{performance: nil}} = run(harness, target, [[:get]], performance_expectations: [])
    end

    test "too slow", %{harness: harness, target: target} do
      {message, measurement} = missed(harness, target, max_time_ms: 0.001)

      assert [_, number] =
               Regex.run(~r/^Execution time (\d+\.\d{1,2})ms exceeded maximum of 0.001ms$/, message)

      assert number == to_string(Float.round(measurement.time_us / 1000, 2))
      {message, _} = missed(harness, target, max_time_ms: 0)
      assert message =~ ~r/^Execution time \d+\.\d{1,2}ms exceeded maximum of 0ms$/
      {message, _} = missed(harness, target, [max_time_ms: 20], [[{:"$sleep", 50}]])
      assert message =~ ~r/^Execution time \d+\.\d{1,2}ms exceeded maximum of 20ms$/
    end

    test "too much work", %{harness: harness, target: target} do
      {message, measurement} = missed(harness, target, max_reductions: 0)
      assert message == "Reductions #{measurement.reductions} exceeded maximum of 0"
    end

    test "too much memory", %{harness: harness, target: target} do
      test = self()

      keep = fn _ ->
        {:ok, agent} = Agent.start(fn -> :binary.copy("x", 50_000_000) end)
        send(test, {:agent, agent})
      end

      {message, measurement} = missed(harness, target, [max_memory_bytes: 1_000_000], [[keep]])
      assert message == "Memory usage #{measurement.memory_bytes} bytes exceeded maximum of 1000000 bytes"
      assert_received {:agent, agent}
      Agent.stop(agent)
    end

    test "the first missed in the order of the list is the error", %{harness: harness, target: target} do
      {message, _} = missed(harness, target, max_time_ms: 60_000, max_reductions: 0, max_time_ms: 0.001)
      assert message =~ "Reductions"
      {message, _} = missed(harness, target, max_time_ms: 0.001, max_reductions: 0)
      assert message =~ "Execution time"
    end
  end

  describe "the mailbox" do
    # A server that takes nothing out of its mailbox.
    defp flooded(peer, already) do
      server = Peer.start_server(peer, Subject)
      :ok = Peer.call(peer, :sys, :suspend, [server])
      for number <- 1..already//1, do: send(server, number)
      Wait.until("messages", fn -> queue_length(peer, server) == already end)
      server
    end

    defp queue_length(peer, server) do
      {:message_queue_len, length} = Peer.call(peer, :erlang, :process_info, [server, :message_queue_len])
      length
    end

    test "is not observed unless asked for", %{harness: harness, target: target} do
      assert {:ok, %{mailbox: nil, metrics: %{mailbox_observed?: false}}} = run(harness, target, [[:get]])

      assert {:ok, %{mailbox: nil, metrics: %{mailbox_observed?: false}}} =
               run(harness, target, [[:get]], mailbox: nil)
    end

    test "of a server that keeps up", %{harness: harness, target: target} do
      for options <- [[], %{}, [sampling_interval: 1], %{sampling_interval: 500}] do
        assert {:ok, report} = run(harness, target, [[:get, {:"$sleep", 30}]], mailbox: options)
        # The one call may be seen there.
        assert %{initial_size: 0, final_size: 0, max_size: most, avg_size: average} = report.mailbox
        assert most in 0..1 and average < 0.5
        assert map_size(report.mailbox) == 4
        assert report.metrics.mailbox_observed?
      end
    end

    test "of a server that is flooded", %{harness: harness, peer: peer} do
      server = flooded(peer, 3)
      script = for(number <- 1..50, do: {:"$send", number}) ++ [{:"$sleep", 50}]
      assert {:ok, report} = run(harness, server, [script], mailbox: [sampling_interval: 1])
      assert %{initial_size: 3, final_size: 53, max_size: 53, avg_size: average} = report.mailbox
      assert is_float(average) and average > 3 and average < 53
      assert queue_length(peer, server) == 53
    end

    test "at its end counts even when no sample came before", %{harness: harness, peer: peer} do
      server = flooded(peer, 0)
      script = for number <- 1..50, do: {:"$send", number}
      assert {:ok, report} = run(harness, server, [script], mailbox: [sampling_interval: 60_000])
      assert report.mailbox == %{initial_size: 0, final_size: 50, max_size: 50, avg_size: 25.0}
    end

    test "of each target of a list", %{harness: harness, peer: peer, target: target} do
      Peer.start_named(peer, Subject, :mailbox_of_a_name)
      server = flooded(peer, 2)
      targets = [target, {:mailbox_of_a_name, peer.node}, server]
      assert {:ok, report} = run(harness, targets, [[:get], [:get]], mailbox: [])

      assert [%{max_size: _}, %{initial_size: 0}, %{initial_size: 2, final_size: 2, avg_size: 2.0}] =
               report.mailbox

      assert {:ok, %{mailbox: [%{initial_size: 2}]}} = run(harness, [server], [[]], mailbox: [])
    end

    test "of a server that is made by setup", %{harness: harness} do
      setup = fn ->
        {:ok, server} = GenServer.start_link(Subject, [])
        :sys.suspend(server)
        send(server, :one)
        {:ok, server}
      end

      scenario = %{setup: setup, threads: [[{:"$send", :two}]], mailbox: []}
      assert {:ok, %{mailbox: %{initial_size: 1, final_size: 2}}} = Harness.run(harness, scenario)
    end

    test "of a server that dies is what it last was", %{harness: harness, peer: peer} do
      server = flooded(peer, 4)
      kill = fn server -> Process.exit(server, :kill) end

      assert {:ok, report} =
               run(harness, server, [[{:"$sleep", 100}, kill, {:"$sleep", 50}]],
                 mailbox: [sampling_interval: 1]
               )

      assert report.mailbox == %{initial_size: 4, final_size: 4, max_size: 4, avg_size: 4.0}
    end

    test "of a server that is not there", %{harness: harness, peer: peer} do
      gone = Peer.call(peer, :erlang, :spawn, [:erlang, :node, []])
      assert {:ok, report} = run(harness, gone, [[:get]], mailbox: [])
      assert result(report) == {:error, :noproc}
      assert report.mailbox == %{initial_size: 0, final_size: 0, max_size: 0, avg_size: 0.0}
    end

    test "of a server whose node is not there", %{harness: harness, target: target} do
      targets = [{:someone, :"nobody@127.0.0.1"}, target]
      assert {:ok, report} = run(harness, targets, [[{:"$sleep", 1}]], mailbox: [])
      assert [nil, %{initial_size: 0}] = report.mailbox
    end

    test "of a global name", %{harness: harness} do
      {:ok, pid} = start_supervised(%{id: :global, start: {GenServer, :start_link, [Subject, []]}})
      :yes = :global.register_name(:mailbox_of_a_global, pid)
      :sys.suspend(pid)
      send(pid, :one)
      assert {:ok, report} = run(harness, {:global, :mailbox_of_a_global}, [[{:"$send", :two}]], mailbox: [])
      assert %{initial_size: 1, final_size: 2} = report.mailbox
    end

    test "is sampled even when a thread fails", %{harness: harness, target: target} do
      options = [mailbox: [], invariant: fn _, _ -> :ok end]
      assert {:error, {:thread_failure, _}} = run(harness, target, [[fn _ -> exit(:bang) end]], options)
    end
  end
end
