defmodule Hooks do
  @moduledoc """
  Hooks and callers for nodes that have nothing else of ours (`Peer.load/2`). A hook that is to be in a state
  tells the test so, with `{:in_state, state, pid}`, and then never returns unless it is released.
  """

  @doc """
  A scenario whose run stays in `state`: `:setup`, `:load` (a call that is not answered), `:custom`,
  `:chaos_wait`, `:invariant` or `:cleanup`. `options`:

    * `server`: the node of the server that setup starts
    * `linked`: whether the server is linked to the session, and the cleanup one of our own, which tells
      `{:cleaned, server}`; otherwise the server is linked to nobody, and the cleanup the default
    * `hook_timeout_ms`
  """
  def scenario(state, test, options) do
    linked = Keyword.fetch!(options, :linked)

    scenario = %{
      setup: {__MODULE__, :setup, [state, test, Keyword.fetch!(options, :server), linked]},
      threads: [script(state, test)],
      mailbox: [sampling_interval: 1],
      chaos: {__MODULE__, :chaos, [state, test]},
      invariant: {__MODULE__, :invariant, [state, test]},
      hook_timeout_ms: Keyword.fetch!(options, :hook_timeout_ms),
      timeout_ms: 60_000,
      call_timeout_ms: 60_000
    }

    if linked, do: Map.put(scenario, :cleanup, {__MODULE__, :cleanup, [state, test]}), else: scenario
  end

  defp script(:load, test), do: [{:tell, test, :in_load}]
  defp script(:custom, test), do: [{:custom, fn _ -> stay(:custom, test) end}]
  defp script(_, test), do: [{:echo, 1}, {:custom, fn _ -> send(test, {:last_operation, self()}) end}]

  def setup(state, test, node, linked) do
    {:ok, server} = :erpc.call(node, :gen_server, :start, [StubbornSubject, {state, test}, []])
    if linked, do: Process.link(server)
    # What a setup starts beside its server.
    spawn_link(fn -> Process.sleep(:infinity) end)
    stay_if(:setup, state, test)
    {:ok, server, %{test: test}}
  end

  def chaos(_subject, _context, state, test), do: stay_if(:chaos_wait, state, test)

  def invariant(_subject, _context, state, test) do
    stay_if(:invariant, state, test)
    :ok
  end

  def cleanup(server, _context, state, test) do
    send(test, {:cleaned, server})
    stay_if(:cleanup, state, test)
    Process.unlink(server)
    Process.exit(server, :kill)
  end

  @doc "A cleanup that tells where it is applied."
  def tell_node(_server, _context, test), do: send(test, {:cleanup_on, node()})

  @doc "Tells for whom a hook acts: `{hook, pid, callers, ancestors}`."
  def lineage(test, hook) do
    send(test, {hook, self(), Process.get(:"$callers"), Process.get(:"$ancestors")})
    :ok
  end

  def tell_lineage(_subject, test, hook), do: lineage(test, hook)
  def tell_lineage(_subject, _context, test, hook), do: lineage(test, hook)

  defp stay_if(state, state, test), do: stay(state, test)
  defp stay_if(_, _, _), do: :ok

  defp stay(state, test) do
    send(test, {:in_state, state, self()})

    receive do
      {:release, ^state} -> :ok
    end
  end

  @doc "Starts a process that runs a scenario, and tells the test what came of it."
  def start_caller(harness, scenario, test) do
    spawn(fn -> send(test, {:result, self(), :erpc.call(harness, :harness, :run, [scenario])}) end)
  end

  @doc "What there is on this node beyond the processes of `known` and the connections of the node."
  def strangers(known) do
    for pid <- Process.list() -- [self() | known],
        info = Process.info(pid, [:current_function, :initial_call, :dictionary, :message_queue_len]),
        not match?({:dist_util, _, _}, info[:current_function]),
        not (:ssl_dist_sup in ancestors(info[:dictionary])),
        do: {pid, info}
  end

  defp ancestors(dictionary), do: dictionary |> List.keyfind(:"$ancestors", 0, {nil, []}) |> elem(1)
end

defmodule StubbornSubject do
  @moduledoc """
  A `Subject` that holds up the default cleanup when that is the state to stay in: it then does not end when
  it is asked to.
  """
  use GenServer

  @impl true
  def init({state, test}) do
    Process.flag(:trap_exit, state == :cleanup)
    {:ok, {state, test}}
  end

  @impl true
  def handle_call({:echo, term}, _from, state), do: {:reply, term, state}

  def handle_call({:tell, pid, _}, _from, state) do
    send(pid, {:in_state, :load, self()})
    {:noreply, state}
  end

  @impl true
  def handle_info({:EXIT, _, :shutdown}, {:cleanup, test} = state) do
    send(test, {:in_state, :cleanup, self()})
    {:noreply, state}
  end

  def handle_info({:EXIT, _, reason}, state), do: {:stop, reason, state}
  def handle_info(_, state), do: {:noreply, state}
end
