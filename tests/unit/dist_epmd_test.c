#include "dist/epmd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

static void test_encode_alive(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0, 19, 120, 0x12, 0x67, 72,  0,   0,   6, 0, 5,
                                       0, 6,  'h', 'a',  'r',  'n', 'e', 's', 0, 0};
    uint8_t message[EPMD_MESSAGE_BYTES];
    assert_int_equal(epmd_encode_alive(message, "harnes", 4711), sizeof(expected));
    assert_memory_equal(message, expected, sizeof(expected));
}

static void test_encode_port_please(void **state)
{
    (void)state;
    static const uint8_t expected[] = {0, 4, 122, 'a', 'p', 'p'};
    uint8_t message[EPMD_MESSAGE_BYTES];
    assert_int_equal(epmd_encode_port_please(message, "app"), sizeof(expected));
    assert_memory_equal(message, expected, sizeof(expected));
}

static void test_encode_odd_names(void **state)
{
    (void)state;
    uint8_t message[EPMD_MESSAGE_BYTES];
    char name[EPMD_NAME_BYTES + 2];
    memset(name, 'n', sizeof(name));
    name[EPMD_NAME_BYTES + 1] = '\0';
    assert_int_equal(epmd_encode_alive(message, name, 1), 0);
    assert_int_equal(epmd_encode_port_please(message, name), 0);
    name[EPMD_NAME_BYTES] = '\0';
    assert_int_equal(epmd_encode_alive(message, name, 1), EPMD_NAME_BYTES + 15);
    assert_int_equal(epmd_encode_port_please(message, name), EPMD_NAME_BYTES + 3);
    assert_int_equal(epmd_encode_alive(message, "", 1), 0);
    assert_int_equal(epmd_encode_port_please(message, ""), 0);
}

static void test_decode_alive(void **state)
{
    (void)state;
    static const struct {
        uint8_t data[8];
        size_t size;
        enum epmd_parse result;
        uint32_t creation;
    } rows[] = {
        {{121, 0, 0, 2}, 4, EPMD_ACCEPTED, 2},
        {{118, 0, 0x65, 0x12, 0xfe, 1}, 6, EPMD_ACCEPTED, 0x6512fe01},
        {{118, 0, 0xff, 0xff, 0xff, 0xff}, 6, EPMD_ACCEPTED, UINT32_MAX},
        {{121, 0, 0, 2, 9}, 5, EPMD_ACCEPTED, 2},
        {{121}, 0, EPMD_INCOMPLETE, 0},
        {{121}, 1, EPMD_INCOMPLETE, 0},
        {{121, 0, 0}, 3, EPMD_INCOMPLETE, 0},
        {{118, 0, 0, 0, 0}, 5, EPMD_INCOMPLETE, 0},
        {{118, 1}, 2, EPMD_REFUSED, 0},
        {{121, 1, 0, 99}, 4, EPMD_REFUSED, 0},
        {{119, 0, 0, 1}, 4, EPMD_MALFORMED, 0},
        {{0}, 1, EPMD_MALFORMED, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint32_t creation = 0;
        assert_int_equal(epmd_decode_alive(rows[i].data, rows[i].size, &creation), rows[i].result);
        assert_int_equal(creation, rows[i].creation);
    }
}

static void test_decode_port(void **state)
{
    (void)state;
    static const struct {
        uint8_t data[16];
        size_t size;
        enum epmd_parse result;
        uint16_t port;
    } rows[] = {
        {{119, 0, 0x12, 0x67, 77, 0, 0, 6, 0, 5, 0, 1, 'a', 0, 0}, 15, EPMD_ACCEPTED, 4711},
        {{119, 0, 0x12, 0x67, 72, 0, 0, 6, 0, 6}, 10, EPMD_ACCEPTED, 4711},
        {{119, 0, 0x12, 0x67, 77, 0, 0, 9, 0, 5}, 10, EPMD_ACCEPTED, 4711},
        {{119, 0, 0x12, 0x67, 77, 0, 0, 6, 0}, 9, EPMD_INCOMPLETE, 0},
        {{119}, 1, EPMD_INCOMPLETE, 0},
        {{119}, 0, EPMD_INCOMPLETE, 0},
        {{119, 1}, 2, EPMD_REFUSED, 0},
        {{119, 0, 0x12, 0x67, 77, 0, 0, 5, 0, 5}, 10, EPMD_REFUSED, 0}, /* too old */
        {{119, 0, 0x12, 0x67, 77, 0, 0, 9, 0, 7}, 10, EPMD_REFUSED, 0}, /* too new */
        {{119, 0, 0x12, 0x67, 77, 1, 0, 6, 0, 5}, 10, EPMD_REFUSED, 0}, /* not TCP */
        {{119, 0, 0, 0, 77, 0, 0, 6, 0, 5}, 10, EPMD_MALFORMED, 0},
        {{121, 0}, 2, EPMD_MALFORMED, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        uint16_t port = 0;
        assert_int_equal(epmd_decode_port(rows[i].data, rows[i].size, &port), rows[i].result);
        assert_int_equal(port, rows[i].port);
    }
}

/* The client, against the epmd of OTP and against a socket that is none. */

struct fixture {
    struct loop loop;
    struct resolver *resolver;
    struct loop_timer guard;
    struct epmd *epmd;
    uint16_t epmd_port;
    pid_t process; /* of epmd, 0: none */
    int registrations;
    int registrations_wanted;
    uint32_t creation;
    int answers;
    uint16_t port;
    char problem[200];
    struct loop_timer later;
    struct epmd *other; /* that has the name */
    unsigned refusals;
};

static void out_of_time(void *owner)
{
    (void)owner;
    fail_msg("nothing happened in time");
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A bound socket and its port. */
static int bind_any(uint16_t *port)
{
    int bound = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    assert_true(bound >= 0);
    assert_int_equal(bind(bound, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(bound, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return bound;
}

static bool listens(uint16_t port)
{
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = loopback(port);
    bool connected = connect(client, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(client);
    return connected;
}

static void wait_until_listening(uint16_t port, bool wanted)
{
    for (int i = 0; i < 1000 && listens(port) != wanted; i++)
        usleep(10000);
    assert_int_equal(listens(port), wanted);
}

static void run_epmd(struct fixture *fixture)
{
    char port[8];
    snprintf(port, sizeof(port), "%u", (unsigned)fixture->epmd_port);
    char *arguments[] = {(char *)"epmd",     (char *)"-port",     port,
                         (char *)"-address", (char *)"127.0.0.1", NULL};
    assert_int_equal(posix_spawnp(&fixture->process, "epmd", NULL, NULL, arguments, environ), 0);
    wait_until_listening(fixture->epmd_port, true);
}

static void end_epmd(struct fixture *fixture)
{
    if (!fixture->process)
        return;
    kill(fixture->process, SIGKILL);
    waitpid(fixture->process, NULL, 0);
    fixture->process = 0;
}

static void start(struct fixture *fixture, bool start_option)
{
    *fixture = (struct fixture){0};
    close(bind_any(&fixture->epmd_port));
    loop_init(&fixture->loop);
    fixture->resolver = resolver_new(&fixture->loop);
    struct epmd_options options = {.host = "localhost", .port = fixture->epmd_port, .start = start_option};
    fixture->epmd = epmd_new(&fixture->loop, fixture->resolver, &options);
    loop_timer_init(&fixture->guard, &fixture->loop, out_of_time, fixture);
    loop_timer_set(&fixture->guard, 60 * CLOCK_NS_PER_S);
}

static void end(struct fixture *fixture)
{
    epmd_free(fixture->epmd);
    resolver_free(fixture->resolver);
    loop_timer_free(&fixture->guard);
    loop_free(&fixture->loop);
    end_epmd(fixture);
}

static void registered(void *owner, uint32_t creation)
{
    struct fixture *fixture = owner;
    fixture->creation = creation;
    if (++fixture->registrations == fixture->registrations_wanted)
        loop_stop(&fixture->loop);
}

static void run_until_registered(struct fixture *fixture, int wanted)
{
    fixture->registrations_wanted = wanted;
    fixture->loop.stopping = fixture->registrations >= wanted;
    loop_run(&fixture->loop);
    assert_int_equal(fixture->registrations, wanted);
    assert_true(epmd_is_registered(fixture->epmd));
}

static void found(void *owner, uint16_t port, const char *problem)
{
    struct fixture *fixture = owner;
    assert_true((problem == NULL) == (port != 0));
    fixture->answers++;
    fixture->port = port;
    snprintf(fixture->problem, sizeof(fixture->problem), "%s", problem ? problem : "");
    loop_stop(&fixture->loop);
}

static void look_up(struct fixture *fixture, const char *host, const char *name)
{
    fixture->answers = 0;
    fixture->loop.stopping = false;
    epmd_lookup_start(fixture->epmd, host, name, found, fixture);
    assert_int_equal(fixture->answers, 0);
    loop_run(&fixture->loop);
    assert_int_equal(fixture->answers, 1);
}

static bool epmd_is_installed(void)
{
    return system("command -v epmd >/dev/null 2>&1") == 0;
}

#define NEEDS_EPMD()                                                                                         \
    do {                                                                                                     \
        if (!epmd_is_installed())                                                                            \
            skip();                                                                                          \
    } while (0)

static void test_register_and_look_up(void **state)
{
    (void)state;
    NEEDS_EPMD();
    struct fixture fixture;
    start(&fixture, false);
    run_epmd(&fixture);
    epmd_register(fixture.epmd, "harness", 4711, registered, &fixture);
    assert_false(epmd_is_registered(fixture.epmd));
    run_until_registered(&fixture, 1);
    look_up(&fixture, "localhost", "harness");
    assert_int_equal(fixture.port, 4711);
    look_up(&fixture, "127.0.0.1", "nobody");
    assert_string_equal(fixture.problem, "not registered with its epmd (is it up? epmd -names)");
    look_up(&fixture, "localhost", "");
    assert_string_not_equal(fixture.problem, "");
    end(&fixture);
}

static void test_look_up_without_epmd(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, true);
    look_up(&fixture, "127.0.0.1", "harness");
    char wanted[64];
    snprintf(wanted, sizeof(wanted), "no epmd at 127.0.0.1:%u", fixture.epmd_port);
    assert_string_equal(fixture.problem, wanted);
    look_up(&fixture, "::1", "harness");
    snprintf(wanted, sizeof(wanted), "no epmd at [::1]:%u", fixture.epmd_port);
    assert_string_equal(fixture.problem, wanted);
    assert_false(listens(fixture.epmd_port)); /* a lookup starts nothing */
    struct epmd_lookup *lookup = epmd_lookup_start(fixture.epmd, "127.0.0.1", "harness", found, &fixture);
    epmd_lookup_cancel(lookup);
    lookup = epmd_lookup_start(fixture.epmd, "127.0.0.1", "harness", found, &fixture);
    event_base_loop(fixture.loop.base, EVLOOP_NONBLOCK);
    epmd_lookup_cancel(lookup);
    look_up(&fixture, "127.0.0.1", "harness");
    end(&fixture);
}

static void end_epmd_and_start_it_later(void *owner)
{
    struct fixture *fixture = owner;
    if (fixture->process) {
        end_epmd(fixture);
        loop_timer_set(&fixture->later, 300 * CLOCK_NS_PER_MS);
    } else {
        assert_false(epmd_is_registered(fixture->epmd));
        run_epmd(fixture);
    }
}

static void test_epmd_comes_back(void **state)
{
    (void)state;
    NEEDS_EPMD();
    struct fixture fixture;
    start(&fixture, false);
    run_epmd(&fixture);
    epmd_register(fixture.epmd, "harness", 4711, registered, &fixture);
    run_until_registered(&fixture, 1);
    loop_timer_init(&fixture.later, &fixture.loop, end_epmd_and_start_it_later, &fixture);
    loop_timer_set(&fixture.later, CLOCK_NS_PER_MS);
    run_until_registered(&fixture, 2);
    look_up(&fixture, "localhost", "harness");
    assert_int_equal(fixture.port, 4711);
    loop_timer_free(&fixture.later);
    end(&fixture);
}

static void give_up_name(void *owner)
{
    struct fixture *fixture = owner;
    assert_true(epmd_name_is_taken(fixture->epmd, &fixture->refusals));
    epmd_free(fixture->other);
}

/* A name that another node has: asked for again until it is free. */
static void test_name_is_taken(void **state)
{
    (void)state;
    NEEDS_EPMD();
    struct fixture fixture;
    start(&fixture, false);
    run_epmd(&fixture);
    struct epmd_options options = {.host = "127.0.0.1", .port = fixture.epmd_port};
    struct epmd *other = epmd_new(&fixture.loop, fixture.resolver, &options);
    fixture.other = other;
    epmd_register(other, "harness", 4000, registered, &fixture);
    fixture.registrations_wanted = 1;
    loop_run(&fixture.loop);
    epmd_register(fixture.epmd, "harness", 4711, registered, &fixture);
    loop_timer_init(&fixture.later, &fixture.loop, give_up_name, &fixture);
    loop_timer_set(&fixture.later, 250 * CLOCK_NS_PER_MS);
    run_until_registered(&fixture, 2);
    assert_true(fixture.refusals >= 1);
    assert_false(epmd_name_is_taken(fixture.epmd, NULL));
    look_up(&fixture, "localhost", "harness");
    assert_int_equal(fixture.port, 4711);
    loop_timer_free(&fixture.later);
    end(&fixture);
}

/* Ends a daemon that nobody is the parent of; epmd answers to this only when no node is registered. */
static void kill_daemon(uint16_t port)
{
    char *command = memory_format("epmd -port %u -kill >/dev/null 2>&1", (unsigned)port);
    for (int i = 0; i < 100 && system(command) != 0; i++)
        usleep(50000);
    free(command);
    wait_until_listening(port, false);
}

static void test_epmd_is_started(void **state)
{
    (void)state;
    NEEDS_EPMD();
    struct fixture fixture;
    start(&fixture, true);
    setenv("ERL_EPMD_ADDRESS", "127.0.0.1", 1);
    epmd_register(fixture.epmd, "harness", 4711, registered, &fixture);
    run_until_registered(&fixture, 1);
    look_up(&fixture, "localhost", "harness");
    assert_int_equal(fixture.port, 4711);
    unsetenv("ERL_EPMD_ADDRESS");
    uint16_t port = fixture.epmd_port;
    end(&fixture);
    kill_daemon(port);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing was left unreaped */
}

/* Takes each connection in turn and says `bytes` to it. */
struct impostor {
    struct fixture *fixture;
    struct event *event;
    int listener;
    const char *bytes;
    size_t size;
    bool closes;
    int connections;
};

static void impostor_accepts(evutil_socket_t listener, short what, void *argument)
{
    (void)what;
    struct impostor *impostor = argument;
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(client >= 0);
    assert_int_equal(send(client, impostor->bytes, impostor->size, MSG_NOSIGNAL), impostor->size);
    if (impostor->closes) {
        char request[EPMD_MESSAGE_BYTES];
        while (recv(client, request, sizeof(request), MSG_DONTWAIT) > 0)
            ;
        close(client);
    }
    if (++impostor->connections == 3)
        loop_stop(&impostor->fixture->loop);
}

static void start_impostor(struct impostor *impostor, struct fixture *fixture)
{
    struct sockaddr_in address = loopback(fixture->epmd_port);
    impostor->fixture = fixture;
    impostor->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(impostor->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(impostor->listener, 16), 0);
    impostor->event =
        event_new(fixture->loop.base, impostor->listener, EV_READ | EV_PERSIST, impostor_accepts, impostor);
    event_add(impostor->event, NULL);
}

static void end_impostor(struct impostor *impostor)
{
    event_free(impostor->event);
    close(impostor->listener);
}

/* What is not an epmd is tried again and again, and never believed. */
static void test_impostors(void **state)
{
    (void)state;
    static char much[2000];
    memset(much, 119, sizeof(much));
    struct impostor impostors[] = {
        {.bytes = "HTTP/1.1 400 Bad Request\r\n\r\n", .size = 28},
        {.bytes = "", .size = 0, .closes = true},
        {.bytes = "\x76", .size = 1, .closes = true},
        {.bytes = much, .size = sizeof(much)},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(impostors); i++) {
        struct fixture fixture;
        start(&fixture, true);
        start_impostor(&impostors[i], &fixture);
        epmd_register(fixture.epmd, "harness", 4711, registered, &fixture);
        loop_run(&fixture.loop);
        assert_int_equal(fixture.registrations, 0);
        look_up(&fixture, "127.0.0.1", "harness");
        assert_int_equal(fixture.port, 0);
        end_impostor(&impostors[i]);
        end(&fixture);
    }
}

/* Accepted and closed at once: a registration, its loss, and the next. */
static void test_registration_lost_at_once(void **state)
{
    (void)state;
    struct impostor impostor = {.bytes = "\x76\0\0\0\0\x07", .size = 6, .closes = true};
    struct fixture fixture;
    start(&fixture, false);
    start_impostor(&impostor, &fixture);
    epmd_register(fixture.epmd, "harness", 4711, registered, &fixture);
    fixture.registrations_wanted = 2;
    loop_run(&fixture.loop);
    assert_int_equal(fixture.registrations, 2);
    assert_int_equal(fixture.creation, 7);
    end_impostor(&impostor);
    end(&fixture);
}

static void test_silence(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture, false);
    struct impostor impostor = {.bytes = "", .size = 0};
    start_impostor(&impostor, &fixture);
    uint64_t started = clock_ns();
    look_up(&fixture, "127.0.0.1", "harness");
    char wanted[64];
    snprintf(wanted, sizeof(wanted), "no answer in time from the epmd at 127.0.0.1:%u", fixture.epmd_port);
    assert_string_equal(fixture.problem, wanted);
    assert_true(clock_ns() - started < 50 * CLOCK_NS_PER_S);
    end_impostor(&impostor);
    end(&fixture);
}

int main(void)
{
    log_configure(LOG_LEVEL_ERROR, LOG_TEXT, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode_alive),
        cmocka_unit_test(test_encode_port_please),
        cmocka_unit_test(test_encode_odd_names),
        cmocka_unit_test(test_decode_alive),
        cmocka_unit_test(test_decode_port),
        cmocka_unit_test(test_register_and_look_up),
        cmocka_unit_test(test_look_up_without_epmd),
        cmocka_unit_test(test_epmd_comes_back),
        cmocka_unit_test(test_name_is_taken),
        cmocka_unit_test(test_epmd_is_started),
        cmocka_unit_test(test_impostors),
        cmocka_unit_test(test_registration_lost_at_once),
        cmocka_unit_test(test_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
