#include "scenario_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "scenario/fault_kinds.h"
#include "term/term_check.h"
#include "term/term_constant.h"
#include "term/term_notation.h"
#include "term/term_read.h"
#include "term/term_text.h"

const char *excerpt(struct excerpt *excerpt, struct term term)
{
    return term_text(term, excerpt->text, sizeof(excerpt->text));
}

/* --- Keys --- */

/* In the order in which they are read: operations need the default one. */
static const struct reader_key keys[] = {
    {.help = {.name = "setup",
              .type = "fun(() -> {ok, pid()} | {ok, pid(), Context} | {error, Reason}) | {Module, Function, "
                      "ExtraArguments}",
              .text = "Starts what is tested, in the process that all hooks are applied in: what it links to "
                      "ends with the run. Instead of `target`."},
     .read = read_setup,
     .build = build_setup},
    {.help = {.name = "target",
              .type = "target() | [target()]",
              .text = "What is tested, if there is no `setup`. Of several a thread's operations take one "
                      "after the other, unless `spread` says otherwise. Those that give several are looked "
                      "up each second, and after a death until there are as many as before, so that the "
                      "load follows what there is; nothing that was found is stopped at the end."},
     .read = read_target,
     .build = build_target},
    {.help = {.name = "default_operation",
              .type = "call | cast",
              .fallback = TERM_CONSTANT_ATOM("call"),
              .text = "What an operation that is a bare term is."},
     .read = read_default_operation,
     .build = build_default_operation},
    {.help = {.name = "threads",
              .type = "[[operation()]]",
              .text = "Scripts, each of which one virtual thread works through. Either this or `load`."},
     .read = read_threads,
     .build = build_threads},
    {.help = {.name = "load",
              .type = "load()",
              .text = "Generated load in the place of `threads`, of `operations` or a `mix`."},
     .read = read_load,
     .build = build_load},
    {.help = {.name = "operations",
              .type = "[operation()]",
              .text = "With a load: the script that its threads repeat."},
     .read = read_operations,
     .build = build_operations},
    {.help = {.name = "mix",
              .type = "[#{weight => number(), op => operation()}]",
              .text = "With a load, instead of `operations`: each operation is drawn by its weight."},
     .read = read_mix,
     .build = build_mix},
    {.help = {.name = "spread",
              .type = "round_robin | random | {key, pos_integer()}",
              .fallback = TERM_CONSTANT_ATOM("round_robin"),
              .text = "Which of several targets an operation goes to. With `{key, Position}` the same "
                      "element of the message, from 1, always meets the same one."},
     .read = read_spread,
     .build = build_spread},
    {.help = {.name = "timeout_ms",
              .type = "pos_integer()",
              .unit = "ms",
              .fallback = TERM_CONSTANT_INTEGER(5000),
              .fallback_text = "with a load its length and the timeout of a call",
              .text = "Time of all threads together, and once more of the chaos after them."},
     .read = read_timeout,
     .build = build_timeout},
    {.help = {.name = "call_timeout_ms",
              .type = "pos_integer()",
              .unit = "ms",
              .fallback = TERM_CONSTANT_INTEGER(1000),
              .text = "Time of one call."},
     .read = read_call_timeout,
     .build = build_call_timeout},
    {.help = {.name = "hook_timeout_ms",
              .type = "pos_integer()",
              .unit = "ms",
              .fallback = TERM_CONSTANT_INTEGER(5000),
              .text = "Time of each hook."},
     .read = read_hook_timeout,
     .build = build_hook_timeout},
    {.help = {.name = "cast_sync_message",
              .type = "term()",
              .fallback = TERM_CONSTANT_ATOM("__supertester_sync__"),
              .text = "The call that follows each cast, to know that it was handled."},
     .read = read_cast_sync_message,
     .build = build_cast_sync_message,
     .takes_nil = true},
    {.help = {.name = "strict_cast_sync?",
              .type = "boolean()",
              .fallback = TERM_CONSTANT_ATOM("false"),
              .text = "Whether a server without a handler for that call fails the thread."},
     .read = read_strict,
     .build = build_strict},
    {.help = {.name = "invariant",
              .type = "fun((pid(), Context) -> term()) | {Module, Function, ExtraArguments}",
              .fallback_text = "one that is always met",
              .text = "Fails with `false` or `{error, Reason}`, and passes with anything else. The context "
                      "is the setup's, with `events`, `threads`, `metrics`, `metadata`, `chaos`, `mailbox` "
                      "and `performance`."},
     .read = read_invariant,
     .build = build_invariant},
    {.help = {.name = "cleanup",
              .type = "fun((pid(), Context) -> term()) | {Module, Function, ExtraArguments}",
              .fallback_text = "one that stops what `setup` has made",
              .text = "Applied to the subject and the setup's context, whatever has become of the run. "
                      "Without one nothing is stopped that was there before `setup` began, on another node "
                      "if it had a name there, nor what the caller is linked to; and no `target`."},
     .read = read_cleanup,
     .build = build_cleanup},
    {.help = {.name = "thread_setup",
              .type = "fun((#{thread => N}) -> State) | {Module, Function, ExtraArguments}",
              .fallback = TERM_CONSTANT_ATOM("nil"),
              .text =
                  "What each thread with custom operations has done before its first: it and they are "
                  "applied in one process, which lives as long as the thread and is made anew after its "
                  "death or a timeout, and what it returns is their `state`. When it fails, the operation "
                  "is the error `{{thread_setup_failed, Exception}, Stack}`. Its time is no operation's, "
                  "but for arrivals of an open load, which wait for it."},
     .read = read_thread_setup,
     .build = build_thread_setup},
    {.help = {.name = "thread_cleanup",
              .type = "fun((State) -> term()) | {Module, Function, ExtraArguments}",
              .fallback = TERM_CONSTANT_ATOM("nil"),
              .text =
                  "Applied to each such state at the end, before `cleanup`, or when its process has died. "
                  "What it raises at the end fails the run as `cleanup` does."},
     .read = read_thread_cleanup,
     .build = build_thread_cleanup},
    {.help = {.name = "mailbox",
              .type = "[{sampling_interval, pos_integer()}]",
              .unit = "ms",
              .fallback = TERM_CONSTANT_ATOM("nil"),
              .text = "Observes how long the mailboxes of the targets are; `[]` does every 10 ms."},
     .read = read_mailbox,
     .build = build_mailbox},
    {.help = {.name = "steady_state",
              .type = "fun((pid(), Context) -> term()) | {Module, Function, ExtraArguments}",
              .fallback = TERM_CONSTANT_ATOM("nil"),
              .text = "As `invariant`, with the setup's context: before the load, and after the last fault "
                      "was undone."},
     .read = read_steady_state,
     .build = build_steady_state},
    {.help = {.name = "chaos",
              .type =
                  "chaos() | [chaos()] | fun((pid(), map()) -> term()) | {Module, Function, ExtraArguments}",
              .fallback = TERM_CONSTANT_ATOM("nil"),
              .text = "Faults that are injected beside the threads; or a hook that does something of its "
                      "own, with `metadata` and `setup_context`."},
     .read = read_chaos,
     .build = build_chaos},
    {.help = {.name = "dry_run",
              .type = "boolean()",
              .fallback = TERM_CONSTANT_ATOM("false"),
              .text = "Tells what would be done to whom, and does nothing."},
     .read = read_dry_run,
     .build = build_dry_run},
    {.help = {.name = "performance_expectations",
              .type = "[{expectation(), number()}]",
              .fallback = TERM_CONSTANT_EMPTY_LIST,
              .text = "What the run has to stay within. One that nothing was measured for is missed."},
     .read = read_expectations,
     .build = build_expectations},
    {.help = {.name = "abort_when",
              .type = "[expectation()]",
              .fallback = TERM_CONSTANT_EMPTY_LIST,
              .text = "Those that are judged each second, of all that was measured so far: the run ends as "
                      "soon as one is missed."},
     .read = read_abort_when,
     .build = build_abort_when},
    {.help = {.name = "warmup_ms",
              .type = "non_neg_integer()",
              .unit = "ms",
              .fallback = TERM_CONSTANT_INTEGER(1000),
              .text = "Time before they are judged."},
     .read = read_warmup,
     .build = build_warmup},
    {.help = {.name = "recovery_wait_ms",
              .type = "non_neg_integer()",
              .unit = "ms",
              .fallback = TERM_CONSTANT_INTEGER(0),
              .text = "How long the load may go on after its end until all targets that faults have touched "
                      "have recovered. Its operations count for nothing else."},
     .read = read_recovery_wait,
     .build = build_recovery_wait},
    {.help = {.name = "explain",
              .type = "boolean()",
              .fallback = TERM_CONSTANT_ATOM("false"),
              .text =
                  "Tells why the slowest operations were slow: what is late triggers probes of the process "
                  "that it is for, and of its node. As long as nothing is late little is sent, "
                  "at the beginning."},
     .read = read_explain,
     .build = build_explain},
    {.help = {.name = "metadata",
              .type = "map()",
              .fallback = TERM_CONSTANT_EMPTY_MAP,
              .text = "Becomes part of the report's, with `scenario_id`."},
     .read = read_metadata,
     .build = build_metadata},
    {.help = {.name = "events",
              .type = "policy()",
              .fallback = TERM_CONSTANT_ATOM("all"),
              .fallback_text = "`{last, " TEXT_OF(READER_LOAD_EVENTS) "}` with a load",
              .text = "Which events are kept."},
     .read = read_events,
     .build = build_events},
    {.help = {.name = "seed",
              .type = "non_neg_integer()",
              .fallback_text = "drawn",
              .text = "Makes every random choice of the run repeatable."},
     .read = read_seed,
     .build = build_seed},
    {.help =
         {.name = "hooks_node",
          .type =
              "node()",
          .fallback_text = "the caller's; the target's where a run outlives its caller",
          .text =
              "Where the hooks are applied. Losing it ends the run in `{error, {nodedown, Node}}`, unless "
              "there are neither hooks nor targets there."},
     .read = read_hooks_node,
     .build = build_hooks_node},
};

static const struct help_table help_of_scenarios = HELP_TABLE("scenario", "Keys of a scenario", keys);

const struct help_table *const *scenario_tables(size_t *count)
{
    static const struct help_table *const tables[] = {
        &help_of_scenarios,     &help_of_targets,     &help_of_operations, &help_of_named_operations,
        &help_of_placeholders,  &help_of_policies,    &help_of_load_forms, &help_of_load,
        &help_of_thread_stages, &help_of_rate_stages, &help_of_mix,        &help_of_actions,
        &help_of_fault_targets,
    };
    *count = ARRAY_LENGTH(tables);
    return tables;
}

/* --- How such tables are read --- */

void build_alternatives(const struct help_table *table, size_t from, size_t to, struct buffer *output)
{
    for (size_t i = from; i < to; i++) {
        const char *between = i == from ? "" : i + 1 == to ? " or " : ", ";
        buffer_append(output, between, strlen(between));
        term_notation_elixir(help_row(table, i)->name, output);
    }
    buffer_append(output, "", 1);
}

void report_unknown(struct reader *reader, struct term key, const char *const names[], size_t count,
                    const char *what)
{
    char name[TERM_ATOM_BYTES + 1];
    struct excerpt text;
    if (!term_read_atom(key, name)) {
        problems_add(reader->problems, PROBLEM_UNKNOWN_KEY, "keys must be atoms, got %s",
                     excerpt(&text, key));
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
        names[i] = table[i].help.name;
        values[i] = (struct term){0};
    }
    while (term_pairs_next(&pairs, &key, &value)) {
        size_t index = 0;
        while (index < count && !term_is_atom(key, table[index].help.name))
            index++;
        if (index < count && !values[index].data)
            values[index] = value;
        else if (index == count && !term_is_atom(key, "__struct__"))
            report_unknown(reader, key, names, count, what);
    }
    for (size_t i = 0; i < count; i++)
        if (values[i].data && !table[i].takes_nil && term_is_atom(values[i], "nil"))
            values[i] = (struct term){0};
    return true;
}

/* The default first, which what cannot be read leaves in its place. */
static void scenario_read_value(struct reader *reader, const struct reader_key *key, struct term value)
{
    bool outer_is_default = reader->is_default;
    problems_enter_key(reader->problems, key->help.name);
    reader->is_default = true;
    if (key->help.fallback.data)
        key->read(reader, key->help.fallback);
    reader->is_default = false;
    if (value.data)
        key->read(reader, value);
    else if (key->help.is_required)
        problems_add(reader->problems, PROBLEM_REQUIRED, "is required");
    reader->is_default = outer_is_default;
    problems_leave(reader->problems);
}

void reader_read(struct reader *reader, const struct reader_key *table, size_t count,
                 const struct term values[READER_KEYS])
{
    for (size_t i = 0; i < count; i++)
        scenario_read_value(reader, &table[i], values[i]);
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
        term_build_key(builder, table[i].help.name);
        table[i].build(scenario, builder);
    }
}

void problem_at(struct reader *reader, const char *key, enum problem_kind kind, const char *message)
{
    problems_enter_key(reader->problems, key);
    problems_add(reader->problems, kind, "%s", message);
    problems_leave(reader->problems);
}

/* A run has a target, or a setup that makes one. */
static void scenario_check_subject(struct reader *reader)
{
    struct scenario *scenario = reader->scenario;
    if (reader->has_setup && scenario->target.data) {
        problem_at(reader, "target", PROBLEM_CONFLICT, "cannot be given together with setup");
    } else if (scenario->setup.data) {
        scenario->target_count = 1;
        scenario->targets = memory_zalloc(1, sizeof(*scenario->targets));
        scenario->targets[0].kind = TARGET_PID;
    } else if (!scenario->target.data && !reader->has_setup) {
        problem_at(reader, "setup", PROBLEM_REQUIRED, "is required, or target is");
    }
}

/* Hooks are applied where the scenario says, or where its origin does. */
static void scenario_find_hooks_node(struct reader *reader)
{
    struct scenario *scenario = reader->scenario;
    const struct scenario_origin *origin = reader->origin;
    bool at_target = origin->hooks_at_target && scenario->target_count && *scenario->targets[0].node;
    if (reader->has_hooks_node)
        return;
    const char *node = at_target ? scenario->targets[0].node : origin->caller_node;
    snprintf(scenario->hooks_node, sizeof(scenario->hooks_node), "%s", node);
    if (!*node && !reader->problems->count)
        problem_at(reader, "hooks_node", PROBLEM_REQUIRED, "is required where nobody calls");
}

/* That is where hooks find targets. */
static void scenario_place_finders(struct scenario *scenario)
{
    for (size_t i = 0; i < scenario->target_count; i++)
        if (scenario->targets[i].kind == TARGET_FIND)
            memcpy(scenario->targets[i].node, scenario->hooks_node, sizeof(scenario->hooks_node));
    for (size_t i = 0; i < scenario->action_count; i++)
        if (scenario->actions[i].target.spec.kind == TARGET_FIND)
            memcpy(scenario->actions[i].target.spec.node, scenario->hooks_node, sizeof(scenario->hooks_node));
}

struct scenario *scenario_term_read(struct term term, const struct scenario_origin *origin,
                                    struct problems *problems)
{
    struct scenario *scenario = memory_zalloc(1, sizeof(*scenario));
    struct buffer copy = {0};
    buffer_hold(&copy, term.data, term.size);
    scenario->content = blob_take(&copy, NULL);
    struct reader reader = {.scenario = scenario, .problems = problems, .origin = origin};
    struct term values[READER_KEYS];
    struct excerpt text;
    term.data = scenario->content->data;
    if (reader_find(&reader, term, keys, ARRAY_LENGTH(keys), "scenarios", values)) {
        reader_read(&reader, keys, ARRAY_LENGTH(keys), values);
        scenario_check_subject(&reader);
        scenario_find_hooks_node(&reader);
        scenario_place_finders(scenario);
        finish_load(&reader);
    } else {
        problems_add(problems, PROBLEM_WRONG_TYPE, "a scenario is a map, a keyword list or a struct, got %s",
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
