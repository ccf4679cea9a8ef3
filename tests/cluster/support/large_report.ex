defmodule LargeReport do
  @moduledoc """
  What plain nodes do about a large report (`Peer.load/2`): one calls for it and looks whether it is whole,
  another one asks the daemon without pause meanwhile. Times are those of the system, in microseconds.
  """

  @doc "Runs the scenario, tells when its report has come, and checks it when it is asked to."
  def start_run(harness, scenario, test) do
    spawn(fn ->
      {:ok, report} = :erpc.call(harness, :harness, :run, [scenario], :infinity)
      send(test, {:run_returned, self(), now()})

      receive do
        {:check, threads, steps} -> send(test, {:checked, check(report, threads, steps)})
      end
    end)
  end

  # Each thread and the list of all have every event, with its own operation and result, in order.
  defp check(report, threads, steps) do
    by_thread =
      for thread <- 1..threads, do: for(step <- 1..steps, do: {thread - 1, step - 1, {thread, step}})

    told = for thread <- report.threads, do: Enum.map(thread.events, &essence/1)
    all = report.events |> Enum.map(&essence/1) |> Enum.sort()

    cond do
      report.metrics.total_operations != threads * steps -> {:operations, report.metrics}
      report.metrics.events_dropped != 0 -> {:dropped, report.metrics}
      told != by_thread -> :threads
      all != Enum.concat(by_thread) -> :events
      true -> :whole
    end
  end

  defp essence(%{thread: thread, step: step, operation: {:call, {:echo, term}}, result: {:ok, term}}),
    do: {thread, step, term}

  defp essence(other), do: other

  @doc "Asks the daemon again and again until it is told `:stop`; then tells when it asked and was answered."
  def start_asking(harness, test), do: spawn(fn -> ask(harness, test, []) end)

  defp ask(harness, test, answers) do
    asked = now()
    %{node: ^harness} = :erpc.call(harness, :harness, :info, [], 60_000)
    answers = [{asked, now()} | answers]

    receive do
      :stop -> send(test, {:answers, answers})
    after
      1 -> ask(harness, test, answers)
    end
  end

  defp now, do: System.os_time(:microsecond)
end
