#include "base/atomic_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Calls that do what the system does, note the order, and fail where they are told to. */
static struct {
    char order[256];
    const char *failing; /* the call that fails, by its letter in `order`; NULL: none */
    int error;           /* 0: a short or empty answer instead */
    int folder;
    size_t piece; /* the most that one write takes; 0: all */
    int interrupted;
} watched;

/* Whether the call is to go on; its letter is noted. */
static bool note(const char *what)
{
    strcat(watched.order, what);
    if (!watched.failing || strcmp(watched.failing, what) != 0)
        return true;
    errno = watched.error;
    return false;
}

static bool is_interrupted(void)
{
    errno = EINTR;
    return watched.interrupted && watched.interrupted--;
}

static int watched_open(int folder, const char *name, int flags, mode_t mode)
{
    return note("o") ? file_calls_system.open(folder, name, flags, mode) : -1;
}

static ssize_t watched_write(int descriptor, const void *data, size_t size)
{
    if (is_interrupted())
        return -1;
    if (!note("w"))
        return watched.error ? -1 : 0;
    return file_calls_system.write(descriptor, data,
                                   watched.piece && size > watched.piece ? watched.piece : size);
}

static int watched_sync(int descriptor)
{
    if (is_interrupted())
        return -1;
    return note(descriptor == watched.folder ? "F" : "f") ? file_calls_system.sync(descriptor) : -1;
}

static int watched_close(int descriptor)
{
    bool fine = note("c");
    return file_calls_system.close(descriptor) || !fine ? -1 : 0;
}

static int watched_rename(int folder, const char *from, const char *to)
{
    return note("n") ? file_calls_system.rename(folder, from, to) : -1;
}

static int watched_remove(int folder, const char *name)
{
    return note("r") ? file_calls_system.remove(folder, name) : -1;
}

static const struct file_calls calls = {watched_open,  watched_write,  watched_sync,
                                        watched_close, watched_rename, watched_remove};

static char path[] = "/tmp/atomic_file_test_XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    strcpy(path + strlen(path) - 6, "XXXXXX");
    memset(&watched, 0, sizeof(watched));
    watched.folder = mkdtemp(path) ? open(path, O_RDONLY | O_DIRECTORY) : -1;
    return watched.folder < 0;
}

static size_t count_files(void)
{
    size_t count = 0;
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory));)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static int remove_folder(void **state)
{
    (void)state;
    unlinkat(watched.folder, "file", 0);
    unlinkat(watched.folder, "file.tmp", 0);
    close(watched.folder);
    return rmdir(path);
}

static void expect_content(const char *expected)
{
    char text[64] = "";
    int descriptor = openat(watched.folder, "file", O_RDONLY);
    assert_true(descriptor >= 0);
    assert_true(read(descriptor, text, sizeof(text) - 1) >= 0);
    close(descriptor);
    assert_string_equal(text, expected);
}

static struct atomic_file file;

static bool write_file(const char *content)
{
    size_t half = strlen(content) / 2;
    atomic_file_begin(&file, &calls, watched.folder, "file");
    atomic_file_write(&file, content, half);
    atomic_file_write(&file, content + half, strlen(content) - half);
    return atomic_file_commit(&file);
}

static void test_order(void **state)
{
    (void)state;
    struct stat status;
    assert_true(write_file("first"));
    /* What was left is removed; written, brought to disk, renamed, the name brought to disk. */
    assert_string_equal(watched.order, "rowwfcnF");
    expect_content("first");
    assert_int_equal(fstatat(watched.folder, "file", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_true(write_file("second"));
    expect_content("second");
    assert_int_equal(count_files(), 1);
}

static void test_old_until_renamed(void **state)
{
    (void)state;
    assert_true(write_file("first"));
    atomic_file_begin(&file, &calls, watched.folder, "file");
    atomic_file_write(&file, "second", 6);
    expect_content("first");
    atomic_file_abandon(&file);
    expect_content("first");
    assert_int_equal(count_files(), 1);
}

/* Whatever fails: the old file is whole or, where only its name is not on disk yet, the new one is. */
static void test_each_failure(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        int error;
        const char *step;
        const char *order;
        const char *content;
    } rows[] = {
        {"o", EROFS, "open", "ror", "old"},         {"w", ENOSPC, "write", "rowcr", "old"},
        {"w", 0, "write", "rowcr", "old"}, /* an answer that says neither */
        {"f", EIO, "sync", "rowwfcr", "old"},       {"c", EDQUOT, "close", "rowwfcr", "old"},
        {"n", EACCES, "rename", "rowwfcnr", "old"}, {"F", EIO, "sync folder", "rowwfcnF", "new"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        watched.failing = NULL;
        assert_true(write_file("old"));
        watched.order[0] = '\0';
        watched.failing = rows[i].call;
        watched.error = rows[i].error;
        assert_false(write_file("new"));
        assert_string_equal(file.failed, rows[i].step);
        assert_int_equal(file.error, rows[i].error ? rows[i].error : ENOSPC);
        assert_string_equal(watched.order, rows[i].order);
        expect_content(rows[i].content);
        assert_int_equal(count_files(), 1);
    }
}

static void test_pieces_and_interruptions(void **state)
{
    (void)state;
    watched.piece = 3;
    watched.interrupted = 3;
    assert_true(write_file("a longer content"));
    watched.interrupted = 0;
    expect_content("a longer content");
    watched.order[0] = '\0';
    watched.piece = 0;
    atomic_file_begin(&file, &calls, watched.folder, "file");
    watched.interrupted = 2; /* of the sync */
    assert_true(atomic_file_commit(&file));
    expect_content("");
}

/* What a killed daemon has left is in nobody's way. */
static void test_left_over(void **state)
{
    (void)state;
    int descriptor = openat(watched.folder, "file.tmp", O_WRONLY | O_CREAT, 0644);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, "left over", 9), 9);
    close(descriptor);
    assert_true(write_file("new"));
    expect_content("new");
    assert_int_equal(count_files(), 1);
}

/* A file system that takes no more, by the kernel's own limit. */
static void test_no_room(void **state)
{
    (void)state;
    struct rlimit before, limit;
    assert_true(write_file("old"));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = 5, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    bool written = write_file("longer than five bytes");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(written);
    assert_string_equal(file.failed, "write");
    assert_int_equal(file.error, EFBIG);
    expect_content("old");
    assert_int_equal(count_files(), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_old_until_renamed, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_each_failure, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_pieces_and_interruptions, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_left_over, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_no_room, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
