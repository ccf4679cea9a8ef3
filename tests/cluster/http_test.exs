defmodule HttpTest do
  @moduledoc "What is shown over HTTP, and what a client can do to the daemon with it, which is nothing."
  use ClusterCase

  @connections 64

  defp start(config \\ %{}) do
    harness = Harness.start(config: Map.merge(Http.config(), config))
    {harness, Http.port(harness)}
  end

  describe "metrics" do
    test "promtool and Prometheus' content type" do
      {_, port} = start()
      assert {200, headers, text} = Http.get(port, "/metrics")
      assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
      file = Path.join(Support.temporary_folder(), "metrics")
      File.write!(file, text)
      check = ["-c", ~s(exec "$0" check metrics <"$1"), System.fetch_env!("PROMTOOL"), file]
      assert {"", 0} = System.cmd("/bin/sh", check, stderr_to_stdout: true)
      # It finds what is wrong.
      File.write!(file, text <> "# TYPE more_total gauge\nmore_total{\n")
      assert {_, status} = System.cmd("/bin/sh", check, stderr_to_stdout: true)
      assert status != 0
    end

    test "grow while a run goes on, end where its report does, and never go back" do
      {harness, port} = start()
      target = Peer.start_server(Peer.start(), Subject)
      before = Http.metrics(port)
      assert before["harnessd_operations_total"] == 0
      assert before["harnessd_runs_started_total"] == 0

      run =
        start_run(harness, %{
          target: target,
          load: %{rate: 500, duration_ms: 2_000},
          mix: [%{weight: 9, op: {:add, 1}}, %{weight: 1, op: {:late, 200, :x}}],
          call_timeout_ms: 100
        })

      # All that was seen from the start to after the end of the run, in order.
      seen = watch(port, run, [before])
      assert {:ok, report} = Task.await(run, 60_000)
      last = Http.metrics(port)

      for [earlier, later] <- Enum.chunk_every(Enum.reverse([last | seen]), 2, 1, :discard),
          {name, number} <- Http.growing(earlier),
          do: assert(later[name] >= number, "#{name} went from #{number} to #{later[name]}")

      working = Enum.filter(seen, &(&1[~s(harnessd_runs{state="load"})] == 1))
      assert Enum.any?(working, &(&1["harnessd_operations_in_flight"] > 0))
      assert Enum.any?(working, &(&1["harnessd_virtual_threads"] > 0))
      growth = for metrics <- working, uniq: true, do: metrics["harnessd_operations_total"]
      assert length(growth) > 3

      errors = report.metrics.operation_errors
      assert errors > 0
      operations = report.metrics.total_operations
      assert last["harnessd_operations_total"] == operations
      assert last[~s(harnessd_operation_errors_total{kind="timeout"})] == errors
      assert last["harnessd_operation_response_seconds_count"] == operations
      assert last[~s(harnessd_operation_response_seconds_bucket{le="+Inf"})] == operations
      # A call that has timed out has taken 0.1 s, a little more or less.
      assert last[~s(harnessd_operation_service_seconds_bucket{le="0.05"})] <= operations - errors
      assert last[~s(harnessd_operation_service_seconds_bucket{le="60"})] == operations
      assert last["harnessd_operation_service_seconds_sum"] >= errors * 0.09

      assert_in_delta last["harnessd_operation_response_seconds_sum"],
                      report.latency.overall.mean_us * operations / 1.0e6,
                      0.001

      assert last["harnessd_runs_started_total"] == 1
      assert last[~s(harnessd_runs_finished_total{outcome="completed"})] == 1
      assert last["harnessd_operations_in_flight"] == 0
      assert last[~s(harnessd_runs{state="load"})] == 0
      assert last["harnessd_requests_total"] >= 1
    end

    defp watch(port, run, seen) do
      if Process.alive?(run.pid) do
        Process.sleep(20)
        watch(port, run, [Http.metrics(port) | seen])
      else
        seen
      end
    end

    test "errors, faults, outcomes and dropped arrivals by their kind" do
      {harness, port} = start()
      peer = Peer.start()
      target = Peer.start_server(peer, Subject)
      # The server dies of the first, so that it is not there for the last.
      errors = [:raise, fn _ -> raise "x" end, :get]
      assert {:ok, _} = Harness.run(harness, %{target: target, threads: [errors], call_timeout_ms: 30_000})
      assert {:ok, _} = Harness.run(harness, %{target: :nobody, threads: [[:get]]})

      other = Peer.start_server(peer, Subject)
      chaos = [%{action: {:suspend, 1}, allow_missing: true}, {:inject_crash, :immediate, [reason: :kill]}]
      assert {:ok, _} = Harness.run(harness, %{target: other, threads: [[]], chaos: chaos})
      assert {:error, _} = Harness.run(harness, %{setup: fn -> {:error, :no} end, threads: [[]]})
      load = %{rate: 1_000, duration_ms: 200, max_in_flight: 1, max_queued: 0}
      operations = [{:late, 50, :x}]

      late = %{
        target: Peer.start_server(peer, Subject),
        load: load,
        operations: operations,
        call_timeout_ms: 30_000
      }

      assert {:ok, report} = Harness.run(harness, late)

      metrics = Http.metrics(port)

      kinds =
        for {~s(harnessd_operation_errors_total{kind=") <> kind, n} <- metrics,
            n > 0,
            into: %{},
            do: {kind, n}

      assert kinds == %{~s(raised"}) => 1, ~s(exit"}) => 1, ~s(noproc"}) => 2}
      assert metrics[~s(harnessd_faults_injected_total{kind="suspend"})] == 1
      assert metrics[~s(harnessd_faults_injected_total{kind="inject_crash"})] == 1
      assert metrics[~s(harnessd_runs_finished_total{outcome="failed"})] == 3
      assert metrics[~s(harnessd_runs_finished_total{outcome="completed"})] == 2
      assert metrics["harnessd_arrivals_dropped_total"] == report.metrics.dropped
      assert report.metrics.dropped > 0
    end

    test "peers, the loop and the process" do
      peer = Peer.start(arguments: ["-hidden"])
      {harness, port} = start(%{"peers" => ["#{peer.node}", "absent@127.0.0.1"]})
      Harness.wait_for_log(harness, ~r/peer up peer=#{peer.node}/)
      metrics = Http.metrics(port)
      assert metrics[~s(harnessd_peer_up{peer="#{peer.node}"})] == 1
      assert metrics[~s(harnessd_peer_up{peer="absent@127.0.0.1"})] == 0
      assert metrics["harnessd_epmd_registered"] == 1
      assert metrics["harnessd_peers_up"] >= 1
      assert metrics["harnessd_loop_lag_seconds"] > 0
      assert_in_delta metrics["process_resident_memory_bytes"], Harness.memory(harness), 20_000_000
      assert_in_delta metrics["process_start_time_seconds"], System.os_time(:second), 60
      folder = "/proc/#{OsProcess.os_pid(harness.process)}/fd"
      assert_in_delta metrics["process_open_fds"], length(File.ls!(folder)), 4
      assert metrics["process_max_fds"] >= metrics["process_open_fds"]
    end
  end

  describe "health" do
    test "ready from the registration on until it is asked to stop" do
      epmd_port = Epmd.free_port()

      harness =
        Harness.start(config: Map.merge(Http.config(), %{"epmd" => %{"port" => epmd_port}}), ready: false)

      port = Http.port(harness)
      assert {200, _, "ok\n"} = Http.get(port, "/healthz")
      assert {503, _, "not registered with epmd\n"} = Http.get(port, "/readyz")
      assert Http.metrics(port)["harnessd_epmd_registered"] == 0

      epmd = Epmd.start(epmd_port, Path.join(harness.folder, "epmd"))
      ExUnit.Callbacks.on_exit(fn -> Epmd.kill(epmd) end)
      Wait.until("readiness", fn -> match?({200, _, "ready\n"}, Http.get(port, "/readyz")) end)

      Epmd.kill(epmd)

      Wait.until("its end", fn ->
        match?({503, _, "not registered with epmd\n"}, Http.get(port, "/readyz"))
      end)

      assert {200, _, _} = Http.get(port, "/healthz")
    end

    test "while it stops it is alive and not ready" do
      {harness, port} = start()
      target = Peer.start_server(Peer.start(), Subject)
      test = self()

      run =
        start_run(harness, %{
          target: target,
          threads: [[{:tell, test, :begun}]],
          cleanup: fn _, _ ->
            send(test, {:cleaning, self()})
            receive do: (:go -> :ok)
          end
        })

      assert_receive {:told, _, _, :begun}, 10_000
      Harness.terminate(harness)
      assert_receive {:cleaning, hook}, 10_000
      assert {503, _, "stopping\n"} = Http.get(port, "/readyz")
      assert {200, _, "ok\n"} = Http.get(port, "/healthz")
      send(hook, :go)
      assert {:error, {:cancelled, _}} = Task.await(run)
      assert Harness.await_exit(harness) == 0
    end
  end

  describe "requests" do
    test "GET and HEAD of what there is" do
      {_, port} = start()
      assert {200, _, index} = Http.get(port, "/")

      for path <- Regex.scan(~r/^\/[a-z]+(?= )/m, index),
          do: assert({200, _, _} = Http.get(port, path))

      assert {200, headers, ""} = Http.request(port, "HEAD", "/healthz")
      assert headers["content-length"] == "3"
      assert {200, _, "ok\n"} = Http.get(port, "/healthz?why=because#there")

      for path <- [
            "/nope",
            "/metrics/",
            "/healthz/x",
            "/%2e%2e/etc/passwd",
            "/../etc/passwd",
            "/METRICS"
          ] do
        assert {404, headers, body} = Http.get(port, path)
        assert headers["content-type"] =~ "text/plain"
        assert body =~ "no such page"
      end
    end

    test "no other method" do
      {_, port} = start()

      for method <- ~w(POST PUT DELETE OPTIONS PATCH TRACE) do
        assert {405, %{"allow" => "GET, HEAD"}, body} =
                 Http.request(port, method, "/metrics", [{"Content-Length", 0}])

        assert method == "TRACE" or body =~ "GET or HEAD"
      end

      assert {status, _, _} = Http.request(port, "BREW", "/metrics")
      assert status in [400, 405, 501]
    end

    test "several on one connection" do
      {_, port} = start()
      socket = Http.connect(port)
      get = fn path -> "GET #{path} HTTP/1.1\r\nHost: x\r\n\r\n" end
      :ok = :gen_tcp.send(socket, get.("/healthz"))
      assert {200, _, "ok\n"} = Http.read_one(socket)
      :ok = :gen_tcp.send(socket, get.("/metrics"))
      assert {200, _, "# HELP" <> _} = Http.read_one(socket)
    end

    test "curl" do
      {_, port} = start()
      url = "http://127.0.0.1:#{port}"
      assert {"ready\n", 0} = System.cmd("curl", ["-sS", "--fail", url <> "/readyz"])
      assert {_, 22} = System.cmd("curl", ["-sS", "--fail", url <> "/nope"], stderr_to_stdout: true)
      assert {head, 0} = System.cmd("curl", ["-sS", "--head", url <> "/metrics"])
      assert head =~ "HTTP/1.1 200 OK"
    end

    test "what is too large is refused" do
      {harness, port} = start()

      for size <- [9_000, 100_000, 5_000_000] do
        assert {400, _, _} = Http.request(port, "GET", "/healthz", [{"X", String.duplicate("x", size)}])
        assert {400, _, _} = Http.request(port, "GET", "/" <> String.duplicate("x", size))
      end

      long = [{"Content-Length", 1_000_000_000}]
      assert {413, _, _} = Http.request(port, "GET", "/healthz", long, String.duplicate("x", 100_000))
      assert {200, _, _} = Http.request(port, "GET", "/healthz", [{"X", String.duplicate("x", 4_000)}])
      Harness.assert_alive(harness)
    end

    test "what is no HTTP" do
      {harness, port} = start()
      :rand.seed(:exsss, {1, 2, 3})

      fixed = [
        "\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET http://[::1 HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "CONNECT x:1 HTTP/1.1\r\n\r\n",
        "GET * HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n",
        <<22, 3, 1, 2, 0, 1, 0, 1, 252>>
      ]

      for bytes <- fixed ++ for(_ <- 1..300, do: mangled()) do
        socket = Http.connect(port)
        _ = :gen_tcp.send(socket, bytes)
        _ = :gen_tcp.shutdown(socket, :write)
        Http.read_all(socket, 5_000)
        :gen_tcp.close(socket)
      end

      assert {200, _, _} = Http.get(port, "/metrics")
      Harness.assert_alive(harness)
    end

    # A request of which some bytes are others, or that is cut.
    defp mangled do
      request = "GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"

      changed =
        for <<byte <- request>>,
          into: "",
          do: if(:rand.uniform(20) == 1, do: <<:rand.uniform(256) - 1>>, else: <<byte>>)

      binary_part(changed, 0, :rand.uniform(byte_size(changed)))
    end

    test "what a client sends and does not read takes no memory" do
      {harness, port} = start()
      assert {200, _, _} = Http.get(port, "/metrics")
      before = Harness.memory(harness)
      sockets = for _ <- 1..8, do: Http.connect(port)
      flood = String.duplicate("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", 20_000)

      tasks =
        for socket <- sockets do
          Task.async(fn ->
            :inet.setopts(socket, send_timeout: 1_000, linger: {true, 0})
            # Until nothing more is taken.
            Enum.find(1..100, fn _ -> :gen_tcp.send(socket, flood) != :ok end)
          end)
        end

      assert Enum.all?(Task.await_many(tasks, 60_000), &is_integer/1)
      assert {200, _, _} = Http.get(port, "/metrics")
      assert Harness.memory(harness) - before < 48_000_000
      Enum.each(sockets, &:gen_tcp.close/1)
      Harness.assert_alive(harness)
    end
  end

  describe "connections" do
    test "beyond the limit the oldest are closed" do
      {harness, port} = start()
      [oldest | others] = for _ <- 1..@connections, do: Http.connect(port)
      :ok = :gen_tcp.send(oldest, "GET /healthz HTTP/1.1\r\n")
      # All are there, as each is answered in its turn.
      for socket <- Enum.take(others, 3) do
        :ok = :gen_tcp.send(socket, "GET /healthz HTTP/1.1\r\n\r\n")
        assert {200, _, _} = Http.read_one(socket)
      end

      assert {200, _, _} = Http.get(port, "/healthz")
      assert {:error, :closed} = :gen_tcp.recv(oldest, 0, 10_000)
      Harness.wait_for_log(harness, ~r/warning too many HTTP connections/)

      [last | _] = Enum.reverse(others)
      :ok = :gen_tcp.send(last, "GET /healthz HTTP/1.1\r\n\r\n")
      assert {200, _, "ok\n"} = Http.read_one(last)
    end

    test "what is gone takes no descriptor" do
      {harness, port} = start()
      folder = "/proc/#{OsProcess.os_pid(harness.process)}/fd"
      Http.get(port, "/healthz")
      Wait.until("the first connection to be gone", fn -> Http.metrics(port)["process_open_fds"] end)
      before = length(File.ls!(folder))

      for _ <- 1..5, do: for(socket <- for(_ <- 1..150, do: Http.connect(port)), do: :gen_tcp.close(socket))
      for _ <- 1..300, do: assert({200, _, _} = Http.get(port, "/healthz"))
      Wait.until("descriptors to be given back", fn -> length(File.ls!(folder)) <= before end)
    end

    test "the daemon ends with some open" do
      {harness, port} = start()
      sockets = for _ <- 1..10, do: Http.connect(port)
      :ok = :gen_tcp.send(hd(sockets), "GET /healthz HTTP/1.1\r\n")
      assert {200, _, _} = Http.get(port, "/healthz")
      Harness.terminate(harness)
      assert Harness.await_exit(harness) == 0
      for socket <- sockets, do: assert({:error, :closed} = :gen_tcp.recv(socket, 0, 10_000))
    end
  end

  describe "the port" do
    test "in use: the daemon says so and ends with status 1" do
      {_, port} = start()
      harness = Harness.start(config: %{"http" => %{"listen" => "127.0.0.1:#{port}"}}, ready: false)
      assert Harness.await_exit(harness) == 1

      assert Harness.log(harness) =~
               ~s(error cannot listen for HTTP key=http.listen address=127.0.0.1:#{port} reason="Address already in use")
    end

    test "an empty address switches it off" do
      harness = Harness.start(config: %{"http" => %{"listen" => ""}})
      refute Harness.log(harness) =~ "HTTP"
      Harness.assert_alive(harness)
    end

    test "another address is one that needs a restart" do
      {harness, port} = start()

      assert Harness.reload(harness, %{"http" => %{"listen" => "127.0.0.1:1"}}) =~
               "needs a restart key=http.listen"

      assert {200, _, _} = Http.get(port, "/healthz")
    end
  end
end
