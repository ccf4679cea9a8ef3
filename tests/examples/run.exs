# Runs what the documents show, as it is printed.
#
#     elixir tests/examples/run.exs [PAGE...]
#
# ERL_EPMD_PORT has to be a free port, PROMTOOL is that program, and the daemon is build/release/harnessd, as the pages
# call it. Each page is worked through in shells of its own, from its start; page.ex says what is done with which block,
# and by what marks something is left out. A line for each page; what is not run is told with its reason. Writes
# "PASSED FAILED 0" to the file RESULT.

folder = __DIR__
support = for name <- ~w(epmd os_process wait), do: Path.join(folder, "../cluster/support/#{name}.ex")
{:ok, _, _} = Kernel.ParallelCompiler.compile(support ++ Path.wildcard(Path.join(folder, "*.ex")))

pages =
  case System.argv() do
    [] -> Enum.flat_map(~w(README.md *.md docs/*.md docs/*/*.md tests/README.md), &Path.wildcard/1) |> Enum.uniq()
    pages -> pages
  end

{home, 0} = System.cmd("mktemp", ["--directory", "--tmpdir", "harnessd_examples_XXXXXX"])
home = String.trim(home)
cookie = Path.join(home, ".erlang.cookie")
File.write!(cookie, Base.encode16(:crypto.strong_rand_bytes(20)))
File.chmod!(cookie, 0o400)
epmd = Epmd.start(Epmd.port(), Path.join(home, "epmd.log"))

:persistent_term.put(Examples, %{
  pages: Enum.reject(pages, &(Examples.Page.read(&1).blocks == [])),
  environment: [{"HOME", home}, {"LANG", "C.UTF-8"}, {"TERM", "dumb"}]
})

ExUnit.start(autorun: false, timeout: 600_000, seed: 0, max_failures: :infinity)
for name <- ~w(pattern walk pages), do: Code.require_file(Path.join(folder, "#{name}_test.exs"))
result = ExUnit.run()

OsProcess.signal(epmd, "TERM")
OsProcess.await_exit(epmd)
File.rm_rf!(home)

if file = System.get_env("RESULT"),
  do: File.write!(file, "#{result.total - result.failures} #{result.failures} 0\n")

System.halt(if result.failures == 0, do: 0, else: 1)
