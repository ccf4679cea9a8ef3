# The memory of a million virtual threads that think between their calls, each of which calls within a minute.

THREADS=1000000
THREADS_THINK_MS=48000
THREADS_SECONDS=60

measure_threads() {
    start_both
    run_harness $HARNESS_NODE "$daemon_id" harness_threads $THREADS $THREADS_THINK_MS $THREADS_SECONDS
    record_field harnessd threads_peak peak_mb
    record_field harnessd threads_silent silent
    stop_both
    target '1,000,000 threads, peak memory of the daemon, its report included' "$(median harnessd threads_peak)" '<=' \
        400 0 MB
    target "1,000,000 threads, those that have not called within $THREADS_SECONDS s" \
        "$(median harnessd threads_silent)" '<=' 0 0 ''
}
