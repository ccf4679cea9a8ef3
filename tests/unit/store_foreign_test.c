#include <sys/stat.h>

#include "store_fixture.h"
#include "store_private.h"

/* Ids go on from `id` on, and what has them is there at the next start. */
static void expect_ids_go_on(struct fixture *fixture)
{
    for (int start = 0; start < 3; start++) {
        uint64_t id = store_last_id(fixture->store) + 1;
        expect_no_run(fixture, id);
        finish(fixture, id, 7);
        expect_told_last(fixture, id, STORE_FINISHED, true);
        reopen_store(fixture);
        expect_result(fixture, id, 7);
        assert_int_equal(store_last_id(fixture->store), id);
    }
}

static void test_names_of_the_highest_ids(void **state)
{
    struct fixture *fixture = *state;
    static const char *const suffixes[] = {".term",         ".running",  ".json",
                                           ".term.damaged", ".term.tmp", ".json.damaged"};
    open_store(fixture);
    finish(fixture, 5, 50);
    settle(fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
        close_store(fixture);
        char name[STORE_NAME_BYTES];
        snprintf(name, sizeof(name), "%llu%s", (unsigned long long)STORE_ID_MOST, suffixes[i]);
        put_file(fixture, name, "somebody's", 10);
        open_store(fixture);
        expect_result(fixture, 5, 50);
        assert_true(has_file(fixture, name));
        assert_int_equal(store_last_id(fixture->store), 5 + 3 * i);
        expect_ids_go_on(fixture);
    }
    assert_true(count_logged(fixture, "foreign file in the state folder") > 0);
}

/* A name that might have been given is not given again. */
static void test_a_name_that_may_have_been_given(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    close_store(fixture);
    char *path = path_of(fixture, "4000000000000000.term");
    assert_int_equal(mkdir(path, 0700), 0);
    free(path);
    open_store(fixture);
    assert_int_equal(store_last_id(fixture->store), 4000000000000000);
    expect_ids_go_on(fixture);
    assert_true(has_file(fixture, "4000000000000000.term"));
}

/* Another user's file is no run of ours, though it reads as one. */
static void test_a_run_of_another_user(void **state)
{
    struct fixture *fixture = *state;
    const uid_t ours = 65533, others = 65532;
    if (geteuid())
        skip(); /* nobody else can give files away */
    open_store(fixture);
    finish(fixture, 5, 50);
    finish(fixture, 6, 60);
    settle(fixture);
    close_store(fixture);
    static const char *const names[] = {"5.term", "6.term", "6.json"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char *path = path_of(fixture, names[i]);
        assert_int_equal(chown(path, i ? others : ours, (gid_t)-1), 0);
        assert_int_equal(chmod(path, 0644), 0);
        free(path);
    }
    char *runs = memory_format("%s/runs", fixture->folder);
    assert_int_equal(chown(runs, ours, (gid_t)-1), 0);
    assert_int_equal(chown(fixture->folder, ours, (gid_t)-1), 0);
    free(runs);
    assert_int_equal(seteuid(ours), 0);
    open_store(fixture);
    expect_result(fixture, 5, 50);
    expect_no_run(fixture, 6);
    assert_int_equal(store_last_id(fixture->store), 6);
    close_store(fixture);
    assert_int_equal(seteuid(0), 0);
    assert_true(has_file(fixture, "6.term"));
    assert_true(has_file(fixture, "6.json"));
}

static void test_numbers_that_were_saved(void **state)
{
    struct fixture *fixture = *state;
    static const uint64_t numbers[] = {STORE_ID_MOST / 2, STORE_ID_MOST / 2 + 1, STORE_ID_MOST, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        char text[32];
        open_store(fixture);
        close_store(fixture);
        int size = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)numbers[i]);
        put_file(fixture, "last_id", text, (size_t)size);
        open_store(fixture);
        assert_int_equal(store_last_id(fixture->store), i ? 0 : numbers[i]);
        assert_int_equal(has_file(fixture, "last_id.damaged"), i > 0);
        if (i)
            expect_ids_go_on(fixture);
        close_store(fixture);
        remove_tree(fixture->folder);
        assert_int_equal(mkdir(fixture->folder, 0700), 0);
    }
}

static void test_files_of_others_stay(void **state)
{
    struct fixture *fixture = *state;
    open_store(fixture);
    close_store(fixture);
    put_file(fixture, "notes.tmp", "mine", 4);
    put_file(fixture, "7.json", "[1, 2]", 6);
    for (int i = 0; i < STORE_DAMAGED_MOST + 5; i++) {
        char name[32];
        snprintf(name, sizeof(name), "my%d.damaged", i);
        put_file(fixture, name, "mine", 4);
    }
    open_store(fixture);
    settle_tending(fixture);
    assert_int_equal(count_files(fixture, ".damaged"), STORE_DAMAGED_MOST + 5);
    assert_true(has_file(fixture, "notes.tmp"));
    assert_true(has_file(fixture, "7.json"));
}

static void expect_refused(struct fixture *fixture, const char *reason)
{
    char *refusal = store_refusal(fixture->folder);
    assert_non_null(refusal);
    assert_non_null(strstr(refusal, reason));
    free(refusal);
    open_store(fixture);
    assert_non_null(store_problem(fixture->store));
    close_store(fixture);
}

static void expect_taken(struct fixture *fixture)
{
    assert_null(store_refusal(fixture->folder));
    open_store(fixture);
    assert_null(store_problem(fixture->store));
    close_store(fixture);
}

static void test_folders_that_others_can_change(void **state)
{
    struct fixture *fixture = *state;
    char *runs = memory_format("%s/runs", fixture->folder);
    struct stat status;
    expect_taken(fixture);
    assert_int_equal(stat(runs, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(chmod(runs, 0777), 0);
    expect_refused(fixture, "runs: everybody can write to it");
    assert_int_equal(chmod(runs, 0770), 0);
    expect_taken(fixture);
    assert_true(count_logged(fixture, "group can write") > 0);
    assert_int_equal(chmod(runs, 0700), 0);
    assert_int_equal(chmod(fixture->folder, 0777), 0);
    expect_refused(fixture, "everybody can write to it");
    assert_int_equal(chmod(fixture->folder, 0700), 0);
    char *moved = memory_format("%s/moved", fixture->folder);
    assert_int_equal(rename(runs, moved), 0);
    assert_int_equal(symlink("moved", runs), 0);
    expect_refused(fixture, "link");
    free(moved);
    free(runs);
}

static void test_a_folder_that_is_replaced(void **state)
{
    struct fixture *fixture = *state;
    char *runs = memory_format("%s/runs", fixture->folder);
    char *moved = memory_format("%s/moved", fixture->folder);
    open_store(fixture);
    finish(fixture, 5, 50);
    settle(fixture);
    assert_int_equal(rename(runs, moved), 0);
    assert_int_equal(mkdir(runs, 0700), 0);
    store_tend(fixture->store);
    assert_null(store_problem(fixture->store)); /* the thread looks */
    settle(fixture);
    assert_non_null(strstr(store_problem(fixture->store), "another one is in its place"));
    finish(fixture, 6, 60);
    settle(fixture);
    assert_non_null(store_problem(fixture->store)); /* although it could be written */
    assert_int_equal(rmdir(runs), 0);
    assert_int_equal(rename(moved, runs), 0);
    store_tend(fixture->store);
    settle(fixture);
    assert_null(store_problem(fixture->store));
    reopen_store(fixture);
    expect_result(fixture, 5, 50);
    expect_result(fixture, 6, 60);
    free(moved);
    free(runs);
}

static void test_who_uses_it(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.holder = "harness@here";
    open_store(fixture);
    struct store *first = fixture->store;
    fixture->options.holder = "harness@there";
    open_store(fixture);
    char *expected = memory_format("another daemon uses it, which is waited for: harness@here, process %ld",
                                   (long)getpid());
    assert_string_equal(store_problem(fixture->store), expected);
    free(expected);
    close_store(fixture);
    fixture->store = first;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_names_of_the_highest_ids),  TEST(test_a_name_that_may_have_been_given),
        TEST(test_a_run_of_another_user),     TEST(test_numbers_that_were_saved),
        TEST(test_files_of_others_stay),      TEST(test_folders_that_others_can_change),
        TEST(test_a_folder_that_is_replaced), TEST(test_who_uses_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
