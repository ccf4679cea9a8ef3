/* Whether a run stayed within its expectations, with the messages of the library for one that did not. */
#ifndef HARNESSD_RUN_JUDGE_H
#define HARNESSD_RUN_JUDGE_H

#include "run.h"

/* Appends the exception for the first expectation that was missed between two measurements: a RuntimeError
 * where there is Elixir, elsewhere its message. False when none was missed. */
MUST_CHECK bool judge_missed(const struct expectations *expectations, const struct measurement *first,
                             const struct measurement *last, bool elixir, struct term_builder *exception);

/* Sets `failure` to {performance_failed, #{error => Exception, measurement => #{...}}}. */
void judge_build_failure(const struct measurement *first, const struct measurement *last,
                         struct term exception, struct buffer *failure);

/* Appends #{time_us, memory_bytes, reductions}. */
void judge_build_measurement(const struct measurement *first, const struct measurement *last,
                             struct term_builder *builder);

#endif
