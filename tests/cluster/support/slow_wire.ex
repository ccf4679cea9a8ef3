defmodule SlowWire do
  @moduledoc """
  A wire that delays: listens on a port of its own, takes what comes to another one on this host, and hands on what each
  side has sent as many milliseconds later as it is told to, in order.
  """

  @doc "To a port; ends with the test. Gives the port that it listens on, and the wire."
  def start(port) do
    {:ok, listener} = :gen_tcp.listen(0, [:binary, active: false, ip: {127, 0, 0, 1}, nodelay: true])
    {:ok, own} = :inet.port(listener)
    delay = :atomics.new(1, [])
    wire = spawn_link(fn -> accept(listener, port, delay) end)
    :ok = :gen_tcp.controlling_process(listener, wire)
    {own, delay}
  end

  @doc "Each way."
  def delay(delay, ms), do: :atomics.put(delay, 1, ms)

  defp accept(listener, port, delay) do
    {:ok, near} = :gen_tcp.accept(listener)
    {:ok, far} = :gen_tcp.connect({127, 0, 0, 1}, port, [:binary, active: false, nodelay: true])
    for {from, to} <- [{near, far}, {far, near}], do: hand_on(from, to, delay)
    accept(listener, port, delay)
  end

  defp hand_on(from, to, delay) do
    pid =
      spawn_link(fn ->
        receive do
          :go -> :inet.setopts(from, active: true)
        end

        relay(to, delay, :queue.new(), now())
      end)

    :ok = :gen_tcp.controlling_process(from, pid)
    send(pid, :go)
  end

  defp relay(to, delay, waiting, last) do
    receive do
      {:tcp, _, data} ->
        due = max(last, now() + :atomics.get(delay, 1) * 1_000)
        relay(to, delay, :queue.in({due, data}, waiting), due)

      {:tcp_closed, _} ->
        for {_, data} <- :queue.to_list(waiting), do: :gen_tcp.send(to, data)
        :gen_tcp.shutdown(to, :write)
    after
      rest_ms(waiting) -> relay(to, delay, send_due(to, waiting), last)
    end
  end

  defp rest_ms(waiting) do
    case :queue.peek(waiting) do
      {:value, {due, _}} -> max(0, div(due - now() + 999, 1_000))
      :empty -> :infinity
    end
  end

  defp send_due(to, waiting) do
    with {:value, {due, data}} <- :queue.peek(waiting), true <- due <= now() do
      _ = :gen_tcp.send(to, data)
      send_due(to, :queue.drop(waiting))
    else
      _ -> waiting
    end
  end

  defp now, do: System.monotonic_time(:microsecond)
end
