#include "term/help.h"

#include <string.h>

#include "term/term_notation.h"
#include "term/term_text.h"

static void append(struct buffer *output, const char *text)
{
    buffer_append(output, text, strlen(text));
}

static void append_code(struct buffer *output, bool elixir, const char *code)
{
    if (elixir)
        term_notation_elixir(code, output);
    else
        append(output, code);
}

void help_fallback(const struct help *help, bool elixir, struct buffer *output)
{
    char text[200];
    if (help->is_required)
        append(output, "required");
    if (help->fallback.data)
        append_code(output, elixir, term_text(help->fallback, text, sizeof(text)));
    if (help->fallback.data && help->fallback_text)
        append(output, "; ");
    if (help->fallback_text && elixir)
        term_notation_prose(help->fallback_text, output);
    else if (help->fallback_text)
        append(output, help->fallback_text);
}

void help_value(const struct help *help, bool elixir, struct buffer *output)
{
    size_t before = output->size;
    append_code(output, elixir, help->type ? help->type : "");
    if (help->unit)
        append(output, ", ");
    append(output, help->unit ? help->unit : "");
    if (!help->is_required && !help->fallback.data && !help->fallback_text)
        return;
    append(output, output->size > before ? "; " : "");
    append(output, help->is_required ? "" : "default ");
    help_fallback(help, elixir, output);
}
