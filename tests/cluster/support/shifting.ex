defmodule Shifting do
  @moduledoc "A hook that finds very many processes, other ones whenever it looks."

  @doc "So many of twice as many, which are there from the first look on."
  def some(count) do
    crowd = :persistent_term.get(__MODULE__, nil) || start(2 * count)
    Enum.take_random(crowd, count)
  end

  defp start(count) do
    crowd = for _ <- 1..count, do: spawn(fn -> Process.sleep(:infinity) end)
    :persistent_term.put(__MODULE__, crowd)
    crowd
  end
end
