defmodule Subject do
  @moduledoc """
  The server that most scenarios run against: a counter, and whatever a server may do wrong on request. It
  runs on nodes that have none of our code.
  """
  use GenServer

  @impl true
  def init(options), do: {:ok, %{count: 0, options: options}}

  @impl true
  def handle_call(:get, _from, state), do: {:reply, state.count, state}

  def handle_call({:add, number}, _from, state) do
    state = %{state | count: state.count + number}
    {:reply, state.count, state}
  end

  def handle_call({:echo, term}, _from, state), do: {:reply, term, state}
  def handle_call({:crash, reason}, _from, _state), do: exit(reason)
  def handle_call(:raise, _from, _state), do: raise("boom")
  def handle_call(:stop, _from, state), do: {:stop, :normal, :stopped, state}
  def handle_call(:never, _from, state), do: {:noreply, state}

  # Terms that are large or deep, made here: the call that asks for one is neither.
  def handle_call({:make, :bytes, size}, _from, state), do: {:reply, :binary.copy("x", size), state}
  def handle_call({:make, :list, size}, _from, state), do: {:reply, Enum.to_list(1..size), state}
  def handle_call({:make, :deep, depth}, _from, state), do: {:reply, Enum.reduce(1..depth, nil, &{&1, &2}), state}

  def handle_call({:make, :deep_first, depth}, _from, state),
    do: {:reply, Enum.reduce(1..depth, [], fn _, inner -> [inner] end), state}

  def handle_call({:make, :atoms, size}, _from, state) do
    {:reply, {for(i <- 1..40, do: :"atom_that_comes_#{i}"), :binary.copy("x", size)}, state}
  end

  def handle_call({:crash_with, size}, _from, _state), do: exit({:large, :binary.copy("x", size)})

  # Answers late without keeping anybody else waiting.
  def handle_call({:late, milliseconds, term}, from, state) do
    Process.send_after(self(), {:reply, from, term}, milliseconds)
    {:noreply, state}
  end

  # Tells a process of the test that the call has come, and answers when that process says so.
  def handle_call({:tell, pid, term}, from, state) do
    send(pid, {:told, self(), from, term})
    {:noreply, state}
  end

  def handle_call(:__supertester_sync__, _from, state), do: {:reply, :ok, state}
  def handle_call(:other_sync, _from, state), do: {:reply, {:count, state.count}, state}

  @impl true
  def handle_cast({:add, number}, state), do: {:noreply, %{state | count: state.count + number}}
  def handle_cast({:crash, reason}, _state), do: exit(reason)

  @impl true
  def handle_info({:reply, from, term}, state) do
    GenServer.reply(from, term)
    {:noreply, state}
  end
end

defmodule CastOnlySubject do
  @moduledoc "A server without any `handle_call/3` of its own."
  use GenServer

  @impl true
  def init(options), do: {:ok, options}

  @impl true
  def handle_cast(_message, state), do: {:noreply, state}
end

defmodule OneClauseSubject do
  @moduledoc "A server whose `handle_call/3` has no clause for the sync message."
  use GenServer

  @impl true
  def init(options), do: {:ok, options}

  @impl true
  def handle_call(:get, _from, state), do: {:reply, state, state}

  @impl true
  def handle_cast(_message, state), do: {:noreply, state}
end

defmodule NodeWatch do
  @moduledoc "Notes the connections of its node that end."
  use GenServer

  @impl true
  def init(_) do
    :ok = :net_kernel.monitor_nodes(true, node_type: :all)
    {:ok, []}
  end

  @impl true
  def handle_call(:seen, _from, seen), do: {:reply, seen, seen}

  @impl true
  def handle_info({:nodedown, node, _}, seen), do: {:noreply, [node | seen]}
  def handle_info(_, seen), do: {:noreply, seen}
end
