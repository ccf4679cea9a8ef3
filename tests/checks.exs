# What interop.exs and mixed.exs share: checks that are told of one by one, and waits for what is to come.

defmodule Checks do
  # In a process of its own, with which the servers of the check end.
  def check(name, check) do
    {pid, ref} = spawn_monitor(fn -> {Process.flag(:trap_exit, true), check.(), exit(:shutdown)} end)

    receive do
      {:DOWN, ^ref, _, _, :shutdown} -> IO.puts("passed: #{name}")
      {:DOWN, ^ref, _, _, reason} -> failed(name, Exception.format_exit(reason))
    after
      60_000 -> failed(name, inspect(Process.info(pid, [:current_stacktrace, :messages])))
    end
  end

  defp failed(name, text), do: Process.put(:failed, IO.puts("FAILED: #{name}: #{text}"))

  def wait(condition, tries \\ 1_600) do
    case condition.() do
      true -> true
      _ when tries > 0 -> Process.sleep(25) && wait(condition, tries - 1)
      other -> exit(other)
    end
  end
end
