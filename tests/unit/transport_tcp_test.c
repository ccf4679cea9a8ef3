#include "transport/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
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
    assert_int_equal(transport_dial_tcp(&fixture->transport, (struct sockaddr *)&address, size), 0);
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

static ssize_t read_some(struct fixture *fixture, void *data, size_t size, struct transport_seen *seen)
{
    return fixture->transport.operations->read(&fixture->transport, data, size, seen);
}

static void test_stamps(void **state)
{
    (void)state;
    struct fixture fixture;
    struct transport_seen seen = {0};
    char bytes[10];
    start(&fixture);
    assert_true(fixture.transport.has_stamps);
    while (!seen.stamp_ns) { /* the kernel begins to stamp a little later */
        assert_int_equal(write(fixture.far, "12345", 5), 5);
        wait_for(&fixture, POLLIN);
        assert_int_equal(read_some(&fixture, bytes, sizeof(bytes), &seen), 5);
    }
    uint64_t first_ns = seen.stamp_ns;
    assert_int_equal(write(fixture.far, "12345", 5), 5);
    assert_int_equal(write(fixture.far, "12345678", 8), 8);
    wait_for(&fixture, POLLIN);
    assert_int_equal(read_some(&fixture, bytes, 5, &seen), 5);
    assert_int_equal(seen.queued, 8);
    assert_true(seen.stamp_ns > first_ns);
    assert_int_equal(read_some(&fixture, bytes, sizeof(bytes), &seen), 8);
    assert_int_equal(seen.queued, 0);
    seen.stamp_ns = seen.queued = 7;
    assert_int_equal(read_some(&fixture, bytes, sizeof(bytes), &seen), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(seen.stamp_ns, 0);
    assert_int_equal(seen.queued, 0);
    close(fixture.far);
    fixture.far = -1;
    wait_for(&fixture, POLLIN);
    assert_int_equal(read_some(&fixture, bytes, sizeof(bytes), &seen), 0);
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

/* Sockets of another kind have none. */
static void test_without_stamps(void **state)
{
    (void)state;
    struct transport transport;
    struct transport_seen seen;
    char bytes[10];
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    transport_accept_tcp(&transport, ends[0]);
    assert_false(transport.has_stamps);
    assert_int_equal(write(ends[1], "12345678", 8), 8);
    assert_int_equal(transport.operations->read(&transport, bytes, 5, &seen), 5);
    assert_int_equal(seen.stamp_ns, 0);
    assert_int_equal(seen.queued, 0);
    assert_false(transport.operations->is_full(&transport));
    transport.operations->close(&transport);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stamps),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_without_stamps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
