#include "term/term_json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "term/term_check.h"
#include "term/term_read.h"
#include "term/term_text.h"
#include "term_float_private.h"
#include "term_shape_private.h"

#define TEXT_BYTES 4096

/* The largest integers that a double can still hold. */
#define BIG_BYTES_MOST 127

enum frame_kind {
    FRAME_TOP, /* around the term itself */
    FRAME_TUPLE,
    FRAME_LIST, /* its last value is the tail */
    FRAME_TAIL, /* the object that the tail of an improper list stands in */
    FRAME_MAP,
};

/* What sort of keys a map has: within the first three no two have the same text. */
enum key_kind { KEY_ATOM = 1, KEY_TEXT = 2, KEY_INTEGER = 4, KEY_OTHER = 8 };

struct frame {
    enum frame_kind kind;
    bool started;     /* something was written in it */
    unsigned kinds;   /* FRAME_MAP: enum key_kind of its keys so far */
    size_t left;      /* values still to come */
    size_t keys;      /* FRAME_MAP: where its keys begin in term_json.keys */
    struct map *seen; /* FRAME_MAP: their texts, from when two could be the same */
};

/* No recursion: pieces end anywhere, and a stack of frames is of a known size. */
struct term_json {
    const uint8_t *next;
    struct buffer *json;
    size_t too_deep;                          /* values beyond the depth */
    struct buffer keys;                       /* of all maps that are open: sizes and texts, in their order */
    size_t depth;                             /* frames[depth] is the innermost */
    struct frame frames[TERM_JSON_DEPTH + 2]; /* with the tail of a list in the last */
};

static void json_put(struct term_json *writer, const char *text)
{
    buffer_append(writer->json, text, strlen(text));
}

static bool json_is_plain(uint8_t byte)
{
    return byte >= ' ' && byte != '"' && byte != '\\';
}

void term_json_string(const void *text, size_t size, struct buffer *json)
{
    const uint8_t *bytes = text;
    buffer_append(json, "\"", 1);
    for (size_t at = 0; at < size;) {
        size_t end = at;
        while (end < size && json_is_plain(bytes[end]))
            end++;
        buffer_append(json, bytes + at, end - at);
        if (end < size) {
            char escape[8];
            bool short_form = bytes[end] == '"' || bytes[end] == '\\';
            snprintf(escape, sizeof(escape), short_form ? "\\%c" : "\\u%04x", bytes[end]);
            buffer_append(json, escape, strlen(escape));
        }
        at = end + 1;
    }
    buffer_append(json, "\"", 1);
}

/* Erlang's syntax as a string. */
static void json_write_text(struct term_json *writer, struct term term)
{
    char text[TEXT_BYTES];
    term_text(term, text, sizeof(text));
    term_json_string(text, strlen(text), writer->json);
}

/* --- Leaves --- */

static struct term json_leaf_text(struct term term)
{
    size_t fixed = term_shapes[*term.data].fixed;
    return (struct term){term.data + fixed, term.size - fixed};
}

static void json_write_atom(struct term_json *writer, struct term term)
{
    if (term_is_atom(term, "true"))
        json_put(writer, "true");
    else if (term_is_atom(term, "false"))
        json_put(writer, "false");
    else if (term_is_atom(term, "nil") || term_is_atom(term, "null"))
        json_put(writer, "null");
    else
        term_json_string(json_leaf_text(term).data, json_leaf_text(term).size, writer->json);
}

/* Decimal digits of an integer whose `size` bytes are given with the least first: nine of them at a time. */
#define DIGITS_AT_ONCE 9
#define WORDS_MOST (BIG_BYTES_MOST * 8 / 29 + 1) /* each has 29 bits and more */

static void json_write_big(struct term_json *writer, const uint8_t *bytes, size_t size)
{
    uint32_t words[WORDS_MOST] = {0}; /* the least first */
    size_t count = 1;
    for (size_t i = size; i > 0; i--) {
        uint64_t carry = bytes[i - 1];
        for (size_t j = 0; j < count; j++) {
            carry += (uint64_t)words[j] << 8;
            words[j] = (uint32_t)(carry % 1000000000);
            carry /= 1000000000;
        }
        if (carry) {
            assert(count < WORDS_MOST);
            words[count++] = (uint32_t)carry;
        }
    }
    char digits[DIGITS_AT_ONCE + 3];
    for (size_t i = count; i > 0; i--) {
        snprintf(digits, sizeof(digits), i == count ? "%" PRIu32 : "%09" PRIu32, words[i - 1]);
        json_put(writer, digits);
    }
}

static void json_write_integer(struct term_json *writer, struct term term)
{
    int64_t value;
    char digits[24];
    if (term_read_integer(term, &value)) {
        snprintf(digits, sizeof(digits), "%" PRId64, value);
        json_put(writer, digits);
        return;
    }
    struct term bytes = json_leaf_text(term);
    if (bytes.size > BIG_BYTES_MOST) {
        json_write_text(writer, term);
        return;
    }
    if (bytes.data[-1])
        json_put(writer, "-");
    json_write_big(writer, bytes.data, bytes.size);
}

static void json_write_float(struct term_json *writer, struct term term)
{
    double value;
    char text[TERM_FLOAT_TEXT_BYTES];
    bool read = term_float_decode(term.data, &value);
    assert(read);
    term_float_text(value, text);
    json_put(writer, text);
}

static bool json_is_text(struct term term)
{
    const uint8_t *bytes;
    size_t size, characters;
    return term_read_binary(term, &bytes, &size) &&
           (utf8_is_ascii(bytes, size) || utf8_count(bytes, size, &characters));
}

/* STRING_EXT: a list of bytes. */
static void json_write_bytes(struct term_json *writer, struct term bytes)
{
    json_put(writer, "[");
    for (size_t i = 0; i < bytes.size; i++) {
        char digits[8];
        snprintf(digits, sizeof(digits), i ? ",%u" : "%u", bytes.data[i]);
        json_put(writer, digits);
    }
    json_put(writer, "]");
}

static void json_write_leaf(struct term_json *writer, struct term term)
{
    switch (term_type(term)) {
    case TERM_INTEGER:
        json_write_integer(writer, term);
        break;
    case TERM_FLOAT:
        json_write_float(writer, term);
        break;
    case TERM_ATOM:
        json_write_atom(writer, term);
        break;
    case TERM_LIST:
        json_write_bytes(writer, term_is_nil(term) ? (struct term){0} : json_leaf_text(term));
        break;
    case TERM_BINARY:
        if (json_is_text(term))
            term_json_string(json_leaf_text(term).data, json_leaf_text(term).size, writer->json);
        else
            json_write_text(writer, term);
        break;
    default:
        json_write_text(writer, term);
        break;
    }
}

/* --- Keys --- */

static enum key_kind json_key_kind(struct term key)
{
    switch (term_type(key)) {
    case TERM_ATOM:
        return KEY_ATOM;
    case TERM_BINARY:
        return json_is_text(key) ? KEY_TEXT : KEY_OTHER;
    case TERM_INTEGER:
        return KEY_INTEGER;
    default:
        return KEY_OTHER;
    }
}

/* Puts a text behind the keys that are remembered. */
static void json_remember(struct term_json *writer, const void *text, size_t size)
{
    uint32_t length = (uint32_t)size;
    buffer_append(&writer->keys, &length, sizeof(length));
    buffer_append(&writer->keys, text, size);
}

/* The remembered text at `*at`, which is moved behind it. */
static struct term json_recall(const struct term_json *writer, size_t *at)
{
    uint32_t length;
    memcpy(&length, buffer_bytes(&writer->keys) + *at, sizeof(length));
    struct term text = {buffer_bytes(&writer->keys) + *at + sizeof(length), length};
    *at += sizeof(length) + length;
    return text;
}

static bool json_was_seen(struct frame *frame, struct term text)
{
    return map_put(frame->seen, text.data, text.size, frame->seen);
}

/* Remembers a text for `key` that no other key of the map has: itself, Erlang's syntax, or that with a
 * number. */
static void json_remember_other(struct term_json *writer, struct frame *frame, struct term key, size_t start)
{
    char text[TEXT_BYTES + 24];
    term_text(key, text, TEXT_BYTES);
    size_t length = strlen(text);
    for (size_t number = 1, at = start; json_was_seen(frame, json_recall(writer, &at));
         number++, at = start) {
        if (number > 1)
            snprintf(text + length, sizeof(text) - length, " (%zu)", number);
        buffer_truncate(&writer->keys, start);
        json_remember(writer, text, strlen(text));
    }
}

static void json_see_all(struct term_json *writer, struct frame *frame, size_t end)
{
    frame->seen = memory_zalloc(1, sizeof(*frame->seen));
    for (size_t at = frame->keys; at < end;)
        (void)json_was_seen(frame, json_recall(writer, &at));
}

static void json_write_key(struct term_json *writer, struct frame *frame, struct term key)
{
    size_t start = writer->keys.size;
    enum key_kind kind = json_key_kind(key);
    if (kind == KEY_ATOM || kind == KEY_TEXT) {
        json_remember(writer, json_leaf_text(key).data, json_leaf_text(key).size);
    } else {
        char text[TEXT_BYTES];
        term_text(key, text, sizeof(text));
        json_remember(writer, text, strlen(text));
    }
    frame->kinds |= kind;
    bool distinct = frame->kinds == KEY_ATOM || frame->kinds == KEY_TEXT || frame->kinds == KEY_INTEGER;
    if (!distinct && !frame->seen)
        json_see_all(writer, frame, start);
    if (frame->seen)
        json_remember_other(writer, frame, key, start);
    struct term text = json_recall(writer, &start);
    term_json_string(text.data, text.size, writer->json);
    json_put(writer, ":");
}

/* --- Containers --- */

static void json_open_frame(struct term_json *writer, enum frame_kind kind, size_t values)
{
    static const char *const opening[] = {
        [FRAME_TUPLE] = "[", [FRAME_LIST] = "[", [FRAME_TAIL] = "{\"|\":", [FRAME_MAP] = "{"};
    json_put(writer, opening[kind]);
    writer->frames[++writer->depth] = (struct frame){.kind = kind, .left = values, .keys = writer->keys.size};
}

static void json_close_frame(struct term_json *writer)
{
    static const char *const closing[] = {
        [FRAME_TUPLE] = "]", [FRAME_LIST] = "]", [FRAME_TAIL] = "}", [FRAME_MAP] = "}"};
    struct frame *frame = &writer->frames[writer->depth--];
    json_put(writer, closing[frame->kind]);
    buffer_truncate(&writer->keys, frame->keys);
    if (!frame->seen)
        return;
    map_free(frame->seen);
    free(frame->seen);
}

static bool json_frame_kind_of(uint8_t tag, enum frame_kind *kind)
{
    switch (term_shapes[tag].kind) {
    case SHAPE_TUPLE:
        *kind = FRAME_TUPLE;
        return true;
    case SHAPE_LIST:
        *kind = FRAME_LIST;
        return true;
    case SHAPE_MAP:
        *kind = FRAME_MAP;
        return true;
    default:
        return false;
    }
}

static void json_write_value(struct term_json *writer)
{
    enum frame_kind kind;
    bool container = json_frame_kind_of(*writer->next, &kind);
    if (container && writer->depth < TERM_JSON_DEPTH) {
        struct term_head head = term_read_head(writer->next);
        writer->next += head.size;
        json_open_frame(writer, kind, head.values);
        return;
    }
    struct term term = {writer->next, term_length(writer->next)};
    writer->next += term.size;
    writer->too_deep += container;
    if (container)
        json_write_text(writer, term);
    else
        json_write_leaf(writer, term);
}

/* The tail of a list: nothing in a proper one. */
static void json_write_tail(struct term_json *writer, struct frame *frame)
{
    if (*writer->next == TERM_TAG_NIL) {
        writer->next++;
        return;
    }
    if (frame->started)
        json_put(writer, ",");
    json_open_frame(writer, FRAME_TAIL, 1);
}

static void json_step(struct term_json *writer)
{
    struct frame *frame = &writer->frames[writer->depth];
    if (!frame->left) {
        json_close_frame(writer);
        return;
    }
    frame->left--;
    if (frame->kind == FRAME_LIST && !frame->left) {
        json_write_tail(writer, frame);
        return;
    }
    bool is_key = frame->kind == FRAME_MAP && frame->left % 2;
    if (frame->started && (frame->kind != FRAME_MAP || is_key))
        json_put(writer, ",");
    frame->started = true;
    if (is_key) {
        struct term key = {writer->next, term_length(writer->next)};
        writer->next += key.size;
        json_write_key(writer, frame, key);
    } else {
        json_write_value(writer);
    }
}

struct term_json *term_json_new(struct term term)
{
    struct term_json *writer = memory_zalloc(1, sizeof(*writer));
    writer->next = term.data;
    writer->frames[0] = (struct frame){.kind = FRAME_TOP, .left = 1};
    return writer;
}

bool term_json_next(struct term_json *writer, size_t size, struct buffer *json)
{
    size_t before = json->size;
    writer->json = json;
    while (writer->depth || writer->frames[0].left) {
        if (json->size - before >= size)
            return true;
        json_step(writer);
    }
    return false;
}

size_t term_json_too_deep(const struct term_json *writer)
{
    return writer->too_deep;
}

void term_json_free(struct term_json *writer)
{
    while (writer->depth) {
        struct frame *frame = &writer->frames[writer->depth--];
        if (frame->seen)
            map_free(frame->seen);
        free(frame->seen);
    }
    buffer_free(&writer->keys);
    free(writer);
}

size_t term_json_write(struct term term, struct buffer *json)
{
    struct term_json *writer = term_json_new(term);
    while (term_json_next(writer, SIZE_MAX, json))
        continue;
    size_t too_deep = writer->too_deep;
    term_json_free(writer);
    return too_deep;
}

void term_json_warn(size_t too_deep, struct buffer *json)
{
    if (too_deep)
        buffer_print(
            json,
            ",\"warning\":\"values deeper than %d levels, %zu of them, are shown as text, which ends "
            "in ... where it is too long; in the term they are whole\"",
            TERM_JSON_DEPTH, too_deep);
}
