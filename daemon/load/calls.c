#include "calls_private.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

#define CALLS_FIRST_CAPACITY 64
#define SLOT_MASK ((1u << CALLS_SLOT_BITS) - 1)
#define GENERATION_MASK ((1u << CALLS_GENERATION_BITS) - 1)

static const struct call_list empty = {CALLS_NONE, CALLS_NONE, 0};

void calls_init(struct calls *calls, size_t target_count)
{
    *calls = (struct calls){.free = empty, .resting = empty, .deadlines = empty};
    calls_add_targets(calls, 0, target_count);
}

void calls_add_targets(struct calls *calls, size_t before, size_t count)
{
    calls->by_target = memory_resize(calls->by_target, count, sizeof(*calls->by_target));
    for (size_t i = before; i < count; i++)
        calls->by_target[i][0] = calls->by_target[i][1] = empty;
}

void calls_free(struct calls *calls)
{
    for (uint32_t i = 0; i < calls->count; i++)
        departure_release(calls->items[i].departure);
    free(calls->items);
    free(calls->by_target);
    *calls = (struct calls){0};
}

static uint32_t slot_of(const struct calls *calls, const struct call *call)
{
    return (uint32_t)(call - calls->items);
}

static struct call *at(const struct calls *calls, uint32_t slot)
{
    return slot == CALLS_NONE ? NULL : &calls->items[slot];
}

/* The list that a call of this state is in. */
static struct call_list *list_of(struct calls *calls, const struct call *call)
{
    switch ((enum call_state)call->state) {
    case CALL_FREE:
        return &calls->free;
    case CALL_RESTING:
        return &calls->resting;
    case CALL_WAITING:
        return &calls->by_target[call->target][0];
    case CALL_SENT:
        return &calls->by_target[call->target][1];
    case CALL_STATE_COUNT:
        break;
    }
    return NULL;
}

static void link_state(struct calls *calls, struct call *call)
{
    struct call_list *list = list_of(calls, call);
    uint32_t slot = slot_of(calls, call);
    call->previous = list->last;
    call->next = CALLS_NONE;
    if (list->last == CALLS_NONE)
        list->first = slot;
    else
        calls->items[list->last].next = slot;
    list->last = slot;
    list->count++;
}

static void unlink_state(struct calls *calls, struct call *call)
{
    struct call_list *list = list_of(calls, call);
    if (call->previous == CALLS_NONE)
        list->first = call->next;
    else
        calls->items[call->previous].next = call->next;
    if (call->next == CALLS_NONE)
        list->last = call->previous;
    else
        calls->items[call->next].previous = call->previous;
    list->count--;
}

static void link_deadline(struct calls *calls, struct call *call)
{
    struct call_list *list = &calls->deadlines;
    uint32_t slot = slot_of(calls, call);
    call->earlier = list->last;
    call->later = CALLS_NONE;
    if (list->last == CALLS_NONE)
        list->first = slot;
    else
        calls->items[list->last].later = slot;
    list->last = slot;
    list->count++;
}

static void unlink_deadline(struct calls *calls, struct call *call)
{
    struct call_list *list = &calls->deadlines;
    if (call->earlier == CALLS_NONE)
        list->first = call->later;
    else
        calls->items[call->earlier].later = call->later;
    if (call->later == CALLS_NONE)
        list->last = call->earlier;
    else
        calls->items[call->later].earlier = call->earlier;
    list->count--;
}

static void set_state(struct calls *calls, struct call *call, enum call_state state)
{
    unlink_state(calls, call);
    call->state = (uint8_t)state;
    link_state(calls, call);
}

static void add_slot(struct calls *calls)
{
    if (calls->count == calls->capacity) {
        calls->capacity = calls->capacity ? calls->capacity * 2 : CALLS_FIRST_CAPACITY;
        calls->items = memory_resize(calls->items, calls->capacity, sizeof(*calls->items));
    }
    assert(calls->count <= SLOT_MASK);
    struct call *call = &calls->items[calls->count++];
    *call = (struct call){.state = CALL_FREE};
    link_state(calls, call);
}

struct call *calls_open(struct calls *calls, uint32_t thread, uint32_t target, uint64_t intended_ns,
                        uint64_t now_ns)
{
    uint32_t slot = calls->free.last; /* the one that was used last is still in the cache */
    if (slot == CALLS_NONE && calls->resting.count >= CALLS_RESTING)
        slot = calls->resting.first;
    if (slot == CALLS_NONE) {
        add_slot(calls);
        slot = calls->free.last;
    }
    struct call *call = &calls->items[slot];
    unlink_state(calls, call);
    call->thread = thread;
    call->target = target;
    call->intended_ns = intended_ns;
    call->opened_ns = call->sent_ns = now_ns;
    call->state = CALL_WAITING;
    link_state(calls, call);
    link_deadline(calls, call);
    return call;
}

uint32_t calls_tag(const struct calls *calls, const struct call *call)
{
    return (uint32_t)call->generation << CALLS_SLOT_BITS | slot_of(calls, call);
}

struct call *calls_find(struct calls *calls, int64_t tag)
{
    if (tag < 0 || tag >= 1LL << (CALLS_SLOT_BITS + CALLS_GENERATION_BITS))
        return NULL;
    uint32_t slot = (uint32_t)tag & SLOT_MASK;
    if (slot >= calls->count)
        return NULL;
    struct call *call = &calls->items[slot];
    return call->state == CALL_SENT && call->generation == tag >> CALLS_SLOT_BITS ? call : NULL;
}

void calls_sent(struct calls *calls, struct call *call, uint64_t now_ns, struct departure *departure)
{
    call->sent_ns = now_ns;
    call->departure = departure;
    set_state(calls, call, CALL_SENT);
}

static void end(struct calls *calls, struct call *call, enum call_state state)
{
    unlink_deadline(calls, call);
    departure_release(call->departure);
    call->departure = NULL;
    call->generation = (call->generation + 1) & GENERATION_MASK;
    set_state(calls, call, state);
}

void calls_close(struct calls *calls, struct call *call)
{
    end(calls, call, call->unanswered ? CALL_RESTING : CALL_FREE);
}

void calls_rest(struct calls *calls, struct call *call)
{
    call->unanswered = true;
    end(calls, call, CALL_RESTING);
}

struct call *calls_oldest(const struct calls *calls)
{
    return at(calls, calls->deadlines.first);
}

struct call *calls_first(const struct calls *calls, uint32_t target, enum call_state state)
{
    assert(state == CALL_WAITING || state == CALL_SENT);
    return at(calls, calls->by_target[target][state == CALL_SENT].first);
}

struct call *calls_later(const struct calls *calls, const struct call *call)
{
    return at(calls, call->later);
}
