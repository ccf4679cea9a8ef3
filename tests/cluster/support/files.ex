defmodule Files do
  @moduledoc "Scenario files, and the daemons that find them."

  @doc "A daemon with a folder of scenarios; `write/3` puts them there."
  def start(options \\ []) do
    folder = Support.temporary_folder()
    config = Map.merge(%{"scenario_dir" => folder}, Keyword.get(options, :config, %{}))
    {Harness.start(Keyword.put(options, :config, config)), folder}
  end

  @doc "Writes a scenario, text or what becomes JSON, and gives its name as the daemon takes it."
  def write(folder, scenario, name \\ Peer.unique("scenario")) do
    text = if is_binary(scenario), do: scenario, else: Json.encode(scenario)
    File.write!(Path.join(folder, name <> ".json"), text)
    {:file, name}
  end

  def erlang(text), do: %{"erlang" => text}
  def elixir(text), do: %{"elixir" => text}

  @doc "A target as files have it."
  def target(peer, name), do: %{"name" => name, "node" => peer.node}
end
