defmodule HooksThreadTest do
  @moduledoc "Operations with names and expectations, and threads with a state of their own."
  use ClusterCase, shared: true

  setup %{peer: peer} do
    {:ok, target: Peer.start_server(peer, Subject)}
  end

  defp rows(report), do: Map.new(report.latency.operations, fn {name, row} -> {name, row.count} end)

  describe "an operation in a map" do
    test "has a row of its name, and its events have it", %{harness: harness, target: target} do
      script = [
        %{op: {:add, 1}, name: :more},
        %{op: {:call, {:add, 2}}, name: :more},
        %{op: fn pid -> GenServer.call(pid, :get) end, name: "look"},
        fn pid -> GenServer.call(pid, :get) end,
        %{op: :get}
      ]

      assert {:ok, report} = Harness.run(harness, %{target: target, threads: [script]})
      assert results(report) == [[ok: 1, ok: 3, ok: 3, ok: 3, ok: 3]]
      assert rows(report) == %{:more => 2, "look" => 1, :custom => 1, {:call, :get} => 1}
      assert Map.keys(report.latency.service.operations) == Map.keys(report.latency.operations)
      assert Enum.map(report.events, & &1[:name]) == [:more, :more, "look", nil, nil]

      assert Enum.map(report.events, & &1.operation) ==
               [{:call, {:add, 1}}, {:call, {:add, 2}}, :custom, :custom, {:call, :get}]

      assert Harness.call(harness, :show, [report]) =~ ~r/^ +more /m
    end

    test "in a mix as well, with the name in or beside the map", %{harness: harness, target: target} do
      mix = [
        %{weight: 1, op: %{op: {:add, 1}, name: :in}},
        %{weight: 1, op: {:add, 2}, name: :beside},
        %{weight: 1, op: {:add, {:"$int", 1, 3}}}
      ]

      scenario = %{target: target, load: %{threads: 2, iterations: 100}, mix: mix, seed: 1}
      assert {:ok, report} = Harness.run(harness, scenario)
      assert Map.keys(rows(report)) |> Enum.sort() == [:beside, :in, {:call, {:add, {:"$int", 1, 3}}}]
      assert report.metrics.total_operations == 200
    end

    test "fails when the reply is not what is expected", %{harness: harness, target: target} do
      script = [
        %{op: {:echo, %{a: 1, b: {2, "x"}}}, expect: %{a: 1}},
        %{op: {:echo, %{a: 1, b: {2, "x"}}}, expect: %{b: {:_, "x"}}},
        %{op: {:echo, %{a: 1}}, expect: %{a: 1, c: :_}},
        %{op: {:echo, {:error, :timeout}}},
        %{op: {:echo, {:error, :timeout}}, expect: {:ok, :_}},
        %{op: {:echo, [1, 2, 3]}, expect: [1, :_, 3]},
        %{op: {:echo, ~c"abc"}, expect: [97, :_, :_]},
        %{op: fn _ -> {:ok, 1.0} end, expect: {:ok, 1}},
        %{op: {:cast, {:add, 1}}, expect: :ok},
        %{op: {:echo, 5}, expect: :_}
      ]

      assert {:ok, report} = Harness.run(harness, %{target: target, threads: [script]})

      assert [
               {:ok, _},
               {:ok, _},
               {:error, {:unexpected, %{a: 1}}},
               {:ok, {:error, :timeout}},
               {:error, {:unexpected, {:error, :timeout}}},
               {:ok, [1, 2, 3]},
               {:ok, ~c"abc"},
               {:error, {:unexpected, {:ok, 1.0}}},
               {:ok, _},
               {:ok, 5}
             ] = hd(results(report))

      assert report.metrics.operation_errors == 3

      assert report.errors == %{
               {:unexpected, %{a: 1}} => 1,
               {:unexpected, {:error, :timeout}} => 1,
               {:unexpected, {:ok, 1.0}} => 1
             }
    end

    test "counts for max_error_rate and in the metrics", %{target: target} do
      harness = Harness.start(config: Http.config())
      port = Http.port(harness)

      scenario = %{
        target: target,
        load: %{threads: 1, iterations: 10},
        operations: [%{op: {:echo, :a}, expect: :b}],
        performance_expectations: [max_error_rate: 0.5]
      }

      assert {:error, {:performance_failed, _}} = Harness.run(harness, scenario)
      {200, _, body} = Http.get(port, "/metrics")
      assert body =~ ~r/harnessd_operation_errors_total\{[^}]*unexpected[^}]*\} 10/
      refute body =~ ~r/^harnessd_named/m
    end

    test "is told under its name where errors are, and in the metrics", %{target: target} do
      harness = Harness.start(config: Http.config())
      port = Http.port(harness)
      echo = %{op: {:echo, :a}, name: "read", expect: :b}
      scenario = %{target: target, threads: [[echo, :get, echo, %{op: {:"$send", :a}, name: :tell}]]}
      assert {:ok, report} = Harness.run(harness, scenario)
      assert [%{operation: "read", count: 2, sample: {:unexpected, :a}}] = report.error_samples
      assert Harness.call(harness, :show, [report]) =~ "2, the first of <<\"read\">>"
      {200, _, body} = Http.get(port, "/metrics")
      assert body =~ ~s(harnessd_named_operations_total{name="read"} 2)
      assert body =~ ~s(harnessd_named_operation_errors_total{name="read"} 2)
      assert body =~ ~s(harnessd_named_operations_total{name="tell"} 1)
      assert body =~ ~s(harnessd_named_operation_errors_total{name="tell"} 0)
    end

    test "is refused with what is wrong", %{harness: harness, target: target} do
      for {operation, path, message} <- [
            {%{op: :a, nmae: :b}, [:threads, 0, 0, :nmae], "did you mean name"},
            {%{op: {:"$send", :a}, expect: :ok}, [:threads, 0, 0, :expect], "nobody answers"},
            {%{op: {:custom, 7}}, [:threads, 0, 0, :op], "arity 1 or 2"}
          ] do
        assert [problem] = problems(harness, %{target: target, threads: [[operation]]})
        assert problem.path == path
        assert problem.message =~ message
      end
    end

    test "reads back as it is", %{harness: harness, target: target} do
      operation = %{op: {:call, :a}, name: :n, expect: {:ok, :_}}
      assert {:ok, normalised} = Harness.call(harness, :validate, [%{target: target, threads: [[operation]]}])
      assert normalised.threads == [[operation]]
    end
  end

  describe "a custom operation of two arguments" do
    test "knows where it is", %{harness: harness, target: target} do
      hook = fn pid, place -> {pid, place} end
      scenario = %{target: target, threads: [[hook, {:custom, hook}], [:get, hook]], seed: 77}
      assert {:ok, report} = Harness.run(harness, scenario)
      assert [[first, second], [_, third]] = results(report)
      place = %{seed: 77, state: nil}
      assert first == {:ok, {target, Map.merge(place, %{thread: 0, step: 0})}}
      assert second == {:ok, {target, Map.merge(place, %{thread: 0, step: 1})}}
      assert third == {:ok, {target, Map.merge(place, %{thread: 1, step: 1})}}
    end

    test "is a function of a module that takes no other number of them", %{harness: harness, target: target} do
      scenario = %{
        target: target,
        threads: [[{:custom, {ThreadHooks, :place, [:extra]}}, {:custom, {ThreadHooks, :alone, []}}]]
      }

      assert {:ok, report} = Harness.run(harness, scenario)
      assert [[{:ok, {%{thread: 0, step: 0}, :extra}}, {:ok, {:alone, ^target}}]] = results(report)
    end
  end

  describe "a thread that is set up" do
    defp tell(test, what) do
      send(test, {what, self()})
      what
    end

    defp with_state(test, options) do
      Map.merge(
        %{
          thread_setup: fn %{thread: thread} ->
            send(test, {:set_up, thread, self()})
            {:state, thread, self()}
          end,
          thread_cleanup: fn {:state, thread, pid} -> send(test, {:cleaned, thread, pid, self()}) end
        },
        Map.new(options)
      )
    end

    test "has a state, in one process with all its operations", %{harness: harness, target: target} do
      test = self()
      operation = fn _, %{state: {:state, thread, pid}} -> {thread, pid, self()} end
      plain = fn _ -> self() end
      scenario = with_state(test, target: target, threads: List.duplicate([operation, :get, plain, operation], 3))
      assert {:ok, report} = Harness.run(harness, scenario)

      for {[first, _, second, third], thread} <- Enum.with_index(results(report)) do
        assert_received {:set_up, ^thread, pid}
        assert_received {:cleaned, ^thread, ^pid, ^pid}
        assert first == {:ok, {thread, pid, pid}}
        assert second == {:ok, pid}
        assert third == first
        refute Process.alive?(pid)
      end

      refute_received {:set_up, _, _}
    end

    test "is cleaned up in its own process, however late that says that it has done its last operation", %{harness: harness, target: target} do
      burners = for _ <- 1..8, do: spawn_link(fn -> Enum.each(Stream.cycle([1]), & &1) end)

      scenario = %{
        target: target,
        load: %{threads: 8, iterations: 2},
        thread_setup: fn _ -> self() end,
        thread_cleanup: fn process -> true = process == self() end,
        # It may be scheduled out behind any of its steps, and is not in again soon.
        operations: [fn _, _ -> Process.flag(:priority, :low) && Enum.sum(1..:rand.uniform(4000)) end],
        events: :none,
        timeout_ms: 60_000
      }

      for _ <- 1..20, do: assert({:ok, _} = Harness.run(harness, scenario, 60_000))
      for burner <- burners, do: Process.unlink(burner) && Process.exit(burner, :kill)
    end

    test "is not, when it has no custom operation", %{harness: harness, target: target} do
      scenario = with_state(self(), target: target, threads: [[:get], [fn _ -> :ok end]])
      assert {:ok, _} = Harness.run(harness, scenario)
      assert_received {:set_up, 1, _}
      refute_received {:set_up, 0, _}
    end

    test "has its time for itself", %{harness: harness, target: target} do
      setup = fn _ -> Process.sleep(300) end
      scenario = %{target: target, thread_setup: setup, threads: [[fn _ -> :ok end, fn _ -> :ok end]]}
      assert {:ok, report} = Harness.run(harness, scenario)
      assert report.latency.overall.max_us < 200_000
      assert report.metrics.duration_ms >= 300
    end

    test "keeps its state whatever an operation raises", %{harness: harness, target: target} do
      script = [
        fn _, %{state: state} -> raise inspect(state) end,
        fn _, %{state: state} -> state end
      ]

      scenario = %{target: target, thread_setup: fn _ -> make_ref() end, threads: [script]}
      assert {:ok, report} = Harness.run(harness, scenario)
      assert [[{:error, {%RuntimeError{message: text}, _}}, {:ok, state}]] = results(report)
      assert text == inspect(state)
    end

    test "is set up anew when its process has died, and the old state is cleaned up", context do
      %{harness: harness, target: target} = context
      test = self()
      script = [fn _ -> exit_when_told(test) end, fn _, %{state: {:state, _, pid}} -> pid end]
      scenario = with_state(test, target: target, load: %{threads: 1, iterations: 1}, operations: script)
      run = start_run(harness, Map.put(scenario, :events, :all))
      assert_receive {:set_up, 0, first}, 10_000
      assert_receive {:running, ^first}, 10_000
      Process.exit(first, :kill)
      _ = Task.await(run, 60_000)
      assert_receive {:cleaned, 0, ^first, other}, 10_000
      assert other != first
    end

    defp exit_when_told(test) do
      tell(test, :running)
      Process.sleep(:infinity)
    end

    test "dies with what it is linked to, and is made anew", %{harness: harness, target: target} do
      # The first connection of the thread dies between two operations.
      scenario = %{
        target: target,
        thread_setup: fn _ -> spawn_link(fn -> Process.sleep(:infinity) end) end,
        threads: [
          [
            fn _, %{state: connection} -> {connection, self()} end,
            fn _, %{state: connection} -> Process.exit(connection, :shutdown) && :gone end,
            {:"$sleep", 300},
            fn _, %{state: connection} -> {connection, self()} end
          ]
        ]
      }

      assert {:ok, report} = Harness.run(harness, scenario)
      assert [[{:ok, {one, first}}, {:ok, :gone}, {:ok, :ok}, {:ok, {two, second}}]] = results(report)
      assert one != two and first != second
      Wait.until("the end of all of them", fn -> not Enum.any?([one, two, first, second], &Process.alive?/1) end)
    end

    test "that cannot be set up fails the operations by name", %{harness: harness, target: target} do
      for {setup, expected} <- [
            {fn _ -> raise "no channel" end, &match?({%RuntimeError{message: "no channel"}, [_ | _]}, &1)},
            {fn _ -> throw(:away) end, &match?({{:throw, :away}, [_ | _]}, &1)},
            {fn _ -> Process.exit(self(), :kill) end, &match?({{:exit, :killed}, []}, &1)}
          ] do
        scenario = %{target: target, thread_setup: setup, threads: [[fn _ -> 1 end, :get, fn _ -> 2 end]]}
        assert {:ok, report} = Harness.run(harness, scenario)
        assert [[{:error, first}, {:ok, 0}, {:error, second}]] = results(report)

        for {{:thread_setup_failed, exception}, stack} <- [first, second],
            do: assert(expected.({exception, stack}))

        assert report.metrics.operation_errors == 2
      end
    end

    test "that takes too long to set up is given up", %{harness: harness, target: target} do
      scenario = %{
        target: target,
        thread_setup: fn _ -> Process.sleep(:infinity) end,
        hook_timeout_ms: 200,
        threads: [[fn _ -> 1 end]]
      }

      assert {:ok, report} = Harness.run(harness, scenario)
      assert result(report) == {:error, {{:thread_setup_failed, :timeout}, []}}
    end

    test "makes the run fail when it cannot be cleaned up", %{harness: harness, target: target} do
      for {cleanup, expected} <- [
            {fn _ -> raise "stuck" end, &match?({%RuntimeError{message: "stuck"}, [_ | _]}, &1)},
            {fn _ -> Process.sleep(:infinity) end, &match?({{:exit, :timeout}, []}, &1)}
          ] do
        scenario = %{
          target: target,
          thread_setup: fn _ -> :state end,
          thread_cleanup: cleanup,
          hook_timeout_ms: 300,
          threads: [[fn _ -> 1 end], [fn _ -> 1 end]]
        }

        assert {:error, {:cleanup_failed, {:cleanup_failed, why}, report}} = Harness.run(harness, scenario)
        assert expected.(why)
        assert report.metrics.total_operations == 2
      end
    end

    test "is cleaned up before the subject is", %{harness: harness} do
      test = self()

      scenario = %{
        setup: fn -> GenServer.start_link(Subject, []) end,
        thread_setup: fn _ -> :state end,
        thread_cleanup: fn _ -> tell(test, :thread) end,
        cleanup: fn _, _ -> tell(test, :subject) end,
        invariant: fn _, _ -> tell(test, :invariant) end,
        threads: [[fn _ -> 1 end]]
      }

      assert {:ok, _} = Harness.run(harness, scenario)
      {:messages, messages} = Process.info(test, :messages)
      order = for {what, _} <- messages, what in [:thread, :subject, :invariant], do: what
      assert order == [:invariant, :thread, :subject]
    end

    test "is cleaned up when the run is cancelled in an operation", %{harness: harness, target: target} do
      test = self()
      scenario = with_state(test, target: target, threads: [[fn _ -> exit_when_told(test) end], [fn _ -> 1 end]])
      assert {:ok, id} = Harness.call(harness, :start, [Map.put(scenario, :hooks_node, node())])
      assert_receive {:running, busy}, 10_000
      Wait.until("the other operation", fn -> Harness.call(harness, :status, [id]).operations == 1 end)
      assert :ok = Harness.call(harness, :cancel, [id])
      assert {:error, {:cancelled, _}} = Harness.call(harness, :await, [id])
      assert_receive {:cleaned, 0, ^busy, other} when other != busy
      assert_receive {:cleaned, 1, idle, idle}
    end

    test "is cleaned up when the daemon dies", %{target: target} do
      harness = Harness.start()
      test = self()
      scenario = with_state(test, target: target, threads: [[fn _ -> exit_when_told(test) end], [fn _ -> 1 end]])
      spawn(fn -> Harness.run(harness, scenario) end)
      assert_receive {:running, busy}, 10_000
      assert_receive {:set_up, 1, idle}, 10_000
      Harness.kill(harness)
      assert_receive {:cleaned, 0, ^busy, _}, 10_000
      assert_receive {:cleaned, 1, ^idle, _}, 10_000
    end

    test "serves an open load, whose arrivals have waited for it", %{harness: harness, target: target} do
      scenario = %{
        target: target,
        thread_setup: fn _ -> Process.sleep(50) end,
        load: %{rate: 200, duration_ms: 1_000, max_in_flight: 8},
        operations: [%{op: fn _, %{state: :ok} -> :done end, name: :publish, expect: :done}]
      }

      assert {:ok, report} = Harness.run(harness, scenario)
      assert report.metrics.operation_errors == 0
      assert %{publish: 200} = rows(report)
      assert report.latency.overall.max_us >= 40_000
    end
  end
end

defmodule ThreadHooks do
  @moduledoc false
  def place(_subject, place, extra), do: {place, extra}
  def alone(subject), do: {:alone, subject}
  def alone(subject, _), do: {:not_alone, subject}
end
