#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/config_parts.h"
#include "config/config_reload.h"
#include "config/exit_status.h"
#include "daemon_parts.h"

/* How often a stopping daemon looks whether all is done. */
#define STOP_CHECK_NS (10 * CLOCK_NS_PER_MS)

/* In which a peer has to take something of what waits for it. */
#define STOP_READ_NS CLOCK_NS_PER_S

/* What ending takes beyond the time for the runs. */
#define STOP_GRACE_MS 5000

/* --- Stopping --- */

/* Who takes nothing of its answers for that long when all runs have ended is not waited for. */
static void daemon_signals_drop_stalled(struct daemon *daemon)
{
    uint64_t now = clock_ns();
    if (now < daemon->drop_next_ns)
        return;
    daemon->drop_next_ns = now + STOP_READ_NS;
    peers_drop_stalled(daemon->peers);
}

/* Runs end and their reports reach whoever waits for them; then the loop ends. */
static void daemon_signals_on_stop_check(void *owner)
{
    struct daemon *daemon = owner;
    bool runs_go_on = daemon->runs && runs_busy(daemon->runs);
    if (!runs_go_on)
        daemon_signals_drop_stalled(daemon);
    bool busy = runs_go_on || large_answers_wait(daemon->node) || peers_queued_bytes(daemon->peers);
    if (busy && clock_ns() < daemon->stop_by_ns) {
        loop_timer_set(&daemon->stop_check, STOP_CHECK_NS);
        return;
    }
    if (busy)
        log_warning("stopping with work left",
                    log_integer("shutdown_ms", (int64_t)daemon->config->shutdown_ms));
    loop_stop(&daemon->loop);
}

static void daemon_signals_stop(struct daemon *daemon, const char *signal)
{
    if (daemon->stopping) {
        log_warning("stopping at once", log_string("signal", signal));
        (void)log_flush();
        _exit(0);
    }
    log_info("stopping", log_string("signal", signal));
    daemon->stopping = true;
    notify_stopping(daemon->notify, daemon->config->shutdown_ms + STOP_GRACE_MS);
    daemon->stop_by_ns = clock_ns() + daemon->config->shutdown_ms * CLOCK_NS_PER_MS;
    if (daemon->runs)
        runs_stop(daemon->runs);
    loop_timer_set(&daemon->stop_check, 0);
}

/* A disk may stand still with what was to be stored. */
static void daemon_signals_on_late(int number)
{
    _exit(number == SIGALRM ? EXIT_STATUS_FAILED : EXIT_STATUS_ASKED);
}

void daemon_end_in_time(void)
{
    static const int numbers[] = {SIGALRM, SIGTERM, SIGINT};
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        signal(numbers[i], daemon_signals_on_late);
    alarm(STOP_GRACE_MS / 1000);
}

/* --- Reloading --- */

/* Its files were there when the configuration was checked; if they no longer are, HTTP goes on as before. */
static void daemon_signals_change_http_tls(struct daemon *daemon, struct config *old)
{
    struct tls_options *fresh = old->http_tls;
    if (daemon->pages && !pages_set_tls(daemon->pages, fresh))
        return;
    old->http_tls = daemon->config->http_tls;
    daemon->config->http_tls = fresh;
}

/* Who reads the configuration when something comes up, as access does, needs not be told. */
static void daemon_signals_apply(struct daemon *daemon, struct config *old)
{
    const struct config *config = daemon->config;
    log_configure(config->log_level, config->log_format, stderr);
    peers_set_limits(daemon->peers, config->limit_frame_bytes, config->limit_queued_bytes,
                     config->limit_pending_handshakes);
    peers_judge_again(daemon->peers);
    struct audit_options audit = config_audit_options(config);
    audit_set_options(daemon->audit, &audit);
    daemon_signals_change_http_tls(daemon, old);
    daemon_watch_certificates(daemon);
    if (daemon->ready) {
        struct runner_limits limits = config_runner_limits(config);
        struct runs_limits all = daemon_runs_limits(config);
        runner_set_limits(daemon->runner, &limits);
        runs_set_limits(daemon->runs, &all);
        schedules_reload(daemon->schedules);
        daemon_peers_change(daemon, old);
    }
}

static void daemon_signals_reload(struct daemon *daemon)
{
    struct config old;
    log_info("reloading the configuration", log_string("signal", "HUP"));
    notify_reloading(daemon->notify);
    audit_reopen(daemon->audit); /* whatever the configuration is */
    if (config_reload(daemon->argc, daemon->argv, daemon->config, &old)) {
        daemon_signals_apply(daemon, &old);
        config_free(&old);
        audit_tell(daemon->audit, AUDIT_RELOADED);
    }
    notify_reloaded(daemon->notify);
}

/* --- Signals --- */

static void daemon_signals_received(evutil_socket_t number, short events, void *argument)
{
    struct daemon *daemon = argument;
    (void)events;
    loop_enter(&daemon->loop);
    if (number == SIGCHLD)
        epmd_reap_children(daemon->epmd);
    else if (number == SIGHUP)
        daemon_signals_reload(daemon);
    else
        daemon_signals_stop(daemon, number == SIGTERM ? "TERM" : "INT");
}

void daemon_watch_signals(struct daemon *daemon)
{
    static const int numbers[DAEMON_SIGNALS] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};
    loop_timer_init(&daemon->stop_check, &daemon->loop, daemon_signals_on_stop_check, daemon);
    for (size_t i = 0; i < DAEMON_SIGNALS; i++) {
        daemon->signals[i] = evsignal_new(daemon->loop.base, numbers[i], daemon_signals_received, daemon);
        if (!daemon->signals[i] || event_add(daemon->signals[i], NULL) != 0) {
            log_error("cannot watch signals");
            abort();
        }
    }
    signal(SIGPIPE, SIG_IGN);
}

void daemon_unwatch_signals(struct daemon *daemon)
{
    for (size_t i = 0; i < DAEMON_SIGNALS; i++)
        event_free(daemon->signals[i]);
    loop_timer_free(&daemon->stop_check);
}
