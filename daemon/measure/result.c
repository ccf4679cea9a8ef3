#include "measure/result.h"

#include "base/compiler.h"
#include "term/term_constant.h"

static const struct result_row {
    struct term reason; /* without data: a term of each */
    struct help help;
} result_rows[RESULT_KINDS] = {
    [RESULT_OK] = {.help = {.name = "{ok, Reply}",
                            .text = "A call that was answered; of a cast the answer to the call that follows "
                                    "it, of a custom operation what its hook gave; `ok` of the others, which "
                                    "nobody answers."}},
    [RESULT_TIMEOUT] = {TERM_CONSTANT_ATOM("timeout"),
                        {.name = "{error, timeout}", .text = "One that was not, in time."}},
    [RESULT_NOPROC] = {TERM_CONSTANT_ATOM("noproc"),
                       {.name = "{error, noproc}",
                        .text = "One of a process that is not there, or not any more when the call "
                                "comes to it."}},
    [RESULT_EXIT] = {.help = {.name = "{error, {Reason, {'Elixir.GenServer', call, [Server, Message, "
                                      "Timeout]}}}",
                              .text = "One whose server died of something else, as `GenServer.call/3` would "
                                      "exit; the reason is `{nodedown, Node}` when the target's node is "
                                      "gone."}},
    [RESULT_MISSING_SYNC] = {TERM_CONSTANT_ATOM("missing_sync_handler"),
                             {.name = "{error, missing_sync_handler}",
                              .text = "A cast whose server died of not knowing the call that follows it."}},
    [RESULT_RAISED] = {.help = {.name = "{error, {Exception, Stacktrace}}",
                                .text =
                                    "A custom operation whose hook has raised; `{error, "
                                    "{{thread_setup_failed, Exception}, Stacktrace}}` is one whose thread "
                                    "could not be set up."}},
    [RESULT_CAUGHT] = {.help = {.name = "{error, {exit, Reason}}",
                                .text =
                                    "One whose hook has exited, or, as `{error, {throw, Value}}`, thrown: "
                                    "this fails its thread in `threads`; with `load` the thread goes "
                                    "on."}},
    [RESULT_UNEXPECTED] = {.help = {.name = "{error, {unexpected, Reply}}",
                                    .text = "One that was answered, but not as the operation's `expect` "
                                            "says; without `expect` every reply is a success, `{error, "
                                            "timeout}` too."}},
    [RESULT_TOO_LARGE] = {.help = {.name = "{error, {message_too_large, Limit}}",
                                   .text = "One whose reply was larger than `limits.frame_bytes` of the "
                                           "configuration allows, which is the limit in it, and was not "
                                           "kept; or, with a smaller limit, whose node was sending more than "
                                           "four such at once."}},
};

const struct help_table *results_table(void)
{
    static const struct help_table table = HELP_TABLE("results", "Results of operations", result_rows);
    return &table;
}

struct term result_reason(enum result_kind kind)
{
    return result_rows[kind].reason;
}
