#include "manual.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define COLUMNS_MOST 8
#define EXAMPLES "examples"

/* Which page of the manual has what a page of the reference has. */
static const struct reference {
    const char *page;
    const char *manual;
} references[] = {
    {"scenario.md", "harnessd-scenario(5)"},     {"faults.md", "harnessd-scenario(5)"},
    {"expectations.md", "harnessd-scenario(5)"}, {"files.md#scenario-files", "harnessd-scenario(5)"},
    {"configuration.md", "harnessd.json(5)"},    {"outcomes.md", "harnessd-run(1)"},
};

struct manual {
    struct buffer *text;
    const char *name;
    struct buffer words;         /* of a paragraph or an item, up to now */
    char *columns[COLUMNS_MOST]; /* headings of the table that this is in the midst of */
    size_t column_count;
    bool is_code;
    bool is_item;
    bool is_first; /* nothing has come since the heading */
};

static void manual_put(struct buffer *text, const char *words)
{
    buffer_append(text, words, strlen(words));
}

/* --- Within a line --- */

/* A full stop or an apostrophe in front would be a request. */
static void manual_put_guard(struct buffer *text, const char *line)
{
    manual_put(text, *line == '.' || *line == '\'' ? "\\&" : "");
}

static void manual_put_character(struct buffer *text, char character, bool is_code)
{
    static const struct {
        char character;
        const char *anywhere;
        const char *in_code; /* is to be copied into a shell */
    } escapes[] = {{'\\', "\\e", "\\e"},    {'-', "-", "\\-"},       {'\'', "'", "\\(aq"},
                   {'`', "\\(ga", "\\(ga"}, {'^', "\\(ha", "\\(ha"}, {'~', "\\(ti", "\\(ti"}};
    for (size_t i = 0; i < ARRAY_LENGTH(escapes); i++) {
        if (character != escapes[i].character)
            continue;
        manual_put(text, is_code ? escapes[i].in_code : escapes[i].anywhere);
        return;
    }
    buffer_append(text, &character, 1);
}

/* The target of a link, "page.md#section". */
static void manual_put_reference(struct manual *manual, const char *target, size_t size)
{
    for (size_t i = 0; i < ARRAY_LENGTH(references); i++) {
        const char *page = references[i].page;
        if (size < strlen(page) || strncmp(target, page, strlen(page)) != 0 ||
            strcmp(references[i].manual, manual->name) == 0)
            continue;
        int name = (int)strcspn(references[i].manual, "(");
        buffer_print(manual->text, ", \\fB");
        for (int c = 0; c < name; c++)
            manual_put_character(manual->text, references[i].manual[c], true);
        buffer_print(manual->text, "\\fR%s", references[i].manual + name);
        return;
    }
}

/* Where the text of a link ends that begins here; NULL when none does. */
static const char *manual_link_end(const char *words)
{
    const char *end = *words == '[' ? strchr(words, ']') : NULL;
    return end && end[1] == '(' && strchr(end, ')') ? end : NULL;
}

/* Code, links, and strong words; a backslash is in front of the bars of a table. */
static void manual_put_words(struct manual *manual, const char *words)
{
    bool is_code = false;
    const char *link_end = NULL;
    manual_put_guard(manual->text, words);
    for (const char *c = words; *c; c++) {
        if (*c == '`') {
            is_code = !is_code;
            manual_put(manual->text, is_code ? "\\fB" : "\\fR");
        } else if (c == link_end) {
            size_t size = strcspn(c + 2, ")");
            manual_put_reference(manual, c + 2, size);
            c += 2 + size;
        } else if (!is_code && manual_link_end(c)) {
            link_end = manual_link_end(c);
        } else if (!is_code && strncmp(c, "**", 2) == 0) {
            c++;
        } else if (strncmp(c, "\\|", 2) != 0) {
            manual_put_character(manual->text, *c, is_code);
        }
    }
}

/* --- Blocks --- */

/* Ends a paragraph, or a line of it. */
static void manual_flush(struct manual *manual)
{
    if (!manual->words.size)
        return;
    buffer_append(&manual->words, "", 1);
    manual_put_words(manual, (const char *)buffer_bytes(&manual->words));
    manual_put(manual->text, "\n");
    buffer_truncate(&manual->words, 0);
}

static void manual_end_block(struct manual *manual)
{
    manual_flush(manual);
    for (size_t i = 0; i < manual->column_count; i++)
        free(manual->columns[i]);
    manual->column_count = 0;
    manual->is_item = false;
}

/* Two spaces at its end end a line. */
static void manual_add_words(struct manual *manual, const char *line)
{
    size_t size = strlen(line);
    bool ends = size > 2 && strcmp(line + size - 2, "  ") == 0;
    line += strspn(line, " ");
    if (!manual->words.size && !manual->is_item && !manual->is_first)
        manual_put(manual->text, ".PP\n");
    manual->is_first = false;
    buffer_print(&manual->words, "%s%.*s", manual->words.size ? " " : "", (int)strcspn(line, "\n"), line);
    if (!ends)
        return;
    buffer_truncate(&manual->words, manual->words.size - 2);
    manual_flush(manual);
    manual_put(manual->text, ".br\n");
}

static void manual_add_heading(struct manual *manual, const char *line)
{
    size_t level = strspn(line, "#");
    struct buffer name = {0};
    for (const char *c = line + level + 1; *c; c++)
        buffer_print(&name, "%c", level < 3 ? toupper((unsigned char)*c) : *c);
    buffer_append(&name, "", 1);
    manual_put(manual->text, level < 3 ? ".SH " : ".SS ");
    manual_put_words(manual, (const char *)buffer_bytes(&name));
    manual_put(manual->text, "\n");
    buffer_free(&name);
    manual->is_first = true;
}

/* Up to the first colon outside of code, "`key`, `another`: what it is for"; NULL for what begins otherwise.
 */
static char *manual_tag_end(char *item)
{
    bool is_code = false;
    if (*item != '`' && *item != '*')
        return NULL;
    for (char *c = item; *c; c++) {
        is_code ^= *c == '`';
        if (!is_code && strncmp(c, ": ", 2) == 0)
            return c;
    }
    return NULL;
}

static void manual_add_item(struct manual *manual, char *item)
{
    char *end = manual_tag_end(item);
    manual_flush(manual);
    manual->is_item = true;
    if (!end) {
        manual_put(manual->text, ".IP \\(bu 2\n");
        manual_add_words(manual, item);
        return;
    }
    *end = '\0';
    manual_put(manual->text, ".TP\n");
    manual_put_words(manual, item);
    manual_put(manual->text, "\n");
    manual_add_words(manual, end + 1);
}

/* Splits a row, without its first bar. */
static size_t manual_split(char *row, char *cells[COLUMNS_MOST])
{
    size_t count = 0;
    for (char *cell = row, *c = row; *c && count < COLUMNS_MOST; c++) {
        if (*c != '|' || c[-1] == '\\')
            continue;
        *c = '\0';
        for (char *last = c; last > cell && last[-1] == ' '; last--)
            last[-1] = '\0';
        cells[count++] = cell + strspn(cell, " ");
        cell = c + 1;
    }
    return count;
}

/* The first cell is what the row is about, and the last one says what; those between go with their
 * headings. */
static void manual_add_row(struct manual *manual, char *row)
{
    char *cells[COLUMNS_MOST] = {NULL};
    size_t count = manual_split(row + 1, cells);
    if (!manual->column_count) {
        for (size_t i = 0; i < count; i++)
            manual->columns[i] = memory_string(cells[i]);
        manual->column_count = count;
        return;
    }
    if (!count || strncmp(cells[0], "---", 3) == 0)
        return;
    manual_put(manual->text, ".TP\n");
    manual_put_words(manual, cells[0]);
    manual_put(manual->text, "\n");
    manual->is_item = true;
    for (size_t i = 1; i < count; i++) {
        if (i + 1 < count && *cells[i]) {
            buffer_print(&manual->words, "(%s %s)", manual->columns[i], cells[i]);
        } else if (*cells[i]) {
            manual_add_words(manual, cells[i]);
        }
    }
    manual_flush(manual);
    manual->is_item = false;
}

static void manual_add_fence(struct manual *manual)
{
    manual_end_block(manual);
    manual->is_code = !manual->is_code;
    manual_put(manual->text,
               manual->is_code ? (manual->is_first ? ".RS 4\n.nf\n" : ".PP\n.RS 4\n.nf\n") : ".fi\n.RE\n");
    manual->is_first = false;
}

static void manual_add_code(struct manual *manual, const char *line)
{
    manual_put_guard(manual->text, line);
    for (const char *c = line; *c; c++)
        manual_put_character(manual->text, *c, true);
    manual_put(manual->text, "\n");
}

static void manual_add_line(struct manual *manual, char *line)
{
    if (strncmp(line, "```", 3) == 0) {
        manual_add_fence(manual);
    } else if (manual->is_code) {
        manual_add_code(manual, line);
    } else if (*line == '#') {
        manual_end_block(manual);
        manual_add_heading(manual, line);
    } else if (!*line) {
        manual_end_block(manual);
    } else if (*line == '|') {
        manual_add_row(manual, line);
    } else if (strncmp(line, "- ", 2) == 0) {
        manual_add_item(manual, line + 2);
    } else if (strncmp(line, "<!--", 4) != 0) {
        manual_add_words(manual, line);
    }
}

/* --- Sections --- */

/* Whether a link has these words for a heading. */
static bool manual_is_section(const char *heading, const char *section)
{
    for (const char *c = heading; *c; c++) {
        char letter = *c == ' ' ? '-' : (char)tolower((unsigned char)*c);
        if (!isalnum((unsigned char)letter) && letter != '-' && letter != '_')
            continue;
        if (*section++ != letter)
            return false;
    }
    return *section == '\0';
}

/* Which lines are wanted: those of a section, or all but some. */
struct manual_part {
    const char *section; /* NULL: all but the examples */
    size_t level;        /* of the section that this is in, and whose lines are not as all others; or 0 */
    bool found;
};

static bool manual_wants(struct manual_part *part, const char *line, bool is_code)
{
    size_t level = is_code ? 0 : strspn(line, "#");
    bool is_named = level && manual_is_section(line + level + 1, part->section ? part->section : EXAMPLES);
    if (level && (is_named || level <= part->level))
        part->level = is_named ? level : 0;
    part->found |= is_named;
    bool is_title = level == 1 || is_named;
    return !is_title && (part->level != 0) == (part->section != NULL);
}

bool manual_append(struct buffer *text, const char *name, const char *page, const char *section)
{
    struct manual manual = {.text = text, .name = name, .is_first = true};
    struct manual_part part = {.section = section};
    char *copy = memory_string(page), *rest = copy, *line;
    bool is_code = false;
    while ((line = strsep(&rest, "\n"))) {
        if (manual_wants(&part, line, is_code))
            manual_add_line(&manual, line);
        is_code ^= strncmp(line, "```", 3) == 0;
    }
    manual_end_block(&manual);
    buffer_free(&manual.words);
    free(copy);
    return part.found || !section;
}

void manual_append_json(struct buffer *text, const char *json)
{
    static const char comment[] = "\"//";
    char *copy = memory_string(json), *rest = copy, *line;
    struct manual manual = {.text = text, .is_first = true};
    bool is_gap = true; /* an empty line more would be one too many */
    manual_add_fence(&manual);
    while ((line = strsep(&rest, "\n"))) {
        bool is_comment = strncmp(line + strspn(line, " "), comment, strlen(comment)) == 0;
        if (!is_comment && (*line || (!is_gap && rest && *rest))) {
            manual_add_code(&manual, line);
            is_gap = !*line || strcmp(line, "{") == 0;
        }
    }
    manual_add_fence(&manual);
    free(copy);
}
