/* Arrivals of an open load that wait for room, each with its intended start: a ring that grows with the most
 * that ever waited. */
#ifndef HARNESSD_LOAD_BACKLOG_PRIVATE_H
#define HARNESSD_LOAD_BACKLOG_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

struct backlog {
    uint64_t *starts_ns;
    size_t first;
    size_t count;
    size_t capacity;
};

/* All zero is an empty one. */
void backlog_free(struct backlog *backlog);
void backlog_put(struct backlog *backlog, uint64_t start_ns);

/* Takes out the one that has waited longest; there is one. */
uint64_t backlog_take(struct backlog *backlog);

#endif
