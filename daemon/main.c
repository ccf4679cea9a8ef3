/* harnessd: what the command line asks for. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "config/exit_status.h"
#include "daemon.h"
#include "run_once.h"
#include "serve/api.h"
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
    log_plain(problems->text, problems->size);
    return action;
}

/* What is opened later would take the place of a standard stream that is closed, and what is for people be
 * written into it. */
static void open_standard_streams(void)
{
    for (int i = STDIN_FILENO; i <= STDERR_FILENO; i++)
        if (fcntl(i, F_GETFD) < 0 && open("/dev/null", i ? O_WRONLY : O_RDONLY) != i)
            abort();
}

static void end_by_signal(int number)
{
    _exit(128 + number);
}

/* Process 1 is not ended by signals that nobody handles, and its orphans stay if nobody waits for them. */
static void do_without_defaults(void)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    if (getpid() != 1)
        return;
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        signal(numbers[i], end_by_signal);
    signal(SIGCHLD, SIG_IGN);
}

static bool is_one_shot(int argc, char **argv)
{
    return argc > 1 && strcmp(argv[1], "run") == 0;
}

int main(int argc, char **argv)
{
    struct config config = {.functions = api_function_names()};
    int status = EXIT_STATUS_ASKED;
    struct problems_text problems = {.text = NULL};
    memory_init();
    open_standard_streams();
    do_without_defaults();
    log_start(STDERR_FILENO);
    log_watch_crashes();
    switch (load(argc, argv, &config, &problems)) {
    case CONFIG_RUN:
        status = daemon_run(&config, argc, argv);
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
    log_stop();
    return status;
}
