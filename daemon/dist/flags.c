#include "dist/flags.h"

#include <stdio.h>

#include "base/compiler.h"

static const struct {
    uint64_t flag;
    const char *name;
} flag_names[] = {
    {FLAG_EXTENDED_REFERENCES, "EXTENDED_REFERENCES"},
    {FLAG_DIST_MONITOR, "DIST_MONITOR"},
    {FLAG_FUN_TAGS, "FUN_TAGS"},
    {FLAG_DIST_MONITOR_NAME, "DIST_MONITOR_NAME"},
    {FLAG_NEW_FUN_TAGS, "NEW_FUN_TAGS"},
    {FLAG_EXTENDED_PIDS_PORTS, "EXTENDED_PIDS_PORTS"},
    {FLAG_EXPORT_PTR_TAG, "EXPORT_PTR_TAG"},
    {FLAG_BIT_BINARIES, "BIT_BINARIES"},
    {FLAG_NEW_FLOATS, "NEW_FLOATS"},
    {FLAG_UTF8_ATOMS, "UTF8_ATOMS"},
    {FLAG_MAP_TAG, "MAP_TAG"},
    {FLAG_BIG_CREATION, "BIG_CREATION"},
    {FLAG_HANDSHAKE_23, "HANDSHAKE_23"},
    {FLAG_UNLINK_ID, "UNLINK_ID"},
    {FLAG_SPAWN, "SPAWN"},
    {FLAG_V4_NC, "V4_NC"},
    {FLAG_ALIAS, "ALIAS"},
};

uint64_t flags_expand(uint64_t flags)
{
    return flags & FLAG_MANDATORY_25_DIGEST ? flags | FLAGS_MANDATORY_25 : flags;
}

char *flags_missing(uint64_t wanted, uint64_t offered, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < ARRAY_LENGTH(flag_names); i++) {
        if (!(flag_names[i].flag & wanted & ~offered))
            continue;
        int written = snprintf(text + used, size - used, "%s%s", used ? " " : "", flag_names[i].name);
        if (written < 0 || (size_t)written >= size - used)
            break;
        used += (size_t)written;
    }
    return text;
}
