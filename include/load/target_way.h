/* How the load engine reaches targets, by their numbers: the real ones are load/targets.h, tests have their
 * own. */
#ifndef HARNESSD_LOAD_TARGET_WAY_H
#define HARNESSD_LOAD_TARGET_WAY_H

#include "base/blob.h"
#include "term/term.h"
#include "transport/departure.h"

enum target_failure {
    TARGET_NODEDOWN, /* its node cannot be reached, or no longer */
    TARGET_NOPROC,   /* there is none */
    TARGET_DIED,     /* with a reason */
};

struct target_way {
    /* Sets out to reach a target, unless it is reached or on the way. engine_target_open() or
     * engine_target_failed() tells how that went, perhaps from within. */
    void (*reach)(void *owner, size_t target);

    /* Whether a message may be sent now. When a target that was reached is only congested,
     * engine_target_open() will tell. */
    bool (*is_open)(void *owner, size_t target);

    /* Looks anew whether one that is open is there, as far as that is not known from now: what follows is
     * answered by who is there now, or finds nobody. */
    void (*look_again)(void *owner, size_t target);

    /* Sends a message to one that is open, or was until the last message. False when it is reached no longer,
     * which engine_target_failed() has told or will tell. */
    bool (*send)(void *owner, size_t target, struct term message);

    /* The same for a message that is `head` and then `tail`, a long part of `held`. */
    bool (*send_held)(void *owner, size_t target, struct term head, struct term tail, struct blob *held);

    /* When what is sent to it from now on to the end of the pass leaves, to be released; NULL when that is
     * not known. */
    struct departure *(*departure)(void *owner, size_t target);

    /* The target as the user has named it. */
    struct term (*server)(void *owner, size_t target);
};

#endif
