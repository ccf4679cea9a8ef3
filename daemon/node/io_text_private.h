/* Text as nodes print it, unicode:chardata(): binaries, characters, and lists of these however deep. */
#ifndef HARNESSD_NODE_IO_TEXT_PRIVATE_H
#define HARNESSD_NODE_IO_TEXT_PRIVATE_H

#include "base/buffer.h"
#include "term/term.h"

/* Of a text that is to be shown; what is behind it is left out. */
#define IO_TEXT_BYTES_MOST 4096

/* Lists, texts and characters that are read for it; what is behind them is left out, and the text says so. */
#define IO_TEXT_VALUES_MOST 10000

/* Appends what begins there as UTF-8, up to IO_TEXT_BYTES_MOST in the buffer. False when it is no such text,
 * as far as that was read; a part of it may have been appended. */
MUST_CHECK bool io_text_append(struct term chardata, struct buffer *text);

#endif
