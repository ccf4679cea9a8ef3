/* A pseudo group leader: what processes that this node starts elsewhere print is written to the log (stdlib,
 * "The Erlang I/O Protocol"). It also takes, under the name `logger_proxy`, what those processes' nodes
 * report of their crashes, as they do to the node of the group leader. */
#ifndef HARNESSD_NODE_IO_SERVER_H
#define HARNESSD_NODE_IO_SERVER_H

#include "node/process.h"

struct io_server;

struct io_server *io_server_new(struct node *node);
void io_server_free(struct io_server *io_server);

/* The group leader to name. */
struct term io_server_pid(const struct io_server *io_server);

#endif
