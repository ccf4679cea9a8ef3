/* The cyclic redundancy check of IEEE 802.3 (as zlib and Ethernet have it): finds what a disk or a torn write
 * has changed, not what somebody changes on purpose. */
#ifndef HARNESSD_BASE_CRC32_H
#define HARNESSD_BASE_CRC32_H

#include <stddef.h>
#include <stdint.h>

/* The check of what `crc` is the check of followed by `size` bytes more; that of nothing is 0. */
uint32_t crc32_add(uint32_t crc, const void *data, size_t size);

#endif
