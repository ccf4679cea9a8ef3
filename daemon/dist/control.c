#include "dist/control.h"

#include <stddef.h>

#include "dist/flags.h"
#include "term/term_read.h"

/* What a field of a tuple may be. */
enum field_kind { PID, NAME, PID_OR_NAME, REFERENCE, INTEGER, LIST, FUNCTION, PID_OR_ATOM, ANY };

struct field {
    enum field_kind kind;
    size_t offset; /* in struct control */
};

#define FIELD(kind, member) {kind, offsetof(struct control, member)}
#define UNUSED FIELD(ANY, unused)
#define MAX_FIELDS 6

enum payload { NO_PAYLOAD, MESSAGE, REASON };

struct form {
    uint8_t number;
    enum control_operation operation;
    enum payload payload;
    uint64_t flag; /* a peer without it is never sent this form; 0 is every peer */
    uint8_t field_count;
    struct field fields[MAX_FIELDS];
    bool received_only;
};

/* Of the forms of one operation the first whose flag the peer has is sent. */
static const struct form forms[] = {
    {22, CONTROL_SEND, MESSAGE, FLAG_SEND_SENDER, 2, {FIELD(PID, from), FIELD(PID, to)}, false},
    {2, CONTROL_SEND, MESSAGE, 0, 2, {UNUSED, FIELD(PID, to)}, false},
    {6, CONTROL_REG_SEND, MESSAGE, 0, 3, {FIELD(PID, from), UNUSED, FIELD(NAME, to)}, false},
    {33, CONTROL_ALIAS_SEND, MESSAGE, FLAG_ALIAS, 2, {FIELD(PID, from), FIELD(REFERENCE, to)}, false},
    {1, CONTROL_LINK, NO_PAYLOAD, 0, 2, {FIELD(PID, from), FIELD(PID, to)}, false},
    {35, CONTROL_UNLINK_ID, NO_PAYLOAD, 0, 3, {FIELD(INTEGER, id), FIELD(PID, from), FIELD(PID, to)}, false},
    {36,
     CONTROL_UNLINK_ID_ACK,
     NO_PAYLOAD,
     0,
     3,
     {FIELD(INTEGER, id), FIELD(PID, from), FIELD(PID, to)},
     false},
    {24, CONTROL_EXIT, REASON, FLAG_EXIT_PAYLOAD, 2, {FIELD(PID, from), FIELD(PID, to)}, false},
    {3, CONTROL_EXIT, NO_PAYLOAD, 0, 3, {FIELD(PID, from), FIELD(PID, to), FIELD(ANY, reason)}, false},
    {26, CONTROL_EXIT2, REASON, FLAG_EXIT_PAYLOAD, 2, {FIELD(PID, from), FIELD(PID, to)}, false},
    {8, CONTROL_EXIT2, NO_PAYLOAD, 0, 3, {FIELD(PID, from), FIELD(PID, to), FIELD(ANY, reason)}, false},
    {7, CONTROL_GROUP_LEADER, NO_PAYLOAD, 0, 2, {FIELD(PID, from), FIELD(PID, to)}, false},
    {19,
     CONTROL_MONITOR,
     NO_PAYLOAD,
     FLAG_DIST_MONITOR,
     3,
     {FIELD(PID, from), FIELD(PID_OR_NAME, to), FIELD(REFERENCE, reference)},
     false},
    {20,
     CONTROL_DEMONITOR,
     NO_PAYLOAD,
     FLAG_DIST_MONITOR,
     3,
     {FIELD(PID, from), FIELD(PID_OR_NAME, to), FIELD(REFERENCE, reference)},
     false},
    {28,
     CONTROL_MONITOR_EXIT,
     REASON,
     FLAG_EXIT_PAYLOAD,
     3,
     {FIELD(PID_OR_NAME, from), FIELD(PID, to), FIELD(REFERENCE, reference)},
     false},
    {21,
     CONTROL_MONITOR_EXIT,
     NO_PAYLOAD,
     FLAG_DIST_MONITOR,
     4,
     {FIELD(PID_OR_NAME, from), FIELD(PID, to), FIELD(REFERENCE, reference), FIELD(ANY, reason)},
     false},
    {29,
     CONTROL_SPAWN_REQUEST,
     MESSAGE,
     FLAG_SPAWN,
     5,
     {FIELD(REFERENCE, reference), FIELD(PID, from), FIELD(PID, group_leader), FIELD(FUNCTION, function),
      FIELD(LIST, options)},
     false},
    {31,
     CONTROL_SPAWN_REPLY,
     NO_PAYLOAD,
     FLAG_SPAWN,
     4,
     {FIELD(REFERENCE, reference), FIELD(PID, to), FIELD(INTEGER, spawn_flags), FIELD(PID_OR_ATOM, result)},
     false},

    /* With a token of sequential tracing. */
    {23, CONTROL_SEND, MESSAGE, 0, 3, {FIELD(PID, from), FIELD(PID, to), FIELD(ANY, token)}, true},
    {12, CONTROL_SEND, MESSAGE, 0, 3, {UNUSED, FIELD(PID, to), FIELD(ANY, token)}, true},
    {16,
     CONTROL_REG_SEND,
     MESSAGE,
     0,
     4,
     {FIELD(PID, from), UNUSED, FIELD(NAME, to), FIELD(ANY, token)},
     true},
    {34,
     CONTROL_ALIAS_SEND,
     MESSAGE,
     0,
     3,
     {FIELD(PID, from), FIELD(REFERENCE, to), FIELD(ANY, token)},
     true},
    {25, CONTROL_EXIT, REASON, 0, 3, {FIELD(PID, from), FIELD(PID, to), FIELD(ANY, token)}, true},
    {13,
     CONTROL_EXIT,
     NO_PAYLOAD,
     0,
     4,
     {FIELD(PID, from), FIELD(PID, to), FIELD(ANY, token), FIELD(ANY, reason)},
     true},
    {27, CONTROL_EXIT2, REASON, 0, 3, {FIELD(PID, from), FIELD(PID, to), FIELD(ANY, token)}, true},
    {18,
     CONTROL_EXIT2,
     NO_PAYLOAD,
     0,
     4,
     {FIELD(PID, from), FIELD(PID, to), FIELD(ANY, token), FIELD(ANY, reason)},
     true},
    {30,
     CONTROL_SPAWN_REQUEST,
     MESSAGE,
     0,
     6,
     {FIELD(REFERENCE, reference), FIELD(PID, from), FIELD(PID, group_leader), FIELD(FUNCTION, function),
      FIELD(LIST, options), FIELD(ANY, token)},
     true},
    {32,
     CONTROL_SPAWN_REPLY,
     NO_PAYLOAD,
     0,
     5,
     {FIELD(REFERENCE, reference), FIELD(PID, to), FIELD(INTEGER, spawn_flags), FIELD(PID_OR_ATOM, result),
      FIELD(ANY, token)},
     true},
};

static const char *const operation_texts[CONTROL_OPERATION_COUNT] = {
    [CONTROL_SEND] = "SEND",
    [CONTROL_REG_SEND] = "REG_SEND",
    [CONTROL_ALIAS_SEND] = "ALIAS_SEND",
    [CONTROL_LINK] = "LINK",
    [CONTROL_UNLINK_ID] = "UNLINK_ID",
    [CONTROL_UNLINK_ID_ACK] = "UNLINK_ID_ACK",
    [CONTROL_EXIT] = "EXIT",
    [CONTROL_EXIT2] = "EXIT2",
    [CONTROL_GROUP_LEADER] = "GROUP_LEADER",
    [CONTROL_MONITOR] = "MONITOR_P",
    [CONTROL_DEMONITOR] = "DEMONITOR_P",
    [CONTROL_MONITOR_EXIT] = "MONITOR_P_EXIT",
    [CONTROL_SPAWN_REQUEST] = "SPAWN_REQUEST",
    [CONTROL_SPAWN_REPLY] = "SPAWN_REPLY",
};

static const char *const problem_texts[] = {
    [CONTROL_OK] = "ok",
    [CONTROL_NOT_A_TUPLE] = "control message is not a tuple",
    [CONTROL_UNKNOWN] = "unknown control message",
    [CONTROL_BAD_ARITY] = "control message of a wrong size",
    [CONTROL_BAD_FIELD] = "control message with a wrong field",
    [CONTROL_PAYLOAD_MISSING] = "control message without its payload",
    [CONTROL_PAYLOAD_UNEXPECTED] = "control message with a payload that it cannot have",
};

const char *control_problem_text(enum control_problem problem)
{
    return problem_texts[problem];
}

const char *control_operation_text(enum control_operation operation)
{
    return operation_texts[operation];
}

static bool control_is_function(struct term term)
{
    struct term parts[3];
    int64_t arity;
    return term_read_tuple_of(term, 3, parts) && term_type(parts[0]) == TERM_ATOM &&
           term_type(parts[1]) == TERM_ATOM && term_read_integer(parts[2], &arity) && arity >= 0 &&
           arity <= 255;
}

static bool control_fits(enum field_kind kind, struct term term)
{
    enum term_type type = term_type(term);
    switch (kind) {
    case PID:
        return type == TERM_PID;
    case NAME:
        return type == TERM_ATOM;
    case PID_OR_NAME:
    case PID_OR_ATOM:
        return type == TERM_PID || type == TERM_ATOM;
    case REFERENCE:
        return type == TERM_REFERENCE;
    case INTEGER:
        return type == TERM_INTEGER;
    case LIST:
        return type == TERM_LIST;
    case FUNCTION:
        return control_is_function(term);
    case ANY:
        return true;
    }
    return false;
}

static struct term *control_member(struct control *control, size_t offset)
{
    return (struct term *)(void *)((char *)control + offset);
}

/* Numbers are below 64; an index by number keeps decoding, which every message goes through, free of a
 * search. */
static const struct form *control_form_of(int64_t number)
{
    static const struct form *by_number[64];
    if (!by_number[forms[0].number])
        for (size_t i = 0; i < ARRAY_LENGTH(forms); i++)
            by_number[forms[i].number] = &forms[i];
    return number >= 0 && number < (int64_t)ARRAY_LENGTH(by_number) ? by_number[number] : NULL;
}

enum control_problem control_decode(struct term tuple, struct term payload, struct control *control)
{
    struct term elements[1 + MAX_FIELDS];
    size_t arity;
    int64_t number;
    if (!term_read_tuple(tuple, ARRAY_LENGTH(elements), elements, &arity) || arity == 0 ||
        !term_read_integer(elements[0], &number))
        return CONTROL_NOT_A_TUPLE;
    const struct form *form = control_form_of(number);
    if (!form)
        return CONTROL_UNKNOWN;
    if (arity != 1u + form->field_count)
        return CONTROL_BAD_ARITY;
    *control = (struct control){.operation = form->operation};
    for (size_t i = 0; i < form->field_count; i++) {
        if (!control_fits(form->fields[i].kind, elements[i + 1]))
            return CONTROL_BAD_FIELD;
        *control_member(control, form->fields[i].offset) = elements[i + 1];
    }
    if (form->payload != NO_PAYLOAD && !payload.data)
        return CONTROL_PAYLOAD_MISSING;
    if (form->payload == NO_PAYLOAD && payload.data)
        return CONTROL_PAYLOAD_UNEXPECTED;
    if (form->payload == REASON)
        control->reason = payload;
    return CONTROL_OK;
}

bool control_is_for_name(struct term tuple)
{
    struct control control;
    const struct term some_payload = tuple;
    return control_decode(tuple, some_payload, &control) == CONTROL_OK &&
           control.operation == CONTROL_REG_SEND;
}

/* Whether there is a payload may be among what is not known. */
enum control_problem control_decode_head(struct term tuple, struct term payload, struct term too_large,
                                         struct control *control)
{
    enum control_problem problem = control_decode(tuple, payload, control);
    if (problem == CONTROL_PAYLOAD_MISSING)
        problem = control_decode(tuple, too_large, control);
    if (problem == CONTROL_PAYLOAD_UNEXPECTED)
        problem = control_decode(tuple, (struct term){0}, control);
    control->too_large = too_large;
    if (control->reason.data)
        control->reason = too_large;
    return problem;
}

/* Whether a peer with these flags takes the form, and the message has all that it needs. */
static bool control_suits(const struct form *form, const struct control *control, uint64_t flags)
{
    if (form->received_only || form->operation != control->operation || (form->flag & ~flags) != 0)
        return false;
    for (size_t i = 0; i < form->field_count; i++)
        if (form->fields[i].kind != ANY &&
            !control_member((struct control *)control, form->fields[i].offset)->data)
            return false;
    return true;
}

bool control_encode(struct term_builder *builder, const struct control *control, uint64_t flags, bool *inside)
{
    const struct form *form = forms;
    const struct form *end = forms + ARRAY_LENGTH(forms);
    while (form < end && !control_suits(form, control, flags))
        form++;
    if (form == end)
        return false;
    if ((control->operation == CONTROL_MONITOR || control->operation == CONTROL_DEMONITOR) &&
        !(flags & FLAG_DIST_MONITOR_NAME) && term_type(control->to) == TERM_ATOM)
        return false;
    term_build_tuple(builder, 1u + form->field_count);
    term_build_integer(builder, form->number);
    for (size_t i = 0; i < form->field_count; i++) {
        struct term field = *control_member((struct control *)control, form->fields[i].offset);
        if (field.data)
            term_build_term(builder, field);
        else
            term_build_atom(builder, ""); /* the unused field of old forms is an empty atom */
    }
    *inside = form->payload == NO_PAYLOAD;
    return true;
}
