/* The pages of the reference. */
#ifndef HARNESSD_REFERENCE_PAGES_H
#define HARNESSD_REFERENCE_PAGES_H

#include "base/buffer.h"

/* Each appends its page, from the paragraph behind its title on. */
void page_api(struct buffer *page);
void page_configuration(struct buffer *page);
void page_expectations(struct buffer *page);
void page_faults(struct buffer *page);
void page_metrics(struct buffer *page);
void page_outcomes(struct buffer *page);
void page_scenario(struct buffer *page);
void page_warnings(struct buffer *page);

#endif
