defmodule Crowd do
  @moduledoc "Asks many times at once, on its node."

  @doc "For scenarios of so many operations each, which are made there."
  def validate(harness, count, operations) do
    scenario = %{target: {:nobody, node()}, threads: [List.duplicate(:get, operations)]}
    ask(harness, :validate, List.duplicate([scenario], count))
  end

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
