/* A frame that is not waited for in one piece, on its way in, as it is long, or is not needed but for its
 * beginning: it is taken as it comes, and no more of it kept than is needed. */
#ifndef HARNESSD_DIST_LARGE_FRAME_PRIVATE_H
#define HARNESSD_DIST_LARGE_FRAME_PRIVATE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/compiler.h"

/* Frames from this size on are. */
#define LARGE_FRAME_BYTES (256 * 1024)

/* All zero is none. */
struct large_frame {
    struct buffer bytes;
    size_t size; /* 0: there is none */
    size_t left; /* bytes that have not come */
    size_t kept; /* so many of its bytes are kept */
};

/* `kept` of its `size` bytes are needed. */
void large_frame_begin(struct large_frame *frame, size_t size, size_t kept);

static inline bool large_frame_is_on(const struct large_frame *frame)
{
    return frame->size > 0;
}

/* Takes what there is of it out of the input. True when that was the last of it. */
MUST_CHECK bool large_frame_take(struct large_frame *frame, struct buffer *input);

/* How much of what is still to come nobody needs, when that is all of it; else 0. */
static inline size_t large_frame_unneeded(const struct large_frame *frame)
{
    return frame->bytes.size == frame->kept ? frame->left : 0;
}

/* So much of that has come, and is gone. */
static inline void large_frame_skip(struct large_frame *frame, size_t size)
{
    frame->left -= size;
}

void large_frame_end(struct large_frame *frame);

#endif
