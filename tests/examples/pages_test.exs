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

  test "the README is a door and no house" do
    assert File.stat!("README.md").size <= 8_192
  end
end
