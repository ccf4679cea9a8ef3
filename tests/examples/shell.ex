defmodule Examples.Shell do
  @moduledoc """
  A shell as a program beside the tests: what is written to it is read as if it were typed, and what it puts out until
  it has done that is read back. It ends when its input does, with all that it has started.
  """
  defstruct port: nil, kind: nil

  @longest 120_000

  # What each is asked then, which puts out a line that nothing else does.
  @last %{
    sh: ~S[__status=$?; echo "example_done $__status"; (exit $__status)],
    elixir: ":example_done",
    erlang: "example_done."
  }

  @prompts %{
    sh: ~r/(?!)/,
    elixir: ~r/^(?:(?:iex|\.\.\.)\([^)]*\)\d*> ?)+/m,
    erlang: ~r/^(?:(?:\([^)]*\))?\d+> ?)+/m
  }

  @doc "`command` is that which a page has it started by."
  def start(kind, command, environment) do
    port =
      Port.open({:spawn_executable, "/bin/sh"}, [
        :binary,
        :exit_status,
        :stderr_to_stdout,
        args: ["-c", "exec #{command}"],
        env: for({key, value} <- environment, do: {to_charlist(key), to_charlist(value)})
      ])

    %__MODULE__{port: port, kind: kind}
  end

  @doc "`{output, status}`; the status of what is no command is 0."
  def run(shell, input) do
    Port.command(shell.port, [input, "\n", @last[shell.kind], "\n"])
    {output, status} = read(shell, "")
    {Regex.replace(@prompts[shell.kind], output, ""), status}
  end

  defp read(%{port: port} = shell, seen) do
    case Regex.run(~r/^(.*?)[^\n]*example_done ?(\d*)\r?\n/s, seen) do
      [_, output, status] ->
        {output, if(status == "", do: 0, else: String.to_integer(status))}

      nil ->
        receive do
          {^port, {:data, more}} -> read(shell, seen <> more)
          {^port, {:exit_status, status}} -> raise "the shell has ended with status #{status}:\n#{seen}"
        after
          @longest -> raise "the shell does not come back:\n#{seen}"
        end
    end
  end

  @doc "Has it end, and waits for that."
  def stop(shell) do
    Port.command(shell.port, Map.fetch!(%{sh: "exit\n", elixir: "System.halt()\n", erlang: "halt().\n"}, shell.kind))
    await_end(shell.port)
  end

  defp await_end(port) do
    receive do
      {^port, {:data, _}} -> await_end(port)
      {^port, {:exit_status, _}} -> :ok
    after
      @longest -> raise "the shell does not end"
    end
  end
end
