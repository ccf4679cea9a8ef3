defmodule Epmd do
  @moduledoc """
  The epmd of the tests, which listens on a port of its own on loopback, and more of them for tests that
  kill one.
  """

  @doc "The port that every node of the tests uses, unless told otherwise."
  def port, do: String.to_integer(System.fetch_env!("ERL_EPMD_PORT"))

  @doc "Starts an epmd and waits until it answers."
  def start(port, log) do
    process = OsProcess.start([executable(), "-port", "#{port}", "-address", "127.0.0.1,127.0.0.2,::1"], log)
    Wait.until("epmd on port #{port}", fn -> names(port) end)
    process
  end

  def executable do
    System.find_executable("epmd") ||
      Path.join([:code.root_dir(), "erts-#{:erlang.system_info(:version)}", "bin", "epmd"])
  end

  @doc "Kills an epmd and waits for its end."
  def kill(process) do
    OsProcess.signal(process, "KILL")
    OsProcess.await_exit(process)
  end

  @doc "The names registered at the epmd on `port`, or nil when there is none."
  def names(port \\ port()) do
    with {:ok, socket} <- :gen_tcp.connect({127, 0, 0, 1}, port, [:binary, active: false], 2_000),
         :ok <- :gen_tcp.send(socket, <<1::16, ?n>>),
         {:ok, <<_port::32, text::binary>>} <- read_all(socket, "") do
      for ["name", name, "at", "port", _] <- Enum.map(String.split(text, "\n"), &String.split(&1, " ")),
          do: name
    else
      _ -> nil
    end
  end

  def registered?(node, port \\ port()) do
    [name, _host] = String.split(Atom.to_string(node), "@")
    name in (names(port) || [])
  end

  @doc "Registers a node that listens on `listening`; until the socket that this gives is closed."
  def register(name, listening, port \\ port()) do
    request = <<?x, listening::16, 77, 0, 6::16, 5::16, byte_size(name)::16, name::binary, 0::16>>
    {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, port, [:binary, active: false], 2_000)
    :ok = :gen_tcp.send(socket, <<byte_size(request)::16, request::binary>>)
    {:ok, <<tag, 0, _creation::binary>>} = :gen_tcp.recv(socket, 0, 2_000)
    true = tag in [?v, ?y]
    {:ok, socket}
  end

  @doc "A port of loopback that nobody listens on, outside the range that the system gives to connections."
  def free_port do
    port = 20_000 + :rand.uniform(9_999)

    case :gen_tcp.listen(port, ip: {127, 0, 0, 1}) do
      {:ok, socket} ->
        :gen_tcp.close(socket)
        port

      _ ->
        free_port()
    end
  end

  defp read_all(socket, seen) do
    case :gen_tcp.recv(socket, 0, 2_000) do
      {:ok, more} -> read_all(socket, seen <> more)
      {:error, :closed} -> {:ok, seen}
      error -> error
    end
  end
end
