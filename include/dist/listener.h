/* The sockets that other nodes connect to. */
#ifndef HARNESSD_DIST_LISTENER_H
#define HARNESSD_DIST_LISTENER_H

#include "base/loop.h"

struct listener;

/* `descriptor` is non-blocking and becomes the callee's; `address` is of the other side, for logs, with its
 * port, one of IPv6 in brackets. */
typedef void listener_accepted(void *owner, int descriptor, const char *address);

struct listener_options {
    struct loop *loop;
    const char *const *hosts; /* names or addresses, of a name its first address */
    size_t host_count;        /* 1 at least */
    uint16_t port;            /* the same of all; 0: any */
    listener_accepted *accepted;
    void *owner;
};

/* Looks names up at once, blocking: this is for the start. NULL when it cannot listen at one of them;
 * `problem` then says why. */
struct listener *listener_new(const struct listener_options *options, char *problem, size_t problem_size);
void listener_free(struct listener *listener);

uint16_t listener_port(const struct listener *listener);

#endif
