#include <stdio.h>
#include <string.h>

#include "faults_private.h"
#include "term/term_read.h"
#include "term/term_text.h"

/* What the configuration forbids. */
/* %{rule:, kind:, target:, message:} */
static void build_refusal(const char *rule, const char *kind, struct term target,
                          struct term_builder *builder)
{
    char whom[300], text[600];
    term_build_map(builder, 4);
    term_build_key(builder, "rule");
    term_build_text(builder, rule);
    term_build_key(builder, "kind");
    term_build_atom(builder, kind);
    term_build_key(builder, "target");
    if (target.data)
        term_build_term(builder, target);
    else
        term_build_atom(builder, "nil");
    term_build_key(builder, "message");
    if (target.data)
        snprintf(text, sizeof(text), "%s of %s is not allowed by %s", kind,
                 term_text(target, whom, sizeof(whom)), rule);
    else
        snprintf(text, sizeof(text), "%s is not allowed by %s", kind, rule);
    term_build_text(builder, text);
}

static bool forbids_kind(const struct run *run, const struct fault_kind *kind, struct term_builder *builder)
{
    const struct blast_radius *radius = runner_blast_radius(run->runner);
    const char *rule = radius->forbids_kind(radius->owner, kind->name);
    if (rule)
        build_refusal(rule, kind->name, (struct term){0}, builder);
    return rule != NULL;
}

static bool forbids_node(const struct run *run, const struct fault_kind *kind, const char *node,
                         struct term_builder *builder)
{
    const struct blast_radius *radius = runner_blast_radius(run->runner);
    const char *rule = radius->forbids_node(radius->owner, node);
    struct term_builder name = {0};
    if (!rule)
        return false;
    term_build_atom(&name, node);
    build_refusal(rule, kind->name, term_built(&name), builder);
    term_build_free(&name);
    return true;
}

static bool forbids_process(const struct run *run, const struct fault_kind *kind,
                            const struct candidate *candidate, struct term_builder *builder)
{
    const struct blast_radius *radius = runner_blast_radius(run->runner);
    char name[TERM_ATOM_BYTES + 1], application[TERM_ATOM_BYTES + 1], node[TERM_ATOM_BYTES + 1];
    struct term owner;
    if (term_type(candidate->pid) != TERM_PID)
        return false;
    if (!term_read_atom(candidate->name, name) || !term_read_atom(candidate->application, application) ||
        !term_read_node(candidate->pid, &owner) || !term_read_atom(owner, node)) {
        /* nobody knows whether it may be */
        build_refusal("access.names.allow", kind->name, candidate->pid, builder);
        return true;
    }
    const char *rule = radius->forbids_node(radius->owner, node);
    if (!rule)
        rule = radius->forbids_process(radius->owner, name, application);
    if (rule)
        build_refusal(rule, kind->name, candidate->pid, builder);
    return rule != NULL;
}

/* A node that stands alone is a group of its own. */
static bool forbids_groups(const struct run *run, const struct fault_action *action,
                           struct term_builder *builder)
{
    struct term_list groups, group;
    struct term element, node;
    char name[TERM_ATOM_BYTES + 1];
    if (!term_list_start(&groups, action->values[FAULT_NODES].term))
        return false;
    while (term_list_next(&groups, &element)) {
        if (term_read_atom(element, name) && forbids_node(run, action->kind, name, builder))
            return true;
        if (!term_list_start(&group, element))
            continue;
        while (term_list_next(&group, &node))
            if (term_read_atom(node, name) && forbids_node(run, action->kind, name, builder))
                return true;
    }
    return false;
}

bool chaos_forbids_action(const struct run *run, const struct fault_action *action,
                          struct term_builder *builder)
{
    const struct fault_target *target = &action->target;
    char name[TERM_ATOM_BYTES + 1];
    if (forbids_kind(run, action->kind, builder))
        return true;
    if (action->kind->doing == FAULT_SPLIT)
        return forbids_groups(run, action, builder);
    if (action->kind->doing == FAULT_HALT)
        return term_read_atom(action->values[FAULT_NODE].term, name) &&
               forbids_node(run, action->kind, name, builder);
    if (target->kind != FAULT_TARGET_SUBJECT)
        return chaos_names_node(&target->spec) && forbids_node(run, action->kind, target->spec.node, builder);
    for (size_t i = 0; !run->scenario->setup.data && i < run->scenario->target_count; i++) {
        const struct target_spec *spec = &run->scenario->targets[i];
        if (chaos_names_node(spec) && forbids_node(run, action->kind, spec->node, builder))
            return true;
    }
    return false;
}

bool chaos_forbids(const struct run_chaos *chaos, const struct injection *injection,
                   struct term_builder *builder)
{
    const struct fault_kind *kind = injection->action->kind;
    const char *node = injection_nodes(injection);
    struct candidate supervisor = {.pid = injection->supervisor_pid,
                                   .name = injection->supervisor_name,
                                   .application = injection->supervisor_application};
    if (forbids_kind(chaos->run, kind, builder))
        return true;
    if (supervisor.pid.data && forbids_process(chaos->run, kind, &supervisor, builder))
        return true;
    for (size_t i = 0; i < injection->candidate_count; i++)
        if (forbids_process(chaos->run, kind, &injection->candidates[i], builder))
            return true;
    for (size_t i = 0; i < injection->node_count; i++, node += strlen(node) + 1)
        if (forbids_node(chaos->run, kind, node, builder))
            return true;
    return false;
}
