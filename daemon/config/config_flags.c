#include "config_flags_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/nearest.h"
#include "cookie_private.h"
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
                      .help = "connect to this node first, with PORT without epmd; may be repeated"},
    [FLAG_SET] = {.name = "set",
                  .argument = "PATH=VALUE",
                  .whom = FOR_RUN,
                  .help = "instead of the file's value: load.duration_ms=5000; may be repeated"},
    [FLAG_JSON] = {.name = "json",
                   .argument = "[=FILE]",
                   .is_optional = true,
                   .is_output = true,
                   .whom = FOR_RUN,
                   .help = "print what came of it as JSON, not as text; or write that to FILE"},
    [FLAG_JUNIT] = {.name = "junit",
                    .argument = "FILE",
                    .is_output = true,
                    .whom = FOR_RUN,
                    .help = "write what was expected and what came to FILE, as JUnit XML"},
    {.name = "cookie-file",
     .argument = "FILE",
     .key = "node.cookie_file",
     .help = "as node.cookie_file: the cluster's cookie is in this file"},
    {.name = "proto-dist",
     .argument = "MODULE",
     .key = "node.proto_dist",
     .help = "as node.proto_dist: inet_tls or inet6_tls for TLS"},
    {.name = "ssl-dist-optfile",
     .argument = "FILE",
     .key = "node.tls.optfile",
     .help = "as node.tls.optfile: the file that erl takes"},
    {.name = "port",
     .argument = "N",
     .key = "node.port",
     .whom = FOR_DAEMON,
     .help = "as node.port: listen here"},
    {.name = "http",
     .argument = "ADDRESS:PORT",
     .key = "http.listen",
     .whom = FOR_DAEMON,
     .help = "as http.listen: metrics and pages are here; \"\" is nowhere"},
    {.name = "exit-on-taken-name",
     .key = "epmd.exit_on_taken_name",
     .whom = FOR_DAEMON,
     .help = "as epmd.exit_on_taken_name: end when another node has the name"},
    {.name = "log-level",
     .argument = "LEVEL",
     .key = "log.level",
     .help = "as log.level: debug, info, warning or error"},
    {.name = "version", .action = CONFIG_VERSION, .help = "print the version and exit"},
    {.name = "help", .letter = 'h', .action = CONFIG_HELP, .help = "print this text and exit"},
    {.name = "help-keys",
     .action = CONFIG_HELP_ON_KEYS,
     .whom = FOR_DAEMON,
     .help = "print the keys of the configuration and exit"},
};

/* What other programs call the flag for a secret, which everybody sees in the list of processes. */
static const char *const secret_flags[] = {"cookie", "setcookie"};

#define SECRET_PROBLEM                                                                                       \
    "a cookie never comes from the command line: --cookie-file FILE or " COOKIE_VARIABLE " has it"

#define FLAG_COUNT ARRAY_LENGTH(flags)
_Static_assert(FLAG_COUNT <= CONFIG_FLAGS_MOST, "config_flags has a value for each flag");

const struct config_flag *config_flags(size_t *count)
{
    *count = FLAG_COUNT;
    return flags;
}

/* What came with it may be a secret, and is not told. */
static void flags_report_unknown(struct config_reading *reading, const char *text)
{
    const char *names[FLAG_COUNT];
    for (size_t i = 0; i < FLAG_COUNT; i++)
        names[i] = flags[i].name;
    const char *word = text + strspn(text, "-");
    size_t size = strcspn(word, "=");
    const char *nearest = nearest_word(word, size, names, FLAG_COUNT);
    char *where = memory_format("%.*s", (int)(word - text + (ptrdiff_t)size), text);
    if (nearest)
        config_problem(reading, where, "unknown flag (nearest: --%s)", nearest);
    else
        config_problem(reading, where, "unknown flag");
    free(where);
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
        config_problem(reading, word, "unknown command; the daemon needs none: harnessd --name NAME@HOST");
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
    /* The last one would win, and what the other names would be left of an earlier run. */
    if (flags[index].is_output && of_run && given->values[index])
        config_problem(reading, where, "was given twice");
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

static bool flags_has_name(const char *word, const char *name)
{
    size_t size = strlen(name);
    return strncmp(word, name, size) == 0 && (!word[size] || word[size] == '=');
}

static bool flags_is_secret(const char *text)
{
    for (size_t i = 0; i < ARRAY_LENGTH(secret_flags); i++)
        if (flags_has_name(text + strspn(text, "-"), secret_flags[i]))
            return true;
    return false;
}

/* FLAG_COUNT when there is none. An abbreviation is none: it would be another flag's as soon as there is one.
 */
static size_t flags_find(const char *text)
{
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        bool is_letter = flags[i].letter && text[1] == flags[i].letter && !text[2];
        if (is_letter || (text[1] == '-' && flags_has_name(text + 2, flags[i].name)))
            return i;
    }
    return FLAG_COUNT;
}

/* Takes the flag argv[at], and what is its value if that is the next word. Returns how many words these were.
 * A word behind a flag that nobody knows may well be the value of it. */
static int flags_read_flag(struct config_reading *reading, int argc, char **argv, int at,
                           struct config_flags *given, bool of_run)
{
    const char *text = argv[at];
    const char *next = at + 1 < argc ? argv[at + 1] : NULL;
    const char *value = strchr(text, '=');
    size_t index = flags_find(text);
    bool is_secret = flags_is_secret(text);
    if (is_secret)
        config_problem(reading, "--cookie", "%s", SECRET_PROBLEM);
    else if (index == FLAG_COUNT)
        flags_report_unknown(reading, text);
    if (is_secret || index == FLAG_COUNT)
        return !value && next && *next != '-' && (is_secret || !of_run) ? 2 : 1;

    bool needs_next = flags[index].argument && !flags[index].is_optional && !value;
    if (!flags[index].argument && value)
        config_problem(reading, text, "takes no value");
    else if (!needs_next)
        flags_take(reading, given, index, value ? value + 1 : "", of_run);
    else if (next)
        flags_take(reading, given, index, next, of_run);
    else
        config_problem(reading, text, "needs a value");
    return needs_next && next ? 2 : 1;
}

/* Reads what stands behind the program's name, or behind `run`. */
static void flags_read_words(struct config_reading *reading, int argc, char **argv,
                             struct config_flags *given, bool of_run)
{
    bool only_words = false;
    for (int at = 1; at < argc;) {
        bool is_flag = !only_words && argv[at][0] == '-' && argv[at][1];
        if (is_flag && strcmp(argv[at], "--") == 0) {
            only_words = true;
            at++;
        } else if (is_flag) {
            at += flags_read_flag(reading, argc, argv, at, given, of_run);
        } else {
            flags_take_word(reading, given, of_run, argv[at++]);
        }
    }
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
            config_key_set_text(reading, config_key_find(flags[i].key),
                                flags[i].argument ? given->values[i] : "true", where);
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
        if (flags[i].letter)
            width += fprintf(output, ", -%c", flags[i].letter);
        fprintf(output, "%*s%s\n", width < CONFIG_USAGE_COLUMN ? CONFIG_USAGE_COLUMN - width : 1, "",
                flags[i].help);
    }
}
