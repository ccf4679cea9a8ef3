defmodule StoppedTest do
  @moduledoc "A call that is made just after a server has stopped finds nobody, as one of `GenServer.call/3` does."
  use ClusterCase, shared: true

  @times 40

  defp reason_of(result) do
    case result do
      {:error, {reason, {GenServer, :call, _}}} -> reason
      {:error, reason} -> reason
      ok -> ok
    end
  end

  # What the last of a script comes to, of a new server each time.
  defp last_results(harness, peer, script) do
    for _ <- 1..@times do
      harness |> run_script(Peer.start_server(peer, Subject), script) |> List.last() |> reason_of()
    end
    |> Enum.frequencies()
  end

  test "each time", %{harness: harness, peer: peer} do
    by_hand =
      for _ <- 1..@times do
        target = Peer.start_server(peer, Subject)
        :stopped = GenServer.call(target, :stop)
        target |> GenServer.call(:get) |> catch_exit() |> elem(0)
      end

    assert Enum.frequencies(by_hand) == %{noproc: @times}
    assert last_results(harness, peer, [:stop, :get]) == %{noproc: @times}
    assert last_results(harness, peer, [:get, {:add, 1}, :stop, {:add, 1}]) == %{noproc: @times}
    assert last_results(harness, peer, [:stop, {:cast, {:add, 1}}]) == %{noproc: @times}
  end

  test "and one that it dies of has its reason", %{harness: harness, peer: peer} do
    assert last_results(harness, peer, [{:crash, :bang}]) == %{bang: @times}
    assert last_results(harness, peer, [:get, :get, {:crash, :bang}]) == %{bang: @times}
    assert last_results(harness, peer, [{:late, 20, 1}, {:crash, :bang}]) == %{bang: @times}
  end
end
