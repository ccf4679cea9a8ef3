/* Why operations are slow, as a part of a run: what it is made with, what it tells, and what of it is
 * reported. */
#include "run_private.h"

/* --- What it has to know --- */

static size_t run_explain_late(void *owner, uint64_t before_ns, struct slow_operation *late, size_t most)
{
    return engine_late(((struct run *)owner)->engine, before_ns, late, most);
}

static void run_explain_watch_slow(void *owner, uint64_t least_us)
{
    engine_watch_slow(((struct run *)owner)->engine, least_us);
}

static size_t run_explain_kind(void *owner, uint32_t operation)
{
    return engine_kind(((struct run *)owner)->engine, operation);
}

static struct usual_time run_explain_usual(void *owner, size_t kind)
{
    return engine_usual(((struct run *)owner)->engine, kind);
}

static uint32_t run_explain_in_flight(void *owner)
{
    return (uint32_t)engine_in_flight(((struct run *)owner)->engine);
}

static struct served run_explain_served(void *owner, uint32_t target)
{
    return engine_served(((struct run *)owner)->engine, target);
}

/* One behind a :global or :via name is known once it was reached. */
static bool run_explain_find(void *owner, uint32_t target, struct explain_process *process)
{
    const struct run *run = owner;
    const struct target_spec *spec = targets_spec(run->targets, target);
    struct term found = targets_found(run->targets, target);
    *process = (struct explain_process){.node = found.data ? targets_node(run->targets, target) : spec->node};
    if (found.data)
        process->pid = found;
    else if (spec->kind == TARGET_PID)
        process->pid = spec->server;
    else if (spec->kind == TARGET_NAME)
        process->name = spec->name;
    return process->pid.data || process->name.data;
}

static void run_explain_find_custom(void *owner, uint32_t thread, uint64_t step)
{
    session_find_worker(owner, thread, step);
}

static const char *run_explain_customs_node(void *owner)
{
    return ((struct run *)owner)->scenario->hooks_node;
}

static uint64_t run_explain_fault(void *owner, const struct cause_effect *effect)
{
    return faults_number_of(((struct run *)owner)->faults, effect);
}

/* --- What it tells --- */

static void run_explain_wake(void *owner, uint64_t when_ns)
{
    struct run *run = owner;
    uint64_t now = clock_ns();
    loop_timer_set(&run->explain.timer, when_ns > now ? when_ns - now : 0);
}

static void run_explain_fired(void *owner)
{
    explain_work(((struct run *)owner)->explain.explain);
}

static void run_explain_explained(void *owner, const struct slow_operation *slow,
                                  const struct cause_share *shares, size_t count)
{
    struct run *run = owner;
    for (size_t i = 0; i < count; i++) {
        engine_explain(run->engine, slow->ended_ns, &shares[i]);
        run_counters(run)->causes_us[shares[i].cause] += shares[i].us;
    }
}

static const struct explain_way run_explain_way = {.late = run_explain_late,
                                                   .watch_slow = run_explain_watch_slow,
                                                   .kind = run_explain_kind,
                                                   .usual = run_explain_usual,
                                                   .in_flight = run_explain_in_flight,
                                                   .served = run_explain_served,
                                                   .find = run_explain_find,
                                                   .find_custom = run_explain_find_custom,
                                                   .customs_node = run_explain_customs_node,
                                                   .fault = run_explain_fault,
                                                   .wake = run_explain_wake,
                                                   .explained = run_explain_explained};

static void run_explain_on_message(void *owner, struct process *process, const struct incoming *incoming)
{
    (void)process;
    probe_spawns_message(((struct run *)owner)->explain.spawns, incoming);
}

/* --- Its parts --- */

void run_explain_init(struct run *run)
{
    static const struct process_events events = {.message = run_explain_on_message};
    struct run_explain *own = &run->explain;
    if (!run->scenario->explain)
        return;
    own->process = process_spawn(runner_node(run->runner), &events, run);
    own->spawns = probe_spawns_new(own->process, term_built(&run->group_leader));
    loop_timer_init(&own->timer, run_loop(run), run_explain_fired, run);
    struct explain_options options = {.pid = process_pid(own->process),
                                      .clock = &clock_machine,
                                      .way = &run_explain_way,
                                      .owner = run,
                                      .probes = &probe_spawns_way,
                                      .probes_owner = own->spawns};
    own->explain = explain_new(&options);
    probe_spawns_set_explain(own->spawns, own->explain);
}

void run_explain_free(struct run *run)
{
    struct run_explain *own = &run->explain;
    if (!own->explain)
        return;
    explain_free(own->explain);
    probe_spawns_free(own->spawns);
    loop_timer_free(&own->timer);
    process_exit_atom(own->process, "normal");
    own->explain = NULL;
}

void run_explain_begin(struct run *run)
{
    if (!run->explain.explain)
        return;
    engine_look_for_causes(run->engine, explain_stacks(run->explain.explain));
    explain_begin(run->explain.explain, (uint32_t)targets_count(run->targets));
}

void run_explain_stop(struct run *run)
{
    if (run->explain.explain)
        explain_stop(run->explain.explain);
}

bool run_explain_settle(struct run *run)
{
    return run->explain.explain && explain_settle(run->explain.explain);
}

void run_explain_worker(struct run *run, int64_t thread, int64_t step, struct term pid)
{
    if (run->explain.explain && thread >= 0 && thread < UINT32_MAX && step >= 0)
        explain_found_custom(run->explain.explain, (uint32_t)thread, (uint64_t)step, pid);
}

/* --- The report --- */

/* As an event shows it: a message that is the scenario's own stays where it is, and may be long. */
static void run_explain_build_operation(struct run *run, const struct slow_operation *slow,
                                        struct term_builder *builder)
{
    const struct operation *operation = &run->scenario->operations[slow->operation];
    struct term_gaps *const gaps = builder->gaps;
    struct buffer message = {0};
    builder->gaps = operation->template ? NULL : gaps;
    operation_build(operation,
                    engine_message_at(run->engine, slow->operation, slow->thread, slow->step, &message),
                    builder);
    builder->gaps = gaps;
    buffer_free(&message);
}

static void run_explain_build_one(struct run *run, const struct explained *explained,
                                  struct term_builder *builder)
{
    const struct slow_operation *slow = &explained->slow;
    uint64_t started_ns = run_record(run)->started_ns;
    term_build_map(builder, 5);
    term_build_key_unsigned(builder, "at_ms",
                            slow->sent_ns > started_ns ? (slow->sent_ns - started_ns) / CLOCK_NS_PER_MS : 0);
    term_build_key(builder, "operation");
    run_explain_build_operation(run, slow, builder);
    term_build_key_unsigned(builder, "thread", slow->thread);
    term_build_key_unsigned(builder, "service_us", (slow->ended_ns - slow->sent_ns) / CLOCK_NS_PER_US);
    term_build_key(builder, "causes");
    term_build_list(builder, explained->share_count);
    for (size_t i = 0; i < explained->share_count; i++)
        cause_build(&explained->shares[i], explain_stacks(run->explain.explain), builder);
    if (explained->share_count)
        term_build_nil(builder);
}

void run_explain_build_slowest(struct run *run, struct term_builder *builder)
{
    const struct explained *explained;
    size_t count = 0;
    if (!run->explain.explain) {
        term_build_atom(builder, "nil");
        return;
    }
    while (explain_slowest(run->explain.explain, count))
        count++;
    term_build_list(builder, count);
    for (size_t i = 0; (explained = explain_slowest(run->explain.explain, i)); i++)
        run_explain_build_one(run, explained, builder);
    if (count)
        term_build_nil(builder);
}

/* Of all above the median, or of what slow operations have taken together where that is more. What is left of
 * it, whether anybody has looked or not, is unknown. */
static double run_explain_share(const struct explain_totals *totals, enum cause cause, uint64_t above_us)
{
    uint64_t known_us = 0;
    for (enum cause i = 0; i < CAUSE_UNKNOWN; i++)
        known_us += totals->causes[i].us;
    const uint64_t told_us = known_us + totals->causes[CAUSE_UNKNOWN].us;
    const uint64_t all_us = above_us > told_us ? above_us : told_us;
    if (!all_us)
        return 0;
    return (double)(cause == CAUSE_UNKNOWN ? all_us - known_us : totals->causes[cause].us) / (double)all_us;
}

static void run_explain_build_cause(const struct run *run, enum cause cause, uint64_t above_us,
                                    struct term_builder *builder)
{
    const struct explain_totals *totals = explain_totals(run->explain.explain);
    const struct explain_sum *sum = &totals->causes[cause];
    term_build_map(builder, 6);
    term_build_key(builder, "cause");
    term_build_atom(builder, cause_name(cause));
    term_build_key_unsigned(builder, "operations", sum->operations);
    term_build_key_unsigned(builder, "us", sum->us);
    term_build_key(builder, "share");
    term_build_float(builder, run_explain_share(totals, cause, above_us));
    term_build_key_unsigned(builder, "worst_us", sum->worst_us);
    term_build_key(builder, "detail");
    cause_build_detail(&sum->detail, explain_stacks(run->explain.explain), builder);
}

/* Those that there were, that with the greatest share first; CAUSE_COUNT: no more. */
static enum cause run_explain_next(const struct explain_totals *totals, uint64_t above_us, unsigned told)
{
    enum cause next = CAUSE_COUNT;
    double share, most = -1;
    for (enum cause i = 0; i < CAUSE_COUNT; i++) {
        if (told & CAUSE_BIT(i) || !totals->causes[i].operations)
            continue;
        share = run_explain_share(totals, i, above_us);
        if (share > most) {
            most = share;
            next = i;
        }
    }
    return next;
}

static void run_explain_build_causes(const struct run *run, uint64_t above_us, struct term_builder *builder)
{
    const struct explain_totals *totals = explain_totals(run->explain.explain);
    enum cause cause;
    unsigned told = 0;
    size_t count = 0;
    for (enum cause i = 0; i < CAUSE_COUNT; i++)
        count += totals->causes[i].operations > 0;
    term_build_key(builder, "causes");
    term_build_list(builder, count);
    while ((cause = run_explain_next(totals, above_us, told)) != CAUSE_COUNT) {
        run_explain_build_cause(run, cause, above_us, builder);
        told |= CAUSE_BIT(cause);
    }
    if (count)
        term_build_nil(builder);
}

void run_explain_build(struct run *run, struct term_builder *builder)
{
    uint64_t median_us, above_us;
    if (!run->explain.explain) {
        term_build_atom(builder, "nil");
        return;
    }
    const struct explain_totals *totals = explain_totals(run->explain.explain);
    above_us = latencies_above_median(&run_record(run)->latencies, &median_us);
    term_build_map(builder, 5);
    term_build_key_unsigned(builder, "operations", totals->operations);
    term_build_key_unsigned(builder, "median_us", median_us);
    term_build_key_unsigned(builder, "above_median_us", above_us);
    run_explain_build_causes(run, above_us, builder);
    term_build_key(builder, "probes");
    term_build_map(builder, 6);
    term_build_key_unsigned(builder, "monitored", totals->monitored);
    term_build_key_unsigned(builder, "heartbeats", totals->heartbeats);
    term_build_key_unsigned(builder, "looks", totals->looks);
    term_build_key_unsigned(builder, "lost", totals->lost);
    term_build_key_unsigned(builder, "node_us", totals->node_us);
    term_build_key_unsigned(builder, "daemon_us", totals->daemon_us);
}

bool run_explain_build_seconds(const struct run *run, struct term_builder *builder)
{
    if (!run->explain.explain)
        return false;
    const struct explain_totals *totals = explain_totals(run->explain.explain);
    term_build_map(builder, CAUSE_COUNT);
    for (enum cause i = 0; i < CAUSE_COUNT; i++) {
        term_build_key(builder, cause_name(i));
        term_build_float(builder, (double)totals->causes[i].us / 1e6);
    }
    return true;
}
