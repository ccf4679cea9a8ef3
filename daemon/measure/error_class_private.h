/* What errors of one kind have in common: their reason without what differs from one to the next. */
#ifndef HARNESSD_MEASURE_ERROR_CLASS_PRIVATE_H
#define HARNESSD_MEASURE_ERROR_CLASS_PRIVATE_H

#include "term/term_long.h"

#define ERROR_CLASS_BYTES 2048

/* Appends the class of a reason, a term of at most ERROR_CLASS_BYTES whatever the size of the reason, the
 * same for equal reasons however a node has written them:
 *
 *     atoms                as they are
 *     tuples               their elements
 *     stack traces         the modules, functions and arities of the first frames, {M, F, A} each
 *     exceptions           the name of their struct and their message; other structs, %{__struct__: name}
 *     binaries             a text of moderate length, with `_` for each number in it
 *     lists                the empty one, and short ones of what is no number
 *     all else             the atom '_': numbers, pids, ports, references, funs, maps, long or deep terms,
 * and what is behind more values than anybody looks at */
void error_class(const struct term_long *reason, struct buffer *output);

#endif
