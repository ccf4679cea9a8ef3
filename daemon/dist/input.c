#include "input_private.h"

#include "base/bytes.h"

/* Read at once at most, and in one go: several hundred replies of a busy server. */
#define READ_BYTES (64 * 1024)

/* Read behind what was skipped: it shows whether the next frame is needed before it is copied. */
#define READ_BYTES_BEHIND (4 * 1024)

/* In how many pieces is read what waits, when that is more than as many messages. */
#define READ_PIECES 8

#define LENGTH_BYTES 4

/* A message is taken to be no shorter than the shortest of so many before it: to read too little costs
 * another read, to read into the next one gives this one the other's time. */
#define FRAMES_OF_LATE 16

void input_free(struct input *input)
{
    buffer_free(&input->bytes);
    large_frame_end(&input->large);
}

static size_t input_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static ssize_t input_skip(struct input *input, struct transport *transport, size_t size)
{
    ssize_t got = transport->operations->skip(transport, size);
    if (got > 0)
        large_frame_skip(&input->large, (size_t)got);
    input->skipped = true;
    input->left = input->queued = 0;
    return got;
}

void input_note_frame(struct input *input, size_t bytes)
{
    if (!input->frames++ || bytes < input->shortest_bytes)
        input->shortest_bytes = bytes;
    if (!input->frame_bytes || bytes < input->frame_bytes || input->frames == FRAMES_OF_LATE)
        input->frame_bytes = input->shortest_bytes;
    if (input->frames == FRAMES_OF_LATE)
        input->frames = 0;
}

/* To the end of the message that has begun, or of one that is short; and some of its length behind it. */
static size_t input_piece(const struct input *input)
{
    size_t there = input->bytes.size, frame = input->frame_bytes, piece;
    if (there >= LENGTH_BYTES)
        frame = LENGTH_BYTES + (size_t)bytes_get32(buffer_bytes(&input->bytes));
    piece = frame > there ? frame - there : LENGTH_BYTES;
    if (input->queued > READ_PIECES * piece)
        piece += (input->queued / READ_PIECES - piece) / input->frame_bytes * input->frame_bytes;
    return input_least(piece, READ_BYTES);
}

static size_t input_next_bytes(const struct input *input, const struct transport *transport)
{
    if (input->skipped)
        return READ_BYTES_BEHIND;
    if (!transport->has_stamps || !input->frame_bytes || large_frame_is_on(&input->large))
        return READ_BYTES;
    return input_piece(input);
}

/* The first read of what there is tells how much that is. */
static void input_note_queued(struct input *input, size_t got, size_t queued)
{
    size_t most = input->left ? input->left : READ_BYTES;
    input->left = most > got ? input_least(most - got, queued) : 0;
    input->queued = queued;
}

ssize_t input_read(struct input *input, struct transport *transport, struct transport_seen *seen)
{
    size_t unneeded = large_frame_unneeded(&input->large);
    *seen = (struct transport_seen){0};
    if (unneeded)
        return input_skip(input, transport, unneeded);
    size_t size = input_next_bytes(input, transport);
    input->skipped = false;
    ssize_t got = transport->operations->read(transport, buffer_reserve(&input->bytes, size), size, seen);
    if (got <= 0)
        return got;
    buffer_grow(&input->bytes, (size_t)got);
    input_note_queued(input, (size_t)got, seen->queued);
    return got;
}
