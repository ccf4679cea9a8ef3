#include "node/node.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "node_private.h"
#include "term/term_read.h"

struct node *node_new(const struct node_options *options)
{
    struct node *node = memory_zalloc(1, sizeof(*node));
    node->options = *options;
    node->large_answers = large_answers_new(node);
    node->works.waiting.most = REQUESTS_WAITING_BYTES;
    return node;
}

void node_free(struct node *node)
{
    large_answers_free(node->large_answers);
    share_free(&node->works.waiting);
    map_free(&node->processes);
    map_free(&node->names);
    free(node);
}

void node_set_peers(struct node *node, struct peers *peers)
{
    node->peers = peers;
}

struct peers *node_peers(const struct node *node)
{
    return node->peers;
}

struct loop *node_loop(const struct node *node)
{
    return node->options.loop;
}

const char *node_name(const struct node *node)
{
    return node->options.identity->node;
}

size_t node_process_count(const struct node *node)
{
    return node->processes.count;
}

struct peer *node_peer_of(const struct node *node, struct term identifier)
{
    struct term name;
    char text[TERM_ATOM_BYTES + 1];
    if (!term_read_node(identifier, &name) || !term_read_atom(name, text))
        return NULL;
    return peers_find_up(node->peers, text, strlen(text));
}

bool node_send(struct node *node, const struct process *from, struct term to, struct term message)
{
    struct peer *peer = node_peer_of(node, to);
    struct control control = {.operation = CONTROL_SEND, .from = process_pid(from), .to = to};
    return peer && peer_send(peer, process_sender(from), &control, message);
}

void node_wait_drained(struct node *node, struct peer *peer, struct drain_wait *wait)
{
    if (wait->peer)
        return;
    struct drain_wait **link = &node->drain_waits;
    while (*link)
        link = &(*link)->next;
    wait->peer = peer;
    wait->next = NULL;
    *link = wait;
}

void node_cancel_drained(struct node *node, struct drain_wait *wait)
{
    if (!wait->peer)
        return;
    struct drain_wait **link = &node->drain_waits;
    while (*link != wait)
        link = &(*link)->next;
    *link = wait->next;
    wait->peer = NULL;
}

/* Takes out one wait for the peer, so that what it tells may add others. */
static struct drain_wait *node_take_drain_wait(struct node *node, const struct peer *peer)
{
    struct drain_wait *wait = node->drain_waits;
    while (wait && wait->peer != peer)
        wait = wait->next;
    if (wait)
        node_cancel_drained(node, wait);
    return wait;
}

void node_watch_limits(struct node *node, struct limit_watch *watch)
{
    list_append(&node->limit_watches, &watch->link);
}

void node_unwatch_limits(struct node *node, struct limit_watch *watch)
{
    list_remove(&node->limit_watches, &watch->link);
}

void node_build_reference(struct node *node, struct term_builder *builder)
{
    uint64_t number = ++node->next_reference;
    /* The first word has 18 bits, as in references of BEAM nodes. */
    uint32_t words[3] = {(uint32_t)(number & 0x3ffff), (uint32_t)(number >> 18), (uint32_t)(number >> 50)};
    term_build_reference(builder, node_name(node), node->options.identity->creation, words, 3);
}

static void node_deliver(struct process *process, struct peer *peer, const struct control *control,
                         struct term body)
{
    struct incoming incoming = {.peer = peer,
                                .from = control->from,
                                .body = body,
                                .too_large = control->too_large,
                                .held = control->held,
                                .arrived = control->arrived};
    if (process)
        process_deliver(process, &incoming);
}

/* `why` when there is no process. */
static void node_reply_spawn(struct peer *peer, const struct control *request, struct process *process,
                             int flags, const char *why)
{
    struct term_builder builder = {0};
    struct term number, refusal;
    term_build_integer(&builder, flags);
    size_t split = builder.bytes.size;
    term_build_atom(&builder, why);
    const uint8_t *bytes = buffer_bytes(&builder.bytes);
    number = (struct term){bytes, split};
    refusal = (struct term){bytes + split, builder.bytes.size - split};
    struct control reply = {.operation = CONTROL_SPAWN_REPLY,
                            .reference = request->reference,
                            .to = request->from,
                            .spawn_flags = number,
                            .result = process ? process_pid(process) : refusal};
    (void)peer_send(peer, process ? process_sender(process) : 0, &reply, (struct term){0});
    term_build_free(&builder);
}

/* The process must not answer before the SPAWN_REPLY is out; `spawn` therefore only makes it, and what it
 * does first it does in a deferred task. */
static void node_spawn(struct node *node, struct peer *peer, const struct control *control,
                       struct term arguments)
{
    if (!monitor_spawn_has_room(peer, control)) {
        node_reply_spawn(peer, control, NULL, 0, MONITOR_REFUSED);
        return;
    }
    struct process *process = node->options.spawn(node->options.owner, peer, control, arguments);
    int flags = process ? monitor_spawn_observer(process, peer, control) : 0;
    node_reply_spawn(peer, control, process, flags, "notsup");
}

static bool node_on_allowed(void *owner, const char *name)
{
    struct node *node = owner;
    return node->options.allowed(node->options.owner, name);
}

static void node_on_up(void *owner, struct peer *peer)
{
    monitor_peer_up(owner, peer);
}

static void node_on_down(void *owner, struct peer *peer, const char *reason)
{
    (void)reason;
    struct node *node = owner;
    if (peer_limit(peer) != CONN_LIMIT_NONE)
        LIST_EACH(struct limit_watch, watch, &node->limit_watches, link)
            watch->reached(watch->owner, peer);
    monitor_peer_down(node, peer);
    if (node->rpc_in)
        rpc_in_forget(node->rpc_in, peer_name(peer));
    request_works_forget(&node->works, peer_name(peer));
    large_answers_forget(node->large_answers, peer_name(peer));
}

static void node_on_drained(void *owner, struct peer *peer)
{
    for (struct drain_wait *wait; !peer_is_congested(peer) && (wait = node_take_drain_wait(owner, peer));)
        wait->drained(wait->owner);
}

static void node_on_message(void *owner, struct peer *peer, const struct control *control,
                            struct term payload)
{
    struct node *node = owner;
    switch (control->operation) {
    case CONTROL_SEND:
        node_deliver(process_by_pid(node, control->to), peer, control, payload);
        break;
    case CONTROL_REG_SEND:
        node_deliver(process_by_name(node, control->to), peer, control, payload);
        break;
    case CONTROL_SPAWN_REQUEST:
        node_spawn(node, peer, control, payload);
        break;
    case CONTROL_ALIAS_SEND:   /* this node makes no aliases */
    case CONTROL_GROUP_LEADER: /* and its processes have no group leader */
        break;
    default:
        monitor_control(node, peer, control);
        break;
    }
}

const struct peers_events *node_peers_events(void)
{
    static const struct peers_events events = {.allowed = node_on_allowed,
                                               .up = node_on_up,
                                               .message = node_on_message,
                                               .drained = node_on_drained,
                                               .down = node_on_down};
    return &events;
}
