/* Messages between connected nodes as frames of bytes: a length of four bytes, then
 *
 *     112, 131 Control [131 Payload]                  peers without FRAGMENTS (ei and Java nodes)
 *     131 68 Atoms, Control [Payload]                 peers with it or with DIST_HDR_ATOM_CACHE
 *     131 69 Sequence:8 Fragment:8 Atoms, Control Part   the first fragment of a long message, then
 *     131 70 Sequence:8 Fragment:8, Part              the others; the number counts down to 1
 *
 * Fragments of several messages may come interleaved. Atoms are those that the whole message refers to, a 0
 * when it refers to none (atom_cache_private.h). Terms are checked here and leave canonical, their atoms
 * written out. Of a message that is too large only the beginning is kept (message_head_private.h): what its
 * header tells of the atom cache counts all the same. */
#ifndef HARNESSD_DIST_MESSAGE_PRIVATE_H
#define HARNESSD_DIST_MESSAGE_PRIVATE_H

#include "atom_cache_private.h"
#include "base/blob.h"
#include "base/buffer.h"
#include "base/map.h"
#include "message_steps_private.h"
#include "term/term.h"

/* Longer messages go out in fragments of this size, as a BEAM node's do. */
#define MESSAGE_FRAGMENT_BYTES (64 * 1024)

/* Longer messages are read in steps. */
#define MESSAGE_AT_ONCE_BYTES (256 * 1024)

/* Messages of one peer that may be incomplete at once: more than it has processes that send long ones. */
#define MESSAGE_PARTIALS 65536

struct message_reader {
    struct spare *spare; /* for what is large; or NULL */
    size_t limit;        /* bytes of one message; of what goes beyond it only the beginning is kept */
    size_t exceeded; /* the limit that the last one that was too large went beyond: when several large ones
                        are incomplete at once, a smaller one */
    struct map partials; /* sequence number to struct partial */
    size_t partial_bytes;
    struct buffer assembled;    /* the message that was last completed from fragments */
    struct buffer canonical;    /* of a message that was not, or was too large */
    struct buffer too_large;    /* {message_too_large, Limit} of that one, a term */
    bool refers;                /* the atom cache was negotiated: headers may have atoms */
    struct message_steps steps; /* of a long message that is being read */
    struct term long_message;   /* its terms, as they came */
    struct atom_reader atoms;
};

enum message_result {
    MESSAGE_READY,
    MESSAGE_HEAD,    /* it is too large: in the place of what was not kept stands `too_large` */
    MESSAGE_PARTIAL, /* a fragment was put aside */
    MESSAGE_LONG,    /* it goes on with message_go_on(); what it was given has to stay */
    MESSAGE_BAD,     /* the connection has to go */
};

void message_reader_init(struct message_reader *reader, size_t limit);
void message_reader_free(struct message_reader *reader);

/* Of a frame that is too large so much has to be there: its header with all its atoms, and what is kept of a
 * message. */
#define MESSAGE_FRAME_HEAD_BYTES (320 * 1024)

/* How many of a frame's `size` bytes are needed, by the first `there` of them: all, or fewer when it is too
 * large or goes on with a message that is. */
MUST_CHECK size_t message_needs(const struct message_reader *reader, const uint8_t *frame, size_t there,
                                size_t size);

/* Takes one frame without its length, at least one byte. On MESSAGE_READY and MESSAGE_HEAD `control` and
 * `payload` (without data when there is none) are good until the next call, or as long as `frame` where they
 * point into it; on MESSAGE_BAD `*problem` says why. */
MUST_CHECK enum message_result message_read(struct message_reader *reader, const uint8_t *frame, size_t size,
                                            struct term *control, struct term *payload, const char **problem);

/* The same for a frame that is larger than the limit or goes on with a message that is, and may have lost
 * what was not needed. */
MUST_CHECK enum message_result message_read_cut(struct message_reader *reader, const uint8_t *frame,
                                                size_t size, struct term *control, struct term *payload,
                                                const char **problem);

/* Whether the end of a long message is still to be read. */
static inline bool message_is_long(const struct message_reader *reader)
{
    return reader->steps.is_on;
}

/* Reads on in a long message, for about so many values. */
MUST_CHECK enum message_result message_go_on(struct message_reader *reader, size_t values,
                                             struct term *control, struct term *payload,
                                             const char **problem);

/* What its payload is in, for the caller to release: it stays there as long as that is held. NULL when that
 * is the frame. */
MUST_CHECK struct blob *message_take_payload(struct message_reader *reader, struct term payload,
                                             struct loop *loop);

/* Releases it: its memory may be used again if nobody else holds it. */
void message_release_payload(const struct message_reader *reader, struct blob *payload);

/* Gives back its memory, when what it came to was used. */
void message_end_long(struct message_reader *reader);

/* Appends one whole message in the form that a peer with these negotiated flags takes; `atoms` is what that
 * peer was sent before. */
void message_append(struct buffer *output, uint64_t flags, struct atom_writer *atoms, struct term control,
                    struct term payload);

/* A long message on its way out. It refers to no atoms. */
struct message_fragments {
    uint64_t sequence; /* unique among those that are under way on the connection */
    struct buffer control;
    struct term payload; /* what has not gone out */
    struct blob *held;   /* what that is in */
    uint64_t left;       /* fragments */
};

/* The control tuple is copied. So is the payload, unless it is in `held`, which is held then; or NULL. */
void message_fragments_start(struct message_fragments *fragments, uint64_t sequence, struct term control,
                             struct term payload, struct blob *held);

/* Of one that does not go out any more. */
void message_fragments_end(struct message_fragments *fragments);

/* Appends the next fragment; false when that was the last, and the memory is given back. */
MUST_CHECK bool message_fragments_next(struct message_fragments *fragments, struct buffer *output);

#endif
