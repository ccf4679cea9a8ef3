defmodule TelemetryTest do
  @moduledoc "Telemetry is executed on the caller's node, with the library's names."
  use ClusterCase

  @start [:supertester, :concurrent, :scenario, :start]
  @stop [:supertester, :concurrent, :scenario, :stop]
  @mailbox [:supertester, :concurrent, :mailbox, :sample]
  @chaos_start [:supertester, :chaos, :start]
  @chaos_stop [:supertester, :chaos, :stop]
  @explained [:harness, :run, :explained]
  @measured [:supertester, :performance, :scenario, :measured]

  # Tells the process that is registered as `telemetry_collector` everywhere, and fails if asked to.
  @telemetry """
  -module(telemetry).
  -export([execute/3]).
  execute(Event, Measurements, Metadata) ->
      global:send(telemetry_collector, {telemetry, node(), Event, Measurements, Metadata}),
      is_map_key(break, Metadata) andalso error(broken),
      ok.
  """

  setup_all do
    {:ok, harness: Harness.start()}
  end

  setup do
    peer = Peer.start()
    true = Peer.call(peer, :net_kernel, :connect_node, [node()])
    :yes = :global.re_register_name(:telemetry_collector, self())
    :ok = Peer.call(peer, :global, :sync, [])
    Peer.load(peer, Subject)
    {:module, :telemetry} = Peer.call(peer, :code, :load_binary, [:telemetry, ~c"telemetry.erl", telemetry()])
    {:ok, peer: peer}
  end

  defp telemetry do
    forms =
      for line <- String.split(@telemetry, ".\n", trim: true), String.trim(line) != "" do
        {:ok, tokens, _} = :erl_scan.string(to_charlist(line <> "."))
        {:ok, form} = :erl_parse.parse_form(tokens)
        form
      end

    {:ok, :telemetry, binary} = :compile.forms(forms)
    binary
  end

  # A fun that runs on every node.
  defp erlang(text, bindings \\ []) do
    {:ok, tokens, _} = :erl_scan.string(to_charlist(text <> "."))
    {:ok, forms} = :erl_parse.parse_exprs(tokens)
    {:value, fun, _} = :erl_eval.exprs(forms, bindings)
    fun
  end

  # Runs a scenario from the peer, and gives the result and the events up to the last.
  defp run(harness, peer, options) do
    base = %{
      setup: {:gen_server, :start_link, [Subject, [], []]},
      threads: [[{:add, 1}]],
      metadata: %{team: "a"}
    }

    arguments = [harness.node, :harness, :run, [Map.merge(base, Map.new(options))]]
    result = Peer.call(peer, :erpc, :call, arguments)
    {result, events(peer)}
  end

  defp events(peer) do
    node = peer.node
    assert_receive {:telemetry, ^node, event, measurements, metadata}, 10_000
    [{event, measurements, metadata} | if(event == @stop, do: [], else: events(peer))]
  end

  defp names(events), do: for({name, _, _} <- events, do: name)
  defp named(events, name), do: List.keyfind(events, name, 0)

  test "a run starts and stops", %{harness: harness, peer: peer} do
    before = System.system_time(:microsecond)
    assert {{:ok, report}, events} = run(harness, peer, [])
    assert [{@start, started, start_metadata}, {@stop, stopped, stop_metadata}] = events
    assert [system_time_us: time] = Map.to_list(started)
    assert time in (before - 5_000_000)..(System.system_time(:microsecond) + 5_000_000)
    assert start_metadata == %{team: "a", scenario_id: report.metadata.scenario_id}
    assert %{duration_ms: duration, status: :ok} = stopped
    assert map_size(stopped) == 2 and is_integer(duration)
    assert stop_metadata == start_metadata
  end

  test "the caller's node is told, wherever the hooks are applied", %{harness: harness, peer: peer} do
    hooks = Peer.start()
    Peer.load(hooks, Subject)
    options = [hooks_node: hooks.node, chaos: erlang("fun(_, _) -> node() end")]
    # The first run also makes the nodes connect to each other.
    {{:ok, _}, _} = run(harness, peer, options)
    before = length(Peer.call(peer, :erlang, :processes, []))
    assert {{:ok, report}, events} = run(harness, peer, options)
    assert report.chaos.result == hooks.node
    assert names(events) == [@start, @chaos_start, @chaos_stop, @stop]
    gone = fn -> length(Peer.call(peer, :erlang, :processes, [])) <= before end
    Wait.until("the processes of the run to be gone", gone)
  end

  test "everything that is observed is told, in order", %{harness: harness, peer: peer} do
    options = [
      mailbox: [sampling_interval: 1],
      chaos: erlang("fun(_, _) -> done end"),
      performance_expectations: [max_time_ms: 60_000]
    ]

    assert {{:ok, report}, events} = run(harness, peer, options)
    assert names(events) == [@start, @chaos_start, @chaos_stop, @mailbox, @measured, @stop]
    assert {_, measurements, _} = named(events, @chaos_start)
    assert measurements == %{}
    assert {_, %{duration_ms: duration} = measurements, _} = named(events, @chaos_stop)
    assert map_size(measurements) == 1 and is_integer(duration)
    assert {_, mailbox, _} = named(events, @mailbox)
    assert mailbox == report.mailbox
    assert {_, measured, _} = named(events, @measured)
    assert measured == report.performance
    for {_, _, metadata} <- events, do: assert(metadata == report.metadata)
  end

  test "why operations were slow is told, in seconds", %{harness: harness, peer: peer} do
    options = [setup: nil, target: Peer.start_server(peer, Subject), explain: true, threads: [[{:late, 200, :x}]]]
    assert {{:ok, report}, events} = run(harness, peer, options)
    assert names(events) == [@start, @explained, @stop]
    assert {_, measurements, metadata} = named(events, @explained)
    assert map_size(measurements) == 10 and metadata == report.metadata
    told = for %{cause: cause, us: us} <- report.explain.causes, into: %{}, do: {cause, us / 1_000_000}
    assert Map.filter(measurements, fn {_, seconds} -> seconds > 0 end) == told
    assert measurements |> Map.values() |> Enum.sum() > 0.15
  end

  test "failures are told with their reason", %{harness: harness, peer: peer} do
    rows = [
      {[setup: erlang("fun() -> {error, no} end")], []},
      {[setup: erlang("fun() -> error(bad) end")], []},
      {[threads: [[erlang("fun(_) -> exit(bang) end")]]], []},
      {[invariant: erlang("fun(_, _) -> false end")], []},
      {[chaos: erlang("fun(_, _) -> exit(bang) end")], [@chaos_start, @chaos_stop]},
      {[performance_expectations: [max_time_ms: 0.001]], []},
      {[mailbox: [], threads: [[erlang("fun(_) -> exit(bang) end")]]], [@mailbox]}
    ]

    for {options, between} <- rows do
      assert {{:error, reason}, events} = run(harness, peer, options)
      assert names(events) == [@start] ++ between ++ [@stop]
      {_, _, started} = named(events, @start)
      assert {_, %{status: :error, duration_ms: _}, stopped} = named(events, @stop)
      assert stopped == Map.put(started, :error, reason)
    end
  end

  test "a failed cleanup is told with what it wraps", %{harness: harness, peer: peer} do
    assert {{:error, reason}, events} = run(harness, peer, cleanup: erlang("fun(_, _) -> error(bad) end"))
    assert {:cleanup_failed, {:cleanup_failed, {_, _}}, %{events: [_]}} = reason
    assert {_, %{status: :error}, %{error: told}} = named(events, @stop)
    assert told == reason

    options = [cleanup: erlang("fun(_, _) -> error(bad) end"), invariant: erlang("fun(_, _) -> false end")]
    assert {{:error, reason}, events} = run(harness, peer, options)
    assert {_, %{status: :error}, %{error: ^reason}} = named(events, @stop)
  end

  test "failed chaos is told with its reason", %{harness: harness, peer: peer} do
    assert {{:error, {:chaos_failed, :bang}}, events} =
             run(harness, peer, chaos: erlang("fun(_, _) -> exit(bang) end"))

    assert {_, %{duration_ms: _}, %{error: :bang, team: "a", scenario_id: _}} = named(events, @chaos_stop)
    options = [chaos: erlang("fun(_, _) -> receive never -> ok end end"), timeout_ms: 100]
    assert {{:error, {:chaos_failed, :timeout}}, events} = run(harness, peer, options)
    assert {_, %{duration_ms: duration}, %{error: :timeout}} = named(events, @chaos_stop)
    assert duration >= 100
  end

  test "cancelled chaos does not stop", %{harness: harness, peer: peer} do
    thread = erlang("fun(_) -> exit(bang) end")
    chaos = erlang("fun(_, _) -> receive never -> ok end end")
    assert {{:error, {:thread_failure, _}}, events} = run(harness, peer, threads: [[thread]], chaos: chaos)
    assert names(events) == [@start, @chaos_start, @stop]
  end

  test "handlers that fail do no harm", %{harness: harness, peer: peer} do
    assert {{:ok, report}, events} = run(harness, peer, metadata: %{break: true}, mailbox: [])
    assert result(report) == {:ok, 1}
    assert names(events) == [@start, @mailbox, @stop]
  end

  test "runs without any hook tell as well", %{harness: harness, peer: peer} do
    target = Peer.start_server(peer, Subject)
    assert {{:ok, _}, events} = run(harness, peer, setup: nil, target: target)
    assert names(events) == [@start, @stop]
  end

  test "nothing is told where there is no telemetry", %{harness: harness} do
    assert {:ok, _} =
             Harness.run(harness, %{setup: fn -> GenServer.start_link(Subject, []) end, threads: [[:get]]})

    refute_received {:telemetry, _, _, _, _}
  end

  test "runs that are invalid tell nothing", %{harness: harness, peer: peer} do
    arguments = [harness.node, :harness, :run, [%{threads: [[:get]]}]]
    assert {:error, {:invalid_scenario, _}} = Peer.call(peer, :erpc, :call, arguments)
    refute_received {:telemetry, _, _, _, _}
  end
end
