/* Terms that may be of many megabytes. Copying such a one takes long, so that it stays in the message that it
 * has come in, which is a blob that is held; and who makes a tuple of it makes what that begins with alone.
 */
#ifndef HARNESSD_TERM_TERM_LONG_H
#define HARNESSD_TERM_TERM_LONG_H

#include "base/blob.h"
#include "term/term_build.h"

/* Terms that are not longer are copied. */
#define TERM_LONG_BYTES (64 * 1024)

/* A term as it is handed around: `head` and then `tail`, one behind the other. */
struct term_long {
    struct term head;  /* tuples and atoms that it begins with; without data when all of it is in the tail */
    struct term tail;  /* the values that come behind that */
    struct blob *held; /* what a tail that is long may be in, for who wants to keep it; or NULL */
};

/* One that has no head, and is copied by who keeps it. */
#define TERM_LONG(term) (&(struct term_long){.tail = (term)})

static inline size_t term_long_size(const struct term_long *term)
{
    return term->head.size + term->tail.size;
}

/* Whether it is kept by holding what its tail is in. */
static inline bool term_long_is_held(const struct term_long *term)
{
    return term->tail.size > TERM_LONG_BYTES && blob_has(term->held, term->tail.data);
}

/* Appends it, the tail as term_build_term() would. */
void term_build_long(struct term_builder *builder, const struct term_long *term);

/* All of it in one place: the tail where there is no head, else a copy in the buffer. For those that are
 * short. */
struct term term_long_join(const struct term_long *term, struct buffer *output);

/* How many values are in the tail. */
size_t term_long_tail_values(const struct term_long *term);

/* The first of the values that a term has behind each other, if that is at its end within `*left` values,
 * which are fewer then. */
MUST_CHECK bool term_long_first(struct term values, size_t *left, struct term *first);

/* A term that is kept. All zero is none. */
struct term_kept {
    size_t size;         /* of all of it; 0: there is none */
    struct buffer bytes; /* its head, and the tail as well where that is not held */
    struct term tail;    /* in `held` */
    struct blob *held;
};

/* Keeps it, and nothing else from now on; it may be made of what was kept before. */
void term_kept_set(struct term_kept *kept, const struct term_long *term);
void term_kept_free(struct term_kept *kept);

/* What is kept, as good as that is. */
static inline struct term_long term_kept_long(const struct term_kept *kept)
{
    return kept->held ? (struct term_long){term_of(&kept->bytes), kept->tail, kept->held}
                      : (struct term_long){.tail = term_of(&kept->bytes)};
}

#endif
