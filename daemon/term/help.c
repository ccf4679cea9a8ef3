#include "term/help.h"

#include <string.h>

#include "term/term_text.h"

static void append(struct buffer *output, const char *text)
{
    buffer_append(output, text, strlen(text));
}

void help_fallback(const struct help *help, struct buffer *output)
{
    char text[200];
    if (help->is_required)
        append(output, "required");
    if (help->fallback.data)
        append(output, term_text(help->fallback, text, sizeof(text)));
    if (help->fallback.data && help->fallback_text)
        append(output, "; ");
    if (help->fallback_text)
        append(output, help->fallback_text);
}

void help_value(const struct help *help, struct buffer *output)
{
    size_t before = output->size;
    append(output, help->type ? help->type : "");
    if (help->unit)
        append(output, ", ");
    append(output, help->unit ? help->unit : "");
    if (!help->is_required && !help->fallback.data && !help->fallback_text)
        return;
    append(output, output->size > before ? "; " : "");
    append(output, help->is_required ? "" : "default ");
    help_fallback(help, output);
}
