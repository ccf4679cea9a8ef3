#include "error_class_private.h"

#include <ctype.h>

#include "base/utf8.h"
#include "term/term_build.h"
#include "term/term_read.h"
#include "term/term_sort.h"

#define DEPTH 6
#define FRAMES 8
#define ELEMENTS 8 /* of a tuple or list */
#define TEXT_BYTES 200

/* Values of one reason that are looked at: it is done in one go. */
#define VALUES 20000

/* A class that is written. */
struct class
{
    struct term_builder builder;
    size_t left; /* values that may still be looked at */
};

static void class_write(struct class *class, struct term term, unsigned depth);

static void class_write_any(struct class *class)
{
    term_build_atom(&class->builder, "_");
}

/* --- Values one behind the other --- */

/* Takes the first; false when nobody looks where it ends. */
static bool class_take(struct class *class, struct term *values, struct term *first)
{
    if (!term_long_first(*values, &class->left, first))
        return false;
    values->data += first->size;
    values->size -= first->size;
    return true;
}

/* The last one is what is left, however large. */
static void class_write_values(struct class *class, struct term values, size_t count, unsigned depth)
{
    struct term value;
    while (count > 1 && class_take(class, &values, &value)) {
        class_write(class, value, depth);
        count--;
    }
    if (count == 1)
        class_write(class, values, depth);
    else
        for (; count; count--)
            class_write_any(class);
}

static struct term class_inside(struct term term)
{
    const struct term_head head = term_read_head(term.data);
    return (struct term){term.data + head.size, term.size - head.size};
}

/* --- Stack traces --- */

/* The next value is one. */
static bool class_take_frame(struct class *class, struct term *values, struct term frame[4])
{
    struct term first;
    return class_take(class, values, &first) && term_read_tuple_of(first, 4, frame) &&
           term_type(frame[0]) == TERM_ATOM && term_type(frame[1]) == TERM_ATOM &&
           term_type(frame[3]) == TERM_LIST &&
           (term_type(frame[2]) == TERM_INTEGER || term_type(frame[2]) == TERM_LIST);
}

/* {Module, Function, Arity}: arguments stand for their number. */
static void class_write_frame(const struct term frame[4], struct term_builder *builder)
{
    struct term_list arguments;
    term_build_tuple(builder, 3);
    term_build_term(builder, frame[0]);
    term_build_term(builder, frame[1]);
    if (term_list_start(&arguments, frame[2]))
        term_build_unsigned(builder, arguments.count);
    else
        term_build_term(builder, frame[2]);
}

/* False when it is no stack trace: a list of {Module, Function, Arity | Arguments, Location}. */
static bool class_write_stack(struct class *class, struct term values, size_t elements)
{
    struct term_builder frames = {0};
    struct term frame[4];
    size_t count = 0;
    while (count < FRAMES && count < elements && class_take_frame(class, &values, frame)) {
        class_write_frame(frame, &frames);
        count++;
    }
    if (count) {
        term_build_list(&class->builder, count);
        term_build_term(&class->builder, term_built(&frames));
        term_build_nil(&class->builder);
    }
    term_build_free(&frames);
    return count;
}

/* --- Texts --- */

static void class_write_binary(struct class *class, struct term term)
{
    char text[TEXT_BYTES + 1];
    const uint8_t *bytes;
    size_t size, characters, length = 0;
    if (!term_read_binary(term, &bytes, &size) || size > TEXT_BYTES ||
        !utf8_count(bytes, size, &characters)) {
        class_write_any(class);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        bool is_digit = isdigit(bytes[i]), follows_one = i && isdigit(bytes[i - 1]);
        if (!is_digit)
            text[length++] = (char)bytes[i];
        else if (!follows_one)
            text[length++] = '_';
    }
    term_build_binary(&class->builder, text, length);
}

/* --- Containers --- */

static void class_write_tuple(struct class *class, struct term term, unsigned depth)
{
    const size_t arity = term_read_head(term.data).values;
    if (arity > ELEMENTS) {
        class_write_any(class);
        return;
    }
    term_build_tuple(&class->builder, arity);
    class_write_values(class, class_inside(term), arity, depth);
}

static void class_write_list(struct class *class, struct term term, unsigned depth)
{
    struct term_list list;
    struct term values, value;
    bool is_list = term_list_start(&list, term);
    if (!is_list || list.string || !list.count) {
        if (list.count)
            class_write_any(class);
        else
            term_build_list(&class->builder, 0);
        return;
    }
    values = class_inside(term);
    if (class_write_stack(class, values, list.count))
        return;
    if (list.count > ELEMENTS) {
        class_write_any(class);
        return;
    }
    term_build_list(&class->builder, list.count);
    for (size_t i = 0; i < list.count; i++)
        if (class_take(class, &values, &value))
            class_write(class, value, depth);
        else
            class_write_any(class);
    term_build_nil(&class->builder); /* an improper tail is of no interest */
}

/* What a class has of a map. */
struct class_struct {
    struct term name;
    struct term message;
    bool is_exception;
};

/* False when it is none, as far as anybody looks. */
static bool class_read_struct(struct class *class, struct term map, struct class_struct *found)
{
    struct term values = class_inside(map), key, value;
    *found = (struct class_struct){.is_exception = false};
    for (size_t left = term_read_head(map.data).values; left; left -= 2) {
        if (!class_take(class, &values, &key) || !class_take(class, &values, &value))
            break;
        if (term_is_atom(key, "__struct__"))
            found->name = value;
        else if (term_is_atom(key, "message"))
            found->message = value;
        found->is_exception |= term_is_atom(key, "__exception__");
    }
    return found->name.data && term_type(found->name) == TERM_ATOM;
}

static void class_write_map(struct class *class, struct term term, unsigned depth)
{
    struct class_struct found;
    if (!class_read_struct(class, term, &found)) {
        class_write_any(class);
        return;
    }
    bool has_message = found.is_exception && found.message.data;
    term_build_map(&class->builder, has_message ? 2 : 1);
    term_build_key(&class->builder, "__struct__");
    term_build_term(&class->builder, found.name);
    if (!has_message)
        return;
    term_build_key(&class->builder, "message");
    class_write(class, found.message, depth);
}

static void class_write(struct class *class, struct term term, unsigned depth)
{
    switch (depth ? term_type(term) : TERM_INTEGER) {
    case TERM_ATOM:
        term_build_term(&class->builder, term);
        break;
    case TERM_BINARY:
        class_write_binary(class, term);
        break;
    case TERM_TUPLE:
        class_write_tuple(class, term, depth - 1);
        break;
    case TERM_LIST:
        class_write_list(class, term, depth - 1);
        break;
    case TERM_MAP:
        class_write_map(class, term, depth - 1);
        break;
    default:
        class_write_any(class);
    }
}

/* Less and less deep until it is short enough; the atom '_' is. What it begins with stands for itself. */
void error_class(const struct term_long *reason, struct buffer *output)
{
    struct class class = {.left = VALUES};
    const size_t values = term_long_tail_values(reason);
    const unsigned deepest = reason->head.size ? DEPTH - 1 : DEPTH;
    for (unsigned depth = deepest;; depth--) {
        term_build_reset(&class.builder);
        term_build_term(&class.builder, reason->head);
        class_write_values(&class, reason->tail, values, depth);
        if (!depth || class.builder.bytes.size <= ERROR_CLASS_BYTES)
            break;
    }
    term_sort(term_built(&class.builder), output);
    term_build_free(&class.builder);
}
