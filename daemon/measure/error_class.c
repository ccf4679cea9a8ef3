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

static void class_write(struct term term, unsigned depth, struct term_builder *builder);

static void class_write_any(struct term_builder *builder)
{
    term_build_atom(builder, "_");
}

/* --- Stack traces --- */

static bool class_read_frame(struct term term, struct term frame[4])
{
    return term_read_tuple_of(term, 4, frame) && term_type(frame[0]) == TERM_ATOM &&
           term_type(frame[1]) == TERM_ATOM && term_type(frame[3]) == TERM_LIST &&
           (term_type(frame[2]) == TERM_INTEGER || term_type(frame[2]) == TERM_LIST);
}

bool error_class_is_stack(struct term term)
{
    struct term_list list;
    struct term first, frame[4];
    return term_list_start(&list, term) && term_list_next(&list, &first) && class_read_frame(first, frame);
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

static void class_write_stack(struct term stack, struct term_builder *builder)
{
    struct term_builder frames = {0};
    struct term_list list;
    struct term element, frame[4];
    size_t count = 0;
    if (!term_list_start(&list, stack))
        return;
    while (count < FRAMES && term_list_next(&list, &element) && class_read_frame(element, frame)) {
        class_write_frame(frame, &frames);
        count++;
    }
    term_build_list(builder, count);
    term_build_term(builder, term_built(&frames));
    term_build_nil(builder);
    term_build_free(&frames);
}

/* --- Texts --- */

static void class_write_binary(struct term term, struct term_builder *builder)
{
    char text[TEXT_BYTES + 1];
    const uint8_t *bytes;
    size_t size, characters, length = 0;
    if (!term_read_binary(term, &bytes, &size) || size > TEXT_BYTES ||
        !utf8_count(bytes, size, &characters)) {
        class_write_any(builder);
        return;
    }
    for (size_t i = 0; i < size; i++) {
        bool is_digit = isdigit(bytes[i]), follows_one = i && isdigit(bytes[i - 1]);
        if (!is_digit)
            text[length++] = (char)bytes[i];
        else if (!follows_one)
            text[length++] = '_';
    }
    term_build_binary(builder, text, length);
}

/* --- Containers --- */

static void class_write_tuple(struct term term, unsigned depth, struct term_builder *builder)
{
    struct term elements[ELEMENTS];
    size_t arity = 0;
    if (!term_read_tuple(term, ELEMENTS, elements, &arity)) {
        class_write_any(builder);
        return;
    }
    term_build_tuple(builder, arity);
    for (size_t i = 0; i < arity; i++)
        class_write(elements[i], depth, builder);
}

static void class_write_list(struct term term, unsigned depth, struct term_builder *builder)
{
    struct term_list list;
    struct term element;
    if (error_class_is_stack(term)) {
        class_write_stack(term, builder);
        return;
    }
    if (!term_list_start(&list, term) || list.count > ELEMENTS || list.string) {
        class_write_any(builder);
        return;
    }
    term_build_list(builder, list.count);
    while (term_list_next(&list, &element))
        class_write(element, depth, builder);
    if (list.count)
        term_build_nil(builder); /* an improper tail is of no interest */
}

static void class_write_map(struct term term, unsigned depth, struct term_builder *builder)
{
    struct term name, message, ignored;
    if (!term_pairs_get(term, "__struct__", &name) || term_type(name) != TERM_ATOM) {
        class_write_any(builder);
        return;
    }
    bool has_message =
        term_pairs_get(term, "__exception__", &ignored) && term_pairs_get(term, "message", &message);
    term_build_map(builder, has_message ? 2 : 1);
    term_build_key(builder, "__struct__");
    term_build_term(builder, name);
    if (!has_message)
        return;
    term_build_key(builder, "message");
    class_write(message, depth, builder);
}

static void class_write(struct term term, unsigned depth, struct term_builder *builder)
{
    switch (depth ? term_type(term) : TERM_INTEGER) {
    case TERM_ATOM:
        term_build_term(builder, term);
        break;
    case TERM_BINARY:
        class_write_binary(term, builder);
        break;
    case TERM_TUPLE:
        class_write_tuple(term, depth - 1, builder);
        break;
    case TERM_LIST:
        class_write_list(term, depth - 1, builder);
        break;
    case TERM_MAP:
        class_write_map(term, depth - 1, builder);
        break;
    default:
        class_write_any(builder);
    }
}

/* Less and less deep until it is short enough; the atom '_' is. */
void error_class(struct term reason, struct buffer *output)
{
    struct term_builder builder = {0};
    for (unsigned depth = DEPTH;; depth--) {
        term_build_reset(&builder);
        class_write(reason, depth, &builder);
        if (!depth || builder.bytes.size <= ERROR_CLASS_BYTES)
            break;
    }
    term_sort(term_built(&builder), output);
    term_build_free(&builder);
}
