#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dist/control.h"
#include "dist/flags.h"
#include "term/term_read.h"

#define TERM(...) {(const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})}
#define ATOM_A 119, 1, 'a'
#define PID(id) 88, ATOM_A, 0, 0, 0, id, 0, 0, 0, 0, 0, 0, 0, 3
#define NO_TERM {NULL, 0}

/* Fields by letters: From, To, Group leader, Name of `to`, the name from which a monitor's exit comes (o),
 * reFerence, Id, Options, function (m), Token, Unused, reason (x), spawn flags (b), result pid (p) or atom
 * (e). */
static const struct letter {
    char letter;
    size_t offset; /* in struct control */
    struct term term;
} letters[] = {
    {'f', offsetof(struct control, from), TERM(PID(1))},
    {'t', offsetof(struct control, to), TERM(PID(2))},
    {'g', offsetof(struct control, group_leader), TERM(PID(3))},
    {'n', offsetof(struct control, to), TERM(119, 4, 'n', 'a', 'm', 'e')},
    {'o', offsetof(struct control, from), TERM(119, 4, 'n', 'a', 'm', 'e')},
    {'r', offsetof(struct control, reference), TERM(90, 0, 1, ATOM_A, 0, 0, 0, 9, 0, 0, 0, 1)},
    {'a', offsetof(struct control, to), TERM(90, 0, 1, ATOM_A, 0, 0, 0, 9, 0, 0, 0, 2)},
    {'i', offsetof(struct control, id), TERM(110, 8, 0, 1, 2, 3, 4, 5, 6, 7, 255)},
    {'l', offsetof(struct control, options), TERM(108, 0, 0, 0, 1, 119, 4, 'l', 'i', 'n', 'k', 106)},
    {'m', offsetof(struct control, function), TERM(104, 3, ATOM_A, ATOM_A, 97, 2)},
    {'k', offsetof(struct control, token), TERM(104, 1, 97, 7)},
    {'u', offsetof(struct control, token), TERM(119, 0)},
    {'x', offsetof(struct control, reason), TERM(119, 6, 'k', 'i', 'l', 'l', 'e', 'd')},
    {'b', offsetof(struct control, spawn_flags), TERM(97, 3)},
    {'p', offsetof(struct control, result), TERM(PID(4))},
    {'e', offsetof(struct control, result), TERM(119, 6, 'n', 'o', 't', 's', 'u', 'p')},
};

static const struct letter *letter_of(char letter)
{
    for (size_t i = 0; i < ARRAY_LENGTH(letters); i++)
        if (letters[i].letter == letter)
            return &letters[i];
    fail_msg("no letter %c", letter);
    return NULL;
}

static struct term field_of(const struct control *control, size_t offset)
{
    struct term term;
    memcpy(&term, (const char *)control + offset, sizeof(term));
    return term;
}

/* {Number, Field...} */
static struct term build(struct term_builder *builder, int64_t number, const char *fields)
{
    struct term tuple;
    term_build_reset(builder);
    term_build_tuple(builder, 1 + strlen(fields));
    term_build_integer(builder, number);
    for (; *fields; fields++)
        term_build_term(builder, letter_of(*fields)->term);
    assert_true(term_build_done(builder, &tuple));
    return tuple;
}

static const struct term payload_term = TERM(104, 2, ATOM_A, 97, 1);
static const struct term no_term = NO_TERM;

enum payload { NONE, MESSAGE, REASON };

/* Every form, as the description of the protocol has it. */
static const struct row {
    int64_t number;
    enum control_operation operation;
    const char *fields;
    enum payload payload;
} rows[] = {
    {1, CONTROL_LINK, "ft", NONE},
    {2, CONTROL_SEND, "ut", MESSAGE},
    {3, CONTROL_EXIT, "ftx", NONE},
    {6, CONTROL_REG_SEND, "fun", MESSAGE},
    {7, CONTROL_GROUP_LEADER, "ft", NONE},
    {8, CONTROL_EXIT2, "ftx", NONE},
    {12, CONTROL_SEND, "utk", MESSAGE},
    {13, CONTROL_EXIT, "ftkx", NONE},
    {16, CONTROL_REG_SEND, "funk", MESSAGE},
    {18, CONTROL_EXIT2, "ftkx", NONE},
    {19, CONTROL_MONITOR, "ftr", NONE},
    {19, CONTROL_MONITOR, "fnr", NONE},
    {20, CONTROL_DEMONITOR, "ftr", NONE},
    {20, CONTROL_DEMONITOR, "fnr", NONE},
    {21, CONTROL_MONITOR_EXIT, "ftrx", NONE},
    {21, CONTROL_MONITOR_EXIT, "otrx", NONE},
    {22, CONTROL_SEND, "ft", MESSAGE},
    {23, CONTROL_SEND, "ftk", MESSAGE},
    {24, CONTROL_EXIT, "ft", REASON},
    {25, CONTROL_EXIT, "ftk", REASON},
    {26, CONTROL_EXIT2, "ft", REASON},
    {27, CONTROL_EXIT2, "ftk", REASON},
    {28, CONTROL_MONITOR_EXIT, "ftr", REASON},
    {28, CONTROL_MONITOR_EXIT, "otr", REASON},
    {29, CONTROL_SPAWN_REQUEST, "rfgml", MESSAGE},
    {30, CONTROL_SPAWN_REQUEST, "rfgmlk", MESSAGE},
    {31, CONTROL_SPAWN_REPLY, "rtbp", NONE},
    {31, CONTROL_SPAWN_REPLY, "rtbe", NONE},
    {32, CONTROL_SPAWN_REPLY, "rtbpk", NONE},
    {33, CONTROL_ALIAS_SEND, "fa", MESSAGE},
    {34, CONTROL_ALIAS_SEND, "fak", MESSAGE},
    {35, CONTROL_UNLINK_ID, "ift", NONE},
    {36, CONTROL_UNLINK_ID_ACK, "ift", NONE},
};

static struct term payload_of(const struct row *row)
{
    return row->payload == NONE ? no_term : payload_term;
}

static void test_decode(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct row *row = &rows[i];
        struct control control;
        memset(&control, 0xff, sizeof(control)); /* nothing of what was there before stays */
        struct term tuple = build(&builder, row->number, row->fields);
        assert_int_equal(control_decode(tuple, payload_of(row), &control), CONTROL_OK);
        assert_int_equal(control.operation, row->operation);
        for (size_t j = 0; j < ARRAY_LENGTH(letters); j++) {
            struct term field = field_of(&control, letters[j].offset);
            if (strchr(row->fields, letters[j].letter) && letters[j].letter != 'u')
                assert_true(term_same(field, letters[j].term));
        }
        assert_int_equal(control.reason.data != NULL, row->payload == REASON || strchr(row->fields, 'x'));
        if (row->payload == REASON)
            assert_ptr_equal(control.reason.data, payload_term.data);
        assert_int_equal(control.from.data != NULL, strpbrk(row->fields, "fo") != NULL);
        assert_int_equal(control.to.data != NULL, strpbrk(row->fields, "tna") != NULL);
        assert_int_equal(control.group_leader.data != NULL, strchr(row->fields, 'g') != NULL);
    }
    term_build_free(&builder);
}

static void test_payloads(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct control control;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct row *row = &rows[i];
        struct term tuple = build(&builder, row->number, row->fields);
        if (row->payload == NONE)
            assert_int_equal(control_decode(tuple, payload_term, &control), CONTROL_PAYLOAD_UNEXPECTED);
        else
            assert_int_equal(control_decode(tuple, no_term, &control), CONTROL_PAYLOAD_MISSING);
    }
    term_build_free(&builder);
}

static void test_arities(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct control control;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct row *row = &rows[i];
        char fields[8];
        size_t count = strlen(row->fields);
        for (size_t size = 0; size < sizeof(fields) - 1; size++) {
            if (size == count)
                continue;
            memset(fields, 'f', size);
            fields[size] = '\0';
            memcpy(fields, row->fields, size < count ? size : count);
            struct term tuple = build(&builder, row->number, fields);
            assert_int_equal(control_decode(tuple, payload_of(row), &control), CONTROL_BAD_ARITY);
        }
        struct term tuple = build(&builder, row->number, "ffffffffff"); /* longer than any form */
        assert_int_not_equal(control_decode(tuple, payload_of(row), &control), CONTROL_OK);
    }
    term_build_free(&builder);
}

/* A term of each type, with the letters of the fields that it is good for ('k', 'u', 'x' take any). */
static const struct {
    struct term term;
    const char *good_for;
} kinds[] = {
    {TERM(97, 1), "ib"},
    {TERM(98, 255, 255, 255, 255), "ib"},
    {TERM(110, 1, 0, 9), "ib"},
    {TERM(70, 63, 240, 0, 0, 0, 0, 0, 0), ""},
    {TERM(ATOM_A), "nope"},
    {TERM(104, 0), ""},
    {TERM(104, 3, ATOM_A, ATOM_A, 97, 0), "m"},
    {TERM(104, 3, ATOM_A, ATOM_A, 97, 255), "m"},
    {TERM(104, 3, ATOM_A, ATOM_A, 98, 0, 0, 1, 0), ""},
    {TERM(104, 3, ATOM_A, ATOM_A, 98, 255, 255, 255, 255), ""},
    {TERM(104, 3, ATOM_A, 97, 1, 97, 1), ""},
    {TERM(104, 3, 97, 1, ATOM_A, 97, 1), ""},
    {TERM(104, 3, ATOM_A, ATOM_A, ATOM_A), ""},
    {TERM(104, 2, ATOM_A, ATOM_A), ""},
    {TERM(106), "l"},
    {TERM(107, 0, 1, 5), "l"},
    {TERM(108, 0, 0, 0, 1, ATOM_A, 106), "l"},
    {TERM(116, 0, 0, 0, 0), ""},
    {TERM(109, 0, 0, 0, 0), ""},
    {TERM(77, 0, 0, 0, 1, 3, 224), ""},
    {TERM(PID(9)), "ftgnoep"},
    {TERM(103, ATOM_A, 0, 0, 0, 1, 0, 0, 0, 2, 3), "ftgnoep"},
    {TERM(89, ATOM_A, 0, 0, 0, 1, 0, 0, 0, 2), ""},
    {TERM(90, 0, 1, ATOM_A, 0, 0, 0, 9, 0, 0, 0, 1), "ra"},
    {TERM(113, ATOM_A, ATOM_A, 97, 3), ""},
};

/* Whether a field takes a kind; a pid stands where a name may, but for REG_SEND. */
static bool takes(const struct row *row, char letter, size_t kind)
{
    if (strchr("kux", letter))
        return true;
    bool is_name = term_type(kinds[kind].term) == TERM_ATOM;
    bool is_pid = term_type(kinds[kind].term) == TERM_PID;
    bool either = row->operation == CONTROL_MONITOR || row->operation == CONTROL_DEMONITOR;
    if (letter == 'n' || letter == 't')
        return letter == 'n' && !either ? is_name : is_pid || (either && is_name);
    if (letter == 'o' || letter == 'f')
        return is_pid || (row->operation == CONTROL_MONITOR_EXIT && is_name);
    return strchr(kinds[kind].good_for, letter) != NULL;
}

static void test_field_types(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct row *row = &rows[i];
        for (size_t j = 0; row->fields[j]; j++) {
            for (size_t kind = 0; kind < ARRAY_LENGTH(kinds); kind++) {
                struct control control;
                struct term tuple;
                term_build_reset(&builder);
                term_build_tuple(&builder, 1 + strlen(row->fields));
                term_build_integer(&builder, row->number);
                for (size_t field = 0; row->fields[field]; field++)
                    term_build_term(&builder,
                                    field == j ? kinds[kind].term : letter_of(row->fields[field])->term);
                assert_true(term_build_done(&builder, &tuple));
                enum control_problem expected =
                    takes(row, row->fields[j], kind) ? CONTROL_OK : CONTROL_BAD_FIELD;
                if (control_decode(tuple, payload_of(row), &control) != expected)
                    fail_msg("form %d, field %zu, kind %zu", (int)row->number, j, kind);
            }
        }
    }
    term_build_free(&builder);
}

static bool is_known(int64_t number)
{
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        if (rows[i].number == number)
            return true;
    return false;
}

static void test_numbers(void **state)
{
    (void)state;
    struct term_builder builder = {0};
    struct control control;
    for (int64_t number = -300; number <= 300; number++) {
        enum control_problem problem = control_decode(build(&builder, number, "f"), no_term, &control);
        assert_int_equal(problem, is_known(number) ? CONTROL_BAD_ARITY : CONTROL_UNKNOWN);
    }
    static const int64_t far[] = {1LL << 32 | 1, 1LL << 31, INT64_MAX, INT64_MIN, -(1LL << 32)};
    for (size_t i = 0; i < ARRAY_LENGTH(far); i++)
        assert_int_equal(control_decode(build(&builder, far[i], "ft"), no_term, &control), CONTROL_UNKNOWN);
    term_build_free(&builder);
}

static void test_not_a_tuple(void **state)
{
    (void)state;
    const struct term terms[] = {
        TERM(104, 0),
        TERM(105, 0, 0, 0, 0),
        TERM(97, 1),
        TERM(106),
        TERM(107, 0, 3, 1, 2, 3),
        TERM(116, 0, 0, 0, 0),
        TERM(104, 1, ATOM_A),
        TERM(104, 3, 70, 63, 240, 0, 0, 0, 0, 0, 0, PID(1), PID(2)),
        TERM(104, 3, 110, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, PID(1), PID(2)),
    };
    struct control control;
    for (size_t i = 0; i < ARRAY_LENGTH(terms); i++)
        assert_int_equal(control_decode(terms[i], no_term, &control), CONTROL_NOT_A_TUPLE);
    /* A tuple is one in its long form too. */
    const struct term link = TERM(105, 0, 0, 0, 3, 97, 1, PID(1), PID(2));
    assert_int_equal(control_decode(link, no_term, &control), CONTROL_OK);
}

#define NOTHING 0
#define EVERYTHING FLAGS_OFFERED

/* What is sent to a peer with these flags; number 0: it cannot be. */
static const struct {
    enum control_operation operation;
    const char *members;
    uint64_t flags;
    int64_t number;
    const char *fields;
    bool inside;
} sent[] = {
    {CONTROL_SEND, "ft", EVERYTHING, 22, "ft", false},
    {CONTROL_SEND, "ft", FLAG_SEND_SENDER, 22, "ft", false},
    {CONTROL_SEND, "ft", EVERYTHING & ~FLAG_SEND_SENDER, 2, "ut", false},
    {CONTROL_SEND, "ft", NOTHING, 2, "ut", false},
    {CONTROL_REG_SEND, "fn", EVERYTHING, 6, "fun", false},
    {CONTROL_REG_SEND, "fn", NOTHING, 6, "fun", false},
    {CONTROL_ALIAS_SEND, "fa", EVERYTHING, 33, "fa", false},
    {CONTROL_ALIAS_SEND, "fa", EVERYTHING & ~FLAG_ALIAS, 0, "", false},
    {CONTROL_LINK, "ft", EVERYTHING, 1, "ft", true},
    {CONTROL_LINK, "ft", NOTHING, 1, "ft", true},
    {CONTROL_UNLINK_ID, "ift", EVERYTHING, 35, "ift", true},
    {CONTROL_UNLINK_ID_ACK, "ift", EVERYTHING, 36, "ift", true},
    {CONTROL_EXIT, "ftx", EVERYTHING, 24, "ft", false},
    {CONTROL_EXIT, "ftx", EVERYTHING & ~FLAG_EXIT_PAYLOAD, 3, "ftx", true},
    {CONTROL_EXIT2, "ftx", EVERYTHING, 26, "ft", false},
    {CONTROL_EXIT2, "ftx", NOTHING, 8, "ftx", true},
    {CONTROL_GROUP_LEADER, "ft", NOTHING, 7, "ft", true},
    {CONTROL_MONITOR, "ftr", EVERYTHING, 19, "ftr", true},
    {CONTROL_MONITOR, "fnr", EVERYTHING, 19, "fnr", true},
    {CONTROL_MONITOR, "ftr", FLAG_DIST_MONITOR, 19, "ftr", true},
    {CONTROL_MONITOR, "fnr", FLAG_DIST_MONITOR, 0, "", true},
    {CONTROL_MONITOR, "ftr", FLAG_DIST_MONITOR_NAME, 0, "", true},
    {CONTROL_DEMONITOR, "ftr", EVERYTHING, 20, "ftr", true},
    {CONTROL_DEMONITOR, "fnr", EVERYTHING, 20, "fnr", true},
    {CONTROL_DEMONITOR, "fnr", FLAG_DIST_MONITOR, 0, "", true},
    {CONTROL_DEMONITOR, "ftr", NOTHING, 0, "", true},
    {CONTROL_MONITOR_EXIT, "ftrx", EVERYTHING, 28, "ftr", false},
    {CONTROL_MONITOR_EXIT, "otrx", EVERYTHING, 28, "otr", false},
    {CONTROL_MONITOR_EXIT, "otrx", EVERYTHING & ~FLAG_EXIT_PAYLOAD, 21, "otrx", true},
    {CONTROL_MONITOR_EXIT, "ftrx", NOTHING, 0, "", true},
    {CONTROL_SPAWN_REQUEST, "rfgml", EVERYTHING, 29, "rfgml", false},
    {CONTROL_SPAWN_REQUEST, "rfgml", EVERYTHING & ~FLAG_SPAWN, 0, "", false},
    {CONTROL_SPAWN_REPLY, "rtbp", EVERYTHING, 31, "rtbp", true},
    {CONTROL_SPAWN_REPLY, "rtbe", EVERYTHING, 31, "rtbe", true},
    {CONTROL_SPAWN_REPLY, "rtbe", NOTHING, 0, "", true},
};

static void test_encode(void **state)
{
    (void)state;
    struct term_builder builder = {0}, expected = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(sent); i++) {
        struct control control = {.operation = sent[i].operation}, again;
        struct term tuple;
        bool inside;
        for (const char *member = sent[i].members; *member; member++) {
            const struct letter *letter = letter_of(*member);
            memcpy((char *)&control + letter->offset, &letter->term, sizeof(letter->term));
        }
        term_build_reset(&builder);
        term_build_text(&builder, "before");
        size_t before = builder.bytes.size;
        assert_int_equal(control_encode(&builder, &control, sent[i].flags, &inside), sent[i].number != 0);
        assert_true(term_build_done(&builder, &tuple));
        if (!sent[i].number) {
            assert_int_equal(builder.bytes.size, before);
            continue;
        }
        tuple = (struct term){tuple.data + before, tuple.size - before};
        assert_true(term_same(tuple, build(&expected, sent[i].number, sent[i].fields)));
        assert_int_equal(inside, sent[i].inside);
        struct term payload = inside ? no_term : control.reason.data ? control.reason : payload_term;
        assert_int_equal(control_decode(tuple, payload, &again), CONTROL_OK);
        assert_int_equal(again.operation, control.operation);
        assert_true(term_same(again.reason, control.reason));
        assert_true(term_same(again.to, control.to));
    }
    term_build_free(&builder);
    term_build_free(&expected);
}

/* A tracer's token ends here, in whatever form a message goes on. */
static void test_token_is_not_passed_on(void **state)
{
    (void)state;
    static const struct {
        int64_t number;
        const char *fields;
        uint64_t flags;
        int64_t sent_number;
        const char *sent_fields;
    } forwarded[] = {
        {23, "ftk", EVERYTHING, 22, "ft"},
        {23, "ftk", NOTHING, 2, "ut"},
        {16, "funk", EVERYTHING, 6, "fun"},
        {34, "fak", EVERYTHING, 33, "fa"},
    };
    struct term_builder builder = {0}, output = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(forwarded); i++) {
        struct control control;
        struct term tuple;
        bool inside;
        struct term received = build(&builder, forwarded[i].number, forwarded[i].fields);
        assert_int_equal(control_decode(received, payload_term, &control), CONTROL_OK);
        term_build_reset(&output);
        assert_true(control_encode(&output, &control, forwarded[i].flags, &inside));
        assert_true(term_build_done(&output, &tuple));
        struct term_builder expected = {0};
        assert_true(term_same(tuple, build(&expected, forwarded[i].sent_number, forwarded[i].sent_fields)));
        term_build_free(&expected);
    }
    term_build_free(&builder);
    term_build_free(&output);
}

/* A message that came without its sender cannot go on in the form that names one. */
static void test_send_without_sender(void **state)
{
    (void)state;
    struct term_builder builder = {0}, output = {0};
    struct control control, again;
    struct term tuple;
    bool inside;
    struct term received = build(&builder, 2, "ut");
    assert_int_equal(control_decode(received, payload_term, &control), CONTROL_OK);
    assert_true(control_encode(&output, &control, EVERYTHING, &inside));
    assert_true(term_build_done(&output, &tuple));
    assert_int_equal(control_decode(tuple, payload_term, &again), CONTROL_OK);
    term_build_free(&builder);
    term_build_free(&output);
}

static void test_is_for_name(void **state)
{
    (void)state;
    static const struct {
        const char *fields;
        uint8_t number;
        bool is_for_name;
    } messages[] = {{"fun", 6, true},  {"funk", 16, true}, {"fu", 6, false}, {"ft", 22, false},
                    {"fa", 33, false}, {"ft", 24, false},  {"ft", 1, false}};
    struct term_builder builder = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(messages); i++)
        assert_int_equal(control_is_for_name(build(&builder, messages[i].number, messages[i].fields)),
                         messages[i].is_for_name);
    term_build_free(&builder);
}

static void test_texts(void **state)
{
    (void)state;
    for (int i = 0; i < CONTROL_OPERATION_COUNT; i++)
        assert_non_null(control_operation_text((enum control_operation)i));
    for (int i = CONTROL_OK; i <= CONTROL_PAYLOAD_UNEXPECTED; i++)
        assert_non_null(control_problem_text((enum control_problem)i));
    assert_string_equal(control_operation_text(CONTROL_SPAWN_REQUEST), "SPAWN_REQUEST");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_payloads),
        cmocka_unit_test(test_arities),
        cmocka_unit_test(test_field_types),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_not_a_tuple),
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_token_is_not_passed_on),
        cmocka_unit_test(test_send_without_sender),
        cmocka_unit_test(test_is_for_name),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
