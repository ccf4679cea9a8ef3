#include "injections_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "term/term_read.h"

void injection_forget_search(struct injection *injection)
{
    for (size_t i = 0; i < injection->answer_count; i++)
        buffer_free(&injection->answers[i]);
    free(injection->answers);
    free(injection->candidates);
    free(injection->parts);
    injection->answers = NULL;
    injection->candidates = NULL;
    injection->parts = NULL;
    injection->answer_count = injection->candidate_count = injection->part_count = 0;
    injection->supervisor_pid = injection->supervisor_ends = injection->supervisor_called = (struct term){0};
}

struct injection *injection_new(const struct fault_action *action, uint32_t index, uint64_t occurrence)
{
    struct injection *injection = memory_zalloc(1, sizeof(*injection));
    injection->action = action;
    injection->index = index;
    injection->occurrence = occurrence;
    return injection;
}

void injection_free(struct injection *injection)
{
    struct buffer *const kept[] = {&injection->failure, &injection->pids,  &injection->outcome,
                                   &injection->undone,  &injection->nodes, &injection->names};
    injection_forget_search(injection);
    recovery_free_all(injection);
    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++)
        buffer_free(kept[i]);
    assert(!injection->waiters);
    free(injection);
}

/* --- Lists --- */

void injection_list_add(struct injection_list *list, struct injection *injection)
{
    injection->links[list->kind].previous = list->last;
    injection->links[list->kind].next = NULL;
    if (list->last)
        list->last->links[list->kind].next = injection;
    else
        list->first = injection;
    list->last = injection;
    list->count++;
}

void injection_list_remove(struct injection_list *list, struct injection *injection)
{
    struct injection *previous = injection->links[list->kind].previous;
    struct injection *next = injection->links[list->kind].next;
    if (previous)
        previous->links[list->kind].next = next;
    else
        list->first = next;
    if (next)
        next->links[list->kind].previous = previous;
    else
        list->last = previous;
    list->count--;
}

/* --- Who waits for its end --- */

void injection_await(struct injection *injection, faults_undone *undone, void *owner)
{
    struct injection_waiter *waiter = memory_zalloc(1, sizeof(*waiter));
    *waiter = (struct injection_waiter){.next = injection->waiters, .undone = undone, .owner = owner};
    injection->waiters = waiter;
}

void injection_tell_waiters(struct injection *injection, const struct faults *faults, const void *owner)
{
    struct injection_waiter **link = &injection->waiters;
    while (*link) {
        struct injection_waiter *waiter = *link;
        if (owner && waiter->owner != owner) {
            link = &waiter->next;
            continue;
        }
        *link = waiter->next;
        waiter->undone(waiter->owner, faults, injection);
        free(waiter);
    }
}

/* --- What came of it --- */

const char *injection_nodes(const struct injection *injection)
{
    return (const char *)buffer_bytes(&injection->nodes);
}

void injection_outcome(struct injection *injection, enum fault_outcome outcome)
{
    struct term_builder builder = {0};
    if (injection->outcome.size)
        return;
    fault_outcome_build(outcome, &builder);
    term_keep(&injection->outcome, term_built(&builder));
    term_build_free(&builder);
}

void injection_outcome_term(struct injection *injection, enum fault_outcome outcome, struct term detail)
{
    struct term_builder builder = {0};
    if (injection->outcome.size)
        return;
    term_build_tuple(&builder, 2);
    fault_outcome_build(outcome, &builder);
    term_build_term(&builder, detail);
    term_keep(&injection->outcome, term_built(&builder));
    term_build_free(&builder);
}

void injection_outcome_early(struct injection *injection, const char *node, struct term reason)
{
    struct term_builder detail = {0};
    if (injection->released) /* it was not waited for, and is `ok` until it is known better */
        buffer_free(&injection->outcome);
    term_build_tuple(&detail, 2);
    term_build_atom(&detail, node);
    term_build_term(&detail, reason);
    injection_outcome_term(injection, FAULT_HEALED_EARLY, term_built(&detail));
    term_build_free(&detail);
}

bool injection_is_left(const struct injection *injection)
{
    return injection->was_held && injection->state == INJECTION_ENDED && injection->undone.size;
}

void injection_build_target(const struct injection *injection, struct term_builder *builder)
{
    if (injection->has_pids) {
        term_build_term(builder, term_of(&injection->pids));
        return;
    }
    const char *node = injection_nodes(injection);
    term_build_list(builder, injection->node_count);
    for (size_t i = 0; i < injection->node_count; i++, node += strlen(node) + 1)
        term_build_atom(builder, node);
    if (injection->node_count)
        term_build_nil(builder);
}

/* --- What processes are called --- */

static size_t injection_add_name(struct term pid, struct term called, struct term_builder *pairs)
{
    if (term_type(pid) != TERM_PID || !called.data || term_is_atom(called, ""))
        return 0;
    term_build_term(pairs, pid);
    term_build_term(pairs, called);
    return 1;
}

/* A map has each key once, but a process may be found twice. */
static bool injection_is_repeated(const struct injection *injection, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (term_same(injection->candidates[i].pid, injection->candidates[index].pid))
            return true;
    return false;
}

void injection_keep_names(struct injection *injection)
{
    struct term_builder pairs = {0}, map = {0};
    size_t count = 0;
    if (injection->names.size)
        return;
    for (size_t i = 0; i < injection->candidate_count && i < INJECTION_PIDS_MOST; i++)
        if (!injection_is_repeated(injection, i))
            count +=
                injection_add_name(injection->candidates[i].pid, injection->candidates[i].called, &pairs);
    if (!injection->candidate_count && injection->supervisor_pid.data)
        count += injection_add_name(injection->supervisor_pid, injection->supervisor_called, &pairs);
    term_build_map(&map, count);
    buffer_append(&map.bytes, buffer_bytes(&pairs.bytes), pairs.bytes.size);
    term_keep(&injection->names, term_built(&map));
    term_build_free(&pairs);
    term_build_free(&map);
}

void injection_build_names(const struct injection *injection, struct term_builder *builder)
{
    term_build_key(builder, "names");
    term_build_term(builder, injection->names.size ? term_of(&injection->names) : TERM_EMPTY_MAP);
}

void injection_build_what(const struct injection *injection, struct term_builder *builder)
{
    term_build_key(builder, "kind");
    term_build_atom(builder, injection->action->kind->name);
    term_build_key(builder, "action");
    term_build_term(builder, injection->action->term);
    term_build_key(builder, "target");
    injection_build_target(injection, builder);
}

void injection_build_ms(struct term_builder *builder, const char *key, bool is_there, uint64_t ns)
{
    term_build_key_known(builder, key, is_there, ns / CLOCK_NS_PER_MS);
}

static void injection_build_undone(const struct injection *injection, struct term_builder *builder)
{
    term_build_key(builder, "undone");
    if (!injection->was_held || injection->state != INJECTION_ENDED)
        term_build_atom(builder, "nil");
    else
        term_build_boolean(builder, !injection_is_left(injection));
}

/* From when it took effect until it was let go, as far as that is known. */
static uint64_t injection_held_ns(const struct injection *injection)
{
    uint64_t from_ns = injection->effect_ns ? injection->effect_ns : injection->at_ns;
    uint64_t to_ns = injection->let_go_ns ? injection->let_go_ns : injection->ended_ns;
    return to_ns > from_ns ? to_ns - from_ns : 0;
}

void injection_build(const struct injection *injection, uint64_t started_ns, struct term_builder *builder)
{
    uint64_t at = injection->at_ns ? injection->at_ns : injection->due_ns;
    term_build_key_unsigned(builder, "number", injection->number);
    injection_build_ms(builder, "at_ms", true, at > started_ns ? at - started_ns : 0);
    injection_build_what(injection, builder);
    term_build_key(builder, "outcome");
    if (injection->outcome.size)
        term_build_term(builder, term_of(&injection->outcome));
    else
        fault_outcome_build(FAULT_UNDER_WAY, builder);
    term_build_key(builder, "amount");
    term_build_unsigned(builder, injection->amount);
    injection_build_ms(builder, "duration_ms", injection->was_held && injection->ended_ns,
                       injection_held_ns(injection));
    injection_build_undone(injection, builder);
    injection_build_names(injection, builder);
}

void injection_build_left(const struct injection *injection, struct term_builder *builder)
{
    term_build_map(builder, 4);
    injection_build_what(injection, builder);
    term_build_key(builder, "reason");
    term_build_term(builder, term_of(&injection->undone));
}
