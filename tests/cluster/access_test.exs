defmodule AccessTest do
  @moduledoc "Callers that may call some functions and no others, by every way in."
  use ClusterCase

  @looks ~w(info status runs help validate)
  @times 100

  defp config(more \\ %{}) do
    callers = %{"allow" => [%{"pattern" => "*", "functions" => @looks}, "ops_*"]}
    {audit, file} = Audit.config()
    {Map.merge(audit, %{"access" => Map.merge(%{"callers" => callers}, more)}), file}
  end

  setup_all do
    {config, file} = config()
    peer = Peer.start()
    {:ok, harness: Harness.start(config: config), audit: file, peer: peer, target: Peer.start_server(peer, Subject)}
  end

  # Whoever calls is on another node than the test, which may do as little.
  defp ways(harness) do
    server = {:harness, harness.node}
    rex = {:rex, harness.node}
    leader = Process.group_leader()

    %{
      "erpc" => fn function, arguments -> :erpc.call(harness.node, :harness, function, arguments) end,
      "call" => fn function, arguments -> GenServer.call(server, List.to_tuple([function | arguments])) end,
      "rex_call" => fn function, arguments -> :gen_server.call(rex, {:call, :harness, function, arguments, leader}) end,
      "rex_send" => fn function, arguments ->
        send(rex, {self(), {:call, :harness, function, arguments, leader}})
        assert_receive {:rex, answer}, 10_000
        answer
      end,
      "erpc_cast" => fn function, arguments -> :erpc.cast(harness.node, :harness, function, arguments) end,
      "cast" => fn function, arguments -> GenServer.cast(server, List.to_tuple([function | arguments])) end
    }
  end

  test "a hundred requests of denied functions by each way in: none is done, all are in the audit", context do
    %{harness: harness, target: target, audit: file} = context
    scenario = %{target: target, threads: [[{:add, 1}]], chaos: [{:suspend, 1}]}
    library = Supertester.ConcurrentHarness

    denied = [
      {:run, [scenario]},
      {:start, [scenario]},
      {:run_with_performance, [scenario, []]},
      {:run_chaos_suite, [target, [%{type: :concurrent, scenario: scenario}]]},
      {:heal_all, []},
      {:cancel, [1]},
      {:delete, [1]},
      {:subscribe, [:all]}
    ]

    calls = Enum.take(Stream.cycle(denied), @times)

    for {form, call} <- ways(harness), {function, arguments} <- calls do
      answer = call.(function, arguments)

      unless form in ["erpc_cast", "cast"] do
        assert {:error, {:not_allowed, what}} = answer
        node = node()
        assert %{rule: "access.callers.allow", function: ^function, node: ^node, message: message} = what
        assert message == "#{node} may not call #{function}: access.callers.allow"
      end
    end

    # Other words for the same: the library's module, old rpc of several kinds, calls that nobody waits for.
    others = [
      fn -> :erpc.call(harness.node, library, :run, [scenario]) end,
      fn -> :rpc.call(harness.node, :harness, :run, [scenario]) end,
      fn -> :rpc.block_call(harness.node, :harness, :run, [scenario]) end,
      fn -> :gen_server.call({:rex, harness.node}, {:block_call, :harness, :run, [scenario], Process.group_leader()}) end,
      fn -> :rpc.async_call(harness.node, :harness, :run, [scenario]) |> :rpc.yield() end,
      fn -> hd(elem(:rpc.multicall([harness.node], :harness, :run, [scenario]), 0)) end,
      fn -> :erpc.multicall([harness.node], :harness, :run, [scenario]) |> hd() |> elem(1) end,
      fn -> :gen_server.send_request({:harness, harness.node}, {:run, scenario}) |> receive_response() end
    ]

    for ask <- others, do: assert({:error, {:not_allowed, _}} = ask.())
    GenServer.cast({:rex, harness.node}, {:cast, :harness, :start, [scenario], Process.group_leader()})
    :rpc.cast(harness.node, :harness, :start, [scenario])
    {[_], []} = :rpc.sbcast([harness.node], :harness, {:"$gen_cast", {:start, scenario}})

    lines = Audit.await(file, "denied", 6 * @times + length(others) + 3)
    assert length(lines) == 6 * @times + length(others) + 3
    by_form = Enum.frequencies_by(Enum.take(lines, 6 * @times), & &1["form"])
    assert by_form == Map.new(ways(harness), fn {form, _} -> {form, @times} end)

    for line <- lines do
      assert line["node"] == "#{node()}" and line["outcome"] == "denied" and line["reason"] == "access.callers.allow"
      assert line["process"] =~ "<#{node()}."
      assert String.to_atom(line["function"]) in Keyword.keys(denied)
    end

    assert Harness.call(harness, :runs) == []
    assert :gen_server.call(target, :get) == 0
    for event <- ["run", "request", "fault"], do: assert(Audit.events(file, event) == [])
    assert Harness.log(harness) =~ "function denied requester=#{node()} function=run rule=access.callers.allow"
  end

  defp receive_response(request) do
    {:reply, answer} = :gen_server.receive_response(request, 10_000)
    answer
  end

  test "what is allowed is done, and a node that may do all does it", %{target: target} do
    harness = Harness.start(config: elem(config(), 0))
    assert %{version: _} = Harness.call(harness, :info)
    assert {:ok, _} = Harness.call(harness, :validate, [%{target: target, threads: [[:get]]}])
    assert is_binary(Harness.call(harness, :help))
    assert {:undef, _} = undefined(fn -> Harness.call(harness, :no_such_function) end)
    ops = Peer.start(name: Peer.unique("ops"))
    scenario = [%{target: target, threads: [[:get]]}]
    assert {:ok, _} = Peer.call(ops, :erpc, :call, [harness.node, :harness, :run, scenario])
    assert [%{outcome: :completed}] = Harness.call(harness, :runs)
  end

  test "a node that may not call may not when the daemon has dialled it, either", %{peer: peer} do
    callers = %{"allow" => ["ops_*"], "deny" => [Atom.to_string(peer.node)]}
    {audit, file} = Audit.config()
    peers = [Atom.to_string(peer.node)]
    harness = Harness.start(config: Map.merge(audit, %{"access" => %{"callers" => callers}, "peers" => peers}), ready: false)
    Harness.wait_for_log(harness, ~r/peer up peer=#{peer.node}/)
    heal_all = [harness.node, :harness, :heal_all, []]
    assert {:error, {:not_allowed, %{rule: "access.callers.deny"}}} = Peer.call(peer, :erpc, :call, heal_all)
    assert [%{"function" => "heal_all", "reason" => "access.callers.deny"}] = Audit.await(file, "denied", 1)
  end

  test "one that is denied again and again has a thousand lines, and the rest as a number" do
    {config, file} = config()
    harness = Harness.start(config: config)
    for _ <- 1..3_000, do: GenServer.cast({:harness, harness.node}, {:heal_all})
    assert {:error, {:not_allowed, _}} = Harness.call(harness, :heal_all)
    Harness.stop(harness)
    omitted = Enum.sum(for %{"lines" => lines, "node" => name} <- Audit.events(file, "omitted"), name == "#{node()}", do: lines)
    denied = length(Audit.events(file, "denied"))
    assert denied in 1000..1100
    assert denied + omitted == 3_001
  end

  defp undefined(fun) do
    fun.()
  catch
    :error, {:exception, reason, stack} -> {reason, stack}
  end

  test "deny names functions as well, and a reload changes who may do what" do
    {config, file} = config(%{"callers" => %{"deny" => [%{"pattern" => "*", "functions" => ["heal_all", "run_*"]}]}})
    harness = Harness.start(config: config)
    assert Harness.call(harness, :runs) == []
    assert {:error, {:not_allowed, %{rule: "access.callers.deny"}}} = Harness.call(harness, :heal_all)
    log = Harness.reload(harness, %{"access" => %{"callers" => %{"deny" => []}}})
    assert log =~ "configuration changed key=access.callers.deny"
    assert Harness.call(harness, :heal_all) == []
    assert [%{"function" => "heal_all"}] = Audit.await(file, "request", 1)
    assert [_] = Audit.events(file, "denied")
  end

  test "a function that is none is a mistake, at the start and at a reload" do
    harness = Harness.start(config: elem(config(), 0))
    callers = %{"callers" => %{"allow" => [%{"pattern" => "*", "functions" => ["infos", "st*", "xx*"]}]}}
    other = Harness.start(config: %{"access" => callers}, ready: false)
    assert Harness.await_exit(other) == 2
    assert Harness.log(other) =~ "access.callers.allow[0].functions[0]: infos is no function (nearest: info)\n"
    assert Harness.log(other) =~ "access.callers.allow[0].functions[2]: xx* is no function\n"
    refute Harness.log(other) =~ "st*"
    assert Harness.reload(harness, %{"access" => callers}) =~ "infos is no function"
    assert {:error, {:not_allowed, _}} = Harness.call(harness, :heal_all)
  end
end
