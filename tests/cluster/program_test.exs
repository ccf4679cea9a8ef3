defmodule ProgramTest do
  @moduledoc "The program itself: flags, configuration, cookies, signals and the log."
  use ClusterCase

  defp run_program(arguments, options \\ []) do
    System.cmd(Harness.executable(), arguments, [stderr_to_stdout: true] ++ options)
  end

  defp config_file(config) do
    file = Path.join(Support.temporary_folder(), "harnessd.json")
    File.write!(file, if(is_binary(config), do: config, else: Json.encode(config)))
    file
  end

  test "--version and --help" do
    assert {version, 0} = run_program(["--version"])
    assert version =~ ~r/harnessd \d+\.\d+\.\d+/
    assert {help, 0} = run_program(["--help"])

    for flag <- ~w(--config --name --sname --cookie-file --port --log-level --check-config --version --help),
        do: assert(help =~ flag)
  end

  test "--help fits a screen, and --help-keys has the keys" do
    {help, 0} = run_program(["--help"])
    {keys, 0} = run_program(["--help-keys"])
    for line <- String.split(help <> keys, "\n"), do: assert(String.length(line) <= 100)
    assert length(String.split(help, "\n")) <= 36
    refute help =~ "limits.runs"
    assert keys =~ "limits.runs"
  end

  test "-h is --help" do
    assert run_program(["-h"]) == run_program(["--help"])
    assert run_program(["run", "-h"]) == run_program(["run", "--help"])
  end

  test "a cookie on the command line is refused, and not told" do
    for arguments <- [["--cookie", "hush"], ["--cookie=hush"], ["-setcookie", "hush"]] do
      assert {output, 2} = run_program(["--name", "#{Harness.unique_node()}" | arguments])
      assert output =~ "--cookie-file FILE or HARNESSD_COOKIE"
      refute output =~ "hush"
    end
  end

  test "bad flags end with status 2 and say why" do
    for arguments <- [
          ["--nope"],
          ["--config"],
          ["--port", "x"],
          ["--name"],
          ["--log-level", "loud"],
          ["word"]
        ] do
      assert {output, 2} = run_program(arguments)
      assert output != ""
    end
  end

  test "--check-config takes a good file" do
    file = config_file(%{"node" => %{"name" => "a@127.0.0.1"}})
    assert run_program(["--check-config", file]) == {"#{file}: no problems\n", 0}
  end

  test "--check-config tells every problem on a line of its own, with its path" do
    config = %{
      "node" => %{"name" => 1, "net_ticktime" => -1},
      "limits" => %{"frame_bytes" => "many"},
      "peers" => ["no_host", 1],
      "nope" => 1
    }

    assert {output, 2} = run_program(["--check-config", config_file(config)])
    lines = String.split(output, "\n", trim: true)

    for path <- ~w(node.name node.net_ticktime limits.frame_bytes peers nope),
        do: assert(Enum.any?(lines, &(&1 =~ path)))

    assert length(lines) >= 5
  end

  test "--check-config refuses what is no JSON, and a file that is not there" do
    for text <- ["", "{", "[]", "1", ~s({"node": {"name": "a@b", "name": "c@d"}}), <<255, 254>>] do
      assert {^text, {output, 2}} = {text, run_program(["--check-config", config_file(text)])}
      assert output != ""
    end

    assert {_, 2} = run_program(["--check-config", "/nonexistent/harnessd.json"])
  end

  test "a cookie file that others may read is refused" do
    file = Path.join(Support.temporary_folder(), "cookie")
    File.write!(file, "secretsecret")

    for mode <- [0o644, 0o640, 0o604, 0o660] do
      File.chmod!(file, mode)
      arguments = ["--name", "#{Harness.unique_node()}", "--cookie-file", file]
      assert {output, 2} = run_program(arguments)
      assert output =~ file
      refute output =~ "secretsecret"
    end

    assert {_, 2} =
             run_program(["--name", "#{Harness.unique_node()}", "--cookie-file", "/nonexistent/cookie"])

    assert {_, 2} = run_program(["--name", "#{Harness.unique_node()}", "--cookie-file", Path.dirname(file)])
  end

  test "the cookie comes from the environment, or from the user's home" do
    cookie = Atom.to_string(Node.get_cookie())
    home = Support.temporary_folder()
    Harness.write_secret(Path.join(home, ".erlang.cookie"), cookie <> "\n")

    for env <- [[{"HARNESSD_COOKIE", cookie}], [{"HOME", home}]] do
      harness = Harness.start(config: %{"node" => %{"cookie_file" => nil}}, env: env)
      assert Node.ping(harness.node) == :pong
    end
  end

  test "who has no cookie is told how to get one" do
    options = [env: [{"HOME", Support.temporary_folder()}, {"HARNESSD_COOKIE", nil}]]
    assert {output, 2} = run_program(["--name", "#{Harness.unique_node()}"], options)
    for way <- ["the first node with a name", "--cookie-file FILE", "HARNESSD_COOKIE"], do: assert(output =~ way)
  end

  test "the log has the cookie nowhere, and is JSON when asked for" do
    harness = Harness.start(config: %{"log" => %{"format" => "json"}}, ready: false)
    Harness.wait_for_log(harness, ~r/"ready"/)
    Harness.stop(harness)
    log = Harness.log(harness)
    refute log =~ Atom.to_string(Node.get_cookie())
    for line <- String.split(log, "\n", trim: true), do: assert(line =~ ~r/^\{"time":".*\}$/)
  end

  test "what is logged too often is counted, and told of though nothing else happens" do
    harness = Harness.start()

    for _ <- 1..200 do
      {:ok, socket} = :gen_tcp.connect({127, 0, 0, 1}, harness.port, [])
      :gen_tcp.close(socket)
    end

    # Each attempt is written or counted; the last of those that are counted when nobody connects any more.
    Wait.until("200 attempts in the log", fn ->
      log = Harness.log(harness)
      written = length(Regex.scan(~r/warning handshake failed/, log))
      counted = Regex.scan(~r/warning suppressed what="handshake failed" lines=(\d+)/, log)
      written + Enum.sum(for [_, lines] <- counted, do: String.to_integer(lines)) == 200
    end)

    assert Harness.log(harness) =~ "suppressed"
  end

  test "flags go before the file" do
    node = Harness.unique_node()
    harness = Harness.start(arguments: ["--name", Atom.to_string(node)])
    assert harness.node == node
    Harness.assert_alive(harness)
  end
end
