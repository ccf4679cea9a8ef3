/* The messages of epmd (ERTS user's guide, "EPMD Protocol"). Pure: no socket here. */
#ifndef HARNESSD_DIST_EPMD_MESSAGE_H
#define HARNESSD_DIST_EPMD_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Room for any request, and for as much of an answer as is looked at. */
#define EPMD_MESSAGE_BYTES 600
#define EPMD_NAME_BYTES 255

/* Writes ALIVE2_REQ with its length, for a hidden node that speaks the distribution versions 5 to 6; its
 * size, or 0 when the name is empty or too long. */
MUST_CHECK size_t epmd_encode_alive(uint8_t output[EPMD_MESSAGE_BYTES], const char *name, uint16_t port);

/* Writes PORT_PLEASE2_REQ with its length; 0 as above. */
MUST_CHECK size_t epmd_encode_port_please(uint8_t output[EPMD_MESSAGE_BYTES], const char *name);

enum epmd_parse { EPMD_INCOMPLETE, EPMD_REFUSED, EPMD_MALFORMED, EPMD_ACCEPTED };

/* ALIVE2_RESP or ALIVE2_X_RESP. `*creation` is set when it is EPMD_ACCEPTED. */
MUST_CHECK enum epmd_parse epmd_decode_alive(const uint8_t *data, size_t size, uint32_t *creation);

/* PORT2_RESP, as far as the port and the versions: a node that does not speak version 6 is refused. `*port`
 * is set when it is EPMD_ACCEPTED. */
MUST_CHECK enum epmd_parse epmd_decode_port(const uint8_t *data, size_t size, uint16_t *port);

#endif
