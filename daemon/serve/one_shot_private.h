/* Where `harnessd run` tells what came of a run: standard output, and the files that were asked for. These
 * are written twice: at the beginning, lest one of an earlier run survives whatever happens, they say that
 * the run was interrupted. */
#ifndef HARNESSD_SERVE_ONE_SHOT_PRIVATE_H
#define HARNESSD_SERVE_ONE_SHOT_PRIVATE_H

#include <stdio.h>
#include <sys/stat.h>

#include "config/config.h"
#include "report/outcome.h"
#include "term/term_build.h"

/* The files that a scenario was read from: its own first, then those of its hooks. */
struct one_shot_inputs {
    struct stat *files;
    size_t count;
};

struct one_shot_outputs {
    const struct config_one_shot *given;
    FILE *junit; /* open until it is told; NULL where none is wanted */
    FILE *json;
};

/* What there is to tell: a result as it is stored (run_result.h). */
struct one_shot_story {
    uint64_t run_id; /* 0: it never had one */
    enum outcome outcome;
    struct term result;
    bool is_known; /* standard error has it: it is not told as text */
};

/* Opens the files: an hour later it would be too late to find that they cannot be. False then, with a line on
 * standard error for each. One that is the same file as an input or another output, by whatever name, is
 * refused and left as it is. */
MUST_CHECK bool one_shot_outputs_open(struct one_shot_outputs *outputs, const struct config_one_shot *given,
                                      const struct one_shot_inputs *inputs);

/* Tells it in each way that was asked for, and closes the files. What it returns is how the run stands then:
 * one that could not be told of has not completed. */
enum outcome one_shot_outputs_tell(struct one_shot_outputs *outputs, const struct one_shot_story *story);

#endif
