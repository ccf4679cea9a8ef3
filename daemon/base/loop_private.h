/* What the loop decides, for its test. */
#ifndef HARNESSD_BASE_LOOP_PRIVATE_H
#define HARNESSD_BASE_LOOP_PRIVATE_H

#include "base/loop.h"

/* How long the loop rests after a pass in which loop_gather() was called. */
uint64_t loop_rest_ns(const struct loop *loop);

#endif
