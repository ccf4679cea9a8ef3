# Coordinated omission: a server that does nothing for two of twenty seconds. A tenth of the arrivals has to wait for up
# to two seconds, so that a hundredth waits for 1.8 s or longer.

PAUSE_RATE=2000
PAUSE_LOAD_SECONDS=20
PAUSE_MS=2000

measure_pause() {
    start_both
    run_harness $HARNESS_NODE "$daemon_id" harness_pause $PAUSE_RATE $PAUSE_LOAD_SECONDS $PAUSE_MS
    record_field harnessd pause_response response_p99_ms
    record_field harnessd pause_service service_p99_ms
    stop_both
    target 'server suspended for 2 of 20 s, p99 of response times' "$(median harnessd pause_response)" '>=' 1700 0 ms
    target 'server suspended for 2 of 20 s, p99 of response times' "$(median harnessd pause_response)" '<=' 1950 0 ms
    target 'server suspended for 2 of 20 s, p99 of service times' "$(median harnessd pause_service)" '<=' 50 1 ms
}
