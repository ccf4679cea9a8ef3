/* The runs that a store knows, the lowest id first. */
#ifndef HARNESSD_STORE_STORE_LIST_PRIVATE_H
#define HARNESSD_STORE_STORE_LIST_PRIVATE_H

#include "base/blob.h"
#include "base/list.h"
#include "base/map.h"
#include "store/store.h"

/* Who has runs here: those of a holder count together. */
struct store_list_holder {
    struct list_link link; /* of all */
    struct buffer name;
    struct list ended;  /* its things that have ended, those first that ended first; no members of suites */
    uint64_t runs;      /* all of them, also those that are under way, and members */
    uint64_t bytes;     /* of these */
    uint64_t in_memory; /* for store_list_lost() */
};

struct store_run {
    uint64_t id;
    enum store_state state;
    uint64_t ended_at_ms;
    uint64_t ended; /* its place among those that ended in this process; 0: in an earlier one */
    uint64_t bytes; /* of its files, or of its content while that is in memory only; see
                     * store_list_set_bytes() */
    struct store_list_holder *holder; /* NULL: it is not claimed yet */
    struct list_link ended_link;      /* of its holder's */
    struct store_run *suite;          /* whose member it is, or NULL */
    struct list members;
    struct list_link member_link;
    struct buffer summary;         /* a term */
    struct blob *content;          /* what is to be written, or could not be; NULL when it is on disk */
    bool durable;                  /* what it has is on disk */
    bool has_json;                 /* so is its JSON */
    bool changed;                  /* it has something that no job writes yet */
    bool writing;                  /* a job writes what it has, or had */
    bool failed;                   /* the last one could not */
    bool told[STORE_FINISHED + 1]; /* its user knows what became of it in this state */
};

struct store_list {
    struct store_run **runs;
    size_t count;
    size_t capacity;
    uint64_t ended; /* in this process */
    struct map holders_by_name;
    struct list holders;
    uint64_t things; /* that have ended */
    uint64_t bytes;  /* of all runs */
};

void store_list_free(struct store_list *list);

/* NULL when there is none. */
struct store_run *store_list_find(const struct store_list *list, uint64_t id);

/* The one with the highest id below this one, or NULL. */
struct store_run *store_list_find_before(const struct store_list *list, uint64_t id);

/* A new one, all zero but for the id, which is in no run of the list. */
struct store_run *store_list_add(struct store_list *list, uint64_t id);

/* Takes a run out of `other`, which has it, and adds it; no run of the list has its id. */
void store_list_move(struct store_list *list, struct store_list *other, struct store_run *run);

/* Says whose a new run is; one that has ended counts from now on. The suite is claimed before its members. */
void store_list_claim(struct store_list *list, struct store_run *run, const struct store_claim *claim);

/* It ends now, after all others, whatever the clock says. */
void store_list_end(struct store_list *list, struct store_run *run);

void store_list_set_bytes(struct store_list *list, struct store_run *run, uint64_t bytes);

/* Takes it out and frees it. Members of a suite that goes alone stand for themselves. */
void store_list_remove(struct store_list *list, struct store_run *run);

/* The run that has to go first, with its members, so that the others are within what is to be kept, or NULL.
 * Runs that are under way stay whatever the limits, and those that have ended until their user is told of it.
 * `other_bytes` count beside the runs' own; what ended before `old_ms` is old enough to go for what there is
 * beyond the count. */
struct store_run *store_list_surplus(const struct store_list *list, const struct store_limits *limits,
                                     uint64_t other_bytes, uint64_t old_ms);

/* The first that ended before `too_old_ms`, or NULL. */
struct store_run *store_list_outdated(const struct store_list *list, uint64_t too_old_ms);

/* The run whose result has to be lost so that those that are in memory only are within `bytes`, or NULL: the
 * oldest that could not be written of the holder that has most there, and never the only one. */
struct store_run *store_list_lost(const struct store_list *list, uint64_t bytes);

#endif
