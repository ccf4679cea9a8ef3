#!/bin/sh
# A node to test and a daemon, to try things by hand: what the documents begin with.
#
#     sh tests/playground.sh start [app]    the node app@127.0.0.1 with the account of demo.exs, and the daemon
#                                           harness@127.0.0.1; with `app` the node alone; what runs already is kept
#     sh tests/playground.sh stop           ends what this has started
#
# It says what it starts, and comes back when that is ready. Both use the cookie of $HOME/.erlang.cookie, and write their
# logs to build, or without such a folder to one of the user in /tmp. HARNESSD is the daemon (build/release/harnessd, or
# the one that is installed).
#
# The status is 0 if both are there, 1 if something did not start, with what it said, 2 for a wrong command.

set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 2
folder=build
[ -d build ] || folder=/tmp/harnessd-playground-$(id -u)
mkdir -p -m 700 "$folder" && [ -O "$folder" ] || exit 2
daemon=${HARNESSD:-build/release/harnessd}
[ -x "$daemon" ] || daemon=harnessd
scenarios=$PWD/config/scenarios
[ -d "$scenarios" ] || scenarios=/etc/harnessd/scenarios

# is_running NAME: whether what was started by that name is still there; a number of a process may be another's by now.
is_running() {
    pid=$(cat "$folder/$1.pid" 2>/dev/null) && [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$PWD" ]
}

# start NAME TEXT COMMAND...: returns when its log has the text.
start() {
    name=$1 text=$2
    shift 2
    if is_running "$name"; then
        echo "already there: $name@127.0.0.1 (log: $folder/$name.log)"
        return
    fi
    echo "$* >$folder/$name.log 2>&1 &"
    rm -f "$folder/$name.log"
    setsid "$@" >"$folder/$name.log" 2>&1 </dev/null &
    echo $! >"$folder/$name.pid"
    tries=0
    until grep -s "$text" "$folder/$name.log"; do
        tries=$((tries + 1))
        if [ $tries -gt 600 ] || ! kill -0 $! 2>/dev/null; then
            cat "$folder/$name.log" >&2
            rm -f "$folder/$name.pid"
            echo "it did not start" >&2
            exit 1
        fi
        sleep 0.1
    done
}

stop() {
    if is_running "$1"; then
        kill "$pid"
        while is_running "$1"; do sleep 0.1; done
    fi
    rm -f "$folder/$1.pid"
}

case "${1:-} ${2:-}" in
"start " | "start app")
    start app "the account is open" elixir --name app@127.0.0.1 "${here#"$PWD"/}/demo.exs" app
    [ "${2:-}" != app ] || exit 0
    printf '{"scenario_dir": "%s"}\n' "$scenarios" >"$folder/playground.json"
    start harness "ready node=" "$daemon" --config "$folder/playground.json" --name harness@127.0.0.1
    ;;
"stop ")
    stop harness
    stop app
    ;;
*)
    echo "usage: sh $0 start [app] | stop" >&2
    exit 2
    ;;
esac
