#include "serve/store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/worker.h"
#include "store_folder.h"
#include "store_job.h"
#include "store_list.h"

/* How often what could not be written is tried again, and how often it is looked for runs that are too old.
 */
#define RETRY_NS (2 * CLOCK_NS_PER_S)
#define TEND_NS (60 * CLOCK_NS_PER_S)

struct store {
    struct loop *loop;
    struct worker *worker;
    struct loop_timer tend;
    struct store_folder folder;
    struct store_list list;
    struct store_limits limits;
    struct store_options options;
    const struct file_calls *calls;
    uint64_t last_id;
    bool saving_last_id;
    char *problem; /* or NULL */
    bool closing;
};

struct store_read {
    struct store *store;
    store_read_done *done; /* NULL: cancelled */
    void *owner;
};

static void keep_limits(struct store *store);

static bool has_folder(const struct store *store)
{
    return store->folder.runs >= 0;
}

static uint64_t now_ms(void)
{
    return clock_wall_us() / 1000;
}

/* --- Problems --- */

static void plan_tending(struct store *store, uint64_t delay_ns)
{
    if (!store->closing)
        loop_timer_set(&store->tend, delay_ns);
}

static void set_problem(struct store *store, char *text)
{
    if (store->problem && strcmp(store->problem, text) == 0) {
        free(text);
        return;
    }
    free(store->problem);
    store->problem = text;
    log_error("cannot store runs", log_string("folder", store->options.folder), log_string("reason", text));
    plan_tending(store, RETRY_NS);
}

static bool is_behind(const struct store_run *run)
{
    return run->state == STORE_FINISHED && (run->failed || (run->durable && !run->has_json));
}

static bool is_any_behind(const struct store *store)
{
    for (size_t i = 0; i < store->list.count; i++)
        if (is_behind(store->list.runs[i]))
            return true;
    return false;
}

static void clear_problem(struct store *store)
{
    if (!store->problem || !has_folder(store) || is_any_behind(store))
        return;
    free(store->problem);
    store->problem = NULL;
    log_info("storing runs again", log_string("folder", store->options.folder));
}

/* What the outcome of a job that writes says about the folder. */
static void judge_folder(struct store *store, const struct store_job *job)
{
    if (!has_folder(store))
        return;
    if (job->failed && !job->damaged)
        set_problem(store, memory_format("%s: %s", job->failed, strerror(job->error)));
    else
        clear_problem(store);
}

/* --- Jobs --- */

static struct store_job *new_job(struct store *store, void (*work)(struct worker_job *),
                                 void (*done)(struct worker_job *))
{
    struct store_job *job = memory_zalloc(1, sizeof(*job));
    job->job.work = work;
    job->job.done = done;
    job->calls = store->calls;
    job->folder = store->folder.runs;
    job->owner = store;
    return job;
}

/* A job about what is stored of a run. */
static struct store_job *new_run_job(struct store *store, const struct store_run *run,
                                     void (*work)(struct worker_job *), void (*done)(struct worker_job *))
{
    struct store_job *job = new_job(store, work, done);
    job->id = run->id;
    job->state = run->state;
    job->ended_at_ms = run->ended_at_ms;
    buffer_append(&job->summary, buffer_bytes(&run->summary), run->summary.size);
    job->content = run->content ? blob_hold(run->content) : NULL;
    return job;
}

static void queue(struct store *store, struct store_job *job)
{
    worker_queue(store->worker, &job->job);
}

static void on_removed(struct worker_job *worker_job)
{
    struct store_job *job = CONTAINER_OF(worker_job, struct store_job, job);
    judge_folder(job->owner, job);
    store_job_free(job);
}

static void on_last_id_saved(struct worker_job *worker_job)
{
    struct store_job *job = CONTAINER_OF(worker_job, struct store_job, job);
    struct store *store = job->owner;
    store->saving_last_id = false;
    if (!job->failed)
        store->folder.last_id_saved = job->id;
    judge_folder(store, job);
    store_job_free(job);
}

static void save_last_id(struct store *store)
{
    if (!has_folder(store) || store->saving_last_id)
        return;
    struct store_job *job = new_job(store, store_job_write_last_id, on_last_id_saved);
    job->id = store->last_id;
    store->saving_last_id = true;
    queue(store, job);
}

/* As long as there is a file of the last run, its name says the id. */
static void keep_last_id(struct store *store)
{
    const struct store_run *run = store_list_find(&store->list, store->last_id);
    if (store->folder.last_id_saved < store->last_id && !(run && run->durable))
        save_last_id(store);
}

/* A run that is not there any more. */
static void forget(struct store *store, struct store_run *run)
{
    struct store_job *job = new_job(store, store_job_remove, on_removed);
    job->id = run->id;
    store_list_remove(&store->list, run);
    keep_last_id(store);
    queue(store, job);
}

/* --- Damaged files --- */

static void on_set_aside(struct worker_job *worker_job)
{
    struct store_job *job = CONTAINER_OF(worker_job, struct store_job, job);
    struct store *store = job->owner;
    if (!job->failed) {
        char *name = memory_format("%s%s", job->name, STORE_DAMAGED_SUFFIX);
        store_folder_add_damaged(&store->folder, name, job->bytes, now_ms());
        free(name);
        keep_limits(store);
    }
    judge_folder(store, job);
    store_job_free(job);
}

/* The file that was read is renamed, and its run is not there any more. */
static void set_aside(struct store *store, const struct store_job *reading)
{
    struct store_run *run = store_list_find(&store->list, reading->id);
    log_warning("damaged file", log_string("file", reading->name), log_string("reason", reading->failed));
    if (!run || run->state != reading->state)
        return;
    struct store_job *job = new_job(store, store_job_set_aside, on_set_aside);
    memcpy(job->name, reading->name, sizeof(job->name));
    job->bytes = reading->output.size;
    queue(store, job);
    forget(store, run);
}

/* --- Writing --- */

static void tell(struct store *store, uint64_t id, enum store_state state, bool durable)
{
    if (store->options.written && !store->closing)
        store->options.written(store->options.owner, id, state, durable);
}

/* What a run has is on disk, or could not be brought there. */
static void take_outcome(struct store_run *run, const struct store_job *job)
{
    run->writing = false;
    run->failed = !job->written;
    if (job->written && !run->changed) {
        run->durable = true;
        run->bytes = job->bytes;
        run->has_json = !job->failed;
    }
    /* What a run has so far is given anew soon; a result is kept until it is written. */
    if (!run->changed && (job->written || run->state == STORE_RUNNING)) {
        blob_release(run->content);
        run->content = NULL;
    }
}

static void write_run(struct store *store, struct store_run *run);

/* The smallest result that could not be written: of what has room, as many as possible. */
static void retry(struct store *store)
{
    struct store_run *smallest = NULL;
    for (size_t i = 0; i < store->list.count; i++) {
        struct store_run *run = store->list.runs[i];
        if (run->state == STORE_FINISHED && run->failed && !run->writing &&
            (!smallest || run->content->size < smallest->content->size))
            smallest = run;
    }
    if (!smallest || !has_folder(store))
        return;
    smallest->changed = true;
    write_run(store, smallest);
}

static void on_written(struct worker_job *worker_job)
{
    struct store_job *job = CONTAINER_OF(worker_job, struct store_job, job);
    struct store *store = job->owner;
    struct store_run *run = store_list_find(&store->list, job->id);
    bool news = false;
    if (run) {
        take_outcome(run, job);
        news = !run->told[job->state];
        run->told[job->state] = true;
        write_run(store, run);
    }
    judge_folder(store, job);
    if (job->written && !store->closing)
        retry(store);
    keep_limits(store);
    if (news)
        tell(store, job->id, job->state, job->written);
    store_job_free(job);
}

/* Writes what a run has, if that is not what was written last. */
static void write_run(struct store *store, struct store_run *run)
{
    if (run->writing || !run->changed)
        return;
    run->writing = true;
    run->changed = false;
    queue(store, new_run_job(store, run, store_job_write, on_written));
}

static void on_json_written(struct worker_job *worker_job)
{
    struct store_job *job = CONTAINER_OF(worker_job, struct store_job, job);
    struct store *store = job->owner;
    struct store_run *run = store_list_find(&store->list, job->id);
    if (run) {
        run->writing = false;
        run->has_json = !job->failed;
        run->bytes += job->bytes;
    }
    if (job->damaged)
        set_aside(store, job);
    judge_folder(store, job);
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
        queue(store, new_run_job(store, run, store_job_write_json, on_json_written));
        return;
    }
}

/* --- Tending --- */

static void remove_damaged(struct store *store)
{
    char *name = store_folder_take_damaged(&store->folder);
    struct store_job *job = new_job(store, store_job_remove_file, on_removed);
    strncpy(job->name, name, sizeof(job->name) - 1);
    free(name);
    queue(store, job);
}

static bool keeps_too_many_bytes(const struct store *store)
{
    uint64_t bytes = store->folder.damaged_bytes;
    for (size_t i = 0; i < store->list.count; i++)
        bytes += store->list.runs[i]->bytes;
    return store->limits.bytes && bytes > store->limits.bytes;
}

static void keep_limits(struct store *store)
{
    struct store_run *run;
    while (store->folder.damaged_count &&
           (store->folder.damaged_count > STORE_DAMAGED_MOST || keeps_too_many_bytes(store)))
        remove_damaged(store);
    while ((run = store_list_surplus(&store->list, &store->limits, store->folder.damaged_bytes, now_ms()))) {
        log_info("run removed", log_integer("run", (int64_t)run->id), log_string("reason", "retention"));
        forget(store, run);
    }
    while ((run = store_list_lost(&store->list, store->limits.memory_bytes))) {
        log_write(
            store->options.folder ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "run removed",
            (const struct log_field[]){log_integer("run", (int64_t)run->id),
                                       log_string("reason", "no more memory for runs that are not on disk"),
                                       {.key = NULL}});
        forget(store, run);
    }
}

static void on_tend(void *owner)
{
    struct store *store = owner;
    keep_limits(store);
    /* A slow disk is not given more to do than it does. */
    if (has_folder(store) && !worker_busy(store->worker)) {
        retry(store);
        write_missing_json(store);
        keep_last_id(store);
        if (store->problem && !worker_busy(store->worker))
            save_last_id(store); /* for what comes of it */
    }
    plan_tending(store, has_folder(store) && (store->problem || is_any_behind(store)) ? RETRY_NS : TEND_NS);
}

/* --- Opening and closing --- */

/* Whether the folder takes a file, found out at once. */
static void try_folder(struct store *store)
{
    struct store_job *job = new_job(store, store_job_write_last_id, on_last_id_saved);
    job->id = store->last_id;
    job->job.work(&job->job);
    job->job.done(&job->job);
}

static void open_folder(struct store *store)
{
    char *problem = store_folder_open(&store->folder, store->options.folder, store->calls);
    if (problem) {
        set_problem(store, problem);
        return;
    }
    store_folder_scan(&store->folder, &store->list);
    store->last_id = store->folder.last_id;
    size_t interrupted = 0;
    for (size_t i = 0; i < store->list.count; i++)
        interrupted += store->list.runs[i]->state == STORE_INTERRUPTED;
    log_info("store opened", log_string("folder", store->options.folder),
             log_integer("runs", (int64_t)store->list.count),
             log_integer("interrupted", (int64_t)interrupted));
    try_folder(store);
}

struct store *store_open(const struct store_options *options)
{
    struct store *store = memory_zalloc(1, sizeof(*store));
    store->options = *options;
    store->options.folder = options->folder ? memory_string(options->folder) : NULL;
    store->calls = options->calls ? options->calls : &file_calls_system;
    store->loop = options->loop;
    store->folder.top = store->folder.runs = -1;
    loop_timer_init(&store->tend, store->loop, on_tend, store);
    store->worker = worker_new(store->loop);
    store->limits = options->limits;
    if (options->folder)
        open_folder(store);
    plan_tending(store, 0);
    return store;
}

void store_set_limits(struct store *store, const struct store_limits *limits)
{
    store->limits = *limits;
    plan_tending(store, 0);
}

static void log_lost(const struct store *store)
{
    size_t lost = 0;
    for (size_t i = 0; i < store->list.count; i++)
        lost += store->list.runs[i]->state == STORE_FINISHED && !store->list.runs[i]->durable;
    if (lost && store->options.folder)
        log_error("results are lost", log_integer("runs", (int64_t)lost));
}

void store_close(struct store *store)
{
    store->closing = true;
    for (size_t i = 0; has_folder(store) && i < store->list.count; i++) {
        struct store_run *run = store->list.runs[i];
        run->changed |= run->state == STORE_FINISHED && run->failed;
        write_run(store, run);
    }
    worker_free(store->worker);
    log_lost(store);
    loop_timer_free(&store->tend);
    store_folder_close(&store->folder);
    store_list_free(&store->list);
    free(store->problem);
    free((char *)store->options.folder);
    free(store);
}

bool store_busy(const struct store *store)
{
    return worker_busy(store->worker);
}

uint64_t store_last_id(const struct store *store)
{
    return store->last_id;
}

const char *store_problem(const struct store *store)
{
    return store->problem;
}

/* --- Runs --- */

static void set_summary(struct store_run *run, struct term summary)
{
    static const uint8_t empty[] = {TERM_TAG_MAP, 0, 0, 0, 0};
    if (summary.size > STORE_SUMMARY_BYTES_MOST) {
        log_warning("summary is too large", log_integer("run", (int64_t)run->id),
                    log_integer("bytes", (int64_t)summary.size));
        summary = (struct term){empty, sizeof(empty)};
    }
    buffer_truncate(&run->summary, 0);
    buffer_append(&run->summary, summary.data, summary.size);
}

static void change_run(struct store *store, struct store_run *run, struct term summary, struct blob *content)
{
    set_summary(run, summary);
    blob_release(run->content);
    run->content = content ? blob_hold(content) : NULL;
    run->ended_at_ms = now_ms();
    run->durable = false;
    run->changed = true;
    write_run(store, run);
}

static struct store_run *add_run(struct store *store, uint64_t id)
{
    struct store_run *run = store_list_add(&store->list, id);
    if (store->last_id < id)
        store->last_id = id;
    return run;
}

void store_begin(struct store *store, uint64_t id, struct term summary)
{
    struct store_run *run = add_run(store, id);
    change_run(store, run, summary, NULL);
}

void store_journal(struct store *store, uint64_t id, struct term summary, struct blob *partial)
{
    struct store_run *run = store_list_find(&store->list, id);
    assert(run && run->state == STORE_RUNNING);
    if (has_folder(store))
        change_run(store, run, summary, partial);
}

void store_finish(struct store *store, uint64_t id, struct term summary, struct blob *result)
{
    struct store_run *run = store_list_find(&store->list, id);
    if (!run)
        run = add_run(store, id);
    assert(run->state == STORE_RUNNING);
    run->state = STORE_FINISHED;
    run->bytes = result->size;
    change_run(store, run, summary, result);
}

static struct store_entry entry_of(const struct store_run *run)
{
    return (struct store_entry){
        .id = run->id,
        .state = run->state,
        .summary = {buffer_bytes(&run->summary), run->summary.size},
        .ended_at_ms = run->ended_at_ms,
        .bytes = run->bytes,
        .durable = run->durable,
    };
}

bool store_find(const struct store *store, uint64_t id, struct store_entry *entry)
{
    const struct store_run *run = store_list_find(&store->list, id);
    if (run)
        *entry = entry_of(run);
    return run;
}

void store_each(const struct store *store, void (*visit)(void *owner, const struct store_entry *entry),
                void *owner)
{
    for (size_t i = 0; i < store->list.count; i++) {
        struct store_entry entry = entry_of(store->list.runs[i]);
        visit(owner, &entry);
    }
}

bool store_delete(struct store *store, uint64_t id)
{
    struct store_run *run = store_list_find(&store->list, id);
    if (!run || run->state == STORE_RUNNING)
        return false;
    forget(store, run);
    return true;
}

/* --- Reading --- */

static void answer_read(struct store_read *read, struct store_job *job)
{
    struct store_content content = {0};
    char *problem = NULL;
    if (job->failed) {
        problem = job->error ? memory_format("%s: %s", job->failed, strerror(job->error))
                             : memory_string(job->failed);
        content.problem = problem;
    } else if (job->part == STORE_TERM && job->content) {
        content.bytes = blob_hold(job->content);
        content.term = (struct term){content.bytes->data, content.bytes->size};
    } else {
        content.bytes = blob_take(&job->output);
        if (job->part == STORE_TERM)
            content.term = (struct term){content.bytes->data + job->content_offset, job->content_size};
    }
    read->done(read->owner, &content);
    blob_release(content.bytes);
    free(problem);
}

static void on_read(struct worker_job *worker_job)
{
    struct store_job *job = CONTAINER_OF(worker_job, struct store_job, job);
    struct store_read *read = job->owner;
    struct store *store = read->store;
    if (job->damaged && !store->closing)
        set_aside(store, job);
    if (read->done && !store->closing)
        answer_read(read, job);
    store_job_free(job);
    free(read);
}

struct store_read *store_read(struct store *store, uint64_t id, enum store_part part, store_read_done *done,
                              void *owner)
{
    struct store_run *run = store_list_find(&store->list, id);
    if (!run || run->state == STORE_RUNNING)
        return NULL;
    struct store_read *read = memory_zalloc(1, sizeof(*read));
    *read = (struct store_read){.store = store, .done = done, .owner = owner};
    struct store_job *job = new_run_job(store, run, store_job_read, on_read);
    job->part = part;
    job->owner = read;
    queue(store, job);
    return read;
}

void store_read_cancel(struct store_read *read)
{
    read->done = NULL;
}
