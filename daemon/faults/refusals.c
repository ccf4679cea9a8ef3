#include <stdio.h>
#include <string.h>

#include "faults_private.h"
#include "term/term_read.h"
#include "term/term_text.h"

/* What the configuration forbids. */
/* %{rule:, kind:, target:, message:} */
static void refusals_build_one(const char *rule, const char *kind, struct term target,
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

static bool refusals_forbids_kind(const struct faults *faults, const struct fault_kind *kind,
                                  struct term_builder *builder)
{
    const struct blast_radius *radius = faults->options.radius;
    const char *rule = radius->forbids_kind(radius->owner, kind->name);
    if (rule)
        refusals_build_one(rule, kind->name, (struct term){0}, builder);
    return rule != NULL;
}

static bool refusals_forbids_node(const struct faults *faults, const struct fault_kind *kind,
                                  const char *node, struct term_builder *builder)
{
    const struct blast_radius *radius = faults->options.radius;
    const char *rule = radius->forbids_node(radius->owner, node);
    struct term_builder name = {0};
    if (!rule)
        return false;
    term_build_atom(&name, node);
    refusals_build_one(rule, kind->name, term_built(&name), builder);
    term_build_free(&name);
    return true;
}

/* %{rule:, kind:, target:, name:, asked:, message:} of a process: what it is called, and whom the fault was
 * to be done to as the user has named that. */
static void refusals_build_process(const struct faults *faults, const char *rule,
                                   const struct fault_action *action, const struct candidate *candidate,
                                   struct term_builder *builder)
{
    char pid[300], name[300] = "", asked[300], text[1000];
    struct term_builder target = {0};
    bool is_called = candidate->called.data && !term_is_atom(candidate->called, "");
    misses_build_target(faults, action, &target);
    if (is_called)
        term_text(candidate->called, name, sizeof(name));
    term_text(candidate->pid, pid, sizeof(pid));
    term_text(term_built(&target), asked, sizeof(asked));
    snprintf(text, sizeof(text), "%s of %s (%s%s%s) is not allowed by %s", action->kind->name, asked, pid,
             is_called ? ", " : "", name, rule);
    term_build_map(builder, 6);
    term_build_key(builder, "rule");
    term_build_text(builder, rule);
    term_build_key(builder, "kind");
    term_build_atom(builder, action->kind->name);
    term_build_key(builder, "target");
    term_build_term(builder, candidate->pid);
    term_build_key(builder, "name");
    term_build_term(builder, is_called ? candidate->called : TERM_ATOM("nil"));
    term_build_key(builder, "asked");
    term_build_term(builder, term_built(&target));
    term_build_key(builder, "message");
    term_build_text(builder, text);
    term_build_free(&target);
}

static bool refusals_forbids_process(const struct faults *faults, const struct fault_action *action,
                                     const struct candidate *candidate, struct term_builder *builder)
{
    const struct blast_radius *radius = faults->options.radius;
    char name[TERM_ATOM_BYTES + 1], application[TERM_ATOM_BYTES + 1], node[TERM_ATOM_BYTES + 1];
    struct term owner;
    if (term_type(candidate->pid) != TERM_PID)
        return false;
    if (!term_read_atom(candidate->name, name) || !term_read_atom(candidate->application, application) ||
        !term_read_node(candidate->pid, &owner) || !term_read_atom(owner, node)) {
        /* nobody knows whether it may be */
        refusals_build_process(faults, "access.names.allow", action, candidate, builder);
        return true;
    }
    const char *rule = radius->forbids_node(radius->owner, node);
    if (!rule)
        rule = radius->forbids_process(radius->owner, name, application);
    if (rule)
        refusals_build_process(faults, rule, action, candidate, builder);
    return rule != NULL;
}

/* A node that stands alone is a group of its own. */
static bool refusals_forbids_groups(const struct faults *faults, const struct fault_action *action,
                                    struct term_builder *builder)
{
    struct term_list groups, group;
    struct term element, node;
    char name[TERM_ATOM_BYTES + 1];
    if (!term_list_start(&groups, action->values[FAULT_NODES].term))
        return false;
    while (term_list_next(&groups, &element)) {
        if (term_read_atom(element, name) && refusals_forbids_node(faults, action->kind, name, builder))
            return true;
        if (!term_list_start(&group, element))
            continue;
        while (term_list_next(&group, &node))
            if (term_read_atom(node, name) && refusals_forbids_node(faults, action->kind, name, builder))
                return true;
    }
    return false;
}

bool refusals_of_action(const struct faults *faults, const struct fault_action *action,
                        struct term_builder *builder)
{
    const struct fault_target *target = &action->target;
    char name[TERM_ATOM_BYTES + 1];
    if (refusals_forbids_kind(faults, action->kind, builder))
        return true;
    if (action->kind->doing == FAULT_SPLIT)
        return refusals_forbids_groups(faults, action, builder);
    if (action->kind->doing == FAULT_HALT)
        return term_read_atom(action->values[FAULT_NODE].term, name) &&
               refusals_forbids_node(faults, action->kind, name, builder);
    if (target->kind != FAULT_TARGET_SUBJECT)
        return find_names_node(&target->spec) &&
               refusals_forbids_node(faults, action->kind, target->spec.node, builder);
    for (size_t i = 0; !faults->options.scenario->setup.data && i < faults->options.scenario->target_count;
         i++) {
        const struct target_spec *spec = &faults->options.scenario->targets[i];
        if (find_names_node(spec) && refusals_forbids_node(faults, action->kind, spec->node, builder))
            return true;
    }
    return false;
}

bool refusals_of(const struct faults *faults, const struct injection *injection, struct term_builder *builder)
{
    const struct fault_kind *kind = injection->action->kind;
    const char *node = injection_nodes(injection);
    struct candidate supervisor = {.pid = injection->supervisor_pid,
                                   .name = injection->supervisor_name,
                                   .application = injection->supervisor_application,
                                   .called = injection->supervisor_called};
    if (refusals_forbids_kind(faults, kind, builder))
        return true;
    if (supervisor.pid.data && refusals_forbids_process(faults, injection->action, &supervisor, builder))
        return true;
    for (size_t i = 0; i < injection->candidate_count; i++)
        if (refusals_forbids_process(faults, injection->action, &injection->candidates[i], builder))
            return true;
    for (size_t i = 0; i < injection->node_count; i++, node += strlen(node) + 1)
        if (refusals_forbids_node(faults, kind, node, builder))
            return true;
    return false;
}
