/* Integers in network order. */
#ifndef HARNESSD_BASE_BYTES_H
#define HARNESSD_BASE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t bytes_get16(const uint8_t *data)
{
    uint16_t value;
    memcpy(&value, data, sizeof(value));
    return be16toh(value);
}

static inline uint32_t bytes_get32(const uint8_t *data)
{
    uint32_t value;
    memcpy(&value, data, sizeof(value));
    return be32toh(value);
}

static inline uint64_t bytes_get64(const uint8_t *data)
{
    uint64_t value;
    memcpy(&value, data, sizeof(value));
    return be64toh(value);
}

static inline void bytes_put16(uint8_t *data, uint16_t value)
{
    value = htobe16(value);
    memcpy(data, &value, sizeof(value));
}

static inline void bytes_put32(uint8_t *data, uint32_t value)
{
    value = htobe32(value);
    memcpy(data, &value, sizeof(value));
}

static inline void bytes_put64(uint8_t *data, uint64_t value)
{
    value = htobe64(value);
    memcpy(data, &value, sizeof(value));
}

#endif
