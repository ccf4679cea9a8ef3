defmodule StallsTest do
  @moduledoc """
  What one caller sends keeps the loop from nobody else: reading it uses little of a processor in any one pass,
  whatever it is. The time is that of the loop's thread, so that a busy machine does not matter.
  """
  use ClusterCase

  # In a release build. A sanitizer is some ten times slower: there it is enough that all goes on.
  @most_us 20_000

  setup do
    limits = %{"threads" => 2_000_000, "in_flight" => 2_000_000}
    {:ok, harness: Harness.start(config: %{"limits" => limits}), target: Peer.start_server(Peer.start(), Subject)}
  end

  # Its answer; others are answered meanwhile.
  defp beside_others(harness, function) do
    task = Task.async(function)
    answer_until_done(harness, task)
    Task.await(task, 120_000)
  end

  defp answer_until_done(harness, task) do
    assert %{version: _} = Harness.call(harness, :info)
    if Process.alive?(task.pid), do: Process.sleep(5) && answer_until_done(harness, task)
  end

  defp longest_us(harness), do: Harness.call(harness, :info).longest_pass_cpu_us
  defp sanitized?, do: String.contains?(System.get_env("HARNESSD") || "asan", "asan")

  defp assert_no_stall(harness, what) do
    us = longest_us(harness)
    unless sanitized?(), do: assert(us < @most_us, "#{what}: a pass of #{us} us")
  end

  defp call(harness, function, arguments), do: Harness.call(harness, function, arguments, 120_000)
  defp threads(target, threads), do: %{target: target, threads: threads, events: :none}
  defp many(count, element), do: List.duplicate(element, count)

  test "scenarios that are wrong in a hundred thousand places", %{harness: harness, target: target} do
    keys = for i <- 1..100_000, into: %{}, do: {String.to_atom("kex_#{i}"), i}
    fine = threads(target, [[:get]])

    wrong = [
      {"unknown keys", Map.merge(fine, keys), 100_000},
      {"operations", threads(target, [many(50_000, %{op: :get, bogus: 1})]), 50_000},
      {"targets", %{target: many(100_000, 1), threads: [[:get]]}, 1},
      {"a pattern", threads(target, [[%{op: :get, expect: many(2_000_000, :_)}]]), 1},
      {"actions", Map.put(fine, :chaos, many(50_000, {:nothing, []})), 1},
      {"expectations", Map.put(fine, :performance_expectations, many(50_000, {:nothing, 1})), 1}
    ]

    for {what, scenario, least} <- wrong, function <- [:run, :start, :validate] do
      assert {:error, {:invalid_scenario, problems}} = beside_others(harness, fn -> call(harness, function, [scenario]) end)

      if least > 100 do
        assert length(problems) == 101
        assert %{path: [], problem: :more, message: message} = List.last(problems)
        assert message == "and #{least - 100} more"
      end

      assert_no_stall(harness, "#{what}, #{function}")
    end
  end

  test "scenarios that are large go on beside others, in the order of their caller", %{harness: harness, target: target} do
    large = threads(target, [many(10_000, :get)])
    for scenario <- [large, threads(target, many(100_000, []))] do
      assert {:ok, _} = beside_others(harness, fn -> call(harness, :validate, [scenario]) end)
      assert {:ok, _} = beside_others(harness, fn -> call(harness, :run, [Map.put(scenario, :timeout_ms, 60_000)]) end)
    end

    requests = for scenario <- [large, threads(target, [[:get]])], do: :erpc.send_request(harness.node, :harness, :start, [scenario])
    [{:ok, first}, {:ok, second}] = for request <- requests, do: :erpc.receive_response(request, 60_000)
    assert first < second
    for id <- [first, second], do: Harness.call(harness, :cancel, [id])
    for id <- [first, second], do: Runs.await(harness, id)
  end

  test "suites of very many scenarios that are none", %{harness: harness, target: target} do
    for element <- [%{}, :nothing, %{type: :concurrent, scenario: %{}}] do
      report = beside_others(harness, fn -> call(harness, :run_chaos_suite, [target, many(50_000, element)]) end)
      assert %{total_scenarios: 50_000, failed: 50_000} = report
      assert_no_stall(harness, "a suite of #{inspect(element)}")
    end
  end

  test "suites of scenarios that are large", %{harness: harness, target: target} do
    large = many(500_000, :get)
    scenarios = [
      %{type: :concurrent, scenario: threads(target, [large])},
      large,
      %{type: :kill_children, kill_rate: large},
      %{type: :concurrent, scenario: threads(target, [[:get]])}
    ]

    report = beside_others(harness, fn -> call(harness, :run_chaos_suite, [target, scenarios, [timeout: 60_000]]) end)
    assert %{total_scenarios: 4, failures: failures} = report
    assert [%{scenario: ^large, reason: {:badmap, ^large}}, %{reason: {:invalid_scenario, _}}] = Enum.take(failures, -2)
    assert_no_stall(harness, "a suite of large scenarios")
  end

  test "requests that come together take turns", %{harness: harness} do
    requests = for _ <- 1..2000, do: :erpc.send_request(harness.node, :harness, :help, [:run])
    for request <- requests, do: assert("run(" <> _ = :erpc.receive_response(request, 60_000))
    calls = for _ <- 1..2000, do: :gen_server.send_request({:harness, harness.node}, {:help, :run})
    for call <- calls, do: assert({:reply, "run(" <> _} = :gen_server.receive_response(call, 60_000))
    assert_no_stall(harness, "4000 requests")
  end

  test "broadcasts in broadcasts are none", %{harness: harness} do
    nested = Enum.reduce(1..3000, :x, fn _, message -> {self(), {:sbcast, :rex, message}} end)
    node = harness.node
    for _ <- 1..3, do: send({:rex, node}, nested)
    for _ <- 1..3, do: assert_receive({:rex, ^node, ^node}, 10_000)
    refute_receive {:rex, _, _}, 100
    assert_no_stall(harness, "broadcasts in broadcasts")
  end

  test "runs that start and end together take turns", %{harness: harness, target: target} do
    fine = threads(target, [[:get]])
    requests = for _ <- 1..200, do: :erpc.send_request(harness.node, :harness, :run, [fine])
    for request <- requests, do: assert({:ok, %{}} = :erpc.receive_response(request, 60_000))
    assert_no_stall(harness, "200 runs")
  end

  test "a request and an answer of many megabytes are held and not copied", %{harness: harness} do
    large = :binary.copy("x", 30_000_000)
    assert "There is no such topic" <> _ = beside_others(harness, fn -> call(harness, :help, [large]) end)
    scenario = %{target: {:nobody, node()}, threads: [[{:call, large}]]}
    assert {:ok, %{}} = beside_others(harness, fn -> call(harness, :validate, [scenario]) end)
    assert_no_stall(harness, "30 MB")
  end

  test "a request that is long only when its atoms are written out", %{harness: harness} do
    atom = String.to_atom(String.duplicate("é", 255))
    assert call(harness, :help, [many(80_000, atom)]) =~ "no such topic"
    assert_no_stall(harness, "80,000 atoms")
  end

  test "a message of many megabytes is held by all its operations", %{harness: harness} do
    target = Peer.start_server(Peer.start(), CastOnlySubject)
    large = :binary.copy("x", 10_000_000)
    messages = [{:"$cast", large}, {:"$send", large}, {:call, large}]
    scenario = %{target: target, threads: [messages], metadata: %{large: large}, timeout_ms: 60_000}
    # It has no handle_call/3, and dies of the last one.
    assert {:ok, report} = beside_others(harness, fn -> call(harness, :run, [scenario]) end)
    told = for event <- Enum.sort_by(report.events, & &1.step), do: event.operation
    assert told == messages, "other messages"
    assert report.metadata.large == large, "another metadata"
    assert_no_stall(harness, "operations of 10 MB")
  end

  test "events tell the size of metadata of many megabytes", %{harness: harness, target: target} do
    :ok = call(harness, :subscribe, [:all])
    metadata = %{large: :binary.copy("x", 30_000_000)}
    scenario = Map.merge(threads(target, [[:get]]), %{metadata: metadata})
    assert {:ok, %{metadata: %{large: <<_::binary-size(30_000_000)>>, scenario_id: id}}} = beside_others(harness, fn -> call(harness, :run, [scenario]) end)
    for event <- [:start, :stop] do
      assert_receive {:harness_event, ^id, [:supertester, :concurrent, :scenario, ^event], _, told}
      assert %{metadata_bytes: bytes, scenario_id: ^id} = told
      assert bytes in 30_000_000..30_000_100
    end
    assert_no_stall(harness, "metadata of 30 MB")
  end

  test "an invariant is given the context where it was written", %{harness: harness, target: target} do
    large = :binary.copy("x", 20_000_000)
    scenario = Map.merge(threads(target, [[:get]]), %{metadata: %{large: large}, invariant: {__MODULE__, :has_large, []}})
    assert {:ok, _} = beside_others(harness, fn -> call(harness, :run, [scenario]) end)
    assert_no_stall(harness, "a context of 20 MB")
  end

  def has_large(_, context), do: byte_size(context.metadata.large) == 20_000_000

  test "hooks are given a setup's context where it came", %{harness: harness} do
    for {what, large} <- [{"a binary", :binary.copy("x", 10_000_000)}, {"a list", many(1_000_000, {1, :two})}] do
      {:ok, kept} = Agent.start(fn -> [] end)
      seen = fn name, context -> if context.large == large, do: Agent.update(kept, &[name | &1]) end
      scenario = %{
        setup: fn -> {:ok, elem(GenServer.start(Subject, []), 1), %{large: large}} end,
        threads: [[{:"$send", :get}]],
        steady_state: fn _, context -> seen.(:steady_state, context) end,
        chaos: fn _, %{metadata: %{mine: ^large, scenario_id: id}, setup_context: context} when is_integer(id) -> seen.(:chaos, context) && {:ok, 1} end,
        invariant: fn _, context -> seen.(:invariant, context) end,
        cleanup: fn _, context -> seen.(:cleanup, context) && raise(%ErlangError{original: large}) end,
        metadata: %{mine: large},
        timeout_ms: 60_000,
        hook_timeout_ms: 60_000
      }

      answer = beside_others(harness, fn -> call(harness, :run, [scenario]) end)
      assert {:error, {:cleanup_failed, {:cleanup_failed, {%ErlangError{original: ^large}, [_ | _]}}, %{context: %{large: ^large}}}} = answer
      assert Enum.sort(Agent.get(kept, & &1)) == [:chaos, :cleanup, :invariant, :steady_state, :steady_state], what
      assert_no_stall(harness, what)
    end
  end

  test "names of many megabytes, and many messages of one, take turns", %{harness: harness, target: target} do
    named = threads(target, [[%{op: :get, name: :binary.copy("x", 20_000_000)}]])
    made = threads(target, many(60, [{:echo, [{:"$int", 1, 9}, :binary.copy("y", 500_000)]}]))
    for {what, scenario} <- [{"a name of 20 MB", Map.delete(named, :events)}, {"60 messages of 0.5 MB", made}] do
      assert {:ok, _} = beside_others(harness, fn -> call(harness, :run, [Map.put(scenario, :timeout_ms, 60_000)]) end)
      assert_no_stall(harness, what)
    end
  end

  test "results and failures of many megabytes stay where they came", %{harness: harness} do
    peer = Peer.start()
    Peer.load(peer, Noise)
    target = Peer.start_server(peer, Noise.Server)
    large = :binary.copy("x", 10_000_000)
    result = fn operation -> %{target: target, threads: [[operation]], timeout_ms: 60_000, call_timeout_ms: 30_000} end
    hook = fn key -> Map.put(result.({:echo, 1}), key, fn _, _ -> {:error, :binary.copy("x", 10_000_000)} end) end
    custom_exit = fn reason -> result.({:custom, fn _ -> exit(reason) end}) end
    custom = fn fun -> result.({:custom, fn _ -> fun.(:binary.copy("x", 10_000_000)) end}) end

    for {what, scenario, answer} <- [
          {"a reply", result.({:large, 10_000_000}), &match?({:ok, %{events: [%{result: {:ok, <<_::binary-size(10_000_000)>>}}]}}, &1)},
          {"one that is not expected", result.(%{op: {:large, 10_000_000}, expect: :no}), &match?({:ok, %{events: [%{result: {:error, {:unexpected, <<_::binary-size(10_000_000)>>}}}]}}, &1)},
          {"what a custom operation returns", custom.(& &1), &match?({:ok, %{events: [%{result: {:ok, ^large}}]}}, &1)},
          {"a part of it that nobody looks at", result.(%{op: {:custom, fn _ -> {:ok, many(3_000_000, 1)} end}, expect: {:ok, :_}}), &match?({:ok, %{events: [%{result: {:ok, {:ok, [1 | _]}}}]}}, &1)},
          {"what one raises", custom.(&raise(&1)), &match?({:ok, %{events: [%{result: {:error, {%RuntimeError{message: ^large}, [_ | _]}}}]}}, &1)},
          {"what one exits with", custom.(&exit(&1)), &match?({:error, {:thread_failure, {:error, ^large}}}, &1)},
          {"a list that one exits with", custom_exit.(many(2_000_000, {1, :two})), &match?({:error, {:thread_failure, {:error, [{1, :two} | _]}}}, &1)},
          {"what one throws", custom.(&throw(&1)), &match?({:error, {:thread_failure, {:error, {{:nocatch, ^large}, [_ | _]}}}}, &1)},
          {"why an invariant fails", hook.(:invariant), &match?({:error, {:invariant_failed, ^large}}, &1)},
          {"why a steady state fails", hook.(:steady_state), &match?({:error, {:steady_state_failed, :before, ^large}}, &1)},
          {"why a chaos fails", Map.put(result.({:echo, 1}), :chaos, fn _, _ -> exit(:binary.copy("x", 10_000_000)) end), &match?({:error, {:chaos_failed, ^large}}, &1)}
        ] do
      assert answer.(beside_others(harness, fn -> call(harness, :run, [scenario]) end)), what
      assert_no_stall(harness, what)
    end
  end

  test "a server that dies of many megabytes takes thousands of calls along", %{harness: harness} do
    peer = Peer.start()
    list = many(1_000_000, {1, :two})
    for {what, reason} <- [{"a binary", :binary.copy("x", 20_000_000)}, {"a list", list}, {"a reason of a node", {:nodedown, list}}] do
      target = Peer.start_server(peer, Subject)
      scenario = %{target: target, threads: many(3000, [:never]), call_timeout_ms: 60_000, timeout_ms: 90_000}
      {:ok, id} = call(harness, :start, [scenario])
      Wait.until("the calls", fn -> Harness.call(harness, :status, [id]).in_flight == 3000 end)
      Process.exit(target, reason)
      assert {:ok, report} = beside_others(harness, fn -> call(harness, :await, [id]) end)
      assert %{operation_errors: 3000, events_dropped: dropped} = report.metrics
      assert length(report.events) in 1..3000
      assert length(report.events) + dropped == 3000
      for event <- report.events, do: assert(match?({:error, {^reason, {GenServer, :call, [^target, :never | _]}}}, event.result), what)
      assert_no_stall(harness, what)
    end
  end

  test "journals of much metadata are written in pieces", %{target: target} do
    folder = Support.temporary_folder()
    harness = Harness.start(config: %{"state_dir" => folder, "journal_ms" => 200})
    load = %{target: target, load: %{rate: 100, duration_ms: 60_000}, operations: [:get], metadata: %{large: :binary.copy("x", 20_000_000)}}
    {:ok, id} = call(harness, :start, [load])
    Wait.until("a journal", fn -> match?({:ok, %{size: size}} when size > 20_000_000, File.stat(Path.join([folder, "runs", "#{id}.running"]))) end)
    Harness.call(harness, :cancel, [id])
    assert {:error, {:cancelled, %{metadata: %{large: _}}}} = beside_others(harness, fn -> call(harness, :await, [id]) end)
    assert_no_stall(harness, "journals of 20 MB")
  end

  test "loads of a million threads begin and end beside others", %{harness: harness, target: target} do
    load = %{target: target, load: %{threads: 1_000_000, iterations: 1}, operations: [:never], timeout_ms: 60_000}
    {:ok, id} = call(harness, :start, [load])
    Wait.until("the load", fn -> Harness.call(harness, :status, [id]).state == :load end)
    Harness.call(harness, :cancel, [id])
    assert {:error, {:cancelled, _}} = beside_others(harness, fn -> call(harness, :await, [id]) end)
    assert_no_stall(harness, "a load of a million threads")
  end

  test "hundreds of thousands of events come, are copied and go beside others", %{harness: harness, target: target} do
    load = %{
      target: target,
      load: %{threads: 200, iterations: 1_500},
      operations: [{:echo, {:"$int", 1, 1_000_000_000}}],
      events: :all,
      timeout_ms: 120_000
    }

    {:ok, id} = call(harness, :start, [load])
    Wait.until("the load", fn -> Harness.call(harness, :status, [id]).state == :load end)
    assert {:ok, %{events: [_ | _]}} = beside_others(harness, fn -> call(harness, :partial, [id]) end)
    assert {:ok, %{events: events}} = beside_others(harness, fn -> call(harness, :await, [id]) end)
    assert length(events) == 300_000
    assert {:ok, _} = beside_others(harness, fn -> call(harness, :partial, [id]) end)
    assert_no_stall(harness, "300,000 events")
  end

  test "members by the thousand, other ones at each look", %{harness: harness} do
    peer = Peer.start()
    Peer.load(peer, Shifting)
    find = %{target: {:find, {Shifting, :some, [10_000]}}, hooks_node: peer.node, events: :none, timeout_ms: 60_000}
    once = Map.merge(find, %{load: %{threads: 1, iterations: 1}, operations: [{:"$send", 1}]})
    changing = Map.merge(find, %{load: %{threads: 20, duration_ms: 4_000}, operations: [{:"$send", 1}]})
    named = Map.put(changing, :chaos, [%{action: {:inject_crash, :immediate, [reason: :kill]}, after_ms: 500}])

    for {what, scenario} <- [{"10,000 members", once}, {"others each second", changing}, {"that have names", named}] do
      assert {:ok, %{metrics: %{total_operations: done}}} = beside_others(harness, fn -> call(harness, :run, [scenario]) end)
      assert done > 0
      assert_no_stall(harness, what)
    end
  end

  test "output and reports of many megabytes are read as far as a line shows them" do
    harness = Harness.start(config: %{"log" => %{"level" => "info"}})
    peer = Peer.start()
    Peer.load(peer, Verbose)
    target = Peer.start_server(peer, Subject)
    node = harness.node

    for what <- [{:requests, 1_000_000}, {:bytes, 60_000_000}, {:lists, 5_000_000, [?x]}, {:lists, 5_000_000, []}, {:format, 3_000_000}] do
      print = {:custom, {Verbose, :print, [what]}}
      # Only of what is started is the group leader the daemon's.
      id = Runs.start(harness, %{target: target, hooks_node: peer.node, threads: [[print]], timeout_ms: 60_000, call_timeout_ms: 60_000})
      assert {:ok, %{events: [%{result: {:ok, {^node, :ok}}}]}} = beside_others(harness, fn -> Runs.await(harness, id) end)
      assert_no_stall(harness, "output of #{inspect(what)}")
    end

    for {what, report} <- [
          {"a report of 60 MB", {:log, :error, :binary.copy("x", 60_000_000), %{}}},
          {"a report that is a list", {:log, :error, Enum.to_list(1..3_000_000), %{}}},
          {"a report to format", {:log, :error, ~c"~p", [Enum.to_list(1..3_000_000)], %{}}}
        ] do
      send({:logger_proxy, harness.node}, report)
      assert %{} = call(harness, :info, [])
      assert_no_stall(harness, what)
    end

    Harness.wait_for_log(harness, ~r/output left out .*requests/)
  end

  test "a suite whose caller dies ends beside others", %{harness: harness, target: target} do
    scenarios = many(20_000, %{type: :concurrent, scenario: threads(target, [[:never]])})
    caller = spawn(fn -> call(harness, :run_chaos_suite, [target, scenarios]) end)
    suite = fn -> Enum.find(Harness.call(harness, :runs), &(&1.by == :run_chaos_suite)) end
    Wait.until("the suite", fn -> suite.() end)
    Process.exit(caller, :kill)
    Wait.until("its end", fn -> suite.().outcome == :cancelled end)
    assert {:error, {:cancelled, %{total_scenarios: 20_000}}} = beside_others(harness, fn -> call(harness, :await, [suite.().run_id]) end)
    assert_no_stall(harness, "a suite whose caller is gone")
  end

  test "requests of very many parts, whatever they ask for", %{harness: harness, target: target} do
    map = for i <- 1..200_000, into: %{}, do: {i, i}
    options = for i <- 1..200_000, do: {String.to_atom("kex_#{i}"), i}
    scenario = threads(target, [many(500_000, :get)])
    fine = threads(target, [[:get]])
    rex = {:call, :harness, :validate, [scenario], self()}
    ask = fn function, arguments -> fn -> call(harness, function, arguments) end end
    erpc = fn function, arguments -> fn -> caught(fn -> :erpc.call(harness.node, :harness, function, arguments) end) end end

    for {what, function, answer} <- [
          {"validate by rex", fn -> :gen_server.call({:rex, harness.node}, rex, 120_000) end, &match?({:ok, %{}}, &1)},
          {"validate by erpc", erpc.(:validate, [scenario]), &match?({:ok, %{}}, &1)},
          {"a function of many arguments", erpc.(:nothing, many(500_000, 1)), &match?({:error, {:exception, :undef, [{:harness, :nothing, 500_000, _} | _]}}, &1)},
          {"a call of many arguments", fn -> GenServer.call({:harness, harness.node}, List.to_tuple([:x | many(500_000, 1)]), 120_000) end, &match?({:error, {:undef, _}}, &1)},
          {"expectations", ask.(:run_with_performance, [fine, options]), &match?({:error, {:invalid_scenario, _}}, &1)},
          {"metadata of a property", ask.(:from_property_config, [Module, [thread_scripts: [[:get]], metadata: map]]), &match?(%{metadata: %{200_000 => 200_000, module: Module}}, &1)},
          {"options of a property", ask.(:from_property_config, [Module, [{:thread_scripts, [[:get]]} | options]]), &match?(%{threads: [[:get]]}, &1)},
          {"threads of a scenario", ask.(:simple_genserver_scenario, [Module, [:get], 500_000]), &(length(&1.threads) == 500_000)},
          {"what is no report", ask.(:show, [map]), &is_binary/1},
          {"a report", ask.(:show, [%{run_id: 1, metrics: map}]), &(&1 =~ "Run 1")},
          {"metadata of a run", ask.(:start, [Map.put(fine, :metadata, map)]), &match?({:ok, _}, &1)}
        ] do
      told = beside_others(harness, function)
      assert answer.(told), "#{what}: #{inspect(told, limit: 5)}"
      assert_no_stall(harness, what)
    end
  end

  defp caught(function) do
    function.()
  catch
    :error, reason -> {:error, reason}
  end
end
