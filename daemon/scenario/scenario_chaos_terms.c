/* Chaos terms: what is done, without when and to whom. */
#include <string.h>

#include "base/nearest.h"
#include "scenario_chaos_private.h"
#include "term/term_read.h"

#define NAMES_MOST 64

static void chaos_term_read_options(struct reader *reader, struct fault_action *action, struct term value)
{
    struct term_pairs pairs;
    struct term key, given;
    struct excerpt text;
    const struct fault_kind *kind = action->kind;
    const char *names[FAULT_OPTIONS];
    bool seen[FAULT_OPTION_NAMES] = {false};
    for (size_t i = 0; i < kind->option_count; i++)
        names[i] = fault_option_text(kind->options[i].name);
    if (!term_pairs_start(&pairs, value)) {
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "the options of %s must be a keyword list, got %s",
                     kind->name, excerpt(&text, value));
        return;
    }
    while (term_pairs_next(&pairs, &key, &given)) {
        size_t i = 0;
        while (i < kind->option_count && !term_is_atom(key, names[i]))
            i++;
        if (i == kind->option_count)
            report_unknown(reader, key, names, kind->option_count, kind->name);
        else if (!seen[kind->options[i].name]) /* of one that comes twice the first counts */
            chaos_read_option(reader, action, &kind->options[i], given);
        if (i < kind->option_count)
            seen[kind->options[i].name] = true;
    }
}

const struct fault_kind *chaos_find_kind(const struct term *parts, size_t arity, bool *is_named)
{
    size_t count;
    const struct fault_kind *kinds = fault_kinds(&count);
    *is_named = false;
    for (size_t i = 0; i < count; i++) {
        if (!arity || !term_is_atom(parts[0], kinds[i].name))
            continue;
        *is_named = true;
        if (!kinds[i].resource || (arity > 1 && term_is_atom(parts[1], kinds[i].resource)))
            return &kinds[i];
    }
    return NULL;
}

static void chaos_term_report_unknown_kind(struct reader *reader, struct term value, const struct term *parts,
                                           size_t arity)
{
    const char *names[NAMES_MOST];
    char name[TERM_ATOM_BYTES + 1];
    struct excerpt text;
    size_t count;
    const struct fault_kind *kinds = fault_kinds(&count);
    for (size_t i = 0; i < count; i++)
        names[i] = kinds[i].name;
    const char *nearest =
        arity && term_read_atom(parts[0], name) ? nearest_word(name, strlen(name), names, count) : NULL;
    problems_add(reader->problems, PROBLEM_INVALID_ACTION, "%s is not a chaos term%s%s",
                 excerpt(&text, value), nearest ? "; did you mean " : "", nearest ? nearest : "");
}

/* A kind whose rows differ by their resource, without one that there is. */
static void chaos_term_report_unknown_resource(struct reader *reader, struct term value,
                                               const struct term *parts)
{
    size_t count, found = 0;
    const struct fault_kind *kinds = fault_kinds(&count), *kind = NULL;
    struct help rows[NAMES_MOST];
    struct buffer resources = {0};
    struct excerpt text;
    for (size_t i = 0; i < count; i++) {
        if (!term_is_atom(parts[0], kinds[i].name))
            continue;
        kind = &kinds[i];
        rows[found++] = (struct help){.name = kind->resource};
    }
    const struct help_table table = {.first = rows, .stride = sizeof(rows[0]), .count = found};
    build_alternatives(&table, 0, found, &resources);
    problems_add(reader->problems, PROBLEM_INVALID_ACTION, "%s needs %s, got %s", kind->name,
                 (const char *)buffer_bytes(&resources), excerpt(&text, value));
    buffer_free(&resources);
}

#define PARTS_MOST (FAULT_POSITIONAL + 3)

/* {Name[, Resource], Argument...[, Options]} */
bool chaos_read_term(struct reader *reader, struct fault_action *action, struct term value)
{
    struct term parts[PARTS_MOST];
    size_t arity = 0;
    bool is_named;
    struct excerpt text;
    action->schedule = (struct schedule){.times = 1, .probability = 1};
    action->term = value;
    if (!term_read_tuple(value, PARTS_MOST, parts, &arity))
        arity = 0;
    action->kind = chaos_find_kind(parts, arity, &is_named);
    if (!action->kind) {
        if (is_named)
            chaos_term_report_unknown_resource(reader, value, parts);
        else
            chaos_term_report_unknown_kind(reader, value, parts, arity);
        return false;
    }
    const struct fault_kind *kind = action->kind;
    size_t first = kind->resource ? 2 : 1, needed = first + kind->argument_count;
    if (arity < needed || arity > needed + kind->has_options) {
        problems_add(reader->problems, PROBLEM_INVALID_ACTION, "%s takes %zu arguments%s, got %s", kind->name,
                     needed - 1, kind->has_options ? " and options" : "", excerpt(&text, value));
        return false;
    }
    chaos_set_defaults(reader, action);
    for (size_t i = 0; i < kind->argument_count; i++)
        chaos_read_option(reader, action, &kind->arguments[i], parts[first + i]);
    if (arity > needed)
        chaos_term_read_options(reader, action, parts[needed]);
    if (kind->doing == FAULT_CRASH) {
        action->schedule.after_ms = (uint64_t)action->values[FAULT_WHEN].integer;
        action->schedule.probability = action->values[FAULT_WHEN].number;
        action->is_loose = action->schedule.after_ms > 0;
    }
    return true;
}
