#include "base/fair_queue.h"

#include <stdlib.h>

#include "base/memory.h"

struct fair_node {
    uint64_t number;
    struct list_link link;
    struct list callers; /* the next one first */
};

struct fair_caller {
    uint64_t numbers[2]; /* of the node, and its own */
    struct fair_node *node;
    struct list_link link;
    struct list waiting; /* in their order */
    bool is_busy;        /* something of it was taken, and is not over */
};

static struct fair_node *fair_queue_node(struct fair_queue *queue, uint64_t number)
{
    struct map_entry *entry = map_entry_of(&queue->nodes, &number, sizeof(number));
    if (entry->value)
        return entry->value;
    struct fair_node *node = memory_zalloc(1, sizeof(*node));
    entry->value = node;
    node->number = number;
    list_append(&queue->in_turn, &node->link);
    return node;
}

static struct fair_caller *fair_queue_caller(struct fair_queue *queue, const struct fair_item *item)
{
    const uint64_t numbers[2] = {item->node, item->caller};
    struct map_entry *entry = map_entry_of(&queue->known, numbers, sizeof(numbers));
    if (entry->value)
        return entry->value;
    struct fair_caller *caller = memory_zalloc(1, sizeof(*caller));
    entry->value = caller;
    *caller = (struct fair_caller){.numbers = {item->node, item->caller},
                                   .node = fair_queue_node(queue, item->node)};
    list_append(&caller->node->callers, &caller->link);
    return caller;
}

static void fair_queue_forget_idle(struct fair_queue *queue, struct fair_caller *caller)
{
    struct fair_node *node = caller->node;
    if (caller->is_busy || caller->waiting.count)
        return;
    list_remove(&node->callers, &caller->link);
    (void)map_remove(&queue->known, caller->numbers, sizeof(caller->numbers));
    free(caller);
    if (node->callers.count)
        return;
    list_remove(&queue->in_turn, &node->link);
    (void)map_remove(&queue->nodes, &node->number, sizeof(node->number));
    free(node);
    if (queue->nodes.count)
        return;
    map_free(&queue->nodes);
    map_free(&queue->known);
}

void fair_queue_put(struct fair_queue *queue, struct fair_item *item)
{
    struct fair_caller *caller = fair_queue_caller(queue, item);
    const uint64_t order = item->order ? item->order : UINT64_MAX;
    struct fair_item *last = LIST_ITEM(caller->waiting.last, struct fair_item, link);
    struct fair_item *next =
        last && last->order > order ? LIST_FIRST(&caller->waiting, struct fair_item, link) : NULL;
    while (next && next->order <= order) /* few: what is begun comes before all that is not */
        next = LIST_NEXT(next, struct fair_item, link);
    item->of = caller;
    item->order = order;
    list_insert(&caller->waiting, next ? &next->link : NULL, &item->link);
}

static bool fair_queue_can_take(const struct fair_caller *caller, bool may_take_long)
{
    const struct fair_item *first = LIST_FIRST(&caller->waiting, struct fair_item, link);
    return first && !caller->is_busy && (may_take_long || !first->takes_long);
}

static struct fair_caller *fair_queue_choose(const struct fair_queue *queue, bool may_take_long)
{
    LIST_EACH(struct fair_node, node, &queue->in_turn, link)
        LIST_EACH(struct fair_caller, caller, &node->callers, link)
            if (fair_queue_can_take(caller, may_take_long))
                return caller;
    return NULL;
}

static void fair_queue_move_last(struct list *list, struct list_link *link)
{
    list_remove(list, link);
    list_append(list, link);
}

struct fair_item *fair_queue_take(struct fair_queue *queue, bool may_take_long)
{
    struct fair_caller *caller = fair_queue_choose(queue, may_take_long);
    if (!caller)
        return NULL;
    struct fair_item *item = LIST_FIRST(&caller->waiting, struct fair_item, link);
    list_remove(&caller->waiting, &item->link);
    caller->is_busy = true;
    fair_queue_move_last(&caller->node->callers, &caller->link);
    fair_queue_move_last(&queue->in_turn, &caller->node->link);
    return item;
}

void fair_queue_over(struct fair_queue *queue, struct fair_item *item)
{
    struct fair_caller *caller = item->of;
    item->of = NULL;
    caller->is_busy = false;
    fair_queue_forget_idle(queue, caller);
}

bool fair_queue_remove(struct fair_queue *queue, struct fair_item *item)
{
    struct fair_caller *caller = item->of;
    if (!caller || !list_has(&caller->waiting, &item->link))
        return false;
    list_remove(&caller->waiting, &item->link);
    item->of = NULL; /* which may be gone */
    fair_queue_forget_idle(queue, caller);
    return true;
}
