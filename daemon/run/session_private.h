/* The session: the process on the hooks' node that applies hooks, custom operations and chaos funs, and the
 * teller, which executes telemetry where the caller is when that is elsewhere. */
#ifndef HARNESSD_RUN_SESSION_PRIVATE_H
#define HARNESSD_RUN_SESSION_PRIVATE_H

#include "node/node.h"
#include "term/term_long.h"

struct run;

/* Starts a session; RUN_EVENT_READY or RUN_EVENT_LOST tells how that went. */
void session_start(struct run *run);

/* Starts the teller first, where one is needed, and then the session. */
void session_start_both(struct run *run);
bool session_is_there(const struct run *run);

/* Ends it when it has done what it was asked for, or at once; it takes along what is linked to it. Nothing is
 * told any more. */
void session_end(struct run *run);
void session_kill(struct run *run);

/* What the session is asked for; the outcome comes to run_hook_done(), engine_custom_done(), run_chaos_done()
 * or run_observed(). Without a session nothing happens. */
void session_setup(struct run *run);
void session_open_invariant(struct run *run); /* in `written`, for what was measured to follow */
void session_check_invariant(struct run *run);
void session_check_steady_state(struct run *run);
void session_clean_up(struct run *run);
void session_work(struct run *run, uint32_t thread, uint64_t step, struct term hook, struct term arguments);
void session_start_chaos(struct run *run);

/* Asks who applies a custom operation; run_explain_worker() tells. */
void session_find_worker(struct run *run, uint32_t thread, uint64_t step);

/* Asks for a measurement, which is the newest one when run_observed() tells; it is awaited until then. */
void session_measure(struct run *run);

/* Tells the session what to clean up should the daemon, or the link to it, go away; a setup tells that by
 * itself. */
void session_guard_cleanup(struct run *run);

/* How long a cleanup may take. */
uint64_t session_cleanup_ms(const struct run *run);

/* Kills all that works for the load: custom operations and chaos. */
void session_stop_work(struct run *run);

/* Executes a telemetry event there, where there is telemetry. */
void session_telemetry(struct run *run, const char *const event[4], struct term measurements,
                       struct term metadata);

/* A message of the session, {Key, Of, Outcome}; false when it is none. */
bool session_message(struct run *run, const struct incoming *incoming);

/* The same for one that was too large to be kept, see process_events.too_large. */
bool session_too_large(struct run *run, const struct incoming *incoming);

#endif
