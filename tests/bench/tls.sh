#!/bin/sh
# The speed over TLS beside that over plain TCP: calls per second of harnessd over both, and of a second BEAM node over TLS,
# in interleaved rounds on one machine, each of the two clusters with a server and a daemon of its own. With the
# certificates of both sides checked.
#
#     sh tests/bench/tls.sh [--rounds N] [--seconds S]
#
# The daemon is the one of build/release, or of $HARNESSD_BUILD. Exit code: 0 targets met, 1 missed or failed.
set -eu

IN_FLIGHT=256
TLS_SERVER=bench_tls@127.0.0.1
TLS_HARNESS=harness_tls@127.0.0.1
rounds=6
seconds=2
while [ $# -gt 1 ]; do
    case $1 in
    --rounds) rounds=$2 ;;
    --seconds) seconds=$2 ;;
    *) exit 2 ;;
    esac
    shift 2
done

with_harnessd=no # it is built already
bench=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$bench/../.." && pwd)
build=${HARNESSD_BUILD:-$root/build/release}
. "$bench/lib/processes.sh"
. "$bench/lib/figures.sh"

build_all
start_epmd
sh "$root/tests/certificates.sh" "$work/tls" 127.0.0.1
PLAIN_FLAGS=$NODE_FLAGS
TLS_FLAGS="$NODE_FLAGS -proto_dist inet_tls -ssl_dist_optfile $work/tls/optfile"
PLAIN_SERVER=$SERVER_NODE

# over_plain, over_tls: what is started and measured from now on.
over_plain() {
    NODE_FLAGS=$PLAIN_FLAGS
    SERVER_NODE=$PLAIN_SERVER
}
over_tls() {
    NODE_FLAGS=$TLS_FLAGS
    SERVER_NODE=$TLS_SERVER
}

measure_harness() {
    run_harness "$2" "$3" harness_calls $IN_FLIGHT "$seconds"
    record_field "$1" calls calls_per_s
    record_field "$1" cpu cpu_us_per_call
    run_harness "$2" "$3" harness_calls 1 "$seconds"
    record_field "$1" latency median_us
}

over_plain
start_server
start_daemon $HARNESS_NODE
plain_id=$daemon_id
over_tls
start_server
start_daemon $TLS_HARNESS "\"tls\": {\"optfile\": \"$work/tls/optfile\"}"
tls_id=$daemon_id

round=1
while [ $round -le "$rounds" ]; do
    over_plain
    measure_harness plain $HARNESS_NODE "$plain_id"
    over_tls
    measure_harness tls $TLS_HARNESS "$tls_id"
    begin_node bench_client@127.0.0.1 -run beam_client main calls $TLS_SERVER $IN_FLIGHT "$seconds"
    end_client
    record_field beam calls calls_per_s
    record_field beam cpu cpu_us_per_call
    record_ratio tls plain calls to_plain
    record_ratio tls beam calls to_beam
    echo "bench: round $round of $rounds, calls/s: plain $(digits 0 "$(last plain calls)") tls $(digits 0 "$(last tls calls)") BEAM over tls $(digits 0 "$(last beam calls)")" >&2
    round=$((round + 1))
done

echo "$IN_FLIGHT calls in flight, medians of $rounds interleaved rounds of $seconds s:"
echo
header client calls/s 'lowest to highest' 'CPU us a call' 'one in flight, us'
row 'harnessd, plain' "$(shown plain calls 0)" "$(spread plain calls 0)" "$(shown plain cpu 1)" "$(shown plain latency 0)"
row 'harnessd over TLS' "$(shown tls calls 0)" "$(spread tls calls 0)" "$(shown tls cpu 1)" "$(shown tls latency 0)"
row 'a second BEAM node over TLS' "$(shown beam calls 0)" "$(spread beam calls 0)" "$(shown beam cpu 1)" -
echo
target 'calls/s over TLS to plain' "$(median tls to_plain)" '>=' 0.8 3 ''
target "calls/s over TLS to a BEAM node's" "$(median tls to_beam)" '>=' 2 3 ''
cat "$work/verdicts"
[ $missed -eq 0 ]
