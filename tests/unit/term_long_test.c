#include "term/term_long.h"
#include "term/term_text.h"
#include "term_from_text.h"

/* {why, Binary} in two parts, the second one in a blob. */
struct fixture {
    struct term_builder head;
    struct blob *blob;
    struct term_long term;
};

static void make(struct fixture *fixture, size_t size)
{
    struct term_builder tail = {0};
    uint8_t *data = memory_zalloc(size, 1);
    memset(data, 'x', size);
    *fixture = (struct fixture){.blob = NULL};
    term_build_tuple(&fixture->head, 2);
    term_build_atom(&fixture->head, "why");
    term_build_binary(&tail, data, size);
    free(data);
    fixture->blob = blob_take(&tail.bytes, NULL);
    fixture->term = (struct term_long){.head = term_of(&fixture->head.bytes),
                                       .tail = {fixture->blob->data, fixture->blob->size},
                                       .held = fixture->blob};
}

static void leave(struct fixture *fixture)
{
    term_build_free(&fixture->head);
    blob_release(fixture->blob);
}

/* A copy when it is short, and else the head of it and a hold. */
static void test_keeping(void **state)
{
    (void)state;
    static const size_t sizes[] = {10, 2 * TERM_LONG_BYTES};
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        struct fixture fixture;
        struct term_kept kept = {0};
        struct term_builder built = {0}, wanted = {0};
        make(&fixture, sizes[i]);
        term_kept_set(&kept, TERM_LONG(TERM_ATOM("before")));
        term_kept_set(&kept, &fixture.term);
        assert_int_equal(kept.size, term_long_size(&fixture.term));
        assert_int_equal(fixture.blob->holders, sizes[i] > TERM_LONG_BYTES ? 2 : 1);
        struct term_long again = term_kept_long(&kept);
        term_kept_set(&kept, &again); /* of itself */
        again = term_kept_long(&kept);
        term_build_long(&built, &again);
        term_build_long(&wanted, &fixture.term);
        assert_true(term_same(term_built(&built), term_built(&wanted)));
        term_kept_free(&kept);
        assert_int_equal(kept.size, 0);
        assert_int_equal(fixture.blob->holders, 1);
        term_build_free(&built);
        term_build_free(&wanted);
        leave(&fixture);
    }
}

static void test_joining(void **state)
{
    (void)state;
    struct fixture fixture;
    struct buffer joined = {0};
    char text[100];
    make(&fixture, 3);
    assert_string_equal(term_text(term_long_join(&fixture.term, &joined), text, sizeof(text)),
                        "{why,<<\"xxx\">>}");
    assert_ptr_equal(term_long_join(TERM_LONG(fixture.term.tail), &joined).data, fixture.term.tail.data);
    buffer_free(&joined);
    leave(&fixture);
}

/* The text of both parts, wherever they are. */
static void test_text(void **state)
{
    (void)state;
    struct fixture fixture;
    char text[20];
    make(&fixture, 3);
    assert_string_equal(term_long_text(&fixture.term, text, sizeof(text)), "{why,<<\"xxx\">>}");
    leave(&fixture);
    make(&fixture, 2 * TERM_LONG_BYTES);
    assert_string_equal(term_long_text(&fixture.term, text, sizeof(text)), "{why,<<\"xxxxxxxx...");
    leave(&fixture);
    assert_string_equal(term_long_text(TERM_LONG((struct term){0}), text, sizeof(text)), "");
}

static void test_values(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct term values = term_from_text(&builder, "{{a, [b, c]}, [d]}"), first;
    size_t left = 6;
    assert_int_equal(term_long_tail_values(TERM_LONG(values)), 1);
    assert_int_equal(term_long_tail_values(&(struct term_long){.head = {values.data, 4}}), 3); /* {{ */
    values = (struct term){values.data + 2, values.size - 2};
    assert_true(term_long_first(values, &left, &first));
    assert_int_equal(left, 0); /* {}, a, [], b, c, its tail */
    assert_int_equal(first.size, 2 + 3 + 5 + 3 + 3 + 1);
    left = 5;
    assert_false(term_long_first(values, &left, &first));
    term_build_free(&builder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeping),
        cmocka_unit_test(test_joining),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
