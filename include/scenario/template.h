/* Messages with placeholders. These tuples are replaced, wherever they stand in tuples, lists, tails of lists
 * and values of maps, by a fresh value at each use:
 *
 *     {'$int', Low, High}   an integer from Low to High, each equally likely; both have 64 bits with the sign
 *     {'$seq'}              the number of uses so far
 *     {'$thread'}           the number of the virtual thread
 *     {'$step'}             the number of its step
 *     {'$pick', List}       an element of the list, each equally likely, with placeholders of its own
 *     {'$zipf', N, S}       an integer from 1 to N (at most 2^53), k with a probability in proportion to k^-S
 *     {'$bytes', N}         a binary of N random bytes (at most 1 MiB)
 *
 * Other tuples whose first element begins with a $ are what they are: {'$gen_call', ...} is a message. In
 * keys of maps placeholders are refused, as two keys could become the same; what a fun holds is not looked
 * at.
 *
 * A template is the message compiled to a flat program, which is walked once for each use: no recursion, and
 * no allocation but for the output's growth. */
#ifndef HARNESSD_SCENARIO_TEMPLATE_H
#define HARNESSD_SCENARIO_TEMPLATE_H

#include "base/buffer.h"
#include "base/random.h"
#include "scenario/problems.h"
#include "term/term.h"

#define TEMPLATE_BYTES_MOST (1 << 20)

struct template;

/* What an expansion depends on, and on nothing else: the same draw gives the same bytes. */
struct draw {
    struct random random;
    uint64_t thread;
    uint64_t step;
    uint64_t sequence; /* the next {'$seq'} */
};

/* Compiles a checked, canonical message. NULL when it has no placeholders, and is sent as it is, or when
 * there are problems with them (kind invalid_placeholder), which are added under the path that the caller has
 * entered. The template borrows from the message and is freed with template_free(). Takes time and memory in
 * proportion to the message's size. */
MUST_CHECK struct template *template_read(struct term message, struct problems *problems);

void template_free(struct template *template); /* NULL is ignored */

/* Appends one expansion: a canonical term, integers in their shortest form. `draw->random` goes on,
 * `draw->sequence` by the number of {'$seq'} that were used. Not to be called from two threads at once with
 * one template, which has the scratch memory. */
void template_expand(const struct template *template, struct draw *draw, struct buffer *output);

/* The most {'$seq'} that one expansion uses. */
size_t template_sequences(const struct template *template);

/* The most bytes that an expansion can have. A few placeholders make it far larger than the message: whoever
 * has a limit for messages holds it against this. */
size_t template_bytes(const struct template *template);

#endif
