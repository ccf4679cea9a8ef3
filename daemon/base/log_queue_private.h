/* Lines that wait to be written, in their order, in so many bytes and no more. */
#ifndef HARNESSD_BASE_LOG_QUEUE_PRIVATE_H
#define HARNESSD_BASE_LOG_QUEUE_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* The most that one piece has: a whole line, and what a pipe takes whole or not at all. */
#define LOG_PIECE_BYTES 4096

struct log_queue {
    char *bytes;
    size_t capacity;
    size_t first; /* where the oldest piece begins */
    size_t used;
};

void log_queue_init(struct log_queue *queue, size_t capacity);
void log_queue_free(struct log_queue *queue);

/* A piece of 1 to LOG_PIECE_BYTES. False when there is no room for it, and then nothing has changed. */
MUST_CHECK bool log_queue_put(struct log_queue *queue, const void *piece, size_t size);

/* Takes the oldest piece out; 0 when there is none. */
size_t log_queue_take(struct log_queue *queue, char piece[LOG_PIECE_BYTES]);

#endif
