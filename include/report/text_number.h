/* Numbers for people. */
#ifndef HARNESSD_REPORT_TEXT_NUMBER_H
#define HARNESSD_REPORT_TEXT_NUMBER_H

#include <stdint.h>

struct text_number {
    char text[40];
};

/* 1234567 is 1,234,567. The text of `number` is returned, as by all of these. */
const char *text_count(struct text_number *number, uint64_t count);

/* With one decimal below a thousand. */
const char *text_rate(struct text_number *number, double rate);

/* In the unit that suits it: 850 us, 1.25 ms, 98.3 ms, 1.25 s, 12 min 5 s, 3 h 20 min. */
const char *text_duration(struct text_number *number, uint64_t microseconds);

#endif
