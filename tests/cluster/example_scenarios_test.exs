defmodule ExampleScenariosTest do
  @moduledoc "The scenario files that are installed run as they stand against the node of the demo."
  use ClusterCase

  @folder Path.expand("../../config/scenarios", __DIR__)
  @demo Path.expand("../demo.exs", __DIR__)
  @node :"app@127.0.0.1"

  @names ~w(crash_and_pause nightly_soak rate_ramp smoke)

  setup_all do
    folder = Path.join(System.tmp_dir!(), Peer.unique("harnessd_demo"))
    File.mkdir_p!(folder)
    cookie = Path.join(folder, "cookie")
    Harness.write_secret(cookie, Atom.to_string(Node.get_cookie()))
    env = [{"HARNESSD_DEMO_COOKIE", cookie}, {"ERL_EPMD_PORT", to_string(Epmd.port())} | Tls.environment()]
    log = Path.join(folder, "log")
    command = [System.find_executable("elixir"), "--name", Atom.to_string(@node), @demo, "app"]
    demo = OsProcess.start(command, log, env)

    on_exit(fn ->
      OsProcess.signal(demo, "KILL")
      OsProcess.await_exit(demo)
      File.rm_rf!(folder)
    end)

    Wait.until("the demo", fn -> File.read!(log) =~ "the account is open" end, 60_000)
    :ok
  end

  defp path(name), do: Path.join(@folder, name <> ".json")

  test "there are no others" do
    assert @folder |> File.ls!() |> Enum.sort() == Enum.map(@names, &(&1 <> ".json"))
  end

  test "smoke" do
    assert {0, output, ""} = Once.run(path("smoke"), @node)
    assert output =~ ~r/^  operations +8 by 3 threads/m
    assert output =~ ~r/^  errors +0$/m
  end

  test "crash_and_pause" do
    assert {0, output, _progress} = Once.run(path("crash_and_pause"), @node)
    assert output =~ ": completed"
    for kind <- ~w(inject_crash suspend), do: assert(output =~ ~r/^ +[\d.]+ m?s  #{kind} .* ok /m)
  end

  test "rate_ramp" do
    assert {0, output, _progress} = Once.run(path("rate_ramp"), @node)
    assert output =~ ": completed"

    for name <- ~w(max_error_rate max_p99_us min_ops_per_s max_mailbox),
        do: assert(output =~ ~r/^  met +#{name} /m)
  end

  # Shorter, and with its faults as often as they are in hours of it, no two of them at the same time.
  test "nightly_soak" do
    settings = [
      "load.duration_ms=15000",
      "chaos[0].every_ms=4000",
      "chaos[0].after_ms=1000",
      "chaos[0].jitter_ms=100",
      "chaos[1].every_ms=5000",
      "chaos[1].after_ms=2000",
      "chaos[2].every_ms=4000",
      "chaos[2].after_ms=3700",
      "chaos[2].probability=1"
    ]

    assert {0, output, _progress} =
             Once.run(path("nightly_soak"), @node, Enum.flat_map(settings, &["--set", &1]))

    assert output =~ ": completed"

    for kind <- ~w(inject_crash suspend kill_children),
        do: assert(output =~ ~r/^ +[\d.]+ m?s  #{kind} .* ok /m)

    refute output =~ "NOT UNDONE"
  end

  test "all of them by their names, from the daemon that has the folder" do
    harness = Harness.start(config: %{"scenario_dir" => @folder})

    for name <- @names do
      assert {:ok, %{hooks_node: @node}} = Harness.call(harness, :validate, [{:file, name}])
    end

    id = Runs.start(harness, {:file, "smoke"})
    assert {:ok, report} = Runs.await(harness, id)
    assert report.metadata.suite == "smoke"
    assert %{name: "smoke", outcome: :completed} = Runs.status(harness, id)

    id = Runs.start(harness, {:file, "nightly_soak"})
    Runs.await_state(harness, id, :load)
    assert %{left_ms: left, target: {:account, @node}} = Runs.status(harness, id)
    assert left > 28_000_000
    assert :ok = Harness.call(harness, :cancel, [id])
    assert {:error, {:cancelled, report}} = Runs.await(harness, id)
    assert report.healed == true
  end
end
