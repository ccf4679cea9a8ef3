/* Whether all that is to be done may be, and to whom: each action is looked up before the load, as it will be
 * when it is injected. */
#include "base/log.h"
#include "faults_private.h"
#include "term/term_read.h"

static void plans_refuse(struct faults *faults, struct term what)
{
    log_info("faults refused", log_integer("run", (int64_t)faults->options.run_id),
             log_string("requester", faults->options.requester));
    faults->options.events->refused(faults->options.owner, what);
}

/* What would come of it, as it is told of one that is injected. */
static void plans_find_problem(const struct faults *faults, struct injection *plan)
{
    bool kills_nobody = rounds_kill_nobody(plan->action) && !misses_is_library_term(faults, plan->action);
    if (!plan->failure.size && (kills_nobody || plan->candidate_count + plan->node_count == 0))
        term_keep(&plan->failure, TERM_ATOM("noproc"));
    if (plan->action->allow_missing && term_is_atom(term_of(&plan->failure), "noproc"))
        buffer_free(&plan->failure);
}

static void plans_settle(struct faults *faults, struct injection *plan)
{
    struct term_builder refusal = {0};
    plan->state = INJECTION_ENDED;
    faults_keep_alive_ones(plan);
    if (plan->has_looked)
        plans_find_problem(faults, plan);
    if (refusals_of(faults, plan, &refusal))
        plans_refuse(faults, term_built(&refusal));
    if (faults->options.scenario->dry_run)
        injection_keep_names(plan);
    else
        injection_forget_search(plan);
    term_build_free(&refusal);
}

static void plans_found_one_more(struct faults *faults)
{
    if (faults->planning && --faults->planning == 0)
        faults->options.events->planned(faults->options.owner);
}

bool faults_refused(struct faults *faults)
{
    for (size_t i = 0; i < faults->options.scenario->action_count; i++) {
        struct term_builder refusal = {0};
        bool is_refused = refusals_of_action(faults, &faults->options.scenario->actions[i], &refusal);
        if (is_refused)
            plans_refuse(faults, term_built(&refusal));
        term_build_free(&refusal);
        if (is_refused)
            return true;
    }
    return false;
}

/* A dry run of a scenario with a setup has no subject. */
static bool plans_has_target(const struct faults *faults, const struct fault_action *action)
{
    return faults->options.subject->server.data || !faults->options.scenario->setup.data ||
           action->target.kind != FAULT_TARGET_SUBJECT;
}

bool faults_plan(struct faults *faults)
{
    size_t asked = 0;
    for (size_t i = 0; i < faults->options.scenario->action_count; i++) {
        const struct fault_action *action = &faults->options.scenario->actions[i];
        struct injection *plan = injection_new(action, (uint32_t)i, 0);
        plan->is_plan = true;
        injection_list_add(&faults->plans, plan);
        plan->has_looked = plans_has_target(faults, action);
        if (plan->has_looked && find_start(faults, plan))
            asked++;
        else
            plans_settle(faults, plan);
    }
    faults->planning = asked;
    return asked > 0;
}

void faults_plan_no_longer(struct faults *faults)
{
    for (struct injection *plan = faults->plans.first; plan; plan = plan->links[INJECTIONS_RECORDED].next) {
        if (plan->state == INJECTION_ENDED)
            continue;
        plan->state = INJECTION_ENDED;
        term_keep(&plan->failure, TERM_ATOM("timeout"));
    }
    faults->planning = 0;
}

void plans_found(struct faults *faults, struct injection *plan)
{
    plans_settle(faults, plan);
    plans_found_one_more(faults);
}
