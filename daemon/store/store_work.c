#include "store_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "term/term_read.h"

/* --- Problems --- */

void store_set_problem(struct store *store, char *text)
{
    if (store->problem && strcmp(store->problem, text) == 0) {
        free(text);
        return;
    }
    free(store->problem);
    store->problem = text;
    log_error("cannot store runs", log_string("folder", store->options.folder), log_string("reason", text));
    store_plan_tending(store, STORE_RETRY_NS);
}

static bool work_is_behind(const struct store_run *run)
{
    return run->state == STORE_FINISHED && (run->failed || (run->durable && !run->has_json));
}

bool store_is_behind(const struct store *store)
{
    for (size_t i = 0; i < store->list.count; i++)
        if (work_is_behind(store->list.runs[i]))
            return true;
    return false;
}

static void work_clear_problem(struct store *store)
{
    if (!store->problem || !store_has_folder(store) || store->is_moved || store_is_behind(store))
        return;
    free(store->problem);
    store->problem = NULL;
    log_info("storing runs again", log_string("folder", store->options.folder));
}

/* What the outcome of a job that writes says about the folder. */
void store_judge(struct store *store, const struct store_job *job)
{
    if (!store_has_folder(store))
        return;
    if (job->failed && !job->damaged)
        store_set_problem(store, store_job_problem(job));
    else
        work_clear_problem(store);
}

/* --- Jobs --- */

struct store_job *store_new_job(struct store *store, void (*work)(struct worker_job *),
                                void (*done)(struct worker_job *))
{
    struct store_job *job = memory_zalloc(1, sizeof(*job));
    job->job.work = work;
    job->job.done = done;
    job->calls = store->options.calls;
    job->take_apart = store->options.take_apart;
    job->folder = store->folder.runs;
    job->owner = store;
    return job;
}

/* A job about what is stored of a run. */
struct store_job *store_new_run_job(struct store *store, const struct store_run *run,
                                    void (*work)(struct worker_job *), void (*done)(struct worker_job *))
{
    struct store_job *job = store_new_job(store, work, done);
    job->id = run->id;
    job->state = run->state;
    job->ended_at_ms = run->ended_at_ms;
    buffer_append(&job->summary, buffer_bytes(&run->summary), run->summary.size);
    job->content = run->content ? blob_hold(run->content) : NULL;
    return job;
}

void store_queue(struct store *store, struct store_job *job)
{
    worker_queue(store->worker, &job->job);
}

static void work_on_looked_for(struct worker_job *worker_job)
{
    struct store_job *job = CONTAINER_OF(worker_job, struct store_job, job);
    struct store *store = job->owner;
    const bool was_moved = store->is_moved;
    store->is_looking = false;
    store->is_moved = job->failed;
    if (store->is_moved)
        store_set_problem(store, store_job_problem(job));
    else if (was_moved)
        work_clear_problem(store);
    store_job_free(job);
}

/* What is written into a folder that is not there any more is not found at the next start. */
void store_look_for_folder(struct store *store)
{
    if (!store_has_folder(store) || store->is_looking)
        return;
    struct store_job *job = store_new_job(store, store_job_look_for_folder, work_on_looked_for);
    job->path = store->options.folder;
    store->is_looking = true;
    store_queue(store, job);
}

static void work_on_removed(struct worker_job *worker_job)
{
    struct store_job *job = CONTAINER_OF(worker_job, struct store_job, job);
    store_judge(job->owner, job);
    store_job_free(job);
}

static void work_on_last_id_saved(struct worker_job *worker_job)
{
    struct store_job *job = CONTAINER_OF(worker_job, struct store_job, job);
    struct store *store = job->owner;
    store->saving_last_id = false;
    if (!job->failed)
        store->folder.last_id_saved = job->id;
    store_judge(store, job);
    if (!job->failed)
        store_keep_last_id(store); /* there may be a higher one by now */
    store_job_free(job);
}

void store_save_last_id(struct store *store)
{
    if (!store_has_folder(store) || store->saving_last_id)
        return;
    struct store_job *job = store_new_job(store, store_job_write_last_id, work_on_last_id_saved);
    job->id = store->last_id;
    store->saving_last_id = true;
    store_queue(store, job);
}

void store_try_folder(struct store *store)
{
    struct store_job *job = store_new_job(store, store_job_write_last_id, work_on_last_id_saved);
    job->id = store->last_id;
    job->job.work(&job->job);
    job->job.done(&job->job);
}

void store_claim_run(struct store *store, struct store_run *run, struct term summary)
{
    struct store_claim claim = {0};
    if (store->options.claim && term_type(summary) == TERM_MAP)
        store->options.claim(summary, &claim);
    store_list_claim(&store->list, run, &claim);
}

/* Suites before their members, which have higher ids. */
static void work_claim_found(struct store *store)
{
    for (size_t i = 0; i < store->list.count; i++) {
        struct store_run *run = store->list.runs[i];
        if (!run->holder)
            store_claim_run(store, run, term_of(&run->summary));
    }
}

/* What was given meanwhile keeps its id: what is there under the same one is set aside. */
static size_t work_take_found(struct store *store, struct store_list *found)
{
    size_t interrupted = 0;
    while (found->count) {
        struct store_run *run = found->runs[found->count - 1];
        if (store_list_find(&store->list, run->id)) {
            store_folder_set_aside_run(&store->folder, run);
            store_list_remove(found, run);
        } else {
            interrupted += run->state == STORE_INTERRUPTED;
            store_list_move(&store->list, found, run);
        }
    }
    return interrupted;
}

bool store_open_folder(struct store *store)
{
    struct store_list found = {0};
    char *problem = store_folder_open(&store->folder, &store->options);
    if (problem) {
        store_set_problem(store, problem);
        return false;
    }
    store_folder_scan(&store->folder, &found);
    if (store->last_id < store->folder.last_id)
        store->last_id = store->folder.last_id;
    const size_t count = found.count;
    const size_t interrupted = work_take_found(store, &found);
    store_list_free(&found);
    work_claim_found(store);
    log_info("store opened", log_string("folder", store->options.folder), log_integer("runs", (int64_t)count),
             log_integer("interrupted", (int64_t)interrupted));
    return true;
}

/* As long as there is a file of the last run, its name says the id. */
void store_keep_last_id(struct store *store)
{
    const struct store_run *run = store_list_find(&store->list, store->last_id);
    if (store->folder.last_id_saved < store->last_id && !(run && run->durable))
        store_save_last_id(store);
}

/* A run that is not there any more. */
void store_forget_alone(struct store *store, struct store_run *run)
{
    struct store_job *job = store_new_job(store, store_job_remove, work_on_removed);
    job->id = run->id;
    store_list_remove(&store->list, run);
    store_keep_last_id(store);
    store_queue_removal(store, job);
}

size_t store_forget(struct store *store, struct store_run *run)
{
    size_t forgotten = 1;
    LIST_EACH(struct store_run, member, &run->members, member_link) {
        store_forget_alone(store, member);
        forgotten++;
    }
    store_forget_alone(store, run);
    return forgotten;
}

void store_remove_file(struct store *store, const char *name)
{
    struct store_job *job = store_new_job(store, store_job_remove_file, work_on_removed);
    snprintf(job->name, sizeof(job->name), "%s", name);
    store_queue(store, job);
}
