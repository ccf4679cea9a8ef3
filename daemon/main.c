/* harnessd: what the command line asks for. */
#include "config/exit_status.h"
#include "daemon.h"
#include "run_once.h"

int main(int argc, char **argv)
{
    struct config config;
    int status = EXIT_STATUS_ASKED;
    switch (config_load(argc, argv, &config, stderr)) {
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
        status = EXIT_STATUS_MISCONFIGURED;
        break;
    }
    config_free(&config);
    return status;
}
