#include "term/term_match.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "match_keys_private.h"
#include "term/term_check.h"
#include "term/term_read.h"

/* Frames that are there from the start. */
#define FRAMES_FIRST 16

enum frame_kind {
    FRAME_PLAIN, /* values of both, one after the other */
    FRAME_REST,  /* elements of a list that is longer than its pattern */
    FRAME_MAP,
};

/* A container of the pattern, and the one that is to match it. */
struct frame {
    enum frame_kind kind;
    size_t left; /* values, FRAME_MAP: pairs of the pattern that are still to come */
    size_t rest; /* FRAME_REST: elements of the term behind those of the pattern */

    /* FRAME_MAP: the pairs of the term, which most often have the order of the pattern. */
    const uint8_t *first;
    const uint8_t *next;
    size_t count;
    size_t index;            /* of the next; no pair further on was looked at */
    bool in_value;           /* of the pair at `index` */
    struct match_keys *keys; /* when they have another: of the last `keys->count` pairs of the pattern */
};

struct match {
    const uint8_t *pattern; /* what comes next of both */
    const uint8_t *term;
    struct frame *frames;
    size_t depth; /* frames[depth - 1] is the innermost */
    size_t capacity;
    struct match_keys *keys; /* of all frames there were */
    struct frame at_first[FRAMES_FIRST];
};

static struct term match_take(const uint8_t **next)
{
    struct term term = {*next, term_length(*next)};
    *next += term.size;
    return term;
}

static void match_skip(const uint8_t **next, size_t values)
{
    for (; values; values--)
        *next += term_length(*next);
}

static bool match_is_any(const uint8_t *pattern)
{
    return pattern[0] == TERM_TAG_SMALL_ATOM_UTF8 && pattern[1] == 1 && pattern[2] == '_';
}

/* Passes what anything matches: so many values of the term. When nothing else is to come, nobody needs to
 * know where they end. */
static void match_pass_any(struct match *match, size_t values)
{
    size_t depth = match->depth;
    while (depth && !match->frames[depth - 1].left && match->frames[depth - 1].kind != FRAME_REST)
        depth--;
    if (depth) {
        match_skip(&match->pattern, 1);
        match_skip(&match->term, values);
    } else {
        match->depth = 0;
    }
}

static struct frame *match_push(struct match *match, enum frame_kind kind, size_t left)
{
    struct frame *top = match->depth ? &match->frames[match->depth - 1] : NULL;
    if (kind == FRAME_PLAIN && top && top->kind == FRAME_PLAIN) { /* they come before what is left of it */
        top->left += left;
        return top;
    }
    if (match->depth == match->capacity) {
        bool was_first = match->frames == match->at_first;
        match->capacity *= 2;
        match->frames =
            memory_resize(was_first ? NULL : match->frames, match->capacity, sizeof(*match->frames));
        if (was_first)
            memcpy(match->frames, match->at_first, sizeof(match->at_first));
    }
    match->frames[match->depth] = (struct frame){.kind = kind, .left = left};
    return &match->frames[match->depth++];
}

/* --- Lists --- */

/* A list of which at least one is a STRING_EXT: its elements are bytes. */
static bool match_bytes(struct match *match)
{
    struct term pattern = match_take(&match->pattern), term = match_take(&match->term);
    struct term_list patterns, terms;
    struct term element[2];
    if (!term_list_start(&patterns, pattern) || !term_list_start(&terms, term) ||
        patterns.count > terms.count)
        return false;
    while (term_list_next(&patterns, &element[0]) && term_list_next(&terms, &element[1]))
        if (!match_is_any(element[0].data) && !match_equal(element[0], element[1]))
            return false;
    if (!term_list_proper(&patterns))
        return match_is_any(patterns.next); /* whatever is left, with or without elements */
    return patterns.count == terms.count && term_list_proper(&terms);
}

static bool match_list(struct match *match)
{
    if (*match->pattern == TERM_TAG_STRING || *match->term == TERM_TAG_STRING)
        return match_bytes(match);
    if (*match->term != TERM_TAG_LIST)
        return false;
    size_t count = bytes_get32(match->pattern + 1), count_there = bytes_get32(match->term + 1);
    if (count > count_there)
        return false;
    match->pattern += 5;
    match->term += 5;
    if (count == count_there)
        (void)match_push(match, FRAME_PLAIN, count + 1);
    else
        match_push(match, FRAME_REST, count)->rest = count_there - count;
    return true;
}

/* The pattern of the tail has to be one of all that is left. */
static bool match_end_rest(struct match *match, const struct frame *frame)
{
    if (!match_is_any(match->pattern))
        return false;
    match_pass_any(match, frame->rest + 1);
    return true;
}

/* --- Maps --- */

static void match_open_map(struct match *match)
{
    size_t pairs = bytes_get32(match->pattern + 1), count = bytes_get32(match->term + 1);
    match->pattern += 5;
    match->term += 5;
    struct frame *frame = match_push(match, FRAME_MAP, pairs);
    frame->first = frame->next = match->term;
    frame->count = count;
}

/* The next pair of the term begins at `next`. */
static void match_pass_pair(struct frame *frame, const uint8_t *next)
{
    frame->next = next;
    frame->index++;
}

/* The key at `pattern`, and all that are left behind it. */
static bool match_find_all(struct match *match, struct frame *frame, const uint8_t *pattern)
{
    struct match_pairs wanted = {pattern, frame->left + 1}, there = {frame->first, frame->count};
    const uint8_t *end;
    size_t passed;
    frame->keys = match_keys_find(wanted, there, &end, &passed);
    if (!frame->keys)
        return false;
    frame->keys->next = match->keys;
    match->keys = frame->keys;
    if (passed > frame->index) {
        frame->index = passed;
        frame->next = end;
    }
    return true;
}

/* Looks for the value of the next key, as it is written, behind where the last was found, and when it is not
 * there for those of all that are left. */
static bool match_find(struct match *match, struct frame *frame)
{
    const uint8_t *pattern = match->pattern;
    const struct term key = match_take(&match->pattern);
    while (!frame->keys && frame->index < frame->count) {
        const uint8_t *at = frame->next;
        if (term_same(key, match_take(&at))) {
            match->term = at;
            frame->in_value = true;
            return true;
        }
        match_skip(&at, 1);
        match_pass_pair(frame, at);
    }
    if (!frame->keys && !match_find_all(match, frame, pattern))
        return false;
    match->term = frame->keys->values[frame->keys->count - frame->left - 1];
    return true;
}

static void match_end_map(struct match *match, struct frame *frame)
{
    match->term = frame->next;
    match_skip(&match->term, 2 * (frame->count - frame->index));
}

/* --- Values --- */

/* A value without others inside. */
static bool match_leaf(struct match *match)
{
    struct term_head head = term_read_head(match->term);
    return head.values == 0 && match_equal(match_take(&match->pattern), match_take(&match->term));
}

static bool match_tuple(struct match *match)
{
    struct term_head heads[2] = {term_read_head(match->pattern), term_read_head(match->term)};
    struct term term = {match->term, heads[1].size};
    if (term_type(term) != TERM_TUPLE || heads[0].values != heads[1].values)
        return false;
    match->pattern += heads[0].size;
    match->term += heads[1].size;
    (void)match_push(match, FRAME_PLAIN, heads[0].values);
    return true;
}

static bool match_value(struct match *match)
{
    if (match_is_any(match->pattern)) {
        match_pass_any(match, 1);
        return true;
    }
    switch (*match->pattern) {
    case TERM_TAG_LIST:
    case TERM_TAG_STRING:
        return match_list(match);
    case TERM_TAG_SMALL_TUPLE:
    case TERM_TAG_LARGE_TUPLE:
        return match_tuple(match);
    case TERM_TAG_MAP:
        if (*match->term != TERM_TAG_MAP)
            return false;
        match_open_map(match);
        return true;
    default:
        return match_leaf(match);
    }
}

/* Takes the next value of the innermost container, or ends it. */
static bool match_step(struct match *match)
{
    struct frame *frame = &match->frames[match->depth - 1];
    if (frame->in_value)
        match_pass_pair(frame, match->term);
    frame->in_value = false;
    if (frame->left) {
        frame->left--;
        return (frame->kind != FRAME_MAP || match_find(match, frame)) && match_value(match);
    }
    if (frame->kind == FRAME_MAP)
        match_end_map(match, frame);
    match->depth--;
    return frame->kind != FRAME_REST || match_end_rest(match, frame);
}

bool term_is_pattern(struct term pattern)
{
    size_t count = 0;
    for (const uint8_t *data = pattern.data; data < pattern.data + pattern.size; count++) {
        struct term_head head = term_read_head(data);
        if (*data == TERM_TAG_MAP && head.values > 2 * PATTERN_KEYS_MOST)
            return false;
        data += head.size;
    }
    return count <= PATTERN_VALUES_MOST;
}

bool term_matches(struct term pattern, struct term term)
{
    struct match match = {.pattern = pattern.data, .term = term.data, .capacity = FRAMES_FIRST};
    bool matches = true;
    if (match_is_any(pattern.data))
        return true;
    match.frames = match.at_first;
    (void)match_push(&match, FRAME_PLAIN, 1);
    while (matches && match.depth)
        matches = match_step(&match);
    for (struct match_keys *keys; (keys = match.keys);) {
        match.keys = keys->next;
        free(keys);
    }
    if (match.frames != match.at_first)
        free(match.frames);
    return matches;
}
