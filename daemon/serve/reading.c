#include "reading_private.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "scenario/scenario_json.h"

static bool reading_is_file(struct scenario_reading *reading, struct term *overrides)
{
    bool is_file = reading->may_be_file && scenario_file_is_named(reading->term, reading->name, overrides);
    if (!is_file)
        *reading->name = '\0';
    return is_file;
}

/* How long a file takes is not known before it is read. */
static size_t reading_bytes(const struct scenario_reading *reading)
{
    char name[SCENARIO_FILE_NAME_BYTES + 1];
    struct term overrides;
    if (reading->may_be_file && scenario_file_is_named(reading->term, name, &overrides))
        return SIZE_MAX;
    return reading->term.size + reading->expectations.size;
}

bool reading_is_long(const struct scenario_reading *reading)
{
    return reading_bytes(reading) > SCENARIO_LARGE_BYTES;
}

static bool reading_expects_well(struct scenario_reading *reading)
{
    struct expectations expectations = {.count = 0};
    if (reading->expectations.data)
        scenario_term_read_expectations(reading->expectations, &expectations, &reading->problems);
    return !reading->problems.count;
}

static void reading_on_content(void *owner, const void *content, size_t size)
{
    struct scenario_reading *reading = owner;
    audit_digest(content, size, reading->digest);
}

/* Hooks of files are applied at the target, as nobody of the caller's has written them. */
void reading_do(struct scenario_reading *reading)
{
    struct scenario_settings settings = {0};
    struct scenario_origin *origin = &reading->origin;
    if (!reading_expects_well(reading))
        return;
    if (!reading_is_file(reading, &settings.overrides)) {
        if (reading->is_audited)
            audit_digest(reading->term.data, reading->term.size, reading->digest);
        reading->scenario = scenario_term_read(reading->term, origin, &reading->problems);
        return;
    }
    snprintf(reading->node, sizeof(reading->node), "%s", origin->caller_node);
    origin->caller_node = reading->node;
    origin->hooks_at_target = true;
    if (reading->is_audited) {
        origin->content_read = reading_on_content;
        origin->owner = reading;
    }
    if (!settings.overrides.data ||
        scenario_file_take_node(settings.overrides, reading->node, &reading->problems))
        reading->scenario =
            scenario_file_find(reading->folder, reading->name, &settings, origin, &reading->problems);
}

static void reading_work(struct request_work *work)
{
    reading_do(CONTAINER_OF(work, struct scenario_reading, work));
}

static void reading_on_done(struct request_work *work)
{
    struct scenario_reading *reading = CONTAINER_OF(work, struct scenario_reading, work);
    free(reading->folder);
    reading->folder = NULL;
    reading->done(reading->owner);
}

void reading_start(struct request *request, struct scenario_reading *reading, bool is_kept)
{
    reading->folder = reading->directory ? memory_string(reading->directory) : NULL;
    reading->work = (struct request_work){.request = request,
                                          .bytes = reading_bytes(reading),
                                          .work = reading_work,
                                          .done = reading_on_done,
                                          .is_kept = is_kept};
    request_work_start(&reading->work);
}
