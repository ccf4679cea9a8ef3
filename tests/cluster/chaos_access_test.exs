defmodule ChaosAccessTest do
  @moduledoc """
  The blast radius: what the configuration forbids is refused with the rule that does so, before anything has
  started, and does not happen. A dry run tells what would be done, and does nothing.
  """
  use ClusterCase

  setup_all do
    peer = Peer.start(arguments: ["-hidden"])

    for module <- [Trees, Trees.Supervisor, Trees.Worker, Trees.Application, Subject, Faults],
        do: Peer.load(peer, module)

    {:ok, peer: peer}
  end

  defp start(access), do: Harness.start(config: %{"access" => access})
  defp alive?(peer, pid), do: Peer.call(peer, :erlang, :is_process_alive, [pid])

  defp look_at_all(peer, subject),
    do: Map.new(Faults.lasting(), fn {kind, _} -> {kind, Peer.call(peer, Faults, :look, [kind, subject])} end)

  # Its end, or that of the connection to it, is told from now on.
  defp watch_node(peer) do
    true = Node.connect(peer.node)
    Node.monitor(peer.node, true)
  end

  defp scenario(target, chaos), do: %{target: target, threads: [[:get]], chaos: chaos}

  # The scenario is refused by the rule, and its target was asked nothing.
  defp assert_refused(harness, scenario, kind, rule) do
    assert {:error, {:not_allowed, what}} = Harness.run(harness, scenario)
    assert %{rule: ^rule, kind: ^kind, message: message, target: _} = what
    assert message =~ rule
    assert {:error, {:not_allowed, dry}} = Harness.run(harness, Map.put(scenario, :dry_run, true))
    assert Map.delete(dry, :run_id) == Map.delete(what, :run_id) and dry.run_id != what.run_id
    assert running(harness) == 0
    Harness.wait_for_log(harness, ~r/faults refused.*requester=#{node()}/)
    what
  end

  describe "without a configuration" do
    test "no kind is done to nodes", %{peer: peer} do
      harness = Harness.start()
      subject = Peer.start_server(peer, Subject)
      test = self()
      # A ping would connect again.
      watch_node(peer)
      cookie = Peer.call(peer, :erlang, :get_cookie, [node()])

      for {kind, chaos} <- [
            exhaust: {:exhaust, :process_limit, [spawn_count: 2_000]},
            exhaust: {:exhaust, :ets_tables, []},
            exhaust: {:exhaust, :memory, []},
            exhaust: {:exhaust, :ports, []},
            burn_cpu: {:burn_cpu, []},
            disconnect: {:disconnect, [peer.node, node()], 100},
            halt_node: {:halt_node, peer.node},
            apply: {:apply, :erlang, :send, [test, :done]}
          ] do
        before = look_at_all(peer, subject)
        what = assert_refused(harness, scenario(subject, chaos), kind, "access.chaos.allow")
        assert what.target == nil
        # One that is allowed beside it is not done either.
        assert_refused(
          harness,
          scenario(subject, [{:inject_crash, :immediate}, chaos]),
          kind,
          "access.chaos.allow"
        )

        now = look_at_all(peer, subject)

        for {fault, _} <- Faults.lasting(),
            do: refute(Faults.there?(fault, before[fault], now[fault]), inspect(fault))
      end

      refute_received :done
      assert alive?(peer, subject)
      refute_received {:nodedown, _}
      assert Peer.call(peer, :erlang, :get_cookie, [node()]) == cookie
    end

    test "a setup is not even begun", %{peer: _} do
      harness = Harness.start()
      test = self()

      scenario = %{
        setup: fn ->
          send(test, :set_up)
          GenServer.start_link(Subject, [])
        end,
        threads: [[:get]],
        chaos: {:burn_cpu, []}
      }

      assert_refused(harness, scenario, :burn_cpu, "access.chaos.allow")
      refute_received :set_up
    end

    test "kernel, stdlib and the runtime's own processes are not touched", %{peer: peer} do
      harness = Harness.start()
      node = peer.node
      refc = Peer.call(peer, :erlang, :whereis, [:kernel_refc])
      [nameless | _] = Peer.call(peer, Trees, :nameless, [])

      for {target, rule} <- [
            {{:init, node}, "access.names.deny"},
            {{:net_kernel, node}, "access.names.deny"},
            {{:kernel_sup, node}, "access.names.deny"},
            {{:application_controller, node}, "access.names.deny"},
            {refc, "access.applications.deny"},
            {{:logger_sup, node}, "access.applications.deny"},
            {{:rex, node}, "access.applications.deny"},
            {nameless, "access.applications.deny"}
          ],
          kind <- [:inject_crash, :suspend, :flood, :garbage_collect] do
        chaos = %{
          inject_crash: {:inject_crash, :immediate, [reason: :kill]},
          suspend: {:suspend, 10},
          flood: {:flood, [count: 3]},
          garbage_collect: {:garbage_collect, []}
        }

        pid = if is_pid(target), do: target, else: Peer.call(peer, :erlang, :whereis, [elem(target, 0)])
        tracer = Peer.call(peer, Faults, :trace, [pid])
        assert_refused(harness, scenario(target, chaos[kind]), kind, rule)
        notes = Peer.call(peer, Faults, :traced, [tracer])
        refute :harnessd_flood in notes or :collected in notes
        assert Peer.call(peer, Faults, :look, [:suspend, pid]) == 0
      end

      subject = Peer.start_server(peer, Subject)

      for target <- [
            {:application, :kernel, node},
            {:module, :kernel, node},
            {:children, {:kernel_sup, node}},
            {:child, {:kernel_safe_sup, node}}
          ] do
        chaos = [%{action: {:inject_crash, :immediate}, target: target}]
        assert {:error, {:not_allowed, %{rule: rule}}} = Harness.run(harness, scenario(subject, chaos))
        assert rule in ["access.names.deny", "access.applications.deny"]
      end

      assert_refused(
        harness,
        scenario({:kernel_sup, node}, {:kill_children, []}),
        :kill_children,
        "access.names.deny"
      )

      assert alive?(peer, refc)
      assert alive?(peer, subject)
      assert Node.ping(node) == :pong
    end

    test "what is looked for would be seen", %{peer: peer} do
      harness = Harness.start()
      subject = Peer.start_server(peer, Subject)
      tracer = Peer.call(peer, Faults, :trace, [subject])

      assert {:ok, _} =
               Harness.run(harness, scenario(subject, [{:flood, [count: 3]}, {:garbage_collect, []}]))

      notes = Peer.call(peer, Faults, :traced, [tracer])
      assert :harnessd_flood in notes and :collected in notes
    end

    test "the loader of code is the runtime's by whatever name", %{peer: peer} do
      harness = start(%{"names" => %{"deny" => ["nobody"]}})
      target = {:erl_prim_loader, peer.node}
      assert_refused(harness, scenario(target, {:suspend, 1}), :suspend, "access.applications.deny")
    end

    test "what a script or a shell without a terminal has started is not the kernel's", %{peer: peer} do
      harness = Harness.start()
      kernel = Peer.call(peer, :erlang, :whereis, [:kernel_sup])
      {:group_leader, leader} = Peer.call(peer, :erlang, :process_info, [kernel, :group_leader])
      name = String.to_atom(Peer.unique("worker"))
      supervisor = Peer.call(peer, Trees, :start, [:one_for_one, [name]])

      for pid <- [supervisor, Peer.call(peer, :erlang, :whereis, [name])] do
        Peer.call(peer, :erlang, :group_leader, [leader, pid])
        assert Peer.call(peer, :application, :get_application, [pid]) == {:ok, :kernel}
      end

      chaos = [{:suspend, 5}, %{action: {:kill_children, [duration_ms: 1]}, target: supervisor, after_ms: 50}]
      assert {:ok, report} = Harness.run(harness, scenario({name, peer.node}, chaos))
      assert [%{outcome: :ok}, %{outcome: :ok}] = report.injections
      Peer.call(peer, Trees, :stop, [supervisor])
    end
  end

  describe "a rule" do
    test "of kinds", %{peer: peer} do
      subject = Peer.start_server(peer, Subject)
      harness = start(%{"chaos" => %{"allow" => ["suspend", "exh*"]}})

      assert_refused(
        harness,
        scenario(subject, {:inject_crash, :immediate}),
        :inject_crash,
        "access.chaos.allow"
      )

      assert {:ok, %{injections: [%{outcome: :ok}]}} = Harness.run(harness, scenario(subject, {:suspend, 5}))
      exhaust = {:exhaust, :ets_tables, [duration_ms: 5]}
      assert {:ok, %{injections: [%{outcome: :ok}]}} = Harness.run(harness, scenario(subject, exhaust))
      harness = start(%{"chaos" => %{"deny" => ["inject_*"]}})

      assert_refused(
        harness,
        scenario(subject, {:inject_crash, :immediate}),
        :inject_crash,
        "access.chaos.deny"
      )

      assert alive?(peer, subject)
    end

    test "of nodes", %{peer: peer} do
      subject = Peer.start_server(peer, Subject)
      harness = start(%{"targets" => %{"deny" => ["peer_*"]}, "chaos" => %{"allow" => ["*"]}})
      peer_node = peer.node
      watch_node(peer)
      cookie = Peer.call(peer, :erlang, :get_cookie, [node()])

      for {kind, chaos} <- [
            inject_crash: {:inject_crash, :immediate},
            burn_cpu: {:burn_cpu, []},
            halt_node: {:halt_node, peer.node},
            disconnect: {:disconnect, [node(), peer.node], 50},
            disconnect: {:disconnect, [[node()], [peer.node]], 50}
          ] do
        what = assert_refused(harness, scenario(subject, chaos), kind, "access.targets.deny")
        assert what.target == peer_node
      end

      refute_received {:nodedown, _}
      assert Peer.call(peer, :erlang, :get_cookie, [node()]) == cookie

      # A process that only turns out to be there.
      name = String.to_atom(Peer.unique("far"))
      :ok = Peer.call(peer, :erlang, :apply, [:application, :ensure_started, [:kernel]])
      {:ok, here} = GenServer.start(Subject, [])
      :yes = :global.register_name(name, subject)
      chaos = [%{action: {:inject_crash, :immediate}, target: {:global, name}}]
      what = assert_refused(harness, scenario(here, chaos), :inject_crash, "access.targets.deny")
      assert what.target == subject
      harness = start(%{"targets" => %{"allow" => ["tester_*"]}})
      crash = {:inject_crash, :immediate, [reason: :kill]}
      assert_refused(harness, scenario(subject, crash), :inject_crash, "access.targets.allow")
      assert {:ok, _} = Harness.run(harness, scenario(here, {:suspend, 5}))
      assert alive?(peer, subject)
    end

    test "of names", %{peer: peer} do
      names = for prefix <- ["open", "open", "closed"], do: String.to_atom(Peer.unique(prefix))
      supervisor = Peer.call(peer, Trees, :start, [:one_for_one, names])
      children = Map.new(Peer.call(peer, Trees, :children, [supervisor]))
      [open, _, closed] = names
      harness = start(%{"names" => %{"deny" => ["closed_*"]}})
      crash = {:inject_crash, :immediate, [reason: :kill]}

      for target <- [{closed, peer.node}, children[closed]] do
        what = assert_refused(harness, scenario(target, crash), :inject_crash, "access.names.deny")
        assert what.target == children[closed]
      end

      # All children are forbidden with one of them.
      assert_refused(harness, scenario(supervisor, {:kill_children, []}), :kill_children, "access.names.deny")
      all = [%{action: crash, target: {:children, supervisor}}]
      assert_refused(harness, scenario({open, peer.node}, all), :inject_crash, "access.names.deny")
      assert Map.new(Peer.call(peer, Trees, :children, [supervisor])) == children
      assert {:ok, _} = Harness.run(harness, scenario({open, peer.node}, {:suspend, 5}))

      # Without a name a process has an empty one.
      harness = start(%{"names" => %{"allow" => ["open_*"]}})
      nameless = Peer.start_server(peer, Subject)
      assert_refused(harness, scenario(nameless, crash), :inject_crash, "access.names.allow")
      assert_refused(harness, scenario({closed, peer.node}, crash), :inject_crash, "access.names.allow")
      assert {:ok, _} = Harness.run(harness, scenario({open, peer.node}, {:suspend, 5}))
      assert alive?(peer, nameless)
      Peer.call(peer, Trees, :stop, [supervisor])
    end

    test "of applications", %{peer: peer} do
      {supervisor, [worker | _]} = Peer.call(peer, Trees, :start_application, [:shop])
      target = [%{action: {:suspend, 5}, target: {:application, :shop, peer.node}}]
      crash = {:inject_crash, :immediate, [reason: :kill]}
      all = [%{action: crash, target: {:application, :shop, peer.node}}]
      children = Peer.call(peer, Trees, :children, [supervisor])
      harness = start(%{"applications" => %{"deny" => ["shop"]}})
      assert_refused(harness, scenario(worker, crash), :inject_crash, "access.applications.deny")
      assert_refused(harness, scenario(worker, all), :inject_crash, "access.applications.deny")

      assert_refused(
        harness,
        scenario(supervisor, {:kill_children, []}),
        :kill_children,
        "access.applications.deny"
      )

      assert alive?(peer, supervisor)
      assert Peer.call(peer, Trees, :children, [supervisor]) == children
      harness = start(%{"applications" => %{"allow" => ["sh*p"]}})
      assert {:ok, %{injections: [%{outcome: :ok}]}} = Harness.run(harness, scenario(worker, target))
      foreign = Peer.start_server(peer, Subject)
      assert_refused(harness, scenario(foreign, crash), :inject_crash, "access.applications.allow")
      assert alive?(peer, foreign)
      Peer.call(peer, :application, :stop, [:shop])
    end

    test "holds for who comes later as well", %{peer: peer} do
      # The name that the target has when the fault is due is that of another process than before.
      name = String.to_atom(Peer.unique("changing"))
      first = Peer.start_server(peer, Subject)
      harness = start(%{"names" => %{"deny" => ["changing_*"]}})
      chaos = [%{action: {:inject_crash, :immediate}, after_ms: 400, target: first}]
      script = for(_ <- 1..200, do: [:get, {:"$sleep", 4}]) |> Enum.concat()
      run = start_run(harness, %{target: first, threads: [script], chaos: chaos})
      Harness.wait_for_log(harness, ~r/state=load/)
      true = Peer.call(peer, :erlang, :register, [name, first])
      assert {:error, {:chaos_failed, {:not_injected, [missed]}}} = Task.await(run, 30_000)
      assert %{outcome: {:not_allowed, %{rule: "access.names.deny", target: ^first}}, target: ^first} = missed
      assert [%{outcome: {:not_allowed, _}, amount: 0}] = Harness.last_partial(harness).injections

      assert alive?(peer, first)
    end
  end

  test "every injection is logged with its requester", %{peer: peer} do
    harness = Harness.start()
    subject = Peer.start_server(peer, Subject)
    assert {:ok, report} = Harness.run(harness, scenario(subject, {:inject_crash, :immediate}))

    Harness.wait_for_log(
      harness,
      ~r/fault injected run=#{report.run_id} requester=#{node()} action=\S*inject_crash.* target=/
    )
  end

  describe "a dry run" do
    test "tells what would be done to whom, and does nothing", %{peer: peer} do
      harness = Harness.start(config: %{"access" => %{"chaos" => %{"allow" => ["*"]}}})
      names = for _ <- 1..3, do: String.to_atom(Peer.unique("worker"))
      supervisor = Peer.call(peer, Trees, :start, [:one_for_one, names])
      children = Peer.call(peer, Trees, :children, [supervisor])
      subject = Peer.start_server(peer, Subject)

      chaos = [
        {:inject_crash, {:after_ms, 70}},
        %{action: {:suspend, 50}, after_ms: 10, every_ms: 20, times: 4, target: {:children, supervisor}},
        %{action: {:burn_cpu, []}, target: {:node, peer.node}},
        {:halt_node, peer.node},
        %{action: {:flood, []}, target: {:nobody_there, peer.node}},
        %{action: {:garbage_collect, []}, every_ms: 5, probability: 0}
      ]

      scenario = %{target: subject, threads: [[{:add, 1}]], chaos: chaos, dry_run: true}
      assert {:ok, report} = Harness.run(harness, scenario)
      assert %{dry_run: true, thread_count: 1, seed: seed, target: ^subject} = report
      assert is_integer(seed)
      peer_node = peer.node
      assert [crash, suspend, burn, halt, flood, collect] = report.chaos
      assert %{kind: :inject_crash, at_ms: [70], target: [^subject], problem: nil} = crash
      assert %{kind: :suspend, at_ms: [10, 30, 50, 70], action: {:suspend, 50}} = suspend
      assert Enum.sort(suspend.target) == Enum.sort(for {_, pid} <- children, do: pid)
      assert %{kind: :burn_cpu, target: [^peer_node]} = burn
      assert %{kind: :halt_node, target: [^peer_node]} = halt
      assert %{kind: :flood, target: [], problem: :noproc} = flood
      assert %{kind: :garbage_collect, at_ms: []} = collect
      assert Peer.call(peer, Trees, :children, [supervisor]) == children
      assert GenServer.call(subject, :get) == 0
      assert Node.ping(peer.node) == :pong
      Peer.call(peer, Trees, :stop, [supervisor])
    end

    test "sets nothing up", %{peer: _} do
      harness = Harness.start()
      test = self()

      scenario = %{
        setup: fn -> send(test, :set_up) end,
        threads: [[:get]],
        chaos: {:inject_crash, :immediate},
        steady_state: fn _, _ -> send(test, :steady) end,
        invariant: fn _, _ -> send(test, :invariant) end,
        cleanup: fn _, _ -> send(test, :cleaned) end,
        dry_run: true
      }

      assert {:ok, %{dry_run: true, target: nil, chaos: [%{kind: :inject_crash, target: []}]}} =
               Harness.run(harness, scenario)

      refute_received _
      assert {:ok, %{chaos: []}} = Harness.run(harness, Map.delete(scenario, :chaos))
      refute_received _
    end
  end
end
