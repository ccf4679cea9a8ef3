#include "conn_world.h"

#include <netinet/tcp.h>
#include <time.h>

/* When messages have arrived, by the stamps of this machine's kernel: so its own clocks are shown here. The
 * world's clock, by which connections read, is set to them before each pass. */

static uint64_t machine_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t read_monotonic(void *owner)
{
    (void)owner;
    return machine_ns(CLOCK_MONOTONIC);
}

static uint64_t read_wall(void *owner)
{
    (void)owner;
    return machine_ns(CLOCK_REALTIME);
}

static const struct clock monotonic = {.ns = read_monotonic}, wall = {.ns = read_wall};

static void pass_now(struct fixture *fixture)
{
    world_clock.now_ns = machine_ns(CLOCK_MONOTONIC);
    world_pass(&fixture->world);
}

static void wait_for_messages(struct fixture *fixture, int count)
{
    while (fixture->messages < count)
        pass_now(fixture);
}

/* Time goes on by at least so much. */
static void wait_ns(uint64_t ns)
{
    uint64_t until_ns = machine_ns(CLOCK_MONOTONIC) + ns;
    while (machine_ns(CLOCK_MONOTONIC) < until_ns)
        ;
}

/* A connection that is up, over TCP or not, and whose kernel has begun to stamp. */
static void start_stamped(struct fixture *fixture, bool is_tcp)
{
    int ends[2], no_delay = 1;
    start(fixture);
    world_clock.now_ns = machine_ns(CLOCK_MONOTONIC);
    kernel_clock_init(&fixture->kernel_clock, &monotonic, &wall);
    if (is_tcp) {
        world_tcp_pair(ends);
        assert_int_equal(setsockopt(ends[1], IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof(no_delay)), 0);
    } else {
        world_pair(ends);
    }
    fixture->near = ends[0];
    far_open(&fixture->far, &fixture->world, ends[1], APP);
    fixture->conn = conn_accept(&fixture->settings, ends[0], "127.0.0.1:1");
    far_initiate(&fixture->far);
    far_shake(&fixture->far);
    do {
        far_send(&fixture->far, SEND, "{some, message}");
        wait_for_messages(fixture, fixture->messages + 1);
    } while (is_tcp && !fixture->control.arrived.by_kernel);
    fixture->messages = 0;
}

static void test_read_late(void **state)
{
    (void)state;
    struct fixture fixture;
    start_stamped(&fixture, true);
    for (int i = 0; i < 8; i++) {
        uint64_t before_ns = machine_ns(CLOCK_MONOTONIC);
        fixture.messages = 0;
        far_send(&fixture.far, SEND, "{some, message}");
        uint64_t after_ns = machine_ns(CLOCK_MONOTONIC);
        wait_ns(CLOCK_NS_PER_MS);
        wait_for_messages(&fixture, 1);
        assert_true(fixture.arrived[0].by_kernel);
        assert_true(fixture.arrived[0].ns + (uint64_t)KERNEL_CLOCK_STEP_NS >= before_ns);
        assert_true(fixture.arrived[0].ns <= after_ns + (uint64_t)KERNEL_CLOCK_STEP_NS);
    }
    end(&fixture);
}

/* One that comes in two pieces has arrived when its end has. */
static void test_pieces(void **state)
{
    (void)state;
    struct fixture fixture;
    struct term_builder parts[2] = {0};
    struct buffer bytes = {0};
    start_stamped(&fixture, true);
    message_append(&bytes, far_flags(&fixture.far), &fixture.far.atoms, term_from_text(&parts[0], SEND),
                   term_from_text(&parts[1], "{in, pieces}"));
    for (size_t cut = 1; cut < bytes.size; cut++) {
        fixture.messages = 0;
        far_write(&fixture.far, buffer_bytes(&bytes), cut);
        wait_ns(20 * CLOCK_NS_PER_US);
        have_it_read(&fixture);
        assert_int_equal(fixture.messages, 0);
        uint64_t before_ns = machine_ns(CLOCK_MONOTONIC);
        far_write(&fixture.far, buffer_bytes(&bytes) + cut, bytes.size - cut);
        wait_for_messages(&fixture, 1);
        assert_true(fixture.arrived[0].ns + (uint64_t)KERNEL_CLOCK_STEP_NS >= before_ns);
    }
    buffer_free(&bytes);
    term_build_free(&parts[0]);
    term_build_free(&parts[1]);
    end(&fixture);
}

/* Several that wait, of which the kernel may make one segment, with the time of the last: none of them has
 * come before it was sent, or after the last one was. */
static void test_many(void **state)
{
    (void)state;
    struct fixture fixture;
    static const int counts[] = {2, 3, 8}; /* more would wait with the sender for an acknowledgement */
    uint64_t before_ns[8];
    start_stamped(&fixture, true);
    for (size_t i = 0; i < ARRAY_LENGTH(counts); i++) {
        fixture.messages = 0;
        for (int k = 0; k < counts[i]; k++) {
            before_ns[k] = machine_ns(CLOCK_MONOTONIC);
            far_send(&fixture.far, SEND, "{some, message}");
        }
        uint64_t after_ns = machine_ns(CLOCK_MONOTONIC);
        wait_ns(CLOCK_NS_PER_MS);
        wait_for_messages(&fixture, counts[i]);
        for (int k = 0; k < counts[i]; k++) {
            assert_true(fixture.arrived[k].by_kernel);
            assert_true(fixture.arrived[k].ns + (uint64_t)KERNEL_CLOCK_STEP_NS >= before_ns[k]);
            assert_true(fixture.arrived[k].ns <= after_ns + (uint64_t)KERNEL_CLOCK_STEP_NS);
            assert_true(!k || fixture.arrived[k].ns >= fixture.arrived[k - 1].ns);
        }
    }
    end(&fixture);
}

/* Messages of many sizes, of which each is wrong about the next. */
static void test_sizes(void **state)
{
    (void)state;
    struct fixture fixture;
    start_stamped(&fixture, true);
    for (int i = 0; i < 200; i++) {
        char text[300];
        snprintf(text, sizeof(text), "{%d, a%0*d}", i, 1 + i * 37 % 200, 0);
        far_send(&fixture.far, SEND, text);
        if (i % 7 == 0)
            wait_for_messages(&fixture, i + 1);
    }
    wait_for_messages(&fixture, 200);
    assert_int_equal(strncmp(fixture.payload, "{199,", 5), 0);
    end(&fixture);
}

/* Where there are no stamps the time is that of the read. */
static void test_without_stamps(void **state)
{
    (void)state;
    struct fixture fixture;
    start_stamped(&fixture, false);
    for (int i = 0; i < 20; i++)
        far_send(&fixture.far, SEND, "{some, message}");
    wait_for_messages(&fixture, 20);
    for (int i = 0; i < 20; i++) {
        assert_false(fixture.arrived[i].by_kernel);
        assert_int_equal(fixture.arrived[i].ns, world_clock.now_ns);
    }
    end(&fixture);
}

/* A clock that is not the kernel's, as a process is shown under libfaketime. */
static void test_another_clock(void **state)
{
    (void)state;
    struct fixture fixture;
    start_stamped(&fixture, true);
    kernel_clock_init(&fixture.kernel_clock, &clock_machine, &clock_machine_wall);
    while (!fixture.kernel_clock.is_apart) {
        far_send(&fixture.far, SEND, "{some, message}");
        fixture.messages = 0;
        wait_for_messages(&fixture, 1);
        assert_false(fixture.arrived[0].by_kernel);
        assert_int_equal(fixture.arrived[0].ns, world_clock.now_ns);
    }
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_late),      cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_many),           cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_without_stamps), cmocka_unit_test(test_another_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
