/* Kinds of faults: one table with a row for each, its name, its options, who may be its target, how it is
 * done, and how it is undone. A chaos term is `{Name, Argument..., Options}`; an action is such a term with
 * its schedule and its target. */
#ifndef HARNESSD_SCENARIO_FAULT_KINDS_H
#define HARNESSD_SCENARIO_FAULT_KINDS_H

#include "measure/cause.h"
#include "scenario/occurrences.h"
#include "scenario/scenario.h"
#include "term/help.h"

/* What an option or argument is for; a kind uses some of them. */
enum fault_option_name {
    FAULT_WHEN,
    FAULT_REASON,
    FAULT_KILL_RATE,
    FAULT_KILL_INTERVAL_MS,
    FAULT_KILL_REASON,
    FAULT_DURATION_MS,
    FAULT_COUNT,
    FAULT_MESSAGE,
    FAULT_PERCENTAGE,
    FAULT_SPAWN_COUNT,
    FAULT_SIZE_MB,
    FAULT_SCHEDULERS,
    FAULT_NODES,
    FAULT_NODE,
    FAULT_MODULE,
    FAULT_FUNCTION,
    FAULT_ARGUMENTS,
    FAULT_OPTION_NAMES
};

enum fault_type {
    FAULT_INTEGER,  /* from `least` to `most` */
    FAULT_FRACTION, /* a number from 0 to 1 */
    FAULT_ATOM,
    FAULT_TERM,
    FAULT_LIST,
    FAULT_CRASH_SPEC,  /* immediate | {after_ms, Milliseconds} | {random, Probability} */
    FAULT_NODE_NAME,   /* of another node than the daemon's */
    FAULT_NODE_GROUPS, /* a list of nodes or lists of nodes, at least two of them */
    FAULT_TYPE_COUNT
};

#define FAULT_MS_MOST 4294967295LL /* the limit of Erlang's receive */

struct fault_option {
    enum fault_option_name name;
    enum fault_type type;
    int64_t least;
    int64_t most;
    struct term fallback;      /* the default; without data there is none */
    const char *fallback_text; /* what it is then; NULL: nothing is to be said */
    bool is_required;
    const char *help;
};

/* Whom a kind is done to. */
enum fault_victim {
    FAULT_PROCESSES,  /* all processes that the target stands for */
    FAULT_SUPERVISOR, /* the one supervisor that the target is */
    FAULT_TARGET_NODE /* the nodes that the target is on, or that its arguments name */
};

enum fault_doing {
    FAULT_CRASH,
    FAULT_KILL_ROUNDS, /* again and again until its time is over */
    FAULT_ACT,         /* the agent acts at once */
    FAULT_HOLD,        /* the agent has it held */
    FAULT_SPLIT,
    FAULT_HALT,
};

#define FAULT_POSITIONAL 3
#define FAULT_OPTIONS 5

struct fault_action;

struct fault_kind {
    const char *name;
    const char *resource; /* of `exhaust`: the first argument, an atom, that tells its rows apart */
    enum fault_victim victim;
    enum fault_doing doing;
    bool lasts; /* a process on the node that is linked to the daemon holds it, and it ends with that */
    const char *help;
    const char *undone; /* how it ends; NULL: not at all */
    unsigned causes;    /* why operations are slow while it has its effect, a bit each (CAUSE_BIT) */
    struct fault_option arguments[FAULT_POSITIONAL];
    size_t argument_count;
    bool has_options; /* a keyword list behind the arguments, which may be left out */
    struct fault_option options[FAULT_OPTIONS];
    size_t option_count;

    /* Appends what the agent is told: a tuple whose first element names it. `pids` is a list. */
    void (*build)(const struct fault_action *action, struct term pids, struct term_builder *builder);
};

/* The table. */
const struct fault_kind *fault_kinds(size_t *count);

/* The position of a row in it. */
size_t fault_kind_number(const struct fault_kind *kind);

/* How an option is written. */
const char *fault_option_text(enum fault_option_name name);

/* What is to be said of an argument or option. */
struct help fault_option_help(const struct fault_option *option);

/* Appends the term of a kind in Erlang's notation: "{exhaust, memory, Options}". */
void fault_kind_shape(const struct fault_kind *kind, struct buffer *output);

/* Whom a kind is done to, in words: "processes". */
const char *fault_victim_text(enum fault_victim victim);

struct fault_value {
    bool given; /* by the user, or by its default */
    int64_t integer;
    double number;
    struct term term;
};

enum fault_target_kind {
    FAULT_TARGET_SUBJECT,
    FAULT_TARGET_PROCESS,     /* as a scenario's target: a pid, a name, ... */
    FAULT_TARGET_CHILDREN,    /* {children, Supervisor}: all of its children */
    FAULT_TARGET_CHILD,       /* {child, Supervisor}: one of them, drawn each time */
    FAULT_TARGET_APPLICATION, /* {application, Name[, Node]}: every process of it */
    FAULT_TARGET_MODULE,      /* {module, Name[, Node]}: every process that it has started as */
    FAULT_TARGET_ON_NODE,     /* {node, Node}: the node itself */
    FAULT_TARGET_KINDS
};

struct fault_target {
    enum fault_target_kind kind;
    struct term term;        /* as it was given; without data for the subject */
    struct target_spec spec; /* the process or supervisor; of the others its `name` and `node` */
};

/* What a scenario's `chaos` is made of. */
struct fault_action {
    const struct fault_kind *kind;
    struct term term; /* as it was given, without schedule and target */
    struct schedule schedule;
    bool is_scheduled;      /* it was given as a map */
    uint64_t map_after_ms;  /* what the map says, without the term's own delay */
    double map_probability; /* and without its own probability */
    bool allow_missing;     /* that there is nobody to do it to is no failure */
    bool is_loose;          /* the chaos does not wait for it; what is pending at the end is cancelled */
    struct fault_target target;
    struct fault_value values[FAULT_OPTION_NAMES];
};

/* How long a lasting fault of the action may be held. */
#define FAULT_HELD_AT_MOST_MS 60000
uint64_t fault_held_ms(const struct fault_action *action);

#endif
