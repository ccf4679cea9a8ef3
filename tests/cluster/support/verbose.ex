defmodule Verbose do
  @moduledoc "A custom operation that prints very much, where its run is, and gives what that has answered."

  def print(_, what) do
    leader = Process.group_leader()
    send(leader, {:io_request, self(), :reply, request(what)})
    receive do: ({:io_reply, :reply, answer} -> {node(leader), answer})
  end

  defp request({:requests, count}), do: {:requests, List.duplicate(put("x"), count)}
  defp request({:bytes, count}), do: put(:binary.copy("x", count))
  defp request({:lists, count, element}), do: put(List.duplicate(element, count))
  defp request({:format, count}), do: {:put_chars, :unicode, :io_lib, :format, [~c"~p", [Enum.to_list(1..count)]]}

  defp put(characters), do: {:put_chars, :unicode, characters}
end
