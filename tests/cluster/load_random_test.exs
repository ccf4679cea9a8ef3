defmodule LoadRandomTest do
  @moduledoc "What a load draws, all of it from the seed, and how it is spread over targets."
  use ClusterCase, shared: true

  setup %{peer: peer} do
    {:ok, target: Recorder.start(peer)}
  end

  defp mix(weights), do: for({op, weight} <- weights, do: %{weight: weight, op: op})

  describe "a mix" do
    test "draws by weight", %{harness: harness, target: target} do
      options = %{mix: mix(a: 1, b: 3, c: 6), seed: 1}
      report = Loads.run(harness, target, %{threads: 10, iterations: 300}, nil, options)
      counts = Enum.frequencies(Recorder.messages(target))
      assert Enum.sum(Map.values(counts)) == 3_000
      # Standard deviations of 16, 25 and 27.
      assert_in_delta counts.a, 300, 82
      assert_in_delta counts.b, 900, 125
      assert_in_delta counts.c, 1_800, 135
      # Threads do not draw the same.
      assert report |> Loads.operations() |> Map.values() |> Enum.uniq() |> length() == 10
    end

    test "has operations of every kind, and weights that are no whole numbers", context do
      %{harness: harness, target: target} = context
      ops = [{:call, 1}, {:cast, 2}, {:"$send", 3}, {:"$cast", 4}, {:"$sleep", 0}]
      options = %{mix: for(op <- ops, do: %{weight: 0.2, op: op}), seed: 2}
      report = Loads.run(harness, target, %{rate: 500, duration_ms: 600}, nil, options)
      counts = Enum.frequencies(Enum.map(report.events, & &1.operation))
      assert Map.keys(counts) |> Enum.sort() == Enum.sort(ops)
      for {_, count} <- counts, do: assert_in_delta(count, 60, 35)
    end

    test "may have a choice that is hardly ever drawn", %{harness: harness, target: target} do
      options = %{mix: mix(often: 1.0e9, seldom: 1.0e-6), seed: 3}
      Loads.run(harness, target, %{threads: 2, iterations: 200}, nil, options)
      assert Enum.frequencies(Recorder.messages(target)) == %{often: 400}
    end
  end

  describe "the seed" do
    setup %{peer: peer} do
      load = %{threads: 4, iterations: 60, think_ms: {0, 3}}
      ops = %{mix: mix([{:a, 1}, {:b, 2}, {{:hold, 2}, 1}, {{:cast, :d}, 1}])}
      {:ok, load: load, ops: ops, slow: Recorder.start(peer, delay: 2)}
    end

    test "makes the same operations in the same order per thread", context do
      %{harness: harness, target: target, slow: slow, load: load, ops: ops} = context
      quick = Loads.run(harness, target, load, nil, Map.put(ops, :seed, 42))
      # The second server is so slow that the threads meet each other differently.
      again = Loads.run(harness, slow, load, nil, Map.put(ops, :seed, 42))
      assert quick.seed == 42 and again.seed == 42
      assert Loads.operations(again) == Loads.operations(quick)
      assert Enum.frequencies(Recorder.messages(slow)) == Enum.frequencies(Recorder.messages(target))
      assert Recorder.messages(slow) != Recorder.messages(target)

      other = Loads.run(harness, target, load, nil, Map.put(ops, :seed, 43))
      for thread <- 0..3, do: assert(Loads.operations(other)[thread] != Loads.operations(quick)[thread])
    end

    test "shows at the server: one thread sends the same messages", context do
      %{harness: harness, target: target, slow: slow, ops: ops, peer: peer} = context
      options = Map.put(ops, :seed, 9_223_372_036_854_775_807)
      load = %{threads: 1, iterations: 100}
      Loads.run(harness, target, load, nil, options)
      Loads.run(harness, slow, load, nil, options)
      assert Recorder.messages(target) == Recorder.messages(slow)
      other = Recorder.start(peer)
      Loads.run(harness, other, load, nil, %{options | seed: 0})
      assert Recorder.messages(other) != Recorder.messages(target)
    end

    test "is that of the arrivals of an open load", context do
      %{harness: harness, target: target, slow: slow, ops: ops} = context
      load = %{rate: 300, duration_ms: 500, arrival: :poisson, max_in_flight: 3}
      options = Map.merge(ops, %{seed: 5, call_timeout_ms: 10_000})
      # By the number of the arrival; which of the idle threads it meets is a matter of time.
      by_step = fn report -> Enum.sort(for event <- report.events, do: {event.step, event.operation}) end
      one = Loads.run(harness, target, load, nil, options)
      assert length(one.events) > 100
      assert by_step.(Loads.run(harness, slow, load, nil, options)) == by_step.(one)
      assert by_step.(Loads.run(harness, target, load, nil, %{options | seed: 6})) != by_step.(one)
    end

    test "is drawn and reported, so that a run can be had again", context do
      %{harness: harness, target: target, load: load, ops: ops} = context
      one = Loads.run(harness, target, load, nil, ops)
      other = Loads.run(harness, target, load, nil, ops)
      assert one.seed != other.seed
      assert Loads.operations(one) != Loads.operations(other)
      again = Loads.run(harness, target, load, nil, Map.put(ops, :seed, one.seed))
      assert Loads.operations(again) == Loads.operations(one)
    end

    test "is that of the sample of events too", %{harness: harness, target: target} do
      options = %{seed: 8, events: {:sample, 10}}
      sample = fn -> Loads.run(harness, target, %{threads: 1, iterations: 200}, [:a], options).events end
      steps = fn events -> events |> Enum.map(& &1.step) |> Enum.sort() end
      assert steps.(sample.()) == steps.(sample.())
    end
  end

  describe "several targets" do
    setup %{peer: peer} do
      {:ok, targets: for(_ <- 1..3, do: Recorder.start(peer))}
    end

    defp messages(targets), do: Enum.map(targets, &Recorder.messages/1)

    test "are taken in turn", %{harness: harness, targets: targets} do
      # A thread begins with its own number; three operations and three targets keep in step.
      Loads.run(harness, targets, %{threads: 1, iterations: 10}, [:a, :b, :c])
      assert messages(targets) == for(message <- [:a, :b, :c], do: List.duplicate(message, 10))
    end

    test "are taken in turn by every thread", %{harness: harness, targets: targets} do
      Loads.run(harness, targets, %{threads: 7, iterations: 30}, [:x], %{spread: :round_robin})
      assert Enum.map(messages(targets), &length/1) == [70, 70, 70]
      Loads.run(harness, targets, %{rate: 300, duration_ms: 300}, [:y])
      counts = for sent <- messages(targets), do: Enum.count(sent, &(&1 == :y))
      assert Enum.sum(counts) in 89..91 and Enum.max(counts) - Enum.min(counts) <= 1
    end

    test "are drawn", %{harness: harness, peer: peer, targets: targets} do
      load = %{threads: 1, iterations: 200}
      options = %{spread: :random, seed: 4}
      Loads.run(harness, targets, load, [:a, :b, :c], options)
      # 200 each with a standard deviation of 12, of all three messages.
      for sent <- messages(targets) do
        assert length(sent) in 140..260
        assert Enum.sort(Enum.uniq(sent)) == [:a, :b, :c]
      end

      same = for _ <- 1..3, do: Recorder.start(peer)
      Loads.run(harness, same, load, [:a, :b, :c], options)
      assert messages(same) == messages(targets)
      others = for _ <- 1..3, do: Recorder.start(peer)
      Loads.run(harness, others, load, [:a, :b, :c], %{options | seed: 5})
      assert messages(others) != messages(targets)
    end

    test "by key: the same key always meets the same one", %{harness: harness, targets: targets} do
      keys = for(n <- 1..20, do: n) ++ ["text", {:a, 1}, :atom, 1.5]
      ops = for key <- keys, do: {:put, key, make_ref()}
      casts = for key <- keys, do: {:"$cast", {:get, key}}

      for seed <- 1..2 do
        options = %{spread: {:key, 2}, seed: seed}
        load = %{threads: 5, iterations: 2}
        Loads.run(harness, targets, load, ops ++ casts, options)
      end

      homes =
        for {sent, number} <- Enum.with_index(messages(targets)), message <- sent, into: MapSet.new() do
          {elem(message, 1), number}
        end

      assert MapSet.size(homes) == length(keys)
      assert homes |> Enum.map(&elem(&1, 1)) |> Enum.uniq() |> length() == 3
      for sent <- messages(targets), do: assert(length(sent) >= 20)
      assert messages(targets) |> Enum.map(&length/1) |> Enum.sum() == 2 * 10 * 2 * length(keys)
    end

    test "by key: a message without such an element is a key as a whole", context do
      %{harness: harness, targets: targets} = context
      ops = for n <- 1..30, do: {:call, String.to_atom("key#{n}")}
      Loads.run(harness, targets, %{threads: 3, iterations: 2}, ops ++ [{:short}], %{spread: {:key, 2}})
      sent = messages(targets)
      assert Enum.all?(sent, &(&1 != []))
      assert sent |> Enum.flat_map(&Enum.uniq/1) |> length() == 31
    end

    test "of which one is dead: the others serve theirs", context do
      %{harness: harness, peer: peer, targets: [first | _] = targets} = context
      targets = [first, {:nobody_here, peer.node}, List.last(targets)]
      report = Loads.run(harness, targets, %{threads: 3, iterations: 10}, [:a])
      assert report.errors == %{noproc: 10}
      assert length(Recorder.messages(first)) == 10
    end
  end
end
