defmodule AuditTest do
  @moduledoc "The audit: who has asked for what, what was done to nodes, and what came of it."
  use ClusterCase

  @root System.cmd("id", ["-u"]) == {"0\n", 0}

  setup_all do
    peer = Peer.start()
    {:ok, peer: peer, target: Peer.start_server(peer, Subject)}
  end

  defp start(more \\ %{}, config \\ %{}) do
    {audit, file} = Audit.config(more)
    {Harness.start(config: Map.merge(config, audit)), file}
  end

  defp sha256(bytes), do: "sha256:" <> Base.encode16(:crypto.hash(:sha256, bytes), case: :lower)

  defp external(term) do
    <<131, bytes::binary>> = :erlang.term_to_binary(term, minor_version: 2)
    bytes
  end

  defp text(pid), do: "<#{node(pid)}." <> (pid |> :erlang.pid_to_list() |> to_string() |> String.replace(~r/^<\d+\./, ""))

  test "a run with a fault: who, with what, what was done, what came of it", %{target: target, peer: peer} do
    {harness, file} = start()
    scenario = [target: target, threads: [[:get]], chaos: [{:suspend, 20}]]
    {:ok, report} = Harness.run(harness, scenario)
    [ended] = Audit.await(file, "run_ended", 1)
    [run] = Audit.events(file, "run")
    [fault] = Audit.events(file, "fault")
    [fault_ended] = Audit.events(file, "fault_ended")
    for line <- [run, fault, fault_ended, ended], do: assert(line["run_id"] == report.run_id)
    assert run["node"] == "#{node()}" and fault["node"] == "#{node()}"
    assert run["process"] =~ ~r/^<#{node()}\.\d+\.\d+>$/ and fault["process"] == run["process"]
    assert %{"function" => "run", "outcome" => "accepted", "faults" => ["suspend"]} = run
    assert run["digest"] == sha256(external(scenario))
    assert run["target"] == text(target)
    assert %{"kind" => "suspend", "number" => 1} = fault
    assert fault["action"] =~ "suspend" and fault["target"] == "[#{text(target)}]"
    refute Map.has_key?(fault, "outcome")
    assert %{"kind" => "suspend", "number" => 1, "outcome" => "ok", "undone" => "true"} = fault_ended
    assert %{"outcome" => "completed", "function" => "run"} = ended
    assert node(target) == peer.node
    [started | _] = Audit.lines(file)
    assert started["event"] == "started" and started["node"] == "#{harness.node}"
    assert started["at"] =~ ~r/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/
    Harness.stop(harness)
    assert %{"event" => "stopped"} = List.last(Audit.lines(file))
  end

  test "each function that changes something, by each way in; those that only look are not there", %{target: target} do
    {harness, file} = start()
    id = Runs.start(harness, Runs.held(target, :held))
    from = Runs.await_held(:held)
    :ok = :rpc.call(harness.node, :harness, :cancel, [id])
    Runs.release(from)
    Runs.await(harness, id)
    :ok = GenServer.call({:harness, harness.node}, {:delete, id})
    {:error, :not_found} = GenServer.call({:harness, harness.node}, {:delete, id})
    GenServer.cast({:harness, harness.node}, {:cancel, 77})
    :erpc.cast(harness.node, :harness, :heal_all, [])
    {:error, {:invalid_scenario, _}} = Harness.run(harness, %{target: target})
    Harness.call(harness, :validate, [%{target: target}])
    Harness.call(harness, :runs)
    Harness.call(harness, :info)
    requests = Audit.await(file, "request", 6)

    told = for line <- requests, do: {line["function"], line["form"], line["outcome"], line["reason"], line["run_id"]}

    assert Enum.sort(told) |> Enum.map(&put_elem(&1, 3, String.slice(elem(&1, 3) || "", 0, 17))) ==
             Enum.sort([
               {"cancel", "erpc", "ok", "", id},
               {"delete", "call", "ok", "", id},
               {"delete", "call", "refused", "not_found", id},
               {"cancel", "cast", "refused", "not_found", 77},
               {"heal_all", "erpc_cast", "ok", "", nil},
               {"run", "erpc", "refused", "{invalid_scenario", nil}
             ])

    for line <- requests, do: assert(line["node"] == "#{node()}" and line["process"] =~ "<#{node()}.")
    assert [%{"function" => "start", "run_id" => ^id}] = Audit.events(file, "run")
    assert [%{"outcome" => "cancelled", "run_id" => ^id}] = Audit.events(file, "run_ended")
    refute Enum.any?(Audit.lines(file), &(&1["function"] in ["validate", "runs", "info"]))
  end

  test "a file's run has its name and the digest of the file, a suite its members, a refused fault its rule", context do
    folder = Support.temporary_folder()
    text = Json.encode(%{target: %{name: "nobody_is_called_that", node: "#{context.peer.node}"}, threads: [[]]})
    File.write!(Path.join(folder, "small.json"), text)
    {harness, file} = start(%{}, %{"scenario_dir" => folder, "access" => %{"names" => %{"deny" => ["guarded"]}}})
    Harness.run(harness, {:file, "small"})
    [run] = Audit.await(file, "run", 1)
    assert run["scenario"] == "small" and run["digest"] == sha256(text)

    Harness.call(harness, :run_chaos_suite, [
      context.target,
      [%{type: :concurrent, scenario: %{target: context.target, threads: [[:get]]}}]
    ])

    [_, suite, member] = Audit.await(file, "run", 3)
    assert suite["function"] == "run_chaos_suite" and not Map.has_key?(suite, "suite")
    assert member["suite"] == suite["run_id"] and member["digest"] =~ "sha256:"
    assert length(Audit.await(file, "run_ended", 3)) == 3

    guarded = Peer.start_named(context.peer, Subject, :guarded)
    {:error, {:not_allowed, _}} = Harness.run(harness, %{target: guarded, threads: [[]], chaos: [{:suspend, 1}]})
    ended = List.last(Audit.await(file, "run_ended", 4))
    assert ended["outcome"] == "not_run" and ended["reason"] =~ "access.names.deny"
    assert Audit.events(file, "fault") == []
  end

  test "it is rotated by its size, so many are kept, and the new one says what became of the old" do
    {harness, file} = start(%{"bytes" => 65_536, "keep" => 2})

    for id <- 1..750 do
      assert Harness.call(harness, :heal_all) == []
      {:error, :not_found} = Harness.call(harness, :delete, [id])
    end

    Harness.stop(harness)
    assert Path.wildcard(file <> "*") |> Enum.sort() == [file, file <> ".1", file <> ".2"]
    for path <- [file <> ".1", file <> ".2"], do: assert(File.stat!(path).size in 64_000..65_536)
    rotated = Audit.events(file, "rotated")
    assert length(rotated) == 3
    assert Enum.all?(rotated, &(&1["file"] == file <> ".1"))
    assert List.last(rotated)["removed"] == file <> ".2"
    ids = for %{"run_id" => id} <- Audit.events(file, "request"), do: id
    assert ids == Enum.to_list(List.first(ids)..750)
    assert Harness.log(harness) =~ "audit rotated"
  end

  test "SIGHUP opens what is there by its name" do
    {harness, file} = start()
    {:error, :not_found} = Harness.call(harness, :delete, [1])
    Audit.await(file, "request", 1)
    File.rename!(file, Path.rootname(file) <> "-moved.jsonl")
    Harness.reload(harness, %{"audit" => %{"keep" => 3}})
    {:error, :not_found} = Harness.call(harness, :delete, [2])
    Wait.until("a new file", fn -> File.exists?(file) end)
    assert [%{"run_id" => 2}] = Audit.await(file, "request", 1)
    assert [%{"run_id" => 1}] = Audit.events(Path.rootname(file) <> "-moved.jsonl", "request")
    assert Harness.log(harness) =~ "configuration changed key=audit.keep from=10 to=3"
  end

  test "a file that cannot be opened ends the daemon before it begins" do
    harness = Harness.start(config: %{"audit" => %{"file" => "/nowhere/at/all"}}, ready: false)
    assert Harness.await_exit(harness) == 1
    assert Harness.log(harness) =~ ~r/the audit cannot be written key=audit.file .*No such file or directory/
  end

  describe "on a full disk" do
    unless @root, do: @describetag(skip: "only root may mount a file system")

    setup do
      folder = Support.temporary_folder()
      {_, 0} = System.cmd("mount", ["-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", folder])
      on_exit(fn -> {_, 0} = System.cmd("umount", ["--lazy", folder]) end)
      {:ok, audit: Path.join(folder, "audit.jsonl"), filler: Path.join(folder, "filler")}
    end

    # What is left in the last block of the audit's own file takes some lines all the same.
    defp fill(filler) do
      assert {:error, :enospc} = File.write(filler, String.duplicate("x", 300_000))
    end

    defp run_until_refused(harness, chaos, done) do
      case Harness.run(harness, chaos) do
        {:ok, _} -> run_until_refused(harness, chaos, done + 1)
        {:error, {:audit_failed, "cannot write: No space left on device"}} -> done
      end
    end

    test "chaos is refused when it is required, and nothing is done", %{target: target} = context do
      config = %{"audit" => %{"file" => context.audit, "required" => true}, "http" => %{"listen" => "127.0.0.1:0"}}
      harness = Harness.start(config: config)
      chaos = %{target: target, threads: [[:get]], chaos: [{:suspend, 10}]}
      fill(context.filler)
      done = run_until_refused(harness, chaos, 0)
      for _ <- 1..3, do: assert({:error, {:audit_failed, _}} = Harness.run(harness, chaos))
      assert {:error, {:audit_failed, _}} = Harness.call(harness, :start, [chaos])
      suite = [%{type: :kill_children, duration_ms: 10}]

      assert %{failures: [%{reason: {:audit_failed, _}}]} =
               Harness.call(harness, :run_chaos_suite, [{:nobody, node(target)}, suite])

      assert {:ok, _} = Harness.run(harness, %{target: target, threads: [[:get]]})
      port = Http.port(harness)
      assert {503, _, "the audit cannot be written: " <> _} = Http.get(port, "/readyz")
      assert Http.metrics(port)["harnessd_audit_problem"] == 1

      File.rm!(context.filler)
      Wait.until("it to be written again", fn -> match?({:ok, _}, Harness.run(harness, chaos)) end)
      # Nothing was injected that it does not tell of.
      assert length(Audit.await(context.audit, "fault_ended", done + 1)) == done + 1
      assert length(Audit.events(context.audit, "fault")) == done + 1
      assert :gen_server.call(target, :get) == 0
      assert Harness.log(harness) =~ "the audit is written again"
    end

    test "all goes on when it is not, and is on record later", %{target: target} = context do
      harness = Harness.start(config: %{"audit" => %{"file" => context.audit}})
      fill(context.filler)
      for id <- 1..100, do: {:error, :not_found} = Harness.call(harness, :delete, [id])
      assert {:ok, _} = Harness.run(harness, %{target: target, threads: [[:get]], chaos: [{:suspend, 10}]})
      Harness.wait_for_log(harness, ~r/the audit cannot be written .*No space left/)
      File.rm!(context.filler)
      assert [%{"outcome" => "completed"}] = Audit.await(context.audit, "run_ended", 1)
      assert [_] = Audit.events(context.audit, "fault")
      assert for(line <- Audit.events(context.audit, "request"), do: line["run_id"]) == Enum.to_list(1..100)
    end
  end
end
