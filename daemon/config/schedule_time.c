#include "config/schedule_time.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define DAY_S (24LL * 60 * 60)

/* A time that was seen so much later counts as missed. */
#define LATE_S 60

uint64_t schedule_time_every(const char *text)
{
    static const struct {
        const char *unit;
        long long seconds;
    } units[] = {{"s", 1}, {"m", 60}, {"h", 60 * 60}, {"d", DAY_S}};
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (!isdigit((unsigned char)*text) || errno || number < 1)
        return 0;
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
        if (strcmp(end, units[i].unit) == 0 && number <= SCHEDULE_TIME_EVERY_MOST / units[i].seconds)
            return (uint64_t)(number * units[i].seconds);
    return 0;
}

/* Two digits below `most`, and what is behind them. */
static const char *schedule_time_read_digits(const char *text, uint32_t most, uint32_t *number)
{
    if (!text || !isdigit((unsigned char)text[0]) || !isdigit((unsigned char)text[1]))
        return NULL;
    *number = (uint32_t)((text[0] - '0') * 10 + text[1] - '0');
    return *number < most ? text + 2 : NULL;
}

static const char *schedule_time_skip_colon(const char *text)
{
    return text && *text == ':' ? text + 1 : NULL;
}

bool schedule_time_at(const char *text, uint32_t *at_s)
{
    uint32_t hours = 0, minutes = 0, seconds = 0;
    const char *rest = schedule_time_read_digits(text, 24, &hours);
    rest = schedule_time_read_digits(schedule_time_skip_colon(rest), 60, &minutes);
    if (rest && *rest)
        rest = schedule_time_read_digits(schedule_time_skip_colon(rest), 60, &seconds);
    if (!rest || *rest)
        return false;
    *at_s = (hours * 60 + minutes) * 60 + seconds;
    return true;
}

/* When the local clock shows the time of the day on the day of `at`, `days` later. One that it skips, as in
 * spring, is as much later as the clock was put forward. */
static int64_t schedule_time_of_day(const struct schedule_time *time, int64_t at, int days)
{
    time_t seconds = (time_t)at;
    struct tm local;
    localtime_r(&seconds, &local);
    local.tm_mday += days;
    local.tm_hour = (int)(time->at_s / 3600);
    local.tm_min = (int)(time->at_s / 60 % 60);
    local.tm_sec = (int)(time->at_s % 60);
    local.tm_isdst = -1;
    return (int64_t)mktime(&local);
}

/* The first time after `after`. */
static int64_t schedule_time_after(const struct schedule_time *time, int64_t after)
{
    int days = schedule_time_of_day(time, after, 0) > after ? -1 : 0;
    int64_t first = schedule_time_of_day(time, after, days),
            next_day = schedule_time_of_day(time, after, days + 1);
    int64_t every = (int64_t)time->every_s;
    if (!every || after < first)
        return next_day;
    int64_t next = first + ((after - first) / every + 1) * every;
    return next < next_day ? next : next_day;
}

void schedule_time_start(struct schedule_time *time, uint64_t now_ns, int64_t now_s)
{
    time->due_ns = now_ns + time->every_s * CLOCK_NS_PER_S;
    time->last_s = 0;
    if (time->has_at)
        time->due_s = schedule_time_after(time, now_s);
}

static enum schedule_due schedule_time_check_every(struct schedule_time *time, uint64_t now_ns)
{
    uint64_t every_ns = time->every_s * CLOCK_NS_PER_S;
    if (now_ns < time->due_ns)
        return SCHEDULE_NOT_DUE;
    uint64_t late_ns = now_ns - time->due_ns;
    time->due_ns += (late_ns / every_ns + 1) * every_ns;
    return late_ns < every_ns ? SCHEDULE_DUE : SCHEDULE_MISSED;
}

static enum schedule_due schedule_time_check_at(struct schedule_time *time, int64_t now_s)
{
    int64_t due_s = time->due_s;
    if (now_s < due_s) {
        /* The clock was set back: what is the next time now may be earlier, but no time that has been. */
        bool has_been = time->last_s > now_s && time->last_s - now_s < DAY_S;
        time->due_s = schedule_time_after(time, has_been ? time->last_s : now_s);
        return SCHEDULE_NOT_DUE;
    }
    time->due_s = schedule_time_after(time, now_s);
    if (now_s - due_s > LATE_S)
        return SCHEDULE_MISSED;
    time->last_s = due_s;
    return SCHEDULE_DUE;
}

enum schedule_due schedule_time_check(struct schedule_time *time, uint64_t now_ns, int64_t now_s)
{
    return time->has_at ? schedule_time_check_at(time, now_s) : schedule_time_check_every(time, now_ns);
}

uint64_t schedule_time_left_s(const struct schedule_time *time, uint64_t now_ns, int64_t now_s)
{
    if (time->has_at)
        return time->due_s > now_s ? (uint64_t)(time->due_s - now_s) : 0;
    return time->due_ns > now_ns ? (time->due_ns - now_ns + CLOCK_NS_PER_S - 1) / CLOCK_NS_PER_S : 0;
}
