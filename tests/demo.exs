# The two BEAM nodes of demo.sh: `app`, which has a server and none of our code, and `shell`, which calls the
# daemon.

defmodule Demo.Account do
  @moduledoc "A bank account with an overdraft that it does not check in time, a slow auditor and a bug."
  use GenServer

  @impl true
  def init(balance), do: {:ok, balance}

  @impl true
  def handle_call(:balance, _from, balance), do: {:reply, balance, balance}
  def handle_call({:deposit, amount}, _from, balance), do: {:reply, balance + amount, balance + amount}

  def handle_call({:withdraw, amount}, _from, balance) when amount > balance,
    do: {:reply, {:refused, balance}, balance}

  def handle_call({:withdraw, amount}, _from, balance), do: {:reply, balance - amount, balance - amount}

  # The auditor takes his time, and the caller has less of it.
  def handle_call(:audit, from, balance) do
    Process.send_after(self(), {:audited, from}, 400)
    {:noreply, balance}
  end

  def handle_call({:interest, percent}, _from, balance), do: {:reply, :ok, div(balance * 100, percent)}
  def handle_call(:__supertester_sync__, _from, balance), do: {:reply, :ok, balance}

  @impl true
  def handle_cast({:deposit, amount}, balance), do: {:noreply, balance + amount}

  @impl true
  def handle_info({:audited, from}, balance) do
    GenServer.reply(from, {:audited, balance})
    {:noreply, balance}
  end
end

defmodule Demo.App do
  @doc """
  Opens the account and stays. Its supervisor has a name, as one that faults are injected into, and the
  patience for many of them.
  """
  def run do
    Logger.configure(level: :none)
    options = [strategy: :one_for_one, name: :bank, max_restarts: 1_000]
    {:ok, _} = Supervisor.start_link([Demo.App.child()], options)
    IO.puts("the account is open")
    Process.sleep(:infinity)
  end

  def child do
    start = {GenServer, :start_link, [Demo.Account, 1_000, [name: :account]]}
    %{id: :account, start: start}
  end
end

defmodule Demo.Shell do
  @harness :"harness@127.0.0.1"
  @target {:account, :"app@127.0.0.1"}

  def run do
    heading("Eight clients of one account")
    customer = [{:deposit, 10}, :balance, {:cast, {:deposit, 5}}, {:withdraw, 15}]

    show(target: @target, threads: List.duplicate(Enum.flat_map(1..50, fn _ -> customer end), 8))

    heading("A server that stops for half a second, under 500 operations a second")

    # What clients that wait for their answer would hide: the operations that were to start meanwhile.
    show(
      target: @target,
      load: [rate: 500, duration_ms: 3_000, max_in_flight: 5],
      mix: [[weight: 9, op: {:deposit, {:"$int", 1, 10}}], [weight: 1, op: :balance]],
      chaos: [%{action: {:suspend, 500}, after_ms: 1_000}],
      performance_expectations: [max_recovery_ms: 5_000, max_error_rate: 0]
    )

    heading("An auditor who takes longer than his clients wait")

    take_apart(
      target: @target,
      threads: [[:audit, :balance], [:balance, :audit, :balance]],
      call_timeout_ms: 200
    )

    heading("A bug that brings the account down while others use it")
    take_apart(target: @target, threads: [[:audit, :balance], [{:deposit, 1}, {:interest, 0}, :balance]])

    heading("A scenario with mistakes in it is not run")
    scenario = [target: @target, threads: [[:balance]], tiemout_ms: 100, call_timeout_ms: :soon]
    print_elixir(scenario)
    {:error, {:invalid_scenario, problems}} = call(:run, [scenario])
    for problem <- problems, do: IO.puts("  #{inspect(problem.path)}: #{problem.message}")
  end

  # What people read; it has terms in Erlang's syntax, and so has what is said to have been called.
  defp show(scenario) do
    text = :io_lib.format(~c"~90tp", [shorten(scenario)]) |> to_string() |> String.replace("'...'", "...")
    node = "'#{@harness}'"

    IO.puts("""
      Result = erpc:call(#{node}, harness, run, [
    #{indent(text, 6)}
      ]),
      io:put_chars(erpc:call(#{node}, harness, show, [Result])).
    """)

    {:ok, _} = result = call(:run, [scenario])
    IO.write(call(:show, [result]))
  end

  # What programs read, taken apart and shown in Elixir's syntax.
  defp take_apart(scenario) do
    print_elixir(scenario)
    {:ok, report} = call(:run, [scenario])
    metrics = report.metrics
    line("operations", "#{metrics.total_operations} in #{metrics.duration_ms} ms")
    line("errors", "#{metrics.operation_errors}")
    for {reason, count} <- report.errors, do: line("", "#{count} x #{short(reason)}")
    times(Enum.sort(Enum.map(report.events, & &1.duration_us)))
    IO.puts("\n  thread step  us        operation                       result")
    for event <- interesting(report.events), do: event(event)
  end

  defp print_elixir(scenario) do
    text = inspect(scenario, pretty: true, width: 90)
    IO.puts("  :erpc.call(#{inspect(@harness)}, :harness, :run, [\n#{indent(text, 6)}\n  ])\n")
  end

  defp call(function, arguments), do: :erpc.call(@harness, :harness, function, arguments)

  # Very long scripts are not printed.
  defp shorten(scenario) do
    if length(Keyword.get(scenario, :threads, [])) > 2,
      do: Keyword.replace(scenario, :threads, :...),
      else: scenario
  end

  defp indent(text, width) do
    text |> String.split("\n") |> Enum.map_join("\n", &(String.duplicate(" ", width) <> &1))
  end

  defp times(sorted) do
    at = fn share -> Enum.at(sorted, min(trunc(length(sorted) * share), length(sorted) - 1)) end
    line("duration", "half up to #{at.(0.5)} us, nine of ten up to #{at.(0.9)} us, the longest #{at.(1)} us")
  end

  # Every error, and the first few of the others.
  defp interesting(events) do
    {errors, others} = Enum.split_with(events, &match?({:error, _}, &1.result))
    Enum.sort_by(Enum.take(errors, 6) ++ Enum.take(others, 5), &{&1.thread, &1.step})
  end

  defp event(event) do
    IO.puts(
      "  #{pad(event.thread, 6)} #{pad(event.step, 5)} #{pad(event.duration_us, 9)} " <>
        "#{pad(short(event.operation), 31)} #{short(event.result)}"
    )
  end

  # The reason of a crash without its stack.
  defp short({:error, reason}), do: "{:error, #{short(reason)}}"
  defp short({{reason, [_ | _]}, {GenServer, :call, _}}), do: "{{#{inspect(reason)}, stack}, call}"
  defp short({reason, [{_, _, _, _} | _]}), do: "{#{inspect(reason)}, stack}"
  defp short(term), do: term |> inspect(limit: 6) |> String.slice(0, 90)

  defp heading(text), do: IO.puts("\n== #{text}")
  defp line(name, text), do: IO.puts("  #{pad(name, 12)}#{text}")
  defp pad(value, width), do: String.pad_trailing(to_string(value), width)
end

# demo.sh has a cookie of its own; by hand it is that of everybody: `elixir --name app@127.0.0.1 tests/demo.exs app`.
if file = System.get_env("HARNESSD_DEMO_COOKIE"), do: file |> File.read!() |> String.to_atom() |> Node.set_cookie()

case System.argv() do
  ["app"] -> Demo.App.run()
  ["shell"] -> Demo.Shell.run()
end
