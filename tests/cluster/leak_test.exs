defmodule LeakTest do
  @moduledoc "Many runs leave nothing behind, neither on their caller's node nor in the daemon."
  use ClusterCase

  # Reports are kept, so that what is allocated is judged late, by its growth in the last runs; what the daemon forgets
  # altogether is found by the leak sanitizer at its end.
  @last_runs 200
  @growth 4_000_000

  @callers 50

  test "a thousand runs in a row, then fifty at once" do
    harness = Harness.start(config: %{"log" => %{"level" => "info"}, "http" => %{"listen" => "127.0.0.1:0"}})
    peer = Peer.start(arguments: ["-hidden"])
    for module <- [Census, Subject], do: Peer.load(peer, module)
    caller = Peer.call(peer, Census, :start_caller, [harness.node])
    make = fn count -> Peer.call(peer, Census, :make, [caller, count], 120_000) end
    make_at_once = fn -> Peer.call(peer, Census, :make_at_once, [harness.node, @callers], 120_000) end

    # What a node needs once, such as connections and modules.
    make.(20)
    make_at_once.()
    before = settled(peer, caller)
    atoms = atoms(peer)
    descriptors = descriptors(harness)

    make.(1_000 - 20 - @last_runs)
    memory = Harness.allocated(harness)
    make.(@last_runs)
    growth = Harness.allocated(harness) - memory
    IO.puts("\nthe daemon grew by #{growth} bytes in the last #{@last_runs} of 1000 runs, from #{memory}")
    assert growth < @growth
    assert_same(peer, caller, before)
    assert atoms(peer) == atoms

    make_at_once.()
    make_at_once.()
    assert_same(peer, caller, before)
    assert atoms(peer) == atoms
    # A run is freed, its timer with it, a moment after it was answered.
    Wait.until(fn -> "#{inspect(descriptors)}, but there is #{inspect(descriptors(harness))}" end, fn ->
      descriptors(harness) == descriptors
    end)

    assert Harness.allocated(harness) - memory < 2 * @growth
    assert %{runs: 0} = Harness.assert_alive(harness)
  end

  defp assert_same(peer, caller, before) do
    take = fn -> Peer.call(peer, Census, :take, [caller]) end
    Wait.until(fn -> "#{inspect(before)}, but there is #{inspect(take.())}" end, fn -> take.() == before end)
  end

  # A session ends a moment after its run.
  defp settled(peer, caller) do
    take = fn -> Peer.call(peer, Census, :take, [caller]) end

    Wait.until("what is there to stay", fn ->
      first = take.()
      Process.sleep(200)
      if take.() == first, do: first
    end)
  end

  defp atoms(peer), do: Peer.call(peer, :erlang, :system_info, [:atom_count])

  # Of which kinds they are.
  defp descriptors(%Harness{process: process}) do
    folder = "/proc/#{OsProcess.os_pid(process)}/fd"

    Enum.sort(
      for name <- File.ls!(folder), {:ok, link} <- [File.read_link(Path.join(folder, name))], do: kind(link)
    )
  end

  # "socket:[4711]" is a socket, "anon_inode:[timerfd]" a timer.
  defp kind(link), do: String.replace(link, ~r/\d+/, "")
end
