/* Errors by their class, each class with one of them whole. Nothing is done while nothing fails. */
#ifndef HARNESSD_MEASURE_ERROR_SAMPLES_H
#define HARNESSD_MEASURE_ERROR_SAMPLES_H

#include "measure/errors.h"

#define ERROR_SAMPLES 64
#define ERROR_SAMPLE_BYTES 65536

struct error_sample {
    struct buffer class; /* as error_class() has it */
    struct buffer
        reason;         /* the first one, whole, with its stack; a text of its beginning when it is longer */
    uint32_t operation; /* of that one */
    uint64_t count;
    uint64_t first_us; /* since the load has begun */
    uint64_t last_us;
};

struct error_samples {
    struct error_sample *items; /* ERROR_SAMPLES, NULL before the first error */
    size_t count;
    uint64_t others;                    /* of classes that came too late */
    uint8_t of_reasons[ERRORS_REASONS]; /* the class of the errors of this number, from 1; 0: not known */
    struct buffer class;                /* scratch */
};

/* All zero is no samples. */
void error_samples_free(struct error_samples *samples);

/* Counts an error, and returns the place of its class. Whenever `number` comes again, unless it is
 * ERRORS_OTHER, the reason is one of the same class. */
size_t error_samples_count(struct error_samples *samples, size_t number, const struct term_long *reason,
                           uint32_t operation, uint64_t at_us);

/* Counts another one of the class at this place. */
void error_samples_count_again(struct error_samples *samples, size_t place, uint64_t at_us);

#endif
