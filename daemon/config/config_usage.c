/* What --help and its like print. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/config_key.h"
#include "config_flags_private.h"
#include "config_usage_private.h"
#include "cookie_private.h"

#define USAGE_WIDTH 100

static const struct config_variable variables[] = {
    {COOKIE_VARIABLE, "the cluster's cookie, where no file is given"},
    {"HOME", "its .erlang.cookie has the cookie, where there is neither"},
    {"ERL_EPMD_PORT", "port of every epmd, where epmd.port is not given"},
    {"CREDENTIALS_DIRECTORY", "of systemd: cookie files below it may be readable by others than their owner"},
    {"NOTIFY_SOCKET", "of systemd: told when the daemon is ready, what it is at, and that it is alive"},
    {"JOURNAL_STREAM", "of systemd: where standard error is the journal, lines of the log have their level"},
};

const struct config_variable *config_variables(size_t *count)
{
    *count = ARRAY_LENGTH(variables);
    return variables;
}

/* Words in lines of USAGE_WIDTH columns, `at` being the one where the first of them begins; the others begin
 * where help does. */
static void usage_print_wrapped(FILE *output, const char *words, size_t at)
{
    while (*(words += strspn(words, " "))) {
        size_t size = strcspn(words, " ");
        if (at + 1 + size > USAGE_WIDTH)
            at = (size_t)fprintf(output, "\n%*s", CONFIG_USAGE_COLUMN, "") - 1;
        at += (size_t)fprintf(output, "%s%.*s", at > CONFIG_USAGE_COLUMN ? " " : "", (int)size, words);
        words += size;
    }
    fputs("\n", output);
}

/* What a key may be: "1 to 10000; default: 64". */
static void usage_print_value(FILE *output, const struct config_key *key)
{
    char *choices = memory_string("");
    for (size_t i = 0; key->choices[i]; i++) {
        char *more = memory_format("%s%s%s", choices, key->choices[i], key->choices[i + 1] ? ", " : "; ");
        free(choices);
        choices = more;
    }
    char *range = key->type == CONFIG_INTEGER
                      ? memory_format("%lld to %lld; ", (long long)key->least, (long long)key->most)
                      : memory_string("");
    char *value = memory_format("%s%sdefault: %s%s", range, choices,
                                key->fallback_help ? key->fallback_help : key->fallback,
                                key->reloads ? "" : "; needs a restart");
    fprintf(output, "%*s", CONFIG_USAGE_COLUMN, "");
    usage_print_wrapped(output, value, CONFIG_USAGE_COLUMN);
    free(value);
    free(range);
    free(choices);
}

void config_usage(FILE *output)
{
    fputs("usage: harnessd --name NAME[@HOST] [flags]\n"
          "       harnessd --config FILE [flags]\n"
          "       harnessd run FILE --connect NODE[:PORT] [flags]\n\n"
          "Joins an Erlang cluster as a hidden node and runs load, concurrency and chaos scenarios on\n"
          "request.\n\n"
          "flags (they override the file):\n",
          output);
    config_flags_usage(output, false);
    fputs("\ncommands:\n"
          "  run FILE                   run one scenario, without a daemon: harnessd run --help\n\n"
          "examples:\n"
          "  harnessd --name harness@127.0.0.1         a daemon; what it can is told from a shell:\n"
          "  iex> IO.puts(:erpc.call(:\"harness@127.0.0.1\", :harness, :help, []))\n"
          "  1> io:put_chars(erpc:call('harness@127.0.0.1', harness, help, [erlang])).\n"
          "  harnessd run smoke.json --connect app@127.0.0.1\n\n"
          "The cookie never comes from the command line. More: man harnessd, man harnessd.json.\n",
          output);
}

void config_usage_of_keys(FILE *output)
{
    size_t key_count;
    const struct config_key *keys = config_keys(&key_count);
    fputs("keys of the configuration file (JSON; a key that begins with // is a comment). SIGHUP has it\n"
          "read again; those that need a restart keep their values until then:\n",
          output);
    for (size_t i = 0; i < key_count; i++) {
        fprintf(output, "  %-26s ", keys[i].path);
        usage_print_wrapped(output, keys[i].help, CONFIG_USAGE_COLUMN);
        usage_print_value(output, &keys[i]);
    }
    fputs("\nenvironment:\n", output);
    for (size_t i = 0; i < ARRAY_LENGTH(variables); i++) {
        fprintf(output, "  %-26s ", variables[i].name);
        usage_print_wrapped(output, variables[i].help, CONFIG_USAGE_COLUMN);
    }
}

void config_usage_of_run(FILE *output)
{
    fputs("usage: harnessd run FILE --connect NODE[:PORT] [flags]\n\n"
          "Runs the scenario of the JSON file FILE once, without a daemon, and prints what came of it. Ends\n"
          "with status 0 when all was met, 1 when something was missed or has failed, 2 when it could not\n"
          "be run. Names without a node are at the first node of --connect.\n\n"
          "flags:\n",
          output);
    config_flags_usage(output, true);
    fputs(
        "\nThe cookie comes from --cookie-file, from " COOKIE_VARIABLE ", or from ~/.erlang.cookie, and\n"
        "never from the command line. Limits and access are those of --config, if it is given.\n\n"
        "examples:\n"
        "  harnessd run smoke.json --connect app@127.0.0.1\n"
        "  harnessd run smoke.json --connect app@127.0.0.1 --set load.duration_ms=5000 --junit report.xml\n\n"
        "harnessd --help-keys has the keys of the configuration.\n",
        output);
}
