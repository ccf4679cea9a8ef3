defmodule Audit do
  @moduledoc "What a daemon's audit has."
  import ExUnit.Assertions

  @doc "A configuration with an audit in a folder of its own; and its file."
  def config(more \\ %{}) do
    file = Path.join(Support.temporary_folder(), "audit.jsonl")
    {Map.merge(%{"audit" => Map.merge(%{"file" => file}, more)}, %{}), file}
  end

  @doc "Its lines as maps, those of the oldest file first."
  def lines(file) do
    rotated =
      Path.wildcard(file <> ".*")
      |> Enum.sort_by(&(&1 |> Path.extname() |> String.trim_leading(".") |> String.to_integer()), :desc)

    for path <- rotated ++ [file], line <- String.split(File.read!(path), "\n", trim: true), do: decode(line)
  end

  def events(file, event), do: Enum.filter(lines(file), &(&1["event"] == event))

  @doc "Waits until it has so many lines of an event, and gives them."
  def await(file, event, count) do
    Wait.until(fn -> "#{count} lines #{event} in #{inspect(lines(file), limit: :infinity)}" end, fn ->
      found = events(file, event)
      length(found) >= count and found
    end)
  end

  # What the daemon writes: objects of strings, numbers and lists of strings.
  defp decode(line) do
    {value, rest} = value(line)
    assert rest == "", "not one object: #{line}"
    value
  end

  defp value("{}" <> rest), do: {%{}, rest}
  defp value("{" <> rest), do: pairs(rest, %{})
  defp value("[]" <> rest), do: {[], rest}
  defp value("[" <> rest), do: items(rest, [])
  defp value("\"" <> rest), do: string(rest, [])

  defp value(text) do
    [number] = Regex.run(~r/\A-?\d+/, text)
    {String.to_integer(number), String.replace_prefix(text, number, "")}
  end

  defp pairs(text, map) do
    {key, ":" <> rest} = value(text)
    {value, rest} = value(rest)
    refute Map.has_key?(map, key)
    map = Map.put(map, key, value)

    case rest do
      "," <> rest -> pairs(rest, map)
      "}" <> rest -> {map, rest}
    end
  end

  defp items(text, list) do
    case value(text) do
      {item, "," <> rest} -> items(rest, [item | list])
      {item, "]" <> rest} -> {Enum.reverse([item | list]), rest}
    end
  end

  defp string("\"" <> rest, parts), do: {parts |> Enum.reverse() |> IO.iodata_to_binary(), rest}
  defp string("\\u" <> <<hex::binary-size(4), rest::binary>>, parts), do: string(rest, [<<String.to_integer(hex, 16)::utf8>> | parts])
  defp string("\\n" <> rest, parts), do: string(rest, ["\n" | parts])
  defp string("\\" <> <<character, rest::binary>>, parts), do: string(rest, [character | parts])
  defp string(<<character, rest::binary>>, parts), do: string(rest, [character | parts])
end
