/* What the parts of the program are made with, as the configuration has it. */
#ifndef HARNESSD_CONFIG_CONFIG_PARTS_H
#define HARNESSD_CONFIG_CONFIG_PARTS_H

#include "audit/audit.h"
#include "config/config.h"
#include "dist/epmd.h"
#include "dist/handshake.h"
#include "dist/peers.h"
#include "run/runner.h"

struct epmd_options config_epmd_options(const struct config *config);

/* Its creation is still to be set. */
struct handshake_identity config_identity(const struct config *config);

/* The limits alone: whom the table works for is still to be set. */
struct peers_options config_peers_options(const struct config *config);

/* Its file is NULL when there is none. */
struct audit_options config_audit_options(const struct config *config);

/* What connections are made over: NULL when TLS is off, and when its files cannot be read (any more), which
 * is a problem, to be freed. The configuration outlives it. Options of the optfile that have no effect are
 * logged. */
struct transports *config_transports(const struct config *config, struct tls **tls, char **problem);

struct runner_limits config_runner_limits(const struct config *config);

#endif
