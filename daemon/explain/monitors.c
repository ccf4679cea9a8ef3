/* Which processes do not give their scheduler back, as their node tells: functions of C that take long.
 * Nobody can ask such a process anything meanwhile.
 *
 * A process also seems not to give its scheduler back when the scheduler has no processor, as a machine is
 * busy with something else. That is what the kernel knows of the node's threads, and so a node whose system
 * does not say that is not monitored. */
#include "explain_private.h"

#include <string.h>

#include "holder_forms_private.h"
#include "term/term_read.h"

/* A process that has a scheduler for so long is told of. */
#define MONITORS_LEAST_MS 8

/* While something is late, it is asked so often how long schedulers have waited. They may have waited at any
 * time between two answers: those that are further away only make less certain. */
#define MONITORS_WAITS_NS (20 * EXPLAIN_MS)

/* The part of a time for which a scheduler may have waited: who has it had it for the rest. */
#define MONITORS_PART 2

#define MONITORS_WAITS 64

void monitors_go_on(struct explain *explain, struct explain_node *node, uint64_t now_ns)
{
    if (node->monitoring != NODE_UNASKED || !node->first_left || explain->is_stopped)
        return;
    node->monitoring = NODE_ASKED;
    probe_terms_threads(&explain->terms);
    probes_send_to_node(explain, node, PROBE_THREADS_OF_NODE, now_ns);
}

bool monitors_take_threads(struct explain *explain, const struct probe *probe, struct term results,
                           uint64_t now_ns)
{
    struct explain_node *node = probe->node;
    node->monitoring = NODE_UNFIT;
    if (!probe_terms_read_threads(results, &node->schedulers))
        return false;
    if (!node->schedulers.count || explain->is_stopped)
        return true;
    node->monitoring = NODE_ASKED_FOR;
    probe_terms_names(&explain->terms, node->schedulers.numbers, node->schedulers.count);
    probes_send_to_node(explain, node, PROBE_NAMES_OF_THREADS, now_ns);
    return true;
}

static void monitors_start(struct explain *explain, struct explain_node *node)
{
    struct term_builder forms = {0}, bindings = {0};
    holder_forms_build(&forms, MONITORS_LEAST_MS, node->schedulers.has_sessions);
    holder_forms_bind(&bindings, explain->options.pid);
    if (explain->options.probes->monitor(explain->options.probes_owner, node->name, term_built(&forms),
                                         term_built(&bindings)))
        node->monitoring = NODE_HELD;
    term_build_free(&forms);
    term_build_free(&bindings);
}

bool monitors_take_names(struct explain *explain, const struct probe *probe, struct term results,
                         uint64_t now_ns)
{
    struct explain_node *node = probe->node;
    probe_terms_read_names(results, &node->schedulers);
    node->monitoring = NODE_UNFIT;
    if (!node->schedulers.count || explain->is_stopped)
        return true;
    probe_terms_waits(&explain->terms, node->schedulers.numbers, node->schedulers.count);
    probes_send_to_node(explain, node, PROBE_WAITS, now_ns);
    return true;
}

/* The first time it is known that there is such an answer. */
bool monitors_take_waits(struct explain *explain, const struct probe *probe, struct term results,
                         uint64_t now_ns)
{
    struct explain_node *node = probe->node;
    int64_t node_ns;
    struct waits told;
    if (!probe_terms_read_waits(results, node->schedulers.count, &node_ns, told.waited_ns))
        return false;
    struct waits *waits = track_add(&node->waits, sizeof(*waits), MONITORS_WAITS);
    memcpy(waits->waited_ns, told.waited_ns, node->schedulers.count * sizeof(*told.waited_ns));
    waits->at_ns = node_clock_place(&node->clock, node_ns, probe->sent_ns, now_ns);
    if (node->monitoring == NODE_UNFIT && track_next(&node->waits) == 1 && !explain->is_stopped)
        monitors_start(explain, node);
    return true;
}

void monitors_ask(struct explain *explain, struct explain_node *node, uint64_t now_ns)
{
    bool is_last = node->was_late && !node->late_ns;
    if (node->monitoring != NODE_MONITORED || !(is_last || (node->late_ns && node->waits_due_ns <= now_ns)))
        return;
    node->waits_due_ns = now_ns + MONITORS_WAITS_NS;
    probe_terms_waits(&explain->terms, node->schedulers.numbers, node->schedulers.count);
    probes_send_to_node(explain, node, PROBE_WAITS, now_ns);
}

/* --- What it tells --- */

void explain_monitoring(struct explain *explain, const char *name)
{
    struct explain_node *node = subjects_node(explain, name);
    if (!node || node->monitoring != NODE_HELD)
        return;
    node->monitoring = NODE_MONITORED;
    explain->totals.monitored++;
}

/* Somebody else has it, or its connection is lost: then it is asked anew with the next beginning. */
void explain_monitor_lost(struct explain *explain, const char *name)
{
    struct explain_node *node = subjects_node(explain, name);
    if (node)
        node->monitoring = NODE_UNFIT;
}

static struct subject *monitors_find(struct explain *explain, const struct explain_node *node,
                                     struct term pid)
{
    for (size_t i = 0; i < explain->subject_count; i++) {
        struct subject *subject = &explain->subjects[i];
        if (subject->is_used && subject->node == node && subject->pid.size &&
            term_same(term_of(&subject->pid), pid))
            return subject;
    }
    return NULL;
}

/* A list of where it was when it gave its scheduler back, and when it got it. */
static uint32_t monitors_stack(struct explain *explain, struct term info)
{
    struct term_builder stack = {0};
    struct term in, out;
    bool has_in = term_pairs_get(info, "in", &in) && term_type(in) == TERM_TUPLE;
    bool has_out = term_pairs_get(info, "out", &out) && term_type(out) == TERM_TUPLE;
    has_in = has_in && !(has_out && term_same(in, out));
    term_build_list(&stack, (size_t)has_in + has_out);
    if (has_out)
        term_build_term(&stack, out);
    if (has_in)
        term_build_term(&stack, in);
    if (has_in || has_out)
        term_build_nil(&stack);
    uint32_t number = has_in || has_out ? stacks_number(&explain->stacks, term_built(&stack)) : STACKS_NONE;
    term_build_free(&stack);
    return number;
}

void explain_blocked(struct explain *explain, const char *name, struct term pid, int64_t node_ns,
                     struct term info)
{
    struct explain_node *node = subjects_node(explain, name);
    struct subject *subject = node ? monitors_find(explain, node, pid) : NULL;
    struct term timeout;
    int64_t ms;
    if (!subject || !term_pairs_get(info, "timeout", &timeout) || !term_read_integer(timeout, &ms) || ms <= 0)
        return;
    uint64_t now_ns = explain_now(explain), took_ns = (uint64_t)ms * EXPLAIN_MS;
    struct block *block = track_add(&subject->blocks, sizeof(*block), EXPLAIN_BLOCKS);
    block->lapse.to_ns = node_clock_place(&node->clock, node_ns, 0, now_ns);
    block->lapse.from_ns = block->lapse.to_ns > took_ns ? block->lapse.to_ns - took_ns : 0;
    block->stack = monitors_stack(explain, info);
}

/* --- Whether that is so --- */

/* The last answer before, or the first after that if it is near. */
static const struct waits *monitors_before(const struct explain_node *node, uint64_t at_ns)
{
    const struct waits *waits = node->waits.items, *found = NULL;
    for (size_t i = 0; i < node->waits.count; i++)
        if (waits[i].at_ns <= at_ns || (!found && waits[i].at_ns <= at_ns + MONITORS_WAITS_NS))
            found = &waits[i];
    return found;
}

/* The first answer after, or the last before that. */
static const struct waits *monitors_after(const struct explain_node *node, uint64_t at_ns)
{
    const struct waits *waits = node->waits.items;
    for (size_t i = 0; i < node->waits.count; i++)
        if (waits[i].at_ns >= at_ns)
            return &waits[i];
    return node->waits.count && waits[node->waits.count - 1].at_ns + MONITORS_WAITS_NS >= at_ns
               ? &waits[node->waits.count - 1]
               : NULL;
}

bool monitors_is_certain(const struct explain_node *node, const struct block *block)
{
    const struct waits *before = monitors_before(node, block->lapse.from_ns);
    const struct waits *after = monitors_after(node, block->lapse.to_ns);
    if (!before || !after || after->at_ns <= before->at_ns ||
        after->at_ns - before->at_ns < (block->lapse.to_ns - block->lapse.from_ns) / 2)
        return false;
    for (size_t i = 0; i < node->schedulers.count; i++)
        if ((after->waited_ns[i] - before->waited_ns[i]) * MONITORS_PART >
            block->lapse.to_ns - block->lapse.from_ns)
            return false;
    return true;
}
