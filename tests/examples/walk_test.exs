defmodule Examples.WalkTest do
  @moduledoc "That a page which is not so is told of: each of these has one fault."
  use ExUnit.Case
  alias Examples.{Page, Walk}

  defp walk(text), do: Walk.page(Page.parse("page.md", text), :persistent_term.get(Examples).environment)

  defp fenced(language, lines), do: "```#{language}\n#{lines}\n```\n"
  defp in_iex(lines), do: "In `iex --name self@127.0.0.1`:\n\n" <> fenced("elixir", lines)
  defp in_erl(lines), do: "In `erl -name self@127.0.0.1`:\n\n" <> fenced("erlang", lines)

  for {name, text} <- [
        {"a command that fails", quote(do: fenced("sh", "false"))},
        {"output that is another one", quote(do: fenced("sh", "echo 1") <> fenced("", "2"))},
        {"output of nothing", quote(do: fenced("", "2"))},
        {"an exception in iex", quote(do: in_iex("iex> raise \"no\""))},
        {"an unknown variable in iex", quote(do: in_iex("iex> x + 1"))},
        {"another value in iex", quote(do: in_iex("iex> 1 + 1\n3"))},
        {"more than is shown in iex", quote(do: in_iex("iex> {:ok, 1}\n1"))},
        {"an error that is not shown", quote(do: in_iex("iex> List.to_tuple([:error, 1])"))},
        {"a screen too many", quote(do: in_iex("iex> for n <- 1..200, do: IO.puts(n)"))},
        {"an exception in erl", quote(do: in_erl("1> error(no)."))},
        {"an unbound variable in erl", quote(do: in_erl("1> X + 1."))},
        {"a mistake of syntax in erl", quote(do: in_erl("1> foo:bar(]."))},
        {"another value in erl", quote(do: in_erl("1> 1 + 1.\n3"))},
        {"a shell that nobody has started", quote(do: fenced("elixir", "iex> 1"))},
        {"a language that is not known", quote(do: fenced("cobol", "1"))},
        {"a file of the tree", quote(do: "<!-- file: README.md -->\n" <> fenced("elixir", "1"))},
        {"a wrong configuration", quote(do: "<!-- configuration -->\n" <> fenced("json", "{\"node\": {\"lissen\": 1}}"))},
        {"a row that is not so", quote(do: in_iex("iex> 1") <> "<!-- each row: ROW -->\n| a | b |\n| --- | --- |\n| c | `{:no, 1}` |\n")}
      ] do
    test name do
      assert_raise Walk.Failure, ~r/^page.md:\d+: /, fn -> walk(unquote(text)) end
    end
  end

  for {name, text} <- [
        {"a row without code", "<!-- each row: ROW -->\n| a | b |\n| --- | --- |\n| c | `d`, e |\n"},
        {"a mark that is not known", "<!-- each rows: ROW -->\n| a |\n"},
        {"a mark for nothing", "<!-- varies -->\nprose\n"},
        {"a fence in a list", "- one\n  ```sh\n  false\n  ```\n"},
        {"a fence of another kind", "~~~sh\nfalse\n~~~\n"},
        {"a fence with more than a language", "```sh title\nfalse\n```\n"},
        {"a fence that does not end", "```sh\nfalse\n"}
      ] do
    test name do
      assert_raise Page.Mistake, ~r/^page.md:\d+: /, fn -> walk(unquote(text)) end
    end
  end

  test "a file is there for what follows" do
    page = "<!-- file: build/walk_test.exs -->\n" <> fenced("elixir", "fn x -> x end") <> fenced("sh", "cat build/walk_test.exs")
    on_exit(fn -> File.rm!("build/walk_test.exs") end)
    assert walk(page <> fenced("", "fn x -> x end")) == {%{written: 1, run: 1, compared: 1}, []}
  end

  test "what is so passes, and what is not run is told" do
    page = fenced("sh", "echo 12 x") <> "<!-- varies -->\n" <> fenced("", "3 x") <> "<!-- not run: no -->\n" <> fenced("sh", "false")
    assert walk(page <> in_iex("iex> 1 + 1\n2")) == {%{run: 2, compared: 1, left_out: 1}, [{9, "no"}]}
  end
end
