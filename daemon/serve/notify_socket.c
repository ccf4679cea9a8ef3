#include "notify_socket_private.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The size of the address, 0 when it cannot be one. */
static socklen_t notify_socket_address(const char *path, struct sockaddr_un *address)
{
    size_t size = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || size >= sizeof(address->sun_path))
        return 0;
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, size);
    if (path[0] == '@')
        address->sun_path[0] = '\0'; /* an abstract one */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (path[0] == '/'));
}

int notify_socket_send(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {0};
    if (!path)
        return 0;
    socklen_t size = notify_socket_address(path, &address);
    if (!size)
        return EAFNOSUPPORT;
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return errno;
    ssize_t sent = sendto(descriptor, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
    int error = sent < 0 ? errno : 0;
    close(descriptor);
    return error;
}
