#include "load/targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "target_private.h"
#include "term/term_build.h"
#include "term/term_read.h"

/* One of a target that gives several. */
struct member {
    struct member_target *used; /* NULL before it is used for the first time */
    size_t number;
    struct buffer pid;
    size_t source;
    size_t observed_as;
    bool is_there;     /* it was given last, and has not failed since */
    uint64_t given_at; /* the change that it was given with last */
};

struct member_target {
    struct target target;
    struct target_spec spec;
};

/* The members of one of the scenario's own, by their numbers, those that are gone among them: what is done
 * for all of one target meets none of another's. */
struct family {
    struct member **members;
    size_t count;
    size_t there; /* of them */
    size_t tried; /* while members are given: those before were looked at for one to use again */
};

struct targets {
    const struct scenario *scenario;
    const struct target_spec *specs; /* of the scenario's own */
    struct target **items;           /* likewise; NULL before it is used for the first time */
    size_t count;
    struct member **members; /* numbers from `count` on; they stay where they are */
    size_t member_count;
    struct family *families; /* of each of the scenario's own */
    struct map by_pid;       /* those that are there, by source and pid */
    struct buffer key;       /* scratch */
    uint32_t *spread;        /* whom the load is for, as it was told last */
    size_t spread_count;
    uint64_t changes;
    bool is_confirmed; /* as each target is */
    struct process *process;
    struct term group_leader;
    const struct targets_events *events;
    void *owner;
};

/* NULL for one that was not used yet. */
static struct target *targets_find(const struct targets *targets, size_t target)
{
    if (target < targets->count)
        return targets->items[target];
    struct member_target *used = targets->members[target - targets->count]->used;
    return used ? &used->target : NULL;
}

static void targets_on_open(void *owner, struct target *target)
{
    struct targets *targets = owner;
    targets->events->open(targets->owner, target->index);
}

/* Those that are there, in the scenario's order and that of their numbers; in the place of none the target
 * itself, whose operations fail. */
static void targets_tell_spread(struct targets *targets)
{
    size_t count = 0;
    targets->spread =
        memory_resize(targets->spread, targets->count + targets->member_count, sizeof(*targets->spread));
    for (size_t source = 0; source < targets->count; source++) {
        const struct family *family = &targets->families[source];
        size_t before = count;
        for (size_t i = 0; family->there && i < family->count; i++)
            if (family->members[i]->is_there)
                targets->spread[count++] = (uint32_t)family->members[i]->number;
        if (count == before)
            targets->spread[count++] = (uint32_t)source;
    }
    targets->spread_count = count;
    targets->events->spread(targets->owner, targets->spread, count, targets->count + targets->member_count);
}

/* Without one, who is not the last of his target: very many may be lost at once. */
static void targets_tell_spread_without(struct targets *targets, size_t target)
{
    size_t place = 0;
    while (place < targets->spread_count && targets->spread[place] != target)
        place++;
    if (place == targets->spread_count)
        return;
    targets->spread_count--;
    memmove(&targets->spread[place], &targets->spread[place + 1],
            (targets->spread_count - place) * sizeof(*targets->spread));
    targets->events->spread(targets->owner, targets->spread, targets->spread_count,
                            targets->count + targets->member_count);
}

static const struct buffer *targets_key(struct targets *targets, size_t source, struct term pid)
{
    buffer_truncate(&targets->key, 0);
    buffer_append(&targets->key, &source, sizeof(source));
    buffer_append(&targets->key, pid.data, pid.size);
    return &targets->key;
}

static void targets_drop_member(struct targets *targets, struct member *member)
{
    const struct buffer *key = targets_key(targets, member->source, term_of(&member->pid));
    (void)map_remove(&targets->by_pid, buffer_bytes(key), key->size);
    member->is_there = false;
    targets->families[member->source].there--;
}

/* Nothing more is for a member that is gone. */
static void targets_lose_member(struct targets *targets, size_t target)
{
    if (target < targets->count || !targets->members[target - targets->count]->is_there)
        return;
    struct member *member = targets->members[target - targets->count];
    targets_drop_member(targets, member);
    if (targets->families[member->source].there)
        targets_tell_spread_without(targets, target);
    else
        targets_tell_spread(targets);
}

static void targets_on_failed(void *owner, struct target *target, enum target_failure failure,
                              const struct term_long *reason)
{
    struct targets *targets = owner;
    struct term_builder nodedown = {0};
    struct term_long told = *reason;
    targets_lose_member(targets, target->index);
    if (failure == TARGET_NODEDOWN) {
        term_build_tuple(&nodedown, 2);
        term_build_atom(&nodedown, "nodedown");
        term_build_atom(&nodedown, target->node);
        told = *TERM_LONG(term_built(&nodedown));
    }
    targets->events->failed(targets->owner, target->index, failure, &told);
    term_build_free(&nodedown);
}

static const struct target_events targets_events = {
    .ready = targets_on_open, .failed = targets_on_failed, .drained = targets_on_open};

/* They are made when they are used: ten thousand at once would take long. */
static struct target *targets_init(struct targets *targets, struct target *target,
                                   const struct target_spec *spec, size_t number)
{
    target_init(target, spec, number, targets->is_confirmed, targets->process, targets->group_leader,
                &targets_events, targets);
    return target;
}

static struct target *targets_make_member(struct targets *targets, struct member *member)
{
    struct term_pid parts;
    struct member_target *used = member->used = memory_zalloc(1, sizeof(*used));
    used->spec = (struct target_spec){.kind = TARGET_PID, .server = term_of(&member->pid)};
    if (term_read_pid(used->spec.server, &parts))
        snprintf(used->spec.node, sizeof(used->spec.node), "%.*s", NODE_NAME_BYTES, parts.node);
    return targets_init(targets, &used->target, &used->spec, member->number);
}

static struct target *targets_make(struct targets *targets, size_t target)
{
    if (target >= targets->count)
        return targets_make_member(targets, targets->members[target - targets->count]);
    targets->items[target] = memory_alloc(sizeof(struct target));
    return targets_init(targets, targets->items[target], &targets->specs[target], target);
}

static struct target *targets_at(struct targets *targets, size_t target)
{
    struct target *found = targets_find(targets, target);
    return found ? found : targets_make(targets, target);
}

struct targets *targets_new(const struct scenario *scenario, const struct target_spec *subject,
                            struct process *process, struct term group_leader,
                            const struct targets_events *events, void *owner)
{
    struct targets *targets = memory_zalloc(1, sizeof(*targets));
    targets->scenario = scenario;
    targets->specs = scenario->setup.data ? subject : scenario->targets;
    targets->process = process;
    targets->group_leader = group_leader;
    targets->count = scenario->target_count;
    targets->items = memory_zalloc(targets->count, sizeof(*targets->items));
    targets->families = memory_zalloc(targets->count, sizeof(*targets->families));
    targets->events = events;
    targets->owner = owner;
    targets->is_confirmed = scenario->has_unanswered_operations; /* they are done when sent to somebody */
    return targets;
}

void targets_close(struct targets *targets)
{
    for (size_t i = 0; i < targets->count + targets->member_count; i++)
        if (targets_find(targets, i))
            target_close(targets_find(targets, i));
}

void targets_free(struct targets *targets)
{
    for (size_t i = 0; i < targets->count + targets->member_count; i++)
        if (targets_find(targets, i))
            target_free(targets_find(targets, i));
    for (size_t i = 0; i < targets->count; i++) {
        free(targets->items[i]);
        free(targets->families[i].members);
    }
    for (size_t i = 0; i < targets->member_count; i++) {
        buffer_free(&targets->members[i]->pid);
        free(targets->members[i]->used);
        free(targets->members[i]);
    }
    map_free(&targets->by_pid);
    buffer_free(&targets->key);
    free(targets->members);
    free(targets->families);
    free(targets->spread);
    free(targets->items);
    free(targets);
}

/* --- Members --- */

/* One that is gone, and that nothing is to be done for any more; NULL: there is none. Each is looked at once
 * for all that are given together. */
static struct member *targets_reuse_member(struct targets *targets, size_t source)
{
    struct family *family = &targets->families[source];
    while (family->tried < family->count) {
        struct member *member = family->members[family->tried++];
        if (member->is_there || !targets->events->is_unused(targets->owner, member->number))
            continue;
        if (member->used) {
            target_close(&member->used->target);
            target_free(&member->used->target);
            free(member->used);
            member->used = NULL;
        }
        return member;
    }
    return NULL;
}

/* Room is made for twice as many at a time. */
static void targets_append(struct member ***members, size_t *count, struct member *member)
{
    if ((*count & (*count - 1)) == 0)
        *members = memory_resize(*members, *count ? 2 * *count : 1, sizeof(struct member *));
    (*members)[(*count)++] = member;
}

static struct member *targets_new_member(struct targets *targets, size_t source)
{
    struct member *member = memory_zalloc(1, sizeof(*member));
    struct family *family = &targets->families[source];
    targets_append(&targets->members, &targets->member_count, member);
    targets_append(&family->members, &family->count, member);
    member->source = source;
    member->number = targets->count + targets->member_count - 1;
    return member;
}

static bool targets_is_pid(struct term term)
{
    struct term node;
    char name[TERM_ATOM_BYTES + 1];
    return term_type(term) == TERM_PID && term_read_node(term, &node) && term_read_atom(node, name) &&
           strlen(name) <= NODE_NAME_BYTES;
}

/* NULL: it is no pid. */
static struct member *targets_add_member(struct targets *targets, size_t source, struct term pid)
{
    if (!targets_is_pid(pid))
        return NULL;
    struct member *member = targets_reuse_member(targets, source);
    if (!member)
        member = targets_new_member(targets, source);
    term_keep(&member->pid, pid);
    member->is_there = true;
    targets->families[source].there++;
    const struct buffer *key = targets_key(targets, source, pid);
    (void)map_put(&targets->by_pid, buffer_bytes(key), key->size, member);
    return member;
}

void targets_set_members(struct targets *targets, size_t target, struct term pids)
{
    struct family *family = &targets->families[target];
    struct term_list list;
    struct term pid;
    bool changed = false;
    targets->changes++;
    family->tried = 0;
    for (bool more = term_list_start(&list, pids); more && (more = term_list_next(&list, &pid));) {
        const struct buffer *key = targets_key(targets, target, pid);
        struct member *member = map_get(&targets->by_pid, buffer_bytes(key), key->size);
        changed |= !member;
        if (!member)
            member = targets_add_member(targets, target, pid);
        if (!member)
            continue;
        member->given_at = targets->changes;
        member->observed_as = targets->events->observed_as(targets->owner, target, pid);
    }
    for (size_t i = 0; i < family->count; i++) {
        struct member *member = family->members[i];
        if (!member->is_there || member->given_at == targets->changes)
            continue;
        targets_drop_member(targets, member);
        changed = true;
    }
    if (changed)
        targets_tell_spread(targets);
}

size_t targets_member_count(const struct targets *targets, size_t target)
{
    return targets->families[target].there;
}

void targets_build_members(const struct targets *targets, size_t target, struct term_builder *builder)
{
    const struct family *family = &targets->families[target];
    term_build_list(builder, family->there);
    for (size_t i = 0; i < family->count; i++)
        if (family->members[i]->is_there)
            term_build_term(builder, term_of(&family->members[i]->pid));
    if (family->there)
        term_build_nil(builder);
}

void targets_spread_again(struct targets *targets)
{
    if (targets->member_count)
        targets_tell_spread(targets);
}

size_t targets_count(const struct targets *targets)
{
    return targets->count + targets->member_count;
}

size_t targets_source(const struct targets *targets, size_t target)
{
    return target < targets->count ? target : targets->members[target - targets->count]->source;
}

size_t targets_observed_as(const struct targets *targets, size_t target)
{
    return target < targets->count ? target : targets->members[target - targets->count]->observed_as;
}

/* --- Looking at them --- */

void targets_reach(struct targets *targets, size_t target)
{
    target_reach(targets_at(targets, target));
}

const struct target_spec *targets_spec(struct targets *targets, size_t target)
{
    return target < targets->count ? &targets->specs[target] : targets_at(targets, target)->spec;
}

struct term targets_found(const struct targets *targets, size_t target)
{
    const struct target *found = targets_find(targets, target);
    return found ? term_of(&found->found) : (struct term){0};
}

const char *targets_node(const struct targets *targets, size_t target)
{
    const struct target *found = targets_find(targets, target);
    return found ? found->node : "";
}

bool targets_are_on(const struct targets *targets, size_t target, const struct peer *peer)
{
    const struct target *found = targets_find(targets, target);
    return found && found->peer == peer;
}

/* --- For the engine --- */

static void targets_way_reach(void *owner, size_t target)
{
    targets_reach(owner, target);
}

static bool targets_way_is_open(void *owner, size_t target)
{
    struct targets *targets = owner;
    return target_is_open(targets_at(targets, target));
}

static void targets_way_look_again(void *owner, size_t target)
{
    target_look_again(targets_at(owner, target));
}

static bool targets_way_send(void *owner, size_t target, struct term message)
{
    struct target *sent_to = targets_at(owner, target);
    if (sent_to->state == TARGET_READY)
        target_send(sent_to, message);
    return sent_to->state == TARGET_READY;
}

static bool targets_way_send_held(void *owner, size_t target, struct term head, struct term tail,
                                  struct blob *held)
{
    struct target *sent_to = targets_at(owner, target);
    if (sent_to->state == TARGET_READY)
        target_send_held(sent_to, head, tail, held);
    return sent_to->state == TARGET_READY;
}

static struct departure *targets_way_departure(void *owner, size_t target)
{
    const struct target *sent_to = targets_at(owner, target);
    return sent_to->state == TARGET_READY ? target_departure(sent_to) : NULL;
}

static struct term targets_way_server(void *owner, size_t target)
{
    return targets_spec(owner, target)->server;
}

const struct target_way targets_way = {.reach = targets_way_reach,
                                       .is_open = targets_way_is_open,
                                       .look_again = targets_way_look_again,
                                       .send = targets_way_send,
                                       .send_held = targets_way_send_held,
                                       .departure = targets_way_departure,
                                       .server = targets_way_server};
