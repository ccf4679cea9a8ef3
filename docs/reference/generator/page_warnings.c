#include "markdown.h"
#include "pages.h"
#include "report/warnings.h"

void page_warnings(struct buffer *page)
{
    static const char *const columns[] = {"warning", "", NULL};
    markdown_paragraph(
        page,
        "The key `warnings` of a [report](report.md) is a list of what weakens its verdict, "
        "though it need not change it: each a map of `warning`, a `message` for people, and "
        "what else the table names. `show` and `harnessd run` put them first, and they are "
        "in the log. That a term is too deep for JSON says a `warning` of the [JSON](report.md#as-json) "
        "alone, as the term that is answered has all of it.");
    markdown_head(page, columns);
    for (enum warning_kind i = 0; i < WARNING_KINDS; i++) {
        struct buffer name = {0};
        markdown_span(&name, warning_help(i)->name);
        buffer_append(&name, "", 1);
        const char *const cells[] = {(const char *)buffer_bytes(&name), warning_help(i)->text, NULL};
        markdown_row(page, cells);
        buffer_free(&name);
    }
    markdown_append(page, "\n");
    markdown_examples(page,
                      "iex> {:ok, report} = :erpc.call(h, :harness, :run, [%{\n"
                      "...>   target: {:nobody, :\"app@127.0.0.1\"}, threads: [[:balance]]\n"
                      "...> }]); for w <- report.warnings, do: w.message\n",
                      "2> {ok, #{warnings := Warnings}} = erpc:call(H, harness, run, [#{\n"
                      "2>     target => {nobody, 'app@127.0.0.1'}, threads => [[balance]]}]), Warnings.\n");
}
