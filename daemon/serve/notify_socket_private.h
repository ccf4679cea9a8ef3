/* The socket of the service manager (NOTIFY_SOCKET of sd_notify(3)), which never waits for who reads it. */
#ifndef HARNESSD_SERVE_NOTIFY_SOCKET_PRIVATE_H
#define HARNESSD_SERVE_NOTIFY_SOCKET_PRIVATE_H

#include "base/compiler.h"

/* 0 when it was told, or there is nobody to tell; else an errno, EAGAIN when the manager does not read just
 * now. */
MUST_CHECK int notify_socket_send(const char *state);

#endif
