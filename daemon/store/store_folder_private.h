/* The folder of a store as it is found when it is opened, and the damaged files in it. Used by the loop's
 * thread: that of the store has nothing to do there yet. */
#ifndef HARNESSD_STORE_STORE_FOLDER_PRIVATE_H
#define HARNESSD_STORE_STORE_FOLDER_PRIVATE_H

#include "store_job_private.h"
#include "store_list_private.h"

struct store_damaged {
    char *name;
    uint64_t bytes;
    uint64_t changed_at_ms; /* wall clock */
};

struct store_folder {
    const struct file_calls *calls;
    int top;                /* the folder that was configured, and locked by us; -1 when it cannot be used */
    int runs;               /* the one in it where the files are */
    uint64_t last_id;       /* the highest of which there is a trace */
    uint64_t last_id_saved; /* what is in the file for it */
    struct store_damaged *damaged; /* the one that was changed first at the front */
    size_t damaged_count;
    uint64_t damaged_bytes;
};

/* Opens it, making what is not there, for `holder`. NULL, or what is wrong with it, to be freed. */
MUST_CHECK char *store_folder_open(struct store_folder *folder, const struct store_options *options);

/* Adds the runs in it to `list`, which is empty, removes what is left of others, and sets aside what is
 * damaged. */
void store_folder_scan(struct store_folder *folder, struct store_list *list);

/* Sets the files of a run aside: another one has its id. */
void store_folder_set_aside_run(struct store_folder *folder, const struct store_run *run);

/* A damaged file more, under its new name. The name is copied. */
void store_folder_add_damaged(struct store_folder *folder, const char *name, uint64_t bytes,
                              uint64_t changed_at_ms);

/* Takes the one at the front out; its name is to be freed. NULL when there is none. */
MUST_CHECK char *store_folder_take_damaged(struct store_folder *folder);

void store_folder_close(struct store_folder *folder);

#endif
