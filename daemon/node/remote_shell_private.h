/* Shells of other nodes that want to run on this one (`erl -remsh`, `iex --remsh`). There is nothing here
 * that could evaluate anything; who asks is told so, and what to do instead, in a way in which the shell
 * shows it and does not crash: those of OTP 26 and later have a shell here that prints it and ends. */
#ifndef HARNESSD_NODE_REMOTE_SHELL_PRIVATE_H
#define HARNESSD_NODE_REMOTE_SHELL_PRIVATE_H

#include "node/request.h"

/* Serves what shells call before they begin, and takes the request over. False when it is nothing of that. */
MUST_CHECK bool remote_shell_serve(struct request *request);

#endif
