#include "api_private.h"
#include "markdown.h"
#include "pages.h"

#include <string.h>

/* With the prompts of iex; comments are for who reads them in a shell. */
static void api_page_append_example(struct buffer *page, const char *example)
{
    struct buffer lines = {0};
    for (const char *line = example; *line; line += strcspn(line, "\n") + 1) {
        bool goes_on = strchr(" ]})", *line) != NULL;
        if (*line != '#')
            markdown_print(&lines, "%s %.*s\n", goes_on ? "...>" : "iex>", (int)strcspn(line, "\n"), line);
    }
    buffer_append(&lines, "", 1);
    markdown_code(page, "elixir", (const char *)buffer_bytes(&lines));
    buffer_free(&lines);
}

static void api_page_append_function(struct buffer *page, const struct api_function *functions, size_t count,
                                     size_t at)
{
    const struct api_function *function = &functions[at];
    markdown_print(page, "## %s/%zu", function->name, function->arity);
    for (size_t i = at + 1; i < count && !functions[i].usage; i++)
        markdown_print(page, ", %s/%zu", functions[i].name, functions[i].arity);
    markdown_append(page, "\n\n");
    markdown_code(page, "text", function->usage);
    markdown_paragraph(page, function->help);
    if (function->example)
        api_page_append_example(page, function->example);
    for (size_t i = 0; function->tables[i]; i++) {
        const struct help_table *table = function->tables[i]();
        markdown_heading(page, 3, table->title);
        markdown_key_table(page, table, "key");
    }
}

void page_api(struct buffer *page)
{
    static const char *const columns[] = {"from", "how", NULL};
    static const char *const ways[][3] = {
        {"erpc", "`erpc:call(Node, harness, Function, Arguments)`, and `send_request`, `multicall`, `cast`",
         NULL},
        {"rpc", "`rpc:call(Node, harness, Function, Arguments)`", NULL},
        {"a GenServer call",
         "`gen_server:call({harness, Node}, {Function, Argument, ...}, infinity)`; a bare atom when there "
         "are no "
         "arguments",
         NULL},
        {"C and Java nodes, `erl_call`", "rpc through `rex`, as to any node", NULL},
    };
    markdown_paragraph(page,
                       "Functions of the daemon's node, which any node of its cluster calls. Usage is in "
                       "Erlang's notation, examples are for iex. "
                       "`help()` and `help(Topic)` have the same text for iex, `help(erlang)` and "
                       "`help(Topic, erlang)` for erl.");
    markdown_head(page, columns);
    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++)
        markdown_row(page, ways[i]);
    markdown_append(page, "\n");
    markdown_paragraph(page,
                       "`'Elixir.Supertester.ConcurrentHarness'` may stand in the place of `harness` as the "
                       "module. An unknown function is `undef` over erpc and rpc, whose `error_info` has the "
                       "nearest one, and `{error, {undef, {Function, Arity}}}` over a GenServer call.");
    markdown_examples(page, "iex> :erpc.call(h, :harness, :info, []).version\n",
                      "2> maps:get(version, erpc:call(H, harness, info, [])).\n");
    size_t count;
    const struct api_function *functions = api_functions(&count);
    for (size_t i = 0; i < count; i++)
        if (functions[i].usage)
            api_page_append_function(page, functions, count, i);
}
