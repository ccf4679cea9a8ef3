#include "judge.h"

#include <stdio.h>
#include <string.h>

#include "term/term_text.h"

static uint64_t time_us(const struct measurement *first, const struct measurement *last)
{
    return (last->at_ns - first->at_ns) / CLOCK_NS_PER_US;
}

/* A node's memory may well shrink while the run goes on; it has then used none. */
static int64_t memory_bytes(const struct measurement *first, const struct measurement *last)
{
    return last->memory_bytes > first->memory_bytes ? last->memory_bytes - first->memory_bytes : 0;
}

static int64_t reductions(const struct measurement *first, const struct measurement *last)
{
    return last->reductions > first->reductions ? last->reductions - first->reductions : 0;
}

void judge_build_measurement(const struct measurement *first, const struct measurement *last,
                             struct term_builder *builder)
{
    term_build_map(builder, 3);
    term_build_key(builder, "time_us");
    term_build_unsigned(builder, time_us(first, last));
    term_build_key(builder, "memory_bytes");
    term_build_integer(builder, memory_bytes(first, last));
    term_build_key(builder, "reductions");
    term_build_integer(builder, reductions(first, last));
}

/* Two decimals at most, one at least, as Elixir prints Float.round(number, 2). */
static void print_rounded(double number, char *text, size_t size)
{
    int length = snprintf(text, size, "%.2f", number);
    if (length > 0 && (size_t)length < size && text[length - 1] == '0')
        text[length - 1] = '\0';
}

static bool describe(const struct expectation *expectation, const struct measurement *first,
                     const struct measurement *last, char *message, size_t size)
{
    char limit[64], actual[64];
    double values[EXPECTATION_COUNT] = {[EXPECT_TIME_MS] = (double)time_us(first, last) / 1000.0,
                                        [EXPECT_MEMORY_BYTES] = (double)memory_bytes(first, last),
                                        [EXPECT_REDUCTIONS] = (double)reductions(first, last)};
    static const char *const formats[EXPECTATION_COUNT] = {
        [EXPECT_TIME_MS] = "Execution time %sms exceeded maximum of %sms",
        [EXPECT_MEMORY_BYTES] = "Memory usage %s bytes exceeded maximum of %s bytes",
        [EXPECT_REDUCTIONS] = "Reductions %s exceeded maximum of %s"};
    double value = values[expectation->kind];
    if (value <= expectation->limit)
        return false;
    term_text(expectation->value, limit, sizeof(limit));
    if (expectation->kind == EXPECT_TIME_MS)
        print_rounded(value, actual, sizeof(actual));
    else
        snprintf(actual, sizeof(actual), "%.0f", value);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(message, size, formats[expectation->kind], actual, limit);
#pragma GCC diagnostic pop
    return true;
}

static void build_runtime_error(const char *message, bool elixir, struct term_builder *builder)
{
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

bool judge_missed(const struct expectations *expectations, const struct measurement *first,
                  const struct measurement *last, bool elixir, struct term_builder *exception)
{
    char message[256];
    for (size_t i = 0; i < expectations->count; i++) {
        if (describe(&expectations->items[i], first, last, message, sizeof(message))) {
            build_runtime_error(message, elixir, exception);
            return true;
        }
    }
    return false;
}

void judge_build_failure(const struct measurement *first, const struct measurement *last,
                         struct term exception, struct buffer *failure)
{
    struct term_builder builder = {0};
    term_build_tuple(&builder, 2);
    term_build_atom(&builder, "performance_failed");
    term_build_map(&builder, 2);
    term_build_key(&builder, "error");
    term_build_term(&builder, exception);
    term_build_key(&builder, "measurement");
    judge_build_measurement(first, last, &builder);
    run_keep(failure, term_built(&builder));
    term_build_free(&builder);
}
