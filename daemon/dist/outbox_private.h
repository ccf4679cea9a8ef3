/* What waits to be written to one peer. Short messages go out as they are; a long one is cut into fragments
 * between which those of other senders pass, while later messages of the same sender wait behind it. */
#ifndef HARNESSD_DIST_OUTBOX_PRIVATE_H
#define HARNESSD_DIST_OUTBOX_PRIVATE_H

#include "message_private.h"

struct outbox {
    struct buffer bytes; /* ready to be written */
    struct atom_writer atoms;
    struct outbox_stream *streams;
    uint64_t sequences;
    size_t waiting_bytes; /* in streams */
};

void outbox_free(struct outbox *outbox);

/* Adds a message of `sender` for a peer with these flags. A long payload that is in `held` (or NULL) is held
 * and not copied. */
void outbox_add(struct outbox *outbox, uint64_t flags, uint64_t sender, struct term control,
                struct term payload, struct blob *held);

/* Moves fragments to `bytes` until those are at least `target` bytes or no stream is left. */
void outbox_fill(struct outbox *outbox, uint64_t flags, size_t target);

/* Bytes of all that waits. */
size_t outbox_size(const struct outbox *outbox);

#endif
