/* The flags of the command line. */
#ifndef HARNESSD_CONFIG_CONFIG_FLAGS_PRIVATE_H
#define HARNESSD_CONFIG_CONFIG_FLAGS_PRIVATE_H

#include <stdio.h>

#include "config/config_key.h"

#define CONFIG_FLAGS_MOST 24
#define CONFIG_USAGE_COLUMN 29 /* where help begins */

struct config_flag {
    const char *name;
    char letter;               /* short for it, or 0 */
    const char *argument;      /* NULL: takes none */
    bool is_optional;          /* it may be left out, and stands behind `=` */
    bool is_output;            /* it says where to write, and can be given once */
    const char *key;           /* the key that it sets, or NULL */
    const char *names;         /* what it makes of node.names, or NULL */
    enum config_action action; /* what it asks for, CONFIG_RUN for nothing else */
    enum { FOR_BOTH, FOR_DAEMON, FOR_RUN } whom;
    const char *help;
};

/* The table. */
const struct config_flag *config_flags(size_t *count);

struct config_flags {
    const char
        *values[CONFIG_FLAGS_MOST]; /* by position; "" for a flag without argument, NULL when not given */
    const char *file;               /* to read or to check, or NULL */
    const char *name_source;        /* the flag or key that the node's name is from */
    const char *command;            /* a first word that is none that there is, or NULL */
    bool has_name;                  /* it is from a flag */
    bool is_wrong;                  /* a problem of the command line was told of */
    enum config_action action;
};

/* Sorts the command line into `given`, and what `run` is told into the configuration. */
void config_flags_read(struct config_reading *reading, int argc, char **argv, struct config_flags *given);

/* Sets the keys that flags were given for. */
void config_flags_apply(struct config_reading *reading, const struct config_flags *given);

/* A line for each flag of the daemon, or of `run`. */
void config_flags_usage(FILE *output, bool of_run);

#endif
