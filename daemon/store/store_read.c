#include "store_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

struct store_read {
    struct store *store;
    struct list_link link;
    struct store_job *job;
    store_read_done *done; /* NULL: cancelled */
    void *owner;
    struct store_job *removal; /* of its run, which waits for the last that reads it */
};

static void read_answer(struct store_read *read, struct store_job *job)
{
    struct store_content content = {0};
    char *problem = NULL;
    if (job->failed) {
        content.problem = problem = store_job_problem(job);
    } else if (job->part == STORE_TERM && job->content) {
        content.bytes = blob_hold(job->content);
        content.term = (struct term){content.bytes->data, content.bytes->size};
    } else {
        content.bytes = blob_take(&job->output, read->store->options.loop);
        if (job->part == STORE_TERM)
            content.term = (struct term){content.bytes->data + job->content_offset, job->content_size};
    }
    read->done(read->owner, &content);
    blob_release(content.bytes);
    free(problem);
}

void store_queue_removal(struct store *store, struct store_job *removal)
{
    LIST_EACH(struct store_read, read, &store->reads, link)
        if (read->job->id == removal->id && !read->removal) {
            read->removal = removal;
            return;
        }
    store_queue(store, removal);
}

static void read_on_done(struct worker_job *worker_job)
{
    struct store_job *job = CONTAINER_OF(worker_job, struct store_job, job);
    struct store_read *read = job->owner;
    struct store *store = read->store;
    if (job->damaged && !store->closing)
        store_set_aside(store, job);
    if (read->done && !store->closing)
        read_answer(read, job);
    list_remove(&store->reads, &read->link);
    if (read->removal)
        store_queue_removal(store, read->removal);
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
    struct store_job *job = store_new_run_job(store, run, store_job_read, read_on_done);
    job->part = part;
    job->owner = read;
    job->job.turn.caller = (uint64_t)part; /* who wants the one waits for one at most that wants the other */
    read->job = job;
    list_append(&store->reads, &read->link);
    worker_queue(store->reader, &job->job);
    return read;
}

void store_read_cancel(struct store_read *read)
{
    read->done = NULL;
    worker_drop(read->store->reader, &read->job->job);
}

/* --- Damaged files --- */

static void read_on_set_aside(struct worker_job *worker_job)
{
    struct store_job *job = CONTAINER_OF(worker_job, struct store_job, job);
    struct store *store = job->owner;
    if (!job->failed) {
        char *name = memory_format("%s%s", job->name, STORE_DAMAGED_SUFFIX);
        store_folder_add_damaged(&store->folder, name, job->bytes, store_now_ms(store));
        free(name);
        store_keep_limits(store);
    }
    store_judge(store, job);
    store_job_free(job);
}

/* The file that was read is renamed, and its run is not there any more. */
void store_set_aside(struct store *store, const struct store_job *reading)
{
    struct store_run *run = store_list_find(&store->list, reading->id);
    log_warning("damaged file", log_string("file", reading->name), log_string("reason", reading->failed));
    if (!run || run->state != reading->state)
        return;
    struct store_job *job = store_new_job(store, store_job_set_aside, read_on_set_aside);
    memcpy(job->name, reading->name, sizeof(job->name));
    job->bytes = reading->output.size;
    store_queue(store, job);
    store_forget_alone(store, run);
}
