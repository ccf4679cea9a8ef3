/* Which targets a fault has touched, and when it took effect there. */
#include "recovery_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "faults_private.h"
#include "term/term_read.h"

/* The report tells of so many targets of a fault. */
#define RECOVERY_TARGETS_MOST INJECTION_PIDS_MOST

void recovery_init(struct faults *faults)
{
    faults->recovery_count = faults->options.scenario->target_count + 1;
    faults->recoveries = memory_zalloc(faults->recovery_count, sizeof(*faults->recoveries));
}

static void recovery_free_list(struct recovery_watch *watch)
{
    while (watch) {
        struct recovery_watch *next = watch->next;
        free(watch->victims);
        free(watch);
        watch = next;
    }
}

/* After all injections. */
void recovery_free(struct faults *faults)
{
    for (size_t i = 0; i < faults->recovery_count; i++)
        free(faults->recoveries[i].kept);
    free(faults->recoveries);
    recovery_free_members(faults);
}

void recovery_free_all(struct injection *injection)
{
    recovery_free_list(injection->watches);
    injection->watches = NULL;
}

/* --- Watches --- */

static struct recovery_watch *recovery_make(struct faults *faults, size_t target)
{
    struct recovery *recovery = recovery_of(faults, target);
    struct recovery_watch *watch = memory_zalloc(1, sizeof(*watch));
    if (target < faults->options.scenario->target_count && !recovery->waiting.count)
        recovery_begin_whole(faults, target);
    *watch = (struct recovery_watch){.target = target, .errors_before = recovery->errors};
    list_append(&recovery->waiting, &watch->waiting);
    return watch;
}

/* Of nobody's injection. It counts from when it was asked for, as nobody will tell when it took effect. */
static void recovery_keep_one_more(struct faults *faults, size_t target)
{
    struct recovery *recovery = recovery_of(faults, target);
    if (recovery->kept)
        return;
    recovery->kept = recovery_make(faults, target);
    recovery->kept->effect_ns = recovery->kept->known_ns = recovery->kept->from_ns = faults_now(faults);
}

struct recovery_watch *recovery_add(struct faults *faults, struct injection *injection, size_t target,
                                    size_t part)
{
    struct recovery_watch *watch;
    if (injection->watch_count >= RECOVERY_TARGETS_MOST) {
        recovery_keep_one_more(faults, target);
        return NULL;
    }
    watch = recovery_make(faults, target);
    watch->injection = injection;
    watch->part = part;
    watch->next = injection->watches;
    injection->watches = watch;
    injection->watch_count++;
    return watch;
}

struct recovery_watch *recovery_find(const struct injection *injection, size_t target)
{
    struct recovery_watch *watch = injection->watches;
    while (watch && watch->target != target)
        watch = watch->next;
    return watch;
}

void recovery_free_watch(struct faults *faults, struct recovery_watch *watch)
{
    struct recovery *recovery = recovery_of(faults, watch->target);
    if (list_has(&recovery->waiting, &watch->waiting))
        list_remove(&recovery->waiting, &watch->waiting);
    if (recovery->latest == watch)
        recovery->latest = NULL;
    if (recovery->kept == watch)
        recovery->kept = NULL;
    free(watch->victims);
    free(watch);
}

uint64_t recovery_errors(const struct faults *faults, const struct recovery_watch *watch)
{
    return watch->recovered_ns ? watch->errors
                               : recovery_of(faults, watch->target)->errors - watch->errors_before;
}

/* --- Whom a fault touches --- */

static bool recovery_read_node(struct term pid, char name[TERM_ATOM_BYTES + 1])
{
    struct term node;
    return term_type(pid) == TERM_PID && term_read_node(pid, &node) && term_read_atom(node, name);
}

/* The pid that stands for a target, as far as it is known. */
static struct term recovery_pid_of(const struct faults *faults, size_t target)
{
    const struct target_spec *spec = find_target_spec(faults, target);
    return spec->kind == TARGET_PID ? spec->server
                                    : faults->options.events->found(faults->options.owner, target);
}

bool recovery_is_pid_of(struct term pid, const char *node)
{
    char name[TERM_ATOM_BYTES + 1];
    return recovery_read_node(pid, name) && strcmp(name, node) == 0;
}

static bool recovery_is_on(const struct faults *faults, size_t target, const char *node)
{
    const struct target_spec *spec = find_target_spec(faults, target);
    struct term pid = recovery_pid_of(faults, target);
    if (pid.data)
        return recovery_is_pid_of(pid, node);
    return spec->kind == TARGET_NAME && strcmp(spec->node, node) == 0;
}

void recovery_watch_node(struct faults *faults, struct injection *injection, size_t part, const char *node)
{
    recovery_count_members(faults);
    for (size_t i = 0; i < faults->options.scenario->target_count; i++)
        if (recovery_is_on(faults, i, node) && !recovery_find(injection, i))
            (void)recovery_add(faults, injection, i, part);
    recovery_watch_members_of_node(faults, injection, part, node);
}

static int recovery_compare_terms(struct term a, struct term b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.data, b.data, size) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int recovery_compare_pids(const void *first, const void *second)
{
    const struct candidate *a = first, *b = second;
    return recovery_compare_terms(a->pid, b->pid);
}

static int recovery_compare_names(const void *first, const void *second)
{
    const struct candidate *a = first, *b = second;
    return recovery_compare_terms(a->name, b->name);
}

/* Candidates in an order in which each target is found at once: there may be very many of both. */
struct recovery_search {
    struct candidate *by_pid;
    struct candidate *by_name;
    size_t count;
};

static struct candidate *recovery_sort(const struct candidate *candidates, size_t count,
                                       int (*compare)(const void *, const void *))
{
    struct candidate *sorted = memory_alloc(count * sizeof(*sorted));
    if (count)
        memcpy(sorted, candidates, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare);
    return sorted;
}

static bool recovery_is_victim(const struct faults *faults, const struct recovery_search *search,
                               size_t target, const char *node)
{
    const struct target_spec *spec = find_target_spec(faults, target);
    struct candidate wanted = {.pid = recovery_pid_of(faults, target), .name = spec->name};
    const struct candidate *found = NULL;
    if (wanted.pid.data)
        found = bsearch(&wanted, search->by_pid, search->count, sizeof(wanted), recovery_compare_pids);
    else if (spec->kind == TARGET_NAME && strcmp(spec->node, node) == 0)
        found = bsearch(&wanted, search->by_name, search->count, sizeof(wanted), recovery_compare_names);
    return found && recovery_is_pid_of(found->pid, node);
}

void recovery_watch_processes(struct faults *faults, struct injection *injection, size_t part,
                              const char *node)
{
    const struct candidate supervisor = {.pid = injection->supervisor_pid,
                                         .name = injection->supervisor_name};
    recovery_count_members(faults);
    bool has_supervisor =
        injection->action->kind->victim == FAULT_SUPERVISOR && injection->supervisor_pid.data;
    size_t count = injection->candidate_count + has_supervisor;
    struct candidate *all = memory_alloc(count * sizeof(*all));
    if (injection->candidate_count)
        memcpy(all, injection->candidates, injection->candidate_count * sizeof(*all));
    if (has_supervisor)
        all[count - 1] = supervisor;
    struct recovery_search search = {.by_pid = recovery_sort(all, count, recovery_compare_pids),
                                     .by_name = recovery_sort(all, count, recovery_compare_names),
                                     .count = count};
    for (size_t i = 0; i < faults->options.scenario->target_count; i++)
        if (recovery_is_victim(faults, &search, i, node) && !recovery_find(injection, i))
            (void)recovery_add(faults, injection, i, part);
    recovery_watch_members(faults, injection, part, all, count, node);
    free(search.by_pid);
    free(search.by_name);
    free(all);
}

/* --- When it took effect --- */

/* What has failed meanwhile, before the effect or without one, is of the fault before. */
static void recovery_return_errors(struct recovery *recovery, uint64_t before_ns)
{
    if (recovery->latest && recovery->last_error_ns > recovery->latest->last_error_ns &&
        recovery->last_error_ns < before_ns)
        recovery->latest->last_error_ns = recovery->last_error_ns;
}

/* A node that says that it halts may yet answer until it is gone, which is what is known here. */
static uint64_t recovery_from(const struct faults *faults, const struct injection *injection,
                              uint64_t effect_ns)
{
    return injection->action->kind->doing == FAULT_HALT ? faults_now(faults) : effect_ns;
}

static void recovery_take_effect(struct faults *faults, struct recovery_watch *watch, uint64_t effect_ns)
{
    struct recovery *recovery = recovery_of(faults, watch->target);
    watch->effect_ns = effect_ns;
    watch->known_ns = faults_now(faults);
    watch->from_ns = recovery_from(faults, watch->injection, effect_ns);
    if (watch->target != TARGET_ANY) {
        recovery_return_errors(recovery, effect_ns);
        recovery->latest = watch;
        recovery->looked_effects = faults->effects;
    }
    if (recovery->errors > watch->errors_before)
        watch->last_error_ns = recovery->last_error_ns;
    if (watch->early_ended_ns && watch->early_sent_ns >= watch->from_ns && recovery_is_complete(recovery))
        recovery_settle(faults, watch, watch->early_sent_ns, watch->early_ended_ns);
}

void recovery_effect(struct faults *faults, struct injection *injection, size_t part, uint64_t effect_ns)
{
    if (!injection->watches)
        (void)recovery_add(faults, injection, TARGET_ANY, part);
    if (!injection->effect_ns || effect_ns < injection->effect_ns)
        injection->effect_ns = effect_ns;
    if (effect_ns >= faults->latest_effect_ns) {
        faults->latest = injection;
        faults->latest_effect_ns = effect_ns;
        faults->effects++;
    }
    uint64_t from_ns = recovery_from(faults, injection, effect_ns);
    for (struct recovery_watch *watch = injection->watches; watch; watch = watch->next) {
        recovery_touch_victims(faults, watch, part, from_ns);
        if (!watch->effect_ns && (watch->part == part || watch->target == TARGET_ANY))
            recovery_take_effect(faults, watch, effect_ns);
    }
}

void recovery_unwatch(struct faults *faults, struct injection *injection)
{
    struct recovery_watch **link = &injection->watches;
    while (*link) {
        struct recovery_watch *watch = *link;
        if (watch->effect_ns) {
            link = &watch->next;
            continue;
        }
        *link = watch->next;
        injection->watch_count--;
        recovery_return_errors(recovery_of(faults, watch->target), UINT64_MAX);
        recovery_free_watch(faults, watch);
    }
}

void recovery_call_off(struct faults *faults, struct injection *injection)
{
    for (struct recovery_watch *watch = injection->watches; watch; watch = watch->next)
        watch->effect_ns = 0;
    recovery_unwatch(faults, injection);
    injection->effect_ns = 0;
    if (faults->latest == injection)
        faults->latest = NULL;
}

/* --- What is no longer recorded --- */

/* The oldest of a target has waited longest: it stays, and what the others come to follows from it. */
static void recovery_let_go(struct faults *faults, struct recovery_watch *watch)
{
    struct recovery *recovery = recovery_of(faults, watch->target);
    bool is_waiting = list_has(&recovery->waiting, &watch->waiting) && watch->target != TARGET_ANY;
    watch->injection = NULL;
    watch->next = NULL;
    if (is_waiting && !recovery->kept)
        recovery->kept = watch;
    else
        recovery_free_watch(faults, watch);
}

void recovery_drop(struct faults *faults, struct injection *injection)
{
    while (injection->watches) {
        struct recovery_watch *watch = injection->watches;
        injection->watches = watch->next;
        recovery_let_go(faults, watch);
    }
    injection->watch_count = 0;
    if (faults->latest == injection)
        faults->latest = NULL;
}
