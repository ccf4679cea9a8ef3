defmodule ChaosRecordTest do
  @moduledoc """
  What a run keeps of very many faults, how long recovery from them took, and what happens when it is not known
  in time whom they are for.
  """
  use ClusterCase, shared: true

  setup_all %{peer: peer} do
    for module <- [Trees, Trees.Supervisor, Trees.Worker], do: Peer.load(peer, module)
    :ok
  end

  defp scenario(target, chaos, options \\ %{}) do
    Map.merge(%{target: target, threads: [[]], chaos: chaos, timeout_ms: 60_000}, Map.new(options))
  end

  # One that stands still, so that its agents never answer; it goes on when the test ends.
  defp standing_still do
    peer = Peer.start(arguments: ["-hidden"])
    subject = Peer.start_server(peer, Subject)
    {peer, subject, to_string(Peer.call(peer, :os, :getpid, []))}
  end

  defp stand_still(os_pid) do
    System.cmd("kill", ["-STOP", os_pid])
    on_exit(fn -> System.cmd("kill", ["-CONT", os_pid]) end)
  end

  describe "of more faults than a run records" do
    test "the oldest go", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)

      nowhere = %{
        action: {:inject_crash, :immediate},
        every_ms: 3,
        times: 1_050,
        target: {:a, peer.node},
        allow_missing: true
      }

      last = %{action: {:suspend, 5}, after_ms: 3_500}

      assert {:ok, report} =
               Harness.run(harness, scenario(subject, List.duplicate(nowhere, 10) ++ [last]), 60_000)

      assert report.metrics.injections_dropped == 501
      assert length(report.injections) == 10_000
      assert %{kind: :suspend, outcome: :ok, undone: true} = List.last(report.injections)
      assert Enum.all?(report.injections, &(&1.at_ms >= 140))
      assert report.healed == true
    end

    test "so many at once are a failure of the chaos", %{peer: peer} do
      harness = Harness.start()
      {slow, _, os_pid} = standing_still()
      subject = Peer.start_server(peer, Subject)
      crash = {:inject_crash, :immediate}
      action = %{action: crash, after_ms: 500, every_ms: 1, times: 1_100, target: {:nobody, slow.node}}
      run = start_run(harness, scenario(subject, List.duplicate(action, 10)))
      Harness.wait_for_log(harness, ~r/state=load/)
      stand_still(os_pid)
      assert {:error, {:chaos_failed, :too_many_injections}} = Task.await(run, 60_000)
      assert running(harness) == 0
    end

    test "the memory is not that of all whom they might have hit", %{peer: peer} do
      harness = Harness.start(config: %{"access" => %{"chaos" => %{"allow" => ["*"]}}, "http" => %{"listen" => "127.0.0.1:0"}})
      subject = Peer.start_server(peer, Subject)
      # What an answer takes is some 150 KB.
      names = for i <- 1..250, do: String.to_atom(String.pad_trailing(Peer.unique("child#{i}_"), 240, "x"))
      supervisor = Peer.call(peer, Trees, :start, [:one_for_one, names])
      action = %{action: {:garbage_collect, []}, target: {:child, supervisor}, every_ms: 30, times: 140}
      tell = &%{action: {:apply, :erlang, :send, [self(), &1]}, after_ms: &2}
      chaos = [action, {:suspend, 60_000}, tell.(:early, 2_400), tell.(:late, 4_500)]
      run = start_run(harness, scenario(subject, chaos))
      assert_receive :early, 60_000
      before = Harness.allocated(harness)
      assert_receive :late, 60_000
      ours = fn -> Keyword.keys(Peer.call(peer, Trees, :of_harness, [])) end
      Wait.until("the last answer", fn -> :worker not in ours.() end, 60_000)
      assert Harness.allocated(harness) - before < 4_000_000
      assert [%{kind: :suspend}] = Harness.call(harness, :heal_all)
      assert {:ok, report} = Task.await(run, 30_000)
      assert length(report.injections) == 143
      Peer.call(peer, Trees, :stop, [supervisor])
    end
  end

  describe "recovery" do
    test "from very many faults without a success between them is known", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)
      # It goes on for long after the last fault.
      script = for(_ <- 1..400, do: [{:echo, 1}, {:"$sleep", 5}]) |> Enum.concat()

      chaos = [
        %{action: {:suspend, 500}, after_ms: 100},
        %{action: {:garbage_collect, []}, after_ms: 150, every_ms: 2, times: 120}
      ]

      options = [threads: [script], call_timeout_ms: 50, performance_expectations: [max_recovery_ms: 60_000]]
      assert {:ok, report} = Harness.run(harness, scenario(subject, chaos, options))
      recoveries = for %{recovery_ms: recovery} <- report.injections, do: recovery
      assert length(recoveries) == 121
      assert Enum.all?(recoveries, &is_integer/1)
      assert [%{measured: longest}] = report.expectations
      assert longest == Enum.max(recoveries)
      assert longest in 450..5_000
      assert hd(report.injections).errors > 3
    end

    test "that has only begun does not abort a run", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)

      scenario = %{
        target: subject,
        load: %{threads: 2, duration_ms: 3_000},
        operations: [{:echo, 1}, {:"$sleep", 2}],
        chaos: [%{action: {:inject_crash, :immediate}, after_ms: 300}],
        performance_expectations: [max_recovery_ms: 60_000],
        abort_when: [:max_recovery_ms],
        warmup_ms: 100
      }

      # It never recovers, which no limit allows, and is known only when the load is over.
      assert {:error, {:performance_failed, judged}} = Harness.run(harness, scenario)
      assert [%{measured: nil, met: false}] = judged.expectations
      report = Harness.last_partial(harness)
      assert report.metrics.duration_ms in 2_900..4_000
      assert map_size(report.errors) > 0
    end

    test "that takes too long aborts it", %{harness: harness, peer: peer} do
      subject = Peer.start_server(peer, Subject)

      scenario = %{
        target: subject,
        load: %{threads: 2, duration_ms: 60_000},
        operations: [{:echo, 1}, {:"$sleep", 2}],
        chaos: [%{action: {:inject_crash, :immediate}, after_ms: 100}],
        performance_expectations: [max_recovery_ms: 1_000],
        abort_when: [:max_recovery_ms],
        warmup_ms: 100
      }

      {time, result} = timed(fn -> Harness.run(harness, scenario) end)
      assert {:error, {:performance_failed, %{expectations: [%{met: false}]}}} = result
      assert time < 20_000
    end
  end

  test "nothing starts when it is not known in time whom faults are for", %{harness: harness, peer: peer} do
    {slow, far, os_pid} = standing_still()
    subject = Peer.start_server(peer, Subject)
    assert {:ok, _} = Harness.run(harness, scenario(far, {:suspend, 1}))
    stand_still(os_pid)
    chaos = [%{action: {:inject_crash, :immediate}, target: {:somebody, slow.node}, after_ms: 60_000}]
    dry = Task.async(fn -> Harness.run(harness, scenario(subject, chaos, dry_run: true)) end)
    run = start_run(harness, scenario(subject, chaos, threads: [[{:add, 1}]]))
    assert {:error, {:chaos_failed, :timeout}} = Task.await(run, 30_000)
    assert GenServer.call(subject, :get) == 0
    assert {:ok, %{chaos: [%{target: [], problem: :timeout}]}} = Task.await(dry, 30_000)
  end
end
