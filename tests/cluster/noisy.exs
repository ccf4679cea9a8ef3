defmodule NoisyNeighboursTest do
  @moduledoc """
  The victim beside each neighbour and beside its control, in turn, with times: `tests/bench/noisy.sh`, which also says
  what the environment means. It is no part of the other tests.
  """
  use ClusterCase

  @rounds String.to_integer(System.get_env("NOISY_ROUNDS") || "5")
  @only System.get_env("NOISY_ONLY") || ""

  @tag timeout: :infinity
  test "nothing that one does touches another" do
    shared = Noisy.World.share(:lowest)
    results = for neighbour <- Neighbours.all(@only), Noisy.World.missing(neighbour) == nil, do: measured(shared, neighbour)
    table = Noisy.table(results)
    IO.puts("\n#{table}")
    if file = System.get_env("NOISY_TABLE"), do: File.write!(file, table)
    for %{complaints: [_ | _]} = result <- results, do: IO.puts("#{result.name}: #{Enum.join(result.complaints, "; ")}")
    for neighbour <- Neighbours.all(@only), why = Noisy.World.missing(neighbour), do: IO.puts("#{neighbour.name}: #{why}")
    assert for(%{complaints: [_ | _]} = result <- results, do: result.name) == []
  end

  defp measured(shared, neighbour) do
    result = Noisy.full(shared, neighbour, @rounds)
    IO.puts(:stderr, "#{result.name}: #{Noisy.shown(result.difference_ms)} ms, #{inspect(result.complaints)}")
    result
  end
end
