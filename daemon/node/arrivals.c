#include "arrivals_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/memory.h"
#include "node/request_work.h"

#define ARRIVALS_LONG_BYTES (256 * 1024)

/* A process of which a long message is being read. */
struct sender {
    struct arrivals *arrivals;
    struct term pid;     /* as it is the key */
    struct list waiting; /* its messages, the one that is being read first */
    struct loop_task go_on;
};

struct arrival {
    struct list_link link;
    struct request_work work;
    struct arrivals *arrivals;
    struct sender *sender; /* NULL when it was not said */
    struct request *request;
    rpc_message_reader *read;
    struct term message;
    bool is_read; /* or dropped */
    enum rpc_ask ask;
};

bool arrivals_is_long(struct term message)
{
    return message.size >= ARRIVALS_LONG_BYTES;
}

static void arrivals_take(struct arrival *arrival)
{
    if (arrival->work.is_dropped)
        request_drop(arrival->request);
    else
        arrival->arrivals->take(arrival->arrivals->owner, arrival->request, arrival->ask);
    free(arrival);
}

/* --- Reading aside --- */

static void arrivals_go_on(void *owner);

static void arrivals_work(struct request_work *work)
{
    struct arrival *arrival = CONTAINER_OF(work, struct arrival, work);
    arrival->ask = arrival->read(arrival->request, arrival->message);
}

static void arrivals_on_worked(struct request_work *work)
{
    struct arrival *arrival = CONTAINER_OF(work, struct arrival, work);
    arrival->is_read = true;
    if (arrival->sender)
        arrivals_go_on(arrival->sender);
    else
        arrivals_take(arrival);
}

static void arrivals_read_aside(struct arrival *arrival)
{
    arrival->work = (struct request_work){.request = arrival->request,
                                          .bytes = arrival->message.size,
                                          .work = arrivals_work,
                                          .done = arrivals_on_worked};
    request_work_start(&arrival->work);
}

/* --- What one process sends --- */

static struct sender *arrivals_new_sender(struct arrivals *arrivals, struct term pid)
{
    struct sender *sender = memory_zalloc(1, sizeof(*sender));
    struct map_entry *entry = map_entry_of(&arrivals->senders, pid.data, pid.size);
    entry->value = sender;
    *sender = (struct sender){.arrivals = arrivals,
                              .pid = {entry->key, entry->key_size},
                              .go_on = {.run = arrivals_go_on, .owner = sender}};
    return sender;
}

static void arrivals_free_sender(struct sender *sender)
{
    map_remove(&sender->arrivals->senders, sender->pid.data, sender->pid.size);
    free(sender);
}

/* False when the thread has to read it first. */
static bool arrivals_take_first(struct sender *sender)
{
    struct arrival *arrival = LIST_FIRST(&sender->waiting, struct arrival, link);
    if (!arrival->is_read && arrivals_is_long(arrival->message)) {
        arrivals_read_aside(arrival);
        return false;
    }
    list_remove(&sender->waiting, &arrival->link);
    if (!arrival->is_read && request_is_wanted(arrival->request))
        arrival->ask = arrival->read(arrival->request, arrival->message);
    else if (!arrival->is_read)
        arrival->work.is_dropped = true;
    arrivals_take(arrival);
    return true;
}

/* As many as there is time for in this pass. */
static void arrivals_go_on(void *owner)
{
    struct sender *sender = owner;
    struct loop *loop = sender->arrivals->loop;
    do {
        if (!arrivals_take_first(sender))
            return;
    } while (sender->waiting.count && loop_has_time(loop));
    if (sender->waiting.count)
        loop_defer_piece(loop, &sender->go_on);
    else
        arrivals_free_sender(sender);
}

/* --- All of them --- */

bool arrivals_add(struct arrivals *arrivals, struct term from, struct request *request,
                  rpc_message_reader *read, struct term message)
{
    struct sender *sender = from.data ? map_get(&arrivals->senders, from.data, from.size) : NULL;
    if (!sender && !arrivals_is_long(message)) {
        arrivals->take(arrivals->owner, request, read(request, message));
        return true;
    }
    rpc_message_note_call(request, message);
    if (!request_admit(request, message.size))
        return false;
    arrivals->note(arrivals->owner, request);
    struct arrival *arrival = memory_zalloc(1, sizeof(*arrival));
    *arrival = (struct arrival){
        .arrivals = arrivals, .sender = sender, .request = request, .read = read, .message = message};
    if (!from.data) {
        arrivals_read_aside(arrival);
        return true;
    }
    if (!sender)
        arrival->sender = arrivals_new_sender(arrivals, from);
    list_append(&arrival->sender->waiting, &arrival->link);
    if (!sender)
        arrivals_go_on(arrival->sender);
    return true;
}

void arrivals_forget(struct arrivals *arrivals, const char *node)
{
    struct map_cursor cursor = {0};
    for (const struct map_entry *entry; (entry = map_next(&arrivals->senders, &cursor));) {
        const struct sender *sender = entry->value;
        LIST_EACH(struct arrival, arrival, &sender->waiting, link)
            if (strcmp(arrival->request->peer, node) == 0)
                request_abandon(arrival->request);
    }
}

void arrivals_finish(struct arrivals *arrivals)
{
    size_t hint = 0;
    worker_finish_aside(arrivals->loop);
    for (const struct map_entry *entry; (entry = map_any(&arrivals->senders, &hint));) {
        struct sender *sender = entry->value;
        loop_cancel(arrivals->loop, &sender->go_on);
        arrivals_go_on(sender);
        worker_finish_aside(arrivals->loop);
    }
    map_free(&arrivals->senders);
}
