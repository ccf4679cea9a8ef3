/* What the audit is told of runs. Of one that has faults nothing begins before that is on disk, where the
 * audit is required. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "run_entry_private.h"
#include "scenario/fault_kinds.h"
#include "term/term_read.h"

#define KINDS_MOST 64

/* A hook of the scenario does what it likes. */
static bool run_audit_has_chaos(const struct scenario *scenario)
{
    return !scenario->dry_run && (scenario->action_count || scenario->chaos.data);
}

const char *runs_audit_problem(const struct runs *runs, const struct scenario *scenario)
{
    const struct audit *audit = runs->options.audit;
    return audit_is_required(audit) && run_audit_has_chaos(scenario) ? audit_problem(audit) : NULL;
}

bool runs_are_audited(const struct runs *runs)
{
    return runs->options.audit;
}

/* Each kind once; `hook` for a fun. */
static size_t run_audit_kinds(const struct scenario *scenario, const char *kinds[KINDS_MOST])
{
    size_t count = 0;
    if (scenario->chaos.data)
        kinds[count++] = "hook";
    for (size_t i = 0; i < scenario->action_count && count < KINDS_MOST; i++) {
        size_t known = 0;
        while (known < count && strcmp(kinds[known], scenario->actions[i].kind->name) != 0)
            known++;
        if (known == count)
            kinds[count++] = scenario->actions[i].kind->name;
    }
    return count;
}

/* Left out where it is 0. */
static struct audit_field run_audit_suite(const struct run_entry *entry)
{
    return entry->summary.suite ? audit_number(AUDIT_SUITE, entry->summary.suite)
                                : audit_text(AUDIT_SUITE, NULL);
}

static struct audit_field run_audit_text(enum audit_key key, const char *text)
{
    return audit_text(key, text && *text ? text : NULL);
}

void run_audit_accepted(const struct run_entry *entry, const struct scenario *scenario, const char *digest)
{
    const struct run_summary *summary = &entry->summary;
    const char *kinds[KINDS_MOST];
    char node[TERM_ATOM_BYTES + 1] = "";
    if (!entry->runs->options.audit)
        return;
    char *name = memory_format("%.*s", (int)summary->name.size, (const char *)buffer_bytes(&summary->name));
    if (summary->node.size && !term_read_atom(term_of(&summary->node), node))
        node[0] = '\0';
    audit_tell(entry->runs->options.audit, AUDIT_RUN, run_audit_text(AUDIT_NODE, node),
               audit_term(AUDIT_PROCESS, term_of(&summary->caller)), audit_text(AUDIT_FUNCTION, summary->by),
               audit_number(AUDIT_RUN_ID, summary->run_id), run_audit_suite(entry),
               run_audit_text(AUDIT_SCENARIO, name), run_audit_text(AUDIT_DIGEST, digest),
               audit_names(AUDIT_FAULTS, kinds, scenario ? run_audit_kinds(scenario, kinds) : 0),
               audit_term(AUDIT_TARGET, term_of(&summary->target)), audit_text(AUDIT_OUTCOME, "accepted"));
    free(name);
}

void run_audit_await(struct run_entry *entry, const struct scenario *scenario)
{
    struct audit *audit = entry->runs->options.audit;
    if (!audit_is_required(audit) || !run_audit_has_chaos(scenario))
        return;
    entry->audit = (struct audit_wait){.done = run_audited, .owner = entry};
    audit_await(audit, &entry->audit);
}

void run_audit_ended(const struct run_entry *entry)
{
    const struct run_summary *summary = &entry->summary;
    if (!entry->runs->options.audit)
        return;
    char *reason =
        memory_format("%.*s", (int)summary->reason.size, (const char *)buffer_bytes(&summary->reason));
    audit_tell(entry->runs->options.audit, AUDIT_RUN_ENDED, audit_text(AUDIT_FUNCTION, summary->by),
               audit_number(AUDIT_RUN_ID, summary->run_id), run_audit_suite(entry),
               audit_text(AUDIT_OUTCOME, outcome_name(summary->outcome)),
               run_audit_text(AUDIT_REASON, reason));
    free(reason);
}
