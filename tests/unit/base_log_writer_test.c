#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/clock.h"

/* More than the queue and a pipe have room for. */
#define MANY 30000

#define LOST "lines of the log were lost lines="

static int reader;
static int writer;
static struct buffer text;

static void begin(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    reader = ends[0];
    writer = ends[1];
    fcntl(reader, F_SETFL, O_NONBLOCK);
    log_configure(LOG_LEVEL_INFO, LOG_TEXT, NULL);
    log_start(writer);
}

/* What there is to read, which ends in NUL. False at its end. */
static bool read_more(void)
{
    char piece[65536];
    ssize_t size;
    while ((size = read(reader, piece, sizeof(piece))) > 0)
        buffer_append(&text, piece, (size_t)size);
    buffer_append(&text, "", 1);
    text.size--;
    return size < 0 && errno == EAGAIN;
}

static const char *text_so_far(void)
{
    return (const char *)buffer_bytes(&text);
}

static const char *read_until(const char *expected)
{
    const char *found;
    while (read_more() && !(found = strstr(text_so_far(), expected)))
        log_settle(false);
    found = strstr(text_so_far(), expected);
    assert_non_null(found);
    return found;
}

static void end(void)
{
    log_stop();
    close(writer);
    while (read_more())
        continue;
    close(reader);
    buffer_free(&text);
}

static void log_numbered(int count)
{
    for (int i = 0; i < count; i++)
        log_each(LOG_LEVEL_INFO, "numbered", log_integer("i", i));
}

/* The numbers of the lines, which grow. */
static size_t count_numbered(void)
{
    size_t count = 0;
    long last = -1;
    for (const char *at = text_so_far(); (at = strstr(at, "numbered i=")); count++) {
        at += strlen("numbered i=");
        long number = strtol(at, NULL, 10);
        assert_true(number > last);
        last = number;
    }
    return count;
}

static void test_lines_and_text_in_their_order(void **state)
{
    (void)state;
    begin();
    log_info("first");
    log_print("%s\n", "second");
    log_plain("third\n", 6);
    log_warning("fourth");
    assert_true(log_flush());
    read_more();
    const char *second = strstr(text_so_far(), " info first\nsecond\nthird\n");
    assert_non_null(second);
    assert_non_null(strstr(second, " warning fourth\n"));
    assert_int_equal(log_lost(), 0);
    end();
}

/* Who logs goes on at once, what is lost is counted, and told of once when somebody reads again. */
static void test_nobody_reads(void **state)
{
    (void)state;
    begin();
    log_numbered(MANY);
    size_t lost = log_lost();
    assert_in_range(lost, 1, MANY - 1);
    log_settle(false);
    read_more(); /* as much as a pipe has, far from what waits */
    assert_null(strstr(text_so_far(), LOST));
    const char *told = read_until(LOST);
    assert_int_equal(strtoul(told + strlen(LOST), NULL, 10), lost);
    log_info("again");
    assert_null(strstr(read_until(" info again\n"), LOST));
    assert_int_equal(count_numbered() + lost, MANY);
    assert_int_equal(log_lost(), lost);
    end();
}

static void test_what_matters_has_room_left(void **state)
{
    (void)state;
    begin();
    log_numbered(MANY);
    size_t lost = log_lost();
    log_error("this matters");
    assert_int_equal(log_lost(), lost);
    log_info("this does not");
    assert_int_equal(log_lost(), lost + 1);
    read_until(" error this matters\n");
    end();
}

/* A thread that is stuck is left behind, and takes nobody's time for long. */
static void test_the_end_waits_for_a_second(void **state)
{
    (void)state;
    begin();
    log_numbered(MANY);
    uint64_t before = clock_ns();
    assert_false(log_flush());
    assert_in_range(clock_ns() - before, CLOCK_NS_PER_S / 2, 20 * CLOCK_NS_PER_S);
    read_until(LOST); /* also when the end is near */
    assert_true(log_flush());
    end();
}

static void test_a_descriptor_that_takes_nothing(void **state)
{
    (void)state;
    begin();
    int full = open("/dev/full", O_WRONLY);
    int kept = dup(writer);
    assert_int_equal(dup2(full, writer), writer);
    log_warning("gone");
    assert_true(log_flush());
    log_warning("gone as well");
    assert_true(log_flush());
    assert_int_equal(log_lost(), 2);
    assert_int_equal(dup2(kept, writer), writer);
    log_info("it goes on");
    read_until(LOST "2\n");
    assert_int_equal(log_lost(), 2);
    close(full);
    close(kept);
    end();
}

static void test_a_pipe_that_does_not_block(void **state)
{
    (void)state;
    begin();
    fcntl(writer, F_SETFL, O_NONBLOCK);
    log_numbered(5000);
    log_info("the last");
    read_until("the last");
    assert_int_equal(count_numbered(), 5000);
    end();
}

/* What is logged just before a crash is written. */
static void test_the_last_line_of_a_crash(void **state)
{
    (void)state;
    static const int numbers[] = {SIGABRT, SIGSEGV};
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        int ends[2], status;
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (!child) {
            for (int number = 1; number < 32; number++)
                signal(number, SIG_DFL);
            log_start(ends[1]);
            log_watch_crashes();
            log_numbered(3000);
            log_error("the last words");
            raise(numbers[i]);
            _exit(0);
        }
        close(ends[1]);
        reader = ends[0];
        while (read_more())
            continue;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), numbers[i]);
        assert_non_null(strstr(text_so_far(), "the last words\n"));
        close(reader);
        buffer_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_and_text_in_their_order),
        cmocka_unit_test(test_nobody_reads),
        cmocka_unit_test(test_what_matters_has_room_left),
        cmocka_unit_test(test_the_end_waits_for_a_second),
        cmocka_unit_test(test_a_descriptor_that_takes_nothing),
        cmocka_unit_test(test_a_pipe_that_does_not_block),
        cmocka_unit_test(test_the_last_line_of_a_crash),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
