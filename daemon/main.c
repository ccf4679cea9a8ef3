/* harnessd: wiring only. What is made here is made once, in the order of the layers, and taken apart in the
 * opposite one. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "dist/listener.h"
#include "node/rpc_in.h"
#include "run_once.h"
#include "serve/access.h"
#include "serve/api.h"
#include "serve/config.h"
#include "serve/config_parts.h"
#include "serve/config_reload.h"
#include "serve/notify.h"
#include "serve/pages.h"

#define EXIT_ASKED 0
#define EXIT_FAILED 1
#define EXIT_MISCONFIGURED 2

/* How often a stopping daemon looks whether all is done. */
#define STOP_CHECK_NS (10 * CLOCK_NS_PER_MS)

/* How often the log tells what it has suppressed, and the service manager is told what goes on. */
#define SECOND_NS CLOCK_NS_PER_S

/* What ending takes beyond the time for the runs. */
#define STOP_GRACE_MS 5000

#define SIGNALS 3

struct daemon {
    int argc;
    char **argv;
    struct config config;
    struct loop loop;
    struct resolver *resolver;
    struct epmd *epmd;
    struct handshake_identity identity;
    struct node *node;
    struct peers *peers;
    struct listener *listener;
    struct notify *notify;
    struct pages *pages; /* NULL: http.listen is empty */
    struct event *signals[SIGNALS];
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

static struct runs_limits runs_limits_of(const struct config *config)
{
    return (struct runs_limits){.room = {{[ROOM_RUNS] = config->limit_runs,
                                          [ROOM_THREADS] = config->limit_threads,
                                          [ROOM_IN_FLIGHT] = config->limit_in_flight,
                                          [ROOM_QUEUED_ARRIVALS] = config->limit_queued_arrivals}},
                                .queued_runs = config->limit_queued_runs,
                                .store = {.count = config->retention_count,
                                          .seconds = config->retention_days * 24 * 60 * 60,
                                          .bytes = config->retention_bytes,
                                          .memory_bytes = config->retention_memory_bytes}};
}

/* --- Becoming ready --- */

static void become_ready(struct daemon *daemon, uint32_t creation)
{
    if (daemon->ready)
        return;
    const struct config *config = &daemon->config;
    daemon->identity.creation = creation;
    struct runner_limits limits = config_runner_limits(config);
    daemon->io_server = io_server_new(daemon->node);
    daemon->runner = runner_new(daemon->node, daemon->io_server, &limits);
    struct blast_radius radius = access_blast_radius(&daemon->config);
    runner_set_blast_radius(daemon->runner, &radius);
    struct runs_options runs = {.node = daemon->node,
                                .runner = daemon->runner,
                                .folder = config->state_dir,
                                .limits = runs_limits_of(config)};
    daemon->runs = runs_new(&runs);
    daemon->schedules = schedules_new(daemon->node, daemon->runs, config);
    struct api_parts api = {.node = daemon->node,
                            .runner = daemon->runner,
                            .runs = daemon->runs,
                            .schedules = daemon->schedules,
                            .config = config};
    daemon->api = api_new(&api);
    struct rpc_in_options options = {.name = "harness", .serve = api_serve, .owner = daemon->api};
    daemon->rpc_in = rpc_in_new(daemon->node, &options);
    if (daemon->pages)
        pages_set_runs(daemon->pages, daemon->runner, daemon->runs, daemon->api);
    daemon->ready = true;
    for (size_t i = 0; i < config->peer_count; i++)
        peers_keep(daemon->peers, config->peers[i].node, config->peers[i].port);
    log_info("ready", log_string("node", config->node_name),
             log_integer("port", listener_port(daemon->listener)));
    notify_ready(daemon->notify);
}

static void on_registered(void *owner, uint32_t creation)
{
    become_ready(owner, creation);
}

static void on_accepted(void *owner, int descriptor, const char *address)
{
    struct daemon *daemon = owner;
    if (daemon->ready)
        peers_accept(daemon->peers, descriptor, address);
    else
        close(descriptor);
}

static bool on_allowed(void *owner, const char *node)
{
    struct daemon *daemon = owner;
    return access_allows_caller(&daemon->config, node);
}

static struct process *on_spawn(void *owner, struct peer *peer, const struct control *control,
                                struct term arguments)
{
    struct daemon *daemon = owner;
    return rpc_in_spawn(daemon->rpc_in, peer, control, arguments);
}

/* --- Stopping --- */

/* Runs end and their reports reach whoever waits for them; then the loop ends. */
static void on_stop_check(void *owner)
{
    struct daemon *daemon = owner;
    bool busy = (daemon->runs && runs_busy(daemon->runs)) || peers_queued_bytes(daemon->peers);
    if (busy && clock_ns() < daemon->stop_by_ns) {
        loop_timer_set(&daemon->stop_check, STOP_CHECK_NS);
        return;
    }
    if (busy)
        log_warning("stopping with work left",
                    log_integer("shutdown_ms", (int64_t)daemon->config.shutdown_ms));
    loop_stop(&daemon->loop);
}

static void stop(struct daemon *daemon, const char *signal)
{
    if (daemon->stopping) {
        log_warning("stopping at once", log_string("signal", signal));
        _exit(EXIT_ASKED);
    }
    log_info("stopping", log_string("signal", signal));
    daemon->stopping = true;
    notify_stopping(daemon->notify, daemon->config.shutdown_ms + STOP_GRACE_MS);
    daemon->stop_by_ns = clock_ns() + daemon->config.shutdown_ms * CLOCK_NS_PER_MS;
    if (daemon->runs)
        runs_stop(daemon->runs);
    loop_timer_set(&daemon->stop_check, 0);
}

/* --- Reloading --- */

static bool has_peer(const struct config *config, const char *node)
{
    for (size_t i = 0; i < config->peer_count; i++)
        if (strcmp(config->peers[i].node, node) == 0)
            return true;
    return false;
}

static void keep_peers(struct daemon *daemon, const struct config *old)
{
    const struct config *config = &daemon->config;
    for (size_t i = 0; i < old->peer_count; i++)
        if (!has_peer(config, old->peers[i].node))
            peers_let_go(daemon->peers, old->peers[i].node);
    for (size_t i = 0; i < config->peer_count; i++)
        peers_keep(daemon->peers, config->peers[i].node, config->peers[i].port);
}

/* Who reads the configuration when something comes up, as access does, needs not be told. */
static void apply(struct daemon *daemon, const struct config *old)
{
    const struct config *config = &daemon->config;
    log_configure(config->log_level, config->log_format, stderr);
    peers_set_limits(daemon->peers, config->limit_frame_bytes, config->limit_queued_bytes,
                     config->limit_pending_handshakes);
    peers_judge_again(daemon->peers);
    if (daemon->ready) {
        struct runner_limits limits = config_runner_limits(config);
        struct runs_limits all = runs_limits_of(config);
        runner_set_limits(daemon->runner, &limits);
        runs_set_limits(daemon->runs, &all);
        schedules_reload(daemon->schedules);
        keep_peers(daemon, old);
    }
}

static void reload(struct daemon *daemon)
{
    struct config old;
    log_info("reloading the configuration", log_string("signal", "HUP"));
    notify_reloading(daemon->notify);
    if (config_reload(daemon->argc, daemon->argv, &daemon->config, &old)) {
        apply(daemon, &old);
        config_free(&old);
    }
    notify_reloaded(daemon->notify);
}

static void on_signal(evutil_socket_t number, short events, void *argument)
{
    struct daemon *daemon = argument;
    (void)events;
    loop_enter(&daemon->loop);
    if (number == SIGHUP)
        reload(daemon);
    else
        stop(daemon, number == SIGTERM ? "TERM" : "INT");
}

/* --- The parts --- */

/* Every connection is a descriptor. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warning("cannot raise the limit of open files");
}

static void watch_signals(struct daemon *daemon)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < SIGNALS; i++) {
        daemon->signals[i] = evsignal_new(daemon->loop.base, numbers[i], on_signal, daemon);
        if (!daemon->signals[i] || event_add(daemon->signals[i], NULL) != 0) {
            log_error("cannot watch signals");
            abort();
        }
    }
    signal(SIGPIPE, SIG_IGN);
}

static void tell_status(struct daemon *daemon)
{
    size_t runs = daemon->ready ? runs_count(daemon->runs, RUN_PHASE_QUEUED) +
                                      runs_count(daemon->runs, RUN_PHASE_RUNNING)
                                : 0;
    if (daemon->stopping)
        notify_status(daemon->notify, "stopping, %zu runs to end", runs);
    else if (!daemon->ready)
        notify_status(daemon->notify, "waiting for epmd on port %u", daemon->config.epmd_port);
    else
        notify_status(daemon->notify, "%s: %zu runs, %zu nodes connected", daemon->config.node_name, runs,
                      peers_up_count(daemon->peers));
}

static void on_second(void *owner)
{
    struct daemon *daemon = owner;
    log_settle(false);
    tell_status(daemon);
    loop_timer_set(&daemon->second, SECOND_NS);
}

static void make_parts(struct daemon *daemon)
{
    const struct config *config = &daemon->config;
    loop_init(&daemon->loop);
    loop_timer_init(&daemon->stop_check, &daemon->loop, on_stop_check, daemon);
    daemon->notify = notify_new(&daemon->loop);
    loop_timer_init(&daemon->second, &daemon->loop, on_second, daemon);
    loop_timer_set(&daemon->second, SECOND_NS);
    watch_signals(daemon);
    daemon->resolver = resolver_new(&daemon->loop);
    struct epmd_options epmd = config_epmd_options(config);
    daemon->epmd = epmd_new(&daemon->loop, daemon->resolver, &epmd);
    daemon->identity = config_identity(config);
    struct node_options node = {.loop = &daemon->loop,
                                .identity = &daemon->identity,
                                .allowed = on_allowed,
                                .spawn = on_spawn,
                                .owner = daemon};
    daemon->node = node_new(&node);
    struct peers_options peers = config_peers_options(config);
    peers.loop = &daemon->loop;
    peers.resolver = daemon->resolver;
    peers.epmd = daemon->epmd;
    peers.identity = &daemon->identity;
    peers.events = node_peers_events();
    peers.owner = daemon->node;
    daemon->peers = peers_new(&peers);
    node_set_peers(daemon->node, daemon->peers);
}

static const char *on_not_ready(void *owner)
{
    const struct daemon *daemon = owner;
    if (daemon->stopping)
        return "stopping";
    if (daemon->config.epmd_register && !epmd_is_registered(daemon->epmd))
        return "not registered with epmd";
    return daemon->ready ? NULL : "starting";
}

/* False when it cannot listen where it is to. */
static bool start_pages(struct daemon *daemon)
{
    struct pages_options options = {.loop = &daemon->loop,
                                    .config = &daemon->config,
                                    .epmd = daemon->epmd,
                                    .peers = daemon->peers,
                                    .not_ready = on_not_ready,
                                    .owner = daemon};
    if (!*daemon->config.http_listen)
        return true;
    daemon->pages = pages_new(&options);
    return daemon->pages != NULL;
}

static bool start_listening(struct daemon *daemon)
{
    const struct config *config = &daemon->config;
    const char *host = config->listen ? config->listen : strchr(config->node_name, '@') + 1;
    char problem[256];
    daemon->listener =
        listener_new(&daemon->loop, host, config->port, on_accepted, daemon, problem, sizeof(problem));
    if (!daemon->listener)
        log_error("cannot listen", log_string("reason", problem));
    return daemon->listener != NULL;
}

static void start(struct daemon *daemon)
{
    const struct config *config = &daemon->config;
    if (config->epmd_register) {
        char *alive = memory_string(config->node_name);
        *strchr(alive, '@') = '\0';
        epmd_register(daemon->epmd, alive, listener_port(daemon->listener), on_registered, daemon);
        free(alive);
    } else {
        uint32_t creation;
        random_secret(&creation, sizeof(creation));
        become_ready(daemon, creation | 4); /* 0 is no creation, 1 to 3 are those of old nodes */
    }
}

static void free_parts(struct daemon *daemon)
{
    if (daemon->pages)
        pages_free(daemon->pages);
    peers_close(daemon->peers);
    if (daemon->ready) {
        runs_close(daemon->runs);
        rpc_in_free(daemon->rpc_in);
        io_server_free(daemon->io_server);
    }
    loop_finish(&daemon->loop);
    if (daemon->ready) {
        api_free(daemon->api);
        schedules_free(daemon->schedules);
        runs_free(daemon->runs);
        runner_free(daemon->runner);
    }
    if (daemon->listener)
        listener_free(daemon->listener);
    peers_free(daemon->peers);
    node_free(daemon->node);
    epmd_free(daemon->epmd);
    resolver_free(daemon->resolver);
    for (size_t i = 0; i < SIGNALS; i++)
        event_free(daemon->signals[i]);
    loop_timer_free(&daemon->stop_check);
    loop_timer_free(&daemon->second);
    notify_free(daemon->notify);
    loop_free(&daemon->loop);
    config_free(&daemon->config);
}

static int run(struct daemon *daemon)
{
    log_configure(daemon->config.log_level, daemon->config.log_format, stderr);
    raise_descriptor_limit();
    make_parts(daemon);
    bool listening = start_listening(daemon) && start_pages(daemon);
    if (listening) {
        start(daemon);
        loop_run(&daemon->loop);
        log_info("stopped");
    }
    free_parts(daemon);
    log_settle(true);
    return listening ? EXIT_ASKED : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    static struct daemon daemon;
    daemon.argc = argc;
    daemon.argv = argv;
    switch (config_load(argc, argv, &daemon.config, stderr)) {
    case CONFIG_RUN:
        return run(&daemon);
    case CONFIG_ONE_SHOT:
        return run_once(&daemon.config);
    case CONFIG_HELP:
        config_usage(stdout);
        break;
    case CONFIG_VERSION:
        puts("harnessd " HARNESSD_VERSION);
        break;
    case CONFIG_CHECK:
        break;
    case CONFIG_INVALID:
        config_free(&daemon.config);
        return EXIT_MISCONFIGURED;
    }
    config_free(&daemon.config);
    return EXIT_ASKED;
}
