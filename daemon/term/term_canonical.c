/* Besides atoms, the canonical form settles the ways to write a list: what is a list reads as one LIST_EXT
 * with at least one element and a tail that is no list but NIL_EXT, a STRING_EXT with at least one byte, or
 * NIL_EXT. Nodes write nothing else; C nodes that follow the manual of ei chain lists through their tails. */
#include <assert.h>
#include <string.h>

#include "base/buffer.h"
#include "base/utf8.h"
#include "term/term_check.h"
#include "term_shape_private.h"

enum frame_kind { FRAME_PLAIN, FRAME_LIST, FRAME_FUN };

struct frame {
    size_t left; /* values still to come */
    size_t mark; /* FRAME_LIST, FRAME_FUN: where in the output its length field is */
    enum frame_kind kind;
};

/* What stays as it is, is copied in one piece when something that changes comes up. */
struct rewrite {
    const uint8_t *kept; /* the input up to here is in the output */
    const uint8_t *at;
    const struct term_atoms *atoms;
    struct buffer *output;
    size_t depth;
    /* One frame more than in term_check(): exports, and funs without variables, have one here. */
    struct frame frames[TERM_DEPTH_LIMIT + 2];
};

static void rewrite_flush(struct rewrite *rewrite)
{
    buffer_append(rewrite->output, rewrite->kept, (size_t)(rewrite->at - rewrite->kept));
    rewrite->kept = rewrite->at;
}

/* Leaves out the next `size` bytes of the input. */
static void rewrite_skip(struct rewrite *rewrite, size_t size)
{
    rewrite_flush(rewrite);
    rewrite->at += size;
    rewrite->kept = rewrite->at;
}

/* Where in the output the byte at `at` comes to stand. */
static size_t rewrite_position(const struct rewrite *rewrite)
{
    return rewrite->output->size + (size_t)(rewrite->at - rewrite->kept);
}

static void rewrite_push(struct rewrite *rewrite, enum frame_kind kind, size_t left, size_t mark)
{
    assert(rewrite->depth + 1 < ARRAY_LENGTH(rewrite->frames));
    rewrite->frames[++rewrite->depth] = (struct frame){.left = left, .mark = mark, .kind = kind};
}

static void rewrite_atom(struct rewrite *rewrite)
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

static void rewrite_identifier(struct rewrite *rewrite)
{
    size_t trailer = term_shape_trailer_size(rewrite->at);
    rewrite->at += term_shapes[*rewrite->at].fixed;
    rewrite_atom(rewrite);
    rewrite->at += trailer;
}

/* A length field that is in the output already. */
static void rewrite_patch(struct rewrite *rewrite, size_t mark, size_t value)
{
    term_shape_put_u32(buffer_bytes(rewrite->output) + mark, (uint32_t)value);
}

/* `count` more elements for the list of this frame. */
static void rewrite_extend(struct rewrite *rewrite, const struct frame *frame, size_t count)
{
    size_t old = term_shape_u32(buffer_bytes(rewrite->output) + frame->mark);
    rewrite_patch(rewrite, frame->mark, old + count);
}

static void rewrite_list(struct rewrite *rewrite, struct frame *frame)
{
    size_t header = term_shapes[TERM_TAG_LIST].fixed;
    size_t count = term_shape_u32(rewrite->at + 1);
    if (!count) {
        rewrite_skip(rewrite, header);
        frame->left++;
    } else if (frame->kind == FRAME_LIST && !frame->left) {
        rewrite_skip(rewrite, header);
        rewrite_extend(rewrite, frame, count);
        frame->left = count + 1;
    } else {
        size_t mark = rewrite_position(rewrite) + 1;
        rewrite->at += header;
        rewrite_push(rewrite, FRAME_LIST, count + 1, mark);
    }
}

static void rewrite_string(struct rewrite *rewrite, const struct frame *frame)
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

static void rewrite_value(struct rewrite *rewrite, struct frame *frame)
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

void term_canonical(struct term checked, struct buffer *output)
{
    term_canonical_with_atoms(checked, NULL, output);
}

void term_canonical_with_atoms(struct term checked, const struct term_atoms *atoms, struct buffer *output)
{
    struct rewrite rewrite;
    rewrite.kept = rewrite.at = checked.data;
    rewrite.atoms = atoms;
    rewrite.output = output;
    rewrite.depth = 0;
    rewrite.frames[0] = (struct frame){.left = 1, .kind = FRAME_PLAIN};
    for (;;) {
        struct frame *frame = &rewrite.frames[rewrite.depth];
        if (frame->left) {
            frame->left--;
            rewrite_value(&rewrite, frame);
            continue;
        }
        if (frame->kind == FRAME_FUN) {
            rewrite_flush(&rewrite);
            rewrite_patch(&rewrite, frame->mark, output->size - frame->mark);
        }
        if (!rewrite.depth)
            break;
        rewrite.depth--;
    }
    rewrite_flush(&rewrite);
    assert((size_t)(rewrite.at - checked.data) == checked.size);
}
