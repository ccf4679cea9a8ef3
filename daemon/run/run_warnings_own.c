/* What weakens the verdict on a run on the side of this daemon and its machine: a load that was not the one
 * that was asked for, times that are not those of the server alone, and its own limits. */
#include "measure/quantile_interval.h"
#include "run_limits_private.h"
#include "run_private.h"
#include "run_warnings_private.h"

/* The loop was the bottleneck when it had next to no time left, in a load that is long enough to say so, when
 * it was late for a part of the load that the percentiles show, or when so much of the p99 is its own, of as
 * many operations as can tell what that is. */
#define WARNINGS_BUSY_SHARE 0.95
#define WARNINGS_BUSY_NS CLOCK_NS_PER_S
#define WARNINGS_LATE_SHARE 0.01
#define WARNINGS_LATE_NS (50 * CLOCK_NS_PER_MS)
#define WARNINGS_OWN_SHARE 0.1

/* With less to do than this it is late as the machine is. */
#define WARNINGS_MUCH_SHARE 0.7

/* So much of a p99 may be its own where nothing keeps it from its work. */
#define WARNINGS_LITTLE_US 1000

/* Of the arrivals. */
#define WARNINGS_BEGUN_SHARE 0.99

/* Of the operations that have a response time. */
#define WARNINGS_EXCLUDED_SHARE 0.001

#define WARNINGS_JUMP_NS ((int64_t)(100 * CLOCK_NS_PER_MS))

#define WARNINGS_NODES_NAMED 10

static bool warnings_load_goes_on(const struct run *run)
{
    return run->engine && engine_is_on(run->engine);
}

/* How much of the p99 of response times is this daemon's. */
struct warnings_p99 {
    bool is_known;
    uint64_t us;
    uint64_t sending_us; /* from when an operation could be sent until it was */
    uint64_t reading_us; /* at most, as a reply may have come at any time while the loop was elsewhere; 0
                            where the kernel has told when it came */
};

/* Of a load without a rate no more replies come while the loop is away than there are threads. */
static double warnings_share_of_absence(const struct run *run, uint64_t count)
{
    double threads = (double)run->scenario->thread_count;
    return run->scenario->load.model == LOAD_OPEN || threads > (double)count ? 1 : threads / (double)count;
}

static uint64_t warnings_read_late_us(const struct run *run, uint64_t load_ns, uint64_t count,
                                      double quantile)
{
    const struct load_record *record = run_record(run);
    double share = warnings_share_of_absence(run, count);
    if (latencies_are_of_kernel(&record->latencies))
        return 0;
    return loop_lag_wait_ns(&record->lag, load_ns, share, quantile) / CLOCK_NS_PER_US;
}

static struct warnings_p99 warnings_look_at_p99(const struct run *run, uint64_t load_ns)
{
    const double quantile = 0.99;
    const struct latencies *latencies = &run_record(run)->latencies;
    struct histogram response;
    histogram_init(&response, 3);
    latencies_add_responses(latencies, &response);
    struct warnings_p99 p99 = {.is_known = response.count >= quantile_needs(quantile)};
    if (p99.is_known) {
        p99.us = histogram_quantile(&response, quantile);
        p99.sending_us = latencies_sent_late_us(latencies, quantile);
        p99.reading_us = warnings_read_late_us(run, load_ns, response.count, quantile);
        if (p99.reading_us > p99.us - p99.sending_us)
            p99.reading_us = p99.us - p99.sending_us;
    }
    histogram_free(&response);
    return p99;
}

static bool warnings_is_own(const struct warnings_p99 *p99)
{
    return (double)(p99->sending_us + p99->reading_us) > WARNINGS_OWN_SHARE * (double)p99->us;
}

/* What was seen: it has too much to do, somebody else has its processor, or its own part of each time is
 * little, and much only beside times as short as these. */
static const char *warnings_advise(double busy, bool is_late, const struct warnings_p99 *p99)
{
    if (busy >= WARNINGS_MUCH_SHARE)
        return "have fewer threads, a lower rate, or several daemons";
    if (is_late || !p99->is_known || p99->sending_us + p99->reading_us > WARNINGS_LITTLE_US)
        return "leave it a processor that nobody else needs, or have it on a machine of its own";
    return "beside times this short that little is much, and a processor that nobody else needs may make it "
           "less";
}

static void warnings_add_client_bound(struct warnings *warnings, double busy, bool is_late, uint64_t late_ns,
                                      const struct warnings_p99 *p99)
{
    char own[200] = ", so that response times may hold time of its own";
    if (p99->is_known)
        snprintf(own, sizeof(own),
                 ", and of the p99 of %llu us up to %llu us are its own, %llu us in sending and %llu us in "
                 "reading",
                 (unsigned long long)p99->us, (unsigned long long)(p99->sending_us + p99->reading_us),
                 (unsigned long long)p99->sending_us, (unsigned long long)p99->reading_us);
    struct term_builder *warning = warnings_add(
        warnings, WARNING_CLIENT_BOUND, 5,
        "this daemon was busy for %.0f %% of the load and late for %llu ms of it%s: %s%s", busy * 100,
        (unsigned long long)(late_ns / CLOCK_NS_PER_MS), own, warnings_advise(busy, is_late, p99),
        p99->sending_us > p99->reading_us ? "; service times are without what was sent late" : "");
    term_build_key(warning, "busy");
    term_build_float(warning, busy);
    term_build_key_unsigned(warning, "late_ms", late_ns / CLOCK_NS_PER_MS);
    term_build_key_known(warning, "p99_us", p99->is_known, p99->us);
    term_build_key_known(warning, "sending_us", p99->is_known, p99->sending_us);
    term_build_key_known(warning, "reading_us", p99->is_known, p99->reading_us);
}

static void warnings_find_client_bound(const struct run *run, struct warnings *warnings)
{
    const struct load_record *record = run_record(run);
    uint64_t end_ns = warnings_load_goes_on(run) ? clock_ns() : record->ended_ns;
    uint64_t load_ns = end_ns - record->started_ns, late_ns = record->lag.late_ns;
    if (!load_ns)
        return;
    double busy = (double)record->lag.busy_ns / (double)load_ns;
    double late = (double)late_ns / (double)load_ns;
    bool is_busy = load_ns >= WARNINGS_BUSY_NS && busy >= WARNINGS_BUSY_SHARE;
    bool is_late = late_ns >= WARNINGS_LATE_NS && late >= WARNINGS_LATE_SHARE;
    struct warnings_p99 p99 = warnings_look_at_p99(run, load_ns);
    if (is_busy || is_late || warnings_is_own(&p99))
        warnings_add_client_bound(warnings, busy, late >= WARNINGS_LATE_SHARE, late_ns, &p99);
}

static void warnings_find_excluded(const struct run *run, struct warnings *warnings)
{
    const struct latencies *latencies = &run_record(run)->latencies;
    uint64_t excluded = latencies->excluded, operations = latencies->start_delay.count;
    if ((double)excluded <= (double)operations * WARNINGS_EXCLUDED_SHARE)
        return;
    struct term_builder *warning = warnings_add(
        warnings, WARNING_SERVICE_EXCLUDED, 2,
        "%llu of %llu operations were sent while their node took no more, so that nobody knows when they "
        "have left, or never began before the run was out of time, and are in no service time: have fewer of "
        "them under way, or smaller messages",
        (unsigned long long)excluded, (unsigned long long)operations);
    term_build_key_unsigned(warning, "excluded", excluded);
    term_build_key_unsigned(warning, "operations", operations);
}

/* What a load of a rate has come to. Those that wait may still begin while the load goes on, and those that a
 * run has been cut off from might have. */
struct warnings_rate {
    bool goes_on;
    uint64_t arrivals;
    uint64_t begun; /* in the time of the load */
    double seconds; /* of that */
    bool lacked_room;
};

static struct warnings_rate warnings_look_at_rate(const struct run *run)
{
    const struct load_record *record = run_record(run);
    bool goes_on = warnings_load_goes_on(run);
    uint64_t waiting = goes_on ? engine_queued(run->engine) : 0;
    uint64_t load_ns = (goes_on ? clock_ns() : record->ended_ns) - record->started_ns;
    uint64_t planned_ns = plan_duration_ns(&run->scenario->load);
    uint64_t waited = record->latencies.waited;
    return (struct warnings_rate){
        .goes_on = goes_on,
        .arrivals = record->arrivals_begun + record->dropped + waiting,
        .begun = record->arrivals_begun - record->begun_late,
        .seconds = (double)(load_ns < planned_ns ? load_ns : planned_ns) / (double)CLOCK_NS_PER_S,
        .lacked_room = record->dropped > record->cut_off ||
                       (double)waited > (double)record->arrivals_begun * (1 - WARNINGS_BEGUN_SHARE)};
}

static void warnings_find_rate(const struct run *run, struct warnings *warnings)
{
    const struct load_record *record = run_record(run);
    if (run->scenario->load.model != LOAD_OPEN)
        return;
    struct warnings_rate rate = warnings_look_at_rate(run);
    bool is_short = !rate.goes_on && (double)rate.begun < (double)rate.arrivals * WARNINGS_BEGUN_SHARE;
    if ((record->dropped == record->cut_off && !is_short) || rate.seconds <= 0)
        return;
    double asked = (double)rate.arrivals / rate.seconds, begun = (double)rate.begun / rate.seconds;
    struct term_builder *warning =
        warnings_add(warnings, WARNING_RATE_NOT_REACHED, 6,
                     "the rate was beyond what could be sent: of %llu arrivals, %.0f a second, %llu have "
                     "begun in the time "
                     "of the load, %.0f a second, and %llu were dropped, as %s",
                     (unsigned long long)rate.arrivals, asked, (unsigned long long)rate.begun, begun,
                     (unsigned long long)record->dropped,
                     rate.lacked_room ? "all that max_in_flight allows were under way"
                                      : "this daemon had no time for them");
    term_build_key_unsigned(warning, "arrivals", rate.arrivals);
    term_build_key_unsigned(warning, "dropped", record->dropped);
    term_build_key_unsigned(warning, "begun", rate.begun);
    term_build_key(warning, "asked_per_s");
    term_build_float(warning, asked);
    term_build_key(warning, "begun_per_s");
    term_build_float(warning, begun);
    term_build_key(warning, "reason");
    term_build_atom(warning, rate.lacked_room ? "max_in_flight" : "daemon");
}

static void warnings_add_jump(struct warnings *warnings, int64_t by_ns, const char *what, const char *so)
{
    int64_t by_ms = by_ns / (int64_t)CLOCK_NS_PER_MS;
    struct term_builder *warning =
        warnings_add(warnings, WARNING_CLOCK_JUMPED, 1, "%s %lld ms while the run went on%s", what,
                     (long long)(by_ms < 0 ? -by_ms : by_ms), so);
    term_build_key(warning, "by_ms");
    term_build_integer(warning, by_ms);
}

static void warnings_find_jump(const struct run *run, struct warnings *warnings)
{
    struct clock_times now = clock_times_now();
    struct clock_jump jump = clock_jump_between(&run->created, &now);
    if (jump.moved_ns > WARNINGS_JUMP_NS)
        warnings_add_jump(warnings, jump.moved_ns, "the wall clock was set forward by", "");
    if (jump.moved_ns < -WARNINGS_JUMP_NS)
        warnings_add_jump(warnings, jump.moved_ns, "the wall clock was set back by", "");
    if (jump.suspended_ns > WARNINGS_JUMP_NS)
        warnings_add_jump(warnings, jump.suspended_ns, "the machine was suspended for",
                          ", which no measured time holds");
}

/* --- Limits --- */

static const struct warnings_limit {
    enum conn_limit limit;
    const char *name;
    const char *key;
    const char *of; /* the nodes */
    const char *what;
} warnings_limits[] = {
    {CONN_LIMIT_FRAME, "frame_bytes", CONN_FRAME_BYTES_KEY, "messages of",
     "were larger than limits.frame_bytes of this daemon's configuration allows, and were not kept"},
    {CONN_LIMIT_QUEUED, "queued_bytes", "limits.queued_bytes", "connections to",
     "were closed, as more waited to be sent than limits.queued_bytes of this daemon's configuration allows"},
};

/* Those of one limit together. */
struct warnings_sum {
    size_t nodes;
    uint64_t times;
    uint64_t operations;
    const char *first; /* node */
};

static struct warnings_sum warnings_sum_up(const struct run *run, enum conn_limit limit)
{
    struct warnings_sum sum = {0};
    LIST_EACH(struct run_limit, reached, &run->limits, link) {
        if (reached->limit != limit)
            continue;
        if (!sum.nodes++)
            sum.first = reached->node;
        sum.times += reached->times;
        sum.operations += reached->operations;
    }
    return sum;
}

static void warnings_build_nodes(const struct run *run, enum conn_limit limit, size_t count,
                                 struct term_builder *builder)
{
    size_t left = count < WARNINGS_NODES_NAMED ? count : WARNINGS_NODES_NAMED;
    term_build_list(builder, left);
    LIST_EACH(struct run_limit, reached, &run->limits, link) {
        if (reached->limit != limit || !left)
            continue;
        term_build_atom(builder, reached->node);
        left--;
    }
    term_build_nil(builder);
}

static void warnings_find_limit(const struct run *run, const struct warnings_limit *limit,
                                struct warnings *warnings)
{
    struct warnings_sum sum = warnings_sum_up(run, limit->limit);
    char others[40] = "";
    if (!sum.nodes)
        return;
    if (sum.nodes > 1)
        snprintf(others, sizeof(others), " and %zu more", sum.nodes - 1);
    struct term_builder *warning =
        warnings_add(warnings, WARNING_MESSAGE_TOO_LARGE, 5,
                     "%s %s%s %s (%llu), and operations failed by it (%llu)", limit->of, sum.first, others,
                     limit->what, (unsigned long long)sum.times, (unsigned long long)sum.operations);
    term_build_key(warning, "limit");
    term_build_atom(warning, limit->name);
    term_build_key(warning, "key");
    term_build_text(warning, limit->key);
    term_build_key(warning, "nodes");
    warnings_build_nodes(run, limit->limit, sum.nodes, warning);
    term_build_key_unsigned(warning, "times", sum.times);
    term_build_key_unsigned(warning, "operations", sum.operations);
}

void run_warnings_find_own(const struct run *run, struct warnings *warnings)
{
    warnings_find_client_bound(run, warnings);
    warnings_find_excluded(run, warnings);
    warnings_find_rate(run, warnings);
    warnings_find_jump(run, warnings);
    for (size_t i = 0; i < ARRAY_LENGTH(warnings_limits); i++)
        warnings_find_limit(run, &warnings_limits[i], warnings);
}
