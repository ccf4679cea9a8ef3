#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "chaos.h"
#include "term/term_read.h"
#include "term/term_text.h"

/* --- What the configuration forbids --- */

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

static bool forbids_kind(const struct run *run, const struct chaos_kind *kind, struct term_builder *builder)
{
    const struct blast_radius *radius = runner_blast_radius(run->runner);
    const char *rule = radius->forbids_kind(radius->owner, kind->name);
    if (rule)
        build_refusal(rule, kind->name, (struct term){0}, builder);
    return rule != NULL;
}

static bool forbids_node(const struct run *run, const struct chaos_kind *kind, const char *node,
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

static bool forbids_process(const struct run *run, const struct chaos_kind *kind,
                            const struct candidate *candidate, struct term_builder *builder)
{
    const struct blast_radius *radius = runner_blast_radius(run->runner);
    char name[TERM_ATOM_BYTES + 1] = "", application[TERM_ATOM_BYTES + 1] = "", node[TERM_ATOM_BYTES + 1];
    struct term owner;
    if (term_type(candidate->pid) != TERM_PID)
        return false;
    if (!term_read_atom(candidate->name, name) || !term_read_atom(candidate->application, application) ||
        !term_read_node(candidate->pid, &owner) || !term_read_atom(owner, node))
        return false;
    const char *rule = radius->forbids_node(radius->owner, node);
    if (!rule)
        rule = radius->forbids_process(radius->owner, name, application);
    if (rule)
        build_refusal(rule, kind->name, candidate->pid, builder);
    return rule != NULL;
}

/* A node that stands alone is a group of its own. */
static bool forbids_groups(const struct run *run, const struct chaos_action *action,
                           struct term_builder *builder)
{
    struct term_list groups, group;
    struct term element, node;
    char name[TERM_ATOM_BYTES + 1];
    if (!term_list_start(&groups, action->values[CHAOS_NODES].term))
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

static bool has_pid_or_name(const struct target_spec *spec)
{
    return spec->kind == TARGET_PID || spec->kind == TARGET_NAME;
}

bool chaos_forbids_action(const struct run *run, const struct chaos_action *action,
                          struct term_builder *builder)
{
    const struct chaos_target *target = &action->target;
    char name[TERM_ATOM_BYTES + 1];
    if (forbids_kind(run, action->kind, builder))
        return true;
    if (action->kind->doing == CHAOS_SPLIT)
        return forbids_groups(run, action, builder);
    if (action->kind->doing == CHAOS_HALT)
        return term_read_atom(action->values[CHAOS_NODE].term, name) &&
               forbids_node(run, action->kind, name, builder);
    if (target->kind != CHAOS_TARGET_SUBJECT)
        return has_pid_or_name(&target->spec) && forbids_node(run, action->kind, target->spec.node, builder);
    for (size_t i = 0; !run->scenario->setup.data && i < run->scenario->target_count; i++) {
        const struct target_spec *spec = &run->scenario->targets[i];
        if (has_pid_or_name(spec) && forbids_node(run, action->kind, spec->node, builder))
            return true;
    }
    return false;
}

bool chaos_forbids(const struct run_chaos *chaos, const struct injection *injection,
                   struct term_builder *builder)
{
    const struct chaos_kind *kind = injection->action->kind;
    const char *node = injection->nodes;
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

/* --- Nodes --- */

static void add_node(struct injection *injection, struct buffer *names, const char *node)
{
    const char *known = (const char *)buffer_bytes(names);
    for (size_t i = 0; i < injection->node_count; i++, known += strlen(known) + 1)
        if (strcmp(known, node) == 0)
            return;
    buffer_append(names, node, strlen(node) + 1);
    injection->node_count++;
}

static void add_groups(struct injection *injection, struct buffer *names, struct term term)
{
    struct term_list groups;
    struct term element;
    char name[TERM_ATOM_BYTES + 1];
    bool is_list = term_list_start(&groups, term);
    assert(is_list);
    while (term_list_next(&groups, &element)) {
        if (term_read_atom(element, name))
            add_node(injection, names, name);
        else
            add_groups(injection, names, element);
    }
}

static const struct target_spec *subject_spec(const struct run *run, size_t index)
{
    return run->scenario->setup.data ? &run->subject_spec : &run->scenario->targets[index];
}

void chaos_find_nodes(struct run_chaos *chaos, struct injection *injection)
{
    const struct chaos_action *action = injection->action;
    struct buffer names = {0};
    char name[TERM_ATOM_BYTES + 1];
    injection->node_count = 0;
    if (action->kind->doing == CHAOS_SPLIT) {
        add_groups(injection, &names, action->values[CHAOS_NODES].term);
    } else if (action->kind->doing == CHAOS_HALT) {
        if (term_read_atom(action->values[CHAOS_NODE].term, name))
            add_node(injection, &names, name);
    } else if (action->target.kind != CHAOS_TARGET_SUBJECT) {
        add_node(injection, &names, action->target.spec.node);
    } else {
        for (size_t i = 0; i < chaos->run->scenario->target_count; i++)
            add_node(injection, &names, subject_spec(chaos->run, i)->node);
    }
    free(injection->nodes);
    injection->nodes = memory_copy(buffer_bytes(&names), names.size);
    buffer_free(&names);
}

/* --- Looking for processes --- */

/* {find, {process | children, Server}}; the server as the node itself would call it. */
static void build_server(const char *what, const struct target_spec *spec, struct term_builder *builder)
{
    term_build_tuple(builder, 2);
    term_build_atom(builder, "find");
    term_build_tuple(builder, 2);
    term_build_atom(builder, what);
    switch (spec->kind) {
    case TARGET_PID:
        term_build_term(builder, spec->server);
        break;
    case TARGET_NAME:
        term_build_term(builder, spec->name);
        break;
    case TARGET_GLOBAL:
    case TARGET_VIA:
        term_build_tuple(builder, spec->kind == TARGET_GLOBAL ? 2 : 3);
        term_build_atom(builder, spec->kind == TARGET_GLOBAL ? "global" : "via");
        if (spec->kind == TARGET_VIA)
            term_build_atom(builder, spec->module);
        term_build_term(builder, spec->name);
        break;
    }
}

static void build_request(const struct chaos_action *action, const struct target_spec *spec,
                          struct term_builder *builder)
{
    enum chaos_target_kind kind = action->target.kind;
    bool has_children = kind == CHAOS_TARGET_CHILDREN || kind == CHAOS_TARGET_CHILD;
    if (kind != CHAOS_TARGET_APPLICATION && kind != CHAOS_TARGET_MODULE) {
        has_children |= action->kind->victim == CHAOS_SUPERVISOR;
        build_server(has_children ? "children" : "process", spec, builder);
        return;
    }
    term_build_tuple(builder, 2);
    term_build_atom(builder, "find");
    term_build_tuple(builder, 2);
    term_build_atom(builder, kind == CHAOS_TARGET_APPLICATION ? "application" : "module");
    term_build_term(builder, spec->name);
}

static void keep_failure(struct injection *injection, const char *reason)
{
    struct term_builder atom = {0};
    term_build_atom(&atom, reason);
    run_keep(&injection->failure, term_built(&atom));
    term_build_free(&atom);
}

static void ask(struct run_chaos *chaos, struct injection *injection, size_t part, const char *node,
                struct term request)
{
    struct chaos_agent *agent = chaos_agent_of(&chaos->agents, node);
    injection->parts[part].agent = agent;
    if (agent) {
        chaos_agent_ask(agent, chaos_number(injection, part), request);
    } else {
        keep_failure(injection, "noproc"); /* this very node, or none that has a name */
        injection->parts_left--;
    }
}

bool chaos_find(struct run_chaos *chaos, struct injection *injection)
{
    const struct chaos_action *action = injection->action;
    const struct scenario *scenario = chaos->run->scenario;
    bool is_subject = action->target.kind == CHAOS_TARGET_SUBJECT;
    size_t count = is_subject ? scenario->target_count : 1;
    if (action->kind->victim == CHAOS_SUPERVISOR && count > 1)
        count = 0;
    injection->state = INJECTION_FINDING;
    chaos_expect(chaos, injection, count);
    injection->answers = memory_zalloc(count, sizeof(*injection->answers));
    injection->answer_count = count;
    if (!count)
        keep_failure(injection, "several_targets");
    for (size_t i = 0; i < count; i++) {
        const struct target_spec *spec = is_subject ? subject_spec(chaos->run, i) : &action->target.spec;
        struct term_builder request = {0};
        build_request(action, spec, &request);
        ask(chaos, injection, i, spec->node, term_built(&request));
        term_build_free(&request);
    }
    return injection->parts_left > 0;
}

/* {elsewhere, Pid}: whom the name stands for is on another node, which is asked in its turn. */
static void follow(struct run_chaos *chaos, struct injection *injection, size_t part, struct term pid)
{
    struct term node;
    char name[TERM_ATOM_BYTES + 1] = "";
    const struct chaos_action *action = injection->action;
    struct target_spec spec = {.kind = TARGET_PID, .server = pid};
    if (!term_read_node(pid, &node) || !term_read_atom(node, name) ||
        !node_name_is_valid(name, strlen(name))) {
        keep_failure(injection, "noproc");
        injection->parts_left--;
        return;
    }
    struct term_builder request = {0};
    build_request(action, &spec, &request);
    ask(chaos, injection, part, name, term_built(&request));
    term_build_free(&request);
}

static bool read_candidate(struct term term, struct candidate *candidate)
{
    struct term parts[4];
    if (!term_read_tuple_of(term, 4, parts))
        return false;
    *candidate =
        (struct candidate){.id = parts[0], .pid = parts[1], .name = parts[2], .application = parts[3]};
    return true;
}

/* {found, Supervisor | none, [{Id, Pid, Name, Application}]} */
static void read_found(struct injection *injection, const struct buffer *answer)
{
    struct term parts[3], element;
    struct term_list list;
    struct candidate supervisor;
    if (!answer->size || !term_read_tuple_of(buffer_term(answer), 3, parts) ||
        !term_list_start(&list, parts[2]))
        return;
    if (read_candidate(parts[1], &supervisor)) {
        injection->supervisor_pid = supervisor.pid;
        injection->supervisor_name = supervisor.name;
        injection->supervisor_application = supervisor.application;
    }
    injection->candidates = memory_resize(injection->candidates, injection->candidate_count + list.count,
                                          sizeof(*injection->candidates));
    while (term_list_next(&list, &element))
        injection->candidate_count +=
            read_candidate(element, &injection->candidates[injection->candidate_count]);
}

void chaos_find_answered(struct run_chaos *chaos, struct injection *injection, size_t part,
                         struct term answer)
{
    struct term parts[2];
    injection->parts[part].agent = NULL;
    if (!answer.data) {
        keep_failure(injection, "nodedown");
    } else if (term_read_tuple_of(answer, 2, parts) && term_is_atom(parts[0], "elsewhere")) {
        follow(chaos, injection, part, parts[1]);
        if (injection->parts[part].agent)
            return;
        injection->parts_left++; /* counted just below */
    } else if (term_read_tuple_of(answer, 2, parts) && term_is_atom(parts[0], "failed")) {
        run_keep(&injection->failure, parts[1]);
    } else {
        run_keep(&injection->answers[part], answer);
    }
    if (--injection->parts_left)
        return;
    for (size_t i = 0; i < injection->answer_count; i++)
        read_found(injection, &injection->answers[i]);
    chaos_found(chaos, injection);
}
