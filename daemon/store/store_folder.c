#include "store_folder_private.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "store_holder_private.h"
#include "store_trust_private.h"

#define LAST_ID_BYTES_MOST 32

/* How a JSON of ours begins. */
#define JSON_HEAD "{\"outcome\":"

/* --- Opening --- */

static char *folder_problem_text(const char *what, int error)
{
    return memory_format("%s: %s", what, strerror(error));
}

/* A folder in `parent`, made if it is not there; a new one is brought to disk with its name. */
static char *folder_open(int parent, const char *path, int flags, int *descriptor)
{
    bool made = mkdirat(parent, path, 0700) == 0;
    int error = errno;
    *descriptor = openat(parent, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
    if (*descriptor < 0)
        return made || error == EEXIST ? folder_problem_text("cannot open it", errno)
                                       : folder_problem_text("cannot make it", error);
    const char *distrust = store_trust_problem(*descriptor);
    if (distrust)
        return memory_format("%s: %s", path, distrust);
    int above = made ? openat(*descriptor, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (above >= 0) {
        (void)fsync(above);
        close(above);
    }
    return NULL;
}

/* Where locks are not to be had (some network file systems) there is none. */
static char *folder_lock(const struct store_folder *folder, const char *holder)
{
    if (flock(folder->top, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        char *other = store_holder_read(folder->top);
        char *problem = other ? memory_format("another daemon uses it, which is waited for: %s", other)
                              : memory_string("another daemon uses it, which is waited for");
        free(other);
        return problem;
    }
    if (holder)
        store_holder_write(folder->top, holder);
    return NULL;
}

char *store_folder_open(struct store_folder *folder, const struct store_options *options)
{
    *folder = (struct store_folder){.calls = options->calls, .top = -1, .runs = -1};
    char *problem = folder_open(AT_FDCWD, options->folder, 0, &folder->top);
    if (!problem)
        problem = folder_lock(folder, options->holder);
    if (!problem)
        problem = folder_open(folder->top, STORE_RUNS, O_NOFOLLOW, &folder->runs);
    if (!problem) {
        if (store_trust_is_shared(folder->top) || store_trust_is_shared(folder->runs))
            log_warning("the state folder's group can write to it", log_string("folder", options->folder));
        return NULL;
    }
    store_folder_close(folder);
    return problem;
}

void store_folder_close(struct store_folder *folder)
{
    if (folder->runs >= 0)
        close(folder->runs);
    if (folder->top >= 0)
        close(folder->top);
    for (size_t i = 0; i < folder->damaged_count; i++)
        free(folder->damaged[i].name);
    free(folder->damaged);
    folder->damaged = NULL;
    folder->damaged_count = 0;
    folder->runs = folder->top = -1;
}

/* --- Damaged files --- */

static void folder_take_out(struct store_folder *folder, size_t at)
{
    folder->damaged_count--;
    folder->damaged_bytes -= folder->damaged[at].bytes;
    memmove(folder->damaged + at, folder->damaged + at + 1,
            (folder->damaged_count - at) * sizeof(*folder->damaged));
}

void store_folder_add_damaged(struct store_folder *folder, const char *name, uint64_t bytes,
                              uint64_t changed_at_ms)
{
    for (size_t i = 0; i < folder->damaged_count; i++) {
        if (strcmp(folder->damaged[i].name, name) != 0)
            continue;
        free(folder->damaged[i].name); /* the new one has taken its place */
        folder_take_out(folder, i);
        break;
    }
    size_t at = folder->damaged_count++;
    folder->damaged = memory_resize(folder->damaged, folder->damaged_count, sizeof(*folder->damaged));
    for (; at && folder->damaged[at - 1].changed_at_ms > changed_at_ms; at--)
        folder->damaged[at] = folder->damaged[at - 1];
    folder->damaged[at] = (struct store_damaged){memory_string(name), bytes, changed_at_ms};
    folder->damaged_bytes += bytes;
}

char *store_folder_take_damaged(struct store_folder *folder)
{
    if (!folder->damaged_count)
        return NULL;
    char *name = folder->damaged[0].name;
    folder_take_out(folder, 0);
    return name;
}

/* --- Scanning --- */

struct names {
    char **items;
    size_t count;
};

static int folder_compare_names(const void *a, const void *b)
{
    uint64_t x = strtoull(*(char *const *)a, NULL, 10), y = strtoull(*(char *const *)b, NULL, 10);
    return (x > y) - (x < y);
}

static void folder_read_names(const struct store_folder *folder, struct names *names)
{
    int descriptor = openat(folder->runs, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = descriptor < 0 ? NULL : fdopendir(descriptor);
    if (!directory) {
        log_error("cannot read the store", log_string("reason", strerror(errno)));
        if (descriptor >= 0)
            close(descriptor);
        return;
    }
    size_t capacity = 0;
    for (const struct dirent *entry; (entry = readdir(directory));) {
        if (names->count == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            names->items = memory_resize(names->items, capacity, sizeof(char *));
        }
        names->items[names->count++] = memory_string(entry->d_name);
    }
    closedir(directory);
    /* By their ids: a run more is then at the end of the list. */
    if (names->count)
        qsort(names->items, names->count, sizeof(char *), folder_compare_names);
}

static bool folder_ends_in(const char *name, const char *suffix)
{
    size_t size = strlen(name), suffix_size = strlen(suffix);
    return size > suffix_size && strcmp(name + size - suffix_size, suffix) == 0;
}

static void folder_remove_file(const struct store_folder *folder, const char *name)
{
    (void)folder->calls->remove(folder->runs, name);
}

static struct store_job folder_job_for(const struct store_folder *folder, const char *name)
{
    struct store_job job = {.calls = folder->calls, .folder = folder->runs};
    assert(strlen(name) < sizeof(job.name));
    memcpy(job.name, name, strlen(name) + 1);
    return job;
}

static uint64_t folder_now_ms(void)
{
    return clock_wall_us() / 1000;
}

static void folder_set_aside(struct store_folder *folder, const char *name, const char *reason,
                             uint64_t bytes)
{
    struct store_job job = folder_job_for(folder, name);
    log_warning("damaged file", log_string("file", name), log_string("reason", reason));
    store_job_set_aside(&job.job);
    if (job.failed)
        return;
    char *renamed = memory_format("%s%s", name, STORE_DAMAGED_SUFFIX);
    store_folder_add_damaged(folder, renamed, bytes, folder_now_ms());
    free(renamed);
}

void store_folder_set_aside_run(struct store_folder *folder, const struct store_run *run)
{
    char name[STORE_NAME_BYTES];
    store_name(run->id, store_kind_of(run->state), name);
    folder_set_aside(folder, name, "another run has its id", run->bytes);
}

/* Ids go on from it. */
static void folder_note_id(struct store_folder *folder, uint64_t id)
{
    if (folder->last_id < id && id <= STORE_ID_MOST / 2)
        folder->last_id = id;
}

/* Whether a name without anything of ours behind it can be that of a run: clocks go wrong by years, not by
 * centuries. */
static bool folder_is_plausible(uint64_t id)
{
    const uint64_t us_per_year = 366ULL * 24 * 3600 * 1000000;
    return id <= clock_wall_us() + STORE_ID_YEARS * us_per_year;
}

static void folder_tell_foreign(const char *name, const char *reason)
{
    log_warning("foreign file in the state folder, which is left alone", log_string("file", name),
                log_string("reason", reason));
}

/* What has the name of a run: a run that had its id would take its place. */
static void folder_note_plausible_id(struct store_folder *folder, uint64_t id)
{
    if (folder_is_plausible(id))
        folder_note_id(folder, id);
}

/* What has the name of a run and is damaged, or was never one. */
static void folder_take_damaged(struct store_folder *folder, const char *name, uint64_t id,
                                const struct store_job *job)
{
    folder_note_plausible_id(folder, id);
    if (folder_is_plausible(id))
        folder_set_aside(folder, name, job->failed, job->bytes);
    else
        folder_tell_foreign(name, "its number was never given");
}

/* Adds the run of this file, unless there is a better one of it. */
static void folder_look_at(struct store_folder *folder, struct store_list *list, const char *name,
                           uint64_t id, enum store_kind kind)
{
    const char *distrust = store_trust_problem_of_file(folder->runs, name);
    if (distrust) {
        folder_note_plausible_id(folder, id);
        folder_tell_foreign(name, distrust);
        return;
    }
    if (store_list_find(list, id)) { /* it finished, and the daemon was killed just then */
        if (folder->calls->sync(folder->runs) == 0)
            folder_remove_file(folder, name);
        return;
    }
    struct store_job job = folder_job_for(folder, name);
    struct store_trailer trailer;
    struct term summary;
    bool fine = store_job_look(&job, &trailer, &summary);
    if (fine && (trailer.id != id || store_kind_of(trailer.state) != kind)) {
        fine = false;
        job.damaged = true;
        job.failed = "it is of another run";
    }
    if (fine) {
        struct store_run *run = store_list_add(list, id);
        run->state = kind == STORE_KIND_TERM ? STORE_FINISHED : STORE_INTERRUPTED;
        run->ended_at_ms = trailer.ended_at_ms;
        run->bytes = job.bytes;
        run->durable = true;
        term_keep(&run->summary, summary);
        folder_note_id(folder, id);
    } else if (job.damaged) {
        folder_take_damaged(folder, name, id, &job);
    } else {
        folder_note_plausible_id(folder, id);
        log_error("cannot read a file of the store", log_string("file", name), log_string("step", job.failed),
                  log_string("reason", job.error ? strerror(job.error) : ""));
    }
    buffer_free(&job.output);
}

static bool folder_is_our_json(const struct store_folder *folder, const char *name)
{
    char start[sizeof(JSON_HEAD) - 1];
    int descriptor = openat(folder->runs, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ssize_t size = descriptor < 0 ? -1 : read(descriptor, start, sizeof(start));
    if (descriptor >= 0)
        close(descriptor);
    return size == sizeof(start) && memcmp(start, JSON_HEAD, sizeof(start)) == 0;
}

/* Of a run that is not there it was forgotten when that was removed. */
static void folder_look_at_json(struct store_folder *folder, const struct store_list *list, const char *name,
                                uint64_t id)
{
    struct stat status;
    struct store_run *run = store_list_find(list, id);
    const char *problem = store_trust_problem_of_file(folder->runs, name);
    if (!problem && !run && !folder_is_our_json(folder, name))
        problem = "it is no JSON of a run";
    if (problem) {
        folder_tell_foreign(name, problem);
        return;
    }
    folder_note_id(folder, id);
    if (!run || run->state != STORE_FINISHED) {
        folder_remove_file(folder, name);
        return;
    }
    if (fstatat(folder->runs, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    run->has_json = true;
    run->bytes += (uint64_t)status.st_size;
}

static void folder_look_at_damaged(struct store_folder *folder, const char *name)
{
    struct stat status;
    if (fstatat(folder->runs, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
        store_folder_add_damaged(folder, name, (uint64_t)status.st_size,
                                 (uint64_t)status.st_mtim.tv_sec * 1000);
}

static void folder_read_last_id(struct store_folder *folder)
{
    char text[LAST_ID_BYTES_MOST] = "", *end = text;
    int descriptor =
        folder->calls->open(folder->runs, STORE_LAST_ID_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
    ssize_t size = descriptor < 0 ? -1 : read(descriptor, text, sizeof(text) - 1);
    if (descriptor >= 0)
        close(descriptor);
    if (size >= 0) {
        errno = 0;
        folder->last_id_saved = strtoull(text, &end, 10);
    }
    bool is_number = size > 0 && text[0] >= '0' && text[0] <= '9' && errno == 0 && strcmp(end, "\n") == 0;
    bool fine = is_number && folder->last_id_saved <= STORE_ID_MOST / 2;
    if (!fine)
        folder->last_id_saved = 0;
    if (size >= 0 && !fine)
        folder_set_aside(folder, STORE_LAST_ID_NAME, is_number ? "its number is too high" : "it is no number",
                         (uint64_t)size);
    folder_note_id(folder, folder->last_id_saved);
}

/* Whether `name` is one of ours with `suffix` behind it, and of which run; 0 of none. */
static bool folder_is_ours_with(const char *name, const char *suffix, uint64_t *id)
{
    char before[STORE_NAME_BYTES];
    enum store_kind kind;
    *id = 0;
    if (!folder_ends_in(name, suffix) || strlen(name) - strlen(suffix) >= sizeof(before))
        return false;
    snprintf(before, sizeof(before), "%.*s", (int)(strlen(name) - strlen(suffix)), name);
    if (strcmp(before, STORE_LAST_ID_NAME) == 0)
        return true;
    bool ours = store_name_parse(before, id, &kind) && folder_is_plausible(*id);
    if (!ours)
        *id = 0;
    return ours;
}

/* What is neither a run's nor its JSON. */
static void folder_look_at_other(struct store_folder *folder, const char *name)
{
    uint64_t id, run;
    enum store_kind kind;
    bool temporary = folder_is_ours_with(name, ATOMIC_FILE_SUFFIX, &id);
    bool damaged = !temporary && folder_is_ours_with(name, STORE_DAMAGED_SUFFIX, &id);
    const char *distrust = temporary || damaged ? store_trust_problem_of_file(folder->runs, name) : NULL;
    if (distrust)
        folder_tell_foreign(name, distrust);
    else if (temporary)
        folder_remove_file(folder, name);
    else if (damaged)
        folder_look_at_damaged(folder, name);
    else if (name[0] != '.' && strcmp(name, STORE_LAST_ID_NAME) != 0 && !store_name_parse(name, &run, &kind))
        folder_tell_foreign(name, "it has no name of ours");
    if (distrust || damaged) /* a run that had it would take its place */
        folder_note_id(folder, id);
}

/* Results before what is left of runs that have one, and both before their JSON. */
void store_folder_scan(struct store_folder *folder, struct store_list *list)
{
    static const enum store_kind order[] = {STORE_KIND_TERM, STORE_KIND_RUNNING, STORE_KIND_JSON};
    struct names names = {0};
    uint64_t id;
    enum store_kind kind;
    folder_read_names(folder, &names);
    folder_read_last_id(folder);
    for (size_t pass = 0; pass < ARRAY_LENGTH(order); pass++) {
        for (size_t i = 0; i < names.count; i++) {
            if (!store_name_parse(names.items[i], &id, &kind) || kind != order[pass])
                continue;
            if (kind == STORE_KIND_JSON)
                folder_look_at_json(folder, list, names.items[i], id);
            else
                folder_look_at(folder, list, names.items[i], id, kind);
        }
    }
    for (size_t i = 0; i < names.count; i++) {
        folder_look_at_other(folder, names.items[i]);
        free(names.items[i]);
    }
    free(names.items);
}
