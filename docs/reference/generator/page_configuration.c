#include "config/config_key.h"
#include "config_flags_private.h"
#include "config_usage_private.h"
#include "markdown.h"
#include "pages.h"

#include <string.h>

static const char *const type_words[CONFIG_TYPE_COUNT] = {
    [CONFIG_STRING] = "string",
    [CONFIG_BOOLEAN] = "boolean",
    [CONFIG_INTEGER] = "integer",
    [CONFIG_CHOICE] = "one of",
    [CONFIG_STRINGS] = "string, or list of strings",
    [CONFIG_PATTERNS] = "list of shell patterns",
    [CONFIG_CALLERS] = "list of shell patterns, or of objects with `pattern` and `functions`",
    [CONFIG_PEERS] = "list of nodes",
    [CONFIG_SCHEDULES] = "list of schedules",
};

static void configuration_page_append_key(struct buffer *page, const struct config_key *key)
{
    bool is_list_of_choices = key->type == CONFIG_PATTERNS && key->choices[0];
    if (key->none)
        markdown_print(page, "- **`%s`**: `\"%s\"` or %s", key->path, key->none, type_words[key->type]);
    else
        markdown_print(page, "- **`%s`**: %s", key->path,
                       is_list_of_choices ? "list of" : type_words[key->type]);
    if (key->type == CONFIG_INTEGER)
        markdown_print(page, ", %lld to %lld", (long long)key->least, (long long)key->most);
    for (size_t i = 0; key->choices[i]; i++)
        markdown_print(page, "%s`\"%s\"`", i ? ", " : " ", key->choices[i]);
    bool is_required = key->fallback_help && strcmp(key->fallback_help, "required") == 0;
    markdown_append(page, is_required ? "; " : "; default ");
    if (key->fallback_help)
        markdown_append(page, key->fallback_help);
    else
        markdown_span(page, key->fallback);
    markdown_append(page, key->reloads ? "  \n  " : "; needs a restart  \n  ");
    markdown_sentence(page, key->help);
    markdown_append(page, "\n");
}

static void configuration_page_append_flags_for(struct buffer *page, const char *heading, int whom)
{
    static const char *const columns[] = {"flag", "", NULL};
    size_t count;
    const struct config_flag *flags = config_flags(&count);
    markdown_heading(page, 3, heading);
    markdown_head(page, columns);
    for (size_t i = 0; i < count; i++) {
        struct buffer name = {0}, text = {0};
        if ((int)flags[i].whom != whom)
            continue;
        markdown_print(&name, "`--%s%s%s`", flags[i].name,
                       flags[i].argument && !flags[i].is_optional ? " " : "",
                       flags[i].argument ? flags[i].argument : "");
        if (flags[i].letter)
            markdown_print(&name, ", `-%c`", flags[i].letter);
        markdown_sentence(&text, flags[i].help);
        buffer_append(&name, "", 1);
        buffer_append(&text, "", 1);
        const char *const cells[] = {(const char *)buffer_bytes(&name), (const char *)buffer_bytes(&text),
                                     NULL};
        markdown_row(page, cells);
        buffer_free(&name);
        buffer_free(&text);
    }
    markdown_append(page, "\n");
}

/* What keys of one group begin with. */
static size_t configuration_page_group_length(const struct config_key *key)
{
    return strcspn(key->path, ".");
}

static bool configuration_page_is_same_group(const struct config_key *a, const struct config_key *b)
{
    return configuration_page_group_length(a) == configuration_page_group_length(b) &&
           strncmp(a->path, b->path, configuration_page_group_length(a)) == 0;
}

static void configuration_page_append_keys(struct buffer *page, const struct config_key *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || !configuration_page_is_same_group(&keys[i - 1], &keys[i]))
            markdown_print(page, "%s### %.*s\n\n", i ? "\n" : "",
                           (int)configuration_page_group_length(&keys[i]), keys[i].path);
        configuration_page_append_key(page, &keys[i]);
    }
    markdown_append(page, "\n");
}

static void configuration_page_append_flags(struct buffer *page)
{
    configuration_page_append_flags_for(page, "Of both", FOR_BOTH);
    configuration_page_append_flags_for(page, "Of the daemon", FOR_DAEMON);
    configuration_page_append_flags_for(page, "Of harnessd run", FOR_RUN);
}

static void configuration_page_append_variables(struct buffer *page)
{
    size_t count;
    const struct config_variable *variables = config_variables(&count);
    for (size_t i = 0; i < count; i++) {
        markdown_print(page, "- **`%s`**: ", variables[i].name);
        markdown_sentence(page, variables[i].help);
        markdown_append(page, "\n");
    }
}

void page_configuration(struct buffer *page)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    markdown_code(page, "text",
                  "harnessd [--config FILE] [--name NAME[@HOST] | --sname NAME[@HOST]] [flags]\n"
                  "harnessd --check-config FILE\n"
                  "harnessd run FILE --connect NODE [flags]\n");
    markdown_paragraph(page, "[`config/harnessd.json`](../../config/harnessd.json) has every key with its "
                             "default.");
    markdown_heading(page, 2, "The file");
    markdown_paragraph(page, "The file is JSON, and flags override it. SIGHUP has it read again; keys that "
                             "need a restart keep their values until then.");
    markdown_append(page, "<!-- configuration -->\n");
    markdown_code(page, "json",
                  "{\n"
                  "    \"node\": {\"name\": \"harness@127.0.0.1\"},\n"
                  "    \"access\": {\"chaos\": {\"allow\": [\"*\"]}},\n"
                  "    \"//\": \"a key that begins with two slashes is a comment, anywhere\"\n"
                  "}\n");
    markdown_heading(page, 2, "Keys");
    configuration_page_append_keys(page, keys, count);
    markdown_heading(page, 2, "Flags");
    configuration_page_append_flags(page);
    markdown_heading(page, 2, "Environment");
    configuration_page_append_variables(page);
}
