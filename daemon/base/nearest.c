#include "base/nearest.h"

#include <string.h>

#define NEAREST_BYTES 64
#define NEAREST_EDITS 2

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

const char *nearest_word(const char *word, size_t size, const char *const *candidates, size_t count)
{
    if (size > NEAREST_BYTES)
        return NULL;
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
