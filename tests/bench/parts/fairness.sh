# Whether virtual threads get as much as their neighbours.

FAIR_THREADS=10000
FAIR_THINK_MS=400
FAIR_SECONDS=52

measure_fairness() {
    start_both
    run_harness $HARNESS_NODE "$daemon_id" harness_threads $FAIR_THREADS $FAIR_THINK_MS $FAIR_SECONDS
    record_field harnessd fewest fewest
    record harnessd unfairness "$(awk -v low="$(field fewest)" -v high="$(field most)" -v mean="$(field mean)" \
        'BEGIN { below = mean - low; above = high - mean; print 100 * (below > above ? below : above) / mean }')"
    stop_both
    target '10,000 threads, fewest operations of one' "$(median harnessd fewest)" '>=' 100 0 ''
    target '10,000 threads, farthest from the mean' "$(median harnessd unfairness)" '<=' 10 1 %
}
