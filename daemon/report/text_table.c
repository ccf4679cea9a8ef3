#include "text_table_private.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define GAP 2
#define DOTS "..."
#define LEAST_WIDTH 8 /* of a column that is cut */

void text_table_init(struct text_table *table, const struct text_column *columns, size_t count)
{
    assert(count <= TEXT_TABLE_COLUMNS);
    *table = (struct text_table){.columns = columns, .column_count = count};
}

void text_table_free(struct text_table *table)
{
    for (size_t i = 0; i < table->cell_count; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (struct text_table){0};
}

void text_table_add(struct text_table *table, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *cell = memory_format_list(format, arguments);
    va_end(arguments);
    for (char *c = cell; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    if (table->cell_count == table->capacity) {
        table->capacity = table->capacity ? table->capacity * 2 : 32;
        table->cells = memory_resize(table->cells, table->capacity, sizeof(*table->cells));
    }
    table->cells[table->cell_count++] = cell;
}

/* In characters of UTF-8. */
static size_t table_width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

/* The bytes of the first `width` characters. */
static size_t table_bytes_of(const char *text, size_t width)
{
    const char *at = text;
    while (*at && (width || ((unsigned char)*at & 0xc0) == 0x80)) {
        width -= ((unsigned char)*at & 0xc0) != 0x80;
        at++;
    }
    return (size_t)(at - text);
}

static void table_measure(const struct text_table *table, size_t indent, size_t widths[TEXT_TABLE_COLUMNS])
{
    size_t all = indent;
    for (size_t i = 0; i < table->column_count; i++)
        widths[i] = table->columns[i].title ? table_width_of(table->columns[i].title) : 0;
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t width = table_width_of(table->cells[i]), *widest = &widths[i % table->column_count];
        *widest = width > *widest ? width : *widest;
    }
    for (size_t i = 0; i < table->column_count; i++)
        all += widths[i] + (i ? GAP : 0);
    for (size_t i = 0; i < table->column_count && all > TEXT_WIDTH; i++) {
        size_t excess = all - TEXT_WIDTH;
        if (table->columns[i].flexible)
            widths[i] = widths[i] > excess + LEAST_WIDTH ? widths[i] - excess : LEAST_WIDTH;
    }
}

static void table_write_cell(const struct text_column *column, const char *cell, size_t width, bool is_last,
                             struct buffer *text)
{
    size_t used = table_width_of(cell);
    bool cut = column->flexible && used > width;
    size_t bytes = cut ? table_bytes_of(cell, width - strlen(DOTS)) : strlen(cell);
    int blanks = !cut && used < width ? (int)(width - used) : 0;
    if (column->right)
        buffer_print(text, "%*s", blanks, "");
    buffer_append(text, cell, bytes);
    if (cut)
        buffer_print(text, DOTS);
    if (!column->right && !is_last)
        buffer_print(text, "%*s", blanks, "");
}

/* Nothing stands behind the last cell that has something in it. */
static void table_write_row(const struct text_table *table, const char *const *cells, const size_t *widths,
                            size_t indent, struct buffer *text)
{
    size_t count = table->column_count;
    while (count && !*cells[count - 1])
        count--;
    buffer_print(text, "%*s", (int)indent, "");
    for (size_t i = 0; i < count; i++) {
        buffer_print(text, "%*s", i ? GAP : 0, "");
        table_write_cell(&table->columns[i], cells[i], widths[i], i + 1 == count, text);
    }
    buffer_append(text, "\n", 1);
}

void text_table_write(const struct text_table *table, size_t indent, struct buffer *text)
{
    size_t widths[TEXT_TABLE_COLUMNS];
    const char *titles[TEXT_TABLE_COLUMNS];
    bool titled = false;
    table_measure(table, indent, widths);
    for (size_t i = 0; i < table->column_count; i++) {
        titles[i] = table->columns[i].title ? table->columns[i].title : "";
        titled |= table->columns[i].title != NULL;
    }
    if (titled)
        table_write_row(table, titles, widths, indent, text);
    for (size_t i = 0; i + table->column_count <= table->cell_count; i += table->column_count)
        table_write_row(table, (const char *const *)table->cells + i, widths, indent, text);
}
