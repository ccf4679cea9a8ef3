/* The audit: lines, who waits for them, and what becomes of both while the disk is full. */
#include "audit/audit.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/log.h"
#include "base/memory.h"
#include "remove_tree.h"
#include "term/term_build.h"

struct fixture {
    struct loop loop;
    struct audit *audit;
    char folder[64];
    char path[80];
    struct audit_wait wait;
    size_t done;
    char problem[256];
};

static void on_done(void *owner, const char *problem)
{
    struct fixture *fixture = owner;
    fixture->done++;
    snprintf(fixture->problem, sizeof(fixture->problem), "%s", problem ? problem : "");
    loop_stop(&fixture->loop);
}

static int set_up(void **state)
{
    struct fixture *fixture = memory_zalloc(1, sizeof(*fixture));
    loop_init(&fixture->loop);
    strcpy(fixture->folder, "/tmp/audit_test_XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof(fixture->path), "%s/audit", fixture->folder);
    const struct audit_options options = {.file = fixture->path, .max_bytes = 1 << 30, .keep = 2};
    fixture->audit = audit_new(&fixture->loop, &options);
    assert_non_null(fixture->audit);
    fixture->wait = (struct audit_wait){.done = on_done, .owner = fixture};
    *state = fixture;
    return 0;
}

static void end(struct fixture *fixture)
{
    audit_free(fixture->audit);
    fixture->audit = NULL;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    end(fixture);
    loop_free(&fixture->loop);
    remove_tree(fixture->folder);
    free(fixture);
    return 0;
}

static void await(struct fixture *fixture)
{
    audit_await(fixture->audit, &fixture->wait);
    loop_run(&fixture->loop);
    fixture->loop.stopping = false;
}

/* The lines of the file, an array of objects that is to be released. */
static json_t *lines_of(const struct fixture *fixture)
{
    json_t *lines = json_array();
    FILE *file = fopen(fixture->path, "r");
    char *line = NULL;
    size_t size = 0;
    assert_non_null(file);
    while (getline(&line, &size, file) > 0) {
        json_t *read = json_loads(line, 0, NULL);
        assert_non_null(read);
        json_array_append_new(lines, read);
    }
    free(line);
    fclose(file);
    return lines;
}

static const char *string_of(const json_t *lines, size_t index, const char *key)
{
    return json_string_value(json_object_get(json_array_get(lines, index), key));
}

static void test_a_line_has_what_was_told(void **state)
{
    struct fixture *fixture = *state;
    const char *const kinds[] = {"suspend", "flood"};
    audit_tell(fixture->audit, AUDIT_RUN, audit_text(AUDIT_NODE, "app@h\xc3\xb6st"),
               audit_text(AUDIT_SCENARIO, "odd \xff \"name\"\n"), audit_text(AUDIT_DIGEST, NULL),
               audit_number(AUDIT_RUN_ID, 1234567890123456789), audit_names(AUDIT_FAULTS, kinds, 2),
               audit_term(AUDIT_TARGET, TERM_ATOM("account")), audit_term(AUDIT_REASON, (struct term){0}));
    await(fixture);
    assert_string_equal(fixture->problem, "");
    json_t *lines = lines_of(fixture), *line = json_array_get(lines, 0);
    assert_int_equal(json_array_size(lines), 1);
    assert_string_equal(string_of(lines, 0, "event"), "run");
    assert_string_equal(string_of(lines, 0, "node"), "app@h\xc3\xb6st");
    assert_string_equal(string_of(lines, 0, "scenario"), "odd ? \"name\"\n");
    assert_string_equal(string_of(lines, 0, "target"), "account");
    assert_true(json_integer_value(json_object_get(line, "run_id")) == 1234567890123456789);
    assert_int_equal(json_array_size(json_object_get(line, "faults")), 2);
    assert_null(json_object_get(line, "digest"));
    assert_null(json_object_get(line, "reason"));
    const char *at = string_of(lines, 0, "at");
    assert_int_equal(strlen(at), strlen("2026-01-31T12:00:00.123Z"));
    assert_int_equal(at[23], 'Z');
    json_decref(lines);
}

static void test_a_digest_is_that_of_sha256sum(void **state)
{
    (void)state;
    char digest[AUDIT_DIGEST_BYTES + 1];
    audit_digest("abc", 3, digest);
    assert_string_equal(digest, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_an_audit_that_is_off(void **state)
{
    (void)state;
    struct audit *audit = NULL;
    audit_tell(audit, AUDIT_STOPPED);
    audit_reopen(audit);
    assert_null(audit_problem(audit));
    assert_false(audit_is_required(audit));
    assert_int_equal(audit_lines(audit) + audit_lost(audit), 0);
    audit_free(audit);
}

static void test_the_end_writes_what_waits(void **state)
{
    struct fixture *fixture = *state;
    for (int i = 0; i < 100; i++)
        audit_tell(fixture->audit, AUDIT_STOPPED, audit_number(AUDIT_LINES, (uint64_t)i));
    audit_await(fixture->audit, &fixture->wait);
    end(fixture);
    assert_int_equal(fixture->done, 1);
    assert_string_equal(fixture->problem, "");
    json_t *lines = lines_of(fixture);
    assert_int_equal(json_array_size(lines), 100);
    json_decref(lines);
}

static void test_a_wait_that_is_forgotten(void **state)
{
    struct fixture *fixture = *state;
    audit_await(fixture->audit, &fixture->wait);
    audit_forget(&fixture->wait);
    audit_forget(&fixture->wait);
    end(fixture);
    assert_int_equal(fixture->done, 0);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Each wait is told of what has become of its own lines. */
static void test_a_full_disk(void **state)
{
    struct fixture *fixture = *state;
    audit_tell(fixture->audit, AUDIT_STARTED);
    await(fixture);
    limit_files(10);
    audit_tell(fixture->audit, AUDIT_RELOADED);
    await(fixture);
    assert_string_equal(fixture->problem, "cannot write: File too large");
    assert_string_equal(audit_problem(fixture->audit), "cannot write: File too large");
    await(fixture); /* it is tried again at once */
    assert_int_equal(fixture->done, 3);
    assert_string_not_equal(fixture->problem, "");
    limit_files(RLIM_INFINITY);
    await(fixture);
    assert_string_equal(fixture->problem, "");
    assert_null(audit_problem(fixture->audit));
    json_t *lines = lines_of(fixture);
    assert_int_equal(json_array_size(lines), 2);
    assert_string_equal(string_of(lines, 1, "event"), "reloaded");
    json_decref(lines);
}

static void test_what_finds_no_room_is_counted(void **state)
{
    struct fixture *fixture = *state;
    uint64_t told = 0;
    limit_files(10);
    audit_tell(fixture->audit, AUDIT_RELOADED);
    await(fixture);
    while (!audit_lost(fixture->audit)) {
        audit_tell(fixture->audit, AUDIT_RELOADED);
        told++;
    }
    for (int i = 1; i < 7; i++)
        audit_tell(fixture->audit, AUDIT_RELOADED);
    assert_int_equal(audit_lost(fixture->audit), 7);
    limit_files(RLIM_INFINITY);
    await(fixture); /* all that has found room is written, and the last has not */
    assert_string_equal(fixture->problem, "no room is left for its line");
    audit_tell(fixture->audit, AUDIT_STOPPED);
    await(fixture);
    assert_string_equal(fixture->problem, "");
    end(fixture);
    json_t *lines = lines_of(fixture);
    size_t count = json_array_size(lines);
    assert_int_equal(count, told + 2); /* the first, those that found room, the count, and the end */
    assert_string_equal(string_of(lines, count - 2, "event"), "lost");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(lines, count - 2), "lines")), 7);
    json_decref(lines);
}

static void test_it_is_tried_again(void **state)
{
    struct fixture *fixture = *state;
    limit_files(10);
    audit_tell(fixture->audit, AUDIT_RELOADED);
    await(fixture);
    limit_files(RLIM_INFINITY);
    while (audit_problem(fixture->audit)) /* nobody tells it anything */
        loop_run_pass(&fixture->loop);
    json_t *lines = lines_of(fixture);
    assert_int_equal(json_array_size(lines), 1);
    json_decref(lines);
}

static void test_a_file_that_cannot_be_opened(void **state)
{
    struct fixture *fixture = *state;
    const struct audit_options options = {.file = fixture->folder, .max_bytes = 1 << 20, .keep = 2};
    assert_null(audit_new(&fixture->loop, &options));
}

static void test_tables_have_all_rows(void **state)
{
    (void)state;
    const struct help_table *const tables[] = {audit_events_table(), audit_keys_table()};
    for (size_t t = 0; t < ARRAY_LENGTH(tables); t++)
        for (size_t i = 0; i < tables[t]->count; i++)
            assert_true(help_row(tables[t], i)->name && help_row(tables[t], i)->text);
    assert_int_equal(audit_events_table()->count, AUDIT_EVENTS);
    assert_int_equal(audit_keys_table()->count, AUDIT_KEYS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_line_has_what_was_told, set_up, tear_down),
        cmocka_unit_test(test_a_digest_is_that_of_sha256sum),
        cmocka_unit_test(test_an_audit_that_is_off),
        cmocka_unit_test_setup_teardown(test_the_end_writes_what_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_wait_that_is_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_disk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_finds_no_room_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_is_tried_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_cannot_be_opened, set_up, tear_down),
        cmocka_unit_test(test_tables_have_all_rows),
    };
    signal(SIGXFSZ, SIG_IGN);
    log_configure(LOG_LEVEL_ERROR, LOG_TEXT, stderr);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
