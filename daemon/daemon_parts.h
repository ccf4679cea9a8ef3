/* The daemon from inside: its parts. daemon.c makes them and takes them apart, daemon_signals.c ends it and
 * has it read its configuration again, daemon_peers.c keeps its peers. */
#ifndef HARNESSD_DAEMON_PARTS_H
#define HARNESSD_DAEMON_PARTS_H

#include "audit/audit.h"
#include "base/loop_minute.h"
#include "config/config.h"
#include "config/exit_status.h"
#include "dist/listener.h"
#include "node/io_server.h"
#include "node/large_answers.h"
#include "node/rpc_in.h"
#include "serve/api.h"
#include "serve/notify.h"
#include "serve/pages.h"

#define DAEMON_SIGNALS 4

struct daemon {
    int argc; /* what the configuration is read from, now and later */
    char **argv;
    struct config *config;
    struct loop loop;
    struct loop_minute minute; /* of that */
    struct resolver *resolver;
    struct epmd *epmd;
    struct handshake_identity identity;
    struct node *node;
    struct tls *tls;               /* NULL: it is off */
    struct transports *transports; /* likewise */
    struct peers *peers;
    struct listener *listener;
    struct notify *notify;
    struct audit *audit; /* NULL: there is none */
    struct pages *pages; /* NULL: http.listen is empty */
    struct event *signals[DAEMON_SIGNALS];
    struct loop_timer second;
    uint64_t seconds;            /* since the start */
    struct loop_task keep_peers; /* the next of those that are to be kept */
    size_t kept_peers;           /* of the configuration, so far */

    /* From when the node has its creation, which goes into every pid. */
    bool ready;
    struct io_server *io_server;
    struct rpc_in *rpc_in;
    struct runner *runner;
    struct runs *runs;
    struct schedules *schedules;
    struct api *api;

    enum exit_status exit_status;
    bool stopping;
    uint64_t stop_by_ns;
    uint64_t drop_next_ns; /* when it is looked again for peers that do not read; 0: runs still go on */
    struct loop_timer stop_check;
};

/* Of the runs of a daemon with this configuration. */
/* Files are read that have changed, and it is warned of what ends soon. */
void daemon_watch_certificates(const struct daemon *daemon);

struct runs_limits daemon_runs_limits(const struct config *config);

/* Has the peers of the configuration be kept, when it is ready, some in each pass of the loop; and those of
 * another one than before. */
void daemon_peers_keep(struct daemon *daemon);
void daemon_peers_change(struct daemon *daemon, const struct config *old);

/* SIGTERM and SIGINT end it, SIGHUP reads its configuration again. */
void daemon_watch_signals(struct daemon *daemon);
void daemon_unwatch_signals(struct daemon *daemon);

/* From now on the process ends within a few seconds, or at the next signal, whatever its disk does. */
void daemon_end_in_time(void);

#endif
