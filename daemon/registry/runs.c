#include "registry/runs.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "dist/flags.h"
#include "load/scenario_dispose.h"
#include "report/reason.h"
#include "run_entry_private.h"
#include "scenario/scenario_term.h"
#include "term/term_read.h"
#include "term/term_text.h"

/* --- Entries --- */

void run_set_phase(struct run_entry *entry, enum run_phase phase)
{
    struct runs *runs = entry->runs;
    if (entry->phase != RUN_PHASE_NONE)
        runs->counts[entry->phase]--;
    entry->phase = phase;
    if (phase != RUN_PHASE_NONE)
        runs->counts[phase]++;
}

static void runs_put(struct run_entry *entry)
{
    struct runs *runs = entry->runs;
    list_prepend(&runs->entries, &entry->link);
    map_put(&runs->by_id, &entry->summary.run_id, sizeof(entry->summary.run_id), entry);
}

static void runs_take_out(struct run_entry *entry)
{
    struct runs *runs = entry->runs;
    if (entry->process)
        process_exit_atom(entry->process, "shutdown");
    list_remove(&runs->entries, &entry->link);
    map_remove(&runs->by_id, &entry->summary.run_id, sizeof(entry->summary.run_id));
}

/* What is only of use until it has ended. */
static void runs_free_request(struct run_entry *entry)
{
    monitor_stop(&entry->caller);
    if (entry->scenario)
        scenario_dispose(node_loop(entry->runs->options.node), entry->scenario);
    entry->scenario = NULL;
    buffer_free(&entry->group_leader);
    buffer_free(&entry->expectations_term);
}

void run_entry_free(struct run_entry *entry)
{
    assert(!entry->waits.count && !entry->partial && !entry->journal && !entry->begun);
    run_set_phase(entry, RUN_PHASE_NONE);
    audit_forget(&entry->audit);
    runs_take_out(entry);
    runs_free_request(entry);
    run_summary_free(&entry->summary);
    term_build_free(&entry->result);
    blob_release(entry->content);
    buffer_free(&entry->raised);
    free(entry);
}

/* --- The end --- */

static void runs_note_figures(struct run_entry *entry, const struct run *run)
{
    struct run_figures figures;
    run_figures(run, &figures);
    entry->summary.outcome = figures.outcome;
    entry->summary.operations = figures.operations;
    entry->summary.operation_errors = figures.operation_errors;
    entry->summary.dropped = figures.dropped;
}

void run_finish(struct run_entry *entry, struct term raised)
{
    run_suite_count(entry);
    entry->ended_ns = clock_ns();
    entry->summary.ended_at_ms = clock_wall_us() / 1000;
    process_exit_atom(entry->process, "normal");
    entry->process = NULL;
    runs_free_request(entry);
    run_store_result(entry, raised);
}

static void runs_on_done(void *owner, const struct run *run, struct term raised)
{
    struct run_entry *entry = owner;
    struct runs *runs = entry->runs;
    room_give(&runs->taken, &entry->room);
    if (runs->closing) {
        run_store_abort(entry);
        return;
    }
    runs_note_figures(entry, run);
    entry->run = NULL;
    run_finish(entry, raised);
    loop_defer(node_loop(runs->options.node),
               &runs->start_queued); /* the run that ends is still being left */
}

/* --- Starting --- */

static void runs_begin(struct run_entry *entry)
{
    struct runs *runs = entry->runs;
    struct run_request request = {
        .id = entry->summary.run_id,
        .scenario = entry->scenario,
        .requester = {buffer_bytes(&entry->summary.caller), entry->summary.caller.size},
        .by = entry->summary.by,
        .group_leader = {buffer_bytes(&entry->group_leader), entry->group_leader.size},
        .cancelled = entry->cancelled,
        .result = &entry->result,
        .event = run_tell_telemetry,
        .is_heard = run_is_heard,
        .done = runs_on_done,
        .owner = entry};
    if (entry->is_callers)
        request.caller = term_of(&entry->summary.caller);
    if (entry->expectations.count)
        request.expectations = &entry->expectations;
    entry->started_ns = clock_ns();
    entry->summary.started_at_ms = clock_wall_us() / 1000;
    room_take(&runs->taken, &entry->room);
    entry->scenario = NULL;
    entry->run = runner_start(runs->options.runner, &request);
    run_set_phase(entry, RUN_PHASE_RUNNING);
    run_store_started(entry);
    run_tell_started(entry);
}

/* Begins {error, {Reason, Detail}} of one that waits. */
static struct term_builder *runs_open_refusal(struct run_entry *entry, enum reason reason)
{
    struct term_builder *result = &entry->result;
    list_remove(&entry->runs->queue, &entry->queued);
    term_build_tuple(result, 2);
    term_build_atom(result, "error");
    reason_open(reason, 2, result);
    return result;
}

static void runs_end_refused(struct run_entry *entry, const char *why)
{
    entry->summary.outcome = OUTCOME_NOT_RUN;
    runner_count_refused(entry->runs->options.runner, OUTCOME_NOT_RUN);
    log_info("run finished", log_integer("run", (int64_t)entry->summary.run_id),
             log_string("outcome", outcome_name(OUTCOME_NOT_RUN)), log_string("reason", why));
    run_finish(entry, (struct term){0});
}

/* Ends one that waits with {error, {busy, Limit}}. */
static void runs_refuse_queued(struct run_entry *entry, const char *limit)
{
    term_build_atom(runs_open_refusal(entry, REASON_BUSY), limit);
    runs_end_refused(entry, limit);
}

/* Limits may have become such that one that waits never could start. */
static void runs_start_queued(void *owner)
{
    struct runs *runs = owner;
    const struct room *limits = &runs->options.limits.room, nothing = {0};
    enum room_kind kind;
    while (runs->queue.count) {
        struct run_entry *entry = LIST_FIRST(&runs->queue, struct run_entry, queued);
        if (room_lacks(limits, &nothing, &entry->room, &kind)) {
            runs_refuse_queued(entry, room_name(kind));
        } else if (run_awaits_audit(entry) || room_lacks(limits, &runs->taken, &entry->room, &kind)) {
            return;
        } else {
            list_remove(&entry->runs->queue, &entry->queued);
            runs_begin(entry);
        }
    }
}

void run_audited(void *owner, const char *problem)
{
    struct run_entry *entry = owner;
    struct runs *runs = entry->runs;
    if (problem) {
        term_build_text(runs_open_refusal(entry, REASON_AUDIT_FAILED), problem);
        runs_end_refused(entry, problem);
    }
    runs_start_queued(runs);
}

static void runs_enqueue(struct run_entry *entry)
{
    list_append(&entry->runs->queue, &entry->queued);
    run_set_phase(entry, RUN_PHASE_QUEUED);
    run_tell_queued(entry);
    log_info("run queued", log_integer("run", (int64_t)entry->summary.run_id),
             log_integer("waiting", (int64_t)entry->runs->counts[RUN_PHASE_QUEUED]));
}

/* What the runs of a node take that have not ended. */
static struct room runs_taken_by_node(const struct runs *runs, const char *node)
{
    struct run_summary asked = {.run_id = 0};
    struct room taken = {0};
    run_summary_keep_node(&asked, node);
    LIST_EACH(struct run_entry, entry, &runs->entries, link)
        if ((entry->phase == RUN_PHASE_QUEUED || entry->phase == RUN_PHASE_RUNNING) &&
            term_same(term_of(&entry->summary.node), term_of(&asked.node)))
            room_take(&taken, &entry->room);
    run_summary_free(&asked);
    return taken;
}

/* The limit that is in the way of one more run of a node, or NULL. The daemon's own have none. */
static const char *runs_refusal_of_node(const struct runs *runs, const char *node, const struct room *wanted)
{
    const struct room *limits = &runs->options.limits.room_per_node, nothing = {0};
    enum room_kind kind;
    if (!node || memcmp(limits, &nothing, sizeof(nothing)) == 0)
        return NULL;
    struct room taken = runs_taken_by_node(runs, node);
    return room_lacks_per_node(limits, &taken, wanted, &kind) ? room_name_per_node(kind) : NULL;
}

/* Why a run cannot be accepted, or NULL; `*waits` when it has to wait. What a node has too much of is
 * refused: in the queue it would be in the way of others. */
static const char *runs_refusal(const struct runs *runs, const char *node, const struct room *wanted,
                                bool *waits)
{
    const struct room nothing = {0};
    enum room_kind kind;
    *waits = false;
    if (runs->stopping)
        return "stopping";
    const char *of_node = runs_refusal_of_node(runs, node, wanted);
    if (of_node)
        return of_node;
    if (room_lacks(&runs->options.limits.room, &nothing, wanted, &kind))
        return room_name(kind);
    bool is_lacking = room_lacks(&runs->options.limits.room, &runs->taken, wanted, &kind);
    *waits = is_lacking || runs->queue.count;
    if (!*waits || runs->counts[RUN_PHASE_QUEUED] < runs->options.limits.queued_runs)
        return NULL;
    return is_lacking && !runs->options.limits.queued_runs ? room_name(kind) : "queued_runs";
}

/* Ids never come again, not even after a restart: they go on from the time of their start. */
static uint64_t runs_next_id(struct runs *runs)
{
    uint64_t now = clock_wall_us();
    uint64_t last = store_last_id(runs->store);
    assert(now <= STORE_ID_MOST && last < INT64_MAX);
    return now > last ? now : last + 1;
}

/* As a process that does not trap exits would end, the run does, with its cleanup and a report. */
static void runs_on_exit(void *owner, struct process *process, struct term from, struct term reason)
{
    struct run_entry *entry = owner;
    char who[128], why[512];
    (void)process;
    if (term_is_atom(reason, "normal"))
        return;
    log_info("run is cancelled by an exit signal", log_integer("run", (int64_t)entry->summary.run_id),
             log_string("from", term_text(from, who, sizeof(who))),
             log_string("reason", term_text(reason, why, sizeof(why))));
    runs_cancel(entry->runs, entry->summary.run_id);
}

static const struct process_events run_events = {.exit = runs_on_exit};

struct run_entry *run_entry_new(struct runs *runs)
{
    struct run_entry *entry = memory_zalloc(1, sizeof(*entry));
    entry->runs = runs;
    entry->process = process_spawn(runs->options.node, &run_events, entry);
    entry->accepted_ns = clock_ns();
    entry->summary.run_id = runs_next_id(runs);
    entry->summary.accepted_at_ms = clock_wall_us() / 1000;
    runs_put(entry);
    return entry;
}

static void runs_describe(struct run_entry *entry, const struct runs_request *request)
{
    const struct scenario *scenario = request->scenario;
    struct run_summary *summary = &entry->summary;
    snprintf(summary->by, sizeof(summary->by), "%s", request->by);
    if (request->name)
        buffer_hold(&summary->name, request->name, strlen(request->name));
    term_keep(&summary->caller, request->caller);
    run_summary_keep_node(summary, request->node);
    if (scenario->target.data)
        run_summary_keep(&summary->target, scenario->target, SUMMARY_TERM_BYTES);
    run_summary_keep(&summary->metadata, scenario->metadata, SUMMARY_METADATA_BYTES);
    summary->suite = request->suite;
    summary->threads = scenario->thread_count;
    summary->planned_ms = plan_duration_ns(&scenario->load) / CLOCK_NS_PER_MS;
}

static void runs_keep_request(struct run_entry *entry, const struct runs_request *request)
{
    struct problems problems = {0};
    entry->scenario = request->scenario;
    entry->is_callers = request->is_callers;
    entry->begun = request->begun;
    entry->begun_owner = request->owner;
    term_keep(&entry->group_leader, request->group_leader);
    term_keep(&entry->expectations_term, request->expectations);
    if (!entry->expectations_term.size)
        return;
    struct term kept = {buffer_bytes(&entry->expectations_term), entry->expectations_term.size};
    scenario_term_read_expectations(kept, &entry->expectations, &problems);
    assert(!problems.count);
}

static void runs_caller_down(void *owner, const struct term_long *reason)
{
    (void)reason;
    struct run_entry *entry = owner;
    log_info("caller of run is gone", log_integer("run", (int64_t)entry->summary.run_id));
    runs_cancel(entry->runs, entry->summary.run_id);
}

/* Old nodes (ei, Java) know no monitors; their callers cannot be watched. */
void run_watch_caller(struct run_entry *entry)
{
    struct runs *runs = entry->runs;
    struct term caller = {buffer_bytes(&entry->summary.caller), entry->summary.caller.size};
    struct peer *peer = node_peer_of(runs->options.node, caller);
    bool can_watch = peer && (peer_flags(peer) & FLAG_DIST_MONITOR_NAME);
    if (!peer ||
        (can_watch && !monitor_start(&entry->caller, runs->process, peer, caller, runs_caller_down, entry)))
        runs_cancel(runs, entry->summary.run_id);
    else /* that its hooks were there, too, is the cause */
        monitor_tell_last(&entry->caller);
}

bool runs_start(struct runs *runs, const struct runs_request *request, uint64_t *id, const char **busy)
{
    struct room wanted = room_of_scenario(request->scenario);
    bool waits;
    *busy = runs_refusal(runs, request->node, &wanted, &waits);
    if (*busy)
        return false;
    struct run_entry *entry = run_entry_new(runs);
    entry->room = wanted;
    entry->suite = request->suite ? run_entry_find(runs, request->suite) : NULL;
    runs_describe(entry, request);
    runs_keep_request(entry, request);
    run_store_begin(entry);
    run_suite_add(entry);
    run_audit_accepted(entry, entry->scenario, request->digest);
    run_audit_await(entry, entry->scenario);
    if (waits || run_awaits_audit(entry))
        runs_enqueue(entry);
    else
        runs_begin(entry);
    if (entry->is_callers && !entry->suite) /* whose caller is watched */
        run_watch_caller(entry);
    *id = entry->summary.run_id;
    return true;
}

/* --- What is asked of them --- */

enum run_phase runs_phase(const struct runs *runs, uint64_t id)
{
    const struct run_entry *entry = run_entry_find(runs, id);
    struct store_entry stored;
    if (entry)
        return entry->phase;
    if (!store_find(runs->store, id, &stored) || stored.state == STORE_RUNNING)
        return RUN_PHASE_NONE;
    return stored.state == STORE_FINISHED ? RUN_PHASE_FINISHED : RUN_PHASE_INTERRUPTED;
}

enum outcome runs_outcome(const struct runs *runs, uint64_t id)
{
    const struct run_entry *entry = run_entry_find(runs, id);
    struct store_entry stored;
    if (entry)
        return entry->summary.outcome;
    return store_find(runs->store, id, &stored) ? run_status_outcome(&stored) : OUTCOME_NONE;
}

bool runs_has_begun(const struct runs *runs, uint64_t id)
{
    const struct run_entry *entry = run_entry_find(runs, id);
    return entry && entry->run && run_has_begun(entry->run);
}

size_t runs_count(const struct runs *runs, enum run_phase phase)
{
    return runs->counts[phase];
}

const char *run_obstacle(const struct run_entry *entry, size_t *before)
{
    const struct runs *runs = entry->runs;
    enum room_kind kind;
    *before = 0;
    const struct run_entry *first = LIST_FIRST(&runs->queue, struct run_entry, queued);
    for (const struct list_link *link = &first->queued; link != &entry->queued; link = link->next)
        ++*before;
    if (run_awaits_audit(first))
        return "audit";
    return room_lacks(&runs->options.limits.room, &runs->taken, &first->room, &kind) ? room_name(kind)
                                                                                     : "runs";
}

bool runs_build_status(const struct runs *runs, uint64_t id, struct term_builder *builder)
{
    const struct run_entry *entry = run_entry_find(runs, id);
    struct store_entry stored;
    if (entry)
        run_status_build(entry, builder);
    else if (store_find(runs->store, id, &stored))
        run_status_build_stored(runs, &stored, builder);
    else
        return false;
    return true;
}

bool runs_build_some(const struct runs *runs, struct runs_list *list, size_t some,
                     struct term_builder *builder)
{
    struct store_entry stored;
    bool has_more = list->count < list->most && store_find_before(runs->store, list->before, &stored);
    for (; has_more && some; some--) {
        list->before = stored.id;
        if (!stored.suite) {
            if (!list->count++) {
                list->at = builder->bytes.size;
                term_build_list(builder, 1);
            }
            bool found = runs_build_status(runs, stored.id, builder);
            assert(found);
        }
        has_more = list->count < list->most && store_find_before(runs->store, list->before, &stored);
    }
    if (!has_more) {
        if (list->count)
            term_build_set_count(builder, list->at, list->count);
        term_build_nil(builder);
    }
    return has_more;
}

void runs_build_list(const struct runs *runs, size_t most, uint64_t before, struct term_builder *builder)
{
    struct runs_list list = {.most = most, .before = before};
    while (runs_build_some(runs, &list, SIZE_MAX, builder))
        continue;
}

void runs_cancel(struct runs *runs, uint64_t id)
{
    struct run_entry *entry = run_entry_find(runs, id);
    if (!entry || entry->phase == RUN_PHASE_STORING)
        return;
    void (*cancel)(void *owner) = entry->cancel;
    entry->cancelled = true;
    entry->cancel = NULL;
    if (entry->phase == RUN_PHASE_SUITE) {
        if (cancel)
            cancel(entry->cancel_owner);
    } else if (entry->phase == RUN_PHASE_RUNNING) {
        run_cancel(entry->run);
    } else { /* there is a report of it as well: of nothing */
        list_remove(&entry->runs->queue, &entry->queued);
        audit_forget(&entry->audit);
        runs_begin(entry);
    }
}

/* --- All of them --- */

struct runs *runs_new(const struct runs_options *options)
{
    static const struct process_events no_events = {0};
    struct runs *runs = memory_zalloc(1, sizeof(*runs));
    runs->options = *options;
    runs->process = process_spawn(options->node, &no_events, runs);
    runs->start_queued = (struct loop_task){.run = runs_start_queued, .owner = runs};
    runs_open_events(runs);
    runs_open_store(runs);
    return runs;
}

void runs_set_limits(struct runs *runs, const struct runs_limits *limits)
{
    runs->options.limits = *limits;
    store_set_limits(runs->store, &limits->store);
    runs_plan_journal(runs);
    runs_start_queued(runs);
}

void runs_stop(struct runs *runs)
{
    runs->stopping = true;
    LIST_EACH(struct run_entry, entry, &runs->entries, link)
        runs_cancel(runs, entry->summary.run_id);
}

bool runs_stopping(const struct runs *runs)
{
    return runs->stopping;
}

bool runs_busy(const struct runs *runs)
{
    return runs->entries.count || store_busy(runs->store);
}

void runs_close(struct runs *runs)
{
    runs->stopping = true;
    LIST_EACH(struct run_entry, entry, &runs->entries, link)
        if (entry->phase == RUN_PHASE_SUITE)
            runs_cancel(runs, entry->summary.run_id);
    runs->closing = true;
    loop_cancel(node_loop(runs->options.node), &runs->start_queued);
    loop_timer_free(&runs->journal);
    runner_close(runs->options.runner);
    runs->queue = (struct list){.count = 0};
    while (runs->entries.count)
        run_store_abort(LIST_FIRST(&runs->entries, struct run_entry, link));
    runs_close_events(runs);
    process_exit_atom(runs->process, "shutdown");
}

void runs_free(struct runs *runs)
{
    store_close(runs->store);
    map_free(&runs->by_id);
    free(runs);
}
