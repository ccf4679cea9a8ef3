#include "base/loop.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "loop_private.h"

struct fixture {
    struct loop loop;
    struct loop_task a;
    struct loop_task b;
    struct loop_task c;
    struct loop_timer timer;
    char order[32];
    int fired;
};

static void note(struct fixture *fixture, char what)
{
    size_t used = strlen(fixture->order);
    assert_true(used < sizeof(fixture->order) - 1);
    fixture->order[used] = what;
}

static void run_a(void *owner)
{
    note(owner, 'a');
}

static void run_b_defers_c(void *owner)
{
    struct fixture *fixture = owner;
    note(fixture, 'b');
    loop_defer(&fixture->loop, &fixture->c);
}

static void run_c_stops(void *owner)
{
    struct fixture *fixture = owner;
    note(fixture, 'c');
    loop_stop(&fixture->loop);
}

static void start(struct fixture *fixture)
{
    *fixture = (struct fixture){0};
    loop_init(&fixture->loop);
    fixture->a = (struct loop_task){.run = run_a, .owner = fixture};
    fixture->b = (struct loop_task){.run = run_b_defers_c, .owner = fixture};
    fixture->c = (struct loop_task){.run = run_c_stops, .owner = fixture};
}

static void test_tasks_run_in_order_and_once(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    loop_defer(&fixture.loop, &fixture.a);
    loop_defer(&fixture.loop, &fixture.b);
    loop_defer(&fixture.loop, &fixture.a);
    loop_run(&fixture.loop);
    assert_string_equal(fixture.order, "abc");
    loop_free(&fixture.loop);
}

static void test_cancel(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    loop_cancel(&fixture.loop, &fixture.a);
    loop_defer(&fixture.loop, &fixture.b);
    loop_defer(&fixture.loop, &fixture.a);
    loop_cancel(&fixture.loop, &fixture.a); /* the last */
    loop_defer(&fixture.loop, &fixture.c);
    loop_cancel(&fixture.loop, &fixture.b); /* the first */
    loop_defer(&fixture.loop, &fixture.a);
    loop_run(&fixture.loop);
    assert_string_equal(fixture.order, "ca");
    loop_free(&fixture.loop);
}

static void run_a_again_next(void *owner)
{
    struct fixture *fixture = owner;
    note(fixture, '0' + (char)fixture->loop.pass);
    loop_defer_next(&fixture->loop, &fixture->a);
    loop_defer(&fixture->loop, &fixture->a); /* it stays where it is */
    if (++fixture->fired == 3)
        loop_stop(&fixture->loop);
}

/* What is left for the next pass comes once a pass, without anything to wait for, and before what that pass
 * defers. */
static void test_next_pass(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    fixture.a.run = run_a_again_next;
    loop_defer(&fixture.loop, &fixture.a);
    loop_run(&fixture.loop);
    assert_string_equal(fixture.order, "123");
    loop_defer(&fixture.loop, &fixture.b);
    fixture.a.run = run_a;
    loop_finish(&fixture.loop);
    assert_string_equal(fixture.order, "123abc");
    loop_defer_next(&fixture.loop, &fixture.c);
    loop_defer_next(&fixture.loop, &fixture.a);
    loop_cancel(&fixture.loop, &fixture.a); /* the last */
    loop_defer_next(&fixture.loop, &fixture.b);
    loop_cancel(&fixture.loop, &fixture.c); /* the first */
    loop_defer(&fixture.loop, &fixture.a);
    loop_finish(&fixture.loop);
    assert_string_equal(fixture.order, "123abcbac");
    loop_free(&fixture.loop);
}

/* A piece that uses all of the share of a pass, and has another one after it. */
static void run_long_piece(void *owner)
{
    struct fixture *fixture = owner;
    uint64_t started = clock_ns();
    note(fixture, 'a');
    while (clock_ns() - started <= LOOP_SHARE_NS)
        ;
    if (++fixture->fired < 3)
        loop_defer_piece(&fixture->loop, &fixture->a);
}

static void run_short_piece(void *owner)
{
    struct fixture *fixture = owner;
    note(fixture, 'b');
    loop_defer_piece(&fixture->loop, &fixture->b);
}

/* Each has its turn, one in a pass at least and none twice, and nobody waits for an event meanwhile. */
static void test_pieces(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    fixture.a.run = run_long_piece;
    fixture.b.run = run_short_piece;
    loop_defer_piece(&fixture.loop, &fixture.c);
    loop_defer_piece(&fixture.loop, &fixture.a);
    loop_defer_piece(&fixture.loop, &fixture.b);
    loop_defer_piece(&fixture.loop, &fixture.a);
    loop_cancel(&fixture.loop, &fixture.c);
    const char *const passes[] = {"a", "aba", "ababa", "ababab"};
    for (size_t i = 0; i < ARRAY_LENGTH(passes); i++) {
        loop_run_pass(&fixture.loop);
        assert_string_equal(fixture.order, passes[i]);
    }
    loop_cancel(&fixture.loop, &fixture.b);
    loop_defer_piece(&fixture.loop, &fixture.c);
    loop_finish(&fixture.loop);
    assert_string_equal(fixture.order, "abababc");
    loop_free(&fixture.loop);
}

static void run_turn(void *owner)
{
    struct fixture *fixture = owner;
    note(fixture, 'r');
    if (++fixture->fired < 3)
        loop_defer_turn(&fixture->loop, &fixture->c);
}

/* A piece that takes all of a pass, for as many as wait. */
struct long_piece {
    struct fixture *fixture;
    struct loop_task task;
};

static void run_one_of_many(void *owner)
{
    struct long_piece *piece = owner;
    const uint64_t started = clock_ns();
    note(piece->fixture, 'a');
    while (clock_ns() - started <= LOOP_SHARE_NS)
        ;
}

/* However many others wait, a run waits for one piece of theirs; and they for one of runs. */
static void test_runs_and_others_take_turns(void **state)
{
    (void)state;
    struct fixture fixture;
    struct long_piece pieces[5];
    start(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        pieces[i].fixture = &fixture;
        pieces[i].task = (struct loop_task){.run = run_one_of_many, .owner = &pieces[i]};
        loop_defer_piece(&fixture.loop, &pieces[i].task);
    }
    fixture.c.run = run_turn;
    loop_defer_turn(&fixture.loop, &fixture.a);
    loop_defer_turn(&fixture.loop, &fixture.c);
    loop_cancel(&fixture.loop, &fixture.a);
    loop_cancel(&fixture.loop, &pieces[4].task);
    const char *const passes[] = {"ra", "rara", "rarara", "rararaa"};
    for (size_t i = 0; i < ARRAY_LENGTH(passes); i++) {
        loop_run_pass(&fixture.loop);
        assert_string_equal(fixture.order, passes[i]);
    }
    /* Of whom a pass has done one already, the other row is next. */
    fixture.fired = 0;
    memset(fixture.order, 0, sizeof(fixture.order));
    loop_defer_turn(&fixture.loop, &fixture.c);
    loop_defer_turn(&fixture.loop, &pieces[0].task);
    for (size_t i = 1; i < ARRAY_LENGTH(pieces); i++)
        loop_defer_piece(&fixture.loop, &pieces[i].task);
    loop_finish(&fixture.loop);
    assert_string_equal(fixture.order, "raaarara");
    loop_free(&fixture.loop);
}

static void test_turns(void **state)
{
    (void)state;
    struct fixture fixture;
    struct loop_turn turn = {0}, other = {0};
    start(&fixture);
    for (int pass = 0; pass < 3; pass++) {
        for (int i = 0; i < 2; i++)
            assert_true(loop_use_turn(&fixture.loop, &turn, 2));
        assert_false(loop_use_turn(&fixture.loop, &turn, 2));
        assert_true(loop_use_turn(&fixture.loop, &other, 2));
        assert_false(loop_use_turn(&fixture.loop, &other, 0));
        loop_finish(&fixture.loop);
    }
    loop_free(&fixture.loop);
}

static void fire_twice(void *owner)
{
    struct fixture *fixture = owner;
    note(fixture, 't');
    loop_defer(&fixture->loop, &fixture->a);
    if (++fixture->fired == 2)
        loop_stop(&fixture->loop);
    else
        loop_timer_set(&fixture->timer, CLOCK_NS_PER_MS);
}

/* What a callback defers runs in the pass that ends with it, before the next callback of a later pass. */
static void test_timer_and_tasks(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    loop_timer_init(&fixture.timer, &fixture.loop, fire_twice, &fixture);
    uint64_t started = clock_ns();
    loop_timer_set(&fixture.timer, 20 * CLOCK_NS_PER_MS);
    loop_run(&fixture.loop);
    assert_true(clock_ns() - started >= 20 * CLOCK_NS_PER_MS);
    assert_string_equal(fixture.order, "tata");
    loop_timer_free(&fixture.timer);
    loop_timer_free(&fixture.timer);
    loop_free(&fixture.loop);
}

static void stop_loop(void *owner)
{
    loop_stop(owner);
}

static void test_timer_set_again_and_stopped(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    struct loop_timer end;
    loop_timer_init(&fixture.timer, &fixture.loop, run_a, &fixture);
    loop_timer_init(&end, &fixture.loop, stop_loop, &fixture.loop);
    loop_timer_set(&fixture.timer, 3600 * CLOCK_NS_PER_S);
    loop_timer_set(&fixture.timer, CLOCK_NS_PER_MS);
    loop_timer_set(&end, 20 * CLOCK_NS_PER_MS);
    loop_run(&fixture.loop);
    assert_string_equal(fixture.order, "a");
    fixture.loop.stopping = false;
    loop_timer_set(&fixture.timer, CLOCK_NS_PER_MS);
    loop_timer_stop(&fixture.timer);
    loop_timer_set(&end, 20 * CLOCK_NS_PER_MS);
    loop_run(&fixture.loop);
    assert_string_equal(fixture.order, "a");
    loop_timer_free(&fixture.timer);
    loop_timer_free(&end);
    loop_free(&fixture.loop);
}

static void test_precise_timer_set_again_and_stopped(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    struct loop_timer end;
    loop_timer_init_precise(&fixture.timer, &fixture.loop, run_a, &fixture);
    loop_timer_init_precise(&end, &fixture.loop, stop_loop, &fixture.loop);
    loop_timer_set(&fixture.timer, 3600 * CLOCK_NS_PER_S);
    loop_timer_set(&fixture.timer, 0);
    loop_timer_set(&end, 20 * CLOCK_NS_PER_MS);
    uint64_t started = clock_ns();
    loop_run(&fixture.loop);
    assert_true(clock_ns() - started >= 19 * CLOCK_NS_PER_MS);
    assert_string_equal(fixture.order, "a");
    fixture.loop.stopping = false;
    loop_timer_set(&fixture.timer, CLOCK_NS_PER_MS);
    loop_timer_stop(&fixture.timer);
    loop_timer_set(&end, 20 * CLOCK_NS_PER_MS);
    loop_run(&fixture.loop);
    assert_string_equal(fixture.order, "a");
    int descriptor = end.descriptor;
    assert_true(fcntl(descriptor, F_GETFD) & FD_CLOEXEC);
    loop_timer_free(&fixture.timer);
    loop_timer_free(&end);
    loop_timer_free(&end);
    assert_int_equal(fcntl(descriptor, F_GETFD), -1);
    loop_free(&fixture.loop);
}

struct pacer {
    struct loop loop;
    struct loop_timer timer;
    uint64_t set_ns;
    uint64_t least_ns;
    int left;
};

#define PACE_NS 100000

static void pace(void *owner)
{
    struct pacer *pacer = owner;
    uint64_t now = clock_ns();
    uint64_t took = now - pacer->set_ns;
    assert_true(took >= PACE_NS);
    pacer->least_ns = took < pacer->least_ns ? took : pacer->least_ns;
    if (--pacer->left == 0)
        loop_stop(&pacer->loop);
    pacer->set_ns = clock_ns();
    loop_timer_set(&pacer->timer, PACE_NS);
}

struct busy {
    struct loop loop;
    struct loop_task task;
    struct loop_timer timer;
    uint64_t set_ns;
    int left;
};

static void busy_again(void *owner)
{
    struct busy *busy = owner;
    loop_defer_next(&busy->loop, &busy->task);
}

static void busy_fired(void *owner)
{
    struct busy *busy = owner;
    assert_true(clock_ns() - busy->set_ns >= CLOCK_NS_PER_MS);
    if (--busy->left == 0)
        loop_stop(&busy->loop);
    busy->set_ns = clock_ns();
    loop_timer_set(&busy->timer, CLOCK_NS_PER_MS);
}

/* Whatever clock libevent has, and however often the loop looks at it. */
static void test_timer_is_never_early(void **state)
{
    (void)state;
    struct busy busy = {.left = 200};
    loop_init(&busy.loop);
    busy.task = (struct loop_task){.run = busy_again, .owner = &busy};
    loop_timer_init(&busy.timer, &busy.loop, busy_fired, &busy);
    busy_again(&busy);
    busy.set_ns = clock_ns();
    loop_timer_set(&busy.timer, CLOCK_NS_PER_MS);
    loop_run(&busy.loop);
    loop_timer_free(&busy.timer);
    loop_cancel(&busy.loop, &busy.task);
    loop_free(&busy.loop);
}

/* Below the millisecond in which the loop waits, and never too early. */
static void test_precise_timer_is_precise(void **state)
{
    (void)state;
    struct pacer pacer = {.least_ns = UINT64_MAX, .left = 200};
    loop_init(&pacer.loop);
    loop_timer_init_precise(&pacer.timer, &pacer.loop, pace, &pacer);
    pacer.set_ns = clock_ns();
    loop_timer_set(&pacer.timer, PACE_NS);
    loop_run(&pacer.loop);
    assert_true(pacer.least_ns < 9 * PACE_NS);
    loop_timer_free(&pacer.timer);
    loop_free(&pacer.loop);
}

struct rivals {
    struct loop loop;
    struct loop_timer timers[2];
    struct loop_timer end;
    int fired;
    bool set_again;
};

static void beat_the_other(struct rivals *rivals, int other)
{
    rivals->fired++;
    if (rivals->set_again)
        loop_timer_set(&rivals->timers[other], 3600 * CLOCK_NS_PER_S);
    else
        loop_timer_stop(&rivals->timers[other]);
}

static void beat_second(void *owner)
{
    beat_the_other(owner, 1);
}

static void beat_first(void *owner)
{
    beat_the_other(owner, 0);
}

/* Both are due in the same pass: the first to fire takes the other back. */
static void test_due_timer_taken_back(void **state)
{
    (void)state;
    void (*const inits[])(struct loop_timer *, struct loop *, void (*)(void *),
                          void *) = {loop_timer_init, loop_timer_init_precise};
    for (int i = 0; i < 4; i++) {
        struct rivals rivals = {.set_again = i / 2};
        loop_init(&rivals.loop);
        inits[i % 2](&rivals.timers[0], &rivals.loop, beat_second, &rivals);
        inits[i % 2](&rivals.timers[1], &rivals.loop, beat_first, &rivals);
        loop_timer_init(&rivals.end, &rivals.loop, stop_loop, &rivals.loop);
        loop_timer_set(&rivals.timers[0], CLOCK_NS_PER_MS);
        loop_timer_set(&rivals.timers[1], CLOCK_NS_PER_MS);
        loop_timer_set(&rivals.end, 50 * CLOCK_NS_PER_MS);
        usleep(10000);
        loop_run(&rivals.loop);
        assert_int_equal(rivals.fired, 1);
        loop_timer_free(&rivals.timers[0]);
        loop_timer_free(&rivals.timers[1]);
        loop_timer_free(&rivals.end);
        loop_free(&rivals.loop);
    }
}

#define WORK_NS (20 * CLOCK_NS_PER_MS)
#define WAIT_NS (500 * CLOCK_NS_PER_MS)

static void work(void)
{
    uint64_t started = clock_ns();
    while (clock_ns() - started < WORK_NS)
        ;
}

struct worker {
    struct loop loop;
    struct loop_timer timer;
    struct loop_timer end;
    struct loop_task task;
    struct loop_lag early;
    struct loop_lag late;
    uint64_t taken_ns;
};

static void work_and_defer(void *owner)
{
    struct worker *worker = owner;
    work();
    loop_defer(&worker->loop, &worker->task);
    loop_timer_set(&worker->end, WAIT_NS);
}

static void work_deferred(void *owner)
{
    (void)owner;
    work();
}

static void take_and_stop(void *owner)
{
    struct worker *worker = owner;
    worker->taken_ns = loop_take_lag(&worker->early);
    loop_stop(&worker->loop);
}

static void start_worker(struct worker *worker)
{
    *worker = (struct worker){.task = {.run = work_deferred, .owner = worker}};
    loop_init(&worker->loop);
    loop_timer_init_precise(&worker->timer, &worker->loop, work_and_defer, worker);
    loop_timer_init(&worker->end, &worker->loop, take_and_stop, worker);
}

static void end_worker(struct worker *worker)
{
    loop_timer_free(&worker->timer);
    loop_timer_free(&worker->end);
    loop_free(&worker->loop);
}

/* The callback and the task after it count as one pass, the waits before and after it do not, and each
 * watcher has a maximum of its own. */
/* For the longest that was said, but not beyond what is due, and not for long when somebody waits for little.
 */
static void test_rest(void **state)
{
    (void)state;
    static const struct {
        uint64_t said_us[2], due_us[2];
        bool is_hurried[2];
        uint64_t rest_us;
    } rows[] = {
        {{0, 0}, {0, 0}, {false, false}, 0},           {{100, 0}, {0, 0}, {false, false}, 100},
        {{100, 250}, {0, 0}, {false, false}, 250},     {{250, 100}, {0, 0}, {false, false}, 250},
        {{250, 0}, {1000, 2000}, {false, false}, 250}, {{250, 0}, {1000, 200}, {false, false}, 150},
        {{250, 0}, {101, 1000}, {false, false}, 51},   {{250, 0}, {1, 1000}, {false, false}, 50},
        {{30, 0}, {1, 1000}, {false, false}, 30},      {{250, 0}, {0, 0}, {false, true}, 50},
        {{30, 0}, {0, 0}, {true, true}, 30},           {{250, 0}, {400, 0}, {false, true}, 50},
    };
    const uint64_t now_ns = 1000000000;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct loop_lag lags[2] = {0};
        struct loop loop = {.lags = &lags[0], .rested_ns = now_ns};
        lags[0].next = &lags[1];
        for (size_t k = 0; k < 2; k++) {
            loop_gather(&loop, rows[i].said_us[k] * 1000);
            lags[k].due_ns = rows[i].due_us[k] ? now_ns + rows[i].due_us[k] * 1000 : 0;
            lags[k].is_hurried = rows[i].is_hurried[k];
        }
        assert_int_equal(loop_rest_ns(&loop), rows[i].rest_us * 1000);
        lags[1].due_ns = now_ns - 1; /* it should have been done */
        assert_true(loop_rest_ns(&loop) <= 50000);
    }
}

static void test_lag(void **state)
{
    (void)state;
    struct worker worker;
    start_worker(&worker);
    loop_watch_lag(&worker.loop, &worker.early);
    loop_watch_lag(&worker.loop, &worker.late);
    loop_timer_set(&worker.timer, WAIT_NS);
    loop_run(&worker.loop);
    assert_true(worker.taken_ns >= 2 * WORK_NS && worker.taken_ns < WAIT_NS);
    assert_true(loop_take_lag(&worker.late) >= worker.taken_ns);
    assert_int_equal(loop_take_lag(&worker.late), 0);
    assert_true(loop_take_lag(&worker.early) < WAIT_NS); /* of the pass that stopped the loop */
    loop_unwatch_lag(&worker.loop, &worker.early);
    loop_unwatch_lag(&worker.loop, &worker.early);
    loop_watch_lag(&worker.loop, &worker.late);
    worker.loop.stopping = false;
    loop_timer_set(&worker.timer, 0);
    loop_run(&worker.loop);
    assert_int_equal(worker.taken_ns, 0);
    assert_true(loop_take_lag(&worker.late) >= 2 * WORK_NS);
    loop_unwatch_lag(&worker.loop, &worker.late);
    assert_null(worker.loop.lags);
    end_worker(&worker);
}

static void add_absence(struct loop_lag *lag, size_t octave, uint64_t count, uint64_t us_each)
{
    lag->absences[octave].count += count;
    lag->absences[octave].ns += count * us_each * CLOCK_NS_PER_US;
}

static void expect_wait_us_of(const struct loop_lag *lag, double share, double quantile, uint64_t us)
{
    uint64_t wait_ns = loop_lag_wait_ns(lag, CLOCK_NS_PER_S, share, quantile);
    if (wait_ns + 2 * CLOCK_NS_PER_US < us * CLOCK_NS_PER_US ||
        wait_ns > us * CLOCK_NS_PER_US + 2 * CLOCK_NS_PER_US)
        fail_msg("p%g is %lu ns instead of %lu us", 100 * quantile, wait_ns, us);
}

static void expect_wait_us(const struct loop_lag *lag, double quantile, uint64_t us)
{
    expect_wait_us_of(lag, 1, quantile, us);
}

/* Who comes at any time of a second waits for what is left of a pass. */
static void test_waits(void **state)
{
    (void)state;
    struct loop_lag lag = {.most_ns = 0};
    expect_wait_us(&lag, 0.5, 0);
    add_absence(&lag, 6, 1000, 100); /* a tenth of the time */
    expect_wait_us(&lag, 0.5, 0);
    expect_wait_us(&lag, 0.9, 0);
    expect_wait_us(&lag, 0.95, 50);
    expect_wait_us(&lag, 0.99, 90);
    add_absence(&lag, 14, 1, 30000); /* and once for long */
    expect_wait_us(&lag, 0.95, 80);
    expect_wait_us(&lag, 0.98, 10000);
    expect_wait_us(&lag, 0.99, 20000);
    add_absence(&lag, LOOP_LAG_OCTAVES - 1, 1, 500000);
    expect_wait_us(&lag, 0.5, 15000);
    expect_wait_us(&lag, 0.99, 490000);
}

/* One who comes again only when he was served waits once each time. */
static void test_waits_of_few(void **state)
{
    (void)state;
    struct loop_lag lag = {.most_ns = 0};
    add_absence(&lag, 6, 1000, 100); /* a tenth of the time */
    expect_wait_us_of(&lag, 1e-4, 0.95, 50);
    expect_wait_us_of(&lag, 1e-5, 0.95, 0); /* a hundredth of all at most */
    expect_wait_us_of(&lag, 1e-5, 0.995, 95);
    add_absence(&lag, 14, 1, 30000);
    expect_wait_us_of(&lag, 1e-5, 0.995, 95);
    expect_wait_us_of(&lag, 0.01, 0.995, 25000);
}

/* All passes are its business, those that take too long are late as well; what was before it watches is not,
 * and what is left of the pass when it no longer does. */
static void test_lag_sums(void **state)
{
    (void)state;
    static const uint64_t took_ns[] = {LOOP_LATE_NS / 10, LOOP_LATE_NS, 7 * LOOP_LATE_NS};
    struct worker worker;
    uint64_t busy_ns = 0;
    start_worker(&worker);
    loop_watch_lag(&worker.loop, &worker.early);
    for (size_t i = 0; i < ARRAY_LENGTH(took_ns); i++) {
        worker.early.from_ns = worker.early.late_ns = 0;
        worker.loop.pass_ns = clock_ns() - took_ns[i];
        loop_finish(&worker.loop);
        uint64_t most_ns = loop_take_lag(&worker.early);
        busy_ns += most_ns;
        assert_true(most_ns >= took_ns[i]);
        assert_int_equal(worker.early.busy_ns, busy_ns);
        assert_int_equal(worker.early.late_ns, most_ns > LOOP_LATE_NS ? most_ns : 0);
        assert_int_equal(worker.loop.pass_ns, 0);
    }
    uint64_t absent_ns = 0, absences = 0;
    for (size_t i = 0; i < LOOP_LAG_OCTAVES; i++) {
        absences += worker.early.absences[i].count;
        absent_ns += worker.early.absences[i].ns;
    }
    assert_true(absences == ARRAY_LENGTH(took_ns) && absent_ns == busy_ns);
    worker.loop.pass_ns = clock_ns() - 1000 * LOOP_LATE_NS;
    loop_watch_lag(&worker.loop, &worker.late);
    loop_finish(&worker.loop);
    assert_in_range(worker.late.busy_ns, 1, 500 * LOOP_LATE_NS);
    assert_true(worker.early.late_ns >= 1000 * LOOP_LATE_NS);
    worker.late.from_ns = 0;
    worker.loop.pass_ns = clock_ns() - 1000 * LOOP_LATE_NS;
    loop_unwatch_lag(&worker.loop, &worker.late);
    assert_true(worker.late.late_ns >= 1000 * LOOP_LATE_NS);
    loop_unwatch_lag(&worker.loop, &worker.early);
    end_worker(&worker);
}

/* A wait is late from when something was due, or from when it began, if that was later; and once. */
static void test_lag_of_waits(void **state)
{
    (void)state;
    enum { NEVER = 1000 };
    static const struct {
        uint64_t due, rested, from; /* so many times LOOP_LATE_NS ago; NEVER: not at all */
        uint64_t late;              /* from then on */
    } rows[] = {
        {0, 50, 100, 0},    /* in time, or nearly so */
        {20, 50, 100, 20},  /* beyond what was due */
        {20, 5, 100, 5},    /* a long pass was before */
        {20, 50, 5, 5},     /* nobody has watched before */
        {NEVER, 50, 60, 0}, /* nothing was due */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint64_t now_ns = clock_ns();
        struct loop_lag lag = {.late_ns = 7, .from_ns = now_ns - rows[i].from * LOOP_LATE_NS};
        struct loop loop = {.rested_ns = now_ns - rows[i].rested * LOOP_LATE_NS, .lags = &lag};
        lag.due_ns = rows[i].due == NEVER ? 0 : now_ns - rows[i].due * LOOP_LATE_NS;
        loop_enter(&loop);
        uint64_t late_ns = loop.pass_ns - now_ns + rows[i].late * LOOP_LATE_NS;
        assert_int_equal(lag.late_ns - 7, lag.due_ns && late_ns > LOOP_LATE_NS ? late_ns : 0);
        loop_enter(&loop);
        assert_int_equal(lag.late_ns - 7, lag.due_ns && late_ns > LOOP_LATE_NS ? late_ns : 0);
        assert_int_equal(lag.busy_ns + lag.most_ns, 0);
    }
}

static void on_byte(evutil_socket_t descriptor, short events, void *argument)
{
    (void)events;
    struct worker *worker = argument;
    char byte;
    loop_enter(&worker->loop);
    assert_int_equal(read(descriptor, &byte, 1), 1);
    work();
    if (!worker->loop.lags)
        assert_int_equal(worker->loop.pass_ns, 0); /* nobody looks at the clock */
    loop_timer_set(&worker->end, 0);
}

static void test_lag_of_other_callbacks(void **state)
{
    (void)state;
    struct worker worker;
    int ends[2];
    start_worker(&worker);
    assert_int_equal(pipe(ends), 0);
    struct event *event = event_new(worker.loop.base, ends[0], EV_READ | EV_PERSIST, on_byte, &worker);
    assert_int_equal(event_add(event, NULL), 0);
    for (int watched = 0; watched < 2; watched++) {
        if (watched)
            loop_watch_lag(&worker.loop, &worker.early);
        worker.loop.stopping = false;
        assert_int_equal(write(ends[1], "x", 1), 1);
        loop_run(&worker.loop);
        assert_true(watched ? worker.taken_ns >= WORK_NS : worker.taken_ns == 0);
    }
    event_free(event);
    close(ends[0]);
    close(ends[1]);
    end_worker(&worker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tasks_run_in_order_and_once),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_next_pass),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_runs_and_others_take_turns),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_timer_and_tasks),
        cmocka_unit_test(test_timer_set_again_and_stopped),
        cmocka_unit_test(test_precise_timer_set_again_and_stopped),
        cmocka_unit_test(test_timer_is_never_early),
        cmocka_unit_test(test_precise_timer_is_precise),
        cmocka_unit_test(test_due_timer_taken_back),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_lag),
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_waits_of_few),
        cmocka_unit_test(test_lag_sums),
        cmocka_unit_test(test_lag_of_waits),
        cmocka_unit_test(test_lag_of_other_callbacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
