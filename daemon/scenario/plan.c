#include "scenario/plan.h"

#include <math.h>

#include "base/clock.h"

uint64_t plan_duration_ns(const struct load_plan *load)
{
    uint64_t duration_ms = 0;
    for (size_t i = 0; i < load->stage_count; i++)
        duration_ms += load->stages[i].duration_ms;
    return duration_ms * CLOCK_NS_PER_MS;
}

uint64_t plan_most_threads(const struct load_plan *load)
{
    if (load->model == LOAD_OPEN)
        return load->max_in_flight;
    double most = (double)load->threads;
    for (size_t i = 0; i < load->stage_count; i++)
        most = fmax(most, load->stages[i].level);
    return (uint64_t)most;
}

/* A stage at some time: from one level to another within its duration. */
struct ramp {
    double from;
    double to;
    uint64_t start_ns;
    uint64_t duration_ns;
};

/* False after the last one. */
static bool plan_find_ramp(const struct load_plan *load, uint64_t at_ns, struct ramp *ramp)
{
    double before = 0;
    uint64_t start_ns = 0;
    for (size_t i = 0; i < load->stage_count; i++) {
        const struct plan_stage *stage = &load->stages[i];
        uint64_t duration_ns = stage->duration_ms * CLOCK_NS_PER_MS;
        if (at_ns - start_ns < duration_ns) {
            *ramp = (struct ramp){.from = load->is_linear ? before : stage->level,
                                  .to = stage->level,
                                  .start_ns = start_ns,
                                  .duration_ns = duration_ns};
            return true;
        }
        before = stage->level;
        start_ns += duration_ns;
    }
    return false;
}

static double plan_level_at(const struct ramp *ramp, uint64_t at_ns)
{
    return ramp->from +
           (ramp->to - ramp->from) * (double)(at_ns - ramp->start_ns) / (double)ramp->duration_ns;
}

uint64_t plan_threads_at(const struct load_plan *load, uint64_t at_ns)
{
    struct ramp ramp;
    if (!load->stage_count)
        return load->threads;
    if (!plan_find_ramp(load, at_ns, &ramp))
        return 0;
    double level = plan_level_at(&ramp, at_ns);
    if (ramp.to > ramp.from)
        return (uint64_t)fmin(floor(level) + 1, ramp.to);
    return (uint64_t)ceil(level);
}

uint64_t plan_next_change_ns(const struct load_plan *load, uint64_t at_ns)
{
    struct ramp ramp;
    if (!plan_find_ramp(load, at_ns, &ramp))
        return UINT64_MAX;
    uint64_t end_ns = ramp.start_ns + ramp.duration_ns;
    if (ramp.from == ramp.to)
        return end_ns;
    double level = plan_level_at(&ramp, at_ns);
    double next = ramp.to > ramp.from ? floor(level) + 1 : ceil(level) - 1;
    double part = (next - ramp.from) / (ramp.to - ramp.from);
    /* One more, lest rounding gives the same thread count again. */
    uint64_t change_ns = ramp.start_ns + (uint64_t)ceil(part * (double)ramp.duration_ns) + 1;
    if (change_ns <= at_ns)
        change_ns = at_ns + CLOCK_NS_PER_US;
    return change_ns < end_ns ? change_ns : end_ns;
}

static double plan_next_step(struct arrivals *arrivals)
{
    return arrivals->load->arrival == ARRIVAL_POISSON ? random_exponential(&arrivals->random) : 1.0;
}

void arrivals_init(struct arrivals *arrivals, const struct load_plan *load, uint64_t seed)
{
    *arrivals = (struct arrivals){.load = load};
    random_seed(&arrivals->random, seed);
    if (load->arrival == ARRIVAL_POISSON)
        arrivals->position = plan_next_step(arrivals);
    if (!load->is_linear)
        arrivals->from_level = load->stages[0].level;
}

static void plan_next_stage(struct arrivals *arrivals)
{
    const struct load_plan *load = arrivals->load;
    const struct plan_stage *ended = &load->stages[arrivals->stage];
    arrivals->stage_start_ns += ended->duration_ms * CLOCK_NS_PER_MS;
    arrivals->from_level = ended->level;
    if (++arrivals->stage < load->stage_count && !load->is_linear)
        arrivals->from_level = load->stages[arrivals->stage].level;
}

bool arrivals_next(struct arrivals *arrivals, uint64_t *at_ns)
{
    const struct load_plan *load = arrivals->load;
    for (; arrivals->stage < load->stage_count; plan_next_stage(arrivals)) {
        const struct plan_stage *stage = &load->stages[arrivals->stage];
        double seconds = (double)stage->duration_ms / 1000.0;
        double from = arrivals->from_level, position = arrivals->position;
        double expected = (from + stage->level) / 2 * seconds;
        if (position >= expected) {
            arrivals->position -= expected;
            continue;
        }
        /* The time t where from * t + slope / 2 * t * t is the position, written so that it loses no digits
         * where the slope is small. */
        double slope = (stage->level - from) / seconds;
        double root = sqrt(fmax(from * from + 2 * slope * position, 0));
        double at = position > 0 ? 2 * position / (from + root) : 0;
        *at_ns = arrivals->stage_start_ns + (uint64_t)(fmin(at, seconds) * (double)CLOCK_NS_PER_S);
        arrivals->position += plan_next_step(arrivals);
        return true;
    }
    return false;
}
