defmodule Split do
  @moduledoc "Visible nodes that know each other, beside the tests, which none of them is connected to (`Peer.load/2`)."

  @doc "Connects each node to all others."
  def join(nodes), do: for(node <- nodes, node != node(), do: {node, :net_kernel.connect_node(node)})

  @doc "The visible nodes that this one is connected to, of those named."
  def neighbours(nodes), do: Enum.sort(for node <- Node.list(), node in nodes, do: node)

  @doc "The processes that have nodes kept apart."
  def guardians do
    for pid <- Process.list(),
        {:dictionary, dictionary} <- [:erlang.process_info(pid, :dictionary)],
        :proplists.get_value(:"$harnessd", dictionary, nil) == :guardian,
        do: pid
  end

  @doc "Tries to reach another node again and again, as any message would."
  def start_trying(node), do: spawn(fn -> try_on(node) end)

  defp try_on(node) do
    :net_kernel.connect_node(node)
    Process.sleep(5)
    try_on(node)
  end
end
