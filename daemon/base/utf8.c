#include "base/utf8.h"

#include <string.h>

/* By the number of bytes: the bits of the first byte that say so, and the least character that needs as
 * many. */
static const struct {
    uint8_t mask, lead;
    uint32_t least;
} lengths[] = {
    {0x80, 0x00, 0},
    {0xe0, 0xc0, 0x80},
    {0xf0, 0xe0, 0x800},
    {0xf8, 0xf0, 0x10000},
};

size_t utf8_decode(const uint8_t *text, size_t size, uint32_t *character)
{
    for (size_t extra = 0; extra < ARRAY_LENGTH(lengths) && extra < size; extra++) {
        if ((text[0] & lengths[extra].mask) != lengths[extra].lead)
            continue;
        uint32_t value = text[0] & (uint8_t)~lengths[extra].mask;
        for (size_t i = 1; i <= extra; i++) {
            if ((text[i] & 0xc0) != 0x80)
                return 0;
            value = value << 6 | (text[i] & 0x3f);
        }
        if (value < lengths[extra].least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
            return 0;
        *character = value;
        return extra + 1;
    }
    return 0;
}

size_t utf8_encode(uint32_t character, uint8_t *text)
{
    size_t extra = 0;
    while (extra + 1 < ARRAY_LENGTH(lengths) && character >= lengths[extra + 1].least)
        extra++;
    for (size_t i = extra; i > 0; i--) {
        text[i] = (uint8_t)(0x80 | (character & 0x3f));
        character >>= 6;
    }
    text[0] = (uint8_t)(lengths[extra].lead | character);
    return extra + 1;
}

bool utf8_count(const uint8_t *text, size_t size, size_t *characters)
{
    size_t count = 0;
    uint32_t character;
    for (size_t at = 0; at < size; count++) {
        size_t length = utf8_decode(text + at, size - at, &character);
        if (!length)
            return false;
        at += length;
    }
    *characters = count;
    return true;
}

bool utf8_is_ascii(const uint8_t *text, size_t size)
{
    uint64_t seen = 0;
    for (; size >= sizeof(seen); text += sizeof(seen), size -= sizeof(seen)) {
        uint64_t eight;
        memcpy(&eight, text, sizeof(eight));
        seen |= eight;
    }
    for (; size; size--)
        seen |= *text++;
    return !(seen & 0x8080808080808080ULL);
}
