defmodule Http do
  @moduledoc "Requests to the daemon's HTTP server, byte by byte where need be."
  import ExUnit.Assertions

  @doc "The configuration of a daemon that serves HTTP on a port of its own."
  def config, do: %{"http" => %{"listen" => "127.0.0.1:0"}}

  @doc "The port that the daemon has told in its log."
  def port(harness) do
    [_, port] = Harness.wait_for_log(harness, ~r/listening for HTTP address=\S+ port=(\d+)/)
    String.to_integer(port)
  end

  def connect(port, address \\ {127, 0, 0, 1}) do
    family = if tuple_size(address) == 8, do: [:inet6], else: []
    {:ok, socket} = :gen_tcp.connect(address, port, [:binary, active: false] ++ family, 5_000)
    socket
  end

  # A socket may speak TLS.
  defp over({:sslsocket, _, _}), do: :ssl
  defp over(_), do: :gen_tcp

  @doc "`{status, headers, body}` of one request on a connection of its own."
  def request(port, method, path, headers \\ [], body \\ ""),
    do: request_on(connect(port), method, path, headers, body)

  def request_on(socket, method, path, headers \\ [], body \\ "") do
    lines = for {key, value} <- headers, do: "#{key}: #{value}\r\n"
    request = ["#{method} #{path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n", lines, "\r\n", body]
    # A request that is refused may be answered before it is sent.
    _ = over(socket).send(socket, request)
    answer = read_all(socket, 60_000)
    over(socket).close(socket)
    parse(answer)
  end

  def get(port, path), do: request(port, "GET", path)

  @doc "All that comes until the other side closes."
  def read_all(socket, timeout \\ 10_000) do
    socket
    |> Stream.unfold(fn socket ->
      case over(socket).recv(socket, 0, timeout) do
        {:ok, data} -> {data, socket}
        {:error, _} -> nil
      end
    end)
    |> Enum.to_list()
    |> IO.iodata_to_binary()
  end

  @doc "The next answer on a connection that stays open."
  def read_one(socket, read \\ "") do
    with [head, rest] <- String.split(read, "\r\n\r\n", parts: 2),
         {status, headers, _} = parse(head <> "\r\n\r\n"),
         size = String.to_integer(headers["content-length"]),
         true <- byte_size(rest) >= size do
      {status, headers, binary_part(rest, 0, size)}
    else
      _ ->
        assert {:ok, more} = over(socket).recv(socket, 0, 10_000)
        read_one(socket, read <> more)
    end
  end

  defp parse(answer) do
    [head, body] = String.split(answer, "\r\n\r\n", parts: 2)
    ["HTTP/1." <> <<_, " ", status::binary-size(3), _::binary>> | lines] = String.split(head, "\r\n")

    headers =
      for line <- lines,
          [key, value] = String.split(line, ": ", parts: 2),
          into: %{},
          do: {String.downcase(key), value}

    {String.to_integer(status), headers, body}
  end

  @doc "What jq makes of a JSON text, in its compact form."
  def jq(json, filter) do
    file = Path.join(System.tmp_dir!(), Peer.unique("harnessd_json"))
    File.write!(file, json)
    assert {output, 0} = System.cmd("jq", ["-c", filter, file], stderr_to_stdout: true)
    File.rm!(file)
    String.trim(output)
  end

  @doc "The same for a page, which is there."
  def get_jq(port, path, filter) do
    assert {200, %{"content-type" => "application/json"}, json} = get(port, path)
    jq(json, filter)
  end

  @doc "The samples of `/metrics`, a map from name with labels to number."
  def metrics(port) do
    assert {200, _, text} = get(port, "/metrics")

    for line <- String.split(text, "\n", trim: true), not String.starts_with?(line, "#"), into: %{} do
      [name, number] = Regex.run(~r/^(.*) (\S+)$/, line, capture: :all_but_first)
      {name, elem(Float.parse(number), 0)}
    end
  end

  @doc "Those of them that may never become smaller."
  def growing(metrics) do
    for {name, number} <- metrics,
        name =~ ~r/_total($|\{)|_bucket\{|_count$|_sum$/,
        into: %{},
        do: {name, number}
  end
end
