/* What the environment says. */
#ifndef HARNESSD_CONFIG_CONFIG_USAGE_PRIVATE_H
#define HARNESSD_CONFIG_CONFIG_USAGE_PRIVATE_H

#include <stddef.h>

struct config_variable {
    const char *name;
    const char *help;
};

/* The table, for help: who reads a variable knows its name. */
const struct config_variable *config_variables(size_t *count);

#endif
