defmodule RandomTerm do
  @moduledoc """
  Random terms of every kind that there is, drawn with `:rand`. `foreign` are pids, ports and references of
  other nodes.
  """

  @doc "A term, with containers nested up to `depth` deep."
  def draw(foreign), do: (leaves() ++ containers() ++ large()) |> Enum.random() |> term(foreign, 3)

  defp draw(foreign, 0), do: leaves() |> Enum.random() |> term(foreign, 0)
  defp draw(foreign, depth), do: (leaves() ++ containers()) |> Enum.random() |> term(foreign, depth - 1)

  @doc "One term of each kind, so that none depends on chance."
  def each(foreign), do: for(kind <- leaves() ++ containers() ++ large(), do: term(kind, foreign, 2))

  defp leaves do
    [:integer, :big, :float, :atom, :long_atom, :special_atom, :binary, :bits, :string, :charlist, :bytes] ++
      [:pid, :port, :reference, :foreign, :fun, :export, :empty]
  end

  defp containers, do: [:list, :improper, :tuple, :large_tuple, :map, :large_map, :closure, :deep, :struct]

  # Not inside of others, which would be too much of a good thing.
  defp large, do: [:large_binary, :large_bytes]

  defp term(:integer, _, _) do
    edge = Enum.random([0, 255, 256, 0x7FFFFFFF, 0x80000000, 0x7FFFFFFFFFFFFFF, 0x800000000000000])
    Enum.random([-1, 1]) * edge + Enum.random(-1..1)
  end

  defp term(:big, _, _) do
    bytes = Enum.random([7, 8, 9, 100, 255, 256, 300])
    Enum.random([-1, 1]) * :binary.decode_unsigned(:rand.bytes(bytes))
  end

  defp term(:float, _, _) do
    Enum.random([0.0, -0.0, 0.1, 1.0e308, 5.0e-324, -2.5, :rand.normal(), :rand.uniform() * 1.0e-300])
  end

  defp term(:atom, _, _), do: Enum.random([:a, :ok, nil, true, :"with space", :Upper, Elixir.RandomTerm, :""])

  # As long as an atom can be, of characters of one to four bytes. There are few, for they stay.
  defp term(:long_atom, _, _) do
    character = Enum.random(["a", "é", "\u0800", "語", "\u{10348}"])
    String.to_atom(String.duplicate(character, Enum.random([63, 64, 127, 128, 255])))
  end

  # What means something to the daemon elsewhere.
  defp term(:special_atom, _, _),
    do: Enum.random([:harnessd, :"$gen_call", :EXIT, :DOWN, :stop, :badrpc, :undefined])

  defp term(:binary, _, _), do: :rand.bytes(Enum.random(0..70))
  defp term(:large_binary, _, _), do: :rand.bytes(Enum.random([255, 256, 65_535, 65_536, 200_000]))

  defp term(:bits, _, _) do
    size = Enum.random(1..200)
    <<bits::bitstring-size(size), _::bitstring>> = :rand.bytes(30)
    bits
  end

  defp term(:string, _, _),
    do: for(_ <- 0..Enum.random(0..30), into: "", do: Enum.random(["x", "ß", "水", "🙂"]))

  defp term(:charlist, _, _), do: for(_ <- 0..Enum.random(0..30), do: Enum.random([?a, ?ß, ?水, 0x10348]))
  # Such lists have a form of their own, up to 65535 elements.
  defp term(:bytes, _, _), do: :binary.bin_to_list(:rand.bytes(Enum.random([1, 2, 300])))
  defp term(:large_bytes, _, _), do: :binary.bin_to_list(:rand.bytes(Enum.random([65_535, 65_536])))
  defp term(:pid, _, _), do: self()
  defp term(:port, _, _), do: Enum.random(Port.list())

  defp term(:reference, _, _),
    do: Enum.random([make_ref(), :erlang.monitor(:process, self(), alias: :explicit_unalias)])

  defp term(:foreign, foreign, _), do: Enum.random(foreign)

  defp term(:fun, _, _) do
    number = :rand.uniform(1_000)
    Enum.random([fn -> number end, fn x -> x + number end, fn _, _ -> nil end])
  end

  defp term(:export, _, _),
    do: Enum.random([&:lists.map/2, &Enum.sum/1, Function.capture(NoSuchModule, :"odd name", 255)])

  defp term(:empty, _, _), do: Enum.random([[], {}, %{}, "", [[]], {{}}])

  defp term(:list, foreign, depth), do: draw_many(foreign, 0..8, depth)
  defp term(:improper, foreign, depth), do: improper(draw_many(foreign, 1..4, depth), draw(foreign, 0))
  defp term(:tuple, foreign, depth), do: List.to_tuple(draw_many(foreign, 0..6, depth))

  defp term(:large_tuple, _, _) do
    size = Enum.random([255, 256, 300])
    List.to_tuple(Enum.to_list(1..size))
  end

  defp term(:map, foreign, depth) do
    Map.new(Enum.zip(draw_many(foreign, 5..5, depth), draw_many(foreign, 5..5, depth)))
  end

  # Maps of more than 32 keys are another thing inside the BEAM.
  defp term(:large_map, foreign, _) do
    for n <- 1..Enum.random([32, 33, 100]), into: %{}, do: {{n, draw(foreign, 0)}, draw(foreign, 0)}
  end

  defp term(:closure, foreign, depth) do
    kept = draw(foreign, depth)
    fn other -> {kept, other} end
  end

  defp term(:deep, foreign, _) do
    Enum.reduce(1..Enum.random([10, 100, 250]), draw(foreign, 0), fn n, inner ->
      case rem(n, 4) do
        0 -> [inner]
        1 -> {n, inner}
        2 -> %{n => inner}
        3 -> [n | inner]
      end
    end)
  end

  defp term(:struct, foreign, depth), do: %{__struct__: NoSuchStruct, field: draw(foreign, depth)}

  defp draw_many(foreign, range, depth), do: for(_ <- 1..Enum.random(range)//1, do: draw(foreign, depth))

  defp improper([last], tail), do: [last | tail]
  defp improper([first | rest], tail), do: [first | improper(rest, tail)]
end
