/* The scenarios of a suite, as its caller has sent them. Looking at one is pure, and takes a walk or more
 * through it: what is large is looked at by a thread. */
#ifndef HARNESSD_SERVE_SUITE_SCENARIO_PRIVATE_H
#define HARNESSD_SERVE_SUITE_SCENARIO_PRIVATE_H

#include "term/term_build.h"
#include "term/term_read.h"

enum suite_kind {
    SUITE_NONE,        /* there is no scenario any more */
    SUITE_NO_MAP,      /* it is none, */
    SUITE_NO_TYPE,     /* has none, */
    SUITE_OTHER_TYPE,  /* or another than one of these */
    SUITE_ROUNDS,      /* kill_children */
    SUITE_CONCURRENT,  /* concurrent, with a scenario, */
    SUITE_BUILT,       /* or a fun that builds it, */
    SUITE_NO_SCENARIO, /* or neither */
    SUITE_KINDS
};

/* All zero at first; freed by suite_scenario_free(). */
struct suite_scenario {
    enum suite_kind kind;
    struct term term;           /* as it was sent */
    struct term inside;         /* the scenario to be run, or the fun */
    struct term_builder rounds; /* what is made of kill_children: `inside` is in it */
};

/* Whether the next one of a list takes long to look at. Bounded itself. */
bool suite_scenario_is_large(const struct term_list *list);

/* Takes the next one. All that is set borrows from the list, or is the scenario's own until the next look. */
void suite_scenario_next(struct suite_scenario *scenario, struct term_list *list, struct term target);

void suite_scenario_free(struct suite_scenario *scenario);

#endif
