#include "store/store.h"

#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/worker.h"
#include "store_private.h"

/* --- Opening and closing --- */

struct store *store_open(const struct store_options *options)
{
    static const struct store_clock system_clock = {.ns = clock_ns, .wall_us = clock_wall_us};
    struct store *store = memory_zalloc(1, sizeof(*store));
    store->options = *options;
    store->options.folder = options->folder ? memory_string(options->folder) : NULL;
    store->options.holder = options->holder ? memory_string(options->holder) : NULL;
    store->options.calls = options->calls ? options->calls : &file_calls_system;
    store->options.clock = options->clock ? options->clock : &system_clock;
    store->folder.top = store->folder.runs = -1;
    loop_timer_init(&store->tend, store->options.loop, store_tend, store);
    store->keep = (struct loop_task){.run = store_keep_limits, .owner = store};
    store->worker = worker_new(store->options.loop);
    store->reader = worker_new(store->options.loop);
    if (options->folder && store_open_folder(store))
        store_try_folder(store);
    store_plan_tending(store, 0);
    return store;
}

void store_set_limits(struct store *store, const struct store_limits *limits)
{
    store->options.limits = *limits;
    store_plan_tending(store, 0);
}

static void store_log_lost(const struct store *store)
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
    for (size_t i = 0; store_has_folder(store) && i < store->list.count; i++) {
        struct store_run *run = store->list.runs[i];
        run->changed |= run->state == STORE_FINISHED && run->failed;
        store_write_run(store, run);
    }
    worker_free(store->reader);
    worker_free(store->worker);
    store_log_lost(store);
    loop_timer_free(&store->tend);
    loop_cancel(store->options.loop, &store->keep);
    store_folder_close(&store->folder);
    store_list_free(&store->list);
    free(store->problem);
    free((char *)store->options.folder);
    free((char *)store->options.holder);
    free(store);
}

bool store_busy(const struct store *store)
{
    return worker_busy(store->worker) || worker_busy(store->reader);
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

static void store_set_summary(struct store_run *run, struct term summary)
{
    if (summary.size > STORE_SUMMARY_BYTES_MOST) {
        log_warning("summary is too large", log_integer("run", (int64_t)run->id),
                    log_integer("bytes", (int64_t)summary.size));
        summary = TERM_EMPTY_MAP;
    }
    term_keep(&run->summary, summary);
}

static void store_change_run(struct store *store, struct store_run *run, struct term summary,
                             struct blob *content)
{
    store_set_summary(run, summary);
    blob_release(run->content);
    run->content = content ? blob_hold(content) : NULL;
    run->ended_at_ms = store_now_ms(store);
    run->durable = false;
    run->changed = true;
    store_write_run(store, run);
}

static struct store_run *store_add_run(struct store *store, uint64_t id, struct term summary)
{
    struct store_run *run = store_list_add(&store->list, id);
    store_claim_run(store, run, summary);
    if (store->last_id < id)
        store->last_id = id;
    return run;
}

void store_begin(struct store *store, uint64_t id, struct term summary)
{
    struct store_run *run = store_add_run(store, id, summary);
    store_change_run(store, run, summary, NULL);
}

void store_journal(struct store *store, uint64_t id, struct term summary, struct blob *partial)
{
    struct store_run *run = store_list_find(&store->list, id);
    assert(run && run->state == STORE_RUNNING);
    if (store_has_folder(store))
        store_change_run(store, run, summary, partial);
}

void store_finish(struct store *store, uint64_t id, struct term summary, struct blob *result)
{
    struct store_run *run = store_list_find(&store->list, id);
    if (!run)
        run = store_add_run(store, id, summary);
    assert(run->state == STORE_RUNNING);
    run->state = STORE_FINISHED;
    store_list_end(&store->list, run);
    store_list_set_bytes(&store->list, run, result->size);
    store_change_run(store, run, summary, result);
}

static struct store_entry store_entry_of(const struct store_run *run)
{
    return (struct store_entry){
        .id = run->id,
        .state = run->state,
        .suite = run->suite ? run->suite->id : 0,
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
        *entry = store_entry_of(run);
    return run;
}

bool store_find_before(const struct store *store, uint64_t id, struct store_entry *entry)
{
    const struct store_run *run = store_list_find_before(&store->list, id);
    if (run)
        *entry = store_entry_of(run);
    return run;
}

void store_each_member(const struct store *store, uint64_t id,
                       void (*visit)(void *owner, const struct store_entry *entry), void *owner)
{
    const struct store_run *suite = store_list_find(&store->list, id);
    if (!suite)
        return;
    LIST_EACH(struct store_run, member, &suite->members, member_link) {
        struct store_entry entry = store_entry_of(member);
        visit(owner, &entry);
    }
}

bool store_delete(struct store *store, uint64_t id)
{
    struct store_run *run = store_list_find(&store->list, id);
    if (!run || run->state == STORE_RUNNING)
        return false;
    (void)store_forget(store, run);
    return true;
}
