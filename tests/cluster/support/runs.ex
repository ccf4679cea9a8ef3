defmodule Runs do
  @moduledoc "Runs that go on by themselves: starting them, waiting for them, holding them up."
  import ExUnit.Assertions

  @doc "Starts a run from the test node, or from another one."
  def start(harness, scenario, from \\ nil) do
    assert {:ok, id} = call(harness, :start, [scenario], from)
    assert is_integer(id) and id > 0
    id
  end

  def await(harness, id, from \\ nil), do: call(harness, :await, [id], from)
  def status(harness, id), do: Harness.call(harness, :status, [id])
  def state(harness, id), do: status(harness, id).state

  defp call(harness, function, arguments, nil), do: Harness.call(harness, function, arguments)

  defp call(harness, function, arguments, peer),
    do: Peer.call(peer, :erpc, :call, [harness.node, :harness, function, arguments])

  @doc """
  A scenario whose one operation is not answered before `release/1`; `name` tells its call from others.
  """
  def held(target, name, options \\ %{}) do
    Map.merge(
      %{target: target, threads: [[{:tell, self(), name}]], call_timeout_ms: 60_000, timeout_ms: 60_000},
      Map.new(options)
    )
  end

  @doc "Waits until the operation of a held run is under way; what `release/1` takes."
  def await_held(name) do
    assert_receive {:told, _, from, ^name}, 10_000
    from
  end

  def release(from), do: GenServer.reply(from, :released)

  @doc "For a node that has this module: many processes wait for one run, and tell how large its report is."
  def await_sizes(harness_node, id, count) do
    parent = self()

    waiters =
      for _ <- 1..count do
        spawn_monitor(fn ->
          {:ok, report} = :erpc.call(harness_node, :harness, :await, [id])
          send(parent, {:size, :erlang.external_size(report)})
        end)
      end

    for {_, monitor} <- waiters do
      receive do
        {:DOWN, ^monitor, _, _, reason} -> :normal = reason
      end
    end

    for _ <- waiters do
      receive do
        {:size, size} -> size
      end
    end
  end

  @doc "Waits until a run is in a state."
  def await_state(harness, id, state) do
    Wait.until(fn -> "run #{id} to be #{state}, but #{inspect(status(harness, id))}" end, fn ->
      state(harness, id) == state
    end)
  end

  def await_finished(harness, id), do: await_state(harness, id, :finished)
end
