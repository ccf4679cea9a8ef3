/* What a report has. */
#ifndef HARNESSD_RUN_REPORT_TABLE_H
#define HARNESSD_RUN_REPORT_TABLE_H

#include "term/help.h"

/* The table of its keys, for help. */
const struct help_table *report_table(void);

#endif
