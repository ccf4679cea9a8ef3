defmodule Crowd do
  @moduledoc "Asks many times at once, on its node."
  def ask(harness, function, arguments) do
    arguments
    |> Enum.map(&:erpc.send_request(harness, :harness, function, &1))
    |> Enum.map(fn request ->
      try do
        :erpc.receive_response(request, 60_000)
      catch
        _, reason -> reason
      end
    end)
  end
end
