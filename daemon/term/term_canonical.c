/* Besides atoms, the canonical form settles the ways to write a list: what is a list reads as one LIST_EXT
 * with at least one element and a tail that is no list but NIL_EXT, a STRING_EXT with at least one byte, or
 * NIL_EXT. Nodes write nothing else; C nodes that follow the manual of ei chain lists through their tails. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "term/term_check.h"
#include "term_shape_private.h"

enum frame_kind { FRAME_PLAIN, FRAME_LIST, FRAME_FUN };

struct frame {
    size_t mark;   /* FRAME_LIST, FRAME_FUN: where in the output its length field is */
    uint32_t left; /* values still to come */
    uint8_t kind;  /* enum frame_kind */
};

/* Frames that are there from the start. */
#define FRAMES_FIRST 256

/* What is copied in one go while a term is rewritten in steps, and how many bytes count as a value more. */
#define PIECE_BYTES (64 * 1024)
#define VALUE_BYTES 32

/* What stays as it is, is copied in one piece when something that changes comes up. */
struct term_rewrite {
    struct term term;
    const uint8_t *kept; /* the input up to here is in the output */
    const uint8_t *at;
    const struct term_atoms *atoms;
    struct buffer *output;
    size_t depth;
    struct frame *frames;
    size_t capacity;
    struct frame first[FRAMES_FIRST];
};

static void rewrite_flush(struct term_rewrite *rewrite)
{
    buffer_append(rewrite->output, rewrite->kept, (size_t)(rewrite->at - rewrite->kept));
    rewrite->kept = rewrite->at;
}

/* Leaves out the next `size` bytes of the input. */
static void rewrite_skip(struct term_rewrite *rewrite, size_t size)
{
    rewrite_flush(rewrite);
    rewrite->at += size;
    rewrite->kept = rewrite->at;
}

/* Where in the output the byte at `at` comes to stand. */
static size_t rewrite_position(const struct term_rewrite *rewrite)
{
    return rewrite->output->size + (size_t)(rewrite->at - rewrite->kept);
}

static void rewrite_grow(struct term_rewrite *rewrite)
{
    bool was_first = rewrite->frames == rewrite->first;
    rewrite->capacity += rewrite->capacity / 2;
    rewrite->frames =
        memory_resize(was_first ? NULL : rewrite->frames, rewrite->capacity, sizeof(*rewrite->frames));
    if (was_first)
        memcpy(rewrite->frames, rewrite->first, sizeof(rewrite->first));
}

/* What is inside a tuple inside a tuple comes before what is left of the other one: one frame for both. */
static ALWAYS_INLINE void rewrite_push(struct term_rewrite *rewrite, enum frame_kind kind, size_t left,
                                       size_t mark)
{
    struct frame *top = &rewrite->frames[rewrite->depth];
    if (kind == FRAME_PLAIN && top->kind == FRAME_PLAIN) {
        top->left += (uint32_t)left;
        return;
    }
    if (++rewrite->depth == rewrite->capacity)
        rewrite_grow(rewrite);
    rewrite->frames[rewrite->depth] =
        (struct frame){.left = (uint32_t)left, .mark = mark, .kind = (uint8_t)kind};
}

static void rewrite_atom(struct term_rewrite *rewrite)
{
    const uint8_t *data = rewrite->at;
    size_t whole = term_shape_leaf_size(data);
    if (*data == TERM_TAG_ATOM_CACHE_REF) {
        struct term atom = rewrite->atoms->items[data[1]];
        rewrite_skip(rewrite, whole);
        buffer_append(rewrite->output, atom.data, atom.size);
        return;
    }
    const uint8_t *text = data + term_shapes[*data].fixed;
    size_t size = whole - term_shapes[*data].fixed;
    uint8_t utf8[TERM_ATOM_BYTES];
    if (*data == TERM_TAG_ATOM || *data == TERM_TAG_SMALL_ATOM) {
        size_t length = 0;
        for (size_t i = 0; i < size; i++)
            length += utf8_encode(text[i], utf8 + length);
        text = utf8;
        size = length;
    } else if (*data == TERM_TAG_SMALL_ATOM_UTF8 || size > UINT8_MAX) {
        rewrite->at += whole;
        return;
    }
    rewrite_skip(rewrite, whole);
    if (size <= UINT8_MAX)
        buffer_append(rewrite->output, (uint8_t[]){TERM_TAG_SMALL_ATOM_UTF8, (uint8_t)size}, 2);
    else
        buffer_append(rewrite->output, (uint8_t[]){TERM_TAG_ATOM_UTF8, (uint8_t)(size >> 8), (uint8_t)size},
                      3);
    buffer_append(rewrite->output, text, size);
}

static ALWAYS_INLINE void rewrite_identifier(struct term_rewrite *rewrite)
{
    size_t trailer = term_shape_trailer_size(rewrite->at);
    rewrite->at += term_shapes[*rewrite->at].fixed;
    rewrite_atom(rewrite);
    rewrite->at += trailer;
}

/* A length field that is in the output already. */
static void rewrite_patch(struct term_rewrite *rewrite, size_t mark, size_t value)
{
    term_shape_put_u32(buffer_bytes(rewrite->output) + mark, (uint32_t)value);
}

/* `count` more elements for the list of this frame. */
static void rewrite_extend(struct term_rewrite *rewrite, const struct frame *frame, size_t count)
{
    size_t old = term_shape_u32(buffer_bytes(rewrite->output) + frame->mark);
    rewrite_patch(rewrite, frame->mark, old + count);
}

static void rewrite_list(struct term_rewrite *rewrite, struct frame *frame)
{
    size_t header = term_shapes[TERM_TAG_LIST].fixed;
    size_t count = term_shape_u32(rewrite->at + 1);
    if (!count) {
        rewrite_skip(rewrite, header);
        frame->left++;
    } else if (frame->kind == FRAME_LIST && !frame->left) {
        rewrite_skip(rewrite, header);
        rewrite_extend(rewrite, frame, count);
        frame->left = (uint32_t)count + 1;
    } else {
        size_t mark = rewrite_position(rewrite) + 1;
        rewrite->at += header;
        rewrite_push(rewrite, FRAME_LIST, count + 1, mark);
    }
}

static void rewrite_string(struct term_rewrite *rewrite, const struct frame *frame)
{
    const uint8_t *text = rewrite->at + term_shapes[TERM_TAG_STRING].fixed;
    size_t whole = term_shape_leaf_size(rewrite->at);
    size_t size = term_shape_u16(rewrite->at + 1);
    bool tail = frame->kind == FRAME_LIST && !frame->left;
    if (size && !tail) {
        rewrite->at += whole;
        return;
    }
    rewrite_skip(rewrite, whole);
    if (size)
        rewrite_extend(rewrite, frame, size);
    for (size_t i = 0; i < size; i++)
        buffer_append(rewrite->output, (uint8_t[]){TERM_TAG_SMALL_INTEGER, text[i]}, 2);
    buffer_append(rewrite->output, (uint8_t[]){TERM_TAG_NIL}, 1);
}

static ALWAYS_INLINE void rewrite_value(struct term_rewrite *rewrite, struct frame *frame)
{
    const struct term_shape *shape = &term_shapes[*rewrite->at];
    size_t count = term_shape_count(shape, rewrite->at);
    switch (shape->kind) {
    case SHAPE_ATOM:
        rewrite_atom(rewrite);
        break;
    case SHAPE_IDENTIFIER:
        rewrite_identifier(rewrite);
        break;
    case SHAPE_TUPLE:
    case SHAPE_MAP:
        rewrite->at += shape->fixed;
        rewrite_push(rewrite, FRAME_PLAIN, shape->kind == SHAPE_MAP ? 2 * count : count, 0);
        break;
    case SHAPE_LIST:
        rewrite_list(rewrite, frame);
        break;
    case SHAPE_EXPORT:
        rewrite->at += shape->fixed;
        rewrite_push(rewrite, FRAME_PLAIN, 3, 0);
        break;
    case SHAPE_FUN: {
        size_t mark = rewrite_position(rewrite) + 1;
        size_t parts = TERM_FUN_PARTS + term_shape_fun_free(rewrite->at);
        rewrite->at += shape->fixed;
        rewrite_push(rewrite, FRAME_FUN, parts, mark);
        break;
    }
    default:
        assert(shape->kind == SHAPE_LEAF);
        if (*rewrite->at == TERM_TAG_STRING)
            rewrite_string(rewrite, frame);
        else
            rewrite->at += shape->fixed + count;
        break;
    }
}

static void rewrite_start(struct term_rewrite *rewrite, struct term checked, const struct term_atoms *atoms,
                          struct buffer *output)
{
    rewrite->term = checked;
    rewrite->kept = rewrite->at = checked.data;
    rewrite->atoms = atoms;
    rewrite->output = output;
    rewrite->depth = 0;
    rewrite->frames = rewrite->first;
    rewrite->capacity = FRAMES_FIRST;
    rewrite->frames[0] = (struct frame){.left = 1, .kind = FRAME_PLAIN};
}

static void rewrite_end(struct term_rewrite *rewrite)
{
    if (rewrite->frames != rewrite->first)
        free(rewrite->frames);
}

/* Takes one value, or ends a container. False when that was the last. A part of both its callers, as every
 * message from a node goes through the one. */
static ALWAYS_INLINE bool rewrite_next(struct term_rewrite *rewrite)
{
    struct frame *frame = &rewrite->frames[rewrite->depth];
    if (frame->left) {
        frame->left--;
        rewrite_value(rewrite, frame);
        return true;
    }
    if (frame->kind == FRAME_FUN) {
        rewrite_flush(rewrite);
        rewrite_patch(rewrite, frame->mark, rewrite->output->size - frame->mark);
    }
    if (rewrite->depth) {
        rewrite->depth--;
        return true;
    }
    rewrite_flush(rewrite);
    assert((size_t)(rewrite->at - rewrite->term.data) == rewrite->term.size);
    return false;
}

void term_canonical_with_atoms(struct term checked, const struct term_atoms *atoms, struct buffer *output)
{
    struct term_rewrite rewrite;
    rewrite_start(&rewrite, checked, atoms, output);
    while (rewrite_next(&rewrite)) {
    }
    rewrite_end(&rewrite);
}

struct term_rewrite *term_rewrite_new(struct term checked, const struct term_atoms *atoms,
                                      struct buffer *output)
{
    struct term_rewrite *rewrite = memory_alloc(sizeof(*rewrite));
    rewrite_start(rewrite, checked, atoms, output);
    return rewrite;
}

bool term_rewrite_step(struct term_rewrite *rewrite, size_t values)
{
    while (values) {
        const size_t before = rewrite->output->size;
        if ((size_t)(rewrite->at - rewrite->kept) > PIECE_BYTES) {
            buffer_append(rewrite->output, rewrite->kept, PIECE_BYTES);
            rewrite->kept += PIECE_BYTES;
        } else if (!rewrite_next(rewrite)) {
            return true;
        }
        const size_t cost = 1 + (rewrite->output->size - before) / VALUE_BYTES;
        values -= cost < values ? cost : values;
    }
    return false;
}

void term_rewrite_free(struct term_rewrite *rewrite)
{
    if (!rewrite)
        return;
    rewrite_end(rewrite);
    free(rewrite);
}
