defmodule DaysCaller do
  @moduledoc "What callers on a node of their own do; they may lose the connection meanwhile, as another has it cut."
  def run(node, scenario), do: tried(fn -> :erpc.call(node, :harness, :run, [scenario], 30_000) end)
  def info(node), do: tried(fn -> :erpc.call(node, :harness, :info, [], 30_000) end)
  def apply(node, function), do: tried(fn -> :erpc.call(node, :harness, function, [], 30_000) end)

  def subscribe(node) do
    {pid, monitor} =
      spawn_monitor(fn -> tried(fn -> :erpc.call(node, :harness, :subscribe, [:all, self()], 30_000) end) end)

    receive do
      {:DOWN, ^monitor, :process, ^pid, _} -> :ok
    end
  end

  defp tried(fun) do
    fun.()
    :ok
  catch
    _, _ -> :failed
  end
end
