#include "large_frame_private.h"

#include <assert.h>

/* Room for all of it is made once; what has not come takes no memory. */
void large_frame_begin(struct large_frame *frame, size_t size, size_t kept)
{
    *frame = (struct large_frame){.size = size, .left = size, .kept = kept};
    const uint8_t *room = buffer_reserve(&frame->bytes, kept);
    assert(room);
}

bool large_frame_take(struct large_frame *frame, struct buffer *input)
{
    size_t size = input->size < frame->left ? input->size : frame->left;
    size_t room = frame->kept - frame->bytes.size;
    buffer_append(&frame->bytes, buffer_bytes(input), size < room ? size : room);
    buffer_consume(input, size);
    frame->left -= size;
    return !frame->left;
}

void large_frame_end(struct large_frame *frame)
{
    buffer_free(&frame->bytes);
    *frame = (struct large_frame){0};
}
