#include "node/large_answers.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/map.h"
#include "base/memory.h"
#include "node/request_work.h"
#include "node_private.h"

/* Smaller ones are sent at once. */
#define LARGE_ANSWER_BYTES (256 * 1024)

/* How often it is looked whether a node has taken what it was sent. */
#define LOOK_NS (10 * CLOCK_NS_PER_MS)

/* To copy a hundred bytes takes no longer than to read one. */
#define COPIED_A_READ 100

/* The answers to one node, of which one has the room. */
struct answer_room {
    struct large_answers *answers;
    struct list_link link;
    char node[NODE_NAME_BYTES + 1];
    struct fair_queue waiting;
    size_t count; /* of those */
    bool is_taken;
};

struct large_answers {
    struct node *node;
    struct list rooms; /* that somebody has, or waits for; who was last is at the end */
    struct loop_task step;
    struct loop_timer look;
    bool closing;
};

/* --- Room --- */

static struct answer_room *large_answers_room(struct large_answers *answers, const char *node)
{
    LIST_EACH(struct answer_room, room, &answers->rooms, link)
        if (strcmp(room->node, node) == 0)
            return room;
    struct answer_room *room = memory_zalloc(1, sizeof(*room));
    room->answers = answers;
    snprintf(room->node, sizeof(room->node), "%s", node);
    list_append(&answers->rooms, &room->link);
    return room;
}

static void large_answers_forget_idle(struct answer_room *room)
{
    if (room->is_taken || room->count)
        return;
    list_remove(&room->answers->rooms, &room->link);
    free(room);
}

/* One whose node is gone gets rid of what waits for it. */
static bool large_answers_is_free(const struct answer_room *room)
{
    const struct peers *peers = node_peers(room->answers->node);
    const struct peer *peer = peers_find_up(peers, room->node, strlen(room->node));
    return !room->is_taken && (!peer || !peer_is_congested(peer));
}

static void large_answers_give(struct answer_room *room, struct answer_wait *wait)
{
    room->is_taken = true;
    wait->request->room = room;
    wait->go_on(wait);
}

void large_answers_leave(struct request *request)
{
    struct answer_room *room = request->room;
    if (!room)
        return;
    request->room = NULL;
    room->is_taken = false;
    if (room->count)
        loop_defer_piece(node_loop(room->answers->node), &room->answers->step);
    else
        large_answers_forget_idle(room);
}

/* --- Waiting --- */

static void large_answers_stop_waiting(struct answer_wait *wait)
{
    wait->room->count--;
    wait->room = NULL;
    wait->request->abandoned = NULL;
}

static void large_answers_on_abandoned(void *owner)
{
    struct answer_wait *wait = owner;
    struct answer_room *room = wait->room;
    bool waits = fair_queue_remove(&room->waiting, &wait->turn);
    assert(waits);
    large_answers_stop_waiting(wait);
    large_answers_forget_idle(room);
    wait->go_on(wait);
}

static void large_answers_put(struct answer_room *room, struct answer_wait *wait)
{
    struct request *request = wait->request;
    wait->room = room;
    wait->turn = (struct fair_item){.caller = map_hash(request->caller.data, request->caller.size)};
    fair_queue_put(&room->waiting, &wait->turn);
    room->count++;
    request->abandoned = large_answers_on_abandoned;
    request->owner = wait;
}

static struct answer_wait *large_answers_take(struct answer_room *room)
{
    struct fair_item *item = fair_queue_take(&room->waiting, true);
    assert(item);
    fair_queue_over(&room->waiting, item);
    struct answer_wait *wait = CONTAINER_OF(item, struct answer_wait, turn);
    large_answers_stop_waiting(wait);
    return wait;
}

/* The first that there is room for, and others in later pieces. */
static void large_answers_step(void *owner)
{
    struct large_answers *answers = owner;
    bool has_more = false;
    LIST_EACH(struct answer_room, room, &answers->rooms, link) {
        if (room->count && large_answers_is_free(room)) {
            list_remove(&answers->rooms, &room->link);
            list_append(&answers->rooms, &room->link);
            large_answers_give(room, large_answers_take(room));
            loop_defer_piece(node_loop(answers->node), &answers->step);
            return;
        }
        has_more = has_more || (room->count && !room->is_taken);
    }
    if (has_more)
        loop_timer_set(&answers->look, LOOK_NS);
}

bool large_answers_enter(struct answer_wait *wait)
{
    struct request *request = wait->request;
    struct large_answers *answers = request->node->large_answers;
    if (request->room || answers->closing || !request_is_wanted(request)) {
        wait->go_on(wait);
        return true;
    }
    struct answer_room *room = large_answers_room(answers, request->peer);
    if (room->count == LARGE_ANSWERS_MOST) {
        request_answer_busy(request, "answers");
        return false;
    }
    if (!room->count && large_answers_is_free(room)) {
        large_answers_give(room, wait);
    } else {
        large_answers_put(room, wait);
        loop_defer_piece(node_loop(answers->node), &answers->step);
    }
    return true;
}

/* --- Answers that are there --- */

struct large_answer {
    struct answer_wait wait;
    struct request_work work;
    struct blob *blob;
    struct term tail; /* in that */
};

static void large_answers_copy(struct request_work *work)
{
    const struct large_answer *answer = CONTAINER_OF(work, struct large_answer, work);
    buffer_append(&work->request->answer.bytes, answer->tail.data, answer->tail.size);
}

static void large_answers_on_copied(struct request_work *work)
{
    struct large_answer *answer = CONTAINER_OF(work, struct large_answer, work);
    struct request *request = work->request;
    blob_release(answer->blob);
    if (work->is_dropped)
        request_drop(request);
    else
        request_return(request);
    free(answer);
}

static void large_answers_go_on(struct answer_wait *wait)
{
    request_work_start(&CONTAINER_OF(wait, struct large_answer, wait)->work);
}

void request_return_with(struct request *request, struct term tail, struct blob *blob)
{
    if (!blob || request->node->large_answers->closing || tail.size <= LARGE_ANSWER_BYTES) {
        term_build_term(&request->answer, tail);
        request_return(request);
        return;
    }
    struct large_answer *answer = memory_zalloc(1, sizeof(*answer));
    *answer = (struct large_answer){.wait = {.request = request, .go_on = large_answers_go_on},
                                    .work = {.request = request,
                                             .bytes = tail.size / COPIED_A_READ,
                                             .work = large_answers_copy,
                                             .done = large_answers_on_copied},
                                    .blob = blob_hold(blob),
                                    .tail = tail};
    if (large_answers_enter(&answer->wait))
        return;
    blob_release(blob);
    free(answer);
}

/* --- All of them --- */

struct large_answers *large_answers_new(struct node *node)
{
    struct large_answers *answers = memory_zalloc(1, sizeof(*answers));
    answers->node = node;
    answers->step = (struct loop_task){.run = large_answers_step, .owner = answers};
    loop_timer_init(&answers->look, node_loop(node), large_answers_step, answers);
    return answers;
}

bool large_answers_wait(const struct node *node)
{
    return node->large_answers->rooms.count;
}

/* The room stays: somebody has it, or it is idle after the last one. */
static void large_answers_give_up(struct answer_room *room)
{
    for (size_t left = room->count; left; left--) {
        struct answer_wait *wait = large_answers_take(room);
        wait->request->is_abandoned = true;
        wait->go_on(wait);
    }
    large_answers_forget_idle(room);
}

void large_answers_forget(struct large_answers *answers, const char *node)
{
    LIST_EACH(struct answer_room, room, &answers->rooms, link)
        if (strcmp(room->node, node) == 0)
            large_answers_give_up(room);
}

void large_answers_close(struct node *node)
{
    struct large_answers *answers = node->large_answers;
    answers->closing = true;
    worker_finish_aside(node_loop(node));
    LIST_EACH(struct answer_room, room, &answers->rooms, link)
        large_answers_give_up(room);
    worker_finish_aside(node_loop(node));
    loop_cancel(node_loop(node), &answers->step);
    loop_timer_stop(&answers->look);
}

void large_answers_free(struct large_answers *answers)
{
    LIST_EACH(struct answer_room, room, &answers->rooms, link) {
        list_remove(&answers->rooms, &room->link);
        free(room);
    }
    loop_timer_free(&answers->look);
    free(answers);
}
