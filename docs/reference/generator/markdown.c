#include "markdown.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "term/term_notation.h"

void markdown_append(struct buffer *page, const char *text)
{
    buffer_append(page, text, strlen(text));
}

void markdown_print(struct buffer *page, const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int size = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (size < 0)
        abort();
    buffer_append(page, text, (size_t)size);
    free(text);
}

void markdown_heading(struct buffer *page, int level, const char *text)
{
    markdown_print(page, "%.*s %s\n\n", level, "######", text);
}

void markdown_paragraph(struct buffer *page, const char *text)
{
    markdown_print(page, "%s\n\n", text);
}

void markdown_code(struct buffer *page, const char *language, const char *lines)
{
    size_t size = strlen(lines);
    bool ends = size && lines[size - 1] == '\n';
    markdown_print(page, "```%s\n%s%s```\n\n", language, lines, ends ? "" : "\n");
}

/* Lines that name the daemon's node, and what follows them. */
static void markdown_append_session(struct buffer *page, const char *language, const char *first,
                                    const char *lines)
{
    struct buffer session = {0};
    markdown_print(&session, "%s%s", first, lines);
    buffer_append(&session, "", 1);
    markdown_code(page, language, (const char *)buffer_bytes(&session));
    buffer_free(&session);
}

void markdown_examples(struct buffer *page, const char *elixir, const char *erlang)
{
    markdown_heading(page, 2, "Examples");
    markdown_paragraph(page, "A node to test, a daemon and a shell, in the folder of the source:");
    markdown_code(page, "sh",
                  "sh tests/playground.sh stop    # what an earlier page has left\n"
                  "sh tests/playground.sh start\niex --name shell@127.0.0.1\n");
    markdown_append_session(page, "elixir", "iex> h = :\"harness@127.0.0.1\"\n", elixir);
    if (!erlang)
        return;
    markdown_paragraph(page, "From `erl -name erl@127.0.0.1`:");
    markdown_append_session(page, "erlang", "1> H = 'harness@127.0.0.1'.\n", erlang);
}

void markdown_span(struct buffer *page, const char *code)
{
    markdown_print(page, "`%s`", code);
}

/* What would begin an item, a heading, a table or a quotation at the beginning of a line. */
static bool markdown_is_mark(const char *word, size_t size)
{
    size_t digits = strspn(word, "0123456789");
    return strchr("-+*#>|", *word) || (digits && digits + 1 == size && strchr(".)", word[digits]));
}

/* Up to the next space that is not between backticks. */
static size_t markdown_word_size(const char *word, const char *end)
{
    bool is_code = false;
    size_t size = 0;
    for (; word + size < end && (is_code || word[size] != ' '); size++)
        is_code ^= word[size] == '`';
    return size;
}

/* Two spaces at the end of a line end one of the text, and are kept. */
static void markdown_wrap_line(struct buffer *wrapped, const char *line, size_t size)
{
    const char *end = line + size;
    size_t spaces = strspn(line, " "), column = spaces;
    size_t indent = spaces + (strncmp(line + spaces, "- ", 2) == 0 ? 2 : 0);
    bool ends = size > 2 && strncmp(end - 2, "  ", 2) == 0;
    buffer_append(wrapped, line, spaces);
    for (const char *word = line + spaces; word < end;) {
        size_t length = markdown_word_size(word, end);
        bool is_first = column == spaces;
        if (!is_first && column + 1 + length > MARKDOWN_WIDTH && !markdown_is_mark(word, length)) {
            markdown_print(wrapped, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!is_first) {
            markdown_append(wrapped, " ");
            column++;
        }
        buffer_append(wrapped, word, length);
        column += length;
        word += length;
        while (word < end && *word == ' ')
            word++;
    }
    markdown_append(wrapped, ends ? "  \n" : "\n");
}

void markdown_wrap(const char *page, struct buffer *wrapped)
{
    bool is_code = false;
    while (*page) {
        size_t size = strcspn(page, "\n");
        bool is_fence = strncmp(page, "```", 3) == 0;
        if (is_code || is_fence || !size || strchr("#|<", *page)) {
            buffer_append(wrapped, page, size);
            markdown_append(wrapped, "\n");
        } else {
            markdown_wrap_line(wrapped, page, size);
        }
        is_code ^= is_fence;
        page += size + (page[size] == '\n');
    }
}

void markdown_head(struct buffer *page, const char *const columns[])
{
    markdown_row(page, columns);
    for (size_t i = 0; columns[i]; i++)
        markdown_append(page, "| --- ");
    markdown_append(page, "|\n");
}

/* A bar would begin the next cell, in code as well. */
void markdown_row(struct buffer *page, const char *const cells[])
{
    for (size_t i = 0; cells[i]; i++) {
        markdown_append(page, "| ");
        for (const char *c = cells[i]; *c; c++)
            markdown_print(page, *c == '|' ? "\\%c" : "%c", *c);
        markdown_append(page, *cells[i] ? " " : "");
    }
    markdown_append(page, "|\n");
}

void markdown_sentence(struct buffer *page, const char *text)
{
    markdown_print(page, "%c%s.", toupper((unsigned char)*text), text + 1);
}

/* What help_fallback() writes, with the term as code. */
static void markdown_append_fallback(struct buffer *page, const struct help *help)
{
    struct buffer text = {0};
    struct help term_only = {.fallback = help->fallback};
    help_fallback(&term_only, false, &text);
    buffer_append(&text, "", 1);
    markdown_append(page, "; default ");
    if (help->fallback.data)
        markdown_span(page, (const char *)buffer_bytes(&text));
    markdown_print(page, "%s%s", help->fallback.data && help->fallback_text ? "; " : "",
                   help->fallback_text ? help->fallback_text : "");
    buffer_free(&text);
}

void markdown_item(struct buffer *page, const struct help *help)
{
    markdown_print(page, "- **`%s`**: `%s`", help->name, help->type);
    if (help->unit)
        markdown_print(page, ", %s", help->unit);
    if (help->is_required)
        markdown_append(page, "; required");
    else if (help->fallback.data || help->fallback_text)
        markdown_append_fallback(page, help);
    markdown_print(page, "  \n  %s\n", help->text);
}

static void markdown_append_shape(struct buffer *page, const struct help *help)
{
    struct buffer erlang = {0}, elixir = {0};
    markdown_span(&erlang, help->name);
    markdown_append(&elixir, "`");
    term_notation_elixir(help->name, &elixir);
    markdown_append(&elixir, "`");
    buffer_append(&erlang, "", 1);
    buffer_append(&elixir, "", 1);
    const char *const cells[] = {(const char *)buffer_bytes(&erlang), (const char *)buffer_bytes(&elixir),
                                 help->text, NULL};
    markdown_row(page, cells);
    buffer_free(&erlang);
    buffer_free(&elixir);
}

void markdown_help_table(struct buffer *page, const struct help_table *table)
{
    static const char *const columns[] = {"Erlang", "Elixir", "", NULL};
    bool has_types = help_row(table, 0)->type;
    if (!has_types)
        markdown_head(page, columns);
    for (size_t i = 0; i < table->count; i++) {
        if (has_types)
            markdown_item(page, help_row(table, i));
        else
            markdown_append_shape(page, help_row(table, i));
    }
    markdown_append(page, "\n");
}

void markdown_key_table(struct buffer *page, const struct help_table *table, const char *column)
{
    const char *const columns[] = {column, "", NULL};
    markdown_head(page, columns);
    for (size_t i = 0; i < table->count; i++) {
        struct buffer name = {0};
        markdown_span(&name, help_row(table, i)->name);
        buffer_append(&name, "", 1);
        const char *const cells[] = {(const char *)buffer_bytes(&name), help_row(table, i)->text, NULL};
        markdown_row(page, cells);
        buffer_free(&name);
    }
    markdown_append(page, "\n");
}
