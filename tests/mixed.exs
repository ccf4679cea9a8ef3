# A node of mixed.sh. Arguments: `serve`, or `drive`, where the daemon's pages are, and the other nodes.

Code.require_file("checks.exs", __DIR__)

defmodule Subject do
  use GenServer

  def start_link(name), do: GenServer.start_link(__MODULE__, 0, name: name)
  def child_spec(name), do: %{id: name, start: {__MODULE__, :start_link, [name]}}
  def init(count), do: {:ok, count}
  def handle_call({:add, number}, _from, count), do: {:reply, count + number, count + number}
  def handle_call({:echo, term}, _from, count), do: {:reply, term, count}
end

# What its node has heard of others, in their order.
defmodule Watch do
  use GenServer

  def start_link(name), do: GenServer.start_link(__MODULE__, [], name: name)
  def child_spec(name), do: %{id: name, start: {__MODULE__, :start_link, [name]}}
  def init(heard), do: {:net_kernel.monitor_nodes(true), heard}
  def handle_call(:heard, _from, heard), do: {:reply, Enum.reverse(heard), []}
  def handle_info(event, heard), do: {:noreply, [event | heard]}
end

defmodule Mixed do
  import Checks

  @harness :"harness@127.0.0.1"

  # --- Every node ---

  def main(["serve"]) do
    serve()
    IO.puts("ready: #{node()}")
    Process.sleep(:infinity)
  end

  def main(["drive", http | others]) do
    serve()
    others = Enum.map(others, &String.to_atom/1)
    for other <- others, do: true = Node.connect(other)
    drive([node() | others], String.split(http, ":"))
    System.halt(if Process.get(:failed), do: 1, else: 0)
  end

  defp serve do
    Logger.configure(level: :error)
    {:ok, _} = Supervisor.start_link([{Watch, Watch}], strategy: :one_for_one)
    servers = [Subject, Subject.Second]
    {:ok, _} = Supervisor.start_link(Enum.map(servers, &{Subject, &1}), strategy: :one_for_one, max_restarts: 1_000, name: Mixed.Servers)
  end

  # What other nodes call.
  def run(scenario), do: :erpc.call(@harness, :harness, :run, [scenario])
  def terms, do: [node(), self(), make_ref(), :erlang.alias(), hd(Port.list()), &Enum.map/2, %{self() => {1.5, "ä", Bitwise.bsl(1, 200)}}]

  # --- The one that looks at everything ---

  defp drive(nodes, http) do
    check("of each release one, all connected, and the daemon with all", fn -> together(nodes) end)
    check("each has the daemon call servers at each", fn -> calls(nodes) end)
    check("terms of each reach each as they are", fn -> terms(nodes) end)
    check("threads and a rate that call all of them", fn -> loads(nodes) end)
    check("faults at each, asked for by another", fn -> faults(nodes) end)
    check("servers that crash and are restarted, at each", fn -> crashes(nodes) end)
    check("all kept apart, while all are called, and together again", fn -> split(nodes, nodes) end)
    [first | rest] = nodes
    check("one kept from the others, likewise", fn -> split(nodes, [[first], rest]) end)
    check("connections cut and made anew, by nodes and by the daemon", fn -> reconnect(nodes) end)
    check("runs are stored, metrics count", fn -> pages(nodes, http) end)
    check("a node of each other release halts, and the daemon goes on", fn -> halts(nodes) end)
  end

  defp together(nodes) do
    releases = for node <- nodes, do: :erpc.call(node, System, :otp_release, [])
    IO.puts("== OTP #{Enum.join(releases, ", ")}")
    ^releases = Enum.uniq(releases)
    for node <- nodes, do: %{node: @harness} = :erpc.call(node, :erpc, :call, [@harness, :harness, :info, []])
    await_together(nodes)
  end

  defp await_together(nodes) do
    wait(fn ->
      seen = for node <- nodes, do: {node, Enum.sort(:erpc.call(node, :erlang, :nodes, [])), :erpc.call(node, :erlang, :nodes, [:hidden])}
      Enum.all?(seen, fn {node, visible, hidden} -> visible == Enum.sort(nodes -- [node]) and hidden == [@harness] end) || seen
    end)
  end

  defp calls(nodes) do
    for caller <- nodes, server <- nodes do
      before = GenServer.call({Subject, server}, {:add, 0})
      {:ok, %{events: events}} = run(caller, %{target: {Subject, server}, threads: [[{:add, 1}, {:add, 1}]]})
      expected = [ok: before + 1, ok: before + 2]
      {^caller, ^server, ^expected} = {caller, server, Enum.map(events, & &1.result)}
    end
  end

  defp terms(nodes) do
    terms = Enum.map(nodes, &:erpc.call(&1, Mixed, :terms, [])) ++ [:crypto.strong_rand_bytes(1_000_000)]

    for caller <- nodes, server <- nodes do
      {:ok, %{events: [%{result: result}]}} = run(caller, %{target: {Subject, server}, threads: [[{:echo, terms}]]})
      {^caller, ^server, {:ok, ^terms}} = {caller, server, result}
    end
  end

  defp loads(nodes) do
    for load <- [%{threads: 30, iterations: 100}, %{rate: 1_500, duration_ms: 2_000}] do
      before = counts(nodes)
      {:ok, report} = run(%{target: {:find, fn -> servers(nodes) end}, load: load, operations: [{:add, 1}], timeout_ms: 60_000})
      %{total_operations: 3_000, operation_errors: 0, dropped: 0} = report.metrics
      done = Enum.zip_with(counts(nodes), before, &(&1 - &2))
      {3_000, true} = {Enum.sum(done), Enum.all?(done, &(&1 > 0))}
    end
  end

  defp counts(nodes), do: for(node <- nodes, server <- [Subject, Subject.Second], do: GenServer.call({server, node}, {:add, 0}))

  # No group of `pg`: a scope of OTP 25 was seen to end when one of a later release had found it.
  defp servers(nodes), do: for(node <- nodes, {_, pid, _, _} <- Supervisor.which_children({Mixed.Servers, node}), do: pid)

  defp faults(nodes) do
    for {server, caller} <- Enum.zip(nodes, tl(nodes) ++ [hd(nodes)]),
        action <- [
          {:suspend, 50},
          {:exhaust, :process_limit, [duration_ms: 50]},
          {:exhaust, :ets_tables, [duration_ms: 50]},
          {:exhaust, :memory, [size_mb: 64, duration_ms: 50]},
          {:exhaust, :ports, [duration_ms: 50]},
          {:burn_cpu, [duration_ms: 50]},
          {:garbage_collect, []},
          {:apply, :erlang, :node, []}
        ] do
      {:ok, report} = run(caller, %{target: {Subject, server}, threads: [[{:add, 1}]], chaos: action})
      {^server, ^action, [%{outcome: outcome}], true} = {server, action, report.injections, report.healed}
      true = outcome in [:ok, {:ok, server}]
    end
  end

  defp crashes(nodes) do
    for {server, caller} <- Enum.zip(nodes, tl(nodes) ++ [hd(nodes)]) do
      kill = %{action: {:kill_children, [duration_ms: 100, kill_interval_ms: 20]}, target: {Mixed.Servers, server}}
      crash = %{action: {:inject_crash, :immediate, [reason: :kill]}, after_ms: 300}
      load = %{load: %{rate: 200, duration_ms: 1_000}, operations: [{:echo, 1}], recovery_wait_ms: 10_000}
      {:ok, report} = run(caller, Map.merge(load, %{target: {Subject, server}, chaos: [kill, crash]}))
      # Each kill is one.
      [%{kind: :inject_crash, recovery_ms: ms} | [_ | _] = kills] = Enum.reverse(report.injections)
      {^server, true, true} = {server, is_number(ms), report.healed}
      for kill <- kills, do: %{kind: :kill_children, outcome: :ok, amount: 1} = kill
    end
  end

  # Of each node's own observation: while they are apart nobody can ask the others.
  defp split(nodes, apart) do
    for node <- nodes, do: GenServer.call({Watch, node}, :heard)
    others = fn node -> Enum.find(apart, &(node in List.wrap(&1))) |> List.wrap() |> then(&(nodes -- &1)) end
    targets = servers(nodes)
    load = %{load: %{rate: 300, duration_ms: 2_500}, operations: [{:add, 1}], timeout_ms: 60_000}
    chaos = [%{action: {:disconnect, apart, 1_000}, after_ms: 300}]
    run = Task.async(fn -> run(Map.merge(load, %{target: {:find, fn -> targets end}, chaos: chaos})) end)
    wait(fn -> Node.list() -- others.(node()) == Node.list() end)
    for other <- others.(node()), do: {^other, :pang} = {other, :net_adm.ping(other)}
    {:ok, report} = Task.await(run, 60_000)
    {[%{outcome: :ok, undone: true}], true} = {report.injections, report.healed}
    %{operation_errors: 0, dropped: 0} = report.metrics
    await_together(nodes)

    for node <- nodes do
      heard = GenServer.call({Watch, node}, :heard)
      for other <- others.(node), event <- [:nodedown, :nodeup], do: {^node, true, _} = {node, {event, other} in heard, heard}
    end
  end

  defp reconnect(nodes) do
    for node <- nodes do
      :erpc.call(node, :erlang, :disconnect_node, [@harness])
      {:ok, _} = run(node, %{target: {Subject, node}, threads: [[{:add, 1}]]})
    end

    for node <- tl(nodes) do
      :erpc.call(node, :erlang, :disconnect_node, [@harness])
      {:ok, %{events: [%{result: {:ok, _}}]}} = run(%{target: {Subject, node}, threads: [[{:add, 1}]]})
    end

    await_together(nodes)
  end

  defp pages(nodes, http) do
    metrics = page(http, "/metrics")
    true = metrics =~ "harnessd_peers_up #{length(nodes)}\n"
    true = metrics =~ ~s(harnessd_faults_injected_total{kind="disconnect"} 2\n)
    true = metrics =~ ~s(harnessd_faults_injected_total{kind="suspend"} #{length(nodes)}\n)
    for node <- nodes, do: true = page(http, "/runs?limit=1000") =~ Atom.to_string(node)
  end

  defp page([address, port], path) do
    {:ok, socket} = :gen_tcp.connect(to_charlist(address), String.to_integer(port), [:binary, active: false])
    :ok = :gen_tcp.send(socket, "GET #{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    "HTTP/1.1 200 OK" <> rest = read(socket, "")
    rest
  end

  defp read(socket, text) do
    case :gen_tcp.recv(socket, 0, 10_000) do
      {:ok, more} -> read(socket, text <> more)
      {:error, :closed} -> text
    end
  end

  defp halts(nodes) do
    for node <- tl(nodes) do
      {:ok, %{injections: [%{outcome: :ok}]}} = run(%{target: {Subject, node()}, threads: [[{:add, 1}]], chaos: {:halt_node, node}})
      wait(fn -> node not in Node.list() || Node.list() end)
      {:error, _} = run(%{target: {Subject, node}, load: %{threads: 1, iterations: 1}, operations: [{:add, 1}]})
      {:ok, _} = run(%{target: {Subject, node()}, threads: [[{:add, 1}]]})
    end
  end

  # --- What they share ---

  defp run(caller, scenario), do: :erpc.call(caller, Mixed, :run, [scenario])
end

Mixed.main(System.argv())
