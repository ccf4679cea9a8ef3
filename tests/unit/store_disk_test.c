/* A store on disks that are full, read-only, or gone from one call to the next. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store_fixture.h"

#define NAMES 64

/* A file that was written or renamed. */
struct seen {
    char name[64];
    int descriptor; /* -1 when it is closed */
    bool synced;    /* what was written is on disk */
    bool pending;   /* it got its name, and the folder is not on disk yet */
};

/* A disk that does what it is told, notes what was done in a wrong order, and fails where it is to. */
static struct {
    pthread_mutex_t mutex;
    pthread_t loop_thread;
    bool opening; /* store_open() touches files itself */
    struct seen seen[NAMES];
    size_t seen_count;
    size_t calls;
    size_t renames;
    size_t fail_at;   /* the call that fails, from 1; 0: none */
    bool dead;        /* and all after it */
    int error;        /* of all calls that write, 0: none */
    const char *only; /* what the names have in them that these fail for; NULL: all */
    size_t failures;
    char violation[128];
} disk;

static void violate(const char *rule, const char *name)
{
    if (!disk.violation[0])
        snprintf(disk.violation, sizeof(disk.violation), "%s: %s", rule, name);
}

/* Whether the call is to be made; with the mutex locked. */
static bool enter(void)
{
    pthread_mutex_lock(&disk.mutex);
    disk.calls++;
    if (pthread_equal(pthread_self(), disk.loop_thread) && !disk.opening)
        violate("the loop waits for the disk", "");
    bool fails = disk.fail_at && (disk.calls == disk.fail_at || (disk.dead && disk.calls > disk.fail_at));
    errno = EIO;
    return !fails;
}

/* The same for one that writes to a file of this name. */
static bool enter_writing(const char *name)
{
    if (!enter())
        return false;
    if (!disk.error || (disk.only && !strstr(name, disk.only)))
        return true;
    disk.failures++;
    errno = disk.error;
    return false;
}

static int leave(int answer)
{
    int error = errno;
    pthread_mutex_unlock(&disk.mutex);
    errno = error;
    return answer;
}

static struct seen *find_name(const char *name)
{
    for (size_t i = 0; i < disk.seen_count; i++)
        if (strcmp(disk.seen[i].name, name) == 0)
            return &disk.seen[i];
    return NULL;
}

static struct seen *find_descriptor(int descriptor)
{
    for (size_t i = 0; i < disk.seen_count; i++)
        if (disk.seen[i].descriptor == descriptor)
            return &disk.seen[i];
    return NULL;
}

static struct seen *see(const char *name)
{
    struct seen *seen = find_name(name);
    if (!seen) {
        assert_true(disk.seen_count < NAMES);
        seen = &disk.seen[disk.seen_count++];
        snprintf(seen->name, sizeof(seen->name), "%s", name);
        seen->descriptor = -1;
    }
    return seen;
}

static int disk_open(int folder, const char *name, int flags, mode_t mode)
{
    bool writes = flags & O_WRONLY;
    bool fine = writes ? enter_writing(name) || disk.error == ENOSPC : enter();
    if (!fine)
        return leave(-1);
    int descriptor = file_calls_system.open(folder, name, flags, mode);
    if (writes && descriptor >= 0) {
        struct seen *seen = see(name);
        seen->descriptor = descriptor;
        seen->synced = false;
    }
    return leave(descriptor);
}

static ssize_t disk_write(int descriptor, const void *data, size_t size)
{
    struct seen *seen = find_descriptor(descriptor);
    if (!enter_writing(seen ? seen->name : ""))
        return leave(-1);
    if (seen)
        seen->synced = false;
    return leave((int)file_calls_system.write(descriptor, data, size));
}

static int disk_sync(int descriptor)
{
    if (!enter())
        return leave(-1);
    struct seen *seen = find_descriptor(descriptor);
    if (seen)
        seen->synced = true;
    for (size_t i = 0; !seen && i < disk.seen_count; i++)
        disk.seen[i].pending = false;
    return leave(0); /* the real one would only take time */
}

static int disk_close(int descriptor)
{
    bool fine = enter();
    struct seen *seen = find_descriptor(descriptor);
    if (seen)
        seen->descriptor = -1;
    int answer = file_calls_system.close(descriptor);
    return leave(fine ? answer : -1);
}

static int disk_rename(int folder, const char *from, const char *to)
{
    if (!enter_writing(to))
        return leave(-1);
    disk.renames++;
    struct seen *seen = find_name(from);
    if (!seen || !seen->synced || seen->descriptor >= 0)
        violate("renamed before it was on disk", from);
    see(to)->pending = true;
    return leave(file_calls_system.rename(folder, from, to));
}

/* What a run had before goes when its result is there to stay. */
static int disk_remove(int folder, const char *name)
{
    char result[80];
    if (!enter())
        return leave(-1);
    if (disk.error == EROFS)
        return errno = EROFS, leave(-1);
    snprintf(result, sizeof(result), "%.*s.term", (int)strcspn(name, "."), name);
    struct seen *seen = find_name(result);
    if (strstr(name, ".running") && !strstr(name, ".tmp") && seen && seen->pending)
        violate("removed before the result was on disk", name);
    return leave(file_calls_system.remove(folder, name));
}

static const struct file_calls disk_calls = {disk_open,  disk_write,  disk_sync,
                                             disk_close, disk_rename, disk_remove};

static int set_up_disk(void **state)
{
    memset(&disk, 0, sizeof(disk));
    pthread_mutex_init(&disk.mutex, NULL);
    disk.loop_thread = pthread_self();
    int failed = set_up(state);
    struct fixture *fixture = *state;
    fixture->options.calls = &disk_calls;
    return failed;
}

static int tear_down_disk(void **state)
{
    tear_down(state);
    pthread_mutex_destroy(&disk.mutex);
    return disk.violation[0] ? (print_error("%s\n", disk.violation), 1) : 0;
}

static void open_on_disk(struct fixture *fixture)
{
    disk.opening = true;
    open_store(fixture);
    disk.opening = false;
}

/* What the thread of the store looks at, set while it does. */
static void set_error(int error, const char *only)
{
    pthread_mutex_lock(&disk.mutex);
    disk.error = error;
    disk.only = only;
    disk.failures = 0;
    pthread_mutex_unlock(&disk.mutex);
}

static size_t failures(void)
{
    pthread_mutex_lock(&disk.mutex);
    size_t count = disk.failures;
    pthread_mutex_unlock(&disk.mutex);
    return count;
}

static void expect_durable(struct fixture *fixture, uint64_t id)
{
    struct store_entry entry;
    while (store_find(fixture->store, id, &entry) && !entry.durable)
        pass(fixture);
    expect_run(fixture, id, STORE_FINISHED, true);
}

/* --- Order --- */

/* The rules are in the calls above; that they were kept is looked at in the end of each test. */
static void test_order(void **state)
{
    struct fixture *fixture = *state;
    open_on_disk(fixture);
    begin(fixture, 7);
    expect_told(fixture, 7, STORE_RUNNING, true);
    assert_true(find_name("7.running") && !find_name("7.running")->pending);
    journal(fixture, 7, 1);
    settle(fixture);
    finish(fixture, 7, 2);
    expect_told(fixture, 7, STORE_FINISHED, true);
    assert_true(find_name("7.term") && !find_name("7.term")->pending);
    assert_true(find_name("7.json") && !find_name("7.json")->pending);
    expect_files(fixture, "7.json 7.term last_id");
    assert_true(store_delete(fixture->store, 7));
    settle(fixture);
    assert_string_equal(disk.violation, "");
}

/* While one is being written only the last journal waits. */
static void test_journals_in_a_row(void **state)
{
    struct fixture *fixture = *state;
    open_on_disk(fixture);
    begin(fixture, 7);
    settle(fixture);
    pthread_mutex_lock(&disk.mutex); /* the disk stands still */
    size_t before = disk.renames;
    for (uint64_t i = 1; i <= 1000; i++)
        journal(fixture, 7, i);
    pthread_mutex_unlock(&disk.mutex);
    settle(fixture);
    assert_int_equal(disk.renames - before, 2);
    close_store(fixture);
    open_on_disk(fixture);
    expect_result(fixture, 7, 1000);
}

/* A run from its beginning to its end, on a disk that fails at one call. */
static void run_with_failure(struct fixture *fixture, size_t fail_at, bool dead)
{
    remove_tree(fixture->folder);
    assert_int_equal(mkdir(fixture->folder, 0700), 0);
    fixture->told_count = fixture->told_seen = 0;
    disk.fail_at = disk.seen_count = 0;
    open_on_disk(fixture);
    disk.calls = 0;
    disk.fail_at = fail_at;
    disk.dead = dead;
    begin(fixture, 7);
    settle(fixture);
    journal(fixture, 7, 1);
    settle(fixture);
    finish(fixture, 7, 2);
    settle(fixture);
}

static bool was_told(const struct fixture *fixture, enum store_state state)
{
    for (size_t i = 0; i < fixture->told_count; i++)
        if (fixture->told[i].state == state && fixture->told[i].durable)
            return true;
    return false;
}

/* At whatever call the daemon dies: what was said to be on disk is there, and everything is whole. */
static void test_death_at_every_call(void **state)
{
    struct fixture *fixture = *state;
    log_nothing(fixture);
    size_t count = 0, interrupted = 0, finished = 0;
    for (size_t at = 1; !count || at <= count; at++) {
        run_with_failure(fixture, at, true);
        bool begun = was_told(fixture, STORE_RUNNING), ended = was_told(fixture, STORE_FINISHED);
        if (disk.calls < at)
            count = disk.calls;
        close_store(fixture);
        disk.fail_at = 0;
        open_on_disk(fixture);
        struct store_entry entry;
        bool there = store_find(fixture->store, 7, &entry);
        assert_true(there || !begun);
        assert_true(!ended || entry.state == STORE_FINISHED);
        if (there && entry.state == STORE_FINISHED)
            expect_result(fixture, 7, 2);
        else if (there)
            read_part(fixture, 7, STORE_TERM);
        assert_string_equal(fixture->problem, "");
        settle_tending(fixture);
        assert_int_equal(count_files(fixture, ".damaged") + count_files(fixture, ".tmp"), 0);
        assert_int_equal(count_files(fixture, ".json"), there && entry.state == STORE_FINISHED);
        interrupted += there && entry.state == STORE_INTERRUPTED;
        finished += there && entry.state == STORE_FINISHED;
        close_store(fixture);
    }
    assert_true(interrupted > 10 && finished > 5); /* it has died on all stretches */
}

/* At whatever call something fails once: nothing is lost. */
static void test_failure_at_every_call(void **state)
{
    struct fixture *fixture = *state;
    log_nothing(fixture);
    size_t count = 0;
    for (size_t at = 1; !count || at <= count; at++) {
        run_with_failure(fixture, at, false);
        if (disk.calls < at)
            count = disk.calls;
        disk.fail_at = 0;
        expect_result(fixture, 7, 2);
        close_store(fixture); /* tries once more */
        open_on_disk(fixture);
        expect_run(fixture, 7, STORE_FINISHED, true);
        expect_result(fixture, 7, 2);
        settle_tending(fixture);
        expect_files(fixture, "7.json 7.term last_id");
        close_store(fixture);
    }
    assert_true(count > 20);
}

/* --- Full --- */

static void test_full(void **state)
{
    struct fixture *fixture = *state;
    open_on_disk(fixture);
    begin(fixture, 7);
    expect_told(fixture, 7, STORE_RUNNING, true);
    set_error(ENOSPC, NULL);
    finish(fixture, 7, 2);
    expect_told(fixture, 7, STORE_FINISHED, false);
    assert_string_equal(store_problem(fixture->store), "write: No space left on device");
    expect_run(fixture, 7, STORE_FINISHED, false);
    expect_result(fixture, 7, 2);
    expect_json(fixture, 7,
                "{\"outcome\":null,\"run_id\":7,\"reason\":null,\"state\":\"finished\",\"summary\":{\"name\":"
                "\"run 7\"},\"report\":[\"ok\",2]}\n");
    expect_files(fixture, "7.running last_id"); /* what it had, and nothing half */
    begin(fixture, 8);
    expect_told(fixture, 8, STORE_RUNNING, false);
    journal(fixture, 8, 1);
    size_t before = failures();
    while (failures() < before + 3) /* that journal, and tried again by itself */
        pass(fixture);
    assert_int_equal(count_logged(fixture, "cannot store runs"), 1);
    set_error(0, NULL);
    expect_durable(fixture, 7);
    settle(fixture);
    assert_null(store_problem(fixture->store));
    assert_int_equal(count_logged(fixture, "storing runs again"), 1);
    expect_files(fixture, "7.json 7.term last_id");
    journal(fixture, 8, 2);
    settle(fixture);
    close_store(fixture);
    open_on_disk(fixture);
    expect_result(fixture, 7, 2);
    expect_result(fixture, 8, 2);
}

/* A problem is over when the disk takes files again, even if there is nothing to be written. */
static void test_full_with_nothing_to_write(void **state)
{
    struct fixture *fixture = *state;
    open_on_disk(fixture);
    set_error(ENOSPC, NULL);
    begin(fixture, 7);
    expect_told(fixture, 7, STORE_RUNNING, false);
    assert_non_null(store_problem(fixture->store));
    set_error(0, NULL);
    while (store_problem(fixture->store))
        pass(fixture);
    assert_int_equal(count_logged(fixture, "storing runs again"), 1);
    close_store(fixture); /* killed without a journal: its id is known all the same */
    open_on_disk(fixture);
    assert_int_equal(store_last_id(fixture->store), 7);
}

/* Nor when nothing has ever been written. */
static void test_full_from_the_start(void **state)
{
    struct fixture *fixture = *state;
    set_error(ENOSPC, NULL);
    open_on_disk(fixture);
    assert_string_equal(store_problem(fixture->store), "write: No space left on device");
    set_error(0, NULL);
    while (store_problem(fixture->store))
        pass(fixture);
}

/* Results wait in memory, as many as there is memory for. */
static void test_full_for_long(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.limits.memory_bytes = 2500;
    open_on_disk(fixture);
    set_error(ENOSPC, NULL);
    for (uint64_t id = 1; id <= 4; id++) {
        finish_large(fixture, id, id, 1000);
        expect_told(fixture, id, STORE_FINISHED, false);
    }
    expect_no_run(fixture, 1);
    expect_no_run(fixture, 2);
    assert_int_equal(count_logged(fixture, " error run removed"), 2);
    set_error(0, NULL);
    expect_durable(fixture, 3);
    expect_durable(fixture, 4);
    expect_files(fixture, "3.json 3.term 4.json 4.term last_id");
}

/* Of what has room, as much as possible: a large result does not keep small ones from being written. */
static void test_nearly_full(void **state)
{
    struct fixture *fixture = *state;
    open_on_disk(fixture);
    set_error(ENOSPC, NULL);
    finish_large(fixture, 1, 1, 100000);
    expect_told(fixture, 1, STORE_FINISHED, false);
    finish(fixture, 2, 2);
    expect_told(fixture, 2, STORE_FINISHED, false);
    set_error(ENOSPC, "1.");
    expect_durable(fixture, 2);
    assert_non_null(store_problem(fixture->store));
    expect_run(fixture, 1, STORE_FINISHED, false);
    set_error(0, NULL);
    expect_durable(fixture, 1);
    settle(fixture);
    assert_null(store_problem(fixture->store));
}

/* A result without its JSON is a result; the JSON follows. */
static void test_no_room_for_json(void **state)
{
    struct fixture *fixture = *state;
    open_on_disk(fixture);
    set_error(ENOSPC, ".json");
    finish(fixture, 7, 2);
    expect_told(fixture, 7, STORE_FINISHED, true);
    assert_string_equal(store_problem(fixture->store), "write: No space left on device");
    expect_files(fixture, "7.term last_id");
    set_error(0, NULL);
    while (store_problem(fixture->store))
        pass(fixture);
    expect_files(fixture, "7.json 7.term last_id");
}

/* What is not written when the daemon ends is lost, and said to be. */
static void test_full_to_the_end(void **state)
{
    struct fixture *fixture = *state;
    open_on_disk(fixture);
    begin(fixture, 7);
    settle(fixture);
    set_error(ENOSPC, NULL);
    finish(fixture, 7, 2);
    settle(fixture);
    close_store(fixture);
    assert_int_equal(count_logged(fixture, "error results are lost runs=1"), 1);
    set_error(0, NULL);
    open_on_disk(fixture);
    expect_run(fixture, 7, STORE_INTERRUPTED, true);
}

/* --- Read-only --- */

static void test_read_only_from_the_start(void **state)
{
    struct fixture *fixture = *state;
    open_on_disk(fixture);
    finish(fixture, 7, 2);
    settle(fixture);
    close_store(fixture);
    set_error(EROFS, NULL);
    open_on_disk(fixture);
    assert_string_equal(store_problem(fixture->store), "open: Read-only file system");
    expect_result(fixture, 7, 2);
    finish(fixture, 8, 3);
    expect_told_last(fixture, 8, STORE_FINISHED, false);
    set_error(0, NULL);
    expect_durable(fixture, 8);
    settle(fixture);
    assert_null(store_problem(fixture->store));
    expect_files(fixture, "7.json 7.term 8.json 8.term last_id");
}

/* --- Real file systems --- */

/* The kernel's own limit of a file's size: what is always to be had. */
static void test_file_too_large(void **state)
{
    struct fixture *fixture = *state;
    struct rlimit before, limit;
    fixture->options.calls = NULL;
    open_store(fixture);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = 50000, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    finish_large(fixture, 7, 2, 100000);
    while (!fixture->told_count)
        pass(fixture);
    finish(fixture, 8, 3);
    settle(fixture);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    expect_told(fixture, 7, STORE_FINISHED, false);
    expect_told(fixture, 8, STORE_FINISHED, true);
    assert_string_equal(store_problem(fixture->store), "write: File too large");
    expect_durable(fixture, 7);
    settle(fixture);
    assert_null(store_problem(fixture->store));
    reopen_store(fixture);
    expect_result(fixture, 7, 2);
}

/* A file system in memory on the fixture's folder, for this process alone; false when that is not allowed. */
static bool mount_small(struct fixture *fixture)
{
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", fixture->folder, "tmpfs", 0, "size=64k,mode=700") < 0) {
        print_message("no file system can be mounted here: %s\n", strerror(errno));
        return false;
    }
    return true;
}

static void remount(struct fixture *fixture, unsigned long flags, const char *options)
{
    assert_int_equal(mount(NULL, fixture->folder, NULL, MS_REMOUNT | flags, options), 0);
}

static void test_small_file_system(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.calls = NULL;
    if (!mount_small(fixture))
        skip();
    open_store(fixture);
    finish(fixture, 1, 1);
    expect_told(fixture, 1, STORE_FINISHED, true);
    finish_large(fixture, 2, 2, 200000);
    expect_told(fixture, 2, STORE_FINISHED, false);
    assert_string_equal(store_problem(fixture->store), "write: No space left on device");
    expect_files(fixture, "1.json 1.term last_id");
    finish(fixture, 3, 3); /* there is room for this one */
    expect_told(fixture, 3, STORE_FINISHED, true);
    expect_result(fixture, 2, 2);
    remount(fixture, 0, "size=10m");
    expect_durable(fixture, 2);
    settle(fixture);
    assert_null(store_problem(fixture->store));

    remount(fixture, MS_RDONLY, "size=10m");
    finish(fixture, 4, 4);
    expect_told(fixture, 4, STORE_FINISHED, false);
    assert_string_equal(store_problem(fixture->store), "open: Read-only file system");
    reopen_store(fixture);
    assert_string_equal(store_problem(fixture->store), "open: Read-only file system");
    expect_result(fixture, 2, 2);
    finish(fixture, 5, 5);
    expect_told_last(fixture, 5, STORE_FINISHED, false);
    remount(fixture, 0, "size=10m");
    expect_durable(fixture, 5);
    expect_files(fixture, "1.json 1.term 2.json 2.term 3.json 3.term 5.json 5.term last_id");
    close_store(fixture);
    assert_int_equal(umount(fixture->folder), 0);
}

/* --- Killed --- */

#define KILLS 50
#define KILLED_RUNS 1000

struct acknowledged {
    uint64_t id;
    enum store_state state;
    bool durable;
};

static int acknowledgements; /* where the process that is killed says what it was told */

static void on_acknowledged(void *owner, uint64_t id, enum store_state state, bool durable)
{
    struct fixture *fixture = owner;
    struct acknowledged told = {id, state, durable};
    if (write(acknowledgements, &told, sizeof(told)) != (ssize_t)sizeof(told))
        _exit(1);
    if (state != STORE_RUNNING)
        return;
    journal(fixture, id, 2 * id);
    finish_large(fixture, id, id, id % 7 * 1000);
}

/* Runs begin and end, several at a time, until it is over. */
static NO_RETURN void run_until_killed(struct fixture *fixture, uint64_t first)
{
    fixture->options.written = on_acknowledged;
    open_store(fixture);
    for (uint64_t id = first; id < first + KILLED_RUNS; id++) {
        begin(fixture, id);
        while (id >= first + 3 && store_busy(fixture->store))
            pass(fixture);
    }
    _exit(0);
}

static void expect_acknowledged(struct fixture *fixture, const struct acknowledged *told)
{
    struct store_entry entry;
    assert_true(told->durable);
    assert_true(store_find(fixture->store, told->id, &entry));
    if (told->state == STORE_FINISHED)
        assert_int_equal(entry.state, STORE_FINISHED);
}

/* Kills the process after `count` acknowledgements and some time more; all that it has given are in `told`.
 */
static size_t kill_after(pid_t child, int end, size_t count, useconds_t more_us, struct acknowledged *told)
{
    size_t read_count = 0;
    while (read_count < count)
        assert_int_equal(read(end, &told[read_count++], sizeof(*told)), sizeof(*told));
    usleep(more_us);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    while (read(end, &told[read_count], sizeof(*told)) == (ssize_t)sizeof(*told))
        read_count++;
    return read_count;
}

static void note_finished(struct fixture *fixture)
{
    struct store_entry entry = {.id = UINT64_MAX};
    fixture->id_count = 0;
    while (store_find_before(fixture->store, entry.id, &entry))
        if (entry.state == STORE_FINISHED)
            fixture->ids[fixture->id_count++ % ARRAY_LENGTH(fixture->ids)] = entry.id;
}

static void expect_whole(struct fixture *fixture)
{
    note_finished(fixture);
    for (size_t i = 0; i < fixture->id_count && i < ARRAY_LENGTH(fixture->ids); i++)
        expect_result(fixture, fixture->ids[i], fixture->ids[i]);
    settle_tending(fixture);
    assert_int_equal(count_files(fixture, ".damaged") + count_files(fixture, ".tmp"), 0);
    assert_int_equal(count_files(fixture, ".term"), count_files(fixture, ".json"));
}

/* At random moments; what was acknowledged is there, and all that is there is whole. */
static void test_killed(void **state)
{
    struct fixture *fixture = *state;
    static struct acknowledged told[2 * KILLED_RUNS + 1];
    size_t interrupted = 0;
    log_nothing(fixture);
    fixture->options.calls = NULL;
    for (uint64_t round = 0; round < KILLS; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (!child) {
            acknowledgements = ends[1];
            run_until_killed(fixture, round * KILLED_RUNS + 1);
        }
        close(ends[1]);
        size_t count = kill_after(child, ends[0], 1 + round * 7 % 23, (useconds_t)(round * 397 % 3000), told);
        close(ends[0]);
        open_store(fixture);
        for (size_t i = 0; i < count; i++)
            expect_acknowledged(fixture, &told[i]);
        interrupted += count_files(fixture, ".running");
        expect_whole(fixture);
        close_store(fixture);
    }
    assert_true(interrupted > KILLS / 2); /* in the middle of something */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_disk, tear_down_disk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order),
        TEST(test_journals_in_a_row),
        TEST(test_death_at_every_call),
        TEST(test_failure_at_every_call),
        TEST(test_full),
        TEST(test_full_with_nothing_to_write),
        TEST(test_full_from_the_start),
        TEST(test_full_for_long),
        TEST(test_nearly_full),
        TEST(test_no_room_for_json),
        TEST(test_full_to_the_end),
        TEST(test_read_only_from_the_start),
        TEST(test_file_too_large),
        TEST(test_killed),
        TEST(test_small_file_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
