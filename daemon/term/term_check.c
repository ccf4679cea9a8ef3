#include "term/term_check.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "term_float_private.h"
#include "term_shape_private.h"

/* A node refuses a map that has a key twice. Maps of up to this many pairs, which is what nodes and people
 * send most, have their keys compared, each with those before it, byte for byte; larger maps are not looked
 * at, nor are long keys, nor maps inside so many others that there is no more room to remember keys. Keys
 * that are equal without being the same bytes (1 as SMALL_INTEGER_EXT and as INTEGER_EXT) pass. */
#define MAP_PAIRS_COMPARED 32
#define KEYS_REMEMBERED 1024
#define KEY_BYTES_COMPARED (64 * 1024)

/* The largest integer that a node decodes (OTP 25; later ones take less). */
#define BIG_BYTES_LIMIT 4194296

/* The creation of the old identifiers is one byte of which nodes take two bits; of the first word of the old
 * references they take 18. */
#define OLD_CREATION_LIMIT 3
#define OLD_WORD_LIMIT 0x3ffff

#define REFERENCE_WORDS_LIMIT 5

enum frame_kind {
    FRAME_PLAIN,
    FRAME_LIST, /* its last value is the tail */
    FRAME_MAP,  /* one whose keys are compared */
    FRAME_FUN,
};

/* A container that is being walked, small as there may be as many as the term has lists. */
struct frame {
    uint32_t left;  /* values still to come */
    uint32_t mark;  /* FRAME_MAP: where the key began; FRAME_FUN: where its size says that it ends */
    uint16_t first; /* FRAME_MAP: its first key in walk.keys */
    uint8_t kind;   /* enum frame_kind */
};

/* Frames that are there from the start. */
#define FRAMES_FIRST 256

/* The arrays are never set as a whole: a short message touches a few bytes of them. */
struct term_walk {
    const uint8_t *data;
    size_t size;
    size_t at;
    size_t values_left;
    size_t depth; /* frames[depth] is the innermost container, frames[0] holds the term itself */
    size_t depth_limit;
    struct frame *frames;
    size_t capacity;
    size_t key_count;
    const struct term_atoms *atoms; /* what ATOM_CACHE_REF may refer to, if anything */
    size_t room;                    /* what is left of theirs */
    bool canonical;
    bool keys_unsettled; /* a key that was compared may be other bytes in canonical form */
    struct frame first[FRAMES_FIRST];
    struct term keys[KEYS_REMEMBERED];
};

static void walk_grow(struct term_walk *walk)
{
    bool was_first = walk->frames == walk->first;
    walk->capacity += walk->capacity / 2;
    walk->frames = memory_resize(was_first ? NULL : walk->frames, walk->capacity, sizeof(*walk->frames));
    if (was_first)
        memcpy(walk->frames, walk->first, sizeof(walk->first));
}

/* Where depth has no limit it needs no frame for each: what is inside a tuple inside a tuple comes before
 * what is left of the other one. */
static ALWAYS_INLINE enum term_problem walk_push(struct term_walk *walk, enum frame_kind kind, size_t left,
                                                 size_t mark)
{
    struct frame *top = &walk->frames[walk->depth];
    if (!left)
        return TERM_OK;
    if (kind == FRAME_PLAIN && top->kind == FRAME_PLAIN && walk->depth_limit == SIZE_MAX) {
        if (top->left + left > walk->size - walk->at)
            return TERM_TRUNCATED;
        top->left += (uint32_t)left;
        return TERM_OK;
    }
    if (walk->depth == walk->depth_limit)
        return TERM_TOO_DEEP;
    if (++walk->depth == walk->capacity)
        walk_grow(walk);
    walk->frames[walk->depth] = (struct frame){.left = (uint32_t)left,
                                               .mark = (uint32_t)mark,
                                               .first = (uint16_t)walk->key_count,
                                               .kind = (uint8_t)kind};
    return TERM_OK;
}

/* Whether the value that is being looked at is the tail of a list. */
static bool walk_in_tail(const struct term_walk *walk)
{
    const struct frame *frame = &walk->frames[walk->depth];
    return frame->kind == FRAME_LIST && !frame->left;
}

/* A reference to an atom of the table, whose two bytes are there. */
static enum term_problem walk_atom_reference(struct term_walk *walk)
{
    if (!walk->atoms)
        return TERM_UNKNOWN_TAG;
    size_t number = walk->data[walk->at + 1];
    if (number >= walk->atoms->count)
        return TERM_BAD_ATOM;
    size_t size = walk->atoms->items[number].size;
    if (size > walk->room)
        return TERM_TOO_LARGE;
    walk->room -= size;
    walk->canonical = false;
    walk->at += 2;
    return TERM_OK;
}

static enum term_problem walk_atom(struct term_walk *walk)
{
    size_t left = walk->size - walk->at;
    if (!left)
        return TERM_TRUNCATED;
    const uint8_t *data = walk->data + walk->at;
    const struct term_shape *shape = &term_shapes[*data];
    if (shape->kind != SHAPE_ATOM)
        return TERM_BAD_ATOM;
    if (shape->fixed > left)
        return TERM_TRUNCATED;
    if (*data == TERM_TAG_ATOM_CACHE_REF)
        return walk_atom_reference(walk);
    size_t size = term_shape_count(shape, data);
    if (size > left - shape->fixed)
        return TERM_TRUNCATED;
    if (*data == TERM_TAG_ATOM || *data == TERM_TAG_SMALL_ATOM) {
        if (size > TERM_ATOM_CHARACTERS)
            return TERM_BAD_ATOM;
        walk->canonical = false;
    } else {
        size_t characters = size;
        const uint8_t *text = data + shape->fixed;
        if (!utf8_is_ascii(text, size) && !utf8_count(text, size, &characters))
            return TERM_BAD_ATOM;
        if (characters > TERM_ATOM_CHARACTERS)
            return TERM_BAD_ATOM;
        if (*data == TERM_TAG_ATOM_UTF8 && size <= UINT8_MAX)
            walk->canonical = false;
    }
    walk->at += shape->fixed + size;
    return TERM_OK;
}

/* Whether the numbers of an identifier fit its form, if it is one of the old ones. `numbers` follow the
 * node's name. */
static bool walk_identifier_fits(uint8_t tag, const uint8_t *numbers, size_t size)
{
    switch (tag) {
    case TERM_TAG_PID:
    case TERM_TAG_PORT:
        return numbers[size - 1] <= OLD_CREATION_LIMIT;
    case TERM_TAG_REFERENCE:
        return numbers[size - 1] <= OLD_CREATION_LIMIT && term_shape_u32(numbers) <= OLD_WORD_LIMIT;
    case TERM_TAG_NEW_REFERENCE:
        return numbers[0] <= OLD_CREATION_LIMIT && term_shape_u32(numbers + 1) <= OLD_WORD_LIMIT;
    default:
        return true;
    }
}

/* A pid, port or reference, whose `fixed` bytes are there. */
static enum term_problem walk_identifier(struct term_walk *walk, const struct term_shape *shape)
{
    const uint8_t *data = walk->data + walk->at;
    size_t words = term_shape_count(shape, data);
    if (shape->width && (words == 0 || words > REFERENCE_WORDS_LIMIT))
        return TERM_BAD_IDENTIFIER;
    walk->at += shape->fixed;
    enum term_problem problem = walk_atom(walk);
    if (problem)
        return problem;
    size_t trailer = term_shape_trailer_size(data);
    if (trailer > walk->size - walk->at)
        return TERM_TRUNCATED;
    const uint8_t *after = walk->data + walk->at;
    if (!walk_identifier_fits(*data, after, trailer))
        return TERM_BAD_IDENTIFIER;
    walk->at += trailer;
    return TERM_OK;
}

/* A leaf of `size` bytes behind its fixed ones, all of which are there. */
static enum term_problem walk_leaf(struct term_walk *walk, const struct term_shape *shape, size_t size)
{
    const uint8_t *data = walk->data + walk->at;
    double number;
    switch (*data) {
    case TERM_TAG_NEW_FLOAT: /* all ones in the exponent: infinite or no number */
        if ((data[1] & 0x7f) == 0x7f && (data[2] & 0xf0) == 0xf0)
            return TERM_BAD_NUMBER;
        break;
    case TERM_TAG_FLOAT:
        if (!term_float_decode(data, &number))
            return TERM_BAD_NUMBER;
        break;
    case TERM_TAG_SMALL_BIG:
    case TERM_TAG_LARGE_BIG:
        if (data[shape->fixed - 1] > 1 || size > BIG_BYTES_LIMIT)
            return TERM_BAD_NUMBER;
        break;
    case TERM_TAG_BIT_BINARY:
        if (data[5] > 8 || (data[5] == 0) != (size == 0))
            return TERM_BAD_BITS;
        break;
    case TERM_TAG_STRING:
        if (!size || walk_in_tail(walk))
            walk->canonical = false;
        break;
    default:
        break;
    }
    walk->at += shape->fixed + size;
    return TERM_OK;
}

static enum term_problem walk_small_integer(struct term_walk *walk, bool byte_only)
{
    if (walk->at == walk->size)
        return TERM_TRUNCATED;
    uint8_t tag = walk->data[walk->at];
    if (tag != TERM_TAG_SMALL_INTEGER && (byte_only || tag != TERM_TAG_INTEGER))
        return TERM_BAD_FUN;
    if (term_shapes[tag].fixed > walk->size - walk->at)
        return TERM_TRUNCATED;
    walk->at += term_shapes[tag].fixed;
    return TERM_OK;
}

static enum term_problem walk_export(struct term_walk *walk)
{
    walk->at++;
    enum term_problem problem = walk_atom(walk);
    if (!problem)
        problem = walk_atom(walk);
    if (!problem)
        problem = walk_small_integer(walk, true);
    return problem;
}

/* A fun, whose fixed bytes are there. */
static enum term_problem walk_fun(struct term_walk *walk, const struct term_shape *shape)
{
    const uint8_t *data = walk->data + walk->at;
    size_t size = term_shape_count(shape, data);
    if (size > walk->size - walk->at - 1)
        return TERM_TRUNCATED;
    size_t end = walk->at + 1 + size;
    size_t free_variables = term_shape_fun_free(data);
    if (free_variables > TERM_FUN_FREE_LIMIT)
        return TERM_BAD_FUN;
    walk->at += shape->fixed;
    enum term_problem problem = walk_atom(walk);
    if (!problem)
        problem = walk_small_integer(walk, false);
    if (!problem)
        problem = walk_small_integer(walk, false);
    if (problem)
        return problem;
    if (walk->at == walk->size)
        return TERM_TRUNCATED;
    uint8_t tag = walk->data[walk->at];
    if (tag != TERM_TAG_NEW_PID && tag != TERM_TAG_PID)
        return TERM_BAD_FUN;
    problem = walk_identifier(walk, &term_shapes[tag]);
    if (problem)
        return problem;
    if (!free_variables)
        return walk->at == end ? TERM_OK : TERM_BAD_FUN;
    return walk_push(walk, FRAME_FUN, free_variables, end);
}

/* A list of `count` elements. One that is the tail of another list goes on in its frame: what writes a list
 * cell by cell (as the manual of ei shows) gives long lists, not deep ones. */
static enum term_problem walk_list(struct term_walk *walk, size_t count)
{
    if (!walk_in_tail(walk))
        return walk_push(walk, FRAME_LIST, count + 1, 0);
    walk->canonical = false;
    walk->frames[walk->depth].left = (uint32_t)count + 1;
    return TERM_OK;
}

static enum term_problem walk_map(struct term_walk *walk, size_t pairs)
{
    bool compared = pairs > 1 && pairs <= MAP_PAIRS_COMPARED;
    return walk_push(walk, compared ? FRAME_MAP : FRAME_PLAIN, 2 * pairs, 0);
}

/* A list without elements is its tail, the value that comes next; nodes read it so and never write it. */
static enum term_problem walk_no_list(struct term_walk *walk)
{
    walk->canonical = false;
    if (walk->frames[walk->depth].kind == FRAME_MAP) /* where a key or value has begun already */
        return walk_push(walk, FRAME_PLAIN, 1, 0);
    walk->frames[walk->depth].left++;
    return TERM_OK;
}

static enum term_problem walk_value(struct term_walk *walk)
{
    size_t left = walk->size - walk->at;
    if (!left)
        return TERM_TRUNCATED;
    const uint8_t *data = walk->data + walk->at;
    const struct term_shape *shape = &term_shapes[*data];
    if (shape->fixed > left)
        return TERM_TRUNCATED;
    left -= shape->fixed;
    /* What a length field claims is held against the bytes that are left before anything trusts it: a value
     * has at least one. */
    size_t count = term_shape_count(shape, data);
    switch (shape->kind) {
    case SHAPE_LEAF:
        return count > left ? TERM_TRUNCATED : walk_leaf(walk, shape, count);
    case SHAPE_ATOM:
        return walk_atom(walk);
    case SHAPE_IDENTIFIER:
        return walk_identifier(walk, shape);
    case SHAPE_TUPLE:
        walk->at += shape->fixed;
        return count > left ? TERM_TRUNCATED : walk_push(walk, FRAME_PLAIN, count, 0);
    case SHAPE_MAP:
        walk->at += shape->fixed;
        return count > left / 2 ? TERM_TRUNCATED : walk_map(walk, count);
    case SHAPE_LIST:
        walk->at += shape->fixed;
        if (count >= left)
            return TERM_TRUNCATED;
        return count ? walk_list(walk, count) : walk_no_list(walk);
    case SHAPE_FUN:
        return walk_fun(walk, shape);
    case SHAPE_EXPORT:
        return walk_export(walk);
    default:
        return TERM_UNKNOWN_TAG;
    }
}

/* Whether the canonical form of a key is its own bytes wherever it stands, if it is not what a reference
 * stands for. A pid may have a reference inside, a latin-1 atom is another in canonical form. */
static bool walk_is_settled(uint8_t tag)
{
    return tag == TERM_TAG_SMALL_ATOM_UTF8 || tag == TERM_TAG_SMALL_INTEGER || tag == TERM_TAG_INTEGER ||
           tag == TERM_TAG_BINARY;
}

/* The key of `size` bytes as it is compared. */
static struct term walk_key(struct term_walk *walk, const uint8_t *data, size_t size)
{
    if (*data == TERM_TAG_ATOM_CACHE_REF)
        return walk->atoms->items[data[1]];
    if (!walk->canonical && !walk_is_settled(*data))
        walk->keys_unsettled = true;
    return (struct term){data, size};
}

/* Called before each value of a map whose keys are compared. */
static enum term_problem walk_map_step(struct term_walk *walk, struct frame *frame)
{
    if (frame->left % 2 == 0) {
        frame->mark = (uint32_t)walk->at;
        return TERM_OK;
    }
    if (walk->at - frame->mark > KEY_BYTES_COMPARED)
        return TERM_OK;
    struct term key = walk_key(walk, walk->data + frame->mark, walk->at - frame->mark);
    for (size_t i = frame->first; i < walk->key_count; i++) {
        if (term_same(key, walk->keys[i]))
            return TERM_BAD_IDENTIFIER;
    }
    if (walk->key_count < KEYS_REMEMBERED)
        walk->keys[walk->key_count++] = key;
    return TERM_OK;
}

static void walk_start(struct term_walk *walk, const uint8_t *data, size_t size,
                       const struct term_limits *limits, const struct term_atoms *atoms)
{
    walk->data = data;
    walk->size = size;
    walk->at = 0;
    walk->values_left = limits->count;
    walk->depth = 0;
    walk->depth_limit = limits->depth;
    walk->frames = walk->first;
    walk->capacity = FRAMES_FIRST;
    walk->key_count = 0;
    walk->atoms = atoms;
    walk->room = atoms ? atoms->room : 0;
    walk->canonical = true;
    walk->keys_unsettled = false;
    walk->frames[0] = (struct frame){.left = 1, .kind = FRAME_PLAIN};
}

static void walk_end(struct term_walk *walk)
{
    if (walk->frames != walk->first)
        free(walk->frames);
    walk->frames = walk->first;
}

/* Goes on where it was. With TERM_TOO_MANY it is as it was before the value that was one too many. */
static enum term_problem walk_run(struct term_walk *walk)
{
    if (walk->size > UINT32_MAX)
        return TERM_TOO_LARGE;
    for (;;) {
        struct frame *frame = &walk->frames[walk->depth];
        enum term_problem problem = TERM_OK;
        if (!frame->left) {
            if (!walk->depth)
                return TERM_OK;
            if (frame->kind == FRAME_FUN && walk->at != frame->mark)
                return TERM_BAD_FUN;
            walk->key_count = frame->first;
            walk->depth--;
            continue;
        }
        if (!walk->values_left)
            return walk->at == walk->size ? TERM_TRUNCATED : TERM_TOO_MANY;
        walk->values_left--;
        if (frame->kind == FRAME_MAP)
            problem = walk_map_step(walk, frame);
        frame->left--;
        if (!problem)
            problem = walk_value(walk);
        if (problem)
            return problem;
    }
}

const struct term_limits term_no_limits = {.depth = SIZE_MAX, .count = SIZE_MAX};

enum term_problem term_check(const uint8_t *data, size_t size, const struct term_limits *limits, size_t *used,
                             bool *canonical)
{
    return term_check_with_atoms(data, size, limits, NULL, used, canonical);
}

enum term_problem term_check_with_atoms(const uint8_t *data, size_t size, const struct term_limits *limits,
                                        const struct term_atoms *atoms, size_t *used, bool *canonical)
{
    struct term_walk walk;
    walk_start(&walk, data, size, limits, atoms);
    enum term_problem problem = walk_run(&walk);
    *used = walk.at;
    *canonical = walk.canonical;
    walk_end(&walk);
    if (problem || !walk.keys_unsettled)
        return problem;
    /* Keys that differ now may be the same in canonical form, in which they are passed on: look again. BEAM
     * nodes send few such terms. */
    struct buffer rewritten = {0};
    term_canonical_with_atoms((struct term){data, walk.at}, atoms, &rewritten);
    walk_start(&walk, buffer_bytes(&rewritten), rewritten.size, limits, NULL);
    problem = walk_run(&walk);
    walk_end(&walk);
    buffer_free(&rewritten);
    return problem;
}

struct term_walk *term_walk_new(const uint8_t *data, size_t size, const struct term_atoms *atoms)
{
    static const struct term_limits limits = {.depth = SIZE_MAX, .count = 0};
    struct term_walk *walk = memory_alloc(sizeof(*walk));
    walk_start(walk, data, size, &limits, atoms);
    return walk;
}

bool term_walk_step(struct term_walk *walk, size_t values, struct term_walked *walked)
{
    walk->values_left = values;
    enum term_problem problem = walk_run(walk);
    *walked = (struct term_walked){.problem = problem,
                                   .used = walk->at,
                                   .is_canonical = walk->canonical,
                                   .has_unsettled_keys = walk->keys_unsettled};
    return problem != TERM_TOO_MANY;
}

void term_walk_free(struct term_walk *walk)
{
    if (!walk)
        return;
    walk_end(walk);
    free(walk);
}

const char *term_problem_text(enum term_problem problem)
{
    static const char *const texts[] = {
        [TERM_OK] = "ok",
        [TERM_TRUNCATED] = "truncated",
        [TERM_TOO_DEEP] = "nested too deep",
        [TERM_TOO_MANY] = "too many values",
        [TERM_TOO_LARGE] = "too large with its atoms",
        [TERM_UNKNOWN_TAG] = "unknown tag",
        [TERM_BAD_ATOM] = "malformed atom",
        [TERM_BAD_NUMBER] = "malformed number",
        [TERM_BAD_IDENTIFIER] = "malformed pid, port or reference, or a map with a key twice",
        [TERM_BAD_BITS] = "malformed bit string",
        [TERM_BAD_FUN] = "malformed fun",
    };
    return (size_t)problem < ARRAY_LENGTH(texts) ? texts[problem] : "unknown";
}

size_t term_length(const uint8_t *data)
{
    const uint8_t *at = data;
    for (size_t pending = 1; pending; pending--) {
        switch (*at) { /* what there are most of, in half of the time that their shapes take */
        case TERM_TAG_SMALL_INTEGER:
            at += 2;
            continue;
        case TERM_TAG_INTEGER:
            at += 5;
            continue;
        case TERM_TAG_SMALL_ATOM_UTF8:
            at += 2 + at[1];
            continue;
        case TERM_TAG_SMALL_TUPLE:
            pending += at[1];
            at += 2;
            continue;
        }
        const struct term_shape *shape = &term_shapes[*at];
        size_t count = term_shape_count(shape, at);
        switch (shape->kind) {
        case SHAPE_IDENTIFIER:
            count = term_shape_trailer_size(at);
            at += shape->fixed;
            at += term_shape_leaf_size(at) + count;
            break;
        case SHAPE_TUPLE:
            at += shape->fixed;
            pending += count;
            break;
        case SHAPE_MAP:
            at += shape->fixed;
            pending += 2 * count;
            break;
        case SHAPE_LIST:
            at += shape->fixed;
            pending += count + 1;
            break;
        case SHAPE_FUN:
            at += 1 + count;
            break;
        case SHAPE_EXPORT:
            at += shape->fixed;
            pending += 3;
            break;
        default:
            assert(shape->kind == SHAPE_LEAF || shape->kind == SHAPE_ATOM);
            at += shape->fixed + count;
            break;
        }
    }
    return (size_t)(at - data);
}
