#include "markdown.h"
#include "pages.h"
#include "scenario/fault_kinds.h"
#include "scenario/scenario_term.h"
#include "term/term_notation.h"

#include <string.h>

static void faults_page_append_option(struct buffer *page, const struct fault_option *option)
{
    const struct help help = fault_option_help(option);
    struct buffer text = {0};
    markdown_append(&text, help.text);
    if (option->type == FAULT_INTEGER)
        markdown_print(&text, " In %lld to %lld.", (long long)option->least, (long long)option->most);
    buffer_append(&text, "", 1);
    struct help whole = help;
    whole.text = (const char *)buffer_bytes(&text);
    markdown_item(page, &whole);
    buffer_free(&text);
}

static void faults_page_append_shapes(struct buffer *page, const struct fault_kind *kind)
{
    struct buffer erlang = {0}, elixir = {0};
    fault_kind_shape(kind, &erlang);
    buffer_append(&erlang, "", 1);
    term_notation_elixir((const char *)buffer_bytes(&erlang), &elixir);
    buffer_append(&elixir, "", 1);
    markdown_print(page, "`%s`, in Elixir `%s`, done to %s.\n\n", (const char *)buffer_bytes(&erlang),
                   (const char *)buffer_bytes(&elixir), fault_victim_text(kind->victim));
    buffer_free(&erlang);
    buffer_free(&elixir);
}

static void faults_page_append_kind(struct buffer *page, const struct fault_kind *kind)
{
    markdown_print(page, "### %s%s%s\n\n", kind->name, kind->resource ? " " : "",
                   kind->resource ? kind->resource : "");
    faults_page_append_shapes(page, kind);
    markdown_print(page, "%s", kind->help);
    if (kind->undone)
        markdown_print(page, " Undone: %s", kind->undone);
    markdown_append(page, "\n\n");
    for (size_t i = 0; i < kind->argument_count; i++)
        faults_page_append_option(page, &kind->arguments[i]);
    for (size_t i = 0; i < kind->option_count; i++)
        faults_page_append_option(page, &kind->options[i]);
    if (kind->argument_count + kind->option_count)
        markdown_append(page, "\n");
}

static void faults_page_append_tables(struct buffer *page)
{
    static const char *const names[] = {"action", "fault_target"};
    size_t count;
    const struct help_table *const *tables = scenario_tables(&count);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < ARRAY_LENGTH(names); j++) {
            if (strcmp(tables[i]->name, names[j]) != 0)
                continue;
            markdown_heading(page, 2, tables[i]->title);
            markdown_help_table(page, tables[i]);
        }
    }
}

void page_faults(struct buffer *page)
{
    size_t count;
    const struct fault_kind *kinds = fault_kinds(&count);
    markdown_paragraph(
        page, "The key `chaos` of a [scenario](scenario.md) is a chaos term, a scheduled action around "
              "one, or a list of them. Options are a keyword list and may be left out. Which kinds "
              "may be done, and to whom, is the say of `access` in the "
              "[configuration](configuration.md): by default none that is done to a node.");
    markdown_examples(
        page,
        "iex> {:ok, report} = :erpc.call(h, :harness, :run, [%{\n"
        "...>   target: {:account, :\"app@127.0.0.1\"},\n"
        "...>   load: %{rate: 500, duration_ms: 3_000},\n"
        "...>   operations: [:balance],\n"
        "...>   chaos: [\n"
        "...>     {:inject_crash, {:after_ms, 500}},\n"
        "...>     %{action: {:suspend, 200}, after_ms: 1_000, target: {:child, {:bank, "
        ":\"app@127.0.0.1\"}}}\n"
        "...>   ]\n"
        "...> }]); Enum.map(report.injections, &{&1.kind, &1.outcome, &1.recovery_ms})\n",
        "2> {ok, #{injections := [Injection]}} = erpc:call(H, harness, run, [#{\n"
        "2>     target => {account, 'app@127.0.0.1'}, threads => [[balance, {'$sleep', 300}, balance]],\n"
        "2>     chaos => #{action => {suspend, 100}, after_ms => 50}}]), Injection.\n");
    markdown_heading(page, 2, "Kinds of faults");
    for (size_t i = 0; i < count; i++)
        faults_page_append_kind(page, &kinds[i]);
    faults_page_append_tables(page);
}
