/* What probes apply, and what is made of their answers. */
#include "probe_terms_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "term/term_text.h"
#include "term_from_text.h"

static void expect_text(struct term term, const char *text)
{
    char printed[2000];
    assert_string_equal(term_text(term, printed, sizeof(printed)), text);
}

static void test_heartbeat(void **state)
{
    (void)state;
    struct probe_terms terms = {0};
    const struct term names[] = {TERM_ATOM("bank"), TERM_ATOM("till")};
    probe_terms_heartbeat(&terms, names, 2);
    expect_text(probe_terms_functions(&terms),
                "[fun erlang:monotonic_time/1,fun erlang:statistics/1,fun erlang:whereis/1,"
                "fun erlang:whereis/1,fun erlang:monotonic_time/1]");
    expect_text(probe_terms_arguments(&terms),
                "[[nanosecond],[run_queue_lengths],[bank],[till],[nanosecond]]");
    probe_terms_free(&terms);
}

static void test_look(void **state)
{
    (void)state;
    struct probe_terms terms = {0};
    probe_terms_look(&terms, TERM_ATOM("pid"), TERM_ATOM("daemon"), false);
    expect_text(probe_terms_functions(&terms), "[fun erlang:monotonic_time/1,fun erlang:process_info/2,"
                                               "fun erlang:monotonic_time/1,fun erlang:unlink/1]");
    expect_text(probe_terms_arguments(&terms),
                "[[nanosecond],[pid,[status,message_queue_len,current_stacktrace,current_function,heap_size,"
                "total_heap_size,reductions]],[nanosecond],[daemon]]");
    probe_terms_look(&terms, TERM_ATOM("pid"), TERM_ATOM("daemon"), true);
    char printed[1000];
    assert_non_null(strstr(term_text(probe_terms_arguments(&terms), printed, sizeof(printed)), "monitors"));
    probe_terms_free(&terms);
}

static void test_heartbeat_answers(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct probe_beat beat;
    assert_true(probe_terms_read_heartbeat(term_from_text(&builder, "[-5000, [3, 4, 9], undefined, 2000]"), 1,
                                           &beat));
    assert_int_equal(beat.node_ns, -5000);
    assert_int_equal(beat.done_ns, 2000);
    assert_int_equal(beat.schedulers, 2);
    assert_int_equal(beat.ready, 7); /* not those for long work */
    assert_int_equal(beat.queues.queues.count, 3);
    assert_int_equal(beat.queues.queues.lengths[2], 9);
    assert_null(beat.pids[0].data);
    static const char *const wrong[] = {
        "[]",
        "ok",
        "[1, [1, 0], 2]",
        "[a, [1, 0], undefined, 2]",
        "[1, x, undefined, 2]",
        "[1, [1, x], undefined, 2]",
        "[1, [1, -1], undefined, 2]",
        "[1, [1, 0], undefined, b]",
        "[1, [1, 0], undefined, 2, 3]",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        if (probe_terms_read_heartbeat(term_from_text(&builder, wrong[i]), 1, &beat))
            fail_msg("%s", wrong[i]);
    term_build_free(&builder);
}

/* A node with very many schedulers: all are counted, the first are told. */
static void test_many_schedulers(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct probe_beat beat;
    term_build_list(&builder, 3);
    term_build_integer(&builder, 1);
    term_build_list(&builder, 100);
    for (int i = 0; i < 100; i++)
        term_build_integer(&builder, 100000);
    term_build_nil(&builder);
    term_build_integer(&builder, 2);
    term_build_nil(&builder);
    assert_true(probe_terms_read_heartbeat(term_built(&builder), 0, &beat));
    assert_int_equal(beat.schedulers, 99);
    assert_int_equal(beat.ready, 99 * UINT16_MAX);
    assert_int_equal(beat.queues.queues.count, CAUSE_QUEUES);
    term_build_free(&builder);
}

static void test_look_answers(void **state)
{
    (void)state;
    static const struct {
        const char *status;
        const char *top;
        const char *current;
        enum look_state state;
    } rows[] = {
        {"waiting", "{gen_server, loop, 7, []}", "{gen_server, loop, 7}", LOOK_IDLE},
        {"waiting", "{gen_statem, loop_receive, 3, []}", "{gen_statem, loop_receive, 3}", LOOK_IDLE},
        {"running", "{gen_server, loop, 7, []}", "{gen_server, loop, 7}", LOOK_LOOPING},
        {"running", "{gen_server, try_dispatch, 4, []}", "{gen_server, try_dispatch, 4}", LOOK_LOOPING},
        {"running", "{gen_statem, loop_state_callback, 4}", "odd", LOOK_LOOPING},
        {"waiting", "{gen_server, multi_call, 4, []}", "odd", LOOK_WAITING},
        {"waiting", "{timer, sleep, 1, []}", "{timer, sleep, 1}", LOOK_WAITING},
        {"waiting", "{gen, do_call, 4, []}", "{gen, do_call, 4}", LOOK_CALLING},
        {"running", "{bank, audit, 1}", "{bank, audit, 1}", LOOK_RUNNING},
        {"runnable", "{bank, audit, 1}", "{bank, audit, 1}", LOOK_RUNNABLE},
        {"runnable", "{gen_server, loop, 7, []}", "{bank, audit, 1}", LOOK_RUNNABLE},
        {"garbage_collecting", "{bank, audit, 1}", "{bank, audit, 1}", LOOK_COLLECTING},
        {"suspended", "{gen_server, loop, 7, []}", "{gen_server, loop, 7}", LOOK_SUSPENDED},
        {"suspended", "{bank, tell, 1, []}", "{bank, tell, 1}", LOOK_BLOCKED},
        {"suspended", "{gen_server, loop, 7, []}", "{erts_internal, dsend_continue_trap, 1}", LOOK_BLOCKED},
        {"exiting", "{bank, tell, 1, []}", "{bank, tell, 1}", LOOK_NOTHING},
        {"odd", "odd", "odd", LOOK_NOTHING},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct term_builder builder = {0};
        struct probe_look look;
        char text[1000];
        snprintf(
            text, sizeof(text),
            "[1000, [{status, %s}, {message_queue_len, 12}, {current_stacktrace, [%s]},"
            " {current_function, %s}, {heap_size, 100}, {total_heap_size, 300}, {reductions, 70},"
            " {monitors, [{port, x}, {process, {till, 'app@y'}}, {process, {other, 'app@y'}}]}], 2000, true]",
            rows[i].status, rows[i].top, rows[i].current);
        assert_true(probe_terms_read_look(term_from_text(&builder, text), &look));
        if (look.state != rows[i].state)
            fail_msg("%s in %s is %d", rows[i].status, rows[i].top, (int)look.state);
        assert_int_equal(look.began_ns, 1000);
        assert_int_equal(look.ended_ns, 2000);
        assert_int_equal(look.queue, 12);
        assert_int_equal(look.heap_words, 100);
        assert_int_equal(look.all_words, 300);
        assert_int_equal(look.reductions, 70);
        assert_true(term_is_atom(look.callee, "till") && term_is_atom(look.callee_node, "app@y"));
        term_build_free(&builder);
    }
}

/* Where it is: with another line the same, in another function not. */
static void test_tops(void **state)
{
    (void)state;
    static const char *const tops[] = {"{m, f, 1, [{line, 3}]}", "{m, f, 1, [{line, 4}]}", "{m, f, 2, []}",
                                       "{m, g, 1, []}"};
    uint64_t seen[ARRAY_LENGTH(tops)];
    for (size_t i = 0; i < ARRAY_LENGTH(tops); i++) {
        struct term_builder builder = {0};
        struct probe_look look;
        char text[300];
        snprintf(text, sizeof(text), "[1, [{status, waiting}, {current_stacktrace, [%s]}], 2, true]",
                 tops[i]);
        assert_true(probe_terms_read_look(term_from_text(&builder, text), &look));
        seen[i] = look.top;
        term_build_free(&builder);
    }
    assert_true(seen[0] && seen[0] == seen[1]);
    assert_true(seen[2] != seen[0] && seen[3] != seen[0] && seen[3] != seen[2]);
}

static void test_odd_looks(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct probe_look look;
    static const char *const nobody[] = {"[1, undefined, 2, true]", "[1, [], 2, true]", "[1, [odd], 2, true]",
                                         "[1, [{status, 5}], 2, true]",
                                         "[1, [{current_stacktrace, odd}, {monitors, odd}], 2, true]"};
    static const char *const wrong[] = {"[]", "odd", "[1, undefined, 2]", "[x, undefined, 2, true]",
                                        "[1, undefined, x, true]"};
    for (size_t i = 0; i < ARRAY_LENGTH(nobody); i++) {
        assert_true(probe_terms_read_look(term_from_text(&builder, nobody[i]), &look));
        assert_int_equal(look.state, LOOK_NOTHING);
        assert_null(look.stack.data);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        assert_false(probe_terms_read_look(term_from_text(&builder, wrong[i]), &look));
    term_build_free(&builder);
}

/* --- Threads --- */

static void test_threads(void **state)
{
    (void)state;
    struct probe_terms terms = {0};
    struct term_builder builder = {0};
    struct probe_threads threads;
    probe_terms_threads(&terms);
    expect_text(probe_terms_functions(&terms), "[fun erlang:system_info/1,fun prim_file:list_dir/1]");
    expect_text(probe_terms_arguments(&terms), "[[version],[<<\"/proc/self/task\">>]]");
    assert_true(probe_terms_read_threads(
        term_from_text(&builder, "[\"13.1.5\", {ok, [\"101\", \"102\", \"103\", \"104\"]}]"), &threads));
    assert_int_equal(threads.count, 4);
    assert_false(threads.has_sessions);
    probe_terms_names(&terms, threads.numbers, 2);
    expect_text(probe_terms_arguments(&terms),
                "[[<<\"/proc/self/task/101/comm\">>],[<<\"/proc/self/task/102/comm\">>]]");
    probe_terms_read_names(term_from_text(&builder,
                                          "[{ok, <<\"1_scheduler\">>}, {ok, <<\"1_dirty_cpu_sch\">>},"
                                          " {error, enoent}, {ok, <<\"erts_sched_2\">>}]"),
                           &threads);
    assert_int_equal(threads.count, 2);
    assert_int_equal(threads.numbers[0], 101);
    assert_int_equal(threads.numbers[1], 104);
    assert_true(probe_terms_read_threads(term_from_text(&builder, "[\"16.0\", {error, enoent}]"), &threads));
    assert_int_equal(threads.count, 0); /* its system does not say */
    assert_true(threads.has_sessions);
    assert_false(probe_terms_read_threads(term_from_text(&builder, "odd"), &threads));
    probe_terms_read_names(term_from_text(&builder, "odd"), &threads);
    probe_terms_free(&terms);
    term_build_free(&builder);
}

static void test_waits(void **state)
{
    (void)state;
    static const uint32_t numbers[] = {101, 104};
    struct probe_terms terms = {0};
    struct term_builder builder = {0};
    int64_t node_ns;
    uint64_t waited_ns[PROBE_SCHEDULERS];
    probe_terms_waits(&terms, numbers, 2);
    expect_text(probe_terms_arguments(&terms),
                "[[nanosecond],[<<\"/proc/stat\">>],[<<\"/proc/self/task/101/schedstat\">>],"
                "[<<\"/proc/self/task/104/schedstat\">>]]");
    assert_true(
        probe_terms_read_waits(term_from_text(&builder, "[-7, {ok, <<\"cpu  1 2 3 4 5 6 7 8 9 0\">>},"
                                                        " {ok, <<\"500 30 2\">>}, {ok, <<\"600 12 2\">>}]"),
                               2, &node_ns, waited_ns));
    assert_int_equal(node_ns, -7);
    assert_int_equal(waited_ns[0], 80000030); /* what the host has taken, in hundredths of a second */
    assert_int_equal(waited_ns[1], 80000012);
    static const char *const wrong[] = {
        "[-7, {error, enoent}, {ok, <<\"500 30 2\">>}, {ok, <<\"600 12 2\">>}]",
        "[-7, {ok, <<\"cpu  1 2 3\">>}, {ok, <<\"500 30 2\">>}, {ok, <<\"600 12 2\">>}]",
        "[-7, {ok, <<\"cpu  1 2 3 4 5 6 7 8\">>}, {ok, <<\"500 30 2\">>}, {error, enoent}]",
        "[-7, {ok, <<\"cpu  1 2 3 4 5 6 7 8\">>}, {ok, <<\"500 30 2\">>}]",
        "odd",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
        assert_false(probe_terms_read_waits(term_from_text(&builder, wrong[i]), 2, &node_ns, waited_ns));
    probe_terms_free(&terms);
    term_build_free(&builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heartbeat),
        cmocka_unit_test(test_look),
        cmocka_unit_test(test_heartbeat_answers),
        cmocka_unit_test(test_many_schedulers),
        cmocka_unit_test(test_look_answers),
        cmocka_unit_test(test_tops),
        cmocka_unit_test(test_odd_looks),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
