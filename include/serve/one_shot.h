/* `harnessd run FILE`: one run, its progress on standard error, and what came of it on standard output. */
#ifndef HARNESSD_SERVE_ONE_SHOT_H
#define HARNESSD_SERVE_ONE_SHOT_H

#include "config/config.h"
#include "run/runner.h"

struct one_shot;

/* Reads the scenario, and opens what is to be written: NULL when that cannot be, each problem being printed
 * to standard error on a line of its own. */
MUST_CHECK struct one_shot *one_shot_new(const struct config *config);

/* The program was started with flags or a configuration that are wrong in the way that `problems` says, of
 * which standard error was told: those who read what was to be written are told so as well. */
void one_shot_misconfigured(const struct config *config, const char *problems);

/* Connects to the node and runs the scenario; `done` is called once, never from within one_shot_start(), when
 * that is over. */
void one_shot_start(struct one_shot *one_shot, struct node *node, struct runner *runner,
                    void (*done)(void *owner), void *owner);

/* Has the run end, with its cleanup and report; before it has begun it never will. */
void one_shot_cancel(struct one_shot *one_shot);

/* Tells what came of it, waiting for whoever reads that: to be called once it is done, and nobody else waits
 * any more. What it returns is what the program is to end with: that of the run's outcome (outcome.h), and of
 * OUTCOME_FAILED when a run that has completed could not be told of. */
int one_shot_tell(struct one_shot *one_shot);

/* After runner_close(). */
void one_shot_free(struct one_shot *one_shot);

#endif
