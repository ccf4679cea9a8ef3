/* Bytes that no longer change and that several parts of the daemon hold: a report that is sent to its caller
 * while it is being written to a file. The last one to let go frees them. Holding and releasing are for the
 * loop's thread alone; other threads read what somebody holds for them. */
#ifndef HARNESSD_BASE_BLOB_H
#define HARNESSD_BASE_BLOB_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"

struct blob {
    const uint8_t *data;
    size_t size;
    size_t holders;
    struct buffer bytes; /* what `data` points into */
};

/* A blob of what is in `bytes`, whose memory it takes over; the buffer is empty then. The caller holds it. */
MUST_CHECK struct blob *blob_take(struct buffer *bytes);

/* One holder more; `blob` is returned. */
struct blob *blob_hold(struct blob *blob);

/* One holder less. NULL is nothing. */
void blob_release(struct blob *blob);

#endif
