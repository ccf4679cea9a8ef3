/* Virtual threads that sleep, by the time when they wake: a binary heap. */
#ifndef HARNESSD_LOAD_SLEEPERS_PRIVATE_H
#define HARNESSD_LOAD_SLEEPERS_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct sleeper {
    uint64_t wake_ns;
    uint64_t start_ns;
    uint32_t thread;
    bool is_thinking; /* between operations; otherwise the sleep is one */
};

struct sleepers {
    struct sleeper *items;
    size_t count;
    size_t capacity;
};

/* All zero is nobody. */
void sleepers_free(struct sleepers *sleepers);
void sleepers_add(struct sleepers *sleepers, struct sleeper sleeper);

/* The one that wakes first, or NULL. */
MUST_CHECK const struct sleeper *sleepers_first(const struct sleepers *sleepers);

/* Takes the first one out; there is one. */
struct sleeper sleepers_take(struct sleepers *sleepers);

#endif
