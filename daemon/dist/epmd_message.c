#include "dist/epmd_message.h"

#include <string.h>

enum epmd_tag {
    TAG_ALIVE2_X_RESP = 118,
    TAG_PORT2_RESP = 119,
    TAG_ALIVE2_REQ = 120,
    TAG_ALIVE2_RESP = 121,
    TAG_PORT_PLEASE2_REQ = 122,
};

#define NODE_TYPE_HIDDEN 72
#define PROTOCOL_TCP 0
#define VERSION_HIGHEST 6
#define VERSION_LOWEST 5
#define VERSION_SPOKEN 6

#define PORT2_RESP_BYTES 10 /* up to the versions */

static uint8_t *epmd_message_put_16(uint8_t *output, size_t value)
{
    output[0] = (uint8_t)(value >> 8);
    output[1] = (uint8_t)value;
    return output + 2;
}

static uint16_t epmd_message_get_16(const uint8_t *data)
{
    return (uint16_t)(data[0] << 8 | data[1]);
}

static uint32_t epmd_message_get_32(const uint8_t *data)
{
    return (uint32_t)epmd_message_get_16(data) << 16 | epmd_message_get_16(data + 2);
}

static uint8_t *epmd_message_put_name(uint8_t *output, const char *name, size_t size)
{
    memcpy(output, name, size);
    return output + size;
}

/* The length in front does not count itself. */
static size_t epmd_message_finish(uint8_t *start, const uint8_t *end)
{
    size_t size = (size_t)(end - start);
    epmd_message_put_16(start, size - 2);
    return size;
}

size_t epmd_encode_alive(uint8_t output[EPMD_MESSAGE_BYTES], const char *name, uint16_t port)
{
    size_t size = strlen(name);
    if (size == 0 || size > EPMD_NAME_BYTES)
        return 0;
    uint8_t *next = output + 2;
    *next++ = TAG_ALIVE2_REQ;
    next = epmd_message_put_16(next, port);
    *next++ = NODE_TYPE_HIDDEN;
    *next++ = PROTOCOL_TCP;
    next = epmd_message_put_16(next, VERSION_HIGHEST);
    next = epmd_message_put_16(next, VERSION_LOWEST);
    next = epmd_message_put_16(next, size);
    next = epmd_message_put_name(next, name, size);
    next = epmd_message_put_16(next, 0); /* nothing extra */
    return epmd_message_finish(output, next);
}

size_t epmd_encode_port_please(uint8_t output[EPMD_MESSAGE_BYTES], const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > EPMD_NAME_BYTES)
        return 0;
    uint8_t *next = output + 2;
    *next++ = TAG_PORT_PLEASE2_REQ;
    return epmd_message_finish(output, epmd_message_put_name(next, name, size));
}

/* A refusal is complete with its second byte, whatever follows it. */
enum epmd_parse epmd_decode_alive(const uint8_t *data, size_t size, uint32_t *creation)
{
    if (size >= 1 && data[0] != TAG_ALIVE2_X_RESP && data[0] != TAG_ALIVE2_RESP)
        return EPMD_MALFORMED;
    if (size < 2)
        return EPMD_INCOMPLETE;
    if (data[1] != 0)
        return EPMD_REFUSED;
    if (size < (data[0] == TAG_ALIVE2_X_RESP ? 6 : 4))
        return EPMD_INCOMPLETE;
    *creation = data[0] == TAG_ALIVE2_X_RESP ? epmd_message_get_32(data + 2) : epmd_message_get_16(data + 2);
    return EPMD_ACCEPTED;
}

enum epmd_parse epmd_decode_port(const uint8_t *data, size_t size, uint16_t *port)
{
    if (size >= 1 && data[0] != TAG_PORT2_RESP)
        return EPMD_MALFORMED;
    if (size < 2)
        return EPMD_INCOMPLETE;
    if (data[1] != 0)
        return EPMD_REFUSED;
    if (size < PORT2_RESP_BYTES)
        return EPMD_INCOMPLETE;
    if (epmd_message_get_16(data + 2) == 0)
        return EPMD_MALFORMED;
    uint16_t highest = epmd_message_get_16(data + 6);
    uint16_t lowest = epmd_message_get_16(data + 8);
    if (data[5] != PROTOCOL_TCP || highest < VERSION_SPOKEN || lowest > VERSION_SPOKEN)
        return EPMD_REFUSED;
    *port = epmd_message_get_16(data + 2);
    return EPMD_ACCEPTED;
}
