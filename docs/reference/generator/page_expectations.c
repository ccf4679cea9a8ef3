#include "markdown.h"
#include "pages.h"
#include "scenario/expectations.h"

void page_expectations(struct buffer *page)
{
    markdown_paragraph(
        page, "The key `performance_expectations` of a [scenario](scenario.md) is a keyword list, or "
              "a map, of what the run has to stay within. The run as a whole is judged when it "
              "has ended; of several that it has missed the first is its error. Those that "
              "`abort_when` names are judged each second as well, from the end of `warmup_ms` "
              "on, and end the run as soon as one is missed. One that nothing was measured for "
              "is neither met nor missed while the run goes on, and missed in the end, but for "
              "`max_recovery_ms` when chance has said no to every fault.");
    for (size_t kind = 0; kind < EXPECTATION_KINDS; kind++)
        markdown_item(page, expectation_help((enum expectation_kind)kind));
    markdown_append(page, "\n");
    markdown_examples(page,
                      "iex> {:ok, report} = :erpc.call(h, :harness, :run, [%{\n"
                      "...>   target: {:account, :\"app@127.0.0.1\"},\n"
                      "...>   load: %{rate: 500, duration_ms: 2_000},\n"
                      "...>   operations: [:balance],\n"
                      "...>   performance_expectations: [max_p99_us: 500_000, max_error_rate: 0.001],\n"
                      "...>   abort_when: [:max_error_rate]\n"
                      "...> }]); report.expectations\n",
                      "2> {ok, #{expectations := Expectations}} = erpc:call(H, harness, run, [#{\n"
                      "2>     target => {account, 'app@127.0.0.1'}, threads => [[balance]],\n"
                      "2>     performance_expectations => [{max_time_ms, 500}]}]), Expectations.\n");
}
