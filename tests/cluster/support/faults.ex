defmodule Faults do
  @moduledoc """
  Faults that last: what is asked for, on which node, and what is to be seen there of it. For plain nodes
  (`Peer.load/2`).
  """

  @doc "Every kind that lasts on one node, as `{name, action for so many ms}`."
  def lasting do
    [
      suspend: fn ms -> {:suspend, ms} end,
      process_limit: fn ms -> {:exhaust, :process_limit, [spawn_count: 2_000, duration_ms: ms]} end,
      ets_tables: fn ms -> {:exhaust, :ets_tables, [count: 300, duration_ms: ms]} end,
      memory: fn ms -> {:exhaust, :memory, [size_mb: 64, duration_ms: ms]} end,
      ports: fn ms -> {:exhaust, :ports, [count: 250, duration_ms: ms]} end,
      burn_cpu: fn ms -> {:burn_cpu, [schedulers: 3, duration_ms: ms]} end
    ]
  end

  @doc "What there is of it on this node now."
  def look(:suspend, subject), do: if(Process.info(subject, :status) == {:status, :suspended}, do: 1, else: 0)
  def look(:process_limit, _), do: :erlang.system_info(:process_count)
  def look(:ets_tables, _), do: length(:ets.all())
  def look(:memory, _), do: :erlang.memory(:binary)
  def look(:ports, _), do: length(:erlang.ports())

  def look(:burn_cpu, _) do
    Enum.count(Process.list() -- [self()], fn pid ->
      Process.info(pid, :status) in [{:status, :running}, {:status, :runnable}]
    end)
  end

  @doc "Whether the fault has had its effect, and whether it is gone, as seen from what there was before."
  def there?(:suspend, _before, now), do: now == 1
  def there?(:process_limit, before, now), do: now >= before + 2_000
  def there?(:ets_tables, before, now), do: now >= before + 300
  def there?(:memory, before, now), do: now >= before + 60_000_000
  def there?(:ports, before, now), do: now >= before + 250
  def there?(:burn_cpu, _before, now), do: now >= 3

  # Sessions, agents and connections of the harness come and go.
  def gone?(:suspend, _before, now), do: now == 0
  def gone?(:process_limit, before, now), do: now < before + 100
  def gone?(:ets_tables, before, now), do: now < before + 20
  def gone?(:memory, before, now), do: now < before + 10_000_000
  def gone?(:ports, before, now), do: now < before + 20
  def gone?(:burn_cpu, _before, now), do: now <= 1

  @doc "Notes from now on what a process is sent, and when all of its memory is collected."
  def trace(pid) do
    asker = self()

    tracer =
      spawn(fn ->
        :erlang.trace(pid, true, [:receive, :garbage_collection])
        send(asker, {self(), :ready})
        note([])
      end)

    receive do
      {^tracer, :ready} -> tracer
    end
  end

  @doc "What was noted, messages and `:collected`; the notes end."
  def traced(tracer) do
    # What was sent to the process before has been noted.
    :erlang.trace_delivered(:all)

    receive do
      {:trace_delivered, :all, _} -> send(tracer, {:tell, self()})
    end

    receive do
      {^tracer, notes} -> notes
    end
  end

  defp note(notes) do
    receive do
      {:trace, _, :receive, message} -> note([message | notes])
      {:trace, _, :gc_major_start, _} -> note([:collected | notes])
      {:tell, asker} -> send(asker, {self(), notes})
      _ -> note(notes)
    end
  end
end
