defmodule Trees do
  @moduledoc """
  Supervision trees on nodes that have none of our code (`Peer.load/2`), and what their own supervisors say of
  them: each end and start of a child, with the time of the supervisor's report.
  """

  @doc """
  Starts a supervisor of `strategy` with children of the names, each a `Worker`. It is linked to nobody.
  `options`: `max_restarts`, and `delay`, how long a child takes to start again.
  """
  def start(strategy, names, options \\ []) do
    delay = Keyword.get(options, :delay, 0)
    children = for name <- names, do: child(name, delay)

    supervised = {strategy, Keyword.get(options, :max_restarts, 1_000), 5}

    unlinked(fn -> :supervisor.start_link(Trees.Supervisor, {supervised, children}) end)
  end

  @doc "A dynamic supervisor (`:simple_one_for_one`) with `count` children without names."
  def start_dynamic(count, options \\ []) do
    spec = {:worker, {Trees.Worker, :start_link, []}, :permanent, 1_000, :worker, [Trees.Worker]}
    supervised = {:simple_one_for_one, Keyword.get(options, :max_restarts, 1_000), 5}

    unlinked(fn ->
      {:ok, supervisor} = :supervisor.start_link(Trees.Supervisor, {supervised, [spec]})
      for _ <- 1..count, do: {:ok, _} = :supervisor.start_child(supervisor, [nil, 0])
      {:ok, supervisor}
    end)
  end

  defp child(name, delay),
    do: {name, {Trees.Worker, :start_link, [name, delay]}, :permanent, 1_000, :worker, [Trees.Worker]}

  defp unlinked(start) do
    {:ok, supervisor} = start.()
    Process.unlink(supervisor)
    supervisor
  end

  @doc "A supervisor that has a `Trees.Fork` and a `Trees.Connections` with children of these names: it and the two."
  def start_others(fork_names, connections_names) do
    specs = [
      {:fork, {Trees.Fork, :start_link, [fork_names]}, :permanent, 1_000, :supervisor, []},
      {:connections, {Trees.Connections, :start_link, [connections_names]}, :permanent, 1_000, :supervisor, []}
    ]

    supervisor = unlinked(fn -> :supervisor.start_link(Trees.Supervisor, {{:one_for_one, 1_000, 5}, specs}) end)
    found = Map.new(children(supervisor))
    {supervisor, found.fork, found.connections}
  end

  @doc "A fork that nobody supervises."
  def start_fork(names), do: unlinked(fn -> Trees.Fork.start_link(names) end)

  @doc "An application whose supervisor has two workers: the supervisor, and the workers."
  def start_application(name, type \\ :temporary) do
    callbacks = {Trees.Application, []}
    :ok = :application.load({:application, name, [mod: callbacks, applications: [], vsn: ~c"1"]})
    :ok = :application.start(name, type)
    supervisor = :erlang.whereis(:trees_application)
    {supervisor, for({_, pid} <- children(supervisor), do: pid)}
  end

  @doc "Runs a scenario as a process of the application of `supervisor` would; gives that process and the result."
  def run_in_application(supervisor, harness, scenario) do
    {:group_leader, leader} = :erlang.process_info(supervisor, :group_leader)
    asker = self()

    {caller, monitor} =
      spawn_monitor(fn ->
        :erlang.group_leader(leader, self())
        send(asker, {self(), :erpc.call(harness, :harness, :run, [scenario])})
      end)

    receive do
      {^caller, result} -> {caller, result}
      {:DOWN, ^monitor, _, _, reason} -> {caller, reason}
    end
  end

  @doc "Processes of an application."
  def of_application(name),
    do: for(pid <- Process.list(), :application.get_application(pid) == {:ok, name}, do: pid)

  @doc "Processes of the harness."
  def of_harness do
    for pid <- Process.list(),
        {:dictionary, dictionary} <- [:erlang.process_info(pid, :dictionary)],
        role = :proplists.get_value(:"$harnessd", dictionary, nil),
        do: {role, pid}
  end

  @doc "The start of a child that lives already, wherever it is."
  def start_given(pid), do: {:ok, pid}

  @doc "Processes of the kernel that have no name."
  def nameless do
    for pid <- Process.list(),
        :erlang.process_info(pid, :registered_name) == [],
        :application.get_application(pid) == {:ok, :kernel},
        do: pid
  end

  @doc "Children that live, by id; of a dynamic supervisor a list of pids."
  def children(supervisor), do: for({id, pid, _, _} <- :supervisor.which_children(supervisor), do: {id, pid})

  @doc "Kills a supervisor, whose children go with it."
  def stop(supervisor) do
    monitor = Process.monitor(supervisor)
    Process.exit(supervisor, :kill)

    receive do
      {:DOWN, ^monitor, _, _, _} -> :ok
    end
  end

  @doc "From now on the reports of supervisors are noted, with their times in microseconds."
  def watch_log do
    test = self()

    spawn(fn ->
      :ets.new(:trees_log, [:public, :named_table, :ordered_set])
      send(test, :ready)
      Process.sleep(:infinity)
    end)

    receive do
      :ready -> :ok
    end

    for id <- :logger.get_handler_ids(), do: :logger.remove_handler(id)
    :ok = :logger.set_primary_config(:level, :info)
    :ok = :logger.add_handler(:trees, __MODULE__, %{level: :info})
  end

  @doc "A handler of the logger."
  def log(%{msg: {:report, %{label: {:supervisor, label}}}, meta: %{time: time}}, _),
    do: :ets.insert(:trees_log, {{time, :erlang.unique_integer([:monotonic])}, label})

  def log(_, _), do: :ok

  def forget_reports, do: :ets.delete_all_objects(:trees_log)

  @doc "`{label, time in microseconds}`, in order: `:child_terminated`, `:progress`, and so on."
  def reports do
    for {{time, _}, label} <- :ets.tab2list(:trees_log), do: {label, time}
  end
end

defmodule TrappingSubject do
  @moduledoc "A server that exit signals do not end."
  use GenServer

  @impl true
  def init(options) do
    Process.flag(:trap_exit, true)
    {:ok, options}
  end

  @impl true
  def handle_info(_, state), do: {:noreply, state}
end

defmodule Trees.Application do
  @moduledoc false
  def start(_, _) do
    children =
      for id <- [1, 2], do: {id, {Trees.Worker, :start_link, [nil, 0]}, :permanent, 1_000, :worker, []}

    :supervisor.start_link(
      {:local, :trees_application},
      Trees.Supervisor,
      {{:one_for_one, 1_000, 5}, children}
    )
  end

  def stop(_), do: :ok
end

defmodule Trees.Supervisor do
  @moduledoc false
  def init({strategy, children}), do: {:ok, {strategy, children}}
end

defmodule Trees.Worker do
  @moduledoc "A child: a counter, with a name or without one."
  use GenServer

  def start_link(nil, delay), do: :gen_server.start_link(__MODULE__, delay, [])
  def start_link(name, delay), do: :gen_server.start_link({:local, name}, __MODULE__, delay, [])

  # Only a child that starts again takes its time.
  @impl true
  def init(delay) do
    if delay > 0 and :persistent_term.get({__MODULE__, :started}, false), do: Process.sleep(delay)
    if delay > 0, do: :persistent_term.put({__MODULE__, :started}, true)
    {:ok, 0}
  end

  @impl true
  def handle_call(:get, _from, count), do: {:reply, count, count}
  def handle_call({:add, n}, _from, count), do: {:reply, count + n, count + n}
  def handle_call({:echo, term}, _from, count), do: {:reply, term, count}

  @impl true
  def handle_info(_, count), do: {:noreply, count}
end

defmodule Trees.Fork do
  @moduledoc """
  A fork of `supervisor`, as supervisor2 of RabbitMQ is: a server of its own module, which has the functions that others
  call, and sends itself what only it knows.
  """
  use GenServer

  def start_link(names), do: :gen_server.start_link(__MODULE__, names, [])
  def which_children(fork), do: :gen_server.call(fork, :fork_which_children)
  def start_child(fork, name), do: :gen_server.call(fork, {:start_child, name})
  def terminate_child(fork, name), do: :gen_server.call(fork, {:terminate_child, name})

  @impl true
  def init(names) do
    Process.flag(:trap_exit, true)
    {:ok, Map.new(names, &{&1, started(&1)})}
  end

  defp started(name), do: elem(Trees.Worker.start_link(name, 0), 1)

  @impl true
  def handle_call(:fork_which_children, _from, children),
    do: {:reply, for({name, pid} <- children, do: {name, pid, :worker, [Trees.Worker]}), children}

  @impl true
  def handle_info({:EXIT, pid, _}, children),
    do: {:noreply, for({name, ^pid} <- children, into: children, do: {name, started(name)})}
end

defmodule Trees.Connections do
  @moduledoc """
  A process that is no server and has children, as those of connections of ranch are: only its supervisor, which has it
  as a child of type `supervisor`, knows that it is one.
  """
  def start_link(names), do: :proc_lib.start_link(__MODULE__, :init, [self(), names])

  def init(parent, names) do
    Process.flag(:trap_exit, true)
    :proc_lib.init_ack(parent, {:ok, self()})
    loop(Map.new(names, &{&1, elem(Trees.Worker.start_link(&1, 0), 1)}))
  end

  defp loop(children) do
    receive do
      {:"$gen_call", from, :which_children} ->
        :gen_server.reply(from, for({name, pid} <- children, do: {name, pid, :worker, [Trees.Worker]}))
        loop(children)

      {:EXIT, pid, _} ->
        loop(
          for {name, child} <- children, into: %{} do
            {name, if(child == pid, do: elem(Trees.Worker.start_link(name, 0), 1), else: child)}
          end
        )

      other ->
        exit({:unexpected, other})
    end
  end
end
