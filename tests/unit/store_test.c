#include "store/store.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "store_file_private.h"
#include "store_fixture.h"

static void test_finish_and_read(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    assert_null(store_problem(fixture->store));
    assert_int_equal(store_last_id(fixture->store), 0);
    begin(fixture, 7);
    assert_int_equal(fixture->told_count, 0); /* never from within */
    expect_told(fixture, 7, STORE_RUNNING, true);
    expect_files(fixture, "7.running last_id");
    finish(fixture, 7, 10);
    assert_int_equal(fixture->told_count, 1);
    expect_told(fixture, 7, STORE_FINISHED, true);
    expect_files(fixture, "7.json 7.term last_id");
    expect_run(fixture, 7, STORE_FINISHED, true);
    expect_result(fixture, 7, 10);
    expect_json(fixture, 7,
                "{\"outcome\":null,\"run_id\":7,\"reason\":null,\"state\":\"finished\",\"summary\":{\"name\":"
                "\"run 7\"},\"report\":[\"ok\",10]}\n");
    reopen_store(fixture);
    assert_int_equal(store_last_id(fixture->store), 7);
    expect_run(fixture, 7, STORE_FINISHED, true);
    expect_result(fixture, 7, 10);
    assert_int_equal(count_logged(fixture, "store opened"), 2);
}

/* The file of JSON is what reading it as JSON gives, without what is told beside it. */
static void test_json_file(void **state)
{
    struct fixture *fixture = *state;
    char text[512] = "", path[128];
    open_store(fixture);
    finish(fixture, 7, 10);
    expect_told(fixture, 7, STORE_FINISHED, true);
    expect_json(fixture, 7,
                "{\"outcome\":null,\"run_id\":7,\"reason\":null,\"state\":\"finished\",\"summary\":{\"name\":"
                "\"run 7\"},\"report\":[\"ok\",10]}\n");
    snprintf(path, sizeof(path), "%s/runs/7.json", fixture->folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof(text), file);
    fclose(file);
    text[size] = '\0';
    assert_string_equal(text, "{\"outcome\":null,\"run_id\":7,\"reason\":null,\"report\":[\"ok\",10]}\n");
}

static void test_interrupted(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    begin(fixture, 7);
    begin(fixture, 8);
    journal(fixture, 8, 1);
    journal(fixture, 8, 2);
    journal(fixture, 8, 3);
    reopen_store(fixture);
    expect_files(fixture, "7.running 8.running last_id");
    expect_run(fixture, 7, STORE_INTERRUPTED, true);
    expect_run(fixture, 8, STORE_INTERRUPTED, true);
    expect_nothing(fixture, 7);
    expect_result(fixture, 8, 3);
    expect_json(fixture, 8,
                "{\"outcome\":null,\"run_id\":8,\"reason\":null,\"state\":\"interrupted\",\"summary\":{"
                "\"name\":\"run 8\"},\"report\":[\"ok\",3]}\n");
    assert_true(store_delete(fixture->store, 7));
    reopen_store(fixture);
    expect_files(fixture, "8.running last_id");
    assert_int_equal(store_last_id(fixture->store), 8);
}

/* A run that is under way is nobody's to read or delete. */
static void test_running(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    begin(fixture, 7);
    expect_told(fixture, 7, STORE_RUNNING, true);
    expect_run(fixture, 7, STORE_RUNNING, true);
    assert_null(store_read(fixture->store, 7, STORE_TERM, on_read, fixture));
    assert_false(store_delete(fixture->store, 7));
    assert_null(store_read(fixture->store, 8, STORE_TERM, on_read, fixture));
    assert_false(store_delete(fixture->store, 8));
    expect_no_run(fixture, 8);
}

/* What was begun and finished before anything was written is told in its order. */
static void test_at_once(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    begin(fixture, 7);
    journal(fixture, 7, 1);
    finish(fixture, 7, 2);
    expect_told(fixture, 7, STORE_RUNNING, true);
    expect_told(fixture, 7, STORE_FINISHED, true);
    expect_files(fixture, "7.json 7.term last_id");
    expect_result(fixture, 7, 2);
}

static void expect_ids(const struct fixture *fixture, const char *expected)
{
    char ids[256] = "";
    struct store_entry entry = {.id = UINT64_MAX};
    while (store_find_before(fixture->store, entry.id, &entry))
        snprintf(ids + strlen(ids), 32, "%" PRIu64 " ", entry.id);
    assert_string_equal(ids, expected);
}

static void test_newest_first(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    static const uint64_t order[] = {5, 900, 12, 70, 1};
    for (size_t i = 0; i < ARRAY_LENGTH(order); i++)
        finish(fixture, order[i], order[i]);
    expect_ids(fixture, "900 70 12 5 1 ");
    reopen_store(fixture);
    expect_ids(fixture, "900 70 12 5 1 ");
}

static mode_t mode_of(const struct fixture *fixture, const char *name)
{
    char path[160];
    struct stat status;
    snprintf(path, sizeof(path), "%s/%s", fixture->folder, name);
    assert_int_equal(stat(path, &status), 0);
    return status.st_mode & 07777;
}

/* A folder that is made, and what is in it, is for its owner alone, whatever the mask says. */
static void test_modes(void **state)
{
    struct fixture *fixture = *state;
    char *inner = memory_format("%s/inner", fixture->folder);
    mode_t mask = umask(0);
    fixture->options.folder = inner;
    open_store(fixture);
    begin(fixture, 7);
    finish(fixture, 8, 1);
    settle(fixture);
    umask(mask);
    assert_int_equal(mode_of(fixture, "inner"), 0700);
    assert_int_equal(mode_of(fixture, "inner/runs"), 0700);
    static const char *const names[] = {"7.running", "8.term", "8.json", "last_id"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char name[64];
        snprintf(name, sizeof(name), "inner/runs/%s", names[i]);
        assert_int_equal(mode_of(fixture, name), 0600);
    }
    close_store(fixture);
    free(inner);
}

/* Two daemons do not share a folder; the second one keeps its runs in memory and touches nothing. */
static void test_lock(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    begin(fixture, 7);
    expect_told(fixture, 7, STORE_RUNNING, true);
    struct store *first = fixture->store;
    open_store(fixture);
    assert_string_equal(store_problem(fixture->store), "another daemon uses it, which is waited for");
    assert_int_equal(count_logged(fixture, "another daemon uses it"), 1);
    expect_no_run(fixture, 7);
    finish(fixture, 9, 1);
    expect_told(fixture, 9, STORE_FINISHED, false);
    expect_result(fixture, 9, 1);
    close_store(fixture);
    fixture->store = first;
    expect_files(fixture, "7.running last_id");
    reopen_store(fixture); /* the lock goes with its daemon */
    assert_null(store_problem(fixture->store));
}

static void test_unusable_folder(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.folder = "/dev/null/store";
    open_store(fixture);
    assert_string_equal(store_problem(fixture->store), "cannot make it: Not a directory");
    begin(fixture, 7);
    expect_told(fixture, 7, STORE_RUNNING, false);
    journal(fixture, 7, 1);
    finish(fixture, 7, 2);
    expect_told(fixture, 7, STORE_FINISHED, false);
    expect_run(fixture, 7, STORE_FINISHED, false);
    expect_result(fixture, 7, 2);
    assert_true(store_delete(fixture->store, 7));
    expect_no_run(fixture, 7);
    assert_int_equal(count_logged(fixture, "cannot store runs"), 1);
    assert_string_equal(store_problem(fixture->store), "cannot make it: Not a directory");
}

static void await_folder(struct fixture *fixture)
{
    while (store_problem(fixture->store))
        pass(fixture);
    settle(fixture);
}

/* A folder that comes late takes all that there is by then. */
static void test_late_folder(void **state)
{
    struct fixture *fixture = *state;
    char *above = memory_format("%s/runs", fixture->folder);
    char *inner = memory_format("%s/mount/state", fixture->folder);
    char *mount = memory_format("%s/mount", fixture->folder);
    fixture->options.folder = inner;
    open_store(fixture);
    assert_string_equal(store_problem(fixture->store), "cannot make it: No such file or directory");
    begin(fixture, 1);
    begin(fixture, 2);
    finish(fixture, 2, 20);
    expect_told_last(fixture, 2, STORE_FINISHED, false);
    assert_int_equal(mkdir(mount, 0700), 0);
    char *files = memory_format("%s/runs", inner);
    await_folder(fixture);
    assert_int_equal(symlink(files, above), 0); /* where expect_files() looks */
    expect_files(fixture, "1.running 2.json 2.term last_id");
    expect_run(fixture, 1, STORE_RUNNING, true);
    expect_run(fixture, 2, STORE_FINISHED, true);
    assert_int_equal(count_logged(fixture, "cannot store runs"), 1);
    assert_int_equal(count_logged(fixture, "storing runs again"), 1);
    finish(fixture, 1, 10);
    reopen_store(fixture);
    expect_result(fixture, 1, 10);
    expect_result(fixture, 2, 20);
    close_store(fixture);
    assert_int_equal(unlink(above), 0);
    free(files);
    free(mount);
    free(inner);
    free(above);
}

/* So does one that another daemon has had: its runs are known then, ids go on from its own, and what has the
 * id of one of ours is set aside. */
static void test_folder_of_another(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    begin(fixture, 7);
    finish(fixture, 8, 80);
    finish(fixture, 90, 900);
    settle(fixture);
    struct store *other = fixture->store;
    open_store(fixture);
    assert_string_equal(store_problem(fixture->store), "another daemon uses it, which is waited for");
    finish(fixture, 8, 81);
    begin(fixture, 9);
    assert_int_equal(store_last_id(fixture->store), 9);
    store_close(other);
    await_folder(fixture);
    assert_int_equal(store_last_id(fixture->store), 90);
    expect_run(fixture, 7, STORE_INTERRUPTED, true);
    expect_run(fixture, 8, STORE_FINISHED, true);
    expect_run(fixture, 9, STORE_RUNNING, true);
    expect_result(fixture, 8, 81);
    expect_result(fixture, 90, 900);
    expect_files(fixture, "7.running 8.json 8.term 8.term.damaged 9.running 90.json 90.term last_id");
    expect_json(fixture, 8,
                "{\"outcome\":null,\"run_id\":8,\"reason\":null,\"state\":\"finished\",\"summary\":{\"name\":"
                "\"run 8\"},\"report\":[\"ok\",81]}\n");
    assert_int_equal(count_logged(fixture, "another run has its id"), 1);
}

/* Without a folder there is nothing wrong: results are in memory, the latest of them. */
static void test_in_memory(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.folder = NULL;
    fixture->options.limits.memory_bytes = 2500;
    open_store(fixture);
    for (uint64_t id = 1; id <= 4; id++) {
        begin(fixture, id);
        expect_told(fixture, id, STORE_RUNNING, false);
        finish_large(fixture, id, 10 * id, 1000);
        expect_told(fixture, id, STORE_FINISHED, false);
    }
    assert_null(store_problem(fixture->store));
    expect_no_run(fixture, 1);
    expect_no_run(fixture, 2);
    expect_result(fixture, 3, 30);
    expect_result(fixture, 4, 40);
    finish_large(fixture, 5, 50, 10000); /* alone more than the limit, and kept */
    expect_told(fixture, 5, STORE_FINISHED, false);
    expect_no_run(fixture, 4);
    expect_result(fixture, 5, 50);
    assert_int_equal(store_last_id(fixture->store), 5);
    assert_int_equal(count_logged(fixture, "error"), 0);
    assert_int_equal(count_logged(fixture, "run removed"), 4);
}

static void test_large_summary(void **state)
{
    struct fixture *fixture = *state;
    struct term_builder builder = {0};
    struct store_entry entry;
    char *text = calloc(1, STORE_SUMMARY_BYTES_MOST);
    assert_non_null(text);
    open_store(fixture);
    term_build_map(&builder, 1);
    term_build_key(&builder, "name");
    term_build_binary(&builder, text, STORE_SUMMARY_BYTES_MOST);
    store_begin(fixture->store, 7, term_built(&builder));
    assert_true(store_find(fixture->store, 7, &entry));
    struct term_pairs pairs;
    assert_true(term_pairs_start(&pairs, entry.summary) && pairs.count == 0);
    assert_int_equal(count_logged(fixture, "summary is too large"), 1);
    expect_told(fixture, 7, STORE_RUNNING, true);
    term_build_free(&builder);
    free(text);
}

/* --- Ids --- */

/* No id is given twice, whatever the clock says: not that of a run that was deleted, nor when its file is
 * damaged or has gone. */
static void test_last_id(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    finish(fixture, 100, 1);
    finish(fixture, 200, 1);
    settle(fixture);
    assert_true(store_delete(fixture->store, 200));
    assert_int_equal(store_last_id(fixture->store), 200);
    reopen_store(fixture);
    assert_int_equal(store_last_id(fixture->store), 200);
    finish(fixture, 150, 1); /* lower: nothing changes */
    assert_int_equal(store_last_id(fixture->store), 200);
    settle(fixture);
    assert_true(store_delete(fixture->store, 100) && store_delete(fixture->store, 150));
    reopen_store(fixture);
    expect_files(fixture, "last_id");
    assert_int_equal(store_last_id(fixture->store), 200);
    begin(fixture, 300);
    settle(fixture);
    close_store(fixture);
    overwrite(fixture, "300.running", 0, "xxxx");
    open_store(fixture);
    expect_files(fixture, "300.running.damaged last_id");
    reopen_store(fixture);
    assert_int_equal(store_last_id(fixture->store), 300);
}

static void test_damaged_last_id(void **state)
{
    struct fixture *fixture = *state;
    static const char *const texts[] = {"",
                                        "\n",
                                        "12",
                                        "-1\n",
                                        " 1\n",
                                        "12x\n",
                                        "99999999999999999999999\n",
                                        "1\n2\n",
                                        "\xff\xff",
                                        "18446744073709551615\n",
                                        "4611686018427387904\n"};
    open_store(fixture);
    finish(fixture, 40, 1);
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        settle(fixture);
        close_store(fixture);
        put_file(fixture, "last_id", texts[i], strlen(texts[i]));
        open_store(fixture);
        assert_int_equal(store_last_id(fixture->store), 40);
        expect_files(fixture, "40.json 40.term last_id last_id.damaged");
    }
}

/* --- Retention --- */

static void test_retention_count(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.limits.count = 3;
    open_store(fixture);
    begin(fixture, 1); /* the oldest, and under way */
    for (uint64_t id = 2; id <= 7; id++) {
        finish(fixture, id, id);
        settle(fixture);
    }
    expect_files(fixture, "1.running 5.json 5.term 6.json 6.term 7.json 7.term last_id");
    assert_int_equal(count_logged(fixture, "run removed"), 3);
    fixture->options.limits.count = 2;
    store_set_limits(fixture->store, &fixture->options.limits);
    while (count_logged(fixture, "run removed") < 4)
        pass(fixture);
    expect_files(fixture, "1.running 6.json 6.term 7.json 7.term last_id");
    fixture->options.limits.count = 1;
    reopen_store(fixture); /* 1 is interrupted now, and as old as any */
    while (count_logged(fixture, "run removed") < 6)
        pass(fixture);
    expect_files(fixture, "7.json 7.term last_id");
}

/* More runs end at once than are to be kept: each is told of before it goes. */
static void end_at_once(struct fixture *fixture)
{
    enum { MANY = 12 };
    log_nothing(fixture);
    for (uint64_t id = 1; id <= MANY; id++)
        begin(fixture, id);
    for (uint64_t id = MANY; id; id--)
        finish_large(fixture, id, id, 2000);
    size_t told = 0;
    while (told < MANY) {
        while (fixture->told_seen == fixture->told_count)
            run_loop(fixture);
        told += fixture->told[fixture->told_seen++].state == STORE_FINISHED;
    }
    settle(fixture);
}

static void test_retention_at_once(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.limits.count = 2;
    open_store(fixture);
    end_at_once(fixture);
    expect_files(fixture, "1.json 1.term 2.json 2.term last_id"); /* those that ended last */
}

static void test_retention_bytes_at_once(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.limits.bytes = 10000; /* two, with their JSON */
    open_store(fixture);
    end_at_once(fixture);
    expect_files(fixture, "1.json 1.term 2.json 2.term last_id");
}

static void test_retention_in_memory_at_once(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.folder = NULL;
    fixture->options.limits.count = 2;
    open_store(fixture);
    end_at_once(fixture);
    expect_result(fixture, 1, 1);
    expect_result(fixture, 2, 2);
    for (uint64_t id = 3; id <= 12; id++)
        expect_no_run(fixture, id);
}

/* What counts is when runs ended: one that took long is not the oldest because it was begun first. */
static void test_retention_late(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.limits.count = 2;
    open_store(fixture);
    begin(fixture, 1);
    settle(fixture);
    for (uint64_t id = 2; id <= 4; id++) {
        finish(fixture, id, id);
        settle(fixture);
    }
    expect_files(fixture, "1.running 3.json 3.term 4.json 4.term last_id");
    finish(fixture, 1, 1);
    settle(fixture);
    expect_files(fixture, "1.json 1.term 4.json 4.term last_id");
}

static void test_retention_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct store_entry entry;
    fixture->options.limits.bytes = 10000;
    open_store(fixture);
    for (uint64_t id = 1; id <= 5; id++) { /* each about twice 2000, its JSON included */
        finish_large(fixture, id, id, 2000);
        settle(fixture);
    }
    expect_files(fixture, "4.json 4.term 5.json 5.term last_id");
    assert_true(store_find(fixture->store, 5, &entry));
    assert_true(entry.bytes > 4000 && entry.bytes < 5000);
    uint64_t bytes = entry.bytes;
    reopen_store(fixture); /* what was counted is what is found */
    settle(fixture);
    assert_true(store_find(fixture->store, 5, &entry));
    assert_int_equal(entry.bytes, bytes);
    finish_large(fixture, 6, 6, 20000); /* the last one stays */
    expect_told_last(fixture, 6, STORE_FINISHED, true);
    expect_files(fixture, "6.json 6.term last_id");
}

/* Much less is to be kept than before: it goes bit by bit, the oldest first. */
static void test_retention_of_many(void **state)
{
    struct fixture *fixture = *state;
    enum { MANY = 200 };
    struct store_entry entry;
    log_nothing(fixture);
    fixture->options.written = NULL;
    open_store(fixture);
    for (uint64_t id = 1; id <= MANY; id++)
        finish(fixture, id, id);
    settle(fixture);
    fixture->options.limits.count = 1;
    store_set_limits(fixture->store, &fixture->options.limits);
    pass(fixture);
    assert_true(store_find(fixture->store, MANY / 2, &entry));
    while (store_find(fixture->store, MANY - 1, &entry))
        pass(fixture);
    expect_files(fixture, "200.json 200.term last_id");
}

/* Writes the file of a run that ended some time ago. */
static void put_run(struct fixture *fixture, uint64_t id, enum store_state state, uint64_t ended_at_ms)
{
    struct term_builder builder = {0};
    struct buffer bytes = {0};
    struct blob *result = build_result(id, 0);
    struct store_file file = {.id = id,
                              .state = state,
                              .ended_at_ms = ended_at_ms,
                              .summary = build_summary(&builder, id),
                              .content = {result->data, result->size}};
    char name[64];
    store_file_write_head(&file, &bytes);
    buffer_append(&bytes, result->data, result->size);
    store_file_write_trailer(&file, &bytes);
    snprintf(name, sizeof(name), "%" PRIu64 "%s", id, state == STORE_FINISHED ? ".term" : ".running");
    put_file(fixture, name, buffer_bytes(&bytes), bytes.size);
    buffer_free(&bytes);
    blob_release(result);
    term_build_free(&builder);
}

/* Clocks that go on when they are told to. */
static struct {
    uint64_t ns;
    uint64_t wall_us;
} test_clock;

static uint64_t test_ns(void)
{
    return test_clock.ns;
}

static uint64_t test_wall_us(void)
{
    return test_clock.wall_us;
}

static void set_clock(struct fixture *fixture, uint64_t wall_ms)
{
    static const struct store_clock clock = {.ns = test_ns, .wall_us = test_wall_us};
    test_clock.ns = clock_ns();
    test_clock.wall_us = wall_ms * 1000;
    fixture->options.clock = &clock;
}

static void go_on(uint64_t seconds)
{
    test_clock.ns += seconds * CLOCK_NS_PER_S;
    test_clock.wall_us += seconds * 1000000;
}

static void jump(int64_t wall_ms)
{
    test_clock.wall_us += (uint64_t)wall_ms * 1000;
}

static void test_retention_age(void **state)
{
    struct fixture *fixture = *state;
    const uint64_t now = clock_wall_us() / 1000, hour = 3600 * 1000;
    fixture->options.limits.seconds = 3600;
    open_store(fixture);
    close_store(fixture);
    put_run(fixture, 1, STORE_FINISHED, now - 2 * hour);
    put_run(fixture, 2, STORE_FINISHED, now - hour / 2);
    put_run(fixture, 3, STORE_RUNNING, now - 2 * hour);
    put_run(fixture, 4, STORE_FINISHED, now + 5 * hour); /* the clock was set back since */
    set_clock(fixture, now);
    open_store(fixture);
    settle_tending(fixture);
    go_on(STORE_STEADY_SECONDS - 1);
    settle_tending(fixture);
    expect_run(fixture, 1, STORE_FINISHED, true);
    expect_run(fixture, 3, STORE_INTERRUPTED, true);
    go_on(1);
    settle_tending(fixture);
    expect_no_run(fixture, 1);
    expect_no_run(fixture, 2); /* it has become too old by now */
    expect_no_run(fixture, 3);
    expect_run(fixture, 4, STORE_FINISHED, true);
}

/* A clock that is ahead makes no run old, neither at the start nor later, and nor does one that is set right
 * before an hour is over. */
static void test_retention_age_with_wrong_clock(void **state)
{
    struct fixture *fixture = *state;
    const uint64_t now = clock_wall_us() / 1000, hour = 3600 * 1000, ahead = 91 * 24 * hour;
    fixture->options.limits.seconds = 90 * 24 * 3600;
    open_store(fixture);
    close_store(fixture);
    put_run(fixture, 1, STORE_FINISHED, now);
    set_clock(fixture, now + ahead);
    open_store(fixture);
    finish(fixture, 2, 2);
    settle_tending(fixture);
    go_on(STORE_STEADY_SECONDS - 1);
    settle_tending(fixture);
    jump(-(int64_t)ahead);
    settle_tending(fixture);
    expect_run(fixture, 1, STORE_FINISHED, true);
    for (int i = 0; i < 10; i++) { /* steady for hours, then ahead, and back before an hour is over */
        go_on(STORE_STEADY_SECONDS);
        settle_tending(fixture);
        jump((int64_t)ahead);
        settle_tending(fixture);
        go_on(STORE_STEADY_SECONDS - 1);
        settle_tending(fixture);
        jump(-(int64_t)ahead);
        settle_tending(fixture);
    }
    expect_run(fixture, 1, STORE_FINISHED, true);
    expect_run(fixture, 2, STORE_FINISHED, true);
    jump((int64_t)ahead); /* once it stays there it is that late */
    settle_tending(fixture);
    go_on(STORE_STEADY_SECONDS);
    settle_tending(fixture);
    expect_no_run(fixture, 1);
    expect_run(fixture, 2, STORE_FINISHED, true); /* it ended when the clock was ahead */
}

/* --- What a killed daemon has left --- */

static void test_left_over(void **state)
{
    struct fixture *fixture = *state;
    const uint64_t now = clock_wall_us() / 1000;
    open_store(fixture);
    close_store(fixture);
    put_run(fixture, 1, STORE_FINISHED, now); /* killed before its JSON was written */
    put_run(fixture, 2, STORE_FINISHED, now);
    put_run(fixture, 2, STORE_RUNNING, now); /* killed before this was removed */
    put_file(fixture, "2.json", "{\"outcome\":", 11);
    put_file(fixture, "3.json", "{\"outcome\":", 11); /* killed while it was removed */
    put_file(fixture, "4.term.tmp", "cut", 3);        /* killed while it was written */
    put_file(fixture, "notes.txt", "mine", 4);        /* none of ours */
    put_file(fixture, "05.term", "mine", 4);
    open_store(fixture);
    while (store_busy(fixture->store) || !has_file(fixture, "1.json"))
        pass(fixture);
    expect_files(fixture, "05.term 1.json 1.term 2.json 2.term last_id notes.txt");
    expect_result(fixture, 1, 1);
    expect_result(fixture, 2, 2);
    expect_no_run(fixture, 3);
    expect_no_run(fixture, 4);
}

/* store_damage_test.c has all that can be wrong with a file; here is that somebody is told. */
static void test_damaged_is_logged(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    finish(fixture, 1, 1);
    finish(fixture, 2, 1);
    settle(fixture);
    close_store(fixture);
    put_file(fixture, "1.term", "cut", 3);
    open_store(fixture);
    assert_int_equal(count_logged(fixture, "damaged file file=1.term reason=\"it is cut, or none of ours\""),
                     1);
    overwrite(fixture, "2.term", 20, "#");
    read_part(fixture, 2, STORE_TERM);
    assert_int_equal(
        count_logged(fixture, "damaged file file=2.term reason=\"its bytes are not what they were\""), 1);
}

/* --- Reading --- */

static void test_read_cancelled(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    finish(fixture, 7, 1);
    struct store_read *read = store_read(fixture->store, 7, STORE_TERM, on_read, fixture);
    assert_non_null(read);
    store_read_cancel(read);
    settle(fixture);
    assert_false(fixture->answered);
    assert_non_null(store_read(fixture->store, 7, STORE_JSON, on_read, fixture));
    close_store(fixture); /* calls nobody back */
    assert_false(fixture->answered);
}

/* What was asked for before a run was deleted is still read. */
static void test_read_then_deleted(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    finish(fixture, 7, 1);
    settle(fixture);
    assert_non_null(store_read(fixture->store, 7, STORE_TERM, on_read, fixture));
    assert_true(store_delete(fixture->store, 7));
    assert_null(store_read(fixture->store, 7, STORE_TERM, on_read, fixture));
    settle(fixture);
    assert_true(fixture->answered);
    assert_string_equal(fixture->problem, "");
    expect_files(fixture, "last_id");
}

/* While it is being written a result is read from memory. */
static void test_read_unwritten(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    finish_large(fixture, 7, 1, 100000);
    expect_result(fixture, 7, 1);
    assert_true(store_delete(fixture->store, 7)); /* and deleted all the same */
    expect_files(fixture, "last_id");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_finish_and_read),
        TEST(test_json_file),
        TEST(test_interrupted),
        TEST(test_running),
        TEST(test_at_once),
        TEST(test_newest_first),
        TEST(test_modes),
        TEST(test_lock),
        TEST(test_unusable_folder),
        TEST(test_late_folder),
        TEST(test_folder_of_another),
        TEST(test_in_memory),
        TEST(test_large_summary),
        TEST(test_last_id),
        TEST(test_damaged_last_id),
        TEST(test_retention_count),
        TEST(test_retention_at_once),
        TEST(test_retention_bytes_at_once),
        TEST(test_retention_in_memory_at_once),
        TEST(test_retention_late),
        TEST(test_retention_bytes),
        TEST(test_retention_of_many),
        TEST(test_retention_age),
        TEST(test_retention_age_with_wrong_clock),
        TEST(test_left_over),
        TEST(test_damaged_is_logged),
        TEST(test_read_cancelled),
        TEST(test_read_then_deleted),
        TEST(test_read_unwritten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
