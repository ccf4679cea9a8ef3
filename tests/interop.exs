# The node of interop.sh that calls the daemon. Arguments: the daemon's process, a folder for us.

Code.require_file("checks.exs", __DIR__)

defmodule Subject do
  use GenServer

  def init(count), do: {:ok, count}
  def handle_call({:add, number}, _from, count), do: {:reply, count + number, count + number}
  def handle_call({:echo, term}, _from, count), do: {:reply, term, count}
  def handle_call({:crash, reason}, _from, count), do: {:stop, reason, count}
  def handle_call(:never, _from, count), do: {:noreply, count}
  def handle_call(:__supertester_sync__, _from, count) when is_integer(count), do: {:reply, :ok, count}
  def handle_cast(:become_mute, _count), do: {:noreply, :mute}
  def handle_cast({:add, number}, count), do: {:noreply, count + number}
end

defmodule Interop do
  import Checks

  @harness :"harness@127.0.0.1"
  @server {:harness, @harness}
  @slow %{threads: [[:never]], call_timeout_ms: 60_000, timeout_ms: 60_000}

  def main([daemon, folder]) do
    # Written at once.
    log = %{file: to_charlist(Path.join(folder, "nodes.log")), modes: [:append]}
    for handler <- :logger.get_handler_ids(), do: :logger.remove_handler(handler)
    :ok = :logger.add_handler(:default, :logger_std_h, %{config: log})
    IO.puts("== OTP #{System.otp_release()}, Elixir #{System.version()}")
    connections(log)
    # Now there is what a first run leaves, such as resolvers.
    before = Process.list()
    calls()
    operations()
    check("every hook, and hooks that fail", &hooks/0)
    check("a scenario file, and what is wrong with its texts", fn -> file(folder) end)
    check("targets without a name, and operations that have one", &nameless/0)
    check("threads with a state", &threads/0)
    check("faults, and what lasts of them is undone", &faults/0)
    check("recovery by target, and a fault that is not injected", &recovery/0)
    check("nodes that are kept apart, and connected again", fn -> split(log) end)

    check("a caller that is killed", &killed_caller/0)
    check("nothing is left of the runs", fn -> nothing_left(before) end)

    check("the janitor cleans up after a daemon that is killed", fn -> killed_daemon(daemon, before) end)

    check("the nodes log the crashes asked for, no more", fn ->
      [] = Enum.reject(File.stream!(log.file), &(&1 =~ ~r/^$| terminating| crasher:| info: |child_terminated|^=ERROR REPORT|Invalid challenge reply/))
    end)

    System.halt(if Process.get(:failed), do: 1, else: 0)
  end

  defp connections(log) do
    check("the daemon dials a node, which calls it", fn ->
      dialed = peer(~c"dialed@127.0.0.1", log)
      wait(fn -> :peer.call(dialed, :erlang, :nodes, [:hidden]) == [@harness] end)
      %{} = :peer.call(dialed, :erpc, :call, [@harness, :harness, :info, []])
    end)

    check("a node without a name gets one", fn ->
      nameless = peer(~c"undefined@127.0.0.1", log)
      true = :peer.call(nameless, :net_kernel, :connect_node, [@harness])
      arguments = [%{target: {:nobody, :"dialed@127.0.0.1"}, threads: [[1]]}]

      {:ok, %{errors: %{noproc: 1}}} =
        :peer.call(nameless, :erpc, :call, [@harness, :harness, :run, arguments])
    end)

    check("ping", fn -> :pong = Node.ping(@harness) end)
    check("a run", fn -> {:ok, _} = run(scenario()) end)
  end

  defp calls do
    gen = &GenServer.call({&2, &1}, List.to_tuple([&3 | &4]))

    for {name, call} <- [erpc: &:erpc.call/4, rpc: &:rpc.call/4, GenServer: gen] do
      check("calls by #{name}", fn ->
        scenario = %{target: start(), threads: [[{:add, 1}]]}
        %{node: @harness} = call.(@harness, :harness, :info, [])
        {:ok, %{timeout_ms: 5000}} = call.(@harness, :harness, :validate, [scenario])
        {:ok, %{events: [%{result: {:ok, 1}}]}} = call.(@harness, :harness, :run, [scenario])
      end)
    end

    check("what is not there, monitors of names, a spawn", fn ->
      {:exception, :undef, _} = caught(fn -> :erpc.call(@harness, :harness, :nothing, []) end)
      {:badrpc, {:EXIT, {:undef, _}}} = :rpc.call(@harness, :harness, :nothing, [])
      {:noproc, _} = caught(fn -> GenServer.call({:nobody, @harness}, :info) end)
      {known, unknown} = {Process.monitor(@server), Process.monitor({:nobody, @harness})}
      receive(do: ({:DOWN, ^unknown, :process, {:nobody, @harness}, :noproc} -> :ok))
      true = Process.demonitor(known, [:info])
      :notsup = caught(fn -> Node.spawn_monitor(@harness, :erlang, :node, []) end)
    end)
  end

  defp operations do
    check("targets", fn ->
      pid = start()
      {true, :yes} = {Process.register(pid, :interop), :global.register_name(:interop, pid)}
      for target <- [pid, :interop, {:interop, node()}, {:global, :interop}], do: {:ok, 1} = echo(target, 1)
      {:error, :noproc} = echo(:nobody, 1)
    end)

    check("terms of every kind", fn ->
      for term <- terms(), do: {term, {:ok, term}} = {term, echo(start(), term)}
    end)

    check("casts and their sync, strict and not", fn ->
      [ok: :ok, ok: 5] = results(%{target: start(), threads: [[{:cast, {:add, 2}}, {:add, 3}]]})
      mute = fn -> %{target: start(), threads: [[{:"$cast", :become_mute}, {:cast, :become_mute}]]} end
      [_, {:error, :missing_sync_handler}] = results(mute.())
      strict = Map.put(mute.(), :strict_cast_sync?, true)
      {:error, {:thread_failure, {:error, {%ArgumentError{}, _}}}} = run(strict)
    end)

    check("crashes and a timeout", fn ->
      for reason <- [:bang, :kill, :normal, {:shutdown, 1}, {"deep", [%{a: self()}]}], pid = start() do
        error = {:error, {reason, {GenServer, :call, [pid, {:crash, reason}, 1000]}}}
        [^error, {:error, :noproc}] = results(%{target: pid, threads: [[{:crash, reason}, 1]]})
      end

      {:error, :timeout} = hd(results(%{@slow | call_timeout_ms: 50} |> Map.put(:target, start())))
    end)

    check("a load of threads and one of a rate, with placeholders, and its gauges", fn ->
      for load <- [%{threads: 20, iterations: 50}, %{rate: 1_000, duration_ms: 1_000}] do
        mix = [%{weight: 3, op: {:echo, {:"$seq"}}}, %{weight: 1, op: {:cast, {:add, {:"$int", 1, 6}}}}]
        {:ok, report} = run(%{target: start(), load: load, mix: mix, events: :all})
        %{total_operations: 1_000, operation_errors: 0, dropped: 0} = report.metrics
        %{overall: %{count: 1_000}, service: %{overall: %{count: 1_000}}} = report.latency
        for %{operation: {:call, {:echo, n}}, result: result} <- report.events, do: {:ok, ^n} = result
        if load[:rate], do: true = Enum.any?(report.timeline, &(&1.memory_bytes > 0 and &1.mailbox != nil))
      end
    end)

    check("more atoms than the cache of a connection holds", fn ->
      for part <- 1..3 do
        atoms =
          for n <- 1..1_000, do: String.to_atom("interop_#{part}_#{n}_#{String.duplicate("ä", rem(n, 99))}")

        {:ok, ^atoms} = echo(start(), atoms)
        for atom <- Enum.take(atoms, 50), do: {:ok, {^atom, ^part}} = echo(start(), {atom, part})
      end
    end)

    check("a report of 100,000 events", fn ->
      threads = List.duplicate(List.duplicate({:echo, :reply}, 1_000), 100)
      all = results(%{@slow | threads: threads} |> Map.put(:target, start()))
      100_000 = Enum.count(all, &(&1 == {:ok, :reply}))
    end)
  end

  defp terms do
    numbers = [0, -1, 256, -2_147_483_648, Bitwise.bsl(-1, 100), Bitwise.bsl(1, 3_000), 1.5, -0.0, [1, 2]]
    texts = [nil, :"ünï ☃", :"", String.to_atom(String.duplicate("☃", 255)), "", "text", <<1::1>>, ~c"text"]
    shapes = [[], [1 | 2], {}, %{}, %{1 => %{b: "c"}}, 1..3, Map.new(1..100, &{&1, &1})]
    own = [self(), make_ref(), :erlang.alias(), hd(Port.list()), &Enum.map/2, fn x -> x + 1 end]
    numbers ++ texts ++ shapes ++ own ++ [:crypto.strong_rand_bytes(3_000_000), Enum.to_list(1..70_000)]
  end

  defp scenario do
    test = self()

    %{
      setup: fn -> {:ok, start(), %{home: node()}} end,
      threads: [[{:add, 1}, {:custom, &GenServer.call(&1, {:add, 0})}], [fn _ -> raise "oops" end]],
      mailbox: [sampling_interval: 1],
      chaos: fn pid, %{setup_context: %{home: _}} -> is_pid(pid) end,
      invariant: fn pid, %{events: events} -> length(events) == 3 and GenServer.call(pid, {:add, 0}) == 1 end,
      cleanup: fn pid, _ -> send(test, {:cleaned, GenServer.stop(pid)}) end,
      performance_expectations: [max_time_ms: 60_000]
    }
  end

  defp hooks do
    {:ok, report} = run(scenario())
    receive(do: ({:cleaned, :ok} -> :ok))
    %{metrics: %{total_operations: 3, operation_errors: 1}, chaos: %{result: true}} = report
    %{mailbox: %{final_size: 0}, performance: %{reductions: _}, context: %{home: _}} = report
    {:error, {:setup_failed, {%RuntimeError{}, _}}} = run(%{scenario() | setup: fn -> raise "no" end})
    {:error, {:chaos_failed, _}} = run(%{scenario() | chaos: fn _, _ -> exit(:no) end})
    {:error, {:invariant_failed, :returned_false}} = run(%{scenario() | invariant: fn _, _ -> false end})
    {:error, {:performance_failed, _}} = run(%{scenario() | performance_expectations: [max_time_ms: 0]})
  end

  defp file(folder) do
    true = Process.register(start(), :of_file)
    write = &File.write!(Path.join(folder, "scenario.json"), &1)

    write.(~S"""
    {"target": {"name": "of_file", "node": "shell@127.0.0.1"},
     "threads": [[{"erlang": "{echo, [1.5, $a, \"b\", <<\"c\">>, #{d => {}}]}."}, {"elixir": "{:echo, {-1, %{a: [{:b, \"c\"}, Foo]}}}"}],
                 [{"custom": {"erlang": "fun(Pid) -> gen_server:call(Pid, {add, 1}) end"}},
                  {"custom": {"elixir": "&GenServer.call(&1, {:add, 1})"}}]],
     "invariant": {"elixir": "fn _, %{events: events} -> length(events) == 4 end"}}
    """)

    [{:ok, [1.5, ?a, ~c"b", "c", %{d: {}}]}, {:ok, {-1, %{a: [{:b, "c"}, Foo]}}}, ok: 1, ok: 2] = results({:file, "scenario"})

    write.(~S"""
    {"target": {"name": "of_file", "node": "shell@127.0.0.1"},
     "threads": [[{"erlang": "{a"}, {"erlang": "A"}, {"erlang": "1 2"}, {"elixir": "{:a"}, {"elixir": "a"}, {"elixir": "a()"}, {"erlang": "b"}]]}
    """)

    {:error, {:invalid_scenario, problems}} = run({:file, "scenario"})
    for {problem, n} <- Enum.with_index(problems), do: [:threads, 0, ^n] = problem.path
    [:syntax, :not_literal, :syntax, :syntax, :not_literal, :not_literal] = Enum.map(problems, & &1.problem)
  end

  defp faults do
    {:ok, supervisor} = Supervisor.start_link([{Agent, fn -> 0 end}], strategy: :one_for_one, max_restarts: 100)

    for action <- [
          {:suspend, 50},
          {:exhaust, :process_limit, [duration_ms: 50]},
          {:exhaust, :ets_tables, [duration_ms: 50]},
          {:exhaust, :memory, [size_mb: 64, duration_ms: 50]},
          {:exhaust, :ports, [duration_ms: 50]},
          {:burn_cpu, [duration_ms: 50]}
        ] do
      {:ok, report} = run(%{target: start(), threads: [[{:add, 1}]], chaos: action})
      {^action, [%{outcome: :ok, undone: true}], true} = {action, report.injections, report.healed}
    end

    script = Enum.flat_map(1..50, fn n -> [{:echo, n}, {:"$sleep", 2}] end)
    kill = %{action: {:kill_children, [duration_ms: 50, kill_interval_ms: 20]}, target: supervisor}
    chaos = [kill, {:garbage_collect, []}, {:apply, :erlang, :node, []}, {:inject_crash, {:after_ms, 30}}]
    {:ok, report} = run(%{target: start(), threads: [script], chaos: chaos})
    here = node()
    [%{killed: killed, restarted: killed, supervisor_crashed: false}, :ok, {:ok, ^here}, :ok] = report.chaos.result
    {true, true, [_ | _]} = {killed > 0, report.healed, Map.keys(report.errors) -- [:timeout]}
    refused = %{target: {:kernel_sup, node()}, threads: [[1]], chaos: {:inject_crash, :immediate}}
    {:error, {:not_allowed, %{rule: "access.names.deny"}}} = run(refused)
  end

  # Beside this node, so that it is no part of what OTP makes of the cut.
  defp split(log) do
    [a, b] = for name <- [~c"left@127.0.0.1", ~c"right@127.0.0.1"], do: peer(name, log)
    nodes = [:"left@127.0.0.1", :"right@127.0.0.1"]
    true = :peer.call(a, :net_kernel, :connect_node, [List.last(nodes)])
    scenario = %{target: start(), threads: [[]], chaos: {:disconnect, nodes, 500}}
    run = Task.async(fn -> run(scenario) end)
    wait(fn -> :peer.call(a, :erlang, :nodes, []) == [] end)
    # A message would connect them.
    :pang = :peer.call(b, :net_adm, :ping, [hd(nodes)])
    {:ok, %{injections: [%{outcome: :ok, undone: true}], healed: true}} = Task.await(run)
    wait(fn -> :peer.call(a, :erlang, :nodes, []) == tl(nodes) end)
    for peer <- [a, b], do: :peer.stop(peer)
  end

  defp killed_caller do
    caller = Map.put(@slow, :target, start()) |> run_aside()
    Process.exit(caller.pid, :kill)
    wait(fn -> GenServer.call(@server, :info).runs == 0 end)
  end

  defp killed_daemon(daemon, before) do
    caller = Map.merge(scenario(), @slow) |> run_aside()
    # Until setup is behind it.
    Process.sleep(500)
    System.shell("kill -KILL #{daemon}")
    receive(do: ({:cleaned, :ok} -> :ok))
    {:erpc, :noconnection} = Task.await(caller)
    nothing_left(before)
  end

  defp run_aside(scenario) do
    task = Task.async(fn -> caught(fn -> run(scenario) end) end)
    wait(fn -> GenServer.call(@server, :info).runs == 1 end) && task
  end

  # Connections have processes, too.
  defp nothing_left(before) do
    wait(fn ->
      left = for pid <- Process.list() -- [self() | before], info = Process.info(pid), do: info
      Enum.all?(left, &match?({:dist_util, _, _}, &1[:current_function])) || {:left, left}
    end)
  end

  # Two servers, of whom a supervisor, a group and a hook know.
  defp supervised(name) do
    children = for id <- [:first, :second], do: %{id: id, start: {GenServer, :start_link, [Subject, 0]}}
    {:ok, supervisor} = Supervisor.start_link(children, strategy: :one_for_one, name: name)
    for {_, pid, _, _} <- Supervisor.which_children(supervisor), do: pid
  end

  defp nameless do
    pids = supervised(:interop_members)
    {:ok, _} = :pg.start_link(:interop_scope)
    :ok = :pg.join(:interop_scope, :interop, pids)
    operation = %{op: {:echo, %{a: 1, b: 2}}, name: :echo, expect: %{a: 1}}
    load = %{load: %{threads: 2, iterations: 4}, operations: [operation], events: :all}

    for target <- [{:children, :interop_members}, {:pg, :interop_scope, :interop}, {:find, fn -> pids end}] do
      {:ok, %{metrics: %{operation_errors: 0}, warnings: []} = report} = run(Map.put(load, :target, target))
      %{echo: %{count: 8}} = report.latency.operations
    end

    unexpected = [%{operation | expect: [:_ | :_]}]
    {:error, {:load_failed, :nothing_succeeded}} = run(Map.merge(load, %{target: hd(pids), operations: unexpected}))
  end

  defp threads do
    [pid | _] = supervised(:interop_threads)

    {:ok, report} =
      run(%{
        target: pid,
        load: %{threads: 2, iterations: 2},
        thread_setup: fn %{thread: number} -> {number, self()} end,
        thread_cleanup: fn {_, process} -> true = process == self() end,
        operations: [fn ^pid, %{state: {number, process}, thread: number} -> {number, process == self()} end],
        events: :all
      })

    [{0, true}, {0, true}, {1, true}, {1, true}] = Enum.sort(for %{result: {:ok, value}} <- report.events, do: value)
  end

  defp recovery do
    [first, _] = supervised(:interop_recovery)
    crash = {:inject_crash, :immediate, [reason: :kill]}
    load = %{load: %{rate: 100, duration_ms: 1_000}, operations: [{:echo, 1}], recovery_wait_ms: 10_000}
    load = Map.put(load, :target, {:children, :interop_recovery})

    {:ok, report} = run(Map.put(load, :chaos, [%{action: crash, after_ms: 200, target: first}]))
    [%{outcome: :ok, recovery: [%{recovery_ms: ms, target: {:interop_recovery, :second}}]}] = report.injections
    true = ms < 10_000

    nobody = [%{action: {:suspend, 5}, target: :nobody_of_that_name}]
    {:error, {:chaos_failed, {:not_injected, [%{outcome: :noproc}]}}} = run(Map.put(load, :chaos, nobody))
  end

  defp peer(name, log) do
    logger = :io_lib.format("[{handler, default, logger_std_h, \#{config => ~p}}]", [log])
    args = [~c"-name", name, ~c"-start_epmd", ~c"false", ~c"-kernel", ~c"logger", List.flatten(logger)]
    # With the node's name when it has one, depending on the release.
    elem(:peer.start(%{connection: :standard_io, wait_boot: 60_000, args: args}), 1)
  end

  defp start, do: elem({:ok, _} = GenServer.start_link(Subject, 0), 1)
  defp run(scenario), do: :erpc.call(@harness, :harness, :run, [scenario])
  defp results(scenario), do: Enum.map(elem({:ok, _} = run(scenario), 1).events, & &1.result)
  defp echo(target, term), do: hd(results(%{target: target, threads: [[{:echo, term}]]}))

  defp caught(function) do
    function.()
  catch
    _, reason -> reason
  end
end

Interop.main(System.argv())
