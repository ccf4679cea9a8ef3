#include "dist/message.h"

#include <stdlib.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "dist/flags.h"
#include "term/term_check.h"

#define PASS_THROUGH 112
#define DIST_HEADER 68
#define DIST_FIRST_FRAGMENT 69
#define DIST_NEXT_FRAGMENT 70

/* Bytes before the terms: 131, the tag, and for fragments two numbers; then the count of atom cache
 * references, which is 0 as that cache is not negotiated. */
#define HEADER_BYTES 3
#define FIRST_FRAGMENT_BYTES 19
#define NEXT_FRAGMENT_BYTES 18

static const struct term_limits message_limits = {.depth = 2048, .count = 64 * 1000 * 1000};

/* A message of which fragments are missing. */
struct partial {
    struct buffer body;
    uint64_t next; /* number of the fragment that must come next */
};

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
        free(partial);
    }
    map_free(&reader->partials);
    buffer_free(&reader->assembled);
    buffer_free(&reader->canonical);
}

/* Checks the terms of a message that start at `data` and makes them canonical; `versioned` ones each begin
 * with 131. */
static enum message_result read_terms(struct message_reader *reader, const uint8_t *data, size_t size,
                                      bool versioned, struct term terms[2], const char **problem)
{
    bool canonical[2] = {true, true};
    size_t count = 0;
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
        enum term_problem found = term_check(data, size, &message_limits, &used, &canonical[count]);
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
    if (canonical[0] && canonical[1])
        return MESSAGE_READY;
    buffer_consume(&reader->canonical, reader->canonical.size);
    size_t ends[2] = {0, 0};
    for (size_t i = 0; i < count; i++) {
        term_canonical(terms[i], &reader->canonical);
        ends[i] = reader->canonical.size;
    }
    const uint8_t *start = buffer_bytes(&reader->canonical);
    terms[0] = (struct term){start, ends[0]};
    if (count == 2)
        terms[1] = (struct term){start + ends[0], ends[1] - ends[0]};
    return MESSAGE_READY;
}

static enum message_result add_part(struct message_reader *reader, struct partial *partial,
                                    const uint8_t *part, size_t size, const char **problem)
{
    if (size > reader->limit - reader->partial_bytes) {
        *problem = "fragments beyond the limit";
        return MESSAGE_BAD;
    }
    buffer_append(&partial->body, part, size);
    reader->partial_bytes += size;
    partial->next--;
    return MESSAGE_PARTIAL;
}

/* Takes the fragment into its message, which `*complete` is when it is complete. */
static enum message_result read_fragment(struct message_reader *reader, const uint8_t *frame, size_t size,
                                         struct partial **complete, const char **problem)
{
    bool first = frame[1] == DIST_FIRST_FRAGMENT;
    size_t header = first ? FIRST_FRAGMENT_BYTES : NEXT_FRAGMENT_BYTES;
    const uint8_t *key = frame + 2;
    if (size < header || (first && frame[header - 1] != 0)) {
        *problem = "malformed fragment";
        return MESSAGE_BAD;
    }
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
    }
    enum message_result result = add_part(reader, partial, frame + header, size - header, problem);
    if (result == MESSAGE_PARTIAL && partial->next == 0) {
        map_remove(&reader->partials, key, 8);
        *complete = partial;
    }
    return result;
}

static enum message_result read_fragments(struct message_reader *reader, const uint8_t *frame, size_t size,
                                          struct term terms[2], const char **problem)
{
    struct partial *complete = NULL;
    enum message_result result = read_fragment(reader, frame, size, &complete, problem);
    if (!complete)
        return result;
    reader->partial_bytes -= complete->body.size;
    buffer_free(&reader->assembled);
    reader->assembled = complete->body;
    free(complete);
    return read_terms(reader, buffer_bytes(&reader->assembled), reader->assembled.size, false, terms,
                      problem);
}

enum message_result message_read(struct message_reader *reader, const uint8_t *frame, size_t size,
                                 struct term *control, struct term *payload, const char **problem)
{
    struct term terms[2] = {{0}, {0}};
    enum message_result result = MESSAGE_BAD;
    *problem = "unknown message format";
    if (frame[0] == PASS_THROUGH)
        result = read_terms(reader, frame + 1, size - 1, true, terms, problem);
    else if (size >= HEADER_BYTES && frame[0] == TERM_VERSION && frame[1] == DIST_HEADER && frame[2] == 0)
        result = read_terms(reader, frame + HEADER_BYTES, size - HEADER_BYTES, false, terms, problem);
    else if (size >= 2 && frame[0] == TERM_VERSION &&
             (frame[1] == DIST_FIRST_FRAGMENT || frame[1] == DIST_NEXT_FRAGMENT))
        result = read_fragments(reader, frame, size, terms, problem);
    *control = terms[0];
    *payload = terms[1];
    return result;
}

void message_append(struct buffer *output, uint64_t flags, struct term control, struct term payload)
{
    bool headers = flags & FLAG_FRAGMENTS;
    size_t overhead = headers ? HEADER_BYTES : 2u + (payload.data ? 1 : 0);
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
    size_t header = first ? FIRST_FRAGMENT_BYTES : NEXT_FRAGMENT_BYTES;
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
        frame[22] = 0;
    memcpy(frame + 4 + header, buffer_bytes(&fragments->body), part);
    buffer_grow(output, 4 + header + part);
    buffer_consume(&fragments->body, part);
    fragments->control_size = 0;
    if (--fragments->left)
        return true;
    buffer_free(&fragments->body);
    return false;
}
