/* Allocation for our own bookkeeping. Running out is fatal: every function here returns memory or ends the
 * process with a log line, so callers never look for NULL. What a peer can make large is capped before it
 * comes here. Everything is released with free(). */
#ifndef HARNESSD_BASE_MEMORY_H
#define HARNESSD_BASE_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

#include "base/compiler.h"

/* To be called once at the start: blocks of a megabyte and more are pages of their own, so that they grow
 * without being copied, whatever was freed before. */
void memory_init(void);

/* `size` bytes, not initialised. A size of 0 gives a pointer that may be freed and not read. */
MUST_CHECK void *memory_alloc(size_t size);

/* `count` elements of `size` bytes, all zero. A product that overflows is fatal. */
MUST_CHECK void *memory_zalloc(size_t count, size_t size);

/* As realloc() of `count` elements of `size` bytes; new bytes are not initialised. */
MUST_CHECK void *memory_resize(void *old, size_t count, size_t size);

/* A copy of `size` bytes. */
MUST_CHECK void *memory_copy(const void *data, size_t size);

/* A copy of a string. */
MUST_CHECK char *memory_string(const char *text);

/* A string made as printf() would print it. */
MUST_CHECK char *memory_format(const char *format, ...) PRINTF_LIKE(1, 2);

/* The same of a list of arguments, for functions that take them as printf() does; the list is the caller's to
 * end. */
MUST_CHECK char *memory_format_list(const char *format, va_list arguments) PRINTF_LIKE(1, 0);

#endif
