/* Pages of the manual, from templates in man(7) that have lines such as
 *
 *     .\" insert configuration.md#keys
 *
 * where a page of the reference, or a section of one, is to stand, or a file in JSON, by its path from the
 * folder of the reference. */
#ifndef HARNESSD_REFERENCE_TEMPLATE_H
#define HARNESSD_REFERENCE_TEMPLATE_H

#include <stdbool.h>

#include "base/compiler.h"

/* Writes a page of the manual with what the folder of the reference has. False when it cannot, which standard
 * error is told of. */
MUST_CHECK bool template_fill(const char *folder, const char *template, const char *output);

#endif
