/* Removes a folder of a test with all that is in it. */
#ifndef HARNESSD_TESTS_REMOVE_TREE_H
#define HARNESSD_TESTS_REMOVE_TREE_H

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

static inline void remove_tree(const char *path)
{
    DIR *directory = opendir(path);
    if (!directory) {
        (void)unlink(path);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(directory));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *inner = memory_format("%s/%s", path, entry->d_name);
        remove_tree(inner);
        free(inner);
    }
    closedir(directory);
    (void)rmdir(path);
}

#endif
