/* The daemon: wiring only. What is made here is made once, in the order of the layers, and taken apart in the
 * opposite one. */
#ifndef HARNESSD_DAEMON_H
#define HARNESSD_DAEMON_H

#include "config/config.h"

/* Serves until it is asked to stop. The configuration, which was read from this command line, is read from it
 * again when that is asked for; it stays the caller's. False when it could not begin, which is logged. */
MUST_CHECK bool daemon_run(struct config *config, int argc, char **argv);

#endif
