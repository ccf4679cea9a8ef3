/* Why operations were slow: what each cause has come to, and where. */
#include <stdio.h>
#include <string.h>

#include "report/text_number.h"
#include "report_text_private.h"
#include "term/term_read.h"
#include "term/term_text.h"
#include "text_table_private.h"

#define WHY_ELIXIR "Elixir."

/* Where a process waits or is busy for somebody else's code: that is what is of interest. */
static const char *const why_libraries[] = {
    "proc_lib",       "gen_statem",
    "gen_event",      "sys",
    "erl_eval",       "elixir",
    "Elixir.Range",   "Elixir.Enumerable",
    "timer",          "gen",
    "gen_server",     "erpc",
    "erlang",         "lists",
    "maps",           "ets",
    "Elixir.Process", "Elixir.GenServer",
    "Elixir.Enum",    "Elixir.Map",
    "prim_inet",      "gen_tcp",
    "Elixir.System",  "Elixir.Task",
    "Elixir.Stream",  "binary",
};

/* {Module, Function, Arity} with or without a location. */
struct why_frame {
    char module[TERM_ATOM_BYTES + 1];
    char function[TERM_ATOM_BYTES + 1];
    int64_t arity;
    struct term location;
};

static bool why_read_frame(struct term term, struct why_frame *frame)
{
    struct term parts[4] = {{0}};
    size_t count = 0;
    if (!term_read_tuple(term, ARRAY_LENGTH(parts), parts, &count) || count < 3 ||
        !term_read_atom(parts[0], frame->module) || !term_read_atom(parts[1], frame->function) ||
        !term_read_integer(parts[2], &frame->arity))
        return false;
    frame->location = count == 4 ? parts[3] : (struct term){0};
    return true;
}

static bool why_is_library(const struct why_frame *frame)
{
    for (size_t i = 0; i < ARRAY_LENGTH(why_libraries); i++)
        if (strcmp(frame->module, why_libraries[i]) == 0)
            return true;
    return false;
}

/* The first that is nobody's library, or the first. */
static bool why_find_frame(struct term stack, struct why_frame *frame)
{
    struct term_list list;
    struct term term;
    struct why_frame other;
    bool found = false;
    if (!term_list_start(&list, stack))
        return false;
    while (term_list_next(&list, &term)) {
        if (!why_read_frame(term, &other))
            continue;
        if (!found)
            *frame = other;
        found = true;
        if (!why_is_library(&other)) {
            *frame = other;
            break;
        }
    }
    return found;
}

/* The name of the file without its folders, and the line. */
static void why_print_location(struct term location, struct buffer *text)
{
    char file[REPORT_TEXT_TERM_BYTES];
    struct term_list list;
    struct term name = report_view_get(location, "file"), character;
    uint64_t line = report_view_count(location, "line", 0);
    int64_t value;
    size_t size = 0;
    if (!name.data || !line || !term_list_start(&list, name))
        return;
    while (term_list_next(&list, &character) && term_read_integer(character, &value)) {
        if (value == '/')
            size = 0;
        else if (value >= ' ' && value < 0x7f && size < sizeof(file) - 1)
            file[size++] = (char)value;
    }
    file[size] = '\0';
    buffer_print(text, " (%s:%llu)", file, (unsigned long long)line);
}

/* Bank.audit/1 (bank.ex:12), or bank:audit/1 */
static void why_print_stack(struct term stack, struct buffer *text)
{
    struct why_frame frame;
    if (!why_find_frame(stack, &frame))
        return;
    bool is_elixir = strncmp(frame.module, WHY_ELIXIR, strlen(WHY_ELIXIR)) == 0;
    buffer_print(text, "%s%c%s/%lld", frame.module + (is_elixir ? strlen(WHY_ELIXIR) : 0),
                 is_elixir ? '.' : ':', frame.function, (long long)frame.arity);
    if (frame.location.data)
        why_print_location(frame.location, text);
}

static void why_print_queues(struct term lengths, struct buffer *text)
{
    struct term_list list;
    struct term length;
    int64_t value;
    size_t count = 0;
    if (!term_list_start(&list, lengths))
        return;
    buffer_print(text, "run queues");
    while (term_list_next(&list, &length) && term_read_integer(length, &value))
        buffer_print(text, "%s %lld", count++ ? "," : "", (long long)value);
}

static void why_print_map(struct term detail, struct buffer *text)
{
    struct text_number number, other;
    struct term queues = report_view_get(detail, "run_queue_lengths");
    if (queues.data)
        why_print_queues(queues, text);
    else if (report_view_get(detail, "total_heap_size").data)
        buffer_print(text, "heap of %s words",
                     text_count(&number, report_view_count(detail, "total_heap_size", 0)));
    else if (report_view_get(detail, "message_queue_len").data)
        buffer_print(text, "%s messages",
                     text_count(&number, report_view_count(detail, "message_queue_len", 0)));
    else if (report_view_get(detail, "fault").data)
        buffer_print(text, "fault %s", text_count(&number, report_view_count(detail, "fault", 0)));
    else if (report_view_get(detail, "unacked").data)
        buffer_print(text, "%s segments not acknowledged, %s sent again",
                     text_count(&number, report_view_count(detail, "unacked", 0)),
                     text_count(&other, report_view_count(detail, "retransmits", 0)));
}

static void why_add_where(struct text_table *table, struct term detail)
{
    struct buffer text = {0};
    if (detail.data && term_type(detail) == TERM_MAP)
        why_print_map(detail, &text);
    else if (detail.data)
        why_print_stack(detail, &text);
    text_table_add(table, "%.*s", (int)text.size, text.size ? (const char *)buffer_bytes(&text) : "");
    buffer_free(&text);
}

static void why_add_cause(struct text_table *table, struct term cause)
{
    struct text_number number;
    char name[60];
    double share = 0;
    struct term which = report_view_get(cause, "cause"), part = report_view_get(cause, "share");
    bool has_share = part.data && term_read_number(part, &share);
    text_table_add(table, "%s", which.data ? term_text(which, name, sizeof(name)) : "?");
    text_table_add(table, "%s", text_count(&number, report_view_count(cause, "operations", 0)));
    if (has_share)
        text_table_add(table, "%.1f %%", 100 * share);
    else
        text_table_add(table, "-");
    text_table_add(table, "%s", text_duration(&number, report_view_count(cause, "worst_us", 0)));
    why_add_where(table, report_view_get(cause, "detail"));
}

void report_text_why(const struct report_view *view, struct buffer *text)
{
    static const struct text_column columns[] = {
        {.title = "cause"},
        {.title = "operations", .right = true},
        {.title = "share", .right = true},
        {.title = "worst", .right = true},
        {.title = "where", .flexible = true},
    };
    struct term explain = view->keys[REPORT_EXPLAIN];
    struct term causes = report_view_get(explain, "causes");
    struct text_table table;
    struct text_number number;
    struct term_list list;
    struct term cause;
    if (!causes.data || !term_list_start(&list, causes) || !list.count)
        return;
    text_table_init(&table, columns, ARRAY_LENGTH(columns));
    while (term_list_next(&list, &cause))
        why_add_cause(&table, cause);
    report_text_heading(text, "Why: %s slow operations (shares of all slow time)",
                        text_count(&number, report_view_count(explain, "operations", 0)));
    text_table_write(&table, REPORT_TEXT_INDENT, text);
    text_table_free(&table);
}
