/* Help as text for a shell, in Elixir's notation or in Erlang's: of functions, of what scenarios and reports
 * are made of, of errors, and of faults.
 */
#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "api_private.h"
#include "base/nearest.h"
#include "faults/fault_outcome.h"
#include "measure/result.h"
#include "pages_private.h"
#include "report/outcome.h"
#include "report/reason.h"
#include "run/report_table.h"
#include "scenario/fault_kinds.h"
#include "scenario/problems.h"
#include "scenario/scenario_term.h"
#include "term/term_notation.h"
#include "term/term_read.h"

#define WIDTH 100
#define TOPICS_MOST 128

/* How code is written, and prose with code in it. */
struct api_help_notation {
    void (*code)(const char *erlang, struct buffer *output);
    void (*prose)(const char *prose, struct buffer *output);
    bool is_elixir;
};

/* Topics by other names. */
static const struct {
    const char *name, *topic;
} synonyms[] = {
    {"chaos", "faults"}, {"config", "configuration"}, {"events", "subscribe"}, {"telemetry", "subscribe"}};

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

/* As tables have it. */
static void api_help_append_erlang(const char *code, struct buffer *output)
{
    api_help_append(output, code);
}

/* Without its backticks. */
static void api_help_append_erlang_prose(const char *prose, struct buffer *output)
{
    for (; *prose; prose++)
        if (*prose != '`')
            buffer_append(output, prose, 1);
}

static const struct api_help_notation *api_help_notation(bool is_elixir)
{
    static const struct api_help_notation elixir = {term_notation_elixir, term_notation_prose, true};
    static const struct api_help_notation erlang = {api_help_append_erlang, api_help_append_erlang_prose,
                                                    false};
    return is_elixir ? &elixir : &erlang;
}

/* What one of the writers of a notation makes of it, in lines. */
static void api_help_append_as(struct buffer *text, void (*write)(const char *words, struct buffer *output),
                               const char *words, size_t indent)
{
    struct buffer written = {0};
    write(words, &written);
    buffer_append(&written, "", 1);
    api_help_append_wrapped(text, (const char *)buffer_bytes(&written), indent);
    buffer_free(&written);
}

/* `name: type; default`, the latter below its text where they are too long for one line. */
static void api_help_append_row(struct buffer *text, const struct api_help_notation *notation,
                                const struct help *help)
{
    struct buffer written = {0}, value = {0};
    help_value(help, notation->is_elixir, &written);
    buffer_append(&written, "", 1);
    /* What Elixir's is made of has no backticks any more. */
    api_help_append_erlang_prose((const char *)buffer_bytes(&written), &value);
    buffer_free(&written);
    bool has_value = value.size > 0;
    bool fits = has_value && strlen(help->name) + value.size + 4 <= WIDTH;
    buffer_append(&value, "", 1);
    api_help_append(text, "  ");
    notation->code(help->type ? "" : help->name, text);
    api_help_append(text, help->type ? help->name : "");
    if (fits)
        buffer_print(text, ": %s", (const char *)buffer_bytes(&value));
    api_help_append(text, "\n");
    api_help_append_as(text, notation->prose, help->text, 6);
    if (has_value && !fits)
        api_help_append_wrapped(text, (const char *)buffer_bytes(&value), 6);
    buffer_free(&value);
}

static void api_help_append_table(struct buffer *text, const struct api_help_notation *notation,
                                  const struct help_table *table)
{
    api_help_append(text, table->title);
    api_help_append(text, ":\n");
    for (size_t i = 0; i < table->count; i++)
        api_help_append_row(text, notation, help_row(table, i));
}

static void api_help_append_expectations(struct buffer *text, const struct api_help_notation *notation)
{
    api_help_append(text, "Expectations:\n");
    for (size_t kind = 0; kind < EXPECTATION_KINDS; kind++)
        api_help_append_row(text, notation, expectation_help((enum expectation_kind)kind));
    api_help_append(text, "\n");
}

static void api_help_append_outcomes(struct buffer *text, const struct api_help_notation *notation)
{
    api_help_append(text, "Outcomes of runs:\n");
    for (size_t i = 0; i < OUTCOME_COUNT; i++) {
        const struct help help = {.name = outcome_name((enum outcome)i),
                                  .text = outcome_help((enum outcome)i)};
        api_help_append_row(text, notation, &help);
    }
}

static void api_help_append_configuration(struct buffer *text, const struct api_help_notation *notation)
{
    (void)notation;
    api_help_append(text, "The configuration is a JSON file that the daemon is started with:\n"
                          "  harnessd --config FILE     starts it with this file\n"
                          "  harnessd --help-keys       lists all keys, as man harnessd.json does\n"
                          "  info()                     has the limits that are in force, and the version\n");
}

/* "Done to processes. Undone: they are resumed." */
static void api_help_append_reach(struct buffer *text, const struct api_help_notation *notation,
                                  const struct fault_kind *kind)
{
    struct buffer reach = {0};
    buffer_print(&reach, "Done to %s.", fault_victim_text(kind->victim));
    if (kind->undone)
        buffer_print(&reach, " Undone: %c%s", tolower((unsigned char)*kind->undone), kind->undone + 1);
    buffer_append(&reach, "", 1);
    api_help_append_as(text, notation->prose, (const char *)buffer_bytes(&reach), 2);
    buffer_free(&reach);
}

static void api_help_append_fault(struct buffer *text, const struct api_help_notation *notation,
                                  const struct fault_kind *kind)
{
    struct buffer shape = {0};
    fault_kind_shape(kind, &shape);
    buffer_append(&shape, "", 1);
    api_help_append_as(text, notation->code, (const char *)buffer_bytes(&shape), 0);
    buffer_free(&shape);
    api_help_append_as(text, notation->prose, kind->help, 2);
    api_help_append_reach(text, notation, kind);
    for (size_t i = 0; i < kind->argument_count + kind->option_count; i++) {
        const struct fault_option *option =
            i < kind->argument_count ? &kind->arguments[i] : &kind->options[i - kind->argument_count];
        const struct help help = fault_option_help(option);
        api_help_append_row(text, notation, &help);
    }
    api_help_append(text, "\n");
}

/* Those of this name; NULL: all of them. */
static void api_help_append_faults(struct buffer *text, const struct api_help_notation *notation,
                                   const char *name)
{
    size_t count;
    const struct fault_kind *kinds = fault_kinds(&count);
    for (size_t i = 0; i < count; i++)
        if (!name || strcmp(name, kinds[i].name) == 0)
            api_help_append_fault(text, notation, &kinds[i]);
}

static void api_help_append_all_faults(struct buffer *text, const struct api_help_notation *notation)
{
    api_help_append_faults(text, notation, NULL);
}

/* Examples are for iex. */
static void api_help_append_function(struct buffer *text, const struct api_help_notation *notation,
                                     const struct api_function *function)
{
    api_help_append_as(text, notation->code, function->usage, 0);
    api_help_append(text, "\n");
    api_help_append_as(text, notation->prose, function->help, 0);
    for (const char *line = notation->is_elixir ? function->example : NULL; line && *line;
         line += strcspn(line, "\n") + 1) {
        api_help_append(text, line == function->example ? "\n    " : "    ");
        buffer_append(text, line, strcspn(line, "\n") + 1);
    }
    api_help_append(text, "\n");
    for (size_t i = 0; function->tables[i]; i++)
        api_help_append_table(text, notation, function->tables[i]());
}

/* --- Topics --- */

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

/* What is no table of help. */
static const struct {
    const char *name;
    void (*append)(struct buffer *text, const struct api_help_notation *notation);
} sections[] = {{"faults", api_help_append_all_faults},
                {"expectations", api_help_append_expectations},
                {"outcomes", api_help_append_outcomes},
                {"configuration", api_help_append_configuration}};

static void api_help_append_topics(struct buffer *text)
{
    struct buffer topics = {0}, faults = {0};
    const struct help_table *table;
    size_t count;
    const struct fault_kind *kinds = fault_kinds(&count);
    for (size_t i = 0; i < ARRAY_LENGTH(sections); i++)
        buffer_print(&topics, "%s%s", i ? ", " : "", sections[i].name);
    for (size_t i = 0; (table = api_help_table(i)); i++)
        buffer_print(&topics, ", %s", table->name);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(kinds[i].name, kinds[i - 1].name) != 0)
            buffer_print(&faults, "%s%s", i ? ", " : "", kinds[i].name);
    buffer_append(&topics, "", 1);
    buffer_append(&faults, "", 1);
    api_help_append(text, "\nhelp(topic) tells more about each function, about\n");
    api_help_append_wrapped(text, (const char *)buffer_bytes(&topics), 2);
    api_help_append(text, "and about each kind of fault:\n");
    api_help_append_wrapped(text, (const char *)buffer_bytes(&faults), 2);
    buffer_free(&topics);
    buffer_free(&faults);
}

/* All that can be called. Who asks for it may be anybody's shell. */
static void api_help_append_overview(struct buffer *text, const struct api_help_notation *notation)
{
    static const char *const ways[] = {
        "  erpc:call(Node, harness, Function, Arguments)                erpc / rpc\n"
        "  gen_server:call({harness, Node}, {Function, Argument, ...})  a bare atom when it has no "
        "arguments\n",
        "  :erpc.call(node, :harness, function, arguments)       :erpc / :rpc\n"
        "  GenServer.call({:harness, node}, {function, arg...})  a bare atom when it has no arguments\n"};
    size_t count;
    const struct api_function *functions = api_functions(&count);
    api_help_append(text, "To print this, or with a topic in the list more about it:\n"
                          "  iex  IO.puts(:erpc.call(node, :harness, :help, []))\n"
                          "  erl  io:put_chars(erpc:call(Node, harness, help, [erlang])).\n\n"
                          "Functions of this node. Call them from any connected node:\n");
    api_help_append(text, ways[notation->is_elixir]);
    api_help_append(text, "\n");
    for (size_t i = 0; i < count; i++) {
        if (!functions[i].usage)
            continue;
        api_help_append(text, "  ");
        notation->code(functions[i].usage, text);
        api_help_append(text, "\n");
    }
    api_help_append_topics(text);
    api_help_append(text, "\nhelp(erlang) is this in Erlang's notation, and help(topic, erlang) what is told "
                          "of a topic.\n"
                          "Documents: docs/ of the sources; of the package man harnessd and "
                          "/usr/share/doc/harnessd.\n");
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
    for (size_t i = 0; i < ARRAY_LENGTH(sections); i++)
        names[used++] = sections[i].name;
    for (size_t i = 0; i < ARRAY_LENGTH(synonyms); i++)
        names[used++] = synonyms[i].name;
    assert(used <= TOPICS_MOST);
    return used;
}

static void api_help_append_nearest(struct buffer *text, const char *name)
{
    const char *names[TOPICS_MOST];
    const char *nearest = nearest_word(name, strlen(name), names, api_help_list_topics(names));
    api_help_append(text, "There is no such topic; ");
    if (nearest)
        buffer_print(text, "did you mean %s? ", nearest);
    api_help_append(text, "help() lists those that there are.\n");
}

/* An atom, a string or a binary; false when it is none of these, or too long for a topic. */
static bool api_help_read_topic(struct term term, char name[TERM_ATOM_BYTES + 1])
{
    const uint8_t *bytes;
    size_t size = 0;
    struct term_list list;
    struct term element;
    int64_t character;
    if (term_read_atom(term, name))
        return true;
    if (term_read_binary(term, &bytes, &size)) {
        if (size > TERM_ATOM_BYTES || memchr(bytes, '\0', size))
            return false;
        memcpy(name, bytes, size);
    } else {
        if (!term_list_start(&list, term))
            return false;
        while (term_list_next(&list, &element)) {
            if (size == TERM_ATOM_BYTES || !term_read_integer(element, &character) || character < ' ' ||
                character > '~')
                return false;
            name[size++] = (char)character;
        }
    }
    name[size] = '\0';
    return true;
}

static void api_help_append_on(struct buffer *text, const struct api_help_notation *notation,
                               const char *topic)
{
    size_t count;
    const struct api_function *functions = api_functions(&count);
    for (size_t i = 0; i < ARRAY_LENGTH(synonyms); i++)
        if (strcmp(topic, synonyms[i].name) == 0)
            topic = synonyms[i].topic;
    for (size_t i = 0; i < count; i++)
        if (functions[i].usage && strcmp(topic, functions[i].name) == 0)
            api_help_append_function(text, notation, &functions[i]);
    const struct help_table *table;
    bool is_run = strcmp(topic, "run") == 0;
    for (size_t i = 0; (table = api_help_table(i)); i++)
        if (strcmp(topic, table->name) == 0 || (is_run && i == 0))
            api_help_append_table(text, notation, table);
    if (is_run)
        api_help_append_topics(text);
    for (size_t i = 0; i < ARRAY_LENGTH(sections); i++)
        if (strcmp(topic, sections[i].name) == 0)
            sections[i].append(text, notation);
    api_help_append_faults(text, notation, topic);
    if (!text->size)
        api_help_append_nearest(text, topic);
}

void api_help_write_on(struct term topic, bool is_elixir, struct buffer *text)
{
    char name[TERM_ATOM_BYTES + 1];
    if (!api_help_read_topic(topic, name))
        name[0] = '\0';
    if (strcmp(name, "erlang") == 0 || strcmp(name, "elixir") == 0)
        api_help_append_overview(text, api_help_notation(strcmp(name, "elixir") == 0));
    else
        api_help_append_on(text, api_help_notation(is_elixir), name);
}

/* --- Functions --- */

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
    api_help_append_overview(&text, api_help_notation(true));
    api_help_answer(request, &text);
}

void serve_help_on(struct api *api, struct request *request)
{
    (void)api;
    struct buffer text = {0};
    bool is_erlang = request->arity == 2 && term_is_atom(request->arguments[1], "erlang");
    if (request->arity == 2 && !is_erlang && !term_is_atom(request->arguments[1], "elixir")) {
        answer_badarg(request, "help(topic, notation) takes erlang or elixir as the notation");
        return;
    }
    api_help_write_on(request->arguments[0], !is_erlang, &text);
    api_help_answer(request, &text);
}
