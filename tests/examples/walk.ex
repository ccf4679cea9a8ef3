defmodule Examples.Walk do
  @moduledoc """
  Works through a page from its start, as who tries it would: one terminal, and the shells that the page has started.
  """
  alias Examples.{Page, Pattern, Shell}

  defmodule Failure do
    defexception [:message]
  end

  defstruct page: nil, environment: [], shells: %{}, openers: %{}, output: "", counts: %{}, left_out: []

  # A prompt is a promise: what is typed there is run.
  @shells %{"elixir" => :elixir, "erlang" => :erlang}

  @doc "What was done: `{counts by what was done with a block, left out: [{line, reason}]}`. Raises where a page is not so."
  def page(%Page{} = page, environment) do
    walk = %__MODULE__{page: page, environment: environment}

    try do
      walk = Enum.reduce(page.blocks, walk, &block/2)
      {walk.counts, Enum.reverse(walk.left_out)}
    after
      # Of a page that has failed as well; the shells are known to the process alone.
      for shell <- Process.get(:shells, []), do: Shell.stop(shell)
      Process.delete(:shells)
    end
  end

  defp block(%{marks: %{"not run" => reason}} = block, walk) do
    %{count(walk, :left_out) | left_out: [{block.line, reason} | walk.left_out]}
  end

  defp block(%{marks: %{"shows" => file}} = block, walk) do
    compare(%{count(walk, :compared) | output: File.read!(file)}, block)
  end

  defp block(%{marks: %{"configuration" => _}} = block, walk) do
    file = written(walk, "configuration.json", block)
    check(walk, block, "build/release/harnessd --check-config #{file}")
  end

  defp block(%{marks: %{"configuration of Prometheus" => _}} = block, walk) do
    check(walk, block, "#{System.fetch_env!("PROMTOOL")} check config #{written(walk, "prometheus.yml", block)}")
  end

  defp block(%{marks: %{"scenario" => _}} = block, walk) do
    file = written(walk, "scenario.json", block)
    walk = with_node(walk, block)
    check(walk, block, "build/release/harnessd run #{file} --connect app@127.0.0.1 --set dry_run=true")
  end

  defp block(%{language: "rows"} = block, walk) do
    Enum.reduce(block.code, count(walk, :run), fn code, walk ->
      {walk, output} = ask(walk, block, :elixir, String.replace(block.marks["each row"], "ROW", code))
      if output =~ ~r/\A\s*{:ok,\s/, do: walk, else: fail(walk, block, "#{code}\ngives\n#{output}")
    end)
  end

  defp block(%{language: "sh"} = block, walk), do: commands(block, count(walk, :run))

  defp block(%{language: language} = block, walk) when is_map_key(@shells, language) do
    kind = @shells[language]
    walk = find_opener(count(walk, :run), block.prose)

    Enum.reduce(Page.steps(block), %{walk | output: ""}, fn {input, shown}, walk ->
      {walk, output} = ask(walk, block, kind, input)
      walk = %{walk | output: walk.output <> output}
      unless shown == "", do: compare(%{walk | output: output}, block, input, shown)
      walk
    end)
  end

  defp block(%{language: language} = block, walk) when language in ["", "json", "xml"] do
    if walk.output == "", do: fail(walk, block, "no block before it puts anything out, and it has no mark")
    compare(count(walk, :compared), block)
  end

  defp block(%{language: language}, walk) when language in ["text", "mermaid"], do: count(walk, :shown)
  defp block(block, walk), do: fail(walk, block, "nothing is known to do with `#{block.language}`")

  # --- Commands ---

  # The shells that a terminal is left for are opened when a block for them comes.
  defp commands(block, walk) do
    {openers, code} = block.code |> Enum.map(&split_opener/1) |> Enum.unzip()
    walk = %{walk | output: "", openers: Map.merge(walk.openers, Map.new(Enum.concat(openers)))}

    code
    |> Enum.join("\n")
    |> String.split(~r/(?<!\\)\n/)
    |> Enum.reject(&(&1 == ""))
    |> Enum.reduce(walk, fn command, walk ->
      {walk, shell} = shell(walk, block, :sh)
      {output, status} = run_command(shell, command)
      unless status == 0, do: fail(walk, block, "#{command}\nends with status #{status}:\n#{output}")
      %{walk | output: walk.output <> output}
    end)
  end

  # Three seconds are enough where nothing else goes on; here much may.
  @started %{"build/app.log" => "the account is open", "build/harnessd.log" => "ready node="}

  defp run_command(shell, command) do
    logs = Regex.scan(~r/>(\S+) 2>&1 &$/, command, capture: :all_but_first) |> Enum.concat()
    # What was started for another page has not been started for this one.
    Enum.each(logs, &File.rm/1)
    result = Shell.run(shell, command)

    for log <- logs, text = @started[log],
        do: Wait.until("#{log} to say #{text}", fn -> File.exists?(log) and File.read!(log) =~ text end, 60_000)

    result
  end

  defp split_opener(line) do
    case Regex.run(~r/^(|.*; )((iex|erl) .*)$/, line) do
      [_, before, command, "iex"] -> {[elixir: command], String.trim_trailing(before, "; ")}
      [_, before, command, "erl"] -> {[erlang: command], String.trim_trailing(before, "; ")}
      nil -> {[], line}
    end
  end

  # "From `erl -name erl@127.0.0.1`:"
  defp find_opener(walk, prose) do
    found = Regex.scan(~r/`((?:iex|erl) -[^`]+)`/, prose, capture: :all_but_first)

    openers =
      for [command] <- found, into: %{}, do: {if(command =~ ~r/^iex/, do: :elixir, else: :erlang), command}

    %{walk | openers: Map.merge(walk.openers, openers)}
  end

  # --- Shells ---

  defp ask(walk, block, kind, input) do
    {walk, shell} = shell(walk, block, kind)
    {output, 0} = Shell.run(shell, input)

    if failed?(output),
      do: fail(walk, block, "#{input}\nfails:\n#{output}"),
      else: {walk, output}
  end

  # What a process that crashes has logged is no failure of who has asked.
  defp failed?(output) do
    output
    |> String.split("\n")
    |> then(&Enum.zip(["" | &1], &1))
    |> Enum.any?(fn {before, line} -> line =~ ~r/^\*\* / and not (before =~ "[error]") end)
  end

  defp shell(%{shells: shells} = walk, _block, kind) when is_map_key(shells, kind), do: {walk, shells[kind]}

  defp shell(walk, block, kind) do
    command = if kind == :sh, do: "bash", else: walk.openers[kind]
    unless command, do: fail(walk, block, "no block before it has started such a shell")
    shell = Shell.start(kind, command, walk.environment)
    Process.put(:shells, [shell | Process.get(:shells, [])])
    # What a terminal has started ends with it.
    if kind == :sh, do: Shell.run(shell, "trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT")
    # It greets first.
    unless kind == :sh, do: Shell.run(shell, "")
    {%{walk | shells: Map.put(walk.shells, kind, shell)}, shell}
  end

  # --- Comparing ---

  defp compare(walk, block), do: compare(walk, block, "it", Enum.join(block.code, "\n"))

  defp compare(walk, block, input, shown) do
    if Pattern.found?(shown, walk.output, block.marks["varies"]),
      do: walk,
      else: fail(walk, block, "#{input}\nshows\n#{shown}\n--- but puts out\n#{walk.output}---")
  end

  # The node that scenarios are for, where the page has not started it.
  defp with_node(%{shells: %{sh: _}} = walk, _block), do: walk

  defp with_node(walk, block) do
    {walk, shell} = shell(walk, block, :sh)
    {_, 0} = run_command(shell, "elixir --name app@127.0.0.1 tests/demo.exs app >build/app.log 2>&1 &")
    walk
  end

  defp written(walk, name, block) do
    path = Path.join(Map.fetch!(Map.new(walk.environment), "HOME"), name)
    File.write!(path, Enum.join(block.code, "\n"))
    path
  end

  defp check(walk, block, command) do
    {walk, shell} = shell(walk, block, :sh)

    case Shell.run(shell, command) do
      {_output, 0} -> count(walk, :read)
      {output, status} -> fail(walk, block, "#{command}\nends with status #{status}:\n#{output}")
    end
  end

  defp count(walk, what), do: %{walk | counts: Map.update(walk.counts, what, 1, &(&1 + 1))}

  @spec fail(%__MODULE__{}, map, String.t()) :: no_return
  defp fail(walk, block, text), do: raise(Failure, "#{walk.page.path}:#{block.line}: #{text}")
end
