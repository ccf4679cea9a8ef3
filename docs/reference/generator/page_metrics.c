#include "markdown.h"
#include "metrics_private.h"
#include "pages.h"

void page_metrics(struct buffer *page)
{
    static const char *const columns[] = {"metric", "type", "label", "", NULL};
    markdown_paragraph(page, "The daemon shows these at `/metrics` of `http.listen`, in the text format of "
                             "Prometheus. Times are in seconds and sizes in bytes. Counters grow while runs "
                             "go on. A metric with a label has a sample for each of its values.");
    markdown_append(page, "<!-- configuration of Prometheus -->\n");
    markdown_code(page, "yaml",
                  "scrape_configs:\n"
                  "  - job_name: harnessd\n"
                  "    static_configs:\n"
                  "      - targets: [\"127.0.0.1:9464\"]\n");
    markdown_head(page, columns);
    for (size_t i = 0; i < metrics_count(); i++) {
        const struct metric_help *help = metrics_help(i);
        struct buffer name = {0}, label = {0};
        markdown_span(&name, help->name);
        if (help->label)
            markdown_span(&label, help->label);
        buffer_append(&name, "", 1);
        buffer_append(&label, "", 1);
        const char *const cells[] = {(const char *)buffer_bytes(&name), help->type,
                                     (const char *)buffer_bytes(&label), help->text, NULL};
        markdown_row(page, cells);
        buffer_free(&name);
        buffer_free(&label);
    }
}
