defmodule Harness do
  @moduledoc """
  The daemon under test, as a process of the system with a name, a cookie file and a configuration of its
  own. It is stopped with SIGTERM when the test ends, and has to end with status 0 and without a word from a
  sanitizer.
  """
  defstruct [:node, :port, :process, :folder, :log, :config]

  @findings ["ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "Assertion"]

  @doc """
  Starts a daemon that ends with the test and waits until it is ready.

    * `config`: configuration on top of what every daemon of the tests has
    * `node`: its name; unique by default
    * `cookie`: the test node's by default
    * `arguments`: more arguments; `env`: more of its environment
    * `wrap`: a command in front of it, which becomes the daemon; `log`: the file that it writes to, where that is not
      its standard error
    * `ready`: `false` does not wait
    * `tls`: whether it speaks TLS with what all have; so it does where the tests are over TLS
  """
  def start(options \\ []) do
    folder = Support.temporary_folder()
    node = Keyword.get_lazy(options, :node, fn -> unique_node() end)
    cookie = Keyword.get_lazy(options, :cookie, fn -> Atom.to_string(Node.get_cookie()) end)
    cookie_file = Path.join(folder, "cookie")
    write_secret(cookie_file, cookie)

    config =
      merge(
        %{
          "node" => Map.merge(%{"name" => Atom.to_string(node), "cookie_file" => cookie_file}, tls(options)),
          "epmd" => %{"port" => Epmd.port(), "start" => false},
          "http" => %{"listen" => ""},
          "log" => %{"level" => "debug"}
        },
        Keyword.get(options, :config, %{})
      )

    harness = launch(%__MODULE__{node: node, folder: folder, config: drop_empty(config)}, options)
    if Keyword.get(options, :ready, true), do: await_ready(harness), else: harness
  end

  defp tls(options), do: if(Keyword.get(options, :tls, Tls.on?()), do: Tls.config(), else: %{})

  def unique_node, do: String.to_atom(Peer.unique("harness") <> "@127.0.0.1")

  @doc "Starts a stopped or killed daemon again with the same name and configuration."
  def restart(%__MODULE__{} = harness, options \\ []) do
    await_ready(launch(harness, options))
  end

  @doc """
  Changes the configuration of a daemon that runs: writes the file (text as it is, else on top of what it has),
  sends SIGHUP, and waits until it was read. Gives what was logged from then on.
  """
  def reload(%__MODULE__{} = harness, config) do
    text = if is_binary(config), do: config, else: Json.encode(drop_empty(merge(harness.config, config)))
    File.write!(config_file(harness), text)
    before = byte_size(log(harness))
    OsProcess.signal(harness.process, "HUP")

    Wait.until("the configuration to be read again", fn ->
      new = log(harness) |> binary_part_from(before)
      new =~ ~r/configuration (is not )?reloaded.*\n/ and new
    end)
  end

  defp binary_part_from(binary, start), do: binary_part(binary, start, byte_size(binary) - start)

  defp config_file(harness), do: Path.join(harness.folder, "harnessd.json")

  defp launch(harness, options) do
    file = config_file(harness)
    File.write!(file, Json.encode(harness.config))
    written = Path.join(harness.folder, "log-#{System.unique_integer([:positive])}")
    arguments = Keyword.get(options, :arguments, [])
    env = [{"HARNESSD_COOKIE", nil} | Keyword.get(options, :env, [])]
    command = Keyword.get(options, :wrap, []) ++ [executable(), "--config", file | arguments]
    process = OsProcess.start(command, written, env)
    harness = %{harness | process: process, log: Keyword.get(options, :log, written)}
    ExUnit.Callbacks.on_exit({__MODULE__, process}, fn -> stop(harness) end)
    harness
  end

  @doc "A command in front of another: a shell that becomes it when it has done `commands`."
  def after_commands(commands), do: ["/bin/sh", "-c", commands <> "\nexec \"$@\"", "sh"]

  def executable, do: System.fetch_env!("HARNESSD")

  defp await_ready(harness) do
    [_, node, port] = wait_for_log(harness, ~r/ready node=(\S+) port=(\d+)/, 30_000)
    %{harness | node: String.to_atom(node), port: String.to_integer(port)}
  end

  @doc "Stops the daemon with SIGTERM, unless it has ended, and checks how it ended."
  def stop(%__MODULE__{process: process} = harness) do
    unless Process.alive?(process) and OsProcess.ended?(process) do
      OsProcess.signal(process, "TERM")
      status = OsProcess.await_exit(process, 60_000)
      unless status == 0, do: failed(harness, "the daemon ended with status #{status}")
    end

    check_log(harness)
  end

  @doc "Sends SIGTERM; the end is checked when the test ends, or with `await_exit/1`."
  def terminate(%__MODULE__{process: process}), do: OsProcess.signal(process, "TERM")

  def await_exit(%__MODULE__{process: process}, timeout \\ 30_000), do: OsProcess.await_exit(process, timeout)

  def kill(%__MODULE__{process: process}) do
    OsProcess.signal(process, "KILL")
    OsProcess.await_exit(process)
  end

  def running?(%__MODULE__{process: process}), do: not OsProcess.ended?(process)

  def log(%__MODULE__{log: log}), do: File.read!(log)

  @doc "Waits until the log has a match, and gives its captures."
  def wait_for_log(harness, pattern, timeout \\ 10_000) do
    Wait.until(
      fn -> "#{inspect(pattern)} in the log:\n#{tail(harness)}" end,
      fn ->
        found = Regex.run(pattern, log(harness))

        if found == nil and OsProcess.ended?(harness.process),
          do: failed(harness, "the daemon ended; waited for #{inspect(pattern)}")

        found
      end,
      timeout
    )
  end

  @doc "Calls a function of the daemon from the test node."
  def call(%__MODULE__{node: node}, function, arguments \\ [], timeout \\ 60_000),
    do: :erpc.call(node, :harness, function, arguments, timeout)

  @doc "Runs a scenario from the test node."
  def run(harness, scenario, timeout \\ 30_000), do: call(harness, :run, [scenario], timeout)

  @doc "What the last of its runs has recorded, whose answer has no report."
  def last_partial(harness) do
    %{run_id: id} = Enum.max_by(call(harness, :runs), & &1.run_id)
    {:ok, report} = call(harness, :partial, [id])
    report
  end

  @doc "The daemon answers, as it always has to."
  def assert_alive(%__MODULE__{node: node} = harness) do
    case call(harness, :info, [], 10_000) do
      %{node: ^node} = info -> info
      other -> failed(harness, "info() is #{inspect(other)}")
    end
  end

  @doc "How much memory the daemon's process takes, in bytes."
  def memory(%__MODULE__{process: process}) do
    status = File.read!("/proc/#{OsProcess.os_pid(process)}/status")
    [_, kilobytes] = Regex.run(~r/VmRSS:\s+(\d+) kB/, status)
    String.to_integer(kilobytes) * 1024
  end

  @doc "Bytes that it has allocated and not freed: what a sanitizer keeps is not among them. It has to listen for HTTP."
  def allocated(harness), do: Http.metrics(Http.port(harness))["harnessd_heap_used_bytes"]

  def write_secret(file, text) do
    File.write!(file, "")
    File.chmod!(file, 0o600)
    File.write!(file, text)
  end

  defp check_log(harness) do
    log = log(harness)

    case Enum.find(@findings, &String.contains?(log, &1)) do
      nil -> :ok
      finding -> failed(harness, "the daemon's log has #{inspect(finding)}")
    end
  end

  defp failed(harness, message) do
    raise ExUnit.AssertionError, message: "#{message}; its log:\n#{tail(harness)}"
  end

  defp tail(harness), do: harness |> log() |> String.split("\n") |> Enum.take(-60) |> Enum.join("\n")

  defp merge(a, b),
    do: Map.merge(a, b, fn _, x, y -> if is_map(x) and is_map(y), do: merge(x, y), else: y end)

  # A section of the configuration that a test sets to nil is left out.
  defp drop_empty(config) do
    for {key, value} <- config, value != nil, into: %{} do
      {key, if(is_map(value), do: drop_empty(value), else: value)}
    end
  end
end

defmodule Json do
  @moduledoc "As much JSON as a configuration or a scenario needs. A keyword list is an object in its order."
  def encode([{key, _} | _] = pairs) when is_atom(key) or is_binary(key),
    do: "{" <> Enum.map_join(pairs, ",", fn {k, v} -> encode(to_string(k)) <> ":" <> encode(v) end) <> "}"

  def encode(map) when is_map(map),
    do: "{" <> Enum.map_join(map, ",", fn {k, v} -> encode(to_string(k)) <> ":" <> encode(v) end) <> "}"

  def encode(list) when is_list(list), do: "[" <> Enum.map_join(list, ",", &encode/1) <> "]"
  def encode(value) when is_boolean(value) or is_number(value) or value == nil, do: json(value)
  def encode(value) when is_atom(value), do: encode(Atom.to_string(value))

  def encode(text) when is_binary(text),
    do: "\"" <> for(<<character::utf8 <- text>>, into: "", do: escape(character)) <> "\""

  defp escape(character) when character in [?", ?\\], do: <<?\\, character>>

  defp escape(character) when character < 32,
    do: "\\u" <> String.pad_leading(Integer.to_string(character, 16), 4, "0")

  defp escape(character), do: <<character::utf8>>

  defp json(nil), do: "null"
  defp json(value), do: to_string(value)
end
