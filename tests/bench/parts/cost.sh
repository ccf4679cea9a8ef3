# What an operation costs the daemon, with more and more virtual threads that think the longer, so that the rate is
# always the same.

COST_RATE=5000
COST_THREADS='10 100 1000 10000 100000'
COST_SECONDS=6

cost_table() {
    echo
    echo "closed loads of $(digits 0 $COST_RATE) operations a second, medians of $cost_passes interleaved passes of" \
        "$COST_SECONDS s:"
    echo
    header threads 'think time, ms' operations/s 'CPU us an operation' 'lowest to highest' 'to the mean of its pass'
    for threads in $COST_THREADS; do
        row "$(digits 0 "$threads")" "$(digits 0 $((threads * 1000 / COST_RATE)))" "$(shown "cost_$threads" calls 0)" \
            "$(shown "cost_$threads" cpu 1)" "$(spread "cost_$threads" cpu 1)" \
            "$(shown "cost_$threads" relative 2)"
    done
}

# To the mean of the pass: what a wake-up costs the kernel changes from minute to minute, for all of them.
cost_compare() {
    mean=$(for threads in $COST_THREADS; do last "cost_$threads" cpu; done |
        awk '{ sum += $1 } END { print sum / NR }')
    for threads in $COST_THREADS; do
        record "cost_$threads" relative "$(quotient "$(last "cost_$threads" cpu)" "$mean")"
    done
}

measure_cost() {
    cost_passes=$(scaled 3 1)
    pass=1
    start_both
    while [ $pass -le "$cost_passes" ]; do
        for threads in $COST_THREADS; do
            run_harness $HARNESS_NODE "$daemon_id" harness_cost "$threads" $((threads * 1000 / COST_RATE)) $COST_SECONDS
            record_field "cost_$threads" cpu cpu_us_per_call
            record_field "cost_$threads" calls calls_per_s
        done
        cost_compare
        echo "bench: cost, pass $pass of $cost_passes" >&2
        pass=$((pass + 1))
    done
    stop_both
    cost_table
    for threads in $COST_THREADS; do
        median "cost_$threads" relative >>"$work/costs"
    done
    target 'CPU per operation from 10 to 100,000 threads, most to least' \
        "$(sort -g "$work/costs" | awk 'NR == 1 { least = $1 } END { print $1 / least }')" '<=' 1.25 3 ''
}
