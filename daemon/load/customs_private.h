/* Custom operations: hooks that are applied elsewhere, each in the place of a call. */
#ifndef HARNESSD_LOAD_CUSTOMS_PRIVATE_H
#define HARNESSD_LOAD_CUSTOMS_PRIVATE_H

#include "base/compiler.h"
#include "results_private.h"

/* A thread's custom operation. */
struct custom {
    uint64_t intended_ns; /* 0: it is at none */
    uint64_t started_ns;
    uint32_t target;
    bool is_running;
    uint32_t earlier; /* of those that run; CUSTOMS_NONE: there is none */
    uint32_t later;
};

#define CUSTOMS_NONE UINT32_MAX

void customs_init(struct engine *engine);
void customs_free(struct engine *engine);
void customs_queue(struct engine *engine, uint32_t thread, uint64_t intended_ns);

/* Those that have not started never do. */
void customs_drop_waiting(struct engine *engine);

/* Ends all of them, for want of time. True when there are more, and the turn is over. */
MUST_CHECK bool customs_end_all(struct engine *engine);

/* The exception of a cast without its handler, made where custom operations are, fails the thread. */
void customs_miss_strictly(struct engine *engine, uint32_t thread, uint32_t target, struct load_times times);

#endif
