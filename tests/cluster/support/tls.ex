defmodule Tls do
  @moduledoc """
  The cluster of the tests over TLS: with TLS=1 in the environment all BEAM nodes and the daemon speak it, with
  certificates that `certificates.sh` has made in HARNESSD_TLS, and so do raw nodes. What comes from elsewhere, such
  as a C node, speaks plainly, which the daemon then takes as well.
  """

  def on?, do: System.get_env("TLS") == "1"

  def folder, do: System.fetch_env!("HARNESSD_TLS")
  def optfile, do: Path.join(folder(), "optfile")

  @doc "What `erl` is given."
  def arguments(optfile), do: ["-proto_dist", "inet_tls", "-ssl_dist_optfile", optfile]

  @doc "What every daemon of the tests has in `node`, where they are over TLS."
  def config,
    do: %{"tls" => %{"optfile" => optfile(), "accept" => ["tls", "plain"], "dial" => ["raw*", "plain*"]}}

  @doc "Has a socket that is connected to the daemon speak TLS, as a node that dials."
  def connect(socket) do
    {:ok, _} = Application.ensure_all_started(:ssl)
    file = &to_charlist(Path.join(folder(), &1))
    checked = [verify: :verify_peer, cacertfile: file.("ca.pem"), server_name_indication: ~c"127.0.0.1"]
    :ssl.connect(socket, checked ++ [certfile: file.("node.pem"), keyfile: file.("node.key")], 10_000)
  end

  @doc "Makes certificates of another CA in `folder`, for nodes at these hosts."
  def make(folder, hosts \\ ["127.0.0.1"]) do
    script = Path.expand("../../certificates.sh", __DIR__)
    {_, 0} = System.cmd("sh", [script, folder | hosts], stderr_to_stdout: true)
    folder
  end

  @doc """
  An optfile with the certificates of `made`, and more options of each side, which come first: of two the first
  counts for OTP. `without` leaves some of the usual ones out of both sides.
  """
  def write(folder, made, options \\ []) do
    file = Path.join(folder, "optfile-#{System.unique_integer([:positive])}")
    common = [certfile: "node.pem", keyfile: "node.key", cacertfile: "ca.pem"]
    files = for {key, name} <- common, do: {key, to_charlist(Path.join(made, name))}
    server = Keyword.get(options, :server, []) ++ files ++ [verify: :verify_peer, fail_if_no_peer_cert: true]
    client = Keyword.get(options, :client, []) ++ files ++ [verify: :verify_peer]
    without = Keyword.get(options, :without, [])
    sides = for {side, all} <- [server: server, client: client], do: {side, unique(all, without)}
    File.write!(file, :io_lib.format("~p.~n", [sides]))
    file
  end

  defp unique(options, without),
    do: options |> Enum.uniq_by(&elem(&1, 0)) |> Enum.reject(&(elem(&1, 0) in without))
end
