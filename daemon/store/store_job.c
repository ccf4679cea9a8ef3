#include "store_job_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

static struct store_job *job_of(struct worker_job *job)
{
    return CONTAINER_OF(job, struct store_job, job);
}

static void job_fail(struct store_job *job, const char *step, int error)
{
    if (job->failed)
        return;
    job->failed = step;
    job->error = error;
}

char *store_job_problem(const struct store_job *job)
{
    return job->error ? memory_format("%s: %s", job->failed, strerror(job->error))
                      : memory_string(job->failed);
}

void store_job_free(struct store_job *job)
{
    buffer_free(&job->summary);
    buffer_free(&job->output);
    blob_release(job->content);
    free(job);
}

/* --- Names --- */

static const char *const kind_names[STORE_KIND_COUNT] = {
    [STORE_KIND_TERM] = ".term", [STORE_KIND_JSON] = ".json", [STORE_KIND_RUNNING] = ".running"};

void store_name(uint64_t id, enum store_kind kind, char name[STORE_NAME_BYTES])
{
    snprintf(name, STORE_NAME_BYTES, "%" PRIu64 "%s", id, kind_names[kind]);
}

enum store_kind store_kind_of(enum store_state state)
{
    return state == STORE_FINISHED ? STORE_KIND_TERM : STORE_KIND_RUNNING;
}

bool store_name_parse(const char *name, uint64_t *id, enum store_kind *kind)
{
    char again[STORE_NAME_BYTES];
    *id = strtoull(name, NULL, 10);
    for (int i = 0; *id && *id <= STORE_ID_MOST && i < STORE_KIND_COUNT; i++) {
        *kind = (enum store_kind)i;
        store_name(*id, *kind, again);
        if (strcmp(again, name) == 0)
            return true;
    }
    return false;
}

/* --- Writing --- */

/* A file that is committed; what it takes on disk is added to what the job has written. */
static void job_commit(struct store_job *job, struct atomic_file *file, uint64_t bytes)
{
    if (atomic_file_commit(file))
        job->bytes += bytes;
    else
        job_fail(job, file->failed, file->error);
}

static void job_write_term(struct store_job *job, const struct store_file *stored)
{
    struct atomic_file file;
    struct buffer head = {0}, trailer = {0};
    char name[STORE_NAME_BYTES];
    store_name(job->id, store_kind_of(job->state), name);
    atomic_file_begin(&file, job->calls, job->folder, name);
    store_file_write_head(stored, &head);
    atomic_file_write(&file, buffer_bytes(&head), head.size);
    atomic_file_write(&file, stored->content.data, stored->content.size);
    if (!file.failed)
        store_file_write_trailer(stored, &trailer);
    atomic_file_write(&file, buffer_bytes(&trailer), trailer.size);
    job_commit(job, &file, head.size + stored->content.size + trailer.size);
    buffer_free(&head);
    buffer_free(&trailer);
}

struct json_file {
    struct atomic_file file;
    uint64_t bytes;
};

static void job_take_json(void *owner, const void *json, size_t size)
{
    struct json_file *output = owner;
    atomic_file_write(&output->file, json, size);
    output->bytes += size;
}

static void job_write_json(struct store_job *job, const struct store_file *stored)
{
    const struct store_json json = {.take_apart = job->take_apart};
    struct json_file output = {0};
    char name[STORE_NAME_BYTES];
    store_name(job->id, STORE_KIND_JSON, name);
    atomic_file_begin(&output.file, job->calls, job->folder, name);
    if (!output.file.failed)
        store_file_write_json(stored, &json, job_take_json, &output);
    job_commit(job, &output.file, output.bytes);
}

static struct term job_content_term(const struct store_job *job)
{
    static const uint8_t nil[] = {TERM_TAG_SMALL_ATOM_UTF8, 3, 'n', 'i', 'l'};
    return job->content ? (struct term){job->content->data, job->content->size}
                        : (struct term){nil, sizeof(nil)};
}

static struct store_file job_stored_run(const struct store_job *job)
{
    return (struct store_file){
        .id = job->id,
        .state = job->state,
        .ended_at_ms = job->ended_at_ms,
        .summary = {buffer_bytes(&job->summary), job->summary.size},
        .content = job_content_term(job),
    };
}

static void job_remove_name(struct store_job *job, const char *name)
{
    if (job->calls->remove(job->folder, name) < 0 && errno != ENOENT)
        job_fail(job, "remove", errno);
}

static void job_remove_kind(struct store_job *job, enum store_kind kind)
{
    char name[STORE_NAME_BYTES];
    store_name(job->id, kind, name);
    job_remove_name(job, name);
}

void store_job_write(struct worker_job *worker_job)
{
    struct store_job *job = job_of(worker_job);
    struct store_file stored = job_stored_run(job);
    if (job->folder < 0) {
        job_fail(job, "no folder", 0);
        return;
    }
    job_write_term(job, &stored);
    job->written = !job->failed;
    if (!job->written || job->state != STORE_FINISHED)
        return;
    /* That it is still there does no harm: where there is a result, it is removed at the next start. */
    char name[STORE_NAME_BYTES];
    store_name(job->id, STORE_KIND_RUNNING, name);
    (void)job->calls->remove(job->folder, name);
    job_write_json(job, &stored);
}

void store_job_write_last_id(struct worker_job *worker_job)
{
    struct store_job *job = job_of(worker_job);
    struct atomic_file file;
    char text[24];
    int size = snprintf(text, sizeof(text), "%" PRIu64 "\n", job->id);
    if (job->folder < 0)
        return;
    atomic_file_begin(&file, job->calls, job->folder, STORE_LAST_ID_NAME);
    atomic_file_write(&file, text, (size_t)size);
    job_commit(job, &file, (uint64_t)size);
}

/* --- Removing --- */

static void job_sync_folder(struct store_job *job)
{
    if (!job->failed && job->calls->sync(job->folder) < 0)
        job_fail(job, "sync folder", errno);
}

/* The result first: what is left of a run without it is removed at the next start. */
void store_job_remove(struct worker_job *worker_job)
{
    struct store_job *job = job_of(worker_job);
    if (job->folder < 0)
        return;
    job_remove_kind(job, STORE_KIND_TERM);
    job_remove_kind(job, STORE_KIND_RUNNING);
    job_remove_kind(job, STORE_KIND_JSON);
    job_sync_folder(job);
}

void store_job_remove_file(struct worker_job *worker_job)
{
    struct store_job *job = job_of(worker_job);
    job_remove_name(job, job->name);
}

void store_job_look_for_folder(struct worker_job *worker_job)
{
    struct store_job *job = job_of(worker_job);
    struct stat ours, there;
    char *runs = memory_format("%s/" STORE_RUNS, job->path);
    const bool known = fstat(job->folder, &ours) == 0 && stat(runs, &there) == 0;
    const bool is_gone = !known && (errno == ENOENT || errno == ENOTDIR);
    free(runs);
    if (is_gone || (known && (ours.st_dev != there.st_dev || ours.st_ino != there.st_ino)))
        job_fail(job, "it was removed, or another one is in its place: bring it back, or restart", 0);
}

void store_job_set_aside(struct worker_job *worker_job)
{
    struct store_job *job = job_of(worker_job);
    char name[STORE_NAME_BYTES + sizeof(STORE_DAMAGED_SUFFIX)];
    snprintf(name, sizeof(name), "%s%s", job->name, STORE_DAMAGED_SUFFIX);
    if (job->calls->rename(job->folder, job->name, name) < 0)
        job_fail(job, "rename", errno);
}

/* --- Reading --- */

static bool job_read_at(struct store_job *job, int descriptor, uint8_t *data, size_t size, off_t offset)
{
    while (size) {
        ssize_t got = pread(descriptor, data, size, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            job->damaged = !got; /* it was longer a moment ago */
            job_fail(job, got ? "read" : "it is cut", got ? errno : 0);
            return false;
        }
        data += got;
        size -= (size_t)got;
        offset += got;
    }
    return true;
}

/* Opens a file that can be one of ours. What else has its name is as good as damaged. */
static int job_open_file(struct store_job *job, uint64_t *size)
{
    struct stat status;
    int descriptor =
        job->calls->open(job->folder, job->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
    if (descriptor < 0) {
        job->damaged = errno == ELOOP || errno == ENXIO;
        job_fail(job, "open", errno);
        return -1;
    }
    if (fstat(descriptor, &status) < 0) {
        job_fail(job, "open", errno);
    } else if (!S_ISREG(status.st_mode) ||
               status.st_size < STORE_FILE_HEAD_BYTES + STORE_FILE_TRAILER_BYTES) {
        job->damaged = true;
        job_fail(job, S_ISREG(status.st_mode) ? "it is cut, or none of ours" : "it is no file", 0);
    }
    *size = (uint64_t)status.st_size;
    if (!job->failed)
        return descriptor;
    close(descriptor);
    return -1;
}

static void job_find_damage(struct store_job *job, const char *problem)
{
    if (!problem)
        return;
    job->damaged = true;
    job_fail(job, problem, 0);
}

/* Room for `size` bytes that a file has: more than there is memory for is no reason to end. */
static uint8_t *job_make_room(struct store_job *job, uint64_t size)
{
    buffer_free(&job->output);
    uint8_t *data = malloc(size);
    if (data)
        job->output = (struct buffer){.data = data, .size = size, .capacity = size};
    else
        job_fail(job, "no memory to read it", 0);
    return data;
}

bool store_job_look(struct store_job *job, struct store_trailer *trailer, struct term *summary)
{
    uint8_t end[STORE_FILE_TRAILER_BYTES];
    uint64_t size;
    int descriptor = job_open_file(job, &size);
    if (descriptor < 0)
        return false;
    if (job_read_at(job, descriptor, end, sizeof(end), (off_t)(size - sizeof(end))))
        job_find_damage(job, store_file_read_trailer(end, size, trailer));
    size_t head_size = job->failed ? 0 : STORE_FILE_HEAD_BYTES + trailer->summary_size;
    uint8_t *head = job->failed ? NULL : job_make_room(job, head_size);
    if (head && job_read_at(job, descriptor, head, head_size, 0))
        job_find_damage(job, store_file_read_head(head, trailer, summary));
    close(descriptor);
    job->bytes = size;
    return !job->failed;
}

/* The whole file as `output`, and what it says. */
static bool job_read_whole(struct store_job *job, struct store_file *stored)
{
    uint64_t size;
    if (job->folder < 0) {
        job_fail(job, "it was never written", 0);
        return false;
    }
    store_name(job->id, store_kind_of(job->state), job->name);
    int descriptor = job_open_file(job, &size);
    if (descriptor < 0)
        return false;
    uint8_t *data = job_make_room(job, size);
    if (data && job_read_at(job, descriptor, data, size, 0))
        job_find_damage(job, store_file_read(data, size, stored));
    close(descriptor);
    if (!job->failed && stored->id != job->id)
        job_find_damage(job, "it is of another run");
    return !job->failed;
}

static void job_take_text(void *owner, const void *json, size_t size)
{
    buffer_append(owner, json, size);
}

static void job_make_json(struct store_job *job, struct store_file *stored)
{
    const struct store_json json = {.take_apart = job->take_apart, .has_summary = true};
    struct buffer text = {0};
    stored->state = job->state; /* a file of a running run is that of an interrupted one by now */
    store_file_write_json(stored, &json, job_take_text, &text);
    buffer_free(&job->output);
    job->output = text;
}

void store_job_read(struct worker_job *worker_job)
{
    struct store_job *job = job_of(worker_job);
    struct store_file stored = job_stored_run(job);
    if (!job->content && !job_read_whole(job, &stored))
        return;
    if (job->part == STORE_JSON) {
        job_make_json(job, &stored);
    } else if (!job->content) {
        job->content_offset = (size_t)(stored.content.data - buffer_bytes(&job->output));
        job->content_size = stored.content.size;
    }
}

void store_job_write_json(struct worker_job *worker_job)
{
    struct store_job *job = job_of(worker_job);
    struct store_file stored;
    if (job_read_whole(job, &stored))
        job_write_json(job, &stored);
}
