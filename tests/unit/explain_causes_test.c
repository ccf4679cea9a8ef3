/* Tables of evidence, and the causes that it is evidence of. Times are ms since the beginning of the table.
 */
#include "causes_private.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/compiler.h"

#define MOST 40
#define ZERO_NS (1000 * CLOCK_NS_PER_S) /* of the table */
#define NEVER (-1)
#define SMALL 1000
#define LARGE 4000000

/* Probes each 2 ms, as they are sent while something is late. */
struct beat {
    double sent, at, answered; /* NEVER: not yet */
    int ready;                 /* for two schedulers */
    int unacked, retransmits;
    double taken; /* 0: nobody saw that */
    bool was_full;
    int ahead;
};

struct seen {
    double sent, began, ended, answered;
    enum look_state state;
    int stack;
    int queue;
    int heap;
    int reductions;
};

struct wanted {
    enum cause cause;
    double least_ms, most_ms;
};

struct row {
    const char *name;
    double from, to; /* of the operation */
    struct beat beats[MOST];
    struct seen looks[MOST];
    double blocks[4][3]; /* not certain, if the third is 1 */
    double stalls[4][2];
    double ends[MOST];
    struct wanted wanted[6];    /* in this order; the times sum to that of the operation */
    struct cause_detail detail; /* of the first */
    double now;
    bool is_local;
};

static uint64_t ns(double ms)
{
    return ms == NEVER ? 0 : ZERO_NS + (uint64_t)(ms * CLOCK_NS_PER_MS);
}

/* What a row says, as evidence. */
struct table {
    struct heartbeat heartbeats[MOST];
    struct look looks[MOST];
    struct block blocks[4];
    struct lapse stalls[4];
    struct served served[MOST];
    struct evidence evidence;
};

static void table_read(struct table *table, const struct row *row)
{
    size_t heartbeats = 0, looks = 0, blocks = 0, stalls = 0, ends = 0;
    for (; heartbeats < MOST && row->beats[heartbeats].sent > 0; heartbeats++) {
        const struct beat *beat = &row->beats[heartbeats];
        table->heartbeats[heartbeats] = (struct heartbeat){
            .sent_ns = ns(beat->sent),
            .at_ns = ns(beat->at),
            .done_ns = ns(beat->at),
            .taken_ns = beat->taken > 0 ? ns(beat->taken) : 0,
            .answered_ns = ns(beat->answered),
            .unacked = (uint32_t)beat->unacked,
            .retransmits = (uint32_t)beat->retransmits,
            .was_full = beat->was_full,
            .ahead = (uint32_t)beat->ahead,
            .ready = (uint32_t)beat->ready,
            .schedulers = 2,
            .queues = {.kind = CAUSE_QUEUES_OF, .queues = {2, {(uint16_t)(beat->ready / 2), 0}}}};
    }
    for (; looks < MOST && row->looks[looks].sent > 0; looks++) {
        const struct seen *seen = &row->looks[looks];
        table->looks[looks] = (struct look){.sent_ns = ns(seen->sent),
                                            .began_ns = ns(seen->began),
                                            .ended_ns = ns(seen->ended),
                                            .answered_ns = ns(seen->answered),
                                            .reach_ns = 2 * CLOCK_NS_PER_MS,
                                            .state = seen->state,
                                            .stack = (uint32_t)seen->stack,
                                            .queue = (uint64_t)seen->queue,
                                            .heap_words = (uint64_t)seen->heap,
                                            .all_words = (uint64_t)seen->heap,
                                            .reductions = (uint64_t)seen->reductions};
    }
    for (; blocks < 4 && row->blocks[blocks][1] > 0; blocks++)
        table->blocks[blocks] = (struct block){
            {ns(row->blocks[blocks][0]), ns(row->blocks[blocks][1])}, 9, row->blocks[blocks][2] == 0};
    for (; stalls < 4 && row->stalls[stalls][1] > 0; stalls++)
        table->stalls[stalls] = (struct lapse){ns(row->stalls[stalls][0]), ns(row->stalls[stalls][1])};
    for (; ends < MOST && row->ends[ends] > 0; ends++)
        table->served[ends] = (struct served){.ended_ns = ns(row->ends[ends])};
    table->evidence = (struct evidence){.is_local = row->is_local,
                                        .heartbeats = table->heartbeats,
                                        .heartbeat_count = heartbeats,
                                        .looks = table->looks,
                                        .look_count = looks,
                                        .blocks = table->blocks,
                                        .block_count = blocks,
                                        .stalls = table->stalls,
                                        .stall_count = stalls,
                                        .served = table->served,
                                        .served_count = ends,
                                        .now_ns = ns(row->now > 0 ? row->now : row->to + 1)};
}

static void check(const struct row *row, const struct causes *causes)
{
    uint64_t sum_us = 0, all_us = (uint64_t)((row->to - row->from) * 1000);
    size_t count = 0;
    while (count < ARRAY_LENGTH(row->wanted) && row->wanted[count].most_ms > 0)
        count++;
    for (size_t i = 0; i < causes->count; i++) {
        const struct cause_share *share = &causes->items[i].share;
        sum_us += share->us;
        if (i < count && share->cause == row->wanted[i].cause &&
            (double)share->us >= row->wanted[i].least_ms * 1000 &&
            (double)share->us <= row->wanted[i].most_ms * 1000)
            continue;
        fail_msg("%s: cause %zu is %s with %llu us", row->name, i, cause_name(share->cause),
                 (unsigned long long)share->us);
    }
    if (causes->count != count)
        fail_msg("%s: %zu causes and not %zu", row->name, causes->count, count);
    if (sum_us > all_us || sum_us + 1 < all_us)
        fail_msg("%s: %llu us and not %llu", row->name, (unsigned long long)sum_us,
                 (unsigned long long)all_us);
    if (count && memcmp(&causes->items[0].share.detail, &row->detail, sizeof(row->detail)) != 0)
        fail_msg("%s: another detail (of kind %d)", row->name, (int)causes->items[0].share.detail.kind);
}

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct table table = {0};
        struct causes causes;
        table_read(&table, &rows[i]);
        causes_find(&causes, (struct lapse){ns(rows[i].from), ns(rows[i].to)}, &table.evidence, NULL);
        check(&rows[i], &causes);
    }
}

/* A heartbeat that comes in time; a look that is answered at once. */
/* One that has come in time, or then, and was answered then. */
#define CAME(sent_, at_, answered_, ...)                                                                     \
    {.sent = sent_, .at = at_, .answered = answered_, .ready = 1, __VA_ARGS__}
#define BEAT(sent_) CAME(sent_, (sent_) + 0.2, (sent_) + 0.4, )
#define BUSY(sent_, ready_) {.sent = sent_, .at = (sent_) + 1, .answered = (sent_) + 1.2, .ready = ready_}
#define LOOK(sent, state, stack, queue)                                                                      \
    {sent, (sent) + 0.2, (sent) + 0.3, (sent) + 0.5, state, stack, queue, SMALL, 1}
#define STACK(number) {.kind = CAUSE_STACK, .stack = (number)}

static const struct row seen_rows[] = {
    {.name = "nothing was seen", .from = 10, .to = 30, .wanted = {{CAUSE_UNKNOWN, 20, 20}}},
    {.name = "suspended from the third look on",
     .from = 10,
     .to = 40,
     .looks = {LOOK(15, LOOK_IDLE, 1, 0), LOOK(17, LOOK_IDLE, 1, 0), LOOK(19, LOOK_SUSPENDED, 1, 0),
               LOOK(21, LOOK_SUSPENDED, 1, 0), LOOK(23, LOOK_SUSPENDED, 1, 0), LOOK(25, LOOK_SUSPENDED, 1, 0),
               LOOK(27, LOOK_SUSPENDED, 1, 0), LOOK(29, LOOK_IDLE, 1, 0)},
     .wanted = {{CAUSE_UNKNOWN, 19, 21}, {CAUSE_SUSPENDED, 9, 11}}},
    {.name = "blocked in sending",
     .from = 10,
     .to = 20,
     .looks = {LOOK(12, LOOK_BLOCKED, 3, 0), LOOK(14, LOOK_BLOCKED, 3, 0), LOOK(16, LOOK_BLOCKED, 3, 0),
               LOOK(18, LOOK_BLOCKED, 3, 0)},
     .wanted = {{CAUSE_REPLY_BLOCKED, 7, 8}, {CAUSE_UNKNOWN, 2, 3}},
     .detail = STACK(3)},
    {.name = "a handler, at the line where it was most",
     .from = 10,
     .to = 30,
     .looks = {LOOK(14, LOOK_RUNNING, 5, 0), LOOK(16, LOOK_RUNNING, 4, 0), LOOK(18, LOOK_WAITING, 4, 0),
               LOOK(20, LOOK_RUNNING, 4, 0), LOOK(22, LOOK_RUNNING, 4, 0), LOOK(24, LOOK_RUNNING, 5, 0),
               LOOK(26, LOOK_RUNNING, 4, 0), LOOK(28, LOOK_RUNNING, 4, 0)},
     .wanted = {{CAUSE_HANDLER, 15, 16}, {CAUSE_UNKNOWN, 4, 5}},
     .detail = STACK(4)},
    {.name = "one look at a handler says nothing: most messages are handled in microseconds",
     .from = 10,
     .to = 30,
     .looks = {LOOK(14, LOOK_IDLE, 1, 0), LOOK(16, LOOK_RUNNING, 4, 0), LOOK(18, LOOK_IDLE, 1, 0)},
     .wanted = {{CAUSE_UNKNOWN, 20, 20}}},
    {.name = "nor do two with another operation's end in between, but for the time before that",
     .from = 10,
     .to = 30,
     .looks = {LOOK(14, LOOK_RUNNING, 4, 2), LOOK(16, LOOK_RUNNING, 4, 2), LOOK(18, LOOK_RUNNING, 4, 2)},
     .ends = {14.4, 15, 16.4, 17},
     .wanted = {{CAUSE_UNKNOWN, 20, 20}}},
    {.name = "a mailbox that is worked through, though each message is handled",
     .from = 10,
     .to = 24,
     .looks = {LOOK(12, LOOK_RUNNING, 4, 900), LOOK(14, LOOK_LOOPING, 4, 700), LOOK(16, LOOK_RUNNING, 4, 500),
               LOOK(18, LOOK_RUNNING, 4, 300), LOOK(20, LOOK_RUNNING, 4, 60), LOOK(22, LOOK_IDLE, 1, 0)},
     .wanted = {{CAUSE_QUEUE, 7.9, 8.1}, {CAUSE_UNKNOWN, 5.9, 6.1}},
     .detail = {.kind = CAUSE_LENGTH, .number = 900}},
    {.name = "one that only grows is not",
     .from = 10,
     .to = 20,
     .looks = {LOOK(12, LOOK_RUNNING, 4, 60), LOOK(14, LOOK_RUNNING, 4, 70), LOOK(16, LOOK_RUNNING, 4, 80),
               LOOK(18, LOOK_RUNNING, 4, 90)},
     .wanted = {{CAUSE_HANDLER, 7, 8}, {CAUSE_UNKNOWN, 2, 3}},
     .detail = STACK(4)},
    {.name = "one that grows while operations end is",
     .from = 10,
     .to = 20,
     .looks = {LOOK(12, LOOK_RUNNING, 4, 60), LOOK(14, LOOK_RUNNING, 4, 70), LOOK(16, LOOK_RUNNING, 4, 80),
               LOOK(18, LOOK_RUNNING, 4, 90)},
     .ends = {13, 15, 17, 19},
     .wanted = {{CAUSE_QUEUE, 7, 8}, {CAUSE_UNKNOWN, 2, 3}},
     .detail = {.kind = CAUSE_LENGTH, .number = 60}},
    {.name = "looks that are missing are not guessed",
     .from = 10,
     .to = 60,
     .looks = {LOOK(14, LOOK_SUSPENDED, 1, 0), LOOK(50, LOOK_SUSPENDED, 1, 0)},
     .wanted = {{CAUSE_UNKNOWN, 43, 45}, {CAUSE_SUSPENDED, 5, 7}}},
    {.name = "what has taken next to nothing is no cause",
     .from = 10,
     .to = 210,
     .looks = {LOOK(14, LOOK_SUSPENDED, 1, 0), LOOK(16, LOOK_IDLE, 1, 0)},
     .wanted = {{CAUSE_UNKNOWN, 200, 200}}},
};

static void test_what_looks_have_seen(void **state)
{
    (void)state;
    check_rows(seen_rows, ARRAY_LENGTH(seen_rows));
}

/* A look that its process has kept waiting. */
#define WAITED(sent, ended, heap, reductions)                                                                \
    {sent, (sent) + 0.2, ended, (ended) + 0.3, LOOK_RUNNING, 4, 0, heap, reductions}

static const struct row late_rows[] = {
    {.name = "garbage",
     .from = 10,
     .to = 60,
     .beats = {BEAT(14), BEAT(16), BEAT(18), BEAT(30), BEAT(50)},
     .looks = {WAITED(14, 58, LARGE, 2), WAITED(16, 58.1, LARGE, 2)},
     .wanted = {{CAUSE_GARBAGE_COLLECTION, 43, 45}, {CAUSE_UNKNOWN, 5, 7}},
     .detail = {.kind = CAUSE_HEAP, .words = {LARGE, LARGE}}},
    {.name = "a small heap takes no time to be collected",
     .from = 10,
     .to = 60,
     .beats = {BEAT(14), BEAT(16), BEAT(30), BEAT(50)},
     .looks = {WAITED(14, 58, SMALL, 2)},
     .wanted = {{CAUSE_UNKNOWN, 50, 50}}},
    {.name = "nor has one been collected that is as it was before: it was at the same message all the time",
     .from = 10,
     .to = 60,
     .beats = {BEAT(12), BEAT(14), BEAT(16), BEAT(30), BEAT(50)},
     .looks = {WAITED(12, 12.4, LARGE, 2), WAITED(14, 58, LARGE, 2)},
     .wanted = {{CAUSE_HANDLER, 47, 48}, {CAUSE_UNKNOWN, 2, 3}},
     .detail = STACK(4)},
    {.name = "or at another one, as an operation has ended",
     .from = 10,
     .to = 60,
     .beats = {BEAT(12), BEAT(14), BEAT(16), BEAT(30), BEAT(50)},
     .looks = {WAITED(12, 12.4, LARGE, 2), WAITED(14, 58, LARGE, 2)},
     .ends = {13},
     .wanted = {{CAUSE_UNKNOWN, 50, 50}}},
    {.name = "a built-in function, as the node tells",
     .from = 10,
     .to = 60,
     .beats = {BEAT(14), BEAT(16), BEAT(30), BEAT(50)},
     .looks = {WAITED(14, 58, SMALL, 2)},
     .blocks = {{10, 58}},
     .wanted = {{CAUSE_HANDLER, 47, 49}, {CAUSE_UNKNOWN, 1, 3}},
     .detail = STACK(9)},
    {.name = "a scheduler that has waited for a processor is none",
     .from = 10,
     .to = 60,
     .beats = {BEAT(14), BEAT(16), BEAT(30), BEAT(50)},
     .looks = {WAITED(14, 58, SMALL, 2)},
     .blocks = {{10, 58, 1}},
     .wanted = {{CAUSE_UNKNOWN, 50, 50}}},
    {.name = "the node tells of garbage as well",
     .from = 10,
     .to = 60,
     .beats = {BEAT(14), BEAT(16), BEAT(30), BEAT(50)},
     .looks = {WAITED(14, 58, LARGE, 2)},
     .blocks = {{10.5, 58}},
     .wanted = {{CAUSE_GARBAGE_COLLECTION, 43, 45}, {CAUSE_UNKNOWN, 5, 7}},
     .detail = {.kind = CAUSE_HEAP, .words = {LARGE, LARGE}}},
    {.name = "busy schedulers: who looks waits as the process does",
     .from = 10,
     .to = 50,
     .beats = {BUSY(14, 100), BUSY(16, 300), BUSY(18, 200), BUSY(42, 120)},
     .looks = {{14, 44, 44.1, 44.3, LOOK_RUNNABLE, 4, 1, SMALL, 1}},
     .wanted = {{CAUSE_SCHEDULED_OUT, 31, 33}, {CAUSE_UNKNOWN, 7, 9}},
     .detail = {.kind = CAUSE_QUEUES_OF, .queues = {2, {150, 0}}}},
    {.name = "and so does one that is not answered yet",
     .from = 10,
     .to = 50,
     .beats = {BUSY(14, 100), BUSY(16, 300)},
     .looks = {{14, NEVER, NEVER, NEVER, LOOK_NOTHING, 0, 0, 0, 0}},
     .wanted = {{CAUSE_SCHEDULED_OUT, 35, 36}, {CAUSE_UNKNOWN, 4, 5}},
     .detail = {.kind = CAUSE_QUEUES_OF, .queues = {2, {150, 0}}}},
    {.name = "a process with a large heap among busy ones waits for its turn",
     .from = 10,
     .to = 50,
     .beats = {BUSY(14, 100), BUSY(16, 300)},
     .looks = {WAITED(14, 44, LARGE, 2)},
     .wanted = {{CAUSE_SCHEDULED_OUT, 29, 31}, {CAUSE_UNKNOWN, 9, 11}},
     .detail = {.kind = CAUSE_QUEUES_OF, .queues = {2, {150, 0}}}},
    {.name = "a look that is late where no queue is long says nothing",
     .from = 10,
     .to = 50,
     .beats = {BEAT(14), BEAT(16), BEAT(30), BEAT(40)},
     .looks = {{14, 44, 44.1, 44.3, LOOK_IDLE, 1, 0, SMALL, 1}},
     .wanted = {{CAUSE_UNKNOWN, 40, 40}}},
    {.name = "the node stood still",
     .from = 10,
     .to = 60,
     .beats = {BEAT(12), CAME(14, 58, 58.2, .taken = 40), CAME(16, 58.1, 58.3, .taken = 40)},
     .looks = {{14, 58.2, 58.3, 58.5, LOOK_RUNNING, 4, 1, LARGE, 2}},
     .wanted = {{CAUSE_NODE_PAUSED, 43, 45}, {CAUSE_UNKNOWN, 5, 7}}},
    {.name = "it still does",
     .from = 10,
     .to = 60,
     .beats = {{14, NEVER, NEVER, .taken = 40}},
     .looks = {{14, NEVER, NEVER, NEVER, LOOK_NOTHING, 0, 0, 0, 0}},
     .wanted = {{CAUSE_NODE_PAUSED, 45.9, 46}, {CAUSE_UNKNOWN, 4, 4.1}}},
    {.name = "on this host its system has had it for sure",
     .from = 10,
     .to = 60,
     .beats = {CAME(14, 58, 58.2, )},
     .wanted = {{CAUSE_NODE_PAUSED, 43, 45}, {CAUSE_UNKNOWN, 5, 7}},
     .is_local = true},
    {.name = "nobody saw whether its system has had it, or this network is slow",
     .from = 10,
     .to = 60,
     .beats = {CAME(14, 58, 58.2, )},
     .wanted = {{CAUSE_UNKNOWN, 50, 50}}},
    {.name = "nor was it seen where that was acknowledged along with the answer",
     .from = 10,
     .to = 60,
     .beats = {CAME(14, 58, 58.2, .taken = 58.2)},
     .wanted = {{CAUSE_UNKNOWN, 50, 50}}},
    {.name = "what is on the way delays both directions",
     .from = 10,
     .to = 80,
     .beats = {CAME(14, 44, 74, )},
     .wanted = {{CAUSE_UNKNOWN, 70, 70}},
     .is_local = true},
    {.name = "it had to wait behind others for the node to take them",
     .from = 10,
     .to = 60,
     .beats = {CAME(14, 58, 58.2, .was_full = true)},
     .wanted = {{CAUSE_UNKNOWN, 50, 50}},
     .is_local = true},
    {.name = "the node was swamped, and answered all the while",
     .from = 10,
     .to = 58,
     .beats = {CAME(14, 57, 57.2, )},
     .ends = {12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56},
     .wanted = {{CAUSE_UNKNOWN, 48, 48}},
     .is_local = true},
    {.name = "it has answered nothing for a while, with as much before the heartbeat as takes that long",
     .from = 10,
     .to = 40,
     .beats = {CAME(14, 38, 38.2, .ahead = 1000)},
     .wanted = {{CAUSE_UNKNOWN, 30, 30}},
     .is_local = true},
    {.name = "and for longer than that takes",
     .from = 10,
     .to = 60,
     .beats = {CAME(14, 58, 58.2, .ahead = 1000)},
     .wanted = {{CAUSE_NODE_PAUSED, 43, 45}, {CAUSE_UNKNOWN, 5, 7}},
     .is_local = true},
    {.name = "the node answered until it stood still",
     .from = 10,
     .to = 60,
     .beats = {CAME(14, 58, 58.2, )},
     .ends = {12, 16, 20, 24, 28},
     .wanted = {{CAUSE_NODE_PAUSED, 29, 31}, {CAUSE_UNKNOWN, 19, 21}},
     .is_local = true},
    {.name = "its system has acknowledged nothing either",
     .from = 10,
     .to = 60,
     .beats = {CAME(14, 58, 58.2, .unacked = 3)},
     .wanted = {{CAUSE_NETWORK, 43, 45}, {CAUSE_UNKNOWN, 5, 7}},
     .detail = {.kind = CAUSE_WIRE, .wire = {3, 0}}},
    {.name = "something was sent again",
     .from = 10,
     .to = 60,
     .beats = {CAME(14, 38, 38.2, .retransmits = 1)},
     .wanted = {{CAUSE_UNKNOWN, 25, 27}, {CAUSE_NETWORK, 23, 25}}},
    {.name = "the answer was under way for long, and something was lost",
     .from = 10,
     .to = 60,
     .beats = {CAME(14, 14.2, 58, .retransmits = 2)},
     .wanted = {{CAUSE_NETWORK, 43, 45}, {CAUSE_UNKNOWN, 5, 7}},
     .detail = {.kind = CAUSE_WIRE, .wire = {0, 2}}},
    {.name = "the answer was under way for long, and nobody saw why",
     .from = 10,
     .to = 60,
     .beats = {CAME(14, 14.2, 58, )},
     .wanted = {{CAUSE_UNKNOWN, 50, 50}}},
    {.name = "there is no network, so that the machine stood still",
     .from = 10,
     .to = 60,
     .beats = {CAME(14, 58, 58.2, .unacked = 3)},
     .wanted = {{CAUSE_NODE_PAUSED, 43, 45}, {CAUSE_UNKNOWN, 5, 7}},
     .is_local = true},
    {.name = "there is none on which the answer can have been",
     .from = 10,
     .to = 60,
     .beats = {CAME(14, 14.2, 58, .retransmits = 2)},
     .wanted = {{CAUSE_UNKNOWN, 50, 50}},
     .is_local = true},
    {.name = "this daemon was late, and so the answer was read late",
     .from = 10,
     .to = 60,
     .beats = {BEAT(12), CAME(14, 14.2, 60.2, )},
     .looks = {LOOK(12, LOOK_IDLE, 1, 0), {14, 14.2, 14.3, 60.2, LOOK_IDLE, 1, 0, SMALL, 1}},
     .stalls = {{15, 60}},
     .wanted = {{CAUSE_DAEMON, 45, 45}, {CAUSE_UNKNOWN, 5, 5}}},
    {.name = "this daemon was late, and so it was sent late",
     .from = 10,
     .to = 40,
     .stalls = {{5, 30}},
     .wanted = {{CAUSE_DAEMON, 20, 20}, {CAUSE_UNKNOWN, 10, 10}}},
    {.name = "this daemon was late while it was neither sent nor read",
     .from = 10,
     .to = 60,
     .stalls = {{15, 58}},
     .wanted = {{CAUSE_UNKNOWN, 50, 50}}},
    {.name = "this daemon was late, but the process was suspended before and after",
     .from = 10,
     .to = 60,
     .beats = {BEAT(12), CAME(14, 14.2, 58.2, )},
     .looks = {LOOK(12, LOOK_SUSPENDED, 1, 0),
               {14, 14.2, 14.3, 58.2, LOOK_SUSPENDED, 1, 0, SMALL, 1},
               LOOK(58.4, LOOK_SUSPENDED, 1, 0)},
     .stalls = {{15, 58}},
     .wanted = {{CAUSE_SUSPENDED, 46, 48}, {CAUSE_UNKNOWN, 2, 4}}},
    {.name = "the node stood still as this daemon did",
     .from = 10,
     .to = 60,
     .beats = {CAME(14, 58, 58.2, )},
     .stalls = {{14, 58}},
     .wanted = {{CAUSE_NODE_PAUSED, 44, 44}, {CAUSE_UNKNOWN, 6, 6}},
     .is_local = true},
};

static void test_what_is_late(void **state)
{
    (void)state;
    check_rows(late_rows, ARRAY_LENGTH(late_rows));
}

/* An operation that calls a server, which is suspended for a while, and is at work itself before and after.
 */
static void test_callee(void **state)
{
    (void)state;
    static const struct row caller = {
        .from = 10,
        .to = 40,
        .looks = {LOOK(14, LOOK_RUNNING, 2, 0), LOOK(16, LOOK_RUNNING, 2, 0), LOOK(18, LOOK_CALLING, 2, 0),
                  LOOK(20, LOOK_CALLING, 2, 0), LOOK(22, LOOK_CALLING, 2, 0), LOOK(24, LOOK_CALLING, 2, 0),
                  LOOK(26, LOOK_CALLING, 2, 0), LOOK(28, LOOK_CALLING, 2, 0), LOOK(30, LOOK_CALLING, 2, 0)}};
    static const struct row callee = {
        .from = 10,
        .to = 40,
        .looks = {LOOK(18, LOOK_SUSPENDED, 1, 0), LOOK(20, LOOK_SUSPENDED, 1, 0),
                  LOOK(22, LOOK_SUSPENDED, 1, 0), LOOK(24, LOOK_SUSPENDED, 1, 0), LOOK(26, LOOK_IDLE, 1, 0)}};
    static const struct row wanted = {
        .name = "a call",
        .from = 10,
        .to = 40,
        .wanted = {{CAUSE_UNKNOWN, 18, 21}, {CAUSE_SUSPENDED, 6, 8}, {CAUSE_HANDLER, 2, 4}}};
    static const struct row alone = {.name = "of somebody who is not looked at",
                                     .from = 10,
                                     .to = 40,
                                     .wanted = {{CAUSE_HANDLER, 16, 19}, {CAUSE_UNKNOWN, 11, 14}},
                                     .detail = STACK(2)};
    struct table of_caller = {0}, of_callee = {0};
    struct causes causes;
    struct lapse lapse = {ns(10), ns(40)};
    table_read(&of_caller, &caller);
    table_read(&of_callee, &callee);
    causes_find(&causes, lapse, &of_caller.evidence, &of_callee.evidence);
    check(&wanted, &causes);
    causes_find(&causes, lapse, &of_caller.evidence, NULL);
    check(&alone, &causes);
}

/* Whatever the evidence, causes sum to the time, and stretches of it follow one another. */
static void test_any_evidence(void **state)
{
    (void)state;
    srand(7);
    for (size_t round = 0; round < 3000; round++) {
        struct table table = {0};
        struct row row = {.from = rand() % 50, .now = 150};
        struct spans spans = {0};
        struct causes causes;
        row.to = row.from + 1 + rand() % 100;
        for (size_t i = 0; i < MOST; i++) {
            double sent = 1 + (double)i * 3, began = sent + rand() % 40, ended = began + rand() % 40;
            row.looks[i] = (struct seen){sent,
                                         began,
                                         ended,
                                         ended + rand() % 9,
                                         (enum look_state)(rand() % 10),
                                         rand() % 5,
                                         rand() % 100,
                                         rand() % 2 ? LARGE : SMALL,
                                         rand() % 2};
            if (rand() % 5 == 0)
                row.looks[i].began = row.looks[i].ended = row.looks[i].answered = NEVER;
            row.beats[i] = (struct beat){.sent = sent,
                                         .at = began,
                                         .answered = ended,
                                         .ready = rand() % 2 ? 100 : 0,
                                         .unacked = rand() % 2,
                                         .taken = rand() % 2 ? began : 0};
            row.ends[i] = sent + 1;
        }
        row.blocks[0][0] = row.stalls[0][0] = rand() % 60;
        row.blocks[0][1] = row.stalls[0][1] = row.blocks[0][0] + rand() % 60;
        table_read(&table, &row);
        struct lapse lapse = {ns(row.from), ns(row.to)};
        spans_find(&spans, &table.evidence, lapse);
        for (size_t i = 0; i < spans.count; i++) {
            assert_true(spans.items[i].lapse.from_ns < spans.items[i].lapse.to_ns);
            assert_true(spans.items[i].lapse.from_ns >= (i ? spans.items[i - 1].lapse.to_ns : lapse.from_ns));
            assert_true(spans.items[i].lapse.to_ns <= lapse.to_ns);
        }
        causes_find(&causes, lapse, &table.evidence, &table.evidence);
        uint64_t sum_us = 0;
        for (size_t i = 0; i < causes.count; i++)
            sum_us += causes.items[i].share.us;
        assert_int_equal(sum_us, (lapse.to_ns - lapse.from_ns) / CLOCK_NS_PER_US);
        spans_free(&spans);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_looks_have_seen),
        cmocka_unit_test(test_what_is_late),
        cmocka_unit_test(test_callee),
        cmocka_unit_test(test_any_evidence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
