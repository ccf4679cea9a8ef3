#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "faults_private.h"
#include "term/term_read.h"

static void rounds_take_out(struct faults *faults, struct campaign *campaign)
{
    struct campaign **link = &faults->campaigns;
    while (*link != campaign)
        link = &(*link)->next;
    *link = campaign->next;
    faults->campaign_count--;
    buffer_free(&campaign->children);
    free(campaign);
}

/* The report of the library. */
static void rounds_build_report(const struct faults *faults, const struct campaign *campaign,
                                struct term_builder *builder)
{
    term_build_map(builder, 4);
    term_build_key(builder, "killed");
    term_build_unsigned(builder, campaign->killed);
    term_build_key(builder, "restarted");
    term_build_unsigned(builder, campaign->restarted);
    term_build_key(builder, "supervisor_crashed");
    term_build_boolean(builder, campaign->was_alive && !campaign->is_alive);
    term_build_key(builder, "duration_ms");
    term_build_unsigned(builder, (faults_now(faults) - campaign->started_ns) / CLOCK_NS_PER_MS);
}

static void rounds_finish(struct faults *faults, struct campaign *campaign)
{
    struct term_builder report = {0};
    uint32_t index = campaign->index;
    rounds_build_report(faults, campaign, &report);
    rounds_take_out(faults, campaign);
    faults_release(faults, index, term_built(&report));
    term_build_free(&report);
}

void rounds_start(struct faults *faults, const struct fault_action *action, uint32_t index,
                  uint64_t occurrence)
{
    struct campaign *campaign = memory_zalloc(1, sizeof(*campaign));
    campaign->action = action;
    campaign->index = index;
    campaign->occurrence = occurrence;
    campaign->started_ns = faults_now(faults);
    campaign->ends_ns =
        campaign->started_ns + (uint64_t)action->values[FAULT_DURATION_MS].integer * CLOCK_NS_PER_MS;
    occurrence_random(&campaign->random, faults->options.seed, index, occurrence, OCCURRENCE_TARGET);
    campaign->next = faults->campaigns;
    faults->campaigns = campaign;
    if (++faults->campaign_count >= INJECTIONS_MOST)
        faults->overflows = true;
    faults->turns[index].running++;
    rounds_next(faults, campaign);
}

void rounds_next(struct faults *faults, struct campaign *campaign)
{
    struct injection *injection =
        faults_new_injection(faults, campaign->action, campaign->index, campaign->occurrence);
    injection->campaign = campaign;
    injection->due_ns = faults_now(faults);
    campaign->due_ns = UINT64_MAX;
    if (!find_start(faults, injection))
        faults_found(faults, injection);
}

/* --- How many children were restarted --- */

struct child {
    struct term id;
    struct term pid;
};

static int rounds_compare_terms(struct term a, struct term b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int rounds_compare_children(const void *first, const void *second)
{
    const struct child *a = first, *b = second;
    int order = rounds_compare_terms(a->id, b->id);
    return order ? order : rounds_compare_terms(a->pid, b->pid);
}

/* Those that are alive, in order; the caller's to free. */
static struct child *rounds_sort_children(const struct injection *injection, size_t *count)
{
    struct child *children = memory_zalloc(injection->candidate_count, sizeof(*children));
    *count = 0;
    for (size_t i = 0; i < injection->candidate_count; i++) {
        const struct candidate *candidate = &injection->candidates[i];
        if (term_type(candidate->pid) == TERM_PID)
            children[(*count)++] = (struct child){candidate->id, candidate->pid};
    }
    qsort(children, *count, sizeof(*children), rounds_compare_children);
    return children;
}

static size_t rounds_smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* As the library does: of each id as many as are gone and have others in their place, whoever has ended them.
 */
static uint64_t rounds_count_replaced(const struct child *before, size_t before_count,
                                      const struct child *now, size_t now_count)
{
    uint64_t replaced = 0;
    size_t i = 0, j = 0, gone = 0, new = 0;
    struct term id = {0};
    while (i < before_count || j < now_count) {
        int order = i == before_count ? 1
                    : j == now_count  ? -1
                                      : rounds_compare_children(&before[i], &now[j]);
        const struct child *next = order <= 0 ? &before[i] : &now[j];
        if (!id.data || rounds_compare_terms(id, next->id) != 0) {
            replaced += rounds_smaller(gone, new);
            gone = new = 0;
            id = next->id;
        }
        gone += order < 0;
        new += order > 0;
        i += order <= 0;
        j += order >= 0;
    }
    return replaced + rounds_smaller(gone, new);
}

/* [{Id, Pid}], in order. */
static void rounds_remember_children(struct campaign *campaign, const struct injection *injection)
{
    struct term_builder list = {0};
    size_t count;
    struct child *children = rounds_sort_children(injection, &count);
    term_build_list(&list, count);
    for (size_t i = 0; i < count; i++) {
        term_build_tuple(&list, 2);
        term_build_term(&list, children[i].id);
        term_build_term(&list, children[i].pid);
    }
    if (count)
        term_build_nil(&list);
    term_keep(&campaign->children, term_built(&list));
    term_build_free(&list);
    free(children);
}

static void rounds_count_restarted(struct campaign *campaign, const struct injection *injection)
{
    struct term_list list;
    struct term element, pair[2];
    size_t before_count = 0, now_count;
    if (!campaign->children.size || !term_list_start(&list, term_of(&campaign->children)))
        return;
    struct child *before = memory_zalloc(list.count, sizeof(*before));
    while (term_list_next(&list, &element))
        if (term_read_tuple_of(element, 2, pair))
            before[before_count++] = (struct child){pair[0], pair[1]};
    struct child *now = rounds_sort_children(injection, &now_count);
    campaign->restarted += rounds_count_replaced(before, before_count, now, now_count);
    free(before);
    free(now);
    buffer_free(&campaign->children);
}

/* --- Whom a round kills --- */

/* Of all children, alive or not, that share, but one at least. */
static size_t rounds_kill_count(const struct campaign *campaign, size_t children)
{
    double rate = campaign->action->values[FAULT_KILL_RATE].number;
    size_t count = (size_t)((double)children * rate);
    if (!children || rate <= 0)
        return 0;
    if (!count)
        count = 1;
    return count < children ? count : children;
}

/* Leaves those that are drawn and alive. */
static void rounds_draw_victims(struct campaign *campaign, struct injection *injection)
{
    size_t count = injection->candidate_count, wanted = rounds_kill_count(campaign, count), kept = 0;
    size_t *order = memory_alloc(count * sizeof(*order));
    struct candidate *drawn = memory_zalloc(wanted, sizeof(*drawn));
    occurrence_draw(&campaign->random, order, count, wanted);
    for (size_t i = 0; i < wanted; i++)
        if (term_type(injection->candidates[order[i]].pid) == TERM_PID)
            drawn[kept++] = injection->candidates[order[i]];
    free(order);
    free(injection->candidates);
    injection->candidates = drawn;
    injection->candidate_count = kept;
}

/* The campaign is over with this look at the children, whose outcome stays on record. */
static void rounds_end(struct faults *faults, struct campaign *campaign, struct injection *injection)
{
    injection->campaign = NULL;
    injection->released = true; /* the chaos waits for the campaign */
    faults_end(faults, injection);
    rounds_finish(faults, campaign);
}

bool rounds_kill_nobody(const struct fault_action *action)
{
    return action->kind->doing == FAULT_KILL_ROUNDS &&
           (action->values[FAULT_KILL_RATE].number <= 0 || action->values[FAULT_DURATION_MS].integer == 0);
}

/* Its time is over, or the run's. To kill nobody may be asked for as the library takes it. */
static void rounds_end_in_time(struct faults *faults, struct campaign *campaign, struct injection *injection)
{
    bool was_to_kill =
        !rounds_kill_nobody(campaign->action) || !misses_is_library_term(faults, campaign->action);
    if (was_to_kill && !faults->stopped && !campaign->killed) {
        injection_outcome(injection, FAULT_NOPROC); /* there never were any */
        rounds_end(faults, campaign, injection);
        return;
    }
    faults_drop(faults, injection);
    rounds_finish(faults, campaign);
}

/* The first look tells whether there is a supervisor at all. */
static bool rounds_fails_at_once(struct faults *faults, struct campaign *campaign,
                                 struct injection *injection)
{
    bool failed = !injection->supervisor_pid.data;
    campaign->is_alive = !failed;
    if (campaign->rounds++ || !failed)
        return false;
    if (!term_is_atom(term_of(&injection->failure), "noproc"))
        injection_outcome_term(injection, FAULT_ERROR, term_of(&injection->failure));
    if (misses_is_library_term(faults, campaign->action))
        faults_fail(faults, term_of(&injection->failure));
    injection_outcome(injection, FAULT_NOPROC);
    rounds_end(faults, campaign, injection);
    return true;
}

void rounds_found(struct faults *faults, struct injection *injection)
{
    struct campaign *campaign = injection->campaign;
    struct term_builder refusal = {0};
    uint64_t now = faults_now(faults);
    if (rounds_fails_at_once(faults, campaign, injection))
        return;
    if (campaign->rounds == 1)
        campaign->was_alive = true;
    rounds_count_restarted(campaign, injection);
    if (injection->due_ns >= campaign->ends_ns || faults->stopped) {
        rounds_end_in_time(faults, campaign, injection);
        return;
    }
    campaign->due_ns =
        now + (uint64_t)campaign->action->values[FAULT_KILL_INTERVAL_MS].integer * CLOCK_NS_PER_MS;
    if (refusals_of(faults, injection, &refusal)) {
        injection_outcome_term(injection, FAULT_NOT_ALLOWED, term_built(&refusal));
        rounds_end(faults, campaign, injection); /* worked on at once, before whatever is due later */
        term_build_free(&refusal);
        return;
    }
    rounds_remember_children(campaign, injection);
    rounds_draw_victims(campaign, injection);
    campaign->killed += injection->candidate_count;
    if (!injection->candidate_count)
        buffer_free(&campaign->children);
    injection_keep_names(injection);
    if (injection->candidate_count)
        act_start(faults, injection);
    else
        faults_drop(faults, injection);
    turns_arm(faults);
}

void rounds_stop(struct faults *faults)
{
    while (faults->campaigns) {
        struct campaign *campaign = faults->campaigns;
        for (struct injection *injection = faults->active.first; injection;
             injection = injection->links[INJECTIONS_ACTIVE].next)
            if (injection->campaign == campaign)
                injection->campaign = NULL;
        rounds_finish(faults, campaign);
    }
}

void rounds_free(struct faults *faults)
{
    while (faults->campaigns)
        rounds_take_out(faults, faults->campaigns);
}
