defmodule Slow do
  @moduledoc """
  A server that is slow for a reason that is asked for, and how each reason is brought about from beside it. For plain
  nodes (`Peer.start_server/3`).
  """
  use GenServer

  @impl true
  def init(words), do: {:ok, heap(words)}

  defp heap([]), do: []
  defp heap(words), do: Enum.to_list(1..div(words, 2)//1)

  @impl true
  def handle_call(:get, _from, state), do: {:reply, :ok, state}

  def handle_call({:sleep, ms}, _from, state) do
    Process.sleep(ms)
    {:reply, :ok, state}
  end

  def handle_call({:burn, ms}, _from, state) do
    burn(now() + ms)
    {:reply, :ok, state}
  end

  # A built-in function that does not give its scheduler back, as a bad NIF.
  def handle_call({:block, ms}, _from, state) do
    :erts_debug.set_internal_state(:block, ms)
    {:reply, :ok, state}
  end

  def handle_call({:grow, words}, _from, _state), do: {:reply, :ok, heap(words)}

  # Answers later, and keeps nobody else waiting.
  def handle_call({:late, ms}, from, state) do
    Process.send_after(self(), {:reply, from}, ms)
    {:noreply, state}
  end

  @impl true
  def handle_info({:reply, from}, state) do
    GenServer.reply(from, :ok)
    {:noreply, state}
  end

  def handle_info({:work, loops}, state) do
    Enum.each(1..loops, fn _ -> :ok end)
    {:noreply, state}
  end

  # To a process whose node may take nothing.
  def handle_info({:tell, pid, bytes}, state) do
    send(pid, :binary.copy(<<0>>, bytes))
    {:noreply, state}
  end

  def handle_info(_, state), do: {:noreply, state}

  defp now, do: System.monotonic_time(:millisecond)

  # Has something to do at each look at the time.
  def burn(until) do
    if now() < until do
      Enum.sum(1..50)
      burn(until)
    end
  end

  @doc "Blocks schedulers on demand from now on."
  def allow_blocking, do: :erts_debug.set_internal_state(:available_internal_state, true)

  @doc "Suspends a process for so long."
  def suspend(pid, ms) do
    timed(fn ->
      true = :erlang.suspend_process(pid)
      Process.sleep(ms)
      true = :erlang.resume_process(pid)
    end)
  end

  @doc "Sends a process messages that each take it a moment."
  def flood(pid, count, loops) do
    for _ <- 1..count, do: send(pid, {:work, loops})
    :ok
  end

  @doc "Has it send another process so many messages of so many bytes."
  def tell(pid, to, count, bytes) do
    for _ <- 1..count, do: send(pid, {:tell, to, bytes})
    :ok
  end

  @doc "So many processes that always have something to do, for so long."
  def crowd(count, ms) do
    timed(fn ->
      burners = for _ <- 1..count, do: spawn(fn -> spin([]) end)
      Process.sleep(ms)
      for pid <- burners, do: Process.exit(pid, :kill)
    end)
  end

  # Each turn of it takes milliseconds, as what it calls takes long for one reduction. What that gives is used, or it would
  # not be called.
  defp spin(digits), do: spin(:erlang.float_to_list(1.0e-7 * length(digits)))

  # The same as faults that are applied: each gives how long it went on, in ms.

  def ask(pid, request), do: timed(fn -> :ok = GenServer.call(pid, request, 60_000) end)
  def collect(pid), do: timed(fn -> :erlang.garbage_collect(pid) end)

  def drain(pid, count, loops) do
    timed(fn ->
      flood(pid, count, loops)
      :ok = GenServer.call(pid, :get, 60_000)
    end)
  end

  @doc "Stops another node for so long, by the number of its process."
  def stop(os_pid, ms) do
    timed(fn -> :os.cmd(~c"kill -STOP #{os_pid}; sleep #{ms / 1000}; kill -CONT #{os_pid}") end)
  end

  @doc "The same, while a process sends one of that node more than its connection holds."
  def stop_and_tell(os_pid, pid, to, count, bytes, ms) do
    timed(fn ->
      :os.cmd(~c"kill -STOP #{os_pid}")
      tell(pid, to, count, bytes)
      Process.sleep(ms)
      :os.cmd(~c"kill -CONT #{os_pid}")
    end)
  end

  defp timed(fun) do
    {us, _} = :timer.tc(fun)
    div(us, 1_000)
  end

  @doc "What a node must not have more of: processes that were spawned for us, monitors, tracers, atoms."
  def left do
    %{
      ours: Enum.filter(Process.list(), &ours?/1),
      system_monitor: :erlang.system_monitor(),
      traced: Enum.reject(Process.list(), &(:erlang.trace_info(&1, :flags) in [{:flags, []}, :undefined])),
      atoms: atoms()
    }
  end

  # What the node itself does, such as to connect again, is none of ours.
  defp ours?(pid) do
    info = Process.info(pid, [:initial_call, :dictionary]) || [initial_call: nil, dictionary: []]
    info[:initial_call] in [{:erpc, :execute_call, 4}, {:erl_eval, :exprs, 2}] or List.keymember?(info[:dictionary], :"$harnessd", 0)
  end

  # How many there are, and the last ones that were made: each has a number.
  defp atoms do
    count = :erlang.system_info(:atom_count)
    {count, for(number <- (count - 8)..(count - 1), do: :erlang.binary_to_term(<<131, 75, number::24>>))}
  end
end
