#include "scenario_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "term/term_check.h"
#include "term/term_read.h"
#include "term/term_text.h"

const char *excerpt(struct excerpt *excerpt, struct term term)
{
    return term_text(term, excerpt->text, sizeof(excerpt->text));
}

/* --- Keys --- */

/* In the order in which they are read: operations need the default one. */
static const struct reader_key keys[] = {
    {"setup", read_setup, build_setup, false},
    {"target", read_target, build_target, false},
    {"default_operation", read_default_operation, build_default_operation, false},
    {"threads", read_threads, build_threads, false},
    {"load", read_load, build_load, false},
    {"operations", read_operations, build_operations, false},
    {"mix", read_mix, build_mix, false},
    {"spread", read_spread, build_spread, false},
    {"timeout_ms", read_timeout, build_timeout, false},
    {"call_timeout_ms", read_call_timeout, build_call_timeout, false},
    {"hook_timeout_ms", read_hook_timeout, build_hook_timeout, false},
    {"cast_sync_message", read_cast_sync_message, build_cast_sync_message, false},
    {"strict_cast_sync?", read_strict, build_strict, false},
    {"invariant", read_invariant, build_invariant, false},
    {"cleanup", read_cleanup, build_cleanup, false},
    {"mailbox", read_mailbox, build_mailbox, false},
    {"steady_state", read_steady_state, build_steady_state, false},
    {"chaos", read_chaos, build_chaos, false},
    {"dry_run", read_dry_run, build_dry_run, false},
    {"performance_expectations", read_expectations, build_expectations, false},
    {"abort_when", read_abort_when, build_abort_when, false},
    {"warmup_ms", read_warmup, build_warmup, false},
    {"metadata", read_metadata, build_metadata, false},
    {"events", read_events, build_events, false},
    {"seed", read_seed, build_seed, false},
    {"hooks_node", read_hooks_node, build_hooks_node, false},
};

void report_unknown(struct reader *reader, struct term key, const char *const names[], size_t count,
                    const char *what)
{
    char name[TERM_ATOM_BYTES + 1];
    struct excerpt text;
    if (!term_read_atom(key, name)) {
        problems_add(reader->problems, "unknown_key", "keys must be atoms, got %s", excerpt(&text, key));
        return;
    }
    problems_add_unknown(reader->problems, name, names, count, what);
}

bool reader_find(struct reader *reader, struct term term, const struct reader_key *table, size_t count,
                 const char *what, struct term values[READER_KEYS])
{
    struct term_pairs pairs;
    struct term key, value;
    const char *names[READER_KEYS];
    assert(count <= READER_KEYS);
    if (!term_pairs_start(&pairs, term))
        return false;
    for (size_t i = 0; i < count; i++) {
        names[i] = table[i].name;
        values[i] = (struct term){0};
    }
    while (term_pairs_next(&pairs, &key, &value)) {
        size_t index = 0;
        while (index < count && !term_is_atom(key, table[index].name))
            index++;
        if (index < count && !values[index].data)
            values[index] = value;
        else if (index == count && !term_is_atom(key, "__struct__"))
            report_unknown(reader, key, names, count, what);
    }
    return true;
}

static void read_value(struct reader *reader, const struct reader_key *key, struct term value)
{
    problems_enter_key(reader->problems, key->name);
    if (value.data)
        key->read(reader, value);
    else if (key->required)
        problems_add(reader->problems, "required", "is required");
    problems_leave(reader->problems);
}

void reader_read(struct reader *reader, const struct reader_key *table, size_t count,
                 const struct term values[READER_KEYS])
{
    for (size_t i = 0; i < count; i++)
        read_value(reader, &table[i], values[i]);
}

void reader_build(const struct scenario *scenario, const struct reader_key *table, size_t count,
                  struct term_builder *builder)
{
    size_t built = 0;
    for (size_t i = 0; i < count; i++)
        built += table[i].build != NULL;
    term_build_map(builder, built);
    for (size_t i = 0; i < count; i++) {
        if (!table[i].build)
            continue;
        term_build_key(builder, table[i].name);
        table[i].build(scenario, builder);
    }
}

void problem_at(struct reader *reader, const char *key, const char *kind, const char *message)
{
    problems_enter_key(reader->problems, key);
    problems_add(reader->problems, kind, "%s", message);
    problems_leave(reader->problems);
}

/* A run has a target, or a setup that makes one. */
static void check_subject(struct reader *reader)
{
    struct scenario *scenario = reader->scenario;
    if (reader->has_setup && scenario->target.data) {
        problem_at(reader, "target", "conflict", "cannot be given together with setup");
    } else if (scenario->setup.data) {
        scenario->target_count = 1;
        scenario->targets = memory_zalloc(1, sizeof(*scenario->targets));
        scenario->targets[0].kind = TARGET_PID;
    } else if (!scenario->target.data && !reader->has_setup) {
        problem_at(reader, "setup", "required", "is required, or target is");
    }
}

/* Hooks are applied where the scenario says, or where its origin does. */
static void find_hooks_node(struct reader *reader)
{
    struct scenario *scenario = reader->scenario;
    const struct scenario_origin *origin = reader->origin;
    bool at_target = origin->hooks_at_target && scenario->target_count && *scenario->targets[0].node;
    if (reader->has_hooks_node)
        return;
    const char *node = at_target ? scenario->targets[0].node : origin->caller_node;
    snprintf(scenario->hooks_node, sizeof(scenario->hooks_node), "%s", node);
    if (!*node && !reader->problems->count)
        problem_at(reader, "hooks_node", "required", "is required where nobody calls");
}

struct scenario *scenario_term_read(struct term term, const struct scenario_origin *origin,
                                    struct problems *problems)
{
    struct scenario *scenario = memory_zalloc(1, sizeof(*scenario));
    scenario->bytes = memory_copy(term.data, term.size);
    scenario->timeout_ms = 5000;
    scenario->call_timeout_ms = 1000;
    scenario->hook_timeout_ms = 5000;
    scenario->warmup_ms = 1000;
    scenario->cast_sync_message = TERM_ATOM("__supertester_sync__");
    scenario->metadata = TERM_EMPTY_MAP;
    struct reader reader = {.scenario = scenario, .problems = problems, .origin = origin};
    struct term values[READER_KEYS];
    struct excerpt text;
    term.data = scenario->bytes;
    if (reader_find(&reader, term, keys, ARRAY_LENGTH(keys), "scenarios", values)) {
        reader_read(&reader, keys, ARRAY_LENGTH(keys), values);
        check_subject(&reader);
        find_hooks_node(&reader);
        finish_load(&reader);
    } else {
        problems_add(problems, "wrong_type", "a scenario is a map, a keyword list or a struct, got %s",
                     excerpt(&text, term));
    }
    if (!problems->count)
        return scenario;
    scenario_free(scenario);
    return NULL;
}

void scenario_term_build(const struct scenario *scenario, struct term_builder *builder)
{
    reader_build(scenario, keys, ARRAY_LENGTH(keys), builder);
}
