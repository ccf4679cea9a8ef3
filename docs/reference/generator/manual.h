/* Pages of the manual, in man(7), from the Markdown that the pages of the reference are in. */
#ifndef HARNESSD_REFERENCE_MANUAL_H
#define HARNESSD_REFERENCE_MANUAL_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/compiler.h"

/* Appends a section of a page, without its heading; what is below it in the page comes with it. `section` is
 * what a link to it has behind the #, or NULL for the whole page but its title and its section of examples:
 * a page of the manual has its own. Links become references where `manual`, the page that it is for
 * ("harnessd(8)"), is another one. False when there is no such section. */
MUST_CHECK bool manual_append(struct buffer *text, const char *manual, const char *page, const char *section);

/* Appends a file in JSON as code, without its comments, which have lines of their own. */
void manual_append_json(struct buffer *text, const char *json);

#endif
