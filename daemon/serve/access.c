#include "serve/access.h"

#include <fnmatch.h>

static bool matches(const struct config_list *patterns, const char *name)
{
    for (size_t i = 0; i < patterns->count; i++)
        if (fnmatch(patterns->items[i], name, 0) == 0)
            return true;
    return false;
}

bool access_allows_caller(const struct config *config, const char *node)
{
    return !matches(&config->denied_callers, node) && matches(&config->allowed_callers, node);
}
