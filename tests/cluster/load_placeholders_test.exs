defmodule LoadPlaceholdersTest do
  @moduledoc "Placeholders in messages: a fresh value at each use, as the servers see them."
  use ClusterCase, shared: true

  setup %{peer: peer} do
    {:ok, target: Recorder.start(peer)}
  end

  # What the server was sent for one message, so many times.
  defp sent(harness, target, message, options \\ %{}) do
    options = Map.merge(%{seed: 17}, options)
    Loads.run(harness, target, %{threads: 4, iterations: 250}, [message], options)
    messages = Recorder.messages(target)
    assert length(messages) == 1_000
    messages
  end

  test "$int is drawn from a range, ends included", %{harness: harness, target: target} do
    drawn = for {:get, number} <- sent(harness, target, {:get, {:"$int", 1, 5}}), do: number
    counts = Enum.frequencies(drawn)
    assert Enum.sort(Map.keys(counts)) == [1, 2, 3, 4, 5]
    # 200 each with a standard deviation of 13.
    for {_, count} <- counts, do: assert_in_delta(count, 200, 70)
  end

  test "$int is of any size and sign", %{harness: harness, target: target} do
    message = {{:"$int", -3, -3}, {:"$int", -1_000_000_000_000, 1_000_000_000_000}}
    drawn = sent(harness, target, message)
    assert Enum.all?(drawn, fn {three, far} -> three == -3 and abs(far) <= 1_000_000_000_000 end)
    far = Enum.map(drawn, &elem(&1, 1))
    assert length(Enum.uniq(far)) == 1_000
    assert Enum.count(far, &(&1 < 0)) in 400..600
    assert Enum.count(far, &(abs(&1) > 2_147_483_648)) > 900
  end

  test "$seq never repeats in a run", %{harness: harness, target: target} do
    messages = sent(harness, target, {:put, {:"$seq"}, [{:"$seq"}]})
    numbers = for {:put, one, [other]} <- messages, number <- [one, other], do: number
    assert Enum.all?(numbers, &(is_integer(&1) and &1 >= 0))
    assert length(Enum.uniq(numbers)) == 2_000
  end

  test "$seq never repeats, whichever operation and model", %{harness: harness, target: target} do
    mix = [%{weight: 1, op: {:a, {:"$seq"}}}, %{weight: 1, op: {:cast, {:b, {:"$seq"}, {:"$seq"}}}}]
    Loads.run(harness, target, %{rate: 1_000, duration_ms: 400, max_in_flight: 50}, nil, %{mix: mix})
    numbers = for message <- Recorder.messages(target), number <- tl(Tuple.to_list(message)), do: number
    assert length(numbers) > 450
    assert numbers == Enum.uniq(numbers)
  end

  test "$thread and $step are those of the event", %{harness: harness, target: target} do
    report = Loads.run(harness, target, %{threads: 5, iterations: 20}, [{{:"$thread"}, {:"$step"}}])
    for event <- report.events, do: assert(event.operation == {:call, {event.thread, event.step}})

    assert Enum.sort(Recorder.messages(target)) ==
             Enum.sort(for thread <- 0..4, step <- 0..19, do: {thread, step})

    # Each thread's steps in their order.
    for {_, mine} <- Enum.group_by(Recorder.messages(target), &elem(&1, 0)),
        do: assert(Enum.map(mine, &elem(&1, 1)) == Enum.to_list(0..19))
  end

  test "$pick is one of a list", %{harness: harness, target: target} do
    drawn = for [choice] <- sent(harness, target, [{:"$pick", [:a, "b", {:c, 1}, []]}]), do: choice
    counts = Enum.frequencies(drawn)
    assert Map.keys(counts) |> Enum.sort() == Enum.sort([:a, "b", {:c, 1}, []])
    for {_, count} <- counts, do: assert_in_delta(count, 250, 80)
  end

  test "$zipf prefers the first of many", %{harness: harness, target: target} do
    drawn = for {:get, rank} <- sent(harness, target, {:get, {:"$zipf", 100, 1.0}}), do: rank
    assert Enum.all?(drawn, &(&1 in 1..100))
    counts = Enum.frequencies(drawn)
    # The harmonic number of 100 is 5.187: 193, 96 and 19 are to be expected.
    assert_in_delta Map.get(counts, 1, 0), 193, 65
    assert_in_delta Map.get(counts, 2, 0), 96, 50
    assert Enum.count(drawn, &(&1 > 50)) in 60..220
  end

  test "$bytes are bytes, others each time", %{harness: harness, target: target} do
    drawn = for %{data: data} <- sent(harness, target, %{data: {:"$bytes", 33}}), do: data
    assert Enum.all?(drawn, &(byte_size(&1) == 33))
    assert length(Enum.uniq(drawn)) == 1_000
    bytes = drawn |> IO.iodata_to_binary() |> :binary.bin_to_list() |> Enum.frequencies()
    assert map_size(bytes) == 256 and Enum.all?(bytes, fn {_, count} -> count in 65..200 end)
    assert run_script(harness, target, [{:"$bytes", 0}]) == [{:ok, :ok}]
    assert List.last(Recorder.messages(target)) == ""
  end

  test "are found wherever they are, and nothing else is touched", %{harness: harness, target: target} do
    message = %{
      1 => [{:"$int", 7, 7}, {:a, {:"$pick", [{:"$int", 8, 8}]}} | {:"$int", 9, 9}],
      key: {"text", 1.5, self(), :"$int", {:"$other", 1}, {}, %{~c"x" => {:"$step"}}}
    }

    assert run_script(harness, target, [:first, message, {:cast, message}]) |> length() == 3
    expected = fn step -> {"text", 1.5, self(), :"$int", {:"$other", 1}, {}, %{~c"x" => step}} end

    assert [{:call, :first}, {:call, one}, {:cast, two}] =
             for({kind, seen, _, _} <- Recorder.seen(target), do: {kind, seen})

    assert %{1 => [7, {:a, 8} | 9], key: key} = one
    assert key == expected.(1)
    assert two.key == expected.(2)
  end

  test "work in casts, plain messages and scripts", %{harness: harness, target: target} do
    script = [{:"$cast", {:a, {:"$step"}}}, {:"$send", {:b, {:"$step"}}}, {:cast, {:c, {:"$step"}}}]
    assert run_script(harness, target, script) == [{:ok, :ok}, {:ok, :ok}, {:ok, :ok}]
    assert Recorder.messages(target) == [{:a, 0}, {:b, 1}, {:c, 2}]
  end

  test "are drawn from the seed", %{harness: harness, peer: peer, target: target} do
    message = {{:"$int", 1, 1_000_000}, {:"$zipf", 1_000, 1.2}, {:"$bytes", 8}, {:"$pick", [1, 2]}, {:"$seq"}}
    slow = Recorder.start(peer, delay: 1)
    other = Recorder.start(peer)
    options = %{seed: 99, think_ms: {0, 2}}
    load = %{threads: 4, iterations: 60, think_ms: {0, 3}}
    options = Map.delete(options, :think_ms)
    one = Loads.run(harness, target, load, [message], options)
    two = Loads.run(harness, slow, load, [message], options)
    three = Loads.run(harness, other, load, [message], %{options | seed: 100})
    assert Loads.operations(one) == Loads.operations(two)
    assert Enum.sort(Recorder.messages(target)) == Enum.sort(Recorder.messages(slow))
    assert Loads.operations(one) != Loads.operations(three)
    assert length(Enum.uniq(Enum.map(Recorder.messages(target), &Tuple.delete_at(&1, 3)))) == 240
    # What the events show is what was sent.
    assert Enum.sort(for %{operation: {:call, sent}} <- one.events, do: sent) ==
             Enum.sort(Recorder.messages(target))
  end

  test "give a key to spread by", %{harness: harness, peer: peer} do
    targets = for _ <- 1..3, do: Recorder.start(peer)
    load = %{threads: 3, iterations: 200}
    Loads.run(harness, targets, load, [{:get, {:"$int", 1, 30}, {:"$seq"}}], %{spread: {:key, 2}})
    keys = for target <- targets, do: target |> Recorder.messages() |> Enum.map(&elem(&1, 1)) |> Enum.uniq()
    assert Enum.all?(keys, &(&1 != []))
    assert Enum.sort(List.flatten(keys)) == Enum.to_list(1..30)
  end

  test "leave the operation its name in latencies", %{harness: harness, target: target} do
    template = {:get, {:"$int", 1, 1_000}}
    report = Loads.run(harness, target, %{threads: 2, iterations: 100}, [template, :other])
    assert %{{:call, ^template} => one, {:call, :other} => other} = report.latency.operations
    assert map_size(report.latency.operations) == 2 and one.count == 200 and other.count == 200
  end

  test "stand in the reason of a failed call as they were sent", %{harness: harness, target: target} do
    assert [{:error, {:bang, {GenServer, :call, [^target, {:crash, :bang}, 1000]}}}] =
             run_script(harness, target, [{:crash, {:"$pick", [:bang]}}])
  end

  test "that cannot be are problems with their path", %{harness: harness, target: target} do
    for bad <- [{:"$int", 2, 1}, {:"$int", :a, 1}, {:"$pick", []}, {:"$zipf", 0, 1}, {:"$bytes", -1}] do
      scenario = %{target: target, load: %{threads: 1, iterations: 1}, operations: [:a, {:b, bad}]}
      assert {_, [%{path: [:operations, 1 | _], message: _}]} = {bad, problems(harness, scenario)}
    end
  end
end
