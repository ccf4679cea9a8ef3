#include "term/term_build.h"

#include <assert.h>

#include <ei.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/utf8.h"
#include "term/term_gaps.h"

/* More than the tag, lengths and digits of any value whose size does not depend on a text. */
#define HEAD_BYTES 32

void term_build_free(struct term_builder *builder)
{
    buffer_free(&builder->bytes);
    builder->failed = false;
}

void term_build_reset(struct term_builder *builder)
{
    buffer_consume(&builder->bytes, builder->bytes.size);
    builder->failed = false;
}

static bool build_fits(const struct term_builder *builder, size_t size)
{
    return !builder->limit ||
           (builder->bytes.size <= builder->limit && size <= builder->limit - builder->bytes.size);
}

/* Room for `size` bytes, or NULL: then nothing more is written. */
static char *build_room(struct term_builder *builder, size_t size)
{
    if (!build_fits(builder, size))
        builder->failed = true;
    return builder->failed ? NULL : (char *)buffer_reserve(&builder->bytes, size);
}

/* The same for a value of at most HEAD_BYTES bytes; their number is known to build_end() only. */
static char *build_head(struct term_builder *builder)
{
    return builder->failed ? NULL : (char *)buffer_reserve(&builder->bytes, HEAD_BYTES);
}

/* `*used` bytes of the room were written, if `problem`, the answer of ei, is 0. A pointer, for the call that
 * answers `problem` sets it. */
static void build_end(struct term_builder *builder, int problem, const int *used)
{
    if (problem || !build_fits(builder, (size_t)*used))
        builder->failed = true;
    else
        buffer_grow(&builder->bytes, (size_t)*used);
}

static void build_header(struct term_builder *builder, size_t count,
                         int (*encode)(char *buf, int *index, int count))
{
    char *room = build_head(builder);
    int used = 0;
    if (count > INT_MAX) /* what ei can be told */
        builder->failed = true;
    else if (room)
        build_end(builder, encode(room, &used, (int)count), &used);
}

void term_build_tuple(struct term_builder *builder, size_t arity)
{
    build_header(builder, arity, ei_encode_tuple_header);
}

void term_build_map(struct term_builder *builder, size_t pairs)
{
    build_header(builder, pairs, ei_encode_map_header);
}

void term_build_list(struct term_builder *builder, size_t count)
{
    build_header(builder, count, ei_encode_list_header); /* NIL_EXT for 0 */
}

void term_build_set_count(struct term_builder *builder, size_t at, size_t count)
{
    char *header = (char *)buffer_bytes(&builder->bytes) + at;
    int used = 0;
    assert(at < builder->bytes.size && *(uint8_t *)header == TERM_TAG_LIST && count && count <= INT_MAX);
    (void)ei_encode_list_header(header, &used, (int)count);
}

void term_build_nil(struct term_builder *builder)
{
    term_build_list(builder, 0);
}

/* Whether a text can be an atom. ei lets overlong forms and surrogates pass, for which a node would drop the
 * connection. */
static bool build_is_atom_text(const char *text, size_t size)
{
    size_t characters;
    return size <= TERM_ATOM_BYTES && utf8_count((const uint8_t *)text, size, &characters) &&
           characters <= TERM_ATOM_CHARACTERS;
}

void term_build_atom(struct term_builder *builder, const char *text)
{
    size_t size = strlen(text);
    if (!build_is_atom_text(text, size)) {
        builder->failed = true;
        return;
    }
    char *room = build_room(builder, size + (size > UINT8_MAX ? 3 : 2));
    int used = 0;
    if (room)
        build_end(builder, ei_encode_atom_len_as(room, &used, text, (int)size, ERLANG_UTF8, ERLANG_UTF8),
                  &used);
}

void term_build_export(struct term_builder *builder, const char *module, const char *function, uint8_t arity)
{
    static const uint8_t tag = TERM_TAG_EXPORT;
    term_build_term(builder, (struct term){&tag, sizeof(tag)});
    term_build_atom(builder, module);
    term_build_atom(builder, function);
    term_build_integer(builder, arity);
}

void term_build_boolean(struct term_builder *builder, bool value)
{
    term_build_atom(builder, value ? "true" : "false");
}

/* By hand: ei writes integers from 2^27 on as bigs, nodes only those that do not fit 32 bits, and the same
 * integer should be the same bytes wherever it comes from. */
static void build_integer(struct term_builder *builder, bool negative, uint64_t magnitude)
{
    char *room = build_head(builder);
    if (!room)
        return;
    uint8_t *data = (uint8_t *)room;
    int used = 0;
    if (!negative && magnitude <= UINT8_MAX) {
        data[used++] = TERM_TAG_SMALL_INTEGER;
        data[used++] = (uint8_t)magnitude;
    } else if (magnitude <= (uint64_t)INT32_MAX + negative) {
        uint32_t value = negative ? 0 - (uint32_t)magnitude : (uint32_t)magnitude;
        data[used++] = TERM_TAG_INTEGER;
        for (int shift = 24; shift >= 0; shift -= 8)
            data[used++] = (uint8_t)(value >> shift);
    } else {
        data[0] = TERM_TAG_SMALL_BIG;
        data[2] = negative;
        for (used = 3; magnitude; magnitude >>= 8)
            data[used++] = (uint8_t)magnitude;
        data[1] = (uint8_t)(used - 3);
    }
    build_end(builder, 0, &used);
}

void term_build_integer(struct term_builder *builder, int64_t value)
{
    build_integer(builder, value < 0, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void term_build_unsigned(struct term_builder *builder, uint64_t value)
{
    build_integer(builder, false, value);
}

void term_build_float(struct term_builder *builder, double value)
{
    char *room = build_head(builder);
    int used = 0;
    if (!isfinite(value))
        builder->failed = true;
    else if (room)
        build_end(builder, ei_encode_double(room, &used, value), &used);
}

/* By hand: the index of ei is an int, which is too small for the largest binaries. */
void term_build_binary(struct term_builder *builder, const void *data, size_t size)
{
    if (size > UINT32_MAX) {
        builder->failed = true;
        return;
    }
    uint8_t *room = (uint8_t *)build_room(builder, size + 5);
    if (!room)
        return;
    room[0] = TERM_TAG_BINARY;
    for (int i = 0; i < 4; i++)
        room[1 + i] = (uint8_t)(size >> (24 - 8 * i));
    if (size)
        memcpy(room + 5, data, size);
    buffer_grow(&builder->bytes, size + 5);
}

void term_build_text(struct term_builder *builder, const char *text)
{
    term_build_binary(builder, text, strlen(text));
}

void term_build_pid(struct term_builder *builder, const struct term_pid *pid)
{
    size_t size = strlen(pid->node);
    if (!build_is_atom_text(pid->node, size)) {
        builder->failed = true;
        return;
    }
    erlang_pid encoded; /* set by parts: zeroing the rest of its name would cost more than the encoding */
    encoded.num = pid->id;
    encoded.serial = pid->serial;
    encoded.creation = pid->creation;
    memcpy(encoded.node, pid->node, size + 1);
    char *room = build_room(builder, 1 + (size > UINT8_MAX ? 3 : 2) + size + 12);
    int used = 0;
    if (room)
        build_end(builder, ei_encode_pid(room, &used, &encoded), &used);
}

void term_build_reference(struct term_builder *builder, const char *node, uint32_t creation,
                          const uint32_t *words, size_t count)
{
    erlang_ref encoded;
    size_t size = strlen(node);
    if (count < 3 || count > ARRAY_LENGTH(encoded.n) || !build_is_atom_text(node, size)) {
        builder->failed = true;
        return;
    }
    encoded.len = (int)count;
    encoded.creation = creation;
    memcpy(encoded.node, node, size + 1);
    for (size_t i = 0; i < count; i++)
        encoded.n[i] = words[i];
    char *room = build_room(builder, 3 + (size > UINT8_MAX ? 3 : 2) + size + 4 + 4 * count);
    int used = 0;
    if (room)
        build_end(builder, ei_encode_ref(room, &used, &encoded), &used);
}

void term_build_term(struct term_builder *builder, struct term term)
{
    char *room = term.size ? build_room(builder, term.size) : NULL;
    if (!room)
        return;
    if (builder->gaps && term.size > TERM_GAP_BYTES)
        term_gaps_add(builder->gaps, builder->bytes.size, term);
    else
        memcpy(room, term.data, term.size);
    buffer_grow(&builder->bytes, term.size);
}

void term_build_key_unsigned(struct term_builder *builder, const char *key, uint64_t value)
{
    term_build_key_known(builder, key, true, value);
}

void term_build_known(struct term_builder *builder, bool known, uint64_t value)
{
    if (known)
        term_build_unsigned(builder, value);
    else
        term_build_atom(builder, "nil");
}

void term_build_key_known(struct term_builder *builder, const char *key, bool known, uint64_t value)
{
    term_build_key(builder, key);
    term_build_known(builder, known, value);
}

bool term_build_done(const struct term_builder *builder, struct term *term)
{
    if (builder->failed || !builder->bytes.size)
        return false;
    *term = (struct term){.data = buffer_bytes(&builder->bytes), .size = builder->bytes.size};
    return true;
}

struct term term_built(const struct term_builder *builder)
{
    struct term term = {0};
    bool done = term_build_done(builder, &term);
    assert(done);
    return term;
}
