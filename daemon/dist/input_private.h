/* What a connection has read and not taken yet. */
#ifndef HARNESSD_DIST_INPUT_PRIVATE_H
#define HARNESSD_DIST_INPUT_PRIVATE_H

#include "base/buffer.h"
#include "large_frame_private.h"
#include "transport/transport.h"

/* All zero is empty. */
struct input {
    struct buffer bytes;
    struct large_frame large; /* takes the bytes first, while there is one */
    bool skipped;             /* when it was read last, it was what nobody needs */
};

void input_free(struct input *input);

/* Reads once, as read() does, no further than to what can be skipped; or skips. */
MUST_CHECK ssize_t input_read(struct input *input, struct transport *transport);

/* Whether there is more to skip: that takes hardly any time, but what is behind it waits. */
static inline bool input_goes_on(const struct input *input)
{
    return input->skipped || large_frame_unneeded(&input->large);
}

#endif
