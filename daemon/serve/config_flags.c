#include "serve/config_flags.h"

#include <getopt.h>
#include <string.h>

#include "base/nearest.h"

struct config_flag {
    const char *name;
    const char *argument;      /* NULL: takes none */
    const char *key;           /* the key that it sets, or NULL */
    const char *names;         /* what it makes of node.names, or NULL */
    enum config_action action; /* what it asks for, CONFIG_RUN for nothing else */
    const char *help;
};

enum { FLAG_CONFIG, FLAG_CHECK, FLAG_NAME, FLAG_SNAME };

static const struct config_flag flags[] = {
    [FLAG_CONFIG] = {.name = "config", .argument = "FILE", .help = "read this configuration"},
    [FLAG_CHECK] = {.name = "check-config",
                    .argument = "FILE",
                    .action = CONFIG_CHECK,
                    .help = "check this configuration and exit"},
    [FLAG_NAME] = {.name = "name",
                   .argument = "NAME[@HOST]",
                   .key = "node.name",
                   .names = "long",
                   .help = "be this node, with long names"},
    [FLAG_SNAME] = {.name = "sname",
                    .argument = "NAME[@HOST]",
                    .key = "node.name",
                    .names = "short",
                    .help = "be this node, with short names"},
    {.name = "cookie-file", .argument = "FILE", .key = "node.cookie_file", .help = "as node.cookie_file"},
    {.name = "port", .argument = "N", .key = "node.port", .help = "as node.port"},
    {.name = "log-level", .argument = "LEVEL", .key = "log.level", .help = "as log.level"},
    {.name = "version", .action = CONFIG_VERSION, .help = "print the version and exit"},
    {.name = "help", .action = CONFIG_HELP, .help = "print this text and exit"},
};

#define FLAG_COUNT ARRAY_LENGTH(flags)
_Static_assert(FLAG_COUNT <= CONFIG_FLAGS_MOST, "config_flags has a value for each flag");

static void report_unknown_flag(struct config_reading *reading, const char *text)
{
    const char *names[FLAG_COUNT];
    for (size_t i = 0; i < FLAG_COUNT; i++)
        names[i] = flags[i].name;
    const char *word = text + strspn(text, "-");
    const char *nearest = nearest_word(word, strcspn(word, "="), names, FLAG_COUNT);
    if (nearest)
        config_problem(reading, text, "unknown flag (nearest: --%s)", nearest);
    else
        config_problem(reading, text, "unknown flag");
}

/* What takes more than one flag to see. */
static void finish(struct config_reading *reading, struct config_flags *given)
{
    const char *const *values = given->values;
    if (values[FLAG_CONFIG] && values[FLAG_CHECK])
        config_problem(reading, "--check-config", "cannot be given together with --config");
    if (values[FLAG_NAME] && values[FLAG_SNAME])
        config_problem(reading, "--sname", "cannot be given together with --name");
    given->file = values[FLAG_CHECK] ? values[FLAG_CHECK] : values[FLAG_CONFIG];
    if (values[FLAG_NAME] || values[FLAG_SNAME])
        given->name_source = values[FLAG_NAME] ? "--name" : "--sname";
}

void config_flags_read(struct config_reading *reading, int argc, char **argv, struct config_flags *given)
{
    *given = (struct config_flags){.action = CONFIG_RUN, .name_source = "node.name"};
    struct option options[FLAG_COUNT + 1] = {0};
    for (size_t i = 0; i < FLAG_COUNT; i++)
        options[i] = (struct option){.name = flags[i].name,
                                     .has_arg = flags[i].argument ? required_argument : no_argument};
    optind = 0; /* begins anew, also after an earlier call */
    opterr = 0;
    for (;;) {
        int index = 0;
        int next = optind ? optind : 1;
        int result = getopt_long(argc, argv, "+:", options, &index);
        if (result == -1)
            break;
        if (result == ':')
            config_problem(reading, argv[next], "needs a value");
        else if (result != 0)
            report_unknown_flag(reading, argv[next]);
        if (result != 0)
            continue;
        given->values[index] = flags[index].argument ? optarg : "";
        if (flags[index].action != CONFIG_RUN)
            given->action = flags[index].action;
    }
    for (int i = optind; i < argc; i++)
        config_problem(reading, argv[i], "unexpected argument");
    finish(reading, given);
}

void config_flags_apply(struct config_reading *reading, const struct config_flags *given)
{
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        char where[32];
        snprintf(where, sizeof(where), "--%s", flags[i].name);
        if (given->values[i] && flags[i].key)
            config_key_set_text(reading, config_key_find(flags[i].key), given->values[i], where);
        if (given->values[i] && flags[i].names)
            config_key_set_text(reading, config_key_find("node.names"), flags[i].names, where);
    }
}

void config_flags_usage(FILE *output)
{
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        const char *argument = flags[i].argument ? flags[i].argument : "";
        int width = fprintf(output, "  --%s%s%s", flags[i].name, *argument ? " " : "", argument);
        fprintf(output, "%*s%s\n", width < CONFIG_USAGE_COLUMN ? CONFIG_USAGE_COLUMN - width : 1, "",
                flags[i].help);
    }
}
