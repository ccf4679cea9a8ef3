#include "config/config_parts.h"

#include "base/clock.h"
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
                                  .max_bytes = config->audit_max_bytes,
                                  .keep = config->audit_keep,
                                  .required = config->audit_required};
}

struct runner_limits config_runner_limits(const struct config *config)
{
    return (struct runner_limits){.events = config->limit_events,
                                  .event_bytes = config->limit_event_bytes,
                                  .custom = config->limit_custom};
}
