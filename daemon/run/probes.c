#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run_private.h"
#include "term/term_read.h"

/* How often a probe tells what it has seen, for the timeline. */
#define REPORT_MS 100

/* Of the targets of a load whose mailboxes nobody asked for, so many are watched for the timeline. */
#define WATCHED_TARGETS 16

/* And of a target that gives several so many members, or so many where somebody has asked for them. */
#define MEMBERS_MOST 1000

static uint64_t probes_interval_ms(const struct run *run)
{
    return run->scenario->mailbox_interval_ms ? run->scenario->mailbox_interval_ms : REPORT_MS;
}

static bool probes_are_asked_for(const struct run *run)
{
    const struct scenario *scenario = run->scenario;
    const struct expectations *of_whole_run = run->request.expectations;
    return scenario->mailbox_interval_ms || expectations_have(&scenario->expectations, EXPECT_MAILBOX) ||
           (of_whole_run && expectations_have(of_whole_run, EXPECT_MAILBOX));
}

static size_t probes_wanted(const struct run *run)
{
    const struct scenario *scenario = run->scenario;
    if (probes_are_asked_for(run))
        return scenario->target_count;
    if (scenario->load.model == LOAD_SCRIPTS)
        return 0;
    return scenario->target_count < WATCHED_TARGETS ? scenario->target_count : WATCHED_TARGETS;
}

/* A probe needs a process to look at on a known node: a pid, or a registered name. One behind a :global or
 * :via name is known once the target was reached. */
static bool probes_subject_of(const struct run *run, size_t index, struct term *subject, const char **node)
{
    const struct target_spec *spec = targets_spec(run->targets, index);
    struct term found = targets_found(run->targets, index);
    *subject = found.data ? found : (spec->kind == TARGET_PID ? spec->server : spec->name);
    *node = found.data ? targets_node(run->targets, index) : spec->node;
    return found.data || spec->kind == TARGET_PID || spec->kind == TARGET_NAME;
}

static void probes_answered(struct run *run)
{
    if (run->probes.awaited && --run->probes.awaited == 0)
        run_observed(run);
}

/* One that cannot look, or no longer, leaves its mailbox unobserved. */
static void probes_on_down(void *owner, const struct term_long *reason)
{
    (void)reason;
    struct mailbox *mailbox = owner;
    if (mailbox->awaited) {
        mailbox->awaited = false;
        probes_answered(mailbox->run);
    }
}

/* {harnessd, RunId, probe}: the probes of a run share one key, whatever session it has. */
static void probes_build_key(const struct run *run, struct term_builder *builder)
{
    term_build_tuple(builder, 3);
    term_build_atom(builder, "harnessd");
    term_build_unsigned(builder, run->id);
    term_build_atom(builder, "probe");
}

/* Whether one of the first targets, those that give several aside, is on a node. */
static bool probes_have_node(const struct run *run, size_t targets, const char *node)
{
    struct term subject;
    const char *other;
    for (size_t i = 0; i < targets; i++)
        if (probes_subject_of(run, i, &subject, &other) && strcmp(other, node) == 0)
            return true;
    return false;
}

/* One probe tells of each node, those of the targets beyond the watched ones of none. */
static bool probes_is_first_on_node(const struct run *run, size_t index, const char *node)
{
    return index < WATCHED_TARGETS && !probes_have_node(run, index, node);
}

/* Starts one that looks at subjects, the elements of a list, on a node. */
static bool probes_start_script(struct run *run, struct mailbox *mailbox, size_t number, const char *node,
                                struct term subjects, bool is_first)
{
    struct term_builder bindings = {0};
    term_build_list(&bindings, 7);
    script_build_binding(&bindings, "Daemon");
    term_build_term(&bindings, process_pid(run->process));
    script_build_binding(&bindings, "Interval");
    term_build_unsigned(&bindings, probes_interval_ms(run));
    script_build_binding(&bindings, "IsFirst");
    term_build_boolean(&bindings, is_first);
    script_build_binding(&bindings, "Key");
    probes_build_key(run, &bindings);
    script_build_binding(&bindings, "Number");
    term_build_unsigned(&bindings, number);
    script_build_binding(&bindings, "ReportEvery");
    term_build_unsigned(&bindings, (REPORT_MS - 1) / probes_interval_ms(run) + 1);
    script_build_binding(&bindings, "Subjects");
    term_build_term(&bindings, subjects);
    term_build_nil(&bindings);
    struct script_request request = {.name = SCRIPT_PROBE,
                                     .node = node,
                                     .process = run->process,
                                     .bindings = term_built(&bindings),
                                     .group_leader = term_built(&run->group_leader),
                                     .down = probes_on_down,
                                     .owner = mailbox};
    mailbox->awaited = script_start(runner_scripts(run->runner), &mailbox->probe, &request);
    term_build_free(&bindings);
    return mailbox->awaited;
}

static bool probes_start_one(struct run *run, size_t index)
{
    struct term_builder subjects = {0};
    struct term subject;
    const char *node;
    if (!probes_subject_of(run, index, &subject, &node))
        return false;
    term_build_list(&subjects, 1);
    term_build_term(&subjects, subject);
    term_build_nil(&subjects);
    bool started = probes_start_script(run, &run->probes.mailboxes[index], index, node, term_built(&subjects),
                                       probes_is_first_on_node(run, index, node));
    term_build_free(&subjects);
    return started;
}

static bool probes_is_several(const struct run *run, size_t index)
{
    return target_is_several(targets_spec(run->targets, index)->kind);
}

bool probes_start(struct run *run)
{
    size_t count = probes_wanted(run);
    struct term subject;
    const char *node;
    if (!count)
        return false;
    run->probes.mailboxes = memory_zalloc(count, sizeof(*run->probes.mailboxes));
    run->probes.count = count;
    for (size_t i = 0; i < count; i++) {
        struct mailbox *mailbox = &run->probes.mailboxes[i];
        mailbox->run = run;
        if (probes_is_several(run, i)) /* its members are yet to be found */
            continue;
        mailbox->awaited = !probes_subject_of(run, i, &subject, &node) || probes_start_one(run, i);
        run->probes.awaited += mailbox->awaited;
    }
    for (size_t i = 0; i < count; i++)
        if (!probes_is_several(run, i) && !probes_subject_of(run, i, &subject, &node))
            targets_reach(run->targets, i);
    return run->probes.awaited > 0;
}

static bool probes_waits_for_target(const struct run *run, size_t index)
{
    return index < run->probes.count && run->probes.mailboxes[index].awaited &&
           !script_is_active(&run->probes.mailboxes[index].probe);
}

void probes_target_ready(struct run *run, size_t index)
{
    if (probes_waits_for_target(run, index) && !probes_start_one(run, index))
        probes_target_failed(run, index);
}

void probes_target_failed(struct run *run, size_t index)
{
    if (!probes_waits_for_target(run, index))
        return;
    run->probes.mailboxes[index].awaited = false;
    probes_answered(run);
}

/* --- Those of targets that give several --- */

static bool probes_is_on(struct term pid, const char *node)
{
    struct term owner;
    return term_type(pid) == TERM_PID && term_read_node(pid, &owner) && term_is_atom(owner, node);
}

/* Those of the pids that are on a node, of very many the first; how many these are. */
static size_t probes_build_members(const struct run *run, struct term pids, const char *node,
                                   struct term_builder *builder)
{
    size_t count = 0, most = probes_are_asked_for(run) ? MEMBERS_MOST : WATCHED_TARGETS;
    struct term_builder members = {0};
    struct term_list list;
    struct term pid;
    for (bool more = term_list_start(&list, pids); more && count < most && term_list_next(&list, &pid);) {
        if (!probes_is_on(pid, node))
            continue;
        term_build_term(&members, pid);
        count++;
    }
    term_build_list(builder, count);
    buffer_append(&builder->bytes, buffer_bytes(&members.bytes), members.bytes.size);
    if (count)
        term_build_nil(builder);
    term_build_free(&members);
    return count;
}

static bool probes_is_new_node(const struct run *run, const struct members_probe *probe)
{
    size_t watched = run->probes.count < WATCHED_TARGETS ? run->probes.count : WATCHED_TARGETS;
    bool is_new = probe->target < watched && !probes_have_node(run, watched, probe->node);
    for (size_t i = 0; is_new && run->probes.of_members[i] != probe; i++)
        is_new = strcmp(run->probes.of_members[i]->node, probe->node) != 0;
    return is_new;
}

static struct members_probe *probes_of_members(struct run *run, size_t target, const char *node)
{
    struct run_probes *probes = &run->probes;
    for (size_t i = 0; i < probes->of_members_count; i++)
        if (probes->of_members[i]->target == target && strcmp(probes->of_members[i]->node, node) == 0)
            return probes->of_members[i];
    struct members_probe *probe = memory_zalloc(1, sizeof(*probe));
    probes->of_members =
        memory_resize(probes->of_members, probes->of_members_count + 1, sizeof(*probes->of_members));
    probes->of_members[probes->of_members_count++] = probe;
    probe->mailbox.run = run;
    probe->target = target;
    snprintf(probe->node, sizeof(probe->node), "%s", node);
    return probe;
}

static void probes_make_of_members(struct run *run, size_t target, struct term pids)
{
    struct term_list list;
    struct term pid, owner;
    char node[TERM_ATOM_BYTES + 1];
    for (bool more = term_list_start(&list, pids); more && term_list_next(&list, &pid);)
        if (term_type(pid) == TERM_PID && term_read_node(pid, &owner) && term_read_atom(owner, node) &&
            node_name_is_valid(node, strlen(node)))
            (void)probes_of_members(run, target, node);
}

/* Its first values are awaited before the load, as those of the others. */
static void probes_start_of_members(struct run *run, size_t index, struct term members)
{
    struct members_probe *probe = run->probes.of_members[index];
    bool started = probes_start_script(run, &probe->mailbox, run->probes.count + index, probe->node, members,
                                       probes_is_new_node(run, probe));
    probe->mailbox.awaited = started && run->state == RUN_OBSERVING;
    run->probes.awaited += probe->mailbox.awaited;
}

/* {Key, {watch, Pids}} */
static void probes_send_members(struct run *run, struct members_probe *probe, struct term members)
{
    struct term_builder watch = {0};
    term_build_tuple(&watch, 2);
    probes_build_key(run, &watch);
    term_build_tuple(&watch, 2);
    term_build_atom(&watch, "watch");
    term_build_term(&watch, members);
    (void)script_send(&probe->mailbox.probe, term_built(&watch));
    term_build_free(&watch);
}

void probes_set_members(struct run *run, size_t target, struct term pids)
{
    if (target >= run->probes.count || run->probes.is_over)
        return;
    probes_make_of_members(run, target, pids);
    for (size_t i = 0; i < run->probes.of_members_count; i++) {
        struct members_probe *probe = run->probes.of_members[i];
        struct term_builder members = {0};
        if (probe->target != target)
            continue;
        size_t count = probes_build_members(run, pids, probe->node, &members);
        if (script_is_active(&probe->mailbox.probe))
            probes_send_members(run, probe, term_built(&members));
        else if (count)
            probes_start_of_members(run, i, term_built(&members));
        term_build_free(&members);
    }
}

/* The longest of the members on one node, as one of those on all. */
static void probes_merge(const struct mailbox *mailbox, struct mailbox *all)
{
    if (!all->observed || mailbox->initial > all->initial)
        all->initial = mailbox->initial;
    if (!all->observed || mailbox->final > all->final)
        all->final = mailbox->final;
    if (!all->observed || mailbox->most > all->most)
        all->most = mailbox->most;
    if (!all->observed || mailbox->average > all->average)
        all->average = mailbox->average;
    all->observed = true;
}

/* --- What they tell --- */

static struct mailbox *probes_mailbox(const struct run *run, size_t number)
{
    const struct run_probes *probes = &run->probes;
    return number < probes->count ? &probes->mailboxes[number]
                                  : &probes->of_members[number - probes->count]->mailbox;
}

static size_t probes_count_all(const struct run *run)
{
    return run->probes.count + run->probes.of_members_count;
}

bool probes_stop(struct run *run)
{
    struct term_builder stop = {0};
    term_build_tuple(&stop, 2);
    probes_build_key(run, &stop);
    term_build_atom(&stop, "stop");
    run->probes.is_over = true;
    for (size_t i = 0; i < probes_count_all(run); i++) {
        struct mailbox *mailbox = probes_mailbox(run, i);
        mailbox->awaited = script_send(&mailbox->probe, term_built(&stop));
        run->probes.awaited += mailbox->awaited;
    }
    term_build_free(&stop);
    return run->probes.awaited > 0;
}

/* {Initial, Final, Most, Average} */
static bool probes_read_sizes(struct term term, struct mailbox *mailbox)
{
    struct term parts[4];
    return term_read_tuple_of(term, 4, parts) && term_read_integer(parts[0], &mailbox->initial) &&
           term_read_integer(parts[1], &mailbox->final) && term_read_integer(parts[2], &mailbox->most) &&
           term_read_number(parts[3], &mailbox->average);
}

/* {seen, MostSinceTheLastTime, {MemoryOfTheNode, RunQueue} | none} */
static bool probes_take_seen(struct run *run, struct term term)
{
    struct term parts[3], of_node[2];
    int64_t mailbox, memory_bytes, run_queue;
    if (!term_read_tuple_of(term, 3, parts) || !term_read_integer(parts[1], &mailbox))
        return false;
    bool has_node = term_read_tuple_of(parts[2], 2, of_node);
    if (has_node &&
        (!term_read_integer(of_node[0], &memory_bytes) || !term_read_integer(of_node[1], &run_queue)))
        return false;
    engine_gauge(run->engine, TIMELINE_MAILBOX, mailbox);
    if (has_node) {
        engine_gauge(run->engine, TIMELINE_MEMORY_BYTES, memory_bytes);
        engine_gauge(run->engine, TIMELINE_RUN_QUEUE, run_queue);
    }
    if (mailbox > run->probes.most)
        run->probes.most = mailbox;
    return true;
}

/* {Key, Number, started} | {Key, Number, {seen, ...}} | {Key, Number, {returned, Sizes}} */
bool probes_message(struct run *run, struct term message)
{
    struct term parts[3], returned[2];
    int64_t number;
    struct term_builder key = {0};
    probes_build_key(run, &key);
    bool ours = run->probes.mailboxes && term_read_tuple_of(message, 3, parts) &&
                term_same(parts[0], term_built(&key)) && term_read_integer(parts[1], &number) &&
                number >= 0 && (uint64_t)number < probes_count_all(run);
    term_build_free(&key);
    if (!ours)
        return false;
    struct mailbox *mailbox = probes_mailbox(run, (size_t)number);
    if (probes_take_seen(run, parts[2]) || !mailbox->awaited)
        return true;
    mailbox->awaited = false;
    if (term_read_tuple_of(parts[2], 2, returned))
        mailbox->observed = probes_read_sizes(returned[1], mailbox);
    if (mailbox->observed && (size_t)number >= run->probes.count)
        probes_merge(mailbox,
                     probes_mailbox(run, run->probes.of_members[(size_t)number - run->probes.count]->target));
    probes_answered(run);
    return true;
}

void probes_await_no_longer(struct run *run)
{
    for (size_t i = 0; i < probes_count_all(run); i++)
        probes_mailbox(run, i)->awaited = false;
    run->probes.awaited = 0;
}

void probes_end(struct run *run)
{
    run->probes.is_over = true;
    for (size_t i = 0; i < probes_count_all(run); i++)
        script_kill(&probes_mailbox(run, i)->probe);
    probes_await_no_longer(run);
}

void probes_free(struct run *run)
{
    for (size_t i = 0; i < run->probes.of_members_count; i++)
        free(run->probes.of_members[i]);
    free(run->probes.of_members);
    free(run->probes.mailboxes);
}
