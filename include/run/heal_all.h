/* The way out of every fault at once, whoever's run has injected it. */
#ifndef HARNESSD_RUN_HEAL_ALL_H
#define HARNESSD_RUN_HEAL_ALL_H

#include "run/runner.h"

/* Undoes every lasting fault of every run, which then injects nothing more, and looks whether they are gone.
 * `healed` is a list of %{run_id:, kind:, action:, target:, undone:}, borrowed for the call, which may come
 * from within this one. */
void heal_all(struct runner *runner, struct node *node, void (*done)(void *owner, struct term healed),
              void *owner);

#endif
