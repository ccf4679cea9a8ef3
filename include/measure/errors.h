/* Counts of errors by reason: of the first ERRORS_REASONS distinct ones of at most ERRORS_REASON_BYTES each
 * its own, of all others together. */
#ifndef HARNESSD_MEASURE_ERRORS_H
#define HARNESSD_MEASURE_ERRORS_H

#include "measure/terms.h"
#include "term/term_build.h"

#define ERRORS_REASONS 64
#define ERRORS_REASON_BYTES 4096

struct errors {
    struct terms terms;
    uint32_t reasons[ERRORS_REASONS];
    uint64_t counts[ERRORS_REASONS];
    size_t reason_count;
    uint64_t others;
    uint64_t total;
};

/* All zero is no errors. */
void errors_free(struct errors *errors);
void errors_count(struct errors *errors, struct term reason);

/* Appends a map from reason to count; the others are under `other`. */
void errors_build(const struct errors *errors, struct term_builder *builder);

#endif
