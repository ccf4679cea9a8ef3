defmodule ScriptsTest do
  @moduledoc "The sources of what the daemon has other nodes evaluate."
  use ExUnit.Case, async: true

  @sources Path.wildcard(Path.expand("../../daemon/node/*.erl", __DIR__))

  # A message that is matched by evaluation while the time runs out crashes an OTP 25 node: see session.erl.
  test "none receives after a time" do
    assert length(@sources) >= 3

    for source <- @sources, {line, timeout} <- timeouts(source) do
      assert timeout in [0, :infinity], "#{source}:#{line} receives after a time"
    end
  end

  defp timeouts(source) do
    {:ok, tokens, _} = source |> File.read!() |> String.to_charlist() |> :erl_scan.string()
    {:ok, forms} = :erl_parse.parse_exprs(tokens)
    forms |> receives() |> List.flatten()
  end

  defp receives({:receive, line, clauses, timeout, body}),
    do: [{line, literal(timeout)} | receives(clauses) ++ receives(body)]

  defp receives(form) when is_tuple(form), do: form |> Tuple.to_list() |> receives()
  defp receives(forms) when is_list(forms), do: Enum.flat_map(forms, &receives/1)
  defp receives(_), do: []

  defp literal({:integer, _, number}), do: number
  defp literal({:atom, _, name}), do: name
  defp literal(_), do: :computed
end
