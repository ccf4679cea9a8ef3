defmodule LyingEpmd do
  @moduledoc """
  An epmd that registers whoever asks, and lies about everybody whom it is asked for, each time by another of the lies.
  """
  use GenServer

  @lies [:wrong_port, :no_such, :garbage, :closes, :slow, :extra, :half, :long_name, :negative, :silent]

  def lies, do: @lies

  @doc "Starts one on loopback and gives its port; it ends with the process that asks."
  def start do
    {:ok, pid} = GenServer.start_link(__MODULE__, [])
    GenServer.call(pid, :port)
  end

  @impl true
  def init(_) do
    {:ok, listener} = :gen_tcp.listen(0, [:binary, active: false, reuseaddr: true, ip: {127, 0, 0, 1}, backlog: 1024])
    {:ok, port} = :inet.port(listener)
    spawn_link(fn -> accept(listener, 0) end)
    {:ok, port}
  end

  @impl true
  def handle_call(:port, _from, port), do: {:reply, port, port}

  defp accept(listener, count) do
    {:ok, socket} = :gen_tcp.accept(listener)

    pid =
      spawn(fn ->
        receive do
          :go -> serve(socket, Enum.at(@lies, rem(count, length(@lies))))
        end
      end)

    :ok = :gen_tcp.controlling_process(socket, pid)
    send(pid, :go)
    accept(listener, count + 1)
  end

  defp serve(socket, lie) do
    with {:ok, <<size::16>>} <- :gen_tcp.recv(socket, 2, 10_000),
         {:ok, <<kind, _::binary>>} <- :gen_tcp.recv(socket, size, 10_000) do
      answer(socket, kind, lie)
    end
  end

  # A registration lasts as long as its connection.
  defp answer(socket, ?x, _) do
    :gen_tcp.send(socket, <<?v, 0, 77::32>>)
    :gen_tcp.recv(socket, 0)
  end

  defp answer(socket, _, :slow) do
    for <<byte <- found(1)>> do
      :gen_tcp.send(socket, <<byte>>)
      Process.sleep(50)
    end
  end

  defp answer(socket, _, :silent), do: :gen_tcp.recv(socket, 0, 60_000)
  defp answer(_, _, :closes), do: :ok

  defp answer(socket, _, lie) do
    :gen_tcp.send(socket, said(lie))
    :gen_tcp.close(socket)
  end

  defp said(:wrong_port), do: found(1)
  defp said(:no_such), do: <<119, 1>>
  defp said(:garbage), do: :rand.bytes(200)
  defp said(:extra), do: found(1) <> :rand.bytes(100_000)
  defp said(:half), do: binary_part(found(1), 0, 7)
  defp said(:long_name), do: <<119, 0, 1::16, 77, 0, 6::16, 5::16, 0xFFFF::16, "x">>
  defp said(:negative), do: <<119, 0, 0::16, 77, 0, 0xFFFF::16, 0::16, 0::16, 0xFFFF::16>>

  defp found(port), do: <<119, 0, port::16, 77, 0, 6::16, 5::16, 4::16, "node", 0::16>>
end
