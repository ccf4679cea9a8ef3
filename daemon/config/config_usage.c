/* What --help prints. */
#include "config/config_key.h"
#include "config_flags_private.h"
#include "config_usage_private.h"
#include "cookie_private.h"

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

static void usage_print_key(FILE *output, const struct config_key *key)
{
    fprintf(output, "  %-26s %s\n%29s", key->path, key->help, "");
    if (key->type == CONFIG_INTEGER)
        fprintf(output, "%lld to %lld; ", (long long)key->least, (long long)key->most);
    for (size_t i = 0; key->choices[i]; i++)
        fprintf(output, "%s%s", key->choices[i], key->choices[i + 1] ? ", " : "; ");
    if (key->fallback_help)
        fprintf(output, "default: %s", key->fallback_help);
    else
        fprintf(output, "default: %s", key->fallback);
    fputs(key->reloads ? "\n" : "; needs a restart\n", output);
}

void config_usage(FILE *output)
{
    size_t key_count;
    const struct config_key *keys = config_keys(&key_count);
    fputs("usage: harnessd [--config FILE] [--name NAME[@HOST] | --sname NAME[@HOST]] [flags]\n"
          "       harnessd --check-config FILE\n"
          "       harnessd run FILE --connect NODE[:PORT] [flags]\n\n"
          "Joins an Erlang cluster as a hidden node and runs load, concurrency and chaos scenarios on "
          "request.\n\n"
          "flags (they override the file):\n",
          output);
    config_flags_usage(output, false);
    fputs("\nrun runs one scenario, without a daemon: harnessd run --help\n", output);
    fputs("\nkeys of the configuration file (JSON; a key that begins with // is a comment). SIGHUP has it "
          "read\n"
          "again; those that need a restart keep their values until then:\n",
          output);
    for (size_t i = 0; i < key_count; i++)
        usage_print_key(output, &keys[i]);
    fputs("\nenvironment:\n", output);
    for (size_t i = 0; i < ARRAY_LENGTH(variables); i++)
        fprintf(output, "  %-26s %s\n", variables[i].name, variables[i].help);
    fputs("\nThe cookie never comes from the command line.\n", output);
}

void config_usage_of_run(FILE *output)
{
    fputs("usage: harnessd run FILE --connect NODE[:PORT] [flags]\n\n"
          "Runs the scenario of the JSON file FILE once, without a daemon, and prints what came of it. Ends\n"
          "with status 0 when all was met, 1 when something was missed or has failed, 2 when it could not\n"
          "be run.\n\n"
          "flags:\n",
          output);
    config_flags_usage(output, true);
    fputs(
        "\nThe cookie comes from --cookie-file, from " COOKIE_VARIABLE ", or from ~/.erlang.cookie, and\n"
        "never from the command line. Limits and access are those of --config, if it is given.\n\n"
        "examples:\n"
        "  harnessd run smoke.json --connect app@127.0.0.1\n"
        "  harnessd run smoke.json --connect app@127.0.0.1 --set load.duration_ms=5000 --junit report.xml\n\n"
        "harnessd --help has the keys of the configuration.\n",
        output);
}
