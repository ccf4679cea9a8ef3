#include "faults/agent_scripts.h"

#include <stdlib.h>

#include "base/memory.h"

struct agent_script {
    struct script script;
    void (*down)(void *owner, struct term reason);
    void *owner;
};

static void agent_scripts_on_down(void *owner, const struct term_long *reason)
{
    struct agent_script *agent = owner;
    agent->down(agent->owner, reason->tail);
    free(agent);
}

static void agent_scripts_build_source(const char *variable, enum script_name name,
                                       struct term_builder *bindings)
{
    script_build_binding(bindings, variable);
    term_build_text(bindings, script_source(name));
}

static void agent_scripts_build_bindings(const struct agent_scripts *scripts, const struct agent_start *start,
                                         struct term_builder *bindings)
{
    term_build_list(bindings, 5);
    script_build_binding(bindings, "Daemon");
    term_build_term(bindings, process_pid(scripts->process));
    agent_scripts_build_source("GuardianSource", SCRIPT_GUARDIAN, bindings);
    script_build_binding(bindings, "Key");
    term_build_term(bindings, start->key);
    agent_scripts_build_source("KeeperSource", SCRIPT_KEEPER, bindings);
    script_build_binding(bindings, "Serial");
    term_build_unsigned(bindings, start->serial);
    term_build_nil(bindings);
}

static void *agent_scripts_start(void *owner, const struct agent_start *start)
{
    const struct agent_scripts *scripts = owner;
    struct agent_script *agent = memory_zalloc(1, sizeof(*agent));
    struct term_builder bindings = {0};
    agent_scripts_build_bindings(scripts, start, &bindings);
    struct script_request request = {.name = SCRIPT_CHAOS,
                                     .node = start->node,
                                     .process = scripts->process,
                                     .bindings = term_built(&bindings),
                                     .group_leader = scripts->group_leader,
                                     .down = agent_scripts_on_down,
                                     .owner = agent};
    agent->down = start->down;
    agent->owner = start->owner;
    bool started = script_start(scripts->scripts, &agent->script, &request);
    term_build_free(&bindings);
    if (started)
        return agent;
    free(agent);
    return NULL;
}

static void agent_scripts_send(void *process, struct term message)
{
    struct agent_script *agent = process;
    (void)script_send(&agent->script, message);
}

static void agent_scripts_stop(void *process, struct term message)
{
    struct agent_script *agent = process;
    script_end(&agent->script, message);
    free(agent);
}

const struct agent_way agent_scripts_way = {
    .start = agent_scripts_start, .send = agent_scripts_send, .stop = agent_scripts_stop};
