/* What is kept of runs: the results of those that have ended, and what is needed to know of those that were
 * under way when the daemon was killed. It is on disk in `folder`/runs, and in memory until it is there:
 *
 *     ID.running  what a run that is under way has so far, replaced at each store_journal()
 *     ID.term     the result of a run (store_file_private.h): external term format, binary_to_term() reads it
 *     ID.json     the same for people and jq: {"outcome", "run_id", "reason", "report"}
 *     last_id     the highest id that was given, once its run is not there any more
 *     *.damaged   what could not be read, set aside; the newest STORE_DAMAGED_MOST of them are kept
 *
 * What else is there is none of ours: it is left alone, told of, and its name is no id that was given.
 *
 * A file is there whole or not at all (base/atomic_file.h). All files are written and read by a thread of the
 * store, in the order in which that was asked for, so that a slow disk does not stop the loop: nothing here
 * waits for a disk but store_open(), which a folder that comes late catches up on, and store_close(); what
 * has to wait is told by a callback.
 *
 * When the disk is full, read-only or away, the store says so once in the log and in store_problem(), keeps
 * results in memory and writes them as soon as it can. A folder that cannot be used at the start is tried
 * again each second; the runs in it are known from when it can. */
#ifndef HARNESSD_STORE_STORE_H
#define HARNESSD_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic_file.h"
#include "base/blob.h"
#include "base/loop.h"
#include "term/term_build.h"

#define STORE_DAMAGED_MOST 16

/* A summary is small; a larger one is replaced by an empty map, which is logged. */
#define STORE_SUMMARY_BYTES_MOST (1 << 20)

/* The highest id of a run that is known here. Ids go on from the highest that was found up to half of it, so
 * that there is room for all that follow, whatever is found. */
#define STORE_ID_MOST (UINT64_MAX / 4)

/* A name alone, of a file that is none of ours inside, says an id no later than so many years from now. */
#define STORE_ID_YEARS 100

struct store;

enum store_state {
    STORE_RUNNING,     /* begun by this process and not finished */
    STORE_INTERRUPTED, /* begun by an earlier one that did not finish it */
    STORE_FINISHED,
};

/* What is kept of the runs that are not under way. A suite is one thing with its members: it counts as one
 * and goes with all of them. Each thing is its holder's, and nobody's go for what another one has:
 *
 *  - A thing goes when it ended longer ago than `seconds`, or `seconds_least` where that is more.
 *  - Beyond `count` things the holder with the most of them loses its oldest, once that ended longer ago than
 *    `seconds_least`: until then there may be more.
 *  - The store is at its limit when all files have more than `bytes`, or there are more than `count_most`
 *    runs, members included. Then the holder that has the most of that loses its oldest, however young (but
 *    never the last thing that there is).
 *
 * So a holder that has no more than the limit divided by the number of holders never loses what is younger
 * than `seconds_least`, whatever the others do. None goes before `written` was called for its end, however
 * many end at once. 0 is no such limit.
 *
 * No run is old until the wall clock has gone along with the monotonic one for STORE_STEADY_SECONDS: a start
 * with a clock that is wrong, or one that jumps, makes no run old. */
#define STORE_STEADY_SECONDS 3600

struct store_limits {
    uint64_t count;
    uint64_t count_most;
    uint64_t seconds;
    uint64_t seconds_least;
    uint64_t bytes;
    uint64_t memory_bytes; /* of results that are in memory only; beyond it who has most of them loses one */
};

/* Whose a run is. */
struct store_claim {
    struct term holder; /* whatever tells one from another; without data: the daemon's own */
    uint64_t suite;     /* the run that it is a member of, or 0 */
};

/* Both clocks that the store reads, as base/clock.h has them. */
struct store_clock {
    uint64_t (*ns)(void);
    uint64_t (*wall_us)(void);
};

/* What the JSON of a run says of it, terms; nil where there is none. Borrowed from the content, or from what
 * is `built`. */
struct store_parts {
    struct term outcome;
    struct term reason;
    struct term report;
    struct term summary; /* where it is told beside them: what was given, unless this is another one */
    struct term_builder built;
    struct term_builder built_summary;
};

/* Finds them in a run's summary and content; those that are not there it leaves alone. The store's thread
 * calls it: it looks at nothing else. `state` is STORE_FINISHED or STORE_INTERRUPTED; `ended_at_ms` is that
 * of a struct store_entry. */
typedef void store_take_apart(enum store_state state, uint64_t ended_at_ms, struct term summary,
                              struct term content, struct store_parts *parts);

struct store_options {
    struct loop *loop;
    const char *folder; /* made (mode 0700) when it is not there. NULL: runs are kept in memory only */
    const char *holder; /* who uses it, which others are told who want to; NULL: not said */

    struct store_limits limits;

    /* Called once after each store_begin() and store_finish(), never from within them: what was given is on
     * disk, where neither a crash nor a power failure takes it away, or (`durable` false) it could not be
     * written and is in memory only. */
    void (*written)(void *owner, uint64_t id, enum store_state state, bool durable);
    void *owner;

    /* Finds it in a run's summary; what is not there it leaves alone. NULL: all have one holder. */
    void (*claim)(struct term summary, struct store_claim *claim);

    store_take_apart *take_apart; /* for JSON; NULL: it has the content as the report */

    const struct file_calls *calls;  /* how files are touched; NULL: file_calls_system */
    const struct store_clock *clock; /* NULL: the system's */
};

/* A run as the store knows it. The summary is borrowed until the loop goes on. */
struct store_entry {
    uint64_t id;
    enum store_state state;
    uint64_t suite; /* of which it is a member that is there, or 0 */
    struct term summary;
    uint64_t ended_at_ms; /* wall clock, when it finished, or when it was journalled last */
    uint64_t bytes;       /* of its files, or of its result while that is in memory only */
    bool durable;         /* on disk */
};

/* Why nothing is kept in this folder as it is now, for people, to be freed: others may write to it, it is
 * another user's, or the folder in it is a link. NULL when nothing is wrong with it, or there is none yet. */
MUST_CHECK char *store_refusal(const char *folder);

/* Never NULL: a folder that cannot be used is logged and is the store's problem until it can. Files that
 * another daemon uses are not touched, damaged ones are set aside and logged. Takes as long as reading the
 * beginning of each file does. */
struct store *store_open(const struct store_options *options);

/* Writes what is not written yet, calling nobody back, and frees the store. Its reads are over with it. */
void store_close(struct store *store);

/* Whether something still has to be written or read: for a daemon that is about to end. What cannot be
 * written for now does not count. */
bool store_busy(const struct store *store);

/* The highest id that is known here, 0 for none; the next run gets a higher one even if the clock was set
 * back. */
uint64_t store_last_id(const struct store *store);

/* NULL, or what is wrong with the folder now, for people. */
const char *store_problem(const struct store *store);

/* What is to be kept from now on. */
void store_set_limits(struct store *store, const struct store_limits *limits);

/* A run is under way. `summary` is a map; it is copied. `id` is higher than store_last_id(). */
void store_begin(struct store *store, uint64_t id, struct term summary);

/* What a run that is under way has so far, a term; replaces the summary and what there was. May be called as
 * often as one likes: while one is being written only the last one waits. A run that ends without having
 * been journalled has the atom nil. */
void store_journal(struct store *store, uint64_t id, struct term summary, struct blob *partial);

/* The run has ended. `result` is a term, {ok, Report} or {error, Reason}; the store holds it for as long as
 * it needs, the caller's hold stays its own. A run that was not begun is stored as well. */
void store_finish(struct store *store, uint64_t id, struct term summary, struct blob *result);

/* False when there is no such run. */
MUST_CHECK bool store_find(const struct store *store, uint64_t id, struct store_entry *entry);

/* The run with the highest id below this one. False when there is none. */
MUST_CHECK bool store_find_before(const struct store *store, uint64_t id, struct store_entry *entry);

/* The members of a suite; the visitor must not change the store. */
void store_each_member(const struct store *store, uint64_t id,
                       void (*visit)(void *owner, const struct store_entry *entry), void *owner);

/* Forgets a run, with its members if it is a suite, and removes the files. False when there is no such run or
 * it is under way. */
bool store_delete(struct store *store, uint64_t id);

/* --- Reading --- */

enum store_part {
    STORE_TERM, /* what was given to store_finish(), or to the last store_journal() of an interrupted run */
    STORE_JSON, /* what is in ID.json, with "state" and "summary" */
};

/* What was read. Borrowed: hold the blob to keep it. */
struct store_content {
    const char *problem; /* NULL, or why there is nothing: the file is damaged or gone */
    struct blob *bytes;  /* NULL on a problem; the text of STORE_JSON is all of it */
    struct term term;    /* STORE_TERM: checked and canonical, in `bytes` */
};
typedef void store_read_done(void *owner, const struct store_content *content);

/* Reads the result of a run that is not under way. NULL when there is none; else `done` is called once, never
 * from within this. A damaged file is set aside, and the run is not there any more. */
struct store_read;
struct store_read *store_read(struct store *store, uint64_t id, enum store_part part, store_read_done *done,
                              void *owner);

/* `done` is not called any more, and what was not begun is never read. */
void store_read_cancel(struct store_read *read);

#endif
