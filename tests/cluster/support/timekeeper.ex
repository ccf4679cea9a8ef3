defmodule Timekeeper do
  @moduledoc """
  A server that knows when it was there, by the clock of its own node (microseconds of the system, which nodes of one
  host share): when it last wrote down that it lives, when it first did some work, and for how long it did none at most.
  It is registered by its name, and runs on nodes that have none of our code.
  """
  use GenServer

  @doc "Starts it, linked to nobody; `file` is where another process of its node writes the time, each millisecond."
  def start(name, file) do
    spawn(fn -> beat(elem(:file.open(file, [:write, :raw]), 1)) end)
    {:ok, pid} = :gen_server.start({:local, name}, __MODULE__, [], [])
    pid
  end

  def now, do: :os.system_time(:microsecond)

  @doc "When the node of that file has last lived."
  def last_alive(file), do: file |> File.read!() |> String.trim() |> String.to_integer()

  defp beat(file) do
    :ok = :file.pwrite(file, 0, :erlang.integer_to_binary(now()))

    receive do
    after
      1 -> beat(file)
    end
  end

  @impl true
  def init(_), do: {:ok, %{first: nil, last: nil, idle: 0}}

  @impl true
  def handle_call(:times, _from, times), do: {:reply, times, times}
  def handle_call(:work, _from, times), do: {:reply, :done, worked(times)}
  def handle_call(:never, _from, times), do: {:noreply, times}

  # What another server does; when that does not, nobody is answered.
  def handle_call({:ask, server}, _from, times) do
    {:reply, :gen_server.call(server, :work, 300), times}
  catch
    :exit, _ -> {:noreply, times}
  end

  @impl true
  def handle_info(_late, times), do: {:noreply, times}

  defp worked(%{first: first, last: last, idle: idle}) do
    now = now()
    %{first: first || now, last: now, idle: max(idle, now - (last || now))}
  end
end
