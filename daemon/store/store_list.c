#include "store_list_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static void store_list_free_run(struct store_run *run)
{
    buffer_free(&run->summary);
    blob_release(run->content);
    free(run);
}

void store_list_free(struct store_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        store_list_free_run(list->runs[i]);
    free(list->runs);
    *list = (struct store_list){0};
}

/* Where the run of this id is, or would be. */
static size_t store_list_position(const struct store_list *list, uint64_t id)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->runs[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct store_run *store_list_find(const struct store_list *list, uint64_t id)
{
    size_t at = store_list_position(list, id);
    return at < list->count && list->runs[at]->id == id ? list->runs[at] : NULL;
}

static void store_list_put_in(struct store_list *list, struct store_run *run)
{
    size_t at = store_list_position(list, run->id);
    assert(at == list->count || list->runs[at]->id != run->id);
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 64;
        list->runs = memory_resize(list->runs, list->capacity, sizeof(*list->runs));
    }
    memmove(&list->runs[at + 1], &list->runs[at], (list->count - at) * sizeof(*list->runs));
    list->count++;
    list->runs[at] = run;
}

static void store_list_take_out(struct store_list *list, const struct store_run *run)
{
    size_t at = store_list_position(list, run->id);
    assert(list->runs[at] == run);
    list->count--;
    memmove(&list->runs[at], &list->runs[at + 1], (list->count - at) * sizeof(*list->runs));
}

struct store_run *store_list_add(struct store_list *list, uint64_t id)
{
    struct store_run *run = memory_zalloc(1, sizeof(*run));
    run->id = id;
    store_list_put_in(list, run);
    return run;
}

void store_list_remove(struct store_list *list, struct store_run *run)
{
    store_list_take_out(list, run);
    store_list_free_run(run);
}

void store_list_move(struct store_list *list, struct store_list *other, struct store_run *run)
{
    store_list_take_out(other, run);
    store_list_put_in(list, run);
}

void store_list_end(struct store_list *list, struct store_run *run)
{
    run->ended = ++list->ended;
}

/* A run that took long may have a lower id than those that ended long before it. */
static bool store_list_ended_before(const struct store_run *run, const struct store_run *other)
{
    if (run->ended != other->ended)
        return run->ended < other->ended;
    return run->ended_at_ms < other->ended_at_ms;
}

/* Its result is being stored for the first time: its user waits to be told of it. */
static bool store_list_is_waited_for(const struct store_run *run)
{
    return run->ended && !run->told[STORE_FINISHED];
}

struct store_run *store_list_surplus(const struct store_list *list, const struct store_limits *limits,
                                     uint64_t other_bytes, uint64_t old_ms)
{
    struct store_run *first = NULL, *old = NULL;
    uint64_t count = 0, bytes = other_bytes;
    for (size_t i = 0; i < list->count; i++) {
        struct store_run *run = list->runs[i];
        bytes += run->bytes;
        if (run->state == STORE_RUNNING)
            continue;
        count++;
        if (!first || store_list_ended_before(run, first))
            first = run;
        if (!old && !store_list_is_waited_for(run) && run->ended_at_ms < old_ms)
            old = run;
    }
    bool many =
        (limits->count && count > limits->count) || (limits->bytes && bytes > limits->bytes && count > 1);
    /* A later one does not go in the place of one that is waited for. */
    return many && !store_list_is_waited_for(first) ? first : old;
}

struct store_run *store_list_lost(const struct store_list *list, uint64_t bytes)
{
    struct store_run *oldest = NULL;
    uint64_t in_memory = 0;
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct store_run *run = list->runs[i];
        if (run->state != STORE_FINISHED || !run->content)
            continue;
        in_memory += run->content->size;
        count++;
        if (run->failed && !run->writing && (!oldest || store_list_ended_before(run, oldest)))
            oldest = run;
    }
    return bytes && in_memory > bytes && count > 1 ? oldest : NULL;
}
