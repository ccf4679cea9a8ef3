#include "serve/runs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "dist/flags.h"
#include "run/scenario_term.h"
#include "run_entry.h"

struct runs {
    struct runs_options options;
    struct process *process; /* watches callers */
    struct map by_id;        /* of all entries */
    struct run_entry *newest;
    struct run_entry *oldest;
    struct run_entry *queue;    /* in the order of their start */
    struct run_entry *finished; /* in the order of their end */
    size_t counts[RUN_PHASE_FINISHED + 1];
    struct room taken;
    size_t kept_bytes; /* of the results of those that have finished */
    uint64_t last_id;
    bool stopping;
    struct loop_task start_queued;
};

/* --- Entries --- */

static struct run_entry *find(const struct runs *runs, uint64_t id)
{
    return map_get(&runs->by_id, &id, sizeof(id));
}

static void set_phase(struct run_entry *entry, enum run_phase phase)
{
    struct runs *runs = entry->runs;
    if (entry->phase != RUN_PHASE_NONE)
        runs->counts[entry->phase]--;
    entry->phase = phase;
    if (phase != RUN_PHASE_NONE)
        runs->counts[phase]++;
}

static void append(struct run_entry **link, struct run_entry *entry)
{
    while (*link)
        link = &(*link)->next;
    *link = entry;
    entry->next = NULL;
}

static void take_out(struct run_entry **link, const struct run_entry *entry)
{
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
}

static void list(struct run_entry *entry)
{
    struct runs *runs = entry->runs;
    entry->older = runs->newest;
    if (entry->older)
        entry->older->newer = entry;
    else
        runs->oldest = entry;
    runs->newest = entry;
    map_put(&runs->by_id, &entry->summary.run_id, sizeof(entry->summary.run_id), entry);
}

static void unlist(struct run_entry *entry)
{
    struct runs *runs = entry->runs;
    *(entry->newer ? &entry->newer->older : &runs->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &runs->oldest) = entry->newer;
    map_remove(&runs->by_id, &entry->summary.run_id, sizeof(entry->summary.run_id));
}

/* What is only of use until it has ended. */
static void free_request(struct run_entry *entry)
{
    monitor_stop(&entry->caller);
    if (entry->scenario)
        scenario_free(entry->scenario);
    entry->scenario = NULL;
    buffer_free(&entry->group_leader);
    buffer_free(&entry->expectations_term);
}

static void forget(struct run_entry *entry)
{
    struct runs *runs = entry->runs;
    assert(!entry->waits && entry->phase == RUN_PHASE_FINISHED);
    take_out(&runs->finished, entry);
    runs->kept_bytes -= entry->result.bytes.size;
    set_phase(entry, RUN_PHASE_NONE);
    unlist(entry);
    free_request(entry);
    run_summary_free(&entry->summary);
    term_build_free(&entry->result);
    free(entry);
}

/* The reports of those that have ended first make room for others, the last one never. */
static void keep_within_limits(struct runs *runs)
{
    const struct runs_limits *limits = &runs->options.limits;
    while (runs->finished && runs->finished->next &&
           (runs->counts[RUN_PHASE_FINISHED] > limits->kept_reports || runs->kept_bytes > limits->kept_bytes))
        forget(runs->finished);
}

/* --- Waiting --- */

bool runs_wait(struct runs *runs, uint64_t id, struct run_wait *wait)
{
    struct run_entry *entry = find(runs, id);
    assert(entry && entry->phase != RUN_PHASE_FINISHED);
    if (entry->wait_count == RUNS_WAITS)
        return false;
    entry->wait_count++;
    wait->entry = entry;
    wait->next = entry->waits;
    entry->waits = wait;
    return true;
}

void runs_forget_wait(struct run_wait *wait)
{
    struct run_entry *entry = wait->entry;
    if (!entry)
        return;
    struct run_wait **link = &entry->waits;
    while (*link != wait)
        link = &(*link)->next;
    *link = wait->next;
    entry->wait_count--;
    wait->entry = NULL;
}

static void answer_waits(struct run_entry *entry, struct term raised)
{
    while (entry->waits) {
        struct run_wait *wait = entry->waits;
        runs_forget_wait(wait);
        wait->done(wait->owner, term_built(&entry->result), raised);
    }
}

/* --- The end --- */

static void note_figures(struct run_entry *entry, const struct run *run)
{
    static const enum run_ending endings[] = {
        [RUN_COMPLETED] = ENDING_COMPLETED, [RUN_FAILED] = ENDING_FAILED, [RUN_CANCELLED] = ENDING_CANCELLED};
    struct run_figures figures;
    run_figures(run, &figures);
    entry->summary.outcome = endings[figures.outcome];
    entry->summary.operations = figures.operations;
    entry->summary.operation_errors = figures.operation_errors;
    entry->summary.dropped = figures.dropped;
}

static void finish(struct run_entry *entry, struct term raised)
{
    struct runs *runs = entry->runs;
    entry->ended_ns = clock_ns();
    entry->summary.ended_at_ms = clock_wall_us() / 1000;
    entry->summary.report_bytes = entry->result.bytes.size;
    run_summary_keep_reason(&entry->summary, term_built(&entry->result));
    free_request(entry);
    buffer_fit(&entry->result.bytes);
    runs->kept_bytes += entry->result.bytes.size;
    append(&runs->finished, entry);
    set_phase(entry, RUN_PHASE_FINISHED);
    answer_waits(entry, raised);
    keep_within_limits(runs);
}

static void run_done(void *owner, const struct run *run, struct term raised)
{
    struct run_entry *entry = owner;
    struct runs *runs = entry->runs;
    note_figures(entry, run);
    entry->run = NULL;
    room_give(&runs->taken, &entry->room);
    loop_defer(node_loop(runs->options.node),
               &runs->start_queued); /* the run that ends is still being left */
    finish(entry, raised);
}

/* --- Starting --- */

static void begin(struct run_entry *entry)
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
        .done = run_done,
        .owner = entry};
    if (entry->is_callers)
        request.caller = (struct term){buffer_bytes(&entry->summary.caller), entry->summary.caller.size};
    if (entry->expectations.count)
        request.expectations = &entry->expectations;
    entry->started_ns = clock_ns();
    entry->summary.started_at_ms = clock_wall_us() / 1000;
    room_take(&runs->taken, &entry->room);
    entry->scenario = NULL;
    entry->run = runner_start(runs->options.runner, &request);
    set_phase(entry, RUN_PHASE_RUNNING);
}

/* Ends one that waits with {error, {busy, Limit}}, or {error, aborted} without a limit. */
static void give_up(struct run_entry *entry, const char *limit)
{
    struct term_builder *result = &entry->result;
    take_out(&entry->runs->queue, entry);
    term_build_tuple(result, 2);
    term_build_atom(result, "error");
    if (limit) {
        term_build_tuple(result, 2);
        term_build_atom(result, "busy");
    }
    term_build_atom(result, limit ? limit : "aborted");
    entry->summary.outcome = ENDING_FAILED;
    finish(entry, (struct term){0});
}

/* Limits may have become such that one that waits never could start. */
static void start_queued(void *owner)
{
    struct runs *runs = owner;
    const struct room *limits = &runs->options.limits.room, nothing = {0};
    enum room_kind kind;
    while (runs->queue) {
        struct run_entry *entry = runs->queue;
        if (room_lacks(limits, &nothing, &entry->room, &kind)) {
            give_up(entry, room_name(kind));
        } else if (room_lacks(limits, &runs->taken, &entry->room, &kind)) {
            return;
        } else {
            take_out(&runs->queue, entry);
            begin(entry);
        }
    }
}

static void enqueue(struct run_entry *entry)
{
    append(&entry->runs->queue, entry);
    set_phase(entry, RUN_PHASE_QUEUED);
    log_info("run queued", log_integer("run", (int64_t)entry->summary.run_id),
             log_integer("waiting", (int64_t)entry->runs->counts[RUN_PHASE_QUEUED]));
}

/* Why a run cannot be accepted, or NULL; `*waits` when it has to wait. */
static const char *refusal(const struct runs *runs, const struct room *wanted, bool *waits)
{
    const struct room nothing = {0};
    enum room_kind kind;
    *waits = false;
    if (runs->stopping)
        return "stopping";
    if (room_lacks(&runs->options.limits.room, &nothing, wanted, &kind))
        return room_name(kind);
    *waits = room_lacks(&runs->options.limits.room, &runs->taken, wanted, &kind) || runs->queue;
    if (*waits && !runs->options.limits.queued_runs)
        return room_name(kind);
    return *waits && runs->counts[RUN_PHASE_QUEUED] >= runs->options.limits.queued_runs ? "queued_runs"
                                                                                        : NULL;
}

/* Ids never come again, not even after a restart: they go on from the time of their start. */
static uint64_t next_id(struct runs *runs)
{
    uint64_t now = clock_wall_us();
    runs->last_id = now > runs->last_id ? now : runs->last_id + 1;
    return runs->last_id;
}

static void describe(struct run_entry *entry, const struct runs_request *request)
{
    const struct scenario *scenario = request->scenario;
    struct run_summary *summary = &entry->summary;
    summary->run_id = next_id(entry->runs);
    snprintf(summary->by, sizeof(summary->by), "%s", request->by);
    if (request->name)
        buffer_append(&summary->name, request->name, strlen(request->name));
    buffer_append(&summary->caller, request->caller.data, request->caller.size);
    if (scenario->target.data)
        run_summary_keep(&summary->target, scenario->target, SUMMARY_TERM_BYTES);
    run_summary_keep(&summary->metadata, scenario->metadata, SUMMARY_METADATA_BYTES);
    summary->accepted_at_ms = clock_wall_us() / 1000;
    summary->threads = scenario->thread_count;
    entry->planned_ns = load_duration_ns(&scenario->load);
    summary->planned_ms = entry->planned_ns / CLOCK_NS_PER_MS;
}

static void keep_request(struct run_entry *entry, const struct runs_request *request)
{
    struct problems problems = {0};
    entry->scenario = request->scenario;
    entry->is_callers = request->is_callers;
    buffer_append(&entry->group_leader, request->group_leader.data, request->group_leader.size);
    buffer_append(&entry->expectations_term, request->expectations.data, request->expectations.size);
    if (!entry->expectations_term.size)
        return;
    struct term kept = {buffer_bytes(&entry->expectations_term), entry->expectations_term.size};
    scenario_term_read_expectations(kept, &entry->expectations, &problems);
    assert(!problems.count);
}

static void caller_down(void *owner, struct term reason)
{
    (void)reason;
    struct run_entry *entry = owner;
    log_info("caller of run is gone", log_integer("run", (int64_t)entry->summary.run_id));
    runs_cancel(entry->runs, entry->summary.run_id);
}

/* Old nodes (ei, Java) know no monitors; their callers cannot be watched. */
static void watch_caller(struct run_entry *entry)
{
    struct runs *runs = entry->runs;
    struct term caller = {buffer_bytes(&entry->summary.caller), entry->summary.caller.size};
    struct peer *peer = node_peer_of(runs->options.node, caller);
    bool can_watch = peer && (peer_flags(peer) & FLAG_DIST_MONITOR_NAME);
    if (!peer ||
        (can_watch && !monitor_start(&entry->caller, runs->process, peer, caller, caller_down, entry)))
        runs_cancel(runs, entry->summary.run_id);
}

bool runs_start(struct runs *runs, const struct runs_request *request, uint64_t *id, const char **busy)
{
    struct room wanted = room_of_scenario(request->scenario);
    bool waits;
    *busy = refusal(runs, &wanted, &waits);
    if (*busy)
        return false;
    struct run_entry *entry = memory_zalloc(1, sizeof(*entry));
    entry->runs = runs;
    entry->room = wanted;
    entry->accepted_ns = clock_ns();
    describe(entry, request);
    keep_request(entry, request);
    list(entry);
    if (waits)
        enqueue(entry);
    else
        begin(entry);
    if (entry->is_callers)
        watch_caller(entry);
    *id = entry->summary.run_id;
    return true;
}

/* --- What is asked of them --- */

enum run_phase runs_phase(const struct runs *runs, uint64_t id)
{
    const struct run_entry *entry = find(runs, id);
    return entry ? entry->phase : RUN_PHASE_NONE;
}

const char *runs_obstacle(const struct run_entry *entry, size_t *before)
{
    const struct runs *runs = entry->runs;
    enum room_kind kind;
    *before = 0;
    for (const struct run_entry *other = runs->queue; other != entry; other = other->next)
        ++*before;
    return room_lacks(&runs->options.limits.room, &runs->taken, &runs->queue->room, &kind) ? room_name(kind)
                                                                                           : "runs";
}

bool runs_build_status(struct runs *runs, uint64_t id, struct term_builder *builder)
{
    const struct run_entry *entry = find(runs, id);
    if (entry)
        run_status_build(entry, builder);
    return entry != NULL;
}

void runs_build_list(struct runs *runs, struct term_builder *builder)
{
    term_build_list(builder, runs->by_id.count);
    for (const struct run_entry *entry = runs->newest; entry; entry = entry->older)
        run_status_build(entry, builder);
    if (runs->by_id.count)
        term_build_nil(builder);
}

bool runs_result(struct runs *runs, uint64_t id, struct term *result)
{
    const struct run_entry *entry = find(runs, id);
    if (!entry || entry->phase != RUN_PHASE_FINISHED)
        return false;
    *result = term_built(&entry->result);
    return true;
}

void runs_cancel(struct runs *runs, uint64_t id)
{
    struct run_entry *entry = find(runs, id);
    if (!entry || entry->phase == RUN_PHASE_FINISHED)
        return;
    entry->cancelled = true;
    if (entry->phase == RUN_PHASE_RUNNING) {
        run_cancel(entry->run);
    } else { /* there is a report of it as well: of nothing */
        take_out(&runs->queue, entry);
        begin(entry);
    }
}

void runs_delete(struct runs *runs, uint64_t id)
{
    struct run_entry *entry = find(runs, id);
    assert(entry && entry->phase == RUN_PHASE_FINISHED);
    forget(entry);
}

size_t runs_active(const struct runs *runs)
{
    return runs->counts[RUN_PHASE_QUEUED] + runs->counts[RUN_PHASE_RUNNING];
}

size_t runs_queued(const struct runs *runs)
{
    return runs->counts[RUN_PHASE_QUEUED];
}

/* --- All of them --- */

struct runs *runs_new(const struct runs_options *options)
{
    static const struct process_events no_events = {0};
    struct runs *runs = memory_zalloc(1, sizeof(*runs));
    runs->options = *options;
    runs->process = process_spawn(options->node, &no_events, runs);
    runs->start_queued = (struct loop_task){.run = start_queued, .owner = runs};
    return runs;
}

void runs_set_limits(struct runs *runs, const struct runs_limits *limits)
{
    runs->options.limits = *limits;
    keep_within_limits(runs);
    start_queued(runs);
}

void runs_stop(struct runs *runs)
{
    runs->stopping = true;
    for (struct run_entry *entry = runs->newest; entry; entry = entry->older)
        runs_cancel(runs, entry->summary.run_id);
}

bool runs_stopping(const struct runs *runs)
{
    return runs->stopping;
}

void runs_close(struct runs *runs)
{
    runs->stopping = true;
    loop_cancel(node_loop(runs->options.node), &runs->start_queued);
    while (runs->queue)
        give_up(runs->queue, NULL);
    process_exit_atom(runs->process, "shutdown");
}

void runs_free(struct runs *runs)
{
    while (runs->newest)
        forget(runs->newest);
    map_free(&runs->by_id);
    free(runs);
}
