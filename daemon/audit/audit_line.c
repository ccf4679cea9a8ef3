#include "audit/audit_line.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "base/memory.h"
#include "term/term_text.h"

/* Of a term. */
#define AUDIT_TERM_BYTES 1024

static const struct {
    struct help help;
} event_rows[AUDIT_EVENTS] = {
    [AUDIT_STARTED] = {{.name = "started", .text = "The daemon is ready. Has `node` and `version`."}},
    [AUDIT_STOPPED] = {{.name = "stopped", .text = "It has ended as it was asked to."}},
    [AUDIT_RELOADED] = {{.name = "reloaded", .text = "It has read its configuration again."}},
    [AUDIT_RUN] = {{.name = "run",
                    .text = "A run or a suite was accepted: who has asked for it, by which function, with "
                            "which scenario, and which faults that has. What its lines have in common is "
                            "`run_id`."}},
    [AUDIT_RUN_ENDED] = {{.name = "run_ended", .text = "It has ended, with this outcome, and why."}},
    [AUDIT_FAULT] = {{.name = "fault",
                      .text = "Nodes were told to do it: the line is begun before they are, and on disk "
                              "soon after."}},
    [AUDIT_FAULT_ENDED] = {{.name = "fault_ended",
                            .text = "What came of it: its outcome, and of what lasts whether it is undone. "
                                    "One that nodes were not told of has no line `fault`."}},
    [AUDIT_REQUEST] = {{.name = "request",
                        .text = "A function that changes something was called: `cancel`, `delete` and "
                                "`heal_all`; and the others when they were refused."}},
    [AUDIT_DENIED] = {{.name = "denied",
                       .text = "A node has called a function that `access.callers` does not let it call."}},
    [AUDIT_ROTATED] = {{.name = "rotated",
                        .text = "The first line of a file: where the one before it is now (`file`), and "
                                "which was removed for it (`removed`)."}},
    [AUDIT_OMITTED] = {{.name = "omitted",
                        .text = "So often (`lines`) the node was denied or refused something beside what has "
                                "a line: of a thousand times at once each has one, then one a second. Where "
                                "more than 64 nodes do so, those beyond are told together, without `node`."}},
    [AUDIT_LOST] = {{.name = "lost",
                     .text = "So many lines (`lines`) found no room while the file could not be written "
                             "to."}},
};

static const struct {
    struct help help;
} key_rows[AUDIT_KEYS] = {
    [AUDIT_AT] = {{.name = "at", .text = "When it was, in UTC with milliseconds."}},
    [AUDIT_EVENT] = {{.name = "event", .text = "What it was, see above."}},
    [AUDIT_NODE] = {{.name = "node",
                     .text = "The node that has asked, as the connection has it; of a schedule's run none."}},
    [AUDIT_PROCESS] = {{.name = "process", .text = "The process that has asked, as it says."}},
    [AUDIT_FUNCTION] = {{.name = "function", .text = "That was called, or `schedule`."}},
    [AUDIT_ARITY] = {{.name = "arity", .text = "With so many arguments."}},
    [AUDIT_FORM] = {{.name = "form",
                     .text = "By which way: `erpc`, `erpc_cast`, `call`, `cast`, `rex_call` or `rex_send`."}},
    [AUDIT_RUN_ID] = {{.name = "run_id", .text = "The run that it is about."}},
    [AUDIT_SUITE] = {{.name = "suite", .text = "The suite that the run is a member of."}},
    [AUDIT_SCENARIO] = {{.name = "scenario", .text = "The name of the scenario's file, if it is one."}},
    [AUDIT_DIGEST] = {{.name = "digest",
                       .text = "SHA-256 of the scenario: of its file, as `sha256sum` has it, or of the term "
                               "in the external format, without the version in front of it. What was merged "
                               "over a file is not in it."}},
    [AUDIT_FAULTS] = {{.name = "faults", .text = "The kinds of faults that the scenario has."}},
    [AUDIT_NUMBER] = {{.name = "number", .text = "Of the fault in its run, as the report has it."}},
    [AUDIT_KIND] = {{.name = "kind", .text = "What kind of fault it is."}},
    [AUDIT_ACTION] = {{.name = "action", .text = "The fault as the scenario has it, as text."}},
    [AUDIT_TARGET] = {{.name = "target", .text = "Whom it was for, as text: processes, or nodes."}},
    [AUDIT_OUTCOME] = {{.name = "outcome",
                        .text = "What came of it: `accepted` or the run's outcome; the fault's; `ok`, "
                                "`refused` or `denied`."}},
    [AUDIT_UNDONE] = {{.name = "undone", .text = "`true` or `false`, of a fault that lasts."}},
    [AUDIT_REASON] = {{.name = "reason", .text = "Why, as text."}},
    [AUDIT_VERSION] = {{.name = "version", .text = "The daemon's."}},
    [AUDIT_FILE] = {{.name = "file", .text = "A file of the audit."}},
    [AUDIT_REMOVED] = {{.name = "removed", .text = "One that is no more."}},
    [AUDIT_LINES] = {{.name = "lines", .text = "How many."}},
};

const struct help_table *audit_events_table(void)
{
    static const struct help_table table = HELP_TABLE("audit_events", "Lines of the audit", event_rows);
    return &table;
}

const struct help_table *audit_keys_table(void)
{
    static const struct help_table table = HELP_TABLE("audit_keys", "Keys of its lines", key_rows);
    return &table;
}

/* Text need not be UTF-8. */
static json_t *audit_line_string(const char *text)
{
    json_t *value = json_string(text);
    if (value)
        return value;
    char *plain = memory_string(text);
    for (char *c = plain; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    value = json_string(plain);
    free(plain);
    return value;
}

static json_t *audit_line_value(const struct audit_field *field)
{
    char text[AUDIT_TERM_BYTES];
    json_t *list;
    switch (field->kind) {
    case AUDIT_OF_TEXT:
        return field->text ? audit_line_string(field->text) : NULL;
    case AUDIT_OF_NUMBER:
        return json_integer((json_int_t)field->number);
    case AUDIT_OF_TERM:
        return field->term.size ? audit_line_string(term_text(field->term, text, sizeof(text))) : NULL;
    case AUDIT_OF_NAMES:
        list = json_array();
        for (size_t i = 0; i < field->number; i++)
            json_array_append_new(list, audit_line_string(field->names[i]));
        return list;
    }
    return NULL;
}

static void audit_line_time(uint64_t wall_us, char *text, size_t size)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm calendar;
    gmtime_r(&seconds, &calendar);
    size_t used = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &calendar);
    snprintf(text + used, size - used, ".%03uZ", (unsigned)(wall_us / 1000 % 1000));
}

void audit_line_write(enum audit_event event, uint64_t wall_us, const struct audit_field *fields,
                      struct buffer *output)
{
    char at[40];
    json_t *line = json_object();
    audit_line_time(wall_us, at, sizeof(at));
    json_object_set_new(line, key_rows[AUDIT_AT].help.name, json_string(at));
    json_object_set_new(line, key_rows[AUDIT_EVENT].help.name, json_string(event_rows[event].help.name));
    for (; fields->key != AUDIT_KEYS; fields++) {
        json_t *value = audit_line_value(fields);
        if (value)
            json_object_set_new(line, key_rows[fields->key].help.name, value);
    }
    char *text = json_dumps(line, JSON_COMPACT);
    assert(text);
    buffer_print(output, "%s\n", text);
    free(text);
    json_decref(line);
}

void audit_digest(const void *data, size_t size, char digest[AUDIT_DIGEST_BYTES + 1])
{
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    int done = EVP_Digest(data, size, bytes, &length, EVP_sha256(), NULL);
    assert(done && length * 2 + strlen("sha256:") == AUDIT_DIGEST_BYTES);
    strcpy(digest, "sha256:");
    for (unsigned i = 0; i < length; i++)
        snprintf(digest + strlen(digest), 3, "%02x", bytes[i]);
}
