defmodule Examples.Page do
  @moduledoc """
  A page of the documents as the blocks of code that it has.

  What a fence says of its language says what is done with the code:

    * `sh`, `elixir`, `erlang`: run, in the page's own shells
    * none, `json`, `xml`: what the block before it has put out, or the file that a mark names
    * any with the mark `configuration`, `configuration of Prometheus` or `scenario`: read by the program that it is for
    * `text`, `mermaid`: no more than shown

  A mark is a comment in the line before the fence, or before a table; there may be several:

    * `<!-- not run: REASON -->`
    * `<!-- varies -->`: all numbers are others each time; `<!-- varies: KEY, KEY -->`: the values of these keys are
    * `<!-- shows: FILE -->`: what is in that file
    * `<!-- file: build/NAME -->`: written to that file, for what follows
    * `<!-- each row: EXPRESSION -->`: the code in the last cell of each row, put in the place of ROW, gives `{:ok, _}`

  What looks like a fence or a mark and is none of these is an error: it would be left out without a word.
  """
  defstruct path: nil, blocks: []

  defmodule Block do
    @moduledoc "`marks` has a text for each mark, `prose` is what stands between the block before and this one."
    defstruct line: 0, language: "", code: [], marks: %{}, prose: ""
  end

  defmodule Mistake do
    defexception [:message]
  end

  @marks ["not run", "varies", "shows", "file", "configuration", "configuration of Prometheus", "scenario", "each row"]
  # What the generator of the reference and people write into comments.
  @others ["table", "end", "Written"]

  def read(path), do: parse(path, File.read!(path))

  def parse(path, text) do
    lines = text |> String.split("\n") |> Enum.with_index(1)
    %__MODULE__{path: path, blocks: blocks(lines, path, %Block{}, [])}
  end

  defp blocks([], path, next, found) do
    no_marks(next, path, 0)
    Enum.reverse(found)
  end

  defp blocks([{line, number} | rest], path, next, found) do
    cond do
      fence = Regex.run(~r/^```([a-z]*)$/, line) ->
        {code, rest} = code(rest, path, number)
        block = %{next | line: number, language: Enum.at(fence, 1), code: code}
        blocks(rest, path, %Block{}, [block | found])

      line =~ ~r/^\s*(```|~~~)/ ->
        mistake(path, number, "is a fence that is not looked at: #{line}")

      mark = Regex.run(~r/^<!-- ([^:]*?)(?:: (.*))? -->$/, line) ->
        blocks(rest, path, put_mark(next, path, number, tl(mark)), found)

      row?(line) and is_map_key(next.marks, "each row") ->
        {[_head, _rule | rows], rest} = Enum.split_while([{line, number} | rest], fn {line, _} -> row?(line) end)
        block = %{next | line: number, language: "rows", code: Enum.map(rows, &last_cell(&1, path))}
        blocks(rest, path, %Block{}, [block | found])

      true ->
        no_marks(next, path, number)
        blocks(rest, path, %{next | prose: next.prose <> line <> "\n"}, found)
    end
  end

  defp code(lines, path, number) do
    case Enum.split_while(lines, fn {line, _} -> line != "```" end) do
      {code, [_end | rest]} -> {Enum.map(code, &elem(&1, 0)), rest}
      {_, []} -> mistake(path, number, "is a fence that does not end")
    end
  end

  defp put_mark(block, path, number, [name | value]) do
    cond do
      name in @marks -> %{block | marks: Map.put(block.marks, name, Enum.join(value))}
      hd(String.split(name)) in @others -> block
      true -> mistake(path, number, "is a mark that is not known: #{name}")
    end
  end

  defp no_marks(%{marks: marks}, _path, _number) when marks == %{}, do: :ok
  defp no_marks(_block, path, number), do: mistake(path, number, "does not begin what the mark before it is for")

  defp row?(line), do: String.starts_with?(line, "|")

  defp last_cell({line, number}, path) do
    case Regex.run(~r/\| `([^`]+)` \|$/, line) do
      [_, code] -> code
      nil -> mistake(path, number, "is a row whose last cell is not code alone")
    end
  end

  @doc "The inputs of a block of a shell, each with the output that it shows: `{input, expected}`."
  def steps(%Block{language: "elixir"} = block), do: steps(block, ~r/^iex> ?(.*)$/, ~r/^\.\.\.> ?(.*)$/)

  def steps(%Block{language: "erlang"} = block) do
    block |> steps(~r/^\d+> ?(.*)$/, nil) |> Enum.reduce([], &join_erlang/2) |> Enum.reverse()
  end

  # A line of Erlang goes on behind the same prompt until it ends in a full stop.
  defp join_erlang({input, expected}, [{begun, ""} | before]) do
    if String.ends_with?(begun, "."),
      do: [{input, expected}, {begun, ""} | before],
      else: [{begun <> "\n" <> input, expected} | before]
  end

  defp join_erlang(step, before), do: [step | before]

  defp steps(block, first, more) do
    block.code
    |> Enum.reduce([], fn line, steps ->
      case {Regex.run(first, line), more && Regex.run(more, line), steps} do
        {[_, input], _, _} -> [{[input], []} | steps]
        {_, [_, input], [{inputs, []} | before]} -> [{[input | inputs], []} | before]
        {_, _, [{inputs, outputs} | before]} -> [{inputs, [line | outputs]} | before]
        {_, _, []} -> raise Mistake, "line #{block.line}: does not begin with a prompt: #{line}"
      end
    end)
    |> Enum.map(fn {inputs, outputs} -> {joined(inputs), joined(outputs)} end)
    |> Enum.reverse()
  end

  defp joined(lines), do: lines |> Enum.reverse() |> Enum.join("\n")

  @spec mistake(Path.t(), non_neg_integer, String.t()) :: no_return
  defp mistake(path, number, text), do: raise(Mistake, "#{path}:#{number}: #{text}")
end
