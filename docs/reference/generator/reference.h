/* The pages of the reference as files of a folder. */
#ifndef HARNESSD_REFERENCE_REFERENCE_H
#define HARNESSD_REFERENCE_REFERENCE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/compiler.h"

/* Writes the pages, and the tables in those that are written by hand, to the folder; with `check` says on
 * standard error which of those there differ. False when one does, when one cannot be written, when the
 * folder has a page that there is not, or when a table is missing or stands in two places. */
MUST_CHECK bool reference_write(const char *folder, bool check);

/* Appends a page, "api.md", as the tables of the program say or as it was written by hand, and a NUL. False
 * when there is none, which standard error is told of. */
MUST_CHECK bool reference_find(const char *folder, const char *name, struct buffer *text);

#endif
