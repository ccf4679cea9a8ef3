#include "target_private.h"

#include <assert.h>

#include "base/clock.h"
#include "term/term_read.h"

#define TARGET_NO_REASON (&(struct term_long){.held = NULL})

#define LOOKUP_NS (5 * CLOCK_NS_PER_S)

static void target_connect(struct target *target, const char *node);

void target_init(struct target *target, const struct target_spec *spec, size_t index, bool is_confirmed,
                 struct process *process, struct term group_leader, const struct target_events *events,
                 void *owner)
{
    *target = (struct target){.spec = spec,
                              .index = index,
                              .is_confirmed = is_confirmed,
                              .process = process,
                              .group_leader = group_leader,
                              .events = events,
                              .owner = owner};
}

/* Leaves whatever state it is in for TARGET_IDLE. */
static void target_let_go(struct target *target)
{
    node_cancel_drained(process_node(target->process), &target->drain);
    peer_wait_cancel(&target->wait);
    for (size_t i = 0; i < ARRAY_LENGTH(target->monitors); i++)
        monitor_stop(&target->monitors[i]);
    monitor_stop(&target->fence);
    if (target->lookup)
        rpc_call_cancel(target->lookup);
    if (target->peer)
        peer_release(target->peer);
    target->lookup = NULL;
    target->peer = NULL;
    target->state = TARGET_IDLE;
}

void target_close(struct target *target)
{
    target_let_go(target);
}

void target_free(struct target *target)
{
    buffer_free(&target->found);
    term_build_free(&target->control);
}

/* The owner may use the target again at once, so it is idle before it is told. */
static void target_fail(struct target *target, enum target_failure failure, const struct term_long *reason)
{
    target_let_go(target);
    target->events->failed(target->owner, target, failure, reason);
}

static void target_on_down(void *owner, const struct term_long *reason)
{
    struct target *target = owner;
    if (term_is_atom(reason->tail, "noproc"))
        target_fail(target, TARGET_NOPROC, reason);
    else if (term_is_atom(reason->tail, "noconnection"))
        target_fail(target, TARGET_NODEDOWN, reason);
    else
        target_fail(target, TARGET_DIED, reason);
}

static bool target_needs_lookup(const struct target *target)
{
    return (target->spec->kind == TARGET_GLOBAL || target->spec->kind == TARGET_VIA) && !target->found.size;
}

/* Who messages go to: a pid, or a name on its node. */
static struct term target_address(const struct target *target)
{
    if (target->found.size)
        return term_of(&target->found);
    return target->spec->kind == TARGET_PID ? target->spec->server : target->spec->name;
}

static void target_be_ready(struct target *target)
{
    target->state = TARGET_READY;
    target->events->ready(target->owner, target);
}

/* Had it not been there, the end of its own monitor would have come before: a node answers in order. */
static void target_on_fence(void *owner, const struct term_long *reason)
{
    (void)reason;
    target_be_ready(owner);
}

static void target_confirm(struct target *target)
{
    target->state = TARGET_CONFIRMING;
    if (!monitor_start(&target->fence, target->process, target->peer, TERM_ATOM("harnessd nobody"),
                       target_on_fence, target))
        target_fail(target, TARGET_NODEDOWN, TARGET_NO_REASON);
}

static bool target_watch(struct target *target)
{
    target->is_fresh = true;
    return monitor_start(&target->monitors[target->current], target->process, target->peer,
                         target_address(target), target_on_down, target);
}

void target_look_again(struct target *target)
{
    struct monitor *old = &target->monitors[target->current];
    if (target->state != TARGET_READY || target->is_fresh)
        return;
    target->current = !target->current;
    if (target_watch(target))
        monitor_stop(old);
    else /* its node is going away, which the old one tells */
        target->current = !target->current;
}

static void target_open(struct target *target)
{
    struct control control = {.from = process_pid(target->process), .to = target_address(target)};
    bool inside;
    control.operation = term_type(control.to) == TERM_PID ? CONTROL_SEND : CONTROL_REG_SEND;
    term_build_reset(&target->control);
    if (!control_encode(&target->control, &control, peer_flags(target->peer), &inside) ||
        !target_watch(target)) {
        target_fail(target, TARGET_NODEDOWN, TARGET_NO_REASON);
        return;
    }
    if (target->is_confirmed)
        target_confirm(target);
    else
        target_be_ready(target);
}

/* A process that has no name any more is `undefined`; a pid may be of another node than the one that was
 * asked. */
static void target_on_found(void *owner, enum rpc_outcome outcome, struct term value)
{
    struct target *target = owner;
    struct term node;
    char name[TERM_ATOM_BYTES + 1];
    target->lookup = NULL;
    if (outcome == RPC_RAISED) {
        target_fail(target, TARGET_DIED, TERM_LONG(value));
    } else if (outcome != RPC_RETURNED) {
        target_fail(target, TARGET_NODEDOWN, TARGET_NO_REASON);
    } else if (!term_read_node(value, &node) || term_type(value) != TERM_PID || !term_read_atom(node, name)) {
        target_fail(target, TARGET_NOPROC, TARGET_NO_REASON);
    } else {
        buffer_append(&target->found, value.data, value.size);
        target_connect(target, name);
    }
}

static void target_look_up(struct target *target)
{
    struct term_builder arguments = {0};
    struct rpc_request request = {.node = target->spec->node,
                                  .module = target->spec->module,
                                  .function = "whereis_name",
                                  .group_leader = target->group_leader,
                                  .timeout_ns = LOOKUP_NS};
    term_build_list(&arguments, 1);
    term_build_term(&arguments, target->spec->name);
    term_build_nil(&arguments);
    if (term_build_done(&arguments, &request.arguments))
        target->lookup = rpc_call_start(target->process, &request, target_on_found, target);
    term_build_free(&arguments);
    target->state = TARGET_RESOLVING;
    if (!target->lookup)
        target_fail(target, TARGET_NODEDOWN, TARGET_NO_REASON);
}

static void target_on_connected(void *owner, struct peer *peer, const char *problem)
{
    (void)peer;
    struct target *target = owner;
    if (problem)
        target_fail(target, TARGET_NODEDOWN, TARGET_NO_REASON);
    else if (target_needs_lookup(target))
        target_look_up(target);
    else
        target_open(target);
}

static void target_connect(struct target *target, const char *node)
{
    if (target->peer)
        peer_release(target->peer);
    snprintf(target->node, sizeof(target->node), "%s", node);
    target->peer = peer_hold(node_peers(process_node(target->process)), node);
    if (!target->peer) { /* this very node: nothing that it could call is here */
        target_fail(target, TARGET_NOPROC, TARGET_NO_REASON);
        return;
    }
    target->state = TARGET_CONNECTING;
    target->wait = (struct peer_wait){.done = target_on_connected, .owner = target};
    peer_connect(target->peer, &target->wait);
}

void target_reach(struct target *target)
{
    if (target->state != TARGET_IDLE)
        return;
    if (target_is_several(
            target->spec->kind)) { /* its members are reached instead, as long as there are some */
        target_fail(target, TARGET_NOPROC, TARGET_NO_REASON);
        return;
    }
    buffer_free(&target->found);
    target_connect(target, target->spec->node);
}

static void target_on_drained(void *owner)
{
    struct target *target = owner;
    target->events->drained(target->owner, target);
}

bool target_is_open(struct target *target)
{
    if (target->state != TARGET_READY)
        return false;
    if (!peer_is_congested(target->peer))
        return true;
    target->drain.drained = target_on_drained;
    target->drain.owner = target;
    node_wait_drained(process_node(target->process), target->peer, &target->drain);
    return false;
}

static struct term target_control(const struct target *target)
{
    struct term control;
    bool built = term_build_done(&target->control, &control);
    assert(built);
    return control;
}

void target_send(struct target *target, struct term message)
{
    target->is_fresh = false;
    (void)peer_send_encoded(target->peer, process_sender(target->process), target_control(target), message);
}

struct departure *target_departure(const struct target *target)
{
    return peer_departure(target->peer);
}

/* Old nodes take it in one piece. */
void target_send_held(struct target *target, struct term head, struct term tail, struct blob *held)
{
    struct buffer whole = {0};
    target->is_fresh = false;
    if (peer_send_held(target->peer, process_sender(target->process), target_control(target), head, tail,
                       held))
        return;
    buffer_append(&whole, head.data, head.size);
    buffer_append(&whole, tail.data, tail.size);
    target_send(target, term_of(&whole));
    buffer_free(&whole);
}
