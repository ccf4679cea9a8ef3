#include <stdio.h>

#include "markdown.h"
#include "pages.h"
#include "report/outcome.h"

void page_outcomes(struct buffer *page)
{
    static const char *const columns[] = {"outcome", "exit status", "", NULL};
    markdown_paragraph(page,
                       "How a run stands is one word, the same in `status`, `runs`, `show`, JSON, JUnit, "
                       "metrics, the log, subscriptions, and, as a number, in what `harnessd run` ends "
                       "with.");
    markdown_head(page, columns);
    for (enum outcome i = 0; i < OUTCOME_COUNT; i++) {
        struct buffer name = {0};
        char status[12] = "";
        if (i != OUTCOME_NONE)
            snprintf(status, sizeof(status), "%d", outcome_exit_status(i));
        markdown_span(&name, outcome_name(i));
        buffer_append(&name, "", 1);
        const char *const cells[] = {(const char *)buffer_bytes(&name), status, outcome_help(i), NULL};
        markdown_row(page, cells);
        buffer_free(&name);
    }
    markdown_append(page, "\n");
    markdown_examples(page,
                      "iex> {:ok, id} = :erpc.call(h, :harness, :start, [%{\n"
                      "...>   target: {:account, :\"app@127.0.0.1\"}, threads: [[:balance]], "
                      "performance_expectations: [max_p50_us: 0]\n"
                      "...> }])\n"
                      "iex> {:error, {:performance_failed, _}} = :erpc.call(h, :harness, :await, [id]); "
                      ":erpc.call(h, :harness, :status, [id]).outcome\n"
                      ":missed\n",
                      "2> [#{outcome := Outcome} | _] = erpc:call(H, harness, runs, []), Outcome.\n");
}
