defmodule InfoTest do
  @moduledoc "Many callers at once on one connection."
  use ClusterCase, shared: true

  @callers 200
  @seconds 10

  test "200 processes call info() while a run goes on: every answer right, none lost", context do
    %{harness: harness, peer: peer} = context
    target = Peer.start_server(peer, Subject)
    test = self()

    # A run that lasts until its last operation is answered, which is when the callers are done.
    scenario = %{
      target: target,
      threads: [
        [{:tell, test, :begun}] | for(thread <- 1..20, do: for(step <- 1..2_000, do: {:echo, {thread, step}}))
      ],
      timeout_ms: 60_000,
      call_timeout_ms: 60_000
    }

    run = start_run(harness, scenario)
    assert_receive {:told, _, from, :begun}, 10_000
    deadline = System.monotonic_time(:millisecond) + @seconds * 1_000

    callers =
      for caller <- 1..@callers, do: Task.async(fn -> call_until(deadline, harness.node, caller, 0) end)

    counts = Task.await_many(callers, 60_000)
    assert running(harness) == 1
    GenServer.reply(from, :done)

    assert {:ok, report} = Task.await(run, 60_000)
    assert [[{:ok, :done}] | echoes] = results(report)

    for {thread, results} <- Enum.zip(1..20, echoes),
        {step, result} <- Enum.zip(1..2_000, results),
        do: assert(result == {:ok, {thread, step}})

    # Nobody starved, and nothing is left over in anybody's mailbox (checked by each caller).
    assert Enum.min(counts) > 0
  end

  # Each caller asks in turn in every way; what it asks with a value of its own has to come back with it.
  defp call_until(deadline, node, caller, count) do
    if System.monotonic_time(:millisecond) >= deadline do
      receive do
        message -> flunk("a stray message: #{inspect(message)}")
      after
        0 -> count
      end
    else
      case rem(count, 3) do
        0 -> assert %{node: ^node, version: _} = :erpc.call(node, :harness, :info, [], 30_000)
        1 -> assert %{node: ^node, version: _} = GenServer.call({:harness, node}, :info, 30_000)
        2 -> assert_own(node, {caller, count})
      end

      call_until(deadline, node, caller, count + 1)
    end
  end

  defp assert_own(node, value) do
    scenario = %{target: :nobody, threads: [[{:echo, value}]], metadata: %{value: value}}
    assert {:ok, normalised} = :erpc.call(node, :harness, :validate, [scenario], 30_000)
    assert normalised.metadata.value == value
  end
end
