#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "faults_private.h"
#include "term/term_read.h"

/* --- Nodes --- */

bool find_names_node(const struct target_spec *spec)
{
    return spec->kind == TARGET_PID || spec->kind == TARGET_NAME;
}

static void find_add_node(struct injection *injection, const char *node)
{
    const char *known = injection_nodes(injection);
    for (size_t i = 0; i < injection->node_count; i++, known += strlen(known) + 1)
        if (strcmp(known, node) == 0)
            return;
    buffer_append(&injection->nodes, node, strlen(node) + 1);
    injection->node_count++;
}

static void find_add_groups(struct injection *injection, struct term term)
{
    struct term_list groups;
    struct term element;
    char name[TERM_ATOM_BYTES + 1];
    bool is_list = term_list_start(&groups, term);
    assert(is_list);
    while (term_list_next(&groups, &element)) {
        if (term_read_atom(element, name))
            find_add_node(injection, name);
        else
            find_add_groups(injection, element);
    }
}

/* The targets that an action is for: its own, or those of the scenario. */
static size_t find_spec_count(const struct faults *faults, const struct fault_action *action)
{
    return action->target.kind == FAULT_TARGET_SUBJECT ? faults->options.scenario->target_count : 1;
}

const struct target_spec *find_target_spec(const struct faults *faults, size_t target)
{
    const struct scenario *scenario = faults->options.scenario;
    return scenario->setup.data ? faults->options.subject : &scenario->targets[target];
}

static const struct target_spec *find_spec_of(const struct faults *faults, const struct fault_action *action,
                                              size_t index)
{
    return action->target.kind != FAULT_TARGET_SUBJECT ? &action->target.spec
                                                       : find_target_spec(faults, index);
}

static void find_nodes(struct faults *faults, struct injection *injection)
{
    const struct fault_action *action = injection->action;
    char name[TERM_ATOM_BYTES + 1];
    if (action->kind->doing == FAULT_SPLIT) {
        find_add_groups(injection, action->values[FAULT_NODES].term);
        return;
    }
    if (action->kind->doing == FAULT_HALT) {
        if (term_read_atom(action->values[FAULT_NODE].term, name))
            find_add_node(injection, name);
        return;
    }
    for (size_t i = 0; i < find_spec_count(faults, action); i++)
        if (find_names_node(find_spec_of(faults, action, i)))
            find_add_node(injection, find_spec_of(faults, action, i)->node);
}

/* --- Looking for processes --- */

/* {find, {process | children | pg | hook, What}}; a server as the node itself would call it. */
static void find_build_server(const char *what, const struct target_spec *spec, struct term_builder *builder)
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
    case TARGET_CHILDREN:
    case TARGET_FIND:
        term_build_term(builder, spec->name);
        break;
    case TARGET_PG:
        term_build_tuple(builder, 2);
        term_build_atom(builder, spec->module);
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

static void find_build_request(const struct fault_action *action, const struct target_spec *spec,
                               struct term_builder *builder)
{
    static const char *const several[] = {
        [TARGET_CHILDREN] = "children", [TARGET_PG] = "pg", [TARGET_FIND] = "hook"};
    enum fault_target_kind kind = action->target.kind;
    bool has_children = kind == FAULT_TARGET_CHILDREN || kind == FAULT_TARGET_CHILD;
    if (target_is_several(spec->kind)) {
        find_build_server(several[spec->kind], spec, builder);
        return;
    }
    if (action->kind->victim == FAULT_TARGET_NODE) { /* where it is */
        find_build_server("process", spec, builder);
        return;
    }
    if (kind != FAULT_TARGET_APPLICATION && kind != FAULT_TARGET_MODULE) {
        has_children |= action->kind->victim == FAULT_SUPERVISOR;
        find_build_server(has_children ? "children" : "process", spec, builder);
        return;
    }
    term_build_tuple(builder, 2);
    term_build_atom(builder, "find");
    term_build_tuple(builder, 2);
    term_build_atom(builder, kind == FAULT_TARGET_APPLICATION ? "application" : "module");
    term_build_term(builder, spec->name);
}

static void find_keep_failure(struct injection *injection, const char *reason)
{
    struct term_builder atom = {0};
    term_build_atom(&atom, reason);
    term_keep(&injection->failure, term_built(&atom));
    term_build_free(&atom);
}

static void find_ask(struct faults *faults, struct injection *injection, size_t part, const char *node,
                     struct term request)
{
    struct agent *agent = agents_of(&faults->agents, node);
    injection->parts[part].agent = agent;
    if (agent) {
        agent_ask(agent, faults_number(injection, part), request);
    } else {
        find_keep_failure(injection, "noproc"); /* this very node, or none that has a name */
        injection->parts_left--;
    }
}

/* Of a kind that is done to nodes, targets are asked for that do not name their node. */
static bool find_is_asked(const struct fault_action *action, const struct target_spec *spec)
{
    bool names_nodes = action->kind->doing == FAULT_SPLIT || action->kind->doing == FAULT_HALT;
    return action->kind->victim != FAULT_TARGET_NODE || (!names_nodes && !find_names_node(spec));
}

/* {find, {exported, Module, Function, Arity}} of a function that is to be applied, else what is answered by
 * any node that is there. */
static void find_build_check(const struct fault_action *action, struct term_builder *builder)
{
    const struct fault_value *values = action->values;
    struct term_list arguments;
    term_build_tuple(builder, 2);
    term_build_atom(builder, "find");
    if (values[FAULT_FUNCTION].term.data && term_list_start(&arguments, values[FAULT_ARGUMENTS].term)) {
        term_build_tuple(builder, 4);
        term_build_atom(builder, "exported");
        term_build_term(builder, values[FAULT_MODULE].term);
        term_build_term(builder, values[FAULT_FUNCTION].term);
        term_build_unsigned(builder, arguments.count);
        return;
    }
    term_build_tuple(builder, 2);
    term_build_atom(builder, "facts");
    term_build_list(builder, 0);
}

/* A dry run has no other way to know whether the nodes are there that it names. */
static void find_check_nodes(struct faults *faults, struct injection *injection, size_t first)
{
    const char *node = injection_nodes(injection);
    struct term_builder request = {0};
    find_build_check(injection->action, &request);
    for (size_t i = first; i < injection->part_count; i++, node += strlen(node) + 1)
        find_ask(faults, injection, i, node, term_built(&request));
    term_build_free(&request);
}

static void find_ask_all(struct faults *faults, struct injection *injection, size_t count)
{
    const struct fault_action *action = injection->action;
    for (size_t i = 0; i < count; i++) {
        const struct target_spec *spec = find_spec_of(faults, action, i);
        struct term_builder request = {0};
        if (find_is_asked(action, spec)) {
            find_build_request(action, spec, &request);
            find_ask(faults, injection, i, spec->node, term_built(&request));
        } else {
            injection->parts_left--;
        }
        term_build_free(&request);
    }
}

bool find_start(struct faults *faults, struct injection *injection)
{
    const struct fault_action *action = injection->action;
    size_t count = find_spec_count(faults, action);
    if (action->kind->victim == FAULT_SUPERVISOR && count > 1) {
        count = 0;
        find_keep_failure(injection, "several_targets");
    }
    injection->state = INJECTION_FINDING;
    if (action->kind->victim == FAULT_TARGET_NODE)
        find_nodes(faults, injection);
    bool checks = injection->is_plan && faults->options.scenario->dry_run;
    size_t nodes = checks ? injection->node_count : 0;
    faults_expect(faults, injection, count + nodes);
    injection->answers = memory_zalloc(count + nodes, sizeof(*injection->answers));
    injection->answer_count = count + nodes;
    find_ask_all(faults, injection, count);
    find_check_nodes(faults, injection, count);
    return injection->parts_left > 0;
}

/* {elsewhere, Pid}: whom the name stands for is on another node, which is asked in its turn. */
static void find_follow(struct faults *faults, struct injection *injection, size_t part, struct term pid)
{
    struct term node;
    char name[TERM_ATOM_BYTES + 1] = "";
    const struct fault_action *action = injection->action;
    bool is_several =
        part < find_spec_count(faults, action) && target_is_several(find_spec_of(faults, action, part)->kind);
    struct target_spec spec = {.kind = is_several ? TARGET_CHILDREN : TARGET_PID, .server = pid, .name = pid};
    if (!term_read_node(pid, &node) || !term_read_atom(node, name) ||
        !node_name_is_valid(name, strlen(name))) {
        find_keep_failure(injection, "noproc");
        injection->parts_left--;
        return;
    }
    struct term_builder request = {0};
    find_build_request(action, &spec, &request);
    find_ask(faults, injection, part, name, term_built(&request));
    term_build_free(&request);
}

/* {Id, Pid, Name, Application, Called}, or {Id, Pid} of one that is on another node. */
static bool find_read_candidate(struct term term, struct candidate *candidate)
{
    struct term parts[5];
    size_t arity = 0;
    if (!term_read_tuple(term, 5, parts, &arity) || (arity != 2 && arity != 5))
        return false;
    *candidate = (struct candidate){.id = parts[0], .pid = parts[1], .is_elsewhere = arity == 2};
    if (arity == 5) {
        candidate->name = parts[2];
        candidate->application = parts[3];
        candidate->called = parts[4];
    }
    return true;
}

/* {found, Supervisor | none, [{Id, Pid, Name, Application}]} */
static void find_read_found(struct injection *injection, const struct buffer *answer)
{
    struct term parts[3], element;
    struct term_list list;
    struct candidate supervisor;
    if (!answer->size || !term_read_tuple_of(term_of(answer), 3, parts) || !term_list_start(&list, parts[2]))
        return;
    if (find_read_candidate(parts[1], &supervisor)) {
        injection->supervisor_pid = supervisor.pid;
        injection->supervisor_name = supervisor.name;
        injection->supervisor_application = supervisor.application;
        injection->supervisor_ends = supervisor.id;
        injection->supervisor_called = supervisor.called;
    }
    injection->candidates = memory_resize(injection->candidates, injection->candidate_count + list.count,
                                          sizeof(*injection->candidates));
    while (term_list_next(&list, &element))
        injection->candidate_count +=
            find_read_candidate(element, &injection->candidates[injection->candidate_count]);
}

/* --- Children that are on another node than their supervisor --- */

static bool find_read_node(const struct candidate *candidate, char name[TERM_ATOM_BYTES + 1])
{
    struct term node;
    return term_type(candidate->pid) == TERM_PID && term_read_node(candidate->pid, &node) &&
           term_read_atom(node, name) && node_name_is_valid(name, strlen(name));
}

/* The next that is of another node than those before it, from `index` on; its node is `name`. */
static bool find_next_elsewhere(const struct injection *injection, size_t *index,
                                char name[TERM_ATOM_BYTES + 1])
{
    char other[TERM_ATOM_BYTES + 1];
    for (; *index < injection->candidate_count; (*index)++) {
        bool is_first = true;
        if (!injection->candidates[*index].is_elsewhere ||
            !find_read_node(&injection->candidates[*index], name))
            continue;
        for (size_t i = 0; is_first && i < *index; i++)
            if (injection->candidates[i].is_elsewhere && find_read_node(&injection->candidates[i], other))
                is_first = strcmp(name, other) != 0;
        if (is_first)
            return true;
    }
    return false;
}

/* {find, {facts, Pids}} of those on a node. */
static void find_ask_facts(struct faults *faults, struct injection *injection, size_t part, const char *node)
{
    struct term_builder pids = {0}, request = {0};
    char other[TERM_ATOM_BYTES + 1];
    size_t count = 0;
    for (size_t i = 0; i < injection->candidate_count; i++) {
        const struct candidate *candidate = &injection->candidates[i];
        if (!candidate->is_elsewhere || !find_read_node(candidate, other) || strcmp(other, node) != 0)
            continue;
        term_build_term(&pids, candidate->pid);
        count++;
    }
    term_build_tuple(&request, 2);
    term_build_atom(&request, "find");
    term_build_tuple(&request, 2);
    term_build_atom(&request, "facts");
    term_build_list(&request, count);
    buffer_append(&request.bytes, buffer_bytes(&pids.bytes), pids.bytes.size);
    term_build_nil(&request);
    find_ask(faults, injection, part, node, term_built(&request));
    term_build_free(&pids);
    term_build_free(&request);
}

/* True when some are asked for; one more answer for each node is then awaited. */
static bool find_ask_elsewhere(struct faults *faults, struct injection *injection)
{
    char name[TERM_ATOM_BYTES + 1];
    size_t count = 0, part = 0;
    for (size_t i = 0; find_next_elsewhere(injection, &i, name); i++)
        count++;
    if (!count || injection->is_looking_elsewhere)
        return false;
    injection->is_looking_elsewhere = true;
    faults_expect(faults, injection, count);
    injection->first_elsewhere = injection->answer_count;
    injection->answers =
        memory_resize(injection->answers, injection->answer_count + count, sizeof(*injection->answers));
    memset(injection->answers + injection->answer_count, 0, count * sizeof(*injection->answers));
    injection->answer_count += count;
    for (size_t i = 0; find_next_elsewhere(injection, &i, name); i++)
        find_ask_facts(faults, injection, part++, name);
    return injection->parts_left > 0;
}

/* Facts come in the order of the candidates that were asked for: `next` is where they are likely to be. */
static void find_take_facts(struct injection *injection, const struct candidate *facts, size_t *next)
{
    for (size_t i = 0; i < injection->candidate_count; i++) {
        struct candidate *candidate = &injection->candidates[*next];
        *next = (*next + 1) % injection->candidate_count;
        if (!candidate->is_elsewhere || !term_same(candidate->pid, facts->pid))
            continue;
        candidate->name = facts->name;
        candidate->application = facts->application;
        candidate->called = facts->called;
        candidate->is_elsewhere = false;
        return;
    }
}

/* What their own nodes say of them. Of whom nobody says anything, being dead or out of reach, is left out. */
static void find_settle_elsewhere(struct injection *injection)
{
    struct term parts[3], element;
    struct term_list list;
    struct candidate facts;
    size_t kept = 0, next = 0;
    for (size_t i = injection->first_elsewhere;
         injection->is_looking_elsewhere && i < injection->answer_count; i++) {
        const struct buffer *answer = &injection->answers[i];
        if (!answer->size || !term_read_tuple_of(term_of(answer), 3, parts) ||
            !term_list_start(&list, parts[2]))
            continue;
        while (term_list_next(&list, &element))
            if (find_read_candidate(element, &facts) && !facts.is_elsewhere)
                find_take_facts(injection, &facts, &next);
    }
    for (size_t i = 0; i < injection->candidate_count; i++)
        if (!injection->candidates[i].is_elsewhere)
            injection->candidates[kept++] = injection->candidates[i];
    injection->candidate_count = kept;
}

/* --- Answers --- */

/* The nodes that names have turned out to be on; who is there is of no matter. */
static void find_take_nodes(struct injection *injection)
{
    char name[TERM_ATOM_BYTES + 1];
    for (size_t i = 0; i < injection->candidate_count; i++)
        if (find_read_node(&injection->candidates[i], name))
            find_add_node(injection, name);
    injection->candidate_count = 0;
}

static void find_one_less(struct faults *faults, struct injection *injection)
{
    if (--injection->parts_left)
        return;
    if (!injection->is_looking_elsewhere) {
        for (size_t i = 0; i < injection->answer_count; i++)
            find_read_found(injection, &injection->answers[i]);
        if (find_ask_elsewhere(faults, injection))
            return;
    }
    find_settle_elsewhere(injection);
    if (injection->action->kind->victim == FAULT_TARGET_NODE)
        find_take_nodes(injection);
    faults_found(faults, injection);
}

/* {failed, Why, {Pid, Called}}: of whom that is said, and what people know them by. */
static bool find_read_failure(struct injection *injection, struct term answer)
{
    struct term parts[3], who[2];
    struct term_builder names = {0};
    if (!term_read_tuple_of(answer, 3, parts) || !term_is_atom(parts[0], "failed") ||
        !term_read_tuple_of(parts[2], 2, who))
        return false;
    term_keep(&injection->failure, parts[1]);
    term_build_map(&names, !term_is_atom(who[1], ""));
    if (!term_is_atom(who[1], "")) {
        term_build_term(&names, who[0]);
        term_build_term(&names, who[1]);
    }
    term_keep(&injection->names, term_built(&names));
    term_build_free(&names);
    return true;
}

void find_answered(struct faults *faults, struct injection *injection, size_t part, struct term answer)
{
    struct term parts[2];
    bool is_pair = term_read_tuple_of(answer, 2, parts);
    injection->parts[part].agent = NULL;
    if (is_pair && term_is_atom(parts[0], "elsewhere")) {
        find_follow(faults, injection, part, parts[1]);
        if (injection->parts[part].agent)
            return;
        injection->parts_left++; /* counted just below */
    } else if (is_pair && term_is_atom(parts[0], "failed")) {
        term_keep(&injection->failure, parts[1]);
    } else if (!find_read_failure(injection, answer)) {
        size_t first = injection->is_looking_elsewhere ? injection->first_elsewhere : 0;
        term_keep(&injection->answers[first + part], answer);
    }
    find_one_less(faults, injection);
}

void find_lost(struct faults *faults, struct injection *injection, size_t part, struct term reason)
{
    injection->parts[part].agent = NULL;
    if (term_is_atom(reason, "noconnection"))
        find_keep_failure(injection, "nodedown");
    else
        term_keep(&injection->failure, reason);
    find_one_less(faults, injection);
}
