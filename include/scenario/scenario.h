/* A scenario as it will be run: immutable, complete, and checked. It is made by scenario_term.h from a term.
 * One that is read from a file by scenario_json.h may first need to be resolved, see `texts`. */
#ifndef HARNESSD_SCENARIO_SCENARIO_H
#define HARNESSD_SCENARIO_SCENARIO_H

#include "base/blob.h"
#include "dist/handshake.h"
#include "measure/events.h"
#include "scenario/expectations.h"
#include "scenario/plan.h"
#include "scenario/template.h"

enum operation_kind {
    OPERATION_CALL,
    OPERATION_CAST,      /* followed by the sync call */
    OPERATION_CUSTOM,    /* `message` is a hook of the subject, and perhaps of its place in the load */
    OPERATION_SEND,      /* a plain message, {'$send', Message} */
    OPERATION_CAST_ONLY, /* {'$cast', Message} */
    OPERATION_SLEEP,     /* {'$sleep', Milliseconds}; `message` is their number */
};

struct operation {
    enum operation_kind kind;
    uint32_t sleep_ms;
    struct term message;
    struct template *template; /* of a message with placeholders */
    struct term name;          /* under which it is measured; without data when it has none of its own */
    bool is_alone;             /* a custom one whose hook is given the subject and nothing else */
    struct term expect;        /* a pattern (term_match.h) for its reply; without data when any will do */
};

/* The operations of one virtual thread: `count` of them from operations[first]. */
struct thread_script {
    uint32_t first;
    uint32_t count;
};

/* Which of several targets an operation goes to. */
enum spread {
    SPREAD_ROUND_ROBIN, /* a thread's operations take them in turn, beginning with its own number */
    SPREAD_RANDOM,
    SPREAD_KEY, /* the same element of a message always meets the same target */
};

enum target_kind {
    TARGET_PID,
    TARGET_NAME,   /* registered on `node` */
    TARGET_GLOBAL, /* whereis_name of the module `global` */
    TARGET_VIA,    /* whereis_name of `module` */

    /* Those that give several processes, others as time goes by. */
    TARGET_CHILDREN, /* of the supervisor `name` */
    TARGET_PG,       /* members of the group `name` of the scope `module` */
    TARGET_FIND,     /* what the hook `name` gives, on the hooks' node */
};

static inline bool target_is_several(enum target_kind kind)
{
    return kind >= TARGET_CHILDREN;
}

struct target_spec {
    enum target_kind kind;
    struct term server;               /* as the user gave it, for the exit reasons of calls */
    struct term name;                 /* the registered name, or what whereis_name is asked for */
    char module[TERM_ATOM_BYTES + 1]; /* of whereis_name */
    char node[NODE_NAME_BYTES + 1];   /* where the process or its name server is, or the several are known */
};

struct fault_action;
struct scenario_texts;

struct scenario {
    struct scenario_texts
        *texts;           /* what they mean is to be found out before it can be run; NULL: nothing is */
    struct blob *content; /* what all terms below point into */
    struct operation *operations;
    size_t operation_count;
    struct load_plan load;
    struct thread_script *threads; /* NULL with a load, whose threads share the operations */
    size_t thread_count;           /* of the scripts, or the most that the load has at once */
    double *weights;               /* of each operation of a mix; NULL: one script */
    double *mix;                   /* of each, the sum of the weights up to it */
    uint64_t sequences;            /* values of {'$seq'} that an operation may take */
    enum spread spread;
    uint32_t key_position; /* in a message that is a tuple, from 1; any other is the key as a whole */
    struct target_spec *targets;
    size_t target_count; /* 1 with a setup: the process that it will give */
    bool target_is_list;
    bool has_several_targets; /* some of them give several */
    struct term target;       /* as it was given; without data with a setup */

    /* Hooks, funs or {Module, Function, ExtraArguments}; without data when there are none. */
    struct term setup;
    struct term cleanup;
    struct term invariant;
    struct term steady_state;
    struct term chaos;
    struct term thread_setup; /* of threads with custom operations */
    struct term thread_cleanup;
    uint64_t hook_timeout_ms;
    char hooks_node[NODE_NAME_BYTES + 1];

    /* Faults, instead of a chaos hook. */
    struct fault_action *actions;
    size_t action_count;
    bool actions_are_list; /* as they were given; otherwise it is one */
    bool dry_run;          /* tells what would be done, and does nothing */

    bool strict_cast_sync;
    bool has_custom_operations;
    bool has_unanswered_operations; /* that are done when they are sent */
    bool has_named_operations;
    uint64_t mailbox_interval_ms; /* 0: the mailbox is not observed */
    struct expectations expectations;
    uint32_t abort_when;       /* kinds of expectations, a bit each, that are judged while the load goes on */
    uint64_t warmup_ms;        /* before they are */
    bool explain;              /* tells why the slowest operations were slow */
    uint64_t recovery_wait_ms; /* the load goes on after its end until all have recovered, at most so long */
    bool has_seed;
    uint64_t seed;
    enum operation_kind default_operation;
    uint64_t timeout_ms;
    uint64_t call_timeout_ms;
    struct term cast_sync_message;
    struct term metadata; /* a map */
    enum events_policy events_policy;
    uint64_t events_number; /* of {:last, n} and {:sample, n} */
};

/* Another thread may do so when nobody else holds the content. */
void scenario_free(struct scenario *scenario);

/* What it takes: its terms and its threads. */
size_t scenario_bytes(const struct scenario *scenario);

/* What has more is large: it is read, built and freed by a thread (base/worker.h, worker_aside()). */
#define SCENARIO_LARGE_BYTES (32 * 1024)
bool scenario_is_large(const struct scenario *scenario);

/* Appends an operation as events show it: {call, Message}, {cast, Message}, custom, {'$send', Message} and
 * so on. */
void operation_build(const struct operation *operation, struct term message, struct term_builder *builder);

/* Appends what it is measured under: its name, or itself with its own message. */
void operation_build_name(const struct operation *operation, struct term_builder *builder);

/* Whether somebody answers it, so that it has a latency. */
static inline bool operation_is_answered(enum operation_kind kind)
{
    return kind == OPERATION_CALL || kind == OPERATION_CAST || kind == OPERATION_CUSTOM;
}

#endif
