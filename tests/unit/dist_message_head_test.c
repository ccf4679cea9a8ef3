#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "dist/control.h"
#include "large_frame_private.h"
#include "message_head_private.h"
#include "message_private.h"
#include "term_from_text.h"

#define LIMIT 300000
#define TOO_LARGE "{message_too_large, 300000}"

/* How much of a binary of these zeros is left out. */
#define LARGE_BYTES 400000

struct fixture {
    struct message_reader reader;
    struct buffer frame; /* without its length */
    struct term control;
    struct term payload;
    const char *problem;
};

static void start(struct fixture *fixture)
{
    *fixture = (struct fixture){0};
    message_reader_init(&fixture->reader, LIMIT);
    fixture->reader.refers = true;
}

static void end(struct fixture *fixture)
{
    message_reader_free(&fixture->reader);
    buffer_free(&fixture->frame);
}

/* Appends the text's term; each atom `large` in it is a binary of LARGE_BYTES. */
static void append(struct buffer *output, const char *text)
{
    static const uint8_t mark[] = {TERM_TAG_SMALL_ATOM_UTF8, 5, 'l', 'a', 'r', 'g', 'e'};
    struct term_builder builder = {0}, large = {0};
    struct term term = term_from_text(&builder, text);
    uint8_t *zeros = memory_zalloc(LARGE_BYTES, 1);
    term_build_binary(&large, zeros, LARGE_BYTES);
    while (term.size) {
        const uint8_t *found = memmem(term.data, term.size, mark, sizeof(mark));
        size_t before = found ? (size_t)(found - term.data) : term.size;
        buffer_append(output, term.data, before);
        if (found)
            buffer_append(output, buffer_bytes(&large.bytes), large.bytes.size);
        size_t used = found ? before + sizeof(mark) : before;
        term = (struct term){term.data + used, term.size - used};
    }
    free(zeros);
    term_build_free(&builder);
    term_build_free(&large);
}

/* A frame with a header without atoms, or of the form for those who know none. */
static void make_frame(struct fixture *fixture, bool versioned, const char *control, const char *payload)
{
    static const uint8_t version[] = {TERM_VERSION};
    buffer_truncate(&fixture->frame, 0);
    if (versioned)
        buffer_append(&fixture->frame, (const uint8_t[]){112, TERM_VERSION}, 2);
    else
        buffer_append(&fixture->frame, (const uint8_t[]){TERM_VERSION, 68, 0}, 3);
    append(&fixture->frame, control);
    if (versioned && payload)
        buffer_append(&fixture->frame, version, 1);
    if (payload)
        append(&fixture->frame, payload);
}

/* Reads so many bytes of it, from memory that has no more. */
static enum message_result read_first(struct fixture *fixture, size_t size)
{
    uint8_t *copy = memory_copy(buffer_bytes(&fixture->frame), size);
    enum message_result result = message_read_cut(&fixture->reader, copy, size, &fixture->control,
                                                  &fixture->payload, &fixture->problem);
    while (result == MESSAGE_LONG)
        result =
            message_go_on(&fixture->reader, 1000, &fixture->control, &fixture->payload, &fixture->problem);
    free(copy); /* nothing that was read from it points there */
    return result;
}

static enum message_result read_head(struct fixture *fixture)
{
    size_t size = fixture->frame.size;
    return read_first(fixture, size < MESSAGE_FRAME_HEAD_BYTES ? size : MESSAGE_FRAME_HEAD_BYTES);
}

static void test_payloads(void **state)
{
    (void)state;
    static const struct {
        const char *payload, *found;
    } rows[] = {
        {"{7, large}", "{7, " TOO_LARGE "}"},
        {"{7, {ok, [large]}}", "{7, " TOO_LARGE "}"},
        {"{'$gen_call', {$p, [alias | $r]}, {run, #{a => large}}}",
         "{'$gen_call', {$p, [alias | $r]}, " TOO_LARGE "}"},
        {"{'$gen_call', {$p, $r}, large}", "{'$gen_call', {$p, $r}, " TOO_LARGE "}"},
        {"{'$gen_cast', large}", "{'$gen_cast', " TOO_LARGE "}"},
        {"{system, {$p, $r}, {state, large}}", "{system, {$p, $r}, " TOO_LARGE "}"},
        {"{$p, {call, m, f, [large], $q}}", "{$p, " TOO_LARGE "}"},
        {"[$r, m, f, [large]]", "[$r, m, f, " TOO_LARGE "]"},
        {"[$r, m, f, [1, large, 2]]", "[$r, m, f, " TOO_LARGE "]"},
        {"{{harnessd, 3, 1}, {0, 5}, {returned, large}}", "{{harnessd, 3, 1}, {0, 5}, " TOO_LARGE "}"},
        {"{{harnessd, 3}, 7, [large], {a, 1}}", "{{harnessd, 3}, 7, " TOO_LARGE ", " TOO_LARGE "}"},
        {"{io_request, $p, $r, {put_chars, unicode, large}}", "{io_request, $p, $r, " TOO_LARGE "}"},
        {"{large, 1}", "{" TOO_LARGE ", " TOO_LARGE "}"},
        {"large", TOO_LARGE},
        {"#{a => large}", TOO_LARGE},
        {"[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, large]", TOO_LARGE},
    };
    struct fixture fixture;
    start(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        for (int versioned = 0; versioned < 2; versioned++) {
            make_frame(&fixture, versioned, "{22, $p, $o}", rows[i].payload);
            assert_int_equal(read_head(&fixture), MESSAGE_HEAD);
            expect_term(fixture.control, "{22, $p, $o}");
            expect_term(fixture.payload, rows[i].found);
        }
    }
    end(&fixture);
}

/* Of a message for a name one level more is known, and not of one for a process, nor of a reason. */
static void test_levels(void **state)
{
    (void)state;
    static const struct {
        const char *control, *payload, *found;
    } rows[] = {
        {"{6, $p, '', rex}", "{$p, {sbcast, harness, large}}", "{$p, {sbcast, harness, " TOO_LARGE "}}"},
        {"{6, $p, '', rex}", "{$p, {sbcast, harness, {a, large}}}", "{$p, {sbcast, harness, " TOO_LARGE "}}"},
        {"{6, $p, '', rex}", "{$p, {sbcast, large, a}, b}",
         "{$p, {sbcast, " TOO_LARGE ", " TOO_LARGE "}, " TOO_LARGE "}"},
        {"{6, $p, '', rex}", "[$p, [call, m, large]]", "[$p, [call, m, " TOO_LARGE "]]"},
        {"{6, $p, '', rex}", "{$p, #{a => large}}", "{$p, " TOO_LARGE "}"},
        {"{6, $p, '', rex}", "{'$gen_call', {$p, $r}, {run, large}}",
         "{'$gen_call', {$p, $r}, {run, " TOO_LARGE "}}"},
        {"{16, $p, '', rex, token}", "{$p, {sbcast, harness, large}}",
         "{$p, {sbcast, harness, " TOO_LARGE "}}"},
        {"{22, $p, $o}", "{$p, {sbcast, harness, large}}", "{$p, " TOO_LARGE "}"},
        {"{33, $p, $r}", "{$p, {sbcast, harness, large}}", "{$p, " TOO_LARGE "}"},
        {"{24, $p, $o}", "{shutdown, {why, large}}", "{shutdown, " TOO_LARGE "}"},
        {"{28, $p, $o, $r}", "{shutdown, {why, large}}", "{shutdown, " TOO_LARGE "}"},
    };
    struct fixture fixture;
    start(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        for (int versioned = 0; versioned < 2; versioned++) {
            make_frame(&fixture, versioned, rows[i].control, rows[i].payload);
            assert_int_equal(read_head(&fixture), MESSAGE_HEAD);
            expect_term(fixture.control, rows[i].control);
            expect_term(fixture.payload, rows[i].found);
        }
    }
    end(&fixture);
}

/* Each kind that can be large, and what is known of it. */
static void test_controls(void **state)
{
    (void)state;
    static const struct {
        const char *control, *payload;
        enum control_operation operation;
        enum control_problem problem;
        bool has_reason;
    } rows[] = {
        {"{22, $p, $o}", "{7, large}", CONTROL_SEND, CONTROL_OK, false},
        {"{2, '', $o}", "{7, large}", CONTROL_SEND, CONTROL_OK, false},
        {"{23, $p, $o, {token, 1}}", "{7, large}", CONTROL_SEND, CONTROL_OK, false},
        {"{6, $p, '', harness}", "{'$gen_call', {$p, $r}, large}", CONTROL_REG_SEND, CONTROL_OK, false},
        {"{33, $p, $r}", "{7, large}", CONTROL_ALIAS_SEND, CONTROL_OK, false},
        {"{24, $p, $o}", "{why, large}", CONTROL_EXIT, CONTROL_OK, true},
        {"{3, $p, $o, {why, large}}", NULL, CONTROL_EXIT, CONTROL_OK, true},
        {"{26, $p, $o}", "large", CONTROL_EXIT2, CONTROL_OK, true},
        {"{8, $p, $o, large}", NULL, CONTROL_EXIT2, CONTROL_OK, true},
        {"{28, $p, $o, $r}", "{$s, return, large}", CONTROL_MONITOR_EXIT, CONTROL_OK, true},
        {"{28, server, $o, $r}", "large", CONTROL_MONITOR_EXIT, CONTROL_OK, true},
        {"{21, $p, $o, $r, large}", NULL, CONTROL_MONITOR_EXIT, CONTROL_OK, true},
        {"{29, $r, $p, $q, {erpc, execute_call, 4}, [monitor]}", "[$s, m, f, [large]]", CONTROL_SPAWN_REQUEST,
         CONTROL_OK, false},
        /* The token may be; what comes behind it is not known. */
        {"{23, $p, $o, large}", "{7, a}", CONTROL_SEND, CONTROL_OK, false},
        /* Nobody could be told. */
        {"{29, $r, $p, $q, {erpc, execute_call, 4}, [large]}", "[$s, m, f, []]", CONTROL_SPAWN_REQUEST,
         CONTROL_BAD_FIELD, false},
        {"{22, large, $o}", "{7, a}", CONTROL_SEND, CONTROL_BAD_FIELD, false},
    };
    struct fixture fixture;
    start(&fixture);
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct control control;
        make_frame(&fixture, false, rows[i].control, rows[i].payload);
        assert_int_equal(read_head(&fixture), MESSAGE_HEAD);
        enum control_problem problem = control_decode_head(fixture.control, fixture.payload,
                                                           term_of(&fixture.reader.too_large), &control);
        if (problem != rows[i].problem)
            fail_msg("row %zu: %s", i, control_problem_text(problem));
        expect_term(control.too_large, TOO_LARGE);
        if (problem != CONTROL_OK)
            continue;
        assert_int_equal(control.operation, rows[i].operation);
        assert_int_equal(control.reason.data != NULL, rows[i].has_reason);
        if (rows[i].has_reason)
            expect_term(control.reason, TOO_LARGE);
    }
    end(&fixture);
}

/* Wherever it ends, what is there is well-formed, or says so. */
static void test_every_end(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    for (int versioned = 0; versioned < 2; versioned++) {
        make_frame(&fixture, versioned, "{6, $p, '', harness}",
                   "{'$gen_call', {$p, [alias | $r]}, {start, [#{a => \"text\", <<\"b\">> => [1.5, $1]}]}}");
        for (size_t size = 3; size <= fixture.frame.size; size++) {
            assert_int_equal(read_first(&fixture, size), MESSAGE_HEAD);
            char text[300];
            assert_non_null(term_text(fixture.control, text, sizeof(text)));
            if (fixture.payload.data)
                assert_non_null(term_text(fixture.payload, text, sizeof(text)));
        }
        expect_term(fixture.control, "{6, $p, '', harness}");
    }
    end(&fixture);
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[16];
        size_t size;
    } rows[] = {
        {{131, 68, 0, 104, 2, 255, 1}, 7},                 /* no tag */
        {{131, 68, 0, 104, 2, 97, 22, 119, 1, 0xff}, 10},  /* no UTF-8 */
        {{131, 68, 0, 104, 1, 97, 22, 104, 2, 82, 0}, 11}, /* an atom that is not in the header */
        {{112, 131, 104, 1, 97, 22, 132, 97, 1}, 9},       /* no version */
        {{112, 104, 1, 97, 22}, 5},                        /* likewise */
        {{131, 68, 1, 0, 3, 104, 1, 97, 22}, 9},           /* an atom that was never sent */
        {{131, 68, 1, 8, 3, 200, 'a'}, 7},                 /* a header that ends early */
        {{131, 69, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 11},        /* no fragment */
        {{99, 1, 2, 3}, 4},                                /* no message */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct fixture fixture;
        start(&fixture);
        buffer_append(&fixture.frame, rows[i].bytes, rows[i].size);
        if (read_first(&fixture, rows[i].size) != MESSAGE_BAD)
            fail_msg("row %zu passes", i);
        assert_non_null(fixture.problem);
        end(&fixture);
    }
}

/* What the header of a message that is not kept tells of the atom cache is known to those that follow. */
static void test_atom_cache(void **state)
{
    (void)state;
    /* {22, ...} is not looked at here: {'pp', Large} and then {'pp'}. */
    static const uint8_t header[] = {131, 68, 1, 8, 5, 2, 'p', 'p', 104, 2, 82, 0, 109, 0, 6, 0x1a, 0x80};
    static const uint8_t next[] = {131, 68, 1, 0, 5, 104, 1, 82, 0};
    struct fixture fixture;
    start(&fixture);
    uint8_t *zeros = memory_zalloc(LARGE_BYTES, 1);
    buffer_append(&fixture.frame, header, sizeof(header));
    buffer_append(&fixture.frame, zeros, LARGE_BYTES);
    assert_int_equal(read_head(&fixture), MESSAGE_HEAD);
    expect_term(fixture.control, "{pp, " TOO_LARGE "}");
    assert_int_equal(message_read(&fixture.reader, next, sizeof(next), &fixture.control, &fixture.payload,
                                  &fixture.problem),
                     MESSAGE_READY);
    expect_term(fixture.control, "{pp}");
    free(zeros);
    end(&fixture);
}

static enum message_result read_fragment(struct fixture *fixture, bool first, uint16_t sequence,
                                         uint64_t number, const void *part, size_t size)
{
    struct buffer frame = {0};
    uint8_t start[18] = {131, first ? 69 : 70};
    start[8] = (uint8_t)(sequence >> 8);
    start[9] = (uint8_t)sequence;
    bytes_put64(start + 10, number);
    buffer_append(&frame, start, sizeof(start));
    buffer_append(&frame, part, size);
    enum message_result result = message_read(&fixture->reader, buffer_bytes(&frame), frame.size,
                                              &fixture->control, &fixture->payload, &fixture->problem);
    buffer_free(&frame);
    return result;
}

#define PART_BYTES 65536

/* Of a further fragment of this message. */
static size_t fragment_needs(const struct fixture *fixture, uint8_t sequence)
{
    const uint8_t start[18] = {131, 70, [9] = sequence};
    size_t size = sizeof(start) + PART_BYTES;
    assert_int_equal(message_needs(&fixture->reader, start, sizeof(start) - 1, size), size);
    return message_needs(&fixture->reader, start, sizeof(start), size);
}

/* Fragments that are too large together, while others of another message come in between. */
static void test_fragments(void **state)
{
    (void)state;
    /* The atom pp in the header, {22, ...} is {22, pp}, then {7, Binary}. */
    static const uint8_t beginning[] = {1, 8,   5, 2,  'p', 'p', 104, 2, 97,   22,  82,
                                        0, 104, 2, 97, 7,   109, 0,   9, 0xff, 0xf7};
    static const uint8_t other[] = {1, 8, 5, 2, 'q', 'q', 104, 1, 82, 0};
    struct fixture fixture;
    start(&fixture);
    uint8_t *zeros = memory_zalloc(PART_BYTES, 1);
    assert_int_equal(read_fragment(&fixture, true, 1, 10, beginning, sizeof(beginning)), MESSAGE_PARTIAL);
    assert_int_equal(read_fragment(&fixture, true, 2, 1, other, sizeof(other)), MESSAGE_READY);
    expect_term(fixture.control, "{qq}"); /* in the same place of the cache */
    for (uint64_t number = 9; number > 1; number--) {
        assert_int_equal(read_fragment(&fixture, false, 1, number, zeros, PART_BYTES), MESSAGE_PARTIAL);
        assert_true(fixture.reader.partial_bytes <= LIMIT);
        bool is_head = fixture.reader.partial_bytes <= MESSAGE_HEAD_BYTES + 100 && number < 9;
        assert_int_equal(fragment_needs(&fixture, 1), is_head ? 18 : 18 + PART_BYTES);
    }
    assert_true(fixture.reader.partial_bytes <= MESSAGE_HEAD_BYTES + 100);
    assert_int_equal(fragment_needs(&fixture, 1), 18);              /* its beginning is kept */
    assert_int_equal(fragment_needs(&fixture, 3), 18 + PART_BYTES); /* which is of no message */
    assert_int_equal(read_fragment(&fixture, false, 1, 1, zeros, PART_BYTES), MESSAGE_HEAD);
    expect_term(fixture.control, "{22, pp}");
    expect_term(fixture.payload, "{7, " TOO_LARGE "}");
    assert_int_equal(fixture.reader.partial_bytes, 0);
    free(zeros);
    end(&fixture);
}

/* So many at once that not even beginnings are kept: they are none to anybody, and malformed neither. */
static void test_dropped_fragments(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    static const uint8_t beginning[] = {1, 8, 5, 2, 'p', 'p', 104, 2, 97, 22, 82, 0, 109, 0, 9, 0, 0};
    struct fixture fixture;
    start(&fixture);
    message_reader_free(&fixture.reader);
    message_reader_init(&fixture.reader, 1);
    fixture.reader.refers = true;
    struct buffer first = {0};
    uint8_t *zeros = memory_zalloc(PART_BYTES * 4, 1);
    buffer_append(&first, beginning, sizeof(beginning));
    buffer_append(&first, zeros, PART_BYTES * 4);
    for (int i = 0; i < 600; i++) {
        uint8_t sequence = (uint8_t)i;
        if (i < COUNT)
            assert_int_equal(read_fragment(&fixture, true, sequence, 2, buffer_bytes(&first), first.size),
                             MESSAGE_PARTIAL);
        assert_true(fixture.reader.partial_bytes <= 40u * 1024 * 1024);
    }
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(read_fragment(&fixture, false, (uint8_t)i, 1, zeros, 10), MESSAGE_HEAD);
    assert_int_equal(fixture.reader.partial_bytes, 0);
    buffer_free(&first);
    free(zeros);
    end(&fixture);
}

/* The same of messages that would not be too large, and of a small one whose atoms were not kept. */
static void test_dropped_small(void **state)
{
    (void)state;
    enum { COUNT = 1000, HEADS = 32 * 1024 * 1024, BYTES = 1024 * 1024 };
    static const uint8_t beginning[] = {1, 8, 5, 2, 'p', 'p', 104, 2, 97, 22, 82, 0, 109, 0, 1, 0, 0};
    static const uint8_t small[] = {1, 8, 5, 2, 'p', 'p', 104, 2, 97, 22, 82, 0};
    struct fixture fixture;
    start(&fixture);
    fixture.reader.limit = BYTES;
    struct buffer first = {0};
    uint8_t *zeros = memory_zalloc(PART_BYTES, 1);
    buffer_append(&first, beginning, sizeof(beginning));
    buffer_append(&first, zeros, PART_BYTES);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(read_fragment(&fixture, true, (uint16_t)i, 2, buffer_bytes(&first), first.size),
                         MESSAGE_PARTIAL);
        assert_true(fixture.reader.partial_bytes <= HEADS + 5 * BYTES);
    }
    assert_int_equal(read_fragment(&fixture, true, COUNT, 2, small, sizeof(small)), MESSAGE_PARTIAL);
    assert_true(fixture.reader.partial_bytes > HEADS);
    assert_int_equal(read_fragment(&fixture, false, COUNT, 1, NULL, 0), MESSAGE_HEAD);
    expect_term(fixture.control, "{message_too_large, 4186}"); /* its share of 4 MiB */
    free(zeros);
    buffer_free(&first);
    end(&fixture);
}

static void test_large_frame(void **state)
{
    (void)state;
    struct large_frame frame = {0};
    struct buffer input = {0};
    uint8_t *zeros = memory_zalloc(LARGE_BYTES, 1);
    static const size_t kept[] = {LARGE_BYTES, LARGE_BYTES / 2 + 1, 1};
    for (size_t i = 0; i < ARRAY_LENGTH(kept); i++) {
        assert_false(large_frame_is_on(&frame));
        large_frame_begin(&frame, LARGE_BYTES, kept[i]);
        for (size_t sent = 0; sent < LARGE_BYTES; sent += LARGE_BYTES / 8) {
            assert_true(large_frame_is_on(&frame));
            assert_int_equal(large_frame_unneeded(&frame), sent >= kept[i] ? LARGE_BYTES - sent : 0);
            buffer_append(&input, zeros, LARGE_BYTES / 8);
            bool last = sent + LARGE_BYTES / 8 == LARGE_BYTES;
            if (last)
                buffer_append(&input, "next", 4);
            assert_int_equal(large_frame_take(&frame, &input), last);
            assert_int_equal(input.size, last ? 4 : 0);
        }
        assert_int_equal(frame.bytes.size, kept[i]);
        large_frame_end(&frame);
        buffer_free(&input);
    }
    free(zeros);
}

/* What was skipped has come as well. */
static void test_large_frame_skipped(void **state)
{
    (void)state;
    struct large_frame frame = {0};
    struct buffer input = {0};
    large_frame_begin(&frame, 100, 10);
    buffer_append(&input, "0123456789ab", 12);
    assert_false(large_frame_take(&frame, &input));
    assert_int_equal(large_frame_unneeded(&frame), 88);
    large_frame_skip(&frame, 80);
    assert_int_equal(large_frame_unneeded(&frame), 8);
    large_frame_skip(&frame, 8);
    assert_true(large_frame_is_on(&frame));
    assert_true(large_frame_take(&frame, &input));
    assert_memory_equal(buffer_bytes(&frame.bytes), "0123456789", 10);
    large_frame_end(&frame);
    buffer_free(&input);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_controls),
        cmocka_unit_test(test_every_end),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_atom_cache),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_dropped_fragments),
        cmocka_unit_test(test_dropped_small),
        cmocka_unit_test(test_large_frame),
        cmocka_unit_test(test_large_frame_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
