#include "markdown.h"
#include "pages.h"
#include "report/warnings.h"

void page_warnings(struct buffer *page)
{
    static const char *const columns[] = {"warning", "", NULL};
    markdown_paragraph(page,
                       "The key `warnings` of a [report](report.md) is a list of what weakens its verdict, "
                       "though it need not change it: each a map of `warning`, a `message` for people, and "
                       "what else the table names. `show` and `harnessd run` put them first, and they are "
                       "in the log.");
    markdown_code(page, "elixir",
                  "iex> for w <- report.warnings, do: w.message\n"
                  "[\"no operation has succeeded\"]\n");
    markdown_code(page, "erlang", "1> [M || #{message := M} <- maps:get(warnings, Report)].\n");
    markdown_head(page, columns);
    for (enum warning_kind i = 0; i < WARNING_KINDS; i++) {
        struct buffer name = {0};
        markdown_span(&name, warning_help(i)->name);
        buffer_append(&name, "", 1);
        const char *const cells[] = {(const char *)buffer_bytes(&name), warning_help(i)->text, NULL};
        markdown_row(page, cells);
        buffer_free(&name);
    }
}
