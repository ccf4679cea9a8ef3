#include "input_private.h"

#include "base/bytes.h"

/* Read at once at most: several hundred replies of a busy server. */
#define READ_BYTES (64 * 1024)

/* Read behind what was skipped: it shows whether the next frame is needed before it is copied. */
#define READ_BYTES_BEHIND (4 * 1024)

#define LENGTH_BYTES 4

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

/* To the end of the message that has begun, or of one that is short. */
static size_t input_missing(const struct input *input)
{
    size_t there = input->bytes.size, frame = input->frames.unit_bytes;
    if (there >= LENGTH_BYTES)
        frame = LENGTH_BYTES + (size_t)bytes_get32(buffer_bytes(&input->bytes));
    return frame > there ? frame - there : LENGTH_BYTES;
}

static struct transport_plan input_plan(const struct input *input, const struct transport *transport)
{
    if (input->skipped)
        return (struct transport_plan){.first = READ_BYTES_BEHIND, .count = 1};
    if (!transport->has_stamps || transport->has_pieces || !input->frames.unit_bytes ||
        large_frame_is_on(&input->large))
        return (struct transport_plan){.first = READ_BYTES, .count = 1};
    return pieces_plan(&input->frames, input_missing(input), input->expected, READ_BYTES);
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
