# Runs the cluster tests: starts an epmd and becomes a node, loads what the tests share, then the tests.
#
#     ERL_EPMD_PORT=N HARNESSD=build/asan/harnessd elixir tests/cluster/run.exs [FILE[:LINE]]
#
# ERL_EPMD_PORT has to be a free port: a BEAM node reads it when it starts, so that only who starts us can
# choose it. SEED sets the order of the tests. Writes "PASSED FAILED SKIPPED" to the file RESULT.

folder = __DIR__

keep = fn module, binary -> :persistent_term.put({Support, module}, binary) end
sources = Path.wildcard(Path.join(folder, "support/*.ex"))

{:ok, _, _} =
  Kernel.ParallelCompiler.compile(sources, each_module: fn _, module, binary -> keep.(module, binary) end)

for file <- Path.wildcard(Path.join(folder, "support/*.erl")) do
  {:ok, module, binary} = :compile.file(to_charlist(file), [:binary, :report])
  {:module, ^module} = :code.load_binary(module, to_charlist(file), binary)
  keep.(module, binary)
end

unless File.regular?(Harness.executable()) do
  IO.puts(:stderr, "no daemon at #{Harness.executable()}")
  System.halt(2)
end

log = Path.join(System.tmp_dir!(), Peer.unique("harnessd_epmd"))
epmd = Epmd.start(Epmd.port(), log)
tester = String.to_atom(Peer.unique("tester") <> "@127.0.0.1")
{:ok, _} = Node.start(tester, :longnames)
Node.set_cookie(String.to_atom(Base.encode16(:crypto.strong_rand_bytes(20))))

# What is killed on purpose is logged by every node that knew it.
Logger.configure(level: :none)

seed = if seed = System.get_env("SEED"), do: [seed: String.to_integer(seed)], else: []
ExUnit.start([autorun: false, timeout: 180_000, max_failures: :infinity] ++ seed)

{path, filter} =
  case System.argv() do
    [] -> {nil, []}
    [argument] -> ExUnit.Filters.parse_path(argument)
  end

ExUnit.configure(filter)

files =
  if path,
    do: [Path.join(folder, Path.basename(path))],
    else: Enum.sort(Path.wildcard(Path.join(folder, "*_test.exs")))

Enum.each(files, &Code.require_file/1)
result = ExUnit.run()

OsProcess.signal(epmd, "TERM")
OsProcess.await_exit(epmd)
File.rm(log)

if file = System.get_env("RESULT") do
  passed = result.total - result.failures - result.excluded - result.skipped
  File.write!(file, "#{passed} #{result.failures} #{result.skipped}\n")
end

System.halt(if result.failures == 0, do: 0, else: 1)
