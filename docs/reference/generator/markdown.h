/* Pages in Markdown. Text may have code between backticks. */
#ifndef HARNESSD_REFERENCE_MARKDOWN_H
#define HARNESSD_REFERENCE_MARKDOWN_H

#include "base/buffer.h"
#include "base/compiler.h"
#include "term/help.h"

void markdown_append(struct buffer *page, const char *text);
void markdown_print(struct buffer *page, const char *format, ...) PRINTF_LIKE(2, 3);

void markdown_heading(struct buffer *page, int level, const char *text);
void markdown_paragraph(struct buffer *page, const char *text);

/* Lines of code, the last of which may end in a newline. */
void markdown_code(struct buffer *page, const char *language, const char *lines);

/* The heading of a page's examples, which begin with what they need: a node to test, a daemon, a shell. Their
 * lines run as they are printed, one page after the other. `elixir` and `erlang` come behind the lines that
 * name the daemon's node. */
void markdown_examples(struct buffer *page, const char *elixir, const char *erlang);

/* A line between backticks. */
void markdown_span(struct buffer *page, const char *code);

/* Breaks paragraphs and items of lists into lines of up to MARKDOWN_WIDTH columns; headings, tables, code and
 * comments stay as they are, and code between backticks stays on one line. */
#define MARKDOWN_WIDTH 150
void markdown_wrap(const char *page, struct buffer *wrapped);

/* A table: its head, and a row of as many cells, NULL at the end. */
void markdown_head(struct buffer *page, const char *const columns[]);
void markdown_row(struct buffer *page, const char *const cells[]);

/* A sentence of what a table of the program has without a capital letter and a full stop. */
void markdown_sentence(struct buffer *page, const char *text);

/* An item of a list: how it is called, how its value is to be given, and what it is for. */
void markdown_item(struct buffer *page, const struct help *help);

/* A table of the program: keys with values as a list, shapes as a table in both notations. */
void markdown_help_table(struct buffer *page, const struct help_table *table);

/* One of what are no shapes, with what its names are above them: "key". */
void markdown_key_table(struct buffer *page, const struct help_table *table, const char *column);

#endif
