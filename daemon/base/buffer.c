#include "base/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define BUFFER_FIRST_CAPACITY 512

/* From this size on memory grows where it is, or moves as pages and not as bytes. */
#define BUFFER_PAGES_BYTES (1024 * 1024)

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

uint8_t *buffer_reserve(struct buffer *buffer, size_t size)
{
    size_t end = buffer->start + buffer->size;
    if (buffer->data && buffer->capacity - end >= size)
        return buffer->data + end;
    /* Moving pays only when it frees at least as much as it moves; otherwise small appends to a long queue
     * would copy it again and again. */
    if (buffer->start >= buffer->size && buffer->capacity - buffer->size >= size) {
        memmove(buffer->data, buffer->data + buffer->start, buffer->size);
        buffer->start = 0;
        return buffer->data + buffer->size;
    }
    size_t needed = buffer->size + size;
    size_t capacity = buffer->capacity ? buffer->capacity : BUFFER_FIRST_CAPACITY;
    while (capacity < needed)
        capacity *= 2;
    if (capacity == buffer->capacity)
        capacity *= 2;
    if (!buffer->start && capacity > BUFFER_PAGES_BYTES) {
        buffer->data = memory_resize(buffer->data, capacity, 1);
        buffer->capacity = capacity;
        return buffer->data + buffer->size;
    }
    uint8_t *data = memory_alloc(capacity);
    if (buffer->size)
        memcpy(data, buffer_bytes(buffer), buffer->size);
    free(buffer->data);
    *buffer = (struct buffer){.data = data, .size = buffer->size, .capacity = capacity};
    return data + buffer->size;
}

void buffer_grow(struct buffer *buffer, size_t size)
{
    assert(size <= buffer->capacity - buffer->start - buffer->size);
    buffer->size += size;
}

void buffer_append(struct buffer *buffer, const void *data, size_t size)
{
    if (!size)
        return;
    memcpy(buffer_reserve(buffer, size), data, size);
    buffer->size += size;
}

void buffer_hold(struct buffer *buffer, const void *data, size_t size)
{
    buffer_free(buffer);
    if (size)
        *buffer = (struct buffer){.data = memory_copy(data, size), .size = size, .capacity = size};
}

void buffer_print(struct buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    assert(size >= 0);
    uint8_t *room = buffer_reserve(buffer, (size_t)size + 1);
    vsnprintf((char *)room, (size_t)size + 1, format, again);
    buffer_grow(buffer, (size_t)size);
    va_end(again);
    va_end(arguments);
}

void buffer_consume(struct buffer *buffer, size_t size)
{
    assert(size <= buffer->size);
    buffer->size -= size;
    buffer->start = buffer->size ? buffer->start + size : 0;
}

void buffer_truncate(struct buffer *buffer, size_t size)
{
    assert(size <= buffer->size);
    buffer->size = size;
}

void buffer_fit(struct buffer *buffer)
{
    if (!buffer->size) {
        buffer_free(buffer);
        return;
    }
    if (buffer->start)
        memmove(buffer->data, buffer_bytes(buffer), buffer->size);
    buffer->start = 0;
    buffer->data = memory_resize(buffer->data, buffer->size, 1);
    buffer->capacity = buffer->size;
}
