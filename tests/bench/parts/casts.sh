# Casts per second, as many as the node takes: counted until the server has handled the last one. The daemon closes a
# connection for which it has queued more than limits.queued_bytes, which would fail the run, and its memory shows what
# it holds; one pass has the node frozen for a while, so that it takes nothing.

CAST_WINDOW=256
CAST_PROCESSES=2
CAST_SECONDS=2
QUEUED_BYTES=4000000
FREEZE_SECONDS=2

casts_of_harness() {
    start_daemon $HARNESS_NODE '' "\"queued_bytes\": $QUEUED_BYTES"
    run_harness $HARNESS_NODE "$daemon_id" harness_casts $CAST_SECONDS
    stop_process "$daemon_id"
}

# Each client has a server of its own: what one has left in the heap of the server would slow down the next one.
casts_pass() {
    for client in $casts_clients; do
        start_server
        case $client in
        harnessd)
            casts_of_harness
            record_field harnessd queue queue_mb
            ;;
        raw)
            run_client "$work/raw_client" --node $SERVER_NODE --cookie-file "$cookie" --server bench_server \
                --in-flight $CAST_WINDOW --seconds $CAST_SECONDS --casts
            ;;
        beam)
            begin_node bench_client@127.0.0.1 -run beam_client main casts $SERVER_NODE $CAST_PROCESSES $CAST_SECONDS
            end_client
            ;;
        esac
        record_field "$client" casts casts_per_s
        record_field "$client" cast_cpu cpu_us_per_cast
        stop_process $server_id
    done
    for client in $casts_clients; do
        record_ratio "$client" raw casts casts_to_raw
        record_ratio "$client" beam casts casts_to_beam
    done
}

casts_frozen() {
    start_server
    start_daemon $HARNESS_NODE '' "\"queued_bytes\": $QUEUED_BYTES"
    begin_harness $HARNESS_NODE "$daemon_id" harness_casts $((FREEZE_SECONDS + 2))
    # The second run is that of the casts.
    until [ "$(grep -c 'run started' "$daemon_log")" -ge 2 ]; do
        kill -0 $client_id 2>/dev/null || end_client
        sleep 0.1
    done
    sleep 0.5
    kill -STOP $server_id
    sleep $FREEZE_SECONDS
    kill -CONT $server_id
    end_client
    record_field harnessd frozen_queue queue_mb
    stop_both
}

casts_row() {
    row "$2" "$(shown "$1" casts 0)" "$(spread "$1" casts 0)" "$(shown "$1" cast_cpu 2)" \
        "$(shown "$1" casts_to_raw 2)" "$(shown "$1" casts_to_beam 2)"
}

casts_table() {
    echo
    echo "casts without sync, medians of $rounds interleaved passes of $CAST_SECONDS s:"
    echo
    header client casts/s 'lowest to highest' 'CPU us a cast' 'casts/s to raw' 'casts/s to BEAM'
    [ "$with_harnessd" = no ] || casts_row harnessd harnessd
    casts_row raw 'a raw socket client that replays one ready-made frame'
    casts_row beam "a second BEAM node, $CAST_PROCESSES processes in \`gen_server:cast\`"
}

measure_casts() {
    casts_clients='raw beam'
    [ "$with_harnessd" = no ] || casts_clients="harnessd $casts_clients"
    pass=1
    while [ $pass -le "$rounds" ]; do
        casts_pass
        line="bench: casts, pass $pass of $rounds, casts/s:"
        for client in $casts_clients; do
            line="$line $client $(digits 0 "$(last "$client" casts)")"
        done
        echo "$line" >&2
        pass=$((pass + 1))
    done
    casts_table
    [ "$with_harnessd" = yes ] || return 0
    casts_frozen
    target 'casts/s to the raw client' "$(median harnessd casts_to_raw)" '>=' 0.95 3 ''
    limit=$(quotient $QUEUED_BYTES 1000000)
    target 'what casts queue in the daemon' "$(median harnessd queue)" '<=' "$limit" 1 MB
    target "the same, the node frozen for $FREEZE_SECONDS s" "$(median harnessd frozen_queue)" '<=' "$limit" 1 MB
}
