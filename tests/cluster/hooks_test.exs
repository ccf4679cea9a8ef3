defmodule HookFunctions do
  @moduledoc "Hooks as {module, function, extra_args}."
  def start(test), do: told(test, :setup, [], GenServer.start_link(Subject, []))
  def start_with(test, context), do: start(test) |> Tuple.append(context)
  def check(subject, context, test, answer), do: told(test, :invariant, [subject, context], answer)
  def clean(subject, context, test), do: told(test, :cleanup, [subject, context], :ok)
  def disturb(subject, context, test), do: told(test, :chaos, [subject, context], :disturbed)
  def double(subject, number), do: {subject, 2 * number}

  defp told(test, hook, arguments, answer) do
    send(test, {hook, self(), arguments})
    answer
  end
end

defmodule HooksTest do
  @moduledoc "What setup, invariant and cleanup may do, where they run, and what comes of it."
  use ClusterCase, shared: true
  import ExUnit.CaptureIO

  # A scenario whose setup makes a server and tells who does so.
  defp scenario(options \\ []) do
    test = self()

    setup = fn ->
      {:ok, server} = GenServer.start_link(Subject, [])
      send(test, {:setup, self(), server})
      {:ok, server, %{made: :by_setup}}
    end

    Map.merge(%{setup: setup, threads: [[{:add, 1}]]}, Map.new(options))
  end

  # What a hook does wrong, and what stands for it in the error. What is in it for `Erlang` has no Elixir.
  defp failures do
    [
      {fn -> raise "boom" end, &match?({%RuntimeError{message: "boom"}, [_ | _]}, &1)},
      {fn -> raise ArgumentError, "odd" end, &match?({%ArgumentError{message: "odd"}, [_ | _]}, &1)},
      {fn -> :erlang.error(:badarg) end, &match?({%ArgumentError{}, [_ | _]}, &1)},
      {fn -> :erlang.error({:badmatch, 7}) end, &match?({%MatchError{term: 7}, [_ | _]}, &1)},
      {fn -> :erlang.error(:whatever) end, &match?({%ErlangError{original: :whatever}, [_ | _]}, &1)},
      {fn -> apply(Absent, :function, [1]) end,
       &match?({%UndefinedFunctionError{module: Absent}, [_ | _]}, &1)},
      {fn -> throw({:a, "ball"}) end, &match?({{:throw, {:a, "ball"}}, [_ | _]}, &1)},
      {fn -> exit({:the, :door}) end, &match?({{:exit, {:the, :door}}, [_ | _]}, &1)},
      {fn -> exit(:normal) end, &match?({{:exit, :normal}, [_ | _]}, &1)}
    ]
  end

  defp assert_gone(pid) do
    monitor = Process.monitor(pid)
    assert_receive {:DOWN, ^monitor, :process, ^pid, _}, 10_000
  end

  defp session do
    assert_received {:setup, session, server}
    {session, server}
  end

  describe "setup" do
    test "gives a process", %{harness: harness} do
      setup = fn -> GenServer.start_link(Subject, []) end
      assert {:ok, report} = Harness.run(harness, %{setup: setup, threads: [[{:add, 1}, {:add, 2}], [:get]]})
      assert [[{:ok, 1}, {:ok, 3}], [{:ok, _}]] = results(report)
      assert report.context == %{}
    end

    test "gives a process and a context", %{harness: harness} do
      assert {:ok, report} = Harness.run(harness, scenario())
      assert report.context == %{made: :by_setup}
      assert result(report) == {:ok, 1}
      big = Map.new(1..1_000, &{&1, String.duplicate("x", 100)})
      setup = fn -> {:ok, elem(GenServer.start_link(Subject, []), 1), big} end
      assert {:ok, %{context: ^big}} = Harness.run(harness, scenario(setup: setup))
    end

    test "gives a process of another node", %{harness: harness, peer: peer} do
      target = Peer.start_server(peer, Subject)
      options = [setup: fn -> {:ok, target} end, cleanup: fn _, _ -> :ok end]
      assert {:ok, report} = Harness.run(harness, scenario(options))
      assert result(report) == {:ok, 1}
      assert Peer.call(peer, :erlang, :is_process_alive, [target])
    end

    test "gives an error, which is that of the run", %{harness: harness} do
      test = self()

      for reason <- [:no_database, {:a, %{b: 1}}, "text", nil, [], self()] do
        options = [
          setup: fn -> {:error, reason} end,
          cleanup: fn _, _ -> send(test, :cleaned) end,
          invariant: fn _, _ -> send(test, :checked) end
        ]

        assert Harness.run(harness, scenario(options)) == {:error, reason}
      end

      refute_received :cleaned
      refute_received :checked
    end

    test "gives what is neither", %{harness: harness} do
      test = self()

      for term <- [
            :ok,
            self(),
            nil,
            {:ok, 1},
            {:ok, nil},
            {:ok},
            {:ok, self(), [a: 1]},
            {:ok, self(), nil},
            {:ok, self(), %{}, 1},
            {:error},
            {:error, 1, 2},
            [ok: self()],
            "text",
            Enum.to_list(1..1000)
          ] do
        options = [setup: fn -> term end, cleanup: fn _, _ -> send(test, :cleaned) end]
        assert Harness.run(harness, scenario(options)) == {:error, {:invalid_setup_return, term}}
      end

      refute_received :cleaned
    end

    test "raises, throws or exits", %{harness: harness} do
      test = self()

      for {failure, expected} <- failures() do
        setup = fn ->
          send(test, {:setup, self(), spawn_link(fn -> Process.sleep(:infinity) end)})
          failure.()
        end

        options = [setup: setup, cleanup: fn _, _ -> send(test, :cleaned) end]
        assert {:error, {:setup_failed, detail}} = Harness.run(harness, scenario(options))
        assert expected.(detail), inspect(detail)
        {session, linked} = session()
        assert_gone(session)
        assert_gone(linked)
      end

      refute_received :cleaned
    end

    test "never returns", %{harness: harness} do
      test = self()

      setup = fn ->
        send(test, {:setup, self(), spawn_link(fn -> Process.sleep(:infinity) end)})
        Process.sleep(:infinity)
      end

      {time, result} = timed(fn -> Harness.run(harness, scenario(setup: setup, hook_timeout_ms: 200)) end)
      assert result == {:error, {:setup_failed, :timeout}}
      assert time in 200..4_000
      {session, linked} = session()
      assert_gone(session)
      assert_gone(linked)
      assert running(harness) == 0
    end

    test "is killed", %{harness: harness} do
      setup = fn -> Process.exit(self(), :kill) end
      assert {:error, _} = Harness.run(harness, scenario(setup: setup))
      assert running(harness) == 0
    end

    test "what it has started lives as long as the run", %{harness: harness} do
      test = self()

      cleanup = fn server, _ ->
        send(test, {:alive, Process.alive?(server), Process.info(self(), :links)})
      end

      assert {:ok, _} = Harness.run(harness, scenario(cleanup: cleanup))
      {session, server} = session()
      assert_received {:alive, true, {:links, links}}
      assert server in links
      assert_gone(session)
      assert_gone(server)
    end
  end

  describe "the session" do
    test "is one process for all hooks", %{harness: harness} do
      test = self()

      setup = fn ->
        Process.put(:secret, 42)
        send(self(), :note)
        {:ok, server} = GenServer.start_link(Subject, [])
        send(test, {:setup, self(), server})
        {:ok, server}
      end

      invariant = fn _, _ ->
        receive do
          :note -> send(test, {:invariant, self(), Process.get(:secret)})
        after
          0 -> false
        end
      end

      cleanup = fn _, _ -> send(test, {:cleanup, self(), Process.get(:secret)}) end

      assert {:ok, _} = Harness.run(harness, scenario(setup: setup, invariant: invariant, cleanup: cleanup))

      {session, _} = session()
      assert node(session) == node()
      assert_received {:invariant, ^session, 42}
      assert_received {:cleanup, ^session, 42}
    end

    test "takes what comes to it from others", %{harness: harness} do
      setup = fn ->
        for term <- [:stop, {:a, :b, :c}, {:"$gen_call", {self(), make_ref()}, :x}, {:EXIT, self(), :x}],
            do: send(self(), term)

        spawn_link(fn -> exit(:not_normal) end)
        GenServer.start_link(Subject, [])
      end

      assert {:ok, report} = Harness.run(harness, scenario(setup: setup))
      assert result(report) == {:ok, 1}
    end

    test "is on hooks_node", %{harness: harness, peer: peer} do
      Peer.load(peer, Subject)

      options = [
        setup: {:gen_server, :start_link, [Subject, [], []]},
        invariant: erlang("fun(Pid, _) -> Test ! {invariant, node(), node(Pid), self()} end", Test: self()),
        hooks_node: peer.node
      ]

      assert {:ok, report} = Harness.run(harness, scenario(options))
      assert result(report) == {:ok, 1}
      assert_receive {:invariant, on, on, session}, 10_000
      assert on == peer.node
      assert_gone(session)
    end

    test "is on a node that is not there", %{harness: harness} do
      options = [hooks_node: :"nobody@127.0.0.1"]
      assert Harness.run(harness, scenario(options)) == {:error, {:nodedown, :"nobody@127.0.0.1"}}
    end

    test "is on a node that goes away", %{harness: harness} do
      for hook <- [:setup, :invariant, :cleanup] do
        peer = Peer.start()
        arity = if hook == :setup, do: "", else: "_, _"
        wait = erlang("fun(#{arity}) -> Test ! waiting, receive never -> ok end end", Test: self())
        Peer.load(peer, Subject)

        options =
          Keyword.merge(
            [
              setup: {:gen_server, :start_link, [Subject, [], []]},
              hooks_node: peer.node,
              hook_timeout_ms: 20_000
            ],
            [{hook, wait}]
          )

        run = start_run(harness, scenario(options))
        assert_receive :waiting, 10_000
        Peer.kill(peer)
        node = peer.node

        assert {hook, Task.await(run, 20_000)} == {hook, {:error, {:nodedown, node}}}
      end
    end
  end

  describe "cleanup" do
    test "without one the server is asked to end", %{harness: harness} do
      test = self()

      setup = fn ->
        {:ok,
         spawn_link(fn ->
           Process.flag(:trap_exit, true)

           receive do
             {:EXIT, from, reason} -> send(test, {:asked, from, reason})
           end
         end)}
      end

      assert {:ok, _} = Harness.run(harness, scenario(setup: setup, threads: [[]]))
      assert_received {:asked, _, :shutdown}
    end

    test "without one a server that does not listen is killed", %{harness: harness} do
      test = self()

      setup = fn ->
        server =
          spawn_link(fn ->
            Process.flag(:trap_exit, true)

            receive do
              {:EXIT, _, reason} -> send(test, {:asked, reason})
            end

            Process.sleep(:infinity)
          end)

        send(test, {:server, server})
        {:ok, server}
      end

      {time, result} = timed(fn -> Harness.run(harness, scenario(setup: setup, threads: [[]])) end)
      assert {:ok, _} = result
      assert time in 1_000..4_000
      assert_received {:asked, :shutdown}
      assert_received {:server, server}
      refute Process.alive?(server)
    end

    test "without one a server that is gone already is no failure", %{harness: harness} do
      assert {:ok, report} = Harness.run(harness, scenario(threads: [[:stop]]))
      assert result(report) == {:ok, :stopped}
      assert {:ok, _} = Harness.run(harness, scenario(threads: [[{:crash, :bang}, :get]]))
    end

    test "without one a server of another node is ended too", %{harness: harness, peer: peer} do
      server = Peer.start_server(peer, Subject)
      assert {:ok, _} = Harness.run(harness, scenario(setup: fn -> {:ok, server} end))
      refute Peer.call(peer, :erlang, :is_process_alive, [server])
    end

    test "without one neither session nor caller are ended", %{harness: harness} do
      test = self()
      options = [threads: [[{:"$send", :hello}]]]
      assert {:ok, _} = Harness.run(harness, scenario([{:setup, fn -> {:ok, self()} end} | options]))

      {_, monitor} =
        spawn_monitor(fn ->
          caller = self()
          result = Harness.run(harness, scenario([{:setup, fn -> {:ok, caller} end} | options]))
          send(test, {:result, result})
        end)

      assert_receive {:DOWN, ^monitor, :process, _, :normal}, 10_000
      assert_received {:result, {:ok, _}}
    end

    test "without one a target lives on", %{harness: harness, peer: peer} do
      target = Peer.start_server(peer, Subject)

      assert {:ok, _} =
               Harness.run(harness, %{target: target, threads: [[:get]], invariant: fn _, _ -> :ok end})

      assert Peer.call(peer, :erlang, :is_process_alive, [target])
    end

    test "is given subject and context, and its answer does not matter", %{harness: harness} do
      test = self()

      for answer <- [:ok, false, nil, {:error, :no}, :error] do
        cleanup = fn server, context ->
          send(test, {:cleanup, server, context})
          answer
        end

        assert {:ok, _} = Harness.run(harness, scenario(cleanup: cleanup))
        {_, server} = session()
        assert_received {:cleanup, ^server, %{made: :by_setup}}
      end
    end

    test "of a target is given it as it was named", %{harness: harness, peer: peer} do
      test = self()
      pid = Peer.start_server(peer, Subject)
      Peer.start_named(peer, Subject, :to_be_cleaned)

      for target <- [pid, {:to_be_cleaned, peer.node}, [pid, {:to_be_cleaned, peer.node}]] do
        cleanup = fn subject, context -> send(test, {:cleanup, subject, context}) end
        assert {:ok, _} = Harness.run(harness, %{target: target, threads: [[:get]], cleanup: cleanup})
        assert_received {:cleanup, ^target, context}
        assert context == %{}
      end
    end

    test "that fails wraps the report", %{harness: harness} do
      for {failure, expected} <- failures() do
        options = [cleanup: fn _, _ -> failure.() end]

        assert {:error, {:cleanup_failed, {:cleanup_failed, detail}, report}} =
                 Harness.run(harness, scenario(options))

        assert expected.(detail), inspect(detail)
        assert %{events: [%{result: {:ok, 1}}], context: %{made: :by_setup}} = report
        {session, server} = session()
        assert_gone(session)
        assert_gone(server)
      end
    end

    test "that fails wraps an earlier failure", %{harness: harness} do
      options = [cleanup: fn _, _ -> raise "boom" end, invariant: fn _, _ -> false end]

      assert {:error, {:cleanup_failed, {:cleanup_failed, {%RuntimeError{}, _}}, reason}} =
               Harness.run(harness, scenario(options))

      assert reason == {:invariant_failed, :returned_false}
    end

    test "that never returns", %{harness: harness} do
      options = [cleanup: fn _, _ -> Process.sleep(:infinity) end, hook_timeout_ms: 200]
      {time, result} = timed(fn -> Harness.run(harness, scenario(options)) end)
      assert {:error, {:cleanup_failed, {:cleanup_failed, :timeout}, %{events: [_]}}} = result
      assert time in 200..4_000
      {session, server} = session()
      assert_gone(session)
      assert_gone(server)
    end

    test "runs whatever has failed before", %{harness: harness} do
      test = self()

      failures = [
        threads: [[fn _ -> exit(:thread) end]],
        chaos: fn _, _ -> exit(:chaos) end,
        invariant: fn _, _ -> false end,
        invariant: fn _, _ -> raise "boom" end,
        invariant: fn _, _ -> Process.sleep(:infinity) end,
        invariant: fn _, _ -> Process.exit(self(), :kill) end,
        performance_expectations: [max_time_ms: 0.001]
      ]

      for {key, value} <- failures do
        cleanup = fn server, context -> send(test, {:cleanup, server, context}) end
        options = [{key, value}, {:cleanup, cleanup}, {:hook_timeout_ms, 300}]
        assert {^key, {:error, reason}} = {key, Harness.run(harness, scenario(options))}
        refute match?({:cleanup_failed, _, _}, reason)
        {_, server} = session()
        assert_received {:cleanup, ^server, %{made: :by_setup}}
      end
    end
  end

  describe "the invariant" do
    test "is given what has happened", %{harness: harness} do
      test = self()

      options = [
        invariant: fn server, context -> send(test, {:invariant, server, context}) end,
        metadata: %{team: "a"},
        mailbox: [],
        chaos: fn _, _ -> :done end,
        performance_expectations: [max_time_ms: 60_000],
        threads: [[{:add, 1}, {:cast, {:add, 1}}], [fn _ -> :custom end]]
      ]

      assert {:ok, report} = Harness.run(harness, scenario(options))
      {_, server} = session()
      assert_received {:invariant, ^server, context}

      assert Enum.sort(Map.keys(context)) ==
               [:chaos, :events, :made, :mailbox, :metadata, :metrics, :performance, :threads]

      for key <- [:events, :threads, :mailbox, :chaos, :performance, :metadata],
          do: assert({key, context[key]} == {key, report[key]})

      assert context.made == :by_setup
      assert %{team: "a", scenario_id: _} = context.metadata
      assert %{total_operations: 3, thread_count: 2, operation_errors: 0, duration_ms: _} = context.metrics
      assert %{result: :done, duration_ms: _} = context.chaos
      assert [%{thread: 0, step: 0, operation: {:call, {:add, 1}}, result: {:ok, 1}} | _] = context.events
    end

    test "is given nil for what there was not", %{harness: harness} do
      test = self()
      invariant = fn _, context -> send(test, {:invariant, context}) end
      assert {:ok, _} = Harness.run(harness, scenario(invariant: invariant))
      assert_received {:invariant, %{chaos: nil, mailbox: nil, performance: nil}}
    end

    test "sees its own keys before those of the setup", %{harness: harness} do
      test = self()

      setup = fn ->
        {:ok, server} = GenServer.start_link(Subject, [])
        {:ok, server, %{:events => :mine, :chaos => :mine, "events" => :mine, 1 => 2}}
      end

      invariant = fn _, context -> send(test, {:invariant, context}) end
      assert {:ok, report} = Harness.run(harness, scenario(setup: setup, invariant: invariant))
      assert_received {:invariant, %{:events => [_], :chaos => nil, "events" => :mine, 1 => 2}}
      assert report.context == %{:events => :mine, :chaos => :mine, "events" => :mine, 1 => 2}
    end

    test "may use the server", %{harness: harness} do
      invariant = fn server, _ -> GenServer.call(server, :get) == 1 end
      assert {:ok, _} = Harness.run(harness, scenario(invariant: invariant))
      options = [invariant: invariant, threads: [[{:add, 2}]]]

      assert Harness.run(harness, scenario(options)) ==
               {:error, {:invariant_failed, :returned_false}}
    end

    test "holds with whatever else it answers", %{harness: harness} do
      for answer <- [:ok, true, nil, 0, [], :error, {:error}, {:error, 1, 2}, {:ok, false}] do
        assert {^answer, {:ok, _}} =
                 {answer, Harness.run(harness, scenario(invariant: fn _, _ -> answer end))}
      end
    end

    test "does not hold", %{harness: harness} do
      assert Harness.run(harness, scenario(invariant: fn _, _ -> false end)) ==
               {:error, {:invariant_failed, :returned_false}}

      for reason <- [:lost, {:balance, -1}, "text", nil] do
        assert Harness.run(harness, scenario(invariant: fn _, _ -> {:error, reason} end)) ==
                 {:error, {:invariant_failed, reason}}
      end
    end

    test "raises, throws or exits", %{harness: harness} do
      for {failure, expected} <- failures() do
        assert {:error, {:invariant_failed, detail}} =
                 Harness.run(harness, scenario(invariant: fn _, _ -> failure.() end))

        assert expected.(detail), inspect(detail)
        {session, server} = session()
        assert_gone(session)
        assert_gone(server)
      end
    end

    test "never returns", %{harness: harness} do
      options = [invariant: fn _, _ -> Process.sleep(:infinity) end, hook_timeout_ms: 200]
      {time, result} = timed(fn -> Harness.run(harness, scenario(options)) end)
      assert result == {:error, {:invariant_failed, :timeout}}
      assert time in 200..5_000
      {session, server} = session()
      assert_gone(session)
      assert_gone(server)
    end

    test "of a target is given it as it was named", %{harness: harness, peer: peer} do
      test = self()
      Peer.start_named(peer, Subject, :to_be_checked)
      target = {:to_be_checked, peer.node}
      invariant = fn subject, _ -> send(test, {:invariant, subject}) end
      assert {:ok, _} = Harness.run(harness, %{target: target, threads: [[:get]], invariant: invariant})
      assert_received {:invariant, ^target}
    end

    test "is given many events", %{harness: harness} do
      test = self()
      threads = List.duplicate(List.duplicate(:get, 1_000), 20)
      invariant = fn _, context -> send(test, {:count, length(context.events)}) end

      options = [threads: threads, invariant: invariant, timeout_ms: 60_000, call_timeout_ms: 60_000]
      assert {:ok, report} = Harness.run(harness, scenario(options), 90_000)
      assert_received {:count, 20_000}
      assert length(report.events) == 20_000
    end
  end

  describe "hooks as module, function and more arguments" do
    test "are applied to their own arguments first", %{harness: harness} do
      test = self()

      scenario = %{
        setup: {HookFunctions, :start_with, [test, %{a: 1}]},
        threads: [[{:custom, {HookFunctions, :double, [21]}}]],
        invariant: {HookFunctions, :check, [test, :fine]},
        cleanup: {HookFunctions, :clean, [test]},
        chaos: {HookFunctions, :disturb, [test]}
      }

      assert {:ok, report} = Harness.run(harness, scenario)
      assert_received {:setup, session, []}
      assert_received {:invariant, ^session, [server, %{a: 1, events: [_]}]}
      assert_received {:cleanup, ^session, [^server, %{a: 1}]}
      assert_received {:chaos, worker, [^server, %{metadata: %{scenario_id: _}, setup_context: %{a: 1}}]}
      assert worker != session
      assert result(report) == {:ok, {server, 42}}
      assert report.chaos.result == :disturbed

      assert Harness.run(harness, %{scenario | invariant: {HookFunctions, :check, [test, false]}}) ==
               {:error, {:invariant_failed, :returned_false}}
    end

    test "that do not exist", %{harness: harness} do
      assert {:error, {:setup_failed, {%UndefinedFunctionError{function: :no, arity: 1}, [_ | _]}}} =
               Harness.run(harness, scenario(setup: {HookFunctions, :no, [1]}))

      assert {:error, {:invariant_failed, {%UndefinedFunctionError{arity: 2}, [_ | _]}}} =
               Harness.run(harness, scenario(invariant: {HookFunctions, :no, []}))
    end
  end

  describe "the library's struct" do
    test "runs as it is", %{harness: harness} do
      struct =
        Map.merge(scenario(), %{
          __struct__: Supertester.ConcurrentHarness.Scenario,
          timeout_ms: 5_000,
          invariant: Function.capture(Supertester.ConcurrentHarness, :default_invariant, 2),
          cleanup: Function.capture(Supertester.Internal.ProcessLifecycle, :default_cleanup, 2),
          metadata: %{team: "a"},
          call_timeout_ms: 1_000,
          cast_sync_message: :__supertester_sync__,
          strict_cast_sync?: false,
          default_operation: :call,
          mailbox: nil,
          chaos: nil,
          performance_expectations: []
        })

      assert {:ok, %{metadata: %{team: "a"}} = report} = Harness.run(harness, struct)
      assert result(report) == {:ok, 1}
      {_, server} = session()
      assert_gone(server)
    end
  end

  describe "output" do
    defp talkative do
      scenario(
        setup: fn ->
          IO.puts("from setup")
          GenServer.start_link(Subject, [])
        end,
        threads: [[fn _ -> IO.puts("from a thread") end]],
        chaos: fn _, _ -> IO.puts("from chaos") end,
        invariant: fn _, _ -> IO.puts("from invariant") end,
        cleanup: fn _, _ -> IO.puts("from cleanup") end
      )
    end

    defp sources, do: for(name <- ["setup", "a thread", "chaos", "invariant", "cleanup"], do: "from #{name}")

    test "of hooks appears where the caller's does", %{harness: harness} do
      scenario = talkative()
      output = capture_io(fn -> assert {:ok, _} = Harness.run(harness, scenario) end)
      for source <- sources(), do: assert(output =~ source)
    end

    test "of hooks appears there too when a GenServer call asks for the run", %{harness: harness} do
      scenario = talkative()
      call = fn -> GenServer.call({:harness, harness.node}, {:run, scenario}, 30_000) end
      output = capture_io(fn -> assert {:ok, _} = call.() end)
      for source <- sources(), do: assert(output =~ source)
    end

    test "of hooks elsewhere appears where the caller's does", %{harness: harness, peer: peer} do
      scenario = talkative_elsewhere(peer)
      output = capture_io(fn -> assert {:ok, _} = Harness.run(harness, scenario) end)
      assert output =~ "from elsewhere"
    end

    test "of hooks elsewhere without a known group leader appears in the log", context do
      %{harness: harness, peer: peer} = context
      scenario = talkative_elsewhere(peer)
      assert {:ok, _} = GenServer.call({:harness, harness.node}, {:run, scenario}, 30_000)
      Harness.wait_for_log(harness, ~r/from elsewhere/)
    end

    test "is text in the log, whatever it is made of", %{harness: harness, peer: peer} do
      text = "fun(_, _) -> io:put_chars([[\"h\", 228, <<\"llo \"/utf8>>], [26085 | [<<\"!\">>]], 10]) end"
      scenario = Map.put(talkative_elsewhere(peer), :invariant, erlang(text, []))
      assert {:ok, _} = GenServer.call({:harness, harness.node}, {:run, scenario}, 30_000)
      Harness.wait_for_log(harness, ~r/text="hällo 日!"/u)
    end

    defp talkative_elsewhere(peer) do
      invariant = erlang("fun(_, _) -> io:put_chars(\"from elsewhere\") end", [])

      %{target: Peer.start_server(peer, Subject), threads: [[:get]], invariant: invariant}
      |> Map.put(:hooks_node, peer.node)
    end
  end

  describe "on a node without Elixir" do
    setup do
      plain = Peer.start(elixir: false)
      Peer.load(plain, :plain_subject)
      {:ok, plain: plain}
    end

    # Runs a scenario, written in Erlang, from the plain node.
    defp erlang_run(harness, plain, scenario) do
      text = "erpc:call(Harness, harness, run, [maps:merge(#{base_scenario()}, #{scenario})])."
      {:ok, tokens, _} = :erl_scan.string(to_charlist(text))
      {:ok, forms} = :erl_parse.parse_exprs(tokens)
      bindings = [Harness: harness.node, Test: self()]
      {:value, value, _} = Peer.call(plain, :erl_eval, :exprs, [forms, bindings])
      value
    end

    defp base_scenario do
      "\#{setup => fun() -> gen_server:start_link(plain_subject, 0, []) end, threads => [[{add, 1}]]}"
    end

    test "all hooks work", %{harness: harness, plain: plain} do
      assert {:ok, report} =
               erlang_run(harness, plain, """
               \#{setup => fun() ->
                    Test ! {setup, self()},
                    {ok, Pid} = gen_server:start_link(plain_subject, 0, []),
                    {ok, Pid, \#{a => 1}}
                  end,
                  threads => [[{add, 1}, fun(Pid) -> gen_server:call(Pid, {add, 2}) end, {cast, {add, 3}}]],
                  invariant => fun(_, \#{a := 1, events := Events}) -> length(Events) =:= 3 end,
                  cleanup => fun(_, Context) -> Test ! {cleanup, self(), Context} end,
                  chaos => fun(_, \#{setup_context := Context}) -> Context end,
                  mailbox => [],
                  performance_expectations => [{max_time_ms, 60000}]}
               """)

      assert [[{:ok, 1}, {:ok, 3}, {:error, :missing_sync_handler}]] = results(report)
      assert %{context: %{a: 1}, chaos: %{result: %{a: 1}}, mailbox: %{}, performance: %{}} = report
      assert_receive {:setup, session}, 10_000
      assert node(session) == plain.node
      assert_receive {:cleanup, ^session, %{a: 1}}
    end

    test "exceptions are Erlang's reasons", %{harness: harness, plain: plain} do
      rows = [
        {"error(badarg)", :badarg},
        {"1 / (length([]))", :badarith},
        {"error({my, error})", {:my, :error}},
        {"throw(ball)", {:throw, :ball}},
        {"exit(door)", {:exit, :door}},
        {"absent:function()", :undef}
      ]

      for {text, reason} <- rows do
        assert {:error, {:setup_failed, {^reason, [_ | _]}}} =
                 erlang_run(harness, plain, "\#{setup => fun() -> #{text} end}")

        assert {:error, {:invariant_failed, {^reason, [_ | _]}}} =
                 erlang_run(harness, plain, "\#{invariant => fun(_, _) -> #{text} end}")

        assert {:error, {:cleanup_failed, {:cleanup_failed, {^reason, [_ | _]}}, %{events: [_]}}} =
                 erlang_run(harness, plain, "\#{cleanup => fun(_, _) -> #{text} end}")
      end

      assert {:ok, report} = erlang_run(harness, plain, "\#{threads => [[fun(_) -> error(bad) end]]}")
      assert {:error, {:bad, [_ | _]}} = result(report)

      assert {:error, {:thread_failure, {:error, {{:nocatch, :ball}, [_ | _]}}}} =
               erlang_run(harness, plain, "\#{threads => [[fun(_) -> throw(ball) end]]}")

      assert {:error, {:chaos_failed, {:bad, [_ | _]}}} =
               erlang_run(harness, plain, "\#{chaos => fun(_, _) -> error(bad) end}")
    end

    test "funs reach the caller's process", %{harness: harness, plain: plain} do
      assert {:ok, report} =
               erlang_run(harness, plain, """
               begin
                 Caller = self(),
                 \#{threads => [[fun(_) -> Caller ! note, Caller end]],
                   cleanup => fun(_, _) -> Test ! {caller, Caller} end}
               end
               """)

      assert_receive {:caller, caller}, 10_000
      assert node(caller) == plain.node
      assert result(report) == {:ok, caller}
    end

    test "a strict cast", %{harness: harness, plain: plain} do
      assert {:error, {:thread_failure, {:error, {reason, stack}}}} =
               erlang_run(harness, plain, "\#{threads => [[{cast, {add, 1}}]], 'strict_cast_sync?' => true}")

      assert {:missing_sync_handler, server, :__supertester_sync__} = reason
      assert node(server) == plain.node and is_list(stack)
    end

    test "a missed expectation is a text", %{harness: harness, plain: plain} do
      assert {:error, {:performance_failed, %{error: error, measurement: %{time_us: _}}}} =
               erlang_run(harness, plain, "\#{performance_expectations => [{max_time_ms, 0.001}]}")

      assert error =~ ~r/^Execution time \d+\.\d{1,2}ms exceeded maximum of 0.001ms$/
    end
  end

  # A fun that runs on every node.
  defp erlang(text, bindings) do
    {:ok, tokens, _} = :erl_scan.string(to_charlist(text <> "."))
    {:ok, forms} = :erl_parse.parse_exprs(tokens)
    {:value, fun, _} = :erl_eval.exprs(forms, bindings)
    fun
  end
end
