#include "config/config.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/socket_address.h"
#include "config/config_key.h"
#include "config_file_private.h"
#include "config_flags_private.h"
#include "cookie_private.h"
#include "dist/node_name.h"

static const char *address_problem(const char *text)
{
    struct in6_addr address;
    bool valid = inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
    return valid ? NULL : "is not an IP address";
}

static const char *listen_problem(const char *text)
{
    struct socket_address address;
    return socket_address_read(text, &address) ? NULL : SOCKET_ADDRESS_PROBLEM;
}

#define FIELD(name) .offset = offsetof(struct config, name), .size = sizeof(((struct config *)NULL)->name)
#define BYTES_MOST (1LL << 40)
#define FRAME_BYTES_MOST INT32_MAX

static const struct config_key keys[] = {
    {.path = "node.name",
     .type = CONFIG_STRING,
     .fallback = "null",
     .fallback_help = "required",
     FIELD(node_name),
     .help = "name of this node, NAME@HOST; without @HOST that of this host is added"},
    {.path = "node.names",
     .type = CONFIG_CHOICE,
     .choices = {"short", "long"},
     .fallback = "null",
     .fallback_help = "long when the host has a dot or is an address",
     FIELD(long_names),
     .help = "kind of the cluster's names"},
    {.path = "node.cookie_file",
     .type = CONFIG_STRING,
     .fallback = "null",
     .fallback_help = "$HARNESSD_COOKIE, else $HOME/.erlang.cookie",
     FIELD(cookie_file),
     .help = "file with the cluster's cookie, readable by its owner alone"},
    {.path = "node.listen",
     .type = CONFIG_STRING,
     .problem = address_problem,
     .fallback = "null",
     .fallback_help = "the address of the node name's host",
     FIELD(listen),
     .help = "IP address to listen on"},
    {.path = "node.port",
     .type = CONFIG_INTEGER,
     .most = UINT16_MAX,
     .fallback = "0",
     FIELD(port),
     .help = "port to listen on; 0 is any"},
    {.path = "node.net_ticktime",
     .type = CONFIG_INTEGER,
     .least = 4,
     .most = 3600,
     .fallback = "60",
     FIELD(net_ticktime_s),
     .help = "seconds after which a silent peer is gone; the same on all nodes"},
    {.path = "node.atom_cache",
     .type = CONFIG_BOOLEAN,
     .fallback = "true",
     FIELD(atom_cache),
     .help = "send and take each atom once a connection, and then a number for it"},
    {.path = "epmd.host",
     .type = CONFIG_STRING,
     .fallback = "null",
     .fallback_help = "this host",
     FIELD(epmd_host),
     .help = "host whose epmd this node registers with"},
    {.path = "epmd.port",
     .type = CONFIG_INTEGER,
     .least = 1,
     .most = UINT16_MAX,
     .fallback = "null",
     .fallback_help = "$ERL_EPMD_PORT, else 4369",
     FIELD(epmd_port),
     .help = "port of every epmd"},
    {.path = "epmd.register",
     .type = CONFIG_BOOLEAN,
     .fallback = "true",
     FIELD(epmd_register),
     .help = "register with epmd, so that other nodes find this one"},
    {.path = "epmd.start",
     .type = CONFIG_BOOLEAN,
     .fallback = "true",
     FIELD(epmd_start),
     .help = "run `epmd -daemon` when this host has none"},
    {.path = "peers",
     .type = CONFIG_PEERS,
     .fallback = "[]",
     FIELD(peers),
     .reloads = true,
     .help = "nodes to stay connected to: \"app@host\", or {\"node\": \"app@host\", \"port\": 9100} without "
             "epmd"},
    {.path = "limits.runs",
     .type = CONFIG_INTEGER,
     .least = 1,
     .most = 10000,
     .fallback = "64",
     FIELD(limit_runs),
     .reloads = true,
     .help = "runs at once"},
    {.path = "limits.queued_runs",
     .type = CONFIG_INTEGER,
     .least = 0,
     .most = 10000,
     .fallback = "256",
     FIELD(limit_queued_runs),
     .reloads = true,
     .help = "runs that wait for room among the others; 0 refuses them"},
    {.path = "limits.threads",
     .type = CONFIG_INTEGER,
     .least = 1,
     .most = 2000000,
     .fallback = "1000000",
     FIELD(limit_threads),
     .reloads = true,
     .help = "virtual threads of all runs, but for loads of a rate"},
    {.path = "limits.in_flight",
     .type = CONFIG_INTEGER,
     .least = 1,
     .most = 2000000,
     .fallback = "1000000",
     FIELD(limit_in_flight),
     .reloads = true,
     .help = "operations of all runs at once: one of each thread, max_in_flight of a load of a rate"},
    {.path = "limits.queued_arrivals",
     .type = CONFIG_INTEGER,
     .least = 0,
     .most = 1000000000,
     .fallback = "10000000",
     FIELD(limit_queued_arrivals),
     .reloads = true,
     .help = "max_queued of all loads of a rate"},
    {.path = "limits.events",
     .type = CONFIG_INTEGER,
     .least = 1,
     .most = 100000000,
     .fallback = "1000000",
     FIELD(limit_events),
     .reloads = true,
     .help = "events kept for one run"},
    {.path = "limits.custom",
     .type = CONFIG_INTEGER,
     .least = 1,
     .most = 100000,
     .fallback = "1000",
     FIELD(limit_custom),
     .reloads = true,
     .help = "custom operations of one run at once"},
    {.path = "limits.event_bytes",
     .type = CONFIG_INTEGER,
     .least = 65536,
     .most = 4294967296,
     .fallback = "67108864",
     FIELD(limit_event_bytes),
     .reloads = true,
     .help = "terms in the events of one run; beyond it the oldest events go"},
    {.path = "limits.frame_bytes",
     .type = CONFIG_INTEGER,
     .least = 65536,
     .most = FRAME_BYTES_MOST,
     .fallback = "134217728",
     FIELD(limit_frame_bytes),
     .reloads = true,
     .help = "one message of a peer"},
    {.path = "limits.queued_bytes",
     .type = CONFIG_INTEGER,
     .least = 65536,
     .most = BYTES_MOST,
     .fallback = "268435456",
     FIELD(limit_queued_bytes),
     .reloads = true,
     .help = "what waits to be sent to one peer"},
    {.path = "limits.pending_handshakes",
     .type = CONFIG_INTEGER,
     .least = 1,
     .most = 100000,
     .fallback = "256",
     FIELD(limit_pending_handshakes),
     .reloads = true,
     .help = "connections whose handshake has not ended"},
    {.path = "access.callers.allow",
     .type = CONFIG_PATTERNS,
     .fallback = "[\"*\"]",
     FIELD(allowed_callers),
     .reloads = true,
     .help = "shell patterns of the nodes that may call"},
    {.path = "access.callers.deny",
     .type = CONFIG_PATTERNS,
     .fallback = "[]",
     FIELD(denied_callers),
     .reloads = true,
     .help = "shell patterns of those that may not, whatever is allowed"},
    {.path = "access.targets.allow",
     .type = CONFIG_PATTERNS,
     .fallback = "[\"*\"]",
     FIELD(allowed_targets),
     .reloads = true,
     .help = "shell patterns of the nodes that faults may be injected on"},
    {.path = "access.targets.deny",
     .type = CONFIG_PATTERNS,
     .fallback = "[]",
     FIELD(denied_targets),
     .reloads = true,
     .help = "shell patterns of those that they may not, whatever is allowed"},
    {.path = "access.chaos.allow",
     .type = CONFIG_PATTERNS,
     .fallback = "[\"inject_crash\", \"kill_children\", \"suspend\", \"flood\", \"garbage_collect\"]",
     FIELD(allowed_chaos),
     .reloads = true,
     .help = "shell patterns of the kinds of faults that may be injected"},
    {.path = "access.chaos.deny",
     .type = CONFIG_PATTERNS,
     .fallback = "[]",
     FIELD(denied_chaos),
     .reloads = true,
     .help = "shell patterns of those that may not, whatever is allowed"},
    {.path = "access.names.allow",
     .type = CONFIG_PATTERNS,
     .fallback = "[\"*\"]",
     FIELD(allowed_names),
     .reloads = true,
     .help = "shell patterns of the registered names that faults may hit; without a name a process has an "
             "empty one"},
    {.path = "access.names.deny",
     .type = CONFIG_PATTERNS,
     .fallback = "[\"init\", \"net_kernel\", \"kernel_sup\", \"kernel_safe_sup\", "
                 "\"application_controller\", \"code_server\", \"erl_prim_loader\", \"logger\"]",
     FIELD(denied_names),
     .reloads = true,
     .help = "shell patterns of those that they may not, whatever is allowed"},
    {.path = "access.applications.allow",
     .type = CONFIG_PATTERNS,
     .fallback = "[\"*\"]",
     FIELD(allowed_applications),
     .reloads = true,
     .help = "shell patterns of the applications whose processes faults may hit; without one a process has "
             "an empty name"},
    {.path = "access.applications.deny",
     .type = CONFIG_PATTERNS,
     .fallback = "[\"erts\", \"kernel\", \"stdlib\"]",
     FIELD(denied_applications),
     .reloads = true,
     .help = "shell patterns of those whose they may not, whatever is allowed"},
    {.path = "scenario_dir",
     .type = CONFIG_STRING,
     .fallback = "null",
     .fallback_help = "none",
     FIELD(scenario_dir),
     .reloads = true,
     .help = "folder of the scenario files that {:file, name} stands for"},
    {.path = "http.listen",
     .type = CONFIG_STRING,
     .problem = listen_problem,
     .may_be_empty = true,
     .fallback = "\"127.0.0.1:9464\"",
     FIELD(http_listen),
     .help = "IP address and port for metrics, health and runs; \"\" switches them off"},
    {.path = "schedules",
     .type = CONFIG_SCHEDULES,
     .fallback = "[]",
     FIELD(schedules),
     .reloads = true,
     .help = "runs of files again and again: {\"file\": \"nightly_soak\", \"at\": \"02:30\"}, {\"file\": "
             "\"smoke\", "
             "\"every\": \"15m\", \"node\": \"app@host\"}"},
    {.path = "log.level",
     .type = CONFIG_CHOICE,
     .choices = {"debug", "info", "warning", "error"},
     .fallback = "\"info\"",
     FIELD(log_level),
     .reloads = true,
     .help = "least level that is logged"},
    {.path = "log.format",
     .type = CONFIG_CHOICE,
     .choices = {"text", "json"},
     .fallback = "\"text\"",
     FIELD(log_format),
     .reloads = true,
     .help = "form of a line of the log"},
    {.path = "state_dir",
     .type = CONFIG_STRING,
     .fallback = "null",
     .fallback_help = "runs are kept in memory only",
     FIELD(state_dir),
     .help = "folder in which runs and their reports are kept"},
    {.path = "journal_ms",
     .type = CONFIG_INTEGER,
     .least = 100,
     .most = 3600000,
     .fallback = "5000",
     FIELD(journal_ms),
     .reloads = true,
     .help =
         "time after which what a run has so far is written again, for the case that the daemon is killed"},
    {.path = "retention.count",
     .type = CONFIG_INTEGER,
     .least = 1,
     .most = 100000,
     .fallback = "1000",
     FIELD(retention_count),
     .reloads = true,
     .help = "runs that are kept once they have ended; beyond it the oldest go"},
    {.path = "retention.days",
     .type = CONFIG_INTEGER,
     .least = 0,
     .most = 36500,
     .fallback = "90",
     FIELD(retention_days),
     .reloads = true,
     .help = "days for which they are kept; 0 is for ever"},
    {.path = "retention.bytes",
     .type = CONFIG_INTEGER,
     .least = 1048576,
     .most = BYTES_MOST,
     .fallback = "10737418240",
     FIELD(retention_bytes),
     .reloads = true,
     .help = "size of their files together; beyond it the oldest go"},
    {.path = "retention.memory_bytes",
     .type = CONFIG_INTEGER,
     .least = 1048576,
     .most = BYTES_MOST,
     .fallback = "268435456",
     FIELD(retention_memory_bytes),
     .reloads = true,
     .help =
         "results that are in memory only, for want of a folder or of room in it; beyond it the oldest go"},
    {.path = "shutdown_ms",
     .type = CONFIG_INTEGER,
     .least = 0,
     .most = 600000,
     .fallback = "20000",
     FIELD(shutdown_ms),
     .reloads = true,
     .help = "time to end the runs when asked to stop"},
};

#define KEY_COUNT ARRAY_LENGTH(keys)
_Static_assert(KEY_COUNT <= CONFIG_KEYS_MOST, "config_reading has a flag for each key");

const struct config_key *config_keys(size_t *count)
{
    *count = KEY_COUNT;
    return keys;
}

const struct config_key *config_key_find(const char *path)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        if (strcmp(keys[i].path, path) == 0)
            return &keys[i];
    return NULL;
}

static bool is_given(const struct config_reading *reading, const char *path)
{
    return reading->given[config_key_find(path) - keys];
}

/* One that nobody else has, of the kind of the node that it connects to. The name that a file may have is the
 * daemon's. */
static void make_up_name(struct config_reading *reading)
{
    struct config *config = reading->config;
    const char *node = config->one_shot.connect;
    const char *host = node ? strchr(node, '@') : NULL;
    uint32_t unique;
    bool is_here = host && (strcmp(host, "@127.0.0.1") == 0 || strcmp(host, "@localhost") == 0);
    random_secret(&unique, sizeof(unique));
    free(config->node_name);
    config->node_name = memory_format("harnessd_run_%ld_%08x%s", (long)getpid(), unique, is_here ? host : "");
    config->long_names = node && node_name_looks_long(node);
    reading->given[config_key_find("node.names") - keys] = true;
}

/* A name that is not there may stand where nothing could be read. */
static void check_name(struct config_reading *reading, const struct config_flags *given, bool all_read)
{
    struct config *config = reading->config;
    const char *where = given->name_source;
    if (!config->node_name) {
        if (!is_given(reading, "node.name") && all_read)
            config_problem(reading, "node.name", "required (or --name, --sname)");
        return;
    }
    if (!is_given(reading, "node.names"))
        config->long_names = node_name_looks_long(config->node_name);
    char *complete = node_name_complete(config->node_name, config->long_names);
    if (!complete) {
        if (given->action == CONFIG_ONE_SHOT && !given->has_name)
            config_problem(reading, "--name", "required: this host has no full name of its own");
        else
            config_problem(reading, where, "%s has no @HOST, and this host has no full name",
                           config->node_name);
        return;
    }
    free(config->node_name);
    config->node_name = complete;
    const char *problem = node_name_problem(complete);
    if (!problem)
        problem = node_name_kind_problem(complete, config->long_names);
    if (problem)
        config_problem(reading, where, "%s %s", complete, problem);
}

static void check_peers(struct config_reading *reading)
{
    const struct config *config = reading->config;
    for (size_t i = 0; config->node_name && i < config->peer_count; i++)
        if (strcmp(config->peers[i].node, config->node_name) == 0)
            config_problem(reading, "peers", "%s is this node itself", config->node_name);
}

static void find_epmd_port(struct config_reading *reading)
{
    const char *port = getenv("ERL_EPMD_PORT");
    if (!is_given(reading, "epmd.port"))
        config_key_set_text(reading, config_key_find("epmd.port"), port && *port ? port : "4369",
                            "ERL_EPMD_PORT");
}

/* Checking a file asks for no cookie that it does not name: who runs with it later may be somebody else. */
static void find_cookie(struct config_reading *reading, const struct config_flags *given)
{
    struct config *config = reading->config;
    char *problem = NULL;
    if (given->action == CONFIG_CHECK && !config->cookie_file)
        return;
    config->cookie = cookie_load(config->cookie_file, &problem);
    if (problem)
        config_problem(reading, "node.cookie_file", "%s", problem);
    free(problem);
}

enum config_action config_load(int argc, char **argv, struct config *config, FILE *problems)
{
    struct config_reading reading = {.config = config, .problems = problems};
    struct config_flags given;
    *config = (struct config){0};
    for (size_t i = 0; i < KEY_COUNT; i++)
        config_key_reset(&reading, &keys[i]);
    config_flags_read(&reading, argc, argv, &given);
    if (given.action == CONFIG_HELP || given.action == CONFIG_VERSION)
        return reading.problem_count ? CONFIG_INVALID : given.action;

    bool all_read = reading.problem_count == 0;
    if (given.file)
        all_read = config_file_read(&reading, given.file) && all_read;
    config_flags_apply(&reading, &given);
    if (given.action == CONFIG_ONE_SHOT && !given.has_name)
        make_up_name(&reading);
    if (given.action == CONFIG_ONE_SHOT && !is_given(&reading, "log.level"))
        config->log_level = LOG_LEVEL_WARNING;
    find_epmd_port(&reading);
    check_name(&reading, &given, all_read);
    check_peers(&reading);
    if (config->schedules.count && !config->scenario_dir)
        config_problem(&reading, "schedules", "need a scenario_dir");
    find_cookie(&reading, &given);
    return reading.problem_count ? CONFIG_INVALID : given.action;
}

void config_free(struct config *config)
{
    for (size_t i = 0; i < KEY_COUNT; i++)
        config_key_clear(config, &keys[i]);
    cookie_free(config->cookie);
    config->cookie = NULL;
}

static void print_key(FILE *output, const struct config_key *key)
{
    fprintf(output, "  %-26s %s\n%29s", key->path, key->help, "");
    if (key->type == CONFIG_INTEGER)
        fprintf(output, "%lld to %lld; ", (long long)key->least, (long long)key->most);
    for (size_t i = 0; key->choices[i]; i++)
        fprintf(output, "%s%s", key->choices[i], key->choices[i + 1] ? ", " : "; ");
    if (key->fallback_help)
        fprintf(output, "default: %s", key->fallback_help);
    else
        fprintf(output, "default: %s", key->fallback);
    fputs(key->reloads ? "\n" : "; needs a restart\n", output);
}

void config_usage(FILE *output)
{
    fputs("usage: harnessd [--config FILE] [--name NAME@HOST | --sname NAME] [flags]\n"
          "       harnessd --check-config FILE\n"
          "       harnessd run FILE --connect NODE [flags]\n\n"
          "Joins an Erlang cluster as a hidden node and runs load, concurrency and chaos scenarios on "
          "request.\n\n"
          "flags (they override the file):\n",
          output);
    config_flags_usage(output, false);
    fputs(
        "\nflags of run, which runs the scenario FILE once and ends with status 0 when all was met, 1 when\n"
        "something was missed or has failed, 2 when it could not be run:\n",
        output);
    config_flags_usage(output, true);
    fputs("\nkeys of the configuration file (JSON; a key that begins with // is a comment). SIGHUP has it "
          "read\n"
          "again; those that need a restart keep their values until then:\n",
          output);
    for (size_t i = 0; i < KEY_COUNT; i++)
        print_key(output, &keys[i]);
    fputs(
        "\nThe cookie is read from the cookie file, else from HARNESSD_COOKIE in the environment, else from\n"
        "$HOME/.erlang.cookie; it never comes from the command line.\n",
        output);
}
