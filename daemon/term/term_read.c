#include "term/term_read.h"

#include <assert.h>
#include <ei.h>
#include <math.h>
#include <string.h>

#include "term/term_check.h"
#include "term_float_private.h"
#include "term_shape_private.h"

static const struct term_shape *read_shape_of(struct term term)
{
    static const struct term_shape none = {.kind = SHAPE_UNKNOWN};
    return term.size ? &term_shapes[*term.data] : &none;
}

/* The value that begins at `*next`, which moves behind it. */
static struct term read_take(const uint8_t **next)
{
    struct term term = {.data = *next, .size = term_length(*next)};
    *next += term.size;
    return term;
}

enum term_type term_type(struct term term)
{
    const struct term_shape *shape = read_shape_of(term);
    assert(shape->kind != SHAPE_UNKNOWN);
    if (shape->type == TERM_BITSTRING && term.data[5] % 8 == 0)
        return TERM_BINARY;
    return shape->type;
}

const char *term_type_text(enum term_type type)
{
    static const char *const texts[] = {
        [TERM_INTEGER] = "integer", [TERM_FLOAT] = "float",         [TERM_ATOM] = "atom",
        [TERM_TUPLE] = "tuple",     [TERM_LIST] = "list",           [TERM_MAP] = "map",
        [TERM_BINARY] = "binary",   [TERM_BITSTRING] = "bitstring", [TERM_PID] = "pid",
        [TERM_PORT] = "port",       [TERM_REFERENCE] = "reference", [TERM_FUN] = "fun",
    };
    return (size_t)type < ARRAY_LENGTH(texts) ? texts[type] : "unknown";
}

/* The text of an atom; false when the term is none. */
static bool read_atom_bytes(struct term term, const uint8_t **text, size_t *size)
{
    const struct term_shape *shape = read_shape_of(term);
    if (shape->kind != SHAPE_ATOM)
        return false;
    *text = term.data + shape->fixed;
    *size = term.size - shape->fixed;
    return true;
}

bool term_is_atom(struct term term, const char *text)
{
    const uint8_t *bytes;
    size_t size;
    return read_atom_bytes(term, &bytes, &size) && size == strlen(text) && memcmp(bytes, text, size) == 0;
}

bool term_is_nil(struct term term)
{
    return term.size && *term.data == TERM_TAG_NIL;
}

bool term_read_atom(struct term term, char text[TERM_ATOM_BYTES + 1])
{
    const uint8_t *bytes;
    size_t size;
    /* An atom with a NUL in it is not the text that a C string would make of it. */
    if (!read_atom_bytes(term, &bytes, &size) || size > TERM_ATOM_BYTES || memchr(bytes, '\0', size))
        return false;
    memcpy(text, bytes, size);
    text[size] = '\0';
    return true;
}

bool term_read_boolean(struct term term, bool *value)
{
    bool is_true = term_is_atom(term, "true");
    if (!is_true && !term_is_atom(term, "false"))
        return false;
    *value = is_true;
    return true;
}

bool term_read_integer(struct term term, int64_t *value)
{
    const struct term_shape *shape = read_shape_of(term);
    if (shape->kind != SHAPE_LEAF || shape->type != TERM_INTEGER)
        return false;
    int index = 0;
    EI_LONGLONG number;
    if (ei_decode_longlong((const char *)term.data, &index, &number))
        return false;
    *value = number;
    return true;
}

/* An integer beyond 64 bits; false when it is beyond a float as well. */
static bool read_big(struct term term, double *value)
{
    size_t fixed = term_shapes[*term.data].fixed;
    bool negative = term.data[fixed - 1];
    double number = 0;
    for (size_t i = term.size; i > fixed; i--)
        number = number * 256 + term.data[i - 1];
    if (!isfinite(number))
        return false;
    *value = negative ? -number : number;
    return true;
}

bool term_read_number(struct term term, double *value)
{
    const struct term_shape *shape = read_shape_of(term);
    int64_t integer;
    if (shape->kind != SHAPE_LEAF)
        return false;
    if (shape->type == TERM_FLOAT)
        return term_float_decode(term.data, value);
    if (shape->type != TERM_INTEGER)
        return false;
    if (!term_read_integer(term, &integer))
        return read_big(term, value);
    *value = (double)integer;
    return true;
}

bool term_read_node(struct term term, struct term *node)
{
    const struct term_shape *shape = read_shape_of(term);
    if (shape->kind != SHAPE_IDENTIFIER)
        return false;
    node->data = term.data + shape->fixed;
    node->size = term_shape_leaf_size(node->data);
    return true;
}

bool term_read_pid(struct term term, struct term_pid *pid)
{
    struct term node;
    const uint8_t *text;
    size_t size;
    if (read_shape_of(term)->type != TERM_PID || !term_read_node(term, &node) ||
        !read_atom_bytes(node, &text, &size))
        return false;
    if (memchr(text, '\0', size)) /* as in term_read_atom() */
        return false;
    erlang_pid decoded;
    int index = 0;
    if (ei_decode_pid((const char *)term.data, &index, &decoded))
        return false;
    memcpy(pid->node, text, size);
    pid->node[size] = '\0';
    pid->id = decoded.num;
    pid->serial = decoded.serial;
    pid->creation = decoded.creation;
    return true;
}

bool term_read_binary(struct term term, const uint8_t **data, size_t *size)
{
    const struct term_shape *shape = read_shape_of(term);
    if (shape->kind != SHAPE_LEAF || (shape->type != TERM_BINARY && shape->type != TERM_BITSTRING))
        return false;
    if (term_type(term) != TERM_BINARY)
        return false;
    *data = term.data + shape->fixed;
    *size = term.size - shape->fixed;
    return true;
}

/* All of them. The last one is what is left, however large: a report is the last element of a result. */
static void read_elements(struct term term, const struct term_shape *shape, size_t count,
                          struct term *elements)
{
    const uint8_t *next = term.data + shape->fixed;
    for (size_t i = 0; i + 1 < count; i++)
        elements[i] = read_take(&next);
    if (count)
        elements[count - 1] = (struct term){next, (size_t)(term.data + term.size - next)};
}

bool term_read_tuple(struct term term, size_t capacity, struct term *elements, size_t *arity)
{
    const struct term_shape *shape = read_shape_of(term);
    if (shape->kind != SHAPE_TUPLE)
        return false;
    *arity = term_shape_count(shape, term.data);
    if (*arity > capacity)
        return false;
    read_elements(term, shape, *arity, elements);
    return true;
}

bool term_read_tuple_of(struct term term, size_t arity, struct term *elements)
{
    const struct term_shape *shape = read_shape_of(term);
    if (shape->kind != SHAPE_TUPLE || term_shape_count(shape, term.data) != arity)
        return false;
    read_elements(term, shape, arity, elements);
    return true;
}

bool term_read_element(struct term term, size_t index, struct term *element)
{
    const struct term_shape *shape = read_shape_of(term);
    if (shape->kind != SHAPE_TUPLE || index >= term_shape_count(shape, term.data))
        return false;
    const uint8_t *next = term.data + shape->fixed;
    for (size_t i = 0; i <= index; i++)
        *element = read_take(&next);
    return true;
}

struct term_head term_read_head(const uint8_t *data)
{
    const struct term_shape *shape = &term_shapes[*data];
    size_t count = term_shape_count(shape, data);
    switch (shape->kind) {
    case SHAPE_TUPLE:
        return (struct term_head){shape->fixed, count};
    case SHAPE_MAP:
        return (struct term_head){shape->fixed, 2 * count};
    case SHAPE_LIST:
        return (struct term_head){shape->fixed, count + 1};
    default:
        return (struct term_head){term_length(data), 0};
    }
}

bool term_list_start(struct term_list *list, struct term term)
{
    const struct term_shape *shape = read_shape_of(term);
    if (shape->kind == SHAPE_UNKNOWN || shape->type != TERM_LIST)
        return false;
    /* The next of an empty list is the list itself, as if it were a tail. */
    size_t count = term_shape_count(shape, term.data);
    *list = (struct term_list){
        .next = term.data + (count ? shape->fixed : 0),
        .left = count,
        .string = shape->kind == SHAPE_LEAF && count,
        .count = count,
    };
    return true;
}

/* The elements of a STRING_EXT have no bytes of their own that could be borrowed. */
#define BYTE_1(n) {TERM_TAG_SMALL_INTEGER, (n)}
#define BYTE_4(n) BYTE_1(n), BYTE_1((n) + 1), BYTE_1((n) + 2), BYTE_1((n) + 3)
#define BYTE_16(n) BYTE_4(n), BYTE_4((n) + 4), BYTE_4((n) + 8), BYTE_4((n) + 12)
#define BYTE_64(n) BYTE_16(n), BYTE_16((n) + 16), BYTE_16((n) + 32), BYTE_16((n) + 48)
static const uint8_t byte_terms[256][2] = {BYTE_64(0), BYTE_64(64), BYTE_64(128), BYTE_64(192)};

bool term_list_next(struct term_list *list, struct term *element)
{
    if (!list->left)
        return false;
    list->left--;
    if (list->string)
        *element = (struct term){.data = byte_terms[*list->next++], .size = 2};
    else
        *element = read_take(&list->next);
    return true;
}

bool term_list_proper(const struct term_list *list)
{
    return list->string || *list->next == TERM_TAG_NIL;
}

/* Whether an element is {atom, value}. */
static bool read_is_pair(struct term element)
{
    struct term parts[2];
    return term_read_tuple_of(element, 2, parts) && read_shape_of(parts[0])->kind == SHAPE_ATOM;
}

bool term_pairs_start(struct term_pairs *pairs, struct term term)
{
    const struct term_shape *shape = read_shape_of(term);
    if (shape->kind == SHAPE_MAP) {
        size_t count = term_shape_count(shape, term.data);
        *pairs = (struct term_pairs){.next = term.data + shape->fixed, .left = count, .count = count};
        return true;
    }
    struct term_list list;
    struct term element;
    if (!term_list_start(&list, term))
        return false;
    while (term_list_next(&list, &element)) {
        if (!read_is_pair(element))
            return false;
    }
    if (!term_list_proper(&list))
        return false;
    *pairs = (struct term_pairs){.left = list.count, .count = list.count, .keyword = true};
    return term_list_start(&pairs->list, term);
}

bool term_pairs_next(struct term_pairs *pairs, struct term *key, struct term *value)
{
    if (!pairs->left)
        return false;
    pairs->left--;
    if (!pairs->keyword) {
        *key = read_take(&pairs->next);
        *value = read_take(&pairs->next);
        return true;
    }
    struct term element, parts[2];
    if (!term_list_next(&pairs->list, &element) || !term_read_tuple_of(element, 2, parts))
        return false;
    *key = parts[0];
    *value = parts[1];
    return true;
}

bool term_pairs_get(struct term term, const char *key, struct term *value)
{
    struct term_pairs pairs;
    struct term candidate, found;
    if (!term_pairs_start(&pairs, term))
        return false;
    while (term_pairs_next(&pairs, &candidate, &found)) {
        if (term_is_atom(candidate, key)) {
            *value = found;
            return true;
        }
    }
    return false;
}
