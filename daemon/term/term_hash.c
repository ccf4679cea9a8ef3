#include "term_hash_private.h"

#include <string.h>

#include "base/bytes.h"
#include "base/map.h"
#include "term/term_check.h"
#include "term/term_read.h"

/* What the hash of a term is folded from, one value after the other. */
struct fold {
    uint64_t hash;
};

static void fold_number(struct fold *fold, enum term_type type, uint64_t number)
{
    const uint64_t words[3] = {fold->hash, type, number};
    fold->hash = map_hash(words, sizeof(words));
}

static void fold_bytes(struct fold *fold, enum term_type type, const void *data, size_t size)
{
    fold_number(fold, type, map_hash(data, size));
}

/* Those beyond 64 bits may have zeros at their end. */
static void fold_integer(struct fold *fold, struct term term)
{
    int64_t value;
    if (term_read_integer(term, &value)) {
        fold_number(fold, TERM_INTEGER, (uint64_t)value);
        return;
    }
    size_t fixed = term.data[0] == TERM_TAG_SMALL_BIG ? 3 : 6, size = term.size - fixed;
    while (size && !term.data[fixed + size - 1])
        size--;
    fold_number(fold, TERM_INTEGER, term.data[fixed - 1]);
    fold_bytes(fold, TERM_INTEGER, term.data + fixed, size);
}

/* The two zeros are equal up to OTP 26. */
static void fold_float(struct fold *fold, struct term term)
{
    static const uint8_t zero[9] = {TERM_TAG_NEW_FLOAT}, negative_zero[9] = {TERM_TAG_NEW_FLOAT, 0x80};
    bool is_zero = term_same(term, (struct term){negative_zero, sizeof(negative_zero)});
    fold_bytes(fold, TERM_FLOAT, is_zero ? zero : term.data, term.size);
}

/* As a list of as many integers: elements, and then the tail. */
static void fold_string(struct fold *fold, const uint8_t *data)
{
    size_t count = bytes_get16(data + 1);
    for (size_t i = 0; i < count; i++)
        fold_number(fold, TERM_INTEGER, data[3 + i]);
    fold_number(fold, TERM_LIST, 0);
}

/* Folds what begins at `data` and is not inside of another value; what follows is answered. */
static const uint8_t *fold_value(struct fold *fold, const uint8_t *data)
{
    const struct term_head head = term_read_head(data);
    const struct term own = {data, head.size};
    const enum term_type type = term_type(own);
    switch (type) {
    case TERM_INTEGER:
        fold_integer(fold, own);
        break;
    case TERM_FLOAT:
        fold_float(fold, own);
        break;
    case TERM_LIST:
        if (*data == TERM_TAG_STRING)
            fold_string(fold, data);
        else if (*data == TERM_TAG_NIL)
            fold_number(fold, TERM_LIST, 0);
        break;
    case TERM_TUPLE:
        fold_number(fold, type, head.values);
        break;
    case TERM_MAP:
        fold_number(fold, type, head.values);
        return data + term_length(data);
    default:
        fold_bytes(fold, type, data, head.size);
        break;
    }
    return data + head.size;
}

uint64_t term_hash(struct term term)
{
    struct fold fold = {0};
    for (const uint8_t *next = term.data; next < term.data + term.size;)
        next = fold_value(&fold, next);
    return fold.hash;
}
