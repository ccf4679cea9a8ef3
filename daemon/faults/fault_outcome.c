#include "faults/fault_outcome.h"

static const struct fault_outcome_row {
    const char *atom;
    struct help help;
} fault_outcome_rows[FAULT_OUTCOMES] = {
    [FAULT_OK] = {"ok", {.name = "ok", .text = "It was done."}},
    [FAULT_GAVE] = {"ok", {.name = "{ok, Value}", .text = "Of `apply`, with what the function gave."}},
    [FAULT_NOPROC] = {"noproc",
                      {.name = "noproc",
                       .text = "There was nobody to do it to; fails the run without `allow_missing`."}},
    [FAULT_SURVIVED] = {"survived",
                        {.name = "survived", .text = "A process that traps exits lives on; fails the run."}},
    [FAULT_NOT_DRAWN] = {"not_drawn", {.name = "not_drawn", .text = "Chance said no."}},
    [FAULT_CANCELLED] = {"cancelled",
                         {.name = "cancelled",
                          .text = "It was cut short, by `heal_all` or the end of the run."}},
    [FAULT_NOT_KEPT_APART] = {"not_kept_apart",
                              {.name = "not_kept_apart",
                               .text = "Nodes that were to be apart were not; fails the run."}},
    [FAULT_HEALED_EARLY] = {"healed_early",
                            {.name = "{healed_early, {Node, Reason}}",
                             .text =
                                 "What held it on a node has ended before its time, for instance "
                                 "`{holder_lost, killed}`; the rest was undone then, too; fails the run."}},
    [FAULT_ALSO_CUT] = {"also_cut",
                        {.name = "{also_cut, Nodes}", .text = "OTP has cut these as well: a warning."}},
    [FAULT_ERROR] = {"error",
                     {.name = "{error, Reason}",
                      .text = "It could not be done, or was lost with its node; fails the run."}},
    [FAULT_NOT_ALLOWED] = {"not_allowed",
                           {.name = "{not_allowed, What}",
                            .text = "The configuration's `access` forbids it: a map, as of a run that it "
                                    "forbids; fails the run."}},
    [FAULT_UNDER_WAY] = {"under_way", {.name = "under_way", .text = "It has not ended yet."}},
};

const struct help_table *fault_outcomes_table(void)
{
    static const struct help_table table =
        HELP_TABLE("fault_outcomes", "Outcomes of a fault", fault_outcome_rows);
    return &table;
}

void fault_outcome_build(enum fault_outcome outcome, struct term_builder *builder)
{
    term_build_atom(builder, fault_outcome_rows[outcome].atom);
}
