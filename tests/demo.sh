#!/bin/sh
# A first look: an epmd, a BEAM node `app` with a small bank account as a GenServer, the daemon, and a second
# BEAM node that asks the daemon to run a scenario against the account and prints what came of it. All of it
# on loopback, with an epmd on a port of its own; nothing is left running.
#
# BUILD_ROOT is where the build goes (build).

set -u
root=$(cd "$(dirname "$0")/.." && pwd) || exit 2
cd "$root" || exit 2
. tests/packages.sh
BUILD_ROOT=${BUILD_ROOT:-$root/build}
exec </dev/null

require_packages "$BUILD_PACKAGES"

scratch=$(mktemp -d) || exit 2
running=
stop_all() {
    # In the reverse order of their start: epmd is the last.
    for pid in $running; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    rm -rf "$scratch"
}
trap stop_all EXIT
trap 'exit 130' INT TERM

fail() {
    echo "$1" >&2
    shift
    [ $# -eq 0 ] || cat "$@" >&2
    exit 1
}

# wait_for FILE TEXT PID
wait_for() {
    tries=0
    until grep -q "$2" "$1" 2>/dev/null; do
        tries=$((tries + 1))
        kill -0 "$3" 2>/dev/null && [ "$tries" -lt 600 ] || fail "no '$2':" "$1"
        sleep 0.05
    done
}

echo "Building harnessd in $BUILD_ROOT/release ..."
{
    cmake -S . -B "$BUILD_ROOT/release" -DCMAKE_BUILD_TYPE=Release &&
        cmake --build "$BUILD_ROOT/release" --parallel "$(nproc)" --target harnessd
} >"$scratch/build" 2>&1 || fail "The build failed:" "$scratch/build"

# Which port is free is known to whom has tried.
ERL_EPMD_PORT=$(erl -noshell -eval '
    Try = fun Try(N) ->
        Port = 20000 + rand:uniform(9999),
        case gen_tcp:listen(Port, []) of
            {ok, _} -> io:format("~b", [Port]), halt(0);
            _ when N > 0 -> Try(N - 1)
        end
    end, Try(100).')
export ERL_EPMD_PORT
epmd=$(command -v epmd) || epmd=$(echo /usr/lib/erlang/erts-*/bin/epmd)
"$epmd" -address 127.0.0.1 >"$scratch/epmd" 2>&1 &
running="$!"

# The cookie that all three share, known only to this run.
umask 077
od -An -N20 -tx1 /dev/urandom | tr -d ' \n' >"$scratch/cookie"

echo "Starting the node app@127.0.0.1 with an account to test ..."
HARNESSD_DEMO_COOKIE="$scratch/cookie" elixir --name app@127.0.0.1 tests/demo.exs app >"$scratch/app" 2>&1 &
app=$!
running="$app $running"
wait_for "$scratch/app" "the account is open" "$app"

# Without HTTP, whose port may be in use.
echo '{"http": {"listen": ""}}' >"$scratch/config"

echo "Starting the daemon as harness@127.0.0.1 ..."
"$BUILD_ROOT/release/harnessd" --config "$scratch/config" --name harness@127.0.0.1 --cookie-file "$scratch/cookie" >"$scratch/daemon" 2>&1 &
daemon=$!
running="$daemon $running"
wait_for "$scratch/daemon" "ready node=" "$daemon"
grep "ready node=" "$scratch/daemon"

HARNESSD_DEMO_COOKIE="$scratch/cookie" elixir --name shell@127.0.0.1 tests/demo.exs shell ||
    fail "The demo failed; the daemon's log:" "$scratch/daemon"

echo
echo "== The same account, by a scenario file and from the command line"
echo "  harnessd run config/scenarios/smoke.json --connect app@127.0.0.1"
echo
"$BUILD_ROOT/release/harnessd" run config/scenarios/smoke.json --connect app@127.0.0.1 --cookie-file "$scratch/cookie" ||
    fail "The scenario ended with status $?"

kill "$daemon"
wait "$daemon" || fail "The daemon ended with status $?:" "$scratch/daemon"
echo
echo "Stopped everything. Next: README.md. By hand, in a shell that \`iex --name me@127.0.0.1\` starts:"
echo
echo "  IO.puts(:erpc.call(:\"harness@127.0.0.1\", :harness, :help, []))"
echo
echo "with the node of the account and a daemon, each in a terminal of its own:"
echo
echo "  elixir --name app@127.0.0.1 $root/tests/demo.exs app"
echo "  $BUILD_ROOT/release/harnessd --name harness@127.0.0.1"
