#include "measure/errors.h"

#include <stdint.h>

#include "error_class_private.h"
#include "term/term_read.h"
#include "term/term_sort.h"

/* Values of an exception that are looked at to tell it from its stack. */
#define EXCEPTION_VALUES 10000

void errors_free(struct errors *errors)
{
    terms_free(&errors->terms);
    buffer_free(&errors->joined);
    buffer_free(&errors->sorted);
}

/* `reason` is sorted, so that equal ones are the same bytes. */
static size_t errors_number_of(struct errors *errors, struct term reason)
{
    for (size_t i = 0; i < errors->reason_count; i++)
        if (term_same(terms_get(&errors->terms, errors->reasons[i]).tail, reason))
            return i;
    if (errors->reason_count == ERRORS_REASONS)
        return ERRORS_OTHER;
    errors->reasons[errors->reason_count] = terms_keep(&errors->terms, TERM_LONG(reason));
    return errors->reason_count++;
}

size_t errors_count(struct errors *errors, const struct term_long *reason)
{
    buffer_truncate(&errors->sorted, 0);
    if (term_long_size(reason) <= ERRORS_REASON_BYTES)
        term_sort(term_long_join(reason, &errors->joined), &errors->sorted);
    else
        error_class(reason, &errors->sorted);
    size_t number = errors_number_of(errors, term_of(&errors->sorted));
    errors_count_again(errors, number);
    return number;
}

void errors_count_again(struct errors *errors, size_t number)
{
    errors->total++;
    errors->counts[number]++;
}

bool errors_read_exception(const struct term_long *reason, struct term_long *exception)
{
    size_t left = EXCEPTION_VALUES;
    const size_t size = term_read_head(reason->head.data).size; /* of the tuple */
    *exception = *reason;
    exception->head = (struct term){reason->head.data + size, reason->head.size - size};
    return term_long_first(reason->tail, &left, &exception->tail);
}

void errors_build(const struct errors *errors, struct term_builder *builder)
{
    errors_build_counts(errors, errors->counts, builder);
}

void errors_build_counts(const struct errors *errors, const uint64_t counts[ERRORS_REASONS + 1],
                         struct term_builder *builder)
{
    /* A reason that happens to be the key of the rest counts with it. */
    uint64_t others = counts[ERRORS_OTHER];
    size_t other_reason = SIZE_MAX;
    size_t pairs = 0;
    for (size_t i = 0; i < errors->reason_count; i++) {
        if (term_is_atom(terms_get(&errors->terms, errors->reasons[i]).tail, "other"))
            other_reason = i;
        else
            pairs += counts[i] > 0;
    }
    if (other_reason != SIZE_MAX)
        others += counts[other_reason];
    term_build_map(builder, pairs + (others > 0));
    for (size_t i = 0; i < errors->reason_count; i++) {
        if (i == other_reason || !counts[i])
            continue;
        term_build_term(builder, terms_get(&errors->terms, errors->reasons[i]).tail);
        term_build_unsigned(builder, counts[i]);
    }
    if (others) {
        term_build_key(builder, "other");
        term_build_unsigned(builder, others);
    }
}
