#include "base/log_repeat.h"

#include "base/clock.h"

bool log_repeat_is_due_at(struct log_repeat *repeat, uint64_t now_ns)
{
    /* Nobody has looked whether it is over. */
    if (now_ns - repeat->last_ns > 2 * repeat->interval_ns)
        (void)log_repeat_is_over_at(repeat, now_ns);
    bool is_due = now_ns >= repeat->due_ns;
    if (repeat->was_due)
        repeat->times = 0;
    repeat->times++;
    repeat->all++;
    repeat->was_due = is_due;
    repeat->last_ns = now_ns;
    if (!is_due)
        return false;
    repeat->interval_ns = repeat->interval_ns ? 2 * repeat->interval_ns : LOG_REPEAT_FIRST_S * CLOCK_NS_PER_S;
    if (repeat->interval_ns > LOG_REPEAT_MOST_S * CLOCK_NS_PER_S)
        repeat->interval_ns = LOG_REPEAT_MOST_S * CLOCK_NS_PER_S;
    repeat->due_ns = now_ns + repeat->interval_ns;
    return true;
}

bool log_repeat_is_due(struct log_repeat *repeat)
{
    return log_repeat_is_due_at(repeat, clock_ns());
}

struct log_field log_times(const struct log_repeat *repeat)
{
    struct log_field field = log_integer("times", (int64_t)repeat->times);
    field.is_left_out = repeat->times < 2;
    return field;
}

uint64_t log_repeat_is_over_at(struct log_repeat *repeat, uint64_t now_ns)
{
    uint64_t all = repeat->all;
    if (!all || now_ns - repeat->last_ns < LOG_REPEAT_QUIET_S * CLOCK_NS_PER_S)
        return 0;
    *repeat = (struct log_repeat){.all = 0};
    return all;
}

uint64_t log_repeat_is_over(struct log_repeat *repeat)
{
    return repeat->all ? log_repeat_is_over_at(repeat, clock_ns()) : 0;
}
