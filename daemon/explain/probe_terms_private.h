/* What probes apply, and what they tell. */
#ifndef HARNESSD_EXPLAIN_PROBE_TERMS_PRIVATE_H
#define HARNESSD_EXPLAIN_PROBE_TERMS_PRIVATE_H

#include "evidence_private.h"
#include "term/term_build.h"

/* Names that a heartbeat looks up. */
#define PROBE_NAMES 8

/* Two lists that are built together: functions, and their arguments. All zero is empty. */
struct probe_terms {
    struct term_builder functions;
    struct term_builder arguments;
};

void probe_terms_free(struct probe_terms *terms);

/* Of a heartbeat: the node's time, its run queues, who has these names (atoms). */
void probe_terms_heartbeat(struct probe_terms *terms, const struct term *names, size_t count);

/* Of a look: the node's time before and after, and what it asks the process, with `has_callee` whom it
 * monitors as well. `daemon` is the process of ours that it is linked to until then. */
void probe_terms_look(struct probe_terms *terms, struct term pid, struct term daemon, bool has_callee);

/* Of what its system knows of the node's threads, on Linux: its version and their numbers; their names; how
 * long those that are schedulers have waited for a processor, and the system for its host. */
#define PROBE_THREADS 512
#define PROBE_SCHEDULERS 64
void probe_terms_threads(struct probe_terms *terms);
void probe_terms_names(struct probe_terms *terms, const uint32_t *threads, size_t count);
void probe_terms_waits(struct probe_terms *terms, const uint32_t *threads, size_t count);

/* What was built, a list of each, good until it is touched again. */
struct term probe_terms_functions(const struct probe_terms *terms);
struct term probe_terms_arguments(const struct probe_terms *terms);

/* What a heartbeat has told. */
struct probe_beat {
    int64_t node_ns;
    int64_t done_ns; /* of the node's clock as well */
    uint32_t ready;
    uint32_t schedulers;
    struct cause_detail queues;
    struct term pids[PROBE_NAMES]; /* without data where nobody has the name */
};
MUST_CHECK bool probe_terms_read_heartbeat(struct term results, size_t names, struct probe_beat *beat);

/* What is told of threads: how many there are, at most PROBE_THREADS; which of those that were asked for are
 * schedulers, at most PROBE_SCHEDULERS (the others are taken out); and what each of these has waited. 0 and
 * false where the system does not say. */
struct probe_threads {
    bool has_sessions; /* of tracing: it is OTP 28 or later */
    size_t count;
    uint32_t numbers[PROBE_THREADS];
};
MUST_CHECK bool probe_terms_read_threads(struct term results, struct probe_threads *threads);
void probe_terms_read_names(struct term results, struct probe_threads *threads);
MUST_CHECK bool probe_terms_read_waits(struct term results, size_t count, int64_t *node_ns,
                                       uint64_t waited_ns[PROBE_SCHEDULERS]);

/* What a look has told. */
struct probe_look {
    int64_t began_ns;
    int64_t ended_ns;
    enum look_state state; /* LOOK_NOTHING: there is no such process; as far as one can say without knowing
                              what its loop is */
    uint64_t top;          /* stands for the function that it was in */
    struct term stack;     /* without data: it has none */
    uint64_t queue;
    uint64_t heap_words;
    uint64_t all_words;
    uint64_t reductions;
    struct term callee;      /* whom it monitors last: a pid, or the name of a process; or without data */
    struct term callee_node; /* of a name */
};
MUST_CHECK bool probe_terms_read_look(struct term results, struct probe_look *look);

#endif
