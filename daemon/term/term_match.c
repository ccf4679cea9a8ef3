#include "term/term_match.h"

#include "base/bytes.h"
#include "term/term_check.h"
#include "term/term_read.h"
#include "term/term_sort.h"

static bool match_any(struct term pattern)
{
    return term_same(pattern, TERM_ATOM("_"));
}

/* Equal terms may differ in their bytes: numbers, maps, lists of bytes, and what has such inside. */
static bool match_equal(struct term a, struct term b)
{
    struct buffer sorted[2] = {0};
    enum term_type type = term_type(a);
    bool varies = type == TERM_INTEGER || type == TERM_FLOAT || type == TERM_LIST || type == TERM_TUPLE ||
                  type == TERM_MAP;
    if (term_same(a, b))
        return true;
    if (!varies || term_type(b) != type)
        return false;
    term_sort(a, &sorted[0]);
    term_sort(b, &sorted[1]);
    bool same = term_same(term_of(&sorted[0]), term_of(&sorted[1]));
    buffer_free(&sorted[0]);
    buffer_free(&sorted[1]);
    return same;
}

/* What follows the elements of a list; without data when that is the empty one. */
static struct term match_tail(const struct term_list *list)
{
    if (list->string || term_list_proper(list))
        return (struct term){0};
    return (struct term){list->next, term_length(list->next)};
}

static bool match_list(struct term pattern, struct term term)
{
    struct term_list patterns, terms;
    struct term element[2];
    if (!term_list_start(&patterns, pattern) || !term_list_start(&terms, term) ||
        patterns.count > terms.count)
        return false;
    while (term_list_next(&patterns, &element[0]) && term_list_next(&terms, &element[1]))
        if (!term_matches(element[0], element[1]))
            return false;
    struct term tails[2] = {match_tail(&patterns), {0}};
    if (tails[0].data && match_any(tails[0]))
        return true; /* whatever is left, with or without elements */
    if (patterns.count != terms.count)
        return false;
    tails[1] = match_tail(&terms);
    if (!tails[0].data || !tails[1].data)
        return !tails[0].data && !tails[1].data;
    return term_matches(tails[0], tails[1]);
}

static bool match_tuple(struct term pattern, struct term term)
{
    struct term_head heads[2] = {term_read_head(pattern.data), term_read_head(term.data)};
    const uint8_t *at[2] = {pattern.data + heads[0].size, term.data + heads[1].size};
    if (term_type(term) != TERM_TUPLE || heads[0].values != heads[1].values)
        return false;
    for (size_t i = 0; i < heads[0].values; i++) {
        struct term parts[2] = {{at[0], term_length(at[0])}, {at[1], term_length(at[1])}};
        if (!term_matches(parts[0], parts[1]))
            return false;
        at[0] += parts[0].size;
        at[1] += parts[1].size;
    }
    return true;
}

/* Keys and values of a map, one pair after the other and then the first again. */
struct match_cursor {
    struct term map;
    size_t count;
    size_t index;
    const uint8_t *next;
};

static void match_next(struct match_cursor *cursor, struct term *key, struct term *value)
{
    if (cursor->index == cursor->count) {
        cursor->index = 0;
        cursor->next = cursor->map.data + 5;
    }
    *key = (struct term){cursor->next, term_length(cursor->next)};
    *value = (struct term){cursor->next + key->size, term_length(cursor->next + key->size)};
    cursor->next = value->data + value->size;
    cursor->index++;
}

/* Looks from where the last key was found: most often both have the same order. */
static bool match_find(struct match_cursor *cursor, struct term key, struct term *value)
{
    struct term found;
    for (size_t left = cursor->count; left; left--) {
        match_next(cursor, &found, value);
        if (match_equal(key, found))
            return true;
    }
    return false;
}

static bool match_map(struct term pattern, struct term term)
{
    if (term_type(term) != TERM_MAP)
        return false;
    struct match_cursor patterns = {pattern, bytes_get32(pattern.data + 1), 0, pattern.data + 5};
    struct match_cursor terms = {term, bytes_get32(term.data + 1), 0, term.data + 5};
    struct term key, value, found;
    for (size_t left = patterns.count; left; left--) {
        match_next(&patterns, &key, &value);
        if (!match_find(&terms, key, &found) || !term_matches(value, found))
            return false;
    }
    return true;
}

bool term_matches(struct term pattern, struct term term)
{
    if (match_any(pattern))
        return true;
    switch (term_type(pattern)) {
    case TERM_LIST:
        return match_list(pattern, term);
    case TERM_TUPLE:
        return match_tuple(pattern, term);
    case TERM_MAP:
        return match_map(pattern, term);
    default:
        return match_equal(pattern, term);
    }
}
