#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "dist/flags.h"

/* The numbers of kernel/include/dist.hrl and of the description of the protocol. */
static void test_values(void **state)
{
    (void)state;
    assert_true(FLAGS_MANDATORY_25 == 0x1070f94);
    assert_true(FLAGS_MANDATORY == 0x403070f94);
    assert_true((FLAGS_OFFERED & FLAGS_MANDATORY) == FLAGS_MANDATORY);
    assert_false(FLAGS_OFFERED & (FLAG_PUBLISHED | FLAG_NAME_ME));
    assert_true(FLAG_DIST_HDR_ATOM_CACHE == 0x2000);
    /* What would have to be handled: alternative actions, native records. */
    assert_false(FLAGS_OFFERED & (1ULL << 37 | 1ULL << 38));
}

static void test_expand(void **state)
{
    (void)state;
    assert_true(flags_expand(0) == 0);
    assert_true(flags_expand(FLAG_SPAWN) == FLAG_SPAWN);
    assert_true(flags_expand(FLAG_MANDATORY_25_DIGEST) == (FLAG_MANDATORY_25_DIGEST | FLAGS_MANDATORY_25));
    assert_true(flags_expand(FLAGS_OFFERED) == FLAGS_OFFERED);
}

static void test_missing(void **state)
{
    (void)state;
    static const struct {
        uint64_t wanted;
        uint64_t offered;
        const char *text;
    } rows[] = {
        {0, 0, ""},
        {FLAGS_MANDATORY, FLAGS_MANDATORY, ""},
        {FLAGS_MANDATORY, FLAGS_OFFERED, ""},
        {FLAGS_MANDATORY, UINT64_MAX, ""},
        {FLAGS_MANDATORY, FLAGS_MANDATORY_25, "UNLINK_ID V4_NC"},
        {FLAGS_MANDATORY, FLAGS_MANDATORY & ~FLAG_UNLINK_ID, "UNLINK_ID"},
        {FLAG_SPAWN | FLAG_ALIAS, FLAG_SPAWN, "ALIAS"},
        {FLAGS_MANDATORY, 0,
         "EXTENDED_REFERENCES FUN_TAGS NEW_FUN_TAGS EXTENDED_PIDS_PORTS EXPORT_PTR_TAG BIT_BINARIES "
         "NEW_FLOATS UTF8_ATOMS MAP_TAG BIG_CREATION HANDSHAKE_23 UNLINK_ID V4_NC"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char text[256];
        assert_string_equal(flags_missing(rows[i].wanted, rows[i].offered, text, sizeof(text)), rows[i].text);
    }
}

/* Each flag that is demanded has a name, so that a refusal always says why. */
static void test_every_mandatory_flag_is_named(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < 64; bit++) {
        char text[256];
        uint64_t flag = 1ULL << bit;
        flags_missing(FLAGS_MANDATORY, FLAGS_MANDATORY & ~flag, text, sizeof(text));
        assert_int_equal(text[0] != '\0', (FLAGS_MANDATORY & flag) != 0);
    }
}

static void test_little_room(void **state)
{
    (void)state;
    char text[64];
    for (size_t size = 1; size <= sizeof(text); size++) {
        memset(text, 'x', sizeof(text));
        flags_missing(FLAGS_MANDATORY, 0, text, size);
        assert_true(strlen(text) < size);
        assert_true(size == sizeof(text) || text[size] == 'x');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),      cmocka_unit_test(test_expand),
        cmocka_unit_test(test_missing),     cmocka_unit_test(test_every_mandatory_flag_is_named),
        cmocka_unit_test(test_little_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
