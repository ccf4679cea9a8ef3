#include "config/config_reload.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "config/config_key.h"

static void reload_log_problems(char *problems)
{
    size_t count = 0;
    char *rest = problems;
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (!*line)
            continue;
        log_each(LOG_LEVEL_ERROR, "problem with the configuration", log_string("problem", line));
        count++;
    }
    log_error("configuration is not reloaded, the one before stays", log_integer("problems", (int64_t)count));
}

static void reload_log_change(const struct config_key *key, const json_t *from, const json_t *to)
{
    char *old = json_dumps(from, JSON_ENCODE_ANY);
    char *new = json_dumps(to, JSON_ENCODE_ANY);
    if (key->reloads)
        log_each(LOG_LEVEL_INFO, "configuration changed", log_string("key", key->path),
                 log_string("from", old), log_string("to", new));
    else
        log_each(LOG_LEVEL_WARNING, "configuration change needs a restart", log_string("key", key->path),
                 log_string("from", old), log_string("to", new));
    free(old);
    free(new);
}

/* What the cookie is stays out of the log, like all of it. */
static bool reload_cookie_changed(const struct config *config, const struct config *fresh)
{
    if (strcmp(config->cookie, fresh->cookie) == 0)
        return false;
    log_warning("configuration change needs a restart", log_string("key", "node.cookie_file"),
                log_string("reason", "the cookie is another one"));
    return true;
}

/* It may be another one in the same file. */
static bool reload_take_token(struct config *config, struct config *fresh)
{
    char *old = config->http_token, *new = fresh->http_token;
    bool changed = !old != !new || (old && strcmp(old, new) != 0);
    config->http_token = new;
    fresh->http_token = old;
    if (changed)
        log_info("the token of HTTP is another one", log_string("key", "http.token_file"));
    return changed;
}

static void reload_take_over(struct config *config, struct config *fresh)
{
    size_t count;
    size_t changed = reload_take_token(config, fresh);
    size_t waiting = reload_cookie_changed(config, fresh);
    const struct config_key *keys = config_keys(&count);
    for (size_t i = 0; i < count; i++) {
        json_t *from = config_key_value(config, &keys[i]);
        json_t *to = config_key_value(fresh, &keys[i]);
        if (!json_equal(from, to)) {
            reload_log_change(&keys[i], from, to);
            changed += keys[i].reloads;
            waiting += !keys[i].reloads;
        }
        if (keys[i].reloads)
            config_key_swap(config, fresh, &keys[i]);
        json_decref(from);
        json_decref(to);
    }
    log_info("configuration reloaded", log_integer("changed", (int64_t)changed),
             log_integer("need_restart", (int64_t)waiting));
}

bool config_reload(int argc, char **argv, struct config *config, struct config *old)
{
    char *problems = NULL;
    size_t size = 0;
    FILE *output = open_memstream(&problems, &size);
    if (!output) {
        log_error("configuration is not reloaded: out of memory");
        return false;
    }
    *old = (struct config){.functions = config->functions};
    bool valid = config_load(argc, argv, old, output) == CONFIG_RUN;
    fclose(output);
    if (valid) {
        reload_take_over(config, old);
    } else {
        reload_log_problems(problems);
        config_free(old);
    }
    free(problems);
    return valid;
}
