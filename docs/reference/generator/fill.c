#include "fill.h"

#include <stdlib.h>
#include <string.h>

#include "api_private.h"
#include "audit/audit_line.h"
#include "base/memory.h"
#include "config/exit_status.h"
#include "faults/fault_outcome.h"
#include "markdown.h"
#include "measure/cause.h"
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
    {answers_table, NULL},           {exit_statuses_table, "status"},
    {fault_outcomes_table, NULL},    {pages_table, "path"},
    {problems_table, "problem"},     {json_targets_table, "JSON"},
    {json_operations_table, "JSON"}, {json_fault_targets_table, "JSON"},
    {reasons_table, NULL},           {report_table, "key"},
    {results_table, NULL},           {causes_table, "cause"},
    {audit_events_table, "event"},   {audit_keys_table, "key"},
};

_Static_assert(ARRAY_LENGTH(fills) == FILL_TABLES, "the header says how many tables there are");

/* Where the table of a line is in `fills`; FILL_TABLES when there is none. */
static size_t fill_find(const char *line)
{
    const char *name = line + strlen(BEGINNING);
    for (size_t i = 0; i < FILL_TABLES; i++) {
        const char *known = fills[i].table()->name;
        size_t size = strlen(known);
        if (strncmp(name, known, size) == 0 && strcmp(name + size, CLOSING) == 0)
            return i;
    }
    return FILL_TABLES;
}

/* NULL, or what is wrong. */
static const char *fill_append_table(struct buffer *page, const char *line, struct fill_uses *uses)
{
    size_t index = fill_find(line);
    if (index == FILL_TABLES)
        return "there is no such table";
    uses->count[index]++;
    markdown_append(page, "\n");
    if (fills[index].column)
        markdown_key_table(page, fills[index].table(), fills[index].column);
    else
        markdown_help_table(page, fills[index].table());
    return NULL;
}

/* What is wrong with a line, or NULL. What the old rows were is not asked: the new ones stand in their
 * place. Anything else would be lost. */
static const char *fill_line(struct buffer *page, const char *line, struct fill_uses *uses, bool *is_table)
{
    bool begins = strncmp(line, BEGINNING, strlen(BEGINNING)) == 0, ends = strcmp(line, END) == 0;
    if (begins && *is_table)
        return "a table begins within a table: the one before has no end";
    if (ends && !*is_table)
        return "no table ends here";
    if (*is_table && !ends)
        return *line && *line != '|' ? "no row of a table, before the end of one" : NULL;
    markdown_print(page, "%s\n", line);
    *is_table = begins;
    return begins ? fill_append_table(page, line, uses) : NULL;
}

bool fill(struct buffer *page, const char *written, struct fill_uses *uses, struct fill_problem *problem)
{
    char *copy = memory_string(written), *rest = copy, *line;
    size_t begun = 0; /* the line where the last table began */
    bool is_table = false;
    *problem = (struct fill_problem){0};
    while (!problem->text && (line = strsep(&rest, "\n"))) {
        problem->line++;
        if (rest || *line)
            problem->text = fill_line(page, line, uses, &is_table);
        if (strncmp(line, BEGINNING, strlen(BEGINNING)) == 0)
            begun = problem->line;
    }
    if (!problem->text && is_table)
        *problem = (struct fill_problem){begun, "a table has no end"};
    free(copy);
    return !problem->text;
}

const char *fill_misused(const struct fill_uses *uses)
{
    for (size_t i = 0; i < FILL_TABLES; i++)
        if (uses->count[i] != 1)
            return fills[i].table()->name;
    return NULL;
}
