/* A scenario as it will be run: immutable, complete, and checked. It is made by scenario_term.h from a term.
 */
#ifndef HARNESSD_RUN_SCENARIO_H
#define HARNESSD_RUN_SCENARIO_H

#include "dist/handshake.h"
#include "measure/events.h"
#include "term/term_build.h"

enum operation_kind {
    OPERATION_CALL,
    OPERATION_CAST, /* followed by the sync call */
};

struct operation {
    enum operation_kind kind;
    struct term message;
};

/* The operations of one virtual thread: `count` of them from operations[first]. */
struct script {
    uint32_t first;
    uint32_t count;
};

enum target_kind {
    TARGET_PID,
    TARGET_NAME,   /* registered on `node` */
    TARGET_GLOBAL, /* whereis_name of the module `global` */
    TARGET_VIA,    /* whereis_name of `module` */
};

struct target_spec {
    enum target_kind kind;
    struct term server;               /* as the user gave it, for the exit reasons of calls */
    struct term name;                 /* the registered name, or what whereis_name is asked for */
    char module[TERM_ATOM_BYTES + 1]; /* of whereis_name */
    char node[NODE_NAME_BYTES + 1];   /* where the process or its name server is */
};

struct scenario {
    uint8_t *bytes; /* what all terms below point into */
    struct operation *operations;
    size_t operation_count;
    struct script *threads;
    size_t thread_count;
    struct target_spec *targets;
    size_t target_count;
    bool target_is_list;
    enum operation_kind default_operation;
    uint64_t timeout_ms;
    uint64_t call_timeout_ms;
    struct term cast_sync_message;
    struct term metadata; /* a map */
    enum events_policy events_policy;
    uint64_t events_number; /* of {:last, n} and {:sample, n} */
};

void scenario_free(struct scenario *scenario);

/* Appends {call | cast, Message}. */
void operation_build(const struct operation *operation, struct term_builder *builder);

#endif
