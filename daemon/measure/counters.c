#include "measure/counters.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "term/term_long.h"
#include "term/term_read.h"
#include "term/term_text.h"

#define DIGITS 3

const char *const error_kind_names[ERROR_KINDS] = {
    [ERROR_TIMEOUT] = "timeout",       [ERROR_NOPROC] = "noproc",
    [ERROR_NODEDOWN] = "nodedown",     [ERROR_EXIT] = "exit",
    [ERROR_RAISED] = "raised",         [ERROR_MISSING_SYNC] = "missing_sync_handler",
    [ERROR_UNEXPECTED] = "unexpected", [ERROR_TOO_LARGE] = "message_too_large",
};

void counters_init(struct counters *counters)
{
    *counters = (struct counters){0};
    histogram_init(&counters->response, DIGITS);
    histogram_init(&counters->service, DIGITS);
}

void counters_free(struct counters *counters)
{
    histogram_free(&counters->response);
    histogram_free(&counters->service);
    for (size_t i = 0; i < ARRAY_LENGTH(counters->named); i++)
        free(counters->named[i]);
}

static uint64_t counters_sum(const uint64_t *counts, size_t count)
{
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++)
        all += counts[i];
    return all;
}

uint64_t counters_all_finished(const struct counters *counters)
{
    return counters_sum(counters->finished, OUTCOME_COUNT);
}

uint64_t counters_all_errors(const struct counters *counters)
{
    return counters_sum(counters->errors, ERROR_KINDS);
}

/* {nodedown, Node}. Nobody looks for the end of a long one. */
static bool counters_is_nodedown(struct term reason)
{
    const struct term_head head = term_read_head(reason.data);
    struct term first = {reason.data + head.size, reason.size - head.size};
    size_t left = 1;
    return term_type(reason) == TERM_TUPLE && head.values == 2 && term_long_first(first, &left, &first) &&
           term_is_atom(first, "nodedown");
}

void counters_add_operation(struct counters *counters, enum result_kind kind, struct term reason)
{
    static const enum error_kind kinds[] = {[RESULT_TIMEOUT] = ERROR_TIMEOUT,
                                            [RESULT_NOPROC] = ERROR_NOPROC,
                                            [RESULT_EXIT] = ERROR_EXIT,
                                            [RESULT_MISSING_SYNC] = ERROR_MISSING_SYNC,
                                            [RESULT_RAISED] = ERROR_RAISED,
                                            [RESULT_CAUGHT] = ERROR_RAISED,
                                            [RESULT_UNEXPECTED] = ERROR_UNEXPECTED,
                                            [RESULT_TOO_LARGE] = ERROR_TOO_LARGE};
    counters->operations++;
    if (kind == RESULT_EXIT && counters_is_nodedown(reason))
        counters->errors[ERROR_NODEDOWN]++;
    else if (kind != RESULT_OK)
        counters->errors[kinds[kind]]++;
}

/* A text is its own name; what has no room ends at a character. */
static void counters_write_name(struct term name, char text[COUNTERS_NAME_BYTES])
{
    char printed[2 * COUNTERS_NAME_BYTES];
    const uint8_t *bytes;
    uint32_t character;
    size_t size, kept = 0, length = 0;
    if (!term_read_binary(name, &bytes, &size)) {
        bytes = (const uint8_t *)term_text(name, printed, sizeof(printed));
        size = strlen(printed);
    }
    do {
        kept += length;
        length = utf8_decode(bytes + kept, size - kept, &character);
    } while (length && kept + length < COUNTERS_NAME_BYTES);
    memcpy(text, bytes, kept);
    text[kept] = '\0';
}

struct counters_row *counters_row_of(struct counters *counters, struct term name)
{
    char text[COUNTERS_NAME_BYTES];
    size_t number = 0;
    counters_write_name(name, text);
    if (strcmp(text, "other") == 0)
        number = COUNTERS_NAMES;
    while (number < counters->named_count && strcmp(counters->named[number]->name, text) != 0)
        number++;
    if (!counters->named[number]) {
        counters->named[number] = memory_zalloc(1, sizeof(**counters->named));
        counters->named_count += number < COUNTERS_NAMES;
        snprintf(counters->named[number]->name, COUNTERS_NAME_BYTES, "%s",
                 number < COUNTERS_NAMES ? text : "other");
    }
    return counters->named[number];
}

void counters_add_fault(struct counters *counters, size_t kind)
{
    assert(kind < COUNTERS_FAULTS);
    counters->faults[kind]++;
}
