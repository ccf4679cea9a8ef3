/* Probes: those that are under way, and what comes of them. */
#include "explain_private.h"

#include "term/term_read.h"

/* What a stopped process is sent its system acknowledges earlier than that (40 ms after it has come, on
 * most), and twice the way. */
#define PROBES_SILENT_NS (100 * EXPLAIN_MS)

/* A heartbeat that has no answer for so long, and twice the way, is late. */
#define PROBES_LATE_NS (5 * EXPLAIN_MS)

/* A look that takes longer has waited for its process. */
#define PROBES_WAIT_NS EXPLAIN_MS

static struct probe *probes_find(struct explain *explain, uint64_t number)
{
    for (size_t i = 0; i < explain->probe_count; i++)
        if (explain->probes[i].is_used && explain->probes[i].number == number)
            return &explain->probes[i];
    return NULL;
}

static struct probe *probes_new(struct explain *explain, enum probe_kind kind, struct explain_node *node,
                                struct subject *subject, uint64_t now_ns)
{
    size_t i = 0;
    while (i < explain->probe_count && explain->probes[i].is_used)
        i++;
    if (i == EXPLAIN_PROBES)
        return NULL;
    explain->probe_count += i == explain->probe_count;
    struct probe *probe = &explain->probes[i];
    *probe = (struct probe){.is_used = true,
                            .kind = kind,
                            .number = ++explain->numbers,
                            .node = node,
                            .subject = subject,
                            .sent_ns = now_ns};
    return probe;
}

/* What was built is sent. False when it cannot be. */
static bool probes_send(struct explain *explain, struct probe *probe)
{
    struct probe_request request = {.node = probe->node->name,
                                    .number = probe->number,
                                    .functions = probe_terms_functions(&explain->terms),
                                    .arguments = probe_terms_arguments(&explain->terms),
                                    .is_urgent = probe->kind != PROBE_LOOK,
                                    .is_linked = probe->kind == PROBE_LOOK};
    probe->departure = explain->options.probes->departure(explain->options.probes_owner, request.node);
    probe->is_used = explain->options.probes->send(explain->options.probes_owner, &request);
    if (!probe->is_used)
        departure_release(probe->departure);
    return probe->is_used;
}

static struct wire probes_wire(const struct explain *explain, const struct explain_node *node)
{
    struct wire wire = {0};
    if (!explain->options.probes->wire(explain->options.probes_owner, node->name, &wire))
        wire = (struct wire){0};
    return wire;
}

/* --- Heartbeats --- */

/* Those of the node that are known by a name, and not for sure by their pid: another process may have it. */
static void probes_name(struct explain *explain, struct probe *probe)
{
    struct term names[PROBE_NAMES];
    for (size_t i = 0; i < explain->subject_count && probe->name_count < PROBE_NAMES; i++) {
        struct subject *subject = &explain->subjects[i];
        if (!subject->is_used || subject->node != probe->node || !subject->name.size ||
            !(subject->late_ns || subject->is_first))
            continue;
        names[probe->name_count] = term_of(&subject->name);
        probe->named[probe->name_count++] = subject;
    }
    probe_terms_heartbeat(&explain->terms, names, probe->name_count);
}

void probes_send_heartbeat(struct explain *explain, struct explain_node *node, uint64_t now_ns)
{
    struct probe *probe = node->unanswered < EXPLAIN_UNANSWERED
                              ? probes_new(explain, PROBE_HEARTBEAT, node, NULL, now_ns)
                              : NULL;
    if (!probe)
        return;
    probes_name(explain, probe);
    if (!probes_send(explain, probe))
        return;
    probe->place = track_next(&node->heartbeats);
    struct heartbeat *heartbeat = track_add(&node->heartbeats, sizeof(*heartbeat), EXPLAIN_KEPT);
    heartbeat->sent_ns = now_ns;
    heartbeat->ahead = explain->options.way->in_flight(explain->options.owner);
    node->unanswered++;
    probe->wire = probes_wire(explain, node);
    node->is_local = probe->wire.is_local;
    explain->totals.heartbeats++;
}

static struct heartbeat *probes_heartbeat_of(const struct probe *probe)
{
    return probe->kind == PROBE_HEARTBEAT
               ? track_at(&probe->node->heartbeats, sizeof(struct heartbeat), probe->place)
               : NULL;
}

static struct look *probes_look_of(const struct probe *probe)
{
    return probe->kind == PROBE_LOOK ? track_at(&probe->subject->looks, sizeof(struct look), probe->place)
                                     : NULL;
}

/* It counts from when it has left, which is later than when it was made: other work may have come between.
 * One that has not is not late yet. */
static void probes_depart(struct probe *probe, uint64_t now_ns)
{
    struct heartbeat *heartbeat = probes_heartbeat_of(probe);
    struct look *look = probes_look_of(probe);
    if (!probe->departure)
        return;
    probe->sent_ns = probe->departure->ns ? probe->departure->ns : now_ns;
    if (heartbeat) {
        heartbeat->sent_ns = probe->sent_ns;
        heartbeat->was_full = probe->departure->was_full;
    }
    if (look)
        look->sent_ns = probe->sent_ns;
}

static void probes_take_names(const struct probe *probe, const struct probe_beat *beat)
{
    for (size_t i = 0; i < probe->name_count; i++) {
        struct subject *subject = probe->named[i];
        if (!subject || !beat->pids[i].data)
            continue;
        if (!subject->pid.size || !term_same(term_of(&subject->pid), beat->pids[i]))
            term_keep(&subject->pid, beat->pids[i]);
    }
}

static uint64_t probes_us(int64_t from_ns, int64_t to_ns)
{
    return to_ns > from_ns ? (uint64_t)(to_ns - from_ns) / CLOCK_NS_PER_US : 0;
}

static bool probes_take_heartbeat(struct explain *explain, const struct probe *probe, struct term results,
                                  uint64_t now_ns)
{
    struct probe_beat beat;
    struct explain_node *node = probe->node;
    struct heartbeat *heartbeat = probes_heartbeat_of(probe);
    if (!probe_terms_read_heartbeat(results, probe->name_count, &beat))
        return false;
    node_clock_note(&node->clock, probe->sent_ns, beat.node_ns, now_ns);
    probes_take_names(probe, &beat);
    explain->totals.node_us += probes_us(beat.node_ns, beat.done_ns);
    monitors_go_on(explain, node, now_ns);
    if (!heartbeat)
        return true;
    heartbeat->at_ns = node_clock_place(&node->clock, beat.node_ns, probe->sent_ns, now_ns);
    heartbeat->done_ns = node_clock_place(&node->clock, beat.done_ns, heartbeat->at_ns, now_ns);
    heartbeat->answered_ns = now_ns;
    heartbeat->ready = beat.ready;
    heartbeat->schedulers = beat.schedulers;
    heartbeat->queues = beat.queues;
    return true;
}

/* --- Looks --- */

void probes_send_look(struct explain *explain, struct subject *subject, uint64_t now_ns, uint64_t reach_ns)
{
    struct probe *probe = subject->unanswered < EXPLAIN_UNANSWERED && subject->pid.size
                              ? probes_new(explain, PROBE_LOOK, subject->node, subject, now_ns)
                              : NULL;
    if (!probe)
        return;
    probe_terms_look(&explain->terms, term_of(&subject->pid), explain->options.pid,
                     subject->kind == SUBJECT_CUSTOM);
    if (!probes_send(explain, probe))
        return;
    probe->place = track_next(&subject->looks);
    struct look *look = track_add(&subject->looks, sizeof(*look), EXPLAIN_KEPT);
    (void)track_add(&subject->tops, sizeof(uint64_t), EXPLAIN_KEPT);
    look->sent_ns = now_ns;
    look->reach_ns = reach_ns;
    subject->unanswered++;
    explain->totals.looks++;
}

/* Where it waits while nothing is to be done is its loop. */
static void probes_learn(struct subject *subject, const struct probe_look *seen)
{
    bool waits = seen->state == LOOK_IDLE || seen->state == LOOK_WAITING;
    if (waits && !subject->late_ns && !seen->queue && subject->kind == SUBJECT_TARGET)
        subject->idle = seen->top;
}

static enum look_state probes_state_of(struct explain *explain, struct subject *subject,
                                       const struct probe_look *seen)
{
    if (seen->state != LOOK_CALLING)
        return seen->state;
    subject->callee = subjects_callee(explain, subject, seen);
    return subject->callee ? LOOK_CALLING : LOOK_WAITING;
}

static bool probes_take_look(struct explain *explain, const struct probe *probe, struct term results,
                             uint64_t now_ns)
{
    struct probe_look seen;
    struct subject *subject = probe->subject;
    if (!probe_terms_read_look(results, &seen))
        return false;
    probes_learn(subject, &seen);
    if (seen.ended_ns - seen.began_ns < (int64_t)PROBES_WAIT_NS)
        explain->totals.node_us += probes_us(seen.began_ns, seen.ended_ns);
    enum look_state state = probes_state_of(explain, subject, &seen);
    struct look *look = probes_look_of(probe);
    uint64_t *top = track_at(&subject->tops, sizeof(*top), probe->place);
    if (!look)
        return true;
    const struct node_clock *clock = &probe->node->clock;
    look->began_ns = node_clock_place(clock, seen.began_ns, probe->sent_ns, now_ns);
    look->ended_ns = node_clock_place(clock, seen.ended_ns, look->began_ns, now_ns);
    look->answered_ns = now_ns;
    look->state = state;
    look->stack = seen.stack.data ? stacks_number(&explain->stacks, seen.stack) : STACKS_NONE;
    look->queue = seen.queue;
    look->heap_words = seen.heap_words;
    look->all_words = seen.all_words;
    look->reductions = seen.reductions;
    *top = seen.top;
    return true;
}

/* --- Of a node --- */

void probes_send_to_node(struct explain *explain, struct explain_node *node, enum probe_kind kind,
                         uint64_t now_ns)
{
    for (size_t i = 0; i < explain->probe_count; i++)
        if (explain->probes[i].is_used && explain->probes[i].node == node && explain->probes[i].kind == kind)
            return;
    struct probe *probe = probes_new(explain, kind, node, NULL, now_ns);
    if (probe)
        (void)probes_send(explain, probe);
}

/* --- Answers --- */

static void probes_end(struct probe *probe)
{
    if (probe->kind == PROBE_LOOK)
        probe->subject->unanswered--;
    else if (probe->kind == PROBE_HEARTBEAT)
        probe->node->unanswered--;
    departure_release(probe->departure);
    probe->is_used = false;
}

/* Without an answer it has seen nothing, and waits for nothing any more. */
static void probes_lose(struct explain *explain, struct probe *probe, uint64_t now_ns)
{
    struct look *look = probes_look_of(probe);
    struct heartbeat *heartbeat = probes_heartbeat_of(probe);
    if (look)
        look->answered_ns = now_ns;
    if (heartbeat) {
        heartbeat->answered_ns = now_ns;
        probe->node->clock = (struct node_clock){.is_known = false}; /* another one may come in its place */
    }
    explain->totals.lost += probe->kind == PROBE_LOOK || probe->kind == PROBE_HEARTBEAT;
    probes_end(probe);
}

/* What the wire says of a heartbeat that is late: whether its node's system has it, and whether something was
 * lost. What was put into the socket before was acknowledged when as much was. */
static void probes_look_at_wire(const struct explain *explain, struct probe *probe, uint64_t now_ns)
{
    struct heartbeat *heartbeat = probes_heartbeat_of(probe);
    const uint64_t ways_ns = 2 * probe->node->clock.error_ns;
    if (!heartbeat || now_ns <= probe->sent_ns + ways_ns + PROBES_LATE_NS)
        return;
    const struct wire wire = probes_wire(explain, probe->node);
    heartbeat->retransmits = wire.retransmits - probe->wire.retransmits;
    if (wire.unacked && wire.silent_ms * EXPLAIN_MS >= PROBES_SILENT_NS + ways_ns &&
        now_ns > probe->sent_ns + PROBES_SILENT_NS + ways_ns)
        heartbeat->unacked = wire.unacked;
    if (!probe->has_bytes)
        probe->has_bytes = wire.sent_bytes;
    if (probe->has_bytes && wire.acked_bytes >= probe->has_bytes && !heartbeat->taken_ns)
        heartbeat->taken_ns = now_ns;
}

/* Between when it was sent and now: a time that is not is wrong. */
static uint64_t probes_came_ns(const struct explain *explain, const struct probe *probe, uint64_t came_ns)
{
    const uint64_t now_ns = explain_now(explain);
    return came_ns < probe->sent_ns ? probe->sent_ns : came_ns > now_ns ? now_ns : came_ns;
}

void probes_answered(struct explain *explain, uint64_t number, struct term results, uint64_t came_ns)
{
    static bool (*const takes[PROBE_KINDS])(struct explain *explain, const struct probe *probe,
                                            struct term results, uint64_t now_ns) = {
        [PROBE_HEARTBEAT] = probes_take_heartbeat,
        [PROBE_LOOK] = probes_take_look,
        [PROBE_THREADS_OF_NODE] = monitors_take_threads,
        [PROBE_NAMES_OF_THREADS] = monitors_take_names,
        [PROBE_WAITS] = monitors_take_waits,
    };
    struct probe *probe = probes_find(explain, number);
    if (!probe)
        return;
    probes_depart(probe, explain_now(explain));
    came_ns = probes_came_ns(explain, probe, came_ns);
    probes_look_at_wire(explain, probe, came_ns);
    if (takes[probe->kind](explain, probe, results, came_ns))
        probes_end(probe);
    else
        probes_lose(explain, probe, came_ns);
}

void explain_lost(struct explain *explain, uint64_t number)
{
    struct probe *probe = probes_find(explain, number);
    if (probe)
        probes_lose(explain, probe, explain_now(explain));
}

/* --- While they are under way --- */

void probes_look_after(struct explain *explain, uint64_t now_ns)
{
    for (size_t i = 0; i < explain->probe_count; i++) {
        struct probe *probe = &explain->probes[i];
        if (!probe->is_used)
            continue;
        probes_depart(probe, now_ns);
        probes_look_at_wire(explain, probe, now_ns);
    }
}

bool probes_are_awaited(const struct explain *explain, const struct explain_node *node,
                        const struct subject *subject, uint64_t before_ns)
{
    for (size_t i = 0; i < explain->probe_count; i++) {
        const struct probe *probe = &explain->probes[i];
        if (probe->is_used && probe->sent_ns < before_ns &&
            (probe->subject ? probe->subject == subject : probe->node == node))
            return true;
    }
    return false;
}

static void probes_drop(struct explain *explain, struct probe *probe)
{
    explain->options.probes->drop(explain->options.probes_owner, probe->number);
    probes_end(probe);
}

void probes_forget(struct explain *explain, const struct subject *subject)
{
    for (size_t i = 0; i < explain->probe_count; i++) {
        struct probe *probe = &explain->probes[i];
        if (!probe->is_used)
            continue;
        for (size_t j = 0; j < probe->name_count; j++)
            if (probe->named[j] == subject)
                probe->named[j] = NULL;
        if (probe->subject == subject)
            probes_drop(explain, probe);
    }
}

void probes_drop_all(struct explain *explain)
{
    for (size_t i = 0; i < explain->probe_count; i++)
        if (explain->probes[i].is_used)
            probes_drop(explain, &explain->probes[i]);
}
