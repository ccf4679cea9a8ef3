#include "report/junit.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "term/term_read.h"
#include "term/term_text.h"

#define TERM_BYTES 1000

/* Characters that XML 1.0 has. */
static bool junit_is_allowed(uint32_t character)
{
    return character == '\t' || character == '\n' || character == '\r' ||
           (character >= 0x20 && character <= 0xd7ff) || (character >= 0xe000 && character <= 0xfffd) ||
           character >= 0x10000;
}

static const char *junit_entity_of(uint32_t character)
{
    switch (character) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    default:
        return NULL;
    }
}

static void junit_write_escaped(const void *data, size_t size, struct buffer *xml)
{
    const uint8_t *text = data;
    for (size_t i = 0; i < size;) {
        uint32_t character = 0;
        size_t length = utf8_decode(text + i, size - i, &character);
        const char *entity = length ? junit_entity_of(character) : NULL;
        if (entity)
            buffer_print(xml, "%s", entity);
        else if (length && junit_is_allowed(character))
            buffer_append(xml, text + i, length);
        else
            buffer_append(xml, "?", 1);
        i += length ? length : 1;
    }
}

static void junit_write_text(const char *text, struct buffer *xml)
{
    junit_write_escaped(text, strlen(text), xml);
}

static void junit_open_case(const char *suite, const char *name, struct buffer *xml)
{
    buffer_print(xml, "    <testcase classname=\"");
    junit_write_text(suite, xml);
    buffer_print(xml, "\" name=\"");
    junit_write_text(name, xml);
    buffer_print(xml, "\"");
}

static void junit_close_case(bool passed, const char *kind, const char *message, struct buffer *xml)
{
    if (passed) {
        buffer_print(xml, "/>\n");
        return;
    }
    buffer_print(xml, ">\n      <%s message=\"", kind);
    junit_write_text(message, xml);
    buffer_print(xml, "\"/>\n    </testcase>\n");
}

static bool junit_is_met(struct term expectation)
{
    struct term met = report_view_get(expectation, "met");
    return met.data && term_is_atom(met, "true");
}

static bool junit_has_unmet(const struct report_view *view)
{
    struct term_list list;
    struct term expectation;
    if (!view->keys[REPORT_EXPECTATIONS].data || !term_list_start(&list, view->keys[REPORT_EXPECTATIONS]))
        return false;
    while (term_list_next(&list, &expectation))
        if (!junit_is_met(expectation))
            return true;
    return false;
}

/* The run as such: an expectation that was missed is a case of its own, unless it was met again at the end.
 */
static bool junit_has_ended_well(const struct report_view *view)
{
    bool is_elsewhere = view->outcome == OUTCOME_MISSED && junit_has_unmet(view);
    return (view->outcome == OUTCOME_COMPLETED || is_elsewhere) && !view->cleanup.data;
}

static void junit_write_outcome(const struct report_view *view, const char *suite, struct buffer *xml)
{
    struct buffer message = {0};
    char term[TERM_BYTES];
    buffer_print(&message, "%s", report_view_outcome(view));
    if (view->problems.data) {
        buffer_print(&message, "\n");
        report_view_write_problems(view->problems, "", &message);
    } else if (view->reason.data) {
        buffer_print(&message, ": %s", term_text(view->reason, term, sizeof(term)));
    }
    if (view->cleanup.data)
        buffer_print(&message, "; cleanup failed: %s", term_text(view->cleanup, term, sizeof(term)));
    buffer_append(&message, "", 1);
    junit_open_case(suite, "outcome", xml);
    junit_close_case(junit_has_ended_well(view), view->outcome == OUTCOME_NOT_RUN ? "error" : "failure",
                     (const char *)buffer_bytes(&message), xml);
    buffer_free(&message);
}

static void junit_write_figure(struct term value, struct buffer *message)
{
    char text[100];
    buffer_print(message, "%s", value.data ? term_text(value, text, sizeof(text)) : "nothing");
}

static void junit_write_expectation(struct term expectation, const char *suite, struct buffer *xml)
{
    struct buffer message = {0};
    char name[TERM_ATOM_BYTES + 1];
    struct term of = report_view_get(expectation, "expectation");
    if (!of.data || !term_read_atom(of, name))
        return;
    buffer_print(&message, "measured ");
    junit_write_figure(report_view_get(expectation, "measured"), &message);
    buffer_print(&message, ", limit ");
    junit_write_figure(report_view_get(expectation, "limit"), &message);
    buffer_append(&message, "", 1);
    junit_open_case(suite, name, xml);
    junit_close_case(junit_is_met(expectation), "failure", (const char *)buffer_bytes(&message), xml);
    buffer_free(&message);
}

struct counts {
    size_t tests;
    size_t failures;
    size_t errors;
};

static struct counts junit_count(const struct report_view *view, struct term_list list)
{
    struct counts counts = {.tests = 1 + list.count};
    struct term expectation;
    counts.errors = view->outcome == OUTCOME_NOT_RUN;
    counts.failures = !junit_has_ended_well(view) && !counts.errors;
    while (term_list_next(&list, &expectation))
        counts.failures += !junit_is_met(expectation);
    return counts;
}

static void junit_write_counts(const struct counts *counts, double seconds, struct buffer *xml)
{
    buffer_print(xml, "tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"%.3f\"", counts->tests,
                 counts->failures, counts->errors, seconds);
}

void junit_write(const struct report_view *view, const char *name, struct buffer *text, struct buffer *xml)
{
    struct term_list list = {0};
    struct term expectation;
    double seconds = (double)report_view_count(view->keys[REPORT_METRICS], "overall_duration_ms", 0) / 1000;
    if (!view->keys[REPORT_EXPECTATIONS].data || !term_list_start(&list, view->keys[REPORT_EXPECTATIONS]))
        list = (struct term_list){0};
    struct counts counts = junit_count(view, list);
    buffer_print(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites ");
    junit_write_counts(&counts, seconds, xml);
    buffer_print(xml, ">\n  <testsuite name=\"");
    junit_write_text(name, xml);
    buffer_print(xml, "\" ");
    junit_write_counts(&counts, seconds, xml);
    buffer_print(xml, ">\n");
    junit_write_outcome(view, name, xml);
    while (term_list_next(&list, &expectation))
        junit_write_expectation(expectation, name, xml);
    buffer_print(xml, "    <system-out>");
    junit_write_escaped(buffer_bytes(text), text->size, xml);
    buffer_print(xml, "</system-out>\n  </testsuite>\n</testsuites>\n");
}
