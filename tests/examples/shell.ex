defmodule Examples.Shell do
  @moduledoc """
  A shell as a program beside the tests: what is written to it is read as if it were typed, and what it puts out until
  it has done that is read back. It ends when its input does.
  """
  defstruct port: nil, os_pid: nil, kind: nil

  # A build is one command.
  @longest 300_000
  @patience 10_000

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

  # What processes that crash have logged to the shell is not what was asked for. Keys of maps have no order from OTP 26 on;
  # pages have them in that of their names.
  @first %{
    elixir: "Logger.configure(level: :none); IEx.configure(inspect: [custom_options: [sort_maps: true]])",
    erlang: "logger:set_primary_config(level, none)."
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

    {:os_pid, os_pid} = Port.info(port, :os_pid)
    shell = %__MODULE__{port: port, os_pid: os_pid, kind: kind}
    # It greets first.
    if input = @first[kind], do: run(shell, input)
    shell
  end

  @doc "`{output, status}`; the status of what is no command is 0."
  def run(shell, input) do
    Port.command(shell.port, [input, "\n", @last[shell.kind], "\n"])
    {output, status} = read(shell, "")
    {Regex.replace(@prompts[shell.kind], output, ""), status}
  end

  defp read(%{port: port} = shell, seen) do
    case Regex.run(~r/^(.*?)(?:(?:iex|\.\.\.)\([^)\n]*\)\d*> |\([^)\n]*\)\d+> |:)*example_done ?(\d*)\r?\n/s, seen) do
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

  @exit %{sh: "exit\n", elixir: "System.halt()\n", erlang: "halt().\n"}

  @doc "Has it end, and waits for that; what hangs is killed. It may have ended already."
  def stop(shell) do
    if Port.info(shell.port) do
      Port.command(shell.port, @exit[shell.kind])
      await_end(shell)
    end
  end

  defp await_end(%{port: port} = shell) do
    receive do
      {^port, {:data, _}} -> await_end(shell)
      {^port, {:exit_status, _}} -> :ok
    after
      @patience ->
        System.cmd("kill", ["-KILL", "#{shell.os_pid}"], stderr_to_stdout: true)
        await_end(shell)
    end
  end
end
