#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "chaos.h"
#include "term/term_read.h"

static void forget_victims(struct campaign *campaign)
{
    for (size_t i = 0; i < campaign->victim_count; i++)
        buffer_free(&campaign->victims[i]);
    free(campaign->victims);
    campaign->victims = NULL;
    campaign->victim_count = 0;
}

static void take_out(struct run_chaos *chaos, struct campaign *campaign)
{
    struct campaign **link = &chaos->campaigns;
    while (*link != campaign)
        link = &(*link)->next;
    *link = campaign->next;
    chaos->campaign_count--;
    forget_victims(campaign);
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

void chaos_campaign_start(struct run_chaos *chaos, const struct chaos_action *action, uint32_t index,
                          uint64_t occurrence)
{
    struct campaign *campaign = memory_zalloc(1, sizeof(*campaign));
    campaign->action = action;
    campaign->index = index;
    campaign->occurrence = occurrence;
    campaign->started_ns = clock_ns();
    campaign->ends_ns =
        campaign->started_ns + (uint64_t)action->values[CHAOS_DURATION_MS].integer * CLOCK_NS_PER_MS;
    schedule_random(&campaign->random, chaos->run->seed, index, occurrence, SCHEDULE_TARGET);
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

/* Of children with the same id, as a dynamic supervisor has them, the library looks at the first alone. */
static bool is_restarted(const struct injection *injection, struct term victim)
{
    struct term parts[2];
    if (!term_read_tuple_of(victim, 2, parts))
        return false;
    for (size_t i = 0; i < injection->candidate_count; i++) {
        const struct candidate *child = &injection->candidates[i];
        if (term_same(child->id, parts[0]))
            return term_type(child->pid) == TERM_PID && !term_same(child->pid, parts[1]);
    }
    return false;
}

static void count_restarted(struct campaign *campaign, const struct injection *injection)
{
    for (size_t i = 0; i < campaign->victim_count; i++)
        campaign->restarted += is_restarted(injection, buffer_term(&campaign->victims[i]));
    forget_victims(campaign);
}

/* Of all children, alive or not, that share, but one at least. */
static size_t kill_count(const struct campaign *campaign, size_t children)
{
    double rate = campaign->action->values[CHAOS_KILL_RATE].number;
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
    schedule_draw(&campaign->random, order, count, wanted);
    for (size_t i = 0; i < wanted; i++)
        if (term_type(injection->candidates[order[i]].pid) == TERM_PID)
            drawn[kept++] = injection->candidates[order[i]];
    free(order);
    free(injection->candidates);
    injection->candidates = drawn;
    injection->candidate_count = kept;
}

static void remember_victims(struct campaign *campaign, const struct injection *injection)
{
    campaign->victim_count = injection->candidate_count;
    campaign->victims = memory_zalloc(campaign->victim_count, sizeof(*campaign->victims));
    for (size_t i = 0; i < campaign->victim_count; i++) {
        struct term_builder victim = {0};
        term_build_tuple(&victim, 2);
        term_build_term(&victim, injection->candidates[i].id);
        term_build_term(&victim, injection->candidates[i].pid);
        run_keep(&campaign->victims[i], term_built(&victim));
        term_build_free(&victim);
    }
}

/* The first look tells whether there is a supervisor at all. */
static bool fails_at_once(struct run_chaos *chaos, struct campaign *campaign, struct injection *injection)
{
    bool failed = !injection->supervisor_pid.data;
    campaign->is_alive = !failed;
    if (campaign->rounds++ || !failed)
        return false;
    injection_outcome_term(injection, "error", buffer_term(&injection->failure));
    chaos_fail(chaos, buffer_term(&injection->failure));
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
        now + (uint64_t)campaign->action->values[CHAOS_KILL_INTERVAL_MS].integer * CLOCK_NS_PER_MS;
    if (chaos_forbids(chaos, injection, &refusal)) {
        injection_outcome_term(injection, "not_allowed", term_built(&refusal));
        injection->campaign = NULL;
        chaos_end(chaos, injection);
        finish(chaos, campaign);
    } else {
        draw_victims(campaign, injection);
        campaign->killed += injection->candidate_count;
        remember_victims(campaign, injection);
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
