defmodule Noisy.Caller do
  @moduledoc """
  A BEAM node in the daemon's place: calls a server so many times a second, whatever the answers do. Where a neighbour
  and the victim share a connection, this shows what that costs by itself.
  """

  @doc "The p99 of calls to a `Subject` for so long, in ms."
  def p99_ms(server, rate, duration_ms) do
    count = div(rate * duration_ms, 1000)
    asker = self()
    collector = spawn_link(fn -> send(asker, {self(), collect(count, [])}) end)
    call(server, collector, System.monotonic_time(:microsecond), div(1_000_000, rate), count)

    receive do
      {^collector, took_us} -> Enum.at(Enum.sort(took_us), div(count * 99, 100)) / 1000
    end
  end

  defp call(_, _, _, _, 0), do: :ok

  defp call(server, collector, due_us, pause_us, left) do
    now_us = System.monotonic_time(:microsecond)

    if now_us < due_us do
      Process.sleep(1)
      call(server, collector, due_us, pause_us, left)
    else
      send(server, {:"$gen_call", {collector, now_us}, {:add, 1}})
      call(server, collector, due_us + pause_us, pause_us, left - 1)
    end
  end

  defp collect(0, took_us), do: took_us

  defp collect(left, took_us) do
    receive do
      {sent_us, _answer} -> collect(left - 1, [System.monotonic_time(:microsecond) - sent_us | took_us])
    end
  end
end
