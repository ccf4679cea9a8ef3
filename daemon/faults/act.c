#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "faults_private.h"
#include "term/term_read.h"
#include "term/term_text.h"

static bool read_node_of(struct term pid, char name[TERM_ATOM_BYTES + 1])
{
    struct term node;
    return term_type(pid) == TERM_PID && term_read_node(pid, &node) && term_read_atom(node, name);
}

/* --- Whom recovery is about --- */

static bool is_target(const struct run *run, size_t index, const struct candidate *candidate)
{
    const struct target_spec *spec = targets_spec(run->targets, index);
    struct term found = targets_found(run->targets, index);
    char node[TERM_ATOM_BYTES + 1];
    if (spec->kind == TARGET_PID)
        return term_same(spec->server, candidate->pid);
    if (found.data)
        return term_same(found, candidate->pid);
    return spec->kind == TARGET_NAME && term_same(spec->name, candidate->name) &&
           read_node_of(candidate->pid, node) && strcmp(node, spec->node) == 0;
}

/* A fault of one target of the run is about that; any other about whatever the run's operations meet. */
static void find_observed_target(const struct run_chaos *chaos, struct injection *injection)
{
    const struct run *run = chaos->run;
    injection->target = TARGET_ANY;
    for (size_t i = 0; injection->candidate_count == 1 && i < run->scenario->target_count; i++)
        if (is_target(run, i, &injection->candidates[0]))
            injection->target = i;
}

/* --- Doing it --- */

static void log_injection(const struct run_chaos *chaos, const struct injection *injection)
{
    char action[200], target[200];
    struct term_builder builder = {0};
    const struct run *run = chaos->run;
    injection_build_target(injection, &builder);
    log_info("fault injected", log_integer("run", (int64_t)run->id), log_string("requester", run->requester),
             log_string("action", term_text(injection->action->term, action, sizeof(action))),
             log_string("target", term_text(term_built(&builder), target, sizeof(target))));
    term_build_free(&builder);
}

/* {hold, Fault, Milliseconds} for what lasts, the fault alone for what does not. */
static void build_fault(const struct fault_action *action, struct term pids, struct term_builder *builder)
{
    bool holds = action->kind->lasts;
    if (holds) {
        term_build_tuple(builder, 3);
        term_build_atom(builder, "hold");
    }
    action->kind->build(action, pids, builder);
    if (holds)
        term_build_unsigned(builder, fault_held_ms(action));
}

static void ask(struct run_chaos *chaos, struct injection *injection, const char *node, struct term request)
{
    size_t part = injection->part_count++;
    struct chaos_agent *agent = chaos_agent_of(&chaos->agents, node);
    injection->parts[part] = (struct injection_part){.agent = agent};
    if (agent) {
        injection->parts_left++;
        chaos_agent_ask(agent, chaos_number(injection, part), request);
    } else {
        injection_outcome(injection, "noproc");
    }
}

/* Of very many the first. */
static void keep_pids(struct injection *injection)
{
    struct term_builder pids = {0};
    size_t count = 0, kept = 0;
    for (size_t i = 0; i < injection->candidate_count; i++)
        count += term_type(injection->candidates[i].pid) == TERM_PID;
    count = count < INJECTION_PIDS_MOST ? count : INJECTION_PIDS_MOST;
    term_build_list(&pids, count);
    for (size_t i = 0; kept < count; i++) {
        if (term_type(injection->candidates[i].pid) != TERM_PID)
            continue;
        term_build_term(&pids, injection->candidates[i].pid);
        kept++;
    }
    if (count)
        term_build_nil(&pids);
    term_keep(&injection->pids, term_built(&pids));
    injection->has_pids = true;
    term_build_free(&pids);
}

/* Those of the candidates from `first` on that are on the same node as it. */
static void act_on_node(struct run_chaos *chaos, struct injection *injection, size_t first, const char *node)
{
    struct term_builder pids = {0}, request = {0};
    char other[TERM_ATOM_BYTES + 1];
    size_t count = 0;
    for (size_t i = first; i < injection->candidate_count; i++)
        count += read_node_of(injection->candidates[i].pid, other) && strcmp(other, node) == 0;
    term_build_list(&pids, count);
    for (size_t i = first; i < injection->candidate_count; i++)
        if (read_node_of(injection->candidates[i].pid, other) && strcmp(other, node) == 0)
            term_build_term(&pids, injection->candidates[i].pid);
    term_build_nil(&pids);
    build_fault(injection->action, term_built(&pids), &request);
    ask(chaos, injection, node, term_built(&request));
    term_build_free(&pids);
    term_build_free(&request);
}

static bool is_first_of_node(const struct injection *injection, size_t index, const char *node)
{
    char other[TERM_ATOM_BYTES + 1];
    for (size_t i = 0; i < index; i++)
        if (read_node_of(injection->candidates[i].pid, other) && strcmp(other, node) == 0)
            return false;
    return true;
}

static void act_on_processes(struct run_chaos *chaos, struct injection *injection)
{
    char node[TERM_ATOM_BYTES + 1];
    for (size_t i = 0; i < injection->candidate_count; i++)
        if (read_node_of(injection->candidates[i].pid, node) && is_first_of_node(injection, i, node))
            act_on_node(chaos, injection, i, node);
}

/* The nodes of all groups but the one that the node is in. */
static void build_others(struct term groups_term, const char *node, struct term_builder *builder)
{
    struct term_list groups, group;
    struct term element, member;
    struct term_builder others = {0};
    size_t count = 0;
    bool is_list = term_list_start(&groups, groups_term);
    while (is_list && term_list_next(&groups, &element)) {
        bool is_own = term_is_atom(element, node), is_group = term_list_start(&group, element);
        struct term_list walk = group;
        while (is_group && term_list_next(&walk, &member))
            is_own |= term_is_atom(member, node);
        if (is_own)
            continue;
        if (!is_group) {
            term_build_term(&others, element);
            count++;
        }
        for (; is_group && term_list_next(&group, &member); count++)
            term_build_term(&others, member);
    }
    term_build_list(builder, count);
    buffer_append(&builder->bytes, buffer_bytes(&others.bytes), others.bytes.size);
    term_build_nil(builder);
    term_build_free(&others);
}

static void act_on_nodes(struct run_chaos *chaos, struct injection *injection)
{
    const struct fault_action *action = injection->action;
    const char *node = injection_nodes(injection);
    for (size_t i = 0; i < injection->node_count; i++, node += strlen(node) + 1) {
        struct term_builder others = {0}, request = {0};
        if (action->kind->doing == FAULT_SPLIT)
            build_others(action->values[FAULT_NODES].term, node, &others);
        else
            term_build_nil(&others);
        build_fault(action, term_built(&others), &request);
        ask(chaos, injection, node, term_built(&request));
        term_build_free(&others);
        term_build_free(&request);
    }
}

void chaos_act(struct run_chaos *chaos, struct injection *injection)
{
    bool to_nodes = injection->action->kind->victim == FAULT_TARGET_NODE;
    chaos_expect(chaos, injection, to_nodes ? injection->node_count : injection->candidate_count);
    injection->part_count = injection->parts_left = 0; /* as many as there are nodes */
    injection->state = INJECTION_ACTING;
    find_observed_target(chaos, injection);
    if (!to_nodes)
        keep_pids(injection);
    log_injection(chaos, injection);
    injection->at_ns = clock_ns();
    if (injection->action->kind->doing != FAULT_SPLIT) /* which begins when all nodes are ready */
        chaos_injected(chaos, injection);
    if (to_nodes)
        act_on_nodes(chaos, injection);
    else
        act_on_processes(chaos, injection);
    if (!injection->parts_left)
        chaos_end(chaos, injection);
}

/* --- What comes of it --- */

static void part_ended(struct run_chaos *chaos, struct injection *injection, size_t part)
{
    injection->parts[part].agent = NULL;
    if (--injection->parts_left == 0)
        chaos_end(chaos, injection);
}

/* All parts are in effect. */
static void on_effect(struct injection *injection)
{
    bool has_effect = true;
    for (size_t i = 0; i < injection->part_count; i++)
        has_effect &= injection->parts[i].holding || !injection->parts[i].agent;
    if (has_effect && !injection->effect_ns)
        injection->effect_ns = clock_ns();
}

static void on_holding(struct run_chaos *chaos, struct injection *injection, size_t part, struct term count)
{
    int64_t amount = 0;
    bool is_open = !injection->action->values[FAULT_DURATION_MS].given;
    if (!term_read_integer(count, &amount))
        return;
    injection->parts[part].holding = true;
    injection->amount += (uint64_t)amount;
    injection->state = INJECTION_HOLDING;
    injection->was_held = true;
    if (amount == 0 && injection->action->kind->victim == FAULT_PROCESSES)
        injection_outcome(injection, "noproc");
    on_effect(injection);
    if (injection->effect_ns && is_open) { /* it is held as long as the load goes on, and not waited for */
        injection->released = true;
        injection_outcome(injection, "ok");
        chaos_release(chaos, injection->index, term_of(&injection->outcome));
    }
    if (chaos->healing)
        chaos_undo(injection);
}

/* Nodes are cut off from one another when all are ready for it. */
static void on_ready(struct run_chaos *chaos, struct injection *injection, size_t part)
{
    injection->parts[part].ready = true;
    for (size_t i = 0; i < injection->part_count; i++)
        if (!injection->parts[i].ready)
            return;
    injection->at_ns = clock_ns();
    chaos_injected(chaos, injection);
    for (size_t i = 0; i < injection->part_count; i++)
        if (injection->parts[i].agent)
            chaos_agent_ask_atom(injection->parts[i].agent, chaos_number(injection, i), "cut");
}

/* {undone, true | Why, true | not_kept_apart | {also_cut, Nodes}}; the last says how nodes were apart. */
static void on_undone(struct run_chaos *chaos, struct injection *injection, size_t part,
                      const struct term *parts)
{
    struct term how[2];
    if (!term_is_atom(parts[1], "true"))
        term_keep(&injection->undone, parts[1]);
    if (term_is_atom(parts[2], "not_kept_apart"))
        injection_outcome(injection, "not_kept_apart");
    else if (term_read_tuple_of(parts[2], 2, how) && term_is_atom(how[0], "also_cut"))
        injection_outcome_term(injection, "also_cut", how[1]);
    injection->was_held = true;
    part_ended(chaos, injection, part);
}

/* Nodes that are not kept apart on one side are not on the others either. */
static void on_failed(struct run_chaos *chaos, struct injection *injection, size_t part, struct term reason)
{
    injection_outcome_term(injection, "error", reason);
    if (injection->parts[part].holding) /* nobody has looked */
        term_keep(&injection->undone, reason);
    injection->parts[part].agent = NULL;
    if (injection->action->kind->doing == FAULT_SPLIT)
        chaos_undo(injection);
    part_ended(chaos, injection, part);
}

static void on_crashed(struct run_chaos *chaos, struct injection *injection, size_t part, struct term counts)
{
    struct term parts[3];
    int64_t crashed = 0, survived = 0;
    if (!term_read_tuple_of(counts, 3, parts) || !term_read_integer(parts[0], &crashed) ||
        !term_read_integer(parts[1], &survived))
        return;
    injection->amount += (uint64_t)crashed;
    if (crashed)
        injection->effect_ns = clock_ns();
    if (!crashed && injection->parts_left == 1 && !injection->amount) {
        chaos_unwatch(chaos, injection); /* there is nothing to recover from */
        injection_outcome(injection, survived ? "survived" : "noproc");
    }
    part_ended(chaos, injection, part);
}

void chaos_act_answered(struct run_chaos *chaos, struct injection *injection, size_t part, struct term answer)
{
    struct term parts[4];
    size_t arity = 0;
    if (!injection->parts[part].agent)
        return;
    if (!term_read_tuple(answer, 4, parts, &arity) || !arity) {
        injection->effect_ns = clock_ns(); /* done */
        part_ended(chaos, injection, part);
    } else if (term_is_atom(parts[0], "holding") && arity == 2) {
        on_holding(chaos, injection, part, parts[1]);
    } else if (term_is_atom(parts[0], "ready")) {
        on_ready(chaos, injection, part);
    } else if (term_is_atom(parts[0], "undone") && arity == 3) {
        on_undone(chaos, injection, part, parts);
    } else if (term_is_atom(parts[0], "crashed") && arity == 2) {
        on_crashed(chaos, injection, part, parts[1]);
    } else if (term_is_atom(parts[0], "returned") && arity == 2) {
        injection->effect_ns = clock_ns();
        injection_outcome_term(injection, "ok", parts[1]);
        part_ended(chaos, injection, part);
    } else if (term_is_atom(parts[0], "cancelled")) {
        injection_outcome(injection, "cancelled");
        part_ended(chaos, injection, part);
    } else if (term_is_atom(parts[0], "failed") && arity == 2) {
        on_failed(chaos, injection, part, parts[1]);
    }
}

/* {nodedown, Node} | {agent_lost, Reason} */
static void build_loss(const struct chaos_agent *agent, struct term reason, struct term_builder *builder)
{
    bool is_node = term_is_atom(reason, "noconnection");
    term_build_tuple(builder, 2);
    term_build_atom(builder, is_node ? "nodedown" : "agent_lost");
    if (is_node)
        term_build_atom(builder, agent->node);
    else
        term_build_term(builder, reason);
}

/* With the agent goes what it holds, but nobody there can look whether it is gone; what else the injection
 * holds is undone. One that has never started has done nothing. A node that was to be halted is gone, as it
 * should be. */
void chaos_act_lost(struct run_chaos *chaos, struct injection *injection, size_t part, struct term reason)
{
    struct term_builder loss = {0};
    const struct chaos_agent *agent = injection->parts[part].agent;
    if (injection->action->kind->doing == FAULT_HALT && agent->started &&
        term_is_atom(reason, "noconnection")) {
        injection->effect_ns = clock_ns();
        injection->amount = 1;
    } else {
        build_loss(agent, reason, &loss);
        if (agent->started && !injection->effect_ns) /* it may have had one */
            injection->effect_ns = clock_ns();
        injection_outcome_term(injection, "error", term_built(&loss));
        if (injection->action->kind->lasts && agent->started) { /* it may hold without having said so */
            injection->was_held = true;
            term_keep(&injection->undone, term_built(&loss));
        }
        term_build_free(&loss);
    }
    injection->parts[part].agent = NULL;
    chaos_undo(injection);
    part_ended(chaos, injection, part);
}

static void tell_agents(struct injection *injection, const char *what)
{
    for (size_t i = 0; i < injection->part_count; i++)
        if (injection->parts[i].agent)
            chaos_agent_ask_atom(injection->parts[i].agent, chaos_number(injection, i), what);
}

void chaos_undo(struct injection *injection)
{
    if (injection->action->kind->lasts)
        tell_agents(injection, "heal");
}

void chaos_call_off(struct injection *injection)
{
    chaos_undo(injection);
    if (injection->action->kind->doing == FAULT_ACT)
        tell_agents(injection, "cancel");
}
