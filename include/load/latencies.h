/* How long the operations of a run took: each distinct one has histograms of its own, up to a limit, the rest
 * have common ones; those of all together are added up when they are asked for.
 *
 * The response time goes from the intended start of an operation to its answer: what a user of the server
 * has waited, whether it was the server or the load that was late (Tene, "How NOT to Measure Latency").
 * The service time goes from when it was actually sent. */
#ifndef HARNESSD_LOAD_LATENCIES_H
#define HARNESSD_LOAD_LATENCIES_H

#include "measure/histogram.h"
#include "scenario/scenario.h"

#define LATENCIES_OPERATIONS 64
#define LATENCIES_NAME_BYTES 4096 /* of a message; operations with longer ones are among the others */

struct latency {
    struct buffer name; /* as term_sort() has it: equal ones are one, whatever node sent them */
    struct histogram response;
    struct histogram service;
    struct histogram failed; /* of those that failed before they could be given up */
};

struct latencies {
    const struct scenario *scenario;
    uint8_t *numbers; /* of each operation in `items`, from 1; 0: not looked for yet */
    struct latency *items[LATENCIES_OPERATIONS + 1]; /* the last is of all others */
    size_t count;                                    /* named ones */
    struct histogram start_delay;                    /* from the intended to the actual start */
};

void latencies_init(struct latencies *latencies, const struct scenario *scenario);
void latencies_free(struct latencies *latencies);

/* An operation of this number in the scenario was answered, or given up. Times in us. */
void latencies_record(struct latencies *latencies, uint32_t operation, uint64_t response_us,
                      uint64_t service_us);

/* One has failed before it could be given up: it is in no other figure, which it would make better. */
void latencies_record_failed(struct latencies *latencies, uint32_t operation, uint64_t response_us);

/* The response times of all operations, added to `histogram`. */
void latencies_add_responses(const struct latencies *latencies, struct histogram *histogram);

/* %{overall: stats, operations: %{operation => stats}, start_delay: stats, service: %{overall:,
 * operations:}, failed: %{overall:, operations:}}. Stats have a `count` and what the reference says; that is
 * nil where there is nothing, and operations are left out that have nothing. */
void latencies_build(const struct latencies *latencies, struct term_builder *builder);

#endif
