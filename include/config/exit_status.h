/* What the daemon ends with. */
#ifndef HARNESSD_CONFIG_EXIT_STATUS_H
#define HARNESSD_CONFIG_EXIT_STATUS_H

#include "term/help.h"

enum exit_status {
    EXIT_STATUS_ASKED,
    EXIT_STATUS_FAILED,
    EXIT_STATUS_MISCONFIGURED,
    EXIT_STATUS_NAME_TAKEN,
    EXIT_STATUSES
};

/* The table of them, for the reference: the name of each is its number. */
const struct help_table *exit_statuses_table(void);

#endif
