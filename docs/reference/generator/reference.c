#include "reference.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fill.h"
#include "markdown.h"
#include "pages.h"
#include "text_file.h"

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

/* What is written by hand beside them, some of it around tables (fill.h). */
static const struct written_page {
    const char *name;
    const char *title;
    const char *about;
} written[] = {
    {"report", "Reports", "what a run is answered with"},
    {"errors", "Errors", "reasons why there is no report, problems, exit codes"},
    {"http", "HTTP", "metrics, health and runs"},
    {"audit", "Audit", "who has asked for what, what was done, and what came of it"},
    {"files", "Files", "scenarios as files, where runs are kept, what is installed"},
    {"supertester", "Supertester", "what is not the same as in that library"},
};

#define MARK "<!-- Written by harnessd-reference from the tables of the program; see CONTRIBUTING.md. -->\n\n"

static void reference_wrap(struct buffer *text)
{
    struct buffer wrapped = {0};
    buffer_append(text, "", 1);
    markdown_wrap((const char *)buffer_bytes(text), &wrapped);
    buffer_free(text);
    *text = wrapped;
}

static void reference_write_page(const struct page *page, struct buffer *text)
{
    markdown_append(text, MARK);
    markdown_heading(text, 1, page->title);
    page->write(text);
    reference_wrap(text);
}

static void reference_write_contents(struct buffer *text)
{
    markdown_append(text, MARK);
    markdown_heading(text, 1, "Reference");
    markdown_paragraph(text, "What harnessd takes, does and tells, as its own tables have it.");
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++)
        markdown_print(text, "- [%s](%s.md): %s\n", pages[i].title, pages[i].name, pages[i].about);
    markdown_append(text, "\n");
    markdown_paragraph(text,
                       "Beside these, written by hand; the tables of names in them are made of the program's "
                       "as well, or compared with what it makes:");
    for (size_t i = 0; i < ARRAY_LENGTH(written); i++)
        markdown_print(text, "- [%s](%s.md): %s\n", written[i].title, written[i].name, written[i].about);
    markdown_append(text, "\n");
    reference_wrap(text);
}

/* One empty line at the end is too many. */
static void reference_trim(struct buffer *text)
{
    while (text->size > 1 && buffer_bytes(text)[text->size - 1] == '\n' &&
           buffer_bytes(text)[text->size - 2] == '\n')
        text->size--;
}

static bool reference_is_same(const char *path, const struct buffer *text)
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
static bool reference_finish(const char *folder, const char *name, struct buffer *text, bool check)
{
    char *path = memory_format("%s/%s.md", folder, name);
    reference_trim(text);
    bool done = check ? reference_is_same(path, text) : text_file_save(path, text);
    free(path);
    buffer_free(text);
    return done;
}

/* Of one that was written by hand the tables. */
static bool reference_finish_written(const char *folder, const char *name, bool check, struct fill_uses *uses)
{
    struct buffer found = {0}, page = {0};
    struct fill_problem problem;
    char *path = memory_format("%s/%s.md", folder, name);
    bool is_read = text_file_read(path, &found);
    bool is_good = is_read && fill(&page, (const char *)buffer_bytes(&found), uses, &problem);
    if (is_read && !is_good)
        fprintf(stderr, "%s:%zu: %s\n", path, problem.line, problem.text);
    free(path);
    buffer_free(&found);
    if (is_good)
        return reference_finish(folder, name, &page, check);
    buffer_free(&page);
    return false;
}

/* Whether a file of the folder is a page that there is, or none at all. */
static bool reference_has(const char *file)
{
    size_t size = strlen(file), end = strlen(".md");
    char *name = memory_string(file);
    if (size > end && strcmp(file + size - end, ".md") == 0)
        name[size - end] = '\0';
    bool has = size == strlen(name) || strcmp(name, "README") == 0;
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++)
        has = has || strcmp(name, pages[i].name) == 0;
    for (size_t i = 0; i < ARRAY_LENGTH(written); i++)
        has = has || strcmp(name, written[i].name) == 0;
    free(name);
    return has;
}

/* That the folder has no page that nobody is led to, and that nobody looks after. */
static bool reference_has_all(const char *folder)
{
    bool has_all = true;
    struct dirent *entry;
    DIR *files = opendir(folder);
    while (files && (entry = readdir(files))) {
        if (reference_has(entry->d_name))
            continue;
        fprintf(stderr, "%s/%s: there is no such page in the tables of the generator\n", folder,
                entry->d_name);
        has_all = false;
    }
    if (files)
        closedir(files);
    else
        fprintf(stderr, "%s: %s\n", folder, strerror(errno));
    return files && has_all;
}

bool reference_write(const char *folder, bool check)
{
    struct buffer text = {0};
    struct fill_uses uses = {0};
    reference_write_contents(&text);
    bool done = reference_finish(folder, "README", &text, check);
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++) {
        struct buffer page = {0};
        reference_write_page(&pages[i], &page);
        done = reference_finish(folder, pages[i].name, &page, check) && done;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(written); i++)
        done = reference_finish_written(folder, written[i].name, check, &uses) && done;
    const char *misused = fill_misused(&uses);
    if (done && misused)
        fprintf(stderr, "%s: the table %s has to stand in one place of the pages, and does not\n", folder,
                misused);
    return reference_has_all(folder) && done && !misused;
}

/* As the tables say, or as it was written by hand. */
bool reference_find(const char *folder, const char *name, struct buffer *text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++) {
        if (strlen(pages[i].name) + strlen(".md") != strlen(name) ||
            strncmp(pages[i].name, name, strlen(pages[i].name)) != 0)
            continue;
        reference_write_page(&pages[i], text);
        buffer_append(text, "", 1);
        return true;
    }
    char *path = memory_format("%s/%s", folder, name);
    bool found = text_file_read(path, text);
    free(path);
    return found;
}
