defmodule HooksOwnerTest do
  @moduledoc "Whom a run stops that names no cleanup, and for whom its hooks act."
  use ClusterCase, shared: true

  defp assert_gone(pid) do
    monitor = Process.monitor(pid)
    assert_receive {:DOWN, ^monitor, :process, ^pid, _}, 10_000
  end

  defp start_subject(options \\ []) do
    {:ok, pid} = GenServer.start(Subject, [], options)
    on_exit(fn -> Process.exit(pid, :kill) end)
    pid
  end

  # Everybody who can ask for a run; each gives its answer.
  defp callers(harness) do
    once = fn scenario ->
      {:ok, id} = Harness.call(harness, :start, [scenario])
      Harness.call(harness, :await, [id])
    end

    [
      erpc: &Harness.run(harness, &1),
      rpc: &:rpc.call(harness.node, :harness, :run, [&1]),
      server: &GenServer.call({:harness, harness.node}, {:run, &1}, 30_000),
      start: once
    ]
  end

  describe "without a cleanup" do
    test "a service that was there before is left alone", %{harness: harness} do
      service = start_subject(name: :service_before)

      for {way, run} <- callers(harness) do
        scenario = %{setup: fn -> {:ok, Process.whereis(:service_before)} end, threads: [[:get]]}
        assert {:ok, _} = run.(Map.put(scenario, :hooks_node, node())), "by #{way}"
        assert Process.alive?(service), "by #{way}"
      end
    end

    test "so is one without a name, one that setup links to, and one with a context", %{harness: harness} do
      service = start_subject()

      for setup <- [
            fn -> {:ok, service} end,
            fn -> Process.link(service) && {:ok, service} end,
            fn -> {:ok, service, %{a: 1}} end
          ] do
        assert {:ok, _} = Harness.run(harness, %{setup: setup, threads: [[:get]]})
        refute_receive {:EXIT, _, _}, 50
        assert Process.alive?(service)
      end
    end

    test "what setup has made is stopped, linked or not", %{harness: harness} do
      test = self()

      for start <- [&GenServer.start/2, &GenServer.start_link/2] do
        setup = fn ->
          {:ok, server} = start.(Subject, [])
          send(test, {:made, server})
          {:ok, server}
        end

        assert {:ok, _} = Harness.run(harness, %{setup: setup, threads: [[:get]]})
        assert_received {:made, server}
        assert_gone(server)
      end
    end

    test "a caller lives on that has started what setup returns, before or meanwhile", %{harness: harness} do
      {:ok, linked} = GenServer.start_link(Subject, [])
      assert {:ok, _} = Harness.run(harness, %{setup: fn -> {:ok, linked} end, threads: [[:get]]})
      assert Process.alive?(linked)

      test = self()

      setup = fn ->
        send(test, {:start, self()})

        receive do
          {:started, server} -> {:ok, server}
        end
      end

      scenario = %{setup: setup, threads: [[:get]]}
      tag = :erpc.send_request(harness.node, :harness, :run, [scenario])
      assert_receive {:start, session}, 10_000
      {:ok, server} = GenServer.start_link(Subject, [])
      send(session, {:started, server})
      assert {:ok, _} = :erpc.receive_response(tag, 30_000)
      assert Process.alive?(server)
      GenServer.stop(server)
      GenServer.stop(linked)
    end

    test "on another node only what had a name before is left alone", %{harness: harness, peer: peer} do
      Node.connect(peer.node)
      named = Peer.start_named(peer, Subject, :there_before)
      global = Peer.start_server(peer, Subject)
      :yes = :global.register_name(:there_globally, global)
      on_exit(fn -> :global.unregister_name(:there_globally) end)

      for service <- [named, global] do
        assert {:ok, _} = Harness.run(harness, %{setup: fn -> {:ok, service} end, threads: [[:get]]})
        assert :erpc.call(peer.node, Process, :alive?, [service])
      end

      node = peer.node

      setup = fn -> :erpc.call(node, :gen_server, :start, [{:local, :made_there}, Subject, [], []]) end
      assert {:ok, _} = Harness.run(harness, %{setup: setup, threads: [[:get]]})
      assert Peer.call(peer, :erlang, :whereis, [:made_there]) == :undefined

      other = Peer.start_server(peer, Subject)
      assert {:ok, _} = Harness.run(harness, %{setup: fn -> {:ok, other} end, threads: [[:get]]})
      refute :erpc.call(peer.node, Process, :alive?, [other])
    end

    test "a run that fails, or is cancelled, spares it as well", %{harness: harness} do
      service = start_subject()
      test = self()

      failing = %{setup: fn -> {:ok, service} end, threads: [[:get]], invariant: fn _, _ -> false end}
      assert {:error, {:invariant_failed, :returned_false}} = Harness.run(harness, failing)
      assert Process.alive?(service)

      scenario = %{setup: fn -> {:ok, service} end, threads: [[{:tell, test, :in_load}]], hooks_node: node()}
      assert {:ok, id} = Harness.call(harness, :start, [scenario])
      assert_receive {:told, ^service, _, :in_load}, 10_000
      assert :ok = Harness.call(harness, :cancel, [id])
      assert {:error, {:cancelled, _}} = Harness.call(harness, :await, [id])
      assert Process.alive?(service)
    end

    test "it lives on when the daemon dies, and what setup has made does not" do
      harness = Harness.start()
      service = start_subject()
      test = self()
      made = fn -> GenServer.start(Subject, []) end

      for {setup, spared} <- [{fn -> {:ok, service} end, true}, {made, false}] do
        spawn(fn -> Harness.run(harness, %{setup: setup, threads: [[{:tell, test, :in_load}]]}) end)
        assert_receive {:told, server, _, :in_load}, 10_000
        spared || send(test, {:made, server})
      end

      assert_received {:made, server}
      Harness.kill(harness)
      assert_gone(server)
      assert Process.alive?(service)
    end

    test "a cleanup of its own is applied, whoever has made it", %{harness: harness} do
      service = start_subject()
      test = self()

      scenario = %{
        setup: fn -> {:ok, service} end,
        threads: [[:get]],
        cleanup: fn subject, _ -> send(test, {:cleaned, subject}) end
      }

      assert {:ok, _} = Harness.run(harness, scenario)
      assert_received {:cleaned, ^service}
    end
  end

  describe "hooks act for their caller" do
    defp telling(test) do
      %{
        setup: fn ->
          Hooks.lineage(test, :setup)
          {:ok, server} = GenServer.start_link(Subject, [])
          {:ok, server}
        end,
        threads: [[fn _ -> Hooks.lineage(test, :custom) end]],
        chaos: fn _, _ -> Hooks.lineage(test, :chaos) end,
        steady_state: fn _, _ -> Hooks.lineage(test, :steady_state) end,
        invariant: fn _, _ -> Hooks.lineage(test, :invariant) end,
        cleanup: fn server, _ ->
          {:dictionary, dictionary} = Process.info(server, :dictionary)
          send(test, {:server, dictionary[:"$ancestors"]})
          Hooks.lineage(test, :cleanup)
        end
      }
    end

    test "by $callers and $ancestors", %{harness: harness} do
      test = self()
      Process.put(:"$callers", [:from_above])
      Process.put(:"$ancestors", [:a_supervisor])

      runs = Keyword.delete(callers(harness), :start)

      for {_, run} <- runs do
        assert {:ok, _} = run.(telling(test))
        assert_received {:setup, session, [caller, :from_above], [caller, :a_supervisor]}
        assert caller == test

        for hook <- [:steady_state, :invariant, :cleanup] do
          assert_received {^hook, ^session, [^test, :from_above], [^test, :a_supervisor]}
        end

        for hook <- [:custom, :chaos] do
          assert_received {^hook, worker, [^session, ^test, :from_above], [^session, ^test, :a_supervisor]}
          assert worker != session
        end

        assert_received {:server, [^session, ^test, :a_supervisor]}
      end
    after
      Process.delete(:"$callers")
      Process.delete(:"$ancestors")
    end

    test "who is named on their own node alone", %{harness: harness, peer: peer} do
      Peer.load(peer, Hooks)
      target = Peer.start_server(peer, Subject)
      test = self()

      scenario = %{
        target: target,
        hooks_node: peer.node,
        threads: [[{:custom, {Hooks, :tell_lineage, [test, :custom]}}]],
        invariant: {Hooks, :tell_lineage, [test, :invariant]}
      }

      assert {:ok, _} = Harness.run(harness, scenario)
      assert_receive {:invariant, session, [], []}
      assert_receive {:custom, _, [^session], [^session]}
    end

    test "so that a mock or a sandbox finds its owner", %{harness: harness} do
      # What Mox and Ecto's sandbox do: the first of the process and its callers that owns something.
      owner = fn owners -> Enum.find([self() | Process.get(:"$callers", [])], &(&1 in owners)) end
      test = self()

      scenario = %{
        setup: fn -> GenServer.start_link(Subject, []) end,
        threads: [[fn _ -> owner.([test]) == test || raise("no owner") end]],
        invariant: fn _, _ -> owner.([test]) == test end
      }

      assert {:ok, report} = Harness.run(harness, scenario)
      assert result(report) == {:ok, true}
    end
  end

  describe "a hook is not the test process" do
    test "and has what the guide says instead", %{harness: harness} do
      test = self()
      Process.put(:of_the_test, true)
      table = :ets.new(:of_the_test, [:public])

      scenario = %{
        setup: fn ->
          :ets.insert(table, {:setup, Process.get(:of_the_test)})
          mine = :ets.new(:of_the_session, [:public])
          {:ok, server} = GenServer.start_link(Subject, [])
          send(test, {:from_setup, mine})
          {:ok, server, %{table: mine}}
        end,
        threads: [[fn _ -> :ets.insert(table, {:custom, self() != test}) end]],
        chaos: fn _, %{setup_context: %{table: mine}} -> :ets.insert(mine, {:chaos, 1}) end,
        invariant: fn _, %{table: mine} -> :ets.lookup(mine, :chaos) == [chaos: 1] end
      }

      assert {:ok, %{context: %{table: mine}}} = Harness.run(harness, scenario)
      assert_receive {:from_setup, ^mine}
      assert Enum.sort(:ets.tab2list(table)) == [custom: true, setup: nil]
      # It has gone with the session.
      Wait.until("the end of the session", fn -> :ets.info(mine) == :undefined end)
    end

    test "so that what is for that alone raises", %{harness: harness} do
      for setup <- [fn -> start_supervised!(Subject) end, fn -> on_exit(fn -> :ok end) end] do
        assert {:error, {:setup_failed, {%{__exception__: true}, [_ | _]}}} =
                 Harness.run(harness, %{setup: setup, threads: [[]]})
      end
    end
  end
end
