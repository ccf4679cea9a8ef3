#include "log_queue_private.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Each piece has its size in front. */
typedef uint16_t piece_size;

void log_queue_init(struct log_queue *queue, size_t capacity)
{
    *queue = (struct log_queue){.bytes = memory_alloc(capacity), .capacity = capacity};
}

void log_queue_free(struct log_queue *queue)
{
    free(queue->bytes);
    *queue = (struct log_queue){0};
}

static size_t log_queue_up_to_end(const struct log_queue *queue, size_t at, size_t size)
{
    return size < queue->capacity - at ? size : queue->capacity - at;
}

static void log_queue_copy_in(struct log_queue *queue, const void *data, size_t size)
{
    size_t at = (queue->first + queue->used) % queue->capacity;
    size_t part = log_queue_up_to_end(queue, at, size);
    memcpy(queue->bytes + at, data, part);
    memcpy(queue->bytes, (const char *)data + part, size - part);
    queue->used += size;
}

static void log_queue_copy_out(struct log_queue *queue, void *data, size_t size)
{
    size_t part = log_queue_up_to_end(queue, queue->first, size);
    memcpy(data, queue->bytes + queue->first, part);
    memcpy((char *)data + part, queue->bytes, size - part);
    queue->used -= size;
    queue->first = (queue->first + size) % queue->capacity;
}

bool log_queue_put(struct log_queue *queue, const void *piece, size_t size)
{
    piece_size prefix = (piece_size)size;
    assert(size && size <= LOG_PIECE_BYTES);
    if (sizeof(prefix) + size > queue->capacity - queue->used)
        return false;
    log_queue_copy_in(queue, &prefix, sizeof(prefix));
    log_queue_copy_in(queue, piece, size);
    return true;
}

size_t log_queue_take(struct log_queue *queue, char piece[LOG_PIECE_BYTES])
{
    piece_size size;
    if (!queue->used)
        return 0;
    log_queue_copy_out(queue, &size, sizeof(size));
    log_queue_copy_out(queue, piece, size);
    if (!queue->used)
        queue->first = 0; /* pages that were never needed stay untouched */
    return size;
}
