defmodule HttpTlsTest do
  @moduledoc "HTTP over TLS: who is served, who is not, and certificates that change."
  use ClusterCase

  setup do
    {:ok, _} = Application.ensure_all_started(:ssl)
    made = Tls.make(Path.join(Support.temporary_folder(), "made"))
    {:ok, made: made, keys: %{"certificate" => made <> "/node.pem", "key" => made <> "/node.key"}}
  end

  defp start(keys, http \\ %{}) do
    harness = Harness.start(config: %{"http" => Map.merge(%{"listen" => "127.0.0.1:0", "tls" => keys}, http)})
    {harness, Http.port(harness)}
  end

  defp get(port, made, path, options \\ [], headers \\ []) do
    checked = [verify: :verify_peer, cacertfile: to_charlist(made <> "/ca.pem"), server_name_indication: ~c"127.0.0.1"]

    with {:ok, socket} <- :ssl.connect(Http.connect(port), checked ++ options, 10_000),
         do: Http.request_on(socket, "GET", path, headers)
  end

  defp open(harness), do: length(File.ls!("/proc/#{OsProcess.os_pid(harness.process)}/fd"))

  test "all pages are served, by 1.2 and 1.3", %{keys: keys, made: made} do
    {harness, port} = start(keys)

    for versions <- [[:"tlsv1.2"], [:"tlsv1.3"]] do
      assert {200, _, "ok\n"} = get(port, made, "/healthz", versions: versions)
      assert {200, %{"content-length" => size}, text} = get(port, made, "/metrics", versions: versions)
      assert byte_size(text) == String.to_integer(size)
      assert text =~ "harnessd_build_info"
      {days, 0} = System.cmd("openssl", ["x509", "-noout", "-enddate", "-in", made <> "/node.pem"])
      [_, ends] = Regex.run(~r/notAfter=(.*)\n/, days)
      {ends, 0} = System.cmd("date", ["--date", ends, "+%s"])
      assert text =~ "\nharnessd_http_certificate_end_seconds #{ends}"
    end

    url = "https://127.0.0.1:#{port}/readyz"
    assert {"ready\n", 0} = System.cmd("curl", ["--silent", "--show-error", "--cacert", made <> "/ca.pem", url])
    Harness.assert_alive(harness)
  end

  test "a large answer comes whole, over a connection that stays", %{keys: keys, made: made} do
    {harness, port} = start(keys)
    target = Peer.start_server(Peer.start(), Subject)
    report = Loads.run(harness, target, %{threads: 20, iterations: 500}, [:get], %{events: :all})
    id = report.metadata.scenario_id
    {:ok, socket} = :ssl.connect(Http.connect(port), [verify: :verify_none], 10_000)

    for _ <- 1..3 do
      :ok = :ssl.send(socket, "GET /runs/#{id} HTTP/1.1\r\nHost: x\r\n\r\n")
      assert {200, _, body} = Http.read_one(socket)
      assert byte_size(body) > 500_000
      assert Http.jq(body, ".report.metrics.total_operations") == "10000"
    end

    :ssl.close(socket)
    assert {200, _, _} = get(port, made, "/runs")
  end

  test "the token is asked for within", %{keys: keys, made: made} do
    file = Path.join(Support.temporary_folder(), "token")
    Harness.write_secret(file, "token-of-http")
    {_, port} = start(keys, %{"token_file" => file})
    assert {401, _, _} = get(port, made, "/metrics")
    assert {200, _, _} = get(port, made, "/metrics", [], [{"Authorization", "Bearer token-of-http"}])
  end

  test "who speaks plainly, junk or nothing is not served, and nobody else minds", %{keys: keys, made: made} do
    {harness, port} = start(keys)
    assert {200, _, _} = get(port, made, "/healthz")
    Wait.until("the connection to be gone", fn -> length(connections(harness)) == 0 end)
    before = open(harness)
    silent = for _ <- 1..20, do: Http.connect(port)

    for junk <- ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", :binary.copy(<<0>>, 1000), <<22, 3, 1, 0, 5, 1, 0, 0, 1, 0>>, :rand.bytes(3000)] do
      socket = Http.connect(port)
      _ = :gen_tcp.send(socket, junk)
      refute Http.read_all(socket) =~ "HTTP/1"
      :gen_tcp.close(socket)
    end

    Harness.wait_for_log(harness, ~r/HTTP over TLS failed reason="?http request/)
    assert {200, _, _} = get(port, made, "/healthz")
    # Far more than there may be: the oldest make room.
    more = for _ <- 1..100, do: Http.connect(port)
    assert {200, _, _} = get(port, made, "/healthz")
    for socket <- silent ++ more, do: :gen_tcp.close(socket)
    Wait.until(fn -> "#{before} descriptors, not #{open(harness)}" end, fn -> open(harness) <= before end)
  end

  defp connections(harness) do
    {text, 0} = System.cmd("ss", ["-tnH", "state", "established", "sport", "=", ":#{Http.port(harness)}"])
    String.split(text, "\n", trim: true)
  end

  test "with a CA who asks has to show a certificate of it", %{keys: keys, made: made} do
    {harness, port} = start(Map.put(keys, "ca", made <> "/ca.pem"))
    own = [certfile: to_charlist(made <> "/node.pem"), keyfile: to_charlist(made <> "/node.key")]
    foreign = Tls.make(Path.join(Support.temporary_folder(), "foreign"))
    other = [certfile: to_charlist(foreign <> "/node.pem"), keyfile: to_charlist(foreign <> "/node.key")]

    for versions <- [[:"tlsv1.2"], [:"tlsv1.3"]] do
      assert {200, _, _} = get(port, made, "/metrics", own ++ [versions: versions])
      assert_refused(port, made, versions: versions)
      assert_refused(port, made, other ++ [versions: versions])
    end

    Harness.wait_for_log(harness, ~r/HTTP over TLS failed reason=.*peer did not return a certificate/)
  end

  # With 1.3 the refusal comes when something is read.
  defp assert_refused(port, made, options) do
    answer =
      try do
        get(port, made, "/metrics", options)
      rescue
        MatchError -> :closed
      end

    assert answer == :closed or match?({:error, _}, answer)
  end

  test "a certificate that has changed is that of new connections", %{keys: keys, made: made} do
    {harness, port} = start(keys)
    shown = fn ->
      {:ok, socket} = :ssl.connect(Http.connect(port), [verify: :verify_none], 10_000)
      {:ok, certificate} = :ssl.peercert(socket)
      :ssl.close(socket)
      certificate
    end

    first = shown.()
    another = Tls.make(Path.join(Support.temporary_folder(), "another"))
    File.cp!(another <> "/node.pem", made <> "/new.pem")
    File.rename!(made <> "/new.pem", made <> "/node.pem")
    # The key is still that of the one before.
    assert shown.() == first
    Harness.wait_for_log(harness, ~r/certificates have changed and cannot be used/)
    File.cp!(another <> "/node.key", made <> "/new.key")
    File.rename!(made <> "/new.key", made <> "/node.key")
    assert shown.() != first
    assert {200, _, _} = get(port, another, "/healthz")
  end

  test "SIGHUP changes all of it, for new connections", %{keys: keys, made: made} do
    harness = Harness.start(config: %{"http" => %{"listen" => "127.0.0.1:0"}})
    port = Http.port(harness)
    plain = fn -> Http.get(port, "/healthz") end
    assert {200, _, "ok\n"} = plain.()

    log = Harness.reload(harness, %{"http" => %{"tls" => keys}})
    assert log =~ ~r/configuration changed key=http.tls.certificate/
    assert log =~ "need_restart=0"
    {:ok, kept} = :ssl.connect(Http.connect(port), [verify: :verify_none], 10_000)
    assert {200, _, "ok\n"} = get(port, made, "/healthz")
    assert {200, _, metrics} = get(port, made, "/metrics")
    assert metrics =~ ~r/^harnessd_http_certificate_end_seconds \d/m

    another = Tls.make(Path.join(Support.temporary_folder(), "another"))
    own = [certfile: to_charlist(made <> "/node.pem"), keyfile: to_charlist(made <> "/node.key")]
    changed = %{"certificate" => another <> "/node.pem", "key" => another <> "/node.key", "ca" => made <> "/ca.pem", "min_version" => "1.3"}
    Harness.reload(harness, %{"http" => %{"tls" => changed}})
    assert {200, _, _} = get(port, another, "/healthz", own)
    assert_refused(port, another, [])
    assert_refused(port, another, own ++ [versions: [:"tlsv1.2"]])

    # What is wrong changes nothing.
    broken = %{"key" => made <> "/node.key"}
    assert Harness.reload(harness, %{"http" => %{"tls" => Map.merge(changed, broken)}}) =~ "configuration is not reloaded"
    assert {200, _, _} = get(port, another, "/healthz", own)

    # What there was goes on.
    :ok = :ssl.send(kept, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert {200, _, "ok\n"} = Http.read_one(kept)
    assert Harness.reload(harness, %{"http" => %{"tls" => nil}}) =~ "need_restart=0"
    assert {200, _, "ok\n"} = plain.()
    Harness.assert_alive(harness)
  end

  test "what is wrong is told at the start", %{keys: keys, made: made} do
    another = Tls.make(Path.join(Support.temporary_folder(), "another"))

    for {tls, problem} <- [
          {%{keys | "key" => another <> "/node.key"},
           "http.tls.certificate: the key in #{another}/node.key is not that of the certificate in #{made}/node.pem"},
          {%{"certificate" => "/nowhere.pem"}, "http.tls.certificate: cannot use the certificate in /nowhere.pem: No such file"},
          {%{"ca" => made <> "/ca.pem"}, "http.tls.ca: needs http.tls.certificate"},
          {Map.put(keys, "ciphers", "NONE-SUCH"), "http.tls.certificate: OpenSSL has no such ciphers: NONE-SUCH"}
        ] do
      harness = Harness.start(config: %{"http" => %{"listen" => "127.0.0.1:0", "tls" => tls}}, ready: false)
      assert Harness.await_exit(harness) == 2
      assert Harness.log(harness) =~ problem
    end
  end
end
