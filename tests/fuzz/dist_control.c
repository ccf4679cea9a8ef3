/* Any term as a control tuple, with or without a payload: what is understood is sent on in the form that some
 * peer takes, and understood the same there. The first byte chooses that peer's flags; then come one or
 * two terms. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dist/control.h"
#include "dist/flags.h"
#include "term/term_check.h"
#include "term/term_read.h"

/* The flags that control messages depend on, one for each bit. */
static const uint64_t choices[] = {
    FLAG_SEND_SENDER, FLAG_ALIAS, FLAG_EXIT_PAYLOAD, FLAG_DIST_MONITOR, FLAG_DIST_MONITOR_NAME, FLAG_SPAWN,
};

static const size_t members[] = {
    offsetof(struct control, from),         offsetof(struct control, to),
    offsetof(struct control, reference),    offsetof(struct control, id),
    offsetof(struct control, group_leader), offsetof(struct control, function),
    offsetof(struct control, options),      offsetof(struct control, spawn_flags),
    offsetof(struct control, result),       offsetof(struct control, reason),
};

static struct term member(const struct control *control, size_t offset)
{
    struct term term;
    memcpy(&term, (const char *)control + offset, sizeof(term));
    return term;
}

/* The first term of the bytes in canonical form and memory of its own, to be freed. */
static struct term take_term(const uint8_t **data, size_t *size)
{
    const struct term_limits limits = {.depth = 100, .count = 100000};
    size_t used;
    bool canonical;
    struct term term = {0};
    if (!*size || term_check(*data, *size, &limits, &used, &canonical) != TERM_OK)
        return term;
    struct buffer output = {0};
    term_canonical_with_atoms((struct term){*data, used}, NULL, &output);
    uint8_t *copy = malloc(output.size);
    assert(copy);
    memcpy(copy, buffer_bytes(&output), output.size);
    term = (struct term){copy, output.size};
    buffer_free(&output);
    *data += used;
    *size -= used;
    return term;
}

static void compare(const struct control *control, const struct control *again)
{
    assert(again->operation == control->operation);
    for (size_t i = 0; i < ARRAY_LENGTH(members); i++) {
        struct term before = member(control, members[i]);
        struct term after = member(again, members[i]);
        if (members[i] == offsetof(struct control, from) && control->operation == CONTROL_SEND && !after.data)
            continue; /* a form without its sender */
        assert(term_same(before, after) && !before.data == !after.data);
    }
}

static void send_on(const struct control *control, uint64_t flags, struct term payload)
{
    const struct term_limits limits = {.depth = 101, .count = 200000};
    struct term_builder builder = {0};
    struct control again;
    struct term tuple;
    size_t used;
    bool inside, canonical;
    if (control_encode(&builder, control, flags, &inside)) {
        assert(term_build_done(&builder, &tuple));
        assert(term_check(tuple.data, tuple.size, &limits, &used, &canonical) == TERM_OK);
        assert(used == tuple.size && canonical);
        bool has_reason = control->reason.data != NULL;
        struct term behind = inside ? (struct term){0} : has_reason ? control->reason : payload;
        assert(control_decode(tuple, behind, &again) == CONTROL_OK);
        compare(control, &again);
    } else {
        assert(!builder.bytes.size);
        assert(flags != FLAGS_OFFERED);
    }
    term_build_free(&builder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t flags = FLAGS_OFFERED;
    if (size < 1)
        return 0;
    for (size_t i = 0; i < ARRAY_LENGTH(choices); i++)
        if (*data >> i & 1)
            flags &= ~choices[i];
    data++;
    size--;
    struct term tuple = take_term(&data, &size);
    struct term payload = tuple.data ? take_term(&data, &size) : (struct term){0};
    struct control control;
    if (tuple.data) {
        enum control_problem problem = control_decode(tuple, payload, &control);
        assert(control_problem_text(problem));
        if (problem == CONTROL_OK) {
            assert(control_operation_text(control.operation));
            send_on(&control, flags, payload);
            send_on(&control, FLAGS_OFFERED, payload);
        }
    }
    free((void *)(uintptr_t)tuple.data);
    free((void *)(uintptr_t)payload.data);
    return 0;
}
