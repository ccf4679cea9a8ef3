#include "explain/probe_spawns.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/memory.h"
#include "explain/explain.h"
#include "node/monitor.h"
#include "term/term_read.h"

/* One that is under way. */
struct probe_spawn {
    struct probe_spawns *spawns;
    struct list_link link;
    struct monitor monitor;
    struct peer *peer; /* held */
    struct buffer pid; /* once it has started */
    uint64_t number;
};

/* What has a node monitored. */
struct probe_monitor {
    struct probe_spawns *spawns;
    struct list_link link;
    struct monitor monitor;
    struct peer *peer; /* held */
    struct buffer pid; /* once it has started */
};

struct probe_spawns {
    struct list monitors;
    struct process *process;
    struct term group_leader;
    struct explain *explain;
    struct list items;
    struct term_builder arguments; /* scratch */
};

struct probe_spawns *probe_spawns_new(struct process *process, struct term group_leader)
{
    struct probe_spawns *spawns = memory_zalloc(1, sizeof(*spawns));
    spawns->process = process;
    spawns->group_leader = group_leader;
    return spawns;
}

void probe_spawns_set_explain(struct probe_spawns *spawns, struct explain *explain)
{
    spawns->explain = explain;
}

static void probe_spawns_let_go(struct probe_spawn *spawn)
{
    list_remove(&spawn->spawns->items, &spawn->link);
    monitor_stop(&spawn->monitor);
    peer_release(spawn->peer);
    buffer_free(&spawn->pid);
    free(spawn);
}

/* As it stands; one that has not started yet is ended when it has. */
static void probe_spawns_kill(struct probe_spawn *spawn)
{
    if (spawn->pid.size)
        (void)monitor_send_exit(spawn->spawns->process, spawn->peer, term_of(&spawn->pid), TERM_ATOM("kill"));
    probe_spawns_let_go(spawn);
}

static void probe_spawns_let_go_monitor(struct probe_monitor *own)
{
    list_remove(&own->spawns->monitors, &own->link);
    monitor_stop(&own->monitor);
    peer_release(own->peer);
    buffer_free(&own->pid);
    free(own);
}

static void probe_spawns_end_monitor(struct probe_monitor *own)
{
    if (own->pid.size)
        (void)monitor_send_exit(own->spawns->process, own->peer, term_of(&own->pid), TERM_ATOM("kill"));
    probe_spawns_let_go_monitor(own);
}

void probe_spawns_free(struct probe_spawns *spawns)
{
    while (spawns->items.first)
        probe_spawns_kill(LIST_FIRST(&spawns->items, struct probe_spawn, link));
    while (spawns->monitors.first)
        probe_spawns_end_monitor(LIST_FIRST(&spawns->monitors, struct probe_monitor, link));
    term_build_free(&spawns->arguments);
    free(spawns);
}

static void probe_spawns_on_spawned(void *owner, struct term pid)
{
    struct probe_spawn *spawn = owner;
    term_keep(&spawn->pid, pid);
}

/* {Number, return, Results}, or another reason of one that has failed. */
static void probe_spawns_on_down(void *owner, const struct term_long *reason)
{
    struct probe_spawn *spawn = owner;
    struct explain *explain = spawn->spawns->explain;
    uint64_t number = spawn->number, came_ns = spawn->monitor.ended_ns;
    struct term parts[3];
    bool returned = term_read_tuple_of(reason->tail, 3, parts) && term_is_atom(parts[1], "return");
    probe_spawns_let_go(spawn);
    if (returned)
        explain_answered(explain, number, parts[2], came_ns);
    else
        explain_lost(explain, number);
}

/* [Number, lists, zipwith, [fun erlang:apply/2, Functions, Arguments]] */
static struct term probe_spawns_arguments(struct probe_spawns *spawns, const struct probe_request *request)
{
    struct term_builder *builder = &spawns->arguments;
    term_build_reset(builder);
    term_build_list(builder, 4);
    term_build_unsigned(builder, request->number);
    term_build_atom(builder, "lists");
    term_build_atom(builder, "zipwith");
    term_build_list(builder, 3);
    term_build_export(builder, "erlang", "apply", 2);
    term_build_term(builder, request->functions);
    term_build_term(builder, request->arguments);
    term_build_nil(builder);
    term_build_nil(builder);
    return term_built(builder);
}

static struct peers *probe_spawns_peers(const struct probe_spawns *spawns)
{
    return node_peers(process_node(spawns->process));
}

static bool probe_spawns_send(void *owner, const struct probe_request *request)
{
    struct probe_spawns *spawns = owner;
    struct peer *up = peers_find_up(probe_spawns_peers(spawns), request->node, strlen(request->node));
    if (!up || peer_is_congested(up))
        return false;
    struct probe_spawn *spawn = memory_zalloc(1, sizeof(*spawn));
    spawn->spawns = spawns;
    spawn->number = request->number;
    spawn->peer = peer_hold(probe_spawns_peers(spawns), request->node);
    list_append(&spawns->items, &spawn->link);
    const struct spawn how = {.module = "erpc",
                              .function = "execute_call",
                              .arity = 4,
                              .arguments = probe_spawns_arguments(spawns, request),
                              .group_leader = spawns->group_leader,
                              .linked = request->is_linked,
                              .priority = request->is_urgent ? "high" : NULL};
    if (monitor_spawn(&spawn->monitor, spawns->process, spawn->peer, &how, probe_spawns_on_spawned,
                      probe_spawns_on_down, spawn))
        return true;
    probe_spawns_let_go(spawn);
    return false;
}

static struct departure *probe_spawns_departure(void *owner, const char *node)
{
    struct peer *peer = peers_find_up(probe_spawns_peers(owner), node, strlen(node));
    return peer ? peer_departure(peer) : NULL;
}

static void probe_spawns_drop(void *owner, uint64_t number)
{
    struct probe_spawns *spawns = owner;
    LIST_EACH(struct probe_spawn, spawn, &spawns->items, link) {
        if (spawn->number == number) {
            probe_spawns_kill(spawn);
            return;
        }
    }
}

static bool probe_spawns_wire(void *owner, const char *node, struct wire *wire)
{
    const struct probe_spawns *spawns = owner;
    struct peer *peer = peers_find_up(probe_spawns_peers(spawns), node, strlen(node));
    return peer && peer_look_at_wire(peer, wire);
}

/* --- Monitors --- */

static void probe_spawns_on_monitor_spawned(void *owner, struct term pid)
{
    struct probe_monitor *own = owner;
    term_keep(&own->pid, pid);
}

static void probe_spawns_on_monitor_down(void *owner, const struct term_long *reason)
{
    (void)reason;
    struct probe_monitor *own = owner;
    struct explain *explain = own->spawns->explain;
    char name[NODE_NAME_BYTES + 1];
    snprintf(name, sizeof(name), "%s", peer_name(own->peer));
    probe_spawns_let_go_monitor(own);
    explain_monitor_lost(explain, name);
}

static bool probe_spawns_monitor(void *owner, const char *node, struct term forms, struct term bindings)
{
    struct probe_spawns *spawns = owner;
    struct term_builder *arguments = &spawns->arguments;
    struct peer *up = peers_find_up(probe_spawns_peers(spawns), node, strlen(node));
    if (!up)
        return false;
    struct probe_monitor *own = memory_zalloc(1, sizeof(*own));
    own->spawns = spawns;
    own->peer = peer_hold(probe_spawns_peers(spawns), node);
    list_append(&spawns->monitors, &own->link);
    term_build_reset(arguments);
    term_build_list(arguments, 2);
    term_build_term(arguments, forms);
    term_build_term(arguments, bindings);
    term_build_nil(arguments);
    const struct spawn how = {.module = "erl_eval",
                              .function = "exprs",
                              .arity = 2,
                              .arguments = term_built(arguments),
                              .group_leader = spawns->group_leader,
                              .linked = true};
    if (monitor_spawn(&own->monitor, spawns->process, own->peer, &how, probe_spawns_on_monitor_spawned,
                      probe_spawns_on_monitor_down, own))
        return true;
    probe_spawns_let_go_monitor(own);
    return false;
}

/* `monitor`, or {monitor, Pid, Time, Info}. */
void probe_spawns_message(struct probe_spawns *spawns, const struct incoming *incoming)
{
    struct term parts[4];
    int64_t node_ns;
    const char *node = peer_name(incoming->peer);
    if (term_is_atom(incoming->body, "monitor"))
        explain_monitoring(spawns->explain, node);
    else if (term_read_tuple_of(incoming->body, 4, parts) && term_is_atom(parts[0], "monitor") &&
             term_read_integer(parts[2], &node_ns))
        explain_blocked(spawns->explain, node, parts[1], node_ns, parts[3]);
}

const struct probe_way probe_spawns_way = {.send = probe_spawns_send,
                                           .departure = probe_spawns_departure,
                                           .drop = probe_spawns_drop,
                                           .monitor = probe_spawns_monitor,
                                           .wire = probe_spawns_wire};
