defmodule HttpAccessTest do
  @moduledoc "Who may look over HTTP, and where: the token, several addresses, IPv6."
  use ClusterCase

  @token "a-Token_of.9~+/characters="
  @one {0, 0, 0, 0, 0, 0, 0, 1}

  defp token_file(token \\ @token) do
    file = Path.join(Support.temporary_folder(), "token")
    Harness.write_secret(file, token <> "\n")
    file
  end

  defp start(http), do: Harness.start(config: %{"http" => Map.merge(%{"listen" => "127.0.0.1:0"}, http)})

  defp bearer(token), do: [{"Authorization", "Bearer " <> token}]

  test "without the token nothing is told but health; with it, by header or cookie, all is" do
    harness = start(%{"token_file" => token_file()})
    port = Http.port(harness)

    for path <- ["/", "/metrics", "/runs", "/runs/1", "/no_such_page"], method <- ["GET", "HEAD", "POST"] do
      assert {401, headers, _} = Http.request(port, method, path)
      assert headers["www-authenticate"] == ~s(Bearer realm="harnessd")
    end

    for headers <- [
          bearer("wrong"),
          bearer(@token <> "x"),
          bearer(binary_part(@token, 0, 5)),
          [{"Authorization", "Basic #{Base.encode64("x:" <> @token)}"}],
          [{"Cookie", "token=" <> @token}],
          [{"Cookie", "harnessd_token="}]
        ],
        do: assert({401, _, _} = Http.request(port, "GET", "/metrics", headers))

    assert {401, _, _} = Http.get(port, "/metrics?token=#{URI.encode_www_form(@token)}")
    assert {200, _, "harnessd_build" <> _} = Http.request(port, "GET", "/metrics", bearer(@token)) |> body_from("harnessd_build")
    cookie = [{"Cookie", "a=b; harnessd_token=" <> @token <> "; c=d"}]
    assert {200, _, _} = Http.request(port, "GET", "/runs", cookie)
    assert {404, _, _} = Http.request(port, "GET", "/no_such_page", cookie)
    for path <- ["/healthz", "/readyz"], do: assert({200, _, _} = Http.get(port, path))
    refute Harness.log(harness) =~ @token
  end

  defp body_from({status, headers, body}, word) do
    [_, rest] = String.split(body, word, parts: 2)
    {status, headers, word <> rest}
  end

  test "another token in the file counts from SIGHUP on, and so does one that is taken away or added" do
    file = token_file()
    harness = start(%{"token_file" => file})
    port = Http.port(harness)
    Harness.write_secret(file, "another")
    assert {200, _, _} = Http.request(port, "GET", "/", bearer(@token))
    assert Harness.reload(harness, %{}) =~ "the token of HTTP is another one key=http.token_file"
    assert {401, _, _} = Http.request(port, "GET", "/", bearer(@token))
    assert {200, _, _} = Http.request(port, "GET", "/", bearer("another"))
    Harness.reload(harness, %{"http" => %{"token_file" => nil}})
    assert {200, _, _} = Http.get(port, "/")
    Harness.reload(harness, %{"http" => %{"token_file" => file}})
    assert {401, _, _} = Http.get(port, "/")
  end

  test "a file that others can read, or that is none, is a mistake" do
    file = token_file()
    File.chmod!(file, 0o640)
    odd = token_file("with; semicolon")

    for {given, problem} <- [
          {file, "#{file} has mode 0640; others than its owner must have no access (chmod 600)"},
          {"/nowhere", "cannot open /nowhere: No such file or directory"},
          {odd, "#{odd} holds characters other than letters, digits and -._~+/="}
        ] do
      harness = Harness.start(config: %{"http" => %{"token_file" => given}}, ready: false)
      assert Harness.await_exit(harness) == 2
      assert Harness.log(harness) =~ "http.token_file: #{problem}"
    end
  end

  test "several addresses, one of IPv6 in brackets" do
    harness = start(%{"listen" => ["127.0.0.1:0", "[::1]:0"]})
    [_, four] = Harness.wait_for_log(harness, ~r/listening for HTTP address=127\.0\.0\.1:0 port=(\d+)/)
    [_, six] = Harness.wait_for_log(harness, ~r/listening for HTTP address=\[::1\]:0 port=(\d+)/)
    assert {200, _, "ready\n"} = Http.get(String.to_integer(four), "/readyz")
    six = Http.connect(String.to_integer(six), @one)
    assert {200, _, "ready\n"} = Http.request_on(six, "GET", "/readyz")
  end

  test "both of all addresses, of one port" do
    {:ok, probe} = :gen_tcp.listen(0, [])
    {:ok, port} = :inet.port(probe)
    :gen_tcp.close(probe)
    harness = start(%{"listen" => ["0.0.0.0:#{port}", "[::]:#{port}"]})
    assert {200, _, "ok\n"} = Http.get(port, "/healthz")
    assert {200, _, "ok\n"} = Http.request_on(Http.connect(port, @one), "GET", "/healthz")
    other = Harness.start(config: %{"http" => %{"listen" => ["127.0.0.1:0", "[::]:#{port}"]}}, ready: false)
    assert Harness.await_exit(other) == 1
    assert Harness.log(other) =~ "cannot listen for HTTP key=http.listen address=[::]:#{port} reason="
    assert Harness.running?(harness)
  end
end
