#include "config/config.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "base/random.h"
#include "config/config_key.h"
#include "config_callers_private.h"
#include "config_file_private.h"
#include "config_flags_private.h"
#include "config_tls_private.h"
#include "cookie_private.h"
#include "dist/node_name.h"
#include "measure/counters.h"
#include "scenario/fault_kinds.h"

static size_t config_position(const char *path)
{
    size_t count;
    return (size_t)(config_key_find(path) - config_keys(&count));
}

static bool config_is_given(const struct config_reading *reading, const char *path)
{
    return reading->given[config_position(path)];
}

/* One that nobody else has, of the kind of the node that it connects to. The name that a file may have is the
 * daemon's. A node that is none is a problem already, and has nothing looked up for it. */
static void config_make_up_name(struct config_reading *reading)
{
    struct config *config = reading->config;
    const char *node = config->one_shot.connect_count ? config->one_shot.connects[0].node : NULL;
    uint32_t unique;
    if (!node || node_name_problem(node))
        node = "node@localhost";
    random_secret(&unique, sizeof(unique));
    char *name = memory_format("harnessd_run_%ld_%08x", (long)getpid(), unique);
    free(config->node_name);
    config->node_name = node_name_towards(name, node);
    free(name);
    config->long_names = node_name_looks_long(node);
    reading->given[config_position("node.names")] = true;
}

/* A name that is not there may stand where nothing could be read. */
static void config_check_name(struct config_reading *reading, const struct config_flags *given, bool all_read)
{
    struct config *config = reading->config;
    const char *where = given->name_source;
    if (!config->node_name) {
        if (!config_is_given(reading, "node.name") && all_read)
            config_problem(reading, "node.name", "required (or --name, --sname)");
        return;
    }
    if (!config_is_given(reading, "node.names"))
        config->long_names = node_name_looks_long(config->node_name);
    char *complete = node_name_complete(config->node_name, config->long_names);
    if (!complete) {
        config_problem(reading, where,
                       "%s has no @HOST, and this host has no full name; give --name %s@ADDRESS, or "
                       "--sname %s",
                       config->node_name, config->node_name, config->node_name);
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

static void config_check_peers(struct config_reading *reading)
{
    const struct config *config = reading->config;
    for (size_t i = 0; config->node_name && i < config->peer_count; i++)
        if (strcmp(config->peers[i].node, config->node_name) == 0)
            config_problem(reading, "peers", "%s is this node itself", config->node_name);
}

/* One that matches no kind allows or forbids nothing, which its author did not mean. */
static void config_check_kinds(struct config_reading *reading, const char *key,
                               const struct config_list *patterns)
{
    const char *names[COUNTERS_FAULTS];
    size_t count;
    const struct fault_kind *kinds = fault_kinds(&count);
    for (size_t i = 0; i < count; i++)
        names[i] = kinds[i].name;
    for (size_t i = 0; i < patterns->count; i++) {
        const char *pattern = patterns->items[i],
                   *nearest = nearest_word(pattern, strlen(pattern), names, count);
        size_t kind = 0;
        while (kind < count && fnmatch(pattern, names[kind], 0) != 0)
            kind++;
        if (kind < count)
            continue;
        char *where = memory_format("%s[%zu]", key, i);
        if (nearest)
            config_problem(reading, where, "%s is no kind of fault (nearest: %s)", pattern, nearest);
        else
            config_problem(reading, where, "%s is no kind of fault", pattern);
        free(where);
    }
}

static void config_find_epmd_port(struct config_reading *reading)
{
    const char *port = getenv("ERL_EPMD_PORT");
    if (!config_is_given(reading, "epmd.port"))
        config_key_set_text(reading, config_key_find("epmd.port"), port && *port ? port : "4369",
                            "ERL_EPMD_PORT");
}

/* Checking a file asks for no cookie that it does not name: who runs with it later may be somebody else. */
static void config_find_cookie(struct config_reading *reading, const struct config_flags *given)
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

/* Who runs one scenario shows nothing over HTTP. */
static void config_find_token(struct config_reading *reading, const struct config_flags *given)
{
    struct config *config = reading->config;
    char *problem = NULL;
    if (!config->http_token_file || given->action == CONFIG_ONE_SHOT)
        return;
    config->http_token = cookie_load_token(config->http_token_file, &problem);
    if (problem)
        config_problem(reading, "http.token_file", "%s", problem);
    free(problem);
}

/* Whoever has the command line wrong is told where it is explained; a node without a name that no file has
 * either was started with nothing much at all. */
static void config_point_to_help(const struct config_reading *reading, const struct config_flags *given)
{
    bool is_run = given->action == CONFIG_ONE_SHOT || given->action == CONFIG_HELP_ON_RUN;
    bool is_bare = !reading->config->node_name && !given->file && reading->problem_count;
    if (given->is_wrong || is_bare)
        fprintf(reading->problems, "try harnessd %s--help\n", is_run ? "run " : "");
}

enum config_action config_load(int argc, char **argv, struct config *config, FILE *problems)
{
    struct config_reading reading = {.config = config, .problems = problems};
    struct config_flags given;
    size_t key_count;
    const struct config_key *keys = config_keys(&key_count);
    *config = (struct config){.functions = config->functions};
    for (size_t i = 0; i < key_count; i++)
        config_key_reset(&reading, &keys[i]);
    config_flags_read(&reading, argc, argv, &given);
    if (given.action == CONFIG_HELP || given.action == CONFIG_HELP_ON_RUN ||
        given.action == CONFIG_HELP_ON_KEYS || given.action == CONFIG_VERSION) {
        config_point_to_help(&reading, &given);
        return reading.problem_count ? CONFIG_INVALID : given.action;
    }

    bool all_read = reading.problem_count == 0;
    config->file = given.file;
    if (given.file)
        all_read = config_file_read(&reading, given.file) && all_read;
    config_flags_apply(&reading, &given);
    if (given.action == CONFIG_ONE_SHOT && !given.has_name)
        config_make_up_name(&reading);
    if (given.action == CONFIG_ONE_SHOT && !config_is_given(&reading, "log.level"))
        config->log_level = LOG_LEVEL_WARNING;
    config_find_epmd_port(&reading);
    config_check_name(&reading, &given, all_read);
    config_check_peers(&reading);
    config_check_kinds(&reading, "access.chaos.allow", &reading.config->allowed_chaos);
    config_check_kinds(&reading, "access.chaos.deny", &reading.config->denied_chaos);
    config_callers_check(&reading, "access.callers.allow", &config->allowed_callers);
    config_callers_check(&reading, "access.callers.deny", &config->denied_callers);
    if (config->schedules.count && !config->scenario_dir)
        config_problem(&reading, "schedules", "need a scenario_dir");
    if (config->audit_required && !config->audit_file)
        config_problem(&reading, "audit.required", "needs an audit.file");
    config_find_cookie(&reading, &given);
    config_find_token(&reading, &given);
    config_tls_find(&reading, given.action == CONFIG_ONE_SHOT);
    if (given.action != CONFIG_ONE_SHOT)
        config_tls_find_http(&reading);
    config_point_to_help(&reading, &given);
    return reading.problem_count ? CONFIG_INVALID : given.action;
}

void config_free(struct config *config)
{
    size_t key_count;
    const struct config_key *keys = config_keys(&key_count);
    for (size_t i = 0; i < key_count; i++)
        config_key_clear(config, &keys[i]);
    cookie_free(config->cookie);
    cookie_free(config->http_token);
    config->cookie = config->http_token = NULL;
    config_tls_clear(config);
}
