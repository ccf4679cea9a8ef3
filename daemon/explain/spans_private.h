/* From what was seen to what was the matter when: stretches of time, one after the other, each with a cause.
 * Of what lies between them nobody knows. */
#ifndef HARNESSD_EXPLAIN_SPANS_PRIVATE_H
#define HARNESSD_EXPLAIN_SPANS_PRIVATE_H

#include "evidence_private.h"

struct span {
    struct lapse lapse;
    enum cause cause;
    bool is_calling; /* it has waited for another process, which is looked at as well: that is the cause */
    bool is_callee;  /* `item` is of its evidence */
    bool is_block;   /* `item` is a block */
    uint32_t item;   /* the heartbeat, look, block or stall that says so, by its index */
};

/* All zero is empty. */
struct spans {
    struct span *items;
    size_t count;
    size_t capacity;
};

void spans_free(struct spans *spans);

/* Sets `spans` to what is to be said of a time. */
void spans_find(struct spans *spans, const struct evidence *evidence, struct lapse lapse);

/* The first that is not over by then, by its index. */
size_t spans_first(const struct spans *spans, uint64_t at_ns);

/* Puts what is said of the process that was called in the place of the calls. */
void spans_put_callee(struct spans *spans, const struct spans *callee);

#endif
