defmodule Census do
  @moduledoc """
  What there is on a node, and runs that should add nothing to it. For plain nodes (`Peer.load/2`), with
  `Subject`.
  """

  @doc """
  Starts a process that makes runs one after the other, each with every kind of hook. It stays, so that what
  runs leave with their caller is seen: `make/3`, `take/1`.
  """
  def start_caller(harness), do: spawn(fn -> serve(harness) end)

  defp serve(harness) do
    receive do
      {:make, from, count} ->
        for _ <- 1..count, do: run(harness)
        send(from, {self(), :made})
        serve(harness)
    end
  end

  @doc "`count` runs in a row by `caller`."
  def make(caller, count, timeout \\ 120_000) do
    monitor = Process.monitor(caller)
    send(caller, {:make, self(), count})

    receive do
      {^caller, :made} -> Process.demonitor(monitor, [:flush])
      {:DOWN, ^monitor, _, _, reason} -> exit(reason)
    after
      timeout -> exit(:timeout)
    end
  end

  @doc "`count` runs at once, each with a caller of its own."
  def make_at_once(harness, count) do
    callers = for _ <- 1..count, do: spawn_monitor(fn -> run(harness) end)

    for {caller, monitor} <- callers do
      receive do
        {:DOWN, ^monitor, _, ^caller, :normal} -> :ok
        {:DOWN, ^monitor, _, ^caller, reason} -> exit(reason)
      end
    end

    :ok
  end

  defp run(harness) do
    {:ok, report} = :erpc.call(harness, :harness, :run, [scenario()])
    %{metrics: %{total_operations: 4, operation_errors: 0}, context: %{name: :census}} = report
    %{final_size: 0} = report.mailbox
  end

  defp scenario do
    parent = self()

    %{
      setup: fn ->
        {:ok, pid} = GenServer.start_link(Subject, [])
        :ets.new(:census, [])
        {:ok, pid, %{name: :census, parent: parent}}
      end,
      threads: [[{:add, 1}, {:custom, &GenServer.call(&1, :get)}], [{:cast, {:add, 1}}, fn _ -> :done end]],
      mailbox: [sampling_interval: 1],
      chaos: fn _, _ -> :harmless end,
      invariant: fn pid, %{events: events} ->
        if(length(events) == 4, do: GenServer.call(pid, :get) && :ok)
      end,
      cleanup: fn pid, %{parent: ^parent} -> GenServer.stop(pid) end,
      performance_expectations: [max_time_ms: 60_000]
    }
  end

  @doc "What there is here now. `caller` is the process that made the runs."
  def take(caller) do
    processes = Process.list() -- [self()]
    counted = for pid <- processes, info = Process.info(pid, [:monitors, :monitored_by, :links]), do: info
    count = fn key -> counted |> Enum.map(&length(&1[key])) |> Enum.sum() end

    %{
      processes: length(processes),
      ports: length(:erlang.ports()),
      tables: length(:ets.all()),
      links: count.(:links),
      monitors: count.(:monitors),
      monitored_by: count.(:monitored_by),
      caller: Process.info(caller, [:monitors, :monitored_by, :links, :message_queue_len, :dictionary])
    }
  end
end
