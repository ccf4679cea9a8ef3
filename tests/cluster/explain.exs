defmodule ExplainBench do
  @moduledoc """
  How often the causes of slow operations are told rightly: each cause is brought about so many times, in a run of its
  own each, and of the operations that took more than 20 ms meanwhile the first cause is compared; then runs in which
  nothing is brought about, whose slow operations may have no cause that was not there. `EXPLAIN_ROUNDS` (20) of each
  cause, `EXPLAIN_RUNS` (20) without; `EXPLAIN_ONLY` a part of the names. It is no part of the tests:
  `sh tests/bench/explain.sh`.
  """
  use ClusterCase

  @rounds String.to_integer(System.get_env("EXPLAIN_ROUNDS") || "20")
  @runs String.to_integer(System.get_env("EXPLAIN_RUNS") || "20")
  @only System.get_env("EXPLAIN_ONLY") || ""
  @slow_us 20_000
  @after_ms 700

  # {name, who is called, what is to be told, at least so many of a hundred, what is applied where}
  defp causes(%{target: target, large: large, os_pid: os_pid, sink: sink, sink_pid: sink_pid}) do
    [
      {"suspended", target, :suspended, 95, :server, {:suspend, [target, 100]}},
      {"burning handler", target, :handler, 95, :server, {:ask, [target, {:burn, 100}]}},
      {"sleeping handler", target, :handler, 95, :server, {:ask, [target, {:sleep, 100}]}},
      {"garbage", large, :garbage_collection, 95, :server, {:collect, [large]}},
      {"full mailbox", target, :queue, 95, :server, {:drain, [target, 4_000, 6_000]}},
      {"stopped node", target, :node_paused, 95, :helper, {:stop, [os_pid, 100]}},
      {"busy connection", target, :reply_blocked, 95, :helper, {:stop_and_tell, [sink_pid, target, sink, 30, 20_000, 150]}},
      {"blocked scheduler", target, :handler, 95, :server, {:ask, [target, {:block, 60}]}},
      {"busy schedulers", target, :scheduled_out, 65, :server, {:crowd, [100, 300]}}
    ]
  end

  # A connection between the two that holds next to nothing.
  @narrow ~w(-kernel inet_dist_connect_options [{sndbuf,4096}] inet_dist_listen_options [{recbuf,4096}] +zdbbl 4)

  setup do
    [server, helper, other] = for _ <- 1..3, do: Peer.start(arguments: @narrow)
    for peer <- [helper, other], do: Peer.load(peer, Slow)
    [target, large] = for words <- [0, 20_000_000], do: Peer.start_server(server, Slow, words)
    sink = Peer.start_server(other, Slow)
    Peer.call(server, Slow, :allow_blocking, [])
    for peer <- [other, helper], do: true = Peer.call(server, :net_kernel, :connect_node, [peer.node])
    os_pid = fn peer -> Peer.call(peer, :os, :getpid, []) |> to_string() end
    harness = Harness.start(config: %{"access" => %{"chaos" => %{"allow" => ["*"]}}, "log" => %{"level" => "info"}})

    {:ok,
     harness: harness,
     nodes: %{server: server.node, helper: helper.node},
     plain: Peer.start_server(Peer.start(), Slow),
     world: %{target: target, large: large, os_pid: os_pid.(server), sink: sink, sink_pid: os_pid.(other)}}
  end

  defp run(harness, target, chaos) do
    scenario = %{
      target: target,
      load: %{rate: 250, duration_ms: 1_300},
      operations: [:get],
      call_timeout_ms: 5_000,
      explain: true,
      chaos: chaos,
      seed: 1
    }

    {:ok, report} = Harness.run(harness, scenario, 60_000)
    report
  end

  # The slow operations that were under way while it went on, by their first cause.
  defp affected(%{injections: [%{at_ms: at, outcome: {:ok, ms}}]} = report) do
    for %{at_ms: from, service_us: us, causes: [%{cause: first} | _]} <- report.slowest,
        us > @slow_us,
        from < at + ms and from + us / 1_000 > at,
        do: first
  end

  @tag timeout: :infinity
  test "causes", %{harness: harness, nodes: nodes, world: world, plain: plain} do
    IO.puts("\n#{String.pad_trailing("", 20)} slow  right   %  others")

    short =
      for {name, target, cause, least, where, {function, arguments}} <- causes(world), name =~ @only do
        action = %{action: {:apply, Slow, function, arguments}, target: {:node, nodes[where]}, after_ms: @after_ms}
        firsts = for(_ <- 1..@rounds, do: affected(run(harness, target, action))) |> Enum.concat()
        right = Enum.count(firsts, &(&1 == cause))
        told(name, firsts, right, Enum.reject(firsts, &(&1 == cause)))
        if right * 100 < least * length(firsts) or firsts == [], do: name
      end

    wrong = if "unaffected" =~ @only, do: unaffected(harness, plain), else: []
    assert Enum.reject(short, &is_nil/1) == [] and wrong == []
  end

  # Of these any cause would have to have been there; that of the machine is.
  defp unaffected(harness, plain) do
    reports = for _ <- 1..@runs, do: run(harness, plain, [])
    slow = for report <- reports, %{service_us: us} = one when us > @slow_us <- report.slowest, do: one
    causes = for %{causes: causes} <- slow, %{cause: cause} <- causes, do: cause
    wrong = for %{causes: causes} = one <- slow, Enum.any?(causes, &(&1.cause not in [:unknown, :node_paused, :daemon])), do: one
    told("unaffected", slow, length(slow) - length(wrong), causes)
    for one <- wrong, do: IO.inspect(one, label: "a cause that was not there")
    wrong
  end

  defp told(name, firsts, right, others) do
    share = if firsts == [], do: "-", else: Float.round(100 * right / length(firsts), 1)
    counts = [length(firsts), right, share] |> Enum.map_join(" ", &String.pad_leading(to_string(&1), 5))
    IO.puts("#{String.pad_trailing(name, 20)}#{counts}  #{inspect(Enum.frequencies(others))}")
  end
end
