#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "faults_private.h"
#include "term/term_read.h"
#include "term/term_text.h"

static bool act_read_node_of(struct term pid, char name[TERM_ATOM_BYTES + 1])
{
    struct term node;
    return term_type(pid) == TERM_PID && term_read_node(pid, &node) && term_read_atom(node, name);
}

/* --- Doing it --- */

static void act_log_injection(const struct faults *faults, const struct injection *injection)
{
    char action[200], target[200];
    struct term_builder builder = {0};
    injection_build_target(injection, &builder);
    log_info("fault injected", log_integer("run", (int64_t)faults->options.run_id),
             log_string("requester", faults->options.requester),
             log_string("action", term_text(injection->action->term, action, sizeof(action))),
             log_string("target", term_text(term_built(&builder), target, sizeof(target))));
    term_build_free(&builder);
}

/* {hold, Fault, Milliseconds} for what lasts, the fault alone for what does not. */
static void act_build_fault(const struct fault_action *action, struct term pids, struct term_builder *builder)
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

static void act_ask(struct faults *faults, struct injection *injection, const char *node, struct term request)
{
    size_t part = injection->part_count++;
    struct agent *agent = agents_of(&faults->agents, node);
    injection->parts[part] = (struct injection_part){.agent = agent};
    if (!agent) {
        injection_outcome(injection, FAULT_NOPROC);
        return;
    }
    if (injection->action->kind->victim == FAULT_TARGET_NODE)
        recovery_watch_node(faults, injection, part, node);
    else
        recovery_watch_processes(faults, injection, part, node);
    injection->parts_left++;
    agent_ask(agent, faults_number(injection, part), request);
}

/* Of very many the first. */
static void act_keep_pids(struct injection *injection)
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
static void act_on_node(struct faults *faults, struct injection *injection, size_t first, const char *node)
{
    struct term_builder pids = {0}, request = {0};
    char other[TERM_ATOM_BYTES + 1];
    size_t count = 0;
    for (size_t i = first; i < injection->candidate_count; i++)
        count += act_read_node_of(injection->candidates[i].pid, other) && strcmp(other, node) == 0;
    term_build_list(&pids, count);
    for (size_t i = first; i < injection->candidate_count; i++)
        if (act_read_node_of(injection->candidates[i].pid, other) && strcmp(other, node) == 0)
            term_build_term(&pids, injection->candidates[i].pid);
    term_build_nil(&pids);
    act_build_fault(injection->action, term_built(&pids), &request);
    act_ask(faults, injection, node, term_built(&request));
    term_build_free(&pids);
    term_build_free(&request);
}

static bool act_is_first_of_node(const struct injection *injection, size_t index, const char *node)
{
    char other[TERM_ATOM_BYTES + 1];
    for (size_t i = 0; i < index; i++)
        if (act_read_node_of(injection->candidates[i].pid, other) && strcmp(other, node) == 0)
            return false;
    return true;
}

static void act_on_processes(struct faults *faults, struct injection *injection)
{
    char node[TERM_ATOM_BYTES + 1];
    for (size_t i = 0; i < injection->candidate_count; i++)
        if (act_read_node_of(injection->candidates[i].pid, node) && act_is_first_of_node(injection, i, node))
            act_on_node(faults, injection, i, node);
}

/* The nodes of all groups but the one that the node is in. */
static void act_build_others(struct term groups_term, const char *node, struct term_builder *builder)
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

static void act_on_nodes(struct faults *faults, struct injection *injection)
{
    const struct fault_action *action = injection->action;
    const char *node = injection_nodes(injection);
    for (size_t i = 0; i < injection->node_count; i++, node += strlen(node) + 1) {
        struct term_builder others = {0}, request = {0};
        if (action->kind->doing == FAULT_SPLIT)
            act_build_others(action->values[FAULT_NODES].term, node, &others);
        else
            term_build_nil(&others);
        act_build_fault(action, term_built(&others), &request);
        act_ask(faults, injection, node, term_built(&request));
        term_build_free(&others);
        term_build_free(&request);
    }
}

void act_start(struct faults *faults, struct injection *injection)
{
    bool to_nodes = injection->action->kind->victim == FAULT_TARGET_NODE;
    faults_expect(faults, injection, to_nodes ? injection->node_count : injection->candidate_count);
    injection->part_count = injection->parts_left = 0; /* as many as there are nodes */
    injection->state = INJECTION_ACTING;
    if (!to_nodes)
        act_keep_pids(injection);
    act_log_injection(faults, injection);
    injection->at_ns = faults_now(faults);
    if (faults->options.events->begun)
        faults->options.events->begun(faults->options.owner, injection);
    if (injection->action->kind->doing != FAULT_SPLIT) /* which begins when the nodes are cut */
        record_injected(faults, injection);
    if (to_nodes)
        act_on_nodes(faults, injection);
    else
        act_on_processes(faults, injection);
    if (!injection->parts_left)
        faults_end(faults, injection);
}

/* --- What comes of it --- */

static void act_tell_agents(struct injection *injection, const char *what)
{
    for (size_t i = 0; i < injection->part_count; i++)
        if (injection->parts[i].agent)
            agent_ask_atom(injection->parts[i].agent, faults_number(injection, i), what);
}

static void act_part_ended(struct faults *faults, struct injection *injection, size_t part)
{
    injection->parts[part].agent = NULL;
    if (--injection->parts_left == 0)
        faults_end(faults, injection);
}

/* `percentage: 0` and the like. */
static bool act_asks_for_nothing(const struct fault_action *action)
{
    const struct fault_value *percentage = &action->values[FAULT_PERCENTAGE];
    return percentage->given && percentage->number == 0 && !action->values[FAULT_SPAWN_COUNT].given;
}

/* What is held is nothing: processes have ended meanwhile, or a node has no more of it. */
static void act_note_nothing_held(struct injection *injection)
{
    if (injection->amount || act_asks_for_nothing(injection->action))
        return;
    if (injection->action->kind->victim == FAULT_PROCESSES)
        injection_outcome(injection, FAULT_NOPROC);
    else if (injection->action->kind->doing == FAULT_HOLD)
        injection_outcome_term(injection, FAULT_ERROR, TERM_ATOM("nothing_held"));
}

static bool act_is_held(const struct injection *injection)
{
    bool is_held = true;
    for (size_t i = 0; i < injection->part_count; i++)
        is_held &= injection->parts[i].holding || !injection->parts[i].agent;
    return is_held;
}

/* When it was in effect there, by the clock here. It was not before it was asked for. */
static void act_on_effect(struct faults *faults, struct injection *injection, size_t part, struct term time)
{
    uint64_t now = faults_now(faults), effect_ns = now;
    int64_t at_ns;
    if (term_read_integer(time, &at_ns))
        effect_ns = agent_time(injection->parts[part].agent, at_ns);
    if (effect_ns < injection->at_ns)
        effect_ns = injection->at_ns;
    if (effect_ns > now)
        effect_ns = now;
    if (injection->action->kind->doing == FAULT_HALT)
        injection->parts[part].halts_ns = effect_ns; /* it has halted when it is gone */
    else
        recovery_effect(faults, injection, part, effect_ns);
}

static void act_on_holding(struct faults *faults, struct injection *injection, size_t part, struct term count)
{
    int64_t amount = 0;
    bool is_open = !injection->action->values[FAULT_DURATION_MS].given;
    if (!term_read_integer(count, &amount))
        return;
    injection->parts[part].holding = true;
    injection->amount += (uint64_t)amount;
    injection->state = INJECTION_HOLDING;
    if (injection->action->kind->doing == FAULT_SPLIT && !injection->was_held)
        record_injected(faults, injection);
    injection->was_held = true;
    if (act_is_held(injection))
        act_note_nothing_held(injection);
    if (act_is_held(injection) && is_open) { /* as long as the load goes on: it is not waited for */
        injection->released = true;
        injection_outcome(injection, FAULT_OK);
        faults_release(faults, injection->index, term_of(&injection->outcome));
    }
    if (faults->healing)
        act_undo(injection);
}

/* Nodes take the steps to be cut off from one another together: each when all have taken the one before.
 * Where one cannot any more, the others are being told to let go. */
static void act_on_step(struct faults *faults, struct injection *injection, size_t part, unsigned step)
{
    static const char *const next[] = {[1] = "brace", [2] = "cut"};
    injection->parts[part].steps = step;
    for (size_t i = 0; i < injection->part_count; i++)
        if (injection->parts[i].steps < step || !injection->parts[i].agent)
            return;
    if (step + 1 == ARRAY_LENGTH(next))
        injection->at_ns = faults_now(faults);
    act_tell_agents(injection, next[step]);
}

/* {let_go, Reason}: before its time; whether it is undone there comes later. What the other nodes hold is not
 * what was asked for any more. */
static void act_on_let_go(struct injection *injection, size_t part, struct term reason)
{
    if (injection->parts[part].holding)
        injection_outcome_early(injection, injection->parts[part].agent->node, reason);
    else
        injection_outcome_term(injection, FAULT_ERROR, reason);
    act_undo(injection);
}

/* It was let go then, and looked at after that. Nodes that were kept apart have yet to find each other. */
static void act_on_end(const struct faults *faults, struct injection *injection, size_t part,
                       struct term time)
{
    uint64_t now = faults_now(faults), at_ns = now;
    int64_t its_ns;
    if (term_read_integer(time, &its_ns) && injection->action->kind->doing != FAULT_SPLIT)
        at_ns = agent_time(injection->parts[part].agent, its_ns);
    if (at_ns > now || at_ns < injection->at_ns)
        at_ns = now;
    if (at_ns > injection->let_go_ns)
        injection->let_go_ns = at_ns;
}

/* {undone, true | Why, true | not_kept_apart | {also_cut, Nodes}, Clock}; the last says how nodes were apart.
 */
static void act_on_undone(struct faults *faults, struct injection *injection, size_t part,
                          const struct term *parts)
{
    struct term how[2];
    if (!term_is_atom(parts[1], "true"))
        term_keep(&injection->undone, parts[1]);
    if (term_is_atom(parts[2], "not_kept_apart"))
        injection_outcome(injection, FAULT_NOT_KEPT_APART);
    else if (term_read_tuple_of(parts[2], 2, how) && term_is_atom(how[0], "also_cut"))
        injection_outcome_term(injection, FAULT_ALSO_CUT, how[1]);
    injection->was_held |= injection->parts[part].holding || injection->undone.size;
    if (!injection->was_held && injection->parts_left == 1) /* undone before it was done */
        injection_outcome(injection, FAULT_CANCELLED);
    act_part_ended(faults, injection, part);
}

/* What is not held on one node is not on the others either. */
static void act_on_failed(struct faults *faults, struct injection *injection, size_t part, struct term reason)
{
    injection_outcome_term(injection, FAULT_ERROR, reason);
    if (injection->action->kind->doing == FAULT_ACT) /* it has not come to what it said was under way */
        recovery_call_off(faults, injection);
    if (injection->parts[part].holding) /* nobody has looked */
        term_keep(&injection->undone, reason);
    injection->parts[part].agent = NULL;
    act_undo(injection);
    act_part_ended(faults, injection, part);
}

static void act_on_crashed(struct faults *faults, struct injection *injection, size_t part,
                           struct term counts)
{
    struct term parts[3];
    int64_t crashed = 0, survived = 0;
    if (!term_read_tuple_of(counts, 3, parts) || !term_read_integer(parts[0], &crashed) ||
        !term_read_integer(parts[1], &survived))
        return;
    injection->amount += (uint64_t)crashed;
    injection->survived += (uint64_t)survived;
    if (injection->parts_left == 1 && !injection->amount)
        injection_outcome(injection, injection->survived ? FAULT_SURVIVED : FAULT_NOPROC);
    act_part_ended(faults, injection, part);
}

void act_answered(struct faults *faults, struct injection *injection, size_t part, struct term answer)
{
    struct term parts[4];
    size_t arity = 0;
    if (!injection->parts[part].agent)
        return;
    if (!term_read_tuple(answer, 4, parts, &arity) || !arity) {
        act_part_ended(faults, injection, part); /* done */
    } else if (term_is_atom(parts[0], "effect") && arity == 2) {
        act_on_effect(faults, injection, part, parts[1]);
    } else if (term_is_atom(parts[0], "holding") && arity == 3) {
        act_on_effect(faults, injection, part, parts[2]);
        act_on_holding(faults, injection, part, parts[1]);
    } else if (term_is_atom(parts[0], "ready")) {
        act_on_step(faults, injection, part, 1);
    } else if (term_is_atom(parts[0], "braced")) {
        act_on_step(faults, injection, part, 2);
    } else if (term_is_atom(parts[0], "let_go") && arity == 2) {
        act_on_let_go(injection, part, parts[1]);
    } else if (term_is_atom(parts[0], "undone") && arity == 4) {
        act_on_end(faults, injection, part, parts[3]);
        act_on_undone(faults, injection, part, parts);
    } else if (term_is_atom(parts[0], "crashed") && arity == 2) {
        act_on_crashed(faults, injection, part, parts[1]);
    } else if (term_is_atom(parts[0], "returned") && arity == 2) {
        injection_outcome_term(injection, FAULT_GAVE, parts[1]);
        act_part_ended(faults, injection, part);
    } else if (term_is_atom(parts[0], "cancelled")) {
        injection_outcome(injection, FAULT_CANCELLED);
        act_part_ended(faults, injection, part);
    } else if (term_is_atom(parts[0], "failed") && arity == 2) {
        act_on_failed(faults, injection, part, parts[1]);
    }
}

/* {nodedown, Node} | {agent_lost, Reason} */
static void act_build_loss(const struct agent *agent, struct term reason, struct term_builder *builder)
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
void act_lost(struct faults *faults, struct injection *injection, size_t part, struct term reason)
{
    struct term_builder loss = {0};
    const struct agent *agent = injection->parts[part].agent;
    if (injection->action->kind->doing == FAULT_HALT && agent->started &&
        term_is_atom(reason, "noconnection")) {
        uint64_t halts_ns = injection->parts[part].halts_ns;
        recovery_effect(faults, injection, part, halts_ns ? halts_ns : faults_now(faults));
        injection->amount = 1;
    } else {
        act_build_loss(agent, reason, &loss);
        if (agent->started && !injection->effect_ns) /* it may have had one */
            recovery_effect(faults, injection, part, faults_now(faults));
        injection_outcome_term(injection, FAULT_ERROR, term_built(&loss));
        if (injection->action->kind->lasts && agent->started) { /* it may hold without having said so */
            injection->was_held = true;
            term_keep(&injection->undone, term_built(&loss));
        }
        term_build_free(&loss);
    }
    injection->parts[part].agent = NULL;
    act_undo(injection);
    act_part_ended(faults, injection, part);
}

void act_undo(struct injection *injection)
{
    if (injection->action->kind->lasts)
        act_tell_agents(injection, "heal");
}

void act_call_off(struct injection *injection)
{
    act_undo(injection);
    if (injection->action->kind->doing == FAULT_ACT)
        act_tell_agents(injection, "cancel");
}
