#include "term/term_text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "term/term_check.h"
#include "term/term_read.h"
#include "term_float_private.h"
#include "term_shape_private.h"

#define TEXT_DEPTH_LIMIT 1000
#define TEXT_ELEMENT_LIMIT 100

/* What is read for nothing but to know what comes behind it; beyond that the text is cut, for a text is
 * written in one go. */
#define TEXT_SKIPPED_BYTES (1024 * 1024)

struct writer {
    char *text;
    size_t size;
    size_t used; /* without the NUL */
    size_t depth;
    size_t skips;            /* bytes that may still be skipped */
    size_t looks;            /* bytes of a map in which its end may be looked for */
    bool cut;                /* something did not fit; nothing more is written */
    const uint8_t *head_end; /* of a term in two parts; NULL: it is in one */
    const uint8_t *tail;
};

/* Writes the value at `data`, and answers where it ends; anything when the text is cut. */
static const uint8_t *text_write_term(struct writer *writer, const uint8_t *data);

/* Where so many values end. */
static const uint8_t *text_skip(struct writer *writer, const uint8_t *data, size_t values)
{
    const uint8_t *start = data;
    while (values && (size_t)(data - start) <= writer->skips) {
        struct term_head head = term_read_head(data);
        data += head.size;
        values += head.values;
        values--;
    }
    size_t skipped = (size_t)(data - start);
    writer->cut |= values > 0;
    writer->skips -= skipped < writer->skips ? skipped : writer->skips;
    return data;
}

static void text_write_bytes(struct writer *writer, const void *bytes, size_t size)
{
    size_t room = writer->size - writer->used - 1;
    if (writer->cut)
        return;
    if (size > room) {
        writer->cut = true;
        size = room;
    }
    memcpy(writer->text + writer->used, bytes, size);
    writer->used += size;
}

static void text_write_string(struct writer *writer, const char *string)
{
    text_write_bytes(writer, string, strlen(string));
}

static void text_write_format(struct writer *writer, const char *format, ...) PRINTF_LIKE(2, 3);

static void text_write_format(struct writer *writer, const char *format, ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    text_write_string(writer, text);
}

/* The letter that stands for a character behind a backslash, or 0. */
static char text_escape_letter(uint32_t character)
{
    static const char letters[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\v'] = 'v',
        ['\f'] = 'f', ['\r'] = 'r', [0x1b] = 'e', ['\\'] = '\\',
    };
    return character < sizeof(letters) ? letters[character] : '\0';
}

static bool text_is_printable(uint32_t character)
{
    return (character >= 0x20 && character < 0x7f) || character >= 0xa0 ||
           (character != '\\' && text_escape_letter(character));
}

/* A character inside quotes. */
static void text_write_character(struct writer *writer, uint32_t character, char quote)
{
    uint8_t text[4];
    char letter = text_escape_letter(character);
    if (letter)
        text_write_format(writer, "\\%c", letter);
    else if (character == (uint8_t)quote)
        text_write_format(writer, "\\%c", quote);
    else if (!text_is_printable(character))
        text_write_format(writer, "\\x{%" PRIX32 "}", character);
    else
        text_write_bytes(writer, text, utf8_encode(character, text));
}

/* UTF-8 that was checked, as it stands between quotes. */
static void text_write_characters(struct writer *writer, const uint8_t *text, size_t size, char quote)
{
    uint32_t character;
    for (size_t at = 0, length; at < size && !writer->cut; at += length) {
        length = utf8_decode(text + at, size - at, &character);
        if (!length) { /* so far behind that nobody has looked */
            writer->cut = true;
            return;
        }
        text_write_character(writer, character, quote);
    }
}

static void text_write_quoted(struct writer *writer, const uint8_t *text, size_t size, char quote)
{
    text_write_bytes(writer, &quote, 1);
    text_write_characters(writer, text, size, quote);
    text_write_bytes(writer, &quote, 1);
}

static bool text_is_reserved(const char *text, size_t size)
{
    static const char *const words[] = {
        "after", "and",   "andalso", "band",    "begin", "bnot", "bor",  "bsl", "bsr",   "bxor",
        "case",  "catch", "cond",    "div",     "end",   "fun",  "if",   "let", "maybe", "not",
        "of",    "or",    "orelse",  "receive", "rem",   "try",  "when", "xor", "else",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
        if (strlen(words[i]) == size && memcmp(words[i], text, size) == 0)
            return true;
    }
    return false;
}

static bool text_is_plain_atom(const char *text, size_t size)
{
    if (!size || text[0] < 'a' || text[0] > 'z')
        return false;
    for (size_t i = 1; i < size; i++) {
        bool letter = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z');
        if (!letter && !(text[i] >= '0' && text[i] <= '9') && text[i] != '_' && text[i] != '@')
            return false;
    }
    return !text_is_reserved(text, size);
}

static void text_write_atom(struct writer *writer, const uint8_t *data)
{
    size_t fixed = term_shapes[*data].fixed;
    size_t size = term_shape_leaf_size(data) - fixed;
    if (text_is_plain_atom((const char *)data + fixed, size))
        text_write_bytes(writer, data + fixed, size);
    else
        text_write_quoted(writer, data + fixed, size, '\'');
}

static void text_write_integer(struct writer *writer, struct term term)
{
    int64_t value;
    if (term_read_integer(term, &value)) {
        text_write_format(writer, "%" PRId64, value);
        return;
    }
    size_t fixed = term_shapes[*term.data].fixed;
    size_t end = term.size;
    while (!term.data[end - 1]) /* an integer of leading zeros only was read above */
        end--;
    if (term.data[fixed - 1])
        text_write_string(writer, "-");
    if (end - fixed <= 8) {
        uint64_t magnitude = 0;
        for (size_t i = end; i > fixed; i--)
            magnitude = magnitude << 8 | term.data[i - 1];
        text_write_format(writer, "%" PRIu64, magnitude);
        return;
    }
    text_write_format(writer, "16#%X", term.data[end - 1]);
    for (size_t i = end - 1; i > fixed && !writer->cut; i--)
        text_write_format(writer, "%02X", term.data[i - 1]);
}

static void text_write_float(struct writer *writer, const uint8_t *data)
{
    double value;
    char text[TERM_FLOAT_TEXT_BYTES];
    if (!term_float_decode(data, &value))
        return;
    term_float_text(value, text);
    text_write_string(writer, text);
}

static void text_write_byte_elements(struct writer *writer, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size && !writer->cut; i++) {
        if (i == TEXT_ELEMENT_LIMIT) {
            text_write_string(writer, ",...");
            return;
        }
        text_write_format(writer, i ? ",%u" : "%u", bytes[i]);
    }
}

/* STRING_EXT: its bytes are characters of latin-1, if they are characters. */
static void text_write_list_string(struct writer *writer, const uint8_t *bytes, size_t size)
{
    bool printable = true;
    for (size_t i = 0; i < size && printable; i++)
        printable = text_is_printable(bytes[i]) || bytes[i] == '\\';
    text_write_string(writer, printable ? "\"" : "[");
    if (printable) {
        for (size_t i = 0; i < size && !writer->cut; i++)
            text_write_character(writer, bytes[i], '"');
    } else {
        text_write_byte_elements(writer, bytes, size);
    }
    text_write_string(writer, printable ? "\"" : "]");
}

/* Looks at no more than there is room for. */
static bool text_is_printable_bytes(const struct writer *writer, const uint8_t *text, size_t size)
{
    uint32_t character;
    if (size > writer->size) {
        size = writer->size;
        while (size && (text[size] & 0xc0) == 0x80) /* not in the middle of a character */
            size--;
    }
    for (size_t at = 0, length; at < size; at += length) {
        length = utf8_decode(text + at, size - at, &character);
        if (!length || !text_is_printable(character))
            return false;
    }
    return true;
}

static void text_write_binary(struct writer *writer, struct term term)
{
    size_t fixed = term_shapes[*term.data].fixed;
    const uint8_t *bytes = term.data + fixed;
    size_t size = term.size - fixed;
    text_write_string(writer, "<<");
    if (term_type(term) == TERM_BITSTRING) {
        unsigned bits = term.data[5];
        bool shortened = size > TEXT_ELEMENT_LIMIT;
        text_write_byte_elements(writer, bytes, shortened ? size : size - 1);
        if (!shortened)
            text_write_format(writer, size > 1 ? ",%u:%u" : "%u:%u", bytes[size - 1] >> (8 - bits), bits);
    } else if (size && text_is_printable_bytes(writer, bytes, size)) {
        text_write_quoted(writer, bytes, size, '"');
        if (!writer->cut && !utf8_is_ascii(bytes, size))
            text_write_string(writer, "/utf8");
    } else {
        text_write_byte_elements(writer, bytes, size);
    }
    text_write_string(writer, ">>");
}

static uint64_t text_read_word(const uint8_t *data, size_t bytes)
{
    uint64_t value = 0;
    while (bytes--)
        value = value << 8 | *data++;
    return value;
}

/* <node.8.0>, #Port<node.5>, #Ref<node.3.2.1>: the words of a reference last first, as Erlang prints them. */
static void text_write_identifier(struct writer *writer, const uint8_t *data)
{
    const struct term_shape *shape = &term_shapes[*data];
    const uint8_t *node = data + shape->fixed;
    const uint8_t *numbers = node + term_shape_leaf_size(node);
    size_t fixed = term_shapes[*node].fixed;
    const char *open = shape->type == TERM_PID ? "<" : shape->type == TERM_PORT ? "#Port<" : "#Ref<";
    text_write_string(writer, open);
    text_write_characters(writer, node + fixed, (size_t)(numbers - node) - fixed, '\'');
    if (shape->type == TERM_PID) {
        text_write_format(writer, ".%" PRIu64 ".%" PRIu64, text_read_word(numbers, 4),
                          text_read_word(numbers + 4, 4));
    } else if (shape->type == TERM_PORT) {
        text_write_format(writer, ".%" PRIu64, text_read_word(numbers, *data == TERM_TAG_V4_PORT ? 8 : 4));
    } else {
        size_t words = shape->width ? term_shape_count(shape, data) : 1;
        if (shape->width)
            numbers += shape->trailer; /* the creation */
        while (words--)
            text_write_format(writer, ".%" PRIu64, text_read_word(numbers + 4 * words, 4));
    }
    text_write_string(writer, ">");
}

/* fun lists:map/2 */
static void text_write_export(struct writer *writer, const uint8_t *data)
{
    const uint8_t *module = data + 1;
    const uint8_t *function = module + term_shape_leaf_size(module);
    const uint8_t *arity = function + term_shape_leaf_size(function);
    text_write_string(writer, "fun ");
    text_write_atom(writer, module);
    text_write_string(writer, ":");
    text_write_atom(writer, function);
    text_write_format(writer, "/%u", arity[1]);
}

/* #Fun<module.index.uniq> */
static void text_write_fun(struct writer *writer, const uint8_t *data)
{
    size_t fixed = term_shapes[*data].fixed;
    const uint8_t *module = data + fixed;
    const uint8_t *old_index = module + term_shape_leaf_size(module);
    const uint8_t *uniq = old_index + term_shape_leaf_size(old_index);
    int64_t number;
    text_write_string(writer, "#Fun<");
    text_write_atom(writer, module);
    text_write_format(writer, ".%" PRIu32, term_shape_u32(data + fixed - 8));
    if (term_read_integer((struct term){uniq, term_shape_leaf_size(uniq)}, &number))
        text_write_format(writer, ".%" PRId64, number);
    text_write_string(writer, ">");
}

static const uint8_t *text_write_tuple(struct writer *writer, const uint8_t *data)
{
    struct term_head head = term_read_head(data);
    const uint8_t *next = data + head.size;
    text_write_string(writer, "{");
    for (size_t i = 0; i < head.values && !writer->cut; i++) {
        if (i)
            text_write_string(writer, ",");
        next = text_write_term(writer, next);
    }
    text_write_string(writer, "}");
    return next;
}

/* Elixir's modules have a prefix that people do not write. */
static void text_write_module(struct writer *writer, struct term module)
{
    static const char prefix[] = "Elixir.";
    char name[TERM_ATOM_BYTES + 1];
    bool is_atom = term_read_atom(module, name);
    bool is_elixir = is_atom && strncmp(name, prefix, strlen(prefix)) == 0;
    text_write_string(writer, is_elixir ? name + strlen(prefix) : name);
}

/* ** (ArgumentError) message, or without one its other fields. False when the map is no exception of
 * Elixir's. */
static bool text_write_exception(struct writer *writer, struct term term)
{
    static const char *const bookkeeping[] = {"__struct__", "__exception__", "message"};
    struct term name, mark, message, key, value;
    struct term_pairs pairs;
    const uint8_t *bytes = NULL;
    size_t size = 0;
    if (!term_pairs_get(term, "__exception__", &mark) || !term_pairs_get(term, "__struct__", &name) ||
        term_type(name) != TERM_ATOM || !term_pairs_start(&pairs, term))
        return false;
    text_write_string(writer, "** (");
    text_write_module(writer, name);
    text_write_string(writer, ")");
    if (term_pairs_get(term, "message", &message) && term_read_binary(message, &bytes, &size)) {
        text_write_string(writer, " ");
        if (text_is_printable_bytes(writer, bytes, size))
            text_write_characters(writer, bytes, size, '\0');
        else
            (void)text_write_term(writer, message.data);
        return true;
    }
    while (!writer->cut && term_pairs_next(&pairs, &key, &value)) {
        bool is_field = true;
        for (size_t i = 0; i < ARRAY_LENGTH(bookkeeping); i++)
            is_field = is_field && !term_is_atom(key, bookkeeping[i]);
        if (!is_field)
            continue;
        text_write_string(writer, " ");
        (void)text_write_term(writer, key.data);
        text_write_string(writer, ": ");
        (void)text_write_term(writer, value.data);
    }
    return true;
}

/* Whether a map is an exception is known from all of it: of one that is too large nobody looks. As maps that
 * are too large may be inside of each other, less is looked at after each. */
static const uint8_t *text_write_map(struct writer *writer, const uint8_t *data)
{
    struct writer look = {.skips = writer->looks};
    const uint8_t *end = text_skip(&look, data, 1);
    struct term_head head = term_read_head(data);
    const uint8_t *next = data + head.size;
    writer->looks = look.cut ? writer->looks / 2 : look.skips;
    if (!look.cut && text_write_exception(writer, (struct term){data, (size_t)(end - data)}))
        return end;
    text_write_string(writer, "#{");
    for (size_t i = 0; i < head.values && !writer->cut; i++) {
        if (i)
            text_write_string(writer, i % 2 ? " => " : ",");
        next = text_write_term(writer, next);
    }
    text_write_string(writer, "}");
    return next;
}

static const uint8_t *text_write_list(struct writer *writer, const uint8_t *data)
{
    struct term_head head = term_read_head(data);
    const uint8_t *next = data + head.size;
    text_write_string(writer, "[");
    for (size_t i = 0; i + 1 < head.values && !writer->cut; i++) {
        if (i)
            text_write_string(writer, ",");
        if (i == TEXT_ELEMENT_LIMIT) {
            text_write_string(writer, "...]");
            return text_skip(writer, next, head.values - i);
        }
        next = text_write_term(writer, next);
    }
    if (!writer->cut && *next == TERM_TAG_NIL) {
        next++;
    } else if (!writer->cut) {
        text_write_string(writer, "|");
        next = text_write_term(writer, next);
    }
    text_write_string(writer, "]");
    return next;
}

static void text_write_leaf(struct writer *writer, struct term term)
{
    switch (term_type(term)) {
    case TERM_INTEGER:
        text_write_integer(writer, term);
        break;
    case TERM_FLOAT:
        text_write_float(writer, term.data);
        break;
    case TERM_ATOM:
        text_write_atom(writer, term.data);
        break;
    case TERM_LIST:
        if (*term.data == TERM_TAG_STRING)
            text_write_list_string(writer, term.data + 3, term.size - 3);
        else
            text_write_string(writer, "[]");
        break;
    case TERM_BINARY:
    case TERM_BITSTRING:
        text_write_binary(writer, term);
        break;
    case TERM_PID:
    case TERM_PORT:
    case TERM_REFERENCE:
        text_write_identifier(writer, term.data);
        break;
    case TERM_FUN:
        if (*term.data == TERM_TAG_EXPORT)
            text_write_export(writer, term.data);
        else
            text_write_fun(writer, term.data);
        break;
    case TERM_TUPLE:
    case TERM_MAP:
        break; /* are no leaves */
    }
}

/* Recursive, at most as deep as it says here. */
static const uint8_t *text_write_term(struct writer *writer, const uint8_t *data)
{
    if (data == writer->head_end)
        data = writer->tail;
    if (writer->depth > TEXT_DEPTH_LIMIT) {
        text_write_string(writer, "...");
        return text_skip(writer, data, 1);
    }
    const uint8_t *end = data;
    writer->depth++;
    switch (*data) {
    case TERM_TAG_SMALL_TUPLE:
    case TERM_TAG_LARGE_TUPLE:
        end = text_write_tuple(writer, data);
        break;
    case TERM_TAG_LIST:
        end = text_write_list(writer, data);
        break;
    case TERM_TAG_MAP:
        end = text_write_map(writer, data);
        break;
    default:
        end += term_length(data);
        text_write_leaf(writer, (struct term){data, (size_t)(end - data)});
        break;
    }
    writer->depth--;
    return end;
}

char *term_text(struct term term, char *text, size_t size)
{
    return term_long_text(TERM_LONG(term), text, size);
}

char *term_long_text(const struct term_long *term, char *text, size_t size)
{
    const struct term head = term->head, tail = term->tail;
    if (!size)
        return text;
    struct writer writer = {.text = text,
                            .size = size,
                            .skips = TEXT_SKIPPED_BYTES,
                            .looks = TEXT_SKIPPED_BYTES,
                            .tail = tail.data};
    if (head.size)
        writer.head_end = head.data + head.size;
    if (head.size || tail.size)
        (void)text_write_term(&writer, head.size ? head.data : tail.data);
    if (writer.cut) {
        size_t dots = size - 1 < 3 ? size - 1 : 3;
        size_t end = size - 1 - dots;
        while (end && ((uint8_t)text[end] & 0xc0) == 0x80) /* not in the middle of a character */
            end--;
        memset(text + end, '.', dots);
        writer.used = end + dots;
    }
    text[writer.used] = '\0';
    return text;
}
