defmodule TooLargeTest do
  @moduledoc "A message that is too large costs only whom it is for; what else goes over its connection goes on."
  use ClusterCase

  @limit 100_000
  @above 300_000

  setup_all do
    peer = Peer.start()
    harness = Harness.start(config: %{"limits" => %{"frame_bytes" => @limit}})
    target = Peer.start_server(peer, Subject)
    victim = Peer.start_server(peer, Subject)
    {:ok, peer: peer, harness: harness, target: target, victim: victim}
  end

  # A run on the same connection, with a fault that lasts; it loses nothing of what `fun` does meanwhile.
  defp beside(harness, victim, fun) do
    scenario = %{
      target: victim,
      load: %{rate: 200, duration_ms: 1_500},
      operations: [:get],
      call_timeout_ms: 5_000,
      chaos: [%{action: {:suspend, 400}, after_ms: 300}]
    }

    run = start_run(harness, scenario)
    Process.sleep(400)
    result = fun.()
    assert {:ok, report} = Task.await(run, 30_000)
    assert report.metrics.operation_errors == 0
    assert report.metrics.total_operations >= 299
    assert [%{outcome: :ok, undone: true, duration_ms: held}] = report.injections
    assert_in_delta held, 400, 60
    refute Enum.any?(report.warnings, &(&1.warning == :message_too_large))
    result
  end

  defp error, do: {:error, {:message_too_large, @limit}}

  test "a reply fails its operation alone", %{harness: harness, target: target, victim: victim} do
    beside(harness, victim, fn ->
      for kind <- [:bytes, :list] do
        script = [{:make, kind, @above}, :get, {:make, kind, 3 * @above}, {:cast, {:add, 0}}, :get]
        load = %{target: target, threads: [script, script], call_timeout_ms: 5_000}
        assert {:ok, report} = Harness.run(harness, load)
        error = error()
        assert [[^error, {:ok, _}, ^error, {:ok, :ok}, {:ok, _}], _] = results(report)
        assert %{total_operations: 10, operation_errors: 4} = report.metrics
        assert report.errors == %{elem(error, 1) => 4}
      end
    end)
  end

  # In pieces of 64 KB, which come interleaved: all are incomplete at once.
  test "replies that are large together are none that is too large", %{peer: peer} do
    harness = Harness.start(config: %{"limits" => %{"frame_bytes" => 1_000_000}})
    targets = for _ <- 1..4, do: Peer.start_server(peer, Subject)
    load = %{target: targets, threads: List.duplicate(List.duplicate({:make, :bytes, 950_000}, 20), 4)}
    assert {:ok, report} = Harness.run(harness, Map.put(load, :events, :none))
    assert %{total_operations: 80, operation_errors: 0} = report.metrics
  end

  test "a custom operation fails alone, as what a hook gives does", %{harness: harness, target: target} do
    custom = {:custom, fn _ -> :binary.copy("x", @above) end}
    scenario = %{target: target, threads: [[custom, {:custom, fn _ -> :fine end}]]}
    assert {:ok, report} = Harness.run(harness, scenario)
    error = error()
    assert [[^error, {:ok, :fine}]] = results(report)
    invariant = Map.put(scenario, :invariant, fn _, _ -> :binary.copy("x", @above) end)
    assert {:error, {:invariant_failed, {:message_too_large, @limit}}} = Harness.run(harness, invariant)
  end

  test "the end of a server is one, whatever its reason", %{harness: harness, peer: peer, victim: victim} do
    beside(harness, victim, fn ->
      target = Peer.start_server(peer, Subject)
      load = %{target: target, threads: [[{:crash_with, @above}]]}
      assert {:ok, report} = Harness.run(harness, load)
      assert [[{:error, {{:message_too_large, @limit}, {GenServer, :call, _}}}]] = results(report)
    end)
  end

  test "a request raises where it was made", %{harness: harness, peer: peer, victim: victim} do
    reason = {:message_too_large, %{limit: @limit, key: "limits.frame_bytes"}}
    large = :binary.copy("x", @above)

    beside(harness, victim, fn ->
      raised = catch_error(Peer.call(peer, :erpc, :call, [harness.node, :harness, :validate, [large]]))
      assert {:exception, ^reason, _} = raised

      assert {:badrpc, {:EXIT, {^reason, _}}} =
               Peer.call(peer, :rpc, :call, [harness.node, :harness, :validate, [large]])

      call = {:call, :harness, :validate, [large], Peer.call(peer, :erlang, :whereis, [:user])}
      assert {:badrpc, {:EXIT, {^reason, []}}} = Peer.call(peer, :gen_server, :call, [{:rex, harness.node}, call])

      assert {:error, {:exception, ^reason, []}} =
               Peer.call(peer, :gen_server, :call, [{:harness, harness.node}, {:validate, large}])

      # Nobody waits for these.
      :ok = Peer.call(peer, :gen_server, :cast, [{:harness, harness.node}, {:validate, large}])
      _ = Peer.call(peer, :erlang, :send, [{:harness, harness.node}, large])
      _ = Peer.call(peer, :erpc, :cast, [harness.node, :harness, :validate, [large]])
    end)

    assert Harness.log(harness) =~
             ~r/warning message too large peer=#{peer.node} operation=REG_SEND to=harness limit=limits.frame_bytes value=#{@limit}/

    refute Harness.log(harness) =~ "connection closed peer=#{peer.node}"
  end

  # Its caller waits without an end for the word of each node.
  test "a broadcast is answered at once", %{harness: harness, peer: peer} do
    node = harness.node
    large = :binary.copy("x", @above)

    for {name, message, answer} <- [
          {:harness, large, {[node], []}},
          {:harness, {:"$gen_cast", {:validate, %{list: [large]}}}, {[node], []}},
          {:nobody, large, {[], [node]}}
        ] do
      {time, ^answer} = timed(fn -> Peer.call(peer, :rpc, :sbcast, [[node], name, message], 5_000) end)
      assert time < 1_000
    end
  end

  # Atoms that only a message that was not kept has told of are known afterwards.
  test "the atom cache goes on", %{harness: harness, target: target} do
    atoms = for i <- 1..40, do: :"atom_that_comes_#{i}"
    script = for atom <- atoms, do: {:echo, atom}
    scenario = %{target: target, threads: [[{:make, :atoms, @above} | script]]}
    assert {:ok, report} = Harness.run(harness, scenario)
    error = error()
    assert [[^error | rest]] = results(report)
    assert rest == for(atom <- atoms, do: {:ok, atom})
  end

  describe "a deep term" do
    setup %{peer: peer} do
      {:ok, wide: Harness.start(), deep: Peer.start_server(peer, Subject)}
    end

    test "is a reply, a request and in a report like any other", %{wide: wide, deep: deep, victim: victim} do
      beside(wide, victim, fn ->
        for depth <- [5_000, 100_000], kind <- [:deep, :deep_first] do
          {:reply, term, _} = Subject.handle_call({:make, kind, depth}, nil, nil)
          script = [{:make, kind, depth}, %{op: {:echo, term}, expect: term}, {:echo, {depth, term}}]

          assert {:ok, report} =
                   Harness.run(wide, %{target: deep, threads: [script], call_timeout_ms: 10_000, timeout_ms: 30_000})

          assert [[{:ok, first}, {:ok, second}, {:ok, {^depth, third}}]] = results(report)
          assert first == term and second == term and third == term
          assert Harness.call(wide, :show, [report.run_id]) =~ "completed"
        end
      end)
    end

    test "of five million levels is one", %{wide: wide, deep: deep} do
      script = [{:make, :deep, 5_000_000}, :get]
      load = %{target: deep, threads: [script], events: :none, call_timeout_ms: 60_000, timeout_ms: 60_000}
      assert {:ok, report} = Harness.run(wide, load, 70_000)
      assert %{total_operations: 2, operation_errors: 0} = report.metrics
    end
  end

  test "who prints something too large does not wait for ever", %{harness: harness, target: target} do
    large = fn -> :io.put_chars(:binary.copy("x", @above)) end
    custom = {:custom, fn _ -> catch_error(large.()) && :refused end}
    id = Runs.start(harness, %{target: target, threads: [[custom, :get]], hooks_node: node()})
    assert {:ok, report} = Runs.await(harness, id)
    assert [[{:ok, :refused}, {:ok, _}]] = results(report)
  end
end
