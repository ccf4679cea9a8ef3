defmodule Examples.PagesTest do
  use ExUnit.Case
  alias Examples.{Page, Walk}

  @done [run: "run", compared: "compared", read: "read by what it is for", shown: "shown", left_out: "not run"]

  for path <- Application.compile_env!(:ex_unit, :examples)[:pages] do
    test path do
      page = Page.read(unquote(path))
      {counts, left_out} = Walk.page(page, environment())
      done = for {key, text} <- @done, count = counts[key], do: "#{count} #{text}"
      IO.puts(["\n#{page.path}: ", Enum.join(done, ", ")])
      for {line, reason} <- left_out, do: IO.puts("    line #{line} is not run: #{reason}")
    end
  end

  defp environment do
    home = Application.fetch_env!(:ex_unit, :examples)[:home]
    [{"HOME", home}, {"LANG", "C.UTF-8"}, {"TERM", "dumb"}]
  end
end
