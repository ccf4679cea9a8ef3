#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "claims_private.h"

#include "base/compiler.h"

static struct claim *add(struct claims *claims, const char *address)
{
    return claims_add(claims, NULL, address);
}

static void test_empty(void **state)
{
    (void)state;
    struct claims claims = {0};
    assert_null(claims_find_dispensable(&claims));
    claims_free(&claims);
}

/* The source that has the most loses its oldest; among those with as many, the oldest of all goes. */
static void test_dispensable(void **state)
{
    (void)state;
    struct claims claims = {0};
    struct claim *honest = add(&claims, "192.0.2.1:1");
    assert_ptr_equal(claims_find_dispensable(&claims), honest);
    struct claim *flood[3] = {add(&claims, "192.0.2.2:1")};
    assert_ptr_equal(claims_find_dispensable(&claims), honest);
    flood[1] = add(&claims, "192.0.2.2:2");
    flood[2] = add(&claims, "192.0.2.2:3");
    assert_ptr_equal(claims_find_dispensable(&claims), flood[0]);
    claims_remove(&claims, flood[0]);
    assert_ptr_equal(claims_find_dispensable(&claims), flood[1]);
    claims_remove(&claims, flood[2]);
    assert_ptr_equal(claims_find_dispensable(&claims), honest);
    claims_remove(&claims, honest);
    assert_ptr_equal(claims_find_dispensable(&claims), flood[1]);
    claims_remove(&claims, flood[1]);
    assert_int_equal(claims.list.count, 0);
    assert_int_equal(claims.by_source.count, 0);
    claims_free(&claims);
}

/* Whether two addresses are of one source. */
static const struct pair {
    const char *one;
    const char *other;
    bool same;
} pairs[] = {
    {"192.0.2.1:1", "192.0.2.1:2", true},
    {"192.0.2.1:1", "192.0.2.2:1", false},
    {"192.0.2.1:1", "[::ffff:192.0.2.1]:1", true},
    {"[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:1", false},
    {"[2001:db8::1]:1", "[2001:db8::2]:1", true}, /* nobody has less than that to choose from */
    {"[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1", false},
    {"?:?", "", true},
    {"[]:1", "[:1", true},
};

static void test_sources(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
        struct claims claims = {0};
        struct claim *one = add(&claims, pairs[i].one);
        struct claim *other = add(&claims, pairs[i].other);
        if ((one->source == other->source) != pairs[i].same)
            fail_msg("%s and %s", pairs[i].one, pairs[i].other);
        claims_remove(&claims, one);
        claims_remove(&claims, other);
        claims_free(&claims);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_dispensable),
        cmocka_unit_test(test_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
