#include "scenario_private.h"

#include "base/memory.h"
#include "term/term_match.h"
#include "term/term_read.h"

/* Operations of all threads together: threads number theirs in 30 bits. */
#define MAX_OPERATIONS ((1u << 30) - 1)

/* What placeholders may make of a message. */
#define MAX_MESSAGE_BYTES ((size_t)16 << 20)

#define MAX_WEIGHT 1e15

/* By their kinds, each with the first element of its tuples. */
static const struct {
    struct help help;
    const char *tag; /* NULL: it is no such tuple */
} operations[] = {
    [OPERATION_CALL] = {{.name = "{call, Message}",
                         .text = "A call, `GenServer.call/3`: measured until it is answered."},
                        "call"},
    [OPERATION_CAST] = {{.name = "{cast, Message}",
                         .text = "A cast and then the call of `cast_sync_message`, whose answer says that "
                                 "the cast was handled."},
                        "cast"},
    [OPERATION_CUSTOM] = {{.name = "{custom, Fun}",
                           .text = "A hook of the subject, or of the subject and "
                                   "`#{thread => N, step => N, state => Term, seed => N}`, applied in a "
                                   "process of its own, or with `thread_setup` in that of its thread, whose "
                                   "`state` it has; the seed is the run's. "
                                   "`{Module, Function, ExtraArguments}` is one as well."},
                          "custom"},
    [OPERATION_SEND] = {{.name = "{'$send', Message}", .text = "A plain message."}, "$send"},
    [OPERATION_CAST_ONLY] = {{.name = "{'$cast', Message}",
                              .text = "A cast without the call that follows it: nobody answers."},
                             "$cast"},
    [OPERATION_SLEEP] = {{.name = "{'$sleep', Milliseconds}",
                          .text = "Nothing for so long. It is no operation, and counts for nothing."},
                         "$sleep"},
    {{.name = "Fun", .text = "A fun of one or two arguments is the same as `{custom, Fun}`."}, NULL},
    {{.name = "#{op => Operation}",
      .text = "One of these, with a `name` of its own or what is to come of it. A message that is such a map "
              "is written `{call, Map}`."},
     NULL},
    {{.name = "Message", .text = "Any other term is what `default_operation` says, a call or a cast."}, NULL},
};

const struct help_table help_of_operations = HELP_TABLE("operation", "Operations", operations);

const char *operation_tag(enum operation_kind kind)
{
    return operations[kind].tag;
}

static void operations_add(struct reader *reader, struct operation operation)
{
    struct scenario *scenario = reader->scenario;
    if (operation.kind != OPERATION_CUSTOM && operation.kind != OPERATION_SLEEP)
        operation.template = template_read(operation.message, reader->problems);
    if (operation.template && template_sequences(operation.template) > scenario->sequences)
        scenario->sequences = template_sequences(operation.template);
    if (operation.template && template_bytes(operation.template) > MAX_MESSAGE_BYTES)
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE,
                     "can become a message of %zu bytes, more than %zu", template_bytes(operation.template),
                     MAX_MESSAGE_BYTES);
    if (scenario->operation_count == reader->operation_capacity) {
        reader->operation_capacity = reader->operation_capacity ? reader->operation_capacity * 2 : 64;
        scenario->operations =
            memory_resize(scenario->operations, reader->operation_capacity, sizeof(*scenario->operations));
    }
    scenario->operations[scenario->operation_count++] = operation;
    scenario->has_unanswered_operations |=
        operation.kind == OPERATION_CAST_ONLY || operation.kind == OPERATION_SEND;
}

static bool operations_is_custom_fun(struct term value)
{
    int arity = fun_arity(value);
    return arity == 1 || arity == 2;
}

static bool operations_is_zero(struct term value)
{
    int64_t number;
    return term_read_integer(value, &number) && number == 0;
}

static void operations_read_tagged(struct reader *reader, enum operation_kind kind, struct term value)
{
    struct operation operation = {.kind = kind, .message = value};
    uint64_t sleep_ms = 0;
    struct excerpt text;
    if (kind == OPERATION_CUSTOM && !operations_is_custom_fun(value) && !is_module_function_extra(value)) {
        problems_add(reader->problems, PROBLEM_INVALID_OPERATION,
                     "{:custom, _} needs a fun of arity 1 or 2 or {module, function, extra_args}, got %s",
                     excerpt(&text, value));
        return;
    }
    if (kind == OPERATION_SLEEP && !operations_is_zero(value))
        read_milliseconds(reader, value, &sleep_ms);
    operation.sleep_ms = (uint32_t)sleep_ms;
    operation.is_alone = kind == OPERATION_CUSTOM && fun_arity(value) == 1;
    reader->scenario->has_custom_operations |= kind == OPERATION_CUSTOM;
    operations_add(reader, operation);
}

static void operations_read_plain(struct reader *reader, struct term value)
{
    struct term pair[2];
    if (operations_is_custom_fun(value)) {
        operations_read_tagged(reader, OPERATION_CUSTOM, value);
        return;
    }
    if (term_read_tuple_of(value, 2, pair)) {
        for (size_t i = 0; i < ARRAY_LENGTH(operations); i++) {
            if (operations[i].tag && term_is_atom(pair[0], operations[i].tag)) {
                operations_read_tagged(reader, (enum operation_kind)i, pair[1]);
                return;
            }
        }
    }
    operations_add(reader, (struct operation){.kind = reader->scenario->default_operation, .message = value});
}

/* --- Named operations --- */

/* The operation that a name or a pattern is for; NULL when it could not be read. */
static struct operation *operations_read_last(struct reader *reader)
{
    struct scenario *scenario = reader->scenario;
    return scenario->operation_count > reader->operations_before
               ? &scenario->operations[scenario->operation_count - 1]
               : NULL;
}

static bool operations_is_map(struct term value)
{
    struct term operation;
    return term_type(value) == TERM_MAP && term_pairs_get(value, "op", &operation);
}

static void operations_read_inner(struct reader *reader, struct term value)
{
    if (operations_is_map(value))
        problems_add(reader->problems, PROBLEM_INVALID_OPERATION, "must be an operation that is no such map");
    else
        operations_read_plain(reader, value);
}

static void operations_read_name(struct reader *reader, struct term value)
{
    struct operation *operation = operations_read_last(reader);
    if (operation)
        operation->name = value;
    reader->scenario->has_named_operations = true;
}

static void operations_read_expect(struct reader *reader, struct term value)
{
    struct operation *operation = operations_read_last(reader);
    if (term_is_atom(value, "_"))
        return;
    if (operation && !operation_is_answered(operation->kind))
        problems_add(reader->problems, PROBLEM_CONFLICT, "has no reply to look at: nobody answers it");
    else if (!term_is_pattern(value))
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE,
                     "must be a pattern of at most %d values, with at most %d keys in a map",
                     PATTERN_VALUES_MOST, PATTERN_KEYS_MOST);
    else if (operation)
        operation->expect = value;
}

static const struct reader_key named_keys[] = {
    {.help = {.name = "op",
              .type = "operation()",
              .is_required = true,
              .text = "What is done: any operation but another such map."},
     .read = operations_read_inner,
     .takes_nil = true},
    {.help = {.name = "name",
              .type = "term()",
              .fallback_text = "the operation, with its message as it is written",
              .text = "What it is called where operations are counted and timed. Those of one name are "
                      "counted together."},
     .read = operations_read_name},
    {.help =
         {.name = "expect",
          .type = "pattern()",
          .fallback_text = "`'_'`, anything",
          .text =
              "What its reply, or what a custom operation returns, must match: `'_'` matches anything, "
              "as the tail of a list all that is left of it, a map each that has its keys with values "
              "that match. Otherwise it is the error `{unexpected, Reply}`. At most 1,000,000 values, and "
              "1,000 keys in a map."},
     .read = operations_read_expect,
     .takes_nil = true},
};

const struct help_table help_of_named_operations =
    HELP_TABLE("named", "Operations with a name or an expectation", named_keys);

/* False when it is no map and no keyword list. */
static bool operations_read_keys(struct reader *reader, struct term value, const struct reader_key *keys,
                                 size_t count, const char *what)
{
    struct term values[READER_KEYS];
    reader->operations_before = reader->scenario->operation_count;
    if (!reader_find(reader, value, keys, count, what, values))
        return false;
    reader_read(reader, keys, count, values);
    return true;
}

void read_operation(struct reader *reader, struct term value)
{
    if (operations_is_map(value))
        (void)operations_read_keys(reader, value, named_keys, ARRAY_LENGTH(named_keys),
                                   "operations with a name; a message that is such a map is {:call, map}");
    else
        operations_read_plain(reader, value);
}

/* A script that is not a list is one operation, and nil is an empty one, as in the library. */
static void operations_read_script(struct reader *reader, struct term value)
{
    struct term_list list;
    struct term element;
    if (term_is_atom(value, "nil"))
        return;
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
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a proper list");
}

void read_threads(struct reader *reader, struct term value)
{
    struct term_list list;
    struct term element;
    struct excerpt text;
    struct scenario *scenario = reader->scenario;
    reader->has_threads = true;
    if (!term_list_start(&list, value)) {
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a list of scripts, got %s",
                     excerpt(&text, value));
        return;
    }
    if (list.count == 0)
        problems_add(reader->problems, PROBLEM_EMPTY, "must have at least one thread");
    scenario->threads = memory_zalloc(list.count, sizeof(*scenario->threads));
    scenario->thread_count = list.count;
    for (size_t i = 0; term_list_next(&list, &element); i++) {
        uint32_t first = (uint32_t)scenario->operation_count;
        problems_enter_index(reader->problems, i);
        operations_read_script(reader, element);
        problems_leave(reader->problems);
        scenario->threads[i] = (struct thread_script){first, (uint32_t)scenario->operation_count - first};
    }
    if (!term_list_proper(&list))
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a proper list");
    if (scenario->operation_count > MAX_OPERATIONS)
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE, "have too many operations");
}

/* The script that all threads of a load repeat. */
void read_operations(struct reader *reader, struct term value)
{
    reader->has_operations = true;
    size_t before = reader->scenario->operation_count;
    operations_read_script(reader, value);
    if (reader->scenario->operation_count == before)
        problems_add(reader->problems, PROBLEM_EMPTY, "must have at least one operation");
}

void build_operations(const struct scenario *scenario, struct term_builder *builder)
{
    if (scenario->threads || scenario->mix) {
        term_build_atom(builder, "nil");
        return;
    }
    term_build_list(builder, scenario->operation_count);
    for (size_t i = 0; i < scenario->operation_count; i++)
        build_operation(&scenario->operations[i], builder);
    term_build_nil(builder);
}

/* An operation that reads back the same: events show custom ones without their hook. */
static void operations_build_plain(const struct operation *operation, struct term_builder *builder)
{
    if (operation->kind != OPERATION_CUSTOM) {
        operation_build(operation, operation->message, builder);
        return;
    }
    term_build_tuple(builder, 2);
    term_build_atom(builder, "custom");
    term_build_term(builder, operation->message);
}

void build_operation(const struct operation *operation, struct term_builder *builder)
{
    size_t given = (operation->name.data != NULL) + (operation->expect.data != NULL);
    if (given) {
        term_build_map(builder, given + 1);
        term_build_key(builder, "op");
    }
    operations_build_plain(operation, builder);
    if (operation->name.data) {
        term_build_key(builder, "name");
        term_build_term(builder, operation->name);
    }
    if (operation->expect.data) {
        term_build_key(builder, "expect");
        term_build_term(builder, operation->expect);
    }
}

void build_threads(const struct scenario *scenario, struct term_builder *builder)
{
    if (!scenario->threads) {
        term_build_atom(builder, "nil");
        return;
    }
    term_build_list(builder, scenario->thread_count);
    for (size_t i = 0; i < scenario->thread_count; i++) {
        struct thread_script script = scenario->threads[i];
        term_build_list(builder, script.count);
        for (uint32_t j = 0; j < script.count; j++)
            build_operation(&scenario->operations[script.first + j], builder);
        if (script.count)
            term_build_nil(builder);
    }
    term_build_nil(builder);
}

/* --- Mixes --- */

/* The weight comes before the operation that it is of. */
static void operations_read_weight(struct reader *reader, struct term value)
{
    struct excerpt text;
    double *weight = &reader->scenario->weights[reader->mix_count - 1];
    if (!term_read_number(value, weight) || !(*weight > 0) || *weight > MAX_WEIGHT)
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE, "must be a number above 0, at most %.0f, got %s",
                     MAX_WEIGHT, excerpt(&text, value));
}

static const struct reader_key mix_keys[] = {
    {.help = {.name = "weight",
              .type = "number()",
              .is_required = true,
              .text = "How often it is drawn, to the weights of the others."},
     .read = operations_read_weight},
    {.help = {.name = "op", .type = "operation()", .is_required = true, .text = "What is drawn."},
     .read = read_operation,
     .takes_nil = true},
    {.help = {.name = "name", .type = "term()", .text = "As of an operation."}, .read = operations_read_name},
    {.help = {.name = "expect", .type = "pattern()", .text = "As of an operation."},
     .read = operations_read_expect,
     .takes_nil = true},
};

const struct help_table help_of_mix = HELP_TABLE("mix", "Choices of a mix", mix_keys);

static void operations_read_choice(struct reader *reader, struct term value)
{
    struct excerpt text;
    reader->mix_count++;
    if (!operations_read_keys(reader, value, mix_keys, ARRAY_LENGTH(mix_keys), "choices of a mix"))
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a map of weight and op, got %s",
                     excerpt(&text, value));
}

void read_mix(struct reader *reader, struct term value)
{
    struct scenario *scenario = reader->scenario;
    struct term_list list;
    struct term element;
    struct excerpt text;
    reader->has_mix = true;
    if (!term_list_start(&list, value) || list.count == 0) {
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a list of at least one choice, got %s",
                     excerpt(&text, value));
        return;
    }
    scenario->weights = memory_zalloc(list.count, sizeof(*scenario->weights));
    scenario->mix = memory_zalloc(list.count, sizeof(*scenario->mix));
    for (size_t i = 0; term_list_next(&list, &element); i++) {
        problems_enter_index(reader->problems, i);
        operations_read_choice(reader, element);
        problems_leave(reader->problems);
        scenario->mix[i] = scenario->weights[i] + (i ? scenario->mix[i - 1] : 0);
    }
    if (!term_list_proper(&list))
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a proper list");
}

void build_mix(const struct scenario *scenario, struct term_builder *builder)
{
    if (!scenario->mix) {
        term_build_atom(builder, "nil");
        return;
    }
    term_build_list(builder, scenario->operation_count);
    for (size_t i = 0; i < scenario->operation_count; i++) {
        term_build_map(builder, 2);
        term_build_key(builder, "weight");
        term_build_float(builder, scenario->weights[i]);
        term_build_key(builder, "op");
        build_operation(&scenario->operations[i], builder);
    }
    term_build_nil(builder);
}
