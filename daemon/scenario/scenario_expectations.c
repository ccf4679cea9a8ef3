#include "scenario_private.h"

#include <string.h>

#include "base/compiler.h"
#include "base/nearest.h"
#include "term/term_read.h"

static void expectations_read_one(struct problems *problems, struct expectations *expectations,
                                  enum expectation_kind kind, struct term value)
{
    struct excerpt text;
    double limit;
    if (!term_read_number(value, &limit) || limit < 0)
        problems_add(problems, PROBLEM_WRONG_TYPE, "must be a number of at least 0, got %s",
                     excerpt(&text, value));
    else if (kind == EXPECT_ERROR_RATE && limit > 1)
        problems_add(problems, PROBLEM_OUT_OF_RANGE, "must be in 0 to 1, got %s", excerpt(&text, value));
    else if (expectations->count == EXPECTATIONS_LIMIT)
        problems_add(problems, PROBLEM_OUT_OF_RANGE, "are too many expectations");
    else
        expectations->items[expectations->count++] =
            (struct expectation){.kind = kind, .limit = limit, .value = value};
}

/* "; did you mean max_p99_us (microseconds)": who has the name wrong may have the unit wrong as well. */
static void expectations_append_nearest(const char *word, const char *const *names, struct buffer *output)
{
    static const char *const units[][2] = {{"us", "microseconds"}, {"ms", "milliseconds"}};
    const char *nearest = nearest_word(word, strlen(word), names, EXPECTATION_KINDS);
    for (size_t kind = 0; nearest && kind < EXPECTATION_KINDS; kind++) {
        const char *unit = expectation_help((enum expectation_kind)kind)->unit;
        if (strcmp(names[kind], nearest) != 0)
            continue;
        buffer_print(output, "; did you mean %s", nearest);
        for (size_t i = 0; unit && i < ARRAY_LENGTH(units); i++)
            if (strcmp(unit, units[i][0]) == 0)
                buffer_print(output, " (%s)", units[i][1]);
    }
    buffer_append(output, "", 1);
}

/* The kind of this name; EXPECTATION_KINDS and a problem when there is none. */
static enum expectation_kind expectations_read_kind(struct problems *problems, struct term name)
{
    char word[TERM_ATOM_BYTES + 1];
    struct excerpt text;
    struct buffer nearest = {0};
    const char *names[EXPECTATION_KINDS];
    size_t kind = 0;
    for (size_t i = 0; i < EXPECTATION_KINDS; i++)
        names[i] = expectation_name((enum expectation_kind)i);
    while (kind < EXPECTATION_KINDS && !term_is_atom(name, names[kind]))
        kind++;
    if (kind < EXPECTATION_KINDS)
        return (enum expectation_kind)kind;
    expectations_append_nearest(term_read_atom(name, word) ? word : "", names, &nearest);
    problems_add(problems, PROBLEM_UNKNOWN_KEY, "%s is not an expectation%s", excerpt(&text, name),
                 (const char *)buffer_bytes(&nearest));
    buffer_free(&nearest);
    return EXPECTATION_KINDS;
}

void scenario_term_read_expectations(struct term term, struct expectations *expectations,
                                     struct problems *problems)
{
    struct term_pairs pairs;
    struct term key, value;
    struct excerpt text;
    if (term_is_atom(term, "nil"))
        return;
    if (!term_pairs_start(&pairs, term)) {
        problems_add(problems, PROBLEM_WRONG_TYPE, "must be a keyword list, got %s", excerpt(&text, term));
        return;
    }
    while (term_pairs_next(&pairs, &key, &value)) {
        enum expectation_kind kind = expectations_read_kind(problems, key);
        if (kind == EXPECTATION_KINDS)
            continue;
        problems_enter_key(problems, expectation_name(kind));
        expectations_read_one(problems, expectations, kind, value);
        problems_leave(problems);
    }
}

void read_expectations(struct reader *reader, struct term value)
{
    scenario_term_read_expectations(value, &reader->scenario->expectations, reader->problems);
}

void build_expectations(const struct scenario *scenario, struct term_builder *builder)
{
    const struct expectations *expectations = &scenario->expectations;
    term_build_list(builder, expectations->count);
    for (size_t i = 0; i < expectations->count; i++) {
        term_build_tuple(builder, 2);
        term_build_atom(builder, expectation_name(expectations->items[i].kind));
        term_build_term(builder, expectations->items[i].value);
    }
    if (expectations->count)
        term_build_nil(builder);
}

static void expectations_read_abort_name(struct reader *reader, struct term name)
{
    struct scenario *scenario = reader->scenario;
    enum expectation_kind kind = expectations_read_kind(reader->problems, name);
    if (kind == EXPECTATION_KINDS)
        return;
    if (!expectations_have(&scenario->expectations, kind))
        problems_add(reader->problems, PROBLEM_REQUIRED, "performance_expectations has no %s to judge by",
                     expectation_name(kind));
    scenario->abort_when |= 1u << kind;
}

/* Read after the expectations that it names. */
void read_abort_when(struct reader *reader, struct term value)
{
    struct term_list list;
    struct term element;
    struct excerpt text;
    if (!term_list_start(&list, value)) {
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a list of names of expectations, got %s",
                     excerpt(&text, value));
        return;
    }
    for (size_t i = 0; term_list_next(&list, &element); i++) {
        problems_enter_index(reader->problems, i);
        expectations_read_abort_name(reader, element);
        problems_leave(reader->problems);
    }
    if (!term_list_proper(&list))
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a proper list");
}

void build_abort_when(const struct scenario *scenario, struct term_builder *builder)
{
    size_t count = (size_t)__builtin_popcount(scenario->abort_when);
    term_build_list(builder, count);
    for (size_t kind = 0; kind < EXPECTATION_KINDS; kind++)
        if (scenario->abort_when & 1u << kind)
            term_build_atom(builder, expectation_name((enum expectation_kind)kind));
    if (count)
        term_build_nil(builder);
}
