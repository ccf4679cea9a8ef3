#include "base/memory.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

static NO_RETURN void memory_exhausted(size_t count, size_t size)
{
    log_error("out of memory", log_integer("count", (int64_t)count), log_integer("size", (int64_t)size));
    abort();
}

/* Left to itself the C library takes such blocks from its heap once it has seen larger ones go. */
#define PAGES_BYTES (1024 * 1024)

void memory_init(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, PAGES_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, 4 * PAGES_BYTES);
    /* Small blocks that are freed would wait until a large one is asked for, and then be joined all at once:
     * hundreds of thousands of them take tens of milliseconds. */
    (void)mallopt(M_MXFAST, 0);
}

void *memory_alloc(size_t size)
{
    void *memory = malloc(size ? size : 1);
    if (!memory)
        memory_exhausted(1, size);
    return memory;
}

void *memory_zalloc(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory)
        memory_exhausted(count, size);
    return memory;
}

void *memory_resize(void *old, size_t count, size_t size)
{
    void *memory = reallocarray(old, count ? count : 1, size ? size : 1);
    if (!memory)
        memory_exhausted(count, size);
    return memory;
}

void *memory_copy(const void *data, size_t size)
{
    void *copy = memory_alloc(size);
    if (size)
        memcpy(copy, data, size);
    return copy;
}

char *memory_string(const char *text)
{
    return memory_copy(text, strlen(text) + 1);
}

char *memory_format_list(const char *format, va_list arguments)
{
    char *text;
    if (vasprintf(&text, format, arguments) < 0)
        memory_exhausted(1, strlen(format));
    return text;
}

char *memory_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = memory_format_list(format, arguments);
    va_end(arguments);
    return text;
}
