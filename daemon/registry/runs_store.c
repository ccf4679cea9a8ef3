#include <assert.h>

#include "base/clock.h"
#include "report/run_result.h"
#include "run_entry_private.h"
#include "term/term_read.h"

static void runs_store_build_summary(const struct run_entry *entry, struct term_builder *builder)
{
    struct run_summary summary = run_summary_now(entry);
    term_build_map(builder, RUN_SUMMARY_PAIRS);
    run_summary_build(&summary, builder);
}

/* --- Waiting --- */

static void runs_store_on_partial(void *owner, struct blob *report);

/* A partial report is written as soon as there is one to write, unless the result comes first. */
static void runs_store_start_partial(struct run_entry *entry)
{
    if (!entry->partial && entry->run && run_has_begun(entry->run))
        entry->partial = run_partial_start(entry->run, runs_store_on_partial, entry);
}

bool runs_wait(struct runs *runs, uint64_t id, struct run_wait *wait)
{
    struct run_entry *entry = run_entry_find(runs, id);
    assert(entry);
    if (entry->waits.count == RUNS_WAITS)
        return false;
    wait->entry = entry;
    list_prepend(&entry->waits, &wait->link);
    if (wait->kind == RUN_WAIT_PARTIAL)
        runs_store_start_partial(entry);
    return true;
}

void runs_forget_wait(struct run_wait *wait)
{
    struct run_entry *entry = wait->entry;
    if (!entry)
        return;
    list_remove(&entry->waits, &wait->link);
    wait->entry = NULL;
}

/* Answers all waits of a kind. */
static void runs_store_answer(struct run_entry *entry, enum run_wait_kind kind,
                              const struct run_answer *answer)
{
    struct run_wait *wait = LIST_FIRST(&entry->waits, struct run_wait, link);
    while (wait) {
        if (wait->kind != kind) {
            wait = LIST_NEXT(wait, struct run_wait, link);
            continue;
        }
        runs_forget_wait(wait);
        wait->done(wait->owner, answer);
        wait =
            LIST_FIRST(&entry->waits, struct run_wait, link); /* what was told may have taken others back */
    }
}

static struct term runs_store_blob_term(const struct blob *blob)
{
    return (struct term){blob->data, blob->size};
}

static void runs_store_on_partial(void *owner, struct blob *report)
{
    struct run_entry *entry = owner;
    struct run_answer partial = {.result = runs_store_blob_term(report), .in = report};
    entry->partial = NULL;
    runs_store_answer(entry, RUN_WAIT_PARTIAL, &partial);
}

static struct loop *runs_store_loop(const struct run_entry *entry)
{
    return node_loop(entry->runs->options.node);
}

static void runs_store_answer_all(struct run_entry *entry, struct blob *stored)
{
    struct run_answer result = {
        .result = runs_store_blob_term(stored), .in = stored, .raised = term_of(&entry->raised)};
    struct run_answer partial = {.in = stored};
    if (!run_result_report(runs_store_blob_term(stored), false, &partial.result))
        partial.result = (struct term){0};
    runs_store_answer(entry, RUN_WAIT_RESULT, &result);
    runs_store_answer(entry, RUN_WAIT_PARTIAL, &partial);
}

/* --- Beginning and end --- */

static void runs_store_tell_begun(struct run_entry *entry)
{
    void (*begun)(void *, uint64_t) = entry->begun;
    entry->begun = NULL;
    if (begun)
        begun(entry->begun_owner, entry->summary.run_id);
}

void run_store_begin(struct run_entry *entry)
{
    struct term_builder summary = {0};
    runs_store_build_summary(entry, &summary);
    store_begin(entry->runs->store, entry->summary.run_id, term_built(&summary));
    term_build_free(&summary);
}

/* What they have copied is the run's. */
static void runs_store_end_partials(struct run_entry *entry)
{
    if (entry->partial)
        run_partial_cancel(entry->partial);
    if (entry->journal)
        run_partial_cancel(entry->journal);
    term_build_free(&entry->journal_summary);
    entry->partial = entry->journal = NULL;
}

/* Runs that completed have none, and suites say in their reports what has failed: to look for it takes long
 * where much was reported. */
static bool runs_store_may_have_reason(const struct run_entry *entry)
{
    enum outcome outcome = entry->summary.outcome;
    return outcome != OUTCOME_COMPLETED && !(entry->phase == RUN_PHASE_SUITE && outcome == OUTCOME_FAILED);
}

void run_store_result(struct run_entry *entry, struct term raised)
{
    struct term_builder summary = {0};
    runs_store_end_partials(entry);
    buffer_append(&entry->raised, raised.data, raised.size);
    if (!entry->content) { /* as that of a suite is already */
        buffer_fit(&entry->result.bytes);
        entry->content = blob_take(&entry->result.bytes, runs_store_loop(entry));
    }
    if (runs_store_may_have_reason(entry))
        run_summary_keep_reason(&entry->summary, runs_store_blob_term(entry->content));
    run_audit_ended(entry);
    entry->summary.report_bytes = entry->content->size;
    runs_store_build_summary(entry, &summary);
    run_set_phase(entry, RUN_PHASE_STORING);
    store_finish(entry->runs->store, entry->summary.run_id, term_built(&summary), entry->content);
    term_build_free(&summary);
}

/* Of a run that has begun, as there is no time to write it in pieces; the caller's to release. */
static struct blob *runs_store_journal_last(struct run_entry *entry)
{
    struct term_builder journal = {0}, summary = {0};
    runs_store_build_summary(entry, &summary);
    run_build_journal(entry->run, &journal);
    struct blob *content = blob_take(&journal.bytes, runs_store_loop(entry));
    store_journal(entry->runs->store, entry->summary.run_id, term_built(&summary), content);
    term_build_free(&summary);
    return content;
}

/* {error, {interrupted, Report | nil}} */
static struct blob *runs_store_make_interrupted(struct run_entry *entry)
{
    struct term_builder result = {0};
    bool has_begun = entry->run && run_has_begun(entry->run);
    struct blob *report = has_begun ? runs_store_journal_last(entry) : NULL;
    run_result_build(report ? runs_store_blob_term(report) : TERM_ATOM("nil"), true, &result);
    if (report)
        blob_release(report);
    return blob_take(&result.bytes, runs_store_loop(entry));
}

void run_store_abort(struct run_entry *entry)
{
    struct blob *result = NULL;
    runs_store_end_partials(entry);
    if (entry->phase == RUN_PHASE_STORING) {
        result = blob_hold(entry->content);
    } else {
        entry->ended_ns = clock_ns();
        run_summary_interrupt(&entry->summary, clock_wall_us() / 1000);
        run_audit_ended(entry);
        result = runs_store_make_interrupted(entry);
    }
    runs_store_tell_begun(entry);
    run_tell_ended(entry);
    runs_store_answer_all(entry, result);
    blob_release(result);
    run_entry_free(entry);
}

/* --- The store --- */

static void runs_store_on_written(void *owner, uint64_t id, enum store_state state, bool durable)
{
    struct runs *runs = owner;
    struct run_entry *entry = run_entry_find(runs, id);
    (void)durable; /* the store has said so and keeps it in memory */
    if (!entry)
        return;
    runs_store_tell_begun(entry);
    if (state != STORE_FINISHED)
        return;
    run_tell_ended(entry);
    runs_store_answer_all(entry, entry->content);
    run_entry_free(entry);
}

/* --- Journals ---
 *
 * For the case that this daemon ends before its runs. Beginning one takes the loop about a millisecond, which
 * is added to what is measured meanwhile: so each pass begins one at most, and those of runs that were
 * started together are spread over the time between journals. */

static struct run_entry *runs_store_next_to_journal(struct runs *runs)
{
    const uint64_t latest_ns = clock_ns() + runs->options.limits.journal_ns;
    struct run_entry *next = NULL;
    LIST_EACH(struct run_entry, entry, &runs->entries, link) {
        if (!entry->run)
            continue;
        if (entry->journal_ns > latest_ns) /* the time was longer */
            entry->journal_ns = latest_ns;
        if (!next || entry->journal_ns < next->journal_ns)
            next = entry;
    }
    return next;
}

void runs_plan_journal(struct runs *runs)
{
    const struct run_entry *next = runs->options.folder ? runs_store_next_to_journal(runs) : NULL;
    uint64_t now_ns = clock_ns();
    if (next)
        loop_timer_set(&runs->journal, next->journal_ns > now_ns ? next->journal_ns - now_ns : 0);
    else
        loop_timer_stop(&runs->journal);
}

static void runs_store_on_journal(void *owner, struct blob *journal)
{
    struct run_entry *entry = owner;
    entry->journal = NULL;
    store_journal(entry->runs->store, entry->summary.run_id, term_built(&entry->journal_summary), journal);
    term_build_free(&entry->journal_summary);
}

/* Both are of now, however long the run goes on until the report is written. */
static void runs_store_start_journal(struct run_entry *entry)
{
    runs_store_build_summary(entry, &entry->journal_summary);
    entry->journal = run_journal_start(entry->run, runs_store_on_journal, entry);
}

static void runs_store_journal_next(void *owner)
{
    struct runs *runs = owner;
    struct run_entry *entry = runs_store_next_to_journal(runs);
    if (entry && entry->journal_ns <= clock_ns()) {
        if (run_has_begun(entry->run) && !entry->journal)
            runs_store_start_journal(entry);
        entry->journal_ns = clock_ns() + runs->options.limits.journal_ns;
    }
    runs_plan_journal(runs);
}

void run_store_started(struct run_entry *entry)
{
    /* Ids that follow each other fall far apart (Knuth's multiplicative hash, 20 bits of it). */
    const uint64_t place = (entry->summary.run_id * 0x9e3779b97f4a7c15) >> 44;
    const uint64_t interval_ns = entry->runs->options.limits.journal_ns;
    entry->journal_ns = clock_ns() + ((interval_ns * place) >> 20);
    runs_plan_journal(entry->runs);
}

/* What was journalled does not know of the end. */
static void runs_store_interrupt_summary(struct term journalled, uint64_t ended_at_ms,
                                         struct store_parts *parts)
{
    struct run_summary summary = {0};
    if (run_summary_read(journalled, &summary)) {
        run_summary_interrupt(&summary, ended_at_ms);
        term_build_map(&parts->built_summary, RUN_SUMMARY_PAIRS);
        run_summary_build(&summary, &parts->built_summary);
        parts->summary = term_built(&parts->built_summary);
    }
    run_summary_free(&summary);
}

/* The store's thread has this done: it looks at nothing else. */
static void runs_store_take_apart(enum store_state state, uint64_t ended_at_ms, struct term summary,
                                  struct term content, struct store_parts *parts)
{
    bool interrupted = state == STORE_INTERRUPTED;
    if (interrupted) {
        parts->outcome = TERM_ATOM("interrupted");
        runs_store_interrupt_summary(summary, ended_at_ms, parts);
    } else if (term_pairs_get(summary, "outcome", &parts->outcome) &&
               outcome_read(parts->outcome) == OUTCOME_NONE) {
        parts->outcome = TERM_ATOM("nil"); /* not one of this version */
    }
    struct term reason;
    if (run_result_reason(content, interrupted, &parts->built, &reason))
        parts->reason = reason;
    if (!run_result_report(content, interrupted, &parts->report))
        parts->report = TERM_ATOM("nil");
}

/* Runs are those of the node that has sent the request, whomever that names: retention is fair between these.
 */
static void runs_store_claim(struct term summary, struct store_claim *claim)
{
    struct term node, suite;
    int64_t id;
    if (term_pairs_get(summary, "node", &node) && !term_is_atom(node, "nil"))
        claim->holder = node;
    if (term_pairs_get(summary, "suite", &suite) && term_read_integer(suite, &id) && id > 0)
        claim->suite = (uint64_t)id;
}

void runs_open_store(struct runs *runs)
{
    struct store_options options = {.loop = node_loop(runs->options.node),
                                    .folder = runs->options.folder,
                                    .holder = runs->options.holder,
                                    .limits = runs->options.limits.store,
                                    .written = runs_store_on_written,
                                    .claim = runs_store_claim,
                                    .take_apart = runs_store_take_apart,
                                    .owner = runs};
    runs->store = store_open(&options);
    loop_timer_init(&runs->journal, options.loop, runs_store_journal_next, runs);
}

struct store *runs_store(const struct runs *runs)
{
    return runs->store;
}

void runs_delete(struct runs *runs, uint64_t id)
{
    bool deleted = store_delete(runs->store, id);
    assert(deleted);
}
