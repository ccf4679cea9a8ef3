#include "node/large_answers.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "node_private.h"

/* What is copied in one pass; smaller answers are sent at once. */
#define PIECE_BYTES (4 << 20)

/* How often it is looked whether a node has taken what it was sent. */
#define LOOK_NS (10 * CLOCK_NS_PER_MS)

struct large_answer {
    struct large_answers *answers;
    struct large_answer *next;
    struct request *request;
    struct blob *blob;
    struct term left; /* to be copied */
};

struct large_answers {
    struct node *node;
    struct large_answer *first; /* in the order in which they came */
    struct large_answer *current;
    struct loop_task step;
    struct loop_timer look;
    bool closing;
};

/* Takes it out; its request is the caller's. */
static struct request *large_answers_take(struct large_answer *answer)
{
    struct large_answers *answers = answer->answers;
    struct request *request = answer->request;
    struct large_answer **link = &answers->first;
    while (*link != answer)
        link = &(*link)->next;
    *link = answer->next;
    if (answers->current == answer)
        answers->current = NULL;
    request->abandoned = NULL;
    blob_release(answer->blob);
    free(answer);
    return request;
}

/* Nobody takes it any more; what frees the request is an answer. */
static void large_answers_drop(struct large_answer *answer)
{
    struct request *request = large_answers_take(answer);
    term_build_nil(request_answer(request));
    request_return(request);
}

static void large_answers_on_abandoned(void *owner)
{
    large_answers_drop(owner);
}

/* The first whose node can take it; one whose node is gone gets rid of it. */
static struct large_answer *large_answers_choose(const struct large_answers *answers)
{
    struct large_answer *answer = answers->first;
    while (answer) {
        struct peer *peer = node_peer_of(answers->node, answer->request->caller);
        if (!peer || !peer_is_congested(peer))
            return answer;
        answer = answer->next;
    }
    return NULL;
}

static void large_answers_copy_piece(struct large_answer *answer)
{
    struct term *left = &answer->left;
    size_t size = left->size < PIECE_BYTES ? left->size : PIECE_BYTES;
    buffer_append(&answer->request->answer.bytes, left->data, size);
    *left = (struct term){left->data + size, left->size - size};
    if (!left->size)
        request_return(large_answers_take(answer));
}

/* Room for all of it is made once. */
static void large_answers_begin(struct large_answers *answers)
{
    struct large_answer *answer = large_answers_choose(answers);
    answers->current = answer;
    if (!answer)
        return;
    const uint8_t *room = buffer_reserve(&answer->request->answer.bytes, answer->left.size);
    assert(room);
}

static void large_answers_step(void *owner)
{
    struct large_answers *answers = owner;
    if (!answers->current)
        large_answers_begin(answers);
    if (answers->current)
        large_answers_copy_piece(answers->current);
    if (answers->current || large_answers_choose(answers))
        loop_defer_next(node_loop(answers->node), &answers->step);
    else if (answers->first)
        loop_timer_set(&answers->look, LOOK_NS);
}

void request_return_with(struct request *request, struct term tail, struct blob *blob)
{
    struct large_answers *answers = request->node->large_answers;
    if (!blob || answers->closing || tail.size <= PIECE_BYTES) {
        term_build_term(&request->answer, tail);
        request_return(request);
        return;
    }
    struct large_answer *answer = memory_zalloc(1, sizeof(*answer));
    *answer =
        (struct large_answer){.answers = answers, .request = request, .blob = blob_hold(blob), .left = tail};
    struct large_answer **link = &answers->first;
    while (*link)
        link = &(*link)->next;
    *link = answer;
    request->abandoned = large_answers_on_abandoned;
    request->owner = answer;
    loop_defer(node_loop(answers->node), &answers->step);
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
    return node->large_answers->first != NULL;
}

void large_answers_close(struct node *node)
{
    struct large_answers *answers = node->large_answers;
    answers->closing = true;
    while (answers->first)
        large_answers_drop(answers->first);
    loop_cancel(node_loop(node), &answers->step);
    loop_timer_stop(&answers->look);
}

void large_answers_free(struct large_answers *answers)
{
    loop_timer_free(&answers->look);
    free(answers);
}
