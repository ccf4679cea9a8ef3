/* Finders: processes that know whom targets that give several are now, one for each such target. */
#ifndef HARNESSD_RUN_FINDERS_PRIVATE_H
#define HARNESSD_RUN_FINDERS_PRIVATE_H

#include "base/loop.h"
#include "load/target_way.h"
#include "node/script.h"

struct run;

struct finder {
    struct run *run;
    size_t target; /* of the scenario */
    struct script script;
    struct loop_timer retry;
    uint64_t lost_ns;      /* when it was lost; 0: it is there */
    uint64_t rest_ns;      /* before it is started again */
    bool is_awaited;       /* it has told nothing yet */
    struct loop_task set;  /* goes on with whom it has found, of very many */
    struct buffer found;   /* {members, Pids, Names}; empty when all know of them */
    size_t stage;          /* of those that are to know: who is next */
    struct buffer failure; /* why it has found nobody when it last looked; empty: it has */
};

struct run_finders {
    struct finder *items; /* of the targets that give several */
    size_t count;
    size_t awaited;
};

/* Starts those of a scenario's targets; run_observed() follows when each has answered, or cannot. */
void finders_start(struct run *run);
void finders_await_no_longer(struct run *run);

/* Whether a message is one's. */
bool finders_message(struct run *run, struct term message);

/* A member of this target of the scenario that the connection to was lost may be there all the same. */
void finders_target_failed(struct run *run, size_t target, enum target_failure failure);

/* Ends their processes; whom they have found stays. */
void finders_end(struct run *run);

#endif
