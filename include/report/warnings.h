/* What weakens the verdict on a run, though it need not change it. A report has a list of them, each
 * %{warning: kind, message: text, ...}; who finds one adds it. One table has all kinds. */
#ifndef HARNESSD_REPORT_WARNINGS_H
#define HARNESSD_REPORT_WARNINGS_H

#include "term/help.h"
#include "term/term_build.h"

enum warning_kind {
    WARNING_NOTHING_SUCCEEDED,    /* of all operations */
    WARNING_TARGET_NEVER_REACHED, /* though operations were made for it */
    WARNING_TARGET_LOST,          /* one that was there is not at the end */
    WARNING_NOT_MEASURED,         /* an expectation is about something of which there is nothing */
    WARNING_RUN_TOO_SHORT,        /* for the quantile of an expectation */
    WARNING_VERDICT_UNCERTAIN,    /* on an expectation: it may have been met or missed by chance */
    WARNING_EVENTS_DROPPED,       /* for want of room */
    WARNING_FAULTS_DROPPED,       /* likewise, of what was injected */
    WARNING_RECOVERY_UNKNOWN,     /* nothing was sent to a target since a fault */
    WARNING_NOT_INJECTED,         /* a fault, which the library does not mind */
    WARNING_ALSO_CUT,             /* nodes that were not to be kept apart */
    WARNING_CLIENT_BOUND,         /* times hold those of this daemon */
    WARNING_SERVICE_EXCLUDED,     /* operations have no service time */
    WARNING_RATE_NOT_REACHED,     /* of an open load */
    WARNING_CLOCK_JUMPED,         /* or stood still */
    WARNING_MESSAGE_TOO_LARGE,    /* for a limit, or too many */
    WARNING_KINDS
};

/* Its name is the atom. */
const struct help *warning_help(enum warning_kind kind);
extern const struct help_table warnings_table;

struct warnings {
    struct term_builder items; /* one map behind the other */
    size_t count;
};

/* Adds one: a text for people, a sentence without its full stop that names what it is about, and as many
 * pairs of a key and a value as `pairs` says, which the caller appends to what is returned before the next
 * is added. Who may find many of one kind tells of them together: there is no limit. */
struct term_builder *warnings_add(struct warnings *warnings, enum warning_kind kind, size_t pairs,
                                  const char *format, ...) PRINTF_LIKE(4, 5);

/* Appends the list. */
void warnings_build(const struct warnings *warnings, struct term_builder *builder);

void warnings_free(struct warnings *warnings);

#endif
