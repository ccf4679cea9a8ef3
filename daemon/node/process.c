#include "node/process.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "node_private.h"

static void process_reap(void *owner)
{
    struct process *process = owner;
    term_build_free(&process->pid);
    term_build_free(&process->name);
    free(process);
}

struct process *process_spawn(struct node *node, const struct process_events *events, void *owner)
{
    struct process *process = memory_zalloc(1, sizeof(*process));
    process->node = node;
    process->events = events;
    process->owner = owner;
    process->number = ++node->next_process;
    process->reap = (struct loop_task){.run = process_reap, .owner = process};
    struct term_pid pid = {.id = process->number & 0xfffffff,
                           .serial = (uint32_t)(process->number >> 28),
                           .creation = node->options.identity->creation};
    memcpy(pid.node, node_name(node), strlen(node_name(node)) + 1);
    term_build_pid(&process->pid, &pid);
    struct term bytes = process_pid(process);
    void *old = map_put(&node->processes, bytes.data, bytes.size, process);
    assert(!old);
    return process;
}

void process_set_owner(struct process *process, void *owner)
{
    process->owner = owner;
}

void process_register(struct process *process, const char *name)
{
    term_build_atom(&process->name, name);
    struct term atom = term_built(&process->name);
    void *old = map_put(&process->node->names, atom.data, atom.size, process);
    assert(!old);
}

void process_exit_held(struct process *process, struct term reason, struct blob *held)
{
    if (!process->events)
        return;
    process->events = NULL;
    struct term pid = process_pid(process);
    map_remove(&process->node->processes, pid.data, pid.size);
    if (process->name.bytes.size) {
        struct term name = term_built(&process->name);
        map_remove(&process->node->names, name.data, name.size);
    }
    monitor_process_exits(process, reason, held);
    loop_defer(process->node->options.loop, &process->reap);
}

void process_exit(struct process *process, struct term reason)
{
    process_exit_held(process, reason, NULL);
}

void process_exit_atom(struct process *process, const char *reason)
{
    struct term_builder builder = {0};
    term_build_atom(&builder, reason);
    process_exit(process, term_built(&builder));
    term_build_free(&builder);
}

struct term process_pid(const struct process *process)
{
    return term_built(&process->pid);
}

uint64_t process_sender(const struct process *process)
{
    return process->number;
}

struct node *process_node(const struct process *process)
{
    return process->node;
}

struct process *process_by_pid(const struct node *node, struct term pid)
{
    return map_get(&node->processes, pid.data, pid.size);
}

struct process *process_by_name(const struct node *node, struct term name)
{
    return map_get(&node->names, name.data, name.size);
}

void process_deliver(struct process *process, const struct incoming *incoming)
{
    const struct process_events *events = process->events;
    if (!events)
        return;
    void (*take)(void *, struct process *, const struct incoming *) =
        incoming->too_large.data ? events->too_large : events->message;
    if (take)
        take(process->owner, process, incoming);
    else if (process->node->rpc_in)
        rpc_in_refuse(process->node->rpc_in, incoming);
}
