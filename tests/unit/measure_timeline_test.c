#include "measure/timeline.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "term/term_check.h"
#include "term/term_read.h"

#define START_NS (77 * CLOCK_NS_PER_S)
#define NIL (-1)

static const uint8_t atom_a[] = {119, 1, 'a'};
static const uint8_t atom_b[] = {119, 1, 'b'};

/* An interval of the report; NIL where it has nil. */
struct row {
    int64_t at_ms, interval_ms, operations, dropped, p50_us, p99_us, max_us, in_flight, mailbox, memory_bytes,
        run_queue, loop_lag_us;
    int64_t a, b, other; /* errors */
    int64_t marks[TIMELINE_MARKS];
    size_t mark_count;
};

struct fixture {
    struct timeline timeline;
    struct errors errors;
    struct term_builder builder;
    struct row *rows;
    size_t row_count;
};

static void start(struct fixture *fixture)
{
    *fixture = (struct fixture){0};
    timeline_init(&fixture->timeline, START_NS);
    assert_int_equal(errors_count(&fixture->errors, TERM_LONG(((struct term){atom_a, sizeof(atom_a)}))), 0);
    assert_int_equal(errors_count(&fixture->errors, TERM_LONG(((struct term){atom_b, sizeof(atom_b)}))), 1);
}

static void end(struct fixture *fixture)
{
    timeline_free(&fixture->timeline);
    timeline_free(&fixture->timeline);
    errors_free(&fixture->errors);
    term_build_free(&fixture->builder);
    free(fixture->rows);
}

static int64_t number(struct term map, const char *key)
{
    struct term value;
    int64_t result = NIL;
    assert_true(term_pairs_get(map, key, &value));
    if (!term_is_atom(value, "nil"))
        assert_true(term_read_integer(value, &result) && result >= 0);
    return result;
}

static void read_errors(struct row *row, struct term map)
{
    struct term errors, key, value;
    struct term_pairs pairs;
    assert_true(term_pairs_get(map, "errors", &errors));
    assert_int_equal(term_type(errors), TERM_MAP);
    assert_true(term_pairs_start(&pairs, errors));
    while (term_pairs_next(&pairs, &key, &value)) {
        int64_t *count = term_is_atom(key, "a")       ? &row->a
                         : term_is_atom(key, "b")     ? &row->b
                         : term_is_atom(key, "other") ? &row->other
                                                      : NULL;
        assert_non_null(count);
        assert_true(term_read_integer(value, count));
        assert_true(*count > 0);
    }
}

static void read_marks(struct row *row, struct term map)
{
    struct term marks, mark;
    struct term_list list;
    assert_true(term_pairs_get(map, "marks", &marks));
    assert_true(term_list_start(&list, marks));
    while (term_list_next(&list, &mark))
        assert_true(term_read_integer(mark, &row->marks[row->mark_count++]));
    assert_true(term_list_proper(&list));
}

static void read_row(struct row *row, struct term map)
{
    struct term_pairs pairs;
    assert_int_equal(term_type(map), TERM_MAP);
    assert_true(term_pairs_start(&pairs, map));
    assert_int_equal(pairs.count, 10 + TIMELINE_GAUGES);
    *row = (struct row){.at_ms = number(map, "at_ms"),
                        .interval_ms = number(map, "interval_ms"),
                        .operations = number(map, "operations"),
                        .dropped = number(map, "dropped"),
                        .p50_us = number(map, "p50_us"),
                        .p99_us = number(map, "p99_us"),
                        .max_us = number(map, "max_us"),
                        .in_flight = number(map, "in_flight"),
                        .mailbox = number(map, "mailbox"),
                        .memory_bytes = number(map, "memory_bytes"),
                        .run_queue = number(map, "run_queue"),
                        .loop_lag_us = number(map, "loop_lag_us")};
    read_errors(row, map);
    read_marks(row, map);
}

/* Builds the report at so many milliseconds after the start, and reads it as a node would. */
static void report(struct fixture *fixture, uint64_t now_ms)
{
    const struct term_limits limits = {.depth = 100, .count = 1000000};
    struct term term, map;
    struct term_list list;
    size_t used;
    bool canonical;
    term_build_reset(&fixture->builder);
    timeline_build(&fixture->timeline, &fixture->errors, START_NS + now_ms * CLOCK_NS_PER_MS,
                   &fixture->builder);
    assert_true(term_build_done(&fixture->builder, &term));
    assert_int_equal(term_check(term.data, term.size, &limits, &used, &canonical), TERM_OK);
    assert_int_equal(used, term.size);
    assert_true(canonical);
    assert_true(term_list_start(&list, term));
    assert_in_range(list.count, 1, TIMELINE_INTERVALS);
    free(fixture->rows);
    fixture->rows = memory_zalloc(list.count, sizeof(*fixture->rows));
    fixture->row_count = 0;
    int64_t at_ms = 0;
    while (term_list_next(&list, &map)) {
        struct row *row = &fixture->rows[fixture->row_count++];
        read_row(row, map);
        assert_int_equal(row->at_ms, at_ms); /* they follow each other without gaps */
        at_ms += row->interval_ms;
    }
    assert_true(term_list_proper(&list));
    assert_int_equal(fixture->row_count, list.count);
}

static uint64_t at(uint64_t ms)
{
    return START_NS + ms * CLOCK_NS_PER_MS;
}

static void mark(struct fixture *fixture, uint64_t ms, uint8_t what)
{
    const uint8_t term[] = {97, what};
    timeline_mark(&fixture->timeline, at(ms), (struct term){term, sizeof(term)});
}

/* One value for each gauge, in the order of the enum. */
static void observe_all(struct timeline *timeline, uint64_t ms, const int64_t *values)
{
    for (size_t i = 0; i < TIMELINE_GAUGES; i++)
        timeline_observe(timeline, at(ms), (enum timeline_gauge)i, values[i]);
}

static void test_nothing(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    report(&fixture, 0);
    assert_int_equal(fixture.row_count, 1);
    report(&fixture, 250);
    assert_int_equal(fixture.row_count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct row *row = &fixture.rows[i];
        assert_int_equal(row->interval_ms, i < 2 ? 100 : 50);
        assert_int_equal(row->operations + row->dropped + row->a + row->b + row->other, 0);
        assert_int_equal(row->p50_us, NIL);
        assert_int_equal(row->p99_us, NIL);
        assert_int_equal(row->max_us, NIL);
        assert_int_equal(row->in_flight, NIL);
        assert_int_equal(row->mailbox, NIL);
        assert_int_equal(row->memory_bytes, NIL);
        assert_int_equal(row->run_queue, NIL);
        assert_int_equal(row->loop_lag_us, NIL);
        assert_int_equal(row->mark_count, 0);
    }
    for (size_t i = 0; i < TIMELINE_INTERVALS; i++) {
        assert_null(fixture.timeline.intervals[i].response.counts);
        assert_null(fixture.timeline.intervals[i].errors);
    }
    report(&fixture, 300); /* the fourth begins only now */
    assert_int_equal(fixture.row_count, 3);
    assert_int_equal(fixture.rows[2].interval_ms, 100);
    end(&fixture);
}

static void test_intervals(void **state)
{
    (void)state;
    struct fixture fixture;
    struct timeline *timeline = &fixture.timeline;
    start(&fixture);
    timeline_record(timeline, START_NS - 5, 10, TIMELINE_NO_ERROR, 3);
    timeline_record(timeline, at(99), 20, 0, 5);
    timeline_record(timeline, at(99), TIMELINE_NO_LATENCY, 0, 4);
    timeline_record(timeline, at(100), TIMELINE_NO_LATENCY, ERRORS_OTHER, 1);
    timeline_drop(timeline, at(100), 7);
    timeline_drop(timeline, at(101), 2);
    observe_all(timeline, 320, (const int64_t[]){9, 100, 5000, 2, 1});
    observe_all(timeline, 330, (const int64_t[]){8, 90, 4000, 3, 4});
    observe_all(timeline, 340, (const int64_t[]){-1, -1, -1, -1, -1});
    observe_all(timeline, 400, (const int64_t[]){-1, 0, -1, 0, 0});
    timeline_record(timeline, at(500), 30, 1, 0);
    report(&fixture, 500);
    assert_int_equal(fixture.row_count, 6);
    const struct row *row = fixture.rows;
    assert_int_equal(row[0].operations, 3);
    assert_int_equal(row[0].a, 2);
    assert_int_equal(row[0].p50_us, 10);
    assert_int_equal(row[0].p99_us, 20);
    assert_int_equal(row[0].max_us, 20);
    assert_int_equal(row[0].in_flight, 5);
    assert_int_equal(row[0].dropped, 0);
    assert_int_equal(row[1].operations, 1);
    assert_int_equal(row[1].max_us, NIL);
    assert_int_equal(row[1].other, 1);
    assert_int_equal(row[1].dropped, 9);
    assert_int_equal(row[2].operations, 0);
    assert_int_equal(row[2].in_flight, NIL);
    assert_int_equal(row[3].in_flight, 9);
    assert_int_equal(row[3].mailbox, 100);
    assert_int_equal(row[3].memory_bytes, 4000);
    assert_int_equal(row[3].run_queue, 3);
    assert_int_equal(row[3].loop_lag_us, 4);
    assert_int_equal(row[4].in_flight, NIL);
    assert_int_equal(row[4].mailbox, 0);
    assert_int_equal(row[4].memory_bytes, NIL);
    assert_int_equal(row[4].run_queue, 0);
    assert_int_equal(row[4].loop_lag_us, 0);
    assert_int_equal(row[5].b, 1);
    assert_int_equal(row[5].interval_ms, 1); /* it has just begun */
    end(&fixture);
}

/* Each gauge alone is in the report under its own name and leaves the others unknown: one that is added needs
 * its row in the table and nothing else. */
static void test_gauges(void **state)
{
    (void)state;
    for (size_t seen = 0; seen < TIMELINE_GAUGES; seen++) {
        struct fixture fixture;
        struct term term, map;
        struct term_list list;
        start(&fixture);
        timeline_observe(&fixture.timeline, at(5), (enum timeline_gauge)seen, 7);
        report(&fixture, 10);
        assert_true(term_build_done(&fixture.builder, &term));
        assert_true(term_list_start(&list, term));
        assert_true(term_list_next(&list, &map));
        for (size_t i = 0; i < TIMELINE_GAUGES; i++) {
            const char *key = timeline_gauge_text((enum timeline_gauge)i);
            assert_non_null(key);
            assert_int_equal(number(map, key), i == seen ? 7 : NIL);
        }
        end(&fixture);
    }
}

/* The table is full with the 128th interval; the next makes 64 of twice the length, and itself the 65th. */
static void test_merge(void **state)
{
    (void)state;
    struct fixture fixture;
    struct timeline *timeline = &fixture.timeline;
    start(&fixture);
    for (uint64_t i = 0; i < TIMELINE_INTERVALS; i++) {
        timeline_record(timeline, at(100 * i), 1000 + i,
                        i % 4 == 1   ? 0
                        : i % 4 == 2 ? 1
                                     : TIMELINE_NO_ERROR,
                        i);
        timeline_observe(timeline, at(100 * i + 1), TIMELINE_MAILBOX, (int64_t)(i % 2 ? 1 : i));
        timeline_observe(timeline, at(100 * i + 1), TIMELINE_MEMORY_BYTES, (int64_t)(1000 - i));
    }
    timeline_observe(timeline, at(100 * TIMELINE_INTERVALS - 1), TIMELINE_LOOP_LAG_US, 9);
    report(&fixture, 100 * TIMELINE_INTERVALS);
    assert_int_equal(fixture.row_count, TIMELINE_INTERVALS);
    timeline_drop(timeline, at(100 * TIMELINE_INTERVALS), 1);
    report(&fixture, 100 * TIMELINE_INTERVALS + 200);
    assert_int_equal(fixture.row_count, TIMELINE_INTERVALS / 2 + 1);
    for (int64_t i = 0; i < TIMELINE_INTERVALS / 2; i++) {
        const struct row *row = &fixture.rows[i];
        assert_int_equal(row->interval_ms, 200);
        assert_int_equal(row->operations, 2);
        assert_int_equal(row->a, i % 2 == 0); /* of 0 and 1, 4 and 5, ... */
        assert_int_equal(row->b, i % 2 == 1);
        assert_true(fabs((double)row->p50_us - (double)(1000 + 2 * i)) <= 4);
        assert_int_equal(row->max_us, 1000 + 2 * i + 1);
        assert_int_equal(row->in_flight, 2 * i + 1);
        assert_int_equal(row->mailbox, i ? 2 * i : 1);
        assert_int_equal(row->memory_bytes, 1000 - 2 * i - 1); /* the later one */
        assert_int_equal(row->run_queue, NIL);
        assert_int_equal(row->loop_lag_us, i == TIMELINE_INTERVALS / 2 - 1 ? 9 : NIL);
    }
    assert_int_equal(fixture.rows[TIMELINE_INTERVALS / 2].dropped, 1);
    assert_int_equal(fixture.rows[TIMELINE_INTERVALS / 2].operations, 0);
    end(&fixture);
}

/* Everything that an interval should have, from a list of all that happened. */
#define HAPPENED 200000

struct happened {
    uint64_t ms;
    uint64_t response_us;
    size_t reason;
    uint64_t in_flight;
};

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void expect_interval(const struct row *row, const struct happened *happened, size_t count)
{
    uint64_t *responses = memory_alloc((count + 1) * sizeof(*responses));
    int64_t errors[2] = {0};
    int64_t in_flight = NIL;
    for (size_t i = 0; i < count; i++) {
        responses[i] = happened[i].response_us;
        if (happened[i].reason != TIMELINE_NO_ERROR)
            errors[happened[i].reason]++;
        in_flight = (int64_t)happened[i].in_flight > in_flight ? (int64_t)happened[i].in_flight : in_flight;
    }
    qsort(responses, count, sizeof(*responses), compare_numbers);
    assert_int_equal(row->operations, count);
    assert_int_equal(row->a, errors[0]);
    assert_int_equal(row->b, errors[1]);
    assert_int_equal(row->in_flight, in_flight);
    if (count) {
        double p50 = (double)responses[(count + 1) / 2 - 1];
        double p99 = (double)responses[(count * 99 + 99) / 100 - 1];
        assert_true(fabs((double)row->p50_us - p50) <= 0.004 * p50);
        assert_true(fabs((double)row->p99_us - p99) <= 0.004 * p99);
        assert_int_equal(row->max_us, responses[count - 1]);
    } else {
        assert_int_equal(row->max_us, NIL);
    }
    free(responses);
}

/* The report has at any time what would come out of sorting all operations into its intervals. */
static void test_as_if_sorted(void **state)
{
    (void)state;
    struct fixture fixture;
    struct random random;
    struct happened *happened = memory_zalloc(HAPPENED, sizeof(*happened));
    uint64_t ms = 0;
    start(&fixture);
    random_seed(&random, 3);
    for (size_t i = 0; i < HAPPENED; i++) {
        ms += random_below(&random, i % 20000 == 0 ? 60000 : 15); /* with gaps of up to a minute */
        happened[i] = (struct happened){.ms = ms,
                                        .response_us = (uint64_t)(5000 * random_exponential(&random)),
                                        .reason = random_below(&random, 10) < 2 ? random_below(&random, 2)
                                                                                : TIMELINE_NO_ERROR,
                                        .in_flight = random_below(&random, 1000)};
        timeline_record(&fixture.timeline, at(ms), happened[i].response_us, happened[i].reason,
                        happened[i].in_flight);
        if (i % 10000 != 9999)
            continue;
        report(&fixture, ms + 1);
        size_t next = 0;
        for (size_t j = 0; j < fixture.row_count; j++) {
            size_t first = next;
            while (next <= i &&
                   happened[next].ms < (uint64_t)(fixture.rows[j].at_ms + fixture.rows[j].interval_ms))
                next++;
            expect_interval(&fixture.rows[j], happened + first, next - first);
        }
        assert_int_equal(next, i + 1);
    }
    free(happened);
    end(&fixture);
}

/* Thirty days, with all that can be told: nothing is lost, and the table stays as small as it is. */
static void test_days(void **state)
{
    (void)state;
    struct fixture fixture;
    struct row sum = {0};
    uint64_t operations = 0, errors[2] = {0}, dropped = 0, most_us = 0;
    struct random random;
    const uint64_t end_ms = 30 * 86400 * 1000ULL;
    start(&fixture);
    random_seed(&random, 4);
    for (uint64_t ms = 0; ms < end_ms; ms += 1 + random_below(&random, 4000)) {
        uint64_t us = (uint64_t)(5000 * random_exponential(&random));
        size_t reason = random_below(&random, 3);
        timeline_record(&fixture.timeline, at(ms), us, reason < 2 ? reason : TIMELINE_NO_ERROR, 1);
        timeline_drop(&fixture.timeline, at(ms), reason);
        operations++;
        dropped += reason;
        if (reason < 2)
            errors[reason]++;
        most_us = us > most_us ? us : most_us;
    }
    report(&fixture, end_ms);
    assert_in_range(fixture.row_count, TIMELINE_INTERVALS / 2, TIMELINE_INTERVALS);
    for (size_t i = 0; i < fixture.row_count; i++) {
        const struct row *row = &fixture.rows[i];
        assert_true(i == fixture.row_count - 1 || row->interval_ms == fixture.rows[0].interval_ms);
        sum.operations += row->operations;
        sum.dropped += row->dropped;
        sum.a += row->a;
        sum.b += row->b;
        sum.max_us = row->max_us > sum.max_us ? row->max_us : sum.max_us;
    }
    assert_int_equal(sum.operations, operations);
    assert_int_equal(sum.dropped, dropped);
    assert_int_equal(sum.a, errors[0]);
    assert_int_equal(sum.b, errors[1]);
    assert_int_equal(sum.max_us, most_us);
    const struct row *last = &fixture.rows[fixture.row_count - 1];
    assert_int_equal(last->at_ms + last->interval_ms, end_ms);
    end(&fixture);
}

/* After the table was full once it takes no more memory, and no memory moves: what is allocated stays. */
static void test_memory(void **state)
{
    (void)state;
    struct fixture fixture;
    const struct timeline_interval *intervals;
    size_t bytes = TIMELINE_INTERVALS * sizeof(*intervals) + (ERRORS_REASONS + 1) * sizeof(uint64_t);
    start(&fixture);
    for (uint64_t ms = 0; ms < 100 * TIMELINE_INTERVALS; ms += 10)
        timeline_record(&fixture.timeline, at(ms), HISTOGRAM_HIGHEST, ms % 3, 1);
    intervals = fixture.timeline.intervals;
    uintptr_t memory = 0;
    for (size_t i = 0; i < TIMELINE_INTERVALS; i++) {
        assert_non_null(intervals[i].response.counts);
        memory ^= (uintptr_t)intervals[i].response.counts ^ (uintptr_t)intervals[i].errors;
        bytes += intervals[i].response.room * sizeof(uint64_t);
        bytes += (ERRORS_REASONS + 1) * sizeof(uint64_t);
    }
    assert_true(bytes <= 3500000);
    for (uint64_t ms = 100 * TIMELINE_INTERVALS; ms < 86400 * 1000ULL; ms += 1000)
        timeline_record(&fixture.timeline, at(ms), ms, ms % 3, 1);
    assert_ptr_equal(fixture.timeline.intervals, intervals);
    for (size_t i = 0; i < TIMELINE_INTERVALS; i++)
        memory ^= (uintptr_t)intervals[i].response.counts ^ (uintptr_t)intervals[i].errors;
    assert_int_equal(memory, 0);
    end(&fixture);
}

/* A long silence merges several times at once. */
static void test_jump(void **state)
{
    (void)state;
    struct fixture fixture;
    const uint64_t year_ms = 365 * 86400 * 1000ULL;
    start(&fixture);
    timeline_record(&fixture.timeline, at(0), 1, TIMELINE_NO_ERROR, 1);
    timeline_record(&fixture.timeline, at(12700), 2, TIMELINE_NO_ERROR, 1);
    timeline_record(&fixture.timeline, at(year_ms), 3, TIMELINE_NO_ERROR, 1);
    report(&fixture, year_ms + 1);
    assert_in_range(fixture.row_count, TIMELINE_INTERVALS / 2, TIMELINE_INTERVALS);
    assert_int_equal(fixture.rows[0].operations, 2);
    assert_int_equal(fixture.rows[0].p50_us, 1);
    assert_int_equal(fixture.rows[0].max_us, 2);
    assert_int_equal(fixture.rows[1].operations, 0);
    assert_int_equal(fixture.rows[fixture.row_count - 1].operations, 1);
    end(&fixture);
}

static void test_marks(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    mark(&fixture, 0, 1);
    mark(&fixture, 199, 2);
    mark(&fixture, 199, 3);
    mark(&fixture, 200, 4);
    mark(&fixture, 300, 5);
    report(&fixture, 300);
    assert_int_equal(fixture.row_count, 4);
    assert_int_equal(fixture.rows[0].mark_count, 1);
    assert_int_equal(fixture.rows[0].marks[0], 1);
    assert_int_equal(fixture.rows[1].mark_count, 2);
    assert_int_equal(fixture.rows[1].marks[0], 2);
    assert_int_equal(fixture.rows[1].marks[1], 3);
    assert_int_equal(fixture.rows[2].marks[0], 4);
    assert_int_equal(fixture.rows[3].mark_count, 1);
    assert_int_equal(fixture.rows[3].marks[0], 5);
    report(&fixture, 100 * TIMELINE_INTERVALS + 1); /* intervals of 200 ms */
    assert_int_equal(fixture.rows[0].mark_count, 3);
    assert_int_equal(fixture.rows[0].marks[2], 3);
    assert_int_equal(fixture.rows[1].mark_count, 2);
    assert_int_equal(fixture.rows[1].marks[1], 5);
    assert_int_equal(fixture.rows[2].mark_count, 0);
    end(&fixture);
}

static void test_too_many_marks(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    uint8_t *large = memory_zalloc(1, TIMELINE_MARK_BYTES + 1);
    large[0] = 109;
    large[3] = (TIMELINE_MARK_BYTES + 1 - 5) >> 8;
    large[4] = (TIMELINE_MARK_BYTES + 1 - 5) & 255;
    timeline_mark(&fixture.timeline, at(0), (struct term){large, TIMELINE_MARK_BYTES + 1});
    free(large);
    assert_int_equal(fixture.timeline.marks_dropped, 1);
    for (uint64_t i = 0; i < TIMELINE_MARKS + 10; i++)
        mark(&fixture, 70 * i, (uint8_t)i);
    assert_int_equal(fixture.timeline.marks_dropped, 11);
    report(&fixture, 70 * (TIMELINE_MARKS + 10));
    int64_t next = 0;
    for (size_t i = 0; i < fixture.row_count; i++)
        for (size_t j = 0; j < fixture.rows[i].mark_count; j++, next++) {
            assert_int_equal(fixture.rows[i].marks[j], next);
            assert_in_range(70 * next, fixture.rows[i].at_ms,
                            fixture.rows[i].at_ms + fixture.rows[i].interval_ms - 1);
        }
    assert_int_equal(next, TIMELINE_MARKS);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),      cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_gauges),       cmocka_unit_test(test_merge),
        cmocka_unit_test(test_as_if_sorted), cmocka_unit_test(test_days),
        cmocka_unit_test(test_memory),       cmocka_unit_test(test_jump),
        cmocka_unit_test(test_marks),        cmocka_unit_test(test_too_many_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
