/* The functions of the API, by what they are about. Each takes its request over and answers it, at once or
 * later. api.c has the table of them. */
#ifndef HARNESSD_SERVE_API_PRIVATE_H
#define HARNESSD_SERVE_API_PRIVATE_H

#include "audit/audit.h"
#include "base/map.h"
#include "serve/api.h"
#include "term/help.h"

struct api {
    struct node *node;
    struct runner *runner;
    struct runs *runs;
    struct schedules *schedules;
    struct audit *audit; /* or NULL */
    const struct config *config;
    const struct loop_minute *minute;
    uint64_t started_ns;
    uint64_t requests;
    struct map starting; /* callers to how many scenarios of theirs are being read, a size_t of its own */
};

#define API_TABLES_MOST 3

/* A function that other nodes call. Usage and help are in Erlang's notation (term/term_notation.h), what may
 * be left out in brackets. */
struct api_function {
    const char *name;
    size_t arity;
    void (*serve)(struct api *api, struct request *request);
    void (*build)(struct request *request); /* in its place: library_private.h */
    bool changes;                           /* something: the audit is told */
    const char *usage;                      /* NULL: the row is another arity of the one before */
    const char *help;
    const char *example; /* lines for iex, where `h` is the node; NULL: none */
    const struct help_table *(*tables[API_TABLES_MOST + 1])(
        void); /* keys of what it tells; NULL at the end */
};

/* The table. */
const struct api_function *api_functions(size_t *count);

/* The function whose name is nearest to an atom, or has just another arity; NULL when none is near. */
const struct api_function *api_nearest_function(struct term name);

/* --- api_answers.c: what answers have in common --- */

/* What is wrong with a request, or with what it asks for. */
enum answer_error {
    ANSWER_NOT_FOUND,
    ANSWER_NOT_FINISHED,
    ANSWER_FINISHED,
    ANSWER_NOT_STARTED,
    ANSWER_NO_REPORT,
    ANSWER_TIMEOUT,
    ANSWER_BUSY,
    ANSWER_AUDIT_FAILED,
    ANSWER_NOT_ALLOWED,
    ANSWER_NODEDOWN,
    ANSWER_UNREADABLE,
    ANSWER_BADARG,
    ANSWER_ERRORS
};

/* The table of them, for help: each with its shape. */
const struct help_table *answers_table(void);

/* {error, Error}, {error, {Error, Atom}}, {error, {Error, Term}}, {error, {Error, Text}}, and {error,
 * {badarg, Text}} for an argument that is none. */
void answer_error(struct request *request, enum answer_error error);
void answer_error_of(struct request *request, enum answer_error error, const char *what);
void answer_error_term(struct request *request, enum answer_error error, struct term what);
void answer_error_text(struct request *request, enum answer_error error, const char *text);
void answer_badarg(struct request *request, const char *format, ...) PRINTF_LIKE(2, 3);

/* {error, {not_allowed, #{rule =>, function =>, node =>, message =>}}} */
void answer_not_allowed(struct request *request, const char *rule, const char *function);

void answer_atom(struct request *request, const char *atom);

/* --- api_audit.c: what the audit is told of requests --- */

/* A function is not called. */
void api_audit_denied(struct api *api, const struct request *request, const char *rule);

/* Has it be told what comes of a request of a function that changes something. */
void api_audit_watch(struct api *api, struct request *request);

/* A run was accepted for it, of which the registry tells: what is answered is no longer about that. */
void api_audit_accepted(struct request *request);

/* --- api_start.c: scenarios --- */

void serve_run(struct api *api, struct request *request);
void serve_run_with_performance(struct api *api, struct request *request);
void serve_start(struct api *api, struct request *request);
void serve_validate(struct api *api, struct request *request);

/* --- api_runs.c: runs that were started --- */

void serve_await(struct api *api, struct request *request);
void serve_report(struct api *api, struct request *request);
void serve_partial(struct api *api, struct request *request);
void serve_status(struct api *api, struct request *request);
void serve_runs(struct api *api, struct request *request);
void serve_cancel(struct api *api, struct request *request);
void serve_delete(struct api *api, struct request *request);

/* The run that the first argument names; RUN_PHASE_NONE when the request was answered with that there is
 * none. */
MUST_CHECK enum run_phase find_run(struct api *api, struct request *request, uint64_t *id);
bool run_has_ended(enum run_phase phase);

/* What is answered about a run; borrowed for the call. */
struct run_reply {
    struct term result; /* as it is stored, see run_result.h; without data when it is not known yet */
    bool is_interrupted;
    struct blob *result_in;
    struct term report; /* what was recorded up to now, or in any case; without data when nothing was */
    struct blob *report_in;
    enum outcome outcome; /* OUTCOME_NONE until it has one */
};
typedef void reply_with_run(struct request *request, const struct run_reply *reply);

/* Reads what a run that has ended came to. */
void read_run(struct api *api, struct request *request, uint64_t id, enum run_phase phase,
              reply_with_run *reply);

/* What a run that has begun has recorded up to now. */
void await_partial(struct api *api, struct request *request, uint64_t id, reply_with_run *reply);

/* Answers the request that has started a run with its result when it has one, unless its caller gives up
 * before. */
void await_own_run(struct api *api, struct request *request, uint64_t id);

/* --- api_subscribe.c --- */

void serve_subscribe(struct api *api, struct request *request);
void serve_unsubscribe(struct api *api, struct request *request);

/* --- api_info.c --- */

void serve_info(struct api *api, struct request *request);

/* What it answers with, for help: its keys, and those of `limits` and `counters`. */
const struct help_table *info_table(void);
const struct help_table *info_limits_table(void);
const struct help_table *info_counters_table(void);

/* --- api_help.c --- */

void serve_help(struct api *api, struct request *request);
void serve_help_on(struct api *api, struct request *request);

/* Appends what there is to say about a topic, an atom or a text, in Elixir's notation or in Erlang's; or that
 * it is none and which it is near to. */
void api_help_write_on(struct term topic, bool is_elixir, struct buffer *text);

/* --- api_show.c --- */

void serve_show(struct api *api, struct request *request);

#endif
