#ifndef HARNESSD_CONFIG_ACCESS_PRIVATE_H
#define HARNESSD_CONFIG_ACCESS_PRIVATE_H

#include <stdbool.h>

#include "config/config.h"

/* Whether one of these shell patterns matches. */
bool access_matches(const struct config_list *patterns, const char *name);

#endif
