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

  @doc "Of a program that starts a node of its own, where they are over TLS."
  def environment, do: if(on?(), do: [{"ERL_FLAGS", Enum.join(arguments(optfile()), " ")}], else: [])

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
  Makes a certificate in `folder` of the CA that all have, for all of their hosts, with something wrong: `:expired`,
  `:not_yet_valid`, `:self_signed`, `:no_intermediate` (the one between it and the CA is not shown; it is in
  `intermediate.pem`), or `{:usage, from, to}`, words of its extensions.
  """
  def flawed(folder, flaw) do
    File.cp_r!(folder(), folder)
    flaw(flaw, &Path.join(folder, &1))
    folder
  end

  defp flaw(:expired, file), do: sign(file, "node", "ca", ["-days", "5"], "-20d")
  defp flaw(:not_yet_valid, file), do: sign(file, "node", "ca", ["-days", "400"], "+20d")

  defp flaw({:usage, from, to}, file) do
    usages = File.read!(file.("node.ext"))
    true = usages =~ from
    File.write!(file.("node.ext"), String.replace(usages, from, to))
    sign(file, "node", "ca")
  end

  defp flaw(:self_signed, file),
    do: openssl(~w(x509 -req -days 30 -in) ++ [file.("node.csr"), "-signkey", file.("node.key"), "-extfile", file.("node.ext"), "-out", file.("node.pem")])

  defp flaw(:no_intermediate, file) do
    openssl(~w(req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=between -keyout) ++ [file.("intermediate.key"), "-out", file.("intermediate.csr")])
    File.write!(file.("intermediate.ext"), "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n")
    sign(file, "intermediate", "ca")
    sign(file, "node", "intermediate")
  end

  @doc """
  Replaces the certificate in `folder` by another one of the same CA with a key of its own, then the key; in between
  `halfway` is called.
  """
  def replace(folder, number, halfway) do
    file = &Path.join(folder, &1)
    openssl(~w(req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=replaced_#{number} -keyout) ++ [file.("new.key"), "-out", file.("new.csr")])
    File.cp!(file.("node.ext"), file.("new.ext"))
    sign(file, "new", "ca")
    File.rename!(file.("new.pem"), file.("node.pem"))
    halfway.()
    File.rename!(file.("new.key"), file.("node.key"))
  end

  @doc "Makes a certificate that its CA has revoked since: a list of those, `crl.pem`, says so."
  def revoked(folder) do
    File.cp_r!(folder(), folder)
    file = &Path.join(folder, &1)
    File.write!(file.("index"), "")
    File.write!(file.("ca.conf"), """
    [ca]
    default_ca = ours
    [ours]
    database = #{file.("index")}
    default_md = sha256
    default_crl_days = 30
    """)

    common = ["ca", "-config", file.("ca.conf"), "-cert", file.("ca.pem"), "-keyfile", file.("ca.key")]
    openssl(common ++ ["-revoke", file.("node.pem")])
    openssl(common ++ ["-gencrl", "-out", file.("crl.pem")])
    check = ["verify", "-crl_check", "-CRLfile", file.("crl.pem"), "-CAfile", file.("ca.pem"), file.("node.pem")]
    {told, 2} = System.cmd("openssl", check, stderr_to_stdout: true)
    true = told =~ "certificate revoked"
    folder
  end

  defp sign(file, whose, by, validity \\ ["-days", "30"], at \\ "+0") do
    openssl(
      ["x509", "-req", "-in", file.("#{whose}.csr"), "-CA", file.("#{by}.pem"), "-CAkey", file.("#{by}.key")] ++
        ["-CAcreateserial", "-extfile", file.("#{whose}.ext"), "-out", file.("#{whose}.pem")] ++ validity,
      at
    )
  end

  # As in certificates.sh.
  defp openssl(arguments, at \\ "+0", tries \\ 4) do
    case System.cmd("faketime", ["-f", at, "openssl" | arguments], stderr_to_stdout: true) do
      {_, 0} -> :ok
      {_, _} when tries > 1 -> openssl(arguments, at, tries - 1)
      {told, status} -> raise "openssl #{Enum.join(arguments, " ")}: status #{status}: #{told}"
    end
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
