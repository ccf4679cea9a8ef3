/* The socket that other nodes connect to. */
#ifndef HARNESSD_DIST_LISTENER_H
#define HARNESSD_DIST_LISTENER_H

#include "base/loop.h"

struct listener;

/* `descriptor` is non-blocking and becomes the callee's; `address` is of the other side, for logs. */
typedef void listener_accepted(void *owner, int descriptor, const char *address);

/* Listens on `host`, a name or an address (of a name its first address), and `port`, 0 for any. Looks the
 * name up at once, blocking: this is for the start. NULL when that fails; `problem` then says why. */
struct listener *listener_new(struct loop *loop, const char *host, uint16_t port, listener_accepted *accepted,
                              void *owner, char *problem, size_t problem_size);
void listener_free(struct listener *listener);

uint16_t listener_port(const struct listener *listener);

#endif
