/* Building terms. What goes wrong (a text that cannot be an atom, more bytes than the limit) is remembered:
 * build all of it, then ask once with term_build_done(). A container is followed by its elements, a map by
 * key and value in turn, a list of `count` > 0 by its elements and its tail. */
#ifndef HARNESSD_TERM_TERM_BUILD_H
#define HARNESSD_TERM_TERM_BUILD_H

#include "base/buffer.h"
#include "term/term.h"

struct term_gaps;

struct term_builder {
    struct buffer bytes;
    size_t limit; /* bytes; 0 is none */
    bool failed;
    struct term_gaps *gaps; /* NULL: everything is copied at once; see term_gaps.h */
};

/* All zero is an empty builder without a limit. */
void term_build_free(struct term_builder *builder);

/* Keeps the memory, forgets the contents and the failure. */
void term_build_reset(struct term_builder *builder);

void term_build_tuple(struct term_builder *builder, size_t arity);
void term_build_map(struct term_builder *builder, size_t pairs);
void term_build_list(struct term_builder *builder, size_t count); /* count 0 is the empty list, whole */
void term_build_nil(struct term_builder *builder);

/* A list that was begun when the builder had `at` bytes has this many elements, more than none. */
void term_build_set_count(struct term_builder *builder, size_t at, size_t count);

void term_build_atom(struct term_builder *builder, const char *text); /* UTF-8, at most 255 characters */
void term_build_boolean(struct term_builder *builder, bool value);
void term_build_integer(struct term_builder *builder, int64_t value);
void term_build_unsigned(struct term_builder *builder, uint64_t value);
void term_build_float(struct term_builder *builder, double value); /* not finite: a failure */
void term_build_binary(struct term_builder *builder, const void *data, size_t size);
void term_build_text(struct term_builder *builder, const char *text); /* a binary */

/* fun Module:Function/Arity, for peers with FLAG_EXPORT_PTR_TAG. */
void term_build_export(struct term_builder *builder, const char *module, const char *function, uint8_t arity);
void term_build_pid(struct term_builder *builder, const struct term_pid *pid);

/* A reference of three to five words, as NEWER_REFERENCE_EXT. */
void term_build_reference(struct term_builder *builder, const char *node, uint32_t creation,
                          const uint32_t *words, size_t count);

/* A term as it is. */
void term_build_term(struct term_builder *builder, struct term term);

/* An atom key, for the many maps with atom keys; the value follows. */
#define term_build_key term_build_atom

/* Such a key with its number; with nil where that is not known. */
void term_build_key_unsigned(struct term_builder *builder, const char *key, uint64_t value);
void term_build_key_known(struct term_builder *builder, const char *key, bool known, uint64_t value);
void term_build_known(struct term_builder *builder, bool known, uint64_t value);

/* What was built, borrowed from the builder until it is next touched. False when something went wrong. */
MUST_CHECK bool term_build_done(const struct term_builder *builder, struct term *term);

/* The same where nothing can go wrong, as all parts are ours and of a bounded size: an assertion says so. */
struct term term_built(const struct term_builder *builder);

#endif
