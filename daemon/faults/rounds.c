#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "faults_private.h"
#include "term/term_read.h"

static void take_out(struct run_chaos *chaos, struct campaign *campaign)
{
    struct campaign **link = &chaos->campaigns;
    while (*link != campaign)
        link = &(*link)->next;
    *link = campaign->next;
    chaos->campaign_count--;
    buffer_free(&campaign->children);
    free(campaign);
}

/* The report of the library. */
static void build_report(const struct campaign *campaign, struct term_builder *builder)
{
    term_build_map(builder, 4);
    term_build_key(builder, "killed");
    term_build_unsigned(builder, campaign->killed);
    term_build_key(builder, "restarted");
    term_build_unsigned(builder, campaign->restarted);
    term_build_key(builder, "supervisor_crashed");
    term_build_boolean(builder, campaign->was_alive && !campaign->is_alive);
    term_build_key(builder, "duration_ms");
    term_build_unsigned(builder, (clock_ns() - campaign->started_ns) / CLOCK_NS_PER_MS);
}

static void finish(struct run_chaos *chaos, struct campaign *campaign)
{
    struct term_builder report = {0};
    uint32_t index = campaign->index;
    build_report(campaign, &report);
    take_out(chaos, campaign);
    chaos_release(chaos, index, term_built(&report));
    term_build_free(&report);
}

void chaos_campaign_start(struct run_chaos *chaos, const struct fault_action *action, uint32_t index,
                          uint64_t occurrence)
{
    struct campaign *campaign = memory_zalloc(1, sizeof(*campaign));
    campaign->action = action;
    campaign->index = index;
    campaign->occurrence = occurrence;
    campaign->started_ns = clock_ns();
    campaign->ends_ns =
        campaign->started_ns + (uint64_t)action->values[FAULT_DURATION_MS].integer * CLOCK_NS_PER_MS;
    occurrence_random(&campaign->random, chaos->run->seed, index, occurrence, OCCURRENCE_TARGET);
    campaign->next = chaos->campaigns;
    chaos->campaigns = campaign;
    if (++chaos->campaign_count >= INJECTIONS_MOST)
        chaos->overflows = true;
    chaos->turns[index].running++;
    chaos_campaign_round(chaos, campaign);
}

void chaos_campaign_round(struct run_chaos *chaos, struct campaign *campaign)
{
    struct injection *injection =
        chaos_new_injection(chaos, campaign->action, campaign->index, campaign->occurrence);
    injection->campaign = campaign;
    injection->due_ns = clock_ns();
    campaign->due_ns = UINT64_MAX;
    if (!chaos_find(chaos, injection))
        chaos_found(chaos, injection);
}

/* --- How many children were restarted --- */

struct child {
    struct term id;
    struct term pid;
};

static int compare_terms(struct term a, struct term b)
{
    int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_children(const void *first, const void *second)
{
    const struct child *a = first, *b = second;
    int order = compare_terms(a->id, b->id);
    return order ? order : compare_terms(a->pid, b->pid);
}

/* Those that are alive, in order; the caller's to free. */
static struct child *sort_children(const struct injection *injection, size_t *count)
{
    struct child *children = memory_zalloc(injection->candidate_count, sizeof(*children));
    *count = 0;
    for (size_t i = 0; i < injection->candidate_count; i++) {
        const struct candidate *candidate = &injection->candidates[i];
        if (term_type(candidate->pid) == TERM_PID)
            children[(*count)++] = (struct child){candidate->id, candidate->pid};
    }
    qsort(children, *count, sizeof(*children), compare_children);
    return children;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* As the library does: of each id as many as are gone and have others in their place, whoever has ended them.
 */
static uint64_t count_replaced(const struct child *before, size_t before_count, const struct child *now,
                               size_t now_count)
{
    uint64_t replaced = 0;
    size_t i = 0, j = 0, gone = 0, new = 0;
    struct term id = {0};
    while (i < before_count || j < now_count) {
        int order = i == before_count ? 1 : j == now_count ? -1 : compare_children(&before[i], &now[j]);
        const struct child *next = order <= 0 ? &before[i] : &now[j];
        if (!id.data || compare_terms(id, next->id) != 0) {
            replaced += smaller(gone, new);
            gone = new = 0;
            id = next->id;
        }
        gone += order < 0;
        new += order > 0;
        i += order <= 0;
        j += order >= 0;
    }
    return replaced + smaller(gone, new);
}

/* [{Id, Pid}], in order. */
static void remember_children(struct campaign *campaign, const struct injection *injection)
{
    struct term_builder list = {0};
    size_t count;
    struct child *children = sort_children(injection, &count);
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

static void count_restarted(struct campaign *campaign, const struct injection *injection)
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
    struct child *now = sort_children(injection, &now_count);
    campaign->restarted += count_replaced(before, before_count, now, now_count);
    free(before);
    free(now);
    buffer_free(&campaign->children);
}

/* --- Whom a round kills --- */

/* Of all children, alive or not, that share, but one at least. */
static size_t kill_count(const struct campaign *campaign, size_t children)
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
static void draw_victims(struct campaign *campaign, struct injection *injection)
{
    size_t count = injection->candidate_count, wanted = kill_count(campaign, count), kept = 0;
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

/* The first look tells whether there is a supervisor at all. */
static bool fails_at_once(struct run_chaos *chaos, struct campaign *campaign, struct injection *injection)
{
    bool failed = !injection->supervisor_pid.data;
    campaign->is_alive = !failed;
    if (campaign->rounds++ || !failed)
        return false;
    injection_outcome_term(injection, "error", term_of(&injection->failure));
    chaos_fail(chaos, term_of(&injection->failure));
    injection->campaign = NULL;
    chaos_end(chaos, injection);
    finish(chaos, campaign);
    return true;
}

void chaos_campaign_found(struct run_chaos *chaos, struct injection *injection)
{
    struct campaign *campaign = injection->campaign;
    struct term_builder refusal = {0};
    uint64_t now = clock_ns();
    if (fails_at_once(chaos, campaign, injection))
        return;
    if (campaign->rounds == 1)
        campaign->was_alive = true;
    count_restarted(campaign, injection);
    if (injection->due_ns >= campaign->ends_ns || chaos->stopped) {
        chaos_drop(chaos, injection);
        finish(chaos, campaign);
        return;
    }
    campaign->due_ns =
        now + (uint64_t)campaign->action->values[FAULT_KILL_INTERVAL_MS].integer * CLOCK_NS_PER_MS;
    if (chaos_forbids(chaos, injection, &refusal)) {
        injection_outcome_term(injection, "not_allowed", term_built(&refusal));
        injection->campaign = NULL;
        chaos_end(chaos, injection);
        finish(chaos, campaign);
    } else {
        remember_children(campaign, injection);
        draw_victims(campaign, injection);
        campaign->killed += injection->candidate_count;
        if (!injection->candidate_count)
            buffer_free(&campaign->children);
        if (injection->candidate_count)
            chaos_act(chaos, injection);
        else
            chaos_drop(chaos, injection);
    }
    term_build_free(&refusal);
    chaos_arm(chaos);
}

void chaos_campaigns_stop(struct run_chaos *chaos)
{
    while (chaos->campaigns) {
        struct campaign *campaign = chaos->campaigns;
        for (struct injection *injection = chaos->active.first; injection;
             injection = injection->links[INJECTIONS_ACTIVE].next)
            if (injection->campaign == campaign)
                injection->campaign = NULL;
        finish(chaos, campaign);
    }
}

void chaos_campaigns_free(struct run_chaos *chaos)
{
    while (chaos->campaigns)
        take_out(chaos, chaos->campaigns);
}
