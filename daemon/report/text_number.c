#include "report/text_number.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define MS 1000ULL
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

const char *text_count(struct text_number *number, uint64_t count)
{
    char digits[24];
    size_t used = 0;
    int size = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);
    for (int i = 0; i < size; i++) {
        if (i && (size - i) % 3 == 0)
            number->text[used++] = ',';
        number->text[used++] = digits[i];
    }
    number->text[used] = '\0';
    return number->text;
}

const char *text_rate(struct text_number *number, double rate)
{
    if (rate >= 1000)
        return text_count(number, (uint64_t)llround(fmin(rate, 1e18)));
    snprintf(number->text, sizeof(number->text), "%.1f", rate);
    return number->text;
}

/* Three digits that count. */
static void number_print_unit(struct text_number *number, double value, const char *unit)
{
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(number->text, sizeof(number->text), "%.*f %s", decimals, value, unit);
}

const char *text_duration(struct text_number *number, uint64_t microseconds)
{
    unsigned long long us = microseconds;
    if (us < MS)
        snprintf(number->text, sizeof(number->text), "%llu us", us);
    else if (us < SECOND - MS / 2) /* from there on it is rounded up to one */
        number_print_unit(number, (double)us / MS, "ms");
    else if (us < 2 * MINUTE)
        number_print_unit(number, (double)us / SECOND, "s");
    else if (us < 2 * HOUR)
        snprintf(number->text, sizeof(number->text), "%llu min %llu s", us / MINUTE, us % MINUTE / SECOND);
    else
        snprintf(number->text, sizeof(number->text), "%llu h %llu min", us / HOUR, us % HOUR / MINUTE);
    return number->text;
}
