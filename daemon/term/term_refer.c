#include "term/term_refer.h"

#include <assert.h>
#include <string.h>

#include "term_shape_private.h"

/* What stays as it is, is copied in one piece when a reference comes up. */
struct refer {
    const uint8_t *kept; /* the input up to here is in the output */
    const uint8_t *at;
    uint8_t *output;
    term_refer_atom *atom;
    void *owner;
};

static void refer_flush(struct refer *refer)
{
    size_t size = (size_t)(refer->at - refer->kept);
    memcpy(refer->output, refer->kept, size);
    refer->output += size;
    refer->kept = refer->at;
}

static void refer_atom(struct refer *refer)
{
    const uint8_t *data = refer->at;
    size_t whole = term_shape_leaf_size(data);
    int number = TERM_REFER_NOT;
    if (*data == TERM_TAG_SMALL_ATOM_UTF8)
        number = refer->atom(refer->owner, data + 2, whole - 2);
    if (number != TERM_REFER_NOT) {
        refer_flush(refer);
        *refer->output++ = TERM_TAG_ATOM_CACHE_REF;
        *refer->output++ = (uint8_t)number;
        refer->kept = data + whole;
    }
    refer->at = data + whole;
}

/* Takes one value, or what a container has in front of its values, and answers how many values that is. */
static size_t refer_value(struct refer *refer)
{
    const struct term_shape *shape = &term_shapes[*refer->at];
    size_t count = term_shape_count(shape, refer->at);
    switch (shape->kind) {
    case SHAPE_ATOM:
        refer_atom(refer);
        return 0;
    case SHAPE_IDENTIFIER:
        count = term_shape_trailer_size(refer->at);
        refer->at += shape->fixed;
        refer_atom(refer);
        refer->at += count;
        return 0;
    case SHAPE_FUN: /* its length field would have to follow */
        refer->at += 1 + count;
        return 0;
    case SHAPE_LEAF:
        refer->at += shape->fixed + count;
        return 0;
    case SHAPE_TUPLE:
        refer->at += shape->fixed;
        return count;
    case SHAPE_MAP:
        refer->at += shape->fixed;
        return 2 * count;
    case SHAPE_LIST:
        refer->at += shape->fixed;
        return count + 1;
    default:
        assert(shape->kind == SHAPE_EXPORT);
        refer->at += shape->fixed;
        return 3;
    }
}

size_t term_refer(struct term canonical, term_refer_atom *atom, void *owner, uint8_t *output)
{
    struct refer refer = {
        .kept = canonical.data, .at = canonical.data, .output = output, .atom = atom, .owner = owner};
    for (size_t pending = 1; pending; pending--)
        pending += refer_value(&refer);
    refer_flush(&refer);
    assert((size_t)(refer.at - canonical.data) == canonical.size);
    return (size_t)(refer.output - output);
}
