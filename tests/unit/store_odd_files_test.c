#include <sys/stat.h>

#include "store_fixture.h"
#include "store_private.h"

/* Whatever the names of ours that they have: nothing but files of ours is removed. */
static void test_what_is_no_file(void **state)
{
    struct fixture *fixture = *state;
    static const char *const suffixes[] = {".term.tmp",     ".running.tmp", ".json.tmp", ".term.damaged",
                                           ".json.damaged", ".running",     ".json"};
    enum { KINDS = 3 };
    open_store(fixture);
    finish(fixture, 5, 50);
    settle(fixture);
    close_store(fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(suffixes); i++) {
        char name[STORE_NAME_BYTES];
        for (int kind = 0; kind < KINDS; kind++) {
            /* Of a run that is there, and of one that never was. */
            bool is_of_run = strcmp(suffixes[i], ".running") == 0;
            snprintf(name, sizeof(name), "%d%s", is_of_run ? 5 : 10 + kind, suffixes[i]);
            char *path = path_of(fixture, name);
            if (is_of_run)
                (void)remove(path);
            if (kind == 0)
                assert_int_equal(mkfifo(path, 0600), 0);
            else if (kind == 1)
                assert_int_equal(symlink("5.term", path), 0);
            else
                assert_int_equal(mkdir(path, 0700), 0);
            open_store(fixture);
            if (i == 0 && kind == 0)
                assert_true(count_logged(fixture, "it is no regular file") > 0);
            settle_tending(fixture);
            expect_result(fixture, 5, 50);
            struct stat status;
            if (lstat(path, &status) != 0)
                fail_msg("%s is gone", name);
            assert_false(S_ISREG(status.st_mode));
            close_store(fixture);
            free(path);
        }
    }
    open_store(fixture);
    assert_int_equal(store_last_id(fixture->store), 12);
    close_store(fixture);
    put_file(fixture, "5.term.tmp", "ours", 4);
    open_store(fixture);
    assert_false(has_file(fixture, "5.term.tmp"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_no_file, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
