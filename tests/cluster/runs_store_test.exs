defmodule RunsStoreTest do
  @moduledoc "Runs across the end of the daemon: what was acknowledged is there when it comes back."
  use ClusterCase

  setup_all do
    {:ok, peer: Peer.start()}
  end

  setup %{peer: peer} do
    {:ok, target: Peer.start_server(peer, Subject)}
  end

  defp start(config \\ %{}) do
    folder = Support.temporary_folder()
    harness = Harness.start(config: Map.put(config, "state_dir", folder))
    %{harness: harness, folder: folder}
  end

  defp files(folder), do: folder |> Path.join("runs") |> File.ls!() |> Enum.sort()
  defp ids(harness), do: Enum.map(Harness.call(harness, :runs), & &1.run_id)

  defp long_load(target) do
    %{target: target, load: %{rate: 500, duration_ms: 60_000}, operations: [{:add, 1}], metadata: %{soak: 1}}
  end

  # A journal that knows of some operations.
  defp await_journal(folder, id) do
    Wait.until(
      "a journal of run #{id}",
      fn ->
        with {:ok, bytes} <- File.read(Path.join([folder, "runs", "#{id}.running"])),
             {%{operations: operations}, %{}} when operations > 0 <- :erlang.binary_to_term(bytes),
             do: operations,
             else: (_ -> nil)
      end,
      20_000
    )
  end

  test "reports are there after a restart, and after a crash", %{target: target} do
    %{harness: harness, folder: folder} = start()
    scenario = %{target: target, threads: for(thread <- 1..10, do: for(_ <- 1..20, do: {:echo, thread}))}
    assert {:ok, first} = Harness.run(harness, scenario)
    id = Runs.start(harness, %{target: target, threads: [[&:erlang.exit/1], [{:echo, 2}]]})
    assert {:error, reason} = Runs.await(harness, id)
    statuses = Harness.call(harness, :runs)
    assert [%{run_id: ^id, outcome: :failed, stored: :disk}, %{outcome: :completed, stored: :disk}] = statuses

    for stop <- [&Harness.stop/1, &Harness.kill/1], reduce: harness do
      harness ->
        stop.(harness)
        harness = Harness.restart(harness)
        assert Harness.call(harness, :runs) == statuses
        assert Harness.call(harness, :report, [first.run_id]) == {:ok, first}
        assert Runs.await(harness, first.run_id) == {:ok, first}
        assert Runs.await(harness, id) == {:error, reason}
        assert {:ok, %{run_id: ^id, threads: [_, _]}} = Harness.call(harness, :partial, [id])
        harness
    end

    assert {_, {:ok, ^first}} =
             :erlang.binary_to_term(File.read!(Path.join([folder, "runs", "#{first.run_id}.term"])))
  end

  test "SIGTERM ends runs with their cleanup and stores their reports", %{peer: peer, target: target} do
    %{harness: harness} = start(%{"limits" => %{"runs" => 1}})
    Peer.load(peer, Recorder)
    cleanup = {Recorder, :cleanup, [self()]}
    id = Runs.start(harness, Map.put(long_load(target), :cleanup, cleanup))
    waiting = Runs.start(harness, Map.put(long_load(target), :cleanup, cleanup))
    Wait.until("some load", fn -> Runs.status(harness, id).operations > 100 end)
    caller = Task.async(fn -> Runs.await(harness, id) end)
    Wait.until("it to wait", fn -> Runs.status(harness, id).awaited_by == 1 end)
    Harness.terminate(harness)
    assert_receive {:cleaned, ^target}, 10_000
    assert {:error, {:cancelled, report}} = Task.await(caller, 30_000)
    Loads.assert_sums(report)
    assert report.metrics.total_operations > 100
    assert Harness.await_exit(harness) == 0
    refute_received {:cleaned, _}

    harness = Harness.restart(harness)
    assert ids(harness) == [waiting, id]
    assert Harness.call(harness, :report, [id]) == {:error, {:cancelled, report}}
    assert %{outcome: :cancelled, state: :finished} = Runs.status(harness, id)
    assert {:error, {:cancelled, %{events: []}}} = Harness.call(harness, :report, [waiting])
  end

  test "SIGKILL leaves a run interrupted, with what its journal has", %{target: target} do
    %{harness: harness, folder: folder} = start()
    id = Runs.start(harness, long_load(target))
    journalled = await_journal(folder, id)
    Harness.kill(harness)
    harness = Harness.restart(harness)

    assert %{state: :interrupted, outcome: :interrupted, by: :start, target: ^target} =
             status = Runs.status(harness, id)

    assert status.operations >= journalled and status.metadata == %{soak: 1}
    assert status.ended_at_ms >= status.started_at_ms and status.elapsed_ms > 0
    assert {:error, {:interrupted, report}} = Harness.call(harness, :report, [id])
    assert Runs.await(harness, id) == {:error, {:interrupted, report}}
    assert Harness.call(harness, :partial, [id]) == {:ok, report}
    assert %{run_id: ^id, events: [], threads: [], metadata: %{soak: 1}} = report
    assert report.metrics.total_operations == status.operations
    assert Enum.sum(Enum.map(report.timeline, & &1.operations)) == status.operations
    assert report.latency.overall.count == status.operations
    assert Harness.call(harness, :cancel, [id]) == {:error, :finished}
    assert Harness.call(harness, :delete, [id]) == :ok
    assert Harness.call(harness, :report, [id]) == {:error, :not_found}
    Wait.until("no files", fn -> Enum.filter(files(folder), &(&1 =~ "#{id}.")) == [] end)
  end

  # All at once they would hold up what is measured.
  test "the journals of runs that were started together are spread over their time", %{target: target} do
    %{harness: harness, folder: folder} = start(%{"journal_ms" => 2_000})
    load = %{target: target, load: %{threads: 1, duration_ms: 60_000, think_ms: 20}, operations: [:get]}
    ids = for _ <- 1..20, do: Runs.start(harness, load)
    for id <- ids, do: await_journal(folder, id)
    times = Enum.map(ids, &journalled_at(folder, &1))
    assert Enum.max(times) - Enum.min(times) > 1_000
    # Each goes on being written at about that pace.
    first = hd(ids)
    at = journalled_at(folder, first)
    Wait.until("the next journal", fn -> journalled_at(folder, first) > at end)
    assert journalled_at(folder, first) - at > 1_500
  end

  # The wall clock in the trailer of the journal.
  defp journalled_at(folder, id) do
    bytes = File.read!(Path.join([folder, "runs", "#{id}.running"]))
    <<"harnessd", _::64, ^id::64, at_ms::64, _::binary>> = binary_part(bytes, byte_size(bytes), -60)
    at_ms
  end

  test "a run that was acknowledged is known, whatever happens then", %{target: target} do
    %{harness: harness} = start(%{"limits" => %{"runs" => 1}})
    ids = for _ <- 1..3, do: Runs.start(harness, long_load(target))
    Harness.kill(harness)
    harness = Harness.restart(harness)
    assert Enum.sort(ids(harness)) == ids

    for id <- ids do
      assert %{state: :interrupted, by: :start} = Runs.status(harness, id)
      assert {:error, {:interrupted, _}} = Harness.call(harness, :report, [id])
    end

    assert Harness.call(harness, :partial, [List.last(ids)]) == {:error, :no_report}
    assert Runs.start(harness, %{target: target, threads: [[:get]]}) > List.last(ids)
  end

  test "an answer that came before SIGKILL is on disk", %{target: target} do
    %{harness: harness} = start()

    for _ <- 1..5, reduce: harness do
      harness ->
        assert {:ok, report} = Harness.run(harness, %{target: target, threads: [[{:echo, 1}]]})
        Harness.kill(harness)
        harness = Harness.restart(harness)
        assert Harness.call(harness, :report, [report.run_id]) == {:ok, report}
        harness
    end
  end

  test "deleting takes the files away", %{target: target} do
    %{harness: harness, folder: folder} = start()
    {:ok, %{run_id: id}} = Harness.run(harness, %{target: target, threads: [[:get]]})
    Wait.until("the files", fn -> Enum.all?([".term", ".json"], &("#{id}#{&1}" in files(folder))) end)
    assert Harness.call(harness, :delete, [id]) == :ok
    assert ids(harness) == []
    Wait.until("no files", fn -> Enum.filter(files(folder), &(&1 =~ "#{id}.")) == [] end)
    Harness.stop(harness)
    harness = Harness.restart(harness)
    assert ids(harness) == []
    assert {:ok, %{run_id: next}} = Harness.run(harness, %{target: target, threads: [[:get]]})
    assert next > id
  end

  test "without a folder that can be used runs go on, and are kept in memory", %{target: target} do
    folder = Support.temporary_folder()
    file = Path.join(folder, "a file")
    File.write!(file, "")
    harness = Harness.start(config: %{"state_dir" => file})
    id = Runs.start(harness, %{target: target, threads: [[{:echo, 1}]]})
    assert {:ok, report} = Runs.await(harness, id)
    assert %{state: :finished, stored: :memory} = Runs.status(harness, id)
    assert Harness.call(harness, :report, [id]) == {:ok, report}
    Harness.wait_for_log(harness, ~r/cannot store runs/)
  end

  test "a folder that comes late has all runs from then on", %{target: target} do
    above = Path.join(Support.temporary_folder(), "mount")
    folder = Path.join(above, "state")
    harness = Harness.start(config: %{"state_dir" => folder, "limits" => %{"runs" => 1}})
    {:ok, report} = Harness.run(harness, %{target: target, threads: [[{:echo, 1}]]})
    going = Runs.start(harness, long_load(target))
    waiting = Runs.start(harness, long_load(target))
    assert %{stored: :memory} = Runs.status(harness, report.run_id)
    File.mkdir!(above)
    Wait.until("it on disk", fn -> Runs.status(harness, report.run_id).stored == :disk end)
    running = for id <- [going, waiting], do: "#{id}.running"
    Wait.until("the others", fn -> running -- files(folder) == [] end)
    Wait.until("the log to say so", fn -> Harness.log(harness) =~ "storing runs again" end)
    Harness.kill(harness)
    harness = Harness.restart(harness)
    assert Harness.call(harness, :report, [report.run_id]) == {:ok, report}
    for id <- [going, waiting], do: assert(%{state: :interrupted} = Runs.status(harness, id))
  end

  test "a folder that an older daemon still has is taken over when it ends", %{target: target} do
    %{harness: older, folder: folder} = start()
    scenario = %{target: target, threads: [[{:echo, 1}]]}
    {:ok, first} = Harness.run(older, scenario)
    harness = Harness.start(config: %{"state_dir" => folder})
    {:ok, second} = Harness.run(harness, scenario)
    {:ok, third} = Harness.run(older, scenario)
    assert ids(harness) == [second.run_id]
    Harness.stop(older)
    Wait.until("all runs", fn -> ids(harness) == [third.run_id, second.run_id, first.run_id] end)

    for report <- [first, second, third],
        do: assert(Harness.call(harness, :report, [report.run_id]) == {:ok, report})

    {:ok, fourth} = Harness.run(harness, scenario)
    assert fourth.run_id > third.run_id
    Wait.until("them on disk", fn -> Runs.status(harness, second.run_id).stored == :disk end)
  end

  test "ids go on from what is on disk, whatever it says", %{target: target} do
    for {last, follows} <- [
          {"2305843009213693951", true},
          {"2305843009213693952", false},
          {"18446744073709551615", false}
        ] do
      folder = Support.temporary_folder()
      File.mkdir!(Path.join(folder, "runs"))
      File.write!(Path.join([folder, "runs", "last_id"]), last <> "\n")
      harness = Harness.start(config: %{"state_dir" => folder})
      ids = for _ <- 1..3, do: Runs.start(harness, %{target: target, threads: [[:get]]})
      for id <- ids, do: assert({:ok, %{run_id: ^id}} = Runs.await(harness, id))
      assert Enum.uniq(Enum.sort(ids)) == ids
      assert hd(ids) > String.to_integer(last) == follows
      assert hd(ids) > 1_000_000_000_000_000
      assert "last_id.damaged" in files(folder) != follows
      assert Harness.log(harness) =~ "its number is too high" != follows
    end
  end

  test "a report that is damaged is said to be so, once", %{target: target} do
    %{harness: harness, folder: folder} = start()
    {:ok, %{run_id: id}} = Harness.run(harness, %{target: target, threads: [[:get]]})
    file = Path.join([folder, "runs", "#{id}.term"])
    bytes = File.read!(file)
    size = byte_size(bytes) - 200
    <<before::binary-size(size), byte, rest::binary>> = bytes
    File.write!(file, [before, Bitwise.bxor(byte, 255), rest])
    assert {:error, {:unreadable, text}} = Harness.call(harness, :report, [id])
    assert is_binary(text)
    assert Harness.call(harness, :report, [id]) == {:error, :not_found}
    Wait.until("the file to be set aside", fn -> "#{id}.term.damaged" in files(folder) end)
  end
end
