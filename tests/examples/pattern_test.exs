defmodule Examples.PatternTest do
  use ExUnit.Case, async: true
  import Examples.Pattern

  test "what is shown is put out" do
    assert found?("%{ok: 9}", "%{ok: 9}\n")
    assert found?("%{a: 1, b: [2, 3]}", "%{\n  a: 1,\n  b: [2, 3]\n}\n")
    assert found?("operations  3,989 in 20.0 s", "  operations   3,989 in 20.0 s, 199.4/s\n")
    assert found?("{0, #PID<0.128.0>}", "{0, #PID<12318.1.0>}")
  end

  test "a number, a key, a word or a function that is another one is seen" do
    refute found?("%{ok: 9}", "%{ok: 8}")
    refute found?("0", "10")
    refute found?("1", "1.5")
    refute found?("%{ok: 9}", "%{okay: 9}")
    refute found?("{:error, :noproc}", "{:error, :timeout}")
    refute found?("[#PID<0.128.0>, :boom, 1000]", "[#PID<0.128.0>, :boom, 2000]")
    refute found?("from their send  500", "from the send  500", "")
  end

  test "what is shown of a step is all of it" do
    assert whole?("[]", "[]\n")
    assert whole?("%{a: 1}", "\n%{\n  a: 1\n}\n")
    refute whole?("[]", "[%{kind: :suspend, target: []}]")
    refute whole?(":ok", "{:error, :ok}")
    refute whole?("true", "{:error, true}")
  end

  test "numbers vary where that is said, and only they" do
    assert found?("p99 945 ms 12", "p99 1.2 s 7", "")
    assert found?("errors 0  ###", "errors 12", "")
    refute found?("recovered in 520 ms", "recovered in -", "")
    refute found?("p99 945 ms", "p95 945 ms", "")
    refute found?("p99 945 ms", "p99 many ms", "")
  end

  test "values of keys vary where that is said, and only they" do
    assert found?("%{duration_ms: 9, errors: 2}", "%{duration_ms: 1234, errors: 2}", "duration_ms")
    assert found?("#" <> "{at_ms => 50,kind => suspend}", "#" <> "{at_ms => 51,kind => suspend}", "at_ms")
    refute found?("%{duration_ms: 9, errors: 2}", "%{duration_ms: 9, errors: 3}", "duration_ms")
  end

  test "dots stand for anything between" do
    assert found?("a 1\n...\nb 2", "a 1\nx\ny\nb 2")
    refute found?("a 1\n...\nb 2", "a 1\nx\ny\nb 3")
    assert_raise ArgumentError, fn -> found?("...", "a") end
  end

  test "a busy machine is none of a page's business" do
    late = "  WARNING  this daemon was busy for 40 % of the load and late for 60 ms of it,\n           so that times\n"
    assert whole?("Run: completed\n  errors 0", "Run: completed\n" <> late <> "  errors       0\n")
    refute whole?("Run: completed\n  errors 0", "Run: completed\n  WARNING  nothing was sent\n  errors       0\n")
  end
end
