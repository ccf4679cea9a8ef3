#include "store_trust_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "store/store.h"
#include "store_folder_private.h"

static bool store_trust_is_anothers(const struct stat *status)
{
    uid_t own = geteuid();
    return own && status->st_uid && status->st_uid != own;
}

const char *store_trust_problem(int descriptor)
{
    struct stat status;
    if (fstat(descriptor, &status) < 0)
        return NULL; /* whatever it is, it shows when it is used */
    if (status.st_mode & S_IWOTH)
        return "everybody can write to it (chmod o-w)";
    return store_trust_is_anothers(&status) ? "it is another user's (chown)" : NULL;
}

const char *store_trust_problem_of_file(int folder, const char *name)
{
    struct stat status;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return NULL;
    if (!S_ISREG(status.st_mode))
        return "it is no regular file";
    return store_trust_is_anothers(&status) ? "it is another user's" : NULL;
}

bool store_trust_is_shared(int descriptor)
{
    struct stat status;
    return fstat(descriptor, &status) == 0 && (status.st_mode & S_IWGRP);
}

static char *store_trust_refusal_of_runs(int top)
{
    int runs = openat(top, STORE_RUNS, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (runs < 0)
        return errno == ELOOP || errno == ENOTDIR ? memory_string(STORE_RUNS ": is a link, or no folder")
                                                  : NULL;
    const char *problem = store_trust_problem(runs);
    close(runs);
    return problem ? memory_format(STORE_RUNS ": %s", problem) : NULL;
}

char *store_refusal(const char *folder)
{
    int top = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0)
        return NULL;
    const char *problem = store_trust_problem(top);
    char *refusal = problem ? memory_string(problem) : store_trust_refusal_of_runs(top);
    close(top);
    return refusal;
}
