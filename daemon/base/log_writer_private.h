/* A thread that writes what is logged, so that whoever logs never waits for who reads it. What is more than
 * the queue holds is counted instead. All but the thread itself is called by one thread. */
#ifndef HARNESSD_BASE_LOG_WRITER_PRIVATE_H
#define HARNESSD_BASE_LOG_WRITER_PRIVATE_H

#include <stdint.h>

#include "log_queue_private.h"

/* What may wait to be written. The last quarter is for what matters most. */
#define LOG_WRITER_BYTES (1 << 20)

struct log_writer;

/* Writes to `descriptor`, which stays the caller's. NULL when there is no thread to be had. */
MUST_CHECK struct log_writer *log_writer_start(int descriptor);

/* A piece of 1 to LOG_PIECE_BYTES after all others. One that there is no room for is counted; so are those
 * that follow, unless they matter, until half of the room is free. */
void log_writer_put(struct log_writer *writer, bool matters, const void *piece, size_t size);

/* How many were lost since this was last asked, once what follows is written again: those that found no room
 * and those that the descriptor did not take. 0 until then; `now`: although much still waits. */
uint64_t log_writer_take_lost(struct log_writer *writer, bool now);

/* All that were ever lost. */
uint64_t log_writer_lost(const struct log_writer *writer);

/* Waits until all is written, for so long at most. */
bool log_writer_wait(struct log_writer *writer, uint64_t within_ns);

/* The same by nothing but what a handler of a signal may call. */
void log_writer_wait_in_handler(const struct log_writer *writer, uint64_t within_ns);

/* After a wait that went well. */
void log_writer_end(struct log_writer *writer);

#endif
