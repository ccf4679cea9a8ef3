#include "node/script.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/memory.h"
#include "term/term_read.h"

#define LOOKUP_NS (5 * CLOCK_NS_PER_S)

/* Nodes whose forms are kept; with one more all are forgotten, and made again when they are needed. */
#define CACHED_NODES 64

/* The sources, made by the build of the .erl files beside this one. */
extern const char script_source_session[];
extern const char script_source_probe[];
extern const char script_source_chaos[];
extern const char script_source_keeper[];
extern const char script_source_guardian[];
extern const char script_source_resolve[];
extern const char script_source_crew[];
extern const char script_source_members[];

static const char *const sources[SCRIPT_COUNT] = {
    [SCRIPT_SESSION] = script_source_session,   [SCRIPT_PROBE] = script_source_probe,
    [SCRIPT_CHAOS] = script_source_chaos,       [SCRIPT_KEEPER] = script_source_keeper,
    [SCRIPT_GUARDIAN] = script_source_guardian, [SCRIPT_RESOLVE] = script_source_resolve,
    [SCRIPT_CREW] = script_source_crew,         [SCRIPT_MEMBERS] = script_source_members,
};

struct forms {
    struct buffer of[SCRIPT_COUNT];
};

struct scripts {
    struct node *node;
    struct process *process;
    struct map by_node; /* name to struct forms */
};

struct scripts *scripts_new(struct node *node, struct process *process)
{
    struct scripts *scripts = memory_zalloc(1, sizeof(*scripts));
    scripts->node = node;
    scripts->process = process;
    return scripts;
}

static void script_forget_forms(struct scripts *scripts)
{
    struct map_cursor cursor = {0};
    for (const struct map_entry *entry; (entry = map_next(&scripts->by_node, &cursor));) {
        struct forms *forms = entry->value;
        for (size_t i = 0; i < SCRIPT_COUNT; i++)
            buffer_free(&forms->of[i]);
        free(forms);
    }
    map_free(&scripts->by_node);
}

void scripts_free(struct scripts *scripts)
{
    script_forget_forms(scripts);
    free(scripts);
}

static struct buffer *script_forms_of(struct scripts *scripts, const char *node, enum script_name name)
{
    struct forms *forms = map_get(&scripts->by_node, node, strlen(node));
    return forms && forms->of[name].size ? &forms->of[name] : NULL;
}

static void script_keep_forms(struct scripts *scripts, const char *node, enum script_name name,
                              struct term term)
{
    struct forms *forms = map_get(&scripts->by_node, node, strlen(node));
    if (!forms) {
        if (scripts->by_node.count >= CACHED_NODES)
            script_forget_forms(scripts);
        forms = memory_zalloc(1, sizeof(*forms));
        (void)map_put(&scripts->by_node, node, strlen(node), forms);
    }
    term_keep(&forms->of[name], term);
}

/* --- One process --- */

/* A message that waits until its node's connection has drained. */
struct script_message {
    struct list_link link;
    bool is_told; /* by script_tell() */
    struct term_kept message;
};

static void script_drop_message(struct script *script, struct script_message *message)
{
    list_remove(&script->waiting, &message->link);
    term_kept_free(&message->message);
    free(message);
}

static void script_drop_waiting(struct script *script)
{
    while (script->waiting.count)
        script_drop_message(script, LIST_FIRST(&script->waiting, struct script_message, link));
    if (script->drain.peer)
        node_cancel_drained(script->scripts->node, &script->drain);
}

static void script_let_go(struct script *script)
{
    peer_wait_cancel(&script->wait);
    loop_cancel(node_loop(script->scripts->node), &script->begin);
    if (script->lookup)
        rpc_call_cancel(script->lookup);
    script->lookup = NULL;
    monitor_stop(&script->monitor);
    script_drop_waiting(script);
    if (script->peer)
        peer_release(script->peer);
    script->peer = NULL;
    term_build_free(&script->bindings);
    term_build_free(&script->group_leader);
    buffer_free(&script->pid);
}

static void script_fail(struct script *script, const struct term_long *reason)
{
    script_let_go(script);
    script->down(script->owner, reason);
}

static void script_fail_with(struct script *script, const char *reason)
{
    struct term_builder builder = {0};
    struct term term = {0};
    term_build_atom(&builder, reason);
    bool built = term_build_done(&builder, &term);
    assert(built);
    script_fail(script, TERM_LONG(term));
    term_build_free(&builder);
}

static void script_on_down(void *owner, const struct term_long *reason)
{
    script_fail(owner, reason);
}

static void script_on_spawned(void *owner, struct term pid)
{
    struct script *script = owner;
    term_keep(&script->pid, pid);
}

static void script_evaluate(struct script *script, const struct buffer *forms)
{
    struct term_builder arguments = {0};
    struct term bindings = {0};
    struct spawn spawn = {.module = "erl_eval", .function = "exprs", .arity = 2, .linked = true};
    bool built = term_build_done(&script->bindings, &bindings);
    assert(built);
    term_build_list(&arguments, 2);
    term_build_term(&arguments, term_of(forms));
    term_build_term(&arguments, bindings);
    term_build_nil(&arguments);
    if (!term_build_done(&arguments, &spawn.arguments) ||
        !term_build_done(&script->group_leader, &spawn.group_leader) ||
        !monitor_spawn(&script->monitor, script->process, script->peer, &spawn, script_on_spawned,
                       script_on_down, script))
        script_fail_with(script, "noconnection");
    term_build_free(&arguments);
}

static void script_parse(struct script *script, struct term tokens);

/* {ok, Exprs} */
static void script_on_parsed(void *owner, enum rpc_outcome outcome, struct term value)
{
    struct script *script = owner;
    struct term parts[2];
    script->lookup = NULL;
    if (outcome != RPC_RETURNED || !term_read_tuple_of(value, 2, parts) || !term_is_atom(parts[0], "ok")) {
        script_fail_with(script, "noconnection");
        return;
    }
    script_keep_forms(script->scripts, peer_name(script->peer), script->name, parts[1]);
    script_evaluate(script, script_forms_of(script->scripts, peer_name(script->peer), script->name));
}

/* {ok, Tokens, EndLocation} */
static void script_on_scanned(void *owner, enum rpc_outcome outcome, struct term value)
{
    struct script *script = owner;
    struct term parts[3];
    script->lookup = NULL;
    if (outcome == RPC_RETURNED && term_read_tuple_of(value, 3, parts) && term_is_atom(parts[0], "ok"))
        script_parse(script, parts[1]);
    else
        script_fail_with(script, "noconnection");
}

static void script_call(struct script *script, const char *module, const char *function, struct term argument,
                        rpc_done *done)
{
    struct term_builder arguments = {0};
    struct rpc_request request = {
        .node = peer_name(script->peer), .module = module, .function = function, .timeout_ns = LOOKUP_NS};
    term_build_list(&arguments, 1);
    term_build_term(&arguments, argument);
    term_build_nil(&arguments);
    if (term_build_done(&arguments, &request.arguments) &&
        term_build_done(&script->group_leader, &request.group_leader))
        script->lookup = rpc_call_start(script->scripts->process, &request, done, script);
    term_build_free(&arguments);
    if (!script->lookup)
        script_fail_with(script, "noconnection");
}

static void script_parse(struct script *script, struct term tokens)
{
    script_call(script, "erl_parse", "parse_exprs", tokens, script_on_parsed);
}

/* The source as a list of characters, which is what erl_scan takes. */
static void script_scan(struct script *script)
{
    struct term_builder text = {0};
    struct term characters = {0};
    const char *source = sources[script->name];
    size_t size = strlen(source);
    term_build_list(&text, size);
    for (size_t i = 0; i < size; i++)
        term_build_integer(&text, (unsigned char)source[i]);
    term_build_nil(&text);
    bool built = term_build_done(&text, &characters);
    assert(built);
    script_call(script, "erl_scan", "string", characters, script_on_scanned);
    term_build_free(&text);
}

static void script_begin(void *owner)
{
    struct script *script = owner;
    const struct buffer *forms = script_forms_of(script->scripts, peer_name(script->peer), script->name);
    if (forms)
        script_evaluate(script, forms);
    else
        script_scan(script);
}

/* Hundreds may have waited for one node. */
static void script_on_connected(void *owner, struct peer *peer, const char *problem)
{
    struct script *script = owner;
    (void)peer;
    if (problem)
        script_fail_with(script, "noconnection");
    else
        loop_defer_turn(node_loop(script->scripts->node), &script->begin);
}

const char *script_source(enum script_name name)
{
    return sources[name];
}

void script_build_binding(struct term_builder *bindings, const char *variable)
{
    term_build_tuple(bindings, 2);
    term_build_atom(bindings, variable);
}

bool script_start(struct scripts *scripts, struct script *script, const struct script_request *request)
{
    assert(!script->peer);
    struct peer *peer = peer_hold(node_peers(scripts->node), request->node);
    if (!peer)
        return false;
    *script = (struct script){.scripts = scripts,
                              .name = request->name,
                              .process = request->process,
                              .peer = peer,
                              .down = request->down,
                              .owner = request->owner};
    term_build_term(&script->bindings, request->bindings);
    term_build_term(&script->group_leader, request->group_leader);
    script->wait = (struct peer_wait){.done = script_on_connected, .owner = script};
    script->begin = (struct loop_task){.run = script_begin, .owner = script};
    peer_connect(peer, &script->wait);
    return true;
}

bool script_send(struct script *script, struct term message)
{
    return script_send_long(script, TERM_LONG(message));
}

static bool script_send_now(struct script *script, const struct term_long *message)
{
    struct control control = {.operation = CONTROL_SEND,
                              .from = process_pid(script->process),
                              .to = {buffer_bytes(&script->pid), script->pid.size}};
    return peer_send_long(script->peer, process_sender(script->process), &control, message);
}

static void script_on_drained(void *owner);

static void script_wait(struct script *script)
{
    script->drain.drained = script_on_drained;
    script->drain.owner = script;
    node_wait_drained(script->scripts->node, script->peer, &script->drain);
}

static void script_on_drained(void *owner)
{
    struct script *script = owner;
    while (script->waiting.count && !peer_is_congested(script->peer)) {
        struct script_message *first = LIST_FIRST(&script->waiting, struct script_message, link);
        const struct term_long message = term_kept_long(&first->message);
        (void)script_send_now(script, &message);
        script_drop_message(script, first);
    }
    if (script->waiting.count)
        script_wait(script);
}

static bool script_send_in_turn(struct script *script, const struct term_long *message, bool is_told)
{
    if (!script->pid.size)
        return false;
    if (!script->waiting.count && !(term_long_is_held(message) && peer_is_congested(script->peer)))
        return script_send_now(script, message);
    struct script_message *last = memory_zalloc(1, sizeof(*last));
    last->is_told = is_told;
    term_kept_set(&last->message, message);
    list_append(&script->waiting, &last->link);
    script_wait(script);
    return true;
}

bool script_send_long(struct script *script, const struct term_long *message)
{
    return script_send_in_turn(script, message, false);
}

bool script_tell(struct script *script, struct term message)
{
    return script_send_in_turn(script, TERM_LONG(message), true);
}

void script_end(struct script *script, struct term message)
{
    LIST_EACH(const struct script_message, waiting, &script->waiting, link) {
        const struct term_long told = term_kept_long(&waiting->message);
        if (waiting->is_told)
            (void)script_send_now(script, &told);
    }
    script_drop_waiting(script);
    if (script_send(script, message))
        script_leave(script);
    else
        script_kill(script);
}

void script_leave(struct script *script)
{
    if (script->peer)
        script_let_go(script);
}

/* One that has not started yet is killed when it has: nobody waits for it any more (monitor.c). */
void script_kill(struct script *script)
{
    if (script->pid.size)
        (void)monitor_send_exit(script->process, script->peer, term_of(&script->pid), TERM_ATOM("kill"));
    script_leave(script);
}

bool script_is_active(const struct script *script)
{
    return script->peer != NULL;
}

struct term script_open_exit_reason(const struct term raised[4], struct term_builder *head)
{
    if (term_is_atom(raised[1], "exit"))
        return raised[2];
    term_build_tuple(head, 2);
    if (term_is_atom(raised[1], "throw")) {
        term_build_tuple(head, 2);
        term_build_atom(head, "nocatch");
    }
    return (struct term){raised[2].data, raised[2].size + raised[3].size};
}
