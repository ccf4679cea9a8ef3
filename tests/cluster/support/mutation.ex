defmodule Mutation do
  @moduledoc "Bytes and terms that are almost right, drawn with `:rand`."

  @doc "Bytes of which up to four places are other ones."
  def bytes(binary), do: Enum.reduce(1..:rand.uniform(4), binary, fn _, changed -> change(changed) end)

  defp change(""), do: :rand.bytes(:rand.uniform(8))

  defp change(binary) do
    at = :rand.uniform(byte_size(binary)) - 1
    size = min(byte_size(binary) - at, :rand.uniform(8))
    <<before::binary-size(at), piece::binary-size(size), rest::binary>> = binary
    <<first, others::binary>> = piece

    case :rand.uniform(9) do
      1 -> [before, Bitwise.bxor(first, Bitwise.bsl(1, :rand.uniform(8) - 1)), others, rest]
      2 -> [before, :rand.uniform(256) - 1, others, rest]
      3 -> [before, rest]
      4 -> [before, piece, piece, rest]
      5 -> [before, :rand.bytes(size), rest]
      6 -> [before, :rand.bytes(size), piece, rest]
      # Lengths that are too much.
      7 -> [before, <<0xFFFFFFFF::32>>, binary_part(rest, 0, max(0, byte_size(rest) - 4))]
      # Tags of terms, known and unknown.
      8 -> [before, Enum.random([70, 77, 80, 82, 88, 89, 90, 97, 98, 100, 104, 105, 106, 107, 108]), others, rest]
      9 -> [before, Enum.random([109, 110, 111, 112, 113, 115, 116, 118, 119, 120, 121, 131, 0, 255]), others, rest]
    end
    |> IO.iodata_to_binary()
  end

  @doc "A term in which something, somewhere, is another term."
  def term(term, foreign) do
    if :rand.uniform(4) == 1, do: RandomTerm.draw(foreign), else: inside(term, foreign)
  end

  defp inside([_ | _] = list, foreign) do
    if List.improper?(list) do
      RandomTerm.draw(foreign)
    else
      case :rand.uniform(6) do
        1 -> list ++ [RandomTerm.draw(foreign)]
        2 -> [Enum.random(list) | list]
        3 -> List.delete_at(list, :rand.uniform(length(list)) - 1)
        _ -> List.update_at(list, :rand.uniform(length(list)) - 1, &term(&1, foreign))
      end
    end
  end

  defp inside(tuple, foreign) when is_tuple(tuple) and tuple_size(tuple) > 0,
    do: tuple |> Tuple.to_list() |> inside(foreign) |> then(&if(is_list(&1), do: List.to_tuple(&1), else: &1))

  defp inside(map, foreign) when is_map(map) and not is_struct(map) and map_size(map) > 0 do
    {key, value} = Enum.random(map)

    case :rand.uniform(6) do
      1 -> Map.put(map, RandomTerm.draw(foreign), value)
      2 -> Map.delete(map, key)
      _ -> Map.put(map, key, term(value, foreign))
    end
  end

  defp inside(number, _) when is_integer(number),
    do: Enum.random([-number, number + 1, 0, -1, 1.5, 0x7FFFFFFFFFFFFFFF, 1_000_000_000_000_000_000_000_000])

  defp inside(_, foreign), do: RandomTerm.draw(foreign)
end
