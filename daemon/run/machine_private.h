/* The states of a run from inside, for the files that have the functions of the table in machine.c. Nobody
 * else enters a state: who works for a run tells it run_event(). */
#ifndef HARNESSD_RUN_MACHINE_PRIVATE_H
#define HARNESSD_RUN_MACHINE_PRIVATE_H

#include "run_private.h"

/* What a state does when a run enters it; it may well enter the next one at once. */
typedef void state_entry(struct run *run);

/* What a state does about an event; `detail` is as enum run_event says. */
typedef void state_handler(struct run *run, const struct term_long *detail);

/* The one function that changes a run's state. Never back: the states are in the order in which they are
 * gone through. */
void run_enter(struct run *run, enum run_state state);

/* Whether somebody on the hooks' node has something to do for it. */
bool run_needs_session(const struct run *run);

/* Whether there is something to clean up; and whether that is no more than a process beside what the setup
 * made, which can be stopped without the hooks' node. */
bool run_has_cleanup(const struct run *run);
bool run_can_stop_subject(const struct run *run);

/* Remembers that its session, or with it the hooks' node, is gone: what the run still had to do there has
 * failed, unless it is past that. False when that matters to nobody. */
bool run_lose_session(struct run *run, const struct term_long *reason);
bool run_is_nodedown(const struct term_long *reason);

/* The time that probes and measurements have to answer. */
#define RUN_OBSERVE_NS (5 * CLOCK_NS_PER_S)

/* --- For several states --- */

state_handler run_cancel_later;    /* what the state is about comes to its end first */
state_handler run_lost_to_cleanup; /* the session */

/* --- opening.c: RESOLVING, SESSION, PLANNING --- */

state_entry resolving_enter;
state_handler resolving_done, resolving_cancel;
state_entry opening_enter_session, opening_enter_planning;
state_handler opening_teller_decided, opening_session_ready, opening_session_lost, opening_session_late;
state_handler opening_planned, opening_planning_late;
state_handler opening_measured; /* in any state between the session and OBSERVING */

/* --- hooks.c: SETUP, STEADY_BEFORE, STEADY_AFTER, INVARIANT, CLEANUP --- */

state_entry hooks_enter_setup, hooks_enter_steady, hooks_enter_invariant, hooks_enter_cleanup;
state_handler hooks_lost, hooks_late; /* of any of them; in CLEANUP the session is another matter */
state_handler hooks_setup_returned, hooks_setup_failed;
state_handler hooks_steady_returned, hooks_steady_failed;
state_handler hooks_invariant_returned, hooks_invariant_failed;
state_handler hooks_cleanup_ready, hooks_cleanup_lost, hooks_cleanup_returned, hooks_cleanup_failed;

/* --- observing.c: OBSERVING, JUDGING --- */

state_entry observing_enter, observing_enter_judging;
state_handler observing_done, observing_judging_done;
state_handler observing_late, observing_lost; /* of any state that waits for measurements */

/* --- loading.c: STARTING, LOAD, RECOVERING, CHAOS_WAIT --- */

state_entry loading_enter_starting, loading_enter_load, loading_enter_recovering, loading_enter_chaos_wait;
state_handler loading_work, loading_started, loading_over, loading_cancel, loading_lost, loading_measured;
state_handler loading_recover, loading_recovering_lost;
state_handler loading_chaos_over, loading_chaos_late, loading_chaos_cancel, loading_chaos_lost;

/* --- ending.c: HEALING, CONTEXT, REPORTING, DONE --- */

state_entry ending_enter_healing, ending_enter_context, ending_enter_reporting, ending_enter_done;
state_handler ending_healed, ending_healing_late, ending_healing_lost;
state_handler ending_write_context;
state_handler ending_measured, ending_write_report;

/* Where a run goes when it was looked at for the last time: to its invariant, if it has one. */
void ending_check_invariant(struct run *run);

#endif
