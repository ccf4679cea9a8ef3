/* The table that says why operations were slow. */
#include "report/report_text.h"
#include "report/report_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "term_from_text.h"

/* What is shown of the causes; NULL where nothing is. */
static const char *show(const char *explain, char *shown, size_t room)
{
    struct term_builder builder = {0};
    struct buffer text = {0};
    struct report_view view;
    char report[8000];
    snprintf(report, sizeof(report), "#{metrics => #{total_operations => 7}, explain => %s}", explain);
    struct report_source source = {.result = term_from_text(&builder, report)};
    assert_true(report_view_read(&source, &view));
    report_text_write(&view, &text);
    snprintf(shown, room, "%.*s", (int)text.size, (const char *)buffer_bytes(&text));
    buffer_free(&text);
    term_build_free(&builder);
    return strstr(shown, "\nWhy: ");
}

#define CAUSE "#{cause => %s, operations => %s, us => 5, share => %s, worst_us => %s, detail => %s}"

static const struct {
    const char *name;
    const char *operations;
    const char *share;
    const char *worst_us;
    const char *detail;
} causes[] = {
    {"handler", "1000", "0.5", "150000",
     "[{timer, sleep, 1, [{file, \"timer.erl\"}, {line, 5}]},"
     " {'Elixir.Bank', audit, 3, [{file, \"lib/bank.ex\"}, {line, 12}]}]"},
    {"garbage_collection", "20", "0.25", "98000", "#{heap_size => 2000, total_heap_size => 10000000}"},
    {"scheduled_out", "19", "0.125", "20000", "#{run_queue_lengths => [700, 690, 0]}"},
    {"queue", "18", "0.06", "9000", "#{message_queue_len => 5000}"},
    {"suspended", "17", "0.05", "8000", "#{fault => 3}"},
    {"network", "16", "0.01", "7000", "#{unacked => 4, retransmits => 2}"},
    {"reply_blocked", "15", "0.0", "6000", "[{bank, tell, 2, []}]"},
    {"unknown", "1234", "0.005", "5000", "nil"},
};

static void test_table(void **state)
{
    (void)state;
    char explain[4000], shown[8000];
    int used = snprintf(explain, sizeof(explain), "#{operations => 1234, causes => [");
    for (size_t i = 0; i < ARRAY_LENGTH(causes); i++)
        used += snprintf(explain + used, sizeof(explain) - (size_t)used, "%s" CAUSE, i ? ", " : "",
                         causes[i].name, causes[i].operations, causes[i].share, causes[i].worst_us,
                         causes[i].detail);
    snprintf(explain + used, sizeof(explain) - (size_t)used, "]}");
    const char *why = show(explain, shown, sizeof(shown));
    assert_non_null(why);
    assert_string_equal(
        why, "\nWhy: 1,234 slow operations (shares of all slow time)\n"
             "  cause               operations   share    worst  where\n"
             "  handler                  1,000  50.0 %   150 ms  Bank.audit/3 (bank.ex:12)\n"
             "  garbage_collection          20  25.0 %  98.0 ms  heap of 10,000,000 words\n"
             "  scheduled_out               19  12.5 %  20.0 ms  run queues 700, 690, 0\n"
             "  queue                       18   6.0 %  9.00 ms  5,000 messages\n"
             "  suspended                   17   5.0 %  8.00 ms  fault 3\n"
             "  network                     16   1.0 %  7.00 ms  4 segments not acknowledged, 2 sent again\n"
             "  reply_blocked               15   0.0 %  6.00 ms  bank:tell/2\n"
             "  unknown                  1,234   0.5 %  5.00 ms\n");
}

/* A stack of libraries alone has its first line; what is no stack is left out. */
static void test_where(void **state)
{
    (void)state;
    static const struct {
        const char *detail;
        const char *where;
    } rows[] = {
        {"[{gen, do_call, 4, [{file, \"gen.erl\"}, {line, 240}]}, {gen_server, call, 2, []}]",
         "gen:do_call/4 (gen.erl:240)\n"},
        {"[{bank, audit, 1}]", "bank:audit/1\n"},
        {"[{bank, audit, 1, [{file, []}]}]", "bank:audit/1\n"},
        {"[odd, {bank, audit}, {bank, 5, 1}]", "5.00 ms\n"},
        {"[]", "5.00 ms\n"},
        {"#{other => 1}", "5.00 ms\n"},
        {"odd", "5.00 ms\n"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char shown[8000], explain[1000];
        snprintf(explain, sizeof(explain), "#{operations => 1, causes => [" CAUSE "]}", "handler", "1", "0.5",
                 "5000", rows[i].detail);
        const char *why = show(explain, shown, sizeof(shown));
        assert_non_null(why);
        const char *end = why + strlen(why) - strlen(rows[i].where);
        assert_string_equal(end, rows[i].where);
    }
}

static void test_nothing(void **state)
{
    (void)state;
    char shown[8000];
    static const char *const rows[] = {"nil", "#{operations => 0, causes => []}", "#{causes => odd}", "5"};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        assert_null(show(rows[i], shown, sizeof(shown)));
    assert_non_null(show("#{causes => [#{}]}", shown, sizeof(shown)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_where),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
