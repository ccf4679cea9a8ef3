defmodule LogTest do
  @moduledoc "What the log tells of a run, and that it is JSON when it is to be."
  use ClusterCase

  # The lines about a run, without their times.
  # But for what a machine that is busy makes of it.
  defp story(harness, id) do
    for line <- String.split(Harness.log(harness), "\n"),
        line =~ "run=#{id}",
        not (line =~ "warning=client_bound"),
        do: hd(Regex.run(~r/(?<=Z ).*/, line))
  end

  test "the story of a run, from who has asked for it to what came of it, is a few lines" do
    harness = Harness.start(config: %{"log" => %{"level" => "info"}})
    target = Peer.start_server(Peer.start(), Subject)

    scenario = %{
      target: target,
      seed: 11,
      load: %{threads: 5, iterations: 400},
      operations: [{:add, 1}, {:late, 1, :x}],
      chaos: [%{action: {:suspend, 20}, after_ms: 50}],
      call_timeout_ms: 5_000
    }

    assert {:ok, report} = Harness.run(harness, scenario)
    Harness.wait_for_log(harness, ~r/run finished run=#{report.run_id}/)
    assert [started, injected, finished] = story(harness, report.run_id)

    assert started ==
             "info run started run=#{report.run_id} requester=#{node()} by=run threads=5 operations=2 targets=1 faults=1 seed=11"

    assert injected =~ ~r/^info fault injected .* requester=#{node()} action=\{suspend,20\}/

    assert finished =~
             ~r/outcome=completed reason="" operations=4000 errors=0 dropped=0 faults=1 p99_us=\d+ ms=\d+$/

    assert finished =~ "p99_us=#{report.latency.overall.p99_us} "
  end

  test "why a run has failed or was aborted is in its story" do
    harness = Harness.start()
    target = Peer.start_server(Peer.start(), Subject)
    assert {:error, _} = Harness.run(harness, %{setup: fn -> {:error, {:no, :database}} end, threads: [[]]})
    Harness.wait_for_log(harness, ~r/run finished .*outcome=failed reason=\{no,database\}/)

    assert {:error, _} =
             Harness.run(harness, %{target: target, threads: [[:get]], invariant: fn _, _ -> false end})

    Harness.wait_for_log(
      harness,
      ~r/run finished .*outcome=failed reason=\{invariant_failed,returned_false\}/
    )

    scenario = %{
      target: target,
      load: %{threads: 1, duration_ms: 20_000},
      operations: [{:late, 30, :x}],
      call_timeout_ms: 10,
      performance_expectations: [max_error_rate: 0.5],
      abort_when: [:max_error_rate],
      warmup_ms: 100
    }

    assert {:error, {:performance_failed, _}} = Harness.run(harness, scenario)
    [line] = Harness.wait_for_log(harness, ~r/run aborted .*/)
    assert line =~ ~s(reason="Error rate 1.0 exceeded maximum of 0.5" )
    Harness.wait_for_log(harness, ~r/run finished .*outcome=missed reason="max_error_rate 1\.0, limit 0\.5" /)
  end

  test "who has started a run that goes on without them" do
    harness = Harness.start()
    target = Peer.start_server(Peer.start(), Subject)
    scenario = %{target: target, threads: [[:get]], chaos: {:suspend, 1}}
    assert {:ok, id} = Harness.call(harness, :start, [scenario])
    assert {:ok, _} = Harness.call(harness, :await, [id])
    Harness.wait_for_log(harness, ~r/run started run=#{id} requester=#{node()} by=start/)
    Harness.wait_for_log(harness, ~r/fault injected run=#{id} requester=#{node()}/)
  end

  describe "what nodes print and report is text" do
    setup do
      {:ok, harness: Harness.start(), peer: Peer.start(arguments: ["-kernel", "logger_level", "error"])}
    end

    # Applied on a node without our code: each is what a hook does there.
    defp custom(text) do
      {:ok, tokens, _} = :erl_scan.string(to_charlist("fun(_) -> #{text} end."))
      {:ok, forms} = :erl_parse.parse_exprs(tokens)
      {:value, hook, _} = :erl_eval.exprs(forms, [])
      hook
    end

    defp run_there(harness, peer, hooks, options \\ %{}) do
      target = Peer.start_server(peer, Subject)
      scenario = %{target: target, threads: [Enum.map(hooks, &custom/1)], hooks_node: peer.node}
      assert {:ok, id} = Harness.call(harness, :start, [Map.merge(scenario, Map.new(options))])
      assert {:ok, report} = Harness.call(harness, :await, [id])
      [results] = results(report)
      results
    end

    test "formatted as the node formats it", %{harness: harness, peer: peer} do
      long = "io:format(\"long ~p~n\", [lists:seq(1, 100000)])"
      mixed = "io:put_chars([<<\"grüße \"/utf8>>, [26085], 10])"

      results =
        run_there(harness, peer, [
          "io:format(\"messages ~p of ~s~n\", [{a, \"list\", 1.5}, <<\"x\">>])",
          mixed,
          long,
          "'Elixir.IO':inspect(\#{a => [1, 2]})",
          "try io:format(\"~d\", [x]) catch error:badarg -> refused end"
        ])

      assert [{:ok, :ok}, {:ok, :ok}, {:ok, :ok}, {:ok, %{a: [1, 2]}}, {:ok, :refused}] = results
      Harness.wait_for_log(harness, ~r/output peer=#{peer.node} text="messages \{a,\\"list\\",1.5\} of x"/)
      Harness.wait_for_log(harness, ~r/text="grüße 日"/u)
      Harness.wait_for_log(harness, ~r/text="%\{a: \[1, 2\]\}"/)
      [line] = Harness.wait_for_log(harness, ~r/.* text="long \[1,2,3.*/)
      assert byte_size(line) < 2_000
    end

    test "crashes as well", %{harness: harness, peer: peer} do
      crash = "{P, R} = spawn_monitor(proc_lib, init_p, [self(), [], erlang, error, [{bad, \"word\"}]]),
               receive {'DOWN', R, _, P, _} -> ok end"

      run_there(harness, peer, [crash, "logger:error(\"said ~ts\", [[26085, \"!\"]])"])
      [line] = Harness.wait_for_log(harness, ~r/report of a process .*crasher.*/)
      assert line =~ "{bad,\\\"word\\\"}"
      refute line =~ "\#{"
      assert byte_size(line) < 2_000
      Harness.wait_for_log(harness, ~r/report of a process .*said 日!/u)
    end

    test "however much it is", %{harness: harness, peer: peer} do
      flood = "[logger:error(\"report ~p\", [N]) || N <- lists:seq(1, 2000)], ok"
      print = "[io:format(\"line ~p~n\", [N]) || N <- lists:seq(1, 500)], ok"
      assert [{:ok, :ok}, {:ok, :ok}] = run_there(harness, peer, [flood, print], timeout_ms: 60_000)
      Harness.wait_for_log(harness, ~r/suppressed what=output lines=\d+/)
      Harness.wait_for_log(harness, ~r/suppressed what="report of a process" lines=\d+/)
      Harness.assert_alive(harness)
    end
  end

  test "every line is JSON, whatever is in it" do
    harness = Harness.start(config: Map.merge(Http.config(), %{"log" => %{"format" => "json"}}), ready: false)
    [_, node] = Harness.wait_for_log(harness, ~r/"event":"ready","node":"([^"]*)"/)
    [_, port] = Harness.wait_for_log(harness, ~r/listening for HTTP","address":"[^"]*","port":(\d+)/)
    harness = %{harness | node: String.to_atom(node)}

    odd = [
      <<0xFF, 0xC3, "\"", 0, "\\", 0x7F, 0xE2, 0x82>>,
      "grüße €",
      String.duplicate("\e[1mx", 3_000),
      "a\nb\r\n"
    ]

    prints = for text <- odd, do: fn _ -> IO.binwrite(text) end
    reason = {:odd, Enum.at(odd, 0), Enum.at(odd, 2)}
    target = Peer.start_server(Peer.start(), Subject)

    for scenario <- [
          %{target: target, threads: [prints], hooks_node: node()},
          %{setup: fn -> {:error, reason} end, threads: [[]], hooks_node: node()}
        ] do
      {:ok, id} = Harness.call(harness, :start, [scenario])
      Harness.call(harness, :await, [id])
    end

    for path <- ["/nope", "/%00%ff\"", "/" <> String.duplicate("é", 800)],
        do: Http.get(String.to_integer(port), path)

    {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, String.to_integer(port), [])
    :gen_tcp.close(socket)
    Harness.wait_for_log(harness, ~r/outcome":"failed"/)
    Harness.stop(harness)

    lines = harness |> Harness.log() |> String.split("\n", trim: true)
    assert length(lines) > 10
    for line <- lines, do: assert(String.valid?(line))
    # jq reads all of them, and each is an object with what a reader of logs looks for.
    filter = "[inputs | select(.time and .level and .event)] | length"
    assert {count, 0} = System.cmd("jq", ["-n", filter, harness.log])
    assert String.trim(count) == "#{length(lines)}"
    assert Enum.any?(lines, &(&1 =~ ~S("text":"\u00ff\u00c3\"\u0000\\\u007f\u00e2\u0082")))
    assert Enum.any?(lines, &(&1 =~ "grüße €"))
  end
end
