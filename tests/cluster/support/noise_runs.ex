defmodule Noise.Runs do
  @moduledoc "What a noisy neighbour asks the daemon to do: scenarios, suites and reports beyond all measure."
  import Noise, only: [forever: 1, many: 2, small: 1]

  defp ask(t, function, arguments), do: :erpc.call(t.node, :harness, function, arguments)

  def unknown_keys(t, count) do
    scenario = for n <- 1..count, into: %{}, do: {"thread_#{n}", n}
    forever(fn -> ask(t, :validate, [scenario]) end)
  end

  @doc "One thread of so many operations."
  def operations(t, count) do
    scenario = %{target: t.server, threads: [List.duplicate(:nothing, count)], call_timeout_ms: 100, events: :none}
    forever(fn -> ask(t, :validate, [scenario]) && ask(t, :run, [scenario]) end)
  end

  def threads(t, count) do
    scenario = %{target: t.server, threads: List.duplicate([], count)}
    forever(fn -> ask(t, :run, [scenario]) end)
  end

  @doc "Scenarios that are invalid in every place."
  def problems(t, count) do
    scenario = %{target: t.server, threads: List.duplicate([{:"$sleep", -1}], count)}
    forever(fn -> ask(t, :validate, [scenario]) end)
  end

  def empty_suites(t, count) do
    scenarios = List.duplicate(%{}, count)
    forever(fn -> ask(t, :run_chaos_suite, [t.server, scenarios]) end)
  end

  @doc "Suites whose caller is killed as soon as they go on."
  def orphaned_suites(t, count) do
    scenarios = List.duplicate(%{type: :concurrent, scenario: small(t)}, count)

    forever(fn ->
      caller = spawn(fn -> ask(t, :run_chaos_suite, [t.server, scenarios]) end)
      Process.sleep(300)
      Process.exit(caller, :kill)
    end)
  end

  def starts(t), do: many(20, fn -> ask(t, :start, [small(t)]) end)
  def runs(t), do: many(20, fn -> ask(t, :run, [small(t)]) end)
  def lists(t), do: many(10, fn -> ask(t, :runs, []) end)
  def reports(t), do: many(2, fn -> ask(t, :report, [t.report]) end)
  def shown(t), do: many(2, fn -> ask(t, :show, [t.report]) end)

  @doc "A load at the limit of what there is, of messages that nobody answers."
  def load(t) do
    load = %{threads: 100, duration_ms: 60_000}
    forever(fn -> ask(t, :run, [%{target: t.server, load: load, operations: [{:echo, 1}], events: :none}]) end)
  end

  @doc "Large messages to this node, as many as it takes."
  def flood(t) do
    message = {:"$cast", Noise.large(4_000)}
    load = %{threads: 100, duration_ms: 60_000}
    ask(t, :start, [%{target: t.server, load: load, operations: [message], events: :none}])
    Process.sleep(:infinity)
  end

  @doc "A run that keeps so many events; its id."
  def keep_events(t, count) do
    load = %{threads: 100, iterations: div(count, 100)}
    scenario = %{target: t.server, load: load, operations: [{:echo, 1}], events: :all, timeout_ms: 300_000}
    {:ok, id} = ask(t, :start, [scenario])
    {:ok, _} = ask(t, :await, [id])
    id
  end
end

defmodule Noise.Http do
  @moduledoc "What a noisy neighbour does to the HTTP server of the daemon."
  import Noise, only: [forever: 1, many: 2]

  defp open(t) do
    {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, t.http, [:binary, active: false, recbuf: 4_096], 5_000)
    socket
  end

  def requests(t) do
    many(20, fn ->
      socket = open(t)
      path = Enum.random(["/metrics", "/runs", "/", "/healthz", "/no/such/page", "/runs/1"])
      :ok = :gen_tcp.send(socket, "GET #{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
      read(socket)
    end)
  end

  defp read(socket) do
    case :gen_tcp.recv(socket, 0, 5_000) do
      {:ok, _} -> read(socket)
      _ -> :gen_tcp.close(socket)
    end
  end

  @doc "Connections that stay, with a request that never ends."
  def slow(t, count) do
    forever(fn ->
      sockets = for _ <- 1..count, do: open(t)

      for _ <- 1..10 do
        for socket <- sockets, do: :gen_tcp.send(socket, "GET / HTTP/1.1\r\nX")
        Process.sleep(200)
      end

      for socket <- sockets, do: :gen_tcp.close(socket)
    end)
  end

  @doc "Asks for the largest page there is, many times over, and reads none of it."
  def unread(t) do
    many(5, fn ->
      socket = open(t)
      request = "GET /runs/#{t.report} HTTP/1.1\r\nHost: x\r\n\r\n"
      :ok = :gen_tcp.send(socket, String.duplicate(request, 20))
      Process.sleep(1_000)
      :gen_tcp.close(socket)
    end)
  end
end
