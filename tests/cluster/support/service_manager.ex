defmodule ServiceManager do
  @moduledoc "What systemd is to a service: a socket that it is told things at (sd_notify(3))."
  defstruct [:socket, :path]

  def start do
    path = Path.join(Support.temporary_folder(), "notify")
    {:ok, socket} = :socket.open(:local, :dgram)
    :ok = :socket.bind(socket, %{family: :local, path: path})
    ExUnit.Callbacks.on_exit(fn -> :socket.close(socket) end)
    %__MODULE__{socket: socket, path: path}
  end

  def env(%__MODULE__{path: path}), do: [{"NOTIFY_SOCKET", path}]

  @doc "Lets nobody tell anything until it reads."
  def fill(%__MODULE__{path: path}) do
    {:ok, socket} = :socket.open(:local, :dgram)
    fill(socket, %{family: :local, path: path})
    :socket.close(socket)
  end

  defp fill(socket, address) do
    case :socket.sendto(socket, "FILLED=1", address, :nowait) do
      :ok -> fill(socket, address)
      {:select, _} -> :ok
    end
  end

  @doc "The next thing that is told, as a map of its assignments."
  def next(%__MODULE__{socket: socket}, timeout \\ 10_000) do
    with {:ok, text} <- :socket.recv(socket, 0, timeout) do
      for line <- String.split(text, "\n", trim: true),
          [key, value] = String.split(line, "=", parts: 2),
          into: %{},
          do: {key, value}
    end
  end

  @doc "The next one that has the key; all before it are dropped."
  def next_with(manager, key, timeout \\ 10_000) do
    case next(manager, timeout) do
      %{^key => _} = told -> told
      %{} -> next_with(manager, key, timeout)
      error -> ExUnit.Assertions.flunk("waited in vain for #{key}: #{inspect(error)}")
    end
  end
end
