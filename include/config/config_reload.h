/* Reading the configuration again while the daemon runs. */
#ifndef HARNESSD_CONFIG_CONFIG_RELOAD_H
#define HARNESSD_CONFIG_CONFIG_RELOAD_H

#include "config/config.h"

/* Reads flags and file as config_load() did and takes over into `config` what has changed, as far as it can
 * change while the daemon runs (config_key.reloads); what was there before is then in `old`, to be given to
 * config_free(), but for `http_tls`, of which the new one is there, to be taken when its files are read. Logs
 * a line for each key that has changed, one for each that has but needs a restart, and one in the end. False
 * when anything is wrong: each problem is logged with its path, and `config` stays as it is, whole. */
MUST_CHECK bool config_reload(int argc, char **argv, struct config *config, struct config *old);

#endif
