#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/socket_address.h"

static void test_addresses(void **state)
{
    (void)state;
    struct socket_address address;
    assert_true(socket_address_read("127.0.0.1:9464", &address));
    assert_int_equal(address.any.sa_family, AF_INET);
    assert_int_equal(address.size, sizeof(struct sockaddr_in));
    assert_int_equal(ntohl(address.v4.sin_addr.s_addr), INADDR_LOOPBACK);
    assert_int_equal(socket_address_port(&address), 9464);
    assert_true(socket_address_read("[::1]:0", &address));
    assert_int_equal(address.any.sa_family, AF_INET6);
    assert_int_equal(address.size, sizeof(struct sockaddr_in6));
    assert_memory_equal(&address.v6.sin6_addr, &in6addr_loopback, sizeof(in6addr_loopback));
    assert_int_equal(socket_address_port(&address), 0);
    assert_true(socket_address_read("0.0.0.0:65535", &address));
    assert_int_equal(socket_address_port(&address), 65535);
}

static void test_others(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",
        "127.0.0.1",
        "127.0.0.1:",
        ":9464",
        "127.0.0.1:65536",
        "127.0.0.1:99999999999",
        "a:9464",
        "127.0.0.1:+1",
        "127.0.0.1: 1",
        "127.0.0.1:9464x",
        "::1:9464",
        "[::1]",
        "[::1:80",
        "[127.0.0.1]:80",
        "[::1]x:80",
        "127.0.0.1:-1",
        "1111111111111111111111111111111111111111111111111111:80",
    };
    struct socket_address address;
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
        if (socket_address_read(others[i], &address))
            fail_msg("%s is taken for an address", others[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
