#include "term/term_sort.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "term/term_build.h"
#include "term/term_check.h"
#include "term/term_read.h"

/* Maps inside so many others keep the order that they came in: each that is sorted moves what is inside. */
#define SORT_MAPS_DEEP 64

struct pair {
    size_t start;
    size_t size;
};

/* A container whose values are being sorted. */
struct frame {
    size_t left;  /* values still to come */
    size_t pairs; /* of a map whose pairs are put in order: where its first is in sort.pairs */
    bool is_map;
};

struct sort {
    const uint8_t *next;
    struct buffer *output;
    struct frame *frames;
    size_t depth; /* frames[depth - 1] is the innermost */
    size_t frame_capacity;
    struct pair *pairs; /* of all maps that are open; the last of each has no size yet */
    size_t pair_count;
    size_t pair_capacity;
    size_t maps; /* that are open and sorted */
};

static void *sort_room(void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    *capacity = *capacity ? *capacity + *capacity / 2 : 64;
    return memory_resize(array, *capacity, size);
}

static int sort_compare(const void *a, const void *b, void *bytes)
{
    const struct pair *x = a, *y = b;
    size_t size = x->size < y->size ? x->size : y->size;
    int order = memcmp((uint8_t *)bytes + x->start, (uint8_t *)bytes + y->start, size);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

static bool sort_is_sorted(const struct pair *pairs, size_t count, void *bytes)
{
    for (size_t i = 1; i < count; i++)
        if (sort_compare(&pairs[i - 1], &pairs[i], bytes) > 0)
            return false;
    return true;
}

/* Puts the pairs of a map, which end the output, in order. */
static void sort_pairs(struct buffer *output, struct pair *pairs, size_t count)
{
    size_t start = count ? pairs[0].start : 0, size = output->size - start;
    uint8_t *bytes = buffer_bytes(output);
    if (!count || sort_is_sorted(pairs, count, bytes))
        return;
    qsort_r(pairs, count, sizeof(*pairs), sort_compare, bytes);
    uint8_t *old = memory_copy(bytes + start, size), *next = bytes + start;
    for (size_t i = 0; i < count; i++) {
        memcpy(next, old + (pairs[i].start - start), pairs[i].size);
        next += pairs[i].size;
    }
    free(old);
}

/* The one before ends where the next begins. */
static void sort_end_pair(struct sort *sort, const struct frame *frame)
{
    struct pair *last = sort->pair_count > frame->pairs ? &sort->pairs[sort->pair_count - 1] : NULL;
    if (last)
        last->size = sort->output->size - last->start;
}

static void sort_begin_pair(struct sort *sort, const struct frame *frame)
{
    sort_end_pair(sort, frame);
    sort->pairs = sort_room(sort->pairs, sort->pair_count, &sort->pair_capacity, sizeof(*sort->pairs));
    sort->pairs[sort->pair_count++] = (struct pair){.start = sort->output->size};
}

static void sort_push(struct sort *sort, size_t values, bool is_map)
{
    is_map = is_map && sort->maps < SORT_MAPS_DEEP;
    if (!values)
        return;
    struct frame *top = sort->depth ? &sort->frames[sort->depth - 1] : NULL;
    if (!is_map && top && !top->is_map) { /* they come before what is left of it */
        top->left += values;
        return;
    }
    sort->maps += is_map;
    sort->frames = sort_room(sort->frames, sort->depth, &sort->frame_capacity, sizeof(*sort->frames));
    sort->frames[sort->depth++] = (struct frame){.left = values, .pairs = sort->pair_count, .is_map = is_map};
}

static void sort_pop(struct sort *sort)
{
    const struct frame *frame = &sort->frames[--sort->depth];
    if (!frame->is_map)
        return;
    sort_end_pair(sort, frame);
    sort_pairs(sort->output, sort->pairs + frame->pairs, sort->pair_count - frame->pairs);
    sort->pair_count = frame->pairs;
    sort->maps--;
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

/* A list of bytes that came as LIST_EXT: nodes write such lists, up to 65535 elements, as STRING_EXT. Its
 * length is answered, or 0 when it is none. */
static size_t sort_string(const uint8_t *list, struct buffer *output)
{
    size_t count = bytes_get32(list + 1), before = output->size;
    const uint8_t *next = list + 5;
    int64_t byte;
    if (!count || count > UINT16_MAX)
        return 0;
    uint8_t header[3] = {TERM_TAG_STRING};
    bytes_put16(header + 1, (uint16_t)count);
    buffer_append(output, header, sizeof(header));
    for (; count; count--) {
        struct term_head head = term_read_head(next);
        if (head.values || !term_read_integer((struct term){next, head.size}, &byte) || byte < 0 ||
            byte > UINT8_MAX)
            break;
        buffer_append(output, &(uint8_t){(uint8_t)byte}, 1);
        next += head.size;
    }
    if (!count && *next == TERM_TAG_NIL)
        return (size_t)(next + 1 - list);
    buffer_truncate(output, before);
    return 0;
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

/* The bytes before the values of a container, with the shortest tag. */
static void sort_header(const uint8_t *data, struct term_head head, struct buffer *output)
{
    if (*data == TERM_TAG_LARGE_TUPLE && head.values <= UINT8_MAX)
        buffer_append(output, (const uint8_t[]){TERM_TAG_SMALL_TUPLE, (uint8_t)head.values}, 2);
    else
        buffer_append(output, data, head.size);
}

static void sort_value(struct sort *sort)
{
    const uint8_t *data = sort->next;
    size_t string = *data == TERM_TAG_LIST ? sort_string(data, sort->output) : 0;
    if (string) {
        sort->next += string;
        return;
    }
    struct term_head head = term_read_head(data);
    struct term value = {data, head.size};
    sort->next += head.size;
    if (head.values || *data == TERM_TAG_MAP || *data == TERM_TAG_LARGE_TUPLE) {
        sort_header(data, head, sort->output);
        sort_push(sort, head.values, *data == TERM_TAG_MAP);
    } else if (term_type(value) == TERM_INTEGER) {
        sort_integer(value, sort->output);
    } else if (!sort_zero(value, sort->output)) {
        buffer_append(sort->output, data, head.size);
    }
}

void term_sort(struct term term, struct buffer *output)
{
    struct sort sort = {.next = term.data, .output = output};
    sort_push(&sort, 1, false);
    while (sort.depth) {
        struct frame *frame = &sort.frames[sort.depth - 1];
        if (!frame->left) {
            sort_pop(&sort);
            continue;
        }
        if (frame->is_map && frame->left % 2 == 0)
            sort_begin_pair(&sort, frame);
        frame->left--;
        sort_value(&sort);
    }
    free(sort.frames);
    free(sort.pairs);
}
