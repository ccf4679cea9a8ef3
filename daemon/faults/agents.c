#include "agents_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run_private.h"
#include "term/term_read.h"

void chaos_agents_init(struct chaos_agents *agents, struct run *run,
                       void (*lost)(void *owner, struct chaos_agent *agent, struct term reason), void *owner)
{
    *agents = (struct chaos_agents){.run = run, .lost = lost, .owner = owner};
}

/* {harnessd, RunId, chaos} */
static void build_key(const struct chaos_agents *agents, struct term_builder *builder)
{
    term_build_tuple(builder, 3);
    term_build_atom(builder, "harnessd");
    term_build_unsigned(builder, agents->run->id);
    term_build_atom(builder, "chaos");
}

static void on_down(void *owner, struct term reason)
{
    struct chaos_agent *agent = owner;
    struct chaos_agents *agents = agent->agents;
    struct chaos_agent **link = &agents->first;
    while (*link != agent)
        link = &(*link)->next;
    *link = agent->next;
    agents->lost(agents->owner, agent, reason);
    for (size_t i = 0; i < agent->waiting_count; i++)
        buffer_free(&agent->waiting[i]);
    free(agent->waiting);
    free(agent);
}

static void build_source(const char *variable, enum script_name name, struct term_builder *bindings)
{
    script_build_binding(bindings, variable);
    term_build_text(bindings, script_source(name));
}

static bool start(struct chaos_agent *agent)
{
    struct run *run = agent->agents->run;
    struct term_builder bindings = {0};
    term_build_list(&bindings, 5);
    script_build_binding(&bindings, "Daemon");
    term_build_term(&bindings, process_pid(run->process));
    build_source("GuardianSource", SCRIPT_GUARDIAN, &bindings);
    script_build_binding(&bindings, "Key");
    build_key(agent->agents, &bindings);
    build_source("KeeperSource", SCRIPT_KEEPER, &bindings);
    script_build_binding(&bindings, "Serial");
    term_build_unsigned(&bindings, agent->serial);
    term_build_nil(&bindings);
    struct script_request request = {.name = SCRIPT_CHAOS,
                                     .node = agent->node,
                                     .process = run->process,
                                     .bindings = term_built(&bindings),
                                     .group_leader = term_built(&run->group_leader),
                                     .down = on_down,
                                     .owner = agent};
    bool started = script_start(runner_scripts(run->runner), &agent->script, &request);
    term_build_free(&bindings);
    return started;
}

struct chaos_agent *chaos_agent_of(struct chaos_agents *agents, const char *node)
{
    struct chaos_agent *agent = agents->first;
    while (agent && strcmp(agent->node, node) != 0)
        agent = agent->next;
    if (agent)
        return agent;
    agent = memory_zalloc(1, sizeof(*agent));
    agent->agents = agents;
    agent->serial = ++agents->serials;
    snprintf(agent->node, sizeof(agent->node), "%s", node);
    if (!start(agent)) {
        free(agent);
        return NULL;
    }
    agent->next = agents->first;
    agents->first = agent;
    return agent;
}

void chaos_agent_ask(struct chaos_agent *agent, uint64_t number, struct term request)
{
    struct term_builder message = {0};
    term_build_tuple(&message, 3);
    build_key(agent->agents, &message);
    term_build_unsigned(&message, number);
    term_build_term(&message, request);
    if (agent->started) {
        (void)script_send(&agent->script, term_built(&message));
        term_build_free(&message);
        return;
    }
    agent->waiting = memory_resize(agent->waiting, agent->waiting_count + 1, sizeof(*agent->waiting));
    agent->waiting[agent->waiting_count++] = message.bytes;
}

void chaos_agent_ask_atom(struct chaos_agent *agent, uint64_t number, const char *request)
{
    struct term_builder atom = {0};
    term_build_atom(&atom, request);
    chaos_agent_ask(agent, number, term_built(&atom));
    term_build_free(&atom);
}

static void on_started(struct chaos_agents *agents, int64_t serial)
{
    for (struct chaos_agent *agent = agents->first; agent; agent = agent->next) {
        if (agent->serial != serial)
            continue;
        agent->started = true;
        for (size_t i = 0; i < agent->waiting_count; i++) {
            (void)script_send(&agent->script, term_of(&agent->waiting[i]));
            buffer_free(&agent->waiting[i]);
        }
        agent->waiting_count = 0;
    }
}

bool chaos_agents_message(struct chaos_agents *agents, struct term message, uint64_t *number,
                          struct term *answer)
{
    struct term parts[3], started[2];
    int64_t integer;
    struct term_builder key = {0};
    build_key(agents, &key);
    bool ours = term_read_tuple_of(message, 3, parts) && term_same(parts[0], term_built(&key));
    term_build_free(&key);
    *answer = (struct term){0};
    if (!ours)
        return false;
    if (term_read_integer(parts[1], &integer)) {
        *number = (uint64_t)integer;
        *answer = parts[2];
    } else if (term_read_tuple_of(parts[1], 2, started) && term_read_integer(started[1], &integer)) {
        on_started(agents, integer);
    }
    return true;
}

void chaos_agents_end(struct chaos_agents *agents)
{
    struct term_builder stop = {0};
    term_build_tuple(&stop, 2);
    build_key(agents, &stop);
    term_build_atom(&stop, "stop");
    while (agents->first) {
        struct chaos_agent *agent = agents->first;
        agents->first = agent->next;
        if (script_send(&agent->script, term_built(&stop)))
            script_leave(&agent->script);
        else
            script_kill(&agent->script);
        for (size_t i = 0; i < agent->waiting_count; i++)
            buffer_free(&agent->waiting[i]);
        free(agent->waiting);
        free(agent);
    }
    term_build_free(&stop);
}
