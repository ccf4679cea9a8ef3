/* What the store's thread does. A job has all that it needs: its work looks at nothing of the store. */
#ifndef HARNESSD_STORE_STORE_JOB_PRIVATE_H
#define HARNESSD_STORE_STORE_JOB_PRIVATE_H

#include "base/worker.h"
#include "store_file_private.h"

/* "18446744073709551615.running.damaged" and more. */
#define STORE_NAME_BYTES 64

/* What a file of a run is. */
enum store_kind { STORE_KIND_TERM, STORE_KIND_JSON, STORE_KIND_RUNNING, STORE_KIND_COUNT };

#define STORE_RUNS "runs" /* where the files are, in the folder that was configured */
#define STORE_LAST_ID_NAME "last_id"
#define STORE_DAMAGED_SUFFIX ".damaged"

void store_name(uint64_t id, enum store_kind kind, char name[STORE_NAME_BYTES]);

/* The kind of the file in which a run in this state is. */
enum store_kind store_kind_of(enum store_state state);

/* The run that a name is of; false for all other names. */
MUST_CHECK bool store_name_parse(const char *name, uint64_t *id, enum store_kind *kind);

struct store_job {
    struct worker_job job;
    const struct file_calls *calls;
    store_take_apart *take_apart;
    int folder;  /* -1: there is none, and all but what is in memory fails */
    void *owner; /* for `job.done` */

    uint64_t id;
    enum store_state state;
    enum store_part part;
    uint64_t ended_at_ms;
    struct buffer summary;
    struct blob *content;        /* held by the job; NULL where it is to be read, or is the atom nil */
    char name[STORE_NAME_BYTES]; /* of the file that is set aside */
    const char *path;            /* of the folder that was configured; good until the thread has ended */

    /* What came of it. */
    const char *failed;    /* the step that went wrong, a literal, or NULL */
    int error;             /* its errno, or 0 */
    bool written;          /* what the run has is on disk, in the form that counts */
    bool damaged;          /* what was read is not what was written, as `failed` says */
    uint64_t bytes;        /* that were written */
    struct buffer output;  /* what was read */
    size_t content_offset; /* of the content in it */
    size_t content_size;
};

/* Writes the files of a run: its .running while it is under way, else .term, upon which .running goes, and
 * .json. The run is finished from when .term is there; the JSON may still fail. */
void store_job_write(struct worker_job *job);

/* Makes a .json that is missing from the .term. */
void store_job_write_json(struct worker_job *job);

/* Reads the content of a run (or takes `content`) and makes of it what `part` says. */
void store_job_read(struct worker_job *job);

/* Removes all files of a run. */
void store_job_remove(struct worker_job *job);

/* Renames the file `name` to what says that it is damaged. */
void store_job_set_aside(struct worker_job *job);

/* Removes the file `name`. */
void store_job_remove_file(struct worker_job *job);

/* Writes `id` as the highest that was given. */
void store_job_write_last_id(struct worker_job *job);

/* Fails when the folder is not where it was opened any more: it was removed, or another one is in its
 * place. */
void store_job_look_for_folder(struct worker_job *job);

/* Reads what the end and the beginning of the file `name` say. False when it cannot be read or is damaged. */
MUST_CHECK bool store_job_look(struct store_job *job, struct store_trailer *trailer, struct term *summary);

/* What went wrong, for people: "write: No space left on device". To be freed. */
MUST_CHECK char *store_job_problem(const struct store_job *job);

void store_job_free(struct store_job *job);

#endif
