#include "run_summary_private.h"

#include <string.h>

#include "registry/runs.h"
#include "report/run_result.h"
#include "term/term_read.h"
#include "term/term_text.h"

/* As text of the reason of what was interrupted. */
#define INTERRUPTED "interrupted"

/* How a member is written. */
enum member_type {
    MEMBER_NUMBER,
    MEMBER_MOMENT, /* a number, nil when it is 0: a time, a length, a run */
    MEMBER_TEXT,   /* a binary */
    MEMBER_TERM,
    MEMBER_ATOM,
    MEMBER_OUTCOME,
    MEMBER_TYPE_COUNT
};

#define MEMBER(member, type, words)                                                                          \
    {{.name = #member, .text = (words)}, type, offsetof(struct run_summary, member)}

static const struct member {
    struct help help;
    enum member_type type;
    size_t offset;
} members[] = {
    MEMBER(run_id, MEMBER_NUMBER, "Its number."),
    MEMBER(outcome, MEMBER_OUTCOME,
           "How it has ended: `completed`, `missed`, `failed`, `cancelled`, `interrupted` or `not_run`; nil "
           "while it has not."),
    MEMBER(reason, MEMBER_TEXT, "Why it has not completed, as text."),
    MEMBER(by, MEMBER_ATOM, "The function that has started it."),
    MEMBER(name, MEMBER_TEXT, "That of its file or its schedule, as text."),
    MEMBER(suite, MEMBER_MOMENT, "The number of the suite that it is a member of."),
    MEMBER(caller, MEMBER_TERM, "The process that has asked for it."),
    MEMBER(node, MEMBER_TERM, "The node that the request has come from: whose it is as long as it is kept."),
    MEMBER(target, MEMBER_TERM, "Whom it is done to, as the scenario has it, or as text when that is long."),
    MEMBER(metadata, MEMBER_TERM, "The scenario's, or as text when it is long."),
    MEMBER(accepted_at_ms, MEMBER_MOMENT, "When it was asked for, in milliseconds since 1970."),
    MEMBER(started_at_ms, MEMBER_MOMENT, "When it began."),
    MEMBER(ended_at_ms, MEMBER_MOMENT, "When its end was known."),
    MEMBER(elapsed_ms, MEMBER_NUMBER,
           "How long it takes, or took; of one that has not begun how long it has waited."),
    MEMBER(planned_ms, MEMBER_MOMENT, "The length of its load, where that is known before."),
    MEMBER(threads, MEMBER_NUMBER, "Threads of its load."),
    MEMBER(operations, MEMBER_NUMBER, "Operations that have ended."),
    MEMBER(operation_errors, MEMBER_NUMBER, "Those of them that have failed."),
    MEMBER(dropped, MEMBER_NUMBER, "Arrivals that found no room."),
    MEMBER(report_bytes, MEMBER_NUMBER, "The size of its result."),
};
_Static_assert(ARRAY_LENGTH(members) == RUN_SUMMARY_PAIRS, "the header says how many pairs there are");

const struct help_table *runs_summary_table(void)
{
    static const struct help_table table = HELP_TABLE("run_summary", "What is known of a run", members);
    return &table;
}

static void *summary_at(const struct run_summary *summary, const struct member *member)
{
    return (char *)summary + member->offset;
}

static bool summary_is_buffer(const struct member *member)
{
    return member->type == MEMBER_TEXT || member->type == MEMBER_TERM;
}

void run_summary_free(struct run_summary *summary)
{
    for (size_t i = 0; i < ARRAY_LENGTH(members); i++)
        if (summary_is_buffer(&members[i]))
            buffer_free(summary_at(summary, &members[i]));
}

/* --- Writing --- */

static void summary_build_number(const void *value, struct term_builder *builder)
{
    term_build_unsigned(builder, *(const uint64_t *)value);
}

static void summary_build_moment(const void *value, struct term_builder *builder)
{
    if (*(const uint64_t *)value)
        summary_build_number(value, builder);
    else
        term_build_atom(builder, "nil");
}

static void summary_build_text(const void *value, struct term_builder *builder)
{
    const struct buffer *text = value;
    if (text->size)
        term_build_binary(builder, buffer_bytes(text), text->size);
    else
        term_build_atom(builder, "nil");
}

static void summary_build_term(const void *value, struct term_builder *builder)
{
    const struct buffer *term = value;
    if (term->size)
        term_build_term(builder, term_of(term));
    else
        term_build_atom(builder, "nil");
}

static void summary_build_atom(const void *value, struct term_builder *builder)
{
    const char *name = value;
    term_build_atom(builder, *name ? name : "nil");
}

static void summary_build_outcome(const void *value, struct term_builder *builder)
{
    term_build_atom(builder, outcome_name(*(const enum outcome *)value));
}

void run_summary_build(const struct run_summary *summary, struct term_builder *builder)
{
    static void (*const builders[MEMBER_TYPE_COUNT])(const void *value, struct term_builder *builder) = {
        [MEMBER_NUMBER] = summary_build_number, [MEMBER_MOMENT] = summary_build_moment,
        [MEMBER_TEXT] = summary_build_text,     [MEMBER_TERM] = summary_build_term,
        [MEMBER_ATOM] = summary_build_atom,     [MEMBER_OUTCOME] = summary_build_outcome};
    for (size_t i = 0; i < ARRAY_LENGTH(members); i++) {
        term_build_key(builder, members[i].help.name);
        builders[members[i].type](summary_at(summary, &members[i]), builder);
    }
}

void run_summary_build_short(const struct run_summary *summary, struct term_builder *builder)
{
    term_build_map(builder, 5);
    term_build_key(builder, "scenario_id");
    summary_build_number(&summary->run_id, builder);
    term_build_key(builder, "name");
    summary_build_text(&summary->name, builder);
    term_build_key(builder, "outcome");
    summary_build_outcome(&summary->outcome, builder);
    term_build_key(builder, "reason");
    summary_build_text(&summary->reason, builder);
}

/* --- Reading --- */

static void summary_read_number(void *value, struct term term)
{
    int64_t number;
    if (term_read_integer(term, &number) && number >= 0)
        *(uint64_t *)value = (uint64_t)number;
}

static void summary_read_text(void *value, struct term term)
{
    const uint8_t *data;
    size_t size;
    if (!term_read_binary(term, &data, &size))
        return;
    buffer_free(value);
    buffer_append(value, data, size);
}

static void summary_read_term(void *value, struct term term)
{
    buffer_free(value);
    if (!term_is_atom(term, "nil"))
        buffer_append(value, term.data, term.size);
}

static void summary_read_atom(void *value, struct term term)
{
    char text[TERM_ATOM_BYTES + 1];
    if (term_read_atom(term, text) && strlen(text) <= SUMMARY_BY_BYTES)
        memcpy(value, text, strlen(text) + 1);
}

static void summary_read_outcome(void *value, struct term term)
{
    *(enum outcome *)value = outcome_read(term);
}

bool run_summary_read(struct term term, struct run_summary *summary)
{
    static void (*const readers[MEMBER_TYPE_COUNT])(void *value, struct term term) = {
        [MEMBER_NUMBER] = summary_read_number, [MEMBER_MOMENT] = summary_read_number,
        [MEMBER_TEXT] = summary_read_text,     [MEMBER_TERM] = summary_read_term,
        [MEMBER_ATOM] = summary_read_atom,     [MEMBER_OUTCOME] = summary_read_outcome};
    struct term_pairs pairs;
    struct term key, value;
    size_t next = 0; /* they are read in the order in which they were written */
    if (term_type(term) != TERM_MAP || !term_pairs_start(&pairs, term))
        return false;
    while (term_pairs_next(&pairs, &key, &value)) {
        for (size_t i = 0; i < ARRAY_LENGTH(members); i++, next++) {
            const struct member *member = &members[next % ARRAY_LENGTH(members)];
            if (!term_is_atom(key, member->help.name))
                continue;
            readers[member->type](summary_at(summary, member), value);
            next++;
            break;
        }
    }
    return summary->run_id != 0;
}

/* --- Keeping --- */

void run_summary_keep(struct buffer *buffer, struct term term, size_t most)
{
    char text[SUMMARY_REASON_BYTES];
    struct term_builder builder = {0};
    if (term.size > most) {
        term_build_text(&builder, term_text(term, text, sizeof(text)));
        term = term_built(&builder);
    }
    term_keep(buffer, term);
    term_build_free(&builder);
}

void run_summary_keep_node(struct run_summary *summary, const char *node)
{
    struct term_builder name = {0};
    if (!node)
        return;
    term_build_atom(&name, node);
    term_keep(&summary->node, term_built(&name));
    term_build_free(&name);
}

void run_summary_keep_reason(struct run_summary *summary, struct term result)
{
    char text[SUMMARY_REASON_BYTES];
    buffer_free(&summary->reason);
    if (run_result_reason_text(result, false, text, sizeof(text)))
        buffer_hold(&summary->reason, text, strlen(text));
}

void run_summary_interrupt(struct run_summary *summary, uint64_t ended_at_ms)
{
    summary->outcome = OUTCOME_INTERRUPTED;
    summary->ended_at_ms = ended_at_ms;
    buffer_truncate(&summary->reason, 0);
    buffer_append(&summary->reason, INTERRUPTED, strlen(INTERRUPTED));
}
