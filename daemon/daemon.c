#include "daemon.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/worker.h"
#include "config/access.h"
#include "config/config_parts.h"
#include "daemon_parts.h"

/* How often the log tells what it has suppressed, and the service manager is told what goes on. */
#define SECOND_NS CLOCK_NS_PER_S

/* Seconds after which it is looked for certificates that have changed or end. */
#define CERTIFICATES_S 60

struct runs_limits daemon_runs_limits(const struct config *config)
{
    return (struct runs_limits){.room = {{[ROOM_RUNS] = config->limit_runs,
                                          [ROOM_THREADS] = config->limit_threads,
                                          [ROOM_IN_FLIGHT] = config->limit_in_flight,
                                          [ROOM_QUEUED_ARRIVALS] = config->limit_queued_arrivals}},
                                .room_per_node = {{[ROOM_RUNS] = config->limit_runs_per_node,
                                                   [ROOM_THREADS] = config->limit_threads_per_node,
                                                   [ROOM_IN_FLIGHT] = config->limit_in_flight_per_node}},
                                .queued_runs = config->limit_queued_runs,
                                .suites = config->limit_suites,
                                .journal_ns = config->journal_ms * CLOCK_NS_PER_MS,
                                .store = {.count = config->retention_count,
                                          .count_most = config->retention_count_most,
                                          .seconds = config->retention_days * 24 * 60 * 60,
                                          .seconds_least = config->retention_days_least * 24 * 60 * 60,
                                          .bytes = config->retention_bytes,
                                          .memory_bytes = config->retention_memory_bytes}};
}

/* A name that was just given up is refused for a moment: so many times are about two seconds. */
#define TAKEN_REFUSALS 5

/* --- Becoming ready --- */

static void daemon_become_ready(struct daemon *daemon, uint32_t creation)
{
    if (daemon->ready)
        return;
    const struct config *config = daemon->config;
    daemon->identity.creation = creation;
    struct runner_limits limits = config_runner_limits(config);
    daemon->io_server = io_server_new(daemon->node);
    daemon->runner = runner_new(daemon->node, daemon->io_server, &limits);
    struct blast_radius radius = access_blast_radius(daemon->config);
    runner_set_blast_radius(daemon->runner, &radius);
    runner_set_audit(daemon->runner, daemon->audit);
    struct runs_options runs = {.node = daemon->node,
                                .runner = daemon->runner,
                                .folder = config->state_dir,
                                .holder = config->node_name,
                                .audit = daemon->audit,
                                .limits = daemon_runs_limits(config)};
    daemon->runs = runs_new(&runs);
    daemon->schedules = schedules_new(daemon->node, daemon->runs, config);
    struct api_parts api = {.node = daemon->node,
                            .runner = daemon->runner,
                            .runs = daemon->runs,
                            .schedules = daemon->schedules,
                            .audit = daemon->audit,
                            .config = config,
                            .minute = &daemon->minute};
    daemon->api = api_new(&api);
    struct rpc_in_options options = {.name = "harness", .serve = api_serve, .owner = daemon->api};
    daemon->rpc_in = rpc_in_new(daemon->node, &options);
    if (daemon->pages)
        pages_set_runs(daemon->pages, daemon->runner, daemon->runs, daemon->api);
    daemon->ready = true;
    daemon_peers_keep(daemon);
    log_info("ready", log_string("node", config->node_name),
             log_integer("port", listener_port(daemon->listener)));
    audit_tell(daemon->audit, AUDIT_STARTED, audit_text(AUDIT_NODE, config->node_name),
               audit_text(AUDIT_VERSION, HARNESSD_VERSION));
    notify_ready(daemon->notify);
}

static void daemon_on_registered(void *owner, uint32_t creation)
{
    daemon_become_ready(owner, creation);
}

static void daemon_on_accepted(void *owner, int descriptor, const char *address)
{
    struct daemon *daemon = owner;
    if (daemon->ready)
        peers_accept(daemon->peers, descriptor, address);
    else
        close(descriptor);
}

static bool daemon_on_allowed(void *owner, const char *node)
{
    struct daemon *daemon = owner;
    return access_allows_caller(daemon->config, node);
}

static struct process *daemon_on_spawn(void *owner, struct peer *peer, const struct control *control,
                                       struct term arguments)
{
    struct daemon *daemon = owner;
    return rpc_in_spawn(daemon->rpc_in, peer, control, arguments);
}

/* --- The parts --- */

/* Every connection is a descriptor. */
static void daemon_raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warning("cannot raise the limit of open files");
}

static void daemon_tell_status(struct daemon *daemon)
{
    static const enum run_phase phases[] = {RUN_PHASE_QUEUED, RUN_PHASE_RUNNING, RUN_PHASE_SUITE};
    size_t runs = 0;
    for (size_t i = 0; daemon->ready && i < ARRAY_LENGTH(phases); i++)
        runs += runs_count(daemon->runs, phases[i]);
    const char *problem = daemon->ready ? store_problem(runs_store(daemon->runs)) : NULL;
    if (daemon->stopping)
        notify_status(daemon->notify, "stopping, %zu runs to end", runs);
    else if (!daemon->ready && epmd_name_is_taken(daemon->epmd, NULL))
        notify_status(daemon->notify, "waiting for the name %s, which another node has",
                      daemon->config->node_name);
    else if (!daemon->ready)
        notify_status(daemon->notify, "waiting for epmd on port %u", daemon->config->epmd_port);
    else
        notify_status(daemon->notify, "%s: %zu runs, %zu nodes connected%s%s", daemon->config->node_name,
                      runs, peers_up_count(daemon->peers), problem ? ", runs cannot be stored: " : "",
                      problem ? problem : "");
}

/* Whoever waits for its name may never get it. */
static void daemon_watch_name(struct daemon *daemon)
{
    unsigned refusals;
    if (daemon->ready || daemon->stopping || !daemon->config->exit_on_taken_name ||
        !epmd_name_is_taken(daemon->epmd, &refusals) || refusals < TAKEN_REFUSALS)
        return;
    log_error("the name is taken: another node is registered with it",
              log_string("name", daemon->config->node_name));
    daemon->exit_status = EXIT_STATUS_NAME_TAKEN;
    loop_stop(&daemon->loop);
}

/* Files are looked at while nobody connects as well: who reads metrics is to see them as they are. */
void daemon_watch_certificates(const struct daemon *daemon)
{
    if (daemon->tls)
        tls_watch(daemon->tls);
    if (daemon->pages)
        pages_watch_certificates(daemon->pages);
}

static void daemon_on_second(void *owner)
{
    struct daemon *daemon = owner;
    log_settle(false);
    if (++daemon->seconds % CERTIFICATES_S == 0)
        daemon_watch_certificates(daemon);
    daemon_tell_status(daemon);
    daemon_watch_name(daemon);
    loop_timer_set(&daemon->second, SECOND_NS);
}

static void daemon_make_parts(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    loop_init(&daemon->loop);
    (void)worker_aside(&daemon->loop);
    loop_minute_begin(&daemon->minute, &daemon->loop);
    daemon->notify = notify_new(&daemon->loop);
    loop_timer_init(&daemon->second, &daemon->loop, daemon_on_second, daemon);
    loop_timer_set(&daemon->second, SECOND_NS);
    daemon_watch_signals(daemon);
    daemon->resolver = resolver_new(&daemon->loop);
    struct epmd_options epmd = config_epmd_options(config);
    daemon->epmd = epmd_new(&daemon->loop, daemon->resolver, &epmd);
    daemon->identity = config_identity(config);
    struct node_options node = {.loop = &daemon->loop,
                                .identity = &daemon->identity,
                                .allowed = daemon_on_allowed,
                                .spawn = daemon_on_spawn,
                                .owner = daemon};
    daemon->node = node_new(&node);
    struct peers_options peers = config_peers_options(config);
    peers.loop = &daemon->loop;
    peers.resolver = daemon->resolver;
    peers.epmd = daemon->epmd;
    peers.identity = &daemon->identity;
    peers.transports = daemon->transports;
    peers.events = node_peers_events();
    peers.owner = daemon->node;
    daemon->peers = peers_new(&peers);
    node_set_peers(daemon->node, daemon->peers);
}

static const char *daemon_on_not_ready(void *owner)
{
    const struct daemon *daemon = owner;
    if (daemon->stopping)
        return "stopping";
    if (!daemon->ready && epmd_name_is_taken(daemon->epmd, NULL))
        return "another node has the name";
    if (daemon->config->epmd_register && !epmd_is_registered(daemon->epmd))
        return "not registered with epmd";
    return daemon->ready ? NULL : "starting";
}

/* False when it cannot listen where it is to. */
static bool daemon_start_pages(struct daemon *daemon)
{
    struct pages_options options = {.loop = &daemon->loop,
                                    .config = daemon->config,
                                    .epmd = daemon->epmd,
                                    .peers = daemon->peers,
                                    .minute = &daemon->minute,
                                    .audit = daemon->audit,
                                    .tls = daemon->tls,
                                    .not_ready = daemon_on_not_ready,
                                    .owner = daemon};
    if (!daemon->config->http_listen.count)
        return true;
    daemon->pages = pages_new(&options);
    return daemon->pages != NULL;
}

/* What others can write to would be what runs are told to have been. */
static bool daemon_trusts_folder(const struct config *config)
{
    char *refusal = config->state_dir ? store_refusal(config->state_dir) : NULL;
    if (!refusal)
        return true;
    log_error("the state folder is refused", log_string("key", "state_dir"),
              log_string("folder", config->state_dir), log_string("reason", refusal));
    free(refusal);
    return false;
}

/* False when there is to be one and it cannot be. */
static bool daemon_start_audit(struct daemon *daemon)
{
    struct audit_options options = config_audit_options(daemon->config);
    if (!options.file)
        return true;
    daemon->audit = audit_new(&daemon->loop, &options);
    return daemon->audit != NULL;
}

/* They were there a moment ago, when the configuration was checked. */
static bool daemon_read_certificates(struct daemon *daemon)
{
    char *problem = NULL;
    daemon->transports = config_transports(daemon->config, &daemon->tls, &problem);
    if (problem)
        log_error("cannot use the certificates", log_string("reason", problem));
    if (daemon->tls) {
        tls_tell(daemon->tls);
        tls_watch(daemon->tls);
    }
    bool is_good = !problem;
    free(problem);
    return is_good;
}

static bool daemon_start_listening(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    const char *own_host = strchr(config->node_name, '@') + 1;
    bool is_given = config->listen.count;
    const struct listener_options options = {.loop = &daemon->loop,
                                             .hosts = is_given ? (const char *const *)config->listen.items
                                                               : &own_host,
                                             .host_count = is_given ? config->listen.count : 1,
                                             .port = config->port,
                                             .accepted = daemon_on_accepted,
                                             .owner = daemon};
    char problem[256];
    daemon->listener = listener_new(&options, problem, sizeof(problem));
    if (!daemon->listener)
        log_error("cannot listen", log_string("reason", problem));
    return daemon->listener != NULL;
}

static void daemon_start(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    if (config->epmd_register) {
        char *alive = memory_string(config->node_name);
        *strchr(alive, '@') = '\0';
        epmd_register(daemon->epmd, alive, listener_port(daemon->listener), daemon_on_registered, daemon);
        free(alive);
    } else {
        uint32_t creation;
        random_secret(&creation, sizeof(creation));
        daemon_become_ready(daemon, creation | 4); /* 0 is no creation, 1 to 3 are those of old nodes */
    }
}

static void daemon_free_parts(struct daemon *daemon)
{
    if (daemon->pages)
        pages_free(daemon->pages);
    worker_finish_aside(&daemon->loop); /* what is read by then is answered, or begun and given up */
    if (daemon->ready) {
        runs_close(daemon->runs);
        loop_finish(&daemon->loop); /* who waits is answered, as far as nodes read it at once */
    }
    loop_cancel(&daemon->loop, &daemon->keep_peers);
    peers_close(daemon->peers);
    large_answers_close(daemon->node);
    if (daemon->ready) {
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
    transports_free(daemon->transports);
    tls_free(daemon->tls);
    epmd_free(daemon->epmd);
    resolver_free(daemon->resolver);
    daemon_unwatch_signals(daemon);
    loop_timer_free(&daemon->second);
    notify_free(daemon->notify);
    worker_free_aside(&daemon->loop);
    if (daemon->ready)
        audit_tell(daemon->audit, AUDIT_STOPPED);
    audit_free(daemon->audit);
    loop_minute_end(&daemon->minute);
    loop_free(&daemon->loop);
}

enum exit_status daemon_run(struct config *config, int argc, char **argv)
{
    struct daemon daemon = {.argc = argc, .argv = argv, .config = config, .exit_status = EXIT_STATUS_FAILED};
    log_configure(config->log_level, config->log_format, stderr);
    daemon_raise_descriptor_limit();
    bool has_certificates = daemon_read_certificates(&daemon);
    daemon_make_parts(&daemon);
    bool listening = has_certificates && daemon_trusts_folder(config) && daemon_start_audit(&daemon) &&
                     daemon_start_listening(&daemon) && daemon_start_pages(&daemon);
    if (listening) {
        daemon.exit_status = EXIT_STATUS_ASKED;
        daemon_start(&daemon);
        loop_run(&daemon.loop);
        daemon_end_in_time();
    }
    daemon_free_parts(&daemon);
    if (listening)
        log_info("stopped");
    log_settle(true);
    return daemon.exit_status;
}
