/* Bytes that no longer change and that several parts of the daemon hold: a report that is sent to its caller
 * while it is being written to a file. The last one to let go frees them. Holding and releasing are for the
 * loop's thread alone, but for one that nobody else has held; other threads read what somebody holds for
 * them. */
#ifndef HARNESSD_BASE_BLOB_H
#define HARNESSD_BASE_BLOB_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/worker.h"

struct blob {
    const uint8_t *data;
    size_t size;
    size_t holders;
    struct buffer bytes; /* what `data` points into */
    struct loop *loop;   /* or NULL */
    struct worker_job job;
};

/* A blob of what is in `bytes`, whose memory it takes over; the buffer is empty then. The caller holds it.
 * A thread aside of the loop, which outlives it, frees it if it is large: giving back the pages of many
 * megabytes takes longer than others should wait. NULL: whoever lets go last does. */
MUST_CHECK struct blob *blob_take(struct buffer *bytes, struct loop *loop);

/* One holder more; `blob` is returned. */
struct blob *blob_hold(struct blob *blob);

/* Whether this is one of its bytes. NULL has none. */
static inline bool blob_has(const struct blob *blob, const uint8_t *byte)
{
    return blob && byte >= blob->data && byte < blob->data + blob->size;
}

/* One holder less. NULL is nothing. */
void blob_release(struct blob *blob);

#endif
