/* Writes the pages of the reference, or the tables in them, to a folder, or with --check says which of those
 * there differ; with
 * --manual a page of the manual, from a template in man(7) that has lines such as
 *
 *     .\" insert configuration.md#keys
 *
 * where a page of the reference, or a section of one, is to stand. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "fill.h"
#include "manual.h"
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
    {"api", "Functions", "what other nodes call", page_api},
    {"configuration", "Configuration", "keys of the file, flags, environment", page_configuration},
    {"metrics", "Metrics", "what Prometheus is told", page_metrics},
};

/* What is written by hand beside them, some of it around tables. */
static const struct written_page {
    const char *name;
    const char *title;
    const char *about;
    bool has_tables;
} written[] = {
    {"report", "Reports", "what a run is answered with", true},
    {"errors", "Errors", "reasons why there is no report, problems, exit codes", true},
    {"http", "HTTP", "metrics, health and runs", true},
    {"files", "Files", "scenarios as files, where runs are kept, what is installed", true},
    {"supertester", "Supertester", "what is not the same as in that library", false},
};

#define MARK "<!-- Written by harnessd-reference from the tables of the program; see CONTRIBUTING.md. -->\n\n"

static void wrap(struct buffer *text)
{
    struct buffer wrapped = {0};
    buffer_append(text, "", 1);
    markdown_wrap((const char *)buffer_bytes(text), &wrapped);
    buffer_free(text);
    *text = wrapped;
}

static void write_page(const struct page *page, struct buffer *text)
{
    markdown_append(text, MARK);
    markdown_heading(text, 1, page->title);
    page->write(text);
    wrap(text);
}

static void write_contents(struct buffer *text)
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
    wrap(text);
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

static bool read_text(const char *path, struct buffer *text)
{
    char piece[4096];
    size_t size;
    FILE *file = fopen(path, "r");
    while (file && (size = fread(piece, 1, sizeof(piece), file)) > 0)
        buffer_append(text, piece, size);
    bool is_read = file && !ferror(file);
    if (!is_read)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    if (file)
        fclose(file);
    buffer_append(text, "", 1);
    return is_read;
}

/* Of one that was written by hand the tables. */
static bool finish_written(const char *folder, const char *name, bool check)
{
    struct buffer found = {0}, page = {0};
    char *path = memory_format("%s/%s.md", folder, name);
    bool is_good = read_text(path, &found) && fill(&page, (const char *)buffer_bytes(&found));
    if (!is_good)
        fprintf(stderr, "%s has no tables, or none that there is\n", path);
    free(path);
    buffer_free(&found);
    return finish(folder, name, &page, check || !is_good) && is_good;
}

static int write_reference(const char *folder, bool check)
{
    struct buffer text = {0};
    write_contents(&text);
    bool done = finish(folder, "README", &text, check);
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++) {
        struct buffer page = {0};
        write_page(&pages[i], &page);
        done = finish(folder, pages[i].name, &page, check) && done;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(written); i++)
        done = (!written[i].has_tables || finish_written(folder, written[i].name, check)) && done;
    return done ? 0 : 1;
}

/* --- The manual --- */

#define INSERT ".\\\" insert "

/* As the tables say, or as it was written by hand. */
static bool find_page(const char *folder, const char *name, struct buffer *text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(pages); i++) {
        if (strlen(pages[i].name) + strlen(".md") != strlen(name) ||
            strncmp(pages[i].name, name, strlen(pages[i].name)) != 0)
            continue;
        write_page(&pages[i], text);
        buffer_append(text, "", 1);
        return true;
    }
    char *path = memory_format("%s/%s", folder, name);
    bool found = read_text(path, text);
    free(path);
    return found;
}

/* `what` is "page.md" or "page.md#section", and is taken apart. */
static bool insert(const char *folder, const char *manual, char *what, struct buffer *text)
{
    struct buffer page = {0};
    char *section = what;
    const char *name = strsep(&section, "#");
    bool found = find_page(folder, name, &page) &&
                 manual_append(text, manual, (const char *)buffer_bytes(&page), section);
    if (!found)
        fprintf(stderr, "%s: there is no %s%s%s\n", manual, name, section ? "#" : "", section ? section : "");
    buffer_free(&page);
    return found;
}

/* "folder/harnessd.json.5" is harnessd.json(5). */
static char *manual_name(const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    const char *dot = strrchr(name, '.');
    return dot ? memory_format("%.*s(%s)", (int)(dot - name), name, dot + 1) : memory_string(name);
}

static int write_manual(const char *folder, const char *template, const char *output)
{
    struct buffer given = {0}, text = {0};
    bool done = read_text(template, &given);
    char *manual = manual_name(output), *rest = (char *)buffer_bytes(&given), *line;
    while ((line = strsep(&rest, "\n"))) {
        if (strncmp(line, INSERT, strlen(INSERT)) == 0)
            done = insert(folder, manual, line + strlen(INSERT), &text) && done;
        else if (*line || rest)
            buffer_print(&text, "%s\n", line);
    }
    done = done && save(output, &text);
    free(manual);
    buffer_free(&given);
    buffer_free(&text);
    return done ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "--manual") == 0)
        return write_manual(argv[2], argv[3], argv[4]);
    bool check = argc == 3 && strcmp(argv[1], "--check") == 0;
    if (argc == 2 || check)
        return write_reference(argv[argc - 1], check);
    fprintf(stderr, "usage: %s [--check] FOLDER\n       %s --manual FOLDER TEMPLATE OUTPUT\n", argv[0],
            argv[0]);
    return 2;
}
