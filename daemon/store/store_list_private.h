/* The runs that a store knows, the lowest id first. */
#ifndef HARNESSD_STORE_STORE_LIST_PRIVATE_H
#define HARNESSD_STORE_STORE_LIST_PRIVATE_H

#include "base/blob.h"
#include "store/store.h"

struct store_run {
    uint64_t id;
    enum store_state state;
    uint64_t ended_at_ms;
    uint64_t ended;        /* its place among those that ended in this process; 0: in an earlier one */
    uint64_t bytes;        /* of its files, or of its content while that is in memory only */
    struct buffer summary; /* a term */
    struct blob *content;  /* what is to be written, or could not be; NULL when it is on disk */
    bool durable;          /* what it has is on disk */
    bool has_json;         /* so is its JSON */
    bool changed;          /* it has something that no job writes yet */
    bool writing;          /* a job writes what it has, or had */
    bool failed;           /* the last one could not */
    bool told[STORE_FINISHED + 1]; /* its user knows what became of it in this state */
};

struct store_list {
    struct store_run **runs;
    size_t count;
    size_t capacity;
    uint64_t ended; /* in this process */
};

void store_list_free(struct store_list *list);

/* NULL when there is none. */
struct store_run *store_list_find(const struct store_list *list, uint64_t id);

/* A new one, all zero but for the id, which is in no run of the list. */
struct store_run *store_list_add(struct store_list *list, uint64_t id);

/* Takes a run out of `other`, which has it, and adds it; no run of the list has its id. */
void store_list_move(struct store_list *list, struct store_list *other, struct store_run *run);

/* It ends now, after all others, whatever the clock says. */
void store_list_end(struct store_list *list, struct store_run *run);

/* Takes it out and frees it. */
void store_list_remove(struct store_list *list, struct store_run *run);

/* The run that has to go first so that the others are within what is to be kept, or NULL. Runs that are under
 * way stay whatever the limits, those that have ended count but stay until their user is told of it, and the
 * last of the others stays whatever its size. `other_bytes` count beside the runs' own; runs that
 * ended before `old_ms` are too old. */
struct store_run *store_list_surplus(const struct store_list *list, const struct store_limits *limits,
                                     uint64_t other_bytes, uint64_t old_ms);

/* The run whose result has to be lost so that those that are in memory only are within `bytes`, or NULL: the
 * oldest that could not be written, and never the only one. */
struct store_run *store_list_lost(const struct store_list *list, uint64_t bytes);

#endif
