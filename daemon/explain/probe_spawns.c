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

struct probe_spawns {
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

void probe_spawns_free(struct probe_spawns *spawns)
{
    while (spawns->items.first)
        probe_spawns_kill(LIST_FIRST(&spawns->items, struct probe_spawn, link));
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
    uint64_t number = spawn->number;
    struct term parts[3];
    bool returned = term_read_tuple_of(reason->tail, 3, parts) && term_is_atom(parts[1], "return");
    probe_spawns_let_go(spawn);
    if (returned)
        explain_answered(explain, number, parts[2]);
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

const struct probe_way probe_spawns_way = {
    .send = probe_spawns_send, .drop = probe_spawns_drop, .wire = probe_spawns_wire};
