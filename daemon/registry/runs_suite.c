#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "run_entry_private.h"

static const char *suite_refusal(const struct runs *runs)
{
    if (runs->stopping)
        return "stopping";
    return runs->counts[RUN_PHASE_SUITE] < runs->options.limits.suites ? NULL : "suites";
}

bool runs_open_suite(struct runs *runs, const struct runs_suite *suite, uint64_t *id, const char **busy)
{
    *busy = suite_refusal(runs);
    if (*busy)
        return false;
    struct run_entry *entry = run_entry_new(runs);
    struct run_summary *summary = &entry->summary;
    snprintf(summary->by, sizeof(summary->by), "%s", suite->by);
    term_keep(&summary->caller, suite->caller);
    run_summary_keep_node(summary, suite->node);
    run_summary_keep(&summary->target, suite->target, SUMMARY_TERM_BYTES);
    entry->cancel = suite->cancel;
    entry->cancel_owner = suite->owner;
    entry->started_ns = entry->accepted_ns;
    summary->started_at_ms = summary->accepted_at_ms;
    run_set_phase(entry, RUN_PHASE_SUITE);
    run_store_begin(entry);
    run_audit_accepted(entry, NULL, NULL);
    run_tell_started(entry);
    log_info("suite started", log_integer("run", (int64_t)summary->run_id), log_string("by", summary->by));
    if (suite->is_callers)
        run_watch_caller(entry);
    *id = summary->run_id;
    return true;
}

void runs_end_suite(struct runs *runs, uint64_t id, enum outcome outcome, struct blob *result)
{
    struct run_entry *entry = run_entry_find(runs, id);
    assert(entry && entry->phase == RUN_PHASE_SUITE);
    entry->cancel = NULL;
    entry->content = result;
    entry->summary.outcome = outcome;
    log_info("suite finished", log_integer("run", (int64_t)id), log_string("outcome", outcome_name(outcome)));
    run_finish(entry, (struct term){0});
}

/* --- Members --- */

/* The member that is the first to go. */
struct suite_victim {
    uint64_t first;
    uint64_t completed;
    size_t count;
};

static void suite_look_at(void *owner, const struct store_entry *member)
{
    struct suite_victim *victim = owner;
    victim->count++;
    if (member->state == STORE_RUNNING)
        return;
    if (!victim->first)
        victim->first = member->id;
    if (!victim->completed && run_status_outcome(member) == OUTCOME_COMPLETED)
        victim->completed = member->id;
}

void run_suite_add(struct run_entry *member)
{
    struct store *store = member->runs->store;
    struct suite_victim victim = {0};
    if (!member->suite)
        return;
    store_each_member(store, member->suite->summary.run_id, suite_look_at, &victim);
    if (victim.count > RUNS_MEMBERS)
        (void)store_delete(store, victim.completed ? victim.completed : victim.first);
}

void run_suite_count(const struct run_entry *member)
{
    if (!member->suite)
        return;
    struct run_summary *sums = &member->suite->summary;
    sums->operations += member->summary.operations;
    sums->operation_errors += member->summary.operation_errors;
    sums->dropped += member->summary.dropped;
}

struct suite_ids {
    uint64_t ids[RUNS_MEMBERS + 1];
    size_t count;
};

static void suite_add_id(void *owner, const struct store_entry *member)
{
    struct suite_ids *ids = owner;
    if (ids->count < ARRAY_LENGTH(ids->ids))
        ids->ids[ids->count++] = member->id;
}

void runs_suite_build_members(const struct runs *runs, uint64_t id, struct term_builder *builder)
{
    struct suite_ids ids = {.count = 0};
    store_each_member(runs->store, id, suite_add_id, &ids);
    if (!ids.count) {
        term_build_atom(builder, "nil");
        return;
    }
    term_build_list(builder, ids.count);
    while (ids.count)
        term_build_unsigned(builder, ids.ids[--ids.count]);
    term_build_nil(builder);
}
