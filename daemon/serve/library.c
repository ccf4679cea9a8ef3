#include "library_private.h"

#include "base/map.h"
#include "term/term_read.h"

/* A scenario's threads are repeated in the answer: as many as a call may ask for. */
#define MAX_THREADS 1000000
#define MAX_ANSWER_BYTES (64 * 1024 * 1024)

/* So many are repeated by the thread. */
#define MANY_THREADS 1000

/* Keys that go into the scenario as they are. */
static const char *const passed_on[] = {
    "cleanup",   "default_operation", "timeout_ms", "call_timeout_ms",
    "invariant", "mailbox",           "chaos",      "performance_expectations",
};

/* Where options are looked for, one place after the other. */
struct options {
    struct term places[2];
    size_t count;
};

static const uint8_t nil_bytes[] = {TERM_TAG_NIL};
static const struct term nil = {nil_bytes, sizeof(nil_bytes)};

/* An option that is nil counts as not given, as it does in the library. */
static bool library_find_option(const struct options *options, const char *key, struct term *value)
{
    for (size_t i = 0; i < options->count; i++)
        if (term_pairs_get(options->places[i], key, value) && !term_is_atom(*value, "nil"))
            return true;
    return false;
}

static void library_build_setup(struct term_builder *answer, struct term module,
                                const struct options *options)
{
    struct term setup, arguments = nil;
    term_build_key(answer, "setup");
    if (library_find_option(options, "setup", &setup)) {
        term_build_term(answer, setup);
        return;
    }
    (void)library_find_option(options, "server_opts", &arguments);
    term_build_tuple(answer, 3);
    term_build_term(answer, module);
    term_build_atom(answer, "start_link");
    term_build_list(answer, 1);
    term_build_term(answer, arguments);
    term_build_nil(answer);
}

/* A walk through the pairs of several maps, one after the other. */
struct library_walk {
    const struct term *maps;
    size_t left; /* maps that are not begun */
    struct term_pairs pairs;
    uintptr_t number; /* of the pair, from 1 */
};

static bool library_walk_next(struct library_walk *walk, struct term *key, struct term *value)
{
    while (!term_pairs_next(&walk->pairs, key, value)) {
        if (!walk->left)
            return false;
        walk->left--;
        if (!term_pairs_start(&walk->pairs, *walk->maps++))
            walk->pairs = (struct term_pairs){.left = 0};
    }
    walk->number++;
    return true;
}

/* Merges maps; of a key that comes several times the last counts. */
static void library_build_merged(struct term_builder *answer, const struct term *maps, size_t count)
{
    struct map last = {0}; /* of each key: the number of its last pair */
    struct term key, value;
    for (struct library_walk walk = {maps, count, {.left = 0}, 0}; library_walk_next(&walk, &key, &value);)
        (void)map_put(&last, key.data, key.size, (void *)walk.number);
    term_build_map(answer, last.count);
    for (struct library_walk walk = {maps, count, {.left = 0}, 0}; library_walk_next(&walk, &key, &value);) {
        if ((uintptr_t)map_get(&last, key.data, key.size) != walk.number)
            continue;
        term_build_term(answer, key);
        term_build_term(answer, value);
    }
    map_free(&last);
}

/* #{module, thread_count} and, over them, the metadata of each place. */
static void library_build_metadata(struct term_builder *answer, struct term module, int64_t thread_count,
                                   const struct options *options)
{
    struct term maps[3] = {{0}};
    size_t count = 1;
    struct term_builder own = {0};
    term_build_map(&own, thread_count ? 2 : 1);
    term_build_key(&own, "module");
    term_build_term(&own, module);
    if (thread_count) {
        term_build_key(&own, "thread_count");
        term_build_integer(&own, thread_count);
    }
    bool built = term_build_done(&own, &maps[0]);
    for (size_t i = 0; built && i < options->count; i++)
        count += term_pairs_get(options->places[i], "metadata", &maps[count]);
    term_build_key(answer, "metadata");
    library_build_merged(answer, maps, count);
    term_build_free(&own);
}

static size_t library_count_passed_on(const struct options *options)
{
    size_t count = 0;
    struct term value;
    for (size_t i = 0; i < ARRAY_LENGTH(passed_on); i++)
        count += library_find_option(options, passed_on[i], &value);
    return count;
}

static void library_build_passed_on(struct term_builder *answer, const struct options *options)
{
    struct term value;
    for (size_t i = 0; i < ARRAY_LENGTH(passed_on); i++) {
        if (!library_find_option(options, passed_on[i], &value))
            continue;
        term_build_key(answer, passed_on[i]);
        term_build_term(answer, value);
    }
}

/* What the library answers with a FunctionClauseError, or a KeyError. */
static void library_refuse(struct request *request, const char *reason)
{
    struct term_builder error = {0}, stack = {0};
    term_build_atom(&error, reason);
    request_build_stack(request, NULL, &stack);
    request_fail(request, term_built(&error), term_built(&stack));
    term_build_free(&error);
    term_build_free(&stack);
}

static bool library_is_options(struct term term)
{
    struct term_pairs pairs;
    return term_pairs_start(&pairs, term);
}

bool library_takes_long(const struct request *request)
{
    int64_t threads;
    return request->held || (request->arity > 2 && term_read_integer(request->arguments[2], &threads) &&
                             threads > MANY_THREADS);
}

void library_simple_genserver_scenario(struct request *request)
{
    struct term module = request->arguments[0], operations = request->arguments[1];
    struct options options = {.count = 1, .places = {request->arity == 4 ? request->arguments[3] : nil}};
    struct term_list list;
    int64_t threads;
    if (term_type(module) != TERM_ATOM || !term_list_start(&list, operations) ||
        !term_read_integer(request->arguments[2], &threads) || threads < 1 || threads > MAX_THREADS ||
        operations.size > MAX_ANSWER_BYTES / (size_t)threads || !library_is_options(options.places[0])) {
        library_refuse(request, "function_clause");
        return;
    }
    struct term_builder *answer = request_answer(request);
    term_build_map(answer, 3 + library_count_passed_on(&options));
    library_build_setup(answer, module, &options);
    term_build_key(answer, "threads");
    term_build_list(answer, (size_t)threads);
    for (int64_t i = 0; i < threads; i++)
        term_build_term(answer, operations);
    term_build_nil(answer);
    library_build_metadata(answer, module, threads, &options);
    library_build_passed_on(answer, &options);
}

void library_from_property_config(struct request *request)
{
    struct term module = request->arguments[0];
    struct options options = {
        .count = 2, .places = {request->arguments[1], request->arity == 3 ? request->arguments[2] : nil}};
    struct term scripts;
    if (term_type(module) != TERM_ATOM || !library_is_options(options.places[0]) ||
        !library_is_options(options.places[1])) {
        library_refuse(request, "function_clause");
        return;
    }
    if (!term_pairs_get(options.places[0], "thread_scripts", &scripts)) {
        library_refuse(request, "badarg");
        return;
    }
    struct term_builder *answer = request_answer(request);
    term_build_map(answer, 3 + library_count_passed_on(&options));
    library_build_setup(answer, module, &options);
    term_build_key(answer, "threads");
    term_build_term(answer, scripts);
    library_build_metadata(answer, module, 0, &options);
    library_build_passed_on(answer, &options);
}

void library_default_invariant(struct request *request)
{
    term_build_atom(request_answer(request), "ok");
}

/* {inject_crash, Spec, Options}; what is wrong with it, validation tells. */
void library_chaos_inject_crash(struct request *request)
{
    struct term_builder *answer = request_answer(request);
    term_build_tuple(answer, 3);
    term_build_atom(answer, "inject_crash");
    if (request->arity > 0)
        term_build_term(answer, request->arguments[0]);
    else
        term_build_atom(answer, "immediate");
    term_build_term(answer, request->arity > 1 ? request->arguments[1] : nil);
}

/* {kill_children, Options} */
void library_chaos_kill_children(struct request *request)
{
    struct term_builder *answer = request_answer(request);
    term_build_tuple(answer, 2);
    term_build_atom(answer, "kill_children");
    term_build_term(answer, request->arity > 0 ? request->arguments[0] : nil);
}
