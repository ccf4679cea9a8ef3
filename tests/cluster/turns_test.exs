# What is large of one caller keeps no other one waiting, and nobody takes what is there for all.
defmodule TurnsTest do
  use ClusterCase

  @element <<104, 2, 119, 4, "call", 104, 2, 119, 5, "$pick", 108, 2::32, 97, 1, 97, 2, 106>>

  # Several large scenarios of one caller that waits for all of them.
  defp flood(harness, count) do
    threads = 300_000
    list = <<108, threads::32, :binary.copy(@element, threads)::binary, 106>>
    <<131, target::binary>> = RawNode.encode({:nobody, node()})

    scenario =
      <<116, 2::32, 119, 6, "target", target::binary, 119, 7, "threads", 108, 1::32, list::binary,
        106>>

    raw = RawNode.connect!(harness.port)
    <<131, pid::binary>> = RawNode.encode(RawNode.pid(raw))

    for i <- 1..count do
      call =
        <<104, 3, 119, 9, "$gen_call", 104, 2, pid::binary, 97, i, 104, 2, 119, 8, "validate",
          scenario::binary>>

      RawNode.send_control_bytes(raw, {6, RawNode.pid(raw), :"", :harness}, <<131, call::binary>>)
    end

    raw
  end

  # Says `:answered` for each large answer.
  defp count_answers(raw) do
    test = self()

    spawn_link(fn ->
      Stream.repeatedly(fn ->
        {:ok, <<size::32>>} = RawNode.receive_bytes(raw, 4, 60_000)
        if size > 0, do: {:ok, _} = RawNode.receive_bytes(raw, size, 60_000)
        if size > 1_000_000, do: send(test, :answered)
      end)
      |> Stream.run()
    end)
  end

  test "who asks for little is not behind who has asked for much" do
    harness = Harness.start()
    small = %{target: {:nobody, node()}, threads: [List.duplicate({:call, :get}, 3_000)]}
    raw = flood(harness, 6)
    reader = count_answers(raw)
    for _ <- 1..6, do: assert({:ok, _} = Harness.call(harness, :validate, [small]))
    {:messages, answered} = Process.info(self(), :messages)
    assert length(answered) <= 2
    for _ <- 1..6, do: assert_receive(:answered, 60_000)
    Process.unlink(reader)
    Process.exit(reader, :kill)
    RawNode.close(raw)
    Harness.stop(harness)
  end

  test "many large answers at once do not end the connection of their node" do
    harness = Harness.start(config: %{"limits" => %{"queued_bytes" => 1_000_000}})
    peer = Peer.start()
    Peer.load(peer, Crowd)
    target = Peer.start_server(peer, Subject)
    scenario = %{target: target, threads: [[:get]], metadata: %{text: String.duplicate("x", 100)}}

    for {:ok, _} <-
          Peer.call(
            peer,
            Crowd,
            :ask,
            [harness.node, :run, List.duplicate([scenario], 200)],
            60_000
          ),
        do: :ok

    lists = Peer.call(peer, Crowd, :ask, [harness.node, :runs, List.duplicate([], 60)], 60_000)
    assert Enum.map(lists, &length/1) == List.duplicate(200, 60)
    refute Harness.log(harness) =~ "does not read"
    Harness.stop(harness)
  end

  test "what is large for hooks waits until their node has taken what came before" do
    harness = Harness.start(config: %{"limits" => %{"queued_bytes" => 4_000_000}})
    peer = Peer.start()
    target = Peer.start_server(peer, Subject)
    large = :binary.copy("x", 1_000_000)
    whole = %{target: target, hooks_node: peer.node, timeout_ms: 60_000, call_timeout_ms: 60_000, hook_timeout_ms: 60_000}
    custom = Map.put(whole, :threads, List.duplicate(List.duplicate({:custom, {:erlang, :"=:=", [large]}}, 2), 40))
    assert {:ok, %{metrics: %{total_operations: 80, operation_errors: 0}}} = Harness.run(harness, custom, 60_000)

    hooks = %{setup: {:erlang, :hd, [[{:ok, target, %{large: large}}]]}, steady_state: {:erlang, :send, []}}
    context = whole |> Map.delete(:target) |> Map.merge(hooks) |> Map.put(:threads, [[:get]])
    runs = for _ <- 1..20, do: Task.async(fn -> Harness.run(harness, context, 60_000) end)
    for run <- runs, do: assert({:ok, %{context: %{large: ^large}}} = Task.await(run, 60_000))
    refute Harness.log(harness) =~ "does not read"
    Harness.stop(harness)
  end

  test "a node may go, and the daemon end, while large requests wait for their turn" do
    harness = Harness.start(config: %{"http" => %{"listen" => "127.0.0.1:0"}})
    before = Harness.allocated(harness)

    wait_in_vain = fn ->
      peer = Peer.start()
      Peer.load(peer, Crowd)
      for _ <- 1..8, do: spawn(fn -> Peer.call(peer, Crowd, :validate, [harness.node, 3, 300_000]) end)
      Wait.until("requests", fn -> Harness.allocated(harness) > before + 6_000_000 end)
      peer
    end

    Peer.kill(wait_in_vain.())
    Wait.until("their end", fn -> Harness.allocated(harness) < before + 3_000_000 end)
    wait_in_vain.()
    Harness.stop(harness)
  end

  test "a node leaves subscriptions to others" do
    harness = Harness.start()
    peer = Peer.start()
    pids = for _ <- 1..600, do: spawn_link(fn -> Process.sleep(:infinity) end)
    answers = Crowd.ask(harness.node, :subscribe, Enum.map(pids, &[:all, &1]))
    assert Enum.frequencies(answers) == %{:ok => 500, {:error, {:busy, :subscriptions}} => 100}
    assert Peer.call(peer, :erpc, :call, [harness.node, :harness, :subscribe, [:all]]) == :ok
    Harness.stop(harness)
  end
end
