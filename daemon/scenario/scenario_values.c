/* The keys with plain values: times, words, numbers, what is kept. */
#include "scenario_private.h"

#include "term/term_read.h"

bool read_whole(struct reader *reader, struct term value, uint64_t low, uint64_t high, const char *units,
                uint64_t *result)
{
    int64_t number;
    struct excerpt text;
    if (!term_read_integer(value, &number)) {
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a number of %s, got %s", units,
                     excerpt(&text, value));
    } else if (number < 0 || (uint64_t)number < low || (uint64_t)number > high) {
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE, "must be in %llu to %llu %s, got %lld",
                     (unsigned long long)low, (unsigned long long)high, units, (long long)number);
    } else {
        *result = (uint64_t)number;
        return true;
    }
    return false;
}

void read_milliseconds(struct reader *reader, struct term value, uint64_t *result)
{
    (void)read_whole(reader, value, 1, READER_MOST_MS, "milliseconds", result);
}

void read_timeout(struct reader *reader, struct term value)
{
    reader->has_timeout = !reader->is_default;
    read_milliseconds(reader, value, &reader->scenario->timeout_ms);
}

void read_warmup(struct reader *reader, struct term value)
{
    (void)read_whole(reader, value, 0, READER_MOST_MS, "milliseconds", &reader->scenario->warmup_ms);
}

void read_recovery_wait(struct reader *reader, struct term value)
{
    (void)read_whole(reader, value, 0, READER_MOST_MS, "milliseconds", &reader->scenario->recovery_wait_ms);
}

void read_seed(struct reader *reader, struct term value)
{
    int64_t number;
    struct excerpt text;
    if (!term_read_integer(value, &number) || number < 0) {
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be an integer from 0 to 2^63 - 1, got %s",
                     excerpt(&text, value));
        return;
    }
    reader->scenario->has_seed = true;
    reader->scenario->seed = (uint64_t)number;
}

void read_call_timeout(struct reader *reader, struct term value)
{
    read_milliseconds(reader, value, &reader->scenario->call_timeout_ms);
}

void read_cast_sync_message(struct reader *reader, struct term value)
{
    reader->scenario->cast_sync_message = value;
}

void read_metadata(struct reader *reader, struct term value)
{
    struct excerpt text;
    if (term_type(value) == TERM_MAP)
        reader->scenario->metadata = value;
    else
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a map, got %s", excerpt(&text, value));
}

void read_default_operation(struct reader *reader, struct term value)
{
    struct excerpt text;
    if (term_is_atom(value, "call"))
        reader->scenario->default_operation = OPERATION_CALL;
    else if (term_is_atom(value, "cast"))
        reader->scenario->default_operation = OPERATION_CAST;
    else
        problems_add(reader->problems, PROBLEM_OUT_OF_RANGE, "must be :call or :cast, got %s",
                     excerpt(&text, value));
}

static const struct {
    struct help help;
    const char *name;
    enum events_policy policy;
    bool numbered;
} policies[] = {
    {{.name = "all",
      .text = "Every event, up to the configuration's `limits.events`: beyond them the oldest go."},
     "all",
     EVENTS_ALL,
     false},
    {{.name = "errors", .text = "Those of operations that have failed."}, "errors", EVENTS_ERRORS, false},
    {{.name = "none", .text = "None; counts and latencies are there all the same."},
     "none",
     EVENTS_NONE,
     false},
    {{.name = "{last, N}", .text = "The last N."}, "last", EVENTS_LAST, true},
    {{.name = "{sample, N}", .text = "N of them, each equally likely."}, "sample", EVENTS_SAMPLE, true},
};

const struct help_table help_of_policies = HELP_TABLE("policy", "Which events are kept", policies);

void read_events(struct reader *reader, struct term value)
{
    struct term pair[2] = {value, {0}};
    int64_t number = 0;
    struct excerpt text;
    bool numbered = term_read_tuple_of(value, 2, pair);
    reader->has_events = !reader->is_default;
    for (size_t i = 0; i < ARRAY_LENGTH(policies); i++) {
        if (numbered != policies[i].numbered || !term_is_atom(pair[0], policies[i].name))
            continue;
        if (numbered && (!term_read_integer(pair[1], &number) || number < 1)) {
            problems_add(reader->problems, PROBLEM_OUT_OF_RANGE, "needs a number of at least 1, got %s",
                         excerpt(&text, pair[1]));
            return;
        }
        reader->scenario->events_policy = policies[i].policy;
        reader->scenario->events_number = (uint64_t)number;
        return;
    }
    struct buffer shapes = {0};
    build_alternatives(&help_of_policies, 0, help_of_policies.count, &shapes);
    problems_add(reader->problems, PROBLEM_OUT_OF_RANGE, "must be %s, got %s",
                 (const char *)buffer_bytes(&shapes), excerpt(&text, value));
    buffer_free(&shapes);
}

void read_strict(struct reader *reader, struct term value)
{
    struct excerpt text;
    if (!term_read_boolean(value, &reader->scenario->strict_cast_sync))
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be true or false, got %s",
                     excerpt(&text, value));
}

void read_explain(struct reader *reader, struct term value)
{
    struct excerpt text;
    if (!term_read_boolean(value, &reader->scenario->explain))
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be true or false, got %s",
                     excerpt(&text, value));
}

/* An empty list is a mailbox that is observed with the default interval. */
void read_mailbox(struct reader *reader, struct term value)
{
    struct term_pairs pairs;
    struct term key, interval;
    struct excerpt text;
    if (term_is_atom(value, "nil"))
        return;
    if (!term_pairs_start(&pairs, value)) {
        problems_add(reader->problems, PROBLEM_WRONG_TYPE, "must be a keyword list, got %s",
                     excerpt(&text, value));
        return;
    }
    reader->scenario->mailbox_interval_ms = 10;
    while (term_pairs_next(&pairs, &key, &interval)) {
        if (!term_is_atom(key, "sampling_interval")) {
            problems_add(reader->problems, PROBLEM_UNKNOWN_KEY,
                         "%s is not an option of mailbox; sampling_interval is", excerpt(&text, key));
            continue;
        }
        problems_enter_key(reader->problems, "sampling_interval");
        read_milliseconds(reader, interval, &reader->scenario->mailbox_interval_ms);
        problems_leave(reader->problems);
    }
}

/* --- The normalised form --- */

void build_strict(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_boolean(builder, scenario->strict_cast_sync);
}

void build_explain(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_boolean(builder, scenario->explain);
}

void build_mailbox(const struct scenario *scenario, struct term_builder *builder)
{
    if (!scenario->mailbox_interval_ms) {
        term_build_atom(builder, "nil");
        return;
    }
    term_build_list(builder, 1);
    term_build_tuple(builder, 2);
    term_build_atom(builder, "sampling_interval");
    term_build_unsigned(builder, scenario->mailbox_interval_ms);
    term_build_nil(builder);
}

void build_default_operation(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_atom(builder, scenario->default_operation == OPERATION_CALL ? "call" : "cast");
}

void build_timeout(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_unsigned(builder, scenario->timeout_ms);
}

void build_call_timeout(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_unsigned(builder, scenario->call_timeout_ms);
}

void build_cast_sync_message(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_term(builder, scenario->cast_sync_message);
}

void build_warmup(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_unsigned(builder, scenario->warmup_ms);
}

void build_recovery_wait(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_unsigned(builder, scenario->recovery_wait_ms);
}

/* One that is drawn is not known yet. */
void build_seed(const struct scenario *scenario, struct term_builder *builder)
{
    if (scenario->has_seed)
        term_build_unsigned(builder, scenario->seed);
    else
        term_build_atom(builder, "nil");
}

void build_metadata(const struct scenario *scenario, struct term_builder *builder)
{
    term_build_term(builder, scenario->metadata);
}

void build_events(const struct scenario *scenario, struct term_builder *builder)
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
