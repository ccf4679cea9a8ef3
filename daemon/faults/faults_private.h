/* The faults of one run. faults.c works through the schedule, find.c finds out who the target of an
 * injection is, refusals.c whether it may be, act.c has the agents do it, hold it and undo it,
 * rounds.c kills children again and again, misses.c keeps what was not injected. */
#ifndef HARNESSD_FAULTS_FAULTS_PRIVATE_H
#define HARNESSD_FAULTS_FAULTS_PRIVATE_H

#include "base/list.h"
#include "base/map.h"
#include "injections_private.h"

/* Where an action is in its schedule. */
struct turn {
    uint64_t occurrence;
    uint64_t due_ns;
    bool done;            /* nothing more is to come */
    size_t running;       /* injections and campaigns that the chaos waits for */
    struct buffer result; /* of the last one */
    uint64_t amount;      /* of all its injections */
    struct buffer miss;   /* why a round of it has killed nobody */
    struct buffer miss_names;
};

/* Children of a supervisor are killed in rounds until the time is over. */
struct campaign {
    struct campaign *next;
    const struct fault_action *action;
    uint32_t index;
    uint64_t occurrence;
    struct random random;
    uint64_t started_ns;
    uint64_t ends_ns;
    uint64_t due_ns; /* of the next round, UINT64_MAX while one is under way */
    uint64_t rounds;
    uint64_t killed;
    uint64_t restarted;
    bool was_alive; /* the supervisor, at first */
    bool is_alive;  /* and at last */
    struct buffer
        children; /* {Id, Pid} of those alive when the last round killed some; empty: none were killed */
};

/* Why an action's fault was not injected. */
struct miss {
    uint32_t index; /* of the action */
    struct buffer outcome;
    struct buffer names; /* what processes are called that it is about */
};

struct recovery;
struct recovery_member;

struct faults {
    struct faults_options options;
    uint64_t started_ns; /* 0: only plans are made */
    struct agents agents;
    uint64_t serials;
    struct turn *turns; /* of each action */
    struct campaign *campaigns;
    size_t campaign_count;
    struct injection_list recorded;
    struct injection_list active;
    uint64_t numbers;            /* of injections, so far */
    uint64_t dropped;            /* that are no longer recorded */
    bool overflows;              /* more are active than are recorded */
    struct recovery *recoveries; /* for each target, and any */
    size_t recovery_count;
    struct recovery_member **members; /* of targets that give several */
    size_t member_count;
    struct map members_by_pid; /* those that are there, by target and pid */
    struct map members_by_name;
    struct buffer member_key; /* scratch */
    struct list members_gone; /* that are called nothing */
    uint64_t members_told;
    struct injection *latest; /* that took effect; NULL: it is not recorded any more */
    uint64_t latest_effect_ns;
    uint64_t effects; /* so many there were */
    bool is_load_over;
    uint64_t load_over_ns;
    uint64_t longest_recovery_ns; /* of those that have recovered */
    bool has_recovered;           /* one of them */
    struct miss *misses;
    size_t miss_count;
    struct injection_list plans;
    size_t planning;       /* plans whose targets are still looked for */
    bool has_started;      /* the schedule */
    bool stopped;          /* nothing more is injected */
    bool drawn;            /* chance has not said no to all */
    bool told;             /* that the chaos is done */
    bool healing;          /* all that lasts is to be undone */
    struct buffer failure; /* of the chaos as a whole */
};

/* --- faults.c --- */

static inline uint64_t faults_now(const struct faults *faults)
{
    return clock_read(faults->options.clock);
}

/* faults_work() is due at once. */
void faults_wake(struct faults *faults);

/* Of more than are recorded the oldest that has ended goes. */
struct injection *faults_new_injection(struct faults *faults, const struct fault_action *action,
                                       uint32_t index, uint64_t occurrence);

/* Takes one out that is not to be recorded. */
void faults_drop(struct faults *faults, struct injection *injection);

/* It has ended, with its outcome. */
void faults_end(struct faults *faults, struct injection *injection);

/* What the chaos has waited for is over; `result` is what came of it. */
void faults_release(struct faults *faults, uint32_t index, struct term result);

/* The chaos as a whole has failed, if it has not already. */
void faults_fail(struct faults *faults, struct term reason);

/* It has ended, or never was; what came of it is set. */
void faults_close(struct faults *faults, struct injection *injection);

/* The one who is to answer part `index` of what the injection asks now. */
uint64_t faults_number(const struct injection *injection, size_t index);

/* Forgets what was asked before and makes room for `count` answers. */
void faults_expect(struct faults *faults, struct injection *injection, size_t count);

/* Leaves those of the candidates that are there. */
void faults_keep_alive_ones(struct injection *injection);

/* --- plans.c --- */

/* Whom a plan is for is known. */
void plans_found(struct faults *faults, struct injection *plan);

/* --- turns.c --- */

/* Says when the next one is due. */
void turns_arm(struct faults *faults);

/* --- find.c --- */

/* Starts to look for the processes that the target of the injection is, or of a kind that is done to nodes
 * for its nodes; faults_found() follows. False when there is nobody to ask: it is then to be called at once.
 */
MUST_CHECK bool find_start(struct faults *faults, struct injection *injection);

/* An answer to that. */
void find_answered(struct faults *faults, struct injection *injection, size_t part, struct term answer);
void find_lost(struct faults *faults, struct injection *injection, size_t part, struct term reason);

/* How the user has named a target of the scenario. */
const struct target_spec *find_target_spec(const struct faults *faults, size_t target);

/* Whether a target says which node it is on, so that nobody has to be asked. */
bool find_names_node(const struct target_spec *spec);

/* --- refusals.c --- */

/* Appends what {not_allowed, _} says when the configuration forbids the injection: false when it does not. */
MUST_CHECK bool refusals_of(const struct faults *faults, const struct injection *injection,
                            struct term_builder *builder);

/* The same of an action before anybody is known but those that it names. */
MUST_CHECK bool refusals_of_action(const struct faults *faults, const struct fault_action *action,
                                   struct term_builder *builder);

/* --- act.c --- */

/* Does what was found out to be done: to all candidates, or to the nodes. */
void act_start(struct faults *faults, struct injection *injection);
void act_answered(struct faults *faults, struct injection *injection, size_t part, struct term answer);
void act_lost(struct faults *faults, struct injection *injection, size_t part, struct term reason);

/* Has it undone, if it lasts. */
void act_undo(struct injection *injection);

/* The same; what is still being done (messages are sent, a function is applied) is cut short. */
void act_call_off(struct injection *injection);

/* Whom it is for is known. */
void faults_found(struct faults *faults, struct injection *injection);

/* --- record.c --- */

/* It is done, `at_ns`: counts it, marks it in the timeline and awaits recovery from it. */
void record_injected(struct faults *faults, struct injection *injection);

/* Marks it in the timeline as %{fault: kind, event: event, target: whom}, until the run is judged. */
void record_mark(struct faults *faults, const struct injection *injection, const char *event);

/* --- misses.c --- */

/* It has ended: is it one that was to be injected and was not? */
void misses_take(struct faults *faults, const struct injection *injection);
void misses_free(struct faults *faults);

/* Appends whom an action is to be done to, as the user has named that. */
void misses_build_target(const struct faults *faults, const struct fault_action *action,
                         struct term_builder *builder);

/* Whether an action is one that the library knows, given as it takes it. */
bool misses_is_library_term(const struct faults *faults, const struct fault_action *action);

/* --- recovery.c --- */

void recovery_init(struct faults *faults);
void recovery_free(struct faults *faults);

/* A part of it is asked for: done to the candidates that are on a node, or to the node. Targets that these
 * are, or that are there, may have to recover from it. */
void recovery_watch_processes(struct faults *faults, struct injection *injection, size_t part,
                              const char *node);
void recovery_watch_node(struct faults *faults, struct injection *injection, size_t part, const char *node);

/* A part of it took effect. */
void recovery_effect(struct faults *faults, struct injection *injection, size_t part, uint64_t effect_ns);

/* What has not taken effect by now never will; nor has what was thought to have. */
void recovery_unwatch(struct faults *faults, struct injection *injection);
void recovery_call_off(struct faults *faults, struct injection *injection);

/* It is no longer recorded; how long its recovery takes counts nevertheless. */
void recovery_drop(struct faults *faults, struct injection *injection);

/* --- recovery_record.c --- */

/* Appends the pairs effect_ms, recovery, recovery_ms and errors of a map. */
#define RECOVERY_PAIRS 4
void recovery_build(const struct faults *faults, const struct injection *injection,
                    struct term_builder *builder);

/* --- rounds.c --- */

void rounds_start(struct faults *faults, const struct fault_action *action, uint32_t index,
                  uint64_t occurrence);
void rounds_next(struct faults *faults, struct campaign *campaign);
void rounds_found(struct faults *faults, struct injection *injection);

/* Whether its rate or its time leave nobody to kill. */
bool rounds_kill_nobody(const struct fault_action *action);

/* Ends all of them as they stand. */
void rounds_stop(struct faults *faults);
void rounds_free(struct faults *faults);

#endif
