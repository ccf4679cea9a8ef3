#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "dist/node_name.h"

static const char *const valid[] = {
    "a@b",
    "harness@host",
    "harness@host.example.org",
    "harness@127.0.0.1",
    "harness@::1",
    "a-b_c9@h-1_x",
    "9@9",
    "-@-",
    "app@localhost",
    "A@B",
    "a@fe80::1",
    "_@host.",
};

static const char *const invalid[] = {
    "",     "@",     "a",     "a@",          "@b",         "a@b@c", "a b@c", "a@b c", "a.b@c", "a/b@c",
    "a@b/", "a@b\n", "\na@b", "a@b\xc3\xa5", "\xc3\xa5@b", "a@@b",  "a!@b",  "a@b!",  " a@b",  "a@b ",
};

static void test_valid(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(valid); i++) {
        if (node_name_problem(valid[i]))
            fail_msg("%s: %s", valid[i], node_name_problem(valid[i]));
        assert_true(node_name_is_valid(valid[i], strlen(valid[i])));
    }
}

static void test_invalid(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(invalid); i++) {
        if (!node_name_problem(invalid[i]))
            fail_msg("'%s' passes", invalid[i]);
        assert_false(node_name_is_valid(invalid[i], strlen(invalid[i])));
    }
}

static void test_problems(void **state)
{
    (void)state;
    assert_non_null(strstr(node_name_problem("harness"), "no @HOST"));
    assert_non_null(strstr(node_name_problem("a@b@c"), "second @"));
    assert_non_null(strstr(node_name_problem("a@"), "host"));
    assert_non_null(strstr(node_name_problem("a.b@c"), "before its host"));
    assert_non_null(strstr(node_name_problem("@c"), "begin"));
}

/* Names that peers give are bytes without an end, in memory of just their size. */
static void test_bytes(void **state)
{
    (void)state;
    assert_true(node_name_is_valid("a@b@c", 3));
    assert_false(node_name_is_valid("a@b\0c", 5));
    assert_false(node_name_is_valid("\0", 1));
    assert_false(node_name_is_valid("", 0));
    for (size_t size = NODE_NAME_BYTES - 1; size <= NODE_NAME_BYTES + 1; size++) {
        char *name = memory_alloc(size);
        memset(name, 'a', size);
        name[5] = '@';
        assert_int_equal(node_name_is_valid(name, size), size <= NODE_NAME_BYTES);
        free(name);
    }
}

static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool looks_long;
        bool good_as_long;
        bool good_as_short;
    } rows[] = {
        {"a@b", false, false, true},  {"a@b.c", true, true, false},       {"a@127.0.0.1", true, true, false},
        {"a@::1", true, true, false}, {"a@localhost", false, true, true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        assert_int_equal(node_name_looks_long(rows[i].name), rows[i].looks_long);
        assert_int_equal(node_name_kind_problem(rows[i].name, true) == NULL, rows[i].good_as_long);
        assert_int_equal(node_name_kind_problem(rows[i].name, false) == NULL, rows[i].good_as_short);
    }
    assert_false(node_name_looks_long("a"));
    assert_false(node_name_looks_long("a.b"));
}

static void test_complete(void **state)
{
    (void)state;
    char *name = node_name_complete("a@b.c", false);
    assert_string_equal(name, "a@b.c");
    free(name);
    name = node_name_complete("harness", false);
    if (name) { /* this host has a name */
        assert_memory_equal(name, "harness@", 8);
        assert_null(strchr(name, '.'));
    }
    free(name);
}

/* What this host is called; NULL: what it is. */
static const char *host_name;

int gethostname(char *name, size_t size)
{
    struct utsname system;
    uname(&system);
    snprintf(name, size, "%s", host_name ? host_name : system.nodename);
    return 0;
}

/* No node may be called as some hosts are. */
static void test_towards_from_any_host(void **state)
{
    (void)state;
    static const char *const hosts[] = {"odd host!", "b\xc3\xb6se",     "a@b",      "", "localhost",
                                        "-",         "app.example.org", "127.0.0.1"};
    static const char *const peers[] = {"app@db1", "app@localhost", "app@127.0.0.1", "app@::1"};
    for (size_t i = 0; i < ARRAY_LENGTH(hosts); i++) {
        host_name = hosts[i];
        for (size_t j = 0; j < ARRAY_LENGTH(peers); j++) {
            char *name = node_name_towards("once", peers[j]);
            if (node_name_problem(name) || node_name_kind_problem(name, node_name_looks_long(peers[j])))
                fail_msg("%s towards %s on a host that is called %s", name, peers[j], hosts[i]);
            free(name);
        }
    }
    host_name = NULL;
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int socket_there = socket(AF_INET6, SOCK_DGRAM, 0);
    bool bound = socket_there >= 0 && bind(socket_there, (void *)&loopback, sizeof(loopback)) == 0;
    if (socket_there >= 0)
        close(socket_there);
    return bound;
}

/* Whatever this host is called and wherever it has routes to, there is a name, and it is of the kind. */
static void test_towards(void **state)
{
    (void)state;
    static const struct {
        const char *peer;
        const char *name; /* NULL: any of the kind */
    } rows[] = {
        {"app@127.0.0.1", "once@127.0.0.1"},
        {"app@localhost", "once@localhost"},
        {"app@::1", "once@::1"},
        {"app@127.0.0.2", NULL},
        {"app@10.0.0.7", NULL},
        {"app@fd00:1234::7", NULL},
        {"app@fe80::7", NULL}, /* there is no way without an interface */
        {"app@255.255.255.255", NULL},
        {"app@app1.example.org", NULL},
        {"app@app1", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char *name = node_name_towards("once", rows[i].peer);
        if (rows[i].name && (has_ipv6() || !strchr(rows[i].name, ':')))
            assert_string_equal(name, rows[i].name);
        assert_memory_equal(name, "once@", 5);
        assert_null(node_name_problem(name));
        assert_null(node_name_kind_problem(name, node_name_looks_long(rows[i].peer)));
        free(name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),    cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_problems), cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_kinds),    cmocka_unit_test(test_complete),
        cmocka_unit_test(test_towards),  cmocka_unit_test(test_towards_from_any_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
