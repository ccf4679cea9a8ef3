/* What came of a run as JUnit XML, which test servers read: a test case for how it has ended, which passes
 * only when the run has completed, and one for each expectation, skipped when it was not judged. */
#ifndef HARNESSD_REPORT_JUNIT_H
#define HARNESSD_REPORT_JUNIT_H

#include "report/report_view.h"

/* Appends the document. `name` is that of the suite, such as the scenario's file; `text` is what people read
 * of it. */
void junit_write(const struct report_view *view, const char *name, struct buffer *text, struct buffer *xml);

#endif
