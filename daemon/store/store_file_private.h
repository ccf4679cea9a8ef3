/* The form of a stored run: a file that Erlang's binary_to_term() reads as {Summary, Content}, and behind
 * the term, where that does not look, what tells a whole file from a damaged one:
 *
 *     131, 104, 2                       the term begins: version, tuple of two
 *     summary, content                  two terms
 *     "harnessd"                        8 bytes
 *     form (1), state                   4 bytes each, in network order, as what follows
 *     id, ended_at_ms                   8 bytes each
 *     size of summary, of content       8 bytes each
 *     check of summary, of content      4 bytes each (base/crc32.h)
 *     check of the trailer up to here   4 bytes
 *
 * Pure: knows no file. Whatever a file gives is checked; the terms are walked by term_check(). */
#ifndef HARNESSD_STORE_STORE_FILE_PRIVATE_H
#define HARNESSD_STORE_STORE_FILE_PRIVATE_H

#include "base/buffer.h"
#include "store/store.h"
#include "term/term.h"

#define STORE_FILE_HEAD_BYTES 3
#define STORE_FILE_TRAILER_BYTES 60

struct store_file {
    uint64_t id;
    enum store_state state;
    uint64_t ended_at_ms;
    struct term summary;
    struct term content;
};

/* The same without the terms, and what they are to be checked against. */
struct store_trailer {
    uint64_t id;
    enum store_state state;
    uint64_t ended_at_ms;
    uint64_t summary_size;
    uint64_t content_size;
    uint32_t summary_check;
    uint32_t content_check;
};

/* Appends what stands before the content, and what stands behind it. */
void store_file_write_head(const struct store_file *file, struct buffer *output);
void store_file_write_trailer(const struct store_file *file, struct buffer *output);

/* Reads the last bytes of a file of `size` bytes. NULL, or what is wrong, a literal. */
MUST_CHECK const char *store_file_read_trailer(const uint8_t bytes[STORE_FILE_TRAILER_BYTES], uint64_t size,
                                               struct store_trailer *trailer);

/* Reads the first STORE_FILE_HEAD_BYTES + trailer->summary_size bytes. `*summary` borrows from them. */
MUST_CHECK const char *store_file_read_head(const uint8_t *bytes, const struct store_trailer *trailer,
                                            struct term *summary);

/* Reads a whole file, from which the terms borrow. */
MUST_CHECK const char *store_file_read(const uint8_t *bytes, size_t size, struct store_file *file);

/* Writes the JSON of a run piece by piece, to somebody who takes it: an object with "outcome", "run_id",
 * "reason" and "report", with "state" and "summary" where they are wanted, and with a "warning"
 * when some of it is too deep for JSON (term/term_json.h). */
struct store_json {
    store_take_apart *take_apart; /* NULL: the content is the report */
    bool has_summary;
};
typedef void store_file_take(void *owner, const void *json, size_t size);
void store_file_write_json(const struct store_file *file, const struct store_json *json,
                           store_file_take *take, void *owner);

#endif
