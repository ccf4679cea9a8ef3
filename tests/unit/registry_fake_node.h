/* A node of the test, in the place of the real one: peers that come and go, monitors on their processes, and
 * what was sent to them. To be included once by a program, whose functions these are. */
#ifndef HARNESSD_TESTS_REGISTRY_FAKE_NODE_H
#define HARNESSD_TESTS_REGISTRY_FAKE_NODE_H

#include "term_from_text.h"

#include "dist/flags.h"
#include "node/monitor.h"

#define NODE_PEERS 2
#define NODE_MONITORS 1100
#define NODE_SENT 100

struct peer {
    const char *name;
    bool is_up;
    bool is_congested;
    bool refuses_monitors; /* it goes down while it is asked */
    uint64_t flags;
};

struct process {
    struct node *node;
    bool is_over;

    /* Of a run's. */
    const struct process_events *events;
    void *owner;
};

struct node_monitor {
    struct monitor *monitor;
    struct peer *peer;
};

struct node_sent {
    struct buffer to;
    struct buffer message;
};

struct node {
    struct loop *loop;
    struct peer peers[NODE_PEERS]; /* app@target, whose pid is $p, and other@place */
    struct process process;
    struct node_monitor monitors[NODE_MONITORS];
    size_t monitor_count;
    struct node_sent sent[NODE_SENT];
    size_t sent_count;
};

static inline void node_make(struct node *node, struct loop *loop)
{
    *node = (struct node){.loop = loop,
                          .peers = {{.name = "app@target", .is_up = true, .flags = FLAGS_OFFERED},
                                    {.name = "other@place", .is_up = true, .flags = FLAGS_OFFERED}}};
}

static inline void node_forget_sent(struct node *node)
{
    for (size_t i = 0; i < node->sent_count; i++) {
        buffer_free(&node->sent[i].to);
        buffer_free(&node->sent[i].message);
    }
    node->sent_count = 0;
}

/* The pid of a process of other@place. */
static inline struct term node_other_pid(struct term_builder *builder, uint32_t id)
{
    struct term_pid pid = {.node = "other@place", .id = id, .creation = 3};
    term_build_reset(builder);
    term_build_pid(builder, &pid);
    return term_built(builder);
}

static inline void node_take_out(struct node *node, size_t index)
{
    node->monitors[index] = node->monitors[--node->monitor_count];
}

/* A process that is monitored has ended. */
static inline void node_ends(struct node *node, struct term pid)
{
    for (size_t i = node->monitor_count; i-- > 0;) {
        struct monitor *monitor = node->monitors[i].monitor;
        if (!term_same(term_of(&monitor->target), pid))
            continue;
        node_take_out(node, i);
        monitor->down(monitor->owner, TERM_LONG(TERM_ATOM("killed")));
        i = node->monitor_count;
    }
}

/* The peer goes down, and with it all that is monitored there. */
static inline void node_loses(struct node *node, size_t peer)
{
    node->peers[peer].is_up = false;
    for (size_t i = node->monitor_count; i-- > 0;) {
        struct monitor *monitor = node->monitors[i].monitor;
        if (node->monitors[i].peer != &node->peers[peer])
            continue;
        node_take_out(node, i);
        monitor->down(monitor->owner, TERM_LONG(TERM_ATOM("noconnection")));
        i = node->monitor_count;
    }
}

/* --- What the node is to those who use it --- */

struct loop *node_loop(const struct node *node)
{
    return node->loop;
}

struct peer *node_peer_of(const struct node *node, struct term identifier)
{
    struct term_pid pid;
    if (!term_read_pid(identifier, &pid))
        return NULL;
    for (size_t i = 0; i < NODE_PEERS; i++)
        if (node->peers[i].is_up && strcmp(node->peers[i].name, pid.node) == 0)
            return (struct peer *)&node->peers[i];
    return NULL;
}

uint64_t peer_flags(const struct peer *peer)
{
    return peer->flags;
}

bool peer_is_congested(const struct peer *peer)
{
    return peer->is_congested;
}

bool node_send(struct node *node, const struct process *from, struct term to, struct term message)
{
    assert_ptr_equal(from, &node->process);
    if (!node_peer_of(node, to))
        return false;
    assert_true(node->sent_count < NODE_SENT);
    struct node_sent *sent = &node->sent[node->sent_count++];
    *sent = (struct node_sent){.to = {0}};
    term_keep(&sent->to, to);
    term_keep(&sent->message, message);
    return true;
}

struct process *process_spawn(struct node *node, const struct process_events *events, void *owner)
{
    assert_non_null(events);
    assert_non_null(owner);
    if (node->process.node) { /* that of a run */
        struct process *process = memory_zalloc(1, sizeof(*process));
        process->node = node;
        process->events = events;
        process->owner = owner;
        return process;
    }
    node->process = (struct process){.node = node};
    return &node->process;
}

void process_exit_atom(struct process *process, const char *reason)
{
    assert_false(process->is_over);
    if (process != &process->node->process) {
        free(process);
        return;
    }
    assert_string_equal(reason, "shutdown");
    process->is_over = true;
}

struct term process_pid(const struct process *process)
{
    assert_false(process->is_over);
    return TERM_ATOM("pid");
}

struct node *process_node(const struct process *process)
{
    return process->node;
}

bool monitor_start(struct monitor *monitor, struct process *process, struct peer *peer, struct term target,
                   void (*down)(void *owner, const struct term_long *reason), void *owner)
{
    struct node *node = process->node;
    assert_true(peer->is_up && !process->is_over);
    if (peer->refuses_monitors)
        return false;
    *monitor = (struct monitor){.process = process, .down = down, .owner = owner};
    term_keep(&monitor->target, target);
    assert_true(node->monitor_count < NODE_MONITORS);
    node->monitors[node->monitor_count++] = (struct node_monitor){monitor, peer};
    return true;
}

void monitor_tell_last(struct monitor *monitor)
{
    (void)monitor;
}

void monitor_stop(struct monitor *monitor)
{
    struct node *node = monitor->process ? monitor->process->node : NULL;
    buffer_free(&monitor->target);
    for (size_t i = 0; node && i < node->monitor_count; i++)
        if (node->monitors[i].monitor == monitor) {
            node_take_out(node, i);
            return;
        }
}

#endif
