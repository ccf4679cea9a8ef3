/* What came of an operation. */
#ifndef HARNESSD_MEASURE_RESULT_H
#define HARNESSD_MEASURE_RESULT_H

#include "term/help.h"

enum result_kind {
    RESULT_OK,           /* {ok, term} */
    RESULT_TIMEOUT,      /* {error, timeout} */
    RESULT_NOPROC,       /* {error, noproc} */
    RESULT_EXIT,         /* {error, {term, {'Elixir.GenServer', call, [server, message, timeout]}}} */
    RESULT_MISSING_SYNC, /* {error, missing_sync_handler} */
    RESULT_RAISED,       /* {error, term}, the exception and the stack trace of a custom operation */
    RESULT_CAUGHT,       /* {error, term}, {exit, reason} or {throw, value} of one */
    RESULT_UNEXPECTED,   /* {error, term}, which is {unexpected, Reply} */
    RESULT_TOO_LARGE,    /* {error, term}, which is {message_too_large, Limit} */
    RESULT_KINDS
};

/* Whether who was asked has answered, whatever was made of that. */
static inline bool result_is_reply(enum result_kind kind)
{
    return kind == RESULT_OK || kind == RESULT_UNEXPECTED || kind == RESULT_TOO_LARGE;
}

/* The table of them, for help. */
const struct help_table *results_table(void);

/* The reason of an error that is always the same; without data for those that come with a term. */
struct term result_reason(enum result_kind kind);

#endif
