defmodule ScenarioOverridesTest do
  @moduledoc "What is said over a scenario file, texts of hooks in lines and files, and several nodes to connect to."
  use ClusterCase

  setup_all do
    {harness, folder} = Files.start()
    {:ok, harness: harness, folder: folder, peer: Peer.start()}
  end

  setup %{peer: peer} do
    name = String.to_atom(Peer.unique("subject"))
    Peer.start_named(peer, Subject, name)
    {:ok, name: name}
  end

  defp erlang(text), do: %{"erlang" => text}
  defp validate(harness, scenario), do: Harness.call(harness, :validate, [scenario])

  describe "overrides" do
    test "take the place of what the file has", %{harness: harness, folder: folder, peer: peer, name: name} do
      {:file, file} =
        Files.write(folder, %{
          "target" => %{"name" => name, "node" => peer.node},
          "load" => %{"threads" => 2, "iterations" => 3},
          "operations" => [%{"call" => erlang("get")}],
          "metadata" => %{"team" => "core"},
          "invariant" => erlang("fun(_, _) -> false end")
        })

      overrides = %{
        load: %{iterations: 5},
        operations: [{:add, 1}, %{op: :get, name: :look}],
        metadata: %{build: 7},
        invariant: fn _, _ -> true end,
        events: :all,
        hooks_node: node()
      }

      assert {:ok, report} = Harness.run(harness, {:file, file, overrides})
      assert report.metrics.total_operations == 2 * 5 * 2
      assert %{team: "core", build: 7} = report.metadata
      assert Map.has_key?(report.latency.operations, :look)

      assert {:error, {:invariant_failed, :returned_false}} = Harness.run(harness, {:file, file})
      assert {:ok, id} = Harness.call(harness, :start, [{:file, file, Map.put(overrides, :seed, 5)}])
      assert {:ok, %{seed: 5}} = Harness.call(harness, :await, [id])
      another = %{load: %{threads: nil, iterations: nil, rate: 100, duration_ms: 200}, metadata: %{team: nil}}
      assert {:ok, report} = Harness.run(harness, {:file, file, Map.merge(overrides, another)})
      assert report.metrics.total_operations == 20
      refute Map.has_key?(report.metadata, :team)
      assert {:ok, normalised} = validate(harness, {:file, file, %{timeout_ms: 7_000}})
      assert normalised.timeout_ms == 7_000
      assert normalised.operations == [{:call, :get}]

      assert {:ok, _} = GenServer.call({:harness, harness.node}, {:run, {:file, file, overrides}}, 30_000)
    end

    test "leave the file's other expectations", %{harness: harness, folder: folder, peer: peer, name: name} do
      {:file, file} =
        Files.write(folder, %{
          "target" => %{"name" => name, "node" => peer.node},
          "threads" => [[erlang("get")]],
          "performance_expectations" => %{"max_time_ms" => 0, "max_p99_us" => 60_000_000}
        })

      for expectations <- [%{max_p99_us: 50_000_000}, [max_p99_us: 50_000_000], %{max_p99_us: nil}] do
        overrides = %{performance_expectations: expectations, hooks_node: node()}
        assert {:error, {:performance_failed, failure}} = Harness.run(harness, {:file, file, overrides})
        limits = Map.new(failure.expectations, &{&1.expectation, {&1.limit, &1.met}})
        assert limits[:max_time_ms] == {0, false}
        assert limits[:max_p99_us] == if(limit = expectations[:max_p99_us], do: {limit, true})
      end

      overrides = %{performance_expectations: %{max_time_ms: nil}, hooks_node: node()}
      assert {:ok, report} = Harness.run(harness, {:file, file, overrides})
      assert [%{expectation: :max_p99_us, met: true}] = report.expectations
    end

    test "keep the other texts what they are", %{harness: harness, folder: folder, peer: peer, name: name} do
      file =
        Files.write(folder, %{
          "metadata" => %{"a" => erlang("{first, 1}"), "b" => [erlang("second"), erlang("{first, 1}")]},
          "target" => %{"name" => name, "node" => peer.node},
          "threads" => [[erlang("get"), erlang("{echo, third}")]],
          "invariant" => erlang("fun(_, _) -> true end"),
          "cast_sync_message" => erlang("{first, 1}")
        })

      {:file, name} = file

      for {overrides, expected} <- [
            {%{}, %{}},
            {%{metadata: %{a: 1}}, %{metadata: %{a: 1, b: [:second, {:first, 1}]}}},
            {%{metadata: nil}, %{metadata: %{}}},
            {%{threads: [[:x]]}, %{threads: [[call: :x]]}},
            {%{invariant: nil, timeout_ms: 9}, %{invariant: nil, timeout_ms: 9}},
            {%{metadata: %{b: String.duplicate("long", 100)}, threads: [[]], cast_sync_message: :y},
             %{
               metadata: %{a: {:first, 1}, b: String.duplicate("long", 100)},
               threads: [[]],
               cast_sync_message: :y
             }}
          ] do
        assert {:ok, plain} = validate(harness, file)
        assert {:ok, normalised} = validate(harness, {:file, name, overrides})
        assert Map.delete(normalised, :invariant) == Map.merge(plain, expected) |> Map.delete(:invariant)
        assert is_function(normalised.invariant) == not is_map_key(overrides, :invariant)
      end
    end

    test "name the node of names without one", %{harness: harness, folder: folder, peer: peer, name: name} do
      {:file, file} = Files.write(folder, %{"target" => to_string(name), "threads" => [[erlang("get")]]})
      assert {:ok, %{metrics: %{operation_errors: 0}}} = Harness.run(harness, {:file, file, %{node: peer.node}})
      assert {:ok, %{metrics: %{operation_errors: 1}}} = Harness.run(harness, {:file, file})
      assert {:ok, normalised} = validate(harness, {:file, file, %{node: peer.node}})
      assert normalised.target == {name, peer.node}
      assert normalised.hooks_node == peer.node
    end

    test "are told what is wrong with them", %{harness: harness, folder: folder, peer: peer, name: name} do
      {:file, file} =
        Files.write(folder, %{"target" => %{"name" => name, "node" => peer.node}, "threads" => [[1]]})

      for {overrides, path, problem} <- [
            {%{timeout: 5}, [:timeout], :unknown_key},
            {%{timeout_ms: -5}, [:timeout_ms], :out_of_range},
            {%{node: "text"}, [:node], :wrong_type},
            {[timeout_ms: 5], [], :wrong_type},
            {7, [], :wrong_type}
          ] do
        assert [%{path: ^path, problem: ^problem}] = problems(harness, {:file, file, overrides})
      end
    end
  end

  describe "a text" do
    test "may be a list of lines", %{harness: harness, folder: folder, peer: peer, name: name} do
      scenario = %{
        "target" => %{"name" => name, "node" => peer.node},
        "threads" => [[%{"call" => %{"elixir" => ["{:add,", "  1}"]}}]],
        "invariant" => %{"elixir" => ["fn pid, _ctx ->", "  # twice", "  GenServer.call(pid, :get) ==", "    1", "end"]}
      }

      assert {:ok, _} = Harness.run(harness, Files.write(folder, scenario))

      for wrong <- [[], [1], %{}, 7] do
        scenario = Map.put(scenario, "invariant", %{"elixir" => wrong})

        assert [%{path: [:invariant, :elixir], problem: :wrong_type, message: message}] =
                 problems(harness, Files.write(folder, scenario))

        assert message =~ "a list of lines"
      end
    end

    test "of a hook may stand in a file beside the scenario's", context do
      %{harness: harness, folder: folder, peer: peer, name: name} = context
      File.mkdir_p!(Path.join(folder, "hooks"))

      File.write!(Path.join(folder, "hooks/check.exs"), """
      # Whether the sum is right.
      fn pid, _context ->
        GenServer.call(pid, :get) == 3
      end
      """)

      File.write!(Path.join(folder, "add.erl"), "fun(Pid, _) ->\n  gen_server:call(Pid, {add, 2}) % two\nend.\n")

      scenario = %{
        "target" => %{"name" => name, "node" => peer.node},
        "threads" => [[%{"call" => erlang("{add, 1}")}, %{"custom" => %{"file" => "add.erl"}}]],
        "invariant" => %{"file" => "hooks/check.exs"},
        "chaos" => %{"file" => "./add.erl"},
        "steady_state" => nil
      }

      assert {:error, {:invariant_failed, :returned_false}} = Harness.run(harness, Files.write(folder, scenario))
      Peer.call(peer, :gen_server, :call, [name, {:add, -5}])
      file = Files.write(folder, Map.delete(scenario, "chaos"))
      assert {:ok, report} = Harness.run(harness, file)
      assert [[{:ok, 1}, {:ok, 3}]] = results(report)
      # The program finds it there as well, wherever it is started.
      {:file, written} = file
      Peer.call(peer, :gen_server, :call, [name, {:add, -3}])
      assert {0, _, _} = Once.run(Path.join(folder, written <> ".json"), peer.node)
    end

    test "of a file that cannot be is told by its path", %{harness: harness, folder: folder, peer: peer, name: name} do
      outside = Support.temporary_folder()
      File.write!(Path.join(outside, "secret.exs"), "fn _, _ -> true end")
      File.ln_s!(Path.join(outside, "secret.exs"), Path.join(folder, "link.exs"))
      File.write!(Path.join(folder, "odd.exs"), <<0xFF, 0>>)
      File.write!(Path.join(folder, "broken.exs"), "fn _, _ -> (\n")
      File.mkdir_p!(Path.join(folder, "folder.exs"))
      sibling = folder <> "_too"
      File.mkdir_p!(sibling)
      File.write!(Path.join(sibling, "a.exs"), "fn _, _ -> true end")

      for {file, said} <- [
            {"../#{Path.basename(outside)}/secret.exs", "leads out of"},
            {"../#{Path.basename(sibling)}/a.exs", "leads out of"},
            {"hooks/../../x.exs", "leads out of"},
            {Path.join(outside, "secret.exs"), "must be the path of a file beside"},
            {"link.exs", "leads out of"},
            {"", "Elixir or Erlang"},
            {"nowhere.exs", "no such file"},
            {"folder.exs", "not a regular file"},
            {"hook.txt", "Elixir or Erlang"},
            {"odd.exs", "UTF-8"}
          ] do
        scenario = %{
          "target" => %{"name" => name, "node" => peer.node},
          "threads" => [[1]],
          "invariant" => %{"file" => file}
        }

        assert [%{path: [:invariant, :file], message: message}] = problems(harness, Files.write(folder, scenario))
        assert message =~ said, "#{file}: #{message}"
      end

      scenario = %{"target" => %{"name" => name, "node" => peer.node}, "threads" => [[1]]}
      broken = Files.write(folder, Map.put(scenario, "invariant", %{"file" => "broken.exs"}))
      assert [%{path: [:invariant], message: message}] = problems(harness, broken)
      assert message =~ "line "
      # Terms are short, and no files.
      terms = Files.write(folder, Map.put(scenario, "threads", [[%{"call" => %{"file" => "odd.exs"}}]]))
      assert [%{path: [:threads, 0, 0, :call], problem: :wrong_type}] = problems(harness, terms)
      File.rm_rf!(sibling)
    end
  end

  describe "--connect" do
    defp once(scenario, connects, arguments \\ []) do
      Once.run(Once.file(scenario), hd(connects), Enum.flat_map(tl(connects), &["--connect", to_string(&1)]) ++ arguments)
    end

    # A node that no epmd knows.
    defp start_hidden do
      port = free_port()
      peer = Peer.start(arguments: ["-erl_epmd_port", port, "-start_epmd", "false"])
      Peer.start_named(peer, Subject, :without_epmd)
      {peer, port}
    end

    defp free_port do
      {:ok, socket} = :gen_tcp.listen(0, [])
      {:ok, port} = :inet.port(socket)
      :gen_tcp.close(socket)
      port
    end

    test "is given several times, names being at the first", %{peer: peer, name: name} do
      other = Peer.start()
      Peer.start_named(other, Subject, :at_the_other)
      target = [to_string(name), %{"name" => "at_the_other", "node" => other.node}]
      scenario = %{"target" => target, "load" => %{"threads" => 2, "iterations" => 10}, "operations" => [erlang("get")]}
      assert {0, output, _} = once(scenario, [peer.node, other.node])
      assert output =~ ~r/errors +0/
      assert {2, _, errors} = once(scenario, [peer.node, :"nobody_there@127.0.0.1"])
      assert errors =~ "--connect: cannot connect to nobody_there@127.0.0.1"
    end

    test "takes a port, and asks no epmd then", %{peer: peer} do
      {hidden, port} = start_hidden()
      scenario = %{"target" => %{"name" => "without_epmd", "node" => hidden.node}, "threads" => [[erlang("get")]]}
      assert {0, output, _} = once(scenario, ["#{hidden.node}:#{port}"])
      assert output =~ ~r/errors +0/
      assert {0, _, _} = once(scenario, [peer.node, "#{hidden.node}:#{port}"])

      for {given, said} <- [
            {"#{hidden.node}:0", "0 is no port"},
            {"#{hidden.node}:70000", "70000 is no port"},
            {"#{hidden.node}:x1", "x1 is no port"},
            {"nobody:9100", "nobody has no @HOST"},
            {"a@[::1]:", "is no port"}
          ] do
        assert {2, _, errors} = once(scenario, [given])
        assert errors =~ said
      end
    end

    test "to a node that nothing needs may be lost", %{peer: peer, name: name} do
      spare = Peer.start()
      log = Path.join(Support.temporary_folder(), "log")

      scenario = %{
        "target" => %{"name" => name, "node" => peer.node},
        "load" => %{"threads" => 1, "duration_ms" => 2_000},
        "operations" => [erlang("get")]
      }

      for connects <- [[peer.node, spare.node], [spare.node, peer.node]] do
        spare = if Process.alive?(spare.control), do: spare, else: Peer.restart(spare)
        File.rm(log)
        file = Once.file(scenario)
        process = Once.start(file, hd(connects), log, ["--connect", to_string(List.last(connects))])
        Wait.until("the load", fn -> File.exists?(log) and File.read!(log) =~ "load" end, 20_000)
        Peer.kill(spare)
        assert OsProcess.await_exit(process, 30_000) == 0, File.read!(log)
        assert File.read!(log) =~ ~r/errors +0/
      end
    end

    test "to the node that looks up a name which is elsewhere may be lost too", %{peer: peer} do
      looker = Peer.start()
      global = Peer.start_server(peer, Subject)
      Peer.call(looker, :net_kernel, :connect_node, [peer.node])
      :yes = Peer.call(peer, :global, :register_name, [:looked_up, global])
      Wait.until("the name", fn -> Peer.call(looker, :global, :whereis_name, [:looked_up]) == global end)
      log = Path.join(Support.temporary_folder(), "log")

      scenario = %{
        "target" => %{"global" => erlang("looked_up")},
        "load" => %{"threads" => 1, "duration_ms" => 2_000},
        "operations" => [erlang("get")]
      }

      process = Once.start(Once.file(scenario), looker.node, log)
      Wait.until("the load", fn -> File.exists?(log) and File.read!(log) =~ "load" end, 20_000)
      Peer.kill(looker)
      assert OsProcess.await_exit(process, 30_000) == 0, File.read!(log)
      assert File.read!(log) =~ ~r/errors +0/
    end

    test "to that of hooks or targets ends the run", %{peer: peer, name: name} do
      spare = Peer.start()
      log = Path.join(Support.temporary_folder(), "log")

      scenario = %{
        "target" => %{"name" => name, "node" => peer.node},
        "hooks_node" => spare.node,
        "invariant" => erlang("fun(_, _) -> true end"),
        "load" => %{"threads" => 1, "duration_ms" => 20_000},
        "operations" => [erlang("get")]
      }

      process = Once.start(Once.file(scenario), peer.node, log, ["--connect", to_string(spare.node)])
      Wait.until("the load", fn -> File.exists?(log) and File.read!(log) =~ "load" end, 20_000)
      Peer.kill(spare)
      assert OsProcess.await_exit(process, 15_000) == 1
      assert File.read!(log) =~ "nodedown"
    end
  end
end
