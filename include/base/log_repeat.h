/* What goes wrong again and again, for as long as it does: logged the first time, and then at intervals that
 * double, up to LOG_REPEAT_MOST_S, with how often it has happened in between.
 *
 *     if (log_repeat_is_due(&failures))
 *         log_error("cannot accept", log_string("reason", reason), log_times(&failures));
 */
#ifndef HARNESSD_BASE_LOG_REPEAT_H
#define HARNESSD_BASE_LOG_REPEAT_H

#include "base/log.h"

#define LOG_REPEAT_FIRST_S 1
#define LOG_REPEAT_MOST_S 3600

/* It is over when it has not happened for so long, what comes and goes being one trouble; where nobody looks
 * (log_repeat_is_over()), when it has not happened for twice the interval as well. */
#define LOG_REPEAT_QUIET_S 10

/* All zero: it has not happened, or it is over. */
struct log_repeat {
    uint64_t last_ns; /* when it happened last */
    uint64_t due_ns;
    uint64_t interval_ns;
    uint64_t times; /* since the last time that was logged */
    uint64_t all;   /* of this trouble */
    bool was_due;   /* the last time was logged */
};

/* It has happened: whether that is to be logged now. */
MUST_CHECK bool log_repeat_is_due(struct log_repeat *repeat);
MUST_CHECK bool log_repeat_is_due_at(struct log_repeat *repeat, uint64_t now_ns);

/* How often it happened since it was logged before, this time included; left out for once. */
struct log_field log_times(const struct log_repeat *repeat);

/* It went well: how often it had not, once that is over. */
uint64_t log_repeat_is_over(struct log_repeat *repeat);
uint64_t log_repeat_is_over_at(struct log_repeat *repeat, uint64_t now_ns);

#endif
