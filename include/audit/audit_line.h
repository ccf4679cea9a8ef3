/* A line of the audit: one JSON object, of keys that one table has. */
#ifndef HARNESSD_AUDIT_AUDIT_LINE_H
#define HARNESSD_AUDIT_AUDIT_LINE_H

#include "base/buffer.h"
#include "term/help.h"

/* What a line tells. */
enum audit_event {
    AUDIT_STARTED,
    AUDIT_STOPPED,
    AUDIT_RELOADED,
    AUDIT_RUN,
    AUDIT_RUN_ENDED,
    AUDIT_FAULT,
    AUDIT_FAULT_ENDED,
    AUDIT_REQUEST,
    AUDIT_DENIED,
    AUDIT_ROTATED,
    AUDIT_OMITTED,
    AUDIT_LOST,
    AUDIT_EVENTS
};

enum audit_key {
    AUDIT_AT, /* the first two are of every line, and not to be given */
    AUDIT_EVENT,
    AUDIT_NODE,
    AUDIT_PROCESS,
    AUDIT_FUNCTION,
    AUDIT_ARITY,
    AUDIT_FORM,
    AUDIT_RUN_ID,
    AUDIT_SUITE,
    AUDIT_SCENARIO,
    AUDIT_DIGEST,
    AUDIT_FAULTS,
    AUDIT_NUMBER,
    AUDIT_KIND,
    AUDIT_ACTION,
    AUDIT_TARGET,
    AUDIT_OUTCOME,
    AUDIT_UNDONE,
    AUDIT_REASON,
    AUDIT_VERSION,
    AUDIT_FILE,
    AUDIT_REMOVED,
    AUDIT_LINES,
    AUDIT_KEYS
};

/* The tables of both, for the reference. */
const struct help_table *audit_events_table(void);
const struct help_table *audit_keys_table(void);

/* A value; one of text without text, or of a term without bytes, is left out. */
struct audit_field {
    enum audit_key key; /* AUDIT_KEYS ends a list */
    enum { AUDIT_OF_TEXT, AUDIT_OF_NUMBER, AUDIT_OF_TERM, AUDIT_OF_NAMES } kind;
    const char *text;
    uint64_t number;
    struct term term; /* told as text, of which what is long is cut */
    const char *const *names;
};

static inline struct audit_field audit_text(enum audit_key key, const char *text)
{
    return (struct audit_field){.key = key, .kind = AUDIT_OF_TEXT, .text = text};
}

static inline struct audit_field audit_number(enum audit_key key, uint64_t number)
{
    return (struct audit_field){.key = key, .kind = AUDIT_OF_NUMBER, .number = number};
}

static inline struct audit_field audit_term(enum audit_key key, struct term term)
{
    return (struct audit_field){.key = key, .kind = AUDIT_OF_TERM, .term = term};
}

/* A list of `number` names. */
static inline struct audit_field audit_names(enum audit_key key, const char *const *names, size_t count)
{
    return (struct audit_field){.key = key, .kind = AUDIT_OF_NAMES, .names = names, .number = count};
}

/* Appends the line of an event at that time (since 1970), with its newline. Any thread may do so. */
void audit_line_write(enum audit_event event, uint64_t wall_us, const struct audit_field *fields,
                      struct buffer *output);

/* SHA-256 of what a scenario was read from, as text: "sha256:" and 64 digits. */
#define AUDIT_DIGEST_BYTES (7 + 64)
void audit_digest(const void *data, size_t size, char digest[AUDIT_DIGEST_BYTES + 1]);

#endif
