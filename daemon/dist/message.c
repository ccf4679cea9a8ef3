#include "message_private.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "dist/flags.h"
#include "term/term_check.h"

#define PASS_THROUGH 112
#define DIST_HEADER 68
#define DIST_FIRST_FRAGMENT 69
#define DIST_NEXT_FRAGMENT 70

/* Bytes before the atoms or the part: 131, the tag, and for fragments two numbers. */
#define HEADER_BYTES 2
#define FRAGMENT_BYTES 18

/* A buffer that a long message has made larger than this is not kept for the next. */
#define CANONICAL_KEPT_BYTES (1024 * 1024)

static const struct term_limits message_limits = {.depth = 2048, .count = 64 * 1000 * 1000};

/* A message of which fragments are missing. */
struct partial {
    struct buffer body;
    struct buffer atoms; /* that it refers to; other headers may change the cache before it is complete */
    uint64_t next;       /* number of the fragment that must come next */
};

static size_t message_partial_size(const struct partial *partial)
{
    return partial->body.size + partial->atoms.size;
}

void message_reader_init(struct message_reader *reader, size_t limit)
{
    *reader = (struct message_reader){.limit = limit};
}

void message_reader_free(struct message_reader *reader)
{
    struct map_cursor cursor = {0};
    for (const struct map_entry *entry; (entry = map_next(&reader->partials, &cursor));) {
        struct partial *partial = entry->value;
        buffer_free(&partial->body);
        buffer_free(&partial->atoms);
        free(partial);
    }
    map_free(&reader->partials);
    atom_reader_free(&reader->atoms);
    buffer_free(&reader->assembled);
    buffer_free(&reader->canonical);
}

/* Makes the terms of a message canonical. */
static void message_rewrite_terms(struct message_reader *reader, const struct term_atoms *atoms,
                                  struct term terms[2], size_t count)
{
    size_t ends[2] = {0, 0};
    if (reader->canonical.capacity > CANONICAL_KEPT_BYTES)
        buffer_free(&reader->canonical);
    buffer_consume(&reader->canonical, reader->canonical.size);
    for (size_t i = 0; i < count; i++) {
        term_canonical_with_atoms(terms[i], atoms, &reader->canonical);
        ends[i] = reader->canonical.size;
    }
    const uint8_t *start = buffer_bytes(&reader->canonical);
    terms[0] = (struct term){start, ends[0]};
    if (count == 2)
        terms[1] = (struct term){start + ends[0], ends[1] - ends[0]};
}

/* Checks the terms of a message that start at `data` and makes them canonical; `versioned` ones each begin
 * with 131, others refer to the atoms of the header that was read last. */
static enum message_result message_read_terms(struct message_reader *reader, const uint8_t *data, size_t size,
                                              bool versioned, struct term terms[2], const char **problem)
{
    struct term_atoms *atoms = versioned || !reader->atoms.table.count ? NULL : &reader->atoms.table;
    bool canonical[2] = {true, true};
    size_t count = 0;
    if (atoms)
        atoms->room = reader->limit > size ? reader->limit - size : 0;
    for (; size && count < 2; count++) {
        if (versioned) {
            if (*data != TERM_VERSION) {
                *problem = "term without its version";
                return MESSAGE_BAD;
            }
            data++;
            size--;
        }
        size_t used;
        enum term_problem found =
            term_check_with_atoms(data, size, &message_limits, atoms, &used, &canonical[count]);
        if (found != TERM_OK) {
            *problem = term_problem_text(found);
            return found == TERM_TOO_LARGE ? MESSAGE_TOO_LARGE : MESSAGE_BAD;
        }
        terms[count] = (struct term){data, used};
        data += used;
        size -= used;
    }
    if (size || !count) {
        *problem = size ? "bytes behind the message" : "message without a control tuple";
        return MESSAGE_BAD;
    }
    if (!canonical[0] || !canonical[1])
        message_rewrite_terms(reader, atoms, terms, count);
    return MESSAGE_READY;
}

/* Reads the atoms of a header, whose length `*used` then is. */
static bool message_read_atoms(struct message_reader *reader, const uint8_t *data, size_t size, size_t *used,
                               const char **problem)
{
    if (size && data[0] && !reader->refers) {
        *problem = "atoms in a header without the atom cache";
        return false;
    }
    return atom_reader_header(&reader->atoms, data, size, used, problem);
}

static enum message_result message_add_part(struct message_reader *reader, struct partial *partial,
                                            const uint8_t *part, size_t size, const char **problem)
{
    if (size > reader->limit - reader->partial_bytes) {
        *problem = "fragments beyond the limit";
        return MESSAGE_TOO_LARGE;
    }
    buffer_append(&partial->body, part, size);
    reader->partial_bytes += size;
    partial->next--;
    return MESSAGE_PARTIAL;
}

/* Keeps the atoms of the header that was read last, if there are any, for this message. */
static bool message_keep_atoms(struct message_reader *reader, struct partial *partial, const char **problem)
{
    const struct buffer *bytes = &reader->atoms.bytes;
    if (bytes->size > reader->limit - reader->partial_bytes) {
        *problem = "atoms of fragments beyond the limit";
        return false;
    }
    buffer_append(&partial->atoms, buffer_bytes(bytes), bytes->size);
    reader->partial_bytes += bytes->size;
    return true;
}

/* Takes the fragment into its message, which `*complete` is when it is complete. */
static enum message_result message_read_fragment(struct message_reader *reader, const uint8_t *frame,
                                                 size_t size, struct partial **complete, const char **problem)
{
    bool first = frame[1] == DIST_FIRST_FRAGMENT;
    size_t header = FRAGMENT_BYTES, atoms = 0;
    const uint8_t *key = frame + 2;
    if (size < header) {
        *problem = "malformed fragment";
        return MESSAGE_BAD;
    }
    if (first && !message_read_atoms(reader, frame + header, size - header, &atoms, problem))
        return MESSAGE_BAD;
    header += atoms;
    uint64_t number = bytes_get64(frame + 10);
    struct partial *partial = map_get(&reader->partials, key, 8);
    if (first ? partial || number == 0 || reader->partials.count >= MESSAGE_PARTIALS
              : !partial || number != partial->next) {
        *problem = "fragment out of order";
        return MESSAGE_BAD;
    }
    if (first) {
        partial = memory_zalloc(1, sizeof(*partial));
        partial->next = number;
        (void)map_put(&reader->partials, key, 8, partial);
        if (!message_keep_atoms(reader, partial, problem))
            return MESSAGE_TOO_LARGE;
    }
    enum message_result result = message_add_part(reader, partial, frame + header, size - header, problem);
    if (result == MESSAGE_PARTIAL && partial->next == 0) {
        map_remove(&reader->partials, key, 8);
        *complete = partial;
    }
    return result;
}

static enum message_result message_read_fragments(struct message_reader *reader, const uint8_t *frame,
                                                  size_t size, struct term terms[2], const char **problem)
{
    struct partial *complete = NULL;
    enum message_result result = message_read_fragment(reader, frame, size, &complete, problem);
    if (!complete)
        return result;
    reader->partial_bytes -= message_partial_size(complete);
    buffer_free(&reader->assembled);
    reader->assembled = complete->body;
    atom_reader_restore(&reader->atoms, complete->atoms);
    free(complete);
    return message_read_terms(reader, buffer_bytes(&reader->assembled), reader->assembled.size, false, terms,
                              problem);
}

static enum message_result message_read_whole(struct message_reader *reader, const uint8_t *frame,
                                              size_t size, struct term terms[2], const char **problem)
{
    size_t atoms;
    if (!message_read_atoms(reader, frame + HEADER_BYTES, size - HEADER_BYTES, &atoms, problem))
        return MESSAGE_BAD;
    size_t header = HEADER_BYTES + atoms;
    return message_read_terms(reader, frame + header, size - header, false, terms, problem);
}

enum message_result message_read(struct message_reader *reader, const uint8_t *frame, size_t size,
                                 struct term *control, struct term *payload, const char **problem)
{
    struct term terms[2] = {{0}, {0}};
    enum message_result result = MESSAGE_BAD;
    *problem = "unknown message format";
    if (frame[0] == PASS_THROUGH)
        result = message_read_terms(reader, frame + 1, size - 1, true, terms, problem);
    else if (size >= HEADER_BYTES && frame[0] == TERM_VERSION && frame[1] == DIST_HEADER)
        result = message_read_whole(reader, frame, size, terms, problem);
    else if (size >= HEADER_BYTES && frame[0] == TERM_VERSION &&
             (frame[1] == DIST_FIRST_FRAGMENT || frame[1] == DIST_NEXT_FRAGMENT))
        result = message_read_fragments(reader, frame, size, terms, problem);
    *control = terms[0];
    *payload = terms[1];
    return result;
}

/* A message that refers to its atoms; its length is known when it is there. */
static void message_append_referring(struct buffer *output, struct atom_writer *atoms, struct term control,
                                     struct term payload)
{
    size_t before = output->size;
    buffer_append(output, (uint8_t[]){0, 0, 0, 0, TERM_VERSION, DIST_HEADER}, 4 + HEADER_BYTES);
    atom_writer_append(atoms, output, control, payload);
    bytes_put32(buffer_bytes(output) + before, (uint32_t)(output->size - before - 4));
}

void message_append(struct buffer *output, uint64_t flags, struct atom_writer *atoms, struct term control,
                    struct term payload)
{
    if (flags & FLAG_DIST_HDR_ATOM_CACHE) {
        message_append_referring(output, atoms, control, payload);
        return;
    }
    bool headers = flags & FLAG_FRAGMENTS;
    size_t overhead = headers ? HEADER_BYTES + 1 : 2u + (payload.data ? 1 : 0);
    size_t size = overhead + control.size + payload.size;
    uint8_t *frame = buffer_reserve(output, 4 + size);
    uint8_t *next = frame + 4;
    bytes_put32(frame, (uint32_t)size);
    *next++ = headers ? TERM_VERSION : PASS_THROUGH;
    *next++ = headers ? DIST_HEADER : TERM_VERSION;
    if (headers)
        *next++ = 0;
    memcpy(next, control.data, control.size);
    next += control.size;
    if (payload.data) {
        if (!headers)
            *next++ = TERM_VERSION;
        memcpy(next, payload.data, payload.size);
    }
    buffer_grow(output, 4 + size);
}

void message_fragments_start(struct message_fragments *fragments, uint64_t sequence, struct term control,
                             struct term payload)
{
    *fragments = (struct message_fragments){.sequence = sequence, .control_size = control.size};
    fragments->left = payload.size / MESSAGE_FRAGMENT_BYTES + (payload.size % MESSAGE_FRAGMENT_BYTES != 0);
    buffer_append(&fragments->body, control.data, control.size);
    buffer_append(&fragments->body, payload.data, payload.size);
}

bool message_fragments_next(struct message_fragments *fragments, struct buffer *output)
{
    bool first = fragments->control_size != 0;
    size_t header = first ? FRAGMENT_BYTES + 1 : FRAGMENT_BYTES;
    size_t part = fragments->control_size + MESSAGE_FRAGMENT_BYTES;
    if (part > fragments->body.size)
        part = fragments->body.size;
    uint8_t *frame = buffer_reserve(output, 4 + header + part);
    bytes_put32(frame, (uint32_t)(header + part));
    frame[4] = TERM_VERSION;
    frame[5] = first ? DIST_FIRST_FRAGMENT : DIST_NEXT_FRAGMENT;
    bytes_put64(frame + 6, fragments->sequence);
    bytes_put64(frame + 14, fragments->left);
    if (first)
        frame[4 + FRAGMENT_BYTES] = 0;
    memcpy(frame + 4 + header, buffer_bytes(&fragments->body), part);
    buffer_grow(output, 4 + header + part);
    buffer_consume(&fragments->body, part);
    fragments->control_size = 0;
    if (--fragments->left)
        return true;
    buffer_free(&fragments->body);
    return false;
}
