defmodule Lateness do
  @moduledoc """
  How much later than due this machine has let a process go on at most: what a test that holds the daemon to some
  milliseconds has to allow for beside them. On one that is not busy it is next to nothing.
  """

  @doc "Looks on from now, for as long as the process that asks lives."
  def watch do
    owner = self()
    spawn_link(fn -> look(Process.monitor(owner), now(), 0) end)
  end

  @doc "The most so far, in milliseconds."
  def most_ms(watcher) do
    send(watcher, {:most, self()})

    receive do
      {:most, ^watcher, most} -> most
    end
  end

  defp look(owner, before, most) do
    receive do
      {:most, asker} ->
        send(asker, {:most, self(), most})
        look(owner, before, most)

      {:DOWN, ^owner, _, _, _} ->
        :ok
    after
      1 -> look(owner, now(), max(most, now() - before - 2))
    end
  end

  defp now, do: System.monotonic_time(:millisecond)
end
