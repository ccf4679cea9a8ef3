#include "io_text_private.h"

#include <string.h>

#include "base/utf8.h"
#include "term/term_read.h"

static bool io_text_is_full(const struct buffer *text)
{
    return text->size >= IO_TEXT_BYTES_MOST;
}

/* A leaf, or a string, which is one to the wire. */
static bool io_text_append_leaf(struct term leaf, struct buffer *text)
{
    const uint8_t *data;
    size_t size;
    int64_t character;
    uint8_t bytes[4];
    struct term_list string;
    struct term element;
    if (term_read_binary(leaf, &data, &size)) {
        size_t room = IO_TEXT_BYTES_MOST - text->size;
        buffer_append(text, data, size < room ? size : room);
    } else if (term_read_integer(leaf, &character)) {
        if (character < 0 || character > 0x10ffff)
            return false;
        buffer_append(text, bytes, utf8_encode((uint32_t)character, bytes));
    } else {
        if (!term_list_start(&string, leaf))
            return false;
        while (!io_text_is_full(text) && term_list_next(&string, &element))
            if (!io_text_append_leaf(element, text))
                return false;
    }
    return true;
}

/* What a list has inside follows it, so that one walk over its bytes meets all leaves in their order. */
bool io_text_append(struct term chardata, struct buffer *text)
{
    const uint8_t *at = chardata.data;
    size_t values = 1;
    for (size_t read = 0; values && !io_text_is_full(text); read++, values--) {
        struct term_head head = term_read_head(at);
        bool is_list = *at == TERM_TAG_LIST;
        if (read == IO_TEXT_VALUES_MOST) {
            buffer_append(text, "...", strlen("..."));
            return true;
        }
        if (!is_list && (head.values || !io_text_append_leaf((struct term){at, head.size}, text)))
            return false;
        at += head.size;
        values += head.values;
    }
    return true;
}
