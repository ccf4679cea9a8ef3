#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "run_private.h"
#include "term/term_read.h"
#include "term/term_text.h"

/* When a finder that was lost is started again: after 1, 2, 4, up to 100 ms, and each second when its node
 * has been away for ten. */
#define FINDERS_FIRST_NS CLOCK_NS_PER_MS
#define FINDERS_MOST_NS (100 * CLOCK_NS_PER_MS)
#define FINDERS_HURRY_NS (10 * CLOCK_NS_PER_S)

/* When a finder has found more, they are told to one part of the run after the other, each in a pass of its
 * own. */
#define FINDERS_AT_ONCE 500

/* {harnessd, RunId, finder} */
static void finders_build_key(const struct run *run, struct term_builder *builder)
{
    term_build_tuple(builder, 3);
    term_build_atom(builder, "harnessd");
    term_build_unsigned(builder, run->id);
    term_build_atom(builder, "finder");
}

static void finders_answered(struct finder *finder)
{
    struct run *run = finder->run;
    if (!finder->is_awaited)
        return;
    finder->is_awaited = false;
    run->finders.awaited--;
    run_observed(run);
}

/* Names are wanted for what faults do. */
static bool finders_names(const struct run *run)
{
    return run->scenario->action_count > 0;
}

/* --- Whom they have found --- */

static void finders_keep_of_faults(struct run *run, size_t target, struct term pids, struct term names)
{
    (void)names;
    if (finders_names(run))
        faults_keep_members(run->faults, target, pids);
}

static void finders_set_of_faults(struct run *run, size_t target, struct term pids, struct term names)
{
    if (finders_names(run))
        faults_set_members(run->faults, target, pids, names);
}

static void finders_set_of_load(struct run *run, size_t target, struct term pids, struct term names)
{
    (void)names;
    targets_set_members(run->targets, target, pids);
}

static void finders_set_of_tail(struct run *run, size_t target, struct term pids, struct term names)
{
    (void)names;
    run_tail_set_members(run, target, pids);
}

static void finders_set_of_probes(struct run *run, size_t target, struct term pids, struct term names)
{
    (void)names;
    probes_set_members(run, target, pids);
}

/* Faults first: the load asks them who its members are. */
static void (*const finders_stages[])(struct run *, size_t, struct term, struct term) = {
    finders_keep_of_faults, finders_set_of_faults, finders_set_of_load, finders_set_of_tail,
    finders_set_of_probes};

static bool finders_set_next(struct finder *finder)
{
    struct term found[3];
    if (term_read_tuple_of(term_of(&finder->found), 3, found))
        finders_stages[finder->stage++](finder->run, finder->target, found[1], found[2]);
    if (finder->stage < ARRAY_LENGTH(finders_stages))
        return true;
    buffer_free(&finder->found);
    finders_answered(finder);
    return false;
}

static void finders_set_on(void *owner)
{
    struct finder *finder = owner;
    if (finders_set_next(finder))
        loop_defer_turn(run_loop(finder->run), &finder->set);
}

/* Those that it has found before, and that not all know of yet, are no more. */
static void finders_set_members(struct finder *finder, struct term found, struct term pids)
{
    struct term_list list;
    bool is_begun = finder->found.size > 0;
    term_keep(&finder->found, found);
    finder->stage = 0;
    if (is_begun)
        return;
    if (term_list_start(&list, pids) && list.count > FINDERS_AT_ONCE)
        loop_defer_turn(run_loop(finder->run), &finder->set);
    else
        while (finders_set_next(finder))
            ;
}

/* --- Their processes --- */

static void finders_wait(struct finder *finder)
{
    uint64_t now = clock_ns();
    if (!finder->lost_ns) {
        finder->lost_ns = now;
        finder->rest_ns = FINDERS_FIRST_NS;
    }
    loop_timer_set(&finder->retry, finder->rest_ns);
    finder->rest_ns = now - finder->lost_ns > FINDERS_HURRY_NS ? CLOCK_NS_PER_S
                      : finder->rest_ns * 2 < FINDERS_MOST_NS  ? finder->rest_ns * 2
                                                               : FINDERS_MOST_NS;
}

static void finders_on_down(void *owner, const struct term_long *reason)
{
    (void)reason;
    struct finder *finder = owner;
    finders_wait(finder);
    finders_answered(finder);
}

/* {children, Supervisor} | {pg, Scope, Group} | {find, Hook} */
static void finders_build_what(const struct target_spec *spec, struct term_builder *builder)
{
    term_build_tuple(builder, spec->kind == TARGET_PG ? 3 : 2);
    term_build_atom(builder, spec->kind == TARGET_PG     ? "pg"
                             : spec->kind == TARGET_FIND ? "find"
                                                         : "children");
    if (spec->kind == TARGET_PG)
        term_build_atom(builder, spec->module);
    term_build_term(builder, spec->name);
}

static bool finders_start_one(struct finder *finder)
{
    struct run *run = finder->run;
    const struct target_spec *spec = &run->scenario->targets[finder->target];
    struct term_builder bindings = {0};
    term_build_list(&bindings, 6);
    script_build_binding(&bindings, "Daemon");
    term_build_term(&bindings, process_pid(run->process));
    script_build_binding(&bindings, "Key");
    finders_build_key(run, &bindings);
    script_build_binding(&bindings, "Naming");
    term_build_boolean(&bindings, finders_names(run));
    script_build_binding(&bindings, "Number");
    term_build_unsigned(&bindings, finder->target);
    script_build_binding(&bindings, "Timeout");
    term_build_unsigned(&bindings, run->scenario->hook_timeout_ms);
    script_build_binding(&bindings, "What");
    finders_build_what(spec, &bindings);
    term_build_nil(&bindings);
    struct script_request request = {.name = SCRIPT_MEMBERS,
                                     .node = spec->node,
                                     .process = run->process,
                                     .bindings = term_built(&bindings),
                                     .group_leader = term_built(&run->group_leader),
                                     .down = finders_on_down,
                                     .owner = finder};
    bool started = script_start(runner_scripts(run->runner), &finder->script, &request);
    term_build_free(&bindings);
    return started;
}

static void finders_retry(void *owner)
{
    (void)finders_start_one(owner);
}

void finders_start(struct run *run)
{
    const struct scenario *scenario = run->scenario;
    if (!scenario->has_several_targets)
        return;
    run->finders.items = memory_zalloc(scenario->target_count, sizeof(*run->finders.items));
    for (size_t i = 0; i < scenario->target_count; i++) {
        struct finder *finder = &run->finders.items[run->finders.count];
        if (!target_is_several(scenario->targets[i].kind))
            continue;
        run->finders.count++;
        *finder = (struct finder){.run = run, .target = i};
        finder->set = (struct loop_task){.run = finders_set_on, .owner = finder};
        loop_timer_init(&finder->retry, node_loop(process_node(run->process)), finders_retry, finder);
        finder->is_awaited = finders_start_one(finder);
        run->finders.awaited += finder->is_awaited;
    }
}

void finders_await_no_longer(struct run *run)
{
    for (size_t i = 0; i < run->finders.count; i++)
        run->finders.items[i].is_awaited = false;
    run->finders.awaited = 0;
}

/* It looks again and again, and what comes of that is told when it changes. */
static void finders_log_failure(struct finder *finder, struct term reason)
{
    char target[200], why[400];
    if (finder->failure.size && term_same(term_of(&finder->failure), reason))
        return;
    term_keep(&finder->failure, reason);
    log_warning("targets cannot be found", log_integer("run", (int64_t)finder->run->id),
                log_string("target", term_text(finder->run->scenario->targets[finder->target].server, target,
                                               sizeof(target))),
                log_string("reason", term_text(reason, why, sizeof(why))));
}

/* {Key, Target, {members, Pids, Names} | {failed, Reason}}, or {message_too_large, Limit} for either. */
bool finders_message(struct run *run, struct term message)
{
    struct term parts[3], told[3];
    size_t arity = 0;
    int64_t number;
    struct term_builder key = {0};
    finders_build_key(run, &key);
    bool ours = run->finders.count && term_read_tuple_of(message, 3, parts) &&
                term_same(parts[0], term_built(&key)) && term_read_integer(parts[1], &number) &&
                term_read_tuple(parts[2], 3, told, &arity) && arity >= 2;
    term_build_free(&key);
    for (size_t i = 0; ours && i < run->finders.count; i++) {
        struct finder *finder = &run->finders.items[i];
        if ((int64_t)finder->target != number)
            continue;
        finder->lost_ns = 0;
        if (arity == 3) {
            buffer_free(&finder->failure);
            finders_set_members(finder, parts[2], told[1]);
        } else {
            finders_log_failure(finder, term_is_atom(told[0], "failed") ? told[1] : parts[2]);
            finders_answered(finder);
        }
    }
    return ours;
}

void finders_target_failed(struct run *run, size_t target, enum target_failure failure)
{
    struct term_builder again = {0};
    if (!run->finders.count || failure != TARGET_NODEDOWN)
        return;
    term_build_tuple(&again, 2);
    finders_build_key(run, &again);
    term_build_atom(&again, "again");
    for (size_t i = 0; i < run->finders.count; i++)
        if (run->finders.items[i].target == target)
            (void)script_send(&run->finders.items[i].script, term_built(&again));
    term_build_free(&again);
}

void finders_end(struct run *run)
{
    for (size_t i = 0; i < run->finders.count; i++) {
        script_kill(&run->finders.items[i].script);
        loop_timer_free(&run->finders.items[i].retry);
        loop_cancel(run_loop(run), &run->finders.items[i].set);
        buffer_free(&run->finders.items[i].found);
        buffer_free(&run->finders.items[i].failure);
    }
    finders_await_no_longer(run);
    run->finders.count = 0;
    free(run->finders.items);
    run->finders.items = NULL;
}
