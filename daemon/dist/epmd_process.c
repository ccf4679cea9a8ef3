#include "epmd_process_private.h"

#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

#define PORT_VARIABLE "ERL_EPMD_PORT"

/* What epmd has no business with, or is told anew. */
static const char *const withheld[] = {PORT_VARIABLE "=", "HARNESSD_COOKIE="};

static bool epmd_process_is_withheld(const char *variable)
{
    for (size_t i = 0; i < ARRAY_LENGTH(withheld); i++)
        if (strncmp(variable, withheld[i], strlen(withheld[i])) == 0)
            return true;
    return false;
}

/* Our own, with the port; the array is to be freed, and its first string. */
static char **epmd_process_make_environment(uint16_t port)
{
    size_t count = 0;
    while (environ[count])
        count++;
    char **environment = memory_zalloc(count + 2, sizeof(char *));
    environment[0] = memory_format(PORT_VARIABLE "=%u", (unsigned)port);
    size_t kept = 1;
    for (size_t i = 0; i < count; i++)
        if (!epmd_process_is_withheld(environ[i]))
            environment[kept++] = environ[i];
    return environment;
}

/* Signals that we ignore or block would stay so in epmd. */
static int epmd_process_spawn(pid_t *pid, char **environment)
{
    posix_spawnattr_t attributes;
    int error = posix_spawnattr_init(&attributes);
    if (error)
        return error;
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    char *arguments[] = {(char *)"epmd", (char *)"-daemon", NULL};
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    error = posix_spawnp(pid, "epmd", NULL, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    return error;
}

bool epmd_process_start(struct epmd_process *process, uint16_t port)
{
    if (!epmd_process_reap(process))
        return true;
    char **environment = epmd_process_make_environment(port);
    int error = epmd_process_spawn(&process->pid, environment);
    free(environment[0]);
    free(environment);
    if (!error)
        return true;
    process->pid = 0;
    log_warning("cannot start epmd", log_string("reason", strerror(error)));
    return false;
}

bool epmd_process_reap(struct epmd_process *process)
{
    int status = 0;
    if (!process->pid)
        return true;
    pid_t ended = waitpid(process->pid, &status, WNOHANG);
    if (ended == 0)
        return false;
    process->pid = 0;
    if (ended > 0 && status != 0)
        log_warning("epmd failed to start",
                    log_integer("status", WIFEXITED(status) ? WEXITSTATUS(status) : -1));
    return true;
}

void epmd_process_reap_others(const struct epmd_process *process)
{
    siginfo_t ended = {0};
    while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid &&
           ended.si_pid != process->pid && waitpid(ended.si_pid, NULL, WNOHANG) > 0)
        ended.si_pid = 0;
}
