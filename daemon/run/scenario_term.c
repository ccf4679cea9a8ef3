#include "run/scenario_term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "term/term_check.h"
#include "term/term_read.h"
#include "term/term_text.h"

/* Milliseconds that a timer may have: the limit of Erlang's receive. */
#define MAX_MS 4294967295LL

/* Operations of all threads together. */
#define MAX_OPERATIONS UINT32_MAX

#define MAX_TARGETS 10000

struct reader {
    struct scenario *scenario;
    struct problems *problems;
    const char *caller_node;
    const char *own_node;
    size_t operation_capacity;
};

/* A few characters of a term, for a message. */
struct excerpt {
    char text[120];
};

static const char *excerpt(struct excerpt *excerpt, struct term term)
{
    return term_text(term, excerpt->text, sizeof(excerpt->text));
}

/* --- Values of single keys --- */

static void read_milliseconds(struct reader *reader, struct term value, uint64_t *result)
{
    int64_t number;
    struct excerpt text;
    if (!term_read_integer(value, &number))
        problems_add(reader->problems, "wrong_type", "must be a number of milliseconds, got %s",
                     excerpt(&text, value));
    else if (number < 1 || number > MAX_MS)
        problems_add(reader->problems, "out_of_range", "must be in 1 to %lld milliseconds, got %lld", MAX_MS,
                     (long long)number);
    else
        *result = (uint64_t)number;
}

static void read_timeout(struct reader *reader, struct term value)
{
    read_milliseconds(reader, value, &reader->scenario->timeout_ms);
}

static void read_call_timeout(struct reader *reader, struct term value)
{
    read_milliseconds(reader, value, &reader->scenario->call_timeout_ms);
}

static void read_cast_sync_message(struct reader *reader, struct term value)
{
    reader->scenario->cast_sync_message = value;
}

static void read_metadata(struct reader *reader, struct term value)
{
    struct excerpt text;
    if (term_type(value) == TERM_MAP)
        reader->scenario->metadata = value;
    else if (!term_is_atom(value, "nil"))
        problems_add(reader->problems, "wrong_type", "must be a map, got %s", excerpt(&text, value));
}

static void read_default_operation(struct reader *reader, struct term value)
{
    struct excerpt text;
    if (term_is_atom(value, "call"))
        reader->scenario->default_operation = OPERATION_CALL;
    else if (term_is_atom(value, "cast"))
        reader->scenario->default_operation = OPERATION_CAST;
    else
        problems_add(reader->problems, "out_of_range", "must be :call or :cast, got %s",
                     excerpt(&text, value));
}

static const struct {
    const char *name;
    enum events_policy policy;
    bool numbered;
} policies[] = {
    {"all", EVENTS_ALL, false},  {"errors", EVENTS_ERRORS, false}, {"none", EVENTS_NONE, false},
    {"last", EVENTS_LAST, true}, {"sample", EVENTS_SAMPLE, true},
};

static void read_events(struct reader *reader, struct term value)
{
    struct term pair[2] = {value, {0}};
    int64_t number = 0;
    struct excerpt text;
    bool numbered = term_read_tuple_of(value, 2, pair);
    for (size_t i = 0; i < ARRAY_LENGTH(policies); i++) {
        if (numbered != policies[i].numbered || !term_is_atom(pair[0], policies[i].name))
            continue;
        if (numbered && (!term_read_integer(pair[1], &number) || number < 1)) {
            problems_add(reader->problems, "out_of_range", "needs a number of at least 1, got %s",
                         excerpt(&text, pair[1]));
            return;
        }
        reader->scenario->events_policy = policies[i].policy;
        reader->scenario->events_number = (uint64_t)number;
        return;
    }
    problems_add(reader->problems, "out_of_range",
                 "must be :all, :errors, :none, {:last, n} or {:sample, n}, got %s", excerpt(&text, value));
}

/* --- Targets --- */

static void set_node(struct reader *reader, struct target_spec *target, struct term node)
{
    char text[TERM_ATOM_BYTES + 1];
    if (!term_read_atom(node, text) || !node_name_is_valid(text, strlen(text))) {
        struct excerpt name;
        problems_add(reader->problems, "invalid_target", "%s cannot be the name of a node",
                     excerpt(&name, node));
        return;
    }
    if (strcmp(text, reader->own_node) == 0)
        problems_add(reader->problems, "invalid_target", "is on the daemon's own node");
    memcpy(target->node, text, strlen(text) + 1);
}

static bool is_name(struct term term)
{
    return term_type(term) == TERM_ATOM && !term_is_atom(term, "nil") && !term_is_atom(term, "undefined");
}

/* {Name, Node} | {global, Term} | {via, Module, Term} */
static bool read_tuple_target(struct reader *reader, struct term value, struct target_spec *target)
{
    struct term parts[3];
    size_t arity;
    if (!term_read_tuple(value, ARRAY_LENGTH(parts), parts, &arity))
        return false;
    if (arity == 2 && term_is_atom(parts[0], "global")) {
        target->kind = TARGET_GLOBAL;
        target->name = parts[1];
        snprintf(target->module, sizeof(target->module), "global");
        return true;
    }
    if (arity == 3 && term_is_atom(parts[0], "via") && term_read_atom(parts[1], target->module)) {
        target->kind = TARGET_VIA;
        target->name = parts[2];
        return true;
    }
    if (arity == 2 && is_name(parts[0]) && term_type(parts[1]) == TERM_ATOM) {
        target->kind = TARGET_NAME;
        target->name = parts[0];
        set_node(reader, target, parts[1]);
        return true;
    }
    return false;
}

static void read_one_target(struct reader *reader, struct term value, struct target_spec *target)
{
    *target = (struct target_spec){.server = value};
    snprintf(target->node, sizeof(target->node), "%s", reader->caller_node);
    struct term node;
    struct excerpt text;
    if (term_type(value) == TERM_PID && term_read_node(value, &node)) {
        target->kind = TARGET_PID;
        set_node(reader, target, node);
    } else if (is_name(value)) {
        target->kind = TARGET_NAME;
        target->name = value;
    } else if (!read_tuple_target(reader, value, target)) {
        problems_add(reader->problems, "invalid_target",
                     "must be a pid, a name, {name, node}, {:global, term} or {:via, module, term}, got %s",
                     excerpt(&text, value));
    }
}

static void read_target(struct reader *reader, struct term value)
{
    struct term_list list;
    struct term element;
    struct scenario *scenario = reader->scenario;
    scenario->target_is_list = term_list_start(&list, value);
    if (scenario->target_is_list && list.count == 0) {
        problems_add(reader->problems, "empty", "must have at least one target");
        return;
    }
    if (scenario->target_is_list && (list.count == 0 || list.count > MAX_TARGETS)) {
        problems_add(reader->problems, "out_of_range", "must be 1 to %d targets", MAX_TARGETS);
        return;
    }
    scenario->target_count = scenario->target_is_list ? list.count : 1;
    scenario->targets = memory_zalloc(scenario->target_count, sizeof(*scenario->targets));
    if (!scenario->target_is_list) {
        read_one_target(reader, value, &scenario->targets[0]);
        return;
    }
    for (size_t i = 0; term_list_next(&list, &element); i++) {
        problems_enter_index(reader->problems, i);
        read_one_target(reader, element, &scenario->targets[i]);
        problems_leave(reader->problems);
    }
    if (!term_list_proper(&list))
        problems_add(reader->problems, "wrong_type", "must be a proper list");
}

/* --- Threads --- */

/* Operations that tuples with these first elements name, and whether they can be run yet. */
static const struct {
    const char *name;
    enum operation_kind kind;
    bool supported;
} operations[] = {
    {"call", OPERATION_CALL, true},   {"cast", OPERATION_CAST, true},   {"custom", OPERATION_CALL, false},
    {"$send", OPERATION_CALL, false}, {"$cast", OPERATION_CALL, false}, {"$sleep", OPERATION_CALL, false},
};

static void add_operation(struct reader *reader, enum operation_kind kind, struct term message)
{
    struct scenario *scenario = reader->scenario;
    if (scenario->operation_count == reader->operation_capacity) {
        reader->operation_capacity = reader->operation_capacity ? reader->operation_capacity * 2 : 64;
        scenario->operations =
            memory_resize(scenario->operations, reader->operation_capacity, sizeof(*scenario->operations));
    }
    scenario->operations[scenario->operation_count++] = (struct operation){.kind = kind, .message = message};
}

static void read_operation(struct reader *reader, struct term value)
{
    struct term pair[2];
    if (term_type(value) == TERM_FUN) {
        problems_add(reader->problems, "not_supported", "operations that are funs are not supported");
        return;
    }
    if (term_read_tuple_of(value, 2, pair)) {
        for (size_t i = 0; i < ARRAY_LENGTH(operations); i++) {
            if (!term_is_atom(pair[0], operations[i].name))
                continue;
            if (operations[i].supported)
                add_operation(reader, operations[i].kind, pair[1]);
            else
                problems_add(reader->problems, "not_supported", "operations {:%s, _} are not supported",
                             operations[i].name);
            return;
        }
    }
    add_operation(reader, reader->scenario->default_operation, value);
}

/* A script that is not a list is one operation, as in the library. */
static void read_script(struct reader *reader, struct term value)
{
    struct term_list list;
    struct term element;
    if (!term_list_start(&list, value)) {
        read_operation(reader, value);
        return;
    }
    for (size_t i = 0; term_list_next(&list, &element); i++) {
        problems_enter_index(reader->problems, i);
        read_operation(reader, element);
        problems_leave(reader->problems);
    }
    if (!term_list_proper(&list))
        problems_add(reader->problems, "wrong_type", "must be a proper list");
}

static void read_threads(struct reader *reader, struct term value)
{
    struct term_list list;
    struct term element;
    struct excerpt text;
    struct scenario *scenario = reader->scenario;
    if (!term_list_start(&list, value)) {
        problems_add(reader->problems, "wrong_type", "must be a list of scripts, got %s",
                     excerpt(&text, value));
        return;
    }
    if (list.count == 0)
        problems_add(reader->problems, "empty", "must have at least one thread");
    scenario->threads = memory_zalloc(list.count, sizeof(*scenario->threads));
    scenario->thread_count = list.count;
    for (size_t i = 0; term_list_next(&list, &element); i++) {
        uint32_t first = (uint32_t)scenario->operation_count;
        problems_enter_index(reader->problems, i);
        read_script(reader, element);
        problems_leave(reader->problems);
        scenario->threads[i] = (struct script){first, (uint32_t)scenario->operation_count - first};
    }
    if (!term_list_proper(&list))
        problems_add(reader->problems, "wrong_type", "must be a proper list");
    if (scenario->operation_count > MAX_OPERATIONS)
        problems_add(reader->problems, "out_of_range", "have too many operations");
}

/* --- The normalised form --- */

static void build_target(const struct scenario *scenario, struct term_builder *builder)
{
    if (scenario->target_is_list)
        term_build_list(builder, scenario->target_count);
    for (size_t i = 0; i < scenario->target_count; i++) {
        const struct target_spec *target = &scenario->targets[i];
        /* A process may well be registered as `global`; with its node it would read as something else. */
        if (target->kind == TARGET_NAME && !term_is_atom(target->name, "global")) {
            term_build_tuple(builder, 2);
            term_build_term(builder, target->name);
            term_build_atom(builder, target->node);
        } else {
            term_build_term(builder, target->server);
        }
    }
    if (scenario->target_is_list)
        term_build_nil(builder);
}

static void build_threads(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_list(builder, scenario->thread_count);
    for (size_t i = 0; i < scenario->thread_count; i++) {
        struct script script = scenario->threads[i];
        term_build_list(builder, script.count);
        for (uint32_t j = 0; j < script.count; j++)
            operation_build(&scenario->operations[script.first + j], builder);
        if (script.count)
            term_build_nil(builder);
    }
    term_build_nil(builder);
}

static void build_default_operation(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_atom(builder, scenario->default_operation == OPERATION_CALL ? "call" : "cast");
}

static void build_timeout(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_unsigned(builder, scenario->timeout_ms);
}

static void build_call_timeout(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_unsigned(builder, scenario->call_timeout_ms);
}

static void build_cast_sync_message(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_term(builder, scenario->cast_sync_message);
}

static void build_metadata(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_term(builder, scenario->metadata);
}

static void build_events(const struct scenario *scenario, struct term_builder *builder)
{
    for (size_t i = 0; i < ARRAY_LENGTH(policies); i++) {
        if (policies[i].policy != scenario->events_policy)
            continue;
        if (policies[i].numbered)
            term_build_tuple(builder, 2);
        term_build_atom(builder, policies[i].name);
        if (policies[i].numbered)
            term_build_unsigned(builder, scenario->events_number);
    }
}

/* --- Keys --- */

/* In the order in which they are read: operations need the default one. A key that cannot be read yet is
 * known all the same: it is refused by name unless it says nothing. */
static const struct scenario_key {
    const char *name;
    void (*read)(struct reader *reader, struct term value);
    void (*build)(const struct scenario *scenario, struct term_builder *builder);
    bool required;
} keys[] = {
    {"target", read_target, build_target, true},
    {"default_operation", read_default_operation, build_default_operation, false},
    {"threads", read_threads, build_threads, true},
    {"timeout_ms", read_timeout, build_timeout, false},
    {"call_timeout_ms", read_call_timeout, build_call_timeout, false},
    {"cast_sync_message", read_cast_sync_message, build_cast_sync_message, false},
    {"metadata", read_metadata, build_metadata, false},
    {"events", read_events, build_events, false},
    {"setup", NULL, NULL, false},
    {"cleanup", NULL, NULL, false},
    {"invariant", NULL, NULL, false},
    {"strict_cast_sync?", NULL, NULL, false},
    {"hook_timeout_ms", NULL, NULL, false},
    {"mailbox", NULL, NULL, false},
    {"chaos", NULL, NULL, false},
    {"performance_expectations", NULL, NULL, false},
    {"load", NULL, NULL, false},
    {"operations", NULL, NULL, false},
    {"mix", NULL, NULL, false},
    {"spread", NULL, NULL, false},
    {"steady_state", NULL, NULL, false},
    {"seed", NULL, NULL, false},
    {"abort_when", NULL, NULL, false},
    {"warmup_ms", NULL, NULL, false},
    {"hooks_node", NULL, NULL, false},
    {"dry_run", NULL, NULL, false},
};

/* The library's own default funs, which its structs carry, say nothing either: they mean our defaults. */
static bool is_library_default(struct term term)
{
    static const char library[] = "Elixir.Supertester.";
    struct term module, function;
    char name[TERM_ATOM_BYTES + 1];
    if (term.data[0] != TERM_TAG_EXPORT)
        return false;
    module.data = term.data + 1;
    module.size = term_length(module.data);
    function.data = module.data + module.size;
    function.size = term_length(function.data);
    return term_read_atom(module, name) && strncmp(name, library, sizeof(library) - 1) == 0 &&
           (term_is_atom(function, "default_invariant") || term_is_atom(function, "default_cleanup"));
}

/* Values that say nothing: what a struct has in the keys that its user did not set. */
static bool says_nothing(struct term value)
{
    return term_is_atom(value, "nil") || term_is_atom(value, "false") || term_is_nil(value) ||
           is_library_default(value);
}

static size_t find_key(struct term key)
{
    size_t index = 0;
    while (index < ARRAY_LENGTH(keys) && !term_is_atom(key, keys[index].name))
        index++;
    return index;
}

static void report_unknown(struct reader *reader, struct term key)
{
    const char *names[ARRAY_LENGTH(keys)];
    char name[TERM_ATOM_BYTES + 1];
    struct excerpt text;
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        names[i] = keys[i].name;
    if (!term_read_atom(key, name)) {
        problems_add(reader->problems, "unknown_key", "keys must be atoms, got %s", excerpt(&text, key));
        return;
    }
    const char *nearest = nearest_word(name, strlen(name), names, ARRAY_LENGTH(names));
    problems_enter_key(reader->problems, name);
    if (nearest)
        problems_add(reader->problems, "unknown_key", "is not a key of scenarios; did you mean %s?", nearest);
    else
        problems_add(reader->problems, "unknown_key", "is not a key of scenarios");
    problems_leave(reader->problems);
}

static void read_value(struct reader *reader, const struct scenario_key *key, struct term value)
{
    problems_enter_key(reader->problems, key->name);
    if (value.data && key->read)
        key->read(reader, value);
    else if (value.data && !says_nothing(value))
        problems_add(reader->problems, "not_supported", "is not supported by this version");
    else if (!value.data && key->required)
        problems_add(reader->problems, "required", "is required");
    problems_leave(reader->problems);
}

static void read_pairs(struct reader *reader, struct term_pairs *pairs)
{
    struct term values[ARRAY_LENGTH(keys)] = {{0}};
    struct term key, value;
    while (term_pairs_next(pairs, &key, &value)) {
        size_t index = find_key(key);
        if (index < ARRAY_LENGTH(keys)) {
            if (!values[index].data) /* of a key that comes twice in a keyword list the first counts */
                values[index] = value;
        } else if (!term_is_atom(key, "__struct__")) {
            report_unknown(reader, key);
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        read_value(reader, &keys[i], values[i]);
}

struct scenario *scenario_term_read(struct term term, const char *caller_node, const char *own_node,
                                    struct problems *problems)
{
    static const uint8_t sync_message[] = "w\x14"
                                          "__supertester_sync__";
    static const uint8_t empty_map[] = {TERM_TAG_MAP, 0, 0, 0, 0};
    struct scenario *scenario = memory_zalloc(1, sizeof(*scenario));
    scenario->bytes = memory_copy(term.data, term.size);
    scenario->timeout_ms = 5000;
    scenario->call_timeout_ms = 1000;
    scenario->cast_sync_message = (struct term){sync_message, sizeof(sync_message) - 1};
    scenario->metadata = (struct term){empty_map, sizeof(empty_map)};
    struct reader reader = {
        .scenario = scenario, .problems = problems, .caller_node = caller_node, .own_node = own_node};
    struct term_pairs pairs;
    struct excerpt text;
    if (term_pairs_start(&pairs, (struct term){scenario->bytes, term.size}))
        read_pairs(&reader, &pairs);
    else
        problems_add(problems, "wrong_type", "a scenario is a map, a keyword list or a struct, got %s",
                     excerpt(&text, term));
    if (!problems->count)
        return scenario;
    scenario_free(scenario);
    return NULL;
}

void scenario_term_build(const struct scenario *scenario, struct term_builder *builder)
{
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        count += keys[i].build != NULL;
    term_build_map(builder, count);
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
        if (!keys[i].build)
            continue;
        term_build_key(builder, keys[i].name);
        keys[i].build(scenario, builder);
    }
}
