/* Help as text for a shell, in Elixir's notation: of functions, of what scenarios and reports are made of,
 * of errors, and of faults.
 */
#include <assert.h>
#include <string.h>

#include "api_private.h"
#include "base/nearest.h"
#include "faults/fault_outcome.h"
#include "measure/result.h"
#include "pages_private.h"
#include "report/reason.h"
#include "run/report_table.h"
#include "scenario/fault_kinds.h"
#include "scenario/problems.h"
#include "scenario/scenario_term.h"
#include "term/term_notation.h"
#include "term/term_read.h"

#define WIDTH 100
#define TOPICS_MOST 128

static void api_help_append(struct buffer *text, const char *words)
{
    buffer_append(text, words, strlen(words));
}

/* Words in lines, each behind so many spaces. */
static void api_help_append_wrapped(struct buffer *text, const char *words, size_t indent)
{
    size_t column = 0;
    while (*(words += strspn(words, " "))) {
        size_t size = strcspn(words, " ");
        if (column && column + 1 + size > WIDTH) {
            api_help_append(text, "\n");
            column = 0;
        }
        if (column)
            api_help_append(text, " ");
        for (size_t i = 0; !column && i < indent; i++)
            api_help_append(text, " ");
        buffer_append(text, words, size);
        column += size + (column ? 1 : indent);
        words += size;
    }
    api_help_append(text, "\n");
}

/* What one of the writers of notation makes of it, in lines. */
static void api_help_append_as(struct buffer *text, void (*write)(const char *words, struct buffer *output),
                               const char *words, size_t indent)
{
    struct buffer written = {0};
    write(words, &written);
    buffer_append(&written, "", 1);
    api_help_append_wrapped(text, (const char *)buffer_bytes(&written), indent);
    buffer_free(&written);
}

static void api_help_append_row(struct buffer *text, const struct help *help)
{
    struct buffer value = {0};
    help_value(help, true, &value);
    api_help_append(text, "  ");
    term_notation_elixir(help->type ? "" : help->name, text);
    api_help_append(text, help->type ? help->name : "");
    api_help_append(text, "\n");
    api_help_append_as(text, term_notation_prose, help->text, 6);
    buffer_append(&value, "", 1);
    if (value.size > 1)
        api_help_append_wrapped(text, (const char *)buffer_bytes(&value), 6);
    buffer_free(&value);
}

static void api_help_append_table(struct buffer *text, const struct help_table *table)
{
    api_help_append(text, table->title);
    api_help_append(text, ":\n");
    for (size_t i = 0; i < table->count; i++)
        api_help_append_row(text, help_row(table, i));
}

static void api_help_append_expectations(struct buffer *text)
{
    api_help_append(text, "Expectations:\n");
    for (size_t kind = 0; kind < EXPECTATION_KINDS; kind++)
        api_help_append_row(text, expectation_help((enum expectation_kind)kind));
    api_help_append(text, "\n");
}

static void api_help_append_fault(struct buffer *text, const struct fault_kind *kind)
{
    struct buffer shape = {0};
    fault_kind_shape(kind, &shape);
    buffer_append(&shape, "", 1);
    api_help_append_as(text, term_notation_elixir, (const char *)buffer_bytes(&shape), 0);
    buffer_free(&shape);
    api_help_append_as(text, term_notation_prose, kind->help, 2);
    if (kind->undone)
        api_help_append_as(text, term_notation_prose, kind->undone, 2);
    for (size_t i = 0; i < kind->argument_count + kind->option_count; i++) {
        const struct fault_option *option =
            i < kind->argument_count ? &kind->arguments[i] : &kind->options[i - kind->argument_count];
        const struct help help = fault_option_help(option);
        api_help_append_row(text, &help);
    }
    api_help_append(text, "\n");
}

/* Those of this name, or all of them. */
static void api_help_append_faults(struct buffer *text, const struct term *name)
{
    size_t count;
    const struct fault_kind *kinds = fault_kinds(&count);
    for (size_t i = 0; i < count; i++)
        if (!name || term_is_atom(*name, kinds[i].name))
            api_help_append_fault(text, &kinds[i]);
}

static void api_help_append_function(struct buffer *text, const struct api_function *function)
{
    api_help_append_as(text, term_notation_elixir, function->usage, 0);
    api_help_append(text, "\n");
    api_help_append_as(text, term_notation_prose, function->help, 0);
    for (const char *line = function->example; line && *line; line += strcspn(line, "\n") + 1) {
        api_help_append(text, line == function->example ? "\n    " : "    ");
        buffer_append(text, line, strcspn(line, "\n") + 1);
    }
    api_help_append(text, "\n");
}

/* Those of scenarios come first, and that of their keys before all. NULL behind the last one. */
static const struct help_table *api_help_table(size_t index)
{
    static const struct help_table *(*const others[])(void) = {
        report_table,   results_table, reasons_table, fault_outcomes_table,
        problems_table, answers_table, pages_table};
    size_t count;
    const struct help_table *const *tables = scenario_tables(&count);
    if (index < count)
        return tables[index];
    return index - count < ARRAY_LENGTH(others) ? others[index - count]() : NULL;
}

static void api_help_append_topics(struct buffer *text)
{
    struct buffer topics = {0};
    const struct help_table *table;
    api_help_append(&topics, "faults, expectations");
    for (size_t i = 0; (table = api_help_table(i)); i++) {
        api_help_append(&topics, ", ");
        api_help_append(&topics, table->name);
    }
    buffer_append(&topics, "", 1);
    api_help_append(text, "\nhelp(topic) tells more about each function, each kind of fault, and:\n");
    api_help_append_wrapped(text, (const char *)buffer_bytes(&topics), 2);
    buffer_free(&topics);
}

static void api_help_answer(struct request *request, struct buffer *text)
{
    term_build_binary(request_answer(request), buffer_bytes(text), text->size);
    request_return(request);
    buffer_free(text);
}

void serve_help(struct api *api, struct request *request)
{
    (void)api;
    struct buffer text = {0};
    size_t count;
    const struct api_function *functions = api_functions(&count);
    api_help_append(&text,
                    "Functions of this node. Call them from any connected node:\n"
                    "  :erpc.call(node, :harness, function, arguments)       :erpc / :rpc\n"
                    "  GenServer.call({:harness, node}, {function, arg...})  a bare atom when it has no "
                    "arguments\n\n");
    for (size_t i = 0; i < count; i++) {
        if (!functions[i].usage)
            continue;
        api_help_append(&text, "  ");
        term_notation_elixir(functions[i].usage, &text);
        api_help_append(&text, "\n");
    }
    api_help_append_topics(&text);
    api_help_answer(request, &text);
}

/* The names of all topics. */
static size_t api_help_list_topics(const char *names[TOPICS_MOST])
{
    size_t count, used = 0;
    const struct api_function *functions = api_functions(&count);
    for (size_t i = 0; i < count; i++)
        if (functions[i].usage)
            names[used++] = functions[i].name;
    const struct help_table *table;
    for (size_t i = 0; (table = api_help_table(i)); i++)
        names[used++] = table->name;
    const struct fault_kind *kinds = fault_kinds(&count);
    for (size_t i = 0; i < count; i++)
        names[used++] = kinds[i].name;
    names[used++] = "faults";
    names[used++] = "expectations";
    assert(used <= TOPICS_MOST);
    return used;
}

static void api_help_append_nearest(struct buffer *text, struct term topic)
{
    const char *names[TOPICS_MOST];
    char name[TERM_ATOM_BYTES + 1];
    const char *nearest = NULL;
    if (term_read_atom(topic, name))
        nearest = nearest_word(name, strlen(name), names, api_help_list_topics(names));
    api_help_append(text, "There is no such topic; ");
    if (nearest)
        buffer_print(text, "did you mean %s? ", nearest);
    api_help_append(text, "help() lists those that there are.\n");
}

void api_help_write_on(struct term topic, struct buffer *text)
{
    size_t count;
    const struct api_function *functions = api_functions(&count);
    for (size_t i = 0; i < count; i++)
        if (functions[i].usage && term_is_atom(topic, functions[i].name))
            api_help_append_function(text, &functions[i]);
    const struct help_table *table;
    bool is_run = term_is_atom(topic, "run");
    for (size_t i = 0; (table = api_help_table(i)); i++)
        if (term_is_atom(topic, table->name) || (is_run && i == 0))
            api_help_append_table(text, table);
    if (is_run)
        api_help_append_topics(text);
    if (term_is_atom(topic, "expectations"))
        api_help_append_expectations(text);
    api_help_append_faults(text, term_is_atom(topic, "faults") ? NULL : &topic);
    if (!text->size)
        api_help_append_nearest(text, topic);
}

void serve_help_on(struct api *api, struct request *request)
{
    (void)api;
    struct buffer text = {0};
    api_help_write_on(request->arguments[0], &text);
    api_help_answer(request, &text);
}
