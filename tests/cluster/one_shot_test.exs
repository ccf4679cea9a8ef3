defmodule OneShotTest do
  @moduledoc "The program as `harnessd run FILE --connect NODE`."
  use ClusterCase
  import Files, only: [erlang: 1]

  setup_all do
    peer = Peer.start()
    Peer.start_named(peer, Subject, :subject)
    {:ok, peer: peer}
  end

  defp smoke(changes \\ %{}) do
    Map.merge(
      %{
        "target" => "subject",
        "threads" => [[erlang("{add, 0}"), erlang("get")]],
        "performance_expectations" => [max_error_rate: 0, max_p99_us: 10_000_000]
      },
      changes
    )
  end

  # Long enough to be seen from outside.
  defp slow do
    smoke(%{"threads" => [[erlang("{late, 1000, x}")]], "call_timeout_ms" => 20_000, "timeout_ms" => 20_000})
  end

  defp hidden_nodes(peer), do: Peer.call(peer, :erlang, :nodes, [:hidden])

  test "runs a file against a node, prints a report and leaves nothing behind", %{peer: peer} do
    assert {0, output, ""} = Once.run(Once.file(smoke()), peer.node)
    assert output =~ ~r/^Run \d+: completed$/m
    assert output =~ ~r/^  operations +2 by 1 thread /m
    assert output =~ ~r/^  met +max_error_rate +0 +0$/m
    for line <- String.split(output, "\n"), do: assert(String.length(line) <= 100)
    Wait.until("the end of the connection", fn -> hidden_nodes(peer) == [] end)
  end

  test "works beside a daemon, and without a name that epmd knows", %{peer: peer} do
    harness = Harness.start()
    {:ok, before} = :erl_epmd.names(~c"127.0.0.1")
    file = Once.file(slow())
    runs = for _ <- 1..3, do: Task.async(fn -> Once.run(file, peer.node) end)
    Wait.until("three more nodes", fn -> length(hidden_nodes(peer)) >= 3 end)
    assert :erl_epmd.names(~c"127.0.0.1") == {:ok, before}
    for run <- runs, do: assert({0, _, ""} = Task.await(run, 30_000))
    Harness.assert_alive(harness)
  end

  test "has the name that it is given", %{peer: peer} do
    name = "once_#{System.unique_integer([:positive])}@127.0.0.1"
    file = Once.file(slow())
    run = Task.async(fn -> Once.run(file, peer.node, ["--name", name]) end)
    Wait.until(name, fn -> String.to_atom(name) in hidden_nodes(peer) end)
    assert {0, _, ""} = Task.await(run, 30_000)
  end

  test "names itself by an address where the node is at one" do
    peer = Peer.start(host: "127.0.0.2")
    Peer.start_named(peer, Subject, :subject)
    file = Once.file(slow())
    runs = for _ <- 1..2, do: Task.async(fn -> Once.run(file, peer.node) end)
    Wait.until("two nodes", fn -> length(hidden_nodes(peer)) == 2 end)
    for node <- hidden_nodes(peer), do: assert("#{node}" =~ ~r/^harnessd_run_[^@]+@127\.0\.0\.[12]$/)
    for run <- runs, do: assert({0, _, ""} = Task.await(run, 30_000))
  end

  test "names itself by an address of IPv6 too" do
    case :gen_tcp.listen(0, [:inet6, ip: {0, 0, 0, 0, 0, 0, 0, 1}]) do
      {:ok, socket} ->
        :gen_tcp.close(socket)
        peer = Peer.start(host: "::1", arguments: ["-proto_dist", "inet6_tcp"])
        Peer.start_named(peer, Subject, :subject)
        file = Once.file(slow())
        run = Task.async(fn -> Once.run(file, peer.node) end)
        Wait.until("a node", fn -> hidden_nodes(peer) != [] end)
        assert [node] = hidden_nodes(peer)
        assert "#{node}" =~ ~r/^harnessd_run_[^@]+@::1$/
        assert {0, _, ""} = Task.await(run, 30_000)

      {:error, _} ->
        IO.puts("(there is no IPv6 here)")
    end
  end

  test "needs no full name to look for a node that has one" do
    assert {2, "", errors} = Once.run(Once.file(smoke()), :"nobody@nowhere.invalid")
    assert errors =~ "--connect: cannot connect to nobody@nowhere.invalid"
  end

  test "reaches the other nodes that the file names", %{peer: peer} do
    other = Peer.start()
    Peer.start_named(other, Subject, :subject)
    file = Once.file(smoke(%{"target" => ["subject", %{"name" => "subject", "node" => other.node}]}))
    assert {0, _, ""} = Once.run(file, peer.node)
    assert Peer.call(other, :sys, :get_state, [:subject]).count == 0
  end

  describe "status 1" do
    test "tells of what was missed", %{peer: peer} do
      file = Once.file(smoke(%{"performance_expectations" => [max_p99_us: 0]}))
      assert {1, output, ""} = Once.run(file, peer.node)
      assert output =~ ": an expectation was missed"
      assert output =~ ~r/^  MISSED +max_p99_us +[\d,]+ +0$/m
    end

    test "tells of what has failed", %{peer: peer} do
      file = Once.file(smoke(%{"invariant" => erlang("fun(_, _) -> false end")}))
      assert {1, output, ""} = Once.run(file, peer.node)
      assert output =~ ~r/^  reason +{invariant_failed,returned_false}$/m
    end

    test "tells of a node that went away", %{peer: peer} do
      other = Peer.start()
      Peer.start_named(other, Subject, :subject)

      file =
        Once.file(
          smoke(%{
            "threads" => [[erlang("{add, 1}"), erlang("{late, 60000, x}")]],
            "call_timeout_ms" => 60_000,
            "timeout_ms" => 60_000
          })
        )

      run = Task.async(fn -> Once.run(file, other.node) end)
      Wait.until("the call", fn -> Peer.call(other, :sys, :get_state, [:subject]).count == 1 end)
      Peer.kill(other)
      assert {1, _, _} = Task.await(run, 60_000)
      assert peer.node != other.node
    end
  end

  describe "status 2" do
    test "tells what is wrong with the file, each problem on a line of its own", %{peer: peer} do
      file =
        Once.file(smoke(%{"thread" => 1, "timeout_ms" => 0, "target" => %{"name" => "a", "node" => "b"}}))

      assert {2, "", errors} = Once.run(file, peer.node)

      assert [
               "#{file}: target.node: b cannot be the name of a node",
               "#{file}: thread: is not a key of scenarios; did you mean threads?",
               "#{file}: timeout_ms: must be in 1 to 4294967295 milliseconds, got 0"
             ] == errors |> String.split("\n", trim: true) |> Enum.sort()

      # Nothing was connected for it: it would be the same without the node.
      assert {2, "", ^errors} = Once.run(file, :"nobody@127.0.0.1")
    end

    test "tells what the node finds wrong with its texts", %{peer: peer} do
      script = [erlang("{"), erlang("get"), %{"call" => erlang("X")}]
      file = Once.file(smoke(%{"threads" => [script]}))
      assert {2, "", errors} = Once.run(file, peer.node)
      assert [first, second] = String.split(errors, "\n", trim: true)
      assert first =~ "#{file}: threads[0][0]: line 1: syntax error"
      assert second == "#{file}: threads[0][2].call: is no literal"
    end

    test "tells of a file that is not there or no JSON", %{peer: peer} do
      assert {2, "", errors} = Once.run("/nonexistent/file.json", peer.node)
      assert errors == "/nonexistent/file.json: cannot be read: No such file or directory\n"
      assert {2, "", errors} = Once.run(Once.file("{"), peer.node)
      assert errors =~ "line 1"
    end

    test "tells of a node that is not there" do
      assert {2, "", errors} = Once.run(Once.file(smoke()), :"nobody@127.0.0.1")
      assert errors =~ "--connect: cannot connect to nobody@127.0.0.1"
      assert errors =~ "(is it up? epmd -names)"
      junit = Path.join(Support.temporary_folder(), "junit.xml")
      flags = ["--json", "--junit", junit]
      assert {2, json, _} = Once.run(Once.file(smoke()), :"nobody@127.0.0.1", flags)
      assert json =~ ~s("outcome":"not_run") and json =~ ~s(["nodedown","nobody@127.0.0.1"])
      assert File.read!(junit) =~ ~s(<testsuites tests="1" failures="0" errors="1")
    end

    test "tells of a cookie that is another one", %{peer: peer} do
      assert {2, "", errors} = Once.run(Once.file(smoke()), peer.node, [], [{"HARNESSD_COOKIE", "another"}])
      assert [told] = String.split(errors, "\n", trim: true)
      assert told =~ "--connect: cannot connect to #{peer.node}"
    end

    test "tells of a node that does not want it" do
      # Over TLS nodes of OTP go by certificates for that.
      peer = Peer.start(tls: false)
      Peer.call(peer, :net_kernel, :allow, [[:"nobody@127.0.0.1"]])
      assert {2, "", errors} = Once.run(Once.file(smoke()), peer.node, ["--proto-dist", "inet_tcp"])
      assert errors =~ "cannot connect to #{peer.node}: the peer does not allow this node"
    end

    test "takes nobody's name, nor the connection of who has it", %{peer: peer} do
      harness = Harness.start()
      target = Peer.start_server(peer, Subject)
      {:ok, id} = Harness.call(harness, :start, [%{target: target, load: %{rate: 100, duration_ms: 60_000}, operations: [:get]}])
      Wait.until("some load", fn -> Runs.status(harness, id).operations > 10 end)
      assert {2, "", errors} = Once.run(Once.file(smoke()), peer.node, ["--name", "#{harness.node}"])
      assert errors =~ "cannot connect to #{peer.node}: the peer is connected with a node of this name already"
      assert %{state: :load, operation_errors: 0} = Runs.status(harness, id)
      Harness.call(harness, :cancel, [id])
    end

    test "tells for what it waits when a node does not answer" do
      {:ok, listener} = :gen_tcp.listen(0, ip: {127, 0, 0, 1})
      {:ok, port} = :inet.port(listener)
      {:ok, registration} = Epmd.register("silent", port)
      assert {2, "", errors} = Once.run(Once.file(smoke()), :"silent@127.0.0.1")
      assert errors =~ "--connect: waiting for silent@127.0.0.1, which has not answered yet\n"
      late = if Tls.on?(), do: "no answer to TLS in time", else: "no progress for 7000 ms"
      assert errors =~ "--connect: cannot connect to silent@127.0.0.1: #{late}"
      for socket <- [listener, registration], do: :gen_tcp.close(socket)
    end

    test "tells of a fault that is not allowed", %{peer: peer} do
      file = Once.file(smoke(%{"chaos" => [%{"kind" => "burn_cpu"}]}))
      assert {2, "", errors} = Once.run(file, peer.node)
      assert errors =~ "access.chaos.allow"

      config = Path.join(Support.temporary_folder(), "harnessd.json")
      File.write!(config, Json.encode(%{"access" => %{"chaos" => %{"allow" => ["*"]}}}))
      file = Once.file(smoke(%{"chaos" => [%{"kind" => "burn_cpu", "duration_ms" => 1, "schedulers" => 1}]}))
      assert {0, _, ""} = Once.run(file, peer.node, ["--config", config])
    end

    test "tells that no operation has succeeded", %{peer: peer} do
      scenario = %{"target" => "nobody", "threads" => [[erlang("get"), erlang("get")]]}
      assert {1, output, errors} = Once.run(Once.file(scenario), peer.node)
      assert output =~ "noproc" and errors =~ "no operation has succeeded"
      expected = Map.put(scenario, "performance_expectations", %{"max_error_rate" => 1})
      assert {0, _, ""} = Once.run(Once.file(expected), peer.node)
    end

    test "tells of flags that are wrong", %{peer: peer} do
      file = Once.file(smoke())

      for {connect, arguments, said} <- [
            {nil, [], "--connect: required"},
            {"nobody", [], "--connect: nobody has no @HOST"},
            {peer.node, ["another.json"], "another.json: unexpected argument"},
            {peer.node, ["--port", "1"], "--port: is for the daemon"},
            {peer.node, ["--jsn"], "--jsn: unknown flag (nearest: --json)"},
            {peer.node, ["--set"], "--set: needs a value"},
            {peer.node, ["--set", "seed"], "seed is no setting"},
            {peer.node, ["--set", "threads[9]=1"], "there is no threads[9]"},
            {peer.node, ["--junit", "/nonexistent/folder/file"], "--junit: cannot write"}
          ] do
        assert {2, "", errors} = Once.run(file, connect, arguments)
        assert errors =~ said
      end

      program = fn arguments -> System.cmd(Harness.executable(), arguments, stderr_to_stdout: true) end
      assert {errors, 2} = program.(["run", "--connect", "#{peer.node}"])
      assert errors =~ "needs the FILE"
      assert {errors, 2} = program.(["--json"])
      assert errors =~ "--json: is for harnessd run FILE"
      assert {help, 0} = program.(["run", "--help"])
      for flag <- ~w(--connect --set --json --junit), do: assert(help =~ flag)
      refute help =~ "limits."
    end
  end

  describe "an output" do
    # A scenario with a hook in a file beside it, and a folder that both are in.
    defp with_hook do
      file = Once.file(smoke(%{"invariant" => %{"file" => "hook.exs"}}))
      hook = Path.join(Path.dirname(file), "hook.exs")
      File.write!(hook, "fn _, _ -> true end\n")
      {file, hook}
    end

    test "is never the scenario or the file of a hook, by whatever name", %{peer: peer} do
      {file, hook} = with_hook()
      folder = Path.dirname(file)
      [hard, symbolic] = for name <- ["hard", "symbolic"], do: Path.join(folder, name)
      File.ln!(file, hard)
      File.ln_s!(hook, symbolic)
      before = {File.read!(file), File.read!(hook)}

      for {output, said} <- [
            {file, "#{file} is the scenario itself"},
            {hard, "#{hard} is the scenario itself"},
            {Path.join([folder, ".", "hook.exs"]), "hook.exs is a file of the scenario's hooks"},
            {symbolic, "#{symbolic} is a file of the scenario's hooks"}
          ],
          {flag, arguments} <- [{"--json", ["--json=#{output}"]}, {"--junit", ["--junit", output]}],
          {connect, wrong} <- [{peer.node, []}, {peer.node, ["--set", "seed=x"]}, {nil, []}] do
        assert {2, "", errors} = Once.run(file, connect, arguments ++ wrong)
        assert errors =~ ~r/^#{flag}: .*#{Regex.escape(said)}$/m
        assert {File.read!(file), File.read!(hook)} == before
      end

      # The other output says that it was not run.
      junit = Path.join(folder, "junit.xml")
      assert {2, "", _} = Once.run(file, peer.node, ["--json=#{file}", "--junit", junit])
      assert File.read!(junit) =~ ~s(errors="1")
      assert {0, _, ""} = Once.run(file, peer.node, ["--junit", junit])
    end

    test "is not the other one as well", %{peer: peer} do
      file = Once.file(smoke())
      folder = Support.temporary_folder()
      [same, hard, symbolic] = for name <- ["same", "hard", "symbolic"], do: Path.join(folder, name)
      File.ln_s!(same, symbolic)

      for other <- [same, Path.join([folder, ".", "same"]), symbolic, hard] do
        if other == hard, do: File.ln!(same, hard)
        assert {2, "", errors} = Once.run(file, peer.node, ["--junit", other, "--json=#{same}"])
        assert errors =~ "--junit: #{other} is the file of --json too\n"
        assert File.read!(same) =~ ~s({"outcome":"not_run")
        if other != hard, do: File.rm!(same)
        if other == symbolic, do: File.write!(same, "")
      end

      assert {0, _, ""} = Once.run(file, peer.node, ["--json=/dev/null", "--junit", "/dev/null"])
    end

    test "is given once", %{peer: peer} do
      folder = Support.temporary_folder()
      [one, other] = for name <- ["one", "other"], do: Path.join(folder, name)
      File.write!(one, "of an earlier run")

      for {flag, value} <- [{"--json", "--json=#{other}"}, {"--junit", "--junit=#{other}"}] do
        assert {2, "", errors} = Once.run(Once.file(smoke()), peer.node, ["#{flag}=#{one}", value])
        assert errors =~ "#{flag}: was given twice\n"
      end
    end
  end

  test "settings take the place of the file's values", %{peer: peer} do
    file = Once.file(smoke(%{"target" => %{"name" => "subject", "node" => "elsewhere@127.0.0.1"}}))

    arguments = [
      "--set",
      "target.node=#{peer.node}",
      "--set",
      ~s(threads=[[{"erlang": "get"}]]),
      "--set",
      "seed=5"
    ]

    assert {0, output, ""} = Once.run(file, peer.node, arguments)
    assert output =~ ~r/operations +1 by 1 thread /
    assert output =~ ~r/seed +5$/m
    assert {2, "", errors} = Once.run(file, peer.node, ["--set", "timeout_ms=0"])
    assert errors =~ "timeout_ms: must be in"
  end

  test "--json prints the report as JSON", %{peer: peer} do
    jq = fn json, filter ->
      file = Path.join(Support.temporary_folder(), "json")
      File.write!(file, json)
      {found, 0} = System.cmd("jq", ["-rc", filter, file])
      String.trim(found)
    end

    assert {0, json, ""} = Once.run(Once.file(smoke()), peer.node, ["--json"])
    assert jq.(json, "[.outcome, .reason, .report.metrics.total_operations]") == ~s(["completed",null,2])
    assert jq.(json, "[.report.expectations[].met]") == "[true,true]"
    file = Once.file(smoke(%{"performance_expectations" => [max_p99_us: 0]}))
    assert {1, json, ""} = Once.run(file, peer.node, ["--json"])
    assert jq.(json, "[.outcome, .reason[0]]") == ~s(["missed","performance_failed"])
    unread = Once.file(smoke(%{"threads" => [[erlang("{")]]}))
      assert {2, json, errors} = Once.run(unread, peer.node, ["--json"])
      assert String.starts_with?(errors, "#{unread}: threads[0][0]: line 1:")
    assert jq.(json, "[.outcome, .reason[1][0].path]") == ~s(["not_run",["threads",0,0]])
  end

  test "--json says that a term is too deep for it", %{peer: peer} do
    deep = smoke(%{"threads" => [[erlang("{make, deep, 300}")]]})
    assert {0, json, ""} = Once.run(Once.file(deep), peer.node, ["--json"])
    assert json =~ ~r/,"warning":"values deeper than 200 levels, \d+ of them, are shown as text.*"}\n$/
    assert {0, json, ""} = Once.run(Once.file(smoke()), peer.node, ["--json"])
    refute json =~ ~s("warning":"values)
  end

  test "--junit writes a test case for each expectation", %{peer: peer} do
    junit = Path.join(Support.temporary_folder(), "junit.xml")
    assert {0, output, ""} = Once.run(Once.file(smoke()), peer.node, ["--junit", junit])
    assert output =~ "completed"
    xml = File.read!(junit)
    assert xml =~ ~r/<testsuites tests="3" failures="0" errors="0" skipped="0" time="\d+\.\d{3}">/
    for name <- ~w(outcome max_error_rate max_p99_us), do: assert(xml =~ ~s(name="#{name}"/>))

    file = Once.file(smoke(%{"performance_expectations" => [max_error_rate: 0, max_p99_us: 0]}))
    assert {1, _, ""} = Once.run(file, peer.node, ["--junit", junit])
    xml = File.read!(junit)
    assert xml =~ ~s(<testsuites tests="3" failures="2" errors="0")
    assert xml =~ ~r/name="max_p99_us">\s+<failure message="measured \d+, limit 0"\/>/
  end

  describe "progress" do
    test "is a line that changes, on a terminal", %{peer: peer} do
      load = %{"threads" => 1, "duration_ms" => 1500}
      file = Once.file(%{"target" => "subject", "load" => load, "operations" => [erlang("get")]})
      assert {0, seen} = Once.on_terminal(file, peer.node)

      assert seen =~
               ~r/\r\e\[K[\d.]+ (ms|s)  load, [\d.]+ (ms|s) left: [\d,]+ operations \([\d.,]+\/s\), 0 errors/

      assert seen =~ ~r/\r\e\[KRun \d+: completed/
    end

    test "is a line every few seconds elsewhere", %{peer: peer} do
      load = %{"rate" => 10, "duration_ms" => 6_000}
      file = Once.file(%{"target" => "subject", "load" => load, "operations" => [erlang("get")]})
      assert {0, output, errors} = Once.run(file, peer.node)
      assert errors =~ ~r/^5\.\d\d s  load, .* left: \d+ operations \(.*\/s\), 0 errors\n/
      assert output =~ "completed"
    end
  end

  describe "a signal" do
    setup %{peer: peer} do
      Peer.load(peer, Hooks)

      scenario =
        smoke(%{
          "threads" => [[erlang("{add, 1}"), erlang("{late, 60000, x}")]],
          "call_timeout_ms" => 60_000,
          "timeout_ms" => 60_000,
          "cleanup" => erlang("fun(_, _) -> global:register_name(cleaned, whereis(init)), ok end")
        })

      on_exit(fn -> Peer.call(peer, :global, :unregister_name, [:cleaned]) end)
      {:ok, long: Once.file(scenario), log: Path.join(Support.temporary_folder(), "log")}
    end

    test "ends the run, which cleans up and reports", %{peer: peer, long: file, log: log} do
      for signal <- ~w(INT TERM HUP) do
        process = Once.start(file, peer.node, log, ["--log-level", "debug"])
        Wait.until("the load", fn -> File.exists?(log) and File.read!(log) =~ "state=load" end)
        OsProcess.signal(process, signal)
        assert OsProcess.await_exit(process) == 1
        assert File.read!(log) =~ ~r/^Run \d+: cancelled$/m
        assert is_pid(Peer.call(peer, :global, :whereis_name, [:cleaned]))
        Peer.call(peer, :global, :unregister_name, [:cleaned])
        File.rm!(log)
      end
    end
  end
end
