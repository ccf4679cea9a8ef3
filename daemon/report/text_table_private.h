/* Tables of text for people: columns aligned, two blanks between them, no rules. */
#ifndef HARNESSD_REPORT_TEXT_TABLE_PRIVATE_H
#define HARNESSD_REPORT_TEXT_TABLE_PRIVATE_H

#include <stdbool.h>

#include "base/buffer.h"

#define TEXT_TABLE_COLUMNS 10

/* What lines of text may be wide. */
#define TEXT_WIDTH 100

struct text_column {
    const char *title; /* NULL in all columns: the table has no line of titles */
    bool right;        /* aligned to the right, as numbers are */
    bool flexible;     /* is cut where a line would get wider than TEXT_WIDTH; one column at most is */
};

struct text_table {
    const struct text_column *columns;
    size_t column_count;
    char **cells; /* row by row */
    size_t cell_count;
    size_t capacity;
};

void text_table_init(struct text_table *table, const struct text_column *columns, size_t count);
void text_table_free(struct text_table *table);

/* Adds a cell behind the last one; a row is full when all its columns are. Line ends and other control
 * characters become blanks. */
void text_table_add(struct text_table *table, const char *format, ...) PRINTF_LIKE(2, 3);

/* Appends the lines, each `indent` blanks from the left. */
void text_table_write(const struct text_table *table, size_t indent, struct buffer *text);

#endif
