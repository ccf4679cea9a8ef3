#include "fill.h"

#include <stdlib.h>
#include <string.h>

#include "api_private.h"
#include "base/memory.h"
#include "faults/fault_outcome.h"
#include "markdown.h"
#include "measure/result.h"
#include "pages_private.h"
#include "report/reason.h"
#include "run/report_table.h"
#include "scenario/problems.h"
#include "scenario/scenario_json.h"

#define BEGINNING "<!-- table "
#define CLOSING " -->"
#define END "<!-- end -->"

static const struct fill {
    const struct help_table *(*table)(void);
    const char *column; /* what its names are; NULL: shapes, for both notations */
} fills[] = {
    {answers_table, NULL},
    {fault_outcomes_table, NULL},
    {pages_table, "path"},
    {problems_table, "problem"},
    {json_targets_table, "JSON"},
    {json_operations_table, "JSON"},
    {json_fault_targets_table, "JSON"},
    {reasons_table, NULL},
    {report_table, "key"},
    {results_table, NULL},
};

static void append_plain(struct buffer *page, const struct help_table *table, const char *column)
{
    const char *const columns[] = {column, "", NULL};
    markdown_head(page, columns);
    for (size_t i = 0; i < table->count; i++) {
        char *name = memory_format("`%s`", help_row(table, i)->name);
        const char *const cells[] = {name, help_row(table, i)->text, NULL};
        markdown_row(page, cells);
        free(name);
    }
    markdown_append(page, "\n");
}

static bool append_table(struct buffer *page, const char *line)
{
    const char *name = line + strlen(BEGINNING);
    for (size_t i = 0; i < ARRAY_LENGTH(fills); i++) {
        const struct help_table *table = fills[i].table();
        size_t size = strlen(table->name);
        if (strncmp(name, table->name, size) != 0 || strcmp(name + size, CLOSING) != 0)
            continue;
        if (fills[i].column)
            append_plain(page, table, fills[i].column);
        else
            markdown_help_table(page, table);
        return true;
    }
    return false;
}

bool fill(struct buffer *page, const char *written)
{
    char *copy = memory_string(written), *rest = copy, *line;
    bool is_table = false, is_good = true;
    size_t count = 0;
    while ((line = strsep(&rest, "\n"))) {
        is_table = is_table && strcmp(line, END) != 0;
        if (is_table || (!rest && !*line))
            continue;
        markdown_print(page, "%s\n", line);
        if (strncmp(line, BEGINNING, strlen(BEGINNING)) != 0)
            continue;
        markdown_append(page, "\n");
        is_good = append_table(page, line) && is_good;
        is_table = true;
        count++;
    }
    free(copy);
    return is_good && !is_table && count;
}
