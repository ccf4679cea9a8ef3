#include "term_float_private.h"

#include <ei.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOAT_TEXT_BYTES 31

static const char *float_skip_digits(const char *text)
{
    return text + strspn(text, "0123456789");
}

static const char *float_skip_sign(const char *text)
{
    return *text == '+' || *text == '-' ? text + 1 : text;
}

/* What a node takes in FLOAT_EXT: digits, a point, digits, and perhaps an exponent. strtod() alone would take
 * "nan", hexadecimal and leading blanks as well. */
static bool float_is_text(const char *text)
{
    const char *whole = float_skip_sign(text);
    const char *point = float_skip_digits(whole);
    if (point == whole || *point != '.')
        return false;
    const char *end = float_skip_digits(point + 1);
    if (end == point + 1)
        return false;
    if (*end == 'e' || *end == 'E') {
        const char *exponent = float_skip_sign(end + 1);
        end = float_skip_digits(exponent);
        if (end == exponent)
            return false;
    }
    return *end == '\0';
}

bool term_float_decode(const uint8_t *data, double *value)
{
    double number;
    if (*data == TERM_TAG_NEW_FLOAT) {
        int index = 0;
        if (ei_decode_double((const char *)data, &index, &number))
            return false;
    } else {
        /* ei reads the text of FLOAT_EXT with sscanf(), which looks for a NUL beyond the 31 bytes. */
        char text[FLOAT_TEXT_BYTES + 1] = {0};
        memcpy(text, data + 1, FLOAT_TEXT_BYTES);
        if (!memchr(data + 1, '\0', FLOAT_TEXT_BYTES) || !float_is_text(text))
            return false;
        number = strtod(text, NULL);
    }
    if (!isfinite(number))
        return false;
    *value = number;
    return true;
}

void term_float_text(double value, char text[TERM_FLOAT_TEXT_BYTES])
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, TERM_FLOAT_TEXT_BYTES, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    char *whole = text + strspn(text, "-0123456789");
    if (*whole == '.')
        return;
    memmove(whole + 2, whole, strlen(whole) + 1);
    memcpy(whole, ".0", 2);
}
