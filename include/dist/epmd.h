/* The client of epmd, the Erlang port mapper daemon (ERTS user's guide, "EPMD Protocol"). Nothing blocks.
 *
 * A registration lasts as long as its connection: this client keeps it, and registers again (after 100 ms,
 * then twice as long each time up to 5 s) when epmd went away and whenever it is refused: a name that was
 * just given up can still be taken for a moment. Where nothing listens on the epmd port, the host is this one
 * and `start` is set, `epmd -daemon` is run once before each attempt. */
#ifndef HARNESSD_DIST_EPMD_H
#define HARNESSD_DIST_EPMD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "dist/epmd_message.h"
#include "dist/resolve.h"

struct epmd;
struct epmd_lookup;

struct epmd_options {
    const char *host; /* where to register; lookups go to the host of the node that is asked for */
    uint16_t port;    /* of every epmd, this host's and others' */
    bool start;
};

/* `options` is copied. The resolver outlives the client. */
struct epmd *epmd_new(struct loop *loop, struct resolver *resolver, const struct epmd_options *options);

/* Gives the name up. Every lookup was answered or cancelled before. */
void epmd_free(struct epmd *epmd);

/* Called each time that the name was registered, with the creation that epmd gave: every registration gives
 * another one, but this node keeps its first for as long as it lives. It must not free the client. */
typedef void epmd_registered(void *owner, uint32_t creation);

/* Registers `name` (the part before the @, at most EPMD_NAME_BYTES) as a hidden node (type 72) that listens
 * on `port`, protocol versions 5 to 6. One registration a client. */
void epmd_register(struct epmd *epmd, const char *name, uint16_t port, epmd_registered *registered,
                   void *owner);

/* To be called at SIGCHLD: a child has ended, that of `epmd -daemon` or one that was given to process 1. */
void epmd_reap_children(struct epmd *epmd);

/* Whether the name was refused the last time that it was asked for: another node has it. `*refusals`, if not
 * NULL, becomes how many times one after the other. */
bool epmd_name_is_taken(const struct epmd *epmd, unsigned *refusals);

/* True from the registration until its connection is lost. */
bool epmd_is_registered(const struct epmd *epmd);

/* `problem` is NULL and `port` set when the node is known. Never called from within epmd_lookup_start(). */
typedef void epmd_found(void *owner, uint16_t port, const char *problem);

/* Asks the epmd of `host` for the port of `name`, with a deadline of 5 s. */
struct epmd_lookup *epmd_lookup_start(struct epmd *epmd, const char *host, const char *name,
                                      epmd_found *found, void *owner);
void epmd_lookup_cancel(struct epmd_lookup *lookup);

#endif
