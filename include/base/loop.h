/* The one event loop. A pass waits for events, runs their callbacks, then runs what was deferred; that is
 * when connections write what the pass has queued and when closed objects are freed, so that no callback ever
 * frees what another one of the same pass still holds. */
#ifndef HARNESSD_BASE_LOOP_H
#define HARNESSD_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/event.h>

/* Tasks in their order. */
struct loop_queue {
    struct loop_task *first;
    struct loop_task **last;
    size_t count;
};

/* Who stands in which row for pieces of long work: the rows take turns. */
enum loop_row { LOOP_ROW_RUNS, LOOP_ROW_OTHERS, LOOP_ROWS };

struct loop {
    struct event_base *base;
    struct loop_queue now;   /* for the end of this pass */
    struct loop_queue later; /* for that of the next one */
    struct loop_queue rows[LOOP_ROWS];
    enum loop_row row;    /* whose piece was done last */
    uint64_t pass;        /* the number of this one */
    uint64_t pieces_pass; /* that in which long work was done last, and since when */
    uint64_t pieces_ns;
    struct worker *aside;  /* see base/worker.h, worker_aside() */
    struct loop_lag *lags; /* who watches how long passes take */
    uint64_t pass_ns;      /* when the work of this pass began; 0 before, or when nobody watches */
    uint64_t thread_ns;    /* the thread's clock when it was last read, for those who watch */
    uint64_t unread_ns;    /* what passes have taken since then */
    uint64_t rested_ns;    /* since when it has waited before: when the last pass that was watched ended */
    uint64_t gather_ns;    /* see loop_gather() */
    bool stopping;
};

/* Says that much more of what this pass was about is on its way, so that the next pass may begin so long
 * after this one: being woken for every few bytes costs both sides more than the bytes do. The loop rests for
 * the longest that was said; beyond LOOP_GATHER_SHARED_NS no longer than to so much before something is due,
 * and not at all while somebody is in a hurry, see loop_lag. */
#define LOOP_GATHER_SHARED_NS 50000
static inline void loop_gather(struct loop *loop, uint64_t rest_ns)
{
    if (rest_ns > loop->gather_ns)
        loop->gather_ns = rest_ns;
}

/* Work for the end of the pass, embedded in the object that it is about. */
struct loop_task {
    void (*run)(void *owner);
    void *owner;
    struct loop_task *next;
    bool queued;
};

/* What one object may do of a kind in one pass: those that have much to do take turns, so that nobody waits
 * for long. All zero before the first turn. */
struct loop_turn {
    uint64_t pass;
    uint64_t used;
};

/* A timer, embedded in its owner; it fires once each time it is set, and never early. */
struct loop_timer {
    struct event *event;
    struct loop *loop;
    void (*fire)(void *owner);
    void *owner;
    int descriptor;  /* of the timerfd of a precise one, else -1 */
    uint64_t due_ns; /* of one that is not, by clock_ns() */
};

/* A pass makes others late when it takes longer than this (10 ms), and so does a wait that goes on for longer
 * when something is due. */
#define LOOP_LATE_NS 10000000ULL

/* What a pass has used of a processor is found out when passes have taken so long together (1 ms): that costs
 * a system call. */
#define LOOP_READ_NS 1000000ULL

/* How often the loop was not there for what came, by powers of two of microseconds, and for how long. */
#define LOOP_LAG_OCTAVES 32
struct loop_absence {
    uint64_t count;
    uint64_t ns;
};

/* How long passes of the loop take: what comes in meanwhile waits for as long. Embedded in who watches, zero
 * before it does. */
struct loop_lag {
    uint64_t most_ns; /* of one pass, see loop_take_lag() */
    uint64_t
        most_cpu_ns;  /* likewise, of a processor, but for LOOP_READ_NS at most; who watches sets it back */
    uint64_t busy_ns; /* of all passes */
    uint64_t late_ns; /* of those alone that have made others late, and of waits that have */
    uint64_t from_ns; /* when it began to watch */
    uint64_t due_ns;  /* set by who watches: when there is something to do next; 0: that is not known */
    bool is_hurried;  /* likewise: what it waits for is little, and to be looked at soon when it is there */
    struct loop_absence absences[LOOP_LAG_OCTAVES]; /* passes, pauses between them, and late waits */
    struct loop_lag *next;
};

void loop_init(struct loop *loop);
void loop_free(struct loop *loop);

/* Runs passes until loop_stop() was called. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* One pass: waits for events, unless something is deferred. */
void loop_run_pass(struct loop *loop);

/* Runs what was deferred since the last pass: for the end of the program. */
void loop_finish(struct loop *loop);

/* Runs `task` at the end of this pass, once however often it was deferred. A task that a task defers runs at
 * the end of the same pass. */
void loop_defer(struct loop *loop, struct loop_task *task);

/* Runs `task` at the end of the next pass, which does not wait for events: for what is left when a turn is
 * over. A task that is deferred already stays where it is. */
void loop_defer_next(struct loop *loop, struct loop_task *task);

/* Uses the turn once more, at most `most` times in a pass. False when it is over. */
static inline bool loop_use_turn(const struct loop *loop, struct loop_turn *turn, uint64_t most)
{
    if (turn->pass != loop->pass)
        *turn = (struct loop_turn){.pass = loop->pass};
    return turn->used < most && ++turn->used;
}

/* Long work is done in pieces, which share LOOP_SHARE_NS of a pass, whoever they are of. Whether there is
 * time for another one. */
#define LOOP_SHARE_NS 150000ULL
bool loop_has_time(struct loop *loop);

/* Runs `task` for a piece of its work when its turn comes: those of its row that were deferred before it
 * first, at least one in a pass, and no task twice in one. The loop does not wait for events as long as there
 * are any. */
void loop_defer_piece(struct loop *loop, struct loop_task *task);

/* The same for what a run needs to go on, in a row of its own: however many others wait, it is its turn after
 * one of them, or, when it has had one in this pass, after what these do in the rest of the pass's time. */
void loop_defer_turn(struct loop *loop, struct loop_task *task);

/* Takes a task back, so that its owner may be freed by somebody else. */
void loop_cancel(struct loop *loop, struct loop_task *task);

/* A timer of milliseconds, the unit in which the loop waits: it costs no system call. */
void loop_timer_init(struct loop_timer *timer, struct loop *loop, void (*fire)(void *owner), void *owner);

/* A timer for pacing, as exact as the kernel's: a descriptor of its own (timerfd, CLOCK_MONOTONIC), and a
 * system call each time it is set, stopped or fires. Without a descriptor left it is one
 * of milliseconds, and a warning is logged. */
void loop_timer_init_precise(struct loop_timer *timer, struct loop *loop, void (*fire)(void *owner),
                             void *owner);

/* For either kind. Fires in `delay_ns` from now, 0 being as soon as possible, and no longer when it was set
 * to before. */
void loop_timer_set(struct loop_timer *timer, uint64_t delay_ns);

/* It does not fire any more, not even when it was due in this pass. */
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

/* Has `lag` keep the time that passes take with their callbacks and deferred tasks; waiting for events and
 * gathering are not part of it, and a pass counts when it has ended. A wait that goes on when something is
 * due, as it does when the process is stopped or has no processor, counts when the next pass begins. Any
 * number may watch. Without anybody it costs nothing. */
void loop_watch_lag(struct loop *loop, struct loop_lag *lag);

/* No longer; what this pass has taken so far counts. Also for one that does not watch. */
void loop_unwatch_lag(struct loop *loop, struct loop_lag *lag);

/* The longest time since this was last asked of `lag`, which starts again at 0. */
uint64_t loop_take_lag(struct loop_lag *lag);

/* How long all but one in so many (`quantile`, below 1) of what came in `watched_ns` had to wait for the loop
 * at most, if it came at any time, each as likely; but not more than a `share` of all (up to 1) in one
 * absence. */
uint64_t loop_lag_wait_ns(const struct loop_lag *lag, uint64_t watched_ns, double share, double quantile);

void loop_begin_pass(struct loop *loop);

/* libevent does not tell when it has ended its waiting, so the first callback of a pass does. To be called
 * first in every callback that is given to libevent itself; timers and tasks of the loop do it themselves. */
static inline void loop_enter(struct loop *loop)
{
    if (loop->lags)
        loop_begin_pass(loop);
}

#endif
