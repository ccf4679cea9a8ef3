defmodule StateFolderTest do
  @moduledoc "The folder of the reports, when others have been there."
  use ClusterCase

  setup_all do
    {:ok, target: Peer.start_server(Peer.start(), Subject)}
  end

  defp run(harness, target) do
    {:ok, report} = Harness.run(harness, %{target: target, threads: [[:get]]})
    Wait.until("it on disk", fn -> Runs.status(harness, report.run_id).stored == :disk end)
    report
  end

  test "a file named with the highest id takes no run away, and no id comes again", %{target: target} do
    folder = Support.temporary_folder()
    harness = Harness.start(config: %{"state_dir" => folder})
    first = run(harness, target)
    Harness.stop(harness)
    foreign = for suffix <- [".term", ".json", ".running"], do: "4611686018427387903" <> suffix
    for name <- foreign, do: File.write!(Path.join([folder, "runs", name]), "mine")
    harness = Harness.restart(harness)
    second = run(harness, target)
    Harness.stop(harness)
    harness = Harness.restart(harness)
    third = run(harness, target)
    assert first.run_id < second.run_id and second.run_id < third.run_id
    for report <- [first, second, third], do: assert({:ok, ^report} = Harness.call(harness, :report, [report.run_id]))
    for name <- foreign, do: assert(File.read!(Path.join([folder, "runs", name])) == "mine")
    Harness.wait_for_log(harness, ~r/foreign file in the state folder.* file=#{hd(foreign)} /)
  end

  test "a folder that others can change is refused" do
    for change <- [
          fn folder -> File.chmod!(folder, 0o777) end,
          fn folder -> File.mkdir!(Path.join(folder, "runs")) && File.chmod!(Path.join(folder, "runs"), 0o777) end,
          fn folder -> File.ln_s!("/tmp", Path.join(folder, "runs")) end
        ] do
      folder = Support.temporary_folder()
      change.(folder)
      harness = Harness.start(config: %{"state_dir" => folder}, ready: false)
      assert Harness.await_exit(harness) == 1
      assert Harness.log(harness) =~ ~r/error the state folder is refused key=state_dir folder=#{folder} reason=/
    end
  end

  test "the second of two daemons says for whom it waits, and has it afterwards", %{target: target} do
    folder = Support.temporary_folder()
    manager = ServiceManager.start()
    first = Harness.start(config: %{"state_dir" => folder})
    report = run(first, target)
    second = Harness.start(config: %{"state_dir" => folder}, env: ServiceManager.env(manager))
    pid = OsProcess.os_pid(first.process)
    waits = "another daemon uses it, which is waited for: #{first.node}, process #{pid}"
    Harness.wait_for_log(second, ~r/error cannot store runs folder=#{folder} reason="#{waits}"/)

    Wait.until("a status that says so", fn ->
      ServiceManager.next_with(manager, "STATUS")["STATUS"] =~ "runs cannot be stored: #{waits}"
    end)

    Harness.stop(first)
    Wait.until("the runs of the first", fn -> {:ok, report} == Harness.call(second, :report, [report.run_id]) end)
    assert File.read!(Path.join(folder, "holder")) =~ "#{second.node}, process "
  end
end
