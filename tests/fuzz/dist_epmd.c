/* Whatever answers on the port of epmd: both decoders take any bytes, and read no further than they reach. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "dist/epmd_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t creation = 0;
    uint16_t port = 0;
    enum epmd_parse alive = epmd_decode_alive(data, size, &creation);
    enum epmd_parse found = epmd_decode_port(data, size, &port);
    assert(alive == EPMD_ACCEPTED || creation == 0);
    assert((found == EPMD_ACCEPTED) == (port != 0));
    /* No bytes are an answer of both kinds. */
    assert(size == 0 || alive == EPMD_MALFORMED || found == EPMD_MALFORMED);
    return 0;
}
