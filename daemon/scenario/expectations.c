#include "scenario/expectations.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "term/term_text.h"

/* --- Figures --- */

static bool expectations_measure_time(const struct measured *measured, double unused, double *figure)
{
    (void)unused;
    *figure = (double)measured->time_us / 1000.0;
    return true;
}

static bool expectations_measure_memory(const struct measured *measured, double unused, double *figure)
{
    (void)unused;
    *figure = (double)measured->memory_bytes;
    return measured->has_asked_process;
}

static bool expectations_measure_reductions(const struct measured *measured, double unused, double *figure)
{
    (void)unused;
    *figure = (double)measured->reductions;
    return measured->has_asked_process;
}

static bool expectations_measure_quantile(const struct measured *measured, double quantile, double *figure)
{
    if (!measured->response || !measured->response->count)
        return false;
    *figure = (double)histogram_quantile(measured->response, quantile);
    return true;
}

static bool expectations_measure_error_rate(const struct measured *measured, double unused, double *figure)
{
    (void)unused;
    uint64_t all = measured->operations + measured->dropped;
    *figure = all ? (double)(measured->failed + measured->dropped) / (double)all : 0;
    return all > 0;
}

static bool expectations_measure_rate(const struct measured *measured, double unused, double *figure)
{
    (void)unused;
    *figure = measured->load_us ? (double)measured->operations * 1e6 / (double)measured->load_us : 0;
    return measured->load_us > 0;
}

static bool expectations_measure_mailbox(const struct measured *measured, double unused, double *figure)
{
    (void)unused;
    *figure = (double)measured->mailbox;
    return measured->mailbox >= 0;
}

static bool expectations_measure_recovery(const struct measured *measured, double unused, double *figure)
{
    (void)unused;
    *figure = measured->is_recovery_missing ? INFINITY : (double)measured->recovery_ms;
    return measured->recovery_ms >= 0;
}

/* --- Kinds --- */

static const struct kind {
    struct help help;
    bool (*measure)(const struct measured *measured, double parameter, double *figure);
    double parameter;
    int decimals;
    bool is_minimum;
    bool needs_process;
    const char *what;
    const char *suffix; /* of figures in messages */
} kinds[EXPECTATION_KINDS] = {
    [EXPECT_TIME_MS] = {.help = {.name = "max_time_ms",
                                 .type = "number()",
                                 .unit = "ms",
                                 .text = "The time of all threads and the chaos beside them."},
                        .measure = expectations_measure_time,
                        .decimals = 2,
                        .what = "Execution time",
                        .suffix = "ms"},
    [EXPECT_MEMORY_BYTES] =
        {.help = {.name = "max_memory_bytes",
                  .type = "number()",
                  .unit = "bytes",
                  .text =
                      "How much the memory of the hooks' node has grown meanwhile; 0 when it has shrunk."},
         .measure = expectations_measure_memory,
         .needs_process = true,
         .what = "Memory usage",
         .suffix = " bytes"},
    [EXPECT_REDUCTIONS] = {.help = {.name = "max_reductions",
                                    .type = "number()",
                                    .text =
                                        "Reductions of the session, the process that hooks are applied in."},
                           .measure = expectations_measure_reductions,
                           .needs_process = true,
                           .what = "Reductions",
                           .suffix = ""},
    [EXPECT_P50_US] =
        {.help = {.name = "max_p50_us",
                  .type = "number()",
                  .unit = "us",
                  .text = "The p50 of response times: from when an operation was to start to its answer."},
         .measure = expectations_measure_quantile,
         .parameter = 0.5,
         .what = "Latency p50",
         .suffix = "us"},
    [EXPECT_P90_US] =
        {.help = {.name = "max_p90_us",
                  .type = "number()",
                  .unit = "us",
                  .text = "The p90 of response times: from when an operation was to start to its answer."},
         .measure = expectations_measure_quantile,
         .parameter = 0.9,
         .what = "Latency p90",
         .suffix = "us"},
    [EXPECT_P95_US] =
        {.help = {.name = "max_p95_us",
                  .type = "number()",
                  .unit = "us",
                  .text = "The p95 of response times: from when an operation was to start to its answer."},
         .measure = expectations_measure_quantile,
         .parameter = 0.95,
         .what = "Latency p95",
         .suffix = "us"},
    [EXPECT_P99_US] =
        {.help = {.name = "max_p99_us",
                  .type = "number()",
                  .unit = "us",
                  .text = "The p99 of response times: from when an operation was to start to its answer."},
         .measure = expectations_measure_quantile,
         .parameter = 0.99,
         .what = "Latency p99",
         .suffix = "us"},
    [EXPECT_P999_US] =
        {.help = {.name = "max_p999_us",
                  .type = "number()",
                  .unit = "us",
                  .text = "The p99.9 of response times: from when an operation was to start to its answer."},
         .measure = expectations_measure_quantile,
         .parameter = 0.999,
         .what = "Latency p99.9",
         .suffix = "us"},
    [EXPECT_ERROR_RATE] =
        {.help = {.name = "max_error_rate",
                  .type = "number()",
                  .text =
                      "The part of the operations that failed, from 0 to 1, dropped arrivals among them."},
         .measure = expectations_measure_error_rate,
         .decimals = 6,
         .what = "Error rate",
         .suffix = ""},
    [EXPECT_OPS_PER_S] = {.help = {.name = "min_ops_per_s",
                                   .type = "number()",
                                   .unit = "operations/s",
                                   .text = "Operations that ended, by the time of the load."},
                          .measure = expectations_measure_rate,
                          .decimals = 2,
                          .is_minimum = true,
                          .what = "Rate of operations",
                          .suffix = "/s"},
    [EXPECT_MAILBOX] = {.help = {.name = "max_mailbox",
                                 .type = "number()",
                                 .unit = "messages",
                                 .text = "The longest mailbox that was observed."},
                        .measure = expectations_measure_mailbox,
                        .what = "Mailbox length",
                        .suffix = ""},
    [EXPECT_RECOVERY_MS] =
        {.help = {.name = "max_recovery_ms",
                  .type = "number()",
                  .unit = "ms",
                  .text = "The longest time from when a fault took effect to the first success of a target "
                          "that it has touched. One that never recovers misses every limit."},
         .measure = expectations_measure_recovery,
         .what = "Recovery time",
         .suffix = "ms"},
};

const struct help *expectation_help(enum expectation_kind kind)
{
    return &kinds[kind].help;
}

const char *expectation_name(enum expectation_kind kind)
{
    return kinds[kind].help.name;
}

uint32_t expectations_of_process(void)
{
    uint32_t mask = 0;
    for (size_t kind = 0; kind < EXPECTATION_KINDS; kind++)
        mask |= kinds[kind].needs_process ? 1u << kind : 0;
    return mask;
}

bool expectation_measure(enum expectation_kind kind, const struct measured *measured, double *figure)
{
    *figure = 0;
    return measured->was_tried && kinds[kind].measure(measured, kinds[kind].parameter, figure);
}

enum expectation_verdict expectation_judge(const struct expectation *expectation,
                                           const struct measured *measured)
{
    const struct kind *kind = &kinds[expectation->kind];
    double figure;
    if (!expectation_measure(expectation->kind, measured, &figure))
        return expectation->kind == EXPECT_RECOVERY_MS && measured->has_nothing_to_fix
                   ? EXPECTATION_MET
                   : EXPECTATION_NOT_MEASURED;
    bool is_met = kind->is_minimum ? figure >= expectation->limit : figure <= expectation->limit;
    return is_met ? EXPECTATION_MET : EXPECTATION_MISSED;
}

double expectation_quantile(enum expectation_kind kind)
{
    return kinds[kind].parameter;
}

bool expectation_interval(enum expectation_kind kind, const struct measured *measured,
                          struct batches_interval *interval)
{
    double figure;
    if (!kinds[kind].parameter || !measured->batches || !expectation_measure(kind, measured, &figure))
        return false;
    *interval = batches_interval(measured->batches, measured->response, kinds[kind].parameter);
    return true;
}

/* All of them are upper limits. */
enum expectation_certainty expectation_certainty(const struct expectation *expectation,
                                                 enum expectation_verdict verdict,
                                                 const struct batches_interval *interval)
{
    bool is_met = verdict == EXPECTATION_MET;
    if (is_met ? !interval->has_high : !interval->has_low)
        return EXPECTATION_UNKNOWN;
    bool is_outside =
        is_met ? (double)interval->high <= expectation->limit : (double)interval->low > expectation->limit;
    return is_outside ? EXPECTATION_CERTAIN : EXPECTATION_UNCERTAIN;
}

bool expectations_have(const struct expectations *expectations, enum expectation_kind kind)
{
    for (size_t i = 0; i < expectations->count; i++)
        if (expectations->items[i].kind == kind)
            return true;
    return false;
}

bool expectations_allow_all_errors(const struct expectations *expectations)
{
    for (size_t i = 0; i < expectations->count; i++)
        if (expectations->items[i].kind == EXPECT_ERROR_RATE && expectations->items[i].limit >= 1)
            return true;
    return false;
}

const struct expectation *expectations_missed(const struct expectations *expectations, uint32_t mask,
                                              const struct measured *measured, bool is_over)
{
    for (size_t i = 0; i < expectations->count; i++) {
        const struct expectation *expectation = &expectations->items[i];
        enum expectation_verdict verdict = expectation_judge(expectation, measured);
        if ((mask & 1u << expectation->kind) &&
            (verdict == EXPECTATION_MISSED || (is_over && verdict == EXPECTATION_NOT_MEASURED)))
            return expectation;
    }
    return NULL;
}

/* --- What is said --- */

/* What lies just in the middle is rounded up, and not to what is even, as printf() does. */
static double expectations_leave_middle(double figure, int decimals)
{
    double scale = pow(10, decimals), scaled = figure * scale;
    bool is_exact = fma(figure, scale, -scaled) == 0;
    return is_exact && scaled - floor(scaled) == 0.5 ? nextafter(figure, INFINITY) : figure;
}

/* At least one decimal of a number that has any, as Elixir prints Float.round(number, decimals). */
static void expectations_print_figure(double figure, int decimals, char *text, size_t size)
{
    int length = snprintf(text, size, "%.*f", decimals, expectations_leave_middle(figure, decimals));
    assert(length > 0 && (size_t)length < size);
    while (decimals-- > 1 && text[length - 1] == '0')
        text[--length] = '\0';
}

void expectation_build_error(const struct expectation *expectation, const struct measured *measured,
                             bool elixir, struct term_builder *builder)
{
    const struct kind *kind = &kinds[expectation->kind];
    char figure_text[400], limit_text[64], message[600];
    double figure;
    term_text(expectation->value, limit_text, sizeof(limit_text));
    if (!expectation_measure(expectation->kind, measured, &figure)) {
        snprintf(message, sizeof(message), "%s was not measured, %s of %s%s", kind->what,
                 kind->is_minimum ? "minimum" : "maximum", limit_text, kind->suffix);
    } else if (isinf(figure)) {
        snprintf(message, sizeof(message), "%s has no end, and exceeded maximum of %s%s", kind->what,
                 limit_text, kind->suffix);
    } else {
        expectations_print_figure(figure, kind->decimals, figure_text, sizeof(figure_text));
        snprintf(message, sizeof(message), "%s %s%s %s of %s%s", kind->what, figure_text, kind->suffix,
                 kind->is_minimum ? "below minimum" : "exceeded maximum", limit_text, kind->suffix);
    }
    if (!elixir) {
        term_build_text(builder, message);
        return;
    }
    term_build_map(builder, 3);
    term_build_key(builder, "__struct__");
    term_build_atom(builder, "Elixir.RuntimeError");
    term_build_key(builder, "__exception__");
    term_build_boolean(builder, true);
    term_build_key(builder, "message");
    term_build_text(builder, message);
}

void measured_build(const struct measured *measured, struct term_builder *builder)
{
    term_build_map(builder, 3);
    term_build_key(builder, "time_us");
    term_build_unsigned(builder, measured->time_us);
    term_build_key(builder, "memory_bytes");
    term_build_integer(builder, measured->memory_bytes);
    term_build_key(builder, "reductions");
    term_build_integer(builder, measured->reductions);
}

static void expectations_build_figure(double figure, int decimals, struct term_builder *builder)
{
    if (decimals)
        term_build_float(builder, figure);
    else
        term_build_integer(builder, (int64_t)figure);
}

static void expectations_build_certain(const struct expectation *expectation, const struct measured *measured,
                                       bool is_judged, struct term_builder *builder)
{
    static const char *const certain[] = {
        [EXPECTATION_CERTAIN] = "true", [EXPECTATION_UNCERTAIN] = "false", [EXPECTATION_UNKNOWN] = "nil"};
    enum expectation_certainty certainty = EXPECTATION_UNKNOWN;
    struct batches_interval interval;
    if (is_judged && expectation_interval(expectation->kind, measured, &interval))
        certainty = expectation_certainty(expectation, expectation_judge(expectation, measured), &interval);
    term_build_key(builder, "certain");
    term_build_atom(builder, certain[certainty]);
}

void expectations_build(const struct expectations *expectations, const struct measured *measured,
                        bool is_judged, struct term_builder *builder)
{
    static const char *const met[] = {
        [EXPECTATION_MET] = "true", [EXPECTATION_MISSED] = "false", [EXPECTATION_NOT_MEASURED] = "nil"};
    term_build_list(builder, expectations->count);
    for (size_t i = 0; i < expectations->count; i++) {
        const struct expectation *expectation = &expectations->items[i];
        double figure;
        term_build_map(builder, 5);
        term_build_key(builder, "expectation");
        term_build_atom(builder, expectation_name(expectation->kind));
        term_build_key(builder, "limit");
        term_build_term(builder, expectation->value);
        term_build_key(builder, "measured");
        if (expectation_measure(expectation->kind, measured, &figure) && !isinf(figure))
            expectations_build_figure(figure, kinds[expectation->kind].decimals, builder);
        else
            term_build_atom(builder, "nil");
        term_build_key(builder, "met");
        term_build_atom(builder, is_judged ? met[expectation_judge(expectation, measured)] : "nil");
        expectations_build_certain(expectation, measured, is_judged, builder);
    }
    if (expectations->count)
        term_build_nil(builder);
}
