/* Capability flags of the distribution handshake (kernel/include/dist.hrl). What two nodes use is what both
 * of them offer. */
#ifndef HARNESSD_DIST_FLAGS_H
#define HARNESSD_DIST_FLAGS_H

#include <stddef.h>
#include <stdint.h>

#define FLAG_PUBLISHED 0x1ULL
#define FLAG_EXTENDED_REFERENCES 0x4ULL
#define FLAG_DIST_MONITOR 0x8ULL
#define FLAG_FUN_TAGS 0x10ULL
#define FLAG_DIST_MONITOR_NAME 0x20ULL
#define FLAG_NEW_FUN_TAGS 0x80ULL
#define FLAG_EXTENDED_PIDS_PORTS 0x100ULL
#define FLAG_EXPORT_PTR_TAG 0x200ULL
#define FLAG_BIT_BINARIES 0x400ULL
#define FLAG_NEW_FLOATS 0x800ULL
#define FLAG_DIST_HDR_ATOM_CACHE 0x2000ULL
#define FLAG_SMALL_ATOM_TAGS 0x4000ULL
#define FLAG_UTF8_ATOMS 0x10000ULL
#define FLAG_MAP_TAG 0x20000ULL
#define FLAG_BIG_CREATION 0x40000ULL
#define FLAG_SEND_SENDER 0x80000ULL
#define FLAG_EXIT_PAYLOAD 0x400000ULL
#define FLAG_FRAGMENTS 0x800000ULL
#define FLAG_HANDSHAKE_23 0x1000000ULL
#define FLAG_UNLINK_ID 0x2000000ULL
#define FLAG_MANDATORY_25_DIGEST 0x4000000ULL
#define FLAG_SPAWN (1ULL << 32)
#define FLAG_NAME_ME (1ULL << 33)
#define FLAG_V4_NC (1ULL << 34)
#define FLAG_ALIAS (1ULL << 35)

/* What OTP 25 demands of every peer; FLAG_MANDATORY_25_DIGEST stands for all of them. */
#define FLAGS_MANDATORY_25                                                                                   \
    (FLAG_EXTENDED_REFERENCES | FLAG_FUN_TAGS | FLAG_NEW_FUN_TAGS | FLAG_EXTENDED_PIDS_PORTS |               \
     FLAG_EXPORT_PTR_TAG | FLAG_BIT_BINARIES | FLAG_NEW_FLOATS | FLAG_UTF8_ATOMS | FLAG_MAP_TAG |            \
     FLAG_BIG_CREATION | FLAG_HANDSHAKE_23)

/* What this node demands: as OTP 26 and later. */
#define FLAGS_MANDATORY (FLAGS_MANDATORY_25 | FLAG_UNLINK_ID | FLAG_V4_NC)

/* What this node can do, all of which it offers unless its configuration says otherwise. PUBLISHED is not
 * among it: the node is hidden. */
#define FLAGS_OFFERED                                                                                        \
    (FLAGS_MANDATORY | FLAG_DIST_MONITOR | FLAG_DIST_MONITOR_NAME | FLAG_SMALL_ATOM_TAGS |                   \
     FLAG_DIST_HDR_ATOM_CACHE | FLAG_SEND_SENDER | FLAG_EXIT_PAYLOAD | FLAG_FRAGMENTS |                      \
     FLAG_MANDATORY_25_DIGEST | FLAG_SPAWN | FLAG_ALIAS)

/* What a peer's flags mean, the digest written out. */
uint64_t flags_expand(uint64_t flags);

/* Names of the flags of `wanted` that `offered` lacks, as "UNLINK_ID V4_NC", into `text`; "" when none is. */
char *flags_missing(uint64_t wanted, uint64_t offered, char *text, size_t size);

#endif
