/* The faults of a scenario's actions: whom they are for, when they are injected, that what lasts is undone,
 * and what came of each.
 *
 * It is a machine: its clock, its waking and its way to other nodes are parameters. It knows nothing of the
 * run that it is a part of, and tells it by callbacks. For a scenario without actions nothing ever happens
 * here. */
#ifndef HARNESSD_FAULTS_FAULTS_H
#define HARNESSD_FAULTS_FAULTS_H

#include "base/clock.h"
#include "faults/agent_way.h"
#include "faults/blast_radius.h"
#include "measure/cause.h"
#include "measure/observation.h"
#include "scenario/fault_kinds.h"

struct faults;
struct injection;

struct faults_events {
    /* faults_work() is to be called at this time, and no longer at the one before. */
    void (*wake)(void *owner, uint64_t when_ns);

    /* Whom the actions are for is known, as far as it can be. */
    void (*planned)(void *owner);

    /* The configuration forbids what is planned: %{rule:, kind:, target:, message:}. */
    void (*refused)(void *owner, struct term what);

    /* All is done that the chaos is waited for: what came of it, or (with data) with what it has failed. */
    void (*over)(void *owner, struct term result, struct term failure);

    /* All that lasts is undone, after faults_heal(). */
    void (*healed)(void *owner);

    /* Something for the timeline: %{fault:, event:, target:}. */
    void (*mark)(void *owner, uint64_t now_ns, struct term mark);

    /* One was injected. */
    void (*injected)(void *owner, const struct fault_kind *kind);

    /* Nodes are about to be told to do one; what was, or was to be, is over. NULL: nobody needs to know. */
    void (*begun)(void *owner, const struct injection *injection);
    void (*ended)(void *owner, const struct injection *injection);

    /* The pid that stands behind a target of the scenario, once it was looked up; without data otherwise. */
    struct term (*found)(void *owner, size_t target);
};

struct faults_options {
    const struct scenario *scenario; /* outlives the faults, as all that is pointed to here */
    const struct target_spec
        *subject; /* of a scenario with a setup; its `server` has no data until there is one */
    uint64_t run_id;
    uint64_t seed;
    const char *requester; /* for the log */
    const struct blast_radius *radius;
    const struct clock *clock;
    const struct agent_way *way; /* to other nodes */
    void *way_owner;
    const struct faults_events *events;
    void *owner;
};

struct faults *faults_new(const struct faults_options *options);

/* Ends the agents, whose faults go with them. */
void faults_leave(struct faults *faults);

/* After faults_leave(). */
void faults_free(struct faults *faults);

/* Does what is due. */
void faults_work(struct faults *faults);

/* --- Before the load --- */

/* Whether the configuration forbids an action by what it names; `refused` was told. */
MUST_CHECK bool faults_refused(struct faults *faults);

/* Looks for whom the actions are for; `refused` may be told. True when `planned` is to be awaited. */
MUST_CHECK bool faults_plan(struct faults *faults);

/* That has taken too long. */
void faults_plan_no_longer(struct faults *faults);

/* --- While it goes on --- */

/* Works through the schedule, which counts from then. */
void faults_start(struct faults *faults, uint64_t started_ns);

/* Injects nothing more; it may not have started yet. */
void faults_stop(struct faults *faults);

/* The same, and all that lasts is undone. */
void faults_abandon(struct faults *faults);

/* Whom a target of the scenario that gives several gives now: pids, and of each what it is called or ''. The
 * same names are the same members, whoever bears them. In two steps, as they may be very many: those that are
 * not among them leave first, as others may bear their names now. */
void faults_keep_members(struct faults *faults, size_t target, struct term pids);
void faults_set_members(struct faults *faults, size_t target, struct term pids, struct term names);

/* The number that stands for the member of a target in observations; its own of one that is not known. */
size_t faults_member(struct faults *faults, size_t target, struct term pid);

/* An operation on a target of the scenario, or a member of one, has ended. For a scenario without actions it
 * need not be told. */
void faults_observed(struct faults *faults, const struct observation *seen);

/* The load is over, which counts once: whoever has failed in its last second has not recovered. Operations
 * that are made after it, to see who recovers, may still be told. */
void faults_load_over(struct faults *faults, uint64_t end_ns);

/* --- After it --- */

/* Undoes all that lasts. True when `healed` is to be awaited; it is told once. faults_give_up(): no longer.
 */
MUST_CHECK bool faults_heal(struct faults *faults);
void faults_give_up(struct faults *faults);

/* Injects nothing more, undoes all that lasts and cuts short what is being done, in the midst of a run or
 * before it has begun. `undone` is called for each fault of those that are counted, once it has ended;
 * faults_tell_heal_now() calls it for those of an owner that have not. */
typedef void faults_undone(void *owner, const struct faults *faults, const struct injection *injection);
size_t faults_heal_now(struct faults *faults, faults_undone *undone, void *owner);
void faults_tell_heal_now(struct faults *faults, const void *owner);

bool injection_lasts(const struct injection *injection);

/* Appends %{run_id:, kind:, action:, target:, undone:}. */
void faults_build_undone(const struct faults *faults, const struct injection *injection,
                         struct term_builder *builder);

/* --- What agents tell --- */

/* Whether a message is of one of its agents. */
MUST_CHECK bool faults_message(struct faults *faults, struct term message);

/* The same for an answer that was too large to be kept: what was asked for it fails with the reason. */
MUST_CHECK bool faults_too_large(struct faults *faults, struct term message, struct term reason);

/* --- What came of them --- */

/* The longest recovery of a target from a fault. */
struct faults_recovery {
    bool is_known;      /* one has recovered, or is to */
    bool is_missing;    /* the load is over, and one has not */
    int64_t longest_ms; /* one that is to come counts up to now */
};

struct faults_recovery faults_recovery(const struct faults *faults, uint64_t now_ns);

/* Appends a list of targets, of many the first, to which nothing was sent since a fault has touched them: it
 * is not known whether they have recovered. Answers how many there are. */
size_t faults_build_untested(const struct faults *faults, struct term_builder *builder);

/* Those that have answered since a fault, have failed again, and have answered again too shortly before the
 * end of the load to tell whether that is to stay. For faults_recovery() they are missing. */
size_t faults_build_unsettled(const struct faults *faults, struct term_builder *builder);

/* The nodes that OTP has cut beside those of the first fault of which that is known; without data: none. */
struct term faults_also_cut(const struct faults *faults);

/* Whether there is a target that has not answered since a fault, or may be: a fault that was due before the
 * end of the load is still being set up. */
bool faults_are_recovering(const struct faults *faults);

/* Whether chance has said no to all that was to be done, each at least once. */
bool faults_none_drawn(const struct faults *faults);

/* The number of the fault that may have had this effect on a process (without data: on any), on this node, at
 * that time: the last one, if there are several; 0: none. */
uint64_t faults_number_of(const struct faults *faults, const struct cause_effect *effect);

uint64_t faults_injected_count(const struct faults *faults);
uint64_t faults_injections_dropped(const struct faults *faults); /* that are not recorded any more */

/* Whether faults were not injected that were to be: appends {not_injected, [%{action:, target:, outcome:,
 * names:}]}, of very many the first. What lasts may yet turn out to be one until it is undone. */
MUST_CHECK bool faults_missed(const struct faults *faults, struct term_builder *builder);

/* Of the library's own terms, given as it takes them, the first that was not injected: its outcome, without
 * data when there is none, and its kind. That does not fail a run. */
struct term faults_unheeded(const struct faults *faults, const char **kind);

/* Whether a dry run has found something that cannot be done. */
bool faults_have_problem(const struct faults *faults);

/* Appends one of what faults_build_injections() lists, without its recovery. */
void faults_build_injection(const struct faults *faults, const struct injection *injection,
                            struct term_builder *builder);

/* Append what was injected; true, or what is not undone, or nil while something is held or may yet be; what a
 * dry run tells. */
void faults_build_injections(const struct faults *faults, struct term_builder *builder);
void faults_build_healed(const struct faults *faults, struct term_builder *builder);
void faults_build_dry_run(const struct faults *faults, struct term_builder *builder);

#endif
