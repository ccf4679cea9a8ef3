#include "measure/errors.h"

#include <stdint.h>

#include "term/term_read.h"
#include "term/term_sort.h"

void errors_free(struct errors *errors)
{
    terms_free(&errors->terms);
}

static void count(struct errors *errors, struct term reason)
{
    for (size_t i = 0; i < errors->reason_count; i++) {
        if (term_same(terms_get(&errors->terms, errors->reasons[i]), reason)) {
            errors->counts[i]++;
            return;
        }
    }
    if (errors->reason_count == ERRORS_REASONS) {
        errors->others++;
        return;
    }
    errors->reasons[errors->reason_count] = terms_keep(&errors->terms, reason);
    errors->counts[errors->reason_count++] = 1;
}

void errors_count(struct errors *errors, struct term reason)
{
    struct buffer sorted = {0};
    errors->total++;
    if (reason.size > ERRORS_REASON_BYTES) {
        errors->others++;
        return;
    }
    term_sort(reason, &sorted);
    count(errors, (struct term){buffer_bytes(&sorted), sorted.size});
    buffer_free(&sorted);
}

void errors_build(const struct errors *errors, struct term_builder *builder)
{
    uint64_t others = errors->others;
    size_t other_reason = SIZE_MAX; /* a reason that happens to be the key of the rest counts with it */
    for (size_t i = 0; i < errors->reason_count; i++)
        if (term_is_atom(terms_get(&errors->terms, errors->reasons[i]), "other"))
            other_reason = i;
    bool separate = others && other_reason == SIZE_MAX;
    term_build_map(builder, errors->reason_count + separate);
    for (size_t i = 0; i < errors->reason_count; i++) {
        term_build_term(builder, terms_get(&errors->terms, errors->reasons[i]));
        term_build_unsigned(builder, errors->counts[i] + (i == other_reason ? others : 0));
    }
    if (separate) {
        term_build_key(builder, "other");
        term_build_unsigned(builder, others);
    }
}
