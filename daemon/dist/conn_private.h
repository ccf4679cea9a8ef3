/* What the files of a connection know of it: conn.c is about its beginning and end, its ticks and what it
 * writes, conn_read.c about what it reads. */
#ifndef HARNESSD_DIST_CONN_PRIVATE_H
#define HARNESSD_DIST_CONN_PRIVATE_H

#include "dist/conn.h"
#include "input_private.h"
#include "outbox_private.h"

struct conn {
    enum conn_state state;
    const struct conn_settings *settings;
    struct transport transport;
    struct event *readable;
    struct event *writable;
    struct loop_timer timer; /* the setup's deadline, then the ticks */
    struct loop_task flush;
    struct loop_task read_on; /* in a long message, while nothing else is read */
    struct loop_task reap;
    struct handshake handshake;
    uint64_t flags; /* negotiated */
    struct input input;
    struct message_reader reader;
    struct outbox outbox;
    struct departure *departure; /* of what is written next, when somebody wants to know; or NULL */
    struct departure_writes writes;
    struct kernel_clock_line line;
    struct arrived arrived; /* of the message that was taken last */
    uint64_t last_read_ns;
    bool accepted;
    bool is_busy; /* with a long message; what comes behind it waits */
    bool sent_since_tick;
    bool has_written;    /* since conn_has_written() was called */
    bool write_waits;    /* for the socket to take more, or for something to be read */
    bool waits_for_room; /* the former */
    bool was_full;       /* when it was last looked whether what was written goes out */
    size_t unlooked_bytes;
    bool congested;
    bool overrun; /* more waits than the limit: it is closed at the end of the pass */
    enum conn_limit limit;
    char address[64];
    void *data;
};

/* Closes it for an end of the transport: what that tells, else `what`, which stands in front of an error of
 * the system. */
void conn_close_failed(struct conn *conn, const char *what, enum transport_end end, int error);

/* Goes on until the transport carries bytes, and begins the handshake then. */
void conn_prepare(struct conn *conn);

/* Something was read that writing may have waited for, or was to be answered by the transport itself. */
void conn_write_on(struct conn *conn);

/* A message of the handshake. */
void conn_take_handshake(struct conn *conn, const uint8_t *message, size_t size);

/* A callback of libevent: there is something to be read. */
void conn_read_ready(evutil_socket_t descriptor, short events, void *argument);

/* A task: goes on with what a pass had no time for. */
void conn_read_on(void *owner);

#endif
