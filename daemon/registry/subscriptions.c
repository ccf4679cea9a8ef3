#include "registry/subscriptions.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/memory.h"
#include "node/monitor.h"
#include "term/term_read.h"

struct subscription {
    struct subscriptions *owner;
    struct list_link link;
    uint64_t id;
    struct buffer pid;
    char node[NODE_NAME_BYTES + 1]; /* whose share it is of */
    struct monitor monitor;
    uint64_t missed; /* events, since the last one that was sent */
};

struct subscriptions {
    struct process *process;
    struct list all; /* the newest first */
    struct share share;
};

static struct term subscriptions_pid_of(const struct subscription *subscription)
{
    return term_of(&subscription->pid);
}

/* --- Coming and going --- */

struct subscriptions *subscriptions_new(struct process *process)
{
    struct subscriptions *subscriptions = memory_zalloc(1, sizeof(*subscriptions));
    subscriptions->process = process;
    subscriptions->share.most = SUBSCRIPTIONS_MOST;
    return subscriptions;
}

static void subscriptions_forget(struct subscription *subscription)
{
    list_remove(&subscription->owner->all, &subscription->link);
    share_give_back(&subscription->owner->share, subscription->node, subscriptions_pid_of(subscription), 1);
    monitor_stop(&subscription->monitor);
    buffer_free(&subscription->pid);
    free(subscription);
}

void subscriptions_free(struct subscriptions *subscriptions)
{
    LIST_EACH(struct subscription, subscription, &subscriptions->all, link)
        subscriptions_forget(subscription);
    share_free(&subscriptions->share);
    free(subscriptions);
}

static void subscriptions_on_down(void *owner, const struct term_long *reason)
{
    (void)reason;
    subscriptions_forget(owner);
}

static struct subscription *subscriptions_find(const struct subscriptions *subscriptions, uint64_t id,
                                               struct term pid)
{
    LIST_EACH(struct subscription, subscription, &subscriptions->all, link)
        if (subscription->id == id && term_same(subscriptions_pid_of(subscription), pid))
            return subscription;
    return NULL;
}

enum subscription_outcome subscriptions_add(struct subscriptions *subscriptions, uint64_t id, struct term pid,
                                            const char *node)
{
    struct process *process = subscriptions->process;
    struct peer *peer = node_peer_of(process_node(process), pid);
    if (subscriptions_find(subscriptions, id, pid))
        return SUBSCRIBED;
    if (!peer)
        return SUBSCRIPTION_NODEDOWN;
    if (!share_take(&subscriptions->share, node, pid, 1))
        return SUBSCRIPTIONS_TOO_MANY;
    struct subscription *subscription = memory_zalloc(1, sizeof(*subscription));
    if (!monitor_start(&subscription->monitor, process, peer, pid, subscriptions_on_down, subscription)) {
        share_give_back(&subscriptions->share, node, pid, 1);
        free(subscription);
        return SUBSCRIPTION_NODEDOWN;
    }
    subscription->owner = subscriptions;
    subscription->id = id;
    term_keep(&subscription->pid, pid);
    snprintf(subscription->node, sizeof(subscription->node), "%s", node);
    list_prepend(&subscriptions->all, &subscription->link);
    return SUBSCRIBED;
}

void subscriptions_remove(struct subscriptions *subscriptions, uint64_t id, struct term pid)
{
    struct subscription *subscription = subscriptions_find(subscriptions, id, pid);
    if (subscription)
        subscriptions_forget(subscription);
}

static bool subscriptions_is_for(const struct subscription *subscription, uint64_t id)
{
    return subscription->id == SUBSCRIPTIONS_ALL || subscription->id == id;
}

bool subscriptions_have(const struct subscriptions *subscriptions, uint64_t id)
{
    LIST_EACH(struct subscription, subscription, &subscriptions->all, link)
        if (subscriptions_is_for(subscription, id))
            return true;
    return false;
}

/* --- Telling --- */

/* The metadata with `missed` as one of its keys when there is something to tell. */
static void subscriptions_build_metadata(struct term metadata, uint64_t missed, struct term_builder *builder)
{
    struct term_pairs pairs;
    struct term key, value;
    if (!missed || !term_pairs_start(&pairs, metadata)) {
        term_build_term(builder, metadata);
        return;
    }
    term_build_map(builder, pairs.count + 1);
    while (term_pairs_next(&pairs, &key, &value)) {
        term_build_term(builder, key);
        term_build_term(builder, value);
    }
    term_build_key(builder, "events_missed");
    term_build_unsigned(builder, missed);
}

static void subscriptions_build_event(const struct subscription_event *event, uint64_t missed,
                                      struct term_builder *builder)
{
    size_t parts = 0;
    while (parts < 4 && event->name[parts])
        parts++;
    term_build_tuple(builder, 5);
    term_build_atom(builder, "harness_event");
    term_build_unsigned(builder, event->id);
    term_build_list(builder, parts);
    for (size_t i = 0; i < parts; i++)
        term_build_atom(builder, event->name[i]);
    term_build_nil(builder);
    term_build_term(builder, event->measurements);
    subscriptions_build_metadata(event->metadata, missed, builder);
}

static void subscriptions_send_event(struct subscription *subscription,
                                     const struct subscription_event *event)
{
    struct process *process = subscription->owner->process;
    struct term_builder message = {0};
    subscriptions_build_event(event, subscription->missed, &message);
    subscription->missed = 0;
    (void)node_send(process_node(process), process, subscriptions_pid_of(subscription), term_built(&message));
    term_build_free(&message);
}

/* Nothing that is sent ends a subscription: a connection closes at the end of the pass. */
static void subscriptions_send_all(struct subscriptions *subscriptions,
                                   const struct subscription_event *event, bool is_last)
{
    struct node *node = process_node(subscriptions->process);
    LIST_EACH(struct subscription, subscription, &subscriptions->all, link) {
        if (!subscriptions_is_for(subscription, event->id))
            continue;
        struct peer *peer = node_peer_of(node, subscriptions_pid_of(subscription));
        if (!is_last && peer && peer_is_congested(peer))
            subscription->missed++;
        else
            subscriptions_send_event(subscription, event);
    }
}

void subscriptions_tell(struct subscriptions *subscriptions, const struct subscription_event *event)
{
    subscriptions_send_all(subscriptions, event, false);
}

void subscriptions_end(struct subscriptions *subscriptions, const struct subscription_event *event)
{
    subscriptions_send_all(subscriptions, event, true);
    LIST_EACH(struct subscription, subscription, &subscriptions->all, link)
        if (subscription->id == event->id)
            subscriptions_forget(subscription);
}
