/* Whom targets that give several give. A member that is called something has a recovery of its own, whoever
 * bears the name; those of a target that are called nothing have one together: it is there again when they
 * are as many as before, and those of them have answered that are new, or that the fault has touched. */
#include "recovery_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "faults_private.h"
#include "term/term_read.h"

/* Names that are known at once, of all targets together; who bears another one is called nothing. */
#define RECOVERY_NAMES_MOST 10000

/* Who is gone is not forgotten before so many others are: operations on it may yet end. */
#define RECOVERY_GONE_MOST 1000

static struct recovery_member *recovery_member_at(const struct faults *faults, size_t target)
{
    size_t first = faults->options.scenario->target_count;
    return target >= first && target - first < faults->member_count ? faults->members[target - first] : NULL;
}

size_t recovery_number(const struct faults *faults, size_t target)
{
    const struct recovery_member *member = recovery_member_at(faults, target);
    return member && !member->called.size ? member->source : target;
}

size_t recovery_total(const struct faults *faults)
{
    return faults->options.scenario->target_count + faults->member_count;
}

struct recovery *recovery_of(const struct faults *faults, size_t target)
{
    struct recovery_member *member = recovery_member_at(faults, target);
    size_t source = member ? member->source : target;
    if (member && member->called.size)
        return &member->own;
    return &faults->recoveries[source < faults->recovery_count ? source : faults->recovery_count - 1];
}

struct recovery *recovery_of_whole(const struct faults *faults, size_t target)
{
    const struct recovery_member *member = recovery_member_at(faults, target);
    return member ? &faults->recoveries[member->source] : NULL;
}

struct term recovery_name(const struct faults *faults, size_t target)
{
    const struct recovery_member *member = recovery_member_at(faults, target);
    return member ? term_of(&member->called) : find_target_spec(faults, target)->server;
}

void recovery_free_members(struct faults *faults)
{
    for (size_t i = 0; i < faults->member_count; i++) {
        buffer_free(&faults->members[i]->pid);
        buffer_free(&faults->members[i]->called);
        free(faults->members[i]->own.kept);
        free(faults->members[i]);
    }
    map_free(&faults->members_by_pid);
    map_free(&faults->members_by_name);
    buffer_free(&faults->member_key);
    free(faults->members);
}

/* --- What a whole has lost --- */

bool recovery_is_complete(const struct recovery *recovery)
{
    return recovery->there >= recovery->wanted && !recovery->owed;
}

bool recovery_is_away(const struct faults *faults, size_t target)
{
    const struct recovery_member *member = recovery_member_at(faults, target);
    const struct recovery *recovery = recovery_of(faults, target);
    return member && member->called.size ? !member->is_there : recovery->there < recovery->wanted;
}

static void recovery_forgive(struct recovery *whole, struct recovery_member *member)
{
    whole->owed -= member->owes_ns != 0;
    member->owes_ns = 0;
}

void recovery_owe(struct faults *faults, size_t target, uint64_t from_ns)
{
    struct recovery_member *member = recovery_member_at(faults, target);
    if (!member || member->called.size || !member->is_there || member->owes_ns ||
        member->answered_ns >= from_ns)
        return;
    member->owes_ns = from_ns;
    member->known_ns = faults_now(faults);
    faults->recoveries[member->source].owed++;
}

void recovery_pay(struct faults *faults, const struct observation *seen)
{
    struct recovery_member *member = recovery_member_at(faults, seen->target);
    if (!member || member->called.size)
        return;
    if (seen->is_answered && seen->sent_ns > member->answered_ns)
        member->answered_ns = seen->sent_ns;
    if (seen->sent_ns >= member->owes_ns && (seen->is_answered || seen->sent_ns >= member->known_ns))
        recovery_forgive(&faults->recoveries[member->source], member);
}

void recovery_count_members(struct faults *faults)
{
    const struct scenario *scenario = faults->options.scenario;
    for (size_t i = 0; scenario->has_several_targets && i < scenario->target_count; i++)
        if (!faults->recoveries[i].waiting.count)
            faults->recoveries[i].before = faults->recoveries[i].there;
}

void recovery_begin_whole(struct faults *faults, size_t target)
{
    struct recovery *whole = &faults->recoveries[target];
    for (size_t i = 0; whole->owed && i < faults->member_count; i++)
        if (faults->members[i]->source == target)
            recovery_forgive(whole, faults->members[i]);
    whole->wanted = whole->there > whole->before ? whole->there : whole->before;
}

/* Who is not there is waited for, whether or not anybody asks for it: the load goes to the others. */
static void recovery_wait_for(struct recovery *recovery)
{
    LIST_EACH(struct recovery_watch, watch, &recovery->waiting, waiting)
        watch->waited = true;
}

/* --- Who there is --- */

static const struct buffer *recovery_key(struct faults *faults, size_t source, struct term term)
{
    buffer_truncate(&faults->member_key, 0);
    buffer_append(&faults->member_key, &source, sizeof(source));
    buffer_append(&faults->member_key, term.data, term.size);
    return &faults->member_key;
}

static struct recovery_member *recovery_find_member(struct faults *faults, const struct map *map,
                                                    size_t source, struct term term)
{
    const struct buffer *key = recovery_key(faults, source, term);
    return map_get(map, buffer_bytes(key), key->size);
}

size_t faults_member(struct faults *faults, size_t target, struct term pid)
{
    const struct recovery_member *member = recovery_find_member(faults, &faults->members_by_pid, target, pid);
    return member ? faults->options.scenario->target_count + member->index : target;
}

static void recovery_leave(struct faults *faults, struct recovery_member *member)
{
    struct recovery *whole = &faults->recoveries[member->source];
    const struct buffer *key = recovery_key(faults, member->source, term_of(&member->pid));
    (void)map_remove(&faults->members_by_pid, buffer_bytes(key), key->size);
    member->is_there = false;
    if (member->called.size) {
        recovery_wait_for(&member->own);
        return;
    }
    recovery_forgive(whole, member);
    whole->there--;
    list_append(&faults->members_gone, &member->gone);
}

static struct recovery_member *recovery_new_member(struct faults *faults)
{
    struct recovery_member *member = LIST_FIRST(&faults->members_gone, struct recovery_member, gone);
    if (member && faults->members_gone.count > RECOVERY_GONE_MOST) {
        list_remove(&faults->members_gone, &member->gone);
        return member;
    }
    member = memory_zalloc(1, sizeof(*member));
    member->index = faults->member_count;
    if ((member->index & (member->index - 1)) == 0) /* room for twice as many */
        faults->members = memory_resize(faults->members, member->index ? 2 * member->index : 1,
                                        sizeof(struct recovery_member *));
    faults->members[faults->member_count++] = member;
    return member;
}

/* The one of this name, if it has room for one. */
static struct recovery_member *recovery_take_name(struct faults *faults, size_t source, struct term called)
{
    struct recovery_member *member = recovery_find_member(faults, &faults->members_by_name, source, called);
    if (member && member->is_there) /* another one that bears it as well */
        return NULL;
    if (member || faults->members_by_name.count == RECOVERY_NAMES_MOST)
        return member;
    member = recovery_new_member(faults);
    term_keep(&member->called, called);
    const struct buffer *key = recovery_key(faults, source, called);
    (void)map_put(&faults->members_by_name, buffer_bytes(key), key->size, member);
    return member;
}

static void recovery_come(struct faults *faults, size_t source, struct term pid, struct term called)
{
    struct recovery *whole = &faults->recoveries[source];
    struct recovery_member *member = called.data ? recovery_take_name(faults, source, called) : NULL;
    if (!member) {
        member = recovery_new_member(faults);
        whole->there++;
    }
    member->source = source;
    member->is_there = true;
    member->answered_ns = member->owes_ns = 0;
    term_keep(&member->pid, pid);
    const struct buffer *key = recovery_key(faults, source, pid);
    (void)map_put(&faults->members_by_pid, buffer_bytes(key), key->size, member);
    if (whole->waiting.count)
        recovery_owe(faults, faults->options.scenario->target_count + member->index, faults_now(faults));
}

/* Who is called something only now, as nobody could be asked before, is another one. */
static void recovery_give(struct faults *faults, size_t source, struct term pid, struct term called)
{
    struct recovery_member *member = recovery_find_member(faults, &faults->members_by_pid, source, pid);
    if (member && called.data && !member->called.size) {
        recovery_leave(faults, member);
        member = NULL;
    }
    if (!member)
        recovery_come(faults, source, pid, called);
}

void faults_keep_members(struct faults *faults, size_t source, struct term pids)
{
    struct term_list list;
    struct term pid;
    faults->members_told++;
    for (bool more = term_list_start(&list, pids); more && (more = term_list_next(&list, &pid));) {
        struct recovery_member *member = recovery_find_member(faults, &faults->members_by_pid, source, pid);
        if (member)
            member->given_at = faults->members_told;
    }
    for (size_t i = 0; i < faults->member_count; i++) {
        struct recovery_member *member = faults->members[i];
        if (member->source == source && member->is_there && member->given_at != faults->members_told)
            recovery_leave(faults, member);
    }
}

void faults_set_members(struct faults *faults, size_t target, struct term pids, struct term names)
{
    struct recovery *whole = &faults->recoveries[target];
    struct term_list pid_list, name_list;
    struct term pid, called;
    bool has_names = term_list_start(&name_list, names);
    for (bool more = term_list_start(&pid_list, pids); more && (more = term_list_next(&pid_list, &pid));) {
        has_names = has_names && term_list_next(&name_list, &called);
        if (term_type(pid) == TERM_PID)
            recovery_give(faults, target, pid,
                          has_names && !term_is_atom(called, "") ? called : (struct term){0});
    }
    if (whole->there < whole->wanted)
        recovery_wait_for(whole);
}

/* --- Whom a fault touches --- */

static void recovery_watch_member(struct faults *faults, struct injection *injection, size_t number,
                                  size_t part)
{
    size_t target = recovery_number(faults, number);
    struct recovery_watch *watch = recovery_find(injection, target);
    if (!watch)
        watch = recovery_add(faults, injection, target, part);
    if (!watch || target == number)
        return;
    watch->victims = memory_resize(watch->victims, watch->victim_count + 1, sizeof(*watch->victims));
    watch->victims[watch->victim_count++] = (struct recovery_victim){.target = number, .part = part};
}

void recovery_watch_members(struct faults *faults, struct injection *injection, size_t part,
                            const struct candidate *candidates, size_t count, const char *node)
{
    const struct scenario *scenario = faults->options.scenario;
    for (size_t source = 0; scenario->has_several_targets && source < scenario->target_count; source++) {
        if (!target_is_several(scenario->targets[source].kind))
            continue;
        for (size_t i = 0; i < count; i++) {
            size_t number = faults_member(faults, source, candidates[i].pid);
            if (number != source && recovery_is_pid_of(candidates[i].pid, node))
                recovery_watch_member(faults, injection, number, part);
        }
    }
}

void recovery_watch_members_of_node(struct faults *faults, struct injection *injection, size_t part,
                                    const char *node)
{
    size_t first = faults->options.scenario->target_count;
    for (size_t i = 0; i < faults->member_count; i++)
        if (faults->members[i]->is_there && recovery_is_pid_of(term_of(&faults->members[i]->pid), node))
            recovery_watch_member(faults, injection, first + i, part);
}

void recovery_touch_victims(struct faults *faults, struct recovery_watch *watch, size_t part,
                            uint64_t from_ns)
{
    size_t kept = 0;
    for (size_t i = 0; i < watch->victim_count; i++) {
        if (watch->victims[i].part == part)
            recovery_owe(faults, watch->victims[i].target, from_ns);
        else
            watch->victims[kept++] = watch->victims[i];
    }
    watch->victim_count = kept;
    if (!kept) {
        free(watch->victims);
        watch->victims = NULL;
    }
}
