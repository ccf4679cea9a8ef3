#include "base/atomic_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memory.h"

static int atomic_file_system_open(int folder, const char *name, int flags, mode_t mode)
{
    return openat(folder, name, flags, mode);
}

static int atomic_file_system_rename(int folder, const char *from, const char *to)
{
    return renameat(folder, from, folder, to);
}

static int atomic_file_system_remove(int folder, const char *name)
{
    return unlinkat(folder, name, 0);
}

const struct file_calls file_calls_system = {
    .open = atomic_file_system_open,
    .write = write,
    .sync = fsync,
    .close = close,
    .rename = atomic_file_system_rename,
    .remove = atomic_file_system_remove,
};

static void atomic_file_fail(struct atomic_file *file, const char *step, int error)
{
    if (file->failed)
        return;
    file->failed = step;
    file->error = error;
}

static void atomic_file_sync_descriptor(struct atomic_file *file, int descriptor, const char *step)
{
    int answer;
    do
        answer = file->calls->sync(descriptor);
    while (answer < 0 && errno == EINTR);
    if (answer < 0)
        atomic_file_fail(file, step, errno);
}

void atomic_file_begin(struct atomic_file *file, const struct file_calls *calls, int folder, const char *name)
{
    *file = (struct atomic_file){
        .calls = calls,
        .folder = folder,
        .name = memory_string(name),
        .temporary = memory_format("%s%s", name, ATOMIC_FILE_SUFFIX),
    };
    (void)calls->remove(folder, file->temporary);
    file->descriptor = calls->open(folder, file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file->descriptor < 0)
        atomic_file_fail(file, "open", errno);
}

void atomic_file_write(struct atomic_file *file, const void *data, size_t size)
{
    const char *next = data;
    while (size && !file->failed) {
        ssize_t written = file->calls->write(file->descriptor, next, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            atomic_file_fail(file, "write", written ? errno : ENOSPC);
            return;
        }
        next += written;
        size -= (size_t)written;
    }
}

static void atomic_file_close_descriptor(struct atomic_file *file)
{
    if (file->descriptor < 0)
        return;
    if (file->calls->close(file->descriptor) < 0 && errno != EINTR)
        atomic_file_fail(file, "close", errno);
    file->descriptor = -1;
}

static void atomic_file_finish(struct atomic_file *file)
{
    free(file->name);
    free(file->temporary);
    file->name = file->temporary = NULL;
}

bool atomic_file_commit(struct atomic_file *file)
{
    if (!file->failed)
        atomic_file_sync_descriptor(file, file->descriptor, "sync");
    atomic_file_close_descriptor(file);
    if (!file->failed && file->calls->rename(file->folder, file->temporary, file->name) < 0)
        atomic_file_fail(file, "rename", errno);
    if (file->failed)
        (void)file->calls->remove(file->folder, file->temporary);
    else
        atomic_file_sync_descriptor(file, file->folder, "sync folder");
    atomic_file_finish(file);
    return !file->failed;
}

void atomic_file_abandon(struct atomic_file *file)
{
    atomic_file_close_descriptor(file);
    (void)file->calls->remove(file->folder, file->temporary);
    atomic_file_finish(file);
}
