#include "outbox_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "dist/flags.h"

struct queued {
    struct queued *next;
    size_t control_size;
    size_t size;
    uint8_t data[]; /* control, then payload */
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
    buffer_free(&stream->fragments.body);
    for (struct queued *queued = stream->first, *next; queued; queued = next) {
        next = queued->next;
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

static void outbox_enqueue(struct outbox_stream *stream, struct term control, struct term payload)
{
    struct queued *queued = memory_alloc(sizeof(*queued) + control.size + payload.size);
    *queued = (struct queued){.control_size = control.size, .size = control.size + payload.size};
    memcpy(queued->data, control.data, control.size);
    if (payload.data)
        memcpy(queued->data + control.size, payload.data, payload.size);
    *stream->last = queued;
    stream->last = &queued->next;
}

void outbox_add(struct outbox *outbox, uint64_t flags, uint64_t sender, struct term control,
                struct term payload)
{
    struct outbox_stream *stream = outbox->streams ? outbox_find_stream(outbox, sender) : NULL;
    if (!stream && !outbox_is_long(flags, payload)) {
        message_append(&outbox->bytes, flags, &outbox->atoms, control, payload);
        return;
    }
    outbox->waiting_bytes += control.size + payload.size;
    if (stream) {
        outbox_enqueue(stream, control, payload);
        return;
    }
    stream = memory_zalloc(1, sizeof(*stream));
    stream->sender = sender;
    stream->last = &stream->first;
    stream->fragmenting = true;
    message_fragments_start(&stream->fragments, ++outbox->sequences, control, payload);
    outbox_append_stream(outbox, stream);
}

/* Sends one fragment or one waiting message of the stream. False when it has nothing more. */
static bool outbox_advance(struct outbox *outbox, struct outbox_stream *stream, uint64_t flags)
{
    if (stream->fragmenting) {
        size_t before = stream->fragments.body.size;
        stream->fragmenting = message_fragments_next(&stream->fragments, &outbox->bytes);
        outbox->waiting_bytes -= before - stream->fragments.body.size;
        return stream->fragmenting || stream->first;
    }
    struct queued *queued = stream->first;
    struct term control = {queued->data, queued->control_size};
    struct term payload = {queued->size > queued->control_size ? queued->data + queued->control_size : NULL,
                           queued->size - queued->control_size};
    outbox->waiting_bytes -= queued->size;
    stream->first = queued->next;
    if (!stream->first)
        stream->last = &stream->first;
    if (outbox_is_long(flags, payload)) {
        message_fragments_start(&stream->fragments, ++outbox->sequences, control, payload);
        outbox->waiting_bytes += queued->size;
        stream->fragmenting = true;
    } else {
        message_append(&outbox->bytes, flags, &outbox->atoms, control, payload);
    }
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
