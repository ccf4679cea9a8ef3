/* Whole files of text. What goes wrong is told on standard error. */
#ifndef HARNESSD_REFERENCE_TEXT_FILE_H
#define HARNESSD_REFERENCE_TEXT_FILE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/compiler.h"

/* Appends what the file has, and a NUL behind it. */
MUST_CHECK bool text_file_read(const char *path, struct buffer *text);

MUST_CHECK bool text_file_save(const char *path, const struct buffer *text);

#endif
