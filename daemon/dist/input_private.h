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
    size_t frame_bytes;       /* of the shortest message of late, with its length; 0: there was none */
    size_t shortest_bytes;    /* of the last `frames`, which are too few to forget those before them */
    unsigned frames;
    size_t queued; /* that are still to be read, as the kernel has said; 0: not known, or none */
    size_t left;   /* of those that the last input_start() has found */
    bool skipped;  /* when it was read last, it was what nobody needs */
};

void input_free(struct input *input);

/* There is something to be read, as often as input_goes_on() says. */
static inline void input_start(struct input *input)
{
    input->left = 0;
}

/* A message has come whole: with its length it is so long. */
void input_note_frame(struct input *input, size_t bytes);

/* Reads once, as read() does, no further than to what can be skipped; or skips.
 *
 * A stamp of the kernel is that of the last bytes of a read: what came before them has it too, although it
 * was there earlier. So where a transport has stamps no more is read at once than one message, or, when many
 * wait, an eighth of them. */
MUST_CHECK ssize_t input_read(struct input *input, struct transport *transport, struct transport_seen *seen);

/* Whether there is more of what was to be read when it was started, but for what is much. Or more to skip:
 * that takes hardly any time, but what is behind it waits. */
static inline bool input_goes_on(const struct input *input)
{
    return input->left || input->skipped || large_frame_unneeded(&input->large);
}

#endif
