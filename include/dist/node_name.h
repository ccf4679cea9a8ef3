/* Names of nodes, NAME@HOST, as OTP takes them. Long names are those whose host has a dot or is an address;
 * `localhost` is good for both kinds. */
#ifndef HARNESSD_DIST_NODE_NAME_H
#define HARNESSD_DIST_NODE_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

#define NODE_NAME_BYTES 255

/* What is wrong with a whole name, whatever its kind; NULL when nothing is. */
MUST_CHECK const char *node_name_problem(const char *name);

/* Whether nothing is wrong with a name of `size` bytes. */
MUST_CHECK bool node_name_is_valid(const char *name, size_t size);

/* What is wrong with this valid name as one of this kind; NULL when nothing is. */
MUST_CHECK const char *node_name_kind_problem(const char *name, bool long_names);

/* Whether a name without or with a host looks like a long one. */
bool node_name_looks_long(const char *name);

/* The name with a host, to be freed: its own, else that of this host: up to the first dot for a short name,
 * its canonical name (which may ask DNS, and blocks meanwhile) for a long one. NULL when that is not to be
 * had. */
MUST_CHECK char *node_name_complete(const char *name, bool long_names);

/* The name, which has no host, with one that goes with the valid name `peer`, to be freed. It is for a node
 * that only calls others and that nobody has to find: where this host has no name of the kind, its address
 * on the way to the peer does, and a loopback one where there is no way. Asks no network about a peer whose
 * host is an address; else as node_name_complete(). */
MUST_CHECK char *node_name_towards(const char *name, const char *peer);

#endif
