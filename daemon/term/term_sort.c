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

static int sort_compare(const void *a, const void *b, void *bytes)
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
        qsort_r(pairs, count, sizeof(*pairs), sort_compare, buffer_bytes(&sorted));
    buffer_append(output, term.data, 5);
    for (size_t i = 0; i < count; i++)
        buffer_append(output, buffer_bytes(&sorted) + pairs[i].start, pairs[i].size);
    free(pairs);
    buffer_free(&sorted);
}

/* The bytes before the elements of a tuple or list, and how many elements follow, a list's tail included. */
static size_t sort_container_header(struct term term, size_t *elements)
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

/* Integers have several encodings; nodes write the shortest. */
static void sort_integer(struct term term, struct buffer *output)
{
    int64_t value;
    struct term_builder builder = {0};
    if (term_read_integer(term, &value)) {
        term_build_integer(&builder, value);
        buffer_append(output, buffer_bytes(&builder.bytes), builder.bytes.size);
        term_build_free(&builder);
        return;
    }
    size_t fixed = term.data[0] == TERM_TAG_SMALL_BIG ? 3 : 6, size = term.size - fixed;
    while (size && !term.data[fixed + size - 1])
        size--;
    uint8_t header[] = {TERM_TAG_LARGE_BIG, 0, 0, 0, 0, term.data[fixed - 1]};
    bytes_put32(header + 1, (uint32_t)size);
    if (size <= UINT8_MAX) {
        header[3] = TERM_TAG_SMALL_BIG;
        buffer_append(output, header + 3, 3);
    } else {
        buffer_append(output, header, 6);
    }
    buffer_append(output, term.data + fixed, size);
}

/* A list of bytes that came as LIST_EXT: nodes write such lists, up to 65535 elements, as STRING_EXT. */
static bool sort_string(struct term term, struct buffer *output)
{
    struct term_list list;
    struct term element;
    int64_t byte;
    size_t before = output->size;
    if (!term_list_start(&list, term) || !list.count || list.count > UINT16_MAX)
        return false;
    uint8_t header[3] = {TERM_TAG_STRING};
    bytes_put16(header + 1, (uint16_t)list.count);
    buffer_append(output, header, sizeof(header));
    while (term_list_next(&list, &element)) {
        if (!term_read_integer(element, &byte) || byte < 0 || byte > UINT8_MAX)
            break;
        buffer_append(output, &(uint8_t){(uint8_t)byte}, 1);
    }
    if (output->size - before == sizeof(header) + list.count && term_list_proper(&list))
        return true;
    buffer_truncate(output, before);
    return false;
}

/* Zeros of both signs are equal up to OTP 26, where they would be one key twice. */
static bool sort_zero(struct term term, struct buffer *output)
{
    static const uint8_t zero[9] = {TERM_TAG_NEW_FLOAT}, negative_zero[9] = {TERM_TAG_NEW_FLOAT, 0x80};
    if (term.size != sizeof(zero) || memcmp(term.data, negative_zero, sizeof(zero)) != 0)
        return false;
    buffer_append(output, zero, sizeof(zero));
    return true;
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
    if (term.data[0] == TERM_TAG_LIST && sort_string(term, output))
        return;
    if (sort_zero(term, output))
        return;
    size_t elements;
    size_t header = sort_container_header(term, &elements);
    if (term.data[0] == TERM_TAG_LARGE_TUPLE && elements <= UINT8_MAX)
        buffer_append(output, (const uint8_t[]){TERM_TAG_SMALL_TUPLE, (uint8_t)elements}, 2);
    else
        buffer_append(output, term.data, header);
    const uint8_t *next = term.data + header;
    for (; elements; elements--) {
        size_t size = term_length(next);
        term_sort((struct term){next, size}, output);
        next += size;
    }
}
