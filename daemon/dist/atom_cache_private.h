/* The atom cache of a connection (ERTS user's guide, "External Term Format", "Distribution Header"), in use
 * when both sides have FLAG_DIST_HDR_ATOM_CACHE. A message then has a header that says which atoms its terms
 * refer to by number (ATOM_CACHE_REF):
 *
 *     Count, Count/2+1 bytes of flags, Count times Index [Length Text]        just 0 when there is none
 *
 * The flags are half bytes, the lower one first: 8 when the entry is new, so that length and text follow, and
 * the entry's segment in the three bits below. One more half byte has 1 when lengths are two bytes. An entry
 * is for segment and index what it was last told to be. The two directions have a cache each. */
#ifndef HARNESSD_DIST_ATOM_CACHE_PRIVATE_H
#define HARNESSD_DIST_ATOM_CACHE_PRIVATE_H

#include "base/buffer.h"
#include "term/term_check.h"

/* 8 segments of 256. */
#define ATOM_CACHE_ENTRIES 2048

/* What a peer has sent. All zero is an empty one. */
struct atom_reader {
    struct term *entries; /* canonical atoms with memory of their own; NULL before the first */
    struct buffer bytes;  /* the atoms of the last header, canonical, one behind the other */
    struct term_atoms table;
};

void atom_reader_free(struct atom_reader *reader);

/* Reads the header that begins at `data` with its count, and takes its new entries into the cache. `*used` is
 * its length. `table` then has its atoms until the next call here: entries that are overwritten later do not
 * change it. On false `*problem` says why, and the connection has to go. */
MUST_CHECK bool atom_reader_header(struct atom_reader *reader, const uint8_t *data, size_t size, size_t *used,
                                   const char **problem);

/* Makes `table` again what it was when `bytes` were these, which now belong to the reader. */
void atom_reader_restore(struct atom_reader *reader, struct buffer bytes);

/* What a peer was sent. All zero is an empty one. An atom has one place, which its hash tells; another one
 * with the same place takes it over. */
struct atom_writer {
    struct atom_place *places; /* NULL before the first message */
    uint64_t messages;
    struct buffer terms; /* of the message that is being written */
    size_t count;
    size_t entry_bytes;                   /* what they take in the header, but for their flags */
    uint16_t references[TERM_ATOMS_MOST]; /* places of the atoms that it refers to */
};

void atom_writer_free(struct atom_writer *writer);

/* Appends a header and the message's terms, which refer to their atoms: to as many as it can, except those
 * longer than 255 bytes. Messages have to be sent in the order in which they were written. */
void atom_writer_append(struct atom_writer *writer, struct buffer *output, struct term control,
                        struct term payload);

#endif
