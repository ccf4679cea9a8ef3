defmodule Examples.Walk do
  @moduledoc """
  Works through a page from its start, as who tries it would: one terminal, and the shells that the page has started.
  """
  alias Examples.{Page, Pattern, Shell}

  defmodule Failure do
    defexception [:message]
  end

  defstruct page: nil, environment: [], shells: %{}, openers: %{}, output: "", counts: %{}, left_out: []

  # More than a screen or two is not looked at by anybody.
  @most_lines 120

  @doc "`{counts by what was done with a block, left out: [{line, reason}]}`. Raises where a page is not so."
  def page(%Page{} = page, environment) do
    walk = Enum.reduce(page.blocks, %__MODULE__{page: page, environment: environment}, &step/2)
    stop(walk)
    {walk.counts, Enum.reverse(walk.left_out)}
  end

  # What was started for a page that is not so ends, too; what is not so is what is told.
  defp step(block, walk) do
    walk = open(walk, block, shell_of(block))

    try do
      block(block, walk)
    rescue
      error ->
        stop(walk)
        reraise error, __STACKTRACE__
    end
  end

  defp stop(walk) do
    for {kind, shell} <- walk.shells, kind != :sh, do: Shell.stop(shell)
    # Pages begin with these.
    System.cmd("sh", ["tests/playground.sh", "stop"], env: walk.environment, stderr_to_stdout: true)
    if shell = walk.shells[:sh], do: Shell.stop(shell)
  end

  # --- What is done with a block ---

  defp block(%{marks: %{"not run" => reason}} = block, walk),
    do: %{count(walk, :left_out) | left_out: [{block.line, reason} | walk.left_out]}

  defp block(%{marks: %{"shows" => file}} = block, walk),
    do: compare(%{count(walk, :compared) | output: File.read!(file)}, block)

  # As who tries it would save it; nothing of the tree is written over.
  defp block(%{marks: %{"file" => file}} = block, walk) do
    unless file =~ ~r"^build/[\w.]+$", do: fail(walk, block, "#{file} is no file in build")
    File.write!(file, Enum.join(block.code, "\n") <> "\n")
    count(walk, :written)
  end

  defp block(%{marks: %{"configuration" => _}} = block, walk),
    do: check(walk, block, "build/release/harnessd --check-config", "configuration.json")

  defp block(%{marks: %{"configuration of Prometheus" => _}} = block, walk),
    do: check(walk, block, "#{System.fetch_env!("PROMTOOL")} check config", "prometheus.yml")

  defp block(%{marks: %{"scenario" => _}} = block, walk) do
    {_, 0} = Shell.run(walk.shells.sh, "sh tests/playground.sh start app")
    check(walk, block, "build/release/harnessd run --connect app@127.0.0.1 --set dry_run=true", "scenario.json")
  end

  defp block(%{language: "rows"} = block, walk) do
    for code <- block.code do
      output = ask(walk, block, String.replace(block.marks["each row"], "ROW", code))
      unless output =~ ~r/\A\s*{:ok,\s/, do: fail(walk, block, "#{code}\ngives\n#{output}")
    end

    count(walk, :run)
  end

  defp block(%{language: "sh"} = block, walk) do
    {openers, commands} = commands(block)
    output = Enum.map_join(commands, &command(walk, block, &1))
    %{count(walk, :run) | output: output, openers: Map.merge(walk.openers, openers)}
  end

  defp block(%{language: language} = block, walk) when language in ["elixir", "erlang"] do
    output =
      for {input, shown} <- Page.steps(block) do
        output = ask(walk, block, input)

        unless shown == "" or Pattern.whole?(shown, output, block.marks["varies"]),
          do: differs(walk, block, input, shown, output)

        output
      end

    %{count(walk, :run) | output: Enum.join(output)}
  end

  defp block(%{language: language} = block, walk) when language in ["", "json", "xml"] do
    if walk.output == "", do: fail(walk, block, "no block before it puts anything out, and it has no mark")
    compare(count(walk, :compared), block)
  end

  defp block(%{language: language}, walk) when language in ["text", "mermaid"], do: count(walk, :shown)
  defp block(block, walk), do: fail(walk, block, "nothing is known to do with `#{block.language}`")

  defp count(walk, what), do: %{walk | counts: Map.update(walk.counts, what, 1, &(&1 + 1))}

  # --- Commands ---

  # `{openers, commands}`: shells are opened when there is something to be typed into them.
  defp commands(block) do
    commands = block.code |> Enum.join("\n") |> String.split(~r/(?<!\\)\n/) |> Enum.reject(&(&1 == ""))
    {openers, commands} = Enum.split_with(commands, &(&1 =~ ~r/^(iex|erl) /))
    {Map.new(openers, &{opened_by(&1), &1}), commands}
  end

  defp opened_by("iex" <> _), do: :elixir
  defp opened_by("erl" <> _), do: :erlang

  defp command(walk, block, command) do
    {output, status} = Shell.run(walk.shells.sh, command)
    unless status == 0, do: fail(walk, block, "#{command}\nends with status #{status}:\n#{output}")
    output
  end

  defp check(walk, block, command, name) do
    path = Path.join(Map.fetch!(Map.new(walk.environment), "HOME"), name)
    File.write!(path, Enum.join(block.code, "\n"))
    command(walk, block, "#{command} #{path}")
    count(walk, :read)
  end

  # --- Shells ---

  defp shell_of(%{marks: marks}) when is_map_key(marks, "not run") or is_map_key(marks, "file"), do: nil
  defp shell_of(%{language: "sh"}), do: :sh
  defp shell_of(%{language: language}) when language in ["elixir", "rows"], do: :elixir
  defp shell_of(%{language: "erlang"}), do: :erlang

  defp shell_of(%{marks: marks}),
    do: if(Enum.any?(Map.keys(marks), &(&1 =~ ~r/^(configuration|scenario)/)), do: :sh)

  defp open(walk, _block, kind) when kind == nil or is_map_key(walk.shells, kind), do: walk

  defp open(walk, block, kind) do
    # "From `erl -name erl@127.0.0.1`:"
    openers =
      for [command] <- Regex.scan(~r/`((?:iex|erl) -[^`]+)`/, block.prose, capture: :all_but_first),
          into: Map.put(walk.openers, :sh, "bash"),
          do: {opened_by(command), command}

    command = openers[kind] || fail(walk, block, "no block before it has started such a shell")
    %{walk | openers: openers, shells: Map.put(walk.shells, kind, Shell.start(kind, command, walk.environment))}
  end

  # What is an answer of the program is for the page to show; what has failed otherwise is never meant.
  defp ask(walk, block, input) do
    {output, 0} = Shell.run(walk.shells[shell_of(block)], input)

    cond do
      output =~ ~r/^\*{1,2} /m -> fail(walk, block, "#{input}\nfails:\n#{output}")
      output =~ ~r/\A\s*{:?error,/ and not meant?(block, input) -> fail(walk, block, "#{input}\ngives\n#{output}")
      length(String.split(output, "\n")) > @most_lines -> fail(walk, block, "#{input}\nputs out more than a screen")
      true -> output
    end
  end

  defp meant?(block, input), do: input =~ "{:error" or Enum.any?(block.code, &(&1 =~ ~r/^{:?error,/))

  # --- Comparing ---

  defp compare(walk, block) do
    shown = Enum.join(block.code, "\n")
    unless Pattern.found?(shown, walk.output, block.marks["varies"]), do: differs(walk, block, "it", shown, walk.output)
    walk
  end

  defp differs(walk, block, input, shown, output),
    do: fail(walk, block, "#{input}\nshows\n#{shown}\n--- but puts out\n#{output}---")

  @spec fail(%__MODULE__{}, map, String.t()) :: no_return
  defp fail(walk, block, text), do: raise(Failure, "#{walk.page.path}:#{block.line}: #{text}")
end
