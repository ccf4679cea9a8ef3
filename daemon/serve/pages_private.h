/* What there is over HTTP. */
#ifndef HARNESSD_SERVE_PAGES_PRIVATE_H
#define HARNESSD_SERVE_PAGES_PRIVATE_H

#include "term/help.h"

/* The table of the pages, for help. */
const struct help_table *pages_table(void);

#endif
