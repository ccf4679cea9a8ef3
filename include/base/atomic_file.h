/* Files that are there whole or not at all, whatever happens meanwhile: what is written goes to a temporary
 * file beside the one that it is for, is brought to disk (fsync), takes that one's name (rename), and the
 * folder is brought to disk as well. Until the renaming the old file is there as it was, from then on the new
 * one; a power failure leaves either of them, never a part.
 *
 * What goes wrong is remembered: write all of it, then ask once with atomic_file_commit(). Waits for the
 * disk, so not for the loop's thread. */
#ifndef HARNESSD_BASE_ATOMIC_FILE_H
#define HARNESSD_BASE_ATOMIC_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/compiler.h"

/* How files are touched: a table, so that tests watch the order of the calls and have each of them fail. All
 * answer as the system calls do, with errno. */
struct file_calls {
    int (*open)(int folder, const char *name, int flags, mode_t mode);
    ssize_t (*write)(int descriptor, const void *data, size_t size);
    int (*sync)(int descriptor);
    int (*close)(int descriptor);
    int (*rename)(int folder, const char *from, const char *to);
    int (*remove)(int folder, const char *name);
};

extern const struct file_calls file_calls_system;

/* What a temporary file's name ends in; its beginning is the name of the file that it is for. */
#define ATOMIC_FILE_SUFFIX ".tmp"

struct atomic_file {
    const struct file_calls *calls;
    int folder;         /* a descriptor, which stays the caller's */
    char *name;         /* in the folder */
    char *temporary;    /* the same with the suffix */
    int descriptor;     /* of the temporary file; -1 when it is not open */
    const char *failed; /* the first step that went wrong ("open", "write", "sync", ...), or NULL */
    int error;          /* its errno */
};

/* Opens the temporary file, mode 0600, in the place of one that was left. */
void atomic_file_begin(struct atomic_file *file, const struct file_calls *calls, int folder,
                       const char *name);

void atomic_file_write(struct atomic_file *file, const void *data, size_t size);

/* Puts the file in its place. False when something went wrong, now or before, which `failed` and `error` say:
 * then the temporary file is gone, and the old file is there as it was, or, where only the folder could not
 * be brought to disk ("sync folder"), the new one. In either case this is its end. */
MUST_CHECK bool atomic_file_commit(struct atomic_file *file);

/* The end without it: the temporary file is removed. */
void atomic_file_abandon(struct atomic_file *file);

#endif
