/* The log: one line an event, on standard error. An event has a level, a short text, and fields:
 *
 *     log_info("ready", log_string("node", name), log_integer("port", port));
 *
 * prints `2026-01-31T12:00:00.123Z info ready node=app@host port=4711`, or with LOG_JSON the object
 * {"time":"2026-01-31T12:00:00.123Z","level":"info","event":"ready","node":"app@host","port":4711}.
 * Values with spaces, quotes or control characters are quoted; what is too long is cut short, and a line is
 * whole in any case. The same event more than LOG_BURST times within a second is counted instead of written;
 * the count is written when the second is over: `suppressed what="again and again" lines=980`.
 *
 * Where systemd-journald reads the file (JOURNAL_STREAM), lines begin with the priority: `<6>`.
 *
 * Nobody who logs waits for who reads: from log_start() on a thread writes, in the order of what was logged.
 * What is more than may wait is counted instead of written, the less important first, and the count is
 * written when it goes on: `lines of the log were lost lines=1204`.
 *
 * The log is the one global of the daemon, and of the loop's thread alone. */
#ifndef HARNESSD_BASE_LOG_H
#define HARNESSD_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/compiler.h"

#define LOG_BURST 20

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR, LOG_LEVEL_COUNT };
enum log_format { LOG_TEXT, LOG_JSON };

struct log_field {
    const char *key;    /* NULL ends a list */
    const char *string; /* the value, or NULL for `integer` */
    size_t size;        /* bytes of `string`, which need not end in NUL and need not be UTF-8 */
    int64_t integer;
    bool is_left_out;
};

/* Until this is called: LOG_LEVEL_INFO, LOG_TEXT, standard error. `file` stays the caller's; it is written to
 * until log_start() is called, and tells whether the journal reads. */
void log_configure(enum log_level level, enum log_format format, FILE *file);

/* The level of this name ("debug", "info", "warning", "error"). */
MUST_CHECK bool log_level_parse(const char *name, enum log_level *level);
MUST_CHECK bool log_format_parse(const char *name, enum log_format *format);

bool log_enabled(enum log_level level);

/* `fields` ends with an element whose key is NULL. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/* The same without suppression. */
void log_write_each(enum log_level level, const char *event, const struct log_field *fields);

/* Writes how much was suppressed in seconds that are over, or up to now when `all` is to be told. So does the
 * next event by itself; this is for when there is none. */
void log_settle(bool all);

/* --- Its thread --- */

/* From now on a thread writes to `descriptor`, which stays the caller's. */
void log_start(int descriptor);

/* Waits until all is written, for a second at most: before what shall come after it, and before the end.
 * False when it was not. */
bool log_flush(void);

/* The same, and ends the thread, unless that still waits for who reads. */
void log_stop(void);

/* What is logged last before a crash is written as well, if that can be done within a second. */
void log_watch_crashes(void);

/* Lines that were lost since the start. */
uint64_t log_lost(void);

/* Text that is no line of the log, in its place among them. */
void log_plain(const void *text, size_t size);
void log_print(const char *format, ...) PRINTF_LIKE(1, 2);

/* --- Fields --- */

struct log_field log_string(const char *key, const char *value); /* NULL is left out */
struct log_field log_bytes(const char *key, const void *value, size_t size);
struct log_field log_integer(const char *key, int64_t value);

#define LOG_BY(write, level, event, ...)                                                                     \
    do {                                                                                                     \
        if (log_enabled(level))                                                                              \
            write(level, event, (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.key = NULL}});        \
    } while (0)
#define LOG_AT(level, event, ...) LOG_BY(log_write, level, event __VA_OPT__(, ) __VA_ARGS__)
#define log_debug(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...) LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_warning(event, ...) LOG_AT(LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define log_error(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)

/* One line of an answer that somebody waits for, such as one of all problems of a file. */
#define log_each(level, event, ...) LOG_BY(log_write_each, level, event, __VA_ARGS__)

#endif
