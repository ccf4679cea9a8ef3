/* Where the lines of the log go: to the thread that writes them, or before that is started to a file. */
#ifndef HARNESSD_BASE_LOG_OUTPUT_PRIVATE_H
#define HARNESSD_BASE_LOG_OUTPUT_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* NULL: standard error. */
void log_output_set_file(FILE *file);

/* Any number of bytes; only what has one LOG_PIECE_BYTES is whole or not at all. `matters`: it has the room
 * that is kept for such. */
void log_output_put(bool matters, const char *text, size_t size);

/* As log_writer_take_lost(). */
uint64_t log_output_take_lost(bool now);

#endif
