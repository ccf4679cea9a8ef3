#include "outbox_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "dist/flags.h"

struct queued {
    struct queued *next;
    struct term control;
    struct term payload;
    struct blob *held; /* what the payload is in, or NULL */
    uint8_t data[];    /* the control tuple, and the payload unless it is held */
};

/* A sender whose long message is on its way out, and what it sent after that. */
struct outbox_stream {
    struct outbox_stream *next;
    uint64_t sender;
    bool fragmenting;
    struct message_fragments fragments;
    struct queued *first;
    struct queued **last;
};

static void outbox_free_stream(struct outbox_stream *stream)
{
    message_fragments_end(&stream->fragments);
    for (struct queued *queued = stream->first, *next; queued; queued = next) {
        next = queued->next;
        blob_release(queued->held);
        free(queued);
    }
    free(stream);
}

void outbox_free(struct outbox *outbox)
{
    for (struct outbox_stream *stream = outbox->streams, *next; stream; stream = next) {
        next = stream->next;
        outbox_free_stream(stream);
    }
    buffer_free(&outbox->bytes);
    atom_writer_free(&outbox->atoms);
    *outbox = (struct outbox){0};
}

static struct outbox_stream *outbox_find_stream(struct outbox *outbox, uint64_t sender)
{
    struct outbox_stream *stream = outbox->streams;
    while (stream && stream->sender != sender)
        stream = stream->next;
    return stream;
}

static void outbox_append_stream(struct outbox *outbox, struct outbox_stream *stream)
{
    struct outbox_stream **link = &outbox->streams;
    while (*link)
        link = &(*link)->next;
    stream->next = NULL;
    *link = stream;
}

static bool outbox_is_long(uint64_t flags, struct term payload)
{
    return (flags & FLAG_FRAGMENTS) && payload.size > MESSAGE_FRAGMENT_BYTES;
}

static void outbox_enqueue(struct outbox_stream *stream, struct term control, struct term payload,
                           struct blob *held)
{
    struct queued *queued = memory_alloc(sizeof(*queued) + control.size + (held ? 0 : payload.size));
    *queued = (struct queued){.control = {queued->data, control.size}, .payload = payload};
    memcpy(queued->data, control.data, control.size);
    if (held) {
        queued->held = blob_hold(held);
    } else if (payload.data) {
        queued->payload.data = queued->data + control.size;
        memcpy(queued->data + control.size, payload.data, payload.size);
    }
    *stream->last = queued;
    stream->last = &queued->next;
}

void outbox_add(struct outbox *outbox, uint64_t flags, uint64_t sender, struct term control,
                struct term payload, struct blob *held)
{
    struct outbox_stream *stream = outbox->streams ? outbox_find_stream(outbox, sender) : NULL;
    if (!stream && !outbox_is_long(flags, payload)) {
        message_append(&outbox->bytes, flags, &outbox->atoms, control, payload);
        return;
    }
    outbox->waiting_bytes += control.size + payload.size;
    if (stream) {
        outbox_enqueue(stream, control, payload, held);
        return;
    }
    stream = memory_zalloc(1, sizeof(*stream));
    stream->sender = sender;
    stream->last = &stream->first;
    stream->fragmenting = true;
    message_fragments_start(&stream->fragments, ++outbox->sequences, control, payload, held);
    outbox_append_stream(outbox, stream);
}

/* Sends one fragment or one waiting message of the stream. False when it has nothing more. */
static bool outbox_advance(struct outbox *outbox, struct outbox_stream *stream, uint64_t flags)
{
    if (stream->fragmenting) {
        struct message_fragments *fragments = &stream->fragments;
        size_t before = fragments->control.size + fragments->payload.size;
        stream->fragmenting = message_fragments_next(fragments, &outbox->bytes);
        outbox->waiting_bytes -= before - fragments->payload.size;
        return stream->fragmenting || stream->first;
    }
    struct queued *queued = stream->first;
    size_t size = queued->control.size + queued->payload.size;
    outbox->waiting_bytes -= size;
    stream->first = queued->next;
    if (!stream->first)
        stream->last = &stream->first;
    if (outbox_is_long(flags, queued->payload)) {
        message_fragments_start(&stream->fragments, ++outbox->sequences, queued->control, queued->payload,
                                queued->held);
        outbox->waiting_bytes += size;
        stream->fragmenting = true;
    } else {
        message_append(&outbox->bytes, flags, &outbox->atoms, queued->control, queued->payload);
    }
    blob_release(queued->held);
    free(queued);
    return stream->fragmenting || stream->first;
}

void outbox_fill(struct outbox *outbox, uint64_t flags, size_t target)
{
    while (outbox->streams && outbox->bytes.size < target) {
        struct outbox_stream *stream = outbox->streams;
        outbox->streams = stream->next;
        if (outbox_advance(outbox, stream, flags))
            outbox_append_stream(outbox, stream); /* behind the others, whose turn it is now */
        else
            outbox_free_stream(stream);
    }
}

size_t outbox_size(const struct outbox *outbox)
{
    return outbox->bytes.size + outbox->waiting_bytes;
}
