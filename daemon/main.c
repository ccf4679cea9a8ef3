/* harnessd: what the command line asks for. */
#include <stdlib.h>
#include <string.h>

#include "config/exit_status.h"
#include "daemon.h"
#include "run_once.h"
#include "serve/one_shot.h"

/* Problems of flags and configuration are lines of standard error, and kept for who is told of them as well.
 */
struct problems_text {
    char *text;
    size_t size;
};

static enum config_action load(int argc, char **argv, struct config *config, struct problems_text *problems)
{
    FILE *file = open_memstream(&problems->text, &problems->size);
    if (!file)
        return config_load(argc, argv, config, stderr);
    enum config_action action = config_load(argc, argv, config, file);
    fclose(file);
    fwrite(problems->text, 1, problems->size, stderr);
    return action;
}

static bool is_one_shot(int argc, char **argv)
{
    return argc > 1 && strcmp(argv[1], "run") == 0;
}

int main(int argc, char **argv)
{
    struct config config;
    int status = EXIT_STATUS_ASKED;
    struct problems_text problems = {.text = NULL};
    switch (load(argc, argv, &config, &problems)) {
    case CONFIG_RUN:
        status = daemon_run(&config, argc, argv) ? EXIT_STATUS_ASKED : EXIT_STATUS_FAILED;
        break;
    case CONFIG_ONE_SHOT:
        status = run_once(&config);
        break;
    case CONFIG_HELP:
        config_usage(stdout);
        break;
    case CONFIG_HELP_ON_KEYS:
        config_usage_of_keys(stdout);
        break;
    case CONFIG_HELP_ON_RUN:
        config_usage_of_run(stdout);
        break;
    case CONFIG_VERSION:
        puts("harnessd " HARNESSD_VERSION);
        break;
    case CONFIG_CHECK:
        printf("%s: no problems\n", config.file);
        break;
    case CONFIG_INVALID:
        if (is_one_shot(argc, argv))
            one_shot_misconfigured(&config, problems.text ? problems.text : "");
        status = EXIT_STATUS_MISCONFIGURED;
        break;
    }
    free(problems.text);
    config_free(&config);
    return status;
}
