/* Kinds of faults: one table with a row for each, its name, its options, who may be its target, how it is
 * done, and how it is undone. A chaos term is `{Name, Argument..., Options}`; an action is such a term with
 * its schedule and its target. */
#ifndef HARNESSD_SCENARIO_FAULT_KINDS_H
#define HARNESSD_SCENARIO_FAULT_KINDS_H

#include "scenario/occurrences.h"
#include "scenario/scenario.h"

/* What an option or argument is for; a kind uses some of them. */
enum chaos_option_name {
    CHAOS_WHEN,
    CHAOS_REASON,
    CHAOS_KILL_RATE,
    CHAOS_KILL_INTERVAL_MS,
    CHAOS_KILL_REASON,
    CHAOS_DURATION_MS,
    CHAOS_COUNT,
    CHAOS_MESSAGE,
    CHAOS_PERCENTAGE,
    CHAOS_SPAWN_COUNT,
    CHAOS_SIZE_MB,
    CHAOS_SCHEDULERS,
    CHAOS_NODES,
    CHAOS_NODE,
    CHAOS_MODULE,
    CHAOS_FUNCTION,
    CHAOS_ARGUMENTS,
    CHAOS_OPTION_NAMES
};

enum chaos_type {
    CHAOS_INTEGER,  /* from `least` to `most` */
    CHAOS_FRACTION, /* a number from 0 to 1 */
    CHAOS_ATOM,
    CHAOS_TERM,
    CHAOS_LIST,
    CHAOS_CRASH_SPEC,  /* immediate | {after_ms, Milliseconds} | {random, Probability} */
    CHAOS_NODE_NAME,   /* of another node than the daemon's */
    CHAOS_NODE_GROUPS, /* a list of nodes or lists of nodes, at least two of them */
    CHAOS_TYPE_COUNT
};

struct chaos_option {
    enum chaos_option_name name;
    enum chaos_type type;
    int64_t least;
    int64_t most;
    const char *fallback; /* the default of a term, an atom as it is on the wire; NULL: none */
    double number;        /* that of integers and fractions; below 0: none */
};

/* Whom a kind is done to. */
enum chaos_victim {
    CHAOS_PROCESSES,  /* all processes that the target stands for */
    CHAOS_SUPERVISOR, /* the one supervisor that the target is */
    CHAOS_TARGET_NODE /* the nodes that the target is on, or that its arguments name */
};

enum chaos_doing {
    CHAOS_CRASH,
    CHAOS_KILL_ROUNDS, /* again and again until its time is over */
    CHAOS_ACT,         /* the agent acts at once */
    CHAOS_HOLD,        /* the agent has it held */
    CHAOS_SPLIT,
    CHAOS_HALT,
};

#define CHAOS_POSITIONAL 3
#define CHAOS_OPTIONS 5

struct chaos_action;

struct chaos_kind {
    const char *name;
    const char *resource; /* of `exhaust`: the first argument, an atom, that tells its rows apart */
    enum chaos_victim victim;
    enum chaos_doing doing;
    bool lasts; /* a process on the node that is linked to the daemon holds it, and it ends with that */
    struct chaos_option arguments[CHAOS_POSITIONAL];
    size_t argument_count;
    bool has_options; /* a keyword list behind the arguments, which may be left out */
    struct chaos_option options[CHAOS_OPTIONS];
    size_t option_count;

    /* Appends what the agent is told: a tuple whose first element names it. `pids` is a list. */
    void (*build)(const struct chaos_action *action, struct term pids, struct term_builder *builder);
};

/* The table. */
const struct chaos_kind *chaos_kinds(size_t *count);

/* The position of a row in it. */
size_t chaos_kind_number(const struct chaos_kind *kind);

/* How an option is written. */
const char *chaos_option_text(enum chaos_option_name name);

struct chaos_value {
    bool given; /* by the user, or by its default */
    int64_t integer;
    double number;
    struct term term;
};

enum chaos_target_kind {
    CHAOS_TARGET_SUBJECT,
    CHAOS_TARGET_PROCESS,     /* as a scenario's target: a pid, a name, ... */
    CHAOS_TARGET_CHILDREN,    /* {children, Supervisor}: all of its children */
    CHAOS_TARGET_CHILD,       /* {child, Supervisor}: one of them, drawn each time */
    CHAOS_TARGET_APPLICATION, /* {application, Name[, Node]}: every process of it */
    CHAOS_TARGET_MODULE,      /* {module, Name[, Node]}: every process that it has started as */
    CHAOS_TARGET_ON_NODE,     /* {node, Node}: the node itself */
    CHAOS_TARGET_KINDS
};

struct chaos_target {
    enum chaos_target_kind kind;
    struct term term;        /* as it was given; without data for the subject */
    struct target_spec spec; /* the process or supervisor; of the others its `name` and `node` */
};

/* What a scenario's `chaos` is made of. */
struct chaos_action {
    const struct chaos_kind *kind;
    struct term term; /* as it was given, without schedule and target */
    struct schedule schedule;
    bool is_scheduled;      /* it was given as a map */
    uint64_t map_after_ms;  /* what the map says, without the term's own delay */
    double map_probability; /* and without its own probability */
    bool is_loose;          /* the chaos does not wait for it; what is pending at the end is cancelled */
    struct chaos_target target;
    struct chaos_value values[CHAOS_OPTION_NAMES];
};

/* How long a lasting fault of the action may be held. */
#define CHAOS_HELD_AT_MOST_MS 60000
uint64_t chaos_held_ms(const struct chaos_action *action);

#endif
