defmodule Wait do
  @moduledoc "Waiting for what can only be looked at, such as a file or what another node says."

  @doc "Calls `fun` until it gives something true, and gives that; raises with `what` after `timeout` ms."
  def until(what, fun, timeout \\ 10_000) do
    poll(what, fun, System.monotonic_time(:millisecond) + timeout)
  end

  defp poll(what, fun, deadline) do
    cond do
      found = fun.() ->
        found

      System.monotonic_time(:millisecond) > deadline ->
        what = if is_function(what), do: what.(), else: what
        raise ExUnit.AssertionError, message: "waited in vain for #{what}"

      true ->
        Process.sleep(10)
        poll(what, fun, deadline)
    end
  end
end
