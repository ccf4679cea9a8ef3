/* The faults as a part of a run: what they are made with, and what they tell it. */
#include <assert.h>

#include "run_private.h"
#include "term/term_read.h"

static void run_faults_wake(void *owner, uint64_t when_ns)
{
    struct run *run = owner;
    uint64_t now = clock_ns();
    loop_timer_set(&run->faults_timer, when_ns > now ? when_ns - now : 0);
}

static void run_faults_fired(void *owner)
{
    struct run *run = owner;
    faults_work(run->faults);
}

static void run_faults_planned(void *owner)
{
    run_event(owner, RUN_EVENT_PLANNED, RUN_NO_DETAIL);
}

/* With the run's id beside what it says. */
static void run_faults_refused(void *owner, struct term what)
{
    struct run *run = owner;
    struct term_builder detail = {0};
    struct term_pairs pairs;
    struct term key, value;
    bool is_map = term_pairs_start(&pairs, what);
    assert(is_map);
    term_build_map(&detail, 1 + pairs.count);
    term_build_key_unsigned(&detail, "run_id", run->id);
    while (term_pairs_next(&pairs, &key, &value)) {
        term_build_term(&detail, key);
        term_build_term(&detail, value);
    }
    run->verdict.refused |= run_state_group(run->state) == RUN_BEFORE;
    run_fail(run, REASON_NOT_ALLOWED, TERM_LONG(term_built(&detail)));
    term_build_free(&detail);
}

static void run_faults_over(void *owner, struct term result, struct term failure)
{
    run_chaos_over(owner, TERM_LONG(result), failure.data ? TERM_LONG(failure) : NULL);
}

static void run_faults_healed(void *owner)
{
    run_event(owner, RUN_EVENT_HEALED, RUN_NO_DETAIL);
}

/* Until the chaos is no longer awaited, and the run judged. */
static void run_faults_mark(void *owner, uint64_t now_ns, struct term mark)
{
    struct run *run = owner;
    if (!run->chaos.waited_ns)
        engine_mark(run->engine, now_ns, mark);
}

static void run_faults_injected(void *owner, const struct fault_kind *kind)
{
    counters_add_fault(run_counters(owner), fault_kind_number(kind));
}

/* --- The audit --- */

static uint64_t run_faults_number_of(struct term injection)
{
    struct term value;
    int64_t number = 0;
    bool found = term_pairs_get(injection, "number", &value) && term_read_integer(value, &number);
    assert(found);
    return (uint64_t)number;
}

static struct term run_faults_value_of(struct term injection, const char *key)
{
    struct term value = {0};
    bool found = term_pairs_get(injection, key, &value);
    assert(found);
    return term_is_nil(value) || term_is_atom(value, "nil") ? (struct term){0} : value;
}

/* By the run's own pid nobody has asked for anything: what asks without a process is the daemon itself. */
static void run_faults_audit(struct run *run, enum audit_event event, const struct injection *injection)
{
    struct audit *audit = runner_audit(run->runner);
    struct term_builder builder = {0};
    if (!audit)
        return;
    faults_build_injection(run->faults, injection, &builder);
    const struct term what = term_built(&builder);
    const bool has_ended = event == AUDIT_FAULT_ENDED;
    audit_tell(audit, event, audit_text(AUDIT_NODE, run->request.requester.data ? run->requester : NULL),
               audit_term(AUDIT_PROCESS, run->request.requester), audit_number(AUDIT_RUN_ID, run->id),
               audit_number(AUDIT_NUMBER, run_faults_number_of(what)),
               audit_term(AUDIT_KIND, run_faults_value_of(what, "kind")),
               audit_term(AUDIT_ACTION, run_faults_value_of(what, "action")),
               audit_term(AUDIT_TARGET, run_faults_value_of(what, "target")),
               audit_term(AUDIT_OUTCOME, has_ended ? run_faults_value_of(what, "outcome") : (struct term){0}),
               audit_term(AUDIT_UNDONE, has_ended ? run_faults_value_of(what, "undone") : (struct term){0}));
    term_build_free(&builder);
}

static void run_faults_begun(void *owner, const struct injection *injection)
{
    run_faults_audit(owner, AUDIT_FAULT, injection);
}

static void run_faults_ended(void *owner, const struct injection *injection)
{
    run_faults_audit(owner, AUDIT_FAULT_ENDED, injection);
}

static struct term run_faults_found(void *owner, size_t target)
{
    const struct run *run = owner;
    return targets_found(run->targets, target);
}

static const struct faults_events run_faults_events = {.wake = run_faults_wake,
                                                       .planned = run_faults_planned,
                                                       .refused = run_faults_refused,
                                                       .over = run_faults_over,
                                                       .healed = run_faults_healed,
                                                       .mark = run_faults_mark,
                                                       .injected = run_faults_injected,
                                                       .begun = run_faults_begun,
                                                       .ended = run_faults_ended,
                                                       .found = run_faults_found};

void run_faults_init(struct run *run)
{
    run->agents = (struct agent_scripts){.scripts = runner_scripts(run->runner),
                                         .process = run->process,
                                         .group_leader = term_built(&run->group_leader)};
    struct faults_options options = {.scenario = run->scenario,
                                     .subject = &run->subject_spec,
                                     .run_id = run->id,
                                     .seed = run->seed,
                                     .requester = run->requester,
                                     .radius = runner_blast_radius(run->runner),
                                     .clock = &clock_machine,
                                     .way = &agent_scripts_way,
                                     .way_owner = &run->agents,
                                     .events = &run_faults_events,
                                     .owner = run};
    run->faults = faults_new(&options);
    loop_timer_init(&run->faults_timer, node_loop(process_node(run->process)), run_faults_fired, run);
}

void run_faults_judge(struct run *run)
{
    struct term_builder misses = {0};
    if (!run->chaos.failure.size && faults_missed(run->faults, &misses))
        term_kept_set(&run->chaos.failure, TERM_LONG(term_built(&misses)));
    term_build_free(&misses);
}

/* {chaos_failed, {not_undone, Healed}}: what the run has broken, or nobody can say that it has not. */
static void run_faults_judge_healed(struct run *run)
{
    struct term_builder healed = {0}, detail = {0};
    faults_build_healed(run->faults, &healed);
    if (term_type(term_built(&healed)) == TERM_LIST) {
        term_build_tuple(&detail, 2);
        term_build_atom(&detail, "not_undone");
        term_build_term(&detail, term_built(&healed));
        run_fail(run, REASON_CHAOS_FAILED, TERM_LONG(term_built(&detail)));
    }
    term_build_free(&detail);
    term_build_free(&healed);
}

void run_faults_judge_undone(struct run *run)
{
    struct term_builder misses = {0};
    if (!run->verdict.failure.size && faults_missed(run->faults, &misses))
        run_fail(run, REASON_CHAOS_FAILED, TERM_LONG(term_built(&misses)));
    else if (!run->verdict.failure.size)
        run_faults_judge_healed(run);
    term_build_free(&misses);
}

void run_faults_free(struct run *run)
{
    if (!run->faults)
        return;
    loop_timer_free(&run->faults_timer);
    faults_free(run->faults);
}
