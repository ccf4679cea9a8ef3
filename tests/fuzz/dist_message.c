/* What a peer sends once it is connected: frames, each two bytes of length and its bytes, through one reader
 * with a small limit. What it lets pass is decoded and written again. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "dist/control.h"
#include "dist/flags.h"
#include "message_private.h"
#include "term/term_check.h"

#define LIMIT 300

/* A whole, canonical term. */
static void check(struct term term)
{
    const struct term_limits limits = {.depth = SIZE_MAX, .count = SIZE_MAX};
    size_t used;
    bool canonical;
    assert(term_check(term.data, term.size, &limits, &used, &canonical) == TERM_OK);
    assert(used == term.size && canonical);
}

/* A message that was taken is taken again as we write it ourselves, and is the same. */
static void write_again(struct term control, struct term payload, uint64_t flags)
{
    struct message_reader reader;
    struct atom_writer atoms = {0};
    struct term terms[2];
    const char *problem;
    message_reader_init(&reader, SIZE_MAX);
    reader.refers = flags & FLAG_DIST_HDR_ATOM_CACHE;
    for (int round = 0; round < 2; round++) { /* the second time its atoms are known */
        struct buffer output = {0};
        message_append(&output, flags, &atoms, control, payload);
        const uint8_t *frame = buffer_bytes(&output);
        assert(bytes_get32(frame) == output.size - 4);
        enum message_result result =
            message_read(&reader, frame + 4, output.size - 4, &terms[0], &terms[1], &problem);
        assert(result == MESSAGE_READY);
        assert(term_same(terms[0], control) && term_same(terms[1], payload));
        assert(!terms[1].data == !payload.data);
        buffer_free(&output);
    }
    atom_writer_free(&atoms);
    message_reader_free(&reader);
}

static void look_at(struct term control, struct term payload)
{
    struct control decoded;
    check(control);
    if (payload.data)
        check(payload);
    if (control_decode(control, payload, &decoded) == CONTROL_OK)
        assert(control_operation_text(decoded.operation));
    write_again(control, payload, 0);
    write_again(control, payload, FLAG_FRAGMENTS);
    write_again(control, payload, FLAG_FRAGMENTS | FLAG_DIST_HDR_ATOM_CACHE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message_reader reader;
    enum message_result result = MESSAGE_PARTIAL;
    message_reader_init(&reader, LIMIT);
    reader.refers = true;
    while (size > 2 && result < MESSAGE_BAD) {
        size_t length = bytes_get16(data);
        data += 2;
        size -= 2;
        if (length > size)
            length = size;
        if (!length)
            continue; /* a tick, which does not come here */
        /* What is not needed is not there. */
        size_t needs = message_needs(&reader, data, length < 18 ? length : 18, length);
        assert(needs && needs <= length);
        uint8_t *frame = malloc(needs);
        struct term control, payload;
        const char *problem = NULL;
        assert(frame);
        memcpy(frame, data, needs);
        result = (length > LIMIT || needs < length ? message_read_cut : message_read)(
            &reader, frame, needs, &control, &payload, &problem);
        while (result == MESSAGE_LONG)
            result = message_go_on(&reader, 10, &control, &payload, &problem);
        if (result == MESSAGE_READY || result == MESSAGE_HEAD)
            look_at(control, payload);
        message_end_long(&reader);
        assert(result < MESSAGE_BAD || problem);
        assert(reader.partials.count <= MESSAGE_PARTIALS);
        assert(reader.partials.count || !reader.partial_bytes);
        free(frame);
        data += length;
        size -= length;
    }
    message_reader_free(&reader);
    return 0;
}
