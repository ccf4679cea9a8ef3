#include "term/term_sort.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "term/term_build.h"
#include "term/term_check.h"
#include "term/term_read.h"

struct pair {
    size_t start;
    size_t size;
};

static int compare(const void *a, const void *b, void *bytes)
{
    const struct pair *x = a, *y = b;
    size_t size = x->size < y->size ? x->size : y->size;
    int order = memcmp((uint8_t *)bytes + x->start, (uint8_t *)bytes + y->start, size);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

static void sort_map(struct term term, struct buffer *output)
{
    size_t count = bytes_get32(term.data + 1);
    struct pair *pairs = memory_alloc(count * sizeof(*pairs));
    struct buffer sorted = {0};
    const uint8_t *next = term.data + 5;
    for (size_t i = 0; i < count; i++) {
        pairs[i].start = sorted.size;
        for (int part = 0; part < 2; part++) {
            size_t size = term_length(next);
            term_sort((struct term){next, size}, &sorted);
            next += size;
        }
        pairs[i].size = sorted.size - pairs[i].start;
    }
    if (count)
        qsort_r(pairs, count, sizeof(*pairs), compare, buffer_bytes(&sorted));
    buffer_append(output, term.data, 5);
    for (size_t i = 0; i < count; i++)
        buffer_append(output, buffer_bytes(&sorted) + pairs[i].start, pairs[i].size);
    free(pairs);
    buffer_free(&sorted);
}

/* The bytes before the elements of a tuple or list, and how many elements follow, a list's tail included. */
static size_t container_header(struct term term, size_t *elements)
{
    switch (term.data[0]) {
    case TERM_TAG_SMALL_TUPLE:
        *elements = term.data[1];
        return 2;
    case TERM_TAG_LARGE_TUPLE:
        *elements = bytes_get32(term.data + 1);
        return 5;
    case TERM_TAG_LIST:
        *elements = (size_t)bytes_get32(term.data + 1) + 1;
        return 5;
    default:
        *elements = 0;
        return term.size;
    }
}

/* Small numbers have several encodings; nodes write the shortest. */
static void sort_integer(struct term term, struct buffer *output)
{
    int64_t value;
    if (!term_read_integer(term, &value)) {
        buffer_append(output, term.data, term.size);
        return;
    }
    struct term_builder builder = {0};
    term_build_integer(&builder, value);
    buffer_append(output, buffer_bytes(&builder.bytes), builder.bytes.size);
    term_build_free(&builder);
}

void term_sort(struct term term, struct buffer *output)
{
    if (term_type(term) == TERM_INTEGER) {
        sort_integer(term, output);
        return;
    }
    if (term.data[0] == TERM_TAG_MAP) {
        sort_map(term, output);
        return;
    }
    size_t elements;
    size_t header = container_header(term, &elements);
    buffer_append(output, term.data, header);
    const uint8_t *next = term.data + header;
    for (; elements; elements--) {
        size_t size = term_length(next);
        term_sort((struct term){next, size}, output);
        next += size;
    }
}
