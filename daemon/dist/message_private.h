/* Messages between connected nodes as frames of bytes: a length of four bytes, then
 *
 *     112, 131 Control [131 Payload]                  peers without FRAGMENTS (ei and Java nodes)
 *     131 68 Atoms, Control [Payload]                 peers with it or with DIST_HDR_ATOM_CACHE
 *     131 69 Sequence:8 Fragment:8 Atoms, Control Part   the first fragment of a long message, then
 *     131 70 Sequence:8 Fragment:8, Part              the others; the number counts down to 1
 *
 * Fragments of several messages may come interleaved. Atoms are those that the whole message refers to, a 0
 * when it refers to none (atom_cache_private.h). Terms are checked here and leave canonical, their atoms
 * written out.
 */
#ifndef HARNESSD_DIST_MESSAGE_PRIVATE_H
#define HARNESSD_DIST_MESSAGE_PRIVATE_H

#include "atom_cache_private.h"
#include "base/buffer.h"
#include "base/map.h"
#include "term/term.h"

/* Longer messages go out in fragments of this size, as a BEAM node's do. */
#define MESSAGE_FRAGMENT_BYTES (64 * 1024)

/* Messages of one peer that may be incomplete at once. */
#define MESSAGE_PARTIALS 1024

struct message_reader {
    size_t limit;        /* bytes of one message, and of all incomplete ones together */
    struct map partials; /* sequence number to struct partial */
    size_t partial_bytes;
    struct buffer assembled; /* the message that was last completed from fragments */
    struct buffer canonical; /* of a message that was not */
    bool refers;             /* the atom cache was negotiated: headers may have atoms */
    struct atom_reader atoms;
};

enum message_result {
    MESSAGE_READY,
    MESSAGE_PARTIAL,   /* a fragment was put aside */
    MESSAGE_BAD,       /* the connection has to go */
    MESSAGE_TOO_LARGE, /* likewise: it, or all that are incomplete, are beyond the limit */
};

void message_reader_init(struct message_reader *reader, size_t limit);
void message_reader_free(struct message_reader *reader);

/* Takes one frame without its length, at least one byte. On MESSAGE_READY `control` and `payload` (without
 * data when there is none) are good until the next call, or as long as `frame` where they point into it; on
 * MESSAGE_BAD and MESSAGE_TOO_LARGE `*problem` says why. */
MUST_CHECK enum message_result message_read(struct message_reader *reader, const uint8_t *frame, size_t size,
                                            struct term *control, struct term *payload, const char **problem);

/* Appends one whole message in the form that a peer with these negotiated flags takes; `atoms` is what that
 * peer was sent before. */
void message_append(struct buffer *output, uint64_t flags, struct atom_writer *atoms, struct term control,
                    struct term payload);

/* A long message on its way out. It refers to no atoms. */
struct message_fragments {
    uint64_t sequence;  /* unique among those that are under way on the connection */
    struct buffer body; /* control and payload, consumed as fragments go out */
    size_t control_size;
    uint64_t left;
};
void message_fragments_start(struct message_fragments *fragments, uint64_t sequence, struct term control,
                             struct term payload);

/* Appends the next fragment; false when that was the last, and the memory is given back. */
MUST_CHECK bool message_fragments_next(struct message_fragments *fragments, struct buffer *output);

#endif
