/* The daemon: wiring only. What is made here is made once, in the order of the layers, and taken apart in the
 * opposite one. */
#ifndef HARNESSD_DAEMON_H
#define HARNESSD_DAEMON_H

#include "config/config.h"
#include "config/exit_status.h"

/* Serves until it is asked to stop. The configuration, which was read from this command line, is read from it
 * again when that is asked for; it stays the caller's. What it ends with, which is logged if it is no
 * success.
 */
MUST_CHECK enum exit_status daemon_run(struct config *config, int argc, char **argv);

#endif
