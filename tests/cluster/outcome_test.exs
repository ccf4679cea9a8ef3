defmodule OutcomeTest do
  @moduledoc "How a run stands: one word, the same in every way out."
  use ClusterCase
  import Files, only: [erlang: 1]

  @library :"Elixir.Supertester.ConcurrentHarness"

  setup_all do
    peer = Peer.start()
    {:ok, peer: peer, target: Peer.start_server(peer, Subject)}
  end

  # The run that has ended last, as each way out tells of it.
  defp seen(harness, port) do
    [%{run_id: id, outcome: listed} | _] = Harness.call(harness, :runs)
    assert_receive {:harness_event, ^id, [:harness, :run, :stop], _, %{outcome: told}}, 10_000
    [_, logged] = Harness.wait_for_log(harness, ~r/run finished run=#{id} outcome=(\S+)/)

    counted =
      for {~s(harnessd_runs_finished_total{outcome=") <> rest, 1.0} <- Http.metrics(port),
          do: rest |> String.trim_trailing(~s("})) |> String.to_atom()

    %{
      status: Runs.status(harness, id).outcome,
      runs: listed,
      subscription: told,
      log: String.to_atom(logged),
      metrics: counted,
      list: port |> Http.get_jq("/runs", ".[0].outcome") |> unquoted(),
      page: port |> Http.get_jq("/runs/#{id}", ".summary.outcome") |> unquoted(),
      show: harness |> Harness.call(:show, [id]) |> headline()
    }
  end

  defp unquoted(json), do: json |> String.trim(~s(")) |> String.to_atom()

  # What the first line of a text says behind the number.
  defp headline(text), do: text |> String.split("\n") |> hd() |> String.replace(~r/^Run( \d+)?: /, "")

  defp assert_outcome(config \\ %{}, outcome, show, act) do
    harness = Harness.start(config: Map.merge(Http.config(), config))
    assert Harness.call(harness, :subscribe, [:all]) == :ok
    act.(harness)

    assert seen(harness, Http.port(harness)) == %{
             status: outcome,
             runs: outcome,
             subscription: outcome,
             log: outcome,
             metrics: [outcome],
             list: outcome,
             page: outcome,
             show: show
           }
  end

  describe "a run that has" do
    test "completed", %{target: target} do
      assert_outcome(:completed, "completed", fn harness ->
        assert {:ok, _} = Harness.run(harness, %{target: target, threads: [[:get]]})
      end)
    end

    test "missed an expectation", %{target: target} do
      assert_outcome(:missed, "an expectation was missed", fn harness ->
        scenario = %{target: target, threads: [[:get]], performance_expectations: [max_p99_us: 0]}
        assert {:error, {:performance_failed, _}} = Harness.run(harness, scenario)
      end)
    end

    test "missed one of run_with_performance", %{target: target} do
      assert_outcome(:missed, "an expectation was missed", fn harness ->
        arguments = [%{target: target, threads: [[:get]]}, [max_time_ms: 0.001]]

        assert {:error, {:exception, %RuntimeError{}, _}} =
                 raised(fn -> :erpc.call(harness.node, @library, :run_with_performance, arguments) end)
      end)
    end

    test "not been allowed, whatever run_with_performance expects", %{target: target} do
      config = %{"access" => %{"chaos" => %{"deny" => ["suspend"]}}}

      assert_outcome(config, :not_run, "not run", fn harness ->
        scenario = %{target: target, threads: [[:get]], chaos: [{:suspend, 10}]}
        arguments = [scenario, [min_ops_per_s: 1_000_000_000, max_time_ms: 0.001]]
        assert {:error, {:not_allowed, _}} = :erpc.call(harness.node, @library, :run_with_performance, arguments)
      end)
    end

    test "not succeeded in anything, as run_with_performance allows" do
      assert_outcome(:completed, "completed", fn harness ->
        arguments = [%{target: :nobody_of_that_name, threads: [[:get]]}, [max_error_rate: 1.0]]
        assert {:ok, _} = :erpc.call(harness.node, @library, :run_with_performance, arguments)
      end)
    end

    test "missed one, and could not clean up", %{target: target} do
      assert_outcome(:missed, "an expectation was missed", fn harness ->
        scenario = %{
          target: target,
          threads: [[:get]],
          performance_expectations: [max_p99_us: 0],
          cleanup: fn _, _ -> raise "stuck" end
        }

        assert {:error, {:cleanup_failed, _, {:performance_failed, _}}} = Harness.run(harness, scenario)
      end)
    end

    test "failed", %{target: target} do
      assert_outcome(:failed, "failed", fn harness ->
        scenario = %{target: target, threads: [[:get]], invariant: fn _, _ -> false end}
        assert {:error, {:invariant_failed, :returned_false}} = Harness.run(harness, scenario)
      end)
    end

    test "failed in its cleanup alone", %{target: target} do
      assert_outcome(:failed, "failed", fn harness ->
        scenario = %{target: target, threads: [[:get]], cleanup: fn _, _ -> raise "stuck" end}
        assert {:error, {:cleanup_failed, _, %{run_id: _}}} = Harness.run(harness, scenario)
      end)
    end

    test "not succeeded in anything, which its caller is told as the library does" do
      show = "failed: no operation has succeeded, and no max_error_rate of 1.0 allows that"

      assert_outcome(:failed, show, fn harness ->
        assert {:ok, _} = Harness.run(harness, %{target: :nobody_of_that_name, threads: [[:get]]})
      end)
    end

    test "not succeeded in anything, as it was allowed" do
      assert_outcome(:completed, "completed", fn harness ->
        scenario = %{
          target: :nobody_of_that_name,
          threads: [[:get]],
          performance_expectations: [max_error_rate: 1.0]
        }

        assert {:ok, _} = Harness.run(harness, scenario)
      end)
    end

    test "been cancelled", %{target: target} do
      assert_outcome(:cancelled, "cancelled", fn harness ->
        run = start_run(harness, Runs.held(target, :cancelled))
        _ = Runs.await_held(:cancelled)
        [%{run_id: id}] = Harness.call(harness, :runs)
        assert Harness.call(harness, :cancel, [id]) == :ok
        assert {:error, {:cancelled, _}} = Task.await(run, 30_000)
      end)
    end

    test "not been allowed", %{target: target} do
      config = %{"access" => %{"chaos" => %{"deny" => ["suspend"]}}}

      assert_outcome(config, :not_run, "not run", fn harness ->
        scenario = %{target: target, threads: [[:get]], chaos: [{:suspend, 10}]}
        assert {:error, {:not_allowed, _}} = Harness.run(harness, scenario)
      end)
    end

    test "texts that its node cannot read", %{peer: peer} do
      folder = Support.temporary_folder()
      target = %{"name" => "subject", "node" => peer.node}
      {:file, name} = Files.write(folder, %{"target" => target, "threads" => [[erlang("{")]]})

      assert_outcome(%{"scenario_dir" => folder}, :not_run, "not run", fn harness ->
        assert {:error, {:invalid_scenario, _}} = Harness.run(harness, {:file, name})
      end)
    end

    test "been a dry run, with or without a problem", %{target: target} do
      dry_run = fn chaos -> %{target: target, threads: [[:get]], chaos: chaos, dry_run: true} end

      assert_outcome(:completed, "a dry run", fn harness ->
        assert {:ok, _} = Harness.run(harness, dry_run.([{:suspend, 10}]))
      end)

      assert_outcome(:not_run, "a dry run with a problem", fn harness ->
        missing = %{action: {:suspend, 10}, target: {:nobody_of_that_name, node(target)}}
        assert {:ok, %{chaos: [%{problem: problem}]}} = Harness.run(harness, dry_run.([missing]))
        assert problem
      end)
    end
  end

  test "what is cut short by the daemon's end is interrupted, then and afterwards", %{target: target} do
    config = %{"shutdown_ms" => 100, "state_dir" => Support.temporary_folder()}
    harness = Harness.start(config: Map.merge(Http.config(), config))
    assert Harness.call(harness, :subscribe, [:all]) == :ok
    stuck = %{cleanup: fn _, _ -> Process.sleep(:infinity) end, hook_timeout_ms: 60_000}
    run = start_run(harness, Runs.held(target, :interrupted, stuck))
    _ = Runs.await_held(:interrupted)
    [%{run_id: id, outcome: nil}] = Harness.call(harness, :runs)
    Harness.terminate(harness)
    assert {:error, {:interrupted, %{run_id: ^id}}} = Task.await(run, 30_000)
    stop = [:harness, :run, :stop]
    assert_receive {:harness_event, ^id, ^stop, _, %{outcome: :interrupted, state: :interrupted}}, 10_000
    assert Harness.await_exit(harness) == 0

    harness = Harness.restart(harness)
    port = Http.port(harness)
    assert %{outcome: :interrupted} = Runs.status(harness, id)
    assert [%{outcome: :interrupted}] = Harness.call(harness, :runs)
    assert harness |> Harness.call(:show, [id]) |> headline() == "interrupted"
    assert Http.get_jq(port, "/runs", ".[0].outcome") == ~s("interrupted")
  end

  test "one that never gets its turn was not run", %{target: target} do
    harness = Harness.start(config: %{"limits" => %{"runs" => 1, "threads" => 2}})
    first = start_run(harness, Runs.held(target, :first))
    from = Runs.await_held(:first)
    id = Runs.start(harness, %{target: target, threads: [[:get], [:get]]})
    assert %{state: :queued, outcome: nil} = Runs.status(harness, id)
    assert Harness.reload(harness, %{"limits" => %{"threads" => 1}}) =~ "configuration reloaded"
    Runs.release(from)
    assert {:ok, _} = Task.await(first, 30_000)
    assert {:error, {:busy, :threads}} = Runs.await(harness, id)
    assert %{outcome: :not_run} = Runs.status(harness, id)
    assert harness |> Harness.call(:show, [id]) |> headline() == "not run"
  end

  describe "harnessd run" do
    setup %{peer: peer} do
      unless Peer.call(peer, :erlang, :whereis, [:outcome]) != :undefined,
        do: Peer.start_named(peer, Subject, :outcome)

      :ok
    end

    # The word in JSON and the text in JUnit, with the exit status.
    defp once(peer, changes) do
      scenario = Map.merge(%{"target" => "outcome", "threads" => [[erlang("get")]]}, changes)
      junit = Path.join(Support.temporary_folder(), "junit.xml")
      {status, json, _} = Once.run(Once.file(scenario), peer.node, ["--json", "--junit", junit])
      {status, unquoted(Http.jq(json, ".outcome")), File.read!(junit)}
    end

    test "ends with the status of its outcome", %{peer: peer} do
      assert {0, :completed, _} = once(peer, %{})
      missed = %{"performance_expectations" => [max_p99_us: 0]}
      assert {1, :missed, _} = once(peer, missed)
      assert {1, :failed, junit} = once(peer, %{"invariant" => erlang("fun(_, _) -> false end")})
      assert junit =~ ~s(<failure message="failed: {invariant_failed,returned_false}"/>)
      assert {1, :failed, junit} = once(peer, %{"target" => "nobody_of_that_name"})
      assert junit =~ ~s(<failure message="failed: no operation has succeeded)
      assert {2, :not_run, junit} = once(peer, %{"threads" => [[erlang("{")]]})
      assert junit =~ ~s(<error message="not run)
    end

    test "leaves no word of an earlier run when its file is none", %{peer: peer} do
      folder = Support.temporary_folder()
      junit = Path.join(folder, "junit.xml")
      File.write!(junit, "<testsuites/>")
      file = Once.file(%{"target" => "outcome", "threads" => []})
      assert {2, json, errors} = Once.run(file, peer.node, ["--json", "--junit", junit])
      assert Http.jq(json, ".outcome,.reason[0]") == ~s("not_run"\n"invalid_scenario")
      assert errors =~ "#{file}: threads: "
      assert File.read!(junit) =~ ~s(<error message="not run)
    end

    test "does not end well when its report could not be written", %{peer: peer} do
      events = for _ <- 1..2_000, do: erlang("get")
      file = Once.file(%{"target" => "outcome", "threads" => [events]})
      command = ~s("$0" run "$1" --connect "$2" #{Enum.join(Once.tls(), " ")} --json >/dev/full)
      arguments = ["-c", command, Harness.executable(), file, to_string(peer.node)]
      cookie = {"HARNESSD_COOKIE", Atom.to_string(Node.get_cookie())}
      epmd = {"ERL_EPMD_PORT", to_string(Epmd.port())}
      assert {_, 1} = System.cmd("/bin/sh", arguments, env: [cookie, epmd], stderr_to_stdout: true)
    end

    test "that is cancelled before its node is there says so in all of them" do
      {:ok, socket} = :gen_tcp.listen(0, ip: {127, 0, 0, 1})
      {:ok, port} = :inet.port(socket)
      junit = Path.join(Support.temporary_folder(), "junit.xml")
      log = Path.join(Support.temporary_folder(), "log")
      file = Once.file(%{"target" => "outcome", "threads" => [[erlang("get")]]})
      name = Peer.unique("silent")
      # A node that is known and accepts, but never says a word.
      {:ok, _} = Epmd.register(name, port)
      process = Once.start(file, "#{name}@127.0.0.1", log, ["--json", "--junit", junit])
      {:ok, _} = :gen_tcp.accept(socket, 10_000)
      OsProcess.signal(process, "TERM")
      assert OsProcess.await_exit(process) == 1
      assert File.read!(log) =~ ~s("outcome":"cancelled")
      assert File.read!(junit) =~ ~s(<failure message="cancelled)
    end
  end
end
