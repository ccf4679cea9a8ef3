/* Who uses a folder, for others who want to: a file beside the lock, which is the folder itself. */
#ifndef HARNESSD_STORE_STORE_HOLDER_PRIVATE_H
#define HARNESSD_STORE_STORE_HOLDER_PRIVATE_H

#include "base/compiler.h"

/* We do. It says so as far as it can be written. */
void store_holder_write(int folder, const char *holder);

/* "harness@app1, process 4711", to be freed; NULL when nobody has said. */
MUST_CHECK char *store_holder_read(int folder);

#endif
