/* Where the parts of an encoded value lie, by tag: what the validator, the canonical form and the readers
 * share. Private to this layer.
 *
 * A leaf is `fixed` bytes and then as many as its length field says; a container is `fixed` bytes and then
 * that many values (a map: pairs, a list: values and a tail). The length field has `width` bytes and stands
 * right after the tag. An identifier (pid, port, reference) is `fixed` bytes, the node's name as an atom,
 * and `trailer` bytes; in a reference the field counts words of four bytes that belong to the trailer. */
#ifndef HARNESSD_TERM_TERM_SHAPE_PRIVATE_H
#define HARNESSD_TERM_TERM_SHAPE_PRIVATE_H

#include "term/term.h"

enum term_shape_kind {
    SHAPE_UNKNOWN, /* no tag that a term may begin with */
    SHAPE_LEAF,
    SHAPE_ATOM, /* a leaf as well */
    SHAPE_IDENTIFIER,
    SHAPE_TUPLE,
    SHAPE_MAP,
    SHAPE_LIST,
    SHAPE_FUN, /* the length field counts all bytes but the tag; `fixed` reaches up to the module */
    SHAPE_EXPORT,
};

struct term_shape {
    uint8_t kind; /* enum term_shape_kind */
    uint8_t type; /* enum term_type */
    uint8_t fixed;
    uint8_t width;
    uint8_t trailer;
};

extern const struct term_shape term_shapes[256];

/* The number of values inside a fun besides its free variables: module, old index, old uniq, pid. Funs have
 * at most 255 free variables; nodes refuse more. */
#define TERM_FUN_PARTS 4
#define TERM_FUN_FREE_LIMIT 255

static inline uint16_t term_shape_u16(const uint8_t *data)
{
    return (uint16_t)(data[0] << 8 | data[1]);
}

static inline uint32_t term_shape_u32(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static inline void term_shape_put_u32(uint8_t *data, uint32_t value)
{
    data[0] = (uint8_t)(value >> 24);
    data[1] = (uint8_t)(value >> 16);
    data[2] = (uint8_t)(value >> 8);
    data[3] = (uint8_t)value;
}

/* The length field of the value at `data`; 0 where its shape has none. */
static inline size_t term_shape_count(const struct term_shape *shape, const uint8_t *data)
{
    switch (shape->width) {
    case 0:
        return 0;
    case 1:
        return data[1];
    case 2:
        return term_shape_u16(data + 1);
    default:
        return term_shape_u32(data + 1);
    }
}

/* The length of a leaf or atom. */
static inline size_t term_shape_leaf_size(const uint8_t *data)
{
    const struct term_shape *shape = &term_shapes[*data];
    return shape->fixed + term_shape_count(shape, data);
}

/* What follows the node's name in an identifier. */
static inline size_t term_shape_trailer_size(const uint8_t *data)
{
    const struct term_shape *shape = &term_shapes[*data];
    return shape->trailer + 4 * term_shape_count(shape, data);
}

/* The number of free variables of a fun. */
static inline size_t term_shape_fun_free(const uint8_t *data)
{
    return term_shape_u32(data + term_shapes[*data].fixed - 4);
}

#endif
