/* What the files that read scenarios know of one another: each reads the keys of one kind and writes them
 * back. */
#ifndef HARNESSD_SCENARIO_SCENARIO_PRIVATE_H
#define HARNESSD_SCENARIO_SCENARIO_PRIVATE_H

#include "scenario/scenario_term.h"
#include "term/help.h"

struct reader {
    struct scenario *scenario;
    struct problems *problems;
    const struct scenario_origin *origin;
    size_t operation_capacity;
    size_t operations_before; /* how many there were before the one that is read */
    bool is_default;          /* what is read was not given but is the default */
    bool has_setup;           /* that it was given, whether it could be read or not */
    bool has_threads;         /* that they were given, whether they could be read or not */
    bool has_operations;
    bool has_mix;
    size_t mix_count; /* choices of `mix` read so far */
    bool has_timeout;
    bool has_events;
    bool has_hooks_node;
};

/* A few characters of a term, for a message. */
struct excerpt {
    char text[120];
};

const char *excerpt(struct excerpt *excerpt, struct term term);

/* Events that are kept of a load unless the scenario says otherwise. */
#define READER_LOAD_EVENTS 1000

/* Milliseconds that a timer may have: the limit of Erlang's receive. */
#define READER_MOST_MS 4294967295ULL

void read_milliseconds(struct reader *reader, struct term value, uint64_t *result);

/* A whole number from `low` to `high`, of these units ("threads", say). False when it is none. */
bool read_whole(struct reader *reader, struct term value, uint64_t low, uint64_t high, const char *units,
                uint64_t *result);

/* A key of a map or keyword list. `read` is for reader_read() alone, which gives it the default and then the
 * value, if there is one; one without `build` is no part of the normalised form. */
struct reader_key {
    struct help help;
    void (*read)(struct reader *reader, struct term value);
    void (*build)(const struct scenario *scenario, struct term_builder *builder);
    unsigned forms; /* of a load: those that it goes with, a bit each */
    bool takes_nil; /* `nil` is one of its values, and not what is not given */
};

#define READER_KEYS 64

/* Finds the values of the keys; of one that comes twice in a keyword list the first counts, and one that
 * is `nil` is not given. Unknown ones become problems, `what` being what they are no keys of ("scenarios").
 * False when the term is no map and no keyword list. */
bool reader_find(struct reader *reader, struct term term, const struct reader_key *keys, size_t count,
                 const char *what, struct term values[READER_KEYS]);

/* Reads the values in the order of their keys. */
void reader_read(struct reader *reader, const struct reader_key *keys, size_t count,
                 const struct term values[READER_KEYS]);

/* Appends a map with all keys of the normalised form. */
void reader_build(const struct scenario *scenario, const struct reader_key *keys, size_t count,
                  struct term_builder *builder);

/* Adds a problem at `key`, one that is in no table. */
void report_unknown(struct reader *reader, struct term key, const char *const names[], size_t count,
                    const char *what);

/* Appends "a, b or c", the names of the rows `from` up to before `to` in Elixir's notation. */
void build_alternatives(const struct help_table *table, size_t from, size_t to, struct buffer *output);

/* A problem at a key of the place where the reader is. */
void problem_at(struct reader *reader, const char *key, enum problem_kind kind, const char *message);

/* An operation, appended to those of the scenario; the same that reads back equal. */
void read_operation(struct reader *reader, struct term value);
void build_operation(const struct operation *operation, struct term_builder *builder);

/* The first element of an operation of that kind. */
const char *operation_tag(enum operation_kind kind);

/* Of a fun; -1 for any other term. */
int fun_arity(struct term term);
bool is_module_function_extra(struct term term);

/* Copies the caller's node for what comes without one; a problem when there is none. */
void read_caller_node(struct reader *reader, char node[NODE_NAME_BYTES + 1]);

/* One target: a pid, a name, {Name, Node}, {global, Term} or {via, Module, Term}. */
void read_target_spec(struct reader *reader, struct term value, struct target_spec *target);

/* The same, or one that gives several: {children, Supervisor}, {pg, Group}, {pg, Scope, Group}, {find, Hook}.
 */
void read_target_source(struct reader *reader, struct term value, struct target_spec *target);

/* A hook of that arity, or {Module, Function, ExtraArguments}. */
void read_hook(struct reader *reader, struct term value, int arity, struct term *hook);
void build_hook(struct term hook, struct term_builder *builder);

/* For scenario_tables(). */
extern const struct help_table help_of_load, help_of_load_forms, help_of_thread_stages, help_of_rate_stages;
extern const struct help_table help_of_mix, help_of_operations, help_of_named_operations;
extern const struct help_table help_of_placeholders;
extern const struct help_table help_of_targets, help_of_policies;
extern const struct help_table help_of_actions, help_of_fault_targets;

#define READER(key) void read_##key(struct reader *reader, struct term value)
#define WRITER(key) void build_##key(const struct scenario *scenario, struct term_builder *builder)

READER(target);
WRITER(target);
READER(threads);
WRITER(threads);
READER(setup);
WRITER(setup);
READER(cleanup);
WRITER(cleanup);
READER(invariant);
WRITER(invariant);
READER(chaos);
WRITER(chaos);
READER(hook_timeout);
WRITER(hook_timeout);
READER(hooks_node);
WRITER(hooks_node);
READER(thread_setup);
WRITER(thread_setup);
READER(thread_cleanup);
WRITER(thread_cleanup);
READER(steady_state);
WRITER(steady_state);
READER(dry_run);
WRITER(dry_run);
READER(expectations);
WRITER(expectations);
READER(abort_when);
WRITER(abort_when);
READER(load);
WRITER(load);
READER(operations);
WRITER(operations);
READER(mix);
WRITER(mix);
READER(spread);
WRITER(spread);
READER(timeout);
WRITER(timeout);
READER(warmup);
READER(recovery_wait);
READER(explain);
WRITER(explain);
WRITER(warmup);
WRITER(recovery_wait);
READER(seed);
WRITER(seed);
READER(call_timeout);
WRITER(call_timeout);
READER(cast_sync_message);
WRITER(cast_sync_message);
READER(metadata);
WRITER(metadata);
READER(default_operation);
WRITER(default_operation);
READER(events);
WRITER(events);
READER(strict);
WRITER(strict);
READER(mailbox);
WRITER(mailbox);

/* Checks what goes together and completes a scenario with a load, once all keys are read. */
void finish_load(struct reader *reader);

#endif
