defmodule Recorder do
  @moduledoc """
  A server for generated load: it remembers what it was sent, in that order, and how many calls were open at
  once. It runs on nodes that have none of our code.

    * `{:hold, ms}` and `{:hold, ms, term}` are answered after that time, while others are served
    * `{:work, ms}` is answered after that time, during which nobody else is served
    * `:never` is not answered, `{:crash, reason}` ends the server
    * any other call is answered with `:ok`

  Started with `delay: ms` it takes so long for each message.
  """
  use GenServer

  @doc "Starts one on a node."
  def start(peer, options \\ []), do: Peer.start_server(peer, __MODULE__, options)

  @doc "All that it was sent, as `{kind, message, at_us, open}`; `kind` is `:call`, `:cast` or `:info`."
  def seen(server), do: GenServer.call(server, :recorded, 60_000)

  @doc "The messages alone."
  def messages(server), do: for({_, message, _, _} <- seen(server), do: message)

  @doc "Most calls that were open at once."
  def most_open(server), do: server |> seen() |> Enum.map(&elem(&1, 3)) |> Enum.max(fn -> 0 end)

  @doc "A cleanup that tells the test."
  def cleanup(server, _context, test), do: send(test, {:cleaned, server})

  @doc "A setup that starts one, linked to the session; its context has the given keys."
  def setup(context) do
    {:ok, server} = :gen_server.start_link(__MODULE__, [], [])
    {:ok, server, context}
  end

  @impl true
  def init(options), do: {:ok, %{seen: [], open: 0, delay: Keyword.get(options, :delay, 0)}}

  @impl true
  def handle_call(:recorded, _from, state), do: {:reply, :lists.reverse(state.seen), state}
  def handle_call(:__supertester_sync__, _from, state), do: {:reply, :ok, state}

  def handle_call(message, from, state) do
    state = note(%{state | open: state.open + 1}, :call, message)

    case message do
      {:hold, ms} -> hold(from, ms, state)
      {:hold, ms, _} -> hold(from, ms, state)
      {:work, ms} -> answer(ms, state)
      :never -> {:noreply, state}
      {:crash, reason} -> exit(reason)
      _ -> answer(0, state)
    end
  end

  @impl true
  def handle_cast(message, state), do: {:noreply, note(state, :cast, message)}

  @impl true
  def handle_info({:release, from}, state) do
    :gen_server.reply(from, :ok)
    {:noreply, %{state | open: state.open - 1}}
  end

  def handle_info(message, state), do: {:noreply, note(state, :info, message)}

  defp hold(from, ms, state) do
    :erlang.send_after(ms, self(), {:release, from})
    {:noreply, state}
  end

  defp answer(ms, state) do
    if ms > 0, do: :timer.sleep(ms)
    {:reply, :ok, %{state | open: state.open - 1}}
  end

  defp note(state, kind, message) do
    if state.delay > 0, do: :timer.sleep(state.delay)
    at_us = :erlang.monotonic_time(:microsecond)
    %{state | seen: [{kind, message, at_us, state.open} | state.seen]}
  end
end
