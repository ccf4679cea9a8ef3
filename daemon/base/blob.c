#include "base/blob.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

struct blob *blob_take(struct buffer *bytes)
{
    struct blob *blob = memory_zalloc(1, sizeof(*blob));
    blob->bytes = *bytes;
    blob->data = buffer_bytes(bytes);
    blob->size = bytes->size;
    blob->holders = 1;
    *bytes = (struct buffer){0};
    return blob;
}

struct blob *blob_hold(struct blob *blob)
{
    assert(blob->holders);
    blob->holders++;
    return blob;
}

void blob_release(struct blob *blob)
{
    if (!blob)
        return;
    assert(blob->holders);
    if (--blob->holders)
        return;
    buffer_free(&blob->bytes);
    free(blob);
}
