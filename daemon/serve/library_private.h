/* The functions of the library that make scenarios, plain maps that run() takes, and chaos terms for them.
 * Each makes the answer of a request from that alone, for request_answer_by(). */
#ifndef HARNESSD_SERVE_LIBRARY_PRIVATE_H
#define HARNESSD_SERVE_LIBRARY_PRIVATE_H

#include "node/request.h"

/* Whether one of them takes long for a request. */
bool library_takes_long(const struct request *request);

/* simple_genserver_scenario(module, operations, thread_count[, opts]) */
void library_simple_genserver_scenario(struct request *request);

/* from_property_config(module, config[, opts]) */
void library_from_property_config(struct request *request);

/* default_invariant(pid, ctx) */
void library_default_invariant(struct request *request);

/* chaos_inject_crash([spec[, opts]]) and chaos_kill_children([opts]): a chaos term. */
void library_chaos_inject_crash(struct request *request);
void library_chaos_kill_children(struct request *request);

#endif
