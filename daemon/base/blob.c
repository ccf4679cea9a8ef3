#include "base/blob.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

/* So much is given back at once. */
#define BLOB_LARGE_BYTES (4 * 1024 * 1024)

struct blob *blob_take(struct buffer *bytes, struct loop *loop)
{
    struct blob *blob = memory_zalloc(1, sizeof(*blob));
    blob->bytes = *bytes;
    blob->data = buffer_bytes(bytes);
    blob->size = bytes->size;
    blob->holders = 1;
    blob->loop = loop;
    *bytes = (struct buffer){0};
    return blob;
}

struct blob *blob_hold(struct blob *blob)
{
    assert(blob->holders);
    blob->holders++;
    return blob;
}

static void blob_free_bytes(struct worker_job *job)
{
    buffer_free(&CONTAINER_OF(job, struct blob, job)->bytes);
}

static void blob_free(struct worker_job *job)
{
    free(CONTAINER_OF(job, struct blob, job));
}

void blob_release(struct blob *blob)
{
    if (!blob)
        return;
    assert(blob->holders);
    if (--blob->holders)
        return;
    blob->job = (struct worker_job){.work = blob_free_bytes, .done = blob_free};
    if (blob->loop && blob->size > BLOB_LARGE_BYTES) {
        worker_queue(worker_aside(blob->loop), &blob->job);
    } else {
        blob_free_bytes(&blob->job);
        blob_free(&blob->job);
    }
}
