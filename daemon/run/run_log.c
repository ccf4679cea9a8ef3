/* The story of a run in the log: a few lines, from who has asked for it to what came of it. What happens
 * within is told at the level of debugging only, but for faults. */
#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "run_private.h"
#include "term/term_read.h"
#include "term/term_text.h"

#define REASON_BYTES 300
#define DIGITS 3

static struct log_field run_log_id(const struct run *run)
{
    return log_integer("run", (int64_t)run->id);
}

void run_log_started(const struct run *run)
{
    const struct scenario *scenario = run->scenario;
    bool is_asked_for = strcmp(run->requester, "nobody") != 0;
    log_info("run started", run_log_id(run), log_string("requester", is_asked_for ? run->requester : NULL),
             log_string("by", run->request.by), log_integer("threads", (int64_t)scenario->thread_count),
             log_integer("operations", (int64_t)scenario->operation_count),
             log_integer("targets", (int64_t)scenario->target_count),
             log_integer("faults", (int64_t)scenario->action_count), log_integer("seed", (int64_t)run->seed));
}

/* The message of an exception, which on nodes without Elixir is all there is. */
static struct log_field run_log_exception(struct term exception)
{
    struct term message;
    const uint8_t *text = NULL;
    size_t size = 0;
    if (!term_pairs_get(exception, "message", &message))
        message = exception;
    if (!term_read_binary(message, &text, &size))
        size = 0;
    return log_bytes("reason", text ? text : (const uint8_t *)"", size);
}

/* Who runs it by himself reads that in its report. */
void run_log_missed(const struct run *run, size_t target, struct term reason)
{
    char name[REASON_BYTES], why[REASON_BYTES];
    if (run->request.by)
        log_warning(
            "target cannot be reached", run_log_id(run),
            log_string("target", term_text(targets_spec(run->targets, target)->server, name, sizeof(name))),
            log_string("reason", term_text(reason, why, sizeof(why))));
}

void run_log_aborted(const struct run *run)
{
    log_info("run aborted", run_log_id(run), run_log_exception(term_of(&run->verdict.abort_error)),
             log_integer("operations", (int64_t)run_record(run)->operations),
             log_integer("errors", (int64_t)run_record(run)->operation_errors));
}

void run_log_healed(const struct run *run)
{
    struct term_builder healed = {0};
    char what[REASON_BYTES];
    faults_build_healed(run->faults, &healed);
    if (!term_is_atom(term_built(&healed), "true"))
        log_warning("faults are not undone", run_log_id(run),
                    log_string("what", term_text(term_built(&healed), what, sizeof(what))));
    term_build_free(&healed);
}

static uint64_t run_log_p99_us(const struct run *run)
{
    struct histogram responses;
    histogram_init(&responses, DIGITS);
    latencies_add_responses(&run_record(run)->latencies, &responses);
    uint64_t p99 = histogram_quantile(&responses, 0.99);
    histogram_free(&responses);
    return p99;
}

/* The first expectation of the load that is so far met: false when there is none. */
static bool run_log_find_met(struct term expectations, const char *met, struct term parts[3])
{
    static const char *const keys[] = {"expectation", "measured", "limit"};
    struct term_list list;
    struct term one, found;
    if (!term_list_start(&list, expectations))
        return false;
    while (term_list_next(&list, &one)) {
        bool complete = term_pairs_get(one, "met", &found) && term_is_atom(found, met);
        for (size_t i = 0; complete && i < ARRAY_LENGTH(keys); i++)
            complete = term_pairs_get(one, keys[i], &parts[i]);
        if (complete)
            return true;
    }
    return false;
}

/* "max_p99_us 971520, limit 50000" of the first expectation of the load that was missed, or else of the first
 * that nothing was measured for; false when there is neither: then it is one of the whole run. */
static bool run_log_write_missed(const struct run *run, char text[REASON_BYTES])
{
    struct term_builder builder = {0};
    struct term parts[3];
    char words[3][64];
    judge_build_expectations(run, &builder);
    bool is_missed = run_log_find_met(term_built(&builder), "false", parts);
    bool found = is_missed || run_log_find_met(term_built(&builder), "nil", parts);
    if (found)
        snprintf(text, REASON_BYTES, "%s %s, limit %s", term_text(parts[0], words[0], sizeof(words[0])),
                 is_missed ? term_text(parts[1], words[1], sizeof(words[1])) : "not measured",
                 term_text(parts[2], words[2], sizeof(words[2])));
    term_build_free(&builder);
    return found;
}

static const char *run_log_failure(const struct term_kept *failure, char reason[REASON_BYTES])
{
    const struct term_long told = term_kept_long(failure);
    return term_long_text(&told, reason, REASON_BYTES);
}

/* What went wrong with the cleanup comes after what did before. Callers are not told all of it as an error.
 */
static const char *run_log_reason(const struct run *run, char reason[REASON_BYTES])
{
    const struct run_verdict *verdict = &run->verdict;
    if (run->cancelled)
        return "cancelled";
    if (verdict->outcome == OUTCOME_MISSED && run_log_write_missed(run, reason))
        return reason;
    if (verdict->failure.size || verdict->cleanup_failure.size)
        return run_log_failure(verdict->failure.size ? &verdict->failure : &verdict->cleanup_failure, reason);
    if (verdict->outcome == OUTCOME_COMPLETED)
        return "";
    return run->scenario->dry_run ? "problem" : "nothing_succeeded";
}

void run_log_finished(const struct run *run)
{
    char reason[REASON_BYTES];
    if (!log_enabled(LOG_LEVEL_INFO))
        return;
    log_info("run finished", run_log_id(run), log_string("outcome", outcome_name(run->verdict.outcome)),
             log_string("reason", run_log_reason(run, reason)),
             log_integer("operations", (int64_t)run_record(run)->operations),
             log_integer("errors", (int64_t)run_record(run)->operation_errors),
             log_integer("dropped", (int64_t)run_record(run)->dropped),
             log_integer("faults", (int64_t)faults_injected_count(run->faults)),
             log_integer("p99_us", (int64_t)run_log_p99_us(run)),
             log_integer("ms", (int64_t)((clock_ns() - run->created_ns) / CLOCK_NS_PER_MS)));
}
