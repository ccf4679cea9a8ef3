#include "agents_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "term/term_read.h"

/* {harnessd, RunId, chaos} */
static void agents_build_key(const struct agents *agents, struct term_builder *builder)
{
    term_build_tuple(builder, 3);
    term_build_atom(builder, "harnessd");
    term_build_unsigned(builder, agents->run_id);
    term_build_atom(builder, "chaos");
}

static void agents_forget_waiting(struct agent *agent)
{
    for (size_t i = 0; i < agent->waiting_count; i++)
        buffer_free(&agent->waiting[i]);
    agent->waiting_count = 0;
}

static void agents_free(struct agent *agent)
{
    agents_forget_waiting(agent);
    free(agent->waiting);
    free(agent);
}

static void agents_on_down(void *owner, struct term reason)
{
    struct agent *agent = owner;
    struct agents *agents = agent->agents;
    list_remove(&agents->items, &agent->link);
    agents->lost(agents->owner, agent, reason);
    agents_free(agent);
}

static bool agents_start(struct agents *agents, struct agent *agent)
{
    struct term_builder key = {0};
    agents_build_key(agents, &key);
    struct agent_start start = {.node = agent->node,
                                .key = term_built(&key),
                                .serial = agent->serial,
                                .down = agents_on_down,
                                .owner = agent};
    agent->process = agents->way->start(agents->way_owner, &start);
    term_build_free(&key);
    return agent->process != NULL;
}

struct agent *agents_of(struct agents *agents, const char *node)
{
    LIST_EACH(struct agent, known, &agents->items, link)
        if (strcmp(known->node, node) == 0)
            return known;
    struct agent *agent = memory_zalloc(1, sizeof(*agent));
    agent->agents = agents;
    agent->serial = ++agents->serials;
    snprintf(agent->node, sizeof(agent->node), "%s", node);
    if (!agents_start(agents, agent)) {
        free(agent);
        return NULL;
    }
    list_prepend(&agents->items, &agent->link);
    return agent;
}

void agent_ask(struct agent *agent, uint64_t number, struct term request)
{
    struct term_builder message = {0};
    term_build_tuple(&message, 3);
    agents_build_key(agent->agents, &message);
    term_build_unsigned(&message, number);
    term_build_term(&message, request);
    if (agent->started) {
        agent->agents->way->send(agent->process, term_built(&message));
        term_build_free(&message);
        return;
    }
    agent->waiting = memory_resize(agent->waiting, agent->waiting_count + 1, sizeof(*agent->waiting));
    agent->waiting[agent->waiting_count++] = message.bytes;
}

void agent_ask_atom(struct agent *agent, uint64_t number, const char *request)
{
    struct term_builder atom = {0};
    term_build_atom(&atom, request);
    agent_ask(agent, number, term_built(&atom));
    term_build_free(&atom);
}

/* --- Clocks --- */

/* What two clocks may differ in a second: more than those of computers do. */
#define AGENTS_DRIFT_PARTS 5000

/* A message was under way for some time, so that its node's clock is behind by no more than it seems: the
 * quickest message says most. What an old one has said is held for less and less, as clocks drift. */
static void agents_compare_clocks(const struct agents *agents, struct agent *agent, int64_t its_ns)
{
    uint64_t now = clock_read(agents->clock);
    int64_t behind_ns = (int64_t)now - its_ns;
    int64_t before_ns = agent->behind_ns + (int64_t)((now - agent->compared_ns) / AGENTS_DRIFT_PARTS);
    agent->behind_ns = agent->compared_ns && before_ns < behind_ns ? before_ns : behind_ns;
    agent->compared_ns = now;
}

uint64_t agent_time(const struct agent *agent, int64_t its_ns)
{
    return (uint64_t)(its_ns + agent->behind_ns);
}

/* --- What agents say --- */

static void agents_on_started(struct agents *agents, int64_t serial)
{
    LIST_EACH(struct agent, agent, &agents->items, link) {
        if (agent->serial != serial || agent->started)
            continue;
        agent->started = true;
        for (size_t i = 0; i < agent->waiting_count; i++)
            agents->way->send(agent->process, term_of(&agent->waiting[i]));
        agents_forget_waiting(agent);
    }
}

/* {Key, Node, Clock}: all agents of a node have its clock. */
static void agents_on_clock(struct agents *agents, struct term node, int64_t its_ns)
{
    char name[TERM_ATOM_BYTES + 1];
    if (!term_read_atom(node, name))
        return;
    LIST_EACH(struct agent, agent, &agents->items, link)
        if (strcmp(agent->node, name) == 0)
            agents_compare_clocks(agents, agent, its_ns);
}

bool agents_message(struct agents *agents, struct term message, uint64_t *number, struct term *answer)
{
    struct term parts[4], started[2];
    int64_t integer;
    struct term_builder key = {0};
    agents_build_key(agents, &key);
    bool ours = term_read_tuple_of(message, 4, parts) && term_same(parts[0], term_built(&key));
    term_build_free(&key);
    *answer = (struct term){0};
    if (!ours)
        return false;
    if (term_read_tuple_of(parts[3], 2, started) && term_read_integer(started[1], &integer))
        agents_on_clock(agents, started[0], integer);
    if (term_read_integer(parts[1], &integer)) {
        *number = (uint64_t)integer;
        *answer = parts[2];
    } else if (term_read_tuple_of(parts[1], 2, started) && term_read_integer(started[1], &integer)) {
        agents_on_started(agents, integer);
    }
    return true;
}

void agents_end(struct agents *agents)
{
    struct term_builder stop = {0};
    term_build_tuple(&stop, 2);
    agents_build_key(agents, &stop);
    term_build_atom(&stop, "stop");
    LIST_EACH(struct agent, agent, &agents->items, link) {
        list_remove(&agents->items, &agent->link);
        agents->way->stop(agent->process, term_built(&stop));
        agents_free(agent);
    }
    term_build_free(&stop);
}
