#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/random.h"
#include "measure/terms.h"

/* An INTEGER_EXT in memory that the next call writes over: what is kept is a copy. */
static struct term number(uint32_t value)
{
    static uint8_t data[5];
    data[0] = 98;
    bytes_put32(data + 1, value);
    return (struct term){data, sizeof(data)};
}

static void expect(const struct terms *terms, uint32_t kept, uint32_t value)
{
    assert_true(term_same(terms_get(terms, kept).tail, number(value)));
}

static void test_kept_once(void **state)
{
    (void)state;
    struct terms terms = {0};
    uint32_t one = terms_keep(&terms, TERM_LONG(number(1)));
    uint32_t two = terms_keep(&terms, TERM_LONG(number(2)));
    assert_int_not_equal(one, TERMS_NONE);
    assert_int_not_equal(two, TERMS_NONE);
    assert_int_not_equal(one, two);
    assert_int_equal(terms_keep(&terms, TERM_LONG(number(1))), one);
    assert_int_equal(terms.bytes, 10);
    expect(&terms, one, 1);
    expect(&terms, two, 2);
    terms_free(&terms);
    assert_int_equal(terms.bytes, 0);
}

static void test_uses(void **state)
{
    (void)state;
    struct terms terms = {0};
    uint32_t one = terms_keep(&terms, TERM_LONG(number(1)));
    assert_int_equal(terms_keep(&terms, TERM_LONG(number(1))), one);
    assert_int_equal(terms_keep(&terms, TERM_LONG(number(1))), one);
    terms_release(&terms, one);
    terms_release(&terms, one);
    expect(&terms, one, 1);
    assert_int_equal(terms.bytes, 5);
    terms_release(&terms, one);
    assert_int_equal(terms.bytes, 0);
    terms_release(&terms, TERMS_NONE);
    assert_int_equal(terms_keep(&terms, TERM_LONG(number(2))), one); /* its place is used again */
    expect(&terms, one, 2);
    uint32_t other = terms_keep(&terms, TERM_LONG(number(1)));
    assert_int_not_equal(other, one);
    terms_free(&terms);
}

static void test_places_are_used_again(void **state)
{
    (void)state;
    struct terms terms = {0};
    uint32_t kept[300];
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < 300; i++)
            kept[i] = terms_keep(&terms, TERM_LONG(number(round * 300 + i)));
        for (uint32_t i = 0; i < 300; i++)
            expect(&terms, kept[i], round * 300 + i);
        for (uint32_t i = 0; i < 300; i++)
            terms_release(&terms, kept[i]);
        assert_int_equal(terms.bytes, 0);
        assert_int_equal(terms.slot_count, 301);
    }
    terms_free(&terms);
}

/* Terms of any size; each is a prefix of the longer ones. */
static void test_sizes(void **state)
{
    (void)state;
    static uint8_t data[2000];
    struct terms terms = {0};
    uint32_t kept[20];
    for (size_t i = 0; i < 20; i++)
        kept[i] = terms_keep(&terms, TERM_LONG(((struct term){data, 1 + i * 100})));
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(terms_get(&terms, kept[i]).tail.size, 1 + i * 100);
        assert_int_equal(terms_keep(&terms, TERM_LONG(((struct term){data, 1 + i * 100}))), kept[i]);
    }
    terms_free(&terms);
}

/* What is long stays in its blob, and nobody compares it to others. */
static void test_held(void **state)
{
    (void)state;
    struct terms terms = {0};
    struct buffer bytes = {0};
    memset(buffer_reserve(&bytes, 3 * TERM_LONG_BYTES), 'x', 3 * TERM_LONG_BYTES);
    buffer_grow(&bytes, 3 * TERM_LONG_BYTES);
    struct blob *blob = blob_take(&bytes, NULL);
    const struct term_long term = {
        .head = number(1), .tail = {blob->data, 2 * TERM_LONG_BYTES}, .held = blob};
    const struct term_long other = {.tail = {blob->data + 1, 2 * TERM_LONG_BYTES}, .held = blob};
    uint32_t first = terms_keep(&terms, &term);
    assert_int_equal(terms_keep(&terms, &term), first); /* it is where it was */
    assert_int_equal(blob->holders, 2);
    assert_int_equal(terms.bytes, 5 + 2 * TERM_LONG_BYTES);
    uint32_t second = terms_keep(&terms, &other);
    assert_int_not_equal(first, second);
    assert_int_equal(blob->holders, 3);
    const struct term_long headless = {.tail = term.tail, .held = blob};
    uint32_t third = terms_keep(&terms, &headless);
    assert_int_not_equal(third, first);
    (void)number(2); /* the head is a copy */
    const struct term_long kept = terms_get(&terms, first);
    assert_true(term_same(kept.head, number(1)));
    assert_ptr_equal(kept.tail.data, blob->data);
    assert_int_equal(kept.tail.size, 2 * TERM_LONG_BYTES);
    terms_release(&terms, first);
    assert_int_equal(blob->holders, 4);
    terms_release(&terms, first);
    assert_int_equal(blob->holders, 3);
    uint32_t again = terms_keep(&terms, &term);
    assert_int_equal(terms_keep(&terms, &other), second);
    for (size_t i = 0; i < 2; i++)
        terms_release(&terms, second);
    terms_release(&terms, third);
    terms_release(&terms, again);
    assert_int_equal(terms.bytes, 0);
    assert_int_equal(blob->holders, 1);
    const struct term_long part = {.head = number(1), .tail = {blob->data, 5}, .held = blob};
    uint32_t joined = terms_keep(&terms, &part); /* it is short */
    assert_int_equal(terms_get(&terms, joined).tail.size, 10);
    assert_int_equal(blob->holders, 1);
    terms_free(&terms);
    assert_int_equal(blob->holders, 1);
    blob_release(blob);
}

static void test_model(void **state)
{
    (void)state;
    struct terms terms = {0};
    struct random random;
    uint32_t uses[200] = {0}, kept[200] = {0};
    size_t bytes = 0;
    random_seed(&random, 3);
    for (int i = 0; i < 50000; i++) {
        uint32_t value = (uint32_t)random_below(&random, 200);
        if (random_below(&random, 2)) {
            uint32_t place = terms_keep(&terms, TERM_LONG(number(value)));
            assert_true(!uses[value] || place == kept[value]);
            bytes += uses[value]++ ? 0 : 5;
            kept[value] = place;
        } else if (uses[value]) {
            expect(&terms, kept[value], value);
            terms_release(&terms, kept[value]);
            bytes -= --uses[value] ? 0 : 5;
        }
        assert_int_equal(terms.bytes, bytes);
    }
    for (uint32_t value = 0; value < 200; value++)
        if (uses[value])
            expect(&terms, kept[value], value);
    terms_free(&terms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_once),
        cmocka_unit_test(test_uses),
        cmocka_unit_test(test_places_are_used_again),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
