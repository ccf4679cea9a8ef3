defmodule Peer do
  @moduledoc """
  A BEAM node of its own beside the test node. We talk to it over its standard input and output, so that it
  is connected to nobody unless the test connects it.
  """
  defstruct [:control, :node, :options]

  @doc """
  Starts a node that ends with the test.

    * `name`: the part before the `@`; unique by default. `nil` starts a node without a name
    * `host`, `longnames`: `127.0.0.1` and `true`
    * `cookie`: the test node's
    * `elixir`: whether Elixir is on its code path (`true`)
    * `arguments`: more arguments of `erl`
    * `env`: more of its environment
    * `tls`: whether it speaks TLS (where the tests are over TLS), or the optfile that it does so with
  """
  def start(options \\ []) do
    peer = start_unsupervised(options)
    ExUnit.Callbacks.on_exit(fn -> stop(peer) end)
    peer
  end

  @doc "The same for code that is no test."
  def start_unsupervised(options \\ []) do
    options = Keyword.put_new_lazy(options, :name, fn -> unique("peer") end)
    name = Keyword.fetch!(options, :name)

    base = %{
      connection: :standard_io,
      wait_boot: 60_000,
      args: Enum.map(arguments(options), &to_charlist/1),
      env: for({key, value} <- Keyword.get(options, :env, []), do: {to_charlist(key), to_charlist(value)})
    }

    named = %{
      name: name && to_charlist(name),
      host: to_charlist(Keyword.get(options, :host, "127.0.0.1")),
      longnames: Keyword.get(options, :longnames, true)
    }

    peer =
      case :peer.start(if(name, do: Map.merge(base, named), else: base)) do
        {:ok, control, node} -> %__MODULE__{control: control, node: node, options: options}
        {:ok, control} -> %__MODULE__{control: control, options: options}
      end

    if Keyword.get(options, :tls, Tls.on?()), do: load_tls(peer)
    peer
  end

  # What a node would load at its first connection takes longer than tests have their operations wait.
  defp load_tls(peer) do
    modules = for application <- [:crypto, :public_key, :ssl], _ = Application.load(application), module <- Application.spec(application, :modules), do: module
    call(peer, :code, :ensure_modules_loaded, [modules])
  end

  defp arguments(options) do
    cookie = Keyword.get_lazy(options, :cookie, fn -> Atom.to_string(Node.get_cookie()) end)

    paths =
      if Keyword.get(options, :elixir, true),
        do: ["-pa" | Enum.map([:elixir, :logger], &Application.app_dir(&1, "ebin"))],
        else: []

    # A crash report of a subject would go to standard output, which is ours to talk over.
    ["-setcookie", cookie, "-kernel", "logger_level", "none", "-start_epmd", "false"] ++
      paths ++ over(Keyword.get(options, :tls, Tls.on?()), Enum.map(Keyword.get(options, :arguments, []), &to_string/1))
  end

  # What it speaks over; an argument may say that its addresses are those of IPv6.
  defp over(false, arguments), do: arguments
  defp over(true, arguments), do: over(Tls.optfile(), arguments)

  defp over(optfile, arguments) do
    if "inet6_tcp" in arguments,
      do: Enum.map(arguments, &if(&1 == "inet6_tcp", do: "inet6_tls", else: &1)) ++ ["-ssl_dist_optfile", optfile],
      else: Tls.arguments(optfile) ++ arguments
  end

  def unique(prefix), do: "#{prefix}_#{System.pid()}_#{System.unique_integer([:positive])}"

  @doc "Calls a function there, without any distribution."
  def call(%__MODULE__{control: control}, module, function, arguments, timeout \\ 60_000),
    do: :peer.call(control, module, function, arguments, timeout)

  @doc "Loads a module of tests/cluster/support there."
  def load(peer, module) do
    {:module, ^module} = call(peer, :code, :load_binary, [module, ~c"in memory", Support.binary(module)])

    :ok
  end

  @doc "Starts a server there; the modules of support are loaded when needed. The server is linked to nobody."
  def start_server(peer, module, argument \\ [], options \\ []) do
    load(peer, module)
    {:ok, pid} = call(peer, :gen_server, :start, [module, argument, options])
    pid
  end

  @doc "Starts a server with a registered name there."
  def start_named(peer, module, name, argument \\ []) do
    load(peer, module)
    {:ok, pid} = call(peer, :gen_server, :start, [{:local, name}, module, argument, []])
    pid
  end

  @doc "Kills the node's process with SIGKILL and waits for its end."
  def kill(%__MODULE__{control: control} = peer) do
    monitor = Process.monitor(control)
    os_pid = call(peer, :os, :getpid, [])
    System.cmd("kill", ["-9", to_string(os_pid)])

    receive do
      {:DOWN, ^monitor, :process, _, _} -> :ok
    after
      10_000 -> raise "#{inspect(peer.node)} does not die"
    end
  end

  @doc "Stops the node; it may have ended already."
  def stop(%__MODULE__{control: control}) do
    :peer.stop(control)
  catch
    :exit, _ -> :ok
  end

  @doc "Starts a node with the same name and options again."
  def restart(%__MODULE__{options: options}), do: start(options)
end
