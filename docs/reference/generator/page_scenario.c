#include "markdown.h"
#include "pages.h"
#include "scenario/scenario_term.h"

#include <string.h>

/* What is said before a table. */
static const struct {
    const char *table;
    const char *text;
} introductions[] = {
    {"scenario",
     "Defaults and types are in Erlang's notation. A hook is a fun or `{Module, Function, ExtraArguments}`, "
     "the extra arguments behind its own; `nil` stands for what is not given."},
    {"target", "A scenario has one `target()` or a list of them."},
    {"operation", "What a thread does, step by step."},
    {"placeholder",
     "Inside a message these tuples are replaced by a fresh value each time that it is sent; events show "
     "the message as it was sent. They stand anywhere but in keys of maps."},
    {"policy", "A `policy()` is the value of `events`."},
    {"form",
     "A `load()` has one of these forms. Nothing starts after its end; what is under way is awaited."},
    {"load", "Each key goes with some of the forms."},
    {"mix", "The choices of a `mix`, each a map or a keyword list."},
};

static void scenario_page_append_table(struct buffer *page, const struct help_table *table)
{
    markdown_heading(page, 2, table->title);
    for (size_t i = 0; i < ARRAY_LENGTH(introductions); i++)
        if (strcmp(introductions[i].table, table->name) == 0)
            markdown_paragraph(page, introductions[i].text);
    markdown_help_table(page, table);
}

/* Those that faults.md has. */
static bool scenario_page_is_of_faults(const struct help_table *table)
{
    return strcmp(table->name, "action") == 0 || strcmp(table->name, "fault_target") == 0;
}

void page_scenario(struct buffer *page)
{
    size_t count;
    const struct help_table *const *tables = scenario_tables(&count);
    markdown_paragraph(
        page, "A scenario is a map, a keyword list or a struct. It has a `setup` or a `target`, and "
              "`threads` or a `load`. What it can be judged by is in [expectations](expectations.md), "
              "what can be injected beside its load in [faults](faults.md).");
    markdown_examples(page,
                      "iex> {:ok, report} = :erpc.call(h, :harness, :run, [%{\n"
                      "...>   target: {:account, :\"app@127.0.0.1\"},\n"
                      "...>   threads: [[{:deposit, 1}, :balance], [{:cast, {:deposit, 10}}, {:withdraw, "
                      "{:\"$int\", 1, 6}}]]\n"
                      "...> }]); IO.puts(:erpc.call(h, :harness, :show, [report]))\n",
                      "2> {ok, Report} = erpc:call(H, harness, run, [#{\n"
                      "2>     target => {account, 'app@127.0.0.1'},\n"
                      "2>     load => #{rate => 500, duration_ms => 2000, arrival => poisson},\n"
                      "2>     mix => [#{weight => 9, op => {deposit, {'$int', 1, 6}}}, #{weight => 1, op => "
                      "{cast, {deposit, 1}}}]\n"
                      "2> }]), ok.\n"
                      "3> io:put_chars(erpc:call(H, harness, show, [Report])).\n");
    for (size_t i = 0; i < count; i++)
        if (!scenario_page_is_of_faults(tables[i]))
            scenario_page_append_table(page, tables[i]);
}
