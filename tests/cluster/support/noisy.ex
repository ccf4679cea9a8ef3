defmodule Noisy do
  @moduledoc """
  One run, and how it fares beside a neighbour: the victim is called 2,000 times a second, with a process beside its
  server suspended meanwhile. A round is noisy, or a control in which as much of the processor is used without anything
  being sent: by the neighbour's node what that has used, and by a node beside the victim's what the daemon has used for
  the neighbour. Where it is the victim's own node that works for the neighbour, it
  does the same for another node than the daemon. Neighbours are in a control group of the lowest weight, or where there
  is none `nice`.
  """
  alias Noisy.World

  @rate 2_000
  # What p99 may differ by in the median.
  @p99_ms 1.0

  @doc """
  How long the load and the fault of a round are, how much shorter or longer the fault may be, how much later than its
  load the run may end, how long it is waited for, and for how long the neighbour goes on before, all in ms. In quick
  rounds a machine that is busy makes everything late, whoever looks at the fault too.
  """
  def sizes(:quick), do: %{load: 1_000, fault: 500, fault_short: 250, fault_late: 3_000, late: :any, patience: 40_000, noise_first: 150}
  def sizes(:full), do: %{load: 3_000, fault: 1_500, fault_short: 20, fault_late: 150, late: 1_500, patience: 60_000, noise_first: 400}

  # So many are tried at once in quick rounds, each with a daemon of its own.
  @at_once 3
  # Of what is merely large in them.
  @fraction 10

  @doc """
  A noisy round for each of them. Gives `{name, complaints}` for those beside which the victim has suffered.
  """
  def quick(shared, neighbours) do
    sizes = sizes(:quick)
    worlds = for neighbour <- neighbours, do: {neighbour, World.start(shared, neighbour, @fraction)}
    # Who stops the node of all neighbours stops them all.
    {alone, together} = Enum.split_with(worlds, fn {neighbour, _} -> neighbour.alone end)
    judge = fn {neighbour, world} -> {neighbour.name, complaints(noisy(world, neighbour, sizes), sizes)} end

    beside =
      for {:ok, result} <- Task.async_stream(together, judge, max_concurrency: @at_once, timeout: :infinity), do: result

    Enum.reject(beside ++ Enum.map(alone, judge), &match?({_, []}, &1))
  end

  @doc "`rounds` rounds of each kind in turn; what each gave, and what is to be said of them all."
  def full(shared, neighbour, rounds) do
    sizes = sizes(:full)
    world = World.start(shared, neighbour, 1)
    # What the victim has the daemon use, and then what that uses for the neighbour, are known only after a round of
    # each kind, which are judged with the others but for their times.
    alone = control(world, neighbour, sizes, World.nothing_used())
    first = noisy(world, neighbour, sizes)

    pairs =
      Enum.scan(1..rounds, {alone, first}, fn _, {_, before} ->
        {control(world, neighbour, sizes, World.beyond(before.percents, alone.percents)), noisy(world, neighbour, sizes)}
      end)

    in_place_ms = if neighbour.in_place, do: in_place(world, neighbour, sizes, rounds)
    Harness.terminate(world.harness)
    Harness.await_exit(world.harness, 60_000)
    judge(neighbour, {alone, first}, pairs, in_place_ms, sizes)
  end

  # What a BEAM node in the daemon's place has to wait longer, when it asks for the same.
  defp in_place(world, %{control: {at, noise}}, sizes, rounds) do
    differences =
      for _ <- 1..rounds do
        [other, own] = for who <- [at, :caller], do: called_beside(world, who, noise, sizes)
        own - other
      end

    median(differences)
  end

  defp called_beside(world, who, noise, sizes) do
    stop = World.begin(world, who, World.with_told(world, noise))
    Process.sleep(sizes.noise_first)
    p99_ms = Peer.call(world.caller, Noisy.Caller, :p99_ms, [world.subject, @rate, sizes.load], sizes.patience)
    stop.()
    p99_ms
  end

  defp judge(neighbour, {alone, first}, pairs, in_place_ms, sizes) do
    {controls, noisies} = Enum.unzip(pairs)
    p99 = fn figures -> figures |> Enum.map(& &1.p99_ms) |> median() end
    difference = if p99.(noisies) && p99.(controls), do: p99.(noisies) - p99.(controls)
    late = fn figures -> figures |> Enum.map(& &1.late_ms) |> median() end
    most_ms = max(@p99_ms, in_place_ms || 0)

    suffered = Enum.flat_map([first | noisies], &complaints(&1, sizes))
    disturbed = Enum.flat_map([alone | controls], &complaints(&1, sizes))

    slow =
      if difference == nil or difference > most_ms, do: ["p99 is #{shown(difference)} ms above the control's"], else: []

    %{
      name: neighbour.name,
      alone_ms: alone.p99_ms,
      control_ms: p99.(controls),
      noisy_ms: p99.(noisies),
      difference_ms: difference,
      late_ms: if(late.(noisies) && late.(controls), do: late.(noisies) - late.(controls)),
      in_place_ms: in_place_ms,
      lost: [first | noisies] |> Enum.map(& &1.lost) |> Enum.sum(),
      faults_ms: [first | noisies] |> Enum.map(& &1.fault_ms) |> Enum.min_max(),
      lag_ms: noisies |> Enum.map(& &1.lag_ms) |> Enum.max(),
      complaints: Enum.uniq(suffered ++ slow ++ Enum.map(disturbed, &"in a control: #{&1}"))
    }
  end

  defp noisy(world, neighbour, sizes) do
    Process.sleep(100)
    if neighbour.cut, do: World.cut(world)
    before = World.used(world)
    stop = World.begin_noise(world, neighbour)
    Process.sleep(max(neighbour.first_ms, sizes.noise_first))
    round(world, sizes, before, stop)
  end

  defp control(world, neighbour, sizes, percents) do
    Process.sleep(100)
    if neighbour.cut, do: World.cut(world)
    before = World.used(world)
    stop = World.begin_control(world, neighbour, percents)
    Process.sleep(sizes.noise_first)
    round(world, sizes, before, stop)
  end

  defp round(world, sizes, before, stop) do
    figures = victim(world, sizes, stop)
    percents = World.percents(before, World.used(world))
    Map.put(settled(world, figures), :percents, percents)
  end

  # One run of the victim; the noise is stopped when its load is over.
  defp victim(world, sizes, stop) do
    before = GenServer.call(world.subject, :get)
    watch = Peer.call(world.victim, Noisy.Bystander, :watch, [world.bystander])
    {took_us, answer} = :timer.tc(fn -> attempt(world, sizes) end)
    stop.()
    fault_ms = Peer.call(world.victim, Noisy.Bystander, :suspended_ms, [watch])
    handled = GenServer.call(world.subject, :get, 30_000) - before
    Map.put(figures(answer, handled, fault_ms, div(@rate * sizes.load, 1000)), :took_ms, div(took_us, 1000))
  end

  defp attempt(world, sizes) do
    scenario = %{
      target: world.subject,
      load: %{rate: @rate, duration_ms: sizes.load, max_in_flight: 100_000},
      operations: [{:add, 1}],
      events: :none,
      call_timeout_ms: 10_000,
      chaos: [%{action: {:suspend, sizes.fault}, after_ms: 200, target: world.bystander}]
    }

    case Harness.call(world.harness, :start, [scenario], 30_000) do
      {:ok, id} -> {id, Harness.call(world.harness, :await, [id], sizes.patience)}
      other -> {nil, other}
    end
  catch
    class, reason -> {nil, {class, reason}}
  end

  defp figures({id, {:ok, report}}, handled, fault_ms, wanted) do
    metrics = report.metrics
    good = metrics.total_operations - metrics.operation_errors

    %{
      id: id,
      lost: wanted - min(good, handled),
      twice: max(0, handled - metrics.total_operations),
      p99_ms: report.latency.overall.p99_us / 1000,
      late_ms: report.latency.start_delay.p99_us / 1000,
      lag_ms: div(report |> Loads.gauge(:loop_lag_us) |> Enum.max(fn -> 0 end), 1000),
      fault_ms: fault_ms,
      healed: report.healed,
      failure: nil
    }
  end

  defp figures({id, other}, handled, fault_ms, wanted) do
    failure = other |> inspect(limit: 8, printable_limit: 200) |> String.slice(0, 200)

    %{id: id, lost: max(0, wanted - handled), twice: 0, p99_ms: nil, late_ms: nil, lag_ms: 0, fault_ms: fault_ms, healed: nil}
    |> Map.put(:failure, failure)
  end

  # What the neighbour has left behind ends before the next round, and the victim's report is still to be had.
  defp settled(world, figures) do
    answer = World.settle(world, figures.id)
    Map.put(figures, :kept, answer)
  end

  defp complaints(figures, sizes) do
    [
      {figures.failure != nil, "the run ended as #{figures.failure}"},
      {figures.lost > 0, "#{figures.lost} operations were lost"},
      {figures.twice > 0, "#{figures.twice} operations came twice"},
      {figures.failure == nil and figures.healed != true, "healed is #{inspect(figures.healed)}"},
      {figures.fault_ms < sizes.fault - sizes.fault_short or figures.fault_ms > sizes.fault + sizes.fault_late,
       "the fault lasted #{figures.fault_ms} of #{sizes.fault} ms"},
      {sizes.late != :any and figures.took_ms > sizes.load + sizes.late, "it took #{figures.took_ms} ms"},
      {figures.kept != :ok, "its report: #{inspect(figures.kept)}"}
    ]
    |> Enum.filter(&elem(&1, 0))
    |> Enum.map(&elem(&1, 1))
  end

  defp median(values) do
    case values |> Enum.reject(&is_nil/1) |> Enum.sort() do
      [] -> nil
      sorted -> (Enum.at(sorted, div(length(sorted) - 1, 2)) + Enum.at(sorted, div(length(sorted), 2))) / 2
    end
  end

  @doc "A markdown table of what `full/3` gives."
  def table(results) do
    sizes = sizes(:full)

    head = [
      "| neighbour | p99 alone, ms | of the control, ms | beside it, ms | difference, ms | of calls sent late, ms | of a BEAM node, ms | operations lost | fault of #{sizes.fault} ms, ms | verdict |",
      "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    ]

    Enum.join(head ++ Enum.map(results, &table_row/1), "\n") <> "\n"
  end

  defp table_row(result) do
    {least, most} = result.faults_ms
    verdict = if result.complaints == [], do: "met", else: "missed"
    times = Enum.map([result.alone_ms, result.control_ms, result.noisy_ms, result.difference_ms, result.late_ms, result.in_place_ms], &shown/1)
    cells = [result.name] ++ times ++ ["#{result.lost}", "#{least} to #{most}", verdict]
    "| " <> Enum.join(cells, " | ") <> " |"
  end

  def shown(nil), do: "-"
  def shown(number), do: :erlang.float_to_binary(number / 1, decimals: 2)
end

defmodule Noisy.Bystander do
  @moduledoc "A process beside the victim's server, and one that sees for how long it is suspended."

  def start, do: spawn(fn -> Process.sleep(:infinity) end)

  def watch(pid), do: :erlang.spawn_opt(fn -> look(pid, nil, 0) end, priority: :high)

  defp look(pid, since, seen_us) do
    now = System.monotonic_time(:microsecond)

    {since, seen_us} =
      case {Process.info(pid, :status), since} do
        {{:status, :suspended}, nil} -> {now, seen_us}
        {{:status, :suspended}, _} -> {since, seen_us}
        {_, nil} -> {nil, seen_us}
        {_, _} -> {nil, seen_us + now - since}
      end

    receive do
      # What still lasts is waited for, up to a limit.
      {:tell, asker, deadline} when since == nil or now > deadline -> send(asker, {self(), div(seen_us, 1000)})
    after
      1 -> look(pid, since, seen_us)
    end
  end

  @doc "How long it was suspended, in ms, once it is so no longer, or after ten seconds."
  def suspended_ms(watcher) do
    send(watcher, {:tell, self(), System.monotonic_time(:microsecond) + 10_000_000})

    receive do
      {^watcher, milliseconds} -> milliseconds
    after
      15_000 -> 0
    end
  end
end
