/* The audit's file: whole lines, rotation, disks that are full. */
#include "audit_file_private.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/memory.h"
#include "remove_tree.h"

struct fixture {
    char folder[64];
    char path[80];
    struct audit_file file;
    struct buffer lines;
};

static int set_up(void **state)
{
    struct fixture *fixture = memory_zalloc(1, sizeof(*fixture));
    strcpy(fixture->folder, "/tmp/audit_file_test_XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof(fixture->path), "%s/audit", fixture->folder);
    fixture->file =
        (struct audit_file){.path = fixture->path, .descriptor = -1, .max_bytes = 1 << 20, .keep = 2};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    audit_file_close(&fixture->file);
    buffer_free(&fixture->lines);
    remove_tree(fixture->folder);
    free(fixture);
    return 0;
}

/* Lines of 100 bytes each, numbered from `from` on. */
static void put_lines(struct fixture *fixture, int from, int count)
{
    for (int i = from; i < from + count; i++)
        buffer_print(&fixture->lines, "{\"n\":%d,\"fill\":\"%0*d\"}\n", i, i < 10 ? 82 : 81, 0);
    audit_file_write(&fixture->file, &fixture->lines);
}

/* What a file of the audit has, "" when there is none; in a static buffer. */
static const char *content(const struct fixture *fixture, const char *suffix)
{
    static char text[65536];
    char path[128];
    snprintf(path, sizeof(path), "%s%s", fixture->path, suffix);
    FILE *file = fopen(path, "r");
    size_t size = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file)
        fclose(file);
    text[size] = '\0';
    return text;
}

/* The numbers of its lines as "1 2 3", each line being JSON; one about the rotation as "(file,removed)". */
static const char *numbers(const struct fixture *fixture, const char *suffix)
{
    static char text[4096];
    char *lines = memory_string(content(fixture, suffix)), *rest = lines;
    text[0] = '\0';
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        json_t *read = json_loads(line, 0, NULL);
        assert_non_null(read);
        const char *event = json_string_value(json_object_get(read, "event"));
        const char *file = json_string_value(json_object_get(read, "file"));
        const char *removed = json_string_value(json_object_get(read, "removed"));
        size_t used = strlen(text);
        if (event)
            snprintf(text + used, sizeof(text) - used, "%s(%s,%s)", used ? " " : "",
                     file ? strrchr(file, '/') + 1 : "", removed ? strrchr(removed, '/') + 1 : "");
        else
            snprintf(text + used, sizeof(text) - used, "%s%lld", used ? " " : "",
                     (long long)json_integer_value(json_object_get(read, "n")));
        json_decref(read);
    }
    free(lines);
    return text;
}

static void test_lines_are_appended(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;
    put_lines(fixture, 1, 2);
    put_lines(fixture, 3, 1);
    assert_int_equal(fixture->lines.size, 0);
    assert_string_equal(numbers(fixture, ""), "1 2 3");
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(fixture->file.size, status.st_size);
}

static void test_rotation_keeps_a_number_and_says_what_it_removes(void **state)
{
    struct fixture *fixture = *state;
    fixture->file.max_bytes = 1000; /* with the line about it nine others */
    put_lines(fixture, 1, 10);
    assert_string_equal(numbers(fixture, ""), "1 2 3 4 5 6 7 8 9 10");
    put_lines(fixture, 11, 1);
    assert_string_equal(numbers(fixture, ""), "(audit.1,) 11");
    assert_string_equal(numbers(fixture, ".1"), "1 2 3 4 5 6 7 8 9 10");
    put_lines(fixture, 12, 20); /* in one go, over three files */
    assert_int_equal(fixture->file.rotations, 3);
    assert_int_equal(fixture->file.removals, 1);
    assert_string_equal(content(fixture, ".3"), "");
    char all[512];
    snprintf(all, sizeof(all), "%s", numbers(fixture, ".2"));
    snprintf(all + strlen(all), sizeof(all) - strlen(all), "; %s", numbers(fixture, ".1"));
    snprintf(all + strlen(all), sizeof(all) - strlen(all), "; %s", numbers(fixture, ""));
    assert_string_equal(all, "(audit.1,) 11 12 13 14 15 16 17 18 19; (audit.1,) 20 21 22 23 24 25 26 27 28; "
                             "(audit.1,audit.2) 29 30 31");
}

static void test_nothing_may_be_kept(void **state)
{
    struct fixture *fixture = *state;
    fixture->file.max_bytes = 400;
    fixture->file.keep = 0;
    put_lines(fixture, 1, 4);
    put_lines(fixture, 5, 1);
    assert_string_equal(numbers(fixture, ""), "(,audit) 5");
    assert_string_equal(content(fixture, ".1"), "");
}

/* No line is lost for it. */
static void test_a_rotation_that_cannot_be(void **state)
{
    struct fixture *fixture = *state;
    char blocked[96];
    fixture->file.max_bytes = 300;
    fixture->file.keep = 1;
    snprintf(blocked, sizeof(blocked), "%s.1", fixture->path);
    assert_int_equal(mkdir(blocked, 0700), 0);
    put_lines(fixture, 1, 5);
    assert_string_equal(numbers(fixture, ""), "1 2 3 4 5");
    assert_string_not_equal(fixture->file.rotation_problem, "");
    assert_string_equal(fixture->file.problem, "");
    assert_int_equal(rmdir(blocked), 0);
    put_lines(fixture, 6, 1);
    assert_string_equal(fixture->file.rotation_problem, "");
    assert_string_equal(numbers(fixture, ".1"), "1 2 3 4 5");
    assert_string_equal(numbers(fixture, ""), "(audit.1,) 6");
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_a_full_disk_leaves_whole_lines(void **state)
{
    struct fixture *fixture = *state;
    signal(SIGXFSZ, SIG_IGN);
    put_lines(fixture, 1, 2);
    limit_files(250);
    put_lines(fixture, 3, 2);
    assert_string_not_equal(fixture->file.problem, "");
    assert_int_equal(fixture->lines.size, 200);
    assert_string_equal(numbers(fixture, ""), "1 2");
    limit_files(RLIM_INFINITY);
    put_lines(fixture, 5, 1);
    assert_string_equal(fixture->file.problem, "");
    assert_string_equal(numbers(fixture, ""), "1 2 3 4 5");
}

static void test_a_line_that_was_cut_ends(void **state)
{
    struct fixture *fixture = *state;
    FILE *file = fopen(fixture->path, "w");
    assert_non_null(file);
    fputs("{\"n\":1}\n{\"n\":", file);
    fclose(file);
    assert_true(audit_file_open(&fixture->file));
    put_lines(fixture, 2, 1);
    assert_memory_equal(content(fixture, ""), "{\"n\":1}\n{\"n\":\n{\"n\":2,",
                        strlen("{\"n\":1}\n{\"n\":\n{\"n\":2,"));
}

static void test_it_is_opened_anew(void **state)
{
    struct fixture *fixture = *state;
    char moved[96];
    put_lines(fixture, 1, 1);
    snprintf(moved, sizeof(moved), "%s.moved", fixture->path);
    assert_int_equal(rename(fixture->path, moved), 0);
    assert_true(audit_file_open(&fixture->file));
    put_lines(fixture, 2, 1);
    assert_string_equal(numbers(fixture, ".moved"), "1");
    assert_string_equal(numbers(fixture, ""), "2");
}

/* And nothing that is kept moves for it. */
static void test_it_is_made_anew_when_it_is_gone(void **state)
{
    struct fixture *fixture = *state;
    char moved[96];
    fixture->file.max_bytes = 300;
    put_lines(fixture, 1, 4);
    snprintf(moved, sizeof(moved), "%s.moved", fixture->path);
    assert_int_equal(rename(fixture->path, moved), 0);
    put_lines(fixture, 5, 1);
    assert_string_equal(numbers(fixture, ".moved"), "(audit.1,) 4");
    assert_string_equal(numbers(fixture, ""), "5");
    assert_string_equal(numbers(fixture, ".1"), "1 2 3");
    assert_int_equal(unlink(fixture->path), 0);
    put_lines(fixture, 6, 1);
    assert_string_equal(numbers(fixture, ""), "6");
    assert_string_equal(numbers(fixture, ".1"), "1 2 3");
}

/* Where there is a free number below the greatest, those above it stay where they are. */
static void test_a_rotation_fills_the_first_gap(void **state)
{
    struct fixture *fixture = *state;
    char oldest[96];
    fixture->file.max_bytes = 300;
    fixture->file.keep = 3;
    snprintf(oldest, sizeof(oldest), "%s.3", fixture->path);
    FILE *file = fopen(oldest, "w");
    assert_non_null(file);
    fputs("{\"n\":0}\n", file);
    fclose(file);
    put_lines(fixture, 1, 6);
    assert_string_equal(numbers(fixture, ".3"), "0");
    assert_string_equal(numbers(fixture, ".1"), "(audit.1,) 4 5");
    assert_string_equal(numbers(fixture, ".2"), "1 2 3");
}

static void test_one_has_it_at_a_time(void **state)
{
    struct fixture *fixture = *state;
    struct audit_file other = {.path = fixture->path, .descriptor = -1, .max_bytes = 1 << 20, .keep = 2};
    put_lines(fixture, 1, 1);
    assert_false(audit_file_open(&other));
    assert_string_equal(other.problem, "cannot open: another daemon writes to it");
    audit_file_close(&fixture->file);
    assert_true(audit_file_open(&other));
    audit_file_close(&other);
}

static void test_what_is_no_file_is_refused(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    assert_false(audit_file_open(&fixture->file));
    assert_string_equal(fixture->file.problem, "cannot open: it is not a regular file");
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(rmdir(fixture->folder), 0);
    put_lines(fixture, 1, 1);
    assert_string_equal(fixture->file.problem, "cannot open: No such file or directory");
    assert_int_equal(fixture->lines.size, 100);
    assert_int_equal(mkdir(fixture->folder, 0700), 0);
    put_lines(fixture, 2, 1);
    assert_string_equal(numbers(fixture, ""), "1 2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines_are_appended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rotation_keeps_a_number_and_says_what_it_removes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_may_be_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_rotation_that_cannot_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_disk_leaves_whole_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_line_that_was_cut_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_is_opened_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_has_it_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_is_made_anew_when_it_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_rotation_fills_the_first_gap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_file_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
