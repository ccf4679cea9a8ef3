/* A store in a folder of its own, and what tests do with it: each of these runs the loop until what it waits
 * for has happened. */
#ifndef HARNESSD_TESTS_STORE_FIXTURE_H
#define HARNESSD_TESTS_STORE_FIXTURE_H

#include <dirent.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "remove_tree.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store/store.h"
#include "term/term_build.h"
#include "term/term_read.h"

#define TOLD_MOST 64
#define WAIT_NS (30 * CLOCK_NS_PER_S)

struct told {
    uint64_t id;
    enum store_state state;
    bool durable;
};

struct fixture {
    struct loop loop;
    struct loop_timer watchdog;
    char folder[64];
    struct store_options options;
    struct store *store;
    struct told told[TOLD_MOST];
    size_t told_count;
    size_t told_seen;
    char *log;
    size_t log_size;
    FILE *log_file;

    /* The runs that a visitor has seen, the last ones. */
    uint64_t ids[16];
    size_t id_count;

    /* The last answer of store_read(). */
    bool answered;
    char problem[128];
    struct blob *bytes;
    struct term term;
};

static inline void on_written(void *owner, uint64_t id, enum store_state state, bool durable)
{
    struct fixture *fixture = owner;
    assert_true(fixture->told_count < TOLD_MOST);
    fixture->told[fixture->told_count++] = (struct told){id, state, durable};
    loop_stop(&fixture->loop);
}

static inline void on_watchdog(void *owner)
{
    (void)owner;
    fail_msg("nothing happened");
}

/* Until somebody stops the loop. */
static inline void run_loop(struct fixture *fixture)
{
    loop_timer_set(&fixture->watchdog, WAIT_NS);
    fixture->loop.stopping = false;
    loop_run(&fixture->loop);
    loop_timer_stop(&fixture->watchdog);
}

static inline int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    strcpy(fixture->folder, "/tmp/store_test_XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    loop_init(&fixture->loop);
    loop_timer_init(&fixture->watchdog, &fixture->loop, on_watchdog, fixture);
    fixture->log_file = open_memstream(&fixture->log, &fixture->log_size);
    log_configure(LOG_LEVEL_INFO, LOG_TEXT, fixture->log_file);
    fixture->options = (struct store_options){
        .loop = &fixture->loop, .folder = fixture->folder, .written = on_written, .owner = fixture};
    *state = fixture;
    return 0;
}

static inline void close_store(struct fixture *fixture)
{
    if (fixture->store)
        store_close(fixture->store);
    fixture->store = NULL;
}

static inline int tear_down(void **state)
{
    struct fixture *fixture = *state;
    close_store(fixture);
    loop_timer_free(&fixture->watchdog);
    loop_free(&fixture->loop);
    log_configure(LOG_LEVEL_INFO, LOG_TEXT, NULL);
    fclose(fixture->log_file);
    free(fixture->log);
    blob_release(fixture->bytes);
    remove_tree(fixture->folder);
    free(fixture);
    return 0;
}

static inline void open_store(struct fixture *fixture)
{
    fixture->store = store_open(&fixture->options);
}

static inline void reopen_store(struct fixture *fixture)
{
    close_store(fixture);
    open_store(fixture);
}

/* One pass of the loop: for waiting until something that can be seen is so. */
static inline void pass(struct fixture *fixture)
{
    loop_timer_set(&fixture->watchdog, WAIT_NS);
    loop_run_pass(&fixture->loop);
    loop_finish(&fixture->loop);
}

/* Waits until nothing is left to be done. */
static inline void settle(struct fixture *fixture)
{
    while (store_busy(fixture->store))
        pass(fixture);
}

/* The same after it has tended what it has, which it does when it is given limits. */
static inline void settle_tending(struct fixture *fixture)
{
    settle(fixture); /* it does nothing while its thread does */
    store_set_limits(fixture->store, &fixture->options.limits);
    pass(fixture);
    settle(fixture);
}

/* --- Files --- */

static inline char *path_of(const struct fixture *fixture, const char *name)
{
    return memory_format("%s/runs/%s", fixture->folder, name);
}

static inline bool has_file(const struct fixture *fixture, const char *name)
{
    char *path = path_of(fixture, name);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

static inline void put_file(const struct fixture *fixture, const char *name, const void *data, size_t size)
{
    char *path = path_of(fixture, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
    free(path);
}

static inline void overwrite(const struct fixture *fixture, const char *name, long at, const char *text)
{
    char *path = path_of(fixture, name);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    fclose(file);
    free(path);
}

/* --- Runs --- */

/* The summary of a run: #{name => <<"run ID">>}. */
static inline struct term build_summary(struct term_builder *builder, uint64_t id)
{
    char name[32];
    snprintf(name, sizeof(name), "run %" PRIu64, id);
    term_build_map(builder, 1);
    term_build_key(builder, "name");
    term_build_text(builder, name);
    return term_built(builder);
}

/* {ok, Number}, as large as `padding` says. */
static inline struct blob *build_result(uint64_t number, size_t padding)
{
    struct term_builder builder = {0};
    term_build_tuple(&builder, 2);
    term_build_atom(&builder, "ok");
    if (padding) {
        char *text = calloc(1, padding);
        assert_non_null(text);
        memset(text, 'x', padding);
        term_build_tuple(&builder, 2);
        term_build_unsigned(&builder, number);
        term_build_binary(&builder, text, padding);
        free(text);
    } else {
        term_build_unsigned(&builder, number);
    }
    return blob_take(&builder.bytes, NULL);
}

static inline void begin(struct fixture *fixture, uint64_t id)
{
    struct term_builder builder = {0};
    store_begin(fixture->store, id, build_summary(&builder, id));
    term_build_free(&builder);
}

static inline void journal(struct fixture *fixture, uint64_t id, uint64_t number)
{
    struct term_builder builder = {0};
    struct blob *partial = build_result(number, 0);
    store_journal(fixture->store, id, build_summary(&builder, id), partial);
    blob_release(partial);
    term_build_free(&builder);
}

static inline void finish_large(struct fixture *fixture, uint64_t id, uint64_t number, size_t padding)
{
    struct term_builder builder = {0};
    struct blob *result = build_result(number, padding);
    store_finish(fixture->store, id, build_summary(&builder, id), result);
    blob_release(result);
    term_build_free(&builder);
}

static inline void finish(struct fixture *fixture, uint64_t id, uint64_t number)
{
    finish_large(fixture, id, number, 0);
}

/* What its user is told next. */
static inline void expect_told(struct fixture *fixture, uint64_t id, enum store_state state, bool durable)
{
    while (fixture->told_seen == fixture->told_count)
        run_loop(fixture);
    struct told told = fixture->told[fixture->told_seen++];
    assert_int_equal(told.id, id);
    assert_int_equal(told.state, state);
    assert_int_equal(told.durable, durable);
}

/* The same of the last thing that it is told of a run, whatever it was told before. */
static inline void expect_told_last(struct fixture *fixture, uint64_t id, enum store_state state,
                                    bool durable)
{
    while (fixture->told_seen == fixture->told_count || fixture->told[fixture->told_count - 1].id != id ||
           fixture->told[fixture->told_count - 1].state != state)
        run_loop(fixture);
    fixture->told_seen = fixture->told_count - 1;
    expect_told(fixture, id, state, durable);
}

static inline int compare_names(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static inline int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* The files that there are, in their order, when all is done. */
static inline void expect_files(struct fixture *fixture, const char *expected)
{
    char names[1024] = "";
    struct dirent **entries;
    if (fixture->store)
        settle(fixture);
    char *path = path_of(fixture, "");
    int count = scandir(path, &entries, is_visible, compare_names);
    free(path);
    assert_true(count >= 0);
    for (int i = 0; i < count; i++) {
        strcat(names, i ? " " : "");
        strcat(names, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    assert_string_equal(names, expected);
}

static inline void expect_run(struct fixture *fixture, uint64_t id, enum store_state state, bool durable)
{
    struct store_entry entry;
    struct term_builder builder = {0};
    assert_true(store_find(fixture->store, id, &entry));
    assert_int_equal(entry.id, id);
    assert_int_equal(entry.state, state);
    assert_int_equal(entry.durable, durable);
    assert_true(term_same(entry.summary, build_summary(&builder, id)));
    term_build_free(&builder);
}

static inline void expect_no_run(struct fixture *fixture, uint64_t id)
{
    struct store_entry entry;
    assert_false(store_find(fixture->store, id, &entry));
}

static inline void on_read(void *owner, const struct store_content *content)
{
    struct fixture *fixture = owner;
    assert_false(fixture->answered);
    fixture->answered = true;
    snprintf(fixture->problem, sizeof(fixture->problem), "%s", content->problem ? content->problem : "");
    assert_true(!content->problem == !!content->bytes);
    blob_release(fixture->bytes);
    fixture->bytes = content->bytes ? blob_hold(content->bytes) : NULL;
    fixture->term = content->term;
    loop_stop(&fixture->loop);
}

static inline void read_part(struct fixture *fixture, uint64_t id, enum store_part part)
{
    fixture->answered = false;
    assert_non_null(store_read(fixture->store, id, part, on_read, fixture));
    assert_false(fixture->answered);
    while (!fixture->answered)
        run_loop(fixture);
}

static inline void expect_result(struct fixture *fixture, uint64_t id, uint64_t number)
{
    struct term parts[2];
    int64_t value;
    read_part(fixture, id, STORE_TERM);
    assert_string_equal(fixture->problem, "");
    assert_true(term_read_tuple_of(fixture->term, 2, parts));
    assert_true(term_is_atom(parts[0], "ok"));
    if (!term_read_integer(parts[1], &value)) {
        struct term inner[2];
        assert_true(term_read_tuple_of(parts[1], 2, inner) && term_read_integer(inner[0], &value));
    }
    assert_int_equal(value, number);
}

static inline void expect_nothing(struct fixture *fixture, uint64_t id)
{
    read_part(fixture, id, STORE_TERM);
    assert_string_equal(fixture->problem, "");
    assert_true(term_is_atom(fixture->term, "nil"));
}

static inline void expect_json(struct fixture *fixture, uint64_t id, const char *expected)
{
    read_part(fixture, id, STORE_JSON);
    assert_string_equal(fixture->problem, "");
    assert_int_equal(fixture->bytes->size, strlen(expected));
    assert_memory_equal(fixture->bytes->data, expected, strlen(expected));
}

/* How many files there are whose names end so. */
static inline size_t count_files(const struct fixture *fixture, const char *suffix)
{
    char *path = path_of(fixture, "");
    size_t count = 0;
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (const struct dirent *entry; (entry = readdir(directory));) {
        const char *end = strstr(entry->d_name, suffix);
        count += end && strlen(end) == strlen(suffix);
    }
    closedir(directory);
    free(path);
    return count;
}

/* For tests that do the same so often that the log would leave lines of others out. */
static inline void log_nothing(const struct fixture *fixture)
{
    log_configure(LOG_LEVEL_COUNT, LOG_TEXT, fixture->log_file);
}

static inline size_t count_logged(struct fixture *fixture, const char *text)
{
    size_t count = 0;
    fflush(fixture->log_file);
    for (const char *at = fixture->log; at && (at = strstr(at, text)); at++)
        count++;
    return count;
}

#endif
