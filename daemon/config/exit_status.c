#include "config/exit_status.h"

static const struct {
    struct help help;
} exit_status_rows[EXIT_STATUSES] = {
    [EXIT_STATUS_ASKED] = {{.name = "0", .text = "It was asked to stop."}},
    [EXIT_STATUS_FAILED] = {{.name = "1", .text = "It has failed while it was running."}},
    [EXIT_STATUS_MISCONFIGURED] =
        {{.name = "2",
          .text = "Flags or configuration are wrong: each problem is on a line of its own, with its path."}},
    [EXIT_STATUS_NAME_TAKEN] = {{.name = "3",
                                 .text = "Another node has its name, and `epmd.exit_on_taken_name` is set."}},
};

const struct help_table *exit_statuses_table(void)
{
    static const struct help_table table =
        HELP_TABLE("exit_statuses", "What the daemon ends with", exit_status_rows);
    return &table;
}
