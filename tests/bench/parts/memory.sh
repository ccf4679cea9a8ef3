# Whether memory stays as it is through millions of operations. The timeline of a run grows for 12.8 s, until its table
# is full for the first time; threads think a little, so that a tenth of the operations takes longer than that.

MEMORY_OPERATIONS=10000000
MEMORY_THINK_MS=4

measure_memory() {
    start_both
    run_harness $HARNESS_NODE "$daemon_id" harness_memory $MEMORY_OPERATIONS $MEMORY_THINK_MS
    record_field harnessd memory_early early_mb
    record_field harnessd memory_late late_mb
    stop_both
    target "10,000,000 operations, memory at the end ($(shown harnessd memory_late 1) MB) to that at a tenth" \
        "$(quotient "$(median harnessd memory_late)" "$(median harnessd memory_early)")" '<=' 1.05 3 ''
}
