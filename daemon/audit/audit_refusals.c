#include "audit_refusals_private.h"

#include <stdio.h>
#include <string.h>

static bool refusals_is_free(const struct audit_refused_node *node, uint64_t now_ns)
{
    return node->due_ns <= now_ns && !node->omitted;
}

/* The node's own row, or one that nobody needs, or the last. */
static struct audit_refused_node *refusals_find(struct audit_refusals *refusals, const char *name,
                                                uint64_t now_ns)
{
    struct audit_refused_node *free_row = NULL;
    for (size_t i = 0; i < AUDIT_REFUSED_NODES_MOST; i++) {
        struct audit_refused_node *row = &refusals->nodes[i];
        if (strcmp(row->name, name) == 0)
            return row;
        if (!free_row && refusals_is_free(row, now_ns))
            free_row = row;
    }
    if (!free_row)
        return &refusals->nodes[AUDIT_REFUSED_NODES_MOST];
    snprintf(free_row->name, sizeof(free_row->name), "%s", name);
    return free_row;
}

bool audit_refusals_admit(struct audit_refusals *refusals, const char *node, uint64_t now_ns)
{
    struct audit_refused_node *row = refusals_find(refusals, node, now_ns);
    if (row->due_ns < now_ns)
        row->due_ns = now_ns;
    if (row->due_ns - now_ns > (AUDIT_REFUSALS_AT_ONCE - 1) * AUDIT_REFUSAL_NS) {
        row->omitted++;
        return false;
    }
    row->due_ns += AUDIT_REFUSAL_NS;
    return true;
}

const char *audit_refusals_take(struct audit_refusals *refusals, uint64_t *omitted)
{
    for (size_t i = 0; i <= AUDIT_REFUSED_NODES_MOST; i++) {
        struct audit_refused_node *row = &refusals->nodes[i];
        if (!row->omitted)
            continue;
        *omitted = row->omitted;
        row->omitted = 0;
        return row->name;
    }
    return NULL;
}
