#include "term/help.h"

#include <string.h>

#include "term/term_notation.h"
#include "term/term_text.h"

static void help_append(struct buffer *output, const char *text)
{
    buffer_append(output, text, strlen(text));
}

static void help_append_code(struct buffer *output, bool elixir, const char *code)
{
    if (elixir)
        term_notation_elixir(code, output);
    else
        help_append(output, code);
}

void help_fallback(const struct help *help, bool elixir, struct buffer *output)
{
    char text[200];
    if (help->is_required)
        help_append(output, "required");
    if (help->fallback.data)
        help_append_code(output, elixir, term_text(help->fallback, text, sizeof(text)));
    if (help->fallback.data && help->fallback_text)
        help_append(output, "; ");
    if (help->fallback_text && elixir)
        term_notation_prose(help->fallback_text, output);
    else if (help->fallback_text)
        help_append(output, help->fallback_text);
}

void help_value(const struct help *help, bool elixir, struct buffer *output)
{
    size_t before = output->size;
    help_append_code(output, elixir, help->type ? help->type : "");
    if (help->unit)
        help_append(output, ", ");
    help_append(output, help->unit ? help->unit : "");
    if (!help->is_required && !help->fallback.data && !help->fallback_text)
        return;
    help_append(output, output->size > before ? "; " : "");
    help_append(output, help->is_required ? "" : "default ");
    help_fallback(help, elixir, output);
}
