#include "cookie_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

#define MODE_OF_OTHERS 077

/* NULL when `size` bytes with nothing to cut at their end are a cookie. */
static const char *cookie_content_problem(const char *bytes, size_t size)
{
    if (size == 0)
        return "is empty";
    if (size > COOKIE_BYTES)
        return "holds more than 255 bytes";
    for (size_t i = 0; i < size; i++)
        if (bytes[i] < ' ' || bytes[i] > '~')
            return "holds characters that are not printable";
    return NULL;
}

static char *cookie_take_content(const char *bytes, size_t size, const char *source, char **problem)
{
    while (size && strchr(" \t\r\n", bytes[size - 1]) && bytes[size - 1])
        size--;
    const char *wrong = cookie_content_problem(bytes, size);
    if (wrong) {
        *problem = memory_format("%s %s", source, wrong);
        return NULL;
    }
    char *cookie = memory_alloc(size + 1);
    memcpy(cookie, bytes, size);
    cookie[size] = '\0';
    return cookie;
}

/* systemd hands credentials over with modes of its own, in a directory that nobody else can enter. */
static bool cookie_is_credential(const char *file)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    char *real_directory = directory && *directory ? realpath(directory, NULL) : NULL;
    char *real_file = real_directory ? realpath(file, NULL) : NULL;
    size_t size = real_directory ? strlen(real_directory) : 0;
    bool below = real_file && strncmp(real_file, real_directory, size) == 0 && real_file[size] == '/';
    free(real_directory);
    free(real_file);
    return below;
}

static char *cookie_read_content(int descriptor, const char *file, char **problem)
{
    char bytes[COOKIE_BYTES + 64]; /* one too long is seen to be so, with some blanks at its end */
    size_t size = 0;
    ssize_t got = 0;
    do {
        got = read(descriptor, bytes + size, sizeof(bytes) - size);
        size += got > 0 ? (size_t)got : 0;
    } while ((got > 0 && size < sizeof(bytes)) || (got < 0 && errno == EINTR));
    char *cookie = NULL;
    if (got < 0)
        *problem = memory_format("cannot read %s: %s", file, strerror(errno));
    else
        cookie = cookie_take_content(bytes, size, file, problem);
    explicit_bzero(bytes, sizeof(bytes));
    return cookie;
}

static char *cookie_read_file(const char *file, char **problem)
{
    /* O_NONBLOCK: opening a pipe would wait for its writer. */
    int descriptor = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) {
        *problem = memory_format("cannot open %s: %s", file, strerror(errno));
        return NULL;
    }
    struct stat status;
    char *cookie = NULL;
    if (fstat(descriptor, &status) != 0)
        *problem = memory_format("cannot look at %s: %s", file, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        *problem = memory_format("%s is not a regular file", file);
    else if ((status.st_mode & MODE_OF_OTHERS) && !cookie_is_credential(file))
        *problem = memory_format("%s has mode %04o; others than its owner must have no access (chmod 600)",
                                 file, (unsigned)status.st_mode & 07777);
    else
        cookie = cookie_read_content(descriptor, file, problem);
    close(descriptor);
    return cookie;
}

char *cookie_load(const char *file, char **problem)
{
    *problem = NULL;
    if (file)
        return cookie_read_file(file, problem);
    const char *variable = getenv(COOKIE_VARIABLE);
    if (variable)
        return cookie_take_content(variable, strlen(variable), COOKIE_VARIABLE, problem);
    const char *home = getenv("HOME");
    if (!home || !*home) {
        *problem = memory_string("no cookie: give --cookie-file FILE or " COOKIE_VARIABLE
                                 ", as there is no HOME either");
        return NULL;
    }
    char *home_file = memory_format("%s/.erlang.cookie", home);
    char *cookie = NULL;
    if (access(home_file, F_OK) == 0 || errno != ENOENT)
        cookie = cookie_read_file(home_file, problem);
    else
        *problem =
            memory_format("no cookie: there is no %s, which the first node with a name makes (erl -sname "
                          "a); or give --cookie-file FILE or " COOKIE_VARIABLE,
                          home_file);
    free(home_file);
    return cookie;
}

char *cookie_load_token(const char *file, char **problem)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";
    *problem = NULL;
    char *token = cookie_read_file(file, problem);
    if (!token || strspn(token, allowed) == strlen(token))
        return token;
    *problem = memory_format("%s holds characters other than letters, digits and -._~+/=", file);
    cookie_free(token);
    return NULL;
}

void cookie_free(char *cookie)
{
    if (cookie)
        explicit_bzero(cookie, strlen(cookie));
    free(cookie);
}
