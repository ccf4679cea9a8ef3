/* Causes as they are told, the stacks that they name, and those of the timeline's intervals. */
#include "measure/cause.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "measure/timeline.h"
#include "term/term_read.h"
#include "term/term_text.h"
#include "term_from_text.h"

#define START_NS (77 * CLOCK_NS_PER_S)

static uint64_t at(uint64_t ms)
{
    return START_NS + ms * CLOCK_NS_PER_MS;
}

static uint32_t number_of(struct stacks *stacks, const char *text)
{
    struct term_builder builder = {0};
    uint32_t number = stacks_number(stacks, term_from_text(&builder, text));
    term_build_free(&builder);
    return number;
}

/* A term as it is printed. */
static void assert_text(const struct term_builder *builder, const char *text)
{
    char printed[4000];
    assert_string_equal(term_text(term_built(builder), printed, sizeof(printed)), text);
}

static void test_stacks(void **state)
{
    (void)state;
    struct stacks stacks = {0};
    assert_int_equal(number_of(&stacks, "[{m, f, 1}]"), 1);
    assert_int_equal(number_of(&stacks, "[{m, f, 2}]"), 2);
    assert_int_equal(number_of(&stacks, "[{m, f, 1}]"), 1);
    assert_null(stacks_at(&stacks, STACKS_NONE).data);
    assert_null(stacks_at(&stacks, 3).data);
    for (int i = 0; i < 2 * STACKS_MOST; i++) {
        char text[40];
        snprintf(text, sizeof(text), "{line, %d}", i);
        assert_int_equal(number_of(&stacks, text), i + 3 <= STACKS_MOST ? i + 3 : STACKS_NONE);
    }
    assert_int_equal(number_of(&stacks, "[{m, f, 2}]"), 2); /* what is known stays known */
    stacks_free(&stacks);
    stacks_free(&stacks);
}

static void test_one_that_is_too_long(void **state)
{
    (void)state;
    struct stacks stacks = {0};
    struct term_builder builder = {0};
    char *bytes = calloc(1, STACKS_ONE_BYTES);
    term_build_binary(&builder, bytes, STACKS_ONE_BYTES);
    free(bytes);
    assert_int_equal(stacks_number(&stacks, term_built(&builder)), STACKS_NONE);
    assert_int_equal(stacks.count, 0);
    term_build_free(&builder);
    stacks_free(&stacks);
}

static void test_details(void **state)
{
    (void)state;
    struct stacks stacks = {0};
    uint32_t stack = number_of(&stacks, "[{bank, audit, 1}]");
    const struct {
        struct cause_share share;
        const char *text;
    } rows[] = {
        {{CAUSE_HANDLER, 12, {.kind = CAUSE_STACK, .stack = stack}},
         "#{cause => handler,us => 12,detail => [{bank,audit,1}]}"},
        {{CAUSE_HANDLER, 12, {.kind = CAUSE_STACK}}, "#{cause => handler,us => 12,detail => nil}"},
        {{CAUSE_GARBAGE_COLLECTION, 1, {.kind = CAUSE_HEAP, .words = {300, 400}}},
         "#{cause => garbage_collection,us => 1,detail => #{heap_size => 300,total_heap_size => 400}}"},
        {{CAUSE_SCHEDULED_OUT, 1, {.kind = CAUSE_QUEUES_OF, .queues = {3, {700, 800, 0}}}},
         "#{cause => scheduled_out,us => 1,detail => #{run_queue_lengths => [700,800,0]}}"},
        {{CAUSE_SCHEDULED_OUT, 1, {.kind = CAUSE_QUEUES_OF}},
         "#{cause => scheduled_out,us => 1,detail => #{run_queue_lengths => []}}"},
        {{CAUSE_QUEUE, 1, {.kind = CAUSE_LENGTH, .number = 5000}},
         "#{cause => queue,us => 1,detail => #{message_queue_len => 5000}}"},
        {{CAUSE_SUSPENDED, 1, {.kind = CAUSE_FAULT, .number = 3}},
         "#{cause => suspended,us => 1,detail => #{fault => 3}}"},
        {{CAUSE_NETWORK, 1, {.kind = CAUSE_WIRE, .wire = {2, 1}}},
         "#{cause => network,us => 1,detail => #{unacked => 2,retransmits => 1}}"},
        {{CAUSE_UNKNOWN, 1, {.kind = CAUSE_NO_DETAIL}}, "#{cause => unknown,us => 1,detail => nil}"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct term_builder builder = {0};
        cause_build(&rows[i].share, &stacks, &builder);
        assert_text(&builder, rows[i].text);
        term_build_free(&builder);
    }
    for (enum cause i = 0; i < CAUSE_COUNT; i++)
        assert_string_equal(cause_name(i), help_row(causes_table(), i)->name);
    stacks_free(&stacks);
}

/* --- The timeline --- */

static struct term causes_of(const struct term_builder *builder, size_t index)
{
    struct term_list list;
    struct term interval, causes;
    assert_true(term_list_start(&list, term_built(builder)));
    for (size_t i = 0; i <= index; i++)
        assert_true(term_list_next(&list, &interval));
    assert_true(term_pairs_get(interval, "causes", &causes));
    return causes;
}

static void assert_causes(struct timeline *timeline, uint64_t now_ms, size_t index, const char *text)
{
    struct term_builder builder = {0};
    struct errors errors = {0};
    char printed[4000];
    timeline_build(timeline, &errors, at(now_ms), &builder);
    assert_string_equal(term_text(causes_of(&builder, index), printed, sizeof(printed)), text);
    term_build_free(&builder);
    errors_free(&errors);
}

static void test_timeline(void **state)
{
    (void)state;
    struct timeline timeline;
    struct stacks stacks = {0};
    struct cause_share suspended = {.cause = CAUSE_SUSPENDED, .us = 700};
    struct cause_share queue = {CAUSE_QUEUE, 500, {.kind = CAUSE_LENGTH, .number = 60}};
    struct cause_share longer = {CAUSE_QUEUE, 600, {.kind = CAUSE_LENGTH, .number = 70}};
    timeline_init(&timeline, START_NS);
    assert_causes(&timeline, 50, 0, "nil"); /* nobody looks */
    timeline_look_for_causes(&timeline, &stacks);
    assert_causes(&timeline, 50, 0, "[]");
    timeline_record(&timeline, at(250), 10, TIMELINE_NO_ERROR, 1);
    timeline_explain(&timeline, at(150), &queue); /* what was found out later */
    timeline_explain(&timeline, at(160), &suspended);
    assert_causes(&timeline, 250, 0, "[]");
    assert_causes(&timeline, 250, 1,
                  "[#{cause => suspended,us => 700,detail => nil},"
                  "#{cause => queue,us => 500,detail => #{message_queue_len => 60}}]");
    timeline_explain(&timeline, at(50), &longer);
    timeline_explain(&timeline, START_NS - 5, &queue); /* before it all */
    timeline_explain(&timeline, at(100 * TIMELINE_INTERVALS + 50),
                     &suspended); /* intervals of 200 ms from here */
    assert_causes(&timeline, 100 * TIMELINE_INTERVALS + 50, 0,
                  "[#{cause => queue,us => 1600,detail => #{message_queue_len => 70}},"
                  "#{cause => suspended,us => 700,detail => nil}]");
    assert_causes(&timeline, 100 * TIMELINE_INTERVALS + 50, 1, "[]");
    assert_causes(&timeline, 100 * TIMELINE_INTERVALS + 50, TIMELINE_INTERVALS / 2,
                  "[#{cause => suspended,us => 700,detail => nil}]");
    timeline_free(&timeline);
    stacks_free(&stacks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stacks),
        cmocka_unit_test(test_one_that_is_too_long),
        cmocka_unit_test(test_details),
        cmocka_unit_test(test_timeline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
