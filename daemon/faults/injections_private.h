/* Faults that a run has injected, and what came of each: when, what, whom, how it ended, how long recovery
 * took. */
#ifndef HARNESSD_FAULTS_INJECTIONS_PRIVATE_H
#define HARNESSD_FAULTS_INJECTIONS_PRIVATE_H

#include "agents_private.h"
#include "faults/fault_outcome.h"
#include "faults/faults.h"

/* So many a run records, the last ones. */
#define INJECTIONS_MOST 10000

/* Of so many processes the record says which they were. */
#define INJECTION_PIDS_MOST 100

enum injection_state {
    INJECTION_FINDING, /* agents look for who the target is */
    INJECTION_ACTING,  /* agents were told to do it */
    INJECTION_HOLDING, /* it lasts */
    INJECTION_ENDED,   /* done, undone, or never done */
};

/* What one agent was asked for. */
struct injection_part {
    struct agent *agent; /* NULL: it has ended, or its agent is lost */
    unsigned steps;      /* of those that all take together, it has taken so many */
    bool holding;
    uint64_t halts_ns; /* when its node was about to halt; 0: it has not said so */
};

/* A process that an injection may be done to; the terms are those of an answer that is kept with it. */
struct candidate {
    struct term id; /* in its supervisor */
    struct term pid;
    struct term name;
    struct term application;
    struct term called; /* its name, or {Ancestor, ChildId}; '' when it is called nothing */
    bool is_elsewhere;  /* on another node than the one that named it, which does not know the last two */
};

#define TARGET_ANY SIZE_MAX

struct campaign;
struct injection;
struct recovery_watch;

enum injection_list_kind {
    INJECTIONS_RECORDED, /* or planned, in order */
    INJECTIONS_ACTIVE,   /* those that have not ended */
    INJECTION_LIST_KINDS
};

struct injection_list {
    enum injection_list_kind kind;
    struct injection *first;
    struct injection *last;
    size_t count;
};

/* Somebody who waits until it is undone, or has ended. */
struct injection_waiter {
    struct injection_waiter *next;
    faults_undone *undone;
    void *owner;
};

struct injection {
    struct {
        struct injection *previous;
        struct injection *next;
    } links[INJECTION_LIST_KINDS];
    const struct fault_action *action;
    struct campaign *campaign; /* of kill_children, whose rounds are injections each */
    uint32_t index;            /* of the action in the scenario */
    uint64_t occurrence;
    uint64_t number; /* of those on record, from 1 */
    enum injection_state state;
    bool is_plan;    /* it only looks for its target, and is checked */
    bool has_looked; /* a plan without a target that is known yet does not */

    uint64_t serial; /* marks the answers to what was asked last */
    struct injection_part *parts;
    size_t part_count;
    size_t parts_left;

    struct buffer *answers; /* that the candidates are in */
    size_t answer_count;
    struct candidate *candidates;
    size_t candidate_count;
    struct term supervisor_pid; /* in an answer; without data when none was looked for */
    struct term supervisor_name;
    struct term supervisor_application;
    struct term supervisor_called;
    struct term supervisor_ends; /* {application, Name}: its fall would end the node; else no tuple */
    struct buffer failure;       /* why nobody was found */
    struct buffer names; /* a map of pids to what they are called, of those that it is or was to be done to */
    bool is_looking_elsewhere; /* for the names of candidates that are on other nodes */
    size_t first_elsewhere;    /* of the answers to that */
    struct buffer nodes; /* whose names it is for, each ending in NUL; of kinds that are done to nodes */
    size_t node_count;

    uint64_t due_ns;    /* all times as the clock's; 0: not yet */
    uint64_t at_ns;     /* the agents were told */
    uint64_t effect_ns; /* of the first part */
    uint64_t let_go_ns; /* by the last part; 0: it was not, or nobody has said so */
    uint64_t ended_ns;
    uint64_t amount;   /* of processes that crashed, things that are held */
    uint64_t survived; /* processes that were to crash */
    bool has_pids;     /* `pids` is whom it was done to */
    struct buffer pids;
    struct buffer outcome;
    struct buffer undone; /* why it is not; empty: it is, or does not last */
    bool was_held;
    bool released; /* the chaos does not wait for it any more */

    /* Recovery. */
    struct recovery_watch *watches; /* of each target that it has touched */
    size_t watch_count;

    struct injection_waiter *waiters;
};

struct injection *injection_new(const struct fault_action *action, uint32_t index, uint64_t occurrence);
void injection_free(struct injection *injection);

/* Lets go of what its target was looked for with. */
void injection_forget_search(struct injection *injection);

void injection_list_add(struct injection_list *list, struct injection *injection);
void injection_list_remove(struct injection_list *list, struct injection *injection);

/* Has `undone` called once, when it has ended. */
void injection_await(struct injection *injection, faults_undone *undone, void *owner);

/* Calls them, those of an owner or, with NULL, all. */
void injection_tell_waiters(struct injection *injection, const struct faults *faults, const void *owner);

/* The first of the names of its nodes, which follow one another. */
const char *injection_nodes(const struct injection *injection);

/* Sets the outcome unless there is one: an atom, or {Atom, Detail}. */
void injection_outcome(struct injection *injection, enum fault_outcome outcome);
void injection_outcome_term(struct injection *injection, enum fault_outcome outcome, struct term detail);

/* It did not go on for as long as it was to: a node's holder has ended. So it is even if it was well so far.
 */
void injection_outcome_early(struct injection *injection, const char *node, struct term reason);

/* Whether it lasted, is over, and is not undone as far as is known. */
bool injection_is_left(const struct injection *injection);

/* Appends the pairs of a map of the report's `injections` but those of its recovery; times are from
 * `started_ns`. */
#define INJECTION_PAIRS 10
void injection_build(const struct injection *injection, uint64_t started_ns, struct term_builder *builder);

/* Appends a time in ms; nil when there is none. */
void injection_build_ms(struct term_builder *builder, const char *key, bool is_there, uint64_t ns);

/* Frees what it knows of its targets' recovery, which nobody watches any more. */
void recovery_free_all(struct injection *injection);

/* Appends %{kind:, action:, target:, reason:} of one that is not undone, for `healed`. */
void injection_build_left(const struct injection *injection, struct term_builder *builder);

/* Appends the pairs kind, action and target of a map. */
void injection_build_what(const struct injection *injection, struct term_builder *builder);

/* Keeps what the candidates, or its supervisor, are called. */
void injection_keep_names(struct injection *injection);

/* Appends the pair `names`. */
void injection_build_names(const struct injection *injection, struct term_builder *builder);

/* Appends whom it is done to: pids, or names of nodes. */
void injection_build_target(const struct injection *injection, struct term_builder *builder);

#endif
