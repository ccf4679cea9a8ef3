/* What the parts of the store share: store.c has what its users call, store_work.c queues jobs and judges the
 * folder by what comes of them, store_write.c brings runs to disk and removes those that are too many,
 * store_read.c reads them. */
#ifndef HARNESSD_STORE_STORE_PRIVATE_H
#define HARNESSD_STORE_STORE_PRIVATE_H

#include "base/clock.h"
#include "store_age_private.h"
#include "store_folder_private.h"
#include "store_job_private.h"
#include "store_list_private.h"

/* How often what could not be written is tried again. */
#define STORE_RETRY_NS CLOCK_NS_PER_S

struct store {
    struct worker *worker;  /* writes and removes, in the order in which it was asked to */
    struct worker *reader;  /* what is written waits for nothing that is read */
    struct list reads;      /* what it has to read */
    struct loop_timer tend; /* store_tend() is called when it fires */
    struct loop_task keep;  /* store_keep_limits(), once in a pass */
    struct store_folder folder;
    struct store_list list;
    struct store_options options; /* with a folder of its own, `calls` and `clock` */
    struct store_age age;
    uint64_t last_id;
    bool saving_last_id; /* a job writes it */
    char *problem;       /* or NULL */
    bool is_moved;       /* the folder is not where it was any more */
    bool is_looking;     /* a job finds out whether it is */
    bool closing;        /* nobody is called back any more */
};

static inline bool store_has_folder(const struct store *store)
{
    return store->folder.runs >= 0;
}

/* Milliseconds since 1970. */
static inline uint64_t store_now_ms(const struct store *store)
{
    return store->options.clock->wall_us() / 1000;
}

/* --- store_work.c --- */

/* A job, and one about what is stored of a run, to be given to store_queue(); its owner is the store. */
struct store_job *store_new_job(struct store *store, void (*work)(struct worker_job *),
                                void (*done)(struct worker_job *));
struct store_job *store_new_run_job(struct store *store, const struct store_run *run,
                                    void (*work)(struct worker_job *), void (*done)(struct worker_job *));
void store_queue(struct store *store, struct store_job *job);

/* Takes over `text`: that is what is wrong with the folder. Logged when it is news. */
void store_set_problem(struct store *store, char *text);

/* What came of a job that writes says how the folder is. */
void store_judge(struct store *store, const struct store_job *job);

/* Finds out whether the folder is still in its place. */
void store_look_for_folder(struct store *store);

/* Whether there is a result, or its JSON, that could not be written. */
bool store_is_behind(const struct store *store);

/* Writes the highest id; the second only when no file says it. */
void store_save_last_id(struct store *store);
void store_keep_last_id(struct store *store);

/* Finds out at once, without the thread, whether the folder takes a file. */
void store_try_folder(struct store *store);

/* Opens the folder, and knows of the runs in it as well. False when it cannot be used, which is the store's
 * problem then. */
MUST_CHECK bool store_open_folder(struct store *store);

/* Says in the list whose a new run is. */
void store_claim_run(struct store *store, struct store_run *run, struct term summary);

/* Forgets a run, with its members if it is a suite, and removes the files. How many runs that were. */
size_t store_forget(struct store *store, struct store_run *run);

/* The same of a suite without its members, which stand for themselves from now on. */
void store_forget_alone(struct store *store, struct store_run *run);

/* Removes a file that is no run's. */
void store_remove_file(struct store *store, const char *name);

/* --- store_write.c --- */

/* Writes what a run has, if that is not what was written last. */
void store_write_run(struct store *store, struct store_run *run);

/* Removes what is more than is to be kept. */
void store_keep_limits(void *store);

/* Does what is due: tries again what could not be written, removes what has become too old. */
void store_tend(void *store);

/* That in so long. */
void store_plan_tending(struct store *store, uint64_t delay_ns);

/* --- store_read.c --- */

/* A job that removes a run: what was asked for before is still read. */
void store_queue_removal(struct store *store, struct store_job *removal);

/* The file that was read was damaged: it is renamed, and its run is not there any more. */
void store_set_aside(struct store *store, const struct store_job *reading);

#endif
