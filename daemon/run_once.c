/* harnessd run FILE: the parts of the daemon that a run needs, and none that others talk to. */
#include "run_once.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/worker.h"
#include "config/access.h"
#include "config/config_parts.h"
#include "serve/one_shot.h"

#define SIGNALS 3

/* How often a program that has told all looks whether nodes were told that it leaves. */
#define LEAVE_CHECK_NS (5 * CLOCK_NS_PER_MS)
#define LEAVE_NS CLOCK_NS_PER_S

struct program {
    struct config *config;
    struct loop loop;
    struct resolver *resolver;
    struct epmd *epmd;
    struct handshake_identity identity;
    struct node *node;
    struct tls *tls;               /* NULL: it is off */
    struct transports *transports; /* likewise */
    struct peers *peers;
    struct io_server *io_server;
    struct runner *runner;
    struct one_shot *one_shot;
    struct event *signals[SIGNALS];
    struct loop_timer leave;
    uint64_t leave_by_ns;
    bool stopping;
};

/* Nobody finds it, as it is registered nowhere and listens to nobody. */
static bool run_once_on_allowed(void *owner, const char *node)
{
    (void)owner;
    (void)node;
    return true;
}

/* What nodes are still to be told is sent first. */
static void run_once_on_leave(void *owner)
{
    struct program *program = owner;
    if (peers_queued_bytes(program->peers) && clock_ns() < program->leave_by_ns)
        loop_timer_set(&program->leave, LEAVE_CHECK_NS);
    else
        loop_stop(&program->loop);
}

static void run_once_on_done(void *owner)
{
    struct program *program = owner;
    program->leave_by_ns = clock_ns() + LEAVE_NS;
    loop_timer_set(&program->leave, 0);
}

/* The first has the run clean up and report; the second does not wait for that. */
static void run_once_on_signal(evutil_socket_t number, short events, void *argument)
{
    struct program *program = argument;
    (void)number;
    (void)events;
    loop_enter(&program->loop);
    if (program->stopping) {
        (void)log_flush();
        _exit(outcome_exit_status(OUTCOME_CANCELLED));
    }
    program->stopping = true;
    one_shot_cancel(program->one_shot);
}

static void run_once_watch_signals(struct program *program)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < SIGNALS; i++) {
        program->signals[i] = evsignal_new(program->loop.base, numbers[i], run_once_on_signal, program);
        if (!program->signals[i] || event_add(program->signals[i], NULL) != 0) {
            log_error("cannot watch signals");
            abort();
        }
    }
    signal(SIGPIPE, SIG_IGN);
}

static void run_once_make_parts(struct program *program)
{
    struct config *config = program->config;
    struct epmd_options epmd = config_epmd_options(config);
    struct runner_limits limits = config_runner_limits(config);
    struct blast_radius radius = access_blast_radius(config);
    struct peers_options peers = config_peers_options(config);
    loop_init(&program->loop);
    (void)worker_aside(&program->loop);
    loop_timer_init(&program->leave, &program->loop, run_once_on_leave, program);
    run_once_watch_signals(program);
    program->resolver = resolver_new(&program->loop);
    epmd.start = false; /* a node that is there has registered with one */
    program->epmd = epmd_new(&program->loop, program->resolver, &epmd);
    program->identity = config_identity(config);
    random_secret(&program->identity.creation, sizeof(program->identity.creation));
    program->identity.creation |= 4; /* 0 is no creation, 1 to 3 are those of old nodes */
    struct node_options node = {.loop = &program->loop,
                                .identity = &program->identity,
                                .allowed = run_once_on_allowed,
                                .owner = program};
    program->node = node_new(&node);
    peers.loop = &program->loop;
    peers.resolver = program->resolver;
    peers.epmd = program->epmd;
    peers.identity = &program->identity;
    peers.transports = program->transports;
    peers.events = node_peers_events();
    peers.owner = program->node;
    program->peers = peers_new(&peers);
    node_set_peers(program->node, program->peers);
    for (size_t i = 0; i < config->peer_count; i++)
        if (config->peers[i].port)
            peers_know_port(program->peers, config->peers[i].node, config->peers[i].port);
    program->io_server = io_server_new(program->node);
    program->runner = runner_new(program->node, program->io_server, &limits);
    runner_set_blast_radius(program->runner, &radius);
}

/* Who reads what came of it may take as long as they like: no node waits for that, and a signal ends it. */
static int run_once_end(struct program *program)
{
    for (size_t i = 0; i < SIGNALS; i++)
        event_free(program->signals[i]);
    peers_close(program->peers);
    runner_close(program->runner);
    io_server_free(program->io_server);
    loop_finish(&program->loop);
    int exit_status = one_shot_tell(program->one_shot);
    one_shot_free(program->one_shot);
    runner_free(program->runner);
    peers_free(program->peers);
    node_free(program->node);
    transports_free(program->transports);
    tls_free(program->tls);
    epmd_free(program->epmd);
    resolver_free(program->resolver);
    worker_free_aside(&program->loop);
    loop_timer_free(&program->leave);
    loop_free(&program->loop);
    return exit_status;
}

int run_once(struct config *config)
{
    struct program program = {.config = config};
    int exit_status = outcome_exit_status(OUTCOME_NOT_RUN);
    log_configure(config->log_level, config->log_format, stderr);
    char *problem = NULL;
    program.transports = config_transports(config, &program.tls, &problem);
    if (problem)
        log_error("cannot use the certificates", log_string("reason", problem));
    program.one_shot = problem ? NULL : one_shot_new(config);
    free(problem);
    if (program.one_shot) {
        run_once_make_parts(&program);
        one_shot_start(program.one_shot, program.node, program.runner, run_once_on_done, &program);
        loop_run(&program.loop);
        exit_status = run_once_end(&program);
    }
    log_settle(true);
    return exit_status;
}
