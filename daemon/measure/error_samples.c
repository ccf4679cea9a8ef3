#include "measure/error_samples.h"

#include <stdlib.h>

#include "base/memory.h"
#include "error_class_private.h"
#include "term/term_text.h"

#define OTHERS ERROR_SAMPLES

void error_samples_free(struct error_samples *samples)
{
    for (size_t i = 0; i < samples->count; i++) {
        buffer_free(&samples->items[i].class);
        buffer_free(&samples->items[i].reason);
    }
    free(samples->items);
    buffer_free(&samples->class);
    *samples = (struct error_samples){.items = NULL};
}

/* A reason that is too long is kept as a text of its beginning. */
static void samples_keep(struct error_sample *sample, const struct term_long *reason)
{
    struct term_builder builder = {0};
    if (term_long_size(reason) <= ERROR_SAMPLE_BYTES) {
        buffer_append(&sample->reason, reason->head.data, reason->head.size);
        buffer_append(&sample->reason, reason->tail.data, reason->tail.size);
        buffer_fit(&sample->reason);
        return;
    }
    char *text = memory_alloc(ERROR_SAMPLE_BYTES);
    term_build_text(&builder, term_long_text(reason, text, ERROR_SAMPLE_BYTES));
    term_keep(&sample->reason, term_built(&builder));
    term_build_free(&builder);
    free(text);
}

static size_t samples_class_of(struct error_samples *samples, const struct term_long *reason,
                               uint32_t operation, uint64_t at_us)
{
    size_t index = 0;
    buffer_truncate(&samples->class, 0);
    error_class(reason, &samples->class);
    while (index < samples->count &&
           !term_same(term_of(&samples->items[index].class), term_of(&samples->class)))
        index++;
    if (index < samples->count || index == ERROR_SAMPLES)
        return index;
    if (!samples->items)
        samples->items = memory_zalloc(ERROR_SAMPLES, sizeof(*samples->items));
    struct error_sample *sample = &samples->items[samples->count++];
    *sample = (struct error_sample){.operation = operation, .first_us = at_us};
    term_keep(&sample->class, term_of(&samples->class));
    samples_keep(sample, reason);
    return index;
}

size_t error_samples_count(struct error_samples *samples, size_t number, const struct term_long *reason,
                           uint32_t operation, uint64_t at_us)
{
    size_t known = number < ERRORS_REASONS ? samples->of_reasons[number] : 0;
    size_t index = known ? known - 1 : samples_class_of(samples, reason, operation, at_us);
    if (number < ERRORS_REASONS)
        samples->of_reasons[number] = (uint8_t)(index + 1);
    error_samples_count_again(samples, index, at_us);
    return index;
}

void error_samples_count_again(struct error_samples *samples, size_t place, uint64_t at_us)
{
    if (place == OTHERS) {
        samples->others++;
        return;
    }
    samples->items[place].count++;
    samples->items[place].last_us = at_us;
}
