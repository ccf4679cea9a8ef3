#include "error_class_private.h"
#include "measure/error_samples.h"
#include "term_from_text.h"

static const char *class_of(const char *text)
{
    static char written[ERROR_CLASS_BYTES * 2];
    struct term_builder builder = {0};
    struct buffer class = {0};
    error_class(TERM_LONG(term_from_text(&builder, text)), &class);
    term_text(term_of(&class), written, sizeof(written));
    buffer_free(&class);
    term_build_free(&builder);
    return written;
}

static void test_classes(void **state)
{
    (void)state;
    static const struct {
        const char *reason;
        const char *class;
    } rows[] = {
        {"timeout", "timeout"},
        {"5", "'_'"},
        {"{nodedown, 'a@b'}", "{nodedown,a@b}"},
        {"{badmatch, {error, 17}}", "{badmatch,{error,'_'}}"},
        {"{died, $p, $r, 1.5}", "{died,'_','_','_'}"},
        {"{exit, $0}", "{exit,'_'}"},
        {"<<\"key 17 of 4711 is gone\">>", "<<\"key _ of _ is gone\">>"},
        {"#{state => 1}", "'_'"},
        {"#{'__struct__' => 'Elixir.User', name => <<\"me\">>}", "#{'__struct__' => 'Elixir.User'}"},
        {"#{'__struct__' => 'Elixir.E', '__exception__' => true, message => <<\"at 5\">>, more => 7}",
         "#{message => <<\"at _\">>,'__struct__' => 'Elixir.E'}"},
        {"{badarg, [{m, f, [1, 2, #{a => b}], [{line, 7}]}, {n, g, 1, []}]}", "{badarg,[{m,f,3},{n,g,1}]}"},
        {"[a, b, 5]", "[a,b,'_']"},
        {"[a, a, a, a, a, a, a, a, a]", "'_'"},
        {"[]", "[]"},
        {"{a, b, c, d, e, f, g, h, i}", "'_'"},
        {"{a, {b, {c, {d, {e, {f, g}}}}}}", "{a,{b,{c,{d,{e,{'_','_'}}}}}}"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (strcmp(class_of(rows[i].reason), rows[i].class) != 0)
            fail_msg("%s is of class %s", rows[i].reason, class_of(rows[i].reason));
}

/* Two crashes of one line of code are one, whatever they were about. */
static void test_same(void **state)
{
    (void)state;
    char first[500];
    snprintf(
        first, sizeof(first), "%s",
        class_of(
            "{{badmatch, #{id => 1}}, [{shop, sell, [$p, 1], [{line, 5}]}, {gen_server, loop, 7, []}]}"));
    assert_string_equal(
        first,
        class_of("{{badmatch, #{id => 2, a => b}}, [{shop, sell, 2, []}, {gen_server, loop, 7, []}]}"));
    assert_string_not_equal(first, class_of("{{badmatch, #{id => 2}}, [{shop, buy, 2, []}]}"));
}

/* However much there is of it, its class is short. */
static void test_large(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct buffer class = {0};
    char name[200];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    term_build_tuple(&builder, 8);
    for (int i = 0; i < 8; i++) {
        term_build_tuple(&builder, 8);
        for (int j = 0; j < 8; j++)
            term_build_atom(&builder, name);
    }
    error_class(TERM_LONG(term_built(&builder)), &class);
    assert_in_range(class.size, 1, ERROR_CLASS_BYTES);
    buffer_free(&class);
    term_build_free(&builder);
}

/* What it begins with and what comes behind that are one term. */
static void test_in_two_parts(void **state)
{
    (void)state;
    struct term_builder whole = {0};
    struct buffer classes[2] = {0};
    struct term reason =
        term_from_text(&whole, "{{nocatch, {bad, 5, <<\"at 7\">>}}, [{m, f, 1, []}, {m, g, [], []}]}");
    const size_t head = 13; /* {{nocatch, */
    error_class(TERM_LONG(reason), &classes[0]);
    error_class(
        &(struct term_long){.head = {reason.data, head}, .tail = {reason.data + head, reason.size - head}},
        &classes[1]);
    assert_true(term_same(term_of(&classes[0]), term_of(&classes[1])));
    for (size_t i = 0; i < ARRAY_LENGTH(classes); i++)
        buffer_free(&classes[i]);
    term_build_free(&whole);
}

/* What is behind very many values is anything. */
static void test_many_values(void **state)
{
    (void)state;
    char written[100];
    struct term_builder builder = {0};
    struct buffer class = {0};
    term_build_tuple(&builder, 4);
    term_build_atom(&builder, "before");
    term_build_list(&builder, 100000);
    for (size_t i = 0; i < 100000; i++)
        term_build_unsigned(&builder, 300);
    term_build_nil(&builder);
    term_build_atom(&builder, "behind");
    term_build_atom(&builder, "last");
    error_class(TERM_LONG(term_built(&builder)), &class);
    assert_string_equal(term_text(term_of(&class), written, sizeof(written)), "{before,'_','_','_'}");
    buffer_free(&class);
    term_build_free(&builder);
}

/* --- Samples --- */

static void count(struct error_samples *samples, size_t number, const char *reason, uint64_t at_us)
{
    struct term_builder builder = {0};
    error_samples_count(samples, number, TERM_LONG(term_from_text(&builder, reason)), 3, at_us);
    term_build_free(&builder);
}

static void test_samples(void **state)
{
    (void)state;
    struct error_samples samples = {0};
    struct term_builder expected = {0};
    error_samples_free(&samples); /* nothing has failed */
    count(&samples, 0, "{badmatch, 1}", 100);
    count(&samples, 1, "{badmatch, 2}", 200);
    count(&samples, 0, "{badmatch, 1}", 300);
    count(&samples, ERRORS_OTHER, "{badmatch, 3}", 400);
    count(&samples, 2, "timeout", 500);
    assert_int_equal(samples.count, 2);
    assert_int_equal(samples.items[0].count, 4);
    assert_int_equal(samples.items[0].first_us, 100);
    assert_int_equal(samples.items[0].last_us, 400);
    assert_int_equal(samples.items[0].operation, 3);
    assert_true(term_same(term_of(&samples.items[0].reason), term_from_text(&expected, "{badmatch, 1}")));
    assert_int_equal(samples.items[1].count, 1);
    assert_int_equal(samples.others, 0);
    term_build_free(&expected);
    error_samples_free(&samples);
}

static void test_many(void **state)
{
    (void)state;
    struct error_samples samples = {0};
    char reason[30];
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < ERROR_SAMPLES + 5; i++) {
            snprintf(reason, sizeof(reason), "reason_%zu", i);
            count(&samples, i < ERRORS_REASONS ? i : ERRORS_OTHER, reason, 1);
        }
    assert_int_equal(samples.count, ERROR_SAMPLES);
    assert_int_equal(samples.items[ERROR_SAMPLES - 1].count, 2);
    assert_int_equal(samples.others, 10);
    error_samples_free(&samples);
}

/* What is too long is a text of its beginning. */
static void test_long_sample(void **state)
{
    (void)state;
    struct error_samples samples = {0};
    struct term_builder builder = {0};
    uint8_t *data = memory_zalloc(1, 2 * ERROR_SAMPLE_BYTES);
    term_build_tuple(&builder, 2);
    term_build_atom(&builder, "why");
    term_build_binary(&builder, data, 2 * ERROR_SAMPLE_BYTES);
    error_samples_count(&samples, 0, TERM_LONG(term_built(&builder)), 0, 1);
    assert_int_equal(term_type(term_of(&samples.items[0].reason)), TERM_BINARY);
    assert_in_range(samples.items[0].reason.size, 100, ERROR_SAMPLE_BYTES);
    error_samples_free(&samples);
    term_build_free(&builder);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes),     cmocka_unit_test(test_same),
        cmocka_unit_test(test_large),       cmocka_unit_test(test_in_two_parts),
        cmocka_unit_test(test_many_values), cmocka_unit_test(test_samples),
        cmocka_unit_test(test_many),        cmocka_unit_test(test_long_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
