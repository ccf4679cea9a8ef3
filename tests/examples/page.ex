defmodule Examples.Page do
  @moduledoc """
  A page of the documents as the blocks of code that it has.

  What a fence says of its language says what is done with the code:

    * `sh`, `elixir`, `erlang`: run, in the page's own shells
    * none, `json`, `xml`: what the block before it has put out, or the file that a mark names
    * any with the mark `configuration`, `configuration of Prometheus` or `scenario`: read by the program that it is for
    * `text`, `mermaid`: no more than shown

  A mark is a comment in a line of its own before the fence, or before a table:

    * `<!-- not run: REASON -->`
    * `<!-- varies -->`: all numbers are others each time; `<!-- varies: KEY, KEY -->`: the values of these keys are
    * `<!-- shows: FILE -->`: what is in that file
    * `<!-- each row: EXPRESSION -->`: the code in the last cell of each row, put in the place of ROW, gives `{:ok, _}`
  """
  defstruct path: nil, blocks: []

  defmodule Block do
    @moduledoc "`marks` has a text for each mark, `prose` is what stands between the block before and this one."
    defstruct line: 0, language: "", code: [], marks: %{}, prose: ""
  end

  @marks ["not run", "varies", "shows", "configuration", "configuration of Prometheus", "scenario", "each row"]

  def read(path), do: parse(path, File.read!(path))

  def parse(path, text) do
    lines = text |> String.split("\n") |> Enum.with_index(1)
    %__MODULE__{path: path, blocks: blocks(lines, %Block{}, [])}
  end

  defp blocks([], _next, found), do: Enum.reverse(found)

  defp blocks([{line, number} | rest], next, found) do
    cond do
      fence = Regex.run(~r/^```(\S*)$/, line) ->
        {code, [_end | rest]} = Enum.split_while(rest, fn {line, _} -> line != "```" end)
        block = %{next | line: number, language: Enum.at(fence, 1), code: Enum.map(code, &elem(&1, 0))}
        blocks(rest, %Block{}, [block | found])

      mark = Regex.run(~r/^<!-- (.*) -->$/, line) ->
        blocks(rest, put_mark(next, Enum.at(mark, 1)), found)

      row?(line) and is_map_key(next.marks, "each row") ->
        {[_head, _rule | rows], rest} = Enum.split_while([{line, number} | rest], fn {line, _} -> row?(line) end)
        block = %{next | line: number, language: "rows", code: Enum.flat_map(rows, &last_cell/1)}
        blocks(rest, %Block{}, [block | found])

      true ->
        blocks(rest, %{next | prose: next.prose <> line <> "\n"}, found)
    end
  end

  # Comments that are no mark are for people.
  defp put_mark(block, text) do
    [name | value] = String.split(text, ":", parts: 2)

    if name in @marks,
      do: %{block | marks: Map.put(block.marks, name, String.trim(Enum.join(value)))},
      else: block
  end

  defp row?(line), do: String.starts_with?(line, "|")

  defp last_cell({line, _number}) do
    for [_, code] <- [Regex.run(~r/\| `([^`]+)` \|$/, line)], do: code
  end

  @doc "The inputs of a block of a shell, each with the output that it shows: `{input, expected}`."
  def steps(%Block{language: "elixir", code: code}), do: steps(code, ~r/^iex> ?(.*)$/, ~r/^\.\.\.> ?(.*)$/)

  def steps(%Block{language: "erlang", code: code}) do
    code |> steps(~r/^\d+> ?(.*)$/, nil) |> Enum.reduce([], &join_erlang/2) |> Enum.reverse()
  end

  # A line of Erlang goes on behind the same prompt until it ends in a full stop.
  defp join_erlang({input, expected}, [{begun, ""} | before]) do
    if String.ends_with?(begun, "."),
      do: [{input, expected}, {begun, ""} | before],
      else: [{begun <> "\n" <> input, expected} | before]
  end

  defp join_erlang(step, before), do: [step | before]

  defp steps(code, first, more) do
    code
    |> Enum.reduce([], fn line, steps ->
      case {Regex.run(first, line), more && Regex.run(more, line), steps} do
        {[_, input], _, _} -> [{[input], []} | steps]
        {_, [_, input], [{inputs, []} | before]} -> [{[input | inputs], []} | before]
        {_, _, [{inputs, outputs} | before]} -> [{inputs, [line | outputs]} | before]
        {_, _, []} -> raise "does not begin with a prompt: #{line}"
      end
    end)
    |> Enum.map(fn {inputs, outputs} -> {joined(inputs), joined(outputs)} end)
    |> Enum.reverse()
  end

  defp joined(lines), do: lines |> Enum.reverse() |> Enum.join("\n")
end
