#include "probe_terms_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "term/term_read.h"

/* What a process is asked: its status and stack, how much waits for it, its heap, and how much it has done.
 * All of these are atoms that a runtime system begins with: what it is asked about its garbage beside that
 * (garbage_collection_info) makes some. */
static const char *const asked[] = {
    "status",    "message_queue_len", "current_stacktrace", "current_function",
    "heap_size", "total_heap_size",   "reductions",         "monitors",
};

/* Where servers of OTP wait for the next message. */
static const struct {
    const char *module;
    const char *function;
} loops[] = {
    {"gen_server", "loop"}, {"gen_statem", "loop_receive"},
    {"gen_statem", "loop"}, {"gen_event", "fetch_msg"},
    {"gen_fsm", "loop"},
};

void probe_terms_free(struct probe_terms *terms)
{
    term_build_free(&terms->functions);
    term_build_free(&terms->arguments);
}

/* --- What is applied --- */

static void probe_terms_open(struct probe_terms *terms, size_t count)
{
    term_build_reset(&terms->functions);
    term_build_reset(&terms->arguments);
    term_build_list(&terms->functions, count);
    term_build_list(&terms->arguments, count);
}

static void probe_terms_close(struct probe_terms *terms)
{
    term_build_nil(&terms->functions);
    term_build_nil(&terms->arguments);
}

static struct term_builder *probe_terms_next_of(struct probe_terms *terms, const char *module,
                                                const char *function, uint8_t arity)
{
    term_build_export(&terms->functions, module, function, arity);
    term_build_list(&terms->arguments, arity);
    return &terms->arguments;
}

/* The next function, of the module `erlang`; its arguments follow. */
static struct term_builder *probe_terms_next(struct probe_terms *terms, const char *function, uint8_t arity)
{
    return probe_terms_next_of(terms, "erlang", function, arity);
}

static void probe_terms_atom(struct probe_terms *terms, const char *function, const char *argument)
{
    struct term_builder *arguments = probe_terms_next(terms, function, 1);
    term_build_atom(arguments, argument);
    term_build_nil(arguments);
}

static void probe_terms_term(struct probe_terms *terms, const char *function, struct term argument)
{
    struct term_builder *arguments = probe_terms_next(terms, function, 1);
    term_build_term(arguments, argument);
    term_build_nil(arguments);
}

static void probe_terms_time(struct probe_terms *terms)
{
    probe_terms_atom(terms, "monotonic_time", "nanosecond");
}

void probe_terms_heartbeat(struct probe_terms *terms, const struct term *names, size_t count)
{
    probe_terms_open(terms, 3 + count);
    probe_terms_time(terms);
    probe_terms_atom(terms, "statistics", "run_queue_lengths");
    for (size_t i = 0; i < count; i++)
        probe_terms_term(terms, "whereis", names[i]);
    probe_terms_time(terms);
    probe_terms_close(terms);
}

void probe_terms_look(struct probe_terms *terms, struct term pid, struct term daemon, bool has_callee)
{
    size_t count = ARRAY_LENGTH(asked) - !has_callee;
    probe_terms_open(terms, 4);
    probe_terms_time(terms);
    struct term_builder *arguments = probe_terms_next(terms, "process_info", 2);
    term_build_term(arguments, pid);
    term_build_list(arguments, count);
    for (size_t i = 0; i < count; i++)
        term_build_atom(arguments, asked[i]);
    term_build_nil(arguments);
    term_build_nil(arguments);
    probe_terms_time(terms);
    probe_terms_term(terms, "unlink", daemon);
    probe_terms_close(terms);
}

/* --- Threads of the node --- */

/* A function of a file. A binary is a name for it as well. */
static void probe_terms_file(struct probe_terms *terms, const char *function, const char *name)
{
    struct term_builder *arguments = probe_terms_next_of(terms, "prim_file", function, 1);
    term_build_text(arguments, name);
    term_build_nil(arguments);
}

void probe_terms_threads(struct probe_terms *terms)
{
    probe_terms_open(terms, 2);
    probe_terms_atom(terms, "system_info", "version");
    probe_terms_file(terms, "list_dir", "/proc/self/task");
    probe_terms_close(terms);
}

static void probe_terms_thread_file(struct probe_terms *terms, uint32_t thread, const char *file)
{
    char name[60];
    snprintf(name, sizeof(name), "/proc/self/task/%u/%s", (unsigned)thread, file);
    probe_terms_file(terms, "read_file", name);
}

void probe_terms_names(struct probe_terms *terms, const uint32_t *threads, size_t count)
{
    probe_terms_open(terms, count);
    for (size_t i = 0; i < count; i++)
        probe_terms_thread_file(terms, threads[i], "comm");
    probe_terms_close(terms);
}

void probe_terms_waits(struct probe_terms *terms, const uint32_t *threads, size_t count)
{
    probe_terms_open(terms, 2 + count);
    probe_terms_time(terms);
    probe_terms_file(terms, "read_file", "/proc/stat");
    for (size_t i = 0; i < count; i++)
        probe_terms_thread_file(terms, threads[i], "schedstat");
    probe_terms_close(terms);
}

struct term probe_terms_functions(const struct probe_terms *terms)
{
    return term_built(&terms->functions);
}

struct term probe_terms_arguments(const struct probe_terms *terms)
{
    return term_built(&terms->arguments);
}

/* --- What is told --- */

/* The last of the queues is that of schedulers for long work, which no server waits for. */
static bool probe_terms_read_queues(struct term term, struct probe_beat *beat)
{
    struct term_list list;
    struct term element;
    int64_t length;
    size_t index = 0;
    if (!term_list_start(&list, term))
        return false;
    beat->queues.kind = CAUSE_QUEUES_OF;
    for (; term_list_next(&list, &element) && term_read_integer(element, &length) && length >= 0; index++) {
        if (index < CAUSE_QUEUES)
            beat->queues.queues.lengths[beat->queues.queues.count++] =
                (uint16_t)(length < UINT16_MAX ? length : UINT16_MAX);
        if (index + 1 < list.count)
            beat->ready += (uint32_t)(length < UINT16_MAX ? length : UINT16_MAX);
    }
    beat->schedulers = index > 1 ? (uint32_t)index - 1 : (uint32_t)index;
    return index == list.count;
}

bool probe_terms_read_heartbeat(struct term results, size_t names, struct probe_beat *beat)
{
    struct term_list list;
    struct term element;
    *beat = (struct probe_beat){.node_ns = 0};
    if (!term_list_start(&list, results) || list.count != 3 + names)
        return false;
    if (!term_list_next(&list, &element) || !term_read_integer(element, &beat->node_ns) ||
        !term_list_next(&list, &element) || !probe_terms_read_queues(element, beat))
        return false;
    for (size_t i = 0; i < names && term_list_next(&list, &element); i++)
        if (term_type(element) == TERM_PID)
            beat->pids[i] = element;
    return term_list_next(&list, &element) && term_read_integer(element, &beat->done_ns);
}

/* FNV-1a */
static uint64_t probe_terms_hash(uint64_t hash, struct term term)
{
    for (size_t i = 0; i < term.size; i++)
        hash = (hash ^ term.data[i]) * 0x100000001b3ULL;
    return hash;
}

#define PROBE_TERMS_HASH 0xcbf29ce484222325ULL

static uint64_t probe_terms_count(struct term pairs, const char *key)
{
    struct term value;
    int64_t number;
    return term_pairs_get(pairs, key, &value) && term_read_integer(value, &number) && number > 0
               ? (uint64_t)number
               : 0;
}

/* {Module, Function, Arity} or with more behind it. */
static bool probe_terms_is_function(struct term frame, const char *module, const char *function)
{
    struct term parts[4];
    size_t arity;
    return term_read_tuple(frame, ARRAY_LENGTH(parts), parts, &arity) && arity >= 3 &&
           term_is_atom(parts[0], module) && term_is_atom(parts[1], function);
}

static bool probe_terms_is_loop(struct term frame)
{
    bool found = false;
    for (size_t i = 0; !found && i < ARRAY_LENGTH(loops); i++)
        found = probe_terms_is_function(frame, loops[i].module, loops[i].function);
    return found;
}

/* Between two messages it runs in those modules. */
static bool probe_terms_is_between(struct term frame)
{
    struct term module;
    bool found = false;
    for (size_t i = 0; !found && i < ARRAY_LENGTH(loops); i++)
        found = term_read_element(frame, 0, &module) && term_is_atom(module, loops[i].module);
    return found;
}

static uint64_t probe_terms_top(struct term frame)
{
    struct term parts[4];
    size_t arity;
    uint64_t hash = PROBE_TERMS_HASH;
    if (!term_read_tuple(frame, ARRAY_LENGTH(parts), parts, &arity) || arity < 3)
        return 0;
    for (size_t i = 0; i < 3; i++)
        hash = probe_terms_hash(hash, parts[i]);
    return hash;
}

/* Of several monitors the newest comes first. */
static void probe_terms_read_callee(struct term info, struct probe_look *look)
{
    struct term monitors, monitor, parts[2], named[2];
    struct term_list list;
    if (!term_pairs_get(info, "monitors", &monitors) || !term_list_start(&list, monitors))
        return;
    while (!look->callee.data && term_list_next(&list, &monitor)) {
        if (!term_read_tuple_of(monitor, 2, parts) || !term_is_atom(parts[0], "process"))
            continue;
        if (term_type(parts[1]) == TERM_PID) {
            look->callee = parts[1];
        } else if (term_read_tuple_of(parts[1], 2, named)) {
            look->callee = named[0];
            look->callee_node = named[1];
        }
    }
}

static enum look_state probe_terms_state(struct term info, struct term frame, struct term callee)
{
    struct term status, current;
    bool is_loop = probe_terms_is_loop(frame);
    bool sends = term_pairs_get(info, "current_function", &current) &&
                 probe_terms_is_function(current, "erts_internal", "dsend_continue_trap");
    if (!term_pairs_get(info, "status", &status))
        return LOOK_NOTHING;
    if (term_is_atom(status, "waiting") && callee.data && probe_terms_is_function(frame, "gen", "do_call"))
        return LOOK_CALLING;
    if (term_is_atom(status, "waiting"))
        return is_loop ? LOOK_IDLE : LOOK_WAITING;
    if (term_is_atom(status, "running"))
        return probe_terms_is_between(frame) ? LOOK_LOOPING : LOOK_RUNNING;
    if (term_is_atom(status, "runnable"))
        return LOOK_RUNNABLE;
    if (term_is_atom(status, "garbage_collecting"))
        return LOOK_COLLECTING;
    if (!term_is_atom(status, "suspended"))
        return LOOK_NOTHING;
    return is_loop && !sends ? LOOK_SUSPENDED : LOOK_BLOCKED;
}

bool probe_terms_read_look(struct term results, struct probe_look *look)
{
    struct term_list list, stack;
    struct term began, info, ended, frame = {0};
    *look = (struct probe_look){.state = LOOK_NOTHING};
    if (!term_list_start(&list, results) || list.count != 4 || !term_list_next(&list, &began) ||
        !term_list_next(&list, &info) || !term_list_next(&list, &ended) ||
        !term_read_integer(began, &look->began_ns) || !term_read_integer(ended, &look->ended_ns))
        return false;
    if (term_type(info) != TERM_LIST)
        return true;
    look->queue = probe_terms_count(info, "message_queue_len");
    look->heap_words = probe_terms_count(info, "heap_size");
    look->all_words = probe_terms_count(info, "total_heap_size");
    look->reductions = probe_terms_count(info, "reductions");
    probe_terms_read_callee(info, look);
    if (term_pairs_get(info, "current_stacktrace", &look->stack) && term_list_start(&stack, look->stack) &&
        term_list_next(&stack, &frame))
        look->top = probe_terms_top(frame);
    else
        look->stack = (struct term){0};
    look->state = probe_terms_state(info, frame, look->callee);
    return true;
}

/* --- Threads of the node --- */

/* Elements that are characters, as much as there is room for. */
static size_t probe_terms_text(struct term term, char *text, size_t room)
{
    struct term_list list;
    struct term element;
    const uint8_t *bytes;
    int64_t character;
    size_t size = 0;
    if (term_read_binary(term, &bytes, &size)) {
        size = size < room - 1 ? size : room - 1;
        memcpy(text, bytes, size);
    } else if (term_list_start(&list, term)) {
        while (size < room - 1 && term_list_next(&list, &element) && term_read_integer(element, &character))
            text[size++] = (char)character;
    }
    text[size] = '\0';
    return size;
}

/* {ok, Value} */
static bool probe_terms_is_ok(struct term term, struct term *value)
{
    struct term pair[2];
    if (!term_read_tuple_of(term, 2, pair) || !term_is_atom(pair[0], "ok"))
        return false;
    *value = pair[1];
    return true;
}

/* The version of the runtime system from which on tracing has sessions for system events: that of OTP 28. */
#define PROBE_TERMS_ERTS 16

bool probe_terms_read_threads(struct term results, struct probe_threads *threads)
{
    struct term_list list, names;
    struct term element, value;
    char text[20];
    *threads = (struct probe_threads){.count = 0};
    if (!term_list_start(&list, results) || list.count != 2 || !term_list_next(&list, &element))
        return false;
    threads->has_sessions = probe_terms_text(element, text, sizeof(text)) && atoi(text) >= PROBE_TERMS_ERTS;
    if (!term_list_next(&list, &element) || !probe_terms_is_ok(element, &value) ||
        !term_list_start(&names, value))
        return true;
    while (threads->count < PROBE_THREADS && term_list_next(&names, &element))
        if (probe_terms_text(element, text, sizeof(text)))
            threads->numbers[threads->count++] = (uint32_t)strtoul(text, NULL, 10);
    return true;
}

/* 1_scheduler, or erts_sched_1; those for long work are called dirty or otherwise. */
static bool probe_terms_is_scheduler(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    return (digits && strncmp(name + digits, "_scheduler", strlen("_scheduler")) == 0) ||
           strncmp(name, "erts_sched", strlen("erts_sched")) == 0;
}

void probe_terms_read_names(struct term results, struct probe_threads *threads)
{
    struct term_list list;
    struct term element, value;
    char name[20];
    size_t kept = 0;
    if (!term_list_start(&list, results))
        list.count = 0;
    for (size_t i = 0;
         list.count && i < threads->count && kept < PROBE_SCHEDULERS && term_list_next(&list, &element); i++)
        if (probe_terms_is_ok(element, &value) && probe_terms_text(value, name, sizeof(name)) &&
            probe_terms_is_scheduler(name))
            threads->numbers[kept++] = threads->numbers[i];
    threads->count = kept;
}

/* The eighth number of the line `cpu`, in hundredths of a second: proc(5). */
static bool probe_terms_read_stolen(struct term term, uint64_t *stolen_ns)
{
    struct term value;
    char text[200];
    unsigned long long stolen;
    if (!probe_terms_is_ok(term, &value) || !probe_terms_text(value, text, sizeof(text)) ||
        sscanf(text, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &stolen) != 1)
        return false;
    *stolen_ns = stolen * 10 * CLOCK_NS_PER_MS;
    return true;
}

/* What a thread has run and waited, in ns. */
static bool probe_terms_read_waited(struct term term, uint64_t *waited_ns)
{
    struct term value;
    char text[80];
    unsigned long long waited;
    if (!probe_terms_is_ok(term, &value) || !probe_terms_text(value, text, sizeof(text)) ||
        sscanf(text, "%*u %llu", &waited) != 1)
        return false;
    *waited_ns = waited;
    return true;
}

bool probe_terms_read_waits(struct term results, size_t count, int64_t *node_ns,
                            uint64_t waited_ns[PROBE_SCHEDULERS])
{
    struct term_list list;
    struct term element;
    uint64_t stolen_ns;
    if (!term_list_start(&list, results) || list.count != 2 + count || count > PROBE_SCHEDULERS ||
        !term_list_next(&list, &element) || !term_read_integer(element, node_ns) ||
        !term_list_next(&list, &element) || !probe_terms_read_stolen(element, &stolen_ns))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!term_list_next(&list, &element) || !probe_terms_read_waited(element, &waited_ns[i]))
            return false;
        waited_ns[i] += stolen_ns;
    }
    return true;
}
