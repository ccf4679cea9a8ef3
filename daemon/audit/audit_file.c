#include "audit_file_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit_line.h"
#include "base/clock.h"
#include "base/memory.h"

static void audit_file_fail(struct audit_file *file, const char *what, const char *why)
{
    snprintf(file->problem, sizeof(file->problem), "%s: %s", what, why);
}

void audit_file_close(struct audit_file *file)
{
    if (file->descriptor >= 0)
        close(file->descriptor);
    file->descriptor = -1;
}

/* A line that was cut by the end of an earlier daemon ends where it is. */
static bool audit_file_end_line(struct audit_file *file)
{
    char last = '\n';
    if (file->size && pread(file->descriptor, &last, 1, (off_t)file->size - 1) != 1)
        return false;
    if (last == '\n')
        return true;
    if (write(file->descriptor, "\n", 1) != 1)
        return false;
    file->size++;
    return true;
}

bool audit_file_open(struct audit_file *file)
{
    struct stat status;
    audit_file_close(file);
    /* A pipe would keep the thread waiting for who reads it. */
    file->descriptor =
        open(file->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
    bool opened = file->descriptor >= 0 && fstat(file->descriptor, &status) == 0;
    if (!opened) {
        audit_file_fail(file, "cannot open", strerror(errno));
    } else if (!S_ISREG(status.st_mode)) {
        audit_file_fail(file, "cannot open", "it is not a regular file");
        opened = false;
    } else if (flock(file->descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        audit_file_fail(file, "cannot open", "another daemon writes to it");
        opened = false;
    } else {
        file->size = (uint64_t)status.st_size;
        opened = audit_file_end_line(file);
        if (!opened)
            audit_file_fail(file, "cannot write", strerror(errno));
    }
    if (opened)
        file->problem[0] = '\0';
    else
        audit_file_close(file);
    return opened;
}

/* --- Rotating --- */

static char *audit_file_name(const struct audit_file *file, uint64_t number)
{
    return number ? memory_format("%s.%llu", file->path, (unsigned long long)number)
                  : memory_string(file->path);
}

/* The name is on disk when the folder is. */
static void audit_file_sync_folder(const struct audit_file *file)
{
    const char *slash = strrchr(file->path, '/');
    char *folder = slash
                       ? memory_format("%.*s", (int)(slash - file->path) + (slash == file->path), file->path)
                       : memory_string(".");
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        (void)fsync(descriptor);
        close(descriptor);
    }
    free(folder);
}

/* The first number that no file has; the greatest that is kept when all are there. So a rotation that could
 * not be done is tried again without moving anything twice. */
static uint64_t audit_file_free_number(const struct audit_file *file)
{
    for (uint64_t number = 1; number < file->keep; number++) {
        char *name = audit_file_name(file, number);
        const bool is_there = access(name, F_OK) == 0;
        free(name);
        if (!is_there)
            return number;
    }
    return file->keep;
}

/* Each up to there gets the next number; what had the greatest is removed by that. Without any to keep the
 * one that is written is removed itself. */
static bool audit_file_rename_all(const struct audit_file *file, bool *removes)
{
    const uint64_t last = audit_file_free_number(file);
    char *oldest = audit_file_name(file, last);
    bool renamed = true;
    *removes = access(oldest, F_OK) == 0;
    if (!file->keep)
        renamed = unlink(oldest) == 0;
    for (uint64_t number = last; number && renamed; number--) {
        char *from = audit_file_name(file, number - 1), *to = audit_file_name(file, number);
        renamed = rename(from, to) == 0;
        free(from);
        free(to);
    }
    free(oldest);
    return renamed;
}

/* Says in the new file where the old one is, and which is no more. */
static void audit_file_tell_rotated(struct audit_file *file, bool removes, struct buffer *lines)
{
    struct buffer line = {0};
    char *first = file->keep ? audit_file_name(file, 1) : NULL;
    char *oldest = removes ? audit_file_name(file, file->keep) : NULL;
    const struct audit_field fields[] = {
        audit_text(AUDIT_FILE, first), audit_text(AUDIT_REMOVED, oldest), {.key = AUDIT_KEYS}};
    audit_line_write(AUDIT_ROTATED, clock_wall_us(), fields, &line);
    buffer_append(&line, buffer_bytes(lines), lines->size);
    buffer_free(lines);
    *lines = line;
    free(first);
    free(oldest);
}

/* Where that cannot be, the file goes on beyond its size: no line is lost for it. */
static void audit_file_rotate(struct audit_file *file, struct buffer *lines)
{
    bool removes;
    if (!audit_file_rename_all(file, &removes)) {
        snprintf(file->rotation_problem, sizeof(file->rotation_problem), "%s", strerror(errno));
        return;
    }
    file->rotation_problem[0] = '\0';
    file->rotations++;
    file->removals += removes;
    audit_file_tell_rotated(file, removes, lines);
    if (audit_file_open(file))
        audit_file_sync_folder(file);
}

/* --- Writing --- */

/* How many of the bytes are whole lines that fit, of a file that is new at least one. */
static size_t audit_file_fitting(const struct audit_file *file, const struct buffer *lines)
{
    const char *bytes = (const char *)buffer_bytes(lines);
    size_t fitting = 0;
    while (fitting < lines->size) {
        const char *end = memchr(bytes + fitting, '\n', lines->size - fitting);
        size_t next = end ? (size_t)(end - bytes) + 1 : lines->size;
        if (file->size + next > file->max_bytes && (file->size || fitting))
            break;
        fitting = next;
    }
    return fitting;
}

/* What was written of lines that do not fit on the disk is taken back. */
static bool audit_file_put(struct audit_file *file, const uint8_t *bytes, size_t size)
{
    size_t done = 0;
    int error = 0;
    while (done < size && !error) {
        ssize_t written = write(file->descriptor, bytes + done, size - done);
        if (written > 0)
            done += (size_t)written;
        else if (!written || errno != EINTR)
            error = written ? errno : EIO;
    }
    if (!error && fdatasync(file->descriptor) != 0)
        error = errno;
    if (!error) {
        file->size += size;
        return true;
    }
    audit_file_fail(file, "cannot write", strerror(error));
    if (ftruncate(file->descriptor, (off_t)file->size) != 0) /* then the next opening ends its line */
        audit_file_close(file);
    return false;
}

static bool audit_file_put_lines(struct audit_file *file, struct buffer *lines, size_t size)
{
    bool put = audit_file_put(file, buffer_bytes(lines), size);
    if (put)
        buffer_consume(lines, size);
    return put;
}

/* Somebody has moved or removed it: what is written to it is not where it is looked for. */
static bool audit_file_is_gone(const struct audit_file *file)
{
    struct stat own, named;
    if (file->descriptor < 0)
        return true;
    if (stat(file->path, &named) != 0)
        return errno == ENOENT;
    return fstat(file->descriptor, &own) == 0 && (own.st_ino != named.st_ino || own.st_dev != named.st_dev);
}

void audit_file_write(struct audit_file *file, struct buffer *lines)
{
    if (audit_file_is_gone(file) && !audit_file_open(file))
        return;
    file->problem[0] = '\0';
    bool goes_on = true;
    while (goes_on && lines->size) {
        size_t fitting = audit_file_fitting(file, lines);
        uint64_t rotations = file->rotations;
        if (!fitting)
            audit_file_rotate(file, lines);
        if (!fitting && file->rotations == rotations)
            fitting = lines->size;
        goes_on = file->descriptor >= 0 && (!fitting || audit_file_put_lines(file, lines, fitting));
    }
}
