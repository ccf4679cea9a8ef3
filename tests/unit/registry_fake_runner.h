/* A runner of the test, in the place of the real one: its runs stand as the test says, and end when it says.
 * To be included once by a program, whose functions these are. */
#ifndef HARNESSD_TESTS_REGISTRY_FAKE_RUNNER_H
#define HARNESSD_TESTS_REGISTRY_FAKE_RUNNER_H

#include "term_from_text.h"

#include "run/partial.h"
#include "run/runner.h"

struct run {
    struct runner *runner;
    struct run *next;
    struct run_request request;
    struct run_figures figures;
    struct load_recent recent;
    struct run_partial *partial; /* that is being written */
    struct run_partial *journal; /* likewise */
    bool has_begun;
    bool is_observed;
    size_t cancels;
    size_t journals;
};

struct runner {
    struct loop *loop;
    struct run *runs; /* the last one that was started is the first */
    size_t started;
    size_t refused;
    bool is_closed;
};

struct run_partial {
    struct run *run;
    struct loop_task step; /* of a journal */
    void (*done)(void *owner, struct blob *report);
    void *owner;
};

static inline struct run *runner_find(const struct runner *runner, uint64_t id)
{
    struct run *run = runner->runs;
    while (run && run->request.id != id)
        run = run->next;
    return run;
}

static inline enum outcome runner_outcome(const char *name)
{
    enum outcome outcome = OUTCOME_COMPLETED;
    while (strcmp(outcome_name(outcome), name) != 0)
        assert_true(++outcome < OUTCOME_COUNT);
    return outcome;
}

void runner_count_refused(struct runner *runner, enum outcome outcome)
{
    runner->refused += outcome == OUTCOME_NOT_RUN;
}

/* It ends so: with its outcome, its result, and what is raised instead, NULL being nothing. */
static inline void runner_end(struct run *run, const char *outcome, const char *result, const char *raised)
{
    struct term_builder built = {0}, raising = {0};
    struct run **link = &run->runner->runs;
    while (*link != run)
        link = &(*link)->next;
    *link = run->next;
    run->figures.outcome = runner_outcome(outcome);
    term_build_term(run->request.result, term_from_text(&built, result));
    run->request.done(run->request.owner, run,
                      raised ? term_from_text(&raising, raised) : (struct term){.data = NULL});
    assert_null(run->partial);
    term_build_free(&built);
    term_build_free(&raising);
    scenario_free(run->request.scenario);
    free(run);
}

/* The partial report that is being written is this. */
static inline void runner_write_partial(struct run *run, const char *report)
{
    struct term_builder built = {0};
    struct run_partial *partial = run->partial;
    assert_non_null(partial);
    run->partial = NULL;
    (void)term_from_text(&built, report);
    struct blob *blob = blob_take(&built.bytes, NULL);
    partial->done(partial->owner, blob);
    blob_release(blob);
    free(partial);
}

/* --- What the runner is to those who use it --- */

struct run *runner_start(struct runner *runner, const struct run_request *request)
{
    struct run *run = memory_zalloc(1, sizeof(*run));
    *run = (struct run){.runner = runner, .next = runner->runs, .request = *request, .has_begun = true};
    run->figures.state = RUN_LOAD;
    runner->runs = run;
    runner->started++;
    return run;
}

void runner_close(struct runner *runner)
{
    runner->is_closed = true;
    while (runner->runs)
        runner_end(runner->runs, "interrupted", "{error, {interrupted, nil}}", NULL);
}

void run_cancel(struct run *run)
{
    run->cancels++;
    run->figures.cancelled = true;
}

void run_figures(const struct run *run, struct run_figures *figures)
{
    *figures = run->figures;
}

enum run_group run_state_group(enum run_state state)
{
    return state < RUN_STARTING ? RUN_BEFORE : state <= RUN_LOAD ? RUN_LOADING : RUN_AFTER;
}

const char *run_state_name(enum run_state state)
{
    static const char *const names[RUN_STATE_COUNT] = {
        [RUN_RESOLVING] = "resolving", [RUN_LOAD] = "load", [RUN_REPORTING] = "reporting"};
    assert_non_null(names[state]);
    return names[state];
}

void run_observe(struct run *run, bool observed)
{
    run->is_observed = observed;
}

void run_take_recent(struct run *run, struct load_recent *recent)
{
    assert_true(run->is_observed);
    *recent = run->recent;
    run->recent = (struct load_recent){.count = 0};
}

bool run_has_begun(const struct run *run)
{
    return run->has_begun;
}

struct run_partial *run_partial_start(struct run *run, void (*done)(void *owner, struct blob *report),
                                      void *owner)
{
    assert_true(run->has_begun && !run->partial);
    run->partial = memory_zalloc(1, sizeof(*run->partial));
    *run->partial = (struct run_partial){.run = run, .done = done, .owner = owner};
    return run->partial;
}

static inline void runner_write_journal(void *owner)
{
    struct run_partial *journal = owner;
    struct term_builder builder = {0};
    run_build_journal(journal->run, &builder);
    struct blob *blob = blob_take(&builder.bytes, NULL);
    journal->run->journal = NULL;
    journal->done(journal->owner, blob);
    blob_release(blob);
    free(journal);
}

struct run_partial *run_journal_start(struct run *run, void (*done)(void *owner, struct blob *report),
                                      void *owner)
{
    assert_true(run->has_begun && !run->journal);
    struct run_partial *journal = run->journal = memory_zalloc(1, sizeof(*journal));
    *journal = (struct run_partial){.run = run, .done = done, .owner = owner};
    journal->step = (struct loop_task){.run = runner_write_journal, .owner = journal};
    loop_defer_piece(run->runner->loop, &journal->step);
    return journal;
}

void run_partial_cancel(struct run_partial *partial)
{
    loop_cancel(partial->run->runner->loop, &partial->step);
    if (partial == partial->run->journal)
        partial->run->journal = NULL;
    else
        partial->run->partial = NULL;
    free(partial);
}

/* #{journal => how many there were}. */
void run_build_journal(struct run *run, struct term_builder *builder)
{
    assert_true(run->has_begun);
    term_build_map(builder, 1);
    term_build_key_unsigned(builder, "journal", ++run->journals);
}

#endif
