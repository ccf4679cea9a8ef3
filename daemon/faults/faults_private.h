/* The faults of one run. run_chaos.c works through the schedule, chaos_find.c finds out who the target of an
 * injection is, chaos_refusals.c whether it may be, chaos_act.c has the agents do it, hold it and undo it,
 * chaos_rounds.c kills children again and again. */
#ifndef HARNESSD_FAULTS_FAULTS_PRIVATE_H
#define HARNESSD_FAULTS_FAULTS_PRIVATE_H

#include "injections_private.h"
#include "run_private.h"

/* Where an action is in its schedule. */
struct turn {
    uint64_t occurrence;
    uint64_t due_ns;
    bool done;            /* nothing more is to come */
    size_t running;       /* injections and campaigns that the chaos waits for */
    struct buffer result; /* of the last one */
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

struct recovery;

struct run_chaos {
    struct run *run;
    struct loop_timer timer;
    uint64_t started_ns; /* 0: only plans are made */
    struct chaos_agents agents;
    uint64_t serials;
    struct turn *turns; /* of each action */
    struct campaign *campaigns;
    size_t campaign_count;
    struct injection_list recorded;
    struct injection_list active;
    uint64_t dropped;            /* that are no longer recorded */
    bool overflows;              /* more are active than are recorded */
    struct recovery *recoveries; /* for each target, and any */
    size_t recovery_count;
    uint64_t longest_recovery_ns; /* of those that have recovered */
    bool has_recovered;           /* one of them */
    struct injection_list plans;
    size_t planning;       /* plans whose targets are still looked for */
    bool has_started;      /* the schedule */
    bool stopped;          /* nothing more is injected */
    bool told;             /* that the chaos is done */
    bool healing;          /* all that lasts is to be undone */
    struct buffer failure; /* of the chaos as a whole */
};

/* --- run_chaos.c --- */

/* Of more than are recorded the oldest that has ended goes. */
struct injection *chaos_new_injection(struct run_chaos *chaos, const struct fault_action *action,
                                      uint32_t index, uint64_t occurrence);

/* Takes one out that is not to be recorded. */
void chaos_drop(struct run_chaos *chaos, struct injection *injection);

/* It has ended, with its outcome. */
void chaos_end(struct run_chaos *chaos, struct injection *injection);

/* What the chaos has waited for is over; `result` is what came of it. */
void chaos_release(struct run_chaos *chaos, uint32_t index, struct term result);

/* The chaos as a whole has failed, if it has not already. */
void chaos_fail(struct run_chaos *chaos, struct term reason);

/* Sets the timer for what is due next. */
void chaos_arm(struct run_chaos *chaos);

/* The one who is to answer part `index` of what the injection asks now. */
uint64_t chaos_number(const struct injection *injection, size_t index);

/* Forgets what was asked before and makes room for `count` answers. */
void chaos_expect(struct run_chaos *chaos, struct injection *injection, size_t count);

/* --- chaos_find.c --- */

/* Starts to look for the processes that the target of the injection is, or of a kind that is done to nodes
 * for its nodes; chaos_found() follows. False when there is nobody to ask: it is then to be called at once.
 */
MUST_CHECK bool chaos_find(struct run_chaos *chaos, struct injection *injection);

/* An answer to that. */
void chaos_find_answered(struct run_chaos *chaos, struct injection *injection, size_t part,
                         struct term answer);
void chaos_find_lost(struct run_chaos *chaos, struct injection *injection, size_t part, struct term reason);

/* Whether a target says which node it is on, so that nobody has to be asked. */
bool chaos_names_node(const struct target_spec *spec);

/* --- chaos_refusals.c --- */

/* Appends what {not_allowed, _} says when the configuration forbids the injection: false when it does not. */
MUST_CHECK bool chaos_forbids(const struct run_chaos *chaos, const struct injection *injection,
                              struct term_builder *builder);

/* The same of an action before anybody is known but those that it names. */
MUST_CHECK bool chaos_forbids_action(const struct run *run, const struct fault_action *action,
                                     struct term_builder *builder);

/* --- chaos_act.c --- */

/* Does what was found out to be done: to all candidates, or to the nodes. */
void chaos_act(struct run_chaos *chaos, struct injection *injection);
void chaos_act_answered(struct run_chaos *chaos, struct injection *injection, size_t part,
                        struct term answer);
void chaos_act_lost(struct run_chaos *chaos, struct injection *injection, size_t part, struct term reason);

/* Has it undone, if it lasts. */
void chaos_undo(struct injection *injection);

/* The same; what is still being done (messages are sent, a function is applied) is cut short. */
void chaos_call_off(struct injection *injection);

/* Whom it is for is known. */
void chaos_found(struct run_chaos *chaos, struct injection *injection);

/* --- chaos_report.c --- */

/* It is done, `at_ns`: counts it, marks it in the timeline and awaits recovery from it. */
void chaos_injected(struct run_chaos *chaos, struct injection *injection);

/* Marks it in the timeline as %{fault: kind, event: event, target: whom}, until the run is judged. */
void chaos_mark(struct run_chaos *chaos, const struct injection *injection, const char *event);

/* --- chaos_recovery.c --- */

void chaos_recovery_init(struct run_chaos *chaos);
void chaos_recovery_free(struct run_chaos *chaos);

/* Recovery from it is awaited from now on, or no longer. */
void chaos_watch(struct run_chaos *chaos, struct injection *injection);
void chaos_unwatch(struct run_chaos *chaos, struct injection *injection);

/* It is no longer recorded; how long its recovery takes counts nevertheless. */
void chaos_watch_dropped(struct run_chaos *chaos, struct injection *injection);

/* --- chaos_rounds.c --- */

void chaos_campaign_start(struct run_chaos *chaos, const struct fault_action *action, uint32_t index,
                          uint64_t occurrence);
void chaos_campaign_round(struct run_chaos *chaos, struct campaign *campaign);
void chaos_campaign_found(struct run_chaos *chaos, struct injection *injection);

/* Ends all of them as they stand. */
void chaos_campaigns_stop(struct run_chaos *chaos);
void chaos_campaigns_free(struct run_chaos *chaos);

#endif
