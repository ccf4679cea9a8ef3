#include "config/config_parts.h"

#include <string.h>

#include "access_private.h"
#include "base/clock.h"
#include "base/log.h"
#include "dist/flags.h"

struct epmd_options config_epmd_options(const struct config *config)
{
    return (struct epmd_options){.host = config->epmd_host ? config->epmd_host : "localhost",
                                 .port = config->epmd_port,
                                 .start = config->epmd_start};
}

struct handshake_identity config_identity(const struct config *config)
{
    return (struct handshake_identity){
        .node = config->node_name,
        .cookie = config->cookie,
        .flags = config->atom_cache ? FLAGS_OFFERED : FLAGS_OFFERED & ~FLAG_DIST_HDR_ATOM_CACHE};
}

struct peers_options config_peers_options(const struct config *config)
{
    return (struct peers_options){.ticktime_ns = config->net_ticktime_s * CLOCK_NS_PER_S,
                                  .frame_bytes = config->limit_frame_bytes,
                                  .queued_bytes = config->limit_queued_bytes,
                                  .pending_handshakes = config->limit_pending_handshakes};
}

struct audit_options config_audit_options(const struct config *config)
{
    return (struct audit_options){.file = config->audit_file,
                                  .max_bytes = config->audit_bytes,
                                  .keep = config->audit_keep,
                                  .required = config->audit_required};
}

static bool config_dials_plain(void *owner, const char *node)
{
    return access_matches(&((const struct config *)owner)->tls_dials_plainly, node);
}

static bool config_accepts(const struct config *config, const char *what)
{
    for (size_t i = 0; i < config->tls_accept.count; i++)
        if (strcmp(config->tls_accept.items[i], what) == 0)
            return true;
    return false;
}

struct transports *config_transports(const struct config *config, struct tls **tls, char **problem)
{
    *problem = NULL;
    *tls = config->tls ? tls_new(config->tls, strchr(config->node_name, '@') + 1, problem) : NULL;
    struct transports_options options = {.tls = *tls,
                                         .accepts_tls = config_accepts(config, "tls"),
                                         .accepts_plain = config_accepts(config, "plain"),
                                         .dials_plain = config_dials_plain,
                                         .owner = (void *)config};
    for (size_t i = 0; i < config->tls_ignored.count; i++)
        log_each(LOG_LEVEL_INFO, "option of TLS has no effect here",
                 log_string("option", config->tls_ignored.items[i]), log_string("file", config->tls_optfile));
    return *tls ? transports_new(&options) : NULL;
}

struct runner_limits config_runner_limits(const struct config *config)
{
    return (struct runner_limits){.events = config->limit_events,
                                  .event_bytes = config->limit_event_bytes,
                                  .custom = config->limit_custom};
}
