#include "store_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

/* How often it is looked for runs that are too old. */
#define TEND_NS (60 * CLOCK_NS_PER_S)

/* The most runs that are removed at once, and when the next ones are: neither loop nor disk shall stand still
 * when much less is to be kept than before. */
#define REMOVED_AT_ONCE 64
#define REMOVE_NS (100 * CLOCK_NS_PER_MS)

/* --- Writing --- */

static void write_tell(struct store *store, uint64_t id, enum store_state state, bool durable)
{
    if (store->options.written && !store->closing)
        store->options.written(store->options.owner, id, state, durable);
}

/* What a run has is on disk, or could not be brought there. */
static void write_take_outcome(struct store *store, struct store_run *run, const struct store_job *job)
{
    run->writing = false;
    run->failed = !job->written;
    if (job->written && !run->changed) {
        run->durable = true;
        store_list_set_bytes(&store->list, run, job->bytes);
        run->has_json = !job->failed;
    }
    /* What a run has so far is given anew soon; a result is kept until it is written. */
    if (!run->changed && (job->written || run->state == STORE_RUNNING)) {
        blob_release(run->content);
        run->content = NULL;
    }
}

/* The smallest result that could not be written: of what has room, as many as possible. */
static void write_retry(struct store *store)
{
    struct store_run *smallest = NULL;
    if (!store->problem) /* then there is none */
        return;
    for (size_t i = 0; i < store->list.count; i++) {
        struct store_run *run = store->list.runs[i];
        if (run->state == STORE_FINISHED && run->failed && !run->writing &&
            (!smallest || run->content->size < smallest->content->size))
            smallest = run;
    }
    if (!smallest || !store_has_folder(store))
        return;
    smallest->changed = true;
    store_write_run(store, smallest);
}

static void write_on_written(struct worker_job *worker_job)
{
    struct store_job *job = CONTAINER_OF(worker_job, struct store_job, job);
    struct store *store = job->owner;
    struct store_run *run = store_list_find(&store->list, job->id);
    bool news = false;
    if (run) {
        write_take_outcome(store, run, job);
        news = !run->told[job->state];
        run->told[job->state] = true;
        store_write_run(store, run);
    }
    store_judge(store, job);
    if (job->written && !store->closing)
        write_retry(store);
    if (news)
        write_tell(store, job->id, job->state, job->written);
    loop_defer(store->options.loop, &store->keep); /* a run whose user is told may go */
    store_job_free(job);
}

/* Writes what a run has, if that is not what was written last. */
void store_write_run(struct store *store, struct store_run *run)
{
    if (run->writing || !run->changed)
        return;
    run->writing = true;
    run->changed = false;
    store_queue(store, store_new_run_job(store, run, store_job_write, write_on_written));
}

static void write_missing_json(struct store *store);

static void write_on_json_written(struct worker_job *worker_job)
{
    struct store_job *job = CONTAINER_OF(worker_job, struct store_job, job);
    struct store *store = job->owner;
    struct store_run *run = store_list_find(&store->list, job->id);
    if (run) {
        run->writing = false;
        run->has_json = !job->failed;
        store_list_set_bytes(&store->list, run, run->bytes + job->bytes);
    }
    if (job->damaged)
        store_set_aside(store, job);
    store_judge(store, job);
    if ((!job->failed || job->damaged) && !store->closing)
        write_missing_json(store); /* of the next one */
    store_job_free(job);
}

/* The JSON of a run that has none. */
static void write_missing_json(struct store *store)
{
    for (size_t i = 0; i < store->list.count; i++) {
        struct store_run *run = store->list.runs[i];
        if (run->state != STORE_FINISHED || !run->durable || run->has_json || run->writing)
            continue;
        run->writing = true;
        store_queue(store, store_new_run_job(store, run, store_job_write_json, write_on_json_written));
        return;
    }
}

/* --- Tending --- */

void store_plan_tending(struct store *store, uint64_t delay_ns)
{
    if (!store->closing)
        loop_timer_set(&store->tend, delay_ns);
}

static void write_remove_damaged(struct store *store)
{
    char *name = store_folder_take_damaged(&store->folder);
    store_remove_file(store, name);
    free(name);
}

static bool write_keeps_too_many_bytes(const struct store *store)
{
    uint64_t bytes = store->folder.damaged_bytes + store->list.bytes;
    return store->options.limits.bytes && bytes > store->options.limits.bytes;
}

/* What ended before is older than that; 0: nothing is known to be. */
static uint64_t write_limit_of_age(struct store *store, uint64_t seconds)
{
    return store_age_limit(&store->age, seconds, store->options.clock->ns(), store_now_ms(store));
}

/* False when enough was removed for now. */
static bool write_remove(struct store *store, struct store_run *run, size_t *removed)
{
    if (*removed >= REMOVED_AT_ONCE) {
        store_plan_tending(store, REMOVE_NS);
        return false;
    }
    log_info("run removed", log_integer("run", (int64_t)run->id), log_string("reason", "retention"));
    *removed += store_forget(store, run);
    return true;
}

static void write_remove_surplus(struct store *store)
{
    const struct store_limits *limits = &store->options.limits;
    const uint64_t old_ms = write_limit_of_age(store, limits->seconds_least);
    struct store_run *run;
    size_t removed = 0;
    while ((run = store_list_surplus(&store->list, limits, store->folder.damaged_bytes, old_ms)) &&
           write_remove(store, run, &removed))
        continue;
}

static void write_remove_outdated(struct store *store)
{
    const struct store_limits *limits = &store->options.limits;
    const bool is_least = limits->seconds && limits->seconds < limits->seconds_least;
    const uint64_t old_ms = write_limit_of_age(store, is_least ? limits->seconds_least : limits->seconds);
    struct store_run *run;
    size_t removed = 0;
    while ((run = store_list_outdated(&store->list, old_ms)) && write_remove(store, run, &removed))
        continue;
}

void store_keep_limits(void *owner)
{
    struct store *store = owner;
    struct store_run *run;
    while (store->folder.damaged_count &&
           (store->folder.damaged_count > STORE_DAMAGED_MOST || write_keeps_too_many_bytes(store)))
        write_remove_damaged(store);
    write_remove_surplus(store);
    while ((run = store_list_lost(&store->list, store->options.limits.memory_bytes))) {
        LOG_AT(store->options.folder ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "run removed",
               log_integer("run", (int64_t)run->id),
               log_string("reason", "no more memory for runs that are not on disk"));
        (void)store_forget(store, run);
    }
}

/* A folder that could not be used at the start: what was to be in it is written now, first what says that
 * runs are under way. */
static void write_try_to_open(struct store *store)
{
    if (!store->options.folder || store_has_folder(store) || !store_open_folder(store))
        return;
    for (size_t i = 0; i < store->list.count; i++) {
        struct store_run *run = store->list.runs[i];
        if (run->state != STORE_RUNNING)
            continue;
        run->changed = true;
        store_write_run(store, run);
    }
    store_save_last_id(store); /* for what comes of it */
}

static void write_catch_up(struct store *store)
{
    write_retry(store);
    write_missing_json(store);
    store_keep_last_id(store);
    if (store->problem && !worker_busy(store->worker))
        store_save_last_id(store); /* for what comes of it */
}

void store_tend(void *owner)
{
    struct store *store = owner;
    write_try_to_open(store);
    bool behind = store->options.folder && (store->problem || store_is_behind(store));
    store_plan_tending(store, behind ? STORE_RETRY_NS : TEND_NS);
    write_remove_outdated(store);
    store_keep_limits(store);
    /* A slow disk is not given more to do than it does. */
    if (store_has_folder(store) && !worker_busy(store->worker))
        write_catch_up(store);
    store_look_for_folder(store);
}
