#include "dial_queue_private.h"

#include "peers_private.h"

static bool dial_queue_has_room(const struct dial_queue *queue)
{
    return queue->attempts < DIAL_QUEUE_ATTEMPTS_MOST;
}

/* What nobody listens to fails in the same pass, so that many more may be begun than are under way. */
static void dial_queue_begin(void *owner)
{
    struct dial_queue *queue = owner;
    while (queue->waiting.count && dial_queue_has_room(queue)) {
        if (!loop_use_turn(queue->loop, &queue->turn, DIAL_QUEUE_TURN)) {
            loop_defer_next(queue->loop, &queue->begin);
            return;
        }
        struct peer *peer = LIST_FIRST(&queue->waiting, struct peer, queued);
        list_remove(&queue->waiting, &peer->queued);
        if (peer->state == PEER_IDLE && peer->kept && !peer->peers->closing)
            queue->start(peer);
    }
}

void dial_queue_init(struct dial_queue *queue, struct loop *loop, void (*start)(struct peer *peer))
{
    *queue = (struct dial_queue){.loop = loop, .start = start};
    queue->begin = (struct loop_task){.run = dial_queue_begin, .owner = queue};
}

void dial_queue_ask(struct dial_queue *queue, struct peer *peer)
{
    if (!list_has(&queue->waiting, &peer->queued))
        list_append(&queue->waiting, &peer->queued);
    dial_queue_begin(queue);
}

void dial_queue_leave(struct dial_queue *queue, struct peer *peer)
{
    list_remove(&queue->waiting, &peer->queued);
}

void dial_queue_note(struct dial_queue *queue, bool was_attempt, bool is_attempt)
{
    queue->attempts += is_attempt;
    queue->attempts -= was_attempt;
    if (queue->waiting.count && was_attempt)
        loop_defer(queue->loop, &queue->begin);
}
