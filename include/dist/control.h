/* Control messages: the tuples that go in front of every message between connected nodes (ERTS user's guide,
 * "Protocol between Connected Nodes"). One table has every form of each; forms that mean the same (with a
 * trace token or without, with the reason inside or behind) become one operation here. */
#ifndef HARNESSD_DIST_CONTROL_H
#define HARNESSD_DIST_CONTROL_H

#include "base/blob.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "term/term.h"
#include "term/term_build.h"

enum control_operation {
    CONTROL_SEND,          /* from (none before SEND_SENDER), to: pid; message */
    CONTROL_REG_SEND,      /* from, to: name; message */
    CONTROL_ALIAS_SEND,    /* from, to: reference; message */
    CONTROL_LINK,          /* from, to */
    CONTROL_UNLINK_ID,     /* id, from, to */
    CONTROL_UNLINK_ID_ACK, /* id, from, to */
    CONTROL_EXIT,          /* from, to, reason: a link broke */
    CONTROL_EXIT2,         /* from, to, reason: exit/2 */
    CONTROL_GROUP_LEADER,  /* from, to */
    CONTROL_MONITOR,       /* from, to: pid or name, reference */
    CONTROL_DEMONITOR,     /* from, to: pid or name, reference */
    CONTROL_MONITOR_EXIT,  /* from: pid or name that was monitored, to, reference, reason */
    CONTROL_SPAWN_REQUEST, /* reference, from, group_leader, function, options; message: the argument list */
    CONTROL_SPAWN_REPLY,   /* reference, to, spawn_flags, result: pid or error atom */
    CONTROL_OPERATION_COUNT
};

#define CONTROL_SPAWN_LINKED 1
#define CONTROL_SPAWN_MONITORED 2

struct control {
    enum control_operation operation;
    struct term from;
    struct term to;
    struct term reference;
    struct term id;
    struct term group_leader;
    struct term function; /* {Module, Function, Arity} */
    struct term options;
    struct term spawn_flags;
    struct term result;
    struct term reason; /* inside the tuple; a form with a payload has it there instead */
    struct term unused; /* of old forms */
    struct term token;  /* of sequential tracing; read and not passed on */

    /* {message_too_large, Limit} of a message that was too large to be kept, else without data. It then
     * stands for its reason, and in the payload for whatever is not known of it. */
    struct term too_large;

    /* What the payload is in: of a message that is sent, if that may be held until all has gone out; of one
     * that was received, if it is long and may be held by who wants to keep it. Else NULL. */
    struct blob *held;

    struct arrived arrived; /* of one that was received */
};

enum control_problem {
    CONTROL_OK,
    CONTROL_NOT_A_TUPLE,
    CONTROL_UNKNOWN, /* no such number, or a form that is gone (UNLINK, NODE_LINK) */
    CONTROL_BAD_ARITY,
    CONTROL_BAD_FIELD, /* a field of the wrong type */
    CONTROL_PAYLOAD_MISSING,
    CONTROL_PAYLOAD_UNEXPECTED,
};

/* Reads a checked control tuple. `payload` is the term behind it, without data when there is none; it becomes
 * `reason` where the form carries its reason there. */
MUST_CHECK enum control_problem control_decode(struct term tuple, struct term payload,
                                               struct control *control);

/* The same for a message of which only the beginning is known; `too_large` stands where something is not.
 * What is wrong may be what is not known: such a message cannot be passed on, and is not malformed. */
MUST_CHECK enum control_problem control_decode_head(struct term tuple, struct term payload,
                                                    struct term too_large, struct control *control);

/* Whether a checked control tuple is that of a message for a registered name, whose payload comes behind. */
MUST_CHECK bool control_is_for_name(struct term tuple);

/* Appends the tuple for a peer with these negotiated flags. `*inside` tells whether the form has its reason
 * in the tuple, so that no payload may follow. False when the peer cannot take the operation at all, and
 * nothing was appended. */
MUST_CHECK bool control_encode(struct term_builder *builder, const struct control *control, uint64_t flags,
                               bool *inside);

const char *control_problem_text(enum control_problem problem);

/* The operation's name in the protocol's description, for logs. */
const char *control_operation_text(enum control_operation operation);

#endif
