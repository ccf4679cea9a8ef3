defmodule RawNode do
  @moduledoc """
  A node that is nothing but a socket: it speaks version 6 of the distribution handshake as it is told to,
  with any name, cookie and flags, and then sends any bytes. See "Distribution Protocol" in the user's guide
  of ERTS. Where the tests are over TLS it speaks that, and what it sends is within.
  """
  import Bitwise
  defstruct [:socket, :name, :flags, :peer_name, :peer_flags, :peer_creation, creation: 7, over: :gen_tcp]

  @flags %{
    published: 0x1,
    extended_references: 0x4,
    dist_monitor: 0x8,
    fun_tags: 0x10,
    dist_monitor_name: 0x20,
    new_fun_tags: 0x80,
    extended_pids_ports: 0x100,
    export_ptr_tag: 0x200,
    bit_binaries: 0x400,
    new_floats: 0x800,
    dist_hdr_atom_cache: 0x2000,
    small_atom_tags: 0x4000,
    utf8_atoms: 0x10000,
    map_tag: 0x20000,
    big_creation: 0x40000,
    send_sender: 0x80000,
    exit_payload: 0x400000,
    fragments: 0x800000,
    handshake_23: 0x1000000,
    unlink_id: 0x2000000,
    mandatory_25_digest: 0x4000000,
    spawn: 1 <<< 32,
    v4_nc: 1 <<< 34,
    alias: 1 <<< 35
  }

  # Frames of this node begin with 112 unless fragments or the atom cache are asked for.
  @default Map.keys(@flags) -- [:published, :fragments, :dist_hdr_atom_cache]

  @doc "The value of a list of flags."
  def flags(names), do: Enum.reduce(names, 0, &(Map.fetch!(@flags, &1) ||| &2))
  def default_flags, do: @default

  @doc """
  Connects and does the whole handshake.

    * `name` (unique), `cookie` (the test node's), `flags` (`default_flags/0`), `without`
      (flags to leave out of them)
    * `socket`: options of the socket
    * `tls`: whether it speaks TLS (where the tests are over TLS)

  Gives `{:ok, node}`, or `{:error, {step, reason}}` with the step that failed: `:connect`, `:status`,
  `:challenge` or `:ack`.
  """
  def connect(port, options \\ []) do
    with {:ok, node} <- open(port, options),
         :ok <- send_name(node),
         {:ok, status} <- receive_status(node),
         {:status, true} <- {:status, status in ["ok", "ok_simultaneous"] || status},
         {:ok, challenge, node} <- receive_challenge(node),
         :ok <- send_reply(node, challenge, cookie(options)),
         :ok <- receive_ack(node, cookie(options)) do
      {:ok, node}
    else
      {:status, status} -> {:error, {:status, status}}
      {:error, _} = error -> error
    end
  end

  def connect!(port, options \\ []) do
    {:ok, node} = connect(port, options)
    node
  end

  def cookie(options), do: Keyword.get_lazy(options, :cookie, fn -> Atom.to_string(Node.get_cookie()) end)

  @doc "Only opens the socket."
  def open(port, options \\ []) do
    names = Keyword.get(options, :flags, @default) -- Keyword.get(options, :without, [])
    name = Keyword.get_lazy(options, :name, fn -> Peer.unique("raw") <> "@127.0.0.1" end)
    address = Keyword.get(options, :address, {127, 0, 0, 1})
    socket_options = [:binary, active: false, nodelay: true] ++ Keyword.get(options, :socket, [])

    over = if Keyword.get_lazy(options, :tls, &Tls.on?/0), do: :ssl, else: :gen_tcp

    with {:ok, socket} <- :gen_tcp.connect(address, port, socket_options, 10_000),
         {:ok, socket} <- secure(over, socket) do
      {:ok, %__MODULE__{socket: socket, name: name, flags: flags(names), over: over}}
    else
      {:error, reason} -> {:error, {:connect, reason}}
    end
  end

  defp secure(:gen_tcp, socket), do: {:ok, socket}
  defp secure(:ssl, socket), do: Tls.connect(socket)

  @doc "So many bytes, or with 0 what there is."
  def receive_bytes(node, size, timeout), do: node.over.recv(node.socket, size, timeout)

  @doc "Says that nothing more will come."
  def shutdown(node), do: node.over.shutdown(node.socket, :write)

  def set_options(%{over: :gen_tcp} = node, options), do: :inet.setopts(node.socket, options)
  def set_options(%{over: :ssl} = node, options), do: :ssl.setopts(node.socket, options)

  def name_message(node) do
    <<?N, node.flags::64, node.creation::32, byte_size(node.name)::16, node.name::binary>>
  end

  def send_name(node), do: send_short(node, name_message(node))

  def receive_status(node) do
    case receive_short(node) do
      {:ok, <<?s, status::binary>>} -> {:ok, status}
      other -> {:error, {:status, reason(other)}}
    end
  end

  def receive_challenge(node) do
    case receive_short(node) do
      {:ok, <<?N, flags::64, challenge::32, creation::32, size::16, name::binary-size(size), _::binary>>} ->
        {:ok, challenge, %{node | peer_name: name, peer_flags: flags, peer_creation: creation}}

      other ->
        {:error, {:challenge, reason(other)}}
    end
  end

  @own_challenge 0x12345678

  def send_reply(node, challenge, cookie),
    do: send_short(node, <<?r, @own_challenge::32, digest(cookie, challenge)::binary>>)

  def receive_ack(node, cookie) do
    expected = digest(cookie, @own_challenge)

    case receive_short(node) do
      {:ok, <<?a, ^expected::binary>>} -> :ok
      other -> {:error, {:ack, reason(other)}}
    end
  end

  def digest(cookie, challenge), do: :erlang.md5([cookie, Integer.to_string(challenge)])

  @doc "A frame of the handshake, or one that claims to be of `size`."
  def short(node, data), do: short(node, byte_size(data), data)
  def short(%{over: :gen_tcp}, size, data), do: <<size::16, data::binary>>
  def short(%{over: :ssl}, size, data), do: <<size::32, data::binary>>

  def send_short(node, data), do: send_bytes(node, short(node, data))

  def receive_short(node, timeout \\ 10_000) do
    length = byte_size(short(node, ""))

    with {:ok, head} <- receive_bytes(node, length, timeout) do
      size = :binary.decode_unsigned(head)
      if size == 0, do: {:ok, ""}, else: receive_bytes(node, size, timeout)
    end
  end

  defp reason({:error, reason}), do: reason
  defp reason({:ok, other}), do: {:unexpected, other}

  @doc "Any bytes."
  def send_bytes(node, data), do: node.over.send(node.socket, data)

  @doc "A frame after the handshake, with a length of four bytes."
  def send_frame(node, data), do: send_bytes(node, <<byte_size(data)::32, data::binary>>)

  @doc "A control message, and the message that belongs to it, as terms."
  def send_control(node, control), do: send_frame(node, <<112, encode(control)::binary>>)

  def send_control(node, control, message),
    do: send_frame(node, <<112, encode(control)::binary, encode(message)::binary>>)

  @doc "A control message as a term, and the bytes of the message that belongs to it (with their 131)."
  def send_control_bytes(node, control, message),
    do: send_frame(node, <<112, encode(control)::binary, message::binary>>)

  def encode(term), do: :erlang.term_to_binary(term, minor_version: 2)

  @doc "The next message as `{control, message}` (`nil` without one); ticks are answered and left out."
  def receive_control(node, timeout \\ 10_000) do
    with {:ok, <<size::32>>} <- receive_bytes(node, 4, timeout) do
      if size == 0 do
        send_frame(node, "")
        receive_control(node, timeout)
      else
        {:ok, <<112, data::binary>>} = receive_bytes(node, size, timeout)
        {control, used} = :erlang.binary_to_term(data, [:used])

        case binary_part(data, used, byte_size(data) - used) do
          "" -> {:ok, {control, nil}}
          message -> {:ok, {control, :erlang.binary_to_term(message)}}
        end
      end
    end
  end

  @doc "Waits until the other side closes; what comes until then is thrown away. `:open` if it does not."
  def await_close(node, timeout \\ 15_000) do
    deadline = System.monotonic_time(:millisecond) + timeout
    drain(node, deadline)
  end

  defp drain(node, deadline) do
    case receive_bytes(node, 0, max(deadline - System.monotonic_time(:millisecond), 0)) do
      {:ok, _} -> drain(node, deadline)
      {:error, :timeout} -> :open
      {:error, _} -> :closed
    end
  end

  def close(node), do: node.over.close(node.socket)

  @doc "A pid of this node."
  def pid(node, id \\ 1) do
    :erlang.binary_to_term(<<131, 88, atom(node)::binary, id::32, 0::32, node.creation::32>>)
  end

  @doc "A reference of this node."
  def reference(node, id \\ 1) do
    :erlang.binary_to_term(<<131, 90, 3::16, atom(node)::binary, node.creation::32, id::32, 0::32, 0::32>>)
  end

  defp atom(node), do: <<119, byte_size(node.name), node.name::binary>>

  @doc "`GenServer.call({name, peer}, request)` by hand."
  def call(node, name, request, id \\ 1) do
    send_call(node, name, request, id)
    reference = reference(node, id)

    case receive_control(node) do
      {:ok, {_, {^reference, reply}}} -> {:ok, reply}
      {:ok, other} -> {:unexpected, other}
      error -> error
    end
  end

  def send_call(node, name, request, id \\ 1) do
    send_control(
      node,
      {6, pid(node, id), :"", name},
      {:"$gen_call", {pid(node, id), reference(node, id)}, request}
    )
  end
end
