defmodule Examples.Pattern do
  @moduledoc """
  What a page shows as a pattern of what may be put out.

  White space counts only between words. Process identifiers, references, times of day and ids of runs are others each
  time; all else is as it is shown, numbers too, unless the mark `varies` says otherwise. `...` stands for anything, but not
  for all. On a busy machine a picture warns that the daemon was late; pages are written on one that is not.
  """

  @tokens ~r/
      \s*\#+(?=\s|$)
    | \s+
    | \#PID<[\d.]+> | <\d+\.\d+\.\d+> | <[\w@.]+\.\d+\.\d+> | \#Reference<[\d.]+>
    | \d{4}-\d\d-\d\dT[\d:.]+Z
    | \d{16}
    | \.\.\.
    | \d[\d.,]*(?:\ (?:us|ms|s|min|h)\b)?
    | [A-Za-z_][\w@.?!]*
    | .
  /xs

  @lateness ~r/^  WARNING  this daemon was busy [^\n]*\n( {11}[^\n]*\n)*/m

  @number "\\d[\\d.,]*(?:\\s*(?:us|ms|s|min|h)\\b)?"

  @doc """
  Whether `shown` is in `output`. `varies` is `nil`, `""` for all numbers, or the keys whose values do.
  """
  def found?(shown, output, varies \\ nil) do
    output = String.replace(output, @lateness, "")
    Regex.match?(Regex.compile!("(?<![\\w.])" <> body(shown, varies) <> "(?!\\w|[.,]\\d)", "s"), output)
  end

  @doc "Whether `shown` is the whole of `output`."
  def whole?(shown, output, varies \\ nil) do
    output = String.replace(output, @lateness, "")
    Regex.match?(Regex.compile!("\\A\\s*" <> body(shown, varies) <> "\\s*\\z", "s"), output)
  end

  defp body(shown, varies) do
    if String.replace(shown, ~r/[.\s]/, "") == "", do: raise(ArgumentError, "dots alone show nothing")

    Regex.scan(@tokens, String.trim(shown))
    |> List.flatten()
    |> spaced()
    |> Enum.map_join(&token(&1, varies))
    |> values(varies)
  end

  # Space between words has to be there, elsewhere it may be.
  defp spaced(tokens) do
    [first | rest] = tokens

    {_, found} =
      Enum.reduce(rest, {first, [first]}, fn token, {last, found} ->
        between = if word?(last) and word?(token), do: :none, else: :perhaps
        {token, [token, between | found]}
      end)

    found |> Enum.reverse() |> Enum.reject(&(&1 == :none))
  end

  defp word?(token), do: token =~ ~r/^[\w.]/ or token =~ ~r/^\s/

  defp token(:perhaps, _varies), do: "\\s*"

  defp token(token, varies) do
    cond do
      varies == "" and token =~ ~r/^\s*#+$/ -> "\\s*#*"
      token =~ ~r/^\s+$/ -> "\\s+"
      token =~ ~r/^#PID</ -> "#PID<[\\d.]+>"
      token =~ ~r/^<\d/ -> "<[\\d.]+>"
      token =~ ~r/^<\w/ -> "<[\\w@.]+>"
      token =~ ~r/^#Reference/ -> "#Reference<[\\d.]+>"
      token =~ ~r/^\d{4}-\d\d-\d\dT/ -> "\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z"
      token =~ ~r/^\d{16}$/ -> "\\d{16}"
      token == "..." -> ".*?"
      varies == "" and token =~ ~r/^\d/ -> @number
      true -> Regex.escape(token)
    end
  end

  defp values(body, varies) when varies in [nil, ""], do: body

  defp values(body, varies) do
    for key <- String.split(varies, ~r/[,\s]+/), reduce: body do
      body ->
        Regex.replace(
          ~r/\b#{Regex.escape(key)}((?:\\s[*+])*(?::|=(?:\\s\*)?\\?>)(?:\\s[*+])*)(?:(?!,|\\\}|\\\]).)+/,
          body,
          fn _, between -> key <> between <> "[^,}\\]]+" end
        )
    end
  end
end
