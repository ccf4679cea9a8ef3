defmodule Noise do
  @moduledoc """
  What a noisy neighbour does without pause until it is ended, on a plain node (`Peer.load/2`) with `RawNode`, `Peer`
  and `Noise.Server`. `t` tells whom it does it to: `node` and `port` of the daemon, `http`, `victim` (a node),
  `server` and `victims_server` (servers of `Noise.Server` here and on the victim's node), `report` (the id of a run).
  """

  @doc "Starts a function of this module in a process of its own; `stop/1` ends it and all that it has started."
  def start(function, arguments, module \\ __MODULE__) do
    spawn(fn ->
      # Who is refused or cut off begins again: a neighbour is not to give up.
      Process.flag(:trap_exit, false)
      apply(module, function, arguments)
    end)
  end

  def stop(pid) do
    monitor = Process.monitor(pid)
    Process.exit(pid, :kill)

    receive do
      {:DOWN, ^monitor, _, _, _} -> :ok
    end
  end

  @doc "Microseconds of processor that this node has used, or the process or thread of another of these files."
  def used_us(file \\ "/proc/self/stat") do
    [_, fields] = String.split(File.read!(file), ") ", parts: 2)
    fields = String.split(fields)
    (String.to_integer(Enum.at(fields, 11)) + String.to_integer(Enum.at(fields, 12))) * 10_000
  end

  @doc """
  Has this node use so many hundredths of one processor, a millisecond at a time, at least two processes of it, and sends
  nothing.
  """
  def burn(percent) do
    from = {System.monotonic_time(:microsecond), runtime_us()}
    many(max(2, div(percent + 99, 100)), fn -> burn_part(from, percent) end)
  end

  defp burn_part({began_us, used_us}, percent) do
    now_us = System.monotonic_time(:microsecond)

    if runtime_us() - used_us < div((now_us - began_us) * percent, 100),
      do: spin(now_us + 1_000),
      else: Process.sleep(1)
  end

  defp runtime_us, do: elem(:erlang.statistics(:runtime), 0) * 1_000

  defp spin(until_us), do: if(System.monotonic_time(:microsecond) < until_us, do: spin(until_us))

  # So many processes that do it again and again, all of which end with this one.
  def many(count, fun) do
    for _ <- 1..count, do: spawn_link(fn -> forever(fun) end)
    Process.sleep(:infinity)
  end

  def forever(fun) do
    try do
      fun.()
    catch
      _, _ -> Process.sleep(10)
    end

    forever(fun)
  end

  @doc "Terms that are larger or deeper than what others send."
  def deep(depth), do: Enum.reduce(1..depth, :end, fn n, inner -> {n, inner} end)
  def large(bytes), do: :binary.copy("x", bytes)

  # Messages of nodes that have the cookie.

  def casts(t) do
    message = {:"$gen_cast", {:nonsense, large(200)}}
    many(4, fn -> for name <- [:harness, :rex, :net_kernel, :nobody], do: send({name, t.node}, message) end)
  end

  def calls(t), do: many(50, fn -> GenServer.call({:harness, t.node}, {:help, :run}) end)
  def pings(t), do: many(20, fn -> :net_kernel.disconnect(t.node) && :net_adm.ping(t.node) end)

  # Links and monitors to names and to processes that are not there any more.
  def monitors(t) do
    many(4, fn ->
      for name <- [:harness, :nobody], do: Process.monitor({name, t.node})
      receive_all()
    end)
  end

  defp receive_all do
    receive do
      _ -> receive_all()
    after
      0 -> :ok
    end
  end

  def spawns(t), do: many(10, fn -> Node.spawn(t.node, :erlang, :halt, []) && :erpc.cast(t.node, :os, :cmd, [~c"x"]) end)

  def deep_requests(t), do: many(2, fn -> :erpc.call(t.node, :harness, :help, [deep(100_000)]) end)
  def large_requests(t), do: many(2, fn -> :erpc.call(t.node, :harness, :help, [large(3_000_000)]) end)

  # One after the other, however each of them is answered.

  def too_large_requests(t), do: help_about(t, large(6_000_000))
  def too_deep_requests(t), do: help_about(t, deep(20_000))

  defp help_about(t, what) do
    forever(fn ->
      try do
        :erpc.call(t.node, :harness, :help, [what])
      catch
        :error, _ -> :refused
      end

      Process.sleep(10)
    end)
  end

  # Runs of which the server answers what is asked for.

  def run_of(t, server, operation, rate) do
    load = %{rate: rate, duration_ms: 60_000, max_in_flight: 50}
    scenario = %{target: server, load: load, operations: [operation], events: {:last, 10}}
    forever(fn -> :erpc.call(t.node, :harness, :run, [scenario]) end)
  end

  def replies(t, operation, rate), do: run_of(t, t.server, operation, rate)
  def replies_of_victims_node(t, operation, rate), do: run_of(t, t.victims_server, operation, rate)

  @doc "The same of the victim's node, and no daemon that asks for it."
  def calls_of_victims_node(t, operation, rate) do
    forever(fn ->
      GenServer.call(t.victims_server, operation)
      Process.sleep(div(1000, rate))
    end)
  end

  # Nodes that do not read.

  def unread_answers(t) do
    many(2, fn ->
      raw = connect(t, socket: [send_timeout: 2_000, recbuf: 4_096])
      for id <- 1..99_000, do: :ok = RawNode.send_call(raw, :harness, :info, id)
      Process.sleep(500)
    end)
  end

  @doc "Calls that cost the daemon more than others, many in one write; their answers are read."
  def costly_calls(t, count) do
    raw = %RawNode{name: "costly@127.0.0.1", creation: 7}
    message = RawNode.encode({:"$gen_call", {RawNode.pid(raw), RawNode.reference(raw)}, {:help, :run}})
    frame = <<112, RawNode.encode({6, RawNode.pid(raw), :"", :harness})::binary, message::binary>>
    calls = :binary.copy(<<byte_size(frame)::32, frame::binary>>, count)

    many(1, fn ->
      raw = connect(t)
      parent = self()
      spawn_link(fn -> RawNode.await_close(raw, 600_000) && Process.exit(parent, :closed) end)
      forever(fn -> :ok = RawNode.send_bytes(raw, calls) end)
    end)
  end

  def unread_subscriptions(t) do
    many(2, fn ->
      raw = connect(t, socket: [send_timeout: 2_000, recbuf: 4_096])
      for id <- 1..200, do: :ok = RawNode.send_call(raw, :harness, {:subscribe, :all}, id)
      for _ <- 1..50, do: :erpc.call(t.node, :harness, :start, [small(t)]) && Process.sleep(20)
    end)
  end

  def small(t), do: %{target: t.server, threads: [[{:echo, 1}]]}

  def connect(t, options \\ []), do: RawNode.connect!(t.port, options)

  # Frames that no node would send, each on a connection of its own, which it ends.
  def malformed(t) do
    many(4, fn ->
      raw = connect(t)
      RawNode.send_frame(raw, Enum.random([<<112, 131, 97, 1>>, "hello", <<131, 68, 9>>, :rand.bytes(300)]))
      RawNode.await_close(raw, 2_000)
      RawNode.close(raw)
    end)
  end

  @doc "Messages in pieces of which the last one never comes."
  def fragments(t) do
    many(2, fn ->
      raw = connect(t, flags: [:fragments | RawNode.default_flags()], socket: [send_timeout: 2_000])
      <<131, control::binary>> = RawNode.encode({6, RawNode.pid(raw), :"", :harness})
      piece = large(60_000)

      for id <- 1..2_000 do
        :ok = RawNode.send_frame(raw, <<131, 69, id::64, 1_000::64, 0, control::binary, piece::binary>>)
      end
    end)
  end

  # Those who do not have the cookie.

  def wrong_cookies(t), do: many(10, fn -> RawNode.connect(t.port, cookie: "wrong") end)

  def garbage(t) do
    many(10, fn ->
      {:ok, raw} = RawNode.open(t.port)
      RawNode.send_bytes(raw, :rand.bytes(:rand.uniform(5_000)))
      RawNode.close(raw)
    end)
  end

  @doc "Connections that stay, and say nothing or only the beginning of a name."
  def silent(t, count) do
    forever(fn ->
      raws = for _ <- 1..count, {:ok, raw} <- [RawNode.open(t.port)], do: raw
      for raw <- raws, do: RawNode.send_bytes(raw, <<0>>)
      Process.sleep(1_000)
      for raw <- raws, do: RawNode.close(raw)
    end)
  end

  @doc "Says that it is the victim's node, and then nothing more; one of several always does."
  def claims(t) do
    for first <- 0..5, do: spawn_link(fn -> Process.sleep(first * 900) && forever(fn -> claim(t) end) end)
    Process.sleep(:infinity)
  end

  defp claim(t) do
    {:ok, raw} = RawNode.open(t.port, name: Atom.to_string(t.victim))
    :ok = RawNode.send_name(raw)
    RawNode.await_close(raw, 5_400)
    RawNode.close(raw)
  end
end

defmodule Noise.Server do
  @moduledoc "A server that answers whatever is asked for, however deep or large."
  use GenServer

  @impl true
  def init(_), do: {:ok, nil}

  @impl true
  def handle_call({:echo, term}, _from, state), do: {:reply, term, state}
  def handle_call({:deep, depth}, _from, state), do: {:reply, Noise.deep(depth), state}
  def handle_call({:large, bytes}, _from, state), do: {:reply, Noise.large(bytes), state}
  def handle_call(_, _from, state), do: {:noreply, state}

  @impl true
  def handle_cast(_, state), do: {:noreply, state}
end
