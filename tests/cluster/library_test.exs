defmodule LinkedSubject do
  @moduledoc "A server as users of the library have them, with a start_link/1."
  def start_link(options) do
    if test = options[:test], do: send(test, {:started, self(), options})
    GenServer.start_link(Subject, options)
  end
end

defmodule LibraryTest do
  @moduledoc "Functions of the library beside `run`: they make scenarios, or bound a run from outside."
  use ClusterCase, shared: true

  @library Supertester.ConcurrentHarness

  defp simple(harness, operations, threads, options \\ nil) do
    arguments = [LinkedSubject, operations, threads] ++ if options, do: [options], else: []
    :erpc.call(harness.node, @library, :simple_genserver_scenario, arguments)
  end

  defp property(harness, config, options \\ nil) do
    arguments = [LinkedSubject, config] ++ if options, do: [options], else: []
    :erpc.call(harness.node, @library, :from_property_config, arguments)
  end

  defp run(harness, scenario), do: :erpc.call(harness.node, @library, :run, [scenario])

  describe "simple_genserver_scenario" do
    test "starts the module and repeats the operations", %{harness: harness} do
      scenario = simple(harness, [{:add, 1}, {:cast, {:add, 1}}, fn _ -> :custom end], 3)
      assert is_map(scenario)
      assert {:ok, report} = run(harness, scenario)

      assert [[{:ok, _}, {:ok, :ok}, {:ok, :custom}], [_, _, _], [_, _, _]] = results(report)
      assert %{thread_count: 3, total_operations: 9, operation_errors: 0} = report.metrics
      assert %{module: LinkedSubject, thread_count: 3, scenario_id: _} = report.metadata
      assert map_size(report.metadata) == 3
    end

    test "passes server_opts on", %{harness: harness} do
      options = [server_opts: [test: self(), a: 1]]
      assert {:ok, _} = run(harness, simple(harness, [:get], 1, options))
      test = self()
      assert_received {:started, _, [test: ^test, a: 1]}
    end

    test "takes the library's options", %{harness: harness} do
      test = self()

      options = [
        default_operation: :cast,
        call_timeout_ms: 333,
        timeout_ms: 4_444,
        invariant: fn server, context ->
          send(test, {:invariant, server, context.team})
          true
        end,
        cleanup: fn server, _ -> send(test, {:cleanup, server}) end,
        setup: fn -> {:ok, elem(GenServer.start_link(Subject, []), 1), %{team: :red}} end,
        metadata: %{team: "a", thread_count: :mine},
        mailbox: [sampling_interval: 1],
        chaos: fn _, _ -> :disturbed end,
        performance_expectations: [max_time_ms: 60_000]
      ]

      scenario = simple(harness, [{:add, 1}, {:call, :get}], 2, options)
      assert {:ok, checked} = Harness.call(harness, :validate, [scenario])
      assert %{default_operation: :cast, call_timeout_ms: 333, timeout_ms: 4_444} = checked
      assert checked.threads == List.duplicate([{:cast, {:add, 1}}, {:call, :get}], 2)
      assert {:ok, report} = run(harness, scenario)
      assert_received {:invariant, server, :red}
      assert_received {:cleanup, ^server}
      assert %{mailbox: %{max_size: _}, chaos: %{result: :disturbed}, performance: %{time_us: _}} = report
      assert %{team: "a", thread_count: :mine, module: LinkedSubject} = report.metadata
    end

    test "options that are nil are not given", %{harness: harness} do
      options = [setup: nil, cleanup: nil, mailbox: nil, chaos: nil, server_opts: []]
      assert {:ok, report} = run(harness, simple(harness, [:get], 1, options))
      assert %{mailbox: nil, chaos: nil, performance: nil} = report
    end

    test "is refused what the library refuses", %{harness: harness} do
      for {operations, threads} <- [{[:get], 0}, {[:get], -1}, {[:get], :many}, {:get, 1}] do
        assert {:error, {:exception, :function_clause, [{@library, :simple_genserver_scenario, [_, _, _], []}]}} =
                 raised(fn -> simple(harness, operations, threads) end)
      end

      assert {:error, {:exception, :function_clause, _}} =
               raised(fn ->
                 :erpc.call(harness.node, @library, :simple_genserver_scenario, ["module", [:get], 1])
               end)
    end

    test "is there for GenServer calls", %{harness: harness} do
      server = {:harness, harness.node}
      scenario = GenServer.call(server, {:simple_genserver_scenario, LinkedSubject, [:get], 2})
      assert {:ok, report} = GenServer.call(server, {:run, scenario})
      assert results(report) == [[{:ok, 0}], [{:ok, 0}]]
    end

    test "works from a node without Elixir", %{harness: harness} do
      plain = Peer.start(elixir: false)
      Peer.load(plain, :plain_subject)
      # What `plain_subject:start_link/1` would be.
      setup = {:gen_server, :start_link, [:plain_subject, 5, []]}
      arguments = [:plain_subject, [{:add, 1}], 1, [setup: setup]]

      scenario =
        Peer.call(plain, :erpc, :call, [harness.node, :harness, :simple_genserver_scenario, arguments])

      assert {:ok, report} = Peer.call(plain, :erpc, :call, [harness.node, :harness, :run, [scenario]])
      assert result(report) == {:ok, 6}
    end
  end

  describe "from_property_config" do
    test "takes its threads from the configuration", %{harness: harness} do
      config = %{thread_scripts: [[{:call, {:add, 1}}, {:add, 2}], [:get]]}
      assert {:ok, report} = run(harness, property(harness, config))
      assert [[{:ok, 1}, {:ok, 3}], [{:ok, _}]] = results(report)
      assert %{module: LinkedSubject, scenario_id: _} = report.metadata
      assert map_size(report.metadata) == 2
    end

    test "takes everything from the configuration first, then from the options", %{harness: harness} do
      test = self()

      config = %{
        thread_scripts: [[:get]],
        timeout_ms: 1_111,
        invariant: fn _, _ -> send(test, :invariant_of_config) end,
        metadata: %{team: "config", size: 1},
        other: :ignored
      }

      options = [
        timeout_ms: 2_222,
        call_timeout_ms: 333,
        invariant: fn _, _ -> send(test, :invariant_of_options) end,
        cleanup: fn _, _ -> send(test, :cleanup_of_options) end,
        metadata: %{team: "options"},
        mailbox: [],
        chaos: fn _, _ -> :disturbed end,
        default_operation: :cast,
        performance_expectations: [max_time_ms: 60_000],
        server_opts: [test: test]
      ]

      scenario = property(harness, config, options)
      assert {:ok, checked} = Harness.call(harness, :validate, [scenario])
      assert %{timeout_ms: 1_111, call_timeout_ms: 333, default_operation: :cast} = checked
      assert {:ok, report} = run(harness, scenario)
      assert_received :invariant_of_config
      refute_received :invariant_of_options
      assert_received :cleanup_of_options
      assert_received {:started, _, [test: ^test]}
      assert %{team: "options", size: 1, module: LinkedSubject} = report.metadata
      assert %{mailbox: %{}, chaos: %{}, performance: %{}} = report
    end

    test "needs thread_scripts", %{harness: harness} do
      assert {:error, {:exception, _, [_ | _]}} = raised(fn -> property(harness, %{threads: [[:get]]}) end)
    end
  end

  test "default_invariant", %{harness: harness} do
    assert :erpc.call(harness.node, @library, :default_invariant, [self(), %{}]) == :ok
    assert GenServer.call({:harness, harness.node}, {:default_invariant, self(), %{}}) == :ok
  end

  describe "run_with_performance" do
    setup %{harness: harness} do
      {:ok, scenario: simple(harness, [:get, {:"$sleep", 30}], 1)}
    end

    defp bounded(harness, scenario, expectations),
      do: :erpc.call(harness.node, @library, :run_with_performance, [scenario, expectations])

    test "answers as run does when all is met", %{harness: harness, scenario: scenario} do
      for expectations <- [[], [max_time_ms: 60_000, max_reductions: 1_000_000_000]] do
        assert {:ok, report} = bounded(harness, scenario, expectations)
        assert results(report) == [[{:ok, 0}, {:ok, :ok}]]
        assert report.performance == nil
      end

      failing = Map.put(scenario, :threads, [[fn _ -> exit(:bang) end]])
      assert bounded(harness, failing, max_time_ms: 60_000) == {:error, {:thread_failure, {:error, :bang}}}
    end

    test "raises what is missed", %{harness: harness, scenario: scenario} do
      assert {:error, {:exception, %RuntimeError{message: message}, stack}} =
               raised(fn -> bounded(harness, scenario, max_time_ms: 20) end)

      assert message =~ ~r/^Execution time \d+\.\d{1,2}ms exceeded maximum of 20ms$/
      assert is_list(stack)

      assert {:error, {:exception, %RuntimeError{message: "Reductions " <> _}, _}} =
               raised(fn -> bounded(harness, scenario, max_reductions: 0, max_time_ms: 20) end)
    end

    test "raises even when the run has failed", %{harness: harness, scenario: scenario} do
      for {key, value} <- [
            threads: [[fn _ -> exit(:bang) end]],
            setup: fn -> {:error, :no} end,
            cleanup: fn _, _ -> raise "boom" end,
            invariant: fn _, _ -> false end
          ] do
        assert {^key, {:error, {:exception, %RuntimeError{message: "Execution time" <> _}, _}}} =
                 {key, raised(fn -> bounded(harness, Map.put(scenario, key, value), max_time_ms: 0.001) end)}
      end
    end

    test "measures setup and cleanup too", %{harness: harness, scenario: scenario} do
      slow = Map.put(scenario, :cleanup, fn _, _ -> Process.sleep(300) end)

      assert {:error, {:exception, %RuntimeError{}, _}} =
               raised(fn -> bounded(harness, slow, max_time_ms: 300) end)

      slow = Map.put(scenario, :setup, fn -> Process.sleep(300) && GenServer.start_link(Subject, []) end)

      assert {:error, {:exception, %RuntimeError{}, _}} =
               raised(fn -> bounded(harness, slow, max_time_ms: 300) end)
    end

    test "answers a GenServer call with the exception", %{harness: harness, scenario: scenario} do
      server = {:harness, harness.node}

      assert {:error, {:exception, %RuntimeError{message: "Execution time" <> _}, stack}} =
               GenServer.call(server, {:run_with_performance, scenario, [max_time_ms: 0.001]})

      assert is_list(stack)
      assert {:ok, _} = GenServer.call(server, {:run_with_performance, scenario, []})
    end

    test "raises over rpc", %{harness: harness, scenario: scenario} do
      arguments = [scenario, [max_time_ms: 0.001]]

      assert {:badrpc, {:EXIT, {%RuntimeError{message: "Execution time" <> _}, _}}} =
               :rpc.call(harness.node, @library, :run_with_performance, arguments)
    end

    test "is refused what is no expectation", %{harness: harness, scenario: scenario} do
      assert {:error, {:invalid_scenario, [%{problem: :unknown_key, message: message}]}} =
               bounded(harness, scenario, max_time_sm: 1)

      assert message =~ "max_time_ms"
      assert {:error, {:invalid_scenario, [%{problem: :wrong_type}]}} = bounded(harness, scenario, :fast)
      assert {:error, {:invalid_scenario, [_ | _]}} = bounded(harness, %{}, max_time_ms: 1)
    end

    test "raises the text on a node without Elixir", %{harness: harness} do
      plain = Peer.start(elixir: false)
      target = Peer.start_server(plain, :plain_subject, 0)
      arguments = [%{target: target, threads: [[{:add, 1}]]}, [max_time_ms: 0.001]]
      call = [harness.node, :harness, :run_with_performance, arguments]

      assert {:error, {:exception, "Execution time" <> _, _}} =
               raised(fn -> Peer.call(plain, :erpc, :call, call) end)
    end
  end
end
