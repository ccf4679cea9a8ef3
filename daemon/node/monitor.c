#include "node/monitor.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log_repeat.h"
#include "base/memory.h"
#include "holders_private.h"
#include "node_private.h"
#include "term/term_read.h"
#include "term/term_text.h"

/* What holds between this node's processes and those of one connected peer. */
struct remote {
    struct node *node;
    struct peer *peer;
    struct map monitors;                /* reference to struct monitor: ours on theirs */
    struct list ordered[MONITOR_TURNS]; /* the same, in the order in which their ends are told when all end */
    struct map observers;               /* reference to struct observer: theirs on ours */
    struct map links;                   /* both pids to struct link */
    struct holders holders;             /* their processes that have those two */
    struct log_repeat refused;          /* what was too much for one of them */
};

/* A monitor of another node on a process of this one. */
struct observer {
    struct process *process;
    struct remote *remote;
    struct observer *next; /* of the same process */
    struct observer *previous;
    struct holder *holder;
    struct term reference; /* its bytes are ours */
    bool by_name;          /* the answer names the process as the question did */
};

struct link {
    struct process *process;
    struct remote *remote;
    struct link *next; /* of the same process */
    struct link *previous;
    struct holder *holder; /* the other end */
};

static struct buffer monitor_copy_of(struct term term)
{
    struct buffer buffer = {0};
    term_keep(&buffer, term);
    return buffer;
}

static struct term monitor_atom_term(struct term_builder *builder, const char *text)
{
    term_build_reset(builder);
    term_build_atom(builder, text);
    return term_built(builder);
}

void monitor_peer_up(struct node *node, struct peer *peer)
{
    struct remote *remote = memory_zalloc(1, sizeof(*remote));
    remote->node = node;
    remote->peer = peer;
    peer_set_data(peer, remote);
}

/* --- Ours on theirs --- */

static void monitor_take_out(struct monitor *monitor)
{
    struct term reference = term_of(&monitor->reference);
    map_remove(&monitor->remote->monitors, reference.data, reference.size);
    list_remove(&monitor->remote->ordered[monitor->turn], &monitor->link);
}

static void monitor_forget(struct monitor *monitor)
{
    if (monitor->remote)
        monitor_take_out(monitor);
    monitor->remote = NULL;
    buffer_free(&monitor->target);
    buffer_free(&monitor->reference);
}

static void monitor_end(struct monitor *monitor, const struct term_long *reason, uint64_t now_ns)
{
    monitor_forget(monitor);
    monitor->ended_ns = now_ns;
    monitor->down(monitor->owner, reason);
}

/* Sends the control message that sets the monitor up, and remembers it. */
static bool monitor_begin(struct monitor *monitor, struct peer *peer, struct control *control,
                          struct term payload)
{
    struct remote *remote = peer_data(peer);
    struct term_builder builder = {0};
    node_build_reference(monitor->process->node, &builder);
    control->from = process_pid(monitor->process);
    control->reference = term_built(&builder);
    bool sent = peer_is_up(peer) && peer_send(peer, process_sender(monitor->process), control, payload) &&
                peer_is_up(peer);
    if (sent) {
        monitor->remote = remote;
        monitor->reference = builder.bytes;
        void *old = map_put(&remote->monitors, control->reference.data, control->reference.size, monitor);
        assert(!old);
        list_append(&remote->ordered[monitor->turn], &monitor->link);
    } else {
        term_build_free(&builder);
    }
    return sent;
}

bool monitor_start(struct monitor *monitor, struct process *process, struct peer *peer, struct term target,
                   void (*down)(void *owner, const struct term_long *reason), void *owner)
{
    assert(!monitor->remote);
    *monitor = (struct monitor){.process = process, .turn = MONITOR_IN_TURN, .down = down, .owner = owner};
    struct control control = {.operation = CONTROL_MONITOR, .to = target};
    if (!monitor_begin(monitor, peer, &control, (struct term){0}))
        return false;
    monitor->target = monitor_copy_of(target);
    return true;
}

static void monitor_build_spawn(struct term_builder *function, struct term_builder *options,
                                const struct spawn *spawn)
{
    term_build_tuple(function, 3);
    term_build_atom(function, spawn->module);
    term_build_atom(function, spawn->function);
    term_build_integer(function, spawn->arity);
    term_build_list(options, (size_t)1 + spawn->linked + (spawn->priority != NULL));
    term_build_atom(options, "monitor");
    if (spawn->linked)
        term_build_atom(options, "link");
    if (spawn->priority) {
        term_build_tuple(options, 2);
        term_build_atom(options, "priority");
        term_build_atom(options, spawn->priority);
    }
    term_build_nil(options);
}

bool monitor_spawn(struct monitor *monitor, struct process *process, struct peer *peer,
                   const struct spawn *spawn, void (*spawned)(void *owner, struct term pid),
                   void (*down)(void *owner, const struct term_long *reason), void *owner)
{
    assert(!monitor->remote);
    *monitor = (struct monitor){.process = process, .spawned = spawned, .down = down, .owner = owner};
    struct term_builder function = {0}, options = {0};
    monitor_build_spawn(&function, &options, spawn);
    struct control control = {.operation = CONTROL_SPAWN_REQUEST,
                              .group_leader = spawn->group_leader,
                              .function = term_built(&function),
                              .options = term_built(&options)};
    bool begun = monitor_begin(monitor, peer, &control, spawn->arguments);
    term_build_free(&function);
    term_build_free(&options);
    return begun;
}

void monitor_tell_last(struct monitor *monitor)
{
    if (monitor->remote)
        list_remove(&monitor->remote->ordered[monitor->turn], &monitor->link);
    monitor->turn = MONITOR_LAST;
    if (monitor->remote)
        list_append(&monitor->remote->ordered[monitor->turn], &monitor->link);
}

void monitor_stop(struct monitor *monitor)
{
    struct remote *remote = monitor->remote;
    if (!remote)
        return;
    struct term reference = term_of(&monitor->reference);
    monitor_take_out(monitor);
    monitor->remote = NULL;
    /* A spawned process has no pid yet before it has started; it is then ended when it has
     * (monitor_end_unwanted()).
     */
    if (monitor->target.size) {
        struct control control = {.operation = CONTROL_DEMONITOR,
                                  .from = process_pid(monitor->process),
                                  .to = term_of(&monitor->target),
                                  .reference = reference};
        (void)peer_send(remote->peer, process_sender(monitor->process), &control, (struct term){0});
    }
    monitor_forget(monitor);
}

bool monitor_send_exit(struct process *from, struct peer *peer, struct term to, struct term reason)
{
    struct control control = {
        .operation = CONTROL_EXIT2, .from = process_pid(from), .to = to, .reason = reason};
    return peer_send(peer, process_sender(from), &control, reason);
}

/* --- Theirs on ours --- */

static void monitor_send_down(struct peer *peer, uint64_t sender, const struct control *question,
                              struct term from, struct term reason, struct blob *held)
{
    struct control control = {.operation = CONTROL_MONITOR_EXIT,
                              .held = held,
                              .from = from,
                              .to = question->from,
                              .reference = question->reference,
                              .reason = reason};
    (void)peer_send(peer, sender, &control, reason);
}

static void monitor_free_observer(struct observer *observer)
{
    holders_let_go(&observer->remote->holders, observer->holder);
    free((void *)observer->reference.data);
    free(observer);
}

static void monitor_unlist_observer(struct observer *observer)
{
    if (observer->previous)
        observer->previous->next = observer->next;
    else
        observer->process->observers = observer->next;
    if (observer->next)
        observer->next->previous = observer->previous;
}

/* The process has lost this observer. */
static void monitor_tell_demonitored(const struct observer *observer)
{
    struct process *process = observer->process;
    const struct process_events *events = process->events;
    bool was_last = !process->observers;
    if (events && events->demonitored)
        events->demonitored(process->owner, process, observer->reference);
    if (events && was_last && events->unobserved)
        events->unobserved(process->owner, process);
}

static void monitor_add_observer(struct process *process, struct remote *remote,
                                 const struct control *control)
{
    struct term reference = control->reference;
    if (map_get(&remote->observers, reference.data, reference.size))
        return;
    struct observer *observer = memory_zalloc(1, sizeof(*observer));
    observer->process = process;
    observer->remote = remote;
    observer->by_name = control->to.data && term_type(control->to) == TERM_ATOM;
    observer->holder = holders_hold(&remote->holders, control->from);
    observer->reference = (struct term){memory_copy(reference.data, reference.size), reference.size};
    observer->next = process->observers;
    if (observer->next)
        observer->next->previous = observer;
    process->observers = observer;
    map_put(&remote->observers, reference.data, reference.size, observer);
}

/* Whether a process of the peer may hold one more. */
static bool monitor_has_room(struct remote *remote, struct term pid)
{
    const size_t held = holders_held(&remote->holders, pid), limit = holders_limit(&remote->holders);
    char text[128];
    if (held < limit)
        return true;
    if (log_repeat_is_due(&remote->refused))
        log_warning("a process has too many monitors and links here",
                    log_string("peer", peer_name(remote->peer)),
                    log_string("process", term_text(pid, text, sizeof(text))),
                    log_integer("has", (int64_t)held), log_integer("limit", (int64_t)limit),
                    log_integer("of_its_node", (int64_t)remote->holders.held), log_times(&remote->refused));
    return false;
}

/* It gets what it would if its process had ended at once. */
static void monitor_refuse_observer(struct remote *remote, const struct control *control, const char *why)
{
    struct term_builder builder = {0};
    monitor_send_down(remote->peer, 0, control, control->to, monitor_atom_term(&builder, why), NULL);
    term_build_free(&builder);
}

static struct process *monitor_find_process(const struct node *node, struct term target)
{
    return term_type(target) == TERM_ATOM ? process_by_name(node, target) : process_by_pid(node, target);
}

static void monitor_on_request(struct remote *remote, const struct control *control)
{
    struct process *process = monitor_find_process(remote->node, control->to);
    if (!process)
        monitor_refuse_observer(remote, control, "noproc");
    else if (!monitor_has_room(remote, control->from))
        monitor_refuse_observer(remote, control, MONITOR_REFUSED);
    else
        monitor_add_observer(process, remote, control);
}

static void monitor_on_demonitor(struct remote *remote, const struct control *control)
{
    struct observer *observer =
        map_remove(&remote->observers, control->reference.data, control->reference.size);
    if (!observer)
        return;
    monitor_unlist_observer(observer);
    monitor_tell_demonitored(observer);
    monitor_free_observer(observer);
}

/* --- Links --- */

static struct buffer monitor_link_key(struct term ours, struct term theirs)
{
    struct buffer key = monitor_copy_of(ours);
    buffer_append(&key, theirs.data, theirs.size);
    return key;
}

static struct link *monitor_remove_link(struct remote *remote, struct term ours, struct term theirs)
{
    struct buffer key = monitor_link_key(ours, theirs);
    struct link *link = map_remove(&remote->links, buffer_bytes(&key), key.size);
    buffer_free(&key);
    return link;
}

static void monitor_free_link(struct link *link)
{
    holders_let_go(&link->remote->holders, link->holder);
    free(link);
}

static void monitor_unlist_link(struct link *link)
{
    if (link->previous)
        link->previous->next = link->next;
    else
        link->process->links = link->next;
    if (link->next)
        link->next->previous = link->previous;
}

static void monitor_add_link(struct process *process, struct remote *remote, struct term theirs)
{
    struct buffer key = monitor_link_key(process_pid(process), theirs);
    if (!map_get(&remote->links, buffer_bytes(&key), key.size)) {
        struct link *link = memory_zalloc(1, sizeof(*link));
        *link = (struct link){.process = process,
                              .remote = remote,
                              .next = process->links,
                              .holder = holders_hold(&remote->holders, theirs)};
        if (link->next)
            link->next->previous = link;
        process->links = link;
        map_put(&remote->links, buffer_bytes(&key), key.size, link);
    }
    buffer_free(&key);
}

static void monitor_refuse_link(struct remote *remote, const struct control *control, const char *why)
{
    struct term_builder builder = {0};
    struct term reason = monitor_atom_term(&builder, why);
    struct control answer = {
        .operation = CONTROL_EXIT, .from = control->to, .to = control->from, .reason = reason};
    (void)peer_send(remote->peer, 0, &answer, reason);
    term_build_free(&builder);
}

static void monitor_on_link(struct remote *remote, const struct control *control)
{
    struct process *process = process_by_pid(remote->node, control->to);
    if (!process)
        monitor_refuse_link(remote, control, "noproc");
    else if (!monitor_has_room(remote, control->from))
        monitor_refuse_link(remote, control, MONITOR_REFUSED);
    else
        monitor_add_link(process, remote, control->from);
}

/* The acknowledgement goes before anything else that this process sends. */
static void monitor_on_unlink(struct remote *remote, const struct control *control)
{
    struct process *process = process_by_pid(remote->node, control->to);
    struct link *link = monitor_remove_link(remote, control->to, control->from);
    if (link) {
        monitor_unlist_link(link);
        monitor_free_link(link);
    }
    struct control answer = {
        .operation = CONTROL_UNLINK_ID_ACK, .id = control->id, .from = control->to, .to = control->from};
    (void)peer_send(remote->peer, process ? process_sender(process) : 0, &answer, (struct term){0});
}

static void monitor_signal_exit(struct process *process, struct term from, struct term reason)
{
    if (process && process->events && process->events->exit)
        process->events->exit(process->owner, process, from, reason);
}

static void monitor_on_link_exit(struct remote *remote, const struct control *control)
{
    struct link *link = monitor_remove_link(remote, control->to, control->from);
    if (!link)
        return;
    struct process *process = link->process;
    monitor_unlist_link(link);
    monitor_free_link(link);
    monitor_signal_exit(process, control->from, control->reason);
}

/* --- What the node hands on --- */

static struct monitor *monitor_find(struct remote *remote, const struct control *control)
{
    return map_get(&remote->monitors, control->reference.data, control->reference.size);
}

static void monitor_on_exit(struct remote *remote, const struct control *control)
{
    struct monitor *monitor = monitor_find(remote, control);
    if (monitor)
        monitor_end(monitor, &(struct term_long){.tail = control->reason, .held = control->held},
                    control->arrived.ns);
}

/* Nobody waits any more for a process that was asked for: it must not stay behind. */
static void monitor_end_unwanted(struct remote *remote, const struct control *control)
{
    struct term_builder builder = {0};
    struct term reason = monitor_atom_term(&builder, "kill");
    struct control exit = {
        .operation = CONTROL_EXIT2, .from = control->to, .to = control->result, .reason = reason};
    if (term_type(control->result) == TERM_PID)
        (void)peer_send(remote->peer, 0, &exit, reason);
    term_build_free(&builder);
}

static void monitor_on_spawn_reply(struct remote *remote, const struct control *control)
{
    struct monitor *monitor = monitor_find(remote, control);
    if (!monitor || !monitor->spawned) {
        monitor_end_unwanted(remote, control);
        return;
    }
    if (term_type(control->result) == TERM_ATOM) {
        monitor_end(monitor, TERM_LONG(control->result), control->arrived.ns);
        return;
    }
    monitor->target = monitor_copy_of(control->result);
    int64_t flags;
    if (term_read_integer(control->spawn_flags, &flags) && (flags & CONTROL_SPAWN_LINKED))
        monitor_add_link(monitor->process, remote, control->result);
    monitor->spawned(monitor->owner, control->result);
}

void monitor_control(struct node *node, struct peer *peer, const struct control *control)
{
    static void (*const handlers[CONTROL_OPERATION_COUNT])(struct remote *, const struct control *) = {
        [CONTROL_LINK] = monitor_on_link,
        [CONTROL_UNLINK_ID] = monitor_on_unlink,
        [CONTROL_EXIT] = monitor_on_link_exit,
        [CONTROL_MONITOR] = monitor_on_request,
        [CONTROL_DEMONITOR] = monitor_on_demonitor,
        [CONTROL_MONITOR_EXIT] = monitor_on_exit,
        [CONTROL_SPAWN_REPLY] = monitor_on_spawn_reply,
    };
    if (control->operation == CONTROL_EXIT2)
        monitor_signal_exit(process_by_pid(node, control->to), control->from, control->reason);
    else if (handlers[control->operation])
        handlers[control->operation](peer_data(peer), control);
}

static int monitor_spawn_flags(const struct control *control)
{
    struct term_list options;
    struct term option;
    int flags = 0;
    if (!term_list_start(&options, control->options))
        return 0;
    while (term_list_next(&options, &option)) {
        if (term_is_atom(option, "monitor"))
            flags |= CONTROL_SPAWN_MONITORED;
        else if (term_is_atom(option, "link"))
            flags |= CONTROL_SPAWN_LINKED;
    }
    return flags;
}

bool monitor_spawn_has_room(struct peer *peer, const struct control *control)
{
    return !monitor_spawn_flags(control) || monitor_has_room(peer_data(peer), control->from);
}

int monitor_spawn_observer(struct process *process, struct peer *peer, const struct control *control)
{
    struct remote *remote = peer_data(peer);
    int flags = monitor_spawn_flags(control);
    if (flags & CONTROL_SPAWN_MONITORED)
        monitor_add_observer(process, remote, control);
    if (flags & CONTROL_SPAWN_LINKED)
        monitor_add_link(process, remote, control->from);
    return flags;
}

static void monitor_tell_observer(struct observer *observer, struct term reason, struct blob *held)
{
    struct process *process = observer->process;
    struct control question = {.from = observer->holder->pid, .reference = observer->reference};
    struct term name = observer->by_name ? term_built(&process->name) : process_pid(process);
    monitor_send_down(observer->remote->peer, process_sender(process), &question, name, reason, held);
}

void monitor_process_exits(struct process *process, struct term reason, struct blob *held)
{
    while (process->observers) {
        struct observer *observer = process->observers;
        monitor_unlist_observer(observer);
        map_remove(&observer->remote->observers, observer->reference.data, observer->reference.size);
        monitor_tell_observer(observer, reason, held);
        monitor_free_observer(observer);
    }
    while (process->links) {
        struct link *link = process->links;
        struct peer *peer = link->remote->peer;
        monitor_unlist_link(link);
        (void)monitor_remove_link(link->remote, process_pid(process), link->holder->pid);
        struct control control = {.operation = CONTROL_EXIT,
                                  .held = held,
                                  .from = process_pid(process),
                                  .to = link->holder->pid,
                                  .reason = reason};
        (void)peer_send(peer, process_sender(process), &control, reason);
        monitor_free_link(link);
    }
}

/* What is told may end others of the same peer, so that each is taken out before anything is told of it. */
static void monitor_drop_observers(struct remote *remote)
{
    size_t hint = 0;
    for (const struct map_entry *entry; (entry = map_any(&remote->observers, &hint));) {
        struct observer *observer = entry->value;
        map_remove(&remote->observers, entry->key, entry->key_size);
        monitor_unlist_observer(observer);
        monitor_tell_demonitored(observer);
        monitor_free_observer(observer);
    }
    map_free(&remote->observers);
}

static void monitor_drop_links(struct remote *remote, struct term reason)
{
    size_t hint = 0;
    for (const struct map_entry *entry; (entry = map_any(&remote->links, &hint));) {
        struct link *link = entry->value;
        struct process *process = link->process;
        map_remove(&remote->links, entry->key, entry->key_size);
        monitor_unlist_link(link);
        monitor_signal_exit(process, link->holder->pid, reason);
        monitor_free_link(link);
    }
    map_free(&remote->links);
}

static void monitor_drop_own(struct remote *remote, struct term reason)
{
    for (size_t turn = 0; turn < MONITOR_TURNS; turn++)
        while (remote->ordered[turn].count)
            monitor_end(LIST_FIRST(&remote->ordered[turn], struct monitor, link), TERM_LONG(reason),
                        clock_ns());
    map_free(&remote->monitors);
}

void monitor_peer_down(struct node *node, struct peer *peer)
{
    (void)node;
    struct remote *remote = peer_data(peer);
    peer_set_data(peer, NULL);
    struct term_builder builder = {0};
    struct term reason = monitor_atom_term(&builder, "noconnection");
    monitor_drop_own(remote, reason);
    monitor_drop_links(remote, reason);
    monitor_drop_observers(remote);
    map_free(&remote->holders.map);
    term_build_free(&builder);
    free(remote);
}
