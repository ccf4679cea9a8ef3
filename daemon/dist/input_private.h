/* What a connection has read and not taken yet. */
#ifndef HARNESSD_DIST_INPUT_PRIVATE_H
#define HARNESSD_DIST_INPUT_PRIVATE_H

#include "base/buffer.h"
#include "base/clock.h"
#include "large_frame_private.h"
#include "transport/pieces.h"

/* Bytes that have arrived together, as far as is known. */
struct input_piece {
    size_t left; /* that were not passed yet */
    struct arrived arrived;
};

/* All zero is empty. */
struct input {
    struct buffer bytes;
    struct large_frame large; /* takes the bytes first, while there is one */
    struct input_piece
        pieces[TRANSPORT_PIECES]; /* of the last read, whose first one has what was left before */
    unsigned piece;               /* that which the next byte is of */
    unsigned piece_count;
    struct pieces frames; /* messages of late, with their lengths */
    size_t before;        /* bytes that were there before the last read */
    size_t expected; /* bytes of the next read: those that wait, or as many as there were the last time */
    size_t got;      /* since input_start() */
    size_t left;     /* to be read */
    bool skipped;    /* when it was read last, it was what nobody needs */
};

void input_free(struct input *input);

/* There is something to be read, as often as input_goes_on() says. */
static inline void input_start(struct input *input)
{
    input->got = input->left = 0;
}

/* Reads once, as read() does, no further than to what can be skipped; or skips. Each piece that was got is to
 * be noted by input_arrive(), before anything of it is taken. A piece is one message, or some: see pieces.h.
 */
MUST_CHECK ssize_t input_read(struct input *input, struct transport *transport, struct transport_got *got);
void input_arrive(struct input *input, size_t size, struct arrived arrived);

/* Goes on by so many bytes, which are there; when the last of them has arrived. */
struct arrived input_pass(struct input *input, size_t size);

/* A message has come whole: with its length it is so long. */
static inline void input_note_frame(struct input *input, size_t bytes)
{
    pieces_note(&input->frames, bytes);
}

/* Whether there is more of what was there when it was started, but for what is much. Or more to skip: that
 * takes hardly any time, but what is behind it waits. */
static inline bool input_goes_on(const struct input *input)
{
    return input->left || input->skipped || large_frame_unneeded(&input->large);
}

#endif
