/* Counts of errors by reason: of the first ERRORS_REASONS distinct ones each its own, of all others together.
 * In the place of a reason of more than ERRORS_REASON_BYTES stands its class (error_class_private.h). */
#ifndef HARNESSD_MEASURE_ERRORS_H
#define HARNESSD_MEASURE_ERRORS_H

#include "measure/terms.h"
#include "term/term_build.h"

#define ERRORS_REASONS 64
#define ERRORS_OTHER ERRORS_REASONS /* stands for all others where a reason has a number */
#define ERRORS_REASON_BYTES 4096

struct errors {
    struct terms terms;
    uint32_t reasons[ERRORS_REASONS];
    uint64_t counts[ERRORS_REASONS + 1]; /* the last is of all others */
    size_t reason_count;
    uint64_t total;
    struct buffer
        joined; /* a reason that is looked for, and sorted: kept, so that counting does not allocate */
    struct buffer sorted;
};

/* All zero is no errors. */
void errors_free(struct errors *errors);

/* Counts an error and returns the number of its reason, 0 to ERRORS_REASONS - 1 in the order in which they
 * came, or ERRORS_OTHER. */
size_t errors_count(struct errors *errors, const struct term_long *reason);

/* Counts another one that has the reason of this number. */
void errors_count_again(struct errors *errors, size_t number);

/* The exception of {Exception, Stack}, whose head has that tuple. False when it is too large to look for
 * where it ends. */
MUST_CHECK bool errors_read_exception(const struct term_long *reason, struct term_long *exception);

/* Appends a map from reason to count; the others are under `other`. */
void errors_build(const struct errors *errors, struct term_builder *builder);

/* The same for other counts of these reasons, each at its number; those of 0 are left out. */
void errors_build_counts(const struct errors *errors, const uint64_t counts[ERRORS_REASONS + 1],
                         struct term_builder *builder);

#endif
