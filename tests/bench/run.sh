#!/bin/sh
# Compares harnessd with its limit, a raw socket client that replays a ready-made frame, and with what users have
# today, a second BEAM node in gen_server:call. All call the same GenServer on the same node, in interleaved rounds;
# the medians are printed and judged. Everything runs on the loopback interface and is gone at the end.
set -eu

IN_FLIGHT=256
LATENCY_CALLS=5000
# On which core a process wakes up, and what that costs, changes from one measurement to the next, above all with one
# call in flight on a virtual machine. Many short measurements in turn tell more than few long ones.
PASSES_PER_ROUND=3
SERVER_NODE=bench@127.0.0.1
HARNESS_NODE=harness@127.0.0.1

usage() {
    cat <<'TEXT'
usage: sh tests/bench/run.sh [--rounds N] [--seconds S] [--without-harnessd]
  --rounds N            rounds of three passes over all clients; medians are of all passes (5)
  --seconds S           length of one measurement of calls per second, in whole seconds (2)
  --without-harnessd    only the raw client and the BEAM client, to know a machine
The daemon is built in build/release, or in $HARNESSD_BUILD.
Exit code: 0 all targets met, 1 some missed or something failed, 2 bad options.
TEXT
}

fail() {
    echo "bench: $*" >&2
    exit 1
}

whole_number() {
    case $2 in
    '' | 0* | *[!0-9]*)
        echo "bench: $1 wants a positive whole number" >&2
        exit 2
        ;;
    esac
}

rounds=5
seconds=2
with_harnessd=yes
while [ $# -gt 0 ]; do
    case $1 in
    --rounds | --seconds)
        whole_number "$1" "${2:-}"
        [ "$1" = --rounds ] && rounds=$2 || seconds=$2
        shift 2
        ;;
    --without-harnessd)
        with_harnessd=no
        shift
        ;;
    --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
    esac
done

bench=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$bench/../.." && pwd)
build=${HARNESSD_BUILD:-$root/build/release}
work=$(mktemp -d)
epmd_id=''
server_id=''
daemon_id=''
client_id=''

# Ends a process of ours: asked first, killed after five seconds.
stop_process() {
    [ -n "$1" ] || return 0
    kill -TERM "$1" 2>/dev/null || true
    tries=50
    while [ $tries -gt 0 ] && kill -0 "$1" 2>/dev/null; do
        sleep 0.1
        tries=$((tries - 1))
    done
    kill -KILL "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

clean_up() {
    trap '' HUP INT TERM
    stop_process "$client_id"
    stop_process "$daemon_id"
    stop_process "$server_id"
    stop_process "$epmd_id"
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
            return 1
        fi
        sleep 0.1
    done
}

# Runs a client and writes its one line to $work/line. In the background, so that a signal is answered at once.
run_client() {
    timeout $((seconds * 10 + 120)) "$@" >"$work/line" 2>"$work/client.log" </dev/null &
    client_id=$!
    if ! wait "$client_id"; then
        client_id=''
        cat "$work/client.log" >&2
        [ "$with_harnessd" = no ] || tail -n 20 "$work/daemon.log" >&2
        fail "failed: $*"
    fi
    client_id=''
}

# The value of KEY in the client's line.
field() {
    tr ' ' '\n' <"$work/line" | sed -n "s/^$1=//p"
}

# Keeps a figure of this round: record CLIENT METRIC VALUE.
record() {
    [ -n "$3" ] || fail "no $2 in what $1 printed: $(cat "$work/line")"
    echo "$3" >>"$work/$1.$2"
}

record_rate() {
    record "$1" calls_per_s "$(field calls_per_s)"
    record "$1" cpu "$(field cpu_us_per_call)"
}

# The median of a client's figure over all passes, or - where it has none.
median() {
    [ -f "$work/$1.$2" ] || {
        echo -
        return
    }
    sort -g "$work/$1.$2" | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

# The lowest and the highest of a client's figure.
spread() {
    [ -f "$work/$1.$2" ] || {
        echo -
        return
    }
    sort -g "$work/$1.$2" | awk 'NR == 1 { low = $1 } END { print low " to " $1 }'
}

build_all() {
    otp=$(erl -noshell -eval 'io:format("~s", [code:root_dir()]), halt().')
    cc -std=gnu17 -O2 -g -D_GNU_SOURCE -pthread -Wall -Wextra -Werror -I"$otp/usr/include" \
        "$bench/raw_client.c" -o "$work/raw_client" -L"$otp/usr/lib" -lei
    erlc -o "$work" "$bench"/*.erl
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
    port=$((20000 + $$ % 20000))
    for ERL_EPMD_PORT in $port $((port + 1)) $((port + 2)) $((port + 3)); do
        export ERL_EPMD_PORT
        epmd -address 127.0.0.1 >"$work/epmd.log" 2>&1 </dev/null &
        epmd_id=$!
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
        epmd_id=''
    done
    fail "cannot start epmd: $(cat "$work/epmd.log")"
}

# erl as all nodes of the bench run it.
node() {
    name=$1
    shift
    set -- erl -noshell -name "$name" -start_epmd false -kernel inet_dist_use_interface '{127,0,0,1}' \
        -pa "$work" "$@"
    case $name in
    "$SERVER_NODE")
        "$@" >"$work/server.log" 2>&1 </dev/null &
        server_id=$!
        ;;
    *) run_client "$@" ;;
    esac
}

start_nodes() {
    # The cookie is in a file only: command lines are public.
    HOME=$work
    ERL_CRASH_DUMP_SECONDS=0
    export HOME ERL_CRASH_DUMP_SECONDS
    cookie=$work/.erlang.cookie
    (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$cookie")
    start_epmd
    node $SERVER_NODE -s bench_server start
    wait_for "$work/server.log" '^ready' "$server_id" || {
        cat "$work/server.log" >&2
        fail "the server node does not start"
    }
    [ "$with_harnessd" = yes ] || return 0
    "$build/harnessd" --name $HARNESS_NODE --cookie-file "$cookie" >"$work/daemon.log" 2>&1 </dev/null &
    daemon_id=$!
    wait_for "$work/daemon.log" 'ready.* node=' "$daemon_id" || {
        cat "$work/daemon.log" >&2
        fail "harnessd does not start"
    }
}

# measure_harnessd IN_FLIGHT
measure_harnessd() {
    node bench_caller@127.0.0.1 -run harness_client main $HARNESS_NODE $SERVER_NODE "$daemon_id" "$1" "$seconds"
}

# measure_raw IN_FLIGHT --seconds S | --calls N
measure_raw() {
    in_flight=$1
    shift
    run_client "$work/raw_client" --node $SERVER_NODE --cookie-file "$cookie" --server bench_server \
        --in-flight "$in_flight" "$@"
}

# Every client once, in turn.
measure_pass() {
    if [ "$with_harnessd" = yes ]; then
        measure_harnessd $IN_FLIGHT
        record_rate harnessd
        measure_harnessd 1
        record harnessd latency "$(field median_us)"
    fi
    measure_raw $IN_FLIGHT --seconds "$seconds"
    record_rate raw
    measure_raw 1 --calls $LATENCY_CALLS
    record raw latency "$(field median_us)"
    node bench_client@127.0.0.1 -run beam_client main $SERVER_NODE $IN_FLIGHT "$seconds"
    record_rate beam
    record beam runtime "$(field runtime_us_per_call)"
}

print_header() {
    model=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
    release=$(erl -noshell -eval 'io:format("~s", [erlang:system_info(otp_release)]), halt().')
    echo "$(date -u '+%Y-%m-%d %H:%M UTC'), ${model:-unknown processor}, $(nproc) cores," \
        "OTP $release, $(uname -sr), $rounds rounds of $PASSES_PER_ROUND passes, $seconds s each," \
        "$IN_FLIGHT in flight, medians"
}

# ratio A B: A / B with two digits, or - where one is missing.
ratio() {
    case "$1 $2" in
    *-*) echo - ;;
    *) awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f\n", a / b }' ;;
    esac
}

print_row() {
    rate=$(median "$1" calls_per_s)
    printf '%-28s %9.9s %13s %13s %13s %16s\n' "$2" "${rate%.*}" "$(median "$1" cpu)" \
        "$(ratio "$rate" "$raw_rate")" "$(ratio "$rate" "$beam_rate")" "$(median "$1" latency)"
}

print_spread() {
    echo "lowest to highest, $2: calls/s $(spread "$1" calls_per_s); CPU $(spread "$1" cpu);" \
        "one in flight $(spread "$1" latency)"
}

print_table() {
    raw_rate=$(median raw calls_per_s)
    beam_rate=$(median beam calls_per_s)
    print_header
    printf '%-28s %9s %13s %13s %13s %16s\n' client calls/s 'CPU us/call' 'ratio to raw' 'ratio to BEAM' \
        'one in flight us'
    [ "$with_harnessd" = no ] || print_row harnessd harnessd
    print_row raw 'raw client'
    print_row beam 'BEAM client'
    [ "$with_harnessd" = no ] || print_spread harnessd harnessd
    print_spread raw 'raw client'
    print_spread beam 'BEAM client'
    echo "CPU by the kernel's accounts; BEAM client by statistics(runtime): $(median beam runtime) us/call"
}

# target NAME MEASURED RELATION LIMIT, where RELATION is >= or <=: judged on the unrounded figure.
target() {
    verdict=$(awk -v measured="$2" -v relation="$3" -v limit="$4" 'BEGIN {
        met = relation == ">=" ? measured + 0 >= limit + 0 : measured + 0 <= limit + 0
        printf "measured %.3f, %s", measured, met ? "met" : "missed"
    }')
    echo "target: $1 $3 $4: $verdict"
    case $verdict in
    *missed) all_met=no ;;
    esac
}

quotient() {
    awk -v a="$(median "$1" "$3")" -v b="$(median "$2" "$3")" 'BEGIN { print a / b }'
}

judge() {
    all_met=yes
    target 'calls/s, harnessd to raw' "$(quotient harnessd raw calls_per_s)" '>=' 0.9
    target 'calls/s, harnessd to BEAM' "$(quotient harnessd beam calls_per_s)" '>=' 2.5
    target 'CPU per call, harnessd to raw' "$(quotient harnessd raw cpu)" '<=' 1.3
    target 'one in flight, harnessd to raw' "$(quotient harnessd raw latency)" '<=' 1.2
    [ $all_met = yes ]
}

build_all
start_nodes
pass=1
while [ $pass -le $((rounds * PASSES_PER_ROUND)) ]; do
    measure_pass
    line="pass $pass of $((rounds * PASSES_PER_ROUND)), calls/s:"
    for client in harnessd raw beam; do
        [ ! -f "$work/$client.calls_per_s" ] || line="$line $client $(tail -n 1 "$work/$client.calls_per_s")"
    done
    echo "$line" >&2
    pass=$((pass + 1))
done
print_table
[ "$with_harnessd" = no ] || judge
