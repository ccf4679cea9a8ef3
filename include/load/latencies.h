/* How long the operations of a run took: each distinct one has histograms of its own, up to a limit, the rest
 * have common ones; those of all together are added up when they are asked for.
 *
 * The response time goes from the intended start of an operation to its answer: what a user of the server
 * has waited, whether it was the server or the load that was late (Tene, "How NOT to Measure Latency").
 * The service time goes from when it was actually sent, right before the write, to when its answer arrived:
 * as the kernel has seen it, where it tells. Of an operation that was sent while the other side took no more
 * it is not known when it left: it has no service time. */
#ifndef HARNESSD_LOAD_LATENCIES_H
#define HARNESSD_LOAD_LATENCIES_H

#include "measure/batches.h"
#include "measure/histogram.h"
#include "scenario/scenario.h"

#define LATENCIES_OPERATIONS 64
#define LATENCIES_NAME_BYTES 4096 /* of a message; operations with longer ones are among the others */

struct latency {
    struct buffer name; /* as term_sort() has it: equal ones are one, whatever node sent them */
    struct histogram response;
    struct histogram service;
    struct histogram failed; /* of those that failed before they could be given up */

    /* When these came. */
    struct batches response_batches;
    struct batches service_batches;
    struct batches failed_batches;
};

struct latencies {
    const struct scenario *scenario;
    uint8_t *numbers; /* of each operation in `items`, from 1; 0: not looked for yet */
    struct latency *items[LATENCIES_OPERATIONS + 1]; /* the last is of all others */
    size_t count;                                    /* named ones */
    struct histogram start_delay;                    /* from the intended to the actual start */
    struct batches_clock clock;                      /* of all that have ended */
    uint64_t replies;                                /* that have come */
    uint64_t by_kernel;                              /* of them, those whose time is the kernel's */
    uint64_t excluded;                               /* operations that have no service time */
    uint64_t waited; /* those that others have kept from their start: for room, for their target */

    /* Of those that have waited, and of the excluded ones, that have for their node. */
    struct histogram waited_response;
    struct histogram waited_service; /* of all but the excluded ones */
};

void latencies_init(struct latencies *latencies, const struct scenario *scenario);
void latencies_free(struct latencies *latencies);

struct latency_sample {
    uint64_t response_us;
    uint64_t service_us;
    bool is_excluded; /* it has no service time: the one here only says when it was sent */
    bool has_waited;  /* others than us have kept it from its start */
};

/* An operation of this number in the scenario was answered, or given up. */
void latencies_record(struct latencies *latencies, uint32_t operation, struct latency_sample sample);

/* A reply has come, and who has seen when. */
static inline void latencies_count_reply(struct latencies *latencies, bool by_kernel)
{
    latencies->replies++;
    latencies->by_kernel += by_kernel;
}

/* Whether their times are the kernel's, but for a few: when they were read is in none of them then. */
bool latencies_are_of_kernel(const struct latencies *latencies);

/* By how much a quantile of all response times is higher than it would be if each had been sent as soon as it
 * could be. */
uint64_t latencies_sent_late_us(const struct latencies *latencies, double quantile);

/* One has failed before it could be given up: it is in no other figure, which it would make better. */
void latencies_record_failed(struct latencies *latencies, uint32_t operation, uint64_t response_us);

/* The kind of an operation, those being one that have a name in common: from 1 to LATENCIES_OPERATIONS + 1;
 * 0: none of it has ended yet. Service times of a kind; NULL: there are none. */
size_t latencies_kind(const struct latencies *latencies, uint32_t operation);
const struct histogram *latencies_service(const struct latencies *latencies, size_t kind);

/* How much longer than the median all service times together are that are longer, in us, and the median. */
uint64_t latencies_above_median(const struct latencies *latencies, uint64_t *median_us);

/* The response times of all operations, added to `histogram`; when they came, added to `batches`. */
void latencies_add_responses(const struct latencies *latencies, struct histogram *histogram);
void latencies_add_response_batches(const struct latencies *latencies, struct batches *batches);

/* %{overall: stats, operations: %{operation => stats}, start_delay: stats, service: %{overall:,
 * operations:, clock:, excluded:}, failed: %{overall:, operations:}}. Stats have a `count` and what the
 * reference says; that is nil where there is nothing, as is each end of an interval that there are too few
 * for, and operations are left out that have nothing. */
void latencies_build(const struct latencies *latencies, struct term_builder *builder);

#endif
