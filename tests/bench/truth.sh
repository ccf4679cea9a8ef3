#!/bin/sh
# Whether service times are those of the wire: the same calls are captured by tcpdump on the loopback interface, and called
# at a reflector that answers after a time that is known. As root, for the captures.
set -eu

# A row is KIND NUMBER of calls in flight or a second; each with the atom cache on and off.
CAPTURED='closed:1 closed:16 closed:256 open:5000 open:20000'
REFLECTED='fixed:2000 exponential:2000 bimodal:500:10000:0.1'
PLAIN_NODE=harness_plain@127.0.0.1
REFLECTED_NODE=harness_reflected@127.0.0.1
REFLECTOR_NODE=reflector@127.0.0.1

usage() {
    cat <<TEXT
usage: sh tests/bench/truth.sh [--seconds S] [--rounds N] [--keep FOLDER]
  --seconds S     length of one measurement, in whole seconds (3)
  --rounds N      how often each row is measured; medians count (3)
  --keep FOLDER   keeps the captures there
The daemon is built in build/release, or in \$HARNESSD_BUILD. A p50 has to be within 5 us and 5 % of what the wire had, a p99
within 10 us and 10 %. Exit code: 0 all are, 1 some are not or something failed, 2 bad options.
TEXT
}

seconds=3
rounds=3
keep=''
while [ $# -gt 0 ]; do
    case $1 in
    --seconds) seconds=$2 && shift 2 ;;
    --rounds) rounds=$2 && shift 2 ;;
    --keep) keep=$2 && shift 2 ;;
    --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
    esac
done
case $seconds$rounds in
*[!0-9]*) usage >&2 && exit 2 ;;
esac

with_harnessd=yes
bench=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$bench/../.." && pwd)
build=${HARNESSD_BUILD:-$root/build/release}
. "$bench/lib/processes.sh"
. "$bench/lib/figures.sh"

[ "$(id -u)" = 0 ] || fail "captures need root"
command -v tcpdump >/dev/null || fail "there is no tcpdump"

build_witnesses() {
    cc -std=gnu17 -O2 -D_GNU_SOURCE -Wall -Wextra -Werror "$bench/wire_times.c" -o "$work/wire_times"
    cc -std=gnu17 -O2 -D_GNU_SOURCE -pthread -Wall -Wextra -Werror -I"$otp/usr/include" "$bench/reflector.c" \
        -o "$work/reflector" -L"$otp/usr/lib" -lei -lm
}

# The port of a node, from epmd.
port_of() {
    epmd -names | sed -n "s/^name ${1%@*} at port //p"
}

# begin_capture PORT: what goes over it, until end_capture.
begin_capture() {
    tcpdump -i lo -n -s 0 -B 65536 --time-stamp-precision=nano -w "$work/capture" "tcp port $1" \
        >"$work/tcpdump.log" 2>&1 </dev/null &
    capture_id=$!
    started $capture_id
    wait_for "$work/tcpdump.log" 'listening on' $capture_id
}

# Packets come to tcpdump a block at a time, a second after the last one at the latest.
end_capture() {
    sleep 2
    kill -INT $capture_id
    wait $capture_id || true
    forget $capture_id
    grep -q '^0 packets dropped by kernel' "$work/tcpdump.log" || fail "the capture is not whole: $(cat "$work/tcpdump.log")"
}

# The numbers that harness_truth takes.
load_of() {
    case $1 in
    closed:*) echo "0 ${1#*:} $2" ;;
    open:*) echo "1 ${1#*:} $2" ;;
    esac
}

# Keeps both figures of a quantile, and by how much the daemon's is off beside what it may be: note ROW QUANTILE US PERCENT.
note() {
    record "$1" "daemon.$2" "$daemon_us"
    record "$1" "truth.$2" "$truth_us"
    record "$1" "off.$2" "$(awk -v a="$daemon_us" -v b="$truth_us" -v us="$3" -v percent="$4" \
        'BEGIN { off = a - b; print (off < 0 ? -off : off) / (us + b * percent / 100) }')"
}

# compare ROW: the line of the daemon is in $work/line, that of who has seen it as well in $work/truth.
compare() {
    for quantile in p50 p99; do
        daemon_us=$(field ${quantile}_us)
        truth_us=$(tr ' ' '\n' <"$work/truth" | sed -n "s/^${quantile}_us=//p")
        case $quantile in
        p50) note "$1" $quantile 5 5 ;;
        p99) note "$1" $quantile 10 10 ;;
        esac
    done
    record_field "$1" excluded excluded
    record_field "$1" clock by_kernel
    echo "truth: $1: daemon $(cat "$work/line"); truth $(cat "$work/truth")" >&2
}

# What the wire has seen has to be the same calls.
same_calls() {
    seen=$(tr ' ' '\n' <"$work/truth" | sed -n 's/^calls=//p')
    [ "$seen" = "$(field calls)" ] || fail "the daemon has made $(field calls) calls, and $seen were seen"
}

# captured ROW NODE DAEMON-ID LOAD
captured() {
    begin_capture "$server_port"
    run_harness "$2" "$3" harness_truth $(load_of "$4" $((seconds * 1000)))
    end_capture
    "$work/wire_times" "$work/capture" "$server_port" >"$work/truth"
    [ -z "$keep" ] || cp "$work/capture" "$keep/$1"
    same_calls
    compare "$1"
}

# reflected ROW DELAY: a daemon and a reflector of their own.
reflected() {
    start_daemon $REFLECTED_NODE
    "$work/reflector" --node $REFLECTOR_NODE --cookie-file "$cookie" --delay "$2" >"$work/truth" 2>"$work/reflector.log" &
    reflector_id=$!
    started $reflector_id
    wait_for "$work/truth" '^ready' $reflector_id
    creation=$(sed -n 's/.*creation=\([0-9]*\).*/\1/p' "$work/truth")
    process=$(sed -n 's/.*id=\([0-9]*\) serial=\([0-9]*\).*/\1 \2/p' "$work/truth")
    begin_node $CALLER_NODE -run harness_client main harness_truth $REFLECTED_NODE $REFLECTOR_NODE "$daemon_id" \
        0 16 $((seconds * 1000)) "$creation" $process
    end_client
    stop_process "$daemon_id"
    wait $reflector_id || fail "the reflector: $(cat "$work/reflector.log")"
    forget $reflector_id
    sed -i '/^ready/d' "$work/truth"
    same_calls
    compare "$1"
}

# judged ROW WHAT
judged() {
    verdict=$(awk -v p50="$(median "$1" off.p50)" -v p99="$(median "$1" off.p99)" -v clock="$(median "$1" clock)" \
        'BEGIN { print p50 <= 1 && p99 <= 1 && clock == 1 ? "met" : "missed" }')
    [ "$verdict" = met ] || missed=$((missed + 1))
    row "$2" "$(shown "$1" truth.p50 1)" "$(shown "$1" daemon.p50 0)" "$(shown "$1" truth.p99 1)" \
        "$(shown "$1" daemon.p99 0)" "$(shown "$1" off.p50 2)" "$(shown "$1" off.p99 2)" "$(shown "$1" excluded 0)" \
        "$verdict"
}

measure_all() {
    round=1
    while [ "$round" -le "$rounds" ]; do
        for load in $CAPTURED; do
            captured "$load.on" $HARNESS_NODE "$harness_id" "$load"
            captured "$load.off" $PLAIN_NODE "$plain_id" "$load"
        done
        for delay in $REFLECTED; do
            reflected "$delay" "$delay"
        done
        round=$((round + 1))
    done
}

print_all() {
    print_machine
    echo
    echo "Medians of $rounds rounds of $seconds s, us; what it is off to what it may be off:"
    echo
    header calls 'p50 on the wire' "the daemon's" 'p99 on the wire' "the daemon's" 'p50 off' 'p99 off' excluded verdict
    for load in $CAPTURED; do
        judged "$load.on" "$load, atom cache on"
        judged "$load.off" "$load, atom cache off"
    done
    for delay in $REFLECTED; do
        judged "$delay" "reflector, $delay"
    done
}

[ -z "$keep" ] || mkdir -p "$keep"
build_all
build_witnesses
start_epmd
start_server
server_port=$(port_of $SERVER_NODE)
start_daemon $HARNESS_NODE
harness_id=$daemon_id
start_daemon $PLAIN_NODE '"atom_cache": false'
plain_id=$daemon_id
for node in $HARNESS_NODE $PLAIN_NODE; do # connections begin before the captures do
    run_harness $node $harness_id harness_truth 0 16 200
done
measure_all
print_all
[ $missed -eq 0 ]
