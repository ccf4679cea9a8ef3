/* Who is looked at: nodes, and processes on them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "explain_private.h"
#include "term/term_read.h"

struct explain_node *subjects_node(struct explain *explain, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < explain->node_count; i++)
        if (strcmp(explain->nodes[i]->name, name) == 0)
            return explain->nodes[i];
    if (!size || size > NODE_NAME_BYTES || explain->node_count == EXPLAIN_NODES)
        return NULL;
    struct explain_node *node = memory_zalloc(1, sizeof(*node));
    memcpy(node->name, name, size + 1);
    return explain->nodes[explain->node_count++] = node;
}

static struct subject *subjects_find(struct explain *explain, enum subject_kind kind, uint32_t number)
{
    for (size_t i = 0; i < explain->subject_count; i++) {
        struct subject *subject = &explain->subjects[i];
        if (subject->is_used && subject->kind == kind && subject->number == number)
            return subject;
    }
    return NULL;
}

static void subjects_empty(struct explain *explain, struct subject *subject)
{
    probes_forget(explain, subject);
    for (size_t i = 0; i < explain->subject_count; i++)
        if (explain->subjects[i].callee == subject)
            explain->subjects[i].callee = NULL;
    buffer_free(&subject->pid);
    buffer_free(&subject->name);
    track_free(&subject->looks);
    track_free(&subject->tops);
    track_free(&subject->served);
    track_free(&subject->blocks);
    spans_free(&subject->view.spans);
    *subject = (struct subject){.is_used = false};
}

/* Whether somebody still needs what was seen of it. */
static bool subjects_is_needed(const struct explain *explain, const struct subject *subject)
{
    bool needed = subject->pending || subject->late_ns;
    for (size_t i = 0; !needed && i < explain->subject_count; i++)
        needed = explain->subjects[i].callee == subject &&
                 (explain->subjects[i].pending || explain->subjects[i].late_ns);
    return needed;
}

/* A free one, or the one that was not late for the longest time. */
static struct subject *subjects_make_room(struct explain *explain)
{
    struct subject *oldest = NULL;
    for (size_t i = 0; i < explain->subject_count; i++) {
        struct subject *subject = &explain->subjects[i];
        if (!subject->is_used)
            return subject;
        if (!subjects_is_needed(explain, subject) && (!oldest || subject->used_ns < oldest->used_ns))
            oldest = subject;
    }
    if (explain->subject_count < EXPLAIN_SUBJECTS)
        return &explain->subjects[explain->subject_count++];
    if (oldest)
        subjects_empty(explain, oldest);
    return oldest;
}

static struct subject *subjects_add(struct explain *explain, enum subject_kind kind, uint32_t number,
                                    struct explain_node *node)
{
    struct subject *subject = node ? subjects_make_room(explain) : NULL;
    if (subject)
        *subject = (struct subject){
            .is_used = true, .kind = kind, .number = number, .node = node, .used_ns = explain_now(explain)};
    return subject;
}

static void subjects_keep(struct buffer *kept, struct term term)
{
    if (term.data && (!kept->size || !term_same(term_of(kept), term)))
        term_keep(kept, term);
}

/* Another process may have its place by now. */
struct subject *subjects_target(struct explain *explain, uint32_t target)
{
    struct explain_process process = {0};
    struct subject *subject = subjects_find(explain, SUBJECT_TARGET, target);
    if (!explain->options.way->find(explain->options.owner, target, &process))
        return subject;
    if (subject && strcmp(subject->node->name, process.node) != 0) {
        if (subjects_is_needed(explain, subject))
            return subject;
        subjects_empty(explain, subject);
        subject = NULL;
    }
    if (!subject)
        subject = subjects_add(explain, SUBJECT_TARGET, target, subjects_node(explain, process.node));
    if (!subject)
        return NULL;
    subjects_keep(&subject->name, process.name);
    if (process.pid.data)
        subjects_keep(&subject->pid, process.pid);
    return subject;
}

/* The thread may be at its next step, which another process applies. */
static struct subject *subjects_custom(struct explain *explain, const struct slow_operation *slow, bool adds)
{
    struct subject *subject = subjects_find(explain, SUBJECT_CUSTOM, slow->thread);
    if (subject && subject->step == slow->step)
        return subject;
    if (!adds || (subject && subjects_is_needed(explain, subject)))
        return NULL;
    if (subject)
        subjects_empty(explain, subject);
    subject =
        subjects_add(explain, SUBJECT_CUSTOM, slow->thread,
                     subjects_node(explain, explain->options.way->customs_node(explain->options.owner)));
    if (!subject)
        return NULL;
    subject->step = slow->step;
    explain->options.way->find_custom(explain->options.owner, slow->thread, slow->step);
    return subject;
}

struct subject *subjects_of(struct explain *explain, const struct slow_operation *slow, bool adds)
{
    if (slow->is_custom)
        return subjects_custom(explain, slow, adds);
    return adds ? subjects_target(explain, slow->target)
                : subjects_find(explain, SUBJECT_TARGET, slow->target);
}

struct explain_node *subjects_node_of(struct explain *explain, const struct slow_operation *slow)
{
    struct explain_process process;
    if (slow->is_custom)
        return subjects_node(explain, explain->options.way->customs_node(explain->options.owner));
    return explain->options.way->find(explain->options.owner, slow->target, &process)
               ? subjects_node(explain, process.node)
               : NULL;
}

/* Ends of operations are kept when they are so far apart. */
#define SUBJECTS_SERVED_NS (CLOCK_NS_PER_MS / 5)

void subjects_note_served(struct subject *subject, struct served served)
{
    const struct served *all = subject->served.items;
    const struct served *last = subject->served.count ? &all[subject->served.count - 1] : NULL;
    if (last && last->ended_ns + SUBJECTS_SERVED_NS > served.ended_ns)
        return;
    if (last && last->sent_ns > served.sent_ns)
        served.sent_ns = last->sent_ns;
    *(struct served *)track_add(&subject->served, sizeof(served), EXPLAIN_SERVED) = served;
}

/* --- Callees --- */

static bool subjects_is(const struct subject *subject, const struct explain_node *node, struct term process)
{
    bool is_pid = term_type(process) == TERM_PID;
    const struct buffer *own = is_pid ? &subject->pid : &subject->name;
    return subject->is_used && subject->node == node && own->size && term_same(term_of(own), process);
}

struct subject *subjects_callee(struct explain *explain, struct subject *caller,
                                const struct probe_look *look)
{
    char name[TERM_ATOM_BYTES + 1];
    struct term node_name = look->callee_node;
    if (!look->callee.data || (!node_name.data && !term_read_node(look->callee, &node_name)) ||
        !term_read_atom(node_name, name))
        return NULL;
    struct explain_node *node = subjects_node(explain, name);
    for (size_t i = 0; node && i < explain->subject_count; i++)
        if (subjects_is(&explain->subjects[i], node, look->callee))
            return &explain->subjects[i];
    caller->pending++; /* it is needed itself */
    struct subject *callee = subjects_add(explain, SUBJECT_CALLEE, caller->number, node);
    caller->pending--;
    if (callee)
        subjects_keep(term_type(look->callee) == TERM_PID ? &callee->pid : &callee->name, look->callee);
    return callee;
}

void subjects_free(struct explain *explain)
{
    for (size_t i = 0; i < explain->subject_count; i++)
        if (explain->subjects[i].is_used)
            subjects_empty(explain, &explain->subjects[i]);
    free(explain->subjects);
    for (size_t i = 0; i < explain->node_count; i++) {
        track_free(&explain->nodes[i]->heartbeats);
        track_free(&explain->nodes[i]->waits);
        spans_free(&explain->nodes[i]->view.spans);
        free(explain->nodes[i]);
    }
}
