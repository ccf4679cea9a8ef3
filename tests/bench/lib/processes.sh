# Builds what the bench runs, and starts and ends its processes: an epmd, the node of the server, daemons, clients.
# Everything that was started is gone at the end, whatever ends the bench.

SERVER_NODE=bench@127.0.0.1
HARNESS_NODE=harness@127.0.0.1
CALLER_NODE=bench_caller@127.0.0.1
CLIENT_SECONDS=600

work=$(mktemp -d)
running=''

fail() {
    echo "bench: $*" >&2
    exit 1
}

# Remembers a process that is to be ended: started ID.
started() {
    running="$1 $running"
}

# Ends a process of ours: asked first, killed after five seconds.
stop_process() {
    kill -CONT "$1" 2>/dev/null || true
    kill -TERM "$1" 2>/dev/null || true
    tries=50
    while [ $tries -gt 0 ] && kill -0 "$1" 2>/dev/null; do
        sleep 0.1
        tries=$((tries - 1))
    done
    kill -KILL "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
    forget "$1"
}

forget() {
    left=''
    for id in $running; do
        [ "$id" = "$1" ] || left="$left $id"
    done
    running=$left
}

# The last one that was started first: the epmd outlives those that are registered with it.
clean_up() {
    trap '' HUP INT TERM
    for id in $running; do
        stop_process "$id"
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Waits until FILE holds a line that matches PATTERN while process ID lives: wait_for FILE PATTERN ID.
wait_for() {
    tries=150
    until grep -q "$2" "$1" 2>/dev/null; do
        tries=$((tries - 1))
        if [ $tries -eq 0 ] || ! kill -0 "$3" 2>/dev/null; then
            cat "$1" >&2
            fail "process $3 does not start"
        fi
        sleep 0.1
    done
}

build_all() {
    otp=$(erl -noshell -eval 'io:format("~s", [code:root_dir()]), halt().')
    cc -std=gnu17 -O2 -g -D_GNU_SOURCE -pthread -Wall -Wextra -Werror -I"$otp/usr/include" \
        "$bench/raw_client.c" -o "$work/raw_client" -L"$otp/usr/lib" -lei
    erlc -o "$work" "$bench/harness_client.erl"
    erlc -pa "$work" -o "$work" "$bench"/*.erl
    [ "$with_harnessd" = yes ] || return 0
    if ! { cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo &&
        cmake --build "$build" --target harnessd -j2; } >"$work/build.log" 2>&1; then
        tail -n 30 "$work/build.log" >&2
        fail "cannot build harnessd in $build"
    fi
    ! grep -q '^HARNESSD_SANITIZE:[A-Z]*=.' "$build/CMakeCache.txt" ||
        fail "$build is built with sanitizers; measure another build"
}

# Our own epmd on a port of our own, so that neither disturbs the other.
start_epmd() {
    # The cookie is in a file only: command lines are public.
    HOME=$work
    ERL_CRASH_DUMP_SECONDS=0
    export HOME ERL_CRASH_DUMP_SECONDS
    cookie=$work/.erlang.cookie
    (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$cookie")
    port=$((20000 + $$ % 20000))
    for ERL_EPMD_PORT in $port $((port + 1)) $((port + 2)) $((port + 3)); do
        export ERL_EPMD_PORT
        epmd -address 127.0.0.1 >"$work/epmd.log" 2>&1 </dev/null &
        epmd_id=$!
        started $epmd_id
        tries=20
        while [ $tries -gt 0 ] && kill -0 $epmd_id 2>/dev/null; do
            if epmd -names >/dev/null 2>&1; then
                sleep 0.2
                # Somebody else's epmd answers as well; ours has gone in that case.
                if kill -0 $epmd_id 2>/dev/null; then
                    return 0
                fi
            fi
            sleep 0.1
            tries=$((tries - 1))
        done
        stop_process $epmd_id
    done
    fail "cannot start epmd: $(cat "$work/epmd.log")"
}

# Flags of all nodes.
NODE_FLAGS='-noshell -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}'

# The server's process is $server_id.
start_server() {
    erl $NODE_FLAGS -pa "$work" -name $SERVER_NODE -s bench_server start >"$work/server.log" 2>&1 </dev/null &
    server_id=$!
    started $server_id
    wait_for "$work/server.log" '^ready' $server_id
}

# The configuration of a daemon: configure FILE NAME NODE-SETTINGS LIMITS, where the settings are what JSON has between
# the braces, or empty. HTTP is on, as it is by default.
configure() {
    printf '{"node": {"name": "%s", "cookie_file": "%s"%s}, "limits": {%s}, "http": {"listen": "127.0.0.1:0"}}\n' \
        "$2" "$cookie" "${3:+, $3}" "$4" >"$1"
}

# start_daemon NAME [NODE-SETTINGS [LIMITS]]: its process is $daemon_id.
start_daemon() {
    configure "$work/$1.json" "$1" "${2:-}" "${3:-}"
    "$build/harnessd" --config "$work/$1.json" >"$work/$1.log" 2>&1 </dev/null &
    daemon_id=$!
    daemon_log=$work/$1.log
    started $daemon_id
    wait_for "$daemon_log" 'ready.* node=' $daemon_id
}

# What most parts measure: a server and a daemon that have done nothing yet.
start_both() {
    start_server
    start_daemon $HARNESS_NODE
}

stop_both() {
    stop_process $daemon_id
    stop_process $server_id
}

# Starts a client, which is to write its one line to $work/line: begin_client COMMAND ARGUMENTS.
begin_client() {
    command="$*"
    timeout $CLIENT_SECONDS "$@" >"$work/line" 2>"$work/client.log" </dev/null &
    client_id=$!
    started $client_id
}

# The same for an Erlang node: begin_node NAME ARGUMENTS.
begin_node() {
    name=$1
    shift
    begin_client erl $NODE_FLAGS -pa "$work" -name "$name" "$@"
}

# Waits for its end. It runs in the background, so that a signal is answered at once.
end_client() {
    if ! wait $client_id; then
        cat "$work/client.log" >&2
        for log in "$work"/*@*.log; do
            [ ! -f "$log" ] || tail -n 20 "$log" >&2
        done
        fail "failed: $command"
    fi
    forget $client_id
}

run_client() {
    begin_client "$@"
    end_client
}

# begin_harness NODE DAEMON-ID MODULE ARGUMENTS: has the module make load by the daemon.
begin_harness() {
    harness=$1
    process=$2
    module=$3
    shift 3
    begin_node $CALLER_NODE -run harness_client main "$module" "$harness" $SERVER_NODE "$process" "$@"
}

run_harness() {
    begin_harness "$@"
    end_client
}

# The value of KEY in the client's line.
field() {
    tr ' ' '\n' <"$work/line" | sed -n "s/^$1=//p"
}
