#include "term/term_long.h"

#include "term/term_read.h"

void term_build_long(struct term_builder *builder, const struct term_long *term)
{
    term_build_term(builder, term->head);
    term_build_term(builder, term->tail);
}

struct term term_long_join(const struct term_long *term, struct buffer *output)
{
    if (!term->head.size)
        return term->tail;
    buffer_truncate(output, 0);
    buffer_append(output, term->head.data, term->head.size);
    buffer_append(output, term->tail.data, term->tail.size);
    return term_of(output);
}

size_t term_long_tail_values(const struct term_long *term)
{
    size_t values = 1;
    for (const uint8_t *next = term->head.data, *end = next + term->head.size; next < end;) {
        struct term_head head = term_read_head(next);
        next += head.size;
        values += head.values;
        values--;
    }
    return values;
}

bool term_long_first(struct term values, size_t *left, struct term *first)
{
    const uint8_t *next = values.data;
    size_t missing = 1;
    for (; missing && *left; --*left) {
        struct term_head head = term_read_head(next);
        next += head.size;
        missing += head.values;
        missing--;
    }
    if (missing)
        return false;
    *first = (struct term){values.data, (size_t)(next - values.data)};
    return true;
}

void term_kept_set(struct term_kept *kept, const struct term_long *term)
{
    const bool is_held = term_long_is_held(term);
    struct term_kept next = {.size = term_long_size(term)};
    buffer_append(&next.bytes, term->head.data, term->head.size);
    if (is_held) {
        next.tail = term->tail;
        next.held = blob_hold(term->held);
    } else {
        buffer_append(&next.bytes, term->tail.data, term->tail.size);
    }
    buffer_fit(&next.bytes);
    term_kept_free(kept);
    *kept = next;
}

void term_kept_free(struct term_kept *kept)
{
    buffer_free(&kept->bytes);
    blob_release(kept->held);
    *kept = (struct term_kept){.size = 0};
}
