/* The calls of a run that have no answer yet. A call is a slot in a table; its number and its generation are
 * the tag on the wire, a small integer: `generation << 21 | slot`. A reply whose generation is not that of
 * its slot is late and nobody's.
 *
 * A slot whose call was answered is used again at once, in its next generation. One whose call was sent and
 * ended without an answer may still get one: from then on it rests after each use until CALLS_RESTING others
 * have rested after it, so that the tag of such a call comes again only after CALLS_RESTING * 1024 calls.
 *
 * All calls of a run have the same timeout, so that the order in which they are opened is that of their
 * deadlines.
 */
#ifndef HARNESSD_LOAD_CALLS_PRIVATE_H
#define HARNESSD_LOAD_CALLS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "transport/departure.h"

#define CALLS_SLOT_BITS 21
#define CALLS_GENERATION_BITS 10
#define CALLS_RESTING 65536
#define CALLS_NONE UINT32_MAX

enum call_state {
    CALL_FREE,
    CALL_RESTING, /* ended without an answer; a late one may come */
    CALL_WAITING, /* its target is not reached yet, or congested */
    CALL_SENT,
    CALL_STATE_COUNT
};

struct call {
    uint64_t intended_ns;        /* when its operation was to start */
    uint64_t opened_ns;          /* when its thread came to it: its deadline counts from there */
    uint64_t sent_ns;            /* when it was handed over to be sent; `opened_ns` before */
    struct departure *departure; /* of one that was; NULL: when it leaves is not known */
    uint32_t thread;
    uint32_t target;
    uint32_t next; /* in the list of its target and state, or of the free or resting ones */
    uint32_t previous;
    uint32_t later; /* in the order of deadlines */
    uint32_t earlier;
    uint16_t generation;
    uint8_t state;
    bool unanswered; /* some call in it was */
};

struct call_list {
    uint32_t first;
    uint32_t last;
    uint32_t count;
};

struct calls {
    struct call *items;
    uint32_t count;
    uint32_t capacity;
    struct call_list free;
    struct call_list resting;
    struct call_list (*by_target)[2]; /* of each target: waiting, sent */
    struct call_list deadlines;
};

void calls_init(struct calls *calls, size_t target_count);
void calls_free(struct calls *calls);

/* There are `count` targets from now on, more than the `before` that there were. */
void calls_add_targets(struct calls *calls, size_t before, size_t count);

/* Opens a waiting call that was to start at `intended_ns`. The pointer is good until the next call is opened.
 */
struct call *calls_open(struct calls *calls, uint32_t thread, uint32_t target, uint64_t intended_ns,
                        uint64_t now_ns);

uint32_t calls_tag(const struct calls *calls, const struct call *call);

/* The sent call of this tag, or NULL when the reply is late. */
MUST_CHECK struct call *calls_find(struct calls *calls, int64_t tag);

/* A waiting call is sent now; `departure` is taken over. */
void calls_sent(struct calls *calls, struct call *call, uint64_t now_ns, struct departure *departure);

/* It was answered, or never can be. */
void calls_close(struct calls *calls, struct call *call);

/* It was sent and has ended without an answer, which may still come. */
void calls_rest(struct calls *calls, struct call *call);

/* The call that was opened first of all open ones, of those of a target that wait, and of those that were
 * sent.
 */
MUST_CHECK struct call *calls_oldest(const struct calls *calls);
MUST_CHECK struct call *calls_first(const struct calls *calls, uint32_t target, enum call_state state);

/* The open one that was opened next; NULL: there is none. */
MUST_CHECK struct call *calls_later(const struct calls *calls, const struct call *call);

/* How many are open. */
static inline uint32_t calls_count(const struct calls *calls)
{
    return calls->deadlines.count;
}

#endif
