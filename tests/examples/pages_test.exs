defmodule Examples.PagesTest do
  use ExUnit.Case
  alias Examples.{Page, Walk}

  @done [
    run: "run",
    compared: "compared",
    written: "written",
    read: "read by what it is for",
    shown: "shown",
    left_out: "not run"
  ]

  for path <- :persistent_term.get(Examples).pages do
    test path do
      page = Page.read(unquote(path))
      {counts, left_out} = Walk.page(page, :persistent_term.get(Examples).environment)
      done = for {key, text} <- @done, count = counts[key], do: "#{count} #{text}"
      IO.puts(["\n#{page.path}: ", Enum.join(done, ", ")])
      for {line, reason} <- left_out, do: IO.puts("    line #{line} is not run: #{reason}")
    end
  end

  # What one page has changed of the account is none of the next; the first run is the first.
  test "pages that start the playground begin it anew" do
    for path <- Path.wildcard("docs/**/*.md"), path != "docs/guide/first-run.md" do
      text = File.read!(path)
      start = Regex.run(~r/^sh tests\/playground\.sh start\n/m, text, return: :index)
      stop = Regex.run(~r/^sh tests\/playground\.sh stop\b.*\nsh tests\/playground\.sh start\n/m, text, return: :index)
      assert start == nil or (stop && elem(hd(stop), 0) < elem(hd(start), 0)), path
    end
  end

  test "the README is a door and no house" do
    assert File.stat!("README.md").size <= 8_192
  end
end
