#include "base/log.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

/* One line is formatted here and written at once, so that lines of one process never mix. */
#define LOG_LINE_BYTES 4096
#define LOG_VALUE_BYTES 1024

struct log_line {
    char text[LOG_LINE_BYTES];
    size_t size;
};

/* How often an event was written within the current second; events are told apart by the address of their
 * text, which is always a literal. */
struct log_burst {
    const char *event;
    uint64_t second;
    uint64_t count;
    uint64_t suppressed;
};

#define LOG_BURSTS 64

static struct {
    enum log_level level;
    enum log_format format;
    FILE *file;
    struct log_burst bursts[LOG_BURSTS];
} log_state = {.level = LOG_LEVEL_INFO};

static const char *const level_names[LOG_LEVEL_COUNT] = {"debug", "info", "warning", "error"};
static const char *const format_names[] = {[LOG_TEXT] = "text", [LOG_JSON] = "json"};

void log_configure(enum log_level level, enum log_format format, FILE *file)
{
    log_state.level = level;
    log_state.format = format;
    log_state.file = file;
}

static bool find_name(const char *const *names, size_t count, const char *name, size_t *index)
{
    for (*index = 0; *index < count; (*index)++)
        if (strcmp(names[*index], name) == 0)
            return true;
    return false;
}

bool log_level_parse(const char *name, enum log_level *level)
{
    size_t index;
    bool found = find_name(level_names, ARRAY_LENGTH(level_names), name, &index);
    if (found)
        *level = (enum log_level)index;
    return found;
}

bool log_format_parse(const char *name, enum log_format *format)
{
    size_t index;
    bool found = find_name(format_names, ARRAY_LENGTH(format_names), name, &index);
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
    return log_bytes(key, value ? value : "", value ? strlen(value) : 0);
}

struct log_field log_bytes(const char *key, const void *value, size_t size)
{
    return (struct log_field){.key = key, .string = value, .size = size};
}

struct log_field log_integer(const char *key, int64_t value)
{
    return (struct log_field){.key = key, .integer = value};
}

static void put_bytes(struct log_line *line, const char *data, size_t size)
{
    size_t room = LOG_LINE_BYTES - 1 - line->size; /* one byte stays free for the newline */
    if (size > room)
        size = room;
    memcpy(line->text + line->size, data, size);
    line->size += size;
}

static void put_text(struct log_line *line, const char *text)
{
    put_bytes(line, text, strlen(text));
}

/* Within quotes, escaped as JSON wants it; bytes that are not ASCII are kept when they can be UTF-8. */
static void put_quoted(struct log_line *line, const char *data, size_t size)
{
    put_text(line, "\"");
    for (size_t i = 0; i < size && i < LOG_VALUE_BYTES; i++) {
        unsigned char c = (unsigned char)data[i];
        char escape[8];
        if (c == '"' || c == '\\')
            snprintf(escape, sizeof(escape), "\\%c", c);
        else if (c < 0x20 || c == 0x7f || c == 0xc0 || c == 0xc1 || c > 0xf4)
            snprintf(escape, sizeof(escape), "\\u%04x", c);
        else
            snprintf(escape, sizeof(escape), "%c", c);
        put_text(line, escape);
    }
    put_text(line, size > LOG_VALUE_BYTES ? "...\"" : "\"");
}

static bool is_plain(const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)data[i] <= ' ' || strchr("\"\\=\x7f", data[i]))
            return false;
    return size > 0 && size <= LOG_VALUE_BYTES;
}

static void put_time(struct log_line *line)
{
    uint64_t now = clock_wall_us();
    time_t seconds = (time_t)(now / 1000000);
    struct tm calendar;
    gmtime_r(&seconds, &calendar);
    char text[40];
    size_t size = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &calendar);
    put_bytes(line, text, size);
    snprintf(text, sizeof(text), ".%03uZ", (unsigned)(now / 1000 % 1000));
    put_text(line, text);
}

static void put_field(struct log_line *line, const struct log_field *field)
{
    bool json = log_state.format == LOG_JSON;
    put_text(line, json ? ",\"" : " ");
    put_text(line, field->key);
    put_text(line, json ? "\":" : "=");
    if (!field->string) {
        char number[24];
        snprintf(number, sizeof(number), "%lld", (long long)field->integer);
        put_text(line, number);
    } else if (!json && is_plain(field->string, field->size)) {
        put_bytes(line, field->string, field->size);
    } else {
        put_quoted(line, field->string, field->size);
    }
}

/* Whether the event may be written now; `*suppressed` is how many of it were not. */
static bool burst_allows(const char *event, uint64_t *suppressed)
{
    struct log_burst *burst = &log_state.bursts[((uintptr_t)event >> 3) % LOG_BURSTS];
    uint64_t second = clock_ns() / CLOCK_NS_PER_S;
    *suppressed = 0;
    if (burst->event != event || burst->second != second) {
        *suppressed = burst->event == event ? burst->suppressed : 0;
        *burst = (struct log_burst){.event = event, .second = second};
    }
    if (burst->count++ < LOG_BURST)
        return true;
    burst->suppressed++;
    return false;
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    uint64_t suppressed = 0;
    if (!burst_allows(event, &suppressed))
        return;
    struct log_line line = {.size = 0};
    bool json = log_state.format == LOG_JSON;
    put_text(&line, json ? "{\"time\":\"" : "");
    put_time(&line);
    put_text(&line, json ? "\",\"level\":\"" : " ");
    put_text(&line, level_names[level]);
    put_text(&line, json ? "\",\"event\":\"" : " ");
    put_text(&line, event);
    put_text(&line, json ? "\"" : "");
    for (; fields->key; fields++)
        put_field(&line, fields);
    struct log_field count = log_integer("suppressed", (int64_t)suppressed);
    if (suppressed)
        put_field(&line, &count);
    put_text(&line, json ? "}" : "");
    line.text[line.size++] = '\n';
    FILE *file = log_state.file ? log_state.file : stderr;
    fwrite(line.text, 1, line.size, file);
    fflush(file);
}
