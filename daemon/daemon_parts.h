/* The daemon from inside: its parts. daemon.c makes them and takes them apart, daemon_signals.c ends it and
 * has it read its configuration again. */
#ifndef HARNESSD_DAEMON_PARTS_H
#define HARNESSD_DAEMON_PARTS_H

#include "config/config.h"
#include "dist/listener.h"
#include "node/io_server.h"
#include "node/large_answers.h"
#include "node/rpc_in.h"
#include "serve/api.h"
#include "serve/notify.h"
#include "serve/pages.h"

#define DAEMON_SIGNALS 3

struct daemon {
    int argc; /* what the configuration is read from, now and later */
    char **argv;
    struct config *config;
    struct loop loop;
    struct resolver *resolver;
    struct epmd *epmd;
    struct handshake_identity identity;
    struct node *node;
    struct peers *peers;
    struct listener *listener;
    struct notify *notify;
    struct pages *pages; /* NULL: http.listen is empty */
    struct event *signals[DAEMON_SIGNALS];
    struct loop_timer second;

    /* From when the node has its creation, which goes into every pid. */
    bool ready;
    struct io_server *io_server;
    struct rpc_in *rpc_in;
    struct runner *runner;
    struct runs *runs;
    struct schedules *schedules;
    struct api *api;

    bool stopping;
    uint64_t stop_by_ns;
    struct loop_timer stop_check;
};

/* Of the runs of a daemon with this configuration. */
struct runs_limits daemon_runs_limits(const struct config *config);

/* SIGTERM and SIGINT end it, SIGHUP reads its configuration again. */
void daemon_watch_signals(struct daemon *daemon);
void daemon_unwatch_signals(struct daemon *daemon);

#endif
