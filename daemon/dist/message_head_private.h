/* The beginning of a message whose end was not kept. It says whom the message is for, and most often what of
 * theirs: a reply has its tag in front, a call its caller, a request for a function what the answer goes to.
 */
#ifndef HARNESSD_DIST_MESSAGE_HEAD_PRIVATE_H
#define HARNESSD_DIST_MESSAGE_HEAD_PRIVATE_H

#include "base/buffer.h"
#include "term/term_check.h"

/* Bytes behind the header of a message that are kept. */
#define MESSAGE_HEAD_BYTES (64 * 1024)

/* Reads the control tuple and the payload that begin at `data`, of which `size` bytes are there; `versioned`
 * ones each begin with 131. Both are appended to `output`, whole and canonical: in a tuple or list that is
 * not all there `stand_in` takes the place of each element that is not, and in that of anything else that is
 * not all there. In the payload of a message for a name, an element that is a tuple or list is opened
 * likewise. `sizes` are theirs; that of the payload is 0 when it is not known whether there is one. False,
 * with the problem, when what is there is malformed. */
MUST_CHECK bool message_head_read(struct term head, bool versioned, const struct term_atoms *atoms,
                                  struct term stand_in, struct buffer *output, size_t sizes[2],
                                  const char **problem);

#endif
