#include "input_private.h"

#include "base/bytes.h"

/* Read at once at most: several hundred replies of a busy server. */
#define READ_BYTES (64 * 1024)

/* Read behind what was skipped: it shows whether the next frame is needed before it is copied. */
#define READ_BYTES_BEHIND (4 * 1024)

/* Each piece costs as much as a short read: so many messages are read by themselves, more by twos at least,
 * and all in so many pieces. */
#define READ_BY_ITSELF 4
#define READ_PIECES TRANSPORT_PIECES

#define LENGTH_BYTES 4

/* A message is taken to be no shorter than the shortest of so many before it: to read too little costs
 * another piece, to read into the next one gives this one the other's time. */
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
    input->piece = input->piece_count = 0;
    input->before = input->bytes.size;
    input->left = input->expected = 0;
    return got;
}

/* --- What is read --- */

void input_note_frame(struct input *input, size_t bytes)
{
    if (!input->frames++ || bytes < input->shortest_bytes)
        input->shortest_bytes = bytes;
    if (!input->frame_bytes || bytes < input->frame_bytes || input->frames == FRAMES_OF_LATE)
        input->frame_bytes = input->shortest_bytes;
    if (input->frames == FRAMES_OF_LATE)
        input->frames = 0;
}

/* To the end of the message that has begun, or of one that is short. */
static size_t input_missing(const struct input *input)
{
    size_t there = input->bytes.size, frame = input->frame_bytes;
    if (there >= LENGTH_BYTES)
        frame = LENGTH_BYTES + (size_t)bytes_get32(buffer_bytes(&input->bytes));
    return frame > there ? frame - there : LENGTH_BYTES;
}

/* How many of so many messages are one piece. */
static size_t input_together(size_t messages)
{
    size_t together = (messages + READ_PIECES - 1) / READ_PIECES;
    return together > 1 || messages <= READ_BY_ITSELF ? together : 2;
}

/* Pieces of whole messages, as far as these are short ones. */
static struct transport_plan input_plan_pieces(const struct input *input)
{
    size_t missing = input_missing(input), frame = input->frame_bytes;
    struct transport_plan plan = {.first = input_least(missing, READ_BYTES), .count = 1};
    size_t expected = input_least(input->expected, READ_BYTES);
    if (expected <= missing)
        return plan;
    size_t messages = 1 + (expected - missing + frame - 1) / frame;
    size_t together = input_together(messages);
    plan.first = missing + (together - 1) * frame;
    plan.piece = together * frame;
    plan.count = (messages + together - 1) / together;
    return plan;
}

static struct transport_plan input_plan(const struct input *input, const struct transport *transport)
{
    if (input->skipped)
        return (struct transport_plan){.first = READ_BYTES_BEHIND, .count = 1};
    if (!transport->has_stamps || !input->frame_bytes || large_frame_is_on(&input->large))
        return (struct transport_plan){.first = READ_BYTES, .count = 1};
    return input_plan_pieces(input);
}

/* The first read of what there is tells how much that is. */
static void input_note_read(struct input *input, size_t got, size_t queued)
{
    size_t most = input->got ? input->left : READ_BYTES;
    input->got += got;
    input->left = most > got ? input_least(most - got, queued) : 0;
    input->expected = input->left ? input->left : input->got;
}

ssize_t input_read(struct input *input, struct transport *transport, struct transport_got *got)
{
    size_t unneeded = large_frame_unneeded(&input->large);
    got->count = got->queued = 0;
    if (unneeded)
        return input_skip(input, transport, unneeded);
    struct transport_plan plan = input_plan(input, transport);
    uint8_t *room = buffer_reserve(&input->bytes, transport_plan_bytes(&plan));
    input->skipped = false;
    ssize_t size = transport->operations->read(transport, room, &plan, got);
    if (size <= 0)
        return size;
    input->piece = input->piece_count = 0;
    input->before = input->bytes.size;
    buffer_grow(&input->bytes, (size_t)size);
    input_note_read(input, (size_t)size, got->queued);
    return size;
}

/* --- When it has arrived --- */

void input_arrive(struct input *input, size_t size, struct arrived arrived)
{
    size_t before = input->piece_count ? 0 : input->before;
    input->pieces[input->piece_count++] = (struct input_piece){.left = before + size, .arrived = arrived};
}

struct arrived input_pass(struct input *input, size_t size)
{
    struct input_piece *piece = &input->pieces[input->piece];
    while (size > piece->left && input->piece + 1 < input->piece_count) {
        size -= piece->left;
        piece->left = 0;
        piece = &input->pieces[++input->piece];
    }
    piece->left -= input_least(size, piece->left);
    return piece->arrived;
}
