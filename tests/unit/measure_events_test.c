#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "term_from_text.h"

#include "base/bytes.h"
#include "base/worker.h"
#include "measure/events_copy.h"
#include "measure/events_order.h"

static struct term number(uint32_t value)
{
    static uint8_t data[5];
    data[0] = 98;
    bytes_put32(data + 1, value);
    return (struct term){data, sizeof(data)};
}

/* An event that says what it is: step `step` of `thread`, its result is that number. */
static void record(struct events *events, uint32_t thread, uint32_t step, enum result_kind kind)
{
    struct event event = {.thread = thread, .step = step, .end_us = step, .kind = kind};
    bool has_term = kind == RESULT_OK || kind == RESULT_EXIT;
    events_record(events, event, TERM_LONG(has_term ? number(step) : (struct term){0}));
}

/* In pieces of a few events, each of them one. */
static void put_in_order(struct events_order *order, const struct events *events, size_t thread_count)
{
    events_order_begin(order, events, thread_count);
    while (events_order_go_on(order, 7)) {
    }
}

static void expect_steps(const struct events *events, const uint32_t *steps, size_t count)
{
    struct events_order order;
    assert_int_equal(events->count, count);
    put_in_order(&order, events, 1);
    assert_int_equal(order.starts[0], 0);
    assert_int_equal(order.starts[1], count);
    for (size_t i = 0; i < count; i++) {
        const struct event *event = events_at(events, order.order[i]);
        assert_int_equal(event->step, steps[i]);
        if (event->kind == RESULT_OK)
            assert_true(term_same(terms_get(&events->terms, event->term).tail, number(steps[i])));
        else
            assert_int_equal(event->term, TERMS_NONE);
    }
    events_order_free(&order);
}

#define STEPS(...) (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)

static void test_policies(void **state)
{
    (void)state;
    struct events events;
    const struct {
        enum events_policy policy;
        size_t number;
        size_t limit;
        uint64_t dropped;
        const uint32_t *steps;
        size_t count;
    } rows[] = {
        {EVENTS_ALL, 0, 100, 0, STEPS(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)},
        {EVENTS_ALL, 0, 10, 0, STEPS(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)},
        {EVENTS_ALL, 0, 9, 1, STEPS(1, 2, 3, 4, 5, 6, 7, 8, 9)},
        {EVENTS_ALL, 0, 3, 7, STEPS(7, 8, 9)},
        {EVENTS_ALL, 0, 1, 9, STEPS(9)},
        {EVENTS_ERRORS, 0, 100, 0, STEPS(1, 3, 5, 7, 9)},
        {EVENTS_ERRORS, 0, 2, 3, STEPS(7, 9)},
        {EVENTS_LAST, 4, 100, 0, STEPS(6, 7, 8, 9)},
        {EVENTS_LAST, 1, 100, 0, STEPS(9)},
        {EVENTS_LAST, 100, 100, 0, STEPS(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)},
        {EVENTS_NONE, 0, 100, 0, NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        events_init(&events, rows[i].policy, rows[i].number, rows[i].limit, SIZE_MAX, NULL);
        for (uint32_t step = 0; step < 10; step++)
            record(&events, 0, step, step % 2 ? RESULT_TIMEOUT : RESULT_OK);
        expect_steps(&events, rows[i].steps, rows[i].count);
        assert_int_equal(events.dropped, rows[i].dropped);
        events_free(&events);
    }
}

/* A policy's number beyond the configured limit: it would have kept what the limit did not. */
static void test_limit_below_number(void **state)
{
    (void)state;
    struct events events;
    events_init(&events, EVENTS_LAST, 6, 4, SIZE_MAX, NULL);
    for (uint32_t step = 0; step < 10; step++)
        record(&events, 0, step, RESULT_OK);
    expect_steps(&events, STEPS(6, 7, 8, 9));
    assert_int_equal(events.dropped, 2);
    events_free(&events);
}

static void test_nothing_recorded(void **state)
{
    (void)state;
    struct events events;
    struct events_order order;
    events_init(&events, EVENTS_ALL, 0, 10, SIZE_MAX, NULL);
    put_in_order(&order, &events, 3);
    for (size_t i = 0; i <= 3; i++)
        assert_int_equal(order.starts[i], 0);
    events_order_free(&order);
    events_free(&events);
}

/* Terms of events that have gone are forgotten. */
static void test_terms_go_with_events(void **state)
{
    (void)state;
    struct events events;
    events_init(&events, EVENTS_LAST, 3, 1000, SIZE_MAX, NULL);
    for (uint32_t step = 0; step < 10000; step++) {
        record(&events, 0, step, RESULT_OK);
        assert_true(events.terms.bytes <= 15);
    }
    expect_steps(&events, STEPS(9997, 9998, 9999));
    events_free(&events);
    /* An event that takes the place of one with the same term. */
    events_init(&events, EVENTS_LAST, 1, 1000, SIZE_MAX, NULL);
    for (int i = 0; i < 10; i++)
        record(&events, 0, 7, RESULT_OK);
    expect_steps(&events, STEPS(7));
    assert_int_equal(events.terms.bytes, 5);
    events_free(&events);
}

/* The terms of all events together have a limit; what goes is the oldest, whatever the policy. */
static void test_limit_of_bytes(void **state)
{
    (void)state;
    struct events events;
    events_init(&events, EVENTS_ALL, 0, 100, 3 * 5, NULL);
    for (uint32_t step = 0; step < 10; step++)
        record(&events, 0, step, step % 2 ? RESULT_TIMEOUT : RESULT_OK);
    expect_steps(&events, STEPS(3, 4, 5, 6, 7, 8, 9));
    assert_int_equal(events.dropped, 3);
    assert_int_equal(events.terms.bytes, 15);
    events_free(&events);
    /* A term that is too large by itself leaves nothing of itself behind. */
    events_init(&events, EVENTS_ALL, 0, 100, 4, NULL);
    for (uint32_t step = 0; step < 1000; step++)
        record(&events, 0, step, RESULT_OK);
    assert_int_equal(events.count, 0);
    assert_int_equal(events.terms.bytes, 0);
    assert_int_equal(events.dropped, 1000);
    record(&events, 0, 1000, RESULT_TIMEOUT);
    expect_steps(&events, STEPS(1000));
    events_free(&events);
}

/* Growing, wrapping and both limits at once. */
static void test_limits_together(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 11);
    for (size_t limit = 1; limit < 700; limit += 77) {
        struct events events;
        uint32_t steps[2000], count = 0, first = 0;
        size_t bytes = 0;
        events_init(&events, EVENTS_ALL, 0, limit, 1500, NULL);
        for (uint32_t step = 0; step < 2000; step++) {
            bool good = random_below(&random, 2);
            record(&events, 0, step, good ? RESULT_OK : RESULT_NOPROC);
            steps[count++] = step << 1 | good;
            bytes += good ? 5 : 0;
            for (; count - first > limit || bytes > 1500; first++)
                bytes -= steps[first] & 1 ? 5 : 0;
            assert_int_equal(events.count, count - first);
            assert_int_equal(events.terms.bytes, bytes);
            assert_int_equal(events_at(&events, 0)->step, steps[first] >> 1);
            assert_int_equal(events_at(&events, events.count - 1)->step, step);
        }
        assert_int_equal(events.dropped, first);
        events_free(&events);
    }
}

static void test_fields(void **state)
{
    (void)state;
    struct events events;
    struct event event = {.thread = UINT32_MAX,
                          .step = UINT32_MAX - 1,
                          .operation = 3,
                          .target = 4,
                          .end_us = 1ULL << 40,
                          .duration_us = UINT32_MAX,
                          .kind = RESULT_MISSING_SYNC};
    events_init(&events, EVENTS_ALL, 0, 10, SIZE_MAX, NULL);
    events_record(&events, event, TERM_LONG((struct term){0}));
    const struct event *kept = events_at(&events, 0);
    assert_int_equal(kept->thread, UINT32_MAX);
    assert_int_equal(kept->step, UINT32_MAX - 1);
    assert_int_equal(kept->operation, 3);
    assert_int_equal(kept->target, 4);
    assert_true(kept->end_us == 1ULL << 40);
    assert_int_equal(kept->duration_us, UINT32_MAX);
    assert_int_equal(kept->kind, RESULT_MISSING_SYNC);
    assert_int_equal(sizeof(struct event), 40);
    events_free(&events);
}

/* Threads that take turns at random; some have no events. */
static void by_thread(enum events_policy policy, size_t limit)
{
    enum { THREADS = 50 };
    struct events events;
    struct random random;
    uint32_t steps[THREADS] = {0};
    struct events_order order;
    size_t total = 0;
    random_seed(&random, limit);
    events_init(&events, policy, limit, 100000, SIZE_MAX, &random);
    for (int i = 0; i < 5000; i++) {
        uint32_t thread = (uint32_t)random_below(&random, THREADS / 2) * 2;
        record(&events, thread, steps[thread]++, RESULT_OK);
    }
    put_in_order(&order, &events, THREADS);
    assert_int_equal(order.starts[0], 0);
    for (uint32_t thread = 0; thread < THREADS; thread++) {
        for (size_t i = order.starts[thread]; i < order.starts[thread + 1]; i++) {
            const struct event *event = events_at(&events, order.order[i]);
            assert_int_equal(event->thread, thread);
            assert_true(i == order.starts[thread] ||
                        events_at(&events, order.order[i - 1])->step < event->step);
            total++;
        }
    }
    assert_int_equal(total, events.count);
    assert_int_equal(total, limit < 5000 ? limit : 5000);
    events_order_free(&order);
    events_free(&events);
}

static void test_by_thread(void **state)
{
    (void)state;
    by_thread(EVENTS_LAST, 10000);
    by_thread(EVENTS_LAST, 777);
    by_thread(EVENTS_LAST, 1);
    by_thread(EVENTS_SAMPLE, 10000);
    by_thread(EVENTS_SAMPLE, 777);
    by_thread(EVENTS_SAMPLE, 1);
}

/* What a piece takes is bounded, whatever there is: so many touches of events, or of threads. */
static void test_order_in_pieces(void **state)
{
    (void)state;
    enum { THREADS = 100000, EVENTS = 3000, PIECE = 100 };
    struct events events;
    struct random random;
    struct events_order order;
    size_t pieces = 1;
    random_seed(&random, 1);
    events_init(&events, EVENTS_SAMPLE, EVENTS, EVENTS, SIZE_MAX, &random);
    for (uint32_t i = 0; i < 2 * EVENTS; i++)
        record(&events, i % 3, i / 3, RESULT_OK);
    events_order_begin(&order, &events, THREADS);
    for (size_t before = 0; events_order_go_on(&order, PIECE); pieces++) {
        size_t moved = order.at > before ? order.at - before : 0;
        assert_true(moved <= 16 * PIECE);
        before = order.at;
    }
    assert_true(pieces > EVENTS / PIECE * 2 + THREADS / (16 * PIECE));
    events_order_free(&order);
    events_free(&events);
}

/* Early and late events are kept equally often. */
static void test_sample_is_fair(void **state)
{
    (void)state;
    struct random random;
    int halves[2] = {0, 0};
    random_seed(&random, 5);
    for (int round = 0; round < 200; round++) {
        struct events events;
        events_init(&events, EVENTS_SAMPLE, 10, 1000, SIZE_MAX, &random);
        for (uint32_t step = 0; step < 1000; step++)
            record(&events, 0, step, RESULT_OK);
        assert_int_equal(events.count, 10);
        assert_int_equal(events.dropped, 0);
        for (size_t i = 0; i < 10; i++)
            halves[events_at(&events, i)->step >= 500]++;
        events_free(&events);
    }
    assert_true(abs(halves[0] - halves[1]) < 200); /* of 2000; beyond four standard deviations */
}

static void expect_copied(const struct events_copy *copy, const struct event *expected, size_t count)
{
    assert_int_equal(copy->events.count, count);
    for (size_t i = 0; i < count; i++) {
        const struct event *event = events_at(&copy->events, i);
        assert_int_equal(event->step, expected[i].step);
        assert_int_equal(event->kind, expected[i].kind);
        if (event->kind == RESULT_TIMEOUT)
            assert_int_equal(event->term, TERMS_NONE);
        else
            assert_true(
                term_same(terms_get(&copy->of->terms, event->term).tail, number((uint32_t)event->step)));
    }
}

/* A copy is of what there was when it was begun, however much of that goes or is replaced before it was
 * copied, and its terms are there until it lets go of them. Another one that is begun meanwhile is of what
 * there is then. */
static void test_copy(void **state)
{
    (void)state;
    static const enum events_policy policies[] = {EVENTS_ALL, EVENTS_LAST, EVENTS_SAMPLE};
    enum { KEPT = 100, MEANWHILE = 60 };
    struct random random;
    struct loop loop;
    loop_init(&loop);
    random_seed(&random, 3);
    for (size_t i = 0; i < 8 * ARRAY_LENGTH(policies); i++) {
        struct events events;
        struct events_copy copies[2];
        struct event expected[2][KEPT];
        uint32_t step = 0;
        events_init(&events, policies[i / 8], KEPT, KEPT, i % 2 ? SIZE_MAX : KEPT * 4, &random);
        for (; step < 250; step++)
            record(&events, 0, step, step % 7 == 3 ? RESULT_TIMEOUT : RESULT_OK);
        size_t counts[2], more = i % 8 * 5;
        for (size_t begun = 0; begun < 2; begun++) {
            counts[begun] = events.count;
            for (size_t at = 0; at < events.count; at++)
                expected[begun][at] = *events_at(&events, at);
            events_copy_begin(&copies[begun], &events);
            for (uint32_t end = step + MEANWHILE; step < end; step++) {
                record(&events, 0, step, step % 7 == 3 ? RESULT_TIMEOUT : RESULT_OK);
                if (step % 10 == 0 && events_copy_go_on(&copies[0], more / 5))
                    more = 0;
            }
        }
        for (size_t begun = 0; begun < 2; begun++) {
            while (!events_copy_go_on(&copies[begun], 7))
                continue;
            expect_copied(&copies[begun], expected[begun], counts[begun]);
        }
        for (; step < 1000; step++)
            record(&events, 0, step, RESULT_OK);
        for (size_t begun = 0; begun < 2; begun++)
            expect_copied(&copies[begun], expected[begun], counts[begun]);
        assert_true(events.terms.by_bytes.count > events.count);
        assert_false(events_copy_release(&copies[0], 10));
        while (!events_copy_release(&copies[0], 10))
            continue;
        for (size_t begun = 0; begun < 2; begun++)
            events_copy_free(&copies[begun], &loop);
        size_t with_terms = 0;
        for (size_t at = 0; at < events.count; at++)
            with_terms += events_at(&events, at)->term != TERMS_NONE;
        assert_int_equal(events.terms.by_bytes.count, with_terms);
        events_free(&events);
    }
    loop_free(&loop);
}

/* One that is given up before it was made lets go of what it has. */
static void test_copy_given_up(void **state)
{
    (void)state;
    struct random random;
    struct loop loop;
    struct events events;
    struct events_copy copy;
    loop_init(&loop);
    random_seed(&random, 3);
    for (size_t copied = 0; copied <= 4; copied++) {
        events_init(&events, copied % 2 ? EVENTS_SAMPLE : EVENTS_LAST, 4, 100, SIZE_MAX, &random);
        events_copy_begin(&copy, &events);
        assert_true(events_copy_go_on(&copy, 1)); /* of nothing */
        events_copy_free(&copy, &loop);
        for (uint32_t step = 0; step < 6; step++)
            record(&events, 0, step, RESULT_OK);
        events_copy_begin(&copy, &events);
        assert_int_equal(events_copy_go_on(&copy, copied), copied == 4);
        for (uint32_t step = 6; step < 8; step++)
            record(&events, 0, step, RESULT_OK);
        events_copy_free(&copy, &loop);
        assert_int_equal(events.copies.count, 0);
        assert_int_equal(events.terms.by_bytes.count, 4);
        record(&events, 0, 8, RESULT_OK);
        events_free(&events);
    }
    loop_free(&loop);
}

/* However many there are, and whatever holds their terms: what is held is let go of at once. */
static void test_dispose(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 10, 100000};
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        struct loop loop;
        struct events events;
        struct term_builder builder = {0};
        loop_init(&loop);
        (void)term_from_text(&builder, "$x");
        struct blob *blob = blob_take(&builder.bytes, NULL);
        const struct term_long large = {.tail = {blob->data, blob->size}, .held = blob};
        events_init(&events, EVENTS_ALL, 0, counts[i], SIZE_MAX, NULL);
        for (uint32_t step = 0; step + 1 < counts[i]; step++)
            record(&events, 0, step, RESULT_OK);
        if (counts[i])
            events_record(&events, (struct event){.kind = RESULT_OK}, &large);
        assert_int_equal(blob->holders, counts[i] ? 2 : 1);
        events_dispose(&events, &loop);
        assert_int_equal(blob->holders, 1);
        assert_int_equal(loop.aside != NULL, counts[i] > 10);
        blob_release(blob);
        worker_free_aside(&loop);
        loop_free(&loop);
        term_build_free(&builder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policies),         cmocka_unit_test(test_limit_below_number),
        cmocka_unit_test(test_nothing_recorded), cmocka_unit_test(test_terms_go_with_events),
        cmocka_unit_test(test_limit_of_bytes),   cmocka_unit_test(test_limits_together),
        cmocka_unit_test(test_fields),           cmocka_unit_test(test_by_thread),
        cmocka_unit_test(test_sample_is_fair),   cmocka_unit_test(test_copy),
        cmocka_unit_test(test_copy_given_up),    cmocka_unit_test(test_order_in_pieces),
        cmocka_unit_test(test_dispose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
