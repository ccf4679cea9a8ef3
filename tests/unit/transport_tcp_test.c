#include "transport/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

/* Two ends of a TCP connection on this machine: one of them the transport that is tested. */
struct fixture {
    struct transport transport;
    int far;
};

static void start(struct fixture *fixture)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(transport_dial(NULL, &fixture->transport, (struct sockaddr *)&address, size, "app@host"),
                     0);
    fixture->far = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(fixture->far >= 0);
    close(listener);
}

static void end(struct fixture *fixture)
{
    fixture->transport.operations->close(&fixture->transport);
    close(fixture->far);
}

static void wait_for(struct fixture *fixture, short events)
{
    struct pollfd wait = {.fd = fixture->transport.descriptor, .events = events};
    assert_int_equal(poll(&wait, 1, 60000), 1);
}

static ssize_t read_planned(struct fixture *fixture, char *data, struct transport_plan plan,
                            struct transport_got *got)
{
    return fixture->transport.operations->read(&fixture->transport, (uint8_t *)data, &plan, got);
}

static ssize_t read_some(struct fixture *fixture, char *data, size_t size, struct transport_got *got)
{
    return read_planned(fixture, data, (struct transport_plan){.first = size, .count = 1}, got);
}

/* What is written comes a little later when the kernel is busy. */
static void say(struct fixture *fixture, const char *text)
{
    int before = 0, there = 0;
    assert_int_equal(ioctl(fixture->transport.descriptor, FIONREAD, &before), 0);
    assert_int_equal(write(fixture->far, text, strlen(text)), strlen(text));
    while (there < before + (int)strlen(text)) {
        wait_for(fixture, POLLIN);
        assert_int_equal(ioctl(fixture->transport.descriptor, FIONREAD, &there), 0);
    }
}

/* The kernel begins to stamp a little later. */
static uint64_t wait_for_stamps(struct fixture *fixture)
{
    struct transport_got got = {0};
    char bytes[10];
    while (!got.count || !got.pieces[0].stamp_ns) {
        say(fixture, "12345");
        assert_int_equal(read_some(fixture, bytes, sizeof(bytes), &got), 5);
        assert_int_equal(got.count, 1);
        assert_int_equal(got.pieces[0].size, 5);
    }
    return got.pieces[0].stamp_ns;
}

static void test_stamps(void **state)
{
    (void)state;
    struct fixture fixture;
    struct transport_got got = {0};
    char bytes[10];
    start(&fixture);
    assert_true(fixture.transport.has_stamps);
    uint64_t first_ns = wait_for_stamps(&fixture);
    say(&fixture, "12345");
    say(&fixture, "12345678");
    assert_int_equal(read_some(&fixture, bytes, 5, &got), 5);
    assert_int_equal(got.queued, 8);
    assert_true(got.pieces[0].stamp_ns > first_ns);
    assert_int_equal(read_some(&fixture, bytes, sizeof(bytes), &got), 8);
    assert_int_equal(got.queued, 0);
    got = (struct transport_got){.queued = 7, .count = 7};
    assert_int_equal(read_some(&fixture, bytes, sizeof(bytes), &got), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(got.queued, 0);
    assert_int_equal(got.count, 0);
    close(fixture.far);
    fixture.far = -1;
    wait_for(&fixture, POLLIN);
    assert_int_equal(read_some(&fixture, bytes, sizeof(bytes), &got), 0);
    end(&fixture);
}

/* Each piece has its own stamp; what came is in one row, whatever was planned. */
static void test_pieces(void **state)
{
    (void)state;
    static const struct {
        const char *said[3];
        struct transport_plan plan;
        size_t sizes[4];
        size_t count, queued;
    } rows[] = {
        {{"abcde", "fghij", "klmno"}, {5, 5, 3}, {5, 5, 5}, 3, 0},
        {{"abcde", "fghij", "klmno"}, {5, 5, 2}, {5, 5}, 2, 5},
        {{"abcde", "fghij", "klmno"}, {2, 5, 4}, {2, 5, 5, 3}, 4, 0},
        {{"abcde", "fghij", "klmno"}, {7, 5, 2}, {7, 5}, 2, 3},
        {{"abcde", "fghij", "klmno"}, {5, 20, 2}, {5, 10}, 2, 0},
        {{"abcde", "f", ""}, {5, 5, 8}, {5, 1}, 2, 0},
        {{"abc", "", ""}, {5, 5, 8}, {3}, 1, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fixture fixture;
        struct transport_got got;
        char bytes[100], said[100] = "";
        size_t size = 0;
        start(&fixture);
        uint64_t before_ns = wait_for_stamps(&fixture);
        for (size_t k = 0; k < 3; k++) {
            strcat(said, rows[i].said[k]);
            if (rows[i].said[k][0])
                say(&fixture, rows[i].said[k]);
        }
        ssize_t came = read_planned(&fixture, bytes, rows[i].plan, &got);
        assert_int_equal(got.count, rows[i].count);
        assert_int_equal(got.queued, rows[i].queued);
        for (size_t k = 0; k < got.count; k++) {
            assert_int_equal(got.pieces[k].size, rows[i].sizes[k]);
            assert_true(got.pieces[k].stamp_ns >= before_ns);
            before_ns = got.pieces[k].stamp_ns;
            size += got.pieces[k].size;
        }
        assert_int_equal(came, size);
        assert_memory_equal(bytes, said, size);
        end(&fixture);
    }
}

/* The end, and nothing, of several pieces as of one. */
static void test_end_of_pieces(void **state)
{
    (void)state;
    struct fixture fixture;
    struct transport_got got;
    const struct transport_plan plan = {5, 5, 4};
    char bytes[100];
    start(&fixture);
    assert_int_equal(read_planned(&fixture, bytes, plan, &got), -1);
    assert_int_equal(errno, EAGAIN);
    say(&fixture, "abcdefg");
    close(fixture.far);
    fixture.far = -1;
    assert_int_equal(read_planned(&fixture, bytes, plan, &got), 7);
    assert_int_equal(got.count, 2);
    assert_int_equal(read_planned(&fixture, bytes, plan, &got), 0);
    assert_int_equal(got.count, 0);
    end(&fixture);
}

/* What the other side has no room for waits here. */
static void test_full(void **state)
{
    (void)state;
    struct fixture fixture;
    static char bytes[65536];
    const struct transport_operations *operations;
    ssize_t written;
    start(&fixture);
    operations = fixture.transport.operations;
    assert_false(operations->is_full(&fixture.transport));
    assert_int_equal(operations->write(&fixture.transport, bytes, 100), 100);
    assert_false(operations->is_full(&fixture.transport));
    do
        written = operations->write(&fixture.transport, bytes, sizeof(bytes));
    while (written > 0);
    assert_int_equal(errno, EAGAIN);
    assert_true(operations->is_full(&fixture.transport));
    while (operations->is_full(&fixture.transport))
        assert_true(read(fixture.far, bytes, sizeof(bytes)) > 0);
    assert_int_equal(operations->write(&fixture.transport, bytes, 100), 100);
    end(&fixture);
}

static int bound_to(const char *address, bool is_listening, struct sockaddr_in *bound)
{
    socklen_t size = sizeof(*bound);
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *bound = (struct sockaddr_in){.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, address, &bound->sin_addr), 1);
    assert_int_equal(bind(descriptor, (struct sockaddr *)bound, size), 0);
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)bound, &size), 0);
    if (is_listening)
        assert_int_equal(listen(descriptor, 1), 0);
    return descriptor;
}

/* Where both ends have one address there is no network. */
static void test_wire(void **state)
{
    (void)state;
    static const char *const addresses[] = {"127.0.0.1", "127.0.0.2"};
    for (size_t i = 0; i < 2; i++) {
        struct sockaddr_in near, far;
        struct transport transport;
        struct wire wire;
        int listener = bound_to("127.0.0.1", true, &near), dialler = bound_to(addresses[i], false, &far);
        assert_int_equal(connect(dialler, (struct sockaddr *)&near, sizeof(near)), 0);
        transport_accept(NULL, &transport, accept4(listener, NULL, NULL, SOCK_CLOEXEC));
        assert_true(transport_look_at_wire(&transport, &wire));
        assert_int_equal(wire.is_local, i == 0);
        transport.operations->close(&transport);
        close(dialler);
        close(listener);
    }
}

/* Sockets of another kind have none. */
static void test_without_stamps(void **state)
{
    (void)state;
    struct transport transport;
    struct transport_got got;
    const struct transport_plan plan = {.first = 2, .piece = 1, .count = 4};
    uint8_t bytes[10];
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    transport_accept(NULL, &transport, ends[0]);
    assert_false(transport.has_stamps);
    assert_int_equal(write(ends[1], "12345678", 8), 8);
    assert_int_equal(transport.operations->read(&transport, bytes, &plan, &got), 5);
    assert_int_equal(got.count, 1);
    assert_int_equal(got.pieces[0].size, 5);
    assert_int_equal(got.pieces[0].stamp_ns, 0);
    assert_int_equal(got.queued, 0);
    assert_false(transport.operations->is_full(&transport));
    transport.operations->close(&transport);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stamps),         cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_end_of_pieces),  cmocka_unit_test(test_full),
        cmocka_unit_test(test_without_stamps), cmocka_unit_test(test_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
