/* Why operations fail. A target takes all of its calls along for one reason: thousands may end of one that
 * has many megabytes, so that it is kept, read and told apart from others once. */
#ifndef HARNESSD_LOAD_FAILURE_PRIVATE_H
#define HARNESSD_LOAD_FAILURE_PRIVATE_H

#include "load/load_record.h"

/* Of a target, as long as its calls are being ended. All zero is none. */
struct failure {
    enum result_kind kind;
    struct term_kept reason;
    bool is_missing_handler; /* it died of not knowing the message that a cast is synchronised with */
    bool is_counted;         /* as these: */
    size_t number;           /* of errors_count() */
    size_t place;            /* of error_samples_count() */
};

void failure_set(struct failure *failure, enum result_kind kind, const struct term_long *reason,
                 struct loop *loop);
void failure_free(struct failure *failure);

/* Counts an operation that has failed, of RESULT_EXIT because its target has; the number of its reason. */
size_t failure_count(struct load_record *record, struct failure *of_target, enum result_kind kind,
                     const struct term_long *reason, uint32_t operation, uint64_t at_us);

#endif
