# Calls per second and CPU per call of harnessd, of its limit, a raw socket client that replays a ready-made frame, and
# of what users have today, a second BEAM node in gen_server:call. All call the same GenServer, in interleaved rounds;
# ratios are taken within each pass. A daemon that knows an atom cache is measured with and without it.

IN_FLIGHT=256
LATENCY_CALLS=5000
PLAIN_NODE=harness_plain@127.0.0.1

# measure_raw IN_FLIGHT --seconds S | --calls N
measure_raw() {
    in_flight=$1
    shift
    run_client "$work/raw_client" --node $SERVER_NODE --cookie-file "$cookie" --server bench_server \
        --in-flight "$in_flight" "$@"
}

record_calls() {
    record_field "$1" calls calls_per_s
    record_field "$1" cpu cpu_us_per_call
}

# calls_of_harness CLIENT NODE DAEMON-ID
calls_of_harness() {
    run_harness "$2" "$3" harness_calls $IN_FLIGHT "$seconds"
    record_calls "$1"
    run_harness "$2" "$3" harness_calls 1 "$seconds"
    record_field "$1" latency median_us
}

# Every client once, in turn.
calls_pass() {
    [ "$with_harnessd" = no ] || calls_of_harness harnessd $HARNESS_NODE "$harness_id"
    measure_raw $IN_FLIGHT --seconds "$seconds"
    record_calls raw
    measure_raw 1 --calls $LATENCY_CALLS
    record_field raw latency median_us
    [ "$atom_cache" = no ] || calls_of_harness plain $PLAIN_NODE "$plain_id"
    begin_node bench_client@127.0.0.1 -run beam_client main calls $SERVER_NODE $IN_FLIGHT "$seconds"
    end_client
    record_calls beam
    record_field beam runtime runtime_us_per_call
    for client in $calls_clients; do
        record_ratio "$client" raw calls to_raw
        record_ratio "$client" raw cpu cpu_to_raw
        record_ratio "$client" beam calls to_beam
    done
    [ "$atom_cache" = no ] || record_ratio harnessd plain calls to_plain
}

calls_row() {
    row "$2" "$(shown "$1" calls 0)" "$(spread "$1" calls 0)" "$(shown "$1" cpu 1)" "$(shown "$1" to_raw 2)" \
        "$(shown "$1" cpu_to_raw 2)" "$(shown "$1" to_beam 2)" "$(shown "$1" latency 0)"
}

calls_table() {
    echo
    echo "$IN_FLIGHT calls in flight, medians of $passes interleaved passes of $seconds s:"
    echo
    header client calls/s 'lowest to highest' 'CPU us a call' 'calls/s to raw' 'CPU to raw' 'calls/s to BEAM' \
        'one in flight, us'
    [ "$with_harnessd" = no ] || calls_row harnessd "harnessd$([ $atom_cache = no ] || echo ', atom cache on')"
    [ $atom_cache = no ] || calls_row plain 'harnessd, atom cache off'
    calls_row raw 'a raw socket client that replays one ready-made frame'
    calls_row beam "a second BEAM node, $IN_FLIGHT processes in \`gen_server:call\`"
    echo
    echo "CPU by the kernel's accounts; the BEAM node's by statistics(runtime): $(shown beam runtime 1) us a call."
    [ $atom_cache = no ] || echo "Calls/s with the atom cache to those without it: $(shown harnessd to_plain 3)."
}

# calls_judge CLIENT NAME LEAST-RATIO
calls_judge() {
    target "calls/s to the raw client, $2" "$(median "$1" to_raw)" '>=' "$3" 3 ''
    target "its ratio to BEAM to the raw client's, $2" \
        "$(quotient "$(median "$1" to_beam)" "$(median raw to_beam)")" '>=' 0.95 3 ''
    target "CPU per call to the raw client, $2" "$(median "$1" cpu_to_raw)" '<=' 1.15 3 ''
}

calls_start() {
    start_server
    calls_clients='raw beam'
    atom_cache=no
    [ "$with_harnessd" = yes ] || return 0
    calls_clients="harnessd $calls_clients"
    configure "$work/check.json" $PLAIN_NODE '"atom_cache": false' ''
    if "$build/harnessd" --check-config "$work/check.json" >"$work/check.log" 2>&1; then
        atom_cache=yes
        calls_clients="plain $calls_clients"
        start_daemon $PLAIN_NODE '"atom_cache": false'
        plain_id=$daemon_id
    fi
    start_daemon $HARNESS_NODE
    harness_id=$daemon_id
}

measure_calls() {
    calls_start
    passes=$((rounds * PASSES_PER_ROUND))
    pass=1
    while [ $pass -le $passes ]; do
        calls_pass
        line="bench: calls, pass $pass of $passes, calls/s:"
        for client in $calls_clients; do
            line="$line $client $(digits 0 "$(last "$client" calls)")"
        done
        echo "$line" >&2
        pass=$((pass + 1))
    done
    calls_table
    if [ "$with_harnessd" = yes ]; then
        stop_process "$harness_id"
        if [ $atom_cache = yes ]; then
            stop_process "$plain_id"
            calls_judge harnessd 'atom cache on' 1.05
            calls_judge plain 'atom cache off' 0.95
        else
            calls_judge harnessd 'atom cache not known' 0.95
        fi
    fi
    stop_process $server_id
}
