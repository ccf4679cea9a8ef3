#include "store_list_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* --- The list --- */

static void store_list_free_run(struct store_run *run)
{
    buffer_free(&run->summary);
    blob_release(run->content);
    free(run);
}

static void store_list_free_holder(struct store_list *list, struct store_list_holder *holder)
{
    list_remove(&list->holders, &holder->link);
    (void)map_remove(&list->holders_by_name, buffer_bytes(&holder->name), holder->name.size);
    buffer_free(&holder->name);
    free(holder);
}

void store_list_free(struct store_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        store_list_free_run(list->runs[i]);
    LIST_EACH(struct store_list_holder, holder, &list->holders, link)
        store_list_free_holder(list, holder);
    map_free(&list->holders_by_name);
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

struct store_run *store_list_find_before(const struct store_list *list, uint64_t id)
{
    size_t at = store_list_position(list, id);
    return at ? list->runs[at - 1] : NULL;
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

void store_list_move(struct store_list *list, struct store_list *other, struct store_run *run)
{
    store_list_take_out(other, run);
    store_list_put_in(list, run);
}

/* --- Whose they are --- */

/* A run that took long may have a lower id than those that ended long before it. */
static bool store_list_ended_before(const struct store_run *run, const struct store_run *other)
{
    if (run->ended != other->ended)
        return run->ended < other->ended;
    return run->ended_at_ms < other->ended_at_ms;
}

/* Those that are found in a folder come in the order of their ids, which is almost that of their ends: so the
 * place is near the end. */
static void store_list_put_thing(struct store_list *list, struct store_run *run)
{
    struct list *ended = &run->holder->ended;
    struct list later = {0};
    struct store_run *last;
    if (run->suite || run->state == STORE_RUNNING)
        return;
    while ((last = LIST_ITEM(ended->last, struct store_run, ended_link)) &&
           store_list_ended_before(run, last)) {
        list_remove(ended, &last->ended_link);
        list_prepend(&later, &last->ended_link);
    }
    list_append(ended, &run->ended_link);
    LIST_EACH(struct store_run, next, &later, ended_link) {
        list_remove(&later, &next->ended_link);
        list_append(ended, &next->ended_link);
    }
    list->things++;
}

static void store_list_take_thing(struct store_list *list, struct store_run *run)
{
    if (!list_has(&run->holder->ended, &run->ended_link))
        return;
    list_remove(&run->holder->ended, &run->ended_link);
    list->things--;
}

static struct store_list_holder *store_list_holder(struct store_list *list, struct term name)
{
    struct store_list_holder *holder = map_get(&list->holders_by_name, name.data, name.size);
    if (holder)
        return holder;
    holder = memory_zalloc(1, sizeof(*holder));
    buffer_append(&holder->name, name.data, name.size);
    list_append(&list->holders, &holder->link);
    (void)map_put(&list->holders_by_name, name.data, name.size, holder);
    return holder;
}

void store_list_claim(struct store_list *list, struct store_run *run, const struct store_claim *claim)
{
    assert(!run->holder);
    struct store_run *suite = claim->suite ? store_list_find(list, claim->suite) : NULL;
    run->holder = store_list_holder(list, claim->holder);
    run->holder->runs++;
    run->holder->bytes += run->bytes;
    list->bytes += run->bytes;
    if (suite && suite != run && !suite->suite) {
        run->suite = suite;
        list_append(&suite->members, &run->member_link);
    }
    store_list_put_thing(list, run);
}

void store_list_end(struct store_list *list, struct store_run *run)
{
    run->ended = ++list->ended;
    store_list_put_thing(list, run);
}

void store_list_set_bytes(struct store_list *list, struct store_run *run, uint64_t bytes)
{
    run->holder->bytes += bytes - run->bytes;
    list->bytes += bytes - run->bytes;
    run->bytes = bytes;
}

static void store_list_disclaim(struct store_list *list, struct store_run *run)
{
    struct store_list_holder *holder = run->holder;
    LIST_EACH(struct store_run, member, &run->members, member_link) {
        list_remove(&run->members, &member->member_link);
        member->suite = NULL;
        store_list_put_thing(list, member);
    }
    if (run->suite)
        list_remove(&run->suite->members, &run->member_link);
    store_list_take_thing(list, run);
    store_list_set_bytes(list, run, 0);
    if (--holder->runs == 0)
        store_list_free_holder(list, holder);
}

void store_list_remove(struct store_list *list, struct store_run *run)
{
    if (run->holder)
        store_list_disclaim(list, run);
    store_list_take_out(list, run);
    store_list_free_run(run);
}

/* --- What has to go --- */

/* Its result is being stored for the first time: its user waits to be told of it. */
static bool store_list_is_waited_for(const struct store_run *run)
{
    return run->ended && !run->told[STORE_FINISHED];
}

static uint64_t store_list_things(const struct store_list_holder *holder)
{
    return holder->ended.count;
}

static uint64_t store_list_runs(const struct store_list_holder *holder)
{
    return holder->runs;
}

static uint64_t store_list_bytes(const struct store_list_holder *holder)
{
    return holder->bytes;
}

static uint64_t store_list_in_memory(const struct store_list_holder *holder)
{
    return holder->in_memory;
}

static struct store_list_holder *
store_list_largest(const struct store_list *list, uint64_t (*amount)(const struct store_list_holder *holder))
{
    struct store_list_holder *largest = NULL;
    LIST_EACH(struct store_list_holder, holder, &list->holders, link)
        if (!largest || amount(holder) > amount(largest))
            largest = holder;
    return largest;
}

/* The oldest of who has most. A later one does not go in the place of one that is waited for, and another's
 * not in the place of one that is under way. */
static struct store_run *store_list_oldest(const struct store_list *list,
                                           uint64_t (*amount)(const struct store_list_holder *holder))
{
    const struct store_list_holder *largest = store_list_largest(list, amount);
    struct store_run *oldest = largest ? LIST_FIRST(&largest->ended, struct store_run, ended_link) : NULL;
    return oldest && !store_list_is_waited_for(oldest) ? oldest : NULL;
}

struct store_run *store_list_surplus(const struct store_list *list, const struct store_limits *limits,
                                     uint64_t other_bytes, uint64_t old_ms)
{
    struct store_run *run = NULL;
    if (limits->bytes && list->bytes + other_bytes > limits->bytes && list->things > 1)
        run = store_list_oldest(list, store_list_bytes);
    if (!run && limits->count_most && list->count > limits->count_most && list->things > 1)
        run = store_list_oldest(list, store_list_runs);
    if (run || !limits->count || list->things <= limits->count)
        return run;
    run = store_list_oldest(list, store_list_things);
    return run && (!limits->seconds_least || run->ended_at_ms < old_ms) ? run : NULL;
}

struct store_run *store_list_outdated(const struct store_list *list, uint64_t too_old_ms)
{
    for (size_t i = 0; too_old_ms && i < list->count; i++) {
        struct store_run *run = list->runs[i];
        if (run->state != STORE_RUNNING && !run->suite && !store_list_is_waited_for(run) &&
            run->ended_at_ms < too_old_ms)
            return run;
    }
    return NULL;
}

static bool store_list_is_in_memory(const struct store_run *run)
{
    return run->state == STORE_FINISHED && run->content;
}

struct store_run *store_list_lost(const struct store_list *list, uint64_t bytes)
{
    struct store_run *oldest = NULL;
    uint64_t in_memory = 0;
    size_t count = 0;
    LIST_EACH(struct store_list_holder, holder, &list->holders, link)
        holder->in_memory = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct store_run *run = list->runs[i];
        if (!store_list_is_in_memory(run))
            continue;
        run->holder->in_memory += run->content->size;
        in_memory += run->content->size;
        count++;
    }
    if (!bytes || in_memory <= bytes || count <= 1)
        return NULL;
    const struct store_list_holder *largest = store_list_largest(list, store_list_in_memory);
    for (size_t i = 0; i < list->count; i++) {
        struct store_run *run = list->runs[i];
        if (run->holder == largest && store_list_is_in_memory(run) && run->failed && !run->writing &&
            (!oldest || store_list_ended_before(run, oldest)))
            oldest = run;
    }
    return oldest;
}
