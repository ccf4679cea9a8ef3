#include "input_private.h"

/* Read at once: several hundred replies of a busy server. */
#define READ_BYTES (64 * 1024)

/* Read behind what was skipped: it shows whether the next frame is needed before it is copied. */
#define READ_BYTES_BEHIND (4 * 1024)

void input_free(struct input *input)
{
    buffer_free(&input->bytes);
    large_frame_end(&input->large);
}

static ssize_t input_skip(struct input *input, struct transport *transport, size_t size)
{
    ssize_t got = transport->operations->skip(transport, size);
    if (got > 0)
        large_frame_skip(&input->large, (size_t)got);
    input->skipped = true;
    return got;
}

ssize_t input_read(struct input *input, struct transport *transport)
{
    size_t unneeded = large_frame_unneeded(&input->large);
    if (unneeded)
        return input_skip(input, transport, unneeded);
    size_t size = input->skipped ? READ_BYTES_BEHIND : READ_BYTES;
    input->skipped = false;
    ssize_t got = transport->operations->read(transport, buffer_reserve(&input->bytes, size), size);
    if (got > 0)
        buffer_grow(&input->bytes, (size_t)got);
    return got;
}
