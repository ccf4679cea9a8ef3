defmodule ScenarioFilesTest do
  use ClusterCase
  import Files

  setup_all do
    {harness, folder} = Files.start()
    peer = Peer.start()
    Peer.start_named(peer, Subject, :subject)
    {:ok, harness: harness, folder: folder, peer: peer}
  end

  # Of a file that is invalid both for run and for validate.
  defp problems_of(context, scenario) do
    file = Files.write(context.folder, scenario)
    for {path, kind, _} <- described(problems(context.harness, file)), do: {path, kind}
  end

  defp described(problems), do: for(problem <- problems, do: {problem.path, problem.problem, problem.message})

  defp base(context, changes) do
    Map.merge(%{"target" => target(context.peer, "subject"), "threads" => [[erlang("get")]]}, changes)
  end

  describe "a file" do
    test "says in Erlang and in Elixir what is sent", context do
      script = [
        %{"call" => erlang(~S({echo, [1, -2.5, $c, "text", <<"binary", 7>>, #{a => {b}}]}))},
        elixir(
          ~S({:echo, [1, -2.5, 'list', "text", <<"binary", 7>>, %{:a => {:b, 1, 2}, "k" => nil}, My.Name]})
        ),
        %{"cast" => elixir("{:add, 5}")},
        %{"call" => [1, true, nil, 2.5]},
        erlang("get.")
      ]

      script = List.replace_at(script, 3, %{"call" => [erlang("a"), 1, 2.5, true, nil]})
      file = Files.write(context.folder, base(context, %{"threads" => [List.delete_at(script, 3)]}))
      assert {:ok, report} = Harness.run(context.harness, file)

      assert [
               {:ok, [1, -2.5, ?c, ~c"text", <<"binary", 7>>, %{a: {:b}}]},
               {:ok, [1, -2.5, ~c"list", "text", <<"binary", 7>>, %{:a => {:b, 1, 2}, "k" => nil}, My.Name]},
               {:ok, :ok},
               {:ok, 5}
             ] = hd(results(report))
    end

    test "has numbers, booleans, null and lists for themselves", context do
      scenario = base(context, %{"threads" => [[%{"call" => [erlang("a"), 1, 2.5, true, nil, []]}]]})
      file = Files.write(context.folder, scenario)
      assert {:ok, %{threads: [[call: message]]}} = Harness.call(context.harness, :validate, [file])
      assert message == [:a, 1, 2.5, true, nil, []]
    end

    test "has hooks that are applied on the target's node", context do
      scenario =
        base(context, %{
          "threads" => [
            [
              %{"custom" => elixir("fn pid -> {pid, node(), GenServer.call(pid, {:echo, 1})} end")},
              %{"custom" => erlang("fun(Pid) -> gen_server:call(Pid, {echo, node()}) end")},
              %{
                "custom" => %{
                  "module" => "gen_server",
                  "function" => "call",
                  "extra_args" => [erlang("{echo, x}")]
                }
              }
            ]
          ],
          "invariant" => erlang(~S|fun(_, #{events := Events}) -> length(Events) =:= 3 end|),
          "steady_state" => %{"module" => elixir("Kernel"), "function" => "is_nil", "extra_args" => []},
          "cleanup" => elixir("fn _, _ -> :ok end")
        })
        |> Map.delete("steady_state")

      assert {:ok, report} = Harness.run(context.harness, Files.write(context.folder, scenario))
      node = context.peer.node
      assert [[{:ok, {{:subject, ^node}, ^node, 1}}, {:ok, ^node}, {:ok, :x}]] = results(report)
    end

    test "may be long", context do
      script = for n <- 1..100, do: erlang("{echo, #{n}}")
      file = Files.write(context.folder, base(context, %{"threads" => List.duplicate(script, 200)}))
      assert {:ok, report} = Harness.run(context.harness, file, 60_000)
      expected = for n <- 1..100, do: {:ok, n}
      assert Enum.uniq(results(report)) == [expected] and length(report.threads) == 200
    end

    test "may set its subject up", context do
      Peer.load(context.peer, Subject)

      scenario = %{
        "hooks_node" => context.peer.node,
        "setup" => erlang("fun() -> gen_server:start_link('Elixir.Subject', [], []) end"),
        "threads" => [[elixir("{:add, 2}"), erlang("get")]]
      }

      assert {:ok, report} = Harness.run(context.harness, Files.write(context.folder, scenario))
      assert [[{:ok, 2}, {:ok, 2}]] = results(report)
    end

    test "is found with its suffix too, by a charlist or an atom", context do
      {:file, name} = Files.write(context.folder, base(context, %{}), "by_name")

      for name <- [name, name <> ".json", String.to_charlist(name), :by_name] do
        assert {:ok, %{target: {:subject, _}}} = Harness.call(context.harness, :validate, [{:file, name}])
      end
    end

    test "is nowhere but in its folder", context do
      File.write!(Path.join(Path.dirname(context.folder), "outside.json"), Json.encode(base(context, %{})))
      on_exit(fn -> File.rm(Path.join(Path.dirname(context.folder), "outside.json")) end)

      for name <- ["../outside", "/etc/passwd", "", ".", "..", ".hidden", "a/b", "missing", "a\0b", 5, {:a}] do
        assert [{[], :no_file, _}] = described(problems(context.harness, {:file, name}))
      end

      File.mkdir_p!(Path.join(context.folder, "folder.json"))
      System.cmd("mkfifo", [Path.join(context.folder, "pipe.json")])

      for name <- ["folder", "pipe"] do
        assert [{[], :no_file, message}] = described(problems(context.harness, {:file, name}))
        assert message =~ "not a regular file"
      end
    end

    test "needs a folder", context do
      harness = Harness.start()
      assert [{[], :no_file, message}] = described(problems(harness, {:file, "smoke"}))
      assert message =~ "scenario_dir"
      assert context.harness.node != harness.node
    end
  end

  describe "what is wrong with a file" do
    test "is told when it is no JSON, or too much of it", context do
      assert [{[], :syntax}] = problems_of(context, "{")
      assert [{[], :syntax}] = problems_of(context, "")
      assert [{[], :syntax}] = problems_of(context, ~s({"threads": [], "threads": []}))
      assert [{[], :syntax}] = problems_of(context, <<"{\"a\": \"", 255, "\"}">>)
      assert [{[], :wrong_type}] = problems_of(context, "[1]")
      assert [{[], :out_of_range}] = problems_of(context, String.duplicate(" ", 5_000_000))
      deep = String.duplicate("[", 40) <> String.duplicate("]", 40)
      assert [{[:metadata | _], :out_of_range}] = problems_of(context, ~s({"metadata": #{deep}}))
    end

    test "is told all at once, as far as no node is needed for it", context do
      scenario = %{
        "target" => %{"name" => "subject", "node" => "nowhere"},
        "thread" => [],
        "threads" => [[%{"cal" => erlang("get")}, "get", %{"call" => %{"erlang" => 5}}]],
        "timeout_ms" => "soon",
        "invariant" => "ok"
      }

      # The node of the target is no node: nothing here may ask for one.
      assert [
               {[:invariant], :wrong_type},
               {[:target, :node], :invalid_target},
               {[:thread], :unknown_key},
               {[:threads, 0, 0, :cal], :unknown_key},
               {[:threads, 0, 1], :wrong_type},
               {[:threads, 0, 2, :call, :erlang], :wrong_type},
               {[:timeout_ms], :wrong_type}
             ] = Enum.sort(problems_of(context, scenario))
    end

    test "is told of its texts by the nodes", context do
      scenario =
        base(context, %{
          "threads" => [
            [
              %{"call" => erlang("{add, ")},
              elixir("{:add, "),
              erlang("Variable"),
              elixir("variable"),
              elixir("call()"),
              erlang("a, b"),
              erlang(""),
              elixir("fn -> :ok end"),
              erlang("fun() -> ok end"),
              erlang("{'$int', 1}")
            ]
          ],
          "invariant" => erlang("fun(_) -> true"),
          "cleanup" => elixir("fn _ ->")
        })

      assert [
               {[:cleanup], :syntax},
               {[:invariant], :syntax},
               {[:threads, 0, 0, :call], :syntax},
               {[:threads, 0, 1], :syntax},
               {[:threads, 0, 2], :not_literal},
               {[:threads, 0, 3], :not_literal},
               {[:threads, 0, 4], :not_literal},
               {[:threads, 0, 5], :syntax},
               {[:threads, 0, 6], :syntax},
               {[:threads, 0, 7], :not_literal},
               {[:threads, 0, 8], :not_literal}
             ] = Enum.sort(problems_of(context, scenario))
    end

    test "that nests too deep harms nobody else on the node", context do
      deep = String.duplicate("[", 2_500) <> String.duplicate("]", 2_500)
      nested = String.duplicate("{", 201) <> String.duplicate("}", 201)
      fine = String.duplicate("[", 150) <> String.duplicate("]", 150)
      script = [erlang(fine), erlang(deep), erlang(nested), elixir(deep)]
      problems = problems_of(context, base(context, %{"threads" => [script]}))
      assert problems == for(place <- 1..3, do: {[:threads, 0, place], :out_of_range})
      refute Harness.log(context.harness) =~ "nested too deep"
    end

    test "is told for each of the places where the same text stands", context do
      script = [erlang("{"), erlang("get"), erlang("{"), %{"call" => erlang("{")}]
      problems = problems_of(context, base(context, %{"threads" => [script]}))
      assert problems == for(place <- [[0], [2], [3, :call]], do: {[:threads, 0 | place], :syntax})
    end

    test "is told of what the texts mean", context do
      scenario =
        base(context, %{
          "threads" => [[erlang("{'$int', 1}"), erlang("{call, {'$int', 2, 1}}")]],
          "invariant" => erlang("fun(_) -> true end"),
          "setup" => elixir("&Foo.bar/3")
        })
        |> Map.delete("target")
        |> Map.put("hooks_node", context.peer.node)

      assert [
               {[:invariant], :wrong_type},
               {[:setup], :wrong_type},
               {[:threads, 0, 0], :invalid_placeholder},
               {[:threads, 0, 1], :invalid_placeholder}
             ] = Enum.sort(problems_of(context, scenario))
    end
  end

  test "Erlang needs nothing but Erlang", context do
    peer = Peer.start(elixir: false)
    Peer.start_named(peer, :plain_subject, :plain)

    scenario = %{
      "target" => target(peer, "plain"),
      "threads" => [
        [erlang("{add, 2}"), %{"custom" => erlang("fun(Pid) -> gen_server:call(Pid, {add, 3}) end")}]
      ],
      "invariant" => erlang("fun(Pid, _) -> gen_server:call(Pid, {add, 0}) =:= 5 end")
    }

    assert {:ok, report} = Harness.run(context.harness, Files.write(context.folder, scenario))
    assert results(report) == [[{:ok, 2}, {:ok, 5}]]
  end

  test "Elixir needs a node that has it", context do
    peer = Peer.start(elixir: false)

    scenario = %{
      "target" => target(peer, "subject"),
      "threads" => [[elixir(":get"), erlang("get")]],
      "invariant" => elixir("fn _, _ -> true end")
    }

    file = Files.write(context.folder, scenario)

    assert [{[:invariant], :no_elixir, _}, {[:threads, 0, 0], :no_elixir, message}] =
             Enum.sort(described(problems(context.harness, file)))

    assert message =~ Atom.to_string(peer.node)
  end

  test "texts are for two nodes: the target's, and that of the hooks", context do
    hooks = Peer.start()

    scenario =
      base(context, %{
        "threads" => [[elixir("{:echo, Elixir.Known.There}"), %{"custom" => elixir("fn _ -> node() end")}]],
        "hooks_node" => hooks.node
      })

    assert {:ok, report} = Harness.run(context.harness, Files.write(context.folder, scenario))
    node = hooks.node
    assert [[{:ok, Known.There}, {:ok, ^node}]] = results(report)
  end

  test "a node that is not there ends the run, and a validation", context do
    node = :"nobody_#{System.unique_integer([:positive])}@127.0.0.1"
    scenario = base(context, %{"target" => %{"name" => "subject", "node" => node}})
    file = Files.write(context.folder, scenario)
    assert {:error, {:nodedown, ^node}} = Harness.run(context.harness, file)
    assert {:error, {:nodedown, ^node}} = Harness.call(context.harness, :validate, [file])
  end

  describe "a node that does not answer" do
    setup context do
      peer = Peer.start()
      Peer.start_named(peer, Subject, :subject)
      # The nodes know each other, so that nothing but the answer is missing.
      assert {:ok, _} = Harness.run(context.harness, %{target: {:subject, peer.node}, threads: [[:get]]})
      os_pid = to_string(Peer.call(peer, :os, :getpid, []))
      System.cmd("kill", ["-STOP", os_pid])
      resume = fn -> System.cmd("kill", ["-CONT", os_pid]) end
      on_exit(resume)
      file = Files.write(context.folder, base(context, %{"target" => target(peer, "subject")}))
      {:ok, scenario: file, resume: resume}
    end

    test "keeps a run waiting, which its caller's death cancels", context do
      task = start_run(context.harness, context.scenario)
      Harness.wait_for_log(context.harness, ~r/state=resolving/)
      Wait.until("the run", fn -> running(context.harness) == 1 end)
      Task.shutdown(task, :brutal_kill)
      Wait.until("its end", fn -> running(context.harness) == 0 end)
    end

    test "has some seconds to do so", context do
      {harness, folder} = Files.start()
      {:file, name} = context.scenario
      File.cp!(Path.join(context.folder, name <> ".json"), Path.join(folder, name <> ".json"))
      validation = Task.async(fn -> Harness.call(harness, :validate, [context.scenario]) end)
      assert {:error, {reason, _}} = Harness.run(harness, context.scenario)
      assert reason in [:session_failed, :nodedown]
      assert {:error, {^reason, _}} = Task.await(validation)
      context.resume.()
    end

    test "does not keep the daemon from stopping", context do
      {harness, folder} = Files.start(config: %{"shutdown_ms" => 1000})
      {:file, name} = context.scenario
      File.cp!(Path.join(context.folder, name <> ".json"), Path.join(folder, name <> ".json"))

      call = fn function ->
        Task.async(fn -> raised(fn -> Harness.call(harness, function, [context.scenario]) end) end)
      end

      tasks = Enum.map([:run, :validate], call)
      Wait.until("both", fn -> Harness.call(harness, :info).counters.requests >= 3 end)
      Harness.terminate(harness)
      assert Harness.await_exit(harness) == 0
      Enum.each(tasks, &Task.await/1)
    end
  end
end
