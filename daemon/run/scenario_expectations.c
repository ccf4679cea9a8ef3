#include "scenario_reader.h"

#include <string.h>

#include "base/nearest.h"
#include "term/term_read.h"

static const struct {
    const char *name;
    bool supported;
    enum expectation_kind kind;
} expectation_names[] = {
    {"max_time_ms", true, EXPECT_TIME_MS},
    {"max_memory_bytes", true, EXPECT_MEMORY_BYTES},
    {"max_reductions", true, EXPECT_REDUCTIONS},
    {"max_p50_us", false, 0},
    {"max_p90_us", false, 0},
    {"max_p95_us", false, 0},
    {"max_p99_us", false, 0},
    {"max_p999_us", false, 0},
    {"max_error_rate", false, 0},
    {"min_ops_per_s", false, 0},
    {"max_mailbox", false, 0},
    {"max_recovery_ms", false, 0},
};

static void read_expectation(struct problems *problems, struct expectations *expectations, size_t index,
                             struct term value)
{
    struct excerpt text;
    double limit;
    if (!expectation_names[index].supported)
        problems_add(problems, "not_supported", "is not supported by this version");
    else if (!term_read_number(value, &limit) || limit < 0)
        problems_add(problems, "wrong_type", "must be a number of at least 0, got %s", excerpt(&text, value));
    else if (expectations->count == SCENARIO_EXPECTATIONS)
        problems_add(problems, "out_of_range", "are too many expectations");
    else
        expectations->items[expectations->count++] =
            (struct expectation){.kind = expectation_names[index].kind, .limit = limit, .value = value};
}

static void report_unknown_expectation(struct problems *problems, struct term key)
{
    const char *names[ARRAY_LENGTH(expectation_names)];
    char name[TERM_ATOM_BYTES + 1];
    struct excerpt text;
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        names[i] = expectation_names[i].name;
    const char *nearest =
        term_read_atom(key, name) ? nearest_word(name, strlen(name), names, ARRAY_LENGTH(names)) : NULL;
    problems_add(problems, "unknown_key", "%s is not an expectation%s%s", excerpt(&text, key),
                 nearest ? "; did you mean " : "", nearest ? nearest : "");
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
        problems_add(problems, "wrong_type", "must be a keyword list, got %s", excerpt(&text, term));
        return;
    }
    while (term_pairs_next(&pairs, &key, &value)) {
        size_t index = 0;
        while (index < ARRAY_LENGTH(expectation_names) && !term_is_atom(key, expectation_names[index].name))
            index++;
        if (index == ARRAY_LENGTH(expectation_names)) {
            report_unknown_expectation(problems, key);
            continue;
        }
        problems_enter_key(problems, expectation_names[index].name);
        read_expectation(problems, expectations, index, value);
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
        size_t name = 0;
        while (expectation_names[name].kind != expectations->items[i].kind)
            name++;
        term_build_tuple(builder, 2);
        term_build_atom(builder, expectation_names[name].name);
        term_build_term(builder, expectations->items[i].value);
    }
    if (expectations->count)
        term_build_nil(builder);
}
