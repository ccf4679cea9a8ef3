/* The causes of one operation: what of its time was taken by what, as far as it was seen. A pure function of
 * the evidence. */
#ifndef HARNESSD_EXPLAIN_CAUSES_PRIVATE_H
#define HARNESSD_EXPLAIN_CAUSES_PRIVATE_H

#include "spans_private.h"

/* When a cause was at work, within an operation. */
struct cause_found {
    struct cause_share share;
    struct lapse lapse; /* from its first stretch to its last */
};

/* What has taken most comes first. Their times sum to that of the operation, CAUSE_UNKNOWN among them when
 * there is a rest. */
struct causes {
    size_t count;
    struct cause_found items[CAUSE_COUNT];
};

/* The causes of a time, in which a process did something. The callee, which may be NULL, is the process that
 * it has called, where it has seen itself do so. */
void causes_find(struct causes *causes, struct lapse lapse, const struct evidence *evidence,
                 const struct evidence *callee);

/* The same of spans that were found before, for that time or a longer one. */
void causes_of_spans(struct causes *causes, struct lapse lapse, const struct spans *spans,
                     const struct evidence *evidence, const struct evidence *callee);

/* This daemon was late, but that is not in the time: nobody has seen what was meanwhile. */
void causes_drop_daemon(struct causes *causes);

/* Spans of a time, with those of the callee. */
void causes_find_spans(struct spans *spans, struct lapse lapse, const struct evidence *evidence,
                       const struct evidence *callee);

#endif
