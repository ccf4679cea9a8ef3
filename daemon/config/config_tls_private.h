/* What the keys of TLS, or the optfile that they name, come to: of nodes and of HTTP. */
#ifndef HARNESSD_CONFIG_CONFIG_TLS_PRIVATE_H
#define HARNESSD_CONFIG_CONFIG_TLS_PRIVATE_H

#include "config/config_key.h"

/* Fills in `tls` of the configuration when it is on, and tells what is wrong with keys and files;
 * `only_dials`: nobody dials this node. All keys were read, and the name of the node. */
void config_tls_find(struct config_reading *reading, bool only_dials);

/* Likewise `http_tls`. */
void config_tls_find_http(struct config_reading *reading);

void config_tls_clear(struct config *config);

#endif
