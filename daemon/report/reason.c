#include "report/reason.h"

#include "term/term_read.h"

static const struct reason_row {
    const char *atom;
    struct help help;
} reason_rows[REASON_COUNT] = {
    [REASON_SETUP_FAILED] = {"setup_failed",
                             {.name = "{setup_failed, Why}", .text = "`setup` has raised or took too long."}},
    [REASON_INVALID_SETUP_RETURN] = {"invalid_setup_return",
                                     {.name = "{invalid_setup_return, Term}",
                                      .text = "`setup` gave something else than it may."}},
    [REASON_THREAD_FAILURE] = {"thread_failure",
                               {.name = "{thread_failure, {error, Reason}}",
                                .text = "The first thread, in the scenario's order, that failed, or did not "
                                        "end in time (`timeout`)."}},
    [REASON_CHAOS_FAILED] = {"chaos_failed",
                             {.name = "{chaos_failed, Reason}",
                              .text =
                                  "The chaos failed, or did not end in time (`timeout`). `{not_injected, "
                                  "Faults}` are those that were to be injected and were not, each of an "
                                  "action once, a map of `action`, `target`, `outcome` and `names`; "
                                  "`{not_undone, Faults}` those that are still there, or that nobody could "
                                  "look at any more, as in the report's `healed`. "
                                  "`noproc` and `not_a_supervisor` are `kill_children`, given alone as "
                                  "the library takes it, of a process that is dead, or no supervisor; "
                                  "`too_many_injections` are 10,000 faults at the same time."}},
    [REASON_INVARIANT_FAILED] = {"invariant_failed",
                                 {.name = "{invariant_failed, Why}",
                                  .text = "The invariant did not hold: `returned_false`, the reason that it "
                                          "gave, or why it gave none."}},
    [REASON_STEADY_STATE_FAILED] = {"steady_state_failed",
                                    {.name = "{steady_state_failed, When, Why}",
                                     .text = "The steady state did not hold, `before` the load or `after` "
                                             "it; as of an invariant."}},
    [REASON_PERFORMANCE_FAILED] = {"performance_failed",
                                   {.name = "{performance_failed, #{error => Exception, measurement => Map, "
                                            "expectations => List, run_id => Id}}",
                                    .text =
                                        "An expectation was missed, or nothing was measured for it; hides "
                                        "the others; also when `abort_when` has ended the run."}},
    [REASON_LOAD_FAILED] = {"load_failed",
                            {.name = "{load_failed, nothing_succeeded}",
                             .text = "No operation of a `load` has succeeded, and no `max_error_rate: 1.0` "
                                     "allows that; of `threads` the answer is `{ok, Report}`, as the library "
                                     "has it, and the outcome `failed`."}},
    [REASON_CLEANUP_FAILED] = {"cleanup_failed",
                               {.name = "{cleanup_failed, {cleanup_failed, Why}, ReportOrReason}",
                                .text = "The cleanup has raised or took too long; wraps what came before "
                                        "it."}},
    [REASON_NOT_ALLOWED] = {"not_allowed",
                            {.name = "{not_allowed, #{rule => Key, kind => Kind, target => Whom, message => "
                                     "Text, run_id => Id}}",
                             .text =
                                 "The configuration's `access` forbids a fault; nothing was started, or "
                                 "only `setup` and `cleanup` when that had to show whom it would hit. Of a "
                                 "process also its `name`, and whom was `asked` for."}},
    [REASON_CANCELLED] = {"cancelled",
                          {.name = "{cancelled, Report}",
                           .text = "It was cancelled, the caller died, or the daemon is asked to stop; "
                                   "cleanup is done all the same."}},
    [REASON_INTERRUPTED] = {"interrupted",
                            {.name = "{interrupted, Report}", .text = "The daemon ended before the run."}},
    [REASON_NODEDOWN] = {"nodedown",
                         {.name = "{nodedown, Node}",
                          .text = "A node that the run cannot do without is gone, or cannot be reached."}},
    [REASON_BUSY] = {"busy",
                     {.name = "{busy, Limit}",
                      .text = "There is no room for it within this one of the configuration's `limits`, and "
                              "never will be, or the queue is full (`queued_runs`), or the daemon is asked "
                              "to stop (`stopping`)."}},
    [REASON_AUDIT_FAILED] = {"audit_failed",
                             {.name = "{audit_failed, Text}",
                              .text = "The audit cannot be written (`audit.file`), say as its disk is full, "
                                      "and `audit.required` lets nothing with chaos begin then; nothing was "
                                      "started."}},
    [REASON_INVALID_SCENARIO] = {"invalid_scenario",
                                 {.name = "{invalid_scenario, Problems}",
                                  .text = "It is no scenario, or its texts mean nothing: all that is wrong "
                                          "with it, at once."}},
    [REASON_SESSION_FAILED] = {"session_failed",
                               {.name = "{session_failed, Reason}",
                                .text = "The session, the process that hooks are applied in, was killed, or "
                                        "could not start in time, while the run needed it."}},
    [REASON_ABORTED] = {"aborted",
                        {.name = "aborted",
                         .text = "Of `validate`: the daemon ended before a file's texts were resolved."}},
    [REASON_INVALID_CONFIGURATION] = {"invalid_configuration",
                                      {.name = "{invalid_configuration, Text}",
                                       .text = "Of `harnessd run`: its flags or its configuration are "
                                               "wrong; nothing was run."}},
    [REASON_NOT_TOLD] = {"not_told",
                         {.name = "{not_told, nil}",
                          .text = "Of `harnessd run`: a file that was to be written cannot be; nothing was "
                                  "run."}},
};

const struct help_table *reasons_table(void)
{
    static const struct help_table table =
        HELP_TABLE("errors", "Reasons why a run has no report", reason_rows);
    return &table;
}

bool reason_is(enum reason reason, struct term atom)
{
    return term_is_atom(atom, reason_rows[reason].atom);
}

void reason_build(enum reason reason, struct term_builder *builder)
{
    term_build_atom(builder, reason_rows[reason].atom);
}

void reason_open(enum reason reason, size_t arity, struct term_builder *builder)
{
    term_build_tuple(builder, arity);
    reason_build(reason, builder);
}
