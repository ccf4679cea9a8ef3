#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "run_summary_private.h"
#include "term/term_read.h"

static void keep_atom(struct buffer *buffer, const char *atom)
{
    struct term_builder builder = {0};
    term_build_atom(&builder, atom);
    run_summary_keep(buffer, term_built(&builder), SUMMARY_TERM_BYTES);
    term_build_free(&builder);
}

static void keep_text(struct buffer *buffer, const char *text)
{
    buffer_append(buffer, text, strlen(text));
}

static void build(const struct run_summary *summary, struct term_builder *builder)
{
    term_build_map(builder, RUN_SUMMARY_PAIRS);
    run_summary_build(summary, builder);
}

static bool same_bytes(const struct buffer *a, const struct buffer *b)
{
    return a->size == b->size && (!a->size || memcmp(buffer_bytes(a), buffer_bytes(b), a->size) == 0);
}

/* What is written is read the same; all members differ, so that none may stand for another. */
static void check_same(const struct run_summary *summary)
{
    struct term_builder builder = {0};
    struct run_summary read = {0};
    build(summary, &builder);
    assert_true(run_summary_read(term_built(&builder), &read));
    assert_int_equal(read.run_id, summary->run_id);
    assert_int_equal(read.outcome, summary->outcome);
    assert_string_equal(read.by, summary->by);
    assert_true(same_bytes(&read.reason, &summary->reason));
    assert_true(same_bytes(&read.name, &summary->name));
    assert_true(same_bytes(&read.caller, &summary->caller));
    assert_true(same_bytes(&read.node, &summary->node));
    assert_true(same_bytes(&read.target, &summary->target));
    assert_true(same_bytes(&read.metadata, &summary->metadata));
    assert_int_equal(read.accepted_at_ms, summary->accepted_at_ms);
    assert_int_equal(read.started_at_ms, summary->started_at_ms);
    assert_int_equal(read.ended_at_ms, summary->ended_at_ms);
    assert_int_equal(read.elapsed_ms, summary->elapsed_ms);
    assert_int_equal(read.planned_ms, summary->planned_ms);
    assert_int_equal(read.threads, summary->threads);
    assert_int_equal(read.operations, summary->operations);
    assert_int_equal(read.operation_errors, summary->operation_errors);
    assert_int_equal(read.dropped, summary->dropped);
    assert_int_equal(read.report_bytes, summary->report_bytes);
    run_summary_free(&read);
    term_build_free(&builder);
}

static void test_same(void **state)
{
    (void)state;
    struct run_summary summary = {.run_id = 1795379622419748, .by = "start"};
    check_same(&summary);
    summary = (struct run_summary){.run_id = 2,
                                   .by = "run_with_performance",
                                   .accepted_at_ms = 3,
                                   .started_at_ms = 4,
                                   .ended_at_ms = 5,
                                   .elapsed_ms = 12,
                                   .planned_ms = 6,
                                   .threads = 7,
                                   .operations = 8,
                                   .operation_errors = 9,
                                   .dropped = 10,
                                   .report_bytes = 11};
    keep_text(&summary.reason, "{thread_failure,{error,timeout}}");
    keep_text(&summary.name, "nightly");
    keep_atom(&summary.caller, "a_caller");
    run_summary_keep_node(&summary, "app@host");
    keep_atom(&summary.target, "a_target");
    keep_atom(&summary.metadata, "a_map");
    for (enum outcome ending = OUTCOME_NONE; ending < OUTCOME_COUNT; ending++) {
        summary.outcome = ending;
        check_same(&summary);
    }
    run_summary_free(&summary);
}

/* A map with `key` of a value that no key has. */
static void check_wrong(const char *key, bool readable)
{
    struct term_builder builder = {0};
    struct run_summary read = {0};
    term_build_map(&builder, 2);
    term_build_key(&builder, "run_id");
    term_build_unsigned(&builder, 5);
    term_build_key(&builder, key);
    term_build_tuple(&builder, 0);
    assert_int_equal(run_summary_read(term_built(&builder), &read), readable);
    assert_int_equal(read.run_id, readable ? 5 : 0);
    run_summary_free(&read);
    term_build_free(&builder);
}

static void test_wrong(void **state)
{
    (void)state;
    static const char *const keys[] = {"outcome", "reason",  "by",   "name",     "accepted_at_ms",
                                       "threads", "dropped", "none", "also_none"};
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        check_wrong(keys[i], true);
    struct term_builder builder = {0};
    struct run_summary read = {0};
    term_build_map(&builder, 0);
    assert_false(run_summary_read(term_built(&builder), &read));
    term_build_reset(&builder);
    term_build_atom(&builder, "none");
    assert_false(run_summary_read(term_built(&builder), &read));
    term_build_reset(&builder);
    term_build_map(&builder, 1);
    term_build_key(&builder, "run_id");
    term_build_integer(&builder, -1);
    assert_false(run_summary_read(term_built(&builder), &read));
    run_summary_free(&read);
    term_build_free(&builder);
}

static void test_keeping(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct buffer kept = {0};
    char text[SUMMARY_TERM_BYTES + 1];
    const uint8_t *data;
    size_t size;
    memset(text, 'x', sizeof(text));
    term_build_binary(&builder, text, SUMMARY_TERM_BYTES - 5);
    run_summary_keep(&kept, term_built(&builder), SUMMARY_TERM_BYTES);
    assert_int_equal(kept.size, SUMMARY_TERM_BYTES);
    term_build_reset(&builder);
    term_build_binary(&builder, text, SUMMARY_TERM_BYTES - 4);
    run_summary_keep(&kept, term_built(&builder), SUMMARY_TERM_BYTES);
    assert_true(term_read_binary((struct term){buffer_bytes(&kept), kept.size}, &data, &size));
    assert_true(size < SUMMARY_REASON_BYTES && memcmp(data, "<<\"xxx", 6) == 0);
    buffer_free(&kept);
    term_build_free(&builder);
}

static void check_reason(const char *kind, const char *reason, const char *expected)
{
    struct run_summary summary = {.run_id = 1};
    struct term_builder builder = {0};
    term_build_tuple(&builder, 2);
    term_build_atom(&builder, kind);
    term_build_tuple(&builder, 2);
    term_build_atom(&builder, reason);
    term_build_atom(&builder, "detail");
    run_summary_keep_reason(&summary, term_built(&builder));
    assert_int_equal(summary.reason.size, strlen(expected));
    if (*expected)
        assert_memory_equal(buffer_bytes(&summary.reason), expected, strlen(expected));
    run_summary_free(&summary);
    term_build_free(&builder);
}

static void test_reasons(void **state)
{
    (void)state;
    check_reason("error", "nodedown", "{nodedown,detail}");
    check_reason("error", "cancelled", "cancelled");
    check_reason("ok", "cancelled", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same), cmocka_unit_test(test_wrong),
                                       cmocka_unit_test(test_keeping), cmocka_unit_test(test_reasons)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
