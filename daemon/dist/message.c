#include "message_private.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/memory.h"
#include "dist/flags.h"
#include "message_head_private.h"
#include "spare_private.h"
#include "term/term_build.h"
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

/* What the atoms of a beginning may add to it when they are written out. */
#define HEAD_ROOM_BYTES (1024 * 1024)

/* Of messages in fragments that are too large so much is kept beyond the limit; of further ones nothing. */
#define HEADS_BYTES (32 * 1024 * 1024)

/* What incomplete messages of a peer may have together, in messages of the largest size. */
#define MESSAGES_TOGETHER 4

/* Room that is made at once for a message in fragments, as it grows without being copied from there on; only
 * for a few at a time, as what a peer claims is no fact. */
#define RESERVED_BYTES_MOST (64 * 1024 * 1024)
#define RESERVED_PARTIALS 8

/* A message of which fragments are missing. */
struct partial {
    struct buffer body;
    struct buffer atoms; /* that it refers to; other headers may change the cache before it is complete */
    uint64_t next;       /* number of the fragment that must come next */
    size_t limit; /* what it was larger than, or 0; then `body` is its beginning, and the rest is not kept */
    bool is_dropped; /* nor is the beginning */
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
    buffer_free(&reader->too_large);
    message_steps_end(&reader->steps);
}

static void message_empty_canonical(struct message_reader *reader)
{
    if (reader->canonical.capacity > CANONICAL_KEPT_BYTES)
        buffer_free(&reader->canonical);
    buffer_consume(&reader->canonical, reader->canonical.size);
}

/* Makes the terms of a message canonical. */
static void message_rewrite_terms(struct message_reader *reader, const struct term_atoms *atoms,
                                  struct term terms[2], size_t count)
{
    size_t ends[2] = {0, 0};
    message_empty_canonical(reader);
    for (size_t i = 0; i < count; i++) {
        term_canonical_with_atoms(terms[i], atoms, &reader->canonical);
        ends[i] = reader->canonical.size;
    }
    const uint8_t *start = buffer_bytes(&reader->canonical);
    terms[0] = (struct term){start, ends[0]};
    if (count == 2)
        terms[1] = (struct term){start + ends[0], ends[1] - ends[0]};
}

static void message_tell_limit(struct message_reader *reader, size_t limit)
{
    struct term_builder builder = {.bytes = reader->too_large};
    buffer_truncate(&builder.bytes, 0);
    term_build_tuple(&builder, 2);
    term_build_atom(&builder, "message_too_large");
    term_build_unsigned(&builder, limit);
    reader->too_large = builder.bytes;
    reader->exceeded = limit;
}

/* Reads what is known of a message whose end was not kept, or would become larger than this limit. */
static enum message_result message_read_head(struct message_reader *reader, struct term whole, size_t limit,
                                             bool versioned, struct term terms[2], const char **problem)
{
    struct term_atoms *atoms = versioned || !reader->atoms.table.count ? NULL : &reader->atoms.table;
    struct term head = {whole.data, whole.size < MESSAGE_HEAD_BYTES ? whole.size : MESSAGE_HEAD_BYTES};
    size_t sizes[2];
    message_tell_limit(reader, limit);
    if (atoms)
        atoms->room = HEAD_ROOM_BYTES;
    message_empty_canonical(reader);
    if (!message_head_read(head, versioned, atoms, term_of(&reader->too_large), &reader->canonical, sizes,
                           problem))
        return MESSAGE_BAD;
    const uint8_t *start = buffer_bytes(&reader->canonical);
    terms[0] = (struct term){start, sizes[0]};
    terms[1] = sizes[1] ? (struct term){start + sizes[0], sizes[1]} : (struct term){0};
    return MESSAGE_HEAD;
}

/* By how much a message of this size may grow when its atoms are written out. */
static size_t message_room(const struct message_reader *reader, size_t size, size_t most)
{
    most = most < reader->limit ? most : reader->limit;
    return most > size ? most - size : 0;
}

static enum message_result message_begin_long(struct message_reader *reader, struct term terms,
                                              bool versioned)
{
    struct term_atoms *atoms = versioned || !reader->atoms.table.count ? NULL : &reader->atoms.table;
    if (atoms)
        atoms->room = message_room(reader, terms.size, SIZE_MAX);
    reader->long_message = terms;
    message_steps_begin(&reader->steps, terms.data, terms.size, versioned, atoms);
    return MESSAGE_LONG;
}

/* Checks the terms of a message and makes them canonical; `versioned` ones each begin with 131, others refer
 * to the atoms of the header that was read last. Those that are long, or become so when their atoms are
 * written out, are only begun. */
static enum message_result message_read_terms(struct message_reader *reader, struct term whole,
                                              bool versioned, struct term terms[2], const char **problem)
{
    const uint8_t *data = whole.data;
    size_t size = whole.size;
    if (size > MESSAGE_AT_ONCE_BYTES)
        return message_begin_long(reader, whole, versioned);
    struct term_atoms *atoms = versioned || !reader->atoms.table.count ? NULL : &reader->atoms.table;
    bool canonical[2] = {true, true};
    size_t count = 0;
    if (atoms)
        atoms->room = message_room(reader, size, MESSAGE_AT_ONCE_BYTES);
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
            term_check_with_atoms(data, size, &term_no_limits, atoms, &used, &canonical[count]);
        if (found == TERM_TOO_LARGE)
            return message_begin_long(reader, whole, versioned);
        if (found != TERM_OK) {
            *problem = term_problem_text(found);
            return MESSAGE_BAD;
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

/* The terms of a message; if it is not whole, it was larger than `limit`. */
static enum message_result message_read_body(struct message_reader *reader, struct term body, size_t limit,
                                             bool versioned, struct term terms[2], const char **problem)
{
    if (limit)
        return message_read_head(reader, body, limit, versioned, terms, problem);
    return message_read_terms(reader, body, versioned, terms, problem);
}

static size_t message_together(const struct message_reader *reader)
{
    return reader->limit < SIZE_MAX / MESSAGES_TOGETHER ? reader->limit * MESSAGES_TOGETHER : SIZE_MAX;
}

/* How large an incomplete message may become: when all of them have more than they may together, no larger
 * than a fair share of that, so that what is large makes room for what is not. */
static size_t message_most(const struct message_reader *reader, size_t more)
{
    const size_t together = message_together(reader);
    if (more <= together && reader->partial_bytes <= together - more)
        return reader->limit;
    const size_t share = together / (reader->partials.count + 1) + 1;
    return share < reader->limit ? share : reader->limit;
}

/* Keeps no more of it than its beginning. */
static void message_behead(struct message_reader *reader, struct partial *partial, size_t limit)
{
    partial->limit = limit;
    if (partial->body.size <= MESSAGE_HEAD_BYTES)
        return;
    reader->partial_bytes -= partial->body.size - MESSAGE_HEAD_BYTES;
    buffer_truncate(&partial->body, MESSAGE_HEAD_BYTES);
    buffer_fit(&partial->body);
}

/* How much of its beginning is not kept yet. */
static size_t message_head_room(const struct partial *partial)
{
    return partial->is_dropped ? 0 : MESSAGE_HEAD_BYTES - partial->body.size;
}

static void message_add_part(struct message_reader *reader, struct partial *partial, const uint8_t *part,
                             size_t size, bool is_whole)
{
    const size_t most = is_whole ? message_most(reader, size) : reader->limit;
    if (!partial->limit && (!is_whole || size > most || message_partial_size(partial) > most - size))
        message_behead(reader, partial, most);
    if (partial->limit && size > message_head_room(partial))
        size = message_head_room(partial);
    buffer_append(&partial->body, part, size);
    reader->partial_bytes += size;
    partial->next--;
}

/* A message of which this is the first fragment. The atoms of the header that was read last are its. */
static struct partial *message_add_partial(struct message_reader *reader, const uint8_t *key, uint64_t number)
{
    const struct buffer *bytes = &reader->atoms.bytes;
    struct partial *partial = memory_zalloc(1, sizeof(*partial));
    const size_t together = message_together(reader);
    partial->next = number;
    partial->is_dropped = reader->partial_bytes > together && reader->partial_bytes - together > HEADS_BYTES;
    (void)map_put(&reader->partials, key, 8, partial);
    if (partial->is_dropped) {
        partial->limit = message_most(reader, 0);
        return partial;
    }
    buffer_append(&partial->atoms, buffer_bytes(bytes), bytes->size);
    reader->partial_bytes += bytes->size;
    return partial;
}

/* All but the last of its fragments are as long as the first: of what will be too large no more than the
 * beginning is kept at all, for the rest there is room at once. */
static void message_foresee(const struct message_reader *reader, struct partial *partial, size_t part)
{
    if (partial->limit)
        return;
    const size_t least = part - part / 8; /* the first has the control message as well */
    if (least && partial->next - 1 > reader->limit / least)
        partial->limit = reader->limit;
    size_t most = reader->limit < RESERVED_BYTES_MOST ? reader->limit : RESERVED_BYTES_MOST;
    size_t size = partial->next < most / (part + 1) ? (size_t)partial->next * part : most;
    if (!size || reader->partials.count > RESERVED_PARTIALS || partial->limit)
        return;
    if (reader->spare) {
        spare_take(reader->spare, size, &partial->body);
    } else {
        const uint8_t *room = buffer_reserve(&partial->body, size);
        assert(room);
    }
}

/* Takes the fragment into its message, which `*complete` is when it is complete. */
static enum message_result message_read_fragment(struct message_reader *reader, const uint8_t *frame,
                                                 size_t size, bool is_whole, struct partial **complete,
                                                 const char **problem)
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
        partial = message_add_partial(reader, key, number);
        message_foresee(reader, partial, size - header);
    }
    message_add_part(reader, partial, frame + header, size - header, is_whole);
    if (partial->next == 0) {
        map_remove(&reader->partials, key, 8);
        *complete = partial;
    }
    return MESSAGE_PARTIAL;
}

static enum message_result message_read_fragments(struct message_reader *reader, const uint8_t *frame,
                                                  size_t size, bool is_whole, struct term terms[2],
                                                  const char **problem)
{
    struct partial *complete = NULL;
    enum message_result result = message_read_fragment(reader, frame, size, is_whole, &complete, problem);
    if (!complete)
        return result;
    size_t limit = complete->limit;
    reader->partial_bytes -= message_partial_size(complete);
    buffer_free(&reader->assembled);
    reader->assembled = complete->body;
    atom_reader_restore(&reader->atoms, complete->atoms);
    free(complete);
    return message_read_body(reader, term_of(&reader->assembled), limit, false, terms, problem);
}

size_t message_needs(const struct message_reader *reader, const uint8_t *frame, size_t there, size_t size)
{
    size_t needs = size > reader->limit ? MESSAGE_FRAME_HEAD_BYTES : size;
    if (there >= FRAGMENT_BYTES && frame[0] == TERM_VERSION && frame[1] == DIST_NEXT_FRAGMENT) {
        const struct partial *partial = map_get(&reader->partials, frame + 2, 8);
        if (partial && partial->limit)
            needs = FRAGMENT_BYTES + message_head_room(partial);
    }
    return needs < size ? needs : size;
}

static enum message_result message_read_one(struct message_reader *reader, const uint8_t *frame, size_t size,
                                            bool is_whole, struct term terms[2], const char **problem)
{
    size_t atoms;
    if (!message_read_atoms(reader, frame + HEADER_BYTES, size - HEADER_BYTES, &atoms, problem))
        return MESSAGE_BAD;
    size_t header = HEADER_BYTES + atoms;
    return message_read_body(reader, (struct term){frame + header, size - header},
                             is_whole ? 0 : reader->limit, false, terms, problem);
}

static ALWAYS_INLINE enum message_result message_read_any(struct message_reader *reader, const uint8_t *frame,
                                                          size_t size, bool is_whole, struct term *control,
                                                          struct term *payload, const char **problem)
{
    struct term terms[2] = {{0}, {0}};
    enum message_result result = MESSAGE_BAD;
    *problem = "unknown message format";
    if (frame[0] == PASS_THROUGH)
        result = message_read_body(reader, (struct term){frame + 1, size - 1}, is_whole ? 0 : reader->limit,
                                   true, terms, problem);
    else if (size >= HEADER_BYTES && frame[0] == TERM_VERSION && frame[1] == DIST_HEADER)
        result = message_read_one(reader, frame, size, is_whole, terms, problem);
    else if (size >= HEADER_BYTES && frame[0] == TERM_VERSION &&
             (frame[1] == DIST_FIRST_FRAGMENT || frame[1] == DIST_NEXT_FRAGMENT))
        result = message_read_fragments(reader, frame, size, is_whole, terms, problem);
    *control = terms[0];
    *payload = terms[1];
    return result;
}

enum message_result message_read(struct message_reader *reader, const uint8_t *frame, size_t size,
                                 struct term *control, struct term *payload, const char **problem)
{
    return message_read_any(reader, frame, size, true, control, payload, problem);
}

enum message_result message_read_cut(struct message_reader *reader, const uint8_t *frame, size_t size,
                                     struct term *control, struct term *payload, const char **problem)
{
    return message_read_any(reader, frame, size, false, control, payload, problem);
}

enum message_result message_go_on(struct message_reader *reader, size_t values, struct term *control,
                                  struct term *payload, const char **problem)
{
    const struct term_steps *steps = reader->steps.terms;
    struct term terms[2] = {{0}, {0}}, whole = reader->long_message;
    enum term_problem found;
    if (!message_steps_go_on(&reader->steps, values, &found, problem))
        return MESSAGE_LONG;
    enum message_result result = found == TERM_OK ? MESSAGE_READY : MESSAGE_BAD;
    if (found == TERM_TOO_LARGE)
        result = message_read_head(reader, whole, reader->limit, reader->steps.versioned, terms, problem);
    *control = result == MESSAGE_HEAD ? terms[0] : steps[0].term;
    *payload = result == MESSAGE_HEAD ? terms[1] : steps[1].term;
    return result;
}

struct blob *message_take_payload(struct message_reader *reader, struct term payload, struct loop *loop)
{
    struct buffer *places[] = {&reader->steps.terms[1].canonical, &reader->assembled};
    for (size_t i = 0; i < ARRAY_LENGTH(places); i++)
        if (payload.data && buffer_has(places[i], payload.data))
            return blob_take(places[i], loop);
    return NULL;
}

void message_release_payload(const struct message_reader *reader, struct blob *payload)
{
    if (payload && payload->holders == 1 && reader->spare)
        (void)spare_keep(reader->spare, &payload->bytes);
    blob_release(payload);
}

void message_end_long(struct message_reader *reader)
{
    message_steps_end(&reader->steps);
    message_release_payload(reader,
                            blob_take(&reader->assembled, reader->spare ? reader->spare->loop : NULL));
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
                             struct term payload, struct blob *held)
{
    struct buffer copy = {0};
    *fragments = (struct message_fragments){.sequence = sequence, .payload = payload};
    fragments->left = payload.size / MESSAGE_FRAGMENT_BYTES + (payload.size % MESSAGE_FRAGMENT_BYTES != 0);
    buffer_append(&fragments->control, control.data, control.size);
    if (held) {
        fragments->held = blob_hold(held);
        return;
    }
    buffer_hold(&copy, payload.data, payload.size);
    fragments->held = blob_take(&copy, NULL);
    fragments->payload.data = fragments->held->data;
}

void message_fragments_end(struct message_fragments *fragments)
{
    buffer_free(&fragments->control);
    blob_release(fragments->held);
    fragments->held = NULL;
}

bool message_fragments_next(struct message_fragments *fragments, struct buffer *output)
{
    size_t control = fragments->control.size;
    size_t header = control ? FRAGMENT_BYTES + 1 : FRAGMENT_BYTES;
    struct term *payload = &fragments->payload;
    size_t part = payload->size < MESSAGE_FRAGMENT_BYTES ? payload->size : MESSAGE_FRAGMENT_BYTES;
    uint8_t *frame = buffer_reserve(output, 4 + header + control + part);
    bytes_put32(frame, (uint32_t)(header + control + part));
    frame[4] = TERM_VERSION;
    frame[5] = control ? DIST_FIRST_FRAGMENT : DIST_NEXT_FRAGMENT;
    bytes_put64(frame + 6, fragments->sequence);
    bytes_put64(frame + 14, fragments->left);
    if (control) {
        frame[4 + FRAGMENT_BYTES] = 0;
        memcpy(frame + 4 + header, buffer_bytes(&fragments->control), control);
    }
    memcpy(frame + 4 + header + control, payload->data, part);
    buffer_grow(output, 4 + header + control + part);
    buffer_free(&fragments->control);
    *payload = (struct term){payload->data + part, payload->size - part};
    if (--fragments->left)
        return true;
    message_fragments_end(fragments);
    return false;
}
