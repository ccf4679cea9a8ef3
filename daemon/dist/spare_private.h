/* The memory of the last large message, for the next one, whichever connection it comes by: pages that are
 * touched for the first time cost more than what is copied into them. It is given back when none came for a
 * while. */
#ifndef HARNESSD_DIST_SPARE_PRIVATE_H
#define HARNESSD_DIST_SPARE_PRIVATE_H

#include "base/buffer.h"
#include "base/loop.h"

/* What is kept: less costs little, and of more there is too much. */
#define SPARE_BYTES_LEAST (1024 * 1024)
#define SPARE_BYTES_MOST (8 * 1024 * 1024)

/* How long it is kept. */
#define SPARE_NS 5000000000ULL

struct spare {
    struct loop *loop;
    struct buffer bytes;
    struct loop_timer timer;
};

void spare_init(struct spare *spare, struct loop *loop);
void spare_free(struct spare *spare);

/* Room for `size` bytes in a buffer without memory: this one's if that is enough. */
void spare_take(struct spare *spare, size_t size, struct buffer *bytes);

/* Takes the memory of a buffer that is not used any more, which is empty then. False when it is not wanted.
 */
bool spare_keep(struct spare *spare, struct buffer *bytes);

#endif
