/* What holds for every scenario, for the fuzzers of those that read them. */
#ifndef HARNESSD_TESTS_SCENARIO_CHECK_H
#define HARNESSD_TESTS_SCENARIO_CHECK_H

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "scenario/scenario_term.h"
#include "term/term_check.h"

static const struct term_limits limits = {.depth = 200, .count = 1000000};

static inline struct term built(const struct term_builder *builder)
{
    struct term term;
    size_t used;
    bool canonical;
    bool done = term_build_done(builder, &term);
    assert(done);
    enum term_problem problem = term_check(term.data, term.size, &limits, &used, &canonical);
    assert(problem == TERM_OK && used == term.size && canonical);
    return term;
}

/* There is a scenario, or there are problems, which are a term that a node takes. They are freed. */
static inline void check_problems(const struct scenario *scenario, struct problems *problems)
{
    assert((scenario == NULL) == (problems->count > 0));
    assert(problems->depth == 0);
    if (problems->count) {
        struct term_builder builder = {0};
        problems_build(problems, &builder);
        (void)built(&builder);
        term_build_free(&builder);
    }
    problems_free(problems);
}

static inline struct scenario *read_term(struct term term)
{
    struct problems problems = {0};
    const struct scenario_origin origin = {.caller_node = "app@caller", .own_node = "harness@own"};
    struct scenario *scenario = scenario_term_read(term, &origin, &problems);
    check_problems(scenario, &problems);
    return scenario;
}

static inline void check_scripts(const struct scenario *scenario)
{
    size_t next = 0;
    for (size_t i = 0; i < scenario->thread_count; i++) {
        assert(scenario->threads[i].first == next);
        next += scenario->threads[i].count;
    }
    assert(next == scenario->operation_count);
}

/* The threads that a load may have are those that it says, and its arrivals come in order. */
static inline void check_load(const struct scenario *scenario)
{
    const struct load_plan *load = &scenario->load;
    uint64_t end_ns = plan_duration_ns(load), last_ns = 0, at_ns = 0;
    assert(scenario->operation_count && !scenario->threads);
    assert((end_ns > 0) == (load->iterations == 0));
    for (size_t i = 0; scenario->mix && i < scenario->operation_count; i++)
        assert(scenario->mix[i] >= scenario->weights[i] && scenario->weights[i] > 0);
    for (int i = 0; load->model == LOAD_CLOSED && i < 100; i++) {
        assert(plan_threads_at(load, at_ns) <= scenario->thread_count);
        uint64_t next_ns = plan_next_change_ns(load, at_ns);
        assert(next_ns > at_ns);
        if (next_ns == UINT64_MAX)
            break;
        at_ns = next_ns;
    }
    struct arrivals arrivals;
    if (load->model == LOAD_OPEN)
        arrivals_init(&arrivals, load, 1);
    for (int i = 0; load->model == LOAD_OPEN && i < 100 && arrivals_next(&arrivals, &at_ns); i++) {
        assert(at_ns >= last_ns && at_ns <= end_ns);
        last_ns = at_ns;
    }
}

static inline void check(const struct scenario *scenario)
{
    assert(scenario->target_count && scenario->thread_count);
    if (scenario->load.model == LOAD_SCRIPTS)
        check_scripts(scenario);
    else
        check_load(scenario);
    for (size_t i = 0; !scenario->setup.data && i < scenario->target_count; i++)
        assert(node_name_is_valid(scenario->targets[i].node, strlen(scenario->targets[i].node)));
}

static inline void read_normalised(const struct scenario *scenario)
{
    struct term_builder first = {0}, second = {0};
    scenario_term_build(scenario, &first);
    struct scenario *again = read_term(built(&first));
    assert(again);
    check(again);
    assert(again->target_count == scenario->target_count);
    for (size_t i = 0; i < scenario->target_count; i++)
        assert(again->targets[i].kind == scenario->targets[i].kind);
    scenario_term_build(again, &second);
    assert(term_same(built(&first), built(&second)));
    scenario_free(again);
    term_build_free(&first);
    term_build_free(&second);
}

#endif
