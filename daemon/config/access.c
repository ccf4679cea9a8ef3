#include "config/access.h"

#include <fnmatch.h>

#include "access_private.h"

bool access_matches(const struct config_list *patterns, const char *name)
{
    for (size_t i = 0; i < patterns->count; i++)
        if (fnmatch(patterns->items[i], name, 0) == 0)
            return true;
    return false;
}

/* The path of the rule that forbids it, or NULL. */
static const char *access_forbids(const struct config_list *allowed, const struct config_list *denied,
                                  const char *name, const char *const rules[2])
{
    if (access_matches(denied, name))
        return rules[1];
    return access_matches(allowed, name) ? NULL : rules[0];
}

static const char *access_forbids_kind(void *owner, const char *kind)
{
    static const char *const rules[] = {"access.chaos.allow", "access.chaos.deny"};
    const struct config *config = owner;
    return access_forbids(&config->allowed_chaos, &config->denied_chaos, kind, rules);
}

static const char *access_forbids_node(void *owner, const char *node)
{
    static const char *const rules[] = {"access.targets.allow", "access.targets.deny"};
    const struct config *config = owner;
    return access_forbids(&config->allowed_targets, &config->denied_targets, node, rules);
}

static const char *access_forbids_process(void *owner, const char *name, const char *application)
{
    static const char *const name_rules[] = {"access.names.allow", "access.names.deny"};
    static const char *const application_rules[] = {"access.applications.allow", "access.applications.deny"};
    const struct config *config = owner;
    const char *rule = access_forbids(&config->allowed_names, &config->denied_names, name, name_rules);
    return rule ? rule
                : access_forbids(&config->allowed_applications, &config->denied_applications, application,
                                 application_rules);
}

struct blast_radius access_blast_radius(struct config *config)
{
    return (struct blast_radius){.forbids_kind = access_forbids_kind,
                                 .forbids_node = access_forbids_node,
                                 .forbids_process = access_forbids_process,
                                 .owner = config};
}

/* Whether an item is about the node, and about the function, or (NULL) about whether it may connect. */
static bool access_is_about(const struct config_caller *caller, const char *node, const char *function)
{
    if (fnmatch(caller->pattern, node, 0) != 0)
        return false;
    return !caller->names_functions || !function || access_matches(&caller->functions, function);
}

bool access_allows_caller(const struct config *config, const char *node)
{
    const struct config_callers *denied = &config->denied_callers, *allowed = &config->allowed_callers;
    for (size_t i = 0; i < denied->count; i++)
        if (!denied->items[i].names_functions && access_is_about(&denied->items[i], node, NULL))
            return false;
    for (size_t i = 0; i < allowed->count; i++)
        if (access_is_about(&allowed->items[i], node, NULL))
            return true;
    return false;
}

/* Also of nodes that may not connect: the daemon may have dialled them. */
const char *access_forbids_function(const struct config *config, const char *node, const char *function)
{
    const struct config_callers *denied = &config->denied_callers, *allowed = &config->allowed_callers;
    for (size_t i = 0; i < denied->count; i++)
        if (access_is_about(&denied->items[i], node, function))
            return "access.callers.deny";
    for (size_t i = 0; i < allowed->count; i++)
        if (access_is_about(&allowed->items[i], node, function))
            return NULL;
    return "access.callers.allow";
}
