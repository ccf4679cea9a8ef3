/* What weakens the verdict on a run, as of now. */
#ifndef HARNESSD_RUN_RUN_WARNINGS_PRIVATE_H
#define HARNESSD_RUN_RUN_WARNINGS_PRIVATE_H

#include "run_private.h"

void run_warnings_find(const struct run *run, struct warnings *warnings);
void run_warnings_build(const struct run *run, struct term_builder *builder);
void run_warnings_log(const struct run *run);

/* Those of them that are about this daemon and its machine. */
void run_warnings_find_own(const struct run *run, struct warnings *warnings);

#endif
