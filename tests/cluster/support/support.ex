defmodule Support do
  @moduledoc "What every other module of this folder may need. run.exs loads them and keeps their code here."

  @doc "The code of a module of this folder, for a node that is to run it."
  def binary(module), do: :persistent_term.get({__MODULE__, module})

  @doc "A folder that is gone when the test ends."
  def temporary_folder do
    folder = Path.join(System.tmp_dir!(), Peer.unique("harnessd_test"))
    File.mkdir_p!(folder)
    ExUnit.Callbacks.on_exit(fn -> File.rm_rf!(folder) end)
    folder
  end
end
