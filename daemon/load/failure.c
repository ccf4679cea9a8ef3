#include "failure_private.h"

#include <string.h>

#include "term/term_read.h"

/* Values that are looked at for an exception, and bytes of its message. */
#define FAILURE_VALUES 10000
#define FAILURE_TEXT_BYTES 65536

/* --- What a server has died of --- */

/* The values inside of the first one, which are `count` if that is not 0; nobody looks where it ends. */
static bool failure_go_inside(struct term *values, enum term_type type, size_t count)
{
    if (!values->size || term_type(*values) != type)
        return false;
    const struct term_head head = term_read_head(values->data);
    *values = (struct term){values->data + head.size, values->size - head.size};
    return count ? head.values == count : head.values > 0;
}

static bool failure_take(struct term *values, struct term *first)
{
    size_t left = FAILURE_VALUES;
    if (!term_long_first(*values, &left, first))
        return false;
    *values = (struct term){values->data + first->size, values->size - first->size};
    return true;
}

static bool failure_speaks_of_handler(struct term exception)
{
    struct term text;
    const uint8_t *data;
    size_t size;
    if (!term_pairs_get(exception, "message", &text) || !term_read_binary(text, &data, &size))
        return false;
    size = size < FAILURE_TEXT_BYTES ? size : FAILURE_TEXT_BYTES;
    return memmem(data, size, "handle_call", strlen("handle_call"));
}

/* Whether a server died of not knowing the message that a cast is synchronised with: a RuntimeError that
 * speaks of handle_call (what `use GenServer` defines raises it), or no matching clause of handle_call/3. */
static bool failure_is_missing_handler(struct term reason)
{
    struct term values = reason, exception, module, function;
    if (!failure_go_inside(&values, TERM_TUPLE, 2) || !failure_take(&values, &exception))
        return false;
    if (failure_speaks_of_handler(exception))
        return true;
    return term_is_atom(exception, "function_clause") && failure_go_inside(&values, TERM_LIST, 0) &&
           failure_go_inside(&values, TERM_TUPLE, 4) && failure_take(&values, &module) &&
           failure_take(&values, &function) && term_is_atom(function, "handle_call");
}

/* --- One target's --- */

/* One that is long is held for all calls, by itself if it came in nothing that can be. */
static void failure_keep(struct failure *failure, const struct term_long *reason, struct loop *loop)
{
    if (reason->tail.size <= TERM_LONG_BYTES || term_long_is_held(reason)) {
        term_kept_set(&failure->reason, reason);
        return;
    }
    struct buffer copy = {0};
    term_keep(&copy, reason->tail);
    struct blob *held = blob_take(&copy, loop);
    term_kept_set(&failure->reason, &(struct term_long){reason->head, {held->data, reason->tail.size}, held});
    blob_release(held);
}

void failure_set(struct failure *failure, enum result_kind kind, const struct term_long *reason,
                 struct loop *loop)
{
    failure_free(failure);
    failure->kind = kind;
    failure->is_missing_handler = kind == RESULT_EXIT && failure_is_missing_handler(reason->tail);
    failure_keep(failure, reason, loop);
}

void failure_free(struct failure *failure)
{
    term_kept_free(&failure->reason);
    *failure = (struct failure){.is_counted = false};
}

/* --- Counting --- */

/* Under what an error is counted: of an exception and its stack trace only the exception. Its class has the
 * stack as well. */
size_t failure_count(struct load_record *record, struct failure *of_target, enum result_kind kind,
                     const struct term_long *reason, uint32_t operation, uint64_t at_us)
{
    struct term_long exception;
    const bool is_of_target = kind == RESULT_EXIT;
    struct term own = result_reason(kind);
    const struct term_long *cause = own.data ? TERM_LONG(own) : reason;
    record->operation_errors++;
    if (is_of_target && of_target->is_counted) {
        errors_count_again(&record->errors, of_target->number);
        error_samples_count_again(&record->samples, of_target->place, at_us);
        return of_target->number;
    }
    bool has_stack = kind == RESULT_RAISED && errors_read_exception(reason, &exception);
    size_t number = errors_count(&record->errors, has_stack ? &exception : cause);
    size_t place =
        error_samples_count(&record->samples, has_stack ? ERRORS_OTHER : number, cause, operation, at_us);
    if (is_of_target) {
        of_target->is_counted = true;
        of_target->number = number;
        of_target->place = place;
    }
    return number;
}
