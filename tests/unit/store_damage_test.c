#include <fcntl.h>
#include <sys/stat.h>

#include "store_fixture.h"

/* Two runs on disk, of which one will be damaged, and one that was interrupted. */
static void store_runs(struct fixture *fixture)
{
    open_store(fixture);
    finish(fixture, 1, 10);
    finish(fixture, 2, 20);
    begin(fixture, 3);
    settle(fixture);
    journal(fixture, 3, 30);
    settle(fixture);
    close_store(fixture);
}

static struct buffer read_file(const struct fixture *fixture, const char *name)
{
    struct buffer bytes = {0};
    char *path = path_of(fixture, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    buffer_grow(&bytes, fread(buffer_reserve(&bytes, 4096), 1, 4096, file));
    fclose(file);
    free(path);
    return bytes;
}

static void remove_name(const struct fixture *fixture, const char *name)
{
    char *path = path_of(fixture, name);
    (void)remove(path);
    free(path);
}

/* The run is not there, its file is set aside, and the others are as they were. */
static void expect_set_aside(struct fixture *fixture)
{
    expect_no_run(fixture, 2);
    expect_result(fixture, 1, 10);
    expect_result(fixture, 3, 30);
    expect_files(fixture, "1.json 1.term 2.term.damaged 3.running last_id");
    assert_null(store_problem(fixture->store));
}

/* Opened with these bytes as the file of run 2, and read, however far it takes to see that they are wrong. */
static void expect_damage_seen(struct fixture *fixture, const void *data, size_t size)
{
    remove_name(fixture, "2.term.damaged");
    put_file(fixture, "2.term", data, size);
    put_file(fixture, "2.json", "{\"outcome\":", 11);
    open_store(fixture);
    struct store_entry entry;
    if (store_find(fixture->store, 2, &entry)) {
        read_part(fixture, 2, STORE_TERM);
        assert_string_not_equal(fixture->problem, "");
    }
    expect_set_aside(fixture);
    close_store(fixture);
}

static void test_every_cut(void **state)
{
    struct fixture *fixture = *state;
    log_nothing(fixture);
    store_runs(fixture);
    struct buffer bytes = read_file(fixture, "2.term");
    for (size_t size = 0; size < bytes.size; size++)
        expect_damage_seen(fixture, buffer_bytes(&bytes), size);
    buffer_append(&bytes, "x", 1);
    expect_damage_seen(fixture, buffer_bytes(&bytes), bytes.size);
    buffer_free(&bytes);
}

static void test_every_byte(void **state)
{
    struct fixture *fixture = *state;
    log_nothing(fixture);
    store_runs(fixture);
    struct buffer bytes = read_file(fixture, "2.term");
    for (size_t i = 0; i < bytes.size; i++) {
        buffer_bytes(&bytes)[i] ^= 0x10;
        expect_damage_seen(fixture, buffer_bytes(&bytes), bytes.size);
        buffer_bytes(&bytes)[i] ^= 0x10;
    }
    buffer_free(&bytes);
}

static void test_other_files(void **state)
{
    struct fixture *fixture = *state;
    store_runs(fixture);
    static const char *const names[] = {"1.term", "3.running", "1.json", "last_id"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        struct buffer bytes = read_file(fixture, names[i]);
        expect_damage_seen(fixture, buffer_bytes(&bytes), bytes.size);
        buffer_free(&bytes);
    }
    static const char zeros[4096];
    expect_damage_seen(fixture, zeros, sizeof(zeros));
}

/* A file under the name of another run is seen without reading all of it. */
static void test_of_another_run(void **state)
{
    struct fixture *fixture = *state;
    store_runs(fixture);
    struct buffer bytes = read_file(fixture, "1.term");
    put_file(fixture, "2.term", buffer_bytes(&bytes), bytes.size);
    buffer_free(&bytes);
    open_store(fixture);
    expect_set_aside(fixture);
}

/* What cannot be a file of a run, whatever it has in it, is none of ours, and left alone. */
static void test_no_files(void **state)
{
    struct fixture *fixture = *state;
    char *path = path_of(fixture, "2.term");
    for (int kind = 0; kind < 3; kind++) {
        store_runs(fixture);
        remove_name(fixture, "2.term");
        remove_name(fixture, "2.json");
        if (kind == 0)
            assert_int_equal(mkdir(path, 0700), 0);
        else if (kind == 1)
            assert_int_equal(mkfifo(path, 0600), 0);
        else
            assert_int_equal(symlink("1.term", path), 0);
        open_store(fixture);
        expect_no_run(fixture, 2);
        expect_result(fixture, 1, 10);
        expect_result(fixture, 3, 30);
        expect_files(fixture, "1.json 1.term 2.term 3.running last_id");
        assert_null(store_problem(fixture->store));
        close_store(fixture);
        remove_tree(fixture->folder);
        assert_int_equal(mkdir(fixture->folder, 0700), 0);
    }
    free(path);
}

/* When the result of a run is damaged, what it had before it ended is still there, if it is. */
static void test_result_damaged(void **state)
{
    struct fixture *fixture = *state;
    store_runs(fixture);
    put_file(fixture, "3.term", "cut", 3);
    open_store(fixture);
    expect_run(fixture, 3, STORE_INTERRUPTED, true);
    expect_result(fixture, 3, 30);
    expect_files(fixture, "1.json 1.term 2.json 2.term 3.running 3.term.damaged last_id");
}

/* A file may be damaged, or gone, while the daemon runs. */
static void test_while_running(void **state)
{
    struct fixture *fixture = *state;
    store_runs(fixture);
    open_store(fixture);
    overwrite(fixture, "2.term", 20, "#");
    read_part(fixture, 2, STORE_JSON);
    assert_string_equal(fixture->problem, "its bytes are not what they were");
    expect_set_aside(fixture);
    remove_name(fixture, "1.term");
    read_part(fixture, 1, STORE_TERM);
    assert_string_equal(fixture->problem, "open: No such file or directory");
    expect_result(fixture, 3, 30);
}

/* A missing JSON is made from a result that turns out to be damaged. */
static void test_damaged_without_json(void **state)
{
    struct fixture *fixture = *state;
    store_runs(fixture);
    overwrite(fixture, "2.term", -61, "#");
    remove_name(fixture, "2.json");
    open_store(fixture);
    while (!has_file(fixture, "2.term.damaged"))
        pass(fixture);
    settle(fixture);
    expect_set_aside(fixture);
}

/* The newest are kept, as many as there may be, and none that takes room from results. */
static void test_damaged_are_few(void **state)
{
    struct fixture *fixture = *state;
    store_runs(fixture);
    for (int i = 1; i <= 3 * STORE_DAMAGED_MOST; i++) {
        char name[32];
        snprintf(name, sizeof(name), "%d.term", 1000 + i);
        put_file(fixture, name, "damaged", 7);
    }
    open_store(fixture);
    settle_tending(fixture);
    assert_int_equal(count_files(fixture, ".damaged"), STORE_DAMAGED_MOST);
    assert_int_equal(store_last_id(fixture->store), 1000 + 3 * STORE_DAMAGED_MOST);
    reopen_store(fixture);
    assert_int_equal(store_last_id(fixture->store), 1000 + 3 * STORE_DAMAGED_MOST);
    settle_tending(fixture);
    assert_int_equal(count_files(fixture, ".damaged"), STORE_DAMAGED_MOST);
    fixture->options.limits.bytes = 450; /* the three runs have some 400 */
    reopen_store(fixture);
    settle_tending(fixture);
    expect_result(fixture, 1, 10);
    expect_result(fixture, 2, 20);
    assert_int_equal(count_files(fixture, ".term"), 2);
    assert_true(count_files(fixture, ".damaged") < STORE_DAMAGED_MOST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_every_cut),       TEST(test_every_byte),
        TEST(test_other_files),     TEST(test_of_another_run),
        TEST(test_no_files),        TEST(test_result_damaged),
        TEST(test_while_running),   TEST(test_damaged_without_json),
        TEST(test_damaged_are_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
