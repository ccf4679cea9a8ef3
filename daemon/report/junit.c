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

/* What a test case has come to. */
enum junit_verdict { JUNIT_PASSED, JUNIT_FAILED, JUNIT_ERROR, JUNIT_SKIPPED, JUNIT_VERDICTS };

struct junit_counts {
    size_t tests;
    size_t of[JUNIT_VERDICTS];
};

static void junit_close_case(enum junit_verdict verdict, const char *message, struct buffer *xml)
{
    static const char *const elements[JUNIT_VERDICTS] = {
        [JUNIT_FAILED] = "failure", [JUNIT_ERROR] = "error", [JUNIT_SKIPPED] = "skipped"};
    if (verdict == JUNIT_PASSED) {
        buffer_print(xml, "/>\n");
        return;
    }
    buffer_print(xml, ">\n      <%s message=\"", elements[verdict]);
    junit_write_text(message, xml);
    buffer_print(xml, "\"/>\n    </testcase>\n");
}

/* --- The run as such --- */

static enum junit_verdict junit_judge_outcome(const struct report_view *view)
{
    if (view->outcome == OUTCOME_NOT_RUN)
        return JUNIT_ERROR;
    return view->outcome == OUTCOME_COMPLETED ? JUNIT_PASSED : JUNIT_FAILED;
}

/* In words where there are some. */
static void junit_write_reason(const struct report_view *view, struct buffer *message)
{
    const uint8_t *words;
    size_t size;
    char term[TERM_BYTES];
    buffer_print(message, ": ");
    if (view->refusal.data && term_read_binary(view->refusal, &words, &size))
        buffer_append(message, words, size);
    else if (report_view_has_missed(view))
        report_view_write_missed(view, message);
    else
        buffer_print(message, "%s", term_text(view->reason, term, sizeof(term)));
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
        junit_write_reason(view, &message);
    }
    if (view->cleanup.data)
        buffer_print(&message, "; cleanup failed: %s", term_text(view->cleanup, term, sizeof(term)));
    buffer_append(&message, "", 1);
    junit_open_case(suite, "outcome", xml);
    junit_close_case(junit_judge_outcome(view), (const char *)buffer_bytes(&message), xml);
    buffer_free(&message);
}

/* --- Expectations --- */

/* What was not judged is skipped. */
static enum junit_verdict junit_judge(const struct report_view *view, struct term expectation)
{
    static const enum junit_verdict verdicts[] = {
        [REPORT_MET] = JUNIT_PASSED, [REPORT_MISSED] = JUNIT_FAILED, [REPORT_NOT_JUDGED] = JUNIT_SKIPPED};
    return verdicts[report_view_judge(view, expectation)];
}

static void junit_write_figure(struct term value, struct buffer *message)
{
    char text[100];
    buffer_print(message, "%s", value.data ? term_text(value, text, sizeof(text)) : "nothing");
}

static void junit_write_expectation(const struct report_view *view, struct term expectation,
                                    const char *suite, struct buffer *xml)
{
    enum junit_verdict verdict = junit_judge(view, expectation);
    struct buffer message = {0};
    char name[TERM_ATOM_BYTES + 1] = "?";
    struct term of = report_view_get(expectation, "expectation");
    if (of.data && !term_read_atom(of, name))
        name[0] = '\0';
    buffer_print(&message, verdict == JUNIT_SKIPPED ? "not judged: measured " : "measured ");
    junit_write_figure(report_view_get(expectation, "measured"), &message);
    buffer_print(&message, ", limit ");
    junit_write_figure(report_view_get(expectation, "limit"), &message);
    buffer_append(&message, "", 1);
    junit_open_case(suite, name, xml);
    junit_close_case(verdict, (const char *)buffer_bytes(&message), xml);
    buffer_free(&message);
}

/* --- The whole --- */

static struct junit_counts junit_count(const struct report_view *view, struct term_list list)
{
    struct junit_counts counts = {.tests = 1 + list.count};
    struct term expectation;
    counts.of[junit_judge_outcome(view)]++;
    while (term_list_next(&list, &expectation))
        counts.of[junit_judge(view, expectation)]++;
    return counts;
}

static void junit_write_counts(const struct junit_counts *counts, double seconds, struct buffer *xml)
{
    buffer_print(xml, "tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" time=\"%.3f\"",
                 counts->tests, counts->of[JUNIT_FAILED], counts->of[JUNIT_ERROR], counts->of[JUNIT_SKIPPED],
                 seconds);
}

void junit_write(const struct report_view *view, const char *name, struct buffer *text, struct buffer *xml)
{
    struct term_list list = {0};
    struct term expectation;
    double seconds = (double)report_view_count(view->keys[REPORT_METRICS], "overall_duration_ms", 0) / 1000;
    if (!view->keys[REPORT_EXPECTATIONS].data || !term_list_start(&list, view->keys[REPORT_EXPECTATIONS]))
        list = (struct term_list){0};
    struct junit_counts counts = junit_count(view, list);
    buffer_print(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites ");
    junit_write_counts(&counts, seconds, xml);
    buffer_print(xml, ">\n  <testsuite name=\"");
    junit_write_text(name, xml);
    buffer_print(xml, "\" ");
    junit_write_counts(&counts, seconds, xml);
    buffer_print(xml, ">\n");
    junit_write_outcome(view, name, xml);
    while (term_list_next(&list, &expectation))
        junit_write_expectation(view, expectation, name, xml);
    buffer_print(xml, "    <system-out>");
    junit_write_escaped(buffer_bytes(text), text->size, xml);
    buffer_print(xml, "</system-out>\n  </testsuite>\n</testsuites>\n");
}
