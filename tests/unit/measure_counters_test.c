#include "measure/counters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "term/term_build.h"

static void test_operations(void **state)
{
    (void)state;
    static const struct {
        enum result_kind result;
        const char *reason;
        bool in_tuple; /* {Reason, x} */
        enum error_kind kind;
    } rows[] = {
        {RESULT_TIMEOUT, NULL, false, ERROR_TIMEOUT},
        {RESULT_NOPROC, NULL, false, ERROR_NOPROC},
        {RESULT_MISSING_SYNC, NULL, false, ERROR_MISSING_SYNC},
        {RESULT_EXIT, "nodedown", true, ERROR_NODEDOWN},
        {RESULT_EXIT, "nodedown", false, ERROR_EXIT},
        {RESULT_EXIT, "boom", true, ERROR_EXIT},
        {RESULT_EXIT, "boom", false, ERROR_EXIT},
        {RESULT_RAISED, "nodedown", true, ERROR_RAISED},
    };
    struct counters counters;
    counters_init(&counters);
    counters_add_operation(&counters, RESULT_OK, (struct term){0});
    assert_int_equal(counters_all_errors(&counters), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct term_builder builder = {0};
        if (rows[i].in_tuple)
            term_build_tuple(&builder, 2);
        if (rows[i].reason)
            term_build_atom(&builder, rows[i].reason);
        if (rows[i].in_tuple)
            term_build_atom(&builder, "x");
        uint64_t before = counters.errors[rows[i].kind];
        counters_add_operation(&counters, rows[i].result,
                               rows[i].reason ? term_built(&builder) : (struct term){0});
        assert_int_equal(counters.errors[rows[i].kind], before + 1);
        assert_int_equal(counters_all_errors(&counters), i + 1);
        term_build_free(&builder);
    }
    assert_int_equal(counters.operations, ARRAY_LENGTH(rows) + 1);
    counters_free(&counters);
}

static struct counters_row *row_of(struct counters *counters, const char *text)
{
    struct term_builder builder = {0};
    term_build_text(&builder, text);
    struct counters_row *row = counters_row_of(counters, term_built(&builder));
    term_build_free(&builder);
    return row;
}

/* A text and an atom of the same letters cannot be told apart where names are labels. */
static void test_names(void **state)
{
    (void)state;
    struct counters counters;
    char text[COUNTERS_NAME_BYTES + 10];
    counters_init(&counters);
    struct counters_row *read = counters_row_of(&counters, TERM_ATOM("read"));
    assert_string_equal(read->name, "read");
    assert_ptr_equal(row_of(&counters, "read"), read);
    memset(text, 'a', sizeof(text));
    memcpy(text + COUNTERS_NAME_BYTES - 2, "\xc3\xa4", sizeof("\xc3\xa4"));
    assert_int_equal(strlen(row_of(&counters, text)->name), COUNTERS_NAME_BYTES - 2); /* not half of it */
    assert_string_equal(row_of(&counters, "")->name, "");
    for (size_t i = counters.named_count; i < COUNTERS_NAMES; i++) {
        snprintf(text, sizeof(text), "name %zu", i);
        assert_string_equal(row_of(&counters, text)->name, text);
    }
    struct counters_row *other = row_of(&counters, "one too many");
    assert_string_equal(other->name, "other");
    assert_ptr_equal(row_of(&counters, "and one more"), other);
    assert_ptr_equal(row_of(&counters, "other"), other);
    assert_ptr_equal(row_of(&counters, "read"), read);
    counters_free(&counters);
}

static void test_latencies(void **state)
{
    (void)state;
    struct counters counters;
    counters_init(&counters);
    counters_add_latency(&counters, 300, 100, false);
    counters_add_latency(&counters, 5000, 50, false);
    counters_add_latency(&counters, 700, 600, true);
    assert_int_equal(counters.response.count, 3);
    assert_int_equal(counters.response.sum, 6000);
    assert_int_equal(counters.service.count, 2);
    assert_int_equal(counters.service.sum, 150);
    counters_free(&counters);
}

static void test_faults(void **state)
{
    (void)state;
    struct counters counters;
    const size_t count = COUNTERS_FAULTS;
    counters_init(&counters);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j <= i; j++)
            counters_add_fault(&counters, i);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(counters.faults[i], i + 1);
    counters_free(&counters);
}

static void test_outcomes(void **state)
{
    (void)state;
    struct counters counters = {
        .finished = {[OUTCOME_COMPLETED] = 1, [OUTCOME_FAILED] = 20, [OUTCOME_CANCELLED] = 300}};
    assert_int_equal(counters_all_finished(&counters), 321);
    for (size_t i = 0; i < ERROR_KINDS; i++)
        assert_non_null(error_kind_names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations), cmocka_unit_test(test_names),    cmocka_unit_test(test_latencies),
        cmocka_unit_test(test_faults),     cmocka_unit_test(test_outcomes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
