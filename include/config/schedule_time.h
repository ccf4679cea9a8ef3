/* When something that is to happen again and again is due.
 *
 * `every` alone counts from the start, by a clock that nobody sets. `at` is a time of the day by the local
 * clock; with `every` as well it is the first of the times of each day. A clock that is set is looked at as
 * it is: a time that it leaps over by more than a minute was missed, and a time that was due and comes again
 * because the clock was set back by less than a day is not due again. */
#ifndef HARNESSD_CONFIG_SCHEDULE_TIME_H
#define HARNESSD_CONFIG_SCHEDULE_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

#define SCHEDULE_TIME_EVERY_MOST (366LL * 24 * 60 * 60)

struct schedule_time {
    uint64_t every_s; /* 0: each day */
    bool has_at;
    uint32_t at_s; /* since midnight */

    uint64_t due_ns; /* of clock_ns(), without `at` */
    int64_t due_s;   /* since 1970, with `at` */
    int64_t last_s;  /* the last one that was due, not missed */
};

/* Seconds of "90s", "15m", "8h" or "1d"; 0 when it is none of these, or too long. */
MUST_CHECK uint64_t schedule_time_every(const char *text);

/* Reads "02:30" or "02:30:15". */
MUST_CHECK bool schedule_time_at(const char *text, uint32_t *at_s);

/* Finds the first time that it is due, from `every_s`, `has_at` and `at_s`. `now_s` is seconds since 1970. */
void schedule_time_start(struct schedule_time *time, uint64_t now_ns, int64_t now_s);

enum schedule_due {
    SCHEDULE_NOT_DUE,
    SCHEDULE_DUE,
    SCHEDULE_MISSED, /* one or more times went by without having been seen */
};

/* Whether it is due now; then the next time is found. */
MUST_CHECK enum schedule_due schedule_time_check(struct schedule_time *time, uint64_t now_ns, int64_t now_s);

/* How long until it is due; 0 when it is. */
uint64_t schedule_time_left_s(const struct schedule_time *time, uint64_t now_ns, int64_t now_s);

#endif
