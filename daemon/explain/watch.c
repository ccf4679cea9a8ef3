/* What is late, and what is done about it: probes are sent to the nodes and to the processes that late
 * operations are for, as long as they are late. */
#include "explain_private.h"

/* An operation that takes as long is late, whatever is usual; and so is one that takes several times what is
 * usual, but no later than this. */
#define WATCH_LEAST_NS (4 * EXPLAIN_MS)
#define WATCH_MOST_NS (10 * EXPLAIN_MS)
#define WATCH_TIMES_P50 4
#define WATCH_TIMES_P99 2
#define WATCH_P99_MOST_NS (8 * EXPLAIN_MS)

/* Of fewer nobody knows what is usual. What is known is good for so long. */
#define WATCH_KNOWN 20
#define WATCH_KNOWN_NS (100 * EXPLAIN_MS)

/* Probes are sent so often; for what is late for long less often. */
#define WATCH_INTERVAL_NS (2 * EXPLAIN_MS)
#define WATCH_AGE_PART 32

/* Looks that may be made a second; EXPLAIN_LOOKS may be made at once. */
#define WATCH_LOOKS_A_SECOND 500

/* Operations under way that are asked for, of calls and of customs. */
#define WATCH_LATE 256

/* At the beginning: heartbeats that compare clocks. */
#define WATCH_FIRST_NS (5 * EXPLAIN_MS)

static uint64_t watch_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t watch_later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* --- What is late --- */

static uint64_t watch_late_ns_of(const struct usual_time *usual)
{
    uint64_t p50_ns = WATCH_TIMES_P50 * usual->p50_us * CLOCK_NS_PER_US;
    uint64_t p99_ns = watch_earlier(WATCH_TIMES_P99 * usual->p99_us * CLOCK_NS_PER_US, WATCH_P99_MOST_NS);
    if (usual->count < WATCH_KNOWN)
        return WATCH_LEAST_NS;
    return watch_earlier(WATCH_MOST_NS, watch_later(WATCH_LEAST_NS, watch_later(p50_ns, p99_ns)));
}

uint64_t watch_late_ns(struct explain *explain, uint32_t operation, uint64_t now_ns)
{
    size_t kind = explain->options.way->kind(explain->options.owner, operation);
    if (!kind)
        return WATCH_LEAST_NS;
    if (!explain->kinds[kind].known_ns || now_ns > explain->kinds[kind].known_ns + WATCH_KNOWN_NS) {
        struct usual_time usual = explain->options.way->usual(explain->options.owner, kind);
        explain->kinds[kind].known_ns = now_ns;
        explain->kinds[kind].late_ns = watch_late_ns_of(&usual);
    }
    return explain->kinds[kind].late_ns;
}

static void watch_note(uint64_t *late_ns, uint64_t sent_ns)
{
    if (!*late_ns || sent_ns < *late_ns)
        *late_ns = sent_ns;
}

static void watch_mark_subject(struct subject *subject, uint64_t sent_ns, uint64_t now_ns)
{
    if (!subject)
        return;
    watch_note(&subject->late_ns, sent_ns);
    watch_note(&subject->node->late_ns, sent_ns);
    subject->used_ns = now_ns;
}

/* Of operations that were quick nobody tells: the last of them was served when others begin to be late. */
static void watch_note_served(struct explain *explain, struct subject *subject, uint32_t target)
{
    if (subject->kind != SUBJECT_TARGET || subject->late_ns || subject->was_late)
        return;
    const struct served served = explain->options.way->served(explain->options.owner, target);
    if (served.ended_ns)
        subjects_note_served(subject, served);
}

static void watch_mark(struct explain *explain, const struct slow_operation *slow, uint64_t now_ns)
{
    struct subject *subject = slow->is_sent ? subjects_of(explain, slow, true) : NULL;
    struct explain_node *node = subject ? subject->node : subjects_node_of(explain, slow);
    if (subject)
        watch_note_served(explain, subject, slow->target);
    if (node)
        watch_note(&node->late_ns, slow->sent_ns);
    watch_mark_subject(subject, slow->sent_ns, now_ns);
    watch_mark_subject(subject ? subject->callee : NULL, slow->sent_ns, now_ns);
}

static void watch_unmark(struct explain *explain)
{
    for (size_t i = 0; i < explain->node_count; i++) {
        explain->nodes[i]->was_late = explain->nodes[i]->late_ns > 0;
        explain->nodes[i]->late_ns = 0;
    }
    for (size_t i = 0; i < explain->subject_count; i++) {
        explain->subjects[i].was_late = explain->subjects[i].late_ns > 0;
        explain->subjects[i].late_ns = 0;
    }
}

/* Marks whom late operations are for; when the next one will be late. */
static uint64_t watch_find(struct explain *explain, uint64_t now_ns)
{
    struct slow_operation late[2 * WATCH_LATE];
    uint64_t next_ns = now_ns + WATCH_LEAST_NS;
    size_t count = explain->options.way->late(explain->options.owner, now_ns, late, WATCH_LATE);
    watch_unmark(explain);
    explain->is_watching = false;
    for (size_t i = 0; i < count; i++) {
        uint64_t late_ns = WATCH_LEAST_NS;
        if (late[i].sent_ns + late_ns <= now_ns)
            late_ns = watch_late_ns(explain, late[i].operation, now_ns);
        if (late[i].sent_ns + late_ns > now_ns) {
            next_ns = watch_earlier(next_ns, late[i].sent_ns + late_ns);
            continue;
        }
        explain->is_watching = true;
        watch_mark(explain, &late[i], now_ns);
    }
    return next_ns;
}

void watch_tell(struct explain *explain)
{
    uint64_t least_us = watch_earlier(settle_least_us(explain), WATCH_LEAST_NS / CLOCK_NS_PER_US);
    explain->options.way->watch_slow(explain->options.owner, explain->is_watching ? 0 : least_us);
}

/* --- What is done about it --- */

static void watch_give_looks(struct explain *explain, uint64_t now_ns)
{
    uint64_t given = (now_ns - explain->looks_given_ns) * WATCH_LOOKS_A_SECOND / CLOCK_NS_PER_S;
    if (!given)
        return;
    explain->looks_left = watch_earlier(explain->looks_left + given, EXPLAIN_LOOKS);
    explain->looks_given_ns = now_ns;
}

static bool watch_take_look(struct explain *explain)
{
    if (!explain->looks_left)
        return false;
    explain->looks_left--;
    return true;
}

static uint64_t watch_interval_ns(uint64_t late_ns, uint64_t now_ns)
{
    return watch_later(WATCH_INTERVAL_NS, (now_ns - late_ns) / WATCH_AGE_PART);
}

static void watch_ask_nodes(struct explain *explain, uint64_t now_ns)
{
    for (size_t i = 0; i < explain->node_count; i++) {
        struct explain_node *node = explain->nodes[i];
        monitors_ask(explain, node, now_ns);
        if (node->due_ns > now_ns || !(node->late_ns || node->first_left))
            continue;
        probes_send_heartbeat(explain, node, now_ns);
        node->due_ns = now_ns + (node->late_ns ? watch_interval_ns(node->late_ns, now_ns) - EXPLAIN_MS / 2
                                               : WATCH_FIRST_NS);
        node->first_left -= node->first_left > 0;
    }
}

/* One that was late is looked at once more, to know what it was at until the end; and one of which nobody
 * knows where it waits for messages at the beginning. */
static void watch_look(struct explain *explain, struct subject *subject, size_t late_count, uint64_t now_ns)
{
    uint64_t interval_ns = subject->late_ns ? watch_interval_ns(subject->late_ns, now_ns) : WATCH_INTERVAL_NS;
    bool is_last = subject->was_late && !subject->late_ns;
    bool is_first = subject->is_first && subject->pid.size;
    if (explain->looks_left < EXPLAIN_LOOKS / 2 && late_count)
        interval_ns = watch_later(interval_ns, late_count * CLOCK_NS_PER_S / WATCH_LOOKS_A_SECOND);
    if (!(is_last || is_first || (subject->late_ns && subject->due_ns <= now_ns)) ||
        !watch_take_look(explain))
        return;
    probes_send_look(explain, subject, now_ns, interval_ns);
    subject->is_first = false;
    subject->due_ns = now_ns + interval_ns - EXPLAIN_MS / 2;
}

static void watch_look_at_all(struct explain *explain, uint64_t now_ns)
{
    size_t late_count = 0;
    for (size_t i = 0; i < explain->subject_count; i++)
        late_count += explain->subjects[i].late_ns > 0;
    for (size_t i = 0; i < explain->subject_count; i++)
        if (explain->subjects[i].is_used)
            watch_look(explain, &explain->subjects[i], late_count, now_ns);
}

static bool watch_has_first(const struct explain *explain)
{
    bool has = false;
    for (size_t i = 0; i < explain->node_count; i++)
        has |= explain->nodes[i]->first_left > 0;
    return has;
}

uint64_t watch_work(struct explain *explain, uint64_t now_ns)
{
    uint64_t next_ns = watch_find(explain, now_ns);
    watch_give_looks(explain, now_ns);
    watch_ask_nodes(explain, now_ns);
    watch_look_at_all(explain, now_ns);
    if (explain->is_watching)
        next_ns = now_ns + WATCH_INTERVAL_NS;
    if (watch_has_first(explain))
        next_ns = watch_earlier(next_ns, now_ns + WATCH_FIRST_NS);
    return next_ns;
}
