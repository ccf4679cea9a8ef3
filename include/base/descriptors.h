/* Descriptors of the process, of which the system gives only so many. */
#ifndef HARNESSD_BASE_DESCRIPTORS_H
#define HARNESSD_BASE_DESCRIPTORS_H

#include <stdbool.h>

/* What is kept for our own files and connections, whoever connects: so many, or an eighth of a small limit.
 */
#define DESCRIPTORS_OF_OUR_OWN 64

/* Whether only those are left, as the one that was given last says: the lowest that is free is given first.
 */
bool descriptors_are_short(int newest);

#endif
