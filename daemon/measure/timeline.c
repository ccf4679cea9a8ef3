#include "measure/timeline.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

#define RESPONSE_DIGITS 2

struct timeline_mark {
    uint64_t at_ns;
    uint8_t *data;
    size_t size;
};

struct gauge {
    const char *key;
    bool last; /* the last value counts, else the largest */
};

static const struct gauge gauges[TIMELINE_GAUGES] = {
    [TIMELINE_IN_FLIGHT] = {"in_flight", false},      [TIMELINE_MAILBOX] = {"mailbox", false},
    [TIMELINE_MEMORY_BYTES] = {"memory_bytes", true}, [TIMELINE_RUN_QUEUE] = {"run_queue", false},
    [TIMELINE_LOOP_LAG_US] = {"loop_lag_us", false},
};

/* --- Intervals --- */

static void timeline_raise(struct timeline_interval *interval, enum timeline_gauge gauge, int64_t value)
{
    if (value >= 0 && (gauges[gauge].last || value > interval->gauges[gauge]))
        interval->gauges[gauge] = value;
}

static void timeline_clear_counts(struct timeline_interval *interval)
{
    interval->operations = 0;
    interval->dropped = 0;
    for (size_t i = 0; i < TIMELINE_GAUGES; i++)
        interval->gauges[i] = -1;
}

static void timeline_swap_intervals(struct timeline_interval *a, struct timeline_interval *b)
{
    struct timeline_interval kept = *a;
    *a = *b;
    *b = kept;
}

static void timeline_add_errors(struct timeline_interval *into, struct timeline_interval *from)
{
    if (!into->errors) {
        into->errors = from->errors;
        from->errors = NULL;
    }
    for (size_t i = 0; from->errors && i <= ERRORS_OTHER; i++) {
        into->errors[i] += from->errors[i];
        from->errors[i] = 0;
    }
}

static void timeline_add_cause(struct timeline_cause *into, const struct timeline_cause *from)
{
    into->us += from->us;
    if (from->most_us > into->most_us) {
        into->most_us = from->most_us;
        into->detail = from->detail;
    }
}

static void timeline_add_causes(struct timeline_interval *into, struct timeline_interval *from)
{
    if (!into->causes) {
        into->causes = from->causes;
        from->causes = NULL;
    }
    for (size_t i = 0; from->causes && i < CAUSE_COUNT; i++)
        timeline_add_cause(&into->causes[i], &from->causes[i]);
    free(from->causes);
    from->causes = NULL;
}

/* `from` is the later one and is empty then, but keeps its memory for what comes. */
static void timeline_absorb(struct timeline_interval *into, struct timeline_interval *from)
{
    into->operations += from->operations;
    into->dropped += from->dropped;
    timeline_add_errors(into, from);
    timeline_add_causes(into, from);
    histogram_add(&into->response, &from->response);
    histogram_reset(&from->response);
    for (size_t i = 0; i < TIMELINE_GAUGES; i++)
        timeline_raise(into, (enum timeline_gauge)i, from->gauges[i]);
    timeline_clear_counts(from);
}

/* Interval i becomes the sum of those at 2i and 2i + 1. Its own place is empty by then: it was one of an
 * earlier pair. */
static void timeline_merge(struct timeline *timeline)
{
    for (size_t i = 0; i < TIMELINE_INTERVALS / 2; i++) {
        if (i)
            timeline_swap_intervals(&timeline->intervals[i], &timeline->intervals[2 * i]);
        timeline_absorb(&timeline->intervals[i], &timeline->intervals[2 * i + 1]);
    }
    timeline->interval_ns *= 2;
}

static void timeline_set_current(struct timeline *timeline, size_t index)
{
    timeline->count = index + 1;
    timeline->end_ns = timeline->start_ns + timeline->count * timeline->interval_ns;
}

static void timeline_advance(struct timeline *timeline, uint64_t now_ns)
{
    uint64_t since = now_ns - timeline->start_ns;
    while (since / timeline->interval_ns >= TIMELINE_INTERVALS)
        timeline_merge(timeline);
    timeline_set_current(timeline, since / timeline->interval_ns);
}

static struct timeline_interval *timeline_current(struct timeline *timeline, uint64_t now_ns)
{
    if (now_ns >= timeline->end_ns)
        timeline_advance(timeline, now_ns);
    return &timeline->intervals[timeline->count - 1];
}

void timeline_init(struct timeline *timeline, uint64_t start_ns)
{
    *timeline = (struct timeline){.start_ns = start_ns, .interval_ns = TIMELINE_FIRST_NS};
    timeline->intervals = memory_zalloc(TIMELINE_INTERVALS, sizeof(*timeline->intervals));
    for (size_t i = 0; i < TIMELINE_INTERVALS; i++) {
        timeline_clear_counts(&timeline->intervals[i]);
        histogram_init(&timeline->intervals[i].response, RESPONSE_DIGITS);
    }
    timeline_set_current(timeline, 0);
}

void timeline_free(struct timeline *timeline)
{
    for (size_t i = 0; timeline->intervals && i < TIMELINE_INTERVALS; i++) {
        free(timeline->intervals[i].errors);
        free(timeline->intervals[i].causes);
        histogram_free(&timeline->intervals[i].response);
    }
    for (size_t i = 0; i < timeline->mark_count; i++)
        free(timeline->marks[i].data);
    free(timeline->intervals);
    free(timeline->marks);
    *timeline = (struct timeline){0};
}

/* --- What happens --- */

void timeline_record(struct timeline *timeline, uint64_t now_ns, uint64_t response_us, size_t reason,
                     uint64_t in_flight)
{
    struct timeline_interval *interval = timeline_current(timeline, now_ns);
    interval->operations++;
    if (response_us != TIMELINE_NO_LATENCY)
        histogram_record(&interval->response, response_us);
    if (reason != TIMELINE_NO_ERROR) {
        assert(reason <= ERRORS_OTHER);
        if (!interval->errors)
            interval->errors = memory_zalloc(ERRORS_REASONS + 1, sizeof(*interval->errors));
        interval->errors[reason]++;
    }
    timeline_raise(interval, TIMELINE_IN_FLIGHT, (int64_t)in_flight);
}

void timeline_drop(struct timeline *timeline, uint64_t now_ns, uint64_t count)
{
    timeline_current(timeline, now_ns)->dropped += count;
}

void timeline_observe(struct timeline *timeline, uint64_t now_ns, enum timeline_gauge gauge, int64_t value)
{
    timeline_raise(timeline_current(timeline, now_ns), gauge, value);
}

void timeline_look_for_causes(struct timeline *timeline, const struct stacks *stacks)
{
    timeline->stacks = stacks;
}

/* That in which something has happened before; the first for what was before all of them. */
static struct timeline_interval *timeline_past(struct timeline *timeline, uint64_t at_ns)
{
    uint64_t since = at_ns > timeline->start_ns ? at_ns - timeline->start_ns : 0;
    struct timeline_interval *current = timeline_current(timeline, at_ns);
    struct timeline_interval *past = &timeline->intervals[since / timeline->interval_ns];
    return past < current ? past : current;
}

void timeline_explain(struct timeline *timeline, uint64_t at_ns, const struct cause_share *share)
{
    struct timeline_interval *interval = timeline_past(timeline, at_ns);
    if (!interval->causes)
        interval->causes = memory_zalloc(CAUSE_COUNT, sizeof(*interval->causes));
    timeline_add_cause(&interval->causes[share->cause],
                       &(struct timeline_cause){share->us, share->us, share->detail});
}

const char *timeline_gauge_text(enum timeline_gauge gauge)
{
    return gauges[gauge].key;
}

void timeline_mark(struct timeline *timeline, uint64_t now_ns, struct term term)
{
    (void)timeline_current(timeline, now_ns);
    if (timeline->mark_count == TIMELINE_MARKS || term.size > TIMELINE_MARK_BYTES) {
        timeline->marks_dropped++;
        return;
    }
    if (!timeline->marks)
        timeline->marks = memory_zalloc(TIMELINE_MARKS, sizeof(*timeline->marks));
    timeline->marks[timeline->mark_count++] =
        (struct timeline_mark){.at_ns = now_ns, .data = memory_copy(term.data, term.size), .size = term.size};
}

/* --- The report --- */

static void timeline_build_errors(struct term_builder *builder, const struct timeline_interval *interval,
                                  const struct errors *errors)
{
    term_build_key(builder, "errors");
    if (interval->errors)
        errors_build_counts(errors, interval->errors, builder);
    else
        term_build_map(builder, 0);
}

/* What has taken most of it and is not among those that are `told`; CAUSE_COUNT: nothing has. */
static enum cause timeline_worst_cause(const struct timeline_cause causes[CAUSE_COUNT], unsigned told)
{
    enum cause worst = CAUSE_COUNT;
    for (enum cause i = 0; i < CAUSE_COUNT; i++)
        if (causes[i].us && !(told & CAUSE_BIT(i)) &&
            (worst == CAUSE_COUNT || causes[i].us > causes[worst].us))
            worst = i;
    return worst;
}

static void timeline_build_causes(struct term_builder *builder, const struct timeline_cause *causes,
                                  const struct stacks *stacks)
{
    unsigned told = 0;
    size_t count = 0;
    term_build_key(builder, "causes");
    if (!stacks) {
        term_build_atom(builder, "nil");
        return;
    }
    for (size_t i = 0; causes && i < CAUSE_COUNT; i++)
        count += causes[i].us > 0;
    term_build_list(builder, count);
    for (size_t i = 0; i < count; i++) {
        enum cause cause = timeline_worst_cause(causes, told);
        struct cause_share share = {cause, causes[cause].us, causes[cause].detail};
        cause_build(&share, stacks, builder);
        told |= CAUSE_BIT(cause);
    }
    if (count)
        term_build_nil(builder);
}

static void timeline_build_response(struct term_builder *builder, const struct histogram *response)
{
    bool known = response->count > 0;
    term_build_key_known(builder, "p50_us", known, histogram_quantile(response, 0.5));
    term_build_key_known(builder, "p99_us", known, histogram_quantile(response, 0.99));
    term_build_key_known(builder, "max_us", known, response->max);
}

/* The marks from `first` on before `end_ns`; the first one after them is returned. */
static size_t timeline_build_marks(struct term_builder *builder, const struct timeline *timeline,
                                   size_t first, uint64_t end_ns)
{
    size_t end = first;
    while (end < timeline->mark_count && timeline->marks[end].at_ns < end_ns)
        end++;
    term_build_key(builder, "marks");
    term_build_list(builder, end - first);
    for (size_t i = first; i < end; i++)
        term_build_term(builder, (struct term){timeline->marks[i].data, timeline->marks[i].size});
    if (end > first)
        term_build_nil(builder);
    return end;
}

/* Rounded up and never 0, so that rates can be made of it. */
static uint64_t timeline_seen_ms(uint64_t begin_ns, uint64_t end_ns)
{
    return end_ns > begin_ns ? (end_ns - begin_ns - 1) / CLOCK_NS_PER_MS + 1 : 1;
}

void timeline_build(struct timeline *timeline, const struct errors *errors, uint64_t now_ns,
                    struct term_builder *builder)
{
    enum { COUNTS = 4, RESPONSE = 3, ERRORS = 1, CAUSES = 1, MARKS = 1 };
    size_t next_mark = 0;
    if (now_ns > timeline->end_ns)
        timeline_advance(timeline, now_ns - 1); /* one that begins right now has not been yet */
    term_build_list(builder, timeline->count);
    for (size_t i = 0; i < timeline->count; i++) {
        const struct timeline_interval *interval = &timeline->intervals[i];
        uint64_t begin_ns = timeline->start_ns + i * timeline->interval_ns;
        uint64_t end_ns = begin_ns + timeline->interval_ns;
        term_build_map(builder, COUNTS + RESPONSE + ERRORS + TIMELINE_GAUGES + CAUSES + MARKS);
        term_build_key_unsigned(builder, "at_ms", (begin_ns - timeline->start_ns) / CLOCK_NS_PER_MS);
        term_build_key_unsigned(builder, "interval_ms",
                                timeline_seen_ms(begin_ns, now_ns < end_ns ? now_ns : end_ns));
        term_build_key_unsigned(builder, "operations", interval->operations);
        term_build_key_unsigned(builder, "dropped", interval->dropped);
        timeline_build_errors(builder, interval, errors);
        timeline_build_response(builder, &interval->response);
        for (size_t j = 0; j < TIMELINE_GAUGES; j++)
            term_build_key_known(builder, gauges[j].key, interval->gauges[j] >= 0,
                                 (uint64_t)interval->gauges[j]);
        timeline_build_causes(builder, interval->causes, timeline->stacks);
        next_mark = timeline_build_marks(builder, timeline, next_mark, end_ns);
    }
    term_build_nil(builder);
}
