defmodule NoisyTest do
  @moduledoc """
  Nothing that one does touches another: a run beside each neighbour that there is, once, for what does not depend on
  how fast the machine is. Times are judged by tests/bench/noisy.sh.
  """
  use ClusterCase

  setup_all do
    {:ok, shared: Noisy.World.share(:equal)}
  end

  # Part of the names of some, to try those alone.
  @only System.get_env("NOISY_ONLY", "")

  for {kind, [_ | _]} <- Neighbours.kinds(@only) do
    test "no neighbour touches a run: #{kind}", %{shared: shared} do
      {_, neighbours} = List.keyfind(Neighbours.kinds(@only), unquote(kind), 0)
      {missing, there} = Enum.split_with(neighbours, &Noisy.World.missing/1)
      for neighbour <- missing, do: IO.puts("\n#{neighbour.name}: #{Noisy.World.missing(neighbour)}")
      assert Noisy.quick(shared, there) == []
    end
  end
end
