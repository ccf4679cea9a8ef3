#include "report/warnings.h"

#include <stdarg.h>
#include <stdio.h>

/* Texts name what users have named, which may be long: they are cut off, and whole in the pairs. */
#define MESSAGE_BYTES 600

static const struct warning_row {
    struct help help;
} warning_rows[] = {
    [WARNING_NOTHING_SUCCEEDED] = {{.name = "nothing_succeeded",
                                    .text = "All `operations` have failed: nothing was tested."}},
    [WARNING_TARGET_NEVER_REACHED] = {{.name = "target_never_reached",
                                       .text = "Operations were made for targets, `count` of them, that "
                                               "never were there; `targets` are the first."}},
    [WARNING_TARGET_LOST] = {{.name = "target_lost",
                              .text =
                                  "Targets, `count` of them, that were there have gone and were not there "
                                  "any more when operations were made for them last; `targets` are the "
                                  "first."}},
    [WARNING_NOT_MEASURED] = {{.name = "not_measured",
                               .text = "There is nothing that this `expectation` could be judged by."}},
    [WARNING_RUN_TOO_SHORT] = {{.name = "run_too_short",
                                .text =
                                    "The quantile of this `expectation` has an interval with an open end: it "
                                    "cannot be told by so few `operations`, which are `worth` so many "
                                    "independent ones, how high it may be. Some `needed` of them could."}},
    [WARNING_VERDICT_UNCERTAIN] = {{.name = "verdict_uncertain",
                                    .text =
                                        "The limit of this `expectation` is within the 95 % interval of its "
                                        "quantile, from `low` to `high` us: by chance it may have been met "
                                        "or missed. A longer run has a narrower one."}},
    [WARNING_EVENTS_DROPPED] = {{.name = "events_dropped",
                                 .text = "So many events (`count`) had no room and are not in the report; "
                                         "counts and latencies have all."}},
    [WARNING_FAULTS_DROPPED] = {{.name = "faults_dropped",
                                 .text = "So many injections (`count`) had no room and are not in the "
                                         "report."}},
    [WARNING_RECOVERY_UNKNOWN] = {{.name = "recovery_unknown",
                                   .text = "Nothing was sent to targets, `count` of them, since a fault has "
                                           "touched them, or they have answered since, failed again, and "
                                           "answered less than a second before the end of the load: it is "
                                           "not known whether they have recovered. `targets` are the first. "
                                           "The second kind misses `max_recovery_ms`."}},
    [WARNING_NOT_INJECTED] = {{.name = "not_injected",
                               .text =
                                   "A fault of this `kind` was not injected, as its `outcome` says. Given "
                                   "alone, as the library takes it, this does not fail the run."}},
    [WARNING_ALSO_CUT] = {{.name = "also_cut",
                           .text = "OTP has kept apart other `nodes` than a fault was to."}},
    [WARNING_CLIENT_BOUND] =
        {{.name = "client_bound",
          .text = "This daemon was itself too late, so that response times may hold time of "
                  "its own: its loop was `busy` for 0.95 of a load of a second or more, or late "
                  "for a hundredth of the load and 50 ms, all `late_ms` in pieces of more "
                  "than 10 ms, or more than a tenth of the p99, `p99_us`, is its own: "
                  "`sending_us` from when operations could be sent until they were, and "
                  "`reading_us` at most from when their replies came until they were read, which is 0 "
                  "where the kernel has told when they came. These are `nil` of fewer than 368 operations."}},
    [WARNING_SERVICE_EXCLUDED] = {{.name = "service_excluded",
                                   .text = "More than one of 1,000 `operations`, namely `excluded`, were "
                                           "sent while their node took no more, or custom ones that waited "
                                           "for their turn until the run was out of time: they are in "
                                           "response times, and in no service time."}},
    [WARNING_RATE_NOT_REACHED] = {{.name = "rate_not_reached",
                                   .text = "Of the `arrivals` of an open load some were `dropped`, or fewer "
                                           "than 99 of 100 had `begun` when its time was over: the rate, "
                                           "`asked_per_s`, was beyond what could be sent, `begun_per_s`. The "
                                           "`reason` is `max_in_flight` where as many were under way as that "
                                           "allows, and `daemon` where this one had no time for them."}},
    [WARNING_CLOCK_JUMPED] = {{.name = "clock_jumped",
                               .text =
                                   "The wall clock was set by more than 100 ms while the run went on, or "
                                   "the machine was suspended, for `by_ms`; it is below 0 for a clock that "
                                   "was set back."}},
    [WARNING_MESSAGE_TOO_LARGE] = {{.name = "message_too_large",
                                    .text =
                                        "The `limit` of this daemon, `key` in its configuration, was too "
                                        "small for `nodes`, `times` in all, and `operations` failed by it: "
                                        "`frame_bytes` for messages that came and were not kept, which "
                                        "fails what each was for, `queued_bytes` for those that waited to "
                                        "be sent, which closes the connection with all that is under way "
                                        "on it."}},
};

_Static_assert(ARRAY_LENGTH(warning_rows) == WARNING_KINDS, "a kind has no row");

const struct help_table warnings_table = HELP_TABLE("warnings", "Warnings", warning_rows);

const struct help *warning_help(enum warning_kind kind)
{
    return &warning_rows[kind].help;
}

struct term_builder *warnings_add(struct warnings *warnings, enum warning_kind kind, size_t pairs,
                                  const char *format, ...)
{
    struct term_builder *items = &warnings->items;
    char message[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    term_build_map(items, 2 + pairs);
    term_build_key(items, "warning");
    term_build_atom(items, warning_help(kind)->name);
    term_build_key(items, "message");
    term_build_text(items, message);
    warnings->count++;
    return items;
}

void warnings_build(const struct warnings *warnings, struct term_builder *builder)
{
    struct term items = {buffer_bytes(&warnings->items.bytes), warnings->items.bytes.size};
    term_build_list(builder, warnings->count);
    if (!warnings->count)
        return;
    term_build_term(builder, items);
    term_build_nil(builder);
}

void warnings_free(struct warnings *warnings)
{
    term_build_free(&warnings->items);
    warnings->count = 0;
}
