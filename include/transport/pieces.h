/* In which pieces to read what waits. A stamp of the kernel is that of the last bytes of a piece: what came
 * before them has it too, although it was there earlier. So a piece is one unit of what is spoken (a frame of
 * the distribution, a record of TLS), or, when many wait, some, as each piece costs as much as a short read.
 */
#ifndef HARNESSD_TRANSPORT_PIECES_H
#define HARNESSD_TRANSPORT_PIECES_H

#include "transport/transport.h"

/* A unit is taken to be no shorter than the shortest of so many before it: to read too little costs another
 * piece, to read into the next one gives this one the other's time. */
#define PIECES_UNITS_OF_LATE 16

/* How long they are; all zero at first. */
struct pieces {
    unsigned units; /* of late, of which the shortest had so many bytes */
    size_t shortest_bytes;
    size_t unit_bytes; /* likewise of those before them, or the shortest of these; 0: there was none */
};

/* One has come, and was so long. */
void pieces_note(struct pieces *pieces, size_t bytes);

/* Some unit was seen before. Of the one that has begun `missing` bytes are to come, `expected` bytes are
 * there, of which `most` are read at most. */
struct transport_plan pieces_plan(const struct pieces *pieces, size_t missing, size_t expected, size_t most);

#endif
