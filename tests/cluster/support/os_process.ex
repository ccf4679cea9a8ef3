defmodule OsProcess do
  @moduledoc """
  A program that runs beside the tests. It belongs to a process of its own, so that it lives until it is
  stopped and not only as long as the test process that started it; it never outlives the tests (guard.sh).
  """
  use GenServer

  @guard Path.join(__DIR__, "guard.sh")

  @doc "Starts `[program | arguments]`; what it writes goes to the end of the file `log`."
  def start(command, log, env \\ []) do
    {:ok, process} = GenServer.start(__MODULE__, {command, log, env})
    process
  end

  def os_pid(process), do: GenServer.call(process, :os_pid)

  @doc "Sends a signal such as `TERM`; nothing happens when the program has ended already."
  def signal(process, name) do
    unless ended?(process), do: System.cmd("kill", ["-#{name}", "#{os_pid(process)}"], stderr_to_stdout: true)
    :ok
  end

  def ended?(process), do: GenServer.call(process, :status) != nil

  @doc "The exit status (128 plus the number of the signal that killed it)."
  def await_exit(process, timeout \\ 30_000), do: GenServer.call(process, :await_exit, timeout)

  @impl true
  def init({command, log, env}) do
    File.write!(log, "", [:append])

    port =
      Port.open({:spawn_executable, "/bin/sh"}, [
        :binary,
        :exit_status,
        {:line, 100},
        {:args, [@guard, log | command]},
        {:env,
         for({key, value} <- env, do: {to_charlist(key), if(value, do: to_charlist(value), else: false)})}
      ])

    receive do
      {^port, {:data, {:eol, line}}} ->
        {:ok, %{port: port, os_pid: String.to_integer(line), status: nil, waiting: []}}
    after
      10_000 -> {:stop, :no_pid}
    end
  end

  @impl true
  def handle_call(:os_pid, _from, state), do: {:reply, state.os_pid, state}
  def handle_call(:status, _from, state), do: {:reply, state.status, state}

  def handle_call(:await_exit, from, %{status: nil} = state),
    do: {:noreply, %{state | waiting: [from | state.waiting]}}

  def handle_call(:await_exit, _from, state), do: {:reply, state.status, state}

  @impl true
  def handle_info({port, {:exit_status, status}}, %{port: port} = state) do
    for from <- state.waiting, do: GenServer.reply(from, status)
    {:noreply, %{state | status: status, waiting: []}}
  end

  def handle_info(_message, state), do: {:noreply, state}
end
