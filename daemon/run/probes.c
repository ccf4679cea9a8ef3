#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run_private.h"
#include "term/term_read.h"

/* How often a probe tells what it has seen, for the timeline. */
#define REPORT_MS 100

/* Of the targets of a load whose mailboxes nobody asked for, so many are watched for the timeline. */
#define WATCHED_TARGETS 16

static uint64_t probes_interval_ms(const struct run *run)
{
    return run->scenario->mailbox_interval_ms ? run->scenario->mailbox_interval_ms : REPORT_MS;
}

static size_t probes_wanted(const struct run *run)
{
    const struct scenario *scenario = run->scenario;
    const struct expectations *of_whole_run = run->request.expectations;
    if (scenario->mailbox_interval_ms || expectations_have(&scenario->expectations, EXPECT_MAILBOX) ||
        (of_whole_run && expectations_have(of_whole_run, EXPECT_MAILBOX)))
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
static void probes_on_down(void *owner, struct term reason)
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

/* One probe tells of each node, those of the targets beyond the watched ones of none. */
static bool probes_is_first_on_node(const struct run *run, size_t index, const char *node)
{
    struct term subject;
    const char *other;
    if (index >= WATCHED_TARGETS)
        return false;
    for (size_t i = 0; i < index; i++)
        if (probes_subject_of(run, i, &subject, &other) && strcmp(other, node) == 0)
            return false;
    return true;
}

static bool probes_start_one(struct run *run, size_t index)
{
    struct mailbox *mailbox = &run->probes.mailboxes[index];
    struct term subject;
    const char *node;
    if (!probes_subject_of(run, index, &subject, &node))
        return false;
    struct term_builder bindings = {0};
    term_build_list(&bindings, 7);
    script_build_binding(&bindings, "Daemon");
    term_build_term(&bindings, process_pid(run->process));
    script_build_binding(&bindings, "Interval");
    term_build_unsigned(&bindings, probes_interval_ms(run));
    script_build_binding(&bindings, "IsFirst");
    term_build_atom(&bindings, probes_is_first_on_node(run, index, node) ? "true" : "false");
    script_build_binding(&bindings, "Key");
    probes_build_key(run, &bindings);
    script_build_binding(&bindings, "Number");
    term_build_unsigned(&bindings, index);
    script_build_binding(&bindings, "ReportEvery");
    term_build_unsigned(&bindings, (REPORT_MS - 1) / probes_interval_ms(run) + 1);
    script_build_binding(&bindings, "Subject");
    term_build_term(&bindings, subject);
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
        mailbox->awaited = !probes_subject_of(run, i, &subject, &node) || probes_start_one(run, i);
        run->probes.awaited += mailbox->awaited;
    }
    for (size_t i = 0; i < count; i++)
        if (!probes_subject_of(run, i, &subject, &node))
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

bool probes_stop(struct run *run)
{
    struct term_builder stop = {0};
    term_build_tuple(&stop, 2);
    probes_build_key(run, &stop);
    term_build_atom(&stop, "stop");
    for (size_t i = 0; i < run->probes.count; i++) {
        struct mailbox *mailbox = &run->probes.mailboxes[i];
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
                number >= 0 && (uint64_t)number < run->probes.count;
    term_build_free(&key);
    if (!ours)
        return false;
    struct mailbox *mailbox = &run->probes.mailboxes[number];
    if (probes_take_seen(run, parts[2]) || !mailbox->awaited)
        return true;
    mailbox->awaited = false;
    if (term_read_tuple_of(parts[2], 2, returned))
        mailbox->observed = probes_read_sizes(returned[1], mailbox);
    probes_answered(run);
    return true;
}

void probes_await_no_longer(struct run *run)
{
    for (size_t i = 0; i < run->probes.count; i++)
        run->probes.mailboxes[i].awaited = false;
    run->probes.awaited = 0;
}

void probes_end(struct run *run)
{
    for (size_t i = 0; i < run->probes.count; i++)
        script_kill(&run->probes.mailboxes[i].probe);
    probes_await_no_longer(run);
}
