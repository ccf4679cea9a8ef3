#include "store_file_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/crc32.h"
#include "term/term_build.h"

static struct term_builder builder;
static struct buffer bytes;

static int free_all(void **state)
{
    (void)state;
    term_build_free(&builder);
    buffer_free(&bytes);
    return 0;
}

/* A file with the summary #{a => 1} and the content {ok, [7]}, whose parts are in `builder`. */
static struct store_file build_file(enum store_state state)
{
    term_build_reset(&builder);
    term_build_map(&builder, 1);
    term_build_key(&builder, "a");
    term_build_integer(&builder, 1);
    size_t summary_size = builder.bytes.size;
    term_build_tuple(&builder, 2);
    term_build_atom(&builder, "ok");
    term_build_list(&builder, 1);
    term_build_integer(&builder, 7);
    term_build_nil(&builder);
    struct term all = term_built(&builder);
    return (struct store_file){
        .id = 0x0102030405060708,
        .state = state,
        .ended_at_ms = 1234567890123,
        .summary = {all.data, summary_size},
        .content = {all.data + summary_size, all.size - summary_size},
    };
}

static void write_file(const struct store_file *file)
{
    buffer_truncate(&bytes, 0);
    store_file_write_head(file, &bytes);
    buffer_append(&bytes, file->content.data, file->content.size);
    store_file_write_trailer(file, &bytes);
}

/* What binary_to_term() sees is a tuple of the two terms; it does not look at what follows. */
static void test_form(void **state)
{
    (void)state;
    static const uint8_t expected[] = {
        131, 104, 2, 116, 0,   0,   0, 1, 119, 1, 'a', 97, 1,   104,
        2,   119, 2, 'o', 'k', 108, 0, 0, 0,   1, 97,  7,  106,
    };
    struct store_file file = build_file(STORE_FINISHED);
    write_file(&file);
    assert_int_equal(bytes.size, sizeof(expected) + STORE_FILE_TRAILER_BYTES);
    assert_memory_equal(buffer_bytes(&bytes), expected, sizeof(expected));
    static const uint8_t trailer[] = {'h', 'a', 'r', 'n', 'e', 's', 's', 'd', 0, 0, 0, 1, 0, 0,
                                      0,   2,   1,   2,   3,   4,   5,   6,   7, 8, 0, 0, 1, 0x1f};
    assert_memory_equal(buffer_bytes(&bytes) + sizeof(expected), trailer, sizeof(trailer));
}

static void test_read(void **state)
{
    (void)state;
    static const enum store_state states[] = {STORE_RUNNING, STORE_FINISHED};
    for (size_t i = 0; i < ARRAY_LENGTH(states); i++) {
        struct store_file file = build_file(states[i]), again;
        write_file(&file);
        assert_null(store_file_read(buffer_bytes(&bytes), bytes.size, &again));
        assert_int_equal(again.id, file.id);
        assert_int_equal(again.state, states[i]);
        assert_int_equal(again.ended_at_ms, file.ended_at_ms);
        assert_true(term_same(again.summary, file.summary));
        assert_true(term_same(again.content, file.content));
    }
}

/* In memory of its own, so that the sanitizer sees a byte that is read behind it. */
static const char *read_copy(const uint8_t *data, size_t size)
{
    struct store_file file;
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size)
        memcpy(copy, data, size);
    const char *problem = store_file_read(copy, size, &file);
    free(copy);
    return problem;
}

static void test_every_cut(void **state)
{
    (void)state;
    struct store_file file = build_file(STORE_FINISHED);
    write_file(&file);
    for (size_t size = 0; size < bytes.size; size++)
        assert_non_null(read_copy(buffer_bytes(&bytes), size));
    assert_null(read_copy(buffer_bytes(&bytes), bytes.size));
    buffer_append(&bytes, "", 1);
    assert_non_null(read_copy(buffer_bytes(&bytes), bytes.size));
}

static void test_every_bit(void **state)
{
    (void)state;
    struct store_file file = build_file(STORE_FINISHED);
    write_file(&file);
    for (size_t bit = 0; bit < 8 * bytes.size; bit++) {
        buffer_bytes(&bytes)[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_non_null(read_copy(buffer_bytes(&bytes), bytes.size));
        buffer_bytes(&bytes)[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_null(read_copy(buffer_bytes(&bytes), bytes.size));
}

/* A middle part that was never written, as a disk leaves it after a power failure. */
static void test_holes(void **state)
{
    (void)state;
    struct store_file file = build_file(STORE_FINISHED);
    for (size_t start = 0; start < file.content.size; start++) {
        write_file(&file);
        memset(buffer_bytes(&bytes) + STORE_FILE_HEAD_BYTES + file.summary.size + start, 0,
               file.content.size - start);
        assert_non_null(read_copy(buffer_bytes(&bytes), bytes.size));
    }
}

static void expect_problem(const struct store_file *file, const char *problem)
{
    write_file(file);
    const char *found = read_copy(buffer_bytes(&bytes), bytes.size);
    if (problem)
        assert_string_equal(found, problem);
    else
        assert_null(found);
}

/* Checks that are right, around what is not: somebody made the file. */
static void test_made_up(void **state)
{
    (void)state;
    static const uint8_t atom[] = {119, 1, 'a'}, latin1[] = {100, 0, 1, 'a'}, cut[] = {109, 0, 0, 0, 9, 1},
                         two[] = {97, 1, 97, 2}, empty_map[] = {116, 0, 0, 0, 0};
    struct store_file file = build_file(STORE_FINISHED);
    file.content = (struct term){atom, sizeof(atom)};
    expect_problem(&file, NULL);
    file.content = (struct term){latin1, sizeof(latin1)};
    expect_problem(&file, "it has no term where one should be");
    file.content = (struct term){cut, sizeof(cut)};
    expect_problem(&file, "it has no term where one should be");
    file.content = (struct term){two, sizeof(two)};
    expect_problem(&file, "it has no term where one should be");
    file.content.size = 0;
    expect_problem(&file, "it has no term where one should be");
    file = build_file(STORE_FINISHED);
    file.summary = (struct term){atom, sizeof(atom)};
    expect_problem(&file, "its summary is no map");
    file.summary = (struct term){empty_map, sizeof(empty_map)};
    expect_problem(&file, NULL);
    file.state = STORE_INTERRUPTED;
    expect_problem(&file, "its state is unknown");
    file.state = (enum store_state)77;
    expect_problem(&file, "its state is unknown");
}

/* A trailer that says what cannot be, with a check that fits. */
static void expect_trailer_problem(size_t at, uint64_t value, const char *problem)
{
    struct store_trailer trailer;
    struct store_file file = build_file(STORE_FINISHED);
    write_file(&file);
    uint8_t *data = buffer_bytes(&bytes) + bytes.size - STORE_FILE_TRAILER_BYTES;
    bytes_put64(data + at, value);
    bytes_put32(data + STORE_FILE_TRAILER_BYTES - 4, crc32_add(0, data, STORE_FILE_TRAILER_BYTES - 4));
    assert_string_equal(store_file_read_trailer(data, bytes.size, &trailer), problem);
}

static void test_impossible_sizes(void **state)
{
    (void)state;
    const size_t at_form = 8, at_summary_size = 32, at_content_size = 40;
    expect_trailer_problem(at_form, 2ULL << 32 | STORE_FINISHED, "it is of another form");
    expect_trailer_problem(at_summary_size, STORE_SUMMARY_BYTES_MOST + 1, "its summary is too large");
    expect_trailer_problem(at_summary_size, UINT64_MAX, "its summary is too large");
    expect_trailer_problem(at_summary_size, STORE_SUMMARY_BYTES_MOST, "its size is not what it was");
    expect_trailer_problem(at_content_size, UINT64_MAX, "its size is not what it was");
    expect_trailer_problem(at_content_size, 0, "its size is not what it was");
}

static void take(void *owner, const void *json, size_t size)
{
    (void)owner;
    buffer_append(&bytes, json, size);
}

static void expect_json(const struct store_file *file, const struct store_json *json, const char *expected)
{
    buffer_truncate(&bytes, 0);
    store_file_write_json(file, json, take, NULL);
    buffer_append(&bytes, "", 1);
    assert_string_equal((char *)buffer_bytes(&bytes), expected);
}

static void take_apart(enum store_state state, uint64_t ended_at_ms, struct term summary, struct term content,
                       struct store_parts *parts)
{
    assert_int_equal(summary.data[0], 116);
    (void)ended_at_ms;
    if (state == STORE_INTERRUPTED)
        parts->summary = TERM_ATOM("other");
    parts->outcome = state == STORE_FINISHED ? TERM_ATOM("failed") : TERM_ATOM("interrupted");
    term_build_text(&parts->built, "why");
    parts->reason = term_built(&parts->built);
    parts->report = content;
}

static void test_json(void **state)
{
    (void)state;
    struct store_file file = build_file(STORE_FINISHED);
    struct store_json json = {.take_apart = NULL};
    file.id = 5;
    file.content = TERM_ATOM("x");
    expect_json(&file, &json, "{\"outcome\":null,\"run_id\":5,\"reason\":null,\"report\":\"x\"}\n");
    json.take_apart = take_apart;
    expect_json(&file, &json, "{\"outcome\":\"failed\",\"run_id\":5,\"reason\":\"why\",\"report\":\"x\"}\n");
    file.state = STORE_RUNNING;
    expect_json(&file, &json,
                "{\"outcome\":\"interrupted\",\"run_id\":5,\"reason\":\"why\",\"report\":\"x\"}\n");
    json.has_summary = true;
    expect_json(&file, &json,
                "{\"outcome\":\"interrupted\",\"run_id\":5,\"reason\":\"why\",\"state\":\"running\","
                "\"summary\":\"other\",\"report\":\"x\"}\n");
}

/* What is too deep is told of at the end, the report's and the reason's together. */
static void test_json_warning(void **state)
{
    (void)state;
    static const char end[] =
        ",\"warning\":\"values deeper than 200 levels, 1 of them, are shown as text, which "
        "ends in ... where it is too long; in the term they are whole\"}\n";
    struct store_file file = build_file(STORE_FINISHED);
    struct term_builder deep = {0};
    for (int i = 0; i < 300; i++)
        term_build_tuple(&deep, 1);
    term_build_nil(&deep);
    file.content = term_built(&deep);
    buffer_truncate(&bytes, 0);
    store_file_write_json(&file, &(struct store_json){.take_apart = take_apart}, take, NULL);
    buffer_append(&bytes, "", 1);
    const char *json = (const char *)buffer_bytes(&bytes);
    assert_string_equal(json + strlen(json) - strlen(end), end);
    term_build_free(&deep);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_holes),
        cmocka_unit_test(test_made_up),
        cmocka_unit_test(test_impossible_sizes),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_warning),
    };
    return cmocka_run_group_tests(tests, NULL, free_all);
}
