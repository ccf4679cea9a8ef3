/* Bytes that grow at their end and are taken from their front: what waits to be read or written. Growth is
 * geometric, so appending costs a constant on average. The bytes in use are data[start .. start + size). */
#ifndef HARNESSD_BASE_BUFFER_H
#define HARNESSD_BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct buffer {
    uint8_t *data;
    size_t start;
    size_t size;
    size_t capacity;
};

/* All zero is an empty buffer; this gives its memory back and makes it empty again. */
void buffer_free(struct buffer *buffer);

/* Room for `size` more bytes at the end; the pointer is good until the next call. The bytes count only once
 * buffer_grow() was told of them. */
MUST_CHECK uint8_t *buffer_reserve(struct buffer *buffer, size_t size);

/* `size` bytes of what was reserved are now in use. */
void buffer_grow(struct buffer *buffer, size_t size);

void buffer_append(struct buffer *buffer, const void *data, size_t size);

/* Has it hold a copy of `size` bytes, none of which are its own, and nothing else: with no room for more, as
 * they are to stay. */
void buffer_hold(struct buffer *buffer, const void *data, size_t size);

/* Appends text made as printf() would print it, without a NUL. */
void buffer_print(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);

/* The first `size` bytes are done with. */
void buffer_consume(struct buffer *buffer, size_t size);

/* Only the first `size` bytes are kept. */
void buffer_truncate(struct buffer *buffer, size_t size);

/* Gives back what it does not need of its memory: nothing more comes. */
void buffer_fit(struct buffer *buffer);

static inline uint8_t *buffer_bytes(const struct buffer *buffer)
{
    return buffer->data ? buffer->data + buffer->start : NULL;
}

/* Whether this is one of the bytes in use. */
static inline bool buffer_has(const struct buffer *buffer, const uint8_t *byte)
{
    const uint8_t *first = buffer_bytes(buffer);
    return first && byte >= first && byte < first + buffer->size;
}

#endif
