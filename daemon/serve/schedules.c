#include "serve/schedules.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "config/config_schedules.h"
#include "config/schedule_time.h"
#include "report/report_view.h"
#include "scenario/scenario_file.h"
#include "term/term_read.h"

/* The clock may be set at any time: it is looked at so often. */
#define LOOK_S 10
#define LOOK_LEAST_NS (20 * CLOCK_NS_PER_MS)

struct entry {
    struct config_schedule spec; /* with strings of its own */
    struct schedule_time time;
    uint64_t last_run_id;
    uint64_t started;
    uint64_t failed;
    uint64_t skipped;
    uint64_t missed;
};

struct schedules {
    struct node *node;
    struct runs *runs;
    const struct config *config;
    struct entry *entries;
    size_t count;
    struct loop_timer timer;
};

static int64_t schedules_wall_s(void)
{
    return (int64_t)(clock_wall_us() / 1000000);
}

/* --- One of them --- */

static bool schedules_is_same(const struct config_schedule *a, const struct config_schedule *b)
{
    bool same_node = a->node && b->node ? strcmp(a->node, b->node) == 0 : a->node == b->node;
    return same_node && strcmp(a->file, b->file) == 0 && a->every_s == b->every_s && a->has_at == b->has_at &&
           a->at_s == b->at_s && a->overlap == b->overlap;
}

static void schedules_log_problem(const struct entry *entry, struct term problem, const char *event)
{
    struct buffer text = {0}, list = {0};
    /* A list of one. */
    const uint8_t head[] = {TERM_TAG_LIST, 0, 0, 0, 1}, tail[] = {TERM_TAG_NIL};
    buffer_append(&list, head, sizeof(head));
    buffer_append(&list, problem.data, problem.size);
    buffer_append(&list, tail, sizeof(tail));
    report_view_write_problems(term_of(&list), "", &text);
    while (text.size && buffer_bytes(&text)[text.size - 1] == '\n')
        buffer_truncate(&text, text.size - 1);
    buffer_append(&text, "", 1);
    log_each(LOG_LEVEL_ERROR, event, log_string("file", entry->spec.file),
             log_string("problem", (const char *)buffer_bytes(&text)));
    buffer_free(&text);
    buffer_free(&list);
}

static void schedules_log_problems(const struct entry *entry, const struct problems *problems,
                                   const char *event)
{
    struct term_builder reason = {0};
    struct term listed, problem;
    struct term_list list;
    problems_build(problems, &reason);
    if (term_read_element(term_built(&reason), 1, &listed) && term_list_start(&list, listed))
        while (term_list_next(&list, &problem))
            schedules_log_problem(entry, problem, event);
    term_build_free(&reason);
}

static void schedules_on_content(void *owner, const void *content, size_t size)
{
    audit_digest(content, size, owner);
}

/* NULL when it is no scenario, which was logged. The digest has AUDIT_DIGEST_BYTES and one more; NULL: it is
 * not wanted. */
static struct scenario *schedules_read_file(const struct schedules *schedules, const struct entry *entry,
                                            const char *event, char *digest)
{
    const struct scenario_origin origin = {.content_read = digest ? schedules_on_content : NULL,
                                           .owner = digest,
                                           .caller_node = entry->spec.node ? entry->spec.node : "",
                                           .own_node = node_name(schedules->node),
                                           .hooks_at_target = true};
    struct problems problems = {0};
    struct scenario *scenario =
        scenario_file_find(schedules->config->scenario_dir, entry->spec.file, NULL, &origin, &problems);
    if (!scenario)
        schedules_log_problems(entry, &problems, event);
    problems_free(&problems);
    return scenario;
}

static bool schedules_goes_on(const struct schedules *schedules, uint64_t id)
{
    enum run_phase phase = id ? runs_phase(schedules->runs, id) : RUN_PHASE_NONE;
    return phase == RUN_PHASE_QUEUED || phase == RUN_PHASE_RUNNING;
}

static void schedules_start_run(struct schedules *schedules, struct entry *entry)
{
    const char *busy = "audit", *unrecorded;
    char digest[AUDIT_DIGEST_BYTES + 1] = "";
    if (!entry->spec.overlap && schedules_goes_on(schedules, entry->last_run_id)) {
        entry->skipped++;
        log_warning("scheduled run is skipped, the last one goes on", log_string("file", entry->spec.file),
                    log_integer("last_run", (int64_t)entry->last_run_id));
        return;
    }
    struct scenario *scenario = schedules_read_file(schedules, entry, "scheduled run cannot start",
                                                    runs_are_audited(schedules->runs) ? digest : NULL);
    if (!scenario) {
        entry->failed++;
        return;
    }
    struct runs_request request = {
        .scenario = scenario, .by = "schedule", .name = entry->spec.file, .digest = digest};
    unrecorded = runs_audit_problem(schedules->runs, scenario);
    if (!unrecorded && runs_start(schedules->runs, &request, &entry->last_run_id, &busy)) {
        entry->started++;
        log_info("scheduled run", log_string("file", entry->spec.file),
                 log_integer("run", (int64_t)entry->last_run_id));
        return;
    }
    scenario_free(scenario);
    entry->failed++;
    log_error("scheduled run cannot start", log_string("file", entry->spec.file), log_string("busy", busy),
              log_string("reason", unrecorded));
}

static void schedules_look_at(struct schedules *schedules, struct entry *entry)
{
    switch (schedule_time_check(&entry->time, clock_ns(), schedules_wall_s())) {
    case SCHEDULE_NOT_DUE:
        break;
    case SCHEDULE_DUE:
        schedules_start_run(schedules, entry);
        break;
    case SCHEDULE_MISSED:
        entry->missed++;
        log_warning("time of a scheduled run was missed", log_string("file", entry->spec.file));
        break;
    }
}

static void schedules_free_entry(struct entry *entry)
{
    free(entry->spec.file);
    free(entry->spec.node);
}

/* --- All of them --- */

static void schedules_arm(struct schedules *schedules)
{
    uint64_t wait_s = LOOK_S;
    for (size_t i = 0; i < schedules->count; i++) {
        uint64_t left_s = schedule_time_left_s(&schedules->entries[i].time, clock_ns(), schedules_wall_s());
        wait_s = left_s < wait_s ? left_s : wait_s;
    }
    /* A second of the wall clock has begun somewhere. */
    uint64_t wait_ns = wait_s > 1 ? (wait_s - 1) * CLOCK_NS_PER_S : LOOK_LEAST_NS;
    if (schedules->count)
        loop_timer_set(&schedules->timer, wait_ns);
    else
        loop_timer_stop(&schedules->timer);
}

static void schedules_on_timer(void *owner)
{
    struct schedules *schedules = owner;
    for (size_t i = 0; i < schedules->count && !runs_stopping(schedules->runs); i++)
        schedules_look_at(schedules, &schedules->entries[i]);
    schedules_arm(schedules);
}

/* The entry that was there for the same, taken over; or a new one. */
static void schedules_make_entry(struct schedules *schedules, struct entry *entry,
                                 const struct config_schedule *spec, struct entry *old, size_t old_count)
{
    for (size_t i = 0; i < old_count; i++) {
        if (!old[i].spec.file || !schedules_is_same(&old[i].spec, spec))
            continue;
        *entry = old[i];
        old[i] = (struct entry){0};
        return;
    }
    *entry = (struct entry){.spec = *spec,
                            .time = {.every_s = spec->every_s, .has_at = spec->has_at, .at_s = spec->at_s}};
    entry->spec.file = memory_string(spec->file);
    entry->spec.node = spec->node ? memory_string(spec->node) : NULL;
    schedule_time_start(&entry->time, clock_ns(), schedules_wall_s());
    scenario_free(schedules_read_file(schedules, entry, "scheduled scenario is none", NULL));
}

void schedules_reload(struct schedules *schedules)
{
    const struct config_schedules *given = &schedules->config->schedules;
    struct entry *old = schedules->entries;
    size_t old_count = schedules->count;
    schedules->entries = memory_zalloc(given->count, sizeof(*schedules->entries));
    schedules->count = given->count;
    for (size_t i = 0; i < given->count; i++)
        schedules_make_entry(schedules, &schedules->entries[i], &given->items[i], old, old_count);
    for (size_t i = 0; i < old_count; i++)
        schedules_free_entry(&old[i]);
    free(old);
    schedules_arm(schedules);
}

struct schedules *schedules_new(struct node *node, struct runs *runs, const struct config *config)
{
    struct schedules *schedules = memory_zalloc(1, sizeof(*schedules));
    *schedules = (struct schedules){.node = node, .runs = runs, .config = config};
    loop_timer_init(&schedules->timer, node_loop(node), schedules_on_timer, schedules);
    schedules_reload(schedules);
    return schedules;
}

void schedules_free(struct schedules *schedules)
{
    for (size_t i = 0; i < schedules->count; i++)
        schedules_free_entry(&schedules->entries[i]);
    free(schedules->entries);
    loop_timer_free(&schedules->timer);
    free(schedules);
}

/* --- For people --- */

static void schedules_build_text(struct term_builder *builder, const char *key, const char *text)
{
    term_build_key(builder, key);
    if (text)
        term_build_text(builder, text);
    else
        term_build_atom(builder, "nil");
}

static void schedules_build_entry(const struct entry *entry, struct term_builder *builder)
{
    char at[CONFIG_SCHEDULE_AT_BYTES], next[64];
    int64_t now_s = schedules_wall_s();
    uint64_t left_s = schedule_time_left_s(&entry->time, clock_ns(), now_s);
    time_t due = (time_t)(now_s + (int64_t)left_s);
    struct tm utc;
    bool is_time = gmtime_r(&due, &utc) && strftime(next, sizeof(next), "%Y-%m-%dT%H:%M:%SZ", &utc);
    term_build_map(builder, 12);
    schedules_build_text(builder, "file", entry->spec.file);
    term_build_key(builder, "node");
    term_build_atom(builder, entry->spec.node ? entry->spec.node : "nil");
    term_build_key_known(builder, "every_s", entry->spec.every_s > 0, entry->spec.every_s);
    schedules_build_text(builder, "at", entry->spec.has_at ? config_schedule_at(&entry->spec, at) : NULL);
    term_build_key(builder, "overlap");
    term_build_boolean(builder, entry->spec.overlap);
    schedules_build_text(builder, "next_at", is_time ? next : NULL);
    term_build_key_unsigned(builder, "next_in_s", left_s);
    term_build_key_known(builder, "last_run_id", entry->last_run_id > 0, entry->last_run_id);
    term_build_key_unsigned(builder, "started", entry->started);
    term_build_key_unsigned(builder, "failed", entry->failed);
    term_build_key_unsigned(builder, "skipped", entry->skipped);
    term_build_key_unsigned(builder, "missed", entry->missed);
}

void schedules_build(const struct schedules *schedules, struct term_builder *builder)
{
    term_build_list(builder, schedules->count);
    for (size_t i = 0; i < schedules->count; i++)
        schedules_build_entry(&schedules->entries[i], builder);
    if (schedules->count)
        term_build_nil(builder);
}
