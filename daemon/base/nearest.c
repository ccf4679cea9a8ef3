#include "base/nearest.h"

#include <stdbool.h>
#include <string.h>

#define NEAREST_BYTES 64
#define NEAREST_EDITS 2
#define NEAREST_PART_BYTES 3

static char nearest_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t nearest_smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau's distance in its restricted form (no edit between the two bytes of a swap), row by row: `rows[i %
 * 3]` holds the distances of the first i bytes of `a` to each prefix of `b`. */
static size_t nearest_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t rows[3][NEAREST_BYTES + 1];
    for (size_t j = 0; j <= b_size; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            char x = nearest_lower(a[i - 1]);
            char y = nearest_lower(b[j - 1]);
            row[j] = nearest_smaller(nearest_smaller(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == nearest_lower(b[j - 2]) && nearest_lower(a[i - 2]) == y)
                row[j] = nearest_smaller(row[j], rows[(i - 2) % 3][j - 2] + 1);
        }
    }
    return rows[a_size % 3][b_size];
}

/* The candidate that takes the fewest edits, of those that it takes few. */
static const char *nearest_by_edits(const char *word, size_t size, const char *const *candidates,
                                    size_t count)
{
    const char *nearest = NULL;
    size_t least = NEAREST_EDITS + 1;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(candidates[i]);
        if (length > NEAREST_BYTES)
            continue;
        size_t edits = nearest_distance(word, size, candidates[i], length);
        size_t longer = length > size ? length : size;
        if (edits < least && edits <= longer / 3) {
            least = edits;
            nearest = candidates[i];
        }
    }
    return nearest;
}

/* --- Names that are half known --- */

/* How a word may stand for a longer one; the first is the nearest. */
enum likeness { LIKE_FIRST_PARTS, LIKE_PARTS, LIKE_BEGINNING, LIKE_CONTRACTION, LIKE_NOTHING };

static bool nearest_begins(const char *candidate, const char *word, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (nearest_lower(candidate[i]) != nearest_lower(word[i]))
            return false; /* also where the candidate ends */
    return true;
}

/* Between the parts of a name, or behind the last one. */
static bool nearest_is_border(char c)
{
    return c == '_' || c == '-' || c == '.' || c == '\0';
}

/* The same first two letters and the same last one, and all others in their order: ops for operations. */
static bool nearest_contracts(const char *candidate, size_t length, const char *word, size_t size)
{
    size_t found = 0;
    if (!nearest_begins(candidate, word, 2) ||
        nearest_lower(candidate[length - 1]) != nearest_lower(word[size - 1]))
        return false;
    for (size_t i = 0; i < length && found < size; i++)
        found += nearest_lower(candidate[i]) == nearest_lower(word[found]);
    return found == size;
}

static enum likeness nearest_likeness(const char *candidate, const char *word, size_t size)
{
    size_t length = strlen(candidate);
    if (size < NEAREST_PART_BYTES || size >= length)
        return LIKE_NOTHING;
    for (size_t at = 0; at + size <= length; at++)
        if ((at == 0 || nearest_is_border(candidate[at - 1])) && nearest_is_border(candidate[at + size]) &&
            nearest_begins(candidate + at, word, size))
            return at == 0 ? LIKE_FIRST_PARTS : LIKE_PARTS;
    if (nearest_begins(candidate, word, size))
        return LIKE_BEGINNING;
    return nearest_contracts(candidate, length, word, size) ? LIKE_CONTRACTION : LIKE_NOTHING;
}

/* Without the unit at its end, which may be another one. */
static size_t nearest_size_without_unit(const char *word, size_t size)
{
    static const char *const units[] = {"_us", "_ms", "_s", "_bytes"};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t length = strlen(units[i]);
        if (size > length && nearest_begins(word + size - length, units[i], length))
            return size - length;
    }
    return size;
}

/* Which of two names is meant by a part of both: the one that is itself a part of the other; NULL when
 * neither is. */
static const char *nearest_of_two(const char *a, const char *b)
{
    const char *shorter = strlen(a) <= strlen(b) ? a : b;
    const char *longer = shorter == a ? b : a;
    bool is_part = strcmp(a, b) == 0 || nearest_likeness(longer, shorter, strlen(shorter)) <= LIKE_PARTS;
    return is_part ? shorter : NULL;
}

/* The candidate that the word stands for; NULL when it may be several. */
static const char *nearest_by_likeness(const char *word, size_t size, const char *const *candidates,
                                       size_t count)
{
    const char *nearest = NULL;
    enum likeness best = LIKE_NOTHING;
    for (size_t i = 0; i < count; i++) {
        enum likeness likeness = nearest_likeness(candidates[i], word, size);
        if (likeness < best)
            nearest = candidates[i];
        else if (likeness == best && nearest)
            nearest = nearest_of_two(nearest, candidates[i]);
        if (likeness < best)
            best = likeness;
    }
    return nearest;
}

const char *nearest_word(const char *word, size_t size, const char *const *candidates, size_t count)
{
    if (size > NEAREST_BYTES)
        return NULL;
    const char *nearest = nearest_by_edits(word, size, candidates, count);
    return nearest ? nearest
                   : nearest_by_likeness(word, nearest_size_without_unit(word, size), candidates, count);
}
