#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "calls_private.h"

static uint32_t open_sent(struct calls *calls, uint32_t target)
{
    struct call *call = calls_open(calls, 0, target, 0, 0);
    calls_sent(calls, call, 0, NULL);
    return calls_tag(calls, call);
}

static void test_one_call(void **state)
{
    (void)state;
    struct calls calls;
    calls_init(&calls, 1);
    assert_int_equal(calls_count(&calls), 0);
    assert_null(calls_oldest(&calls));
    assert_null(calls_first(&calls, 0, CALL_WAITING));
    struct call *call = calls_open(&calls, 7, 0, 12000, 12345);
    assert_int_equal(call->thread, 7);
    assert_int_equal(call->target, 0);
    assert_true(call->intended_ns == 12000);
    assert_true(call->opened_ns == 12345);
    assert_true(call->sent_ns == 12345);
    assert_int_equal(call->state, CALL_WAITING);
    assert_ptr_equal(calls_oldest(&calls), call);
    assert_ptr_equal(calls_first(&calls, 0, CALL_WAITING), call);
    assert_null(calls_first(&calls, 0, CALL_SENT));
    uint32_t tag = calls_tag(&calls, call);
    assert_null(calls_find(&calls, tag)); /* nobody can answer what was not sent */
    calls_sent(&calls, call, 12400, NULL);
    assert_true(call->sent_ns == 12400);
    assert_int_equal(calls_tag(&calls, call), tag);
    assert_ptr_equal(calls_find(&calls, tag), call);
    assert_null(calls_first(&calls, 0, CALL_WAITING));
    assert_ptr_equal(calls_first(&calls, 0, CALL_SENT), call);
    assert_int_equal(calls_count(&calls), 1);
    calls_close(&calls, call);
    assert_null(calls_find(&calls, tag));
    assert_null(calls_oldest(&calls));
    assert_null(calls_first(&calls, 0, CALL_SENT));
    assert_int_equal(calls_count(&calls), 0);
    calls_free(&calls);
}

/* Tags that no call has; those from a peer are any integers. */
static void test_no_such_tag(void **state)
{
    (void)state;
    struct calls calls;
    calls_init(&calls, 1);
    assert_null(calls_find(&calls, 0));
    uint32_t tag = open_sent(&calls, 0);
    assert_non_null(calls_find(&calls, tag));
    static const int64_t tags[] = {-1, INT64_MIN, INT64_MAX, 1LL << 31, 1LL << 32, INT32_MIN, 1, 64, 1 << 20};
    for (size_t i = 0; i < ARRAY_LENGTH(tags); i++)
        assert_null(calls_find(&calls, tags[i]));
    assert_null(calls_find(&calls, tag + (1LL << 31)));
    assert_null(calls_find(&calls, tag + (1LL << 32)));
    assert_null(calls_find(&calls, tag + (1LL << CALLS_SLOT_BITS)));
    calls_free(&calls);
}

/* A tag is an integer that every node writes in five bytes. */
static void test_tags_are_small(void **state)
{
    (void)state;
    struct calls calls;
    calls_init(&calls, 1);
    for (int i = 0; i < 5000; i++) {
        uint32_t tag = open_sent(&calls, 0);
        assert_true(tag <= INT32_MAX);
        calls_close(&calls, calls_find(&calls, tag));
    }
    calls_free(&calls);
}

/* A slot whose call was answered is used again at once, and its old tag is nobody's. */
static void test_reuse(void **state)
{
    (void)state;
    struct calls calls;
    calls_init(&calls, 1);
    uint32_t old = open_sent(&calls, 0);
    calls_close(&calls, calls_find(&calls, old));
    for (int i = 1; i < 1 << CALLS_GENERATION_BITS; i++) {
        uint32_t tag = open_sent(&calls, 0);
        assert_int_equal(tag & ((1u << CALLS_SLOT_BITS) - 1), old & ((1u << CALLS_SLOT_BITS) - 1));
        assert_null(calls_find(&calls, old));
        calls_close(&calls, calls_find(&calls, tag));
    }
    assert_int_equal(calls.count, 1);
    calls_free(&calls);
}

static void test_late_reply(void **state)
{
    (void)state;
    struct calls calls;
    calls_init(&calls, 2);
    uint32_t late = open_sent(&calls, 0);
    calls_rest(&calls, calls_find(&calls, late));
    assert_int_equal(calls_count(&calls), 0);
    assert_null(calls_oldest(&calls));
    for (int i = 0; i < 100000; i++) {
        uint32_t tag = open_sent(&calls, (uint32_t)i % 2);
        assert_int_not_equal(tag, late);
        assert_null(calls_find(&calls, late));
        calls_close(&calls, calls_find(&calls, tag));
    }
    /* One that was never sent can time out as well. */
    struct call *waiting = calls_open(&calls, 0, 1, 0, 0);
    uint32_t tag = calls_tag(&calls, waiting);
    calls_rest(&calls, waiting);
    assert_null(calls_find(&calls, tag));
    assert_null(calls_first(&calls, 1, CALL_WAITING));
    calls_free(&calls);
}

/* When every call times out: each slot rests until many others have timed out after it, and the table stays
 * of one size. */
static void test_resting(void **state)
{
    (void)state;
    struct calls calls;
    uint32_t rounds = 4 * CALLS_RESTING;
    uint32_t *rested =
        memory_zalloc(2 * CALLS_RESTING, sizeof(*rested)); /* the number of the timeout, by slot */
    calls_init(&calls, 1);
    for (uint32_t i = 1; i <= rounds; i++) {
        uint32_t tag = open_sent(&calls, 0);
        uint32_t slot = tag & ((1u << CALLS_SLOT_BITS) - 1);
        assert_true(slot < 2 * CALLS_RESTING);
        assert_true(rested[slot] == 0 || i - rested[slot] >= CALLS_RESTING);
        assert_int_equal(tag >> CALLS_SLOT_BITS, rested[slot] ? (i - 1) / CALLS_RESTING : 0);
        rested[slot] = i;
        calls_rest(&calls, calls_find(&calls, tag));
        assert_null(calls_find(&calls, tag));
    }
    assert_int_equal(calls.count, CALLS_RESTING);
    free(rested);
    calls_free(&calls);
}

/* A tag whose call has timed out comes again only after CALLS_RESTING * 1024 timeouts: also when its slot has
 * rested, and then serves calls that are answered. */
static void test_tag_of_timeout_is_not_reused(void **state)
{
    (void)state;
    struct calls calls;
    static uint32_t late[2 * CALLS_RESTING]; /* the tag that timed out, by slot */
    calls_init(&calls, 1);
    for (uint32_t i = 0; i < CALLS_RESTING; i++) {
        uint32_t tag = open_sent(&calls, 0);
        late[tag & ((1u << CALLS_SLOT_BITS) - 1)] = tag;
        calls_rest(&calls, calls_find(&calls, tag));
    }
    for (int i = 0; i < 4 << CALLS_GENERATION_BITS; i++) {
        uint32_t tag = open_sent(&calls, 0);
        if (tag == late[tag & ((1u << CALLS_SLOT_BITS) - 1)])
            fail_msg("again after %d timeouts and %d answers", CALLS_RESTING, i);
        calls_close(&calls, calls_find(&calls, tag));
    }
    calls_free(&calls);
}

/* Lists keep the order in which calls came into them; deadlines that in which they were opened. */
static void test_orders(void **state)
{
    (void)state;
    struct calls calls;
    uint32_t tags[6];
    calls_init(&calls, 2);
    for (uint32_t i = 0; i < 6; i++)
        tags[i] = calls_tag(&calls, calls_open(&calls, i, i % 2, i, i));
    for (uint32_t i = 6; i-- > 0;) { /* sent in the other direction */
        struct call *first = calls_first(&calls, i % 2, CALL_WAITING);
        assert_int_equal(first->thread, i % 2);
        calls_sent(&calls, &calls.items[tags[i]], i, NULL);
    }
    assert_null(calls_first(&calls, 0, CALL_WAITING));
    assert_int_equal(calls_first(&calls, 0, CALL_SENT)->thread, 4);
    assert_int_equal(calls_first(&calls, 1, CALL_SENT)->thread, 5);
    for (uint32_t i = 0; i < 6; i++) {
        struct call *oldest = calls_oldest(&calls);
        assert_int_equal(oldest->thread, i);
        if (i % 2)
            calls_close(&calls, oldest);
        else
            calls_rest(&calls, oldest);
    }
    assert_null(calls_oldest(&calls));
    calls_free(&calls);
}

/* --- A model: all open calls in the order in which they were opened --- */

#define TARGETS 5
#define MOST_OPEN 300

struct open_call {
    uint32_t tag;
    uint32_t thread;
    uint32_t target;
    uint64_t sent; /* number of its sending, 0: it waits */
};

struct model {
    struct calls calls;
    struct open_call open[MOST_OPEN];
    size_t count;
    uint32_t dead[1000]; /* tags of calls that have ended; a ring */
    size_t dead_count;
    uint64_t sendings;
    uint32_t threads;
    struct random random;
};

static struct call *at(struct model *model, const struct open_call *open)
{
    return &model->calls.items[open->tag & ((1u << CALLS_SLOT_BITS) - 1)];
}

static void model_open(struct model *model)
{
    if (model->count == MOST_OPEN)
        return;
    uint32_t target = (uint32_t)random_below(&model->random, TARGETS);
    uint32_t thread = ++model->threads;
    struct call *call = calls_open(&model->calls, thread, target, thread, thread);
    uint32_t tag = calls_tag(&model->calls, call);
    for (size_t i = 0; i < model->count; i++)
        assert_int_not_equal(model->open[i].tag, tag);
    model->open[model->count++] = (struct open_call){tag, thread, target, 0};
}

static void model_send(struct model *model)
{
    struct open_call *open = &model->open[random_below(&model->random, model->count)];
    if (open->sent)
        return;
    open->sent = ++model->sendings;
    calls_sent(&model->calls, at(model, open), open->sent, NULL);
}

static void model_end(struct model *model, bool rests)
{
    size_t index = rests ? 0 : random_below(&model->random, model->count);
    struct call *call = at(model, &model->open[index]);
    model->dead[model->dead_count++ % ARRAY_LENGTH(model->dead)] = model->open[index].tag;
    if (rests)
        calls_rest(&model->calls, call);
    else
        calls_close(&model->calls, call);
    model->count--;
    memmove(&model->open[index], &model->open[index + 1], (model->count - index) * sizeof(model->open[0]));
}

/* The first of a target and state: in the order of opening for waiting ones, of sending for sent ones. */
static const struct open_call *model_first(const struct model *model, uint32_t target, bool sent)
{
    const struct open_call *first = NULL;
    for (size_t i = 0; i < model->count; i++) {
        const struct open_call *open = &model->open[i];
        if (open->target == target && (open->sent != 0) == sent && (!first || open->sent < first->sent))
            first = open;
    }
    return first;
}

static void model_compare(struct model *model)
{
    struct calls *calls = &model->calls;
    assert_int_equal(calls_count(calls), model->count);
    struct call *oldest = calls_oldest(calls);
    assert_ptr_equal(oldest, model->count ? at(model, &model->open[0]) : NULL);
    for (uint32_t target = 0; target < TARGETS; target++) {
        const struct open_call *waiting = model_first(model, target, false);
        const struct open_call *sent = model_first(model, target, true);
        assert_ptr_equal(calls_first(calls, target, CALL_WAITING), waiting ? at(model, waiting) : NULL);
        assert_ptr_equal(calls_first(calls, target, CALL_SENT), sent ? at(model, sent) : NULL);
    }
    for (size_t i = 0; i < model->count; i++) {
        struct call *call = calls_find(calls, model->open[i].tag);
        assert_ptr_equal(call, model->open[i].sent ? at(model, &model->open[i]) : NULL);
        assert_int_equal(at(model, &model->open[i])->thread, model->open[i].thread);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(model->dead) && i < model->dead_count; i += 17)
        assert_null(calls_find(calls, model->dead[i]));
}

static void test_model(void **state)
{
    (void)state;
    static struct model model;
    for (uint64_t seed = 0; seed < 5; seed++) {
        model = (struct model){0};
        random_seed(&model.random, seed);
        calls_init(&model.calls, TARGETS);
        for (int i = 0; i < 4000; i++) {
            uint64_t what = random_below(&model.random, 10);
            if (what < 4 || !model.count)
                model_open(&model);
            else if (what < 7)
                model_send(&model);
            else
                model_end(&model, what == 7 && seed % 2);
            model_compare(&model);
        }
        calls_free(&model.calls);
    }
}

/* More at once than the table first has room for. */
static void test_many(void **state)
{
    (void)state;
    struct calls calls;
    enum { COUNT = 200000 };
    calls_init(&calls, 3);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(open_sent(&calls, i % 3), i);
    assert_int_equal(calls_count(&calls), COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        assert_ptr_equal(calls_find(&calls, i), calls_oldest(&calls));
        calls_close(&calls, calls_oldest(&calls));
    }
    assert_int_equal(calls_count(&calls), 0);
    assert_int_equal(calls.free.count, COUNT);
    calls_free(&calls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_call),
        cmocka_unit_test(test_no_such_tag),
        cmocka_unit_test(test_tags_are_small),
        cmocka_unit_test(test_reuse),
        cmocka_unit_test(test_late_reply),
        cmocka_unit_test(test_resting),
        cmocka_unit_test(test_tag_of_timeout_is_not_reused),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
