defmodule Once do
  @moduledoc "`harnessd run FILE`, with what it writes to each of its outputs."

  @doc """
  Runs it to its end: `{status, standard output, standard error}`. `connect` is the node, `nil` names none;
  `env` more of its environment.
  """
  def run(file, connect, arguments \\ [], env \\ []) do
    errors = Path.join(System.tmp_dir!(), Peer.unique("harnessd_errors"))
    command = [Harness.executable(), "run", file] ++ connected(connect) ++ arguments
    script = ~s(errors=$1; shift; exec "$@" 2>"$errors")
    {output, status} = System.cmd("/bin/sh", ["-c", script, "sh", errors | command], env: environment(env))
    told = File.read!(errors)
    File.rm!(errors)
    {status, output, told}
  end

  @doc "Starts it in the background; both outputs go to `log`."
  def start(file, connect, log, arguments \\ []) do
    command = [Harness.executable(), "run", file] ++ connected(connect) ++ arguments
    process = OsProcess.start(command, log, environment([]))
    ExUnit.Callbacks.on_exit(fn -> OsProcess.signal(process, "KILL") end)
    process
  end

  @doc "On a terminal: what is seen there, or why there is none."
  def on_terminal(file, connect) do
    command = Enum.map_join([Harness.executable(), "run", file] ++ connected(connect), " ", &"'#{&1}'")
    options = [env: environment([]), stderr_to_stdout: true]
    {seen, status} = System.cmd("script", ["-qec", command, "/dev/null"], options)
    {status, seen}
  end

  defp connected(nil), do: []
  defp connected(node), do: ["--connect", to_string(node) | tls()]

  def tls, do: if(Tls.on?(), do: ["--ssl-dist-optfile", Tls.optfile()], else: [])

  defp environment(more) do
    [
      {"HARNESSD_COOKIE", Atom.to_string(Node.get_cookie())},
      {"ERL_EPMD_PORT", to_string(Epmd.port())} | more
    ]
  end

  @doc "Writes a scenario file and gives its path."
  def file(scenario) do
    folder = Support.temporary_folder()
    {:file, name} = Files.write(folder, scenario)
    Path.join(folder, name <> ".json")
  end
end
