#include "dist/resolve.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/compiler.h"

struct fixture {
    struct loop loop;
    struct resolver *resolver;
    struct loop_timer guard;
    bool starting;
    int answers;
    int wanted; /* answers to stop after */
    struct resolve_address addresses[RESOLVE_ADDRESSES];
    size_t count;
    char problem[200];
};

static void out_of_time(void *owner)
{
    (void)owner;
    fail_msg("no answer");
}

static void start(struct fixture *fixture)
{
    *fixture = (struct fixture){.wanted = 1};
    loop_init(&fixture->loop);
    fixture->resolver = resolver_new(&fixture->loop);
    loop_timer_init(&fixture->guard, &fixture->loop, out_of_time, fixture);
    loop_timer_set(&fixture->guard, 60 * CLOCK_NS_PER_S);
}

static void end(struct fixture *fixture)
{
    loop_timer_free(&fixture->guard);
    resolver_free(fixture->resolver);
    loop_free(&fixture->loop);
}

static void done(void *owner, const struct resolve_address *addresses, size_t count, const char *problem)
{
    struct fixture *fixture = owner;
    assert_false(fixture->starting);
    assert_true((problem == NULL) == (count > 0));
    memcpy(fixture->addresses, addresses, count * sizeof(addresses[0]));
    fixture->count = count;
    snprintf(fixture->problem, sizeof(fixture->problem), "%s", problem ? problem : "");
    if (++fixture->answers == fixture->wanted)
        loop_stop(&fixture->loop);
}

static struct resolve_request *ask(struct fixture *fixture, const char *host)
{
    fixture->starting = true;
    struct resolve_request *request = resolve_start(fixture->resolver, host, 4369, done, fixture);
    fixture->starting = false;
    return request;
}

static void resolve(struct fixture *fixture, const char *host)
{
    fixture->loop.stopping = false;
    fixture->answers = 0;
    assert_non_null(ask(fixture, host));
    loop_run(&fixture->loop);
}

/* Whether this address is among those found, with the port that was asked for. */
static bool found(const struct fixture *fixture, const char *expected)
{
    for (size_t i = 0; i < fixture->count; i++) {
        const struct sockaddr *address = (const struct sockaddr *)&fixture->addresses[i].address;
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        bool is_v4 = address->sa_family == AF_INET;
        char text[INET6_ADDRSTRLEN];
        inet_ntop(address->sa_family, is_v4 ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr,
                  text, sizeof(text));
        assert_int_equal(fixture->addresses[i].size, is_v4 ? sizeof(*v4) : sizeof(*v6));
        assert_int_equal(ntohs(is_v4 ? v4->sin_port : v6->sin6_port), 4369);
        if (strcmp(text, expected) == 0)
            return true;
    }
    return false;
}

static void test_literal_addresses(void **state)
{
    (void)state;
    static const char *const literals[] = {"127.0.0.1", "10.1.2.3", "::1", "2001:db8::5"};
    struct fixture fixture;
    start(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(literals); i++) {
        resolve(&fixture, literals[i]);
        assert_int_equal(fixture.count, 1);
        assert_true(found(&fixture, literals[i]));
    }
    end(&fixture);
}

static void test_localhost(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    resolve(&fixture, "localhost");
    assert_true(found(&fixture, "127.0.0.1"));
    resolve(&fixture, "LOCALHOST");
    assert_true(found(&fixture, "127.0.0.1"));
    end(&fixture);
}

static void test_own_name(void **state)
{
    (void)state;
    struct fixture fixture;
    char name[256] = "";
    assert_int_equal(gethostname(name, sizeof(name) - 1), 0);
    start(&fixture);
    resolve(&fixture, name);
    assert_true(fixture.count > 0);
    name[strcspn(name, ".")] = '\0';
    resolve(&fixture, name);
    assert_true(fixture.count > 0);
    end(&fixture);
}

/* Names that nobody has: a problem comes, in bounded time, with a network or without one. */
static void test_unknown_names(void **state)
{
    (void)state;
    char label[300];
    memset(label, 'a', sizeof(label) - 1);
    label[sizeof(label) - 1] = '\0';
    const char *names[] = {"no-such-host.invalid", label, "", "..", "a b", "1.2.3.4.5",
                           "300.1.1.1.invalid",    ":::"};
    struct fixture fixture;
    start(&fixture);
    fixture.wanted = ARRAY_LENGTH(names);
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        ask(&fixture, names[i]);
    loop_run(&fixture.loop);
    assert_int_equal(fixture.answers, ARRAY_LENGTH(names));
    end(&fixture);
}

static void test_cancel(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    resolve_cancel(ask(&fixture, "127.0.0.1"));
    resolve_cancel(ask(&fixture, "localhost"));
    resolve_cancel(ask(&fixture, "no-such-host.invalid"));
    resolve(&fixture, "127.0.0.1");
    assert_int_equal(fixture.answers, 1);
    end(&fixture);
}

/* A question that is under way, cancelled by what happens in the loop. */
static void test_cancel_later(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    struct resolve_request *request = ask(&fixture, "no-such-host.invalid");
    event_base_loop(fixture.loop.base, EVLOOP_NONBLOCK);
    resolve_cancel(request);
    resolve(&fixture, "::1");
    assert_int_equal(fixture.answers, 1);
    resolve_cancel(ask(&fixture, "no-such-host.invalid"));
    end(&fixture);
}

static void test_many_at_once(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    fixture.wanted = 500;
    for (int i = 0; i < fixture.wanted; i++)
        ask(&fixture, i % 2 ? "127.0.0.1" : "localhost");
    loop_run(&fixture.loop);
    assert_int_equal(fixture.answers, fixture.wanted);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literal_addresses),
        cmocka_unit_test(test_localhost),
        cmocka_unit_test(test_own_name),
        cmocka_unit_test(test_unknown_names),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_cancel_later),
        cmocka_unit_test(test_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
