#include "backlog_private.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

#define FIRST_CAPACITY 64

void backlog_free(struct backlog *backlog)
{
    free(backlog->starts_ns);
    *backlog = (struct backlog){0};
}

static void grow(struct backlog *backlog)
{
    size_t capacity = backlog->capacity ? backlog->capacity * 2 : FIRST_CAPACITY;
    uint64_t *starts_ns = memory_alloc(capacity * sizeof(*starts_ns));
    for (size_t i = 0; i < backlog->count; i++)
        starts_ns[i] = backlog->starts_ns[(backlog->first + i) % backlog->capacity];
    free(backlog->starts_ns);
    backlog->starts_ns = starts_ns;
    backlog->first = 0;
    backlog->capacity = capacity;
}

void backlog_put(struct backlog *backlog, uint64_t start_ns)
{
    if (backlog->count == backlog->capacity)
        grow(backlog);
    backlog->starts_ns[(backlog->first + backlog->count++) % backlog->capacity] = start_ns;
}

uint64_t backlog_take(struct backlog *backlog)
{
    assert(backlog->count);
    uint64_t start_ns = backlog->starts_ns[backlog->first];
    backlog->first = (backlog->first + 1) % backlog->capacity;
    backlog->count--;
    return start_ns;
}
