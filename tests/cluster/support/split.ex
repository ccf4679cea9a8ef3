defmodule Split do
  @moduledoc "Visible nodes that know each other, beside the tests, which none of them is connected to (`Peer.load/2`)."

  @doc "Connects each node to all others."
  def join(nodes), do: for(node <- nodes, node != node(), do: {node, :net_kernel.connect_node(node)})

  @doc "The visible nodes that this one is connected to, of those named."
  def neighbours(nodes), do: Enum.sort(for node <- Node.list(), node in nodes, do: node)

  @doc "The processes that have nodes kept apart."
  def guardians, do: marked(:guardian)

  @doc "The processes of a kind that the daemon has here."
  def marked(kind) do
    for pid <- Process.list(),
        {:dictionary, dictionary} <- [:erlang.process_info(pid, :dictionary)],
        :proplists.get_value(:"$harnessd", dictionary, nil) == kind,
        do: pid
  end

  @doc "Whether `global` does nothing here."
  def held_up?, do: Process.info(Process.whereis(:global_name_server), :status) == {:status, :suspended}

  @doc "A guardian that answers nobody: who wants nodes kept apart waits for it."
  def start_deaf_guardian do
    guardian = spawn(fn -> Process.sleep(:infinity) end)
    Process.register(guardian, :harnessd_guardian)
    guardian
  end

  @doc "Sends to a node until nothing more is taken; who sends then waits."
  def fill(node) do
    sender = spawn(fn -> for _ <- 1..1_000, do: send({:nobody, node}, :binary.copy("x", 1_000_000)) end)
    await_busy(sender)
    sender
  end

  defp await_busy(sender) do
    case Process.info(sender, :status) do
      {:status, :suspended} -> :ok
      {:status, _} -> await_busy(sender)
    end
  end

  @doc "Tries to reach another node again and again, as any message would."
  def start_trying(node), do: spawn(fn -> try_on(node) end)

  defp try_on(node) do
    :net_kernel.connect_node(node)
    Process.sleep(5)
    try_on(node)
  end
end
