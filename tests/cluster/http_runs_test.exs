defmodule HttpRunsTest do
  @moduledoc "Runs over HTTP: lists of them, one that is under way, and reports, however large and wherever kept."
  use ClusterCase

  setup_all do
    {:ok, target: Peer.start_server(Peer.start(), Subject)}
  end

  # One keeps runs on disk, the other in memory.
  defp start(kind) do
    folder = Support.temporary_folder()
    state = if kind == :disk, do: %{"state_dir" => folder}, else: %{}
    harness = Harness.start(config: Map.merge(Http.config(), state))
    {harness, Http.port(harness)}
  end

  defp run(harness, scenario) do
    id = Runs.start(harness, scenario)
    Runs.await(harness, id)
    Runs.await_finished(harness, id)
    id
  end

  describe "a list of runs" do
    test "is empty, then has the newest first", %{target: target} do
      {harness, port} = start(:disk)
      assert {200, %{"content-type" => "application/json"}, "[]\n"} = Http.get(port, "/runs")
      ids = for n <- 1..5, do: run(harness, %{target: target, threads: [List.duplicate(:get, n)]})
      newest = Enum.reverse(ids)
      assert Http.get_jq(port, "/runs", "map(.run_id)") == Http.jq(inspect(newest, charlists: :as_lists), ".")

      assert Http.get_jq(port, "/runs", "map([.state,.outcome,.operations,.by])|unique|length") == "5"

      assert Http.get_jq(port, "/runs", ".[0]|[.state,.outcome,.operations,.by,.stored]") ==
               ~s(["finished","completed",5,"start","disk"])

      [_, second, third, fourth, _] = newest
      assert Http.get_jq(port, "/runs?limit=2", "map(.run_id)|length") == "2"
      assert Http.get_jq(port, "/runs?before=#{second}&limit=2", "map(.run_id)") == "[#{third},#{fourth}]"
      assert Http.get_jq(port, "/runs?before=1", ".") == "[]"
      assert {200, %{"content-length" => _}, ""} = Http.request(port, "HEAD", "/runs")

      for query <- ["limit=0", "limit=1001", "limit=x", "limit=", "limit=-1", "before=last", "limit=9e9"] do
        assert {400, _, text} = Http.get(port, "/runs?" <> query)
        assert text =~ "limit must be"
      end
    end

    test "has those that wait and those that are under way", %{target: target} do
      harness = Harness.start(config: Map.merge(Http.config(), %{"limits" => %{"runs" => 1}}))
      port = Http.port(harness)
      first = Runs.start(harness, Runs.held(target, :first))
      held = Runs.await_held(:first)
      second = Runs.start(harness, %{target: target, threads: [[:get]]})

      assert Http.get_jq(port, "/runs", "map([.run_id,.state])") ==
               ~s([[#{second},"queued"],[#{first},"load"]])

      assert Http.get_jq(port, "/runs/#{second}", "[.run_id,.state,.summary.waits_for]") ==
               ~s([#{second},"queued","runs"])

      assert Http.get_jq(port, "/runs/#{first}", "[.run_id,.state,.summary.in_flight]") == ~s([#{first},"load",1])
      metrics = Http.metrics(port)
      assert metrics[~s(harnessd_runs{state="queued"})] == 1
      assert metrics[~s(harnessd_runs{state="load"})] == 1

      Runs.release(held)
      Runs.await_finished(harness, second)
      assert Http.get_jq(port, "/runs", "map(.state)") == ~s(["finished","finished"])
    end
  end

  for kind <- [:disk, :memory] do
    test "reports that are in #{kind}, of runs that went well and of others", %{target: target} do
      {harness, port} = start(unquote(kind))
      id = run(harness, %{target: target, threads: [[:get, {:echo, "grüße"}]], metadata: %{what: "this"}})
      path = "/runs/#{id}"
      assert Http.get_jq(port, path, "[.run_id,.state,.summary.outcome]") == ~s([#{id},"finished","completed"])
      assert Http.get_jq(port, path, "[.report.metrics.total_operations,.report.metadata.what]") == ~s([2,"this"])
      assert Http.get_jq(port, path, ".report.events[1].result") == ~s(["ok","grüße"])
      {200, %{"content-length" => size}, json} = Http.get(port, path)
      assert String.to_integer(size) == byte_size(json)
      assert {200, %{"content-length" => ^size}, ""} = Http.request(port, "HEAD", path)
      assert {json <> "", 0} == System.cmd("curl", ["-sS", "--fail", "http://127.0.0.1:#{port}#{path}"])

      failed =
        run(harness, %{target: target, threads: [[:get]], invariant: fn _, _ -> false end, hooks_node: node()})

      assert Http.get_jq(port, "/runs/#{failed}", "[.outcome,.reason]") ==
               ~s(["failed",["invariant_failed","returned_false"]])

      deep = run(harness, %{target: target, threads: [[{:make, :deep, 300}]]})
      assert Http.get_jq(port, "/runs/#{deep}", ".warning") =~ "values deeper than 200 levels"
      assert Http.get_jq(port, path, ".warning") == "null"

      assert Harness.call(harness, :delete, [id]) == :ok
      assert {404, _, "There is no such run.\n"} = Http.get(port, path)
    end
  end

  test "what is no run" do
    {_, port} = start(:memory)

    for id <- ["1", "0", "99999999999999999999999", "x", "-1", "1x", "1/2", "%31", ""],
        do: assert({404, _, _} = Http.get(port, "/runs/" <> id))

    assert {405, _, _} = Http.request(port, "DELETE", "/runs/1")
  end

  test "a run that was interrupted has what there was", %{target: target} do
    {harness, port} = start(:disk)
    load = %{threads: 1, duration_ms: 60_000, think_ms: 1}
    id = Runs.start(harness, %{target: target, load: load, operations: [:get], events: :none})

    Wait.until("a journal", fn ->
      File.exists?(Path.join([harness.config["state_dir"], "runs", "#{id}.running"]))
    end)

    Wait.until("operations", fn -> Http.get_jq(port, "/runs/#{id}", ".summary.operations") > "0" end)
    Harness.kill(harness)
    harness = Harness.restart(harness)
    port = Http.port(harness)
    assert Http.get_jq(port, "/runs/#{id}", "[.run_id,.state,.outcome,.reason]") ==
             ~s([#{id},"interrupted","interrupted","interrupted"])

    # The same wherever it is asked for.
    status = Harness.call(harness, :status, [id])
    assert %{outcome: :interrupted, reason: "interrupted", ended_at_ms: ended_at} = status
    assert is_integer(ended_at)
    said = ~s(["interrupted","interrupted",#{ended_at}])
    assert Http.get_jq(port, "/runs/#{id}", ".summary|[.outcome,.reason,.ended_at_ms]") == said
    assert Http.get_jq(port, "/runs", ".[0]|[.outcome,.reason,.ended_at_ms]") == said
  end

  test "a damaged file is told of once, and is no run any more", %{target: target} do
    {harness, port} = start(:disk)
    id = run(harness, %{target: target, threads: [[:get]]})
    folder = Path.join(harness.config["state_dir"], "runs")
    Wait.until("its files", fn -> File.exists?(Path.join(folder, "#{id}.json")) end)
    File.rm!(Path.join(folder, "#{id}.json"))
    File.write!(Path.join(folder, "#{id}.term"), "no term")
    assert {500, _, text} = Http.get(port, "/runs/#{id}")
    assert text != ""
    Wait.until("the run to be forgotten", fn -> match?({404, _, _}, Http.get(port, "/runs/#{id}")) end)
    Harness.assert_alive(harness)
  end

  test "a folder that cannot be used makes the daemon not ready" do
    folder = Support.temporary_folder()
    state = Path.join(folder, "state")
    File.write!(state, "in the way")
    harness = Harness.start(config: Map.merge(Http.config(), %{"state_dir" => state}))
    port = Http.port(harness)
    assert {503, _, problem} = Http.get(port, "/readyz")
    assert problem =~ "runs cannot be stored: "
    assert {200, _, _} = Http.get(port, "/healthz")
    assert Http.metrics(port)["harnessd_store_problem"] == 1
  end

  describe "a large report" do
    setup %{target: target, steps: steps} do
      {harness, port} = start(:disk)
      threads = for thread <- 1..100, do: for(step <- 1..steps, do: {:echo, {thread, step}})
      id = run(harness, %{target: target, threads: threads, timeout_ms: 120_000, call_timeout_ms: 60_000})
      {:ok, harness: harness, port: port, path: "/runs/#{id}"}
    end

    @tag steps: 400
    test "comes whole, and others are served meanwhile", %{harness: harness, port: port, path: path} do
      url = "http://127.0.0.1:#{port}#{path}"
      # As slow as 2 MB/s, so that there is a meanwhile.
      file = Path.join(Support.temporary_folder(), "report")

      slow =
        Task.async(fn -> System.cmd("curl", ["-sS", "--fail", "--limit-rate", "2M", "-o", file, url]) end)

      answers = ask_until_done(harness, port, slow, [])
      assert Task.await(slow, 120_000) == {"", 0}

      assert Http.jq(File.read!(file), "[.report.metrics.total_operations,(.report.events|length)]") ==
               "[40000,40000]"

      assert length(answers) > 10
      assert Enum.max(answers) < 500
      assert Http.metrics(port)["harnessd_loop_lag_seconds"] < 2
    end

    defp ask_until_done(harness, port, task, answers) do
      if Process.alive?(task.pid) do
        {took, _} = timed(fn -> {Harness.assert_alive(harness), {200, _, _} = Http.get(port, "/healthz")} end)
        ask_until_done(harness, port, task, [took | answers])
      else
        answers
      end
    end

    @tag steps: 1_000
    test "that nobody reads takes only so much memory", %{harness: harness, port: port, path: path} do
      sockets =
        for _ <- 1..20 do
          socket = Http.connect(port)
          :ok = :gen_tcp.send(socket, "GET #{path} HTTP/1.1\r\nHost: x\r\n\r\n")
          socket
        end

      Wait.until("no more of it", fn -> match?({503, _, "Too many" <> _}, Http.get(port, path)) end, 60_000)
      assert {200, _, _} = Http.get(port, "/metrics")
      assert Harness.memory(harness) < 700_000_000
      # When they have gone, there is room again.
      Enum.each(sockets, &:gen_tcp.close/1)
      Wait.until("room", fn -> match?({200, _, _}, Http.get(port, path)) end, 60_000)
    end

    @tag steps: 100
    test "of clients that go away, and of a daemon that ends", %{harness: harness, port: port, path: path} do
      folder = "/proc/#{OsProcess.os_pid(harness.process)}/fd"
      before = length(File.ls!(folder))
      send_get = fn socket -> :ok = :gen_tcp.send(socket, "GET #{path} HTTP/1.1\r\nHost: x\r\n\r\n") end

      for wait <- [0, 0, 1, 5, 20, 50, 100] do
        sockets = for _ <- 1..5, do: Http.connect(port)
        Enum.each(sockets, send_get)
        Process.sleep(wait)
        for socket <- sockets, do: :inet.setopts(socket, linger: {true, 0})
        Enum.each(sockets, &:gen_tcp.close/1)
      end

      Wait.until("descriptors to be given back", fn -> length(File.ls!(folder)) <= before + 1 end)
      assert {200, _, _} = Http.get(port, path)

      sockets = for _ <- 1..5, do: Http.connect(port)
      Enum.each(sockets, send_get)
      Harness.terminate(harness)
      assert Harness.await_exit(harness) == 0, Harness.log(harness)
    end
  end
end
