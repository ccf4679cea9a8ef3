defmodule RunsSubscribeTest do
  @moduledoc "Events of runs, told to whoever wants to know while they go on."
  use ClusterCase, shared: true

  setup %{peer: peer} do
    {:ok, target: Peer.start_server(peer, Subject)}
  end

  setup %{harness: harness} do
    on_exit(fn -> Harness.call(harness, :unsubscribe, [:all, self()]) end)
  end

  defp subscribe(harness, arguments), do: Harness.call(harness, :subscribe, arguments)

  # A node that is connected to the daemon, with a process that collects messages.
  defp collector(harness) do
    peer = Peer.start(arguments: ["-hidden"])
    assert Peer.call(peer, :net_adm, :ping, [harness.node]) == :pong
    {peer, Peer.start_server(peer, Recorder)}
  end

  # All events of a run up to its last one.
  defp events(id) do
    assert_receive {:harness_event, ^id, name, measurements, metadata}, 10_000
    event = {name, measurements, metadata}
    if name == [:harness, :run, :stop], do: [event], else: [event | events(id)]
  end

  defp next(id, name) do
    assert_receive {:harness_event, ^id, ^name, measurements, metadata}, 10_000
    {measurements, metadata}
  end

  defp load(target, options \\ %{}) do
    Map.merge(%{target: target, load: %{rate: 200, duration_ms: 60_000}, operations: [:get]}, options)
  end

  test "the events of telemetry and the ends of a run are told", %{harness: harness, target: target} do
    assert subscribe(harness, [:all]) == :ok

    scenario = %{
      target: target,
      threads: [[{:add, 1}, {:crash, :bang}]],
      mailbox: [],
      chaos: fn _, _ -> :done end,
      performance_expectations: [max_time_ms: 60_000],
      metadata: %{team: "a"}
    }

    assert {:ok, %{run_id: id}} = Harness.run(harness, scenario)
    events = events(id)

    assert Enum.map(events, &elem(&1, 0)) == [
             [:harness, :run, :start],
             [:supertester, :concurrent, :scenario, :start],
             [:supertester, :chaos, :start],
             [:supertester, :chaos, :stop],
             [:supertester, :concurrent, :mailbox, :sample],
             [:supertester, :performance, :scenario, :measured],
             [:supertester, :concurrent, :scenario, :stop],
             [:harness, :run, :stop]
           ]

    for {_, measurements, metadata} <- events do
      assert is_map(measurements)
      assert metadata.scenario_id == id
    end

    assert {_, %{system_time_us: _}, %{team: "a", scenario_id: ^id}} = Enum.at(events, 1)
    assert {_, %{duration_ms: _, status: :ok}, %{team: "a"}} = Enum.at(events, 6)

    assert {_, %{operations: 2, operation_errors: 1, dropped: 0, duration_ms: _},
            %{outcome: :completed, state: :finished, reason: nil}} = List.last(events)

    # Whoever is told of the end finds the report.
    assert {:ok, %{run_id: ^id}} = Harness.call(harness, :report, [id])
    assert Harness.call(harness, :unsubscribe, [:all]) == :ok
    assert {:ok, %{run_id: id}} = Harness.run(harness, scenario)
    refute_received {:harness_event, ^id, _, _, _}
  end

  test "progress is told each second", %{harness: harness, target: target} do
    id = Runs.start(harness, load(target))
    assert subscribe(harness, [id]) == :ok
    progress = [:harness, :run, :progress]
    # The first may come at once, with those of other runs.
    next(id, progress)
    started = System.monotonic_time(:millisecond)
    told = for _ <- 1..3, do: next(id, progress)
    assert (System.monotonic_time(:millisecond) - started) in 2_500..10_000

    for {measurements, metadata} <- told do
      assert %{operation_errors: 0, dropped: 0, in_flight: in_flight, threads: threads} = measurements
      assert in_flight <= 1_000 and threads <= 1_000
      assert measurements.operations_per_s in 100..300
      assert measurements.p50_us <= measurements.p99_us and measurements.p99_us <= measurements.max_us
      assert measurements.p50_us > 0
      assert %{scenario_id: ^id, state: :load} = metadata
      refute Map.has_key?(metadata, :events_missed)
    end

    operations = for {measurements, _} <- told, do: measurements.operations
    assert operations == Enum.sort(operations) and List.last(operations) > hd(operations) + 200
    assert Harness.call(harness, :cancel, [id]) == :ok
    assert {[:harness, :run, :stop], _, %{outcome: :cancelled}} = List.last(events(id))
  end

  test "what is told is of this run, or of all", %{harness: harness, target: target} do
    [one, other] = for _ <- 1..2, do: Runs.start(harness, load(target))
    test = self()

    watch = fn id ->
      Task.async(fn ->
        assert subscribe(harness, [id]) == :ok
        send(test, :subscribed)
        Wait.until("events", fn -> Process.info(self(), :message_queue_len) |> elem(1) >= 6 end, 20_000)
        {:messages, messages} = Process.info(self(), :messages)
        messages |> Enum.map(&elem(&1, 1)) |> Enum.uniq() |> Enum.sort()
      end)
    end

    watchers = Enum.map([one, other, :all], watch)
    for _ <- watchers, do: assert_receive(:subscribed, 10_000)
    assert Task.await_many(watchers, 30_000) == [[one], [other], Enum.sort([one, other])]
    for id <- [one, other], do: assert(Harness.call(harness, :cancel, [id]) == :ok)
    for id <- [one, other], do: assert({:error, {:cancelled, _}} = Runs.await(harness, id))
  end

  test "any process may be told, in every way of asking", %{harness: harness, peer: peer, target: target} do
    # A node that is not connected cannot be told of anything.
    apart = Peer.start(arguments: ["-hidden"])
    elsewhere = Peer.start_server(apart, Recorder)
    assert subscribe(harness, [:all, elsewhere]) == {:error, {:nodedown, apart.node}}
    # Of a node that no node can be called.
    nobodys = :erlang.binary_to_term(<<131, 88, 119, 5, "a", 0, "b@c", 1::32, 0::32, 1::32>>)
    assert subscribe(harness, [:all, nobodys]) == {:error, {:nodedown, :"a\0b@c"}}

    collector = Peer.start_server(peer, Recorder)
    assert Peer.call(peer, :net_adm, :ping, [harness.node]) == :pong
    assert subscribe(harness, [:all, collector]) == :ok
    # Once is enough.
    assert subscribe(harness, [:all, collector]) == :ok
    assert GenServer.call({:harness, harness.node}, {:subscribe, :all}) == :ok
    assert {:ok, %{run_id: id}} = Harness.run(harness, %{target: target, threads: [[:get]]})
    here = events(id)

    there = fn ->
      for {:harness_event, ^id, name, measurements, metadata} <- Recorder.messages(collector),
          do: {name, measurements, metadata}
    end

    Wait.until("the end of the run there", fn -> match?({[_, _, :stop], _, _}, List.last(there.())) end)
    assert there.() == here
    assert Harness.call(harness, :unsubscribe, [:all, collector]) == :ok
    count = length(there.())
    assert {:ok, %{run_id: id}} = Harness.run(harness, %{target: target, threads: [[:get]]})
    assert [_ | _] = events(id)
    assert length(there.()) == count
    assert GenServer.call({:harness, harness.node}, {:unsubscribe, :all}) == :ok
  end

  test "waiting runs are told of, and those that are cancelled there", %{target: target} do
    harness = Harness.start(config: %{"limits" => %{"runs" => 1}})
    assert subscribe(harness, [:all]) == :ok
    first = Runs.start(harness, load(target))
    waiting = Runs.start(harness, load(target))
    assert {%{system_time_us: _}, %{state: :queued}} = next(waiting, [:harness, :run, :queued])
    assert Harness.call(harness, :cancel, [waiting]) == :ok
    assert {_, %{outcome: :cancelled}} = next(waiting, [:harness, :run, :stop])
    assert Harness.call(harness, :cancel, [first]) == :ok
    assert {_, %{outcome: :cancelled}} = next(first, [:harness, :run, :stop])
  end

  test "who ends is forgotten, with its node as well", %{target: target} do
    harness = Harness.start()
    id = Runs.start(harness, load(target))
    {doomed, collector} = collector(harness)
    for what <- [:all, id], do: assert(subscribe(harness, [what, collector]) == :ok)
    watcher = spawn(fn -> subscribe(harness, [id]) && Process.sleep(:infinity) end)
    Wait.until("events", fn -> Process.info(watcher, :message_queue_len) |> elem(1) > 0 end)
    Process.exit(watcher, :kill)
    Peer.kill(doomed)
    Harness.wait_for_log(harness, ~r/connection closed peer=#{doomed.node}/)
    # The run goes on, and so does the daemon with those that are left.
    assert subscribe(harness, [id]) == :ok
    next(id, [:harness, :run, :progress])
    assert Harness.call(harness, :cancel, [id]) == :ok
    events(id)
  end

  test "a node that does not read fills no memory, and is told how much it has missed", %{target: target} do
    harness = Harness.start()
    {deaf, collector} = collector(harness)
    assert subscribe(harness, [:all, collector]) == :ok
    # What the node does not take of these makes it one that has too much waiting.
    flood = %{
      target: Peer.start_server(deaf, CastOnlySubject),
      load: %{threads: 50, duration_ms: 60_000},
      operations: [{:"$cast", {:"$bytes", 4_096}}],
      events: :none,
      hooks_node: node()
    }

    ids = for _ <- 1..5, do: Runs.start(harness, load(target))
    ids = [Runs.start(harness, flood) | ids]
    Wait.until("the flood", fn -> Runs.status(harness, hd(ids)).operations > 1_000 end)
    os_pid = Peer.call(deaf, :os, :getpid, [])
    on_exit(fn -> System.cmd("kill", ["-CONT", to_string(os_pid)]) end)
    System.cmd("kill", ["-STOP", to_string(os_pid)])
    before = Harness.memory(harness)
    Process.sleep(3_500)
    assert Harness.memory(harness) - before < 100_000_000
    System.cmd("kill", ["-CONT", to_string(os_pid)])
    for id <- ids, do: Harness.call(harness, :cancel, [id])
    for id <- ids, do: Runs.await(harness, id)

    told = fn ->
      for {:harness_event, _, name, _, metadata} <- Recorder.messages(collector), do: {name, metadata}
    end

    Wait.until("the ends", fn -> Enum.count(told.(), &match?({[_, _, :stop], _}, &1)) == 6 end)
    assert Enum.any?(told.(), fn {_, metadata} -> Map.get(metadata, :events_missed, 0) > 5 end)
  end

  test "what cannot be is refused", %{harness: harness, target: target} do
    assert subscribe(harness, [12_345]) == {:error, :not_found}
    assert {:ok, %{run_id: id}} = Harness.run(harness, %{target: target, threads: [[:get]]})
    assert subscribe(harness, [id]) == {:error, :finished}
    for what <- [:some, 0, -1, "1"], do: assert({:error, {:badarg, _}} = subscribe(harness, [what]))
    for who <- [:me, "me", 1], do: assert({:error, {:badarg, _}} = subscribe(harness, [:all, who]))
    {gone, collector} = collector(harness)
    Peer.kill(gone)
    gone_node = gone.node
    assert {:error, {:nodedown, ^gone_node}} = subscribe(harness, [:all, collector])
    assert Harness.call(harness, :unsubscribe, [12_345]) == :ok
    assert {:error, {:badarg, _}} = Harness.call(harness, :unsubscribe, [:some])
  end
end
