#include "config_flags_private.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/nearest.h"
#include "dist/node_name.h"

enum { FLAG_CONFIG, FLAG_CHECK, FLAG_NAME, FLAG_SNAME, FLAG_CONNECT, FLAG_SET, FLAG_JSON, FLAG_JUNIT };

static const struct config_flag flags[] = {
    [FLAG_CONFIG] = {.name = "config", .argument = "FILE", .help = "read this configuration"},
    [FLAG_CHECK] = {.name = "check-config",
                    .argument = "FILE",
                    .action = CONFIG_CHECK,
                    .whom = FOR_DAEMON,
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
    [FLAG_CONNECT] = {.name = "connect",
                      .argument = "NODE[:PORT]",
                      .whom = FOR_RUN,
                      .help =
                          "connect to this node first, with a port without asking epmd; may be given again; "
                          "names without a node are at the first"},
    [FLAG_SET] = {.name = "set",
                  .argument = "PATH=VALUE",
                  .whom = FOR_RUN,
                  .help = "instead of the file's value, as load.duration_ms=5000; may be given again"},
    [FLAG_JSON] = {.name = "json",
                   .argument = "[=FILE]",
                   .is_optional = true,
                   .whom = FOR_RUN,
                   .help = "print what came of it as JSON, not as text; or write that to FILE"},
    [FLAG_JUNIT] = {.name = "junit",
                    .argument = "FILE",
                    .whom = FOR_RUN,
                    .help = "write what was expected and what came to FILE, as JUnit XML"},
    {.name = "cookie-file",
     .argument = "FILE",
     .key = "node.cookie_file",
     .help = "as node.cookie_file: the cluster's cookie is in this file"},
    {.name = "port",
     .argument = "N",
     .key = "node.port",
     .whom = FOR_DAEMON,
     .help = "as node.port: listen here"},
    {.name = "log-level",
     .argument = "LEVEL",
     .key = "log.level",
     .help = "as log.level: debug, info, warning or error"},
    {.name = "version", .action = CONFIG_VERSION, .help = "print the version and exit"},
    {.name = "help", .action = CONFIG_HELP, .help = "print this text and exit"},
};

#define FLAG_COUNT ARRAY_LENGTH(flags)
_Static_assert(FLAG_COUNT <= CONFIG_FLAGS_MOST, "config_flags has a value for each flag");

const struct config_flag *config_flags(size_t *count)
{
    *count = FLAG_COUNT;
    return flags;
}

static void flags_report_unknown(struct config_reading *reading, const char *text)
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
static void flags_finish(struct config_reading *reading, struct config_flags *given)
{
    const char *const *values = given->values;
    if (values[FLAG_CONFIG] && values[FLAG_CHECK])
        config_problem(reading, "--check-config", "cannot be given together with --config");
    if (values[FLAG_NAME] && values[FLAG_SNAME])
        config_problem(reading, "--sname", "cannot be given together with --name");
    given->file = values[FLAG_CHECK] ? values[FLAG_CHECK] : values[FLAG_CONFIG];
    given->has_name = values[FLAG_NAME] || values[FLAG_SNAME];
    if (given->has_name)
        given->name_source = values[FLAG_NAME] ? "--name" : "--sname";
}

/* The port at the end of NAME@HOST:PORT or NAME@[ADDRESS]:PORT, an address being one of IPv6, whose colons
 * are none. */
static const char *flags_find_port(const char *value)
{
    const char *bracket = strstr(value, "@[");
    const char *end = bracket ? strchr(bracket, ']') : NULL;
    const char *colon = end ? end + 1 : strchr(value, ':');
    if (!colon || *colon != ':' || (!end && strchr(colon + 1, ':')))
        return NULL;
    return colon + 1;
}

static bool flags_read_port(const char *text, uint16_t *port)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    bool valid = *text >= '0' && *text <= '9' && !*end && number && number <= UINT16_MAX;
    *port = valid ? (uint16_t)number : 0;
    return valid;
}

static void flags_take_connect(struct config_reading *reading, const char *value)
{
    struct config_one_shot *one_shot = &reading->config->one_shot;
    struct config_connect connect = {.port = 0};
    const char *port = flags_find_port(value);
    size_t size = port ? (size_t)(port - 1 - value) : strlen(value);
    if (one_shot->connect_count == CONFIG_CONNECTS_MOST) {
        config_problem(reading, "--connect", "was given more than %d times", CONFIG_CONNECTS_MOST);
        return;
    }
    size_t used = 0;
    for (size_t i = 0; i < size && used < NODE_NAME_BYTES; i++)
        if (value[i] != '[' && value[i] != ']')
            connect.node[used++] = value[i];
    const char *problem = node_name_problem(connect.node);
    if (problem)
        config_problem(reading, "--connect", "%s %s", connect.node, problem);
    else if (port && !flags_read_port(port, &connect.port))
        config_problem(reading, "--connect", "%s is no port: it must be in 1 to 65535", port);
    else
        one_shot->connects[one_shot->connect_count++] = connect;
}

/* What `run` is told beside the keys of the configuration. */
static void flags_finish_run(struct config_reading *reading, const struct config_flags *given)
{
    struct config_one_shot *one_shot = &reading->config->one_shot;
    one_shot->json = given->values[FLAG_JSON];
    one_shot->json_file = one_shot->json && *given->values[FLAG_JSON] ? given->values[FLAG_JSON] : NULL;
    one_shot->junit = given->values[FLAG_JUNIT];
    if (!one_shot->scenario)
        config_problem(reading, "run", "needs the FILE of a scenario");
    if (!given->values[FLAG_CONNECT])
        config_problem(reading, "--connect", "required");
}

/* Help and its like are flags, and asked for as commands by who knows other programs. */
static void flags_report_command(struct config_reading *reading, const char *word)
{
    char dashed[FLAG_COUNT][32];
    const char *names[1 + FLAG_COUNT] = {"run"};
    size_t count = 1;
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        if (flags[i].action == CONFIG_RUN)
            continue;
        snprintf(dashed[i], sizeof(dashed[i]), "--%s", flags[i].name);
        names[count++] = dashed[i];
    }
    const char *nearest = nearest_word(word, strlen(word), names, count);
    if (nearest)
        config_problem(reading, word, "unknown command (nearest: %s)", nearest);
    else
        config_problem(reading, word, "unknown command");
}

static void flags_take_word(struct config_reading *reading, const struct config_flags *given, bool of_run,
                            const char *word)
{
    struct config_one_shot *one_shot = &reading->config->one_shot;
    if (word == given->command)
        flags_report_command(reading, word);
    else if (!of_run && strcmp(word, "run") == 0)
        config_problem(reading, word, "has to be the first argument");
    else if (!of_run || one_shot->scenario)
        config_problem(reading, word, "unexpected argument");
    else
        one_shot->scenario = word;
}

static void flags_take(struct config_reading *reading, struct config_flags *given, size_t index,
                       const char *value, bool of_run)
{
    struct config_one_shot *one_shot = &reading->config->one_shot;
    char where[32];
    snprintf(where, sizeof(where), "--%s", flags[index].name);
    if (flags[index].whom == (of_run ? FOR_DAEMON : FOR_RUN))
        config_problem(reading, where,
                       of_run ? "is for the daemon, not for run" : "is for harnessd run FILE");
    if (index == FLAG_SET && one_shot->setting_count == CONFIG_SETTINGS_MOST)
        config_problem(reading, where, "was given more than %d times", CONFIG_SETTINGS_MOST);
    else if (index == FLAG_SET)
        one_shot->settings[one_shot->setting_count++] = value;
    if (index == FLAG_CONNECT && of_run)
        flags_take_connect(reading, value);
    given->values[index] = value;
    if (flags[index].action == CONFIG_HELP && of_run)
        given->action = CONFIG_HELP_ON_RUN;
    else if (flags[index].action != CONFIG_RUN)
        given->action = flags[index].action;
}

/* Reads what stands behind the program's name, or behind `run`. */
static void flags_read_words(struct config_reading *reading, int argc, char **argv,
                             struct config_flags *given, bool of_run)
{
    struct option options[FLAG_COUNT + 1] = {0};
    for (size_t i = 0; i < FLAG_COUNT; i++)
        options[i] = (struct option){.name = flags[i].name,
                                     .has_arg = flags[i].is_optional ? optional_argument
                                                : flags[i].argument  ? required_argument
                                                                     : no_argument};
    optind = 0; /* begins anew, also after an earlier call */
    opterr = 0;
    for (;;) {
        int index = 0;
        int next = optind ? optind : 1;
        int result = getopt_long(argc, argv, "-:", options, &index);
        if (result == -1)
            break;
        if (result == 1)
            flags_take_word(reading, given, of_run, optarg);
        else if (result == ':')
            config_problem(reading, argv[next], "needs a value");
        else if (result != 0)
            flags_report_unknown(reading, argv[next]);
        else
            flags_take(reading, given, (size_t)index, optarg ? optarg : "", of_run);
    }
    for (int i = optind; i < argc; i++)
        flags_take_word(reading, given, of_run, argv[i]);
}

void config_flags_read(struct config_reading *reading, int argc, char **argv, struct config_flags *given)
{
    bool of_run = argc > 1 && strcmp(argv[1], "run") == 0;
    *given =
        (struct config_flags){.action = of_run ? CONFIG_ONE_SHOT : CONFIG_RUN, .name_source = "node.name"};
    if (argc > 1 && !of_run && *argv[1] != '-')
        given->command = argv[1];
    flags_read_words(reading, argc - of_run, argv + of_run, given, of_run);
    flags_finish(reading, given);
    if (given->action == CONFIG_ONE_SHOT)
        flags_finish_run(reading, given);
    given->is_wrong = reading->problem_count > 0;
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

void config_flags_usage(FILE *output, bool of_run)
{
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        const char *argument = flags[i].argument ? flags[i].argument : "";
        if (flags[i].whom == (of_run ? FOR_DAEMON : FOR_RUN))
            continue;
        int width = fprintf(output, "  --%s%s%s", flags[i].name,
                            *argument && !flags[i].is_optional ? " " : "", argument);
        fprintf(output, "%*s%s\n", width < CONFIG_USAGE_COLUMN ? CONFIG_USAGE_COLUMN - width : 1, "",
                flags[i].help);
    }
}
