/* Writes the pages of the reference to a folder, or with --check says which of those there differ. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "markdown.h"
#include "pages.h"

static const struct page {
    const char *name;
    const char *title;
    const char *about; /* a line of the table of contents */
    void (*write)(struct buffer *page);
} pages[] = {
    {"scenario", "Scenarios", "what a run is asked for with: keys, loads, operations, targets, placeholders",
     page_scenario},
    {"faults", "Faults", "what chaos can be made of, whom it is done to, and how it is undone", page_faults},
    {"expectations", "Expectations", "what a run can be held to", page_expectations},
    {"outcomes", "Outcomes", "the word that says how a run stands", page_outcomes},
    {"warnings", "Warnings", "what weakens the verdict on a run", page_warnings},
    {"api", "Functions", "what other nodes call", page_api},
    {"configuration", "Configuration", "keys of the file, flags, environment", page_configuration},
    {"metrics", "Metrics", "what Prometheus is told", page_metrics},
};

/* What is written by hand beside them. */
static const struct written_page {
    const char *name;
    const char *title;
    const char *about;
} written[] = {
    {"report", "Reports", "what a run is answered with"},
    {"errors", "Errors", "reasons why there is no report, problems, exit codes"},
    {"http", "HTTP", "metrics, health and runs"},
    {"files", "Files", "scenarios as files, where runs are kept, what is installed"},
    {"supertester", "Supertester", "what is not the same as in that library"},
};

#define MARK "<!-- Written by harnessd-reference from the tables of the program; see CONTRIBUTING.md. -->\n\n"

static void write_page(const struct page *page, struct buffer *text)
{
    markdown_append(text, MARK);
    markdown_heading(text, 1, page->title);
    page->write(text);
}

static void write_contents(struct buffer *text)
{
    markdown_append(text, MARK);
    markdown_heading(text, 1, "Reference");
    markdown_paragraph(text, "What harnessd takes, does and tells, as its own tables have it.");
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++)
        markdown_print(text, "- [%s](%s.md): %s\n", pages[i].title, pages[i].name, pages[i].about);
    markdown_append(text, "\n");
    markdown_paragraph(text, "Beside these, not made from tables:");
    for (size_t i = 0; i < ARRAY_LENGTH(written); i++)
        markdown_print(text, "- [%s](%s.md): %s\n", written[i].title, written[i].name, written[i].about);
    markdown_append(text, "\n");
}

/* One empty line at the end is too many. */
static void trim(struct buffer *text)
{
    while (text->size > 1 && buffer_bytes(text)[text->size - 1] == '\n' &&
           buffer_bytes(text)[text->size - 2] == '\n')
        text->size--;
}

static bool save(const char *path, const struct buffer *text)
{
    FILE *file = fopen(path, "w");
    bool is_written = file && fwrite(buffer_bytes(text), 1, text->size, file) == text->size;
    is_written = file && fclose(file) == 0 && is_written;
    if (!is_written)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return is_written;
}

static bool is_same(const char *path, const struct buffer *text)
{
    char *found = memory_zalloc(1, text->size + 1);
    FILE *file = fopen(path, "r");
    bool same = file && fread(found, 1, text->size + 1, file) == text->size &&
                memcmp(found, buffer_bytes(text), text->size) == 0;
    if (file)
        fclose(file);
    free(found);
    if (!same)
        fprintf(stderr, "%s is not what the tables say; cmake --build BUILD --target reference writes it\n",
                path);
    return same;
}

/* Takes the text. */
static bool finish(const char *folder, const char *name, struct buffer *text, bool check)
{
    char *path = memory_format("%s/%s.md", folder, name);
    trim(text);
    bool done = check ? is_same(path, text) : save(path, text);
    free(path);
    buffer_free(text);
    return done;
}

int main(int argc, char **argv)
{
    bool check = argc == 3 && strcmp(argv[1], "--check") == 0;
    if (argc != 2 && !check) {
        fprintf(stderr, "usage: %s [--check] FOLDER\n", argv[0]);
        return 2;
    }
    const char *folder = argv[argc - 1];
    struct buffer text = {0};
    write_contents(&text);
    bool done = finish(folder, "README", &text, check);
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++) {
        struct buffer page = {0};
        write_page(&pages[i], &page);
        done = finish(folder, pages[i].name, &page, check) && done;
    }
    return done ? 0 : 1;
}
