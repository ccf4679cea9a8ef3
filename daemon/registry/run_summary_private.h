/* What is known of a run beside its report, in little space: for lists of runs, and for the store, where it
 * stands beside the report so that the list needs no report to be read. */
#ifndef HARNESSD_REGISTRY_RUN_SUMMARY_PRIVATE_H
#define HARNESSD_REGISTRY_RUN_SUMMARY_PRIVATE_H

#include "report/outcome.h"
#include "term/term_build.h"

#define SUMMARY_BY_BYTES 31
#define SUMMARY_TERM_BYTES 1024
#define SUMMARY_METADATA_BYTES 4096
#define SUMMARY_REASON_BYTES 500

struct run_summary {
    uint64_t run_id;
    enum outcome outcome;
    struct buffer reason;          /* of a failure, as text */
    char by[SUMMARY_BY_BYTES + 1]; /* the function that has started it */
    struct buffer name;            /* of its file or schedule, text; empty when it has none */
    uint64_t suite;                /* the run that it is a member of, or 0 */
    struct buffer caller;          /* pid; empty when it was no process */
    struct buffer node;            /* atom, that has sent the request; empty for the daemon's own */
    struct buffer target;          /* as it was given, or its text when that is long; empty with a setup */
    struct buffer metadata;        /* the scenario's, or its text when that is long */
    uint64_t accepted_at_ms;       /* since 1970; 0 is not yet */
    uint64_t started_at_ms;
    uint64_t ended_at_ms;
    uint64_t elapsed_ms; /* from its start to its end, or to when this was told */
    uint64_t planned_ms; /* the length of its load; 0 when that is not known */
    uint64_t threads;
    uint64_t operations;
    uint64_t operation_errors;
    uint64_t dropped;
    uint64_t report_bytes; /* of its result */
};

void run_summary_free(struct run_summary *summary);

/* The pairs of a map, RUN_SUMMARY_PAIRS of them; what is empty or not yet is nil. */
#define RUN_SUMMARY_PAIRS 20
void run_summary_build(const struct run_summary *summary, struct term_builder *builder);

/* Begins a map of one pair more, with its scenario_id, name, outcome and reason: the metadata of events. */
void run_summary_build_short(const struct run_summary *summary, struct term_builder *builder);

/* Reads such a map into a summary that is all zero; keys that are missing or wrong are left as they are.
 * False when it is no map, or has no run_id. */
MUST_CHECK bool run_summary_read(struct term term, struct run_summary *summary);

/* Keeps a term for people: as it is when it has at most `most` bytes, else its text. */
void run_summary_keep(struct buffer *buffer, struct term term, size_t most);

/* Keeps the name of the node that has sent the request; nothing for NULL. */
void run_summary_keep_node(struct run_summary *summary, const char *node);

/* Keeps why a result, {error, Reason} or {error, Reason, Report}, is one; nothing for {ok, Report}. */
void run_summary_keep_reason(struct run_summary *summary, struct term result);

/* It was interrupted at that time, and says so everywhere. */
void run_summary_interrupt(struct run_summary *summary, uint64_t ended_at_ms);

#endif
