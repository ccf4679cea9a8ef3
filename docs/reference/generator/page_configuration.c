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
    [CONFIG_PATTERNS] = "list of shell patterns",
    [CONFIG_PEERS] = "list of nodes",
    [CONFIG_SCHEDULES] = "list of schedules",
};

static void append_key(struct buffer *page, const struct config_key *key)
{
    markdown_print(page, "- **`%s`**: %s", key->path, type_words[key->type]);
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

static void append_flags(struct buffer *page)
{
    static const char *const whom[] = {[FOR_BOTH] = "", [FOR_DAEMON] = "daemon", [FOR_RUN] = "`run`"};
    static const char *const columns[] = {"flag", "only for", "", NULL};
    size_t count;
    const struct config_flag *flags = config_flags(&count);
    markdown_head(page, columns);
    for (size_t i = 0; i < count; i++) {
        struct buffer name = {0}, text = {0};
        markdown_print(&name, "`--%s%s%s`", flags[i].name,
                       flags[i].argument && !flags[i].is_optional ? " " : "",
                       flags[i].argument ? flags[i].argument : "");
        markdown_sentence(&text, flags[i].help);
        buffer_append(&name, "", 1);
        buffer_append(&text, "", 1);
        const char *const cells[] = {(const char *)buffer_bytes(&name), whom[flags[i].whom],
                                     (const char *)buffer_bytes(&text), NULL};
        markdown_row(page, cells);
        buffer_free(&name);
        buffer_free(&text);
    }
    markdown_append(page, "\n");
}

static void append_variables(struct buffer *page)
{
    size_t count;
    const struct config_variable *variables = config_variables(&count);
    for (size_t i = 0; i < count; i++) {
        markdown_print(page, "- **`%s`**: ", variables[i].name);
        markdown_append(page, variables[i].help);
        markdown_append(page, "\n");
    }
}

void page_configuration(struct buffer *page)
{
    size_t count;
    const struct config_key *keys = config_keys(&count);
    markdown_code(page, "",
                  "harnessd [--config FILE] [--name NAME[@HOST] | --sname NAME[@HOST]] [flags]\n"
                  "harnessd --check-config FILE\n"
                  "harnessd run FILE --connect NODE [flags]\n");
    markdown_paragraph(
        page, "Flags override the file, which is JSON. [`config/harnessd.json`](../../config/harnessd.json) "
              "has every key with its default. SIGHUP has the file read again; keys that need a "
              "restart keep their values until then.");
    markdown_code(page, "json",
                  "{\n"
                  "    \"node\": {\"name\": \"harness@127.0.0.1\"},\n"
                  "    \"access\": {\"chaos\": {\"allow\": [\"*\"]}},\n"
                  "    \"//\": \"a key that begins with two slashes is a comment, anywhere\"\n"
                  "}\n");
    markdown_heading(page, 2, "Keys");
    for (size_t i = 0; i < count; i++)
        append_key(page, &keys[i]);
    markdown_append(page, "\n");
    markdown_heading(page, 2, "Flags");
    append_flags(page);
    markdown_heading(page, 2, "Environment");
    append_variables(page);
}
