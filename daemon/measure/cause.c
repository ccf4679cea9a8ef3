#include "measure/cause.h"

#include "base/compiler.h"

static const struct cause_row {
    struct help help;
} cause_rows[CAUSE_COUNT] = {
    [CAUSE_GARBAGE_COLLECTION] = {{.name = "garbage_collection",
                                   .text = "The process collected its garbage: nothing else had it from "
                                           "running, and its heap was large. The detail has its sizes in "
                                           "words: `heap_size`, that of the young generation, and "
                                           "`total_heap_size`."}},
    [CAUSE_HANDLER] = {{.name = "handler",
                        .text = "It was at work for the operation, or waited for somebody else in it: the "
                                "detail is the stack that was seen most."}},
    [CAUSE_QUEUE] = {{.name = "queue",
                      .text = "It worked through what was in its mailbox before: `message_queue_len` when "
                              "it was first seen at that in the operation's time."}},
    [CAUSE_SCHEDULED_OUT] = {{.name = "scheduled_out",
                              .text = "It could run and did not get its turn: the detail has the "
                                      "`run_queue_lengths` of the node's schedulers."}},
    [CAUSE_SUSPENDED] = {{.name = "suspended", .text = "Somebody had suspended it."}},
    [CAUSE_NODE_PAUSED] = {{.name = "node_paused",
                            .text =
                                "Its whole node stood still, while the system that it runs on did not: that "
                                "was seen to have what the node did not answer, and nothing came from the "
                                "node meanwhile. Of a node with the address of this daemon it may be the "
                                "machine as well."}},
    [CAUSE_REPLY_BLOCKED] = {{.name = "reply_blocked",
                              .text = "It was held up in sending, as a connection to another node had too "
                                      "much to send; the detail is where."}},
    [CAUSE_NETWORK] = {{.name = "network",
                        .text = "The node or its answers were late, and what was sent to its system was not "
                                "acknowledged for 100 ms or had to be sent again: `unacked` segments, "
                                "`retransmits`. Delays that lose nothing leave no sign, and are `unknown`. "
                                "Never of a node that has the address of this daemon."}},
    [CAUSE_DAEMON] =
        {{.name = "daemon",
          .text = "This daemon was late in sending an operation, or in reading its answer: a call that was "
                  "given up, a custom operation, any where the kernel does not tell when replies come."}},
    [CAUSE_UNKNOWN] = {{.name = "unknown", .text = "The rest: nobody has seen why."}},
};

const struct help_table *causes_table(void)
{
    static const struct help_table table = HELP_TABLE("causes", "Causes", cause_rows);
    return &table;
}

const char *cause_name(enum cause cause)
{
    return cause_rows[cause].help.name;
}

static void cause_build_queues(const struct cause_detail *detail, struct term_builder *builder)
{
    term_build_map(builder, 1);
    term_build_key(builder, "run_queue_lengths");
    term_build_list(builder, detail->queues.count);
    for (size_t i = 0; i < detail->queues.count; i++)
        term_build_unsigned(builder, detail->queues.lengths[i]);
    if (detail->queues.count)
        term_build_nil(builder);
}

static void cause_build_stack(uint32_t number, const struct stacks *stacks, struct term_builder *builder)
{
    struct term stack = stacks_at(stacks, number);
    if (stack.data)
        term_build_term(builder, stack);
    else
        term_build_atom(builder, "nil");
}

void cause_build_detail(const struct cause_detail *detail, const struct stacks *stacks,
                        struct term_builder *builder)
{
    switch (detail->kind) {
    case CAUSE_NO_DETAIL:
        term_build_atom(builder, "nil");
        break;
    case CAUSE_STACK:
        cause_build_stack(detail->stack, stacks, builder);
        break;
    case CAUSE_HEAP:
        term_build_map(builder, 2);
        term_build_key_unsigned(builder, "heap_size", detail->words.heap);
        term_build_key_unsigned(builder, "total_heap_size", detail->words.total);
        break;
    case CAUSE_QUEUES_OF:
        cause_build_queues(detail, builder);
        break;
    case CAUSE_LENGTH:
        term_build_map(builder, 1);
        term_build_key_unsigned(builder, "message_queue_len", detail->number);
        break;
    case CAUSE_FAULT:
        term_build_map(builder, 1);
        term_build_key_unsigned(builder, "fault", detail->number);
        break;
    case CAUSE_WIRE:
        term_build_map(builder, 2);
        term_build_key_unsigned(builder, "unacked", detail->wire.unacked);
        term_build_key_unsigned(builder, "retransmits", detail->wire.retransmits);
        break;
    }
}

void cause_build(const struct cause_share *share, const struct stacks *stacks, struct term_builder *builder)
{
    term_build_map(builder, 3);
    term_build_key(builder, "cause");
    term_build_atom(builder, cause_name(share->cause));
    term_build_key_unsigned(builder, "us", share->us);
    term_build_key(builder, "detail");
    cause_build_detail(&share->detail, stacks, builder);
}
