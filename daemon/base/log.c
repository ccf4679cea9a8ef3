#include "base/log.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "log_output_private.h"

/* One line is formatted here and written at once, so that lines of one process never mix. */
#define LOG_LINE_BYTES 4096
#define LOG_VALUE_BYTES 1024

#define CLOSING_BYTES 2 /* the brace and the newline */
#define CUT "...\""     /* how a value ends that there is no room for */
#define ESCAPE_BYTES 6  /* \u001f */

struct log_line {
    char text[LOG_LINE_BYTES];
    size_t size;
    bool full; /* something was left out */
};

/* How often an event was written within the current second; events are told apart by the address of their
 * text, which is always a literal. */
struct log_burst {
    const char *event;
    enum log_level level;
    uint64_t second;
    uint64_t count;
    uint64_t suppressed;
};

#define LOG_BURSTS 512 /* a power of two, and more than there are events */

static struct {
    enum log_level level;
    enum log_format format;
    bool journal;        /* what is written is read by systemd-journald */
    uint64_t settled;    /* the second up to which bursts are told of */
    bool is_suppressing; /* one of them is to be told of */
    struct log_burst bursts[LOG_BURSTS];
} log_state = {.level = LOG_LEVEL_INFO};

static const char *const level_names[LOG_LEVEL_COUNT] = {"debug", "info", "warning", "error"};
static const char *const format_names[] = {[LOG_TEXT] = "text", [LOG_JSON] = "json"};

/* The priorities of syslog, as sd-daemon(3) has them at the beginning of a line. */
static const char *const journal_prefixes[LOG_LEVEL_COUNT] = {"<7>", "<6>", "<4>", "<3>"};

/* systemd tells the device and inode of the stream that it reads, as processes may be given another one. */
static bool log_is_journal(FILE *file)
{
    struct stat status;
    const char *stream = getenv("JOURNAL_STREAM");
    char own[64];
    if (!stream || !file || fileno(file) < 0 || fstat(fileno(file), &status) != 0)
        return false;
    snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(stream, own) == 0;
}

void log_configure(enum log_level level, enum log_format format, FILE *file)
{
    log_state.level = level;
    log_state.format = format;
    log_output_set_file(file);
    log_state.journal = log_is_journal(file);
}

static bool log_find_name(const char *const *names, size_t count, const char *name, size_t *index)
{
    for (*index = 0; *index < count; (*index)++)
        if (strcmp(names[*index], name) == 0)
            return true;
    return false;
}

bool log_level_parse(const char *name, enum log_level *level)
{
    size_t index;
    bool found = log_find_name(level_names, ARRAY_LENGTH(level_names), name, &index);
    if (found)
        *level = (enum log_level)index;
    return found;
}

bool log_format_parse(const char *name, enum log_format *format)
{
    size_t index;
    bool found = log_find_name(format_names, ARRAY_LENGTH(format_names), name, &index);
    if (found)
        *format = (enum log_format)index;
    return found;
}

bool log_enabled(enum log_level level)
{
    return level >= log_state.level;
}

struct log_field log_string(const char *key, const char *value)
{
    struct log_field field = log_bytes(key, value ? value : "", value ? strlen(value) : 0);
    field.is_left_out = !value;
    return field;
}

struct log_field log_bytes(const char *key, const void *value, size_t size)
{
    return (struct log_field){.key = key, .string = value, .size = size};
}

struct log_field log_integer(const char *key, int64_t value)
{
    return (struct log_field){.key = key, .integer = value};
}

/* --- One line --- */

static size_t log_room_of(const struct log_line *line)
{
    return LOG_LINE_BYTES - CLOSING_BYTES - line->size;
}

/* All of it, or nothing. */
static void log_put_bytes(struct log_line *line, const char *data, size_t size)
{
    if (size > log_room_of(line)) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->size, data, size);
    line->size += size;
}

static void log_put_text(struct log_line *line, const char *text)
{
    log_put_bytes(line, text, strlen(text));
}

static bool log_is_control(uint32_t character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

/* The bytes of `data` that one character takes, and that character as it stands within quotes. A byte that is
 * no UTF-8 is written as the character of its number. */
static size_t log_quote_character(const char *data, size_t size, char quoted[ESCAPE_BYTES + 1])
{
    uint32_t character;
    size_t length = utf8_decode((const uint8_t *)data, size, &character);
    if (length && !log_is_control(character)) {
        const char *escape = character == '"' || character == '\\' ? "\\" : "";
        snprintf(quoted, ESCAPE_BYTES + 1, "%s%.*s", escape, (int)length, data);
        return length;
    }
    snprintf(quoted, ESCAPE_BYTES + 1, "\\u%04x", length ? character : (unsigned char)data[0]);
    return length ? length : 1;
}

/* Within quotes, escaped as JSON wants it. */
static void log_put_quoted(struct log_line *line, const char *data, size_t size)
{
    size_t at = 0;
    log_put_text(line, "\"");
    while (at < size && at < LOG_VALUE_BYTES && log_room_of(line) >= ESCAPE_BYTES + strlen(CUT)) {
        char quoted[ESCAPE_BYTES + 1];
        at += log_quote_character(data + at, size - at, quoted);
        log_put_text(line, quoted);
    }
    log_put_text(line, at < size ? CUT : "\"");
}

static bool log_is_plain(const char *data, size_t size)
{
    uint32_t character;
    for (size_t at = 0; at < size;) {
        size_t length = utf8_decode((const uint8_t *)data + at, size - at, &character);
        if (!length || log_is_control(character) || character == ' ' || character == '"' ||
            character == '\\' || character == '=')
            return false;
        at += length;
    }
    return size > 0 && size <= LOG_VALUE_BYTES;
}

static void log_put_time(struct log_line *line)
{
    uint64_t now = clock_wall_us();
    time_t seconds = (time_t)(now / 1000000);
    struct tm calendar;
    gmtime_r(&seconds, &calendar);
    char text[40];
    size_t size = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &calendar);
    log_put_bytes(line, text, size);
    snprintf(text, sizeof(text), ".%03uZ", (unsigned)(now / 1000 % 1000));
    log_put_text(line, text);
}

/* A field for which there is not even room to cut it short is left out. */
static void log_put_field(struct log_line *line, const struct log_field *field)
{
    bool json = log_state.format == LOG_JSON;
    size_t before = line->size;
    log_put_text(line, json ? ",\"" : " ");
    log_put_text(line, field->key);
    log_put_text(line, json ? "\":" : "=");
    if (!field->string) {
        char number[24];
        snprintf(number, sizeof(number), "%lld", (long long)field->integer);
        log_put_text(line, number);
    } else if (!json && field->size <= log_room_of(line) && log_is_plain(field->string, field->size)) {
        log_put_bytes(line, field->string, field->size);
    } else {
        log_put_quoted(line, field->string, field->size);
    }
    if (line->full)
        line->size = before;
    line->full = false;
}

static void log_write_line(enum log_level level, const char *event, const struct log_field *fields)
{
    struct log_line line = {.size = 0};
    bool json = log_state.format == LOG_JSON;
    log_put_text(&line, log_state.journal ? journal_prefixes[level] : "");
    log_put_text(&line, json ? "{\"time\":\"" : "");
    log_put_time(&line);
    log_put_text(&line, json ? "\",\"level\":\"" : " ");
    log_put_text(&line, level_names[level]);
    log_put_text(&line, json ? "\",\"event\":\"" : " ");
    log_put_text(&line, event);
    log_put_text(&line, json ? "\"" : "");
    for (; fields->key; fields++)
        if (!fields->is_left_out)
            log_put_field(&line, fields);
    if (json)
        line.text[line.size++] = '}';
    line.text[line.size++] = '\n';
    log_output_put(level >= LOG_LEVEL_WARNING, line.text, line.size);
}

/* --- What did not reach who reads --- */

static void log_tell_lost(bool now)
{
    uint64_t lost = log_output_take_lost(now);
    if (lost)
        log_write_line(LOG_LEVEL_WARNING, "lines of the log were lost",
                       (const struct log_field[]){log_integer("lines", (int64_t)lost), {.key = NULL}});
}

/* --- Bursts --- */

/* That of the event, or the one that it may take. */
static struct log_burst *log_find_burst(const char *event)
{
    size_t home = ((uintptr_t)event >> 3) % LOG_BURSTS;
    for (size_t i = 0; i < LOG_BURSTS; i++) {
        struct log_burst *burst = &log_state.bursts[(home + i) % LOG_BURSTS];
        if (!burst->event || burst->event == event)
            return burst;
    }
    return &log_state.bursts[home];
}

static bool log_burst_allows(enum log_level level, const char *event, uint64_t second)
{
    struct log_burst *burst = log_find_burst(event);
    if (burst->event != event || burst->second != second)
        *burst = (struct log_burst){.event = event, .level = level, .second = second};
    if (burst->count++ < LOG_BURST)
        return true;
    burst->suppressed++;
    log_state.is_suppressing = true;
    return false;
}

/* Tells of the bursts that were over before `second`. */
static void log_tell_suppressed(uint64_t second)
{
    log_state.is_suppressing = false;
    for (size_t i = 0; i < LOG_BURSTS; i++) {
        struct log_burst *burst = &log_state.bursts[i];
        if (!burst->suppressed)
            continue;
        if (burst->second >= second) {
            log_state.is_suppressing = true;
            continue;
        }
        struct log_field fields[] = {log_string("what", burst->event),
                                     log_integer("lines", (int64_t)burst->suppressed),
                                     {.key = NULL}};
        burst->suppressed = 0;
        log_write_line(burst->level, "suppressed", fields);
    }
}

static uint64_t log_this_second(void)
{
    return clock_ns() / CLOCK_NS_PER_S;
}

void log_settle(bool all)
{
    if (log_state.is_suppressing)
        log_tell_suppressed(all ? UINT64_MAX : log_this_second());
    log_tell_lost(all);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    uint64_t second = log_this_second();
    if (log_state.is_suppressing && second != log_state.settled)
        log_tell_suppressed(second);
    log_state.settled = second;
    log_tell_lost(false);
    if (log_burst_allows(level, event, second))
        log_write_line(level, event, fields);
}

void log_write_each(enum log_level level, const char *event, const struct log_field *fields)
{
    log_tell_lost(false);
    log_write_line(level, event, fields);
}
